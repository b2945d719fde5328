package rpc

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Fault is an error as an Odoo server stated it. It is the native error
// inside the *adapter.Error that callers get, for operators: Debug is the
// server's traceback.
type Fault struct {
	Name    string // the exception's full name: "odoo.exceptions.AccessError"; "2" where XML-RPC gives no more
	Message string // as the server worded it
	Kind    string // 13.0's exception_type: "validation_error"
	Code    string // the protocol's code: 200, 100, 404, 0 in JSON-RPC, the HTTP status in JSON-2, the fault's code in XML-RPC
	Debug   string // the traceback, where there is one
}

// Error returns the name and the message, without the traceback.
func (f *Fault) Error() string { return f.Name + ": " + f.Message }

// rule says what an exception means for callers.
type rule struct {
	code      adapter.Code
	temporary bool
	// show says that the message is made for users. Otherwise it is Python's
	// or PostgreSQL's, whose first line is shown after prefix, or not at all
	// where prefix is empty.
	show   bool
	prefix string
}

const (
	badArguments = "Odoo can't work with these arguments: "
	badValue     = "Odoo's database refuses a value: "
)

var (
	business  = rule{code: adapter.InvalidArgument, show: true}
	arguments = rule{code: adapter.InvalidArgument, prefix: badArguments}
	value     = rule{code: adapter.InvalidArgument, prefix: badValue}
	contended = rule{code: adapter.Conflict, temporary: true}
	away      = rule{code: adapter.Unavailable, temporary: true}
	unknown   = rule{code: adapter.Internal}
)

// rules are the exceptions by name. 13.0 to 19.0 agree on the names; those of
// 8.0 and before, which old modules still raise, are aliases of them.
//
// A ValidationError is invalid_argument even where its traceback tells of a
// unique constraint: XML-RPC sends no traceback, and the transports must
// agree.
var rules = map[string]rule{
	"odoo.exceptions.UserError":       business,
	"odoo.exceptions.ValidationError": business,
	"odoo.exceptions.RedirectWarning": business,
	"odoo.exceptions.Warning":         business,
	"odoo.exceptions.except_orm":      business,
	"odoo.exceptions.MissingError":    {code: adapter.NotFound, show: true},
	"odoo.exceptions.AccessError":     {code: adapter.PermissionDenied, show: true},
	"odoo.exceptions.AccessDenied":    {code: adapter.Unauthenticated, show: true},
	"odoo.exceptions.LockError":       {code: adapter.Conflict, temporary: true, show: true},
	"odoo.exceptions.ConcurrencyError": {
		code: adapter.Conflict, temporary: true, show: true,
	},
	"odoo.http.SessionExpiredException": {code: adapter.Unauthenticated},
	"odoo.http.AuthenticationError":     {code: adapter.Unauthenticated},

	"werkzeug.exceptions.BadRequest":            business,
	"werkzeug.exceptions.UnprocessableEntity":   business,
	"werkzeug.exceptions.Unauthorized":          {code: adapter.Unauthenticated, show: true},
	"werkzeug.exceptions.Forbidden":             {code: adapter.PermissionDenied, show: true},
	"werkzeug.exceptions.NotFound":              {code: adapter.NotFound, show: true},
	"werkzeug.exceptions.RequestEntityTooLarge": business,
	"werkzeug.exceptions.TooManyRequests":       {code: adapter.RateLimited, temporary: true},
	"werkzeug.exceptions.ServiceUnavailable":    away,

	"builtins.ValueError":          arguments,
	"builtins.TypeError":           arguments,
	"builtins.KeyError":            arguments,
	"builtins.IndexError":          arguments,
	"builtins.AttributeError":      arguments,
	"builtins.AssertionError":      arguments,
	"builtins.OverflowError":       arguments,
	"builtins.RecursionError":      arguments,
	"builtins.UnicodeError":        arguments,
	"builtins.UnicodeEncodeError":  arguments,
	"builtins.UnicodeDecodeError":  arguments,
	"binascii.Error":               arguments,
	"builtins.NotImplementedError": {code: adapter.Unsupported, prefix: "Odoo does not support this: "},
	"builtins.TimeoutError":        away,
	"builtins.ConnectionError":     away,

	"psycopg2.OperationalError":                     away,
	"psycopg2.InterfaceError":                       away,
	"psycopg2.pool.PoolError":                       away,
	"odoo.sql_db.PoolError":                         away,
	"psycopg2.errors.AdminShutdown":                 away,
	"psycopg2.errors.CannotConnectNow":              away,
	"psycopg2.errors.TooManyConnections":            away,
	"psycopg2.errors.QueryCanceled":                 {code: adapter.Timeout, temporary: true},
	"psycopg2.extensions.QueryCanceledError":        {code: adapter.Timeout, temporary: true},
	"psycopg2.errors.SerializationFailure":          contended,
	"psycopg2.errors.DeadlockDetected":              contended,
	"psycopg2.errors.LockNotAvailable":              contended,
	"psycopg2.extensions.TransactionRollbackError":  contended,
	"psycopg2.errors.UniqueViolation":               {code: adapter.AlreadyExists, prefix: badValue},
	"psycopg2.IntegrityError":                       value,
	"psycopg2.errors.ForeignKeyViolation":           value,
	"psycopg2.errors.NotNullViolation":              value,
	"psycopg2.errors.CheckViolation":                value,
	"psycopg2.DataError":                            value,
	"psycopg2.ProgrammingError":                     value,
	"psycopg2.errors.InvalidTextRepresentation":     value,
	"psycopg2.errors.InvalidDatetimeFormat":         value,
	"psycopg2.errors.DatetimeFieldOverflow":         value,
	"psycopg2.errors.NumericValueOutOfRange":        value,
	"psycopg2.errors.StringDataRightTruncation":     value,
	"psycopg2.errors.CharacterNotInRepertoire":      value,
	"psycopg2.errors.UntranslatableCharacter":       value,
	"psycopg2.errors.UndefinedFunction":             value,
	"psycopg2.errors.UndefinedColumn":               value,
	"psycopg2.errors.SyntaxError":                   value,
	"psycopg2.errors.InvalidRegularExpression":      value,
	"psycopg2.errors.InvalidRowCountInLimitClause":  value,
	"psycopg2.errors.InvalidRowCountInResultOffset": value,
}

// kinds are 13.0's exception types, for exceptions of modules' own that
// derive from Odoo's.
var kinds = map[string]rule{
	"warning":          business,
	"user_error":       business,
	"validation_error": business,
	"except_orm":       business,
	"missing_error":    {code: adapter.NotFound, show: true},
	"access_error":     {code: adapter.PermissionDenied, show: true},
	"access_denied":    {code: adapter.Unauthenticated, show: true},
}

// codes are what remains of an exception of a module's own that derives from
// one of Odoo's: the HTTP status of JSON-2, the code of an XML-RPC fault, the
// error code of JSON-RPC.
var codes = map[string]rule{
	"2":   business,
	"3":   {code: adapter.Unauthenticated, show: true},
	"4":   {code: adapter.PermissionDenied, show: true},
	"100": {code: adapter.Unauthenticated},
	"400": business,
	"401": {code: adapter.Unauthenticated, show: true},
	"403": {code: adapter.PermissionDenied, show: true},
	"404": {code: adapter.NotFound, show: true},
	"409": {code: adapter.Conflict, show: true},
	"422": business,
}

// find returns the rule of a fault, by name, kind or code, in that order.
func (f *Fault) find() rule {
	if r, ok := rules[f.canonical()]; ok {
		return r
	}
	if r, ok := kinds[f.Kind]; ok {
		return r
	}
	if r, ok := codes[f.Code]; ok {
		return r
	}
	return unknown
}

// canonical is the name in the words of the table.
func (f *Fault) canonical() string {
	name := f.Name
	for _, old := range [...]string{"openerp.", "odoo.addons.web.", "odoo.service."} {
		if rest, ok := strings.CutPrefix(name, old); ok {
			name = "odoo." + rest
		}
	}
	if name != "" && !strings.Contains(name, ".") && name[0] >= 'A' && name[0] <= 'Z' {
		name = "builtins." + name
	}
	return name
}

// finding is a pattern in Python's own, untranslated words that names the
// field or the argument at fault.
type finding struct {
	pattern *regexp.Regexp // groups: "field", "model"
	code    adapter.Code   // "" keeps the rule's
	field   string         // where the pattern has no such group
	message string         // in place of the fault's: %F and %M stand for field and model
}

const invalidField = "Invalid field '%F' on model '%M'"

// findings apply to exceptions that are not made for users: their texts are
// literals in Odoo's and Python's source, in English everywhere.
var findings = []finding{
	{pattern: regexp.MustCompile(`^Invalid field '(?P<field>[^']+)' (?:on model|on|in) '(?P<model>[^']+)'`), message: invalidField},
	{pattern: regexp.MustCompile(`^Invalid field (?P<model>[\w.]+)\.(?P<field>\w+) in (?:leaf|condition)`), message: invalidField},
	{pattern: regexp.MustCompile(`^Invalid field '(?P<field>[^']+)' in (?:leaf|domain term)`), message: invalidField},
	{pattern: regexp.MustCompile(`^Wrong value for (?P<model>[\w.]+)\.(?P<field>\w+):`)},
	{pattern: regexp.MustCompile(`^Cannot convert (?P<model>[\w.]+)\.(?P<field>\w+) to SQL`), message: "Field '%F' of model '%M' is not stored: it can't be used in a filter or an order"},
	{pattern: regexp.MustCompile(`got an unexpected keyword argument '(?P<field>\w+)'`), message: "The method takes no argument '%F'"},
	{pattern: regexp.MustCompile(`missing a required argument: '(?P<field>\w+)'`), message: "The method needs the argument '%F'"},
	{pattern: regexp.MustCompile(`missing \d+ required (?:positional|keyword-only) arguments?: '(?P<field>\w+)'`), message: "The method needs the argument '%F'"},
	{pattern: regexp.MustCompile(`^(?:The method '|type object '[\w.]+' has no attribute '|'[\w.]+' object has no attribute ')(?:[\w.]*\.)?(?P<method>\w+)'`), code: adapter.NotFound, field: "method", message: "Model '%M' has no method '%F'"},
}

// The few patterns in translatable text, used where Odoo gives neither a name
// nor a code that tells: a missing record in an XML-RPC fault 2, an unknown
// model, and an order, which are plain UserErrors. They know English only; a
// server that answers in another language gets the code of the rule.
var (
	missingRecord = regexp.MustCompile(`^(?:Record does not exist or has been deleted|One of the documents you are trying to access has been deleted)`)
	unknownModel  = regexp.MustCompile(`^(?i:Object ([\w.;]+) doesn't exist|the model '([^']+)' does not exist)`)
	invalidOrder  = regexp.MustCompile(`^Invalid "order" specified`)
)

// bareConstraint is a constraint's name without a word, which is all that
// RPC says of one in 13.0 to 15.0.
var bareConstraint = regexp.MustCompile(`^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$`)

// namedRecord is how a MissingError names the record, in any language. It may
// be another than the one that was called: a value can refer to one.
var namedRecord = regexp.MustCompile(`\b([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)\(\d+,[^)]*\)`)

// noDatabase is PostgreSQL's word for a database that isn't there; the only
// sign of it, as psycopg2 raises an OperationalError for whatever keeps it
// from connecting. A PostgreSQL that speaks another language is Unavailable.
var noDatabase = regexp.MustCompile(`database ".*" does not exist`)

// toError turns a fault into the error that callers get.
func (f *Fault) toError(call Call) error {
	r := f.find()
	text := f.text()
	e := &adapter.Error{Code: r.code, Model: call.Model, Native: f.Name, Temporary: r.temporary, Err: f}
	switch {
	case r.show:
		e.Message = shorten(text, 2000)
	case r.prefix != "":
		first, _, _ := strings.Cut(text, "\n")
		e.Message = r.prefix + shorten(first, 300)
	}
	switch name := f.canonical(); {
	case name == "psycopg2.OperationalError" && noDatabase.MatchString(text):
		return &adapter.Error{Code: adapter.NotFound, Field: "database", Message: "the server has no database of that name", Native: f.Name, Err: f}
	case name == "builtins.KeyError":
		f.keyError(call, text, e)
	case strings.HasPrefix(name, "builtins."), name == "werkzeug.exceptions.UnprocessableEntity":
		applyFindings(call, text, e)
	case name == "odoo.http.SessionExpiredException":
		e.Message = "the session with Odoo ended"
	case r.show:
		refine(text, e)
	}
	if m := namedRecord.FindStringSubmatch(text); m != nil && e.Code == adapter.NotFound {
		e.Model = m[1]
	}
	if e.Code == adapter.NotFound && strings.HasPrefix(f.canonical(), "werkzeug.") {
		refineNotFound(call, text, e)
	}
	if e.Message == "" {
		e.Message = fallbackMessages[e.Code]
	}
	return e
}

// fallbackMessages are for faults whose own text is not for callers.
var fallbackMessages = map[adapter.Code]string{
	adapter.Internal:         "Odoo failed while it worked on the call",
	adapter.Unavailable:      "Odoo can't reach its database at the moment",
	adapter.Conflict:         "somebody else is changing the same records; try again",
	adapter.Timeout:          "Odoo gave up on a query that took too long",
	adapter.RateLimited:      "Odoo asks for fewer calls",
	adapter.Unauthenticated:  "Odoo refused the credentials",
	adapter.PermissionDenied: "Odoo does not allow that",
	adapter.NotFound:         "Odoo does not have that",
	adapter.InvalidArgument:  "Odoo refused the call",
}

// applyFindings looks for the field or argument that Python's text names.
func applyFindings(call Call, text string, e *adapter.Error) {
	for _, f := range findings {
		m := f.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		named := ""
		for i, group := range f.pattern.SubexpNames() {
			switch group {
			case "field":
				e.Field, named = m[i], m[i]
			case "model":
				e.Model = m[i]
			case "method":
				// An attribute that an object lacks is the method only if
				// that is what was called.
				if m[i] != call.Method {
					return
				}
				e.Field, named = f.field, m[i]
			}
		}
		if f.code != "" {
			e.Code = f.code
		}
		if f.message != "" {
			e.Message = strings.NewReplacer("%F", named, "%M", e.Model).Replace(f.message)
		} else {
			first, _, _ := strings.Cut(text, "\n")
			e.Message = shorten(first, 300)
		}
		return
	}
}

// keyError reads the key of a KeyError: the model, which the web client's
// interface of 13 to 17 answers so, or a field of the call, which 13 and 19
// do in places.
func (f *Fault) keyError(call Call, key string, e *adapter.Error) {
	key = strings.Trim(key, `'"`)
	switch {
	case key == call.Model && key != "":
		e.Code, e.Message = adapter.NotFound, "There is no model '"+key+"'"
		e.Field = "model"
	case call.mentions(key):
		e.Field = key
		e.Message = strings.NewReplacer("%F", key, "%M", call.Model).Replace(invalidField)
	default:
		e.Message = badArguments + "KeyError " + shorten(strconv.Quote(key), 100)
	}
}

// mentions reports whether a call's arguments hold s, as a value, a key, or a
// word of an order.
func (call Call) mentions(s string) bool {
	if s == "" {
		return false
	}
	b, err := json.Marshal([]any{call.Args, call.Kwargs})
	if err != nil {
		return false
	}
	var v any
	if json.Unmarshal(b, &v) != nil {
		return false
	}
	var in func(any) bool
	in = func(v any) bool {
		switch v := v.(type) {
		case string:
			if v == s {
				return true
			}
			for _, part := range strings.Split(v, ",") {
				if word, _, _ := strings.Cut(strings.TrimSpace(part), " "); word == s {
					return true
				}
			}
		case []any:
			for _, item := range v {
				if in(item) {
					return true
				}
			}
		case map[string]any:
			for k, item := range v {
				if k == s || in(item) {
					return true
				}
			}
		}
		return false
	}
	return in(v)
}

// refine tells apart what business errors lump together.
func refine(text string, e *adapter.Error) {
	if e.Code != adapter.InvalidArgument {
		return
	}
	text = strings.TrimSpace(text)
	switch {
	case missingRecord.MatchString(text):
		e.Code = adapter.NotFound
	case unknownModel.MatchString(text):
		e.Code, e.Field, e.Message = adapter.NotFound, "model", "There is no model '"+e.Model+"'"
	case bareConstraint.MatchString(text):
		e.Message = "Odoo refuses the values: they break the rule \"" + shorten(text, 80) + "\""
	case invalidOrder.MatchString(text):
		e.Field = "order"
	}
}

var missingMethod = regexp.MustCompile(`^The method '[^']+' does not exist`)

// refineNotFound words the 404 of JSON-2 and of the web client's interface,
// which name the model or the method, or nothing at all.
func refineNotFound(call Call, text string, e *adapter.Error) {
	switch {
	case missingMethod.MatchString(text):
		e.Field = "method"
		e.Message = "Model '" + call.Model + "' has no method '" + call.Method + "'"
	case unknownModel.MatchString(text), strings.HasPrefix(text, "404 Not Found"):
		e.Field = "model"
		e.Message = "There is no model '" + call.Model + "'"
	}
}

// firstArgument returns the message of an exception of Odoo's own, which is
// its first argument: what JSON calls the message is all of them, one a line.
func firstArgument(name string, arguments []any, message string) string {
	if strings.HasPrefix(name, "odoo.exceptions.") && len(arguments) > 1 {
		if first, ok := arguments[0].(string); ok && first != "" {
			return first
		}
	}
	return message
}

// text is the message without what is wrapped around it: ('msg', None) in
// 13.0, ('msg', {an action}, 'its label') in XML-RPC's RedirectWarning, and
// 13.0's None or empty line at the end.
func (f *Fault) text() string {
	s := strings.TrimSpace(f.Message)
	if rest, ok := strings.CutPrefix(s, "("); ok && strings.HasSuffix(s, ")") {
		if first, tail, ok := pythonString(rest); ok && (tail == ",)" || strings.HasPrefix(tail, ", ")) {
			s = first
		}
	}
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "\nNone"))
}

// pythonString reads a string literal, as Python's repr writes one, and
// returns its value and what follows it.
func pythonString(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", s, false
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return b.String(), s[i+1:], true
		case c != '\\':
			b.WriteByte(c)
		case i+1 == len(s):
			return "", s, false
		default:
			i++
			digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
			switch {
			case digits > 0 && i+digits < len(s):
				n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
				if err != nil {
					return "", s, false
				}
				b.WriteRune(rune(n))
				i += digits
			case s[i] == 'n':
				b.WriteByte('\n')
			case s[i] == 't':
				b.WriteByte('\t')
			case s[i] == 'r':
				b.WriteByte('\r')
			default:
				b.WriteByte(s[i])
			}
		}
	}
	return "", s, false
}

// loginError words what a failed login means; nil stays nil.
func loginError(err error, db string) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	f, isFault := errors.AsType[*Fault](err)
	switch {
	case e.Code == adapter.NotFound && e.Field == "database",
		isFault && f.text() == "Database not found.",
		isFault && f.canonical() == "builtins.AssertionError" && strings.Contains(f.Message, "database name"):
		return &adapter.Error{
			Code: adapter.NotFound, Field: "database", Native: e.Native, Err: err,
			Message: "the server has no database " + strconv.Quote(shorten(db, 80)),
		}
	case e.Code == adapter.Unauthenticated:
		return errCredentials(err)
	case isFault && f.canonical() == "builtins.AssertionError":
		// 18.0 for an empty password: "scope and key required".
		return errCredentials(err)
	}
	return err
}
