package rpc_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// liveServers are real servers to test against, from the environment variable
// BRIDGECORE_TEST_ODOO: entries "url,database,username,password,apikey"
// separated by white space. Tests make records of their own and delete them.
func liveServers(t *testing.T) []rpc.Config {
	t.Helper()
	env := os.Getenv("BRIDGECORE_TEST_ODOO")
	if env == "" {
		t.Skip("no real Odoo to test against: BRIDGECORE_TEST_ODOO is not set")
	}
	var configs []rpc.Config
	for entry := range strings.FieldsSeq(env) {
		parts := strings.Split(entry, ",")
		require.Len(t, parts, 5, "url,database,username,password,apikey")
		configs = append(configs, rpc.Config{URL: parts[0], Database: parts[1], Username: parts[2], Password: parts[3], APIKey: parts[4]})
	}
	return configs
}

// liveCalls are held equal across the transports of each server.
var liveCalls = []struct {
	name string
	call rpc.Call
}{
	{"search", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{[]any{"id", "<", 20}}}, Kwargs: map[string]any{"order": "id", "limit": 5}}},
	{"positional", rpc.Call{Model: "res.country", Method: "search", Args: []any{[]any{}, 1, 3, "id desc"}}},
	{"search_read", rpc.Call{Model: "product.product", Method: "search_read", Args: []any{[]any{}, []string{"name", "list_price", "categ_id", "barcode", "write_date"}}, Kwargs: map[string]any{"limit": 40, "order": "id"}}},
	{"read", rpc.Call{Model: "res.partner", Method: "read", Args: []any{[]adapter.ID{adapter.IntID(1), adapter.IntID(3)}, []string{"name", "category_id", "credit_limit", "image_128"}}}},
	{"read one id", rpc.Call{Model: "res.company", Method: "read", Args: []any{1}, Kwargs: map[string]any{"fields": []string{"name"}}}},
	{"read missing", rpc.Call{Model: "res.partner", Method: "read", Args: []any{[]int{99999999}, []string{"name"}}}},
	{"read large id", rpc.Call{Model: "res.partner", Method: "read", Args: []any{[]int64{2147483653}, []string{"name"}}}},
	{"count", rpc.Call{Model: "res.country", Method: "search_count", Args: []any{[]any{}}}},
	{"null limit", rpc.Call{Model: "res.country", Method: "search", Args: []any{[]any{}}, Kwargs: map[string]any{"limit": nil, "order": "id"}}},
	{"context", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{}}, Kwargs: map[string]any{"limit": 3, "order": "id", "context": map[string]any{"active_test": false, "lang": "en_US"}}}},
	{"fields_get", rpc.Call{Model: "res.partner", Method: "fields_get", Args: []any{[]string{"name", "country_id"}, []string{"type", "string", "relation"}}}},
	{"name_search", rpc.Call{Model: "res.country", Method: "name_search", Args: []any{"a"}, Kwargs: map[string]any{"limit": 3}}},
	{"context_get", rpc.Call{Model: "res.users", Method: "context_get"}},
	{"described method", rpc.Call{Model: "res.partner", Method: "address_get", Args: []any{[]int{3}, []string{"invoice"}}}},
	{"unicode", rpc.Call{Model: "res.partner", Method: "search_count", Args: []any{[]any{[]any{"name", "=", "Ünïcødé 漢字 😀 <&>\"\r\n\t"}}}}},
	{"unknown model", rpc.Call{Model: "no.such.model", Method: "search", Args: []any{[]any{}}}},
	{"unknown method", rpc.Call{Model: "res.partner", Method: "no_such_method", Args: []any{[]int{1}}}},
	{"private method", rpc.Call{Model: "res.partner", Method: "_compute_display_name", Args: []any{[]int{1}}}},
	{"unknown field read", rpc.Call{Model: "res.partner", Method: "read", Args: []any{[]int{1}, []string{"no_such_field"}}}},
	{"unknown field write", rpc.Call{Model: "res.partner", Method: "write", Args: []any{[]int{1}, map[string]any{"no_such_field": 1}}, Changes: true}},
	{"unknown field create", rpc.Call{Model: "res.partner", Method: "create", Args: []any{map[string]any{"name": "x", "no_such_field": 1}}, Changes: true}},
	{"unknown field domain", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{[]any{"no_such_field", "=", 1}}}}},
	{"unknown field order", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{}}, Kwargs: map[string]any{"order": "no_such_field"}}},
	{"bad domain", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{[]any{"name", "~~", "x"}}}}},
	{"bad order", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{}}, Kwargs: map[string]any{"order": "name; drop table x"}}},
	{"unknown argument", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{}}, Kwargs: map[string]any{"nope": 1}}},
	{"missing record", rpc.Call{Model: "res.partner", Method: "write", Args: []any{[]int{99999999}, map[string]any{"name": "x"}}, Changes: true}},
	{"missing value", rpc.Call{Model: "res.partner", Method: "create", Args: []any{map[string]any{"name": false}}, Changes: true}},
	{"duplicate", rpc.Call{Model: "res.users", Method: "create", Args: []any{map[string]any{"name": "x", "login": "admin"}}, Changes: true}},
	{"bad date", rpc.Call{Model: "sale.order", Method: "write", Args: []any{[]int{1}, map[string]any{"validity_date": "not-a-date"}}, Changes: true}},
	{"bad company", rpc.Call{Model: "res.partner", Method: "search_read", Args: []any{[]any{}}, Kwargs: map[string]any{"fields": []string{"name"}, "limit": 1, "context": map[string]any{"allowed_company_ids": []int{999}}}}},
	{"bad id", rpc.Call{Model: "res.partner", Method: "search", Args: []any{[]any{[]any{"id", "=", "abc"}}}}},
	{"own AccessDenied", rpc.Call{Model: "res.users", Method: "change_password", Args: []any{"wrong", "new"}, Changes: true}},
}

// outcome is what a call came to, as callers can tell.
type outcome struct {
	Value any
	Code  adapter.Code
	Field string
	Model string
}

func outcomeOf(t *testing.T, result json.RawMessage, err error) outcome {
	t.Helper()
	if err != nil {
		var e *adapter.Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Message)
		require.NotContains(t, e.Message, "Traceback")
		return outcome{Code: e.Code, Field: e.Field, Model: e.Model}
	}
	var v any
	require.NoError(t, adapter.DecodeJSON(result, &v), "%s", result)
	return outcome{Value: v}
}

func TestLiveTransportsAgree(t *testing.T) {
	ctx := context.Background()
	for _, cfg := range liveServers(t) {
		var conns []*rpc.Conn
		auto, err := rpc.Dial(ctx, cfg)
		require.NoError(t, err)
		defer auto.Close()
		t.Run(auto.Version().Series, func(t *testing.T) {
			for _, transport := range []string{rpc.JSONRPC, rpc.Session, rpc.XMLRPC, rpc.JSON2} {
				forced := cfg
				forced.Transport = transport
				c, err := rpc.Dial(ctx, forced)
				if transport == rpc.JSON2 && auto.Version().Major < 19 {
					require.Equal(t, adapter.Unsupported, adapter.CodeOf(err))
					continue
				}
				require.NoError(t, err, transport)
				require.Equal(t, auto.UID(), c.UID())
				require.NoError(t, c.Ping(ctx))
				defer c.Close()
				conns = append(conns, c)
			}
			if auto.Version().Major >= 19 {
				require.Equal(t, rpc.JSON2, auto.Transport())
			} else {
				require.Equal(t, rpc.JSONRPC, auto.Transport())
			}
			for _, test := range liveCalls {
				t.Run(test.name, func(t *testing.T) {
					var want outcome
					for i, c := range conns {
						result, err := c.Call(ctx, test.call)
						got := outcomeOf(t, result, err)
						if i == 0 {
							want = got
							if err != nil {
								t.Logf("%s: %v", c.Transport(), err)
							}
							continue
						}
						assert.Equal(t, want, got, "%s against %s: %v", c.Transport(), conns[0].Transport(), err)
					}
				})
			}
			t.Run("life of a record", func(t *testing.T) {
				for _, c := range conns {
					liveRecord(t, c)
				}
			})
		})
	}
}

// liveRecord creates, reads, changes and deletes a record.
func liveRecord(t *testing.T, c *rpc.Conn) {
	t.Helper()
	ctx := context.Background()
	call := func(method string, args ...any) any {
		result, err := c.Call(ctx, rpc.Call{Model: "res.partner", Method: method, Args: args, Changes: true})
		require.NoError(t, err, "%s over %s", method, c.Transport())
		var v any
		require.NoError(t, adapter.DecodeJSON(result, &v))
		return v
	}
	const name = "Ünïcødé 漢字 😀 <&>\""
	id, ok := call("create", map[string]any{"name": name, "comment": nil, "image_1920": pixel, "credit_limit": 12.0}).(json.Number)
	require.True(t, ok, "create of one gives one id over %s", c.Transport())
	pair, ok := call("create", []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}).([]any)
	require.True(t, ok && len(pair) == 2)
	one, ok := call("create", []any{map[string]any{"name": "c"}}).([]any)
	require.True(t, ok && len(one) == 1)
	require.Equal(t, true, call("write", []any{id}, map[string]any{"phone": "123"}))
	records := call("read", []any{id}, []string{"name", "phone", "image_1920"}).([]any)
	record := adapter.Record(records[0].(map[string]any))
	require.Equal(t, name, record.String("name"))
	require.Equal(t, "123", record.String("phone"))
	require.NotEmpty(t, record.String("image_1920"), c.Transport())
	require.Equal(t, true, call("unlink", append(append([]any{id}, pair...), one...)))
}

// pixel is a PNG of one pixel, as its bytes.
var pixel = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00\x0cIDATx\xdac\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xf7\x03\x41\x43\x00\x00\x00\x00IEND\xaeB`\x82")

func TestLiveRefusals(t *testing.T) {
	ctx := context.Background()
	for _, cfg := range liveServers(t) {
		for _, transport := range []string{"", rpc.JSONRPC, rpc.Session, rpc.XMLRPC} {
			bad := cfg
			bad.Transport, bad.Database = transport, "no_such_database"
			_, err := rpc.Dial(ctx, bad)
			var e *adapter.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, adapter.NotFound, e.Code, "%s %s: %v", cfg.URL, transport, err)
			assert.Equal(t, "database", e.Field, "%s %s", cfg.URL, transport)
			require.NotContains(t, e.Error(), "127.0.0.1")

			bad = cfg
			bad.Transport, bad.Password, bad.APIKey = transport, "wrong", ""
			_, err = rpc.Dial(ctx, bad)
			require.Equal(t, adapter.Unauthenticated, adapter.CodeOf(err), "%s %s: %v", cfg.URL, transport, err)
			_, err = rpc.Dial(ctx, bad)
			require.ErrorAs(t, err, &e)
			require.Equal(t, adapter.Unauthenticated, e.Code)
			require.True(t, e.NothingSent, "the second attempt is answered here")
			require.NotZero(t, e.RetryAfter)
		}
		bad := cfg
		bad.APIKey = "0123456789012345678901234567890123456789"
		_, err := rpc.Dial(ctx, bad)
		require.Equal(t, adapter.Unauthenticated, adapter.CodeOf(err), "%v", err)
	}
}
