package rpc

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func TestFaultsBecomeCodes(t *testing.T) {
	call := Call{Model: "res.partner", Method: "write", Args: []any{[]int{1}, map[string]any{"color": 1}}, Kwargs: map[string]any{"order": "age desc, size"}}
	tests := []struct {
		name                  string
		fault                 Fault
		code                  adapter.Code
		message, field, model string
		temporary             bool
	}{
		{name: "business", fault: Fault{Name: "odoo.exceptions.UserError", Message: "Nicht so.\n"}, code: adapter.InvalidArgument, message: "Nicht so."},
		{name: "name before openerp", fault: Fault{Name: "openerp.exceptions.AccessError", Message: "No."}, code: adapter.PermissionDenied, message: "No."},
		{name: "13.0's tuple", fault: Fault{Name: "odoo.exceptions.UserError", Message: `("It's \"this\"\nand that\xe9", None)`}, code: adapter.InvalidArgument, message: "It's \"this\"\nand thaté"},
		{name: "13.0's None", fault: Fault{Name: "odoo.exceptions.ValidationError", Message: "No.\nNone"}, code: adapter.InvalidArgument, message: "No."},
		{name: "a module's own, by kind", fault: Fault{Name: "odoo.addons.shop.models.ShopError", Kind: "validation_error", Message: "Closed."}, code: adapter.InvalidArgument, message: "Closed."},
		{name: "a module's own, by status", fault: Fault{Name: "odoo.addons.shop.models.ShopError", Code: "422", Message: "Closed."}, code: adapter.InvalidArgument, message: "Closed."},
		{name: "a module's own, unknown", fault: Fault{Name: "odoo.addons.shop.models.ShopError", Code: "200", Message: "secret"}, code: adapter.Internal, message: "Odoo failed while it worked on the call"},
		{name: "missing, in French", fault: Fault{Name: "odoo.exceptions.MissingError", Message: "L'enregistrement n'existe pas.\n(Enregistrement : res.country(9, 10), Utilisateur : 2)"}, code: adapter.NotFound, message: "L'enregistrement n'existe pas.\n(Enregistrement : res.country(9, 10), Utilisateur : 2)", model: "res.country"},
		{name: "key of the call", fault: Fault{Name: "builtins.KeyError", Message: "'color'"}, code: adapter.InvalidArgument, message: "Invalid field 'color' on model 'res.partner'", field: "color"},
		{name: "key of the order", fault: Fault{Name: "builtins.KeyError", Message: "size"}, code: adapter.InvalidArgument, message: "Invalid field 'size' on model 'res.partner'", field: "size"},
		{name: "key of something else", fault: Fault{Name: "builtins.KeyError", Message: "tax_cache"}, code: adapter.InvalidArgument, message: badArguments + `KeyError "tax_cache"`},
		{name: "the model", fault: Fault{Name: "builtins.KeyError", Message: "res.partner"}, code: adapter.NotFound, message: "There is no model 'res.partner'", field: "model"},
		{name: "an attribute that is not the method", fault: Fault{Name: "builtins.AttributeError", Message: "'str' object has no attribute 'items'"}, code: adapter.InvalidArgument, message: badArguments + "'str' object has no attribute 'items'"},
		{name: "the method", fault: Fault{Name: "builtins.AttributeError", Message: "type object 'res.partner' has no attribute 'write'"}, code: adapter.NotFound, message: "Model 'res.partner' has no method 'write'", field: "method"},
		{name: "serialization", fault: Fault{Name: "psycopg2.errors.SerializationFailure", Message: "could not serialize access"}, code: adapter.Conflict, message: "somebody else is changing the same records; try again", temporary: true},
		{name: "unique", fault: Fault{Name: "psycopg2.errors.UniqueViolation", Message: "duplicate key value violates unique constraint \"x\"\nDETAIL: Key (a)=(1)"}, code: adapter.AlreadyExists, message: badValue + "duplicate key value violates unique constraint \"x\""},
		{name: "database gone", fault: Fault{Name: "psycopg2.OperationalError", Message: "connection to server at \"10.0.0.1\", port 5432 failed: Connection refused"}, code: adapter.Unavailable, message: "Odoo can't reach its database at the moment", temporary: true},
		{name: "no database", fault: Fault{Name: "psycopg2.OperationalError", Message: "connection to server at \"10.0.0.1\", port 5432 failed: FATAL:  database \"x\" does not exist"}, code: adapter.NotFound, message: "the server has no database of that name", field: "database", model: "-"},
		{name: "query too slow", fault: Fault{Name: "psycopg2.errors.QueryCanceled", Message: "canceling statement due to statement timeout"}, code: adapter.Timeout, message: "Odoo gave up on a query that took too long", temporary: true},
		{name: "a constraint's name", fault: Fault{Name: "odoo.exceptions.ValidationError", Message: "res_users_login_key"}, code: adapter.InvalidArgument, message: `Odoo refuses the values: they break the rule "res_users_login_key"`},
		{name: "Python's failure", fault: Fault{Name: "builtins.ZeroDivisionError", Message: "division by zero", Debug: "Traceback"}, code: adapter.Internal, message: "Odoo failed while it worked on the call"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e *adapter.Error
			require.ErrorAs(t, test.fault.toError(call), &e)
			require.Equal(t, test.code, e.Code)
			require.Equal(t, test.message, e.Message)
			require.Equal(t, test.field, e.Field)
			want := map[string]string{"": "res.partner", "-": ""}
			model, ok := want[test.model]
			if !ok {
				model = test.model
			}
			require.Equal(t, model, e.Model)
			require.Equal(t, test.temporary, e.Temporary)
			require.Equal(t, test.fault.Name, e.Native)
			var native *Fault
			require.ErrorAs(t, e, &native)
		})
	}
}

func TestLastException(t *testing.T) {
	for _, test := range []struct{ traceback, name, message string }{
		{"Traceback (most recent call last):\n  File \"x\", line 1\n    y\nKeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"x\", line 1\n    z\n    ^^^\nodoo.exceptions.ValidationError: ('No', None)\n", "odoo.exceptions.ValidationError", "('No', None)"},
		{"Traceback (most recent call last):\n  File \"x\"\nAssertionError", "builtins.AssertionError", ""},
		{"Traceback (most recent call last):\n  File \"x\"\npsycopg2.errors.X: bad\nLINE 1: a\n   ^\n", "psycopg2.errors.X", "bad\nLINE 1: a\n   ^\n"},
		{"no traceback", "", ""},
		{"Traceback (most recent call last):\n", "", ""},
		{"Traceback (most recent call last):\n  File\nno exception here\n", "", ""},
	} {
		name, message, ok := lastException(test.traceback)
		require.Equal(t, test.name, name)
		require.Equal(t, test.message, message)
		require.Equal(t, test.name != "", ok)
	}
}

func FuzzFaults(f *testing.F) {
	for _, seed := range [][2]string{
		{"1", "Traceback (most recent call last):\n  File \"x\", line 1\nValueError: Invalid field 'a' on model 'b'\n"},
		{"2", `('It\'s \xe9', None)`}, {"2", "Record does not exist or has been deleted.\n(Record: a.b(1,), User: 2)"},
		{"4", ""}, {"warning -- AccessError\n\nno", ""}, {"1", `("`}, {"1", "Traceback (most recent call last):\nKeyError: ''"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, code, text string) {
		fault := parseXMLFault(code, text)
		err := fault.toError(Call{Model: "res.partner", Method: "read", Args: []any{text}})
		var e *adapter.Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Code)
		require.NotEmpty(t, e.Message)
		require.LessOrEqual(t, len(e.Message), 4000)
		if utf8.ValidString(text) {
			require.True(t, utf8.ValidString(e.Message), "%q", e.Message)
		}
		if strings.HasPrefix(text, tracebackHead) && code == "1" {
			require.NotContains(t, e.Message, tracebackHead)
		}
	})
}

func FuzzDecodeJSONRPC(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc": "2.0", "id": 1, "result": [1.50]}`, `{"jsonrpc": "2.0", "id": 1}`, `{"jsonrpc": "2.0", "result": null}`,
		`{"error": {"code": 200, "message": "x", "data": {"name": "builtins.KeyError", "arguments": ["a"], "message": "a"}}}`,
		`{"error": {"code": "200"}}`, `{"error": null}`, `[]`, `null`, `{"error": {"data": null}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		result, fault, err := decodeJSONRPC(body)
		switch {
		case err != nil:
			require.Nil(t, result)
			require.Nil(t, fault)
		case fault != nil:
			require.Error(t, fault.toError(Call{}))
		default:
			require.NotEmpty(t, result)
		}
	})
}

// The memory of refused credentials ends after the pause.
func TestRefusalsAreForgotten(t *testing.T) {
	var r refusals
	key := credentialKey("http://x", Config{Password: "a"})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, r.check(key, now))
	r.remember(key, now)
	var e *adapter.Error
	require.ErrorAs(t, r.check(key, now.Add(20*time.Second)), &e)
	require.Equal(t, 40*time.Second, e.RetryAfter)
	require.NoError(t, r.check(credentialKey("http://x", Config{Password: "b"}), now))
	require.NoError(t, r.check(key, now.Add(cooldown)))
	r.remember(credentialKey("http://y", Config{}), now.Add(2*cooldown))
	require.Len(t, r.until, 1, "what is over is dropped")
}

func TestRetryAfter(t *testing.T) {
	w := &wire{now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}
	for value, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "5": 5 * time.Second, "99999999999": 0, "86400": time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0, "Sat, 03 Jan 2026 03:00:00 GMT": time.Hour,
	} {
		got := w.retryAfter(map[string][]string{"Retry-After": {value}})
		if value == "99999999999" {
			want = time.Hour
		}
		require.Equal(t, want, got, value)
	}
}
