package odootest

import (
	"fmt"
	"strings"
)

// exception is a Python exception on its way to the client. What is sent of it
// depends on the transport and the version, see jsonrpc.go, xmlrpc.go and
// json2.go.
type exception struct {
	name   string // as JSON-RPC names it: "odoo.exceptions.UserError"
	text   string
	action any // the second argument of a RedirectWarning and its successors
	status int // of a werkzeug exception
}

func (e *exception) Error() string { return e.name + ": " + e.text }

// The names of Odoo's own exceptions.
const (
	userError          = "odoo.exceptions.UserError"
	validationError    = "odoo.exceptions.ValidationError"
	missingError       = "odoo.exceptions.MissingError"
	accessError        = "odoo.exceptions.AccessError"
	accessDenied       = "odoo.exceptions.AccessDenied"
	redirectWarning    = "odoo.exceptions.RedirectWarning"
	sessionExpired     = "odoo.http.SessionExpiredException"
	notFound           = "werkzeug.exceptions.NotFound"
	unauthorized       = "werkzeug.exceptions.Unauthorized"
	badRequest         = "werkzeug.exceptions.BadRequest"
	unprocessable      = "werkzeug.exceptions.UnprocessableEntity"
	valueError         = "builtins.ValueError"
	typeError          = "builtins.TypeError"
	keyError           = "builtins.KeyError"
	indexError         = "builtins.IndexError"
	nameError          = "builtins.NameError"
	attributeError     = "builtins.AttributeError"
	assertionError     = "builtins.AssertionError"
	plainException     = "builtins.Exception"
	unboundLocal       = "builtins.UnboundLocalError"
	operationalError   = "psycopg2.OperationalError"
	programmingError   = "psycopg2.ProgrammingError"
	invalidText        = "psycopg2.errors.InvalidTextRepresentation"
	invalidDatetime    = "psycopg2.errors.InvalidDatetimeFormat"
	outOfRange         = "psycopg2.errors.NumericValueOutOfRange"
	invalidOffset      = "psycopg2.errors.InvalidRowCountInResultOffsetClause"
	invalidLimit       = "psycopg2.errors.InvalidRowCountInLimitClause"
	expatError         = "xml.parsers.expat.ExpatError"
	responseError      = "xmlrpc.client.ResponseError"
	overflowError      = "builtins.OverflowError"
	undefinedFunction  = "psycopg2.errors.UndefinedFunction"
	binasciiError      = "binascii.Error"
	databaseNotFound   = "Database not found."
	recordMissing      = "Record does not exist or has been deleted."
	notFoundText       = "404 Not Found: The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."
	recursiveHierarchy = "You cannot create recursive Partner hierarchies."
)

func raise(name, format string, args ...any) *exception {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	return &exception{name: name, text: text}
}

// own tells whether the exception is one of Odoo's, which 13.0 builds from a
// message and a second value.
func (e *exception) own() bool {
	switch e.name {
	case userError, validationError, missingError, accessError, redirectWarning:
		return true
	}
	return false
}

// qualifiedName is how Python's traceback names it: built-ins without module.
func (e *exception) qualifiedName() string {
	return strings.TrimPrefix(e.name, "builtins.")
}

// message is what str() gives.
func (e *exception) message(major int) string {
	switch {
	case e.name == redirectWarning:
		return e.text + "\n" + repr(e.action) + "\n" + "Go to users"
	case major == 13 && e.name == userError:
		return e.text + "\n"
	case major == 13 && e.own():
		return e.text + "\nNone"
	}
	return e.text
}

// arguments is the exception's args.
func (e *exception) arguments(major int) []any {
	switch {
	case e.name == redirectWarning:
		return []any{e.text, e.action, "Go to users"}
	case e.status != 0:
		if e.name == notFound && e.text == notFoundText {
			return []any{}
		}
		return []any{e.text, int64(e.status)}
	case major == 13 && e.name == userError:
		return []any{e.text, ""}
	case major == 13 && e.own():
		return []any{e.text, nil}
	}
	return []any{e.text}
}

// last is the last line of the traceback.
func (e *exception) last(major int) string {
	switch {
	case e.status != 0 && e.name != notFound:
		return fmt.Sprintf("%s: %d %s", e.qualifiedName(), e.status, e.text)
	case major == 13 && e.own(), e.name == redirectWarning:
		return e.qualifiedName() + ": " + tuple(e.arguments(major))
	case e.name == keyError:
		return "KeyError: " + repr(e.text)
	}
	return e.qualifiedName() + ": " + e.text
}

// traceback is what a server in its default configuration tells the world
// about its inside.
func (e *exception) traceback(major int) string {
	var b strings.Builder
	b.WriteString("Traceback (most recent call last):\n")
	for _, f := range tracebackFrames {
		if major >= f.since && (f.until == 0 || major <= f.until) {
			fmt.Fprintf(&b, "  File \"%s\", line %d, in %s\n    %s\n", f.file, f.line, f.function, f.source)
		}
	}
	b.WriteString(e.last(major))
	b.WriteByte('\n')
	return b.String()
}

var tracebackFrames = []struct {
	since, until int
	file         string
	line         int
	function     string
	source       string
}{
	{13, 15, "/srv/simulated/http.py", 640, "_handle", "answer = self.serve(**self.params)"},
	{16, 0, "/srv/simulated/http.py", 1720, "_serve", "return retrying(self.serve, self.env)"},
	{13, 0, "/srv/simulated/service.py", 58, "dispatch", "result = call(model, method, *args, **kwargs)"},
	{13, 0, "/srv/simulated/models.py", 417, "call", "result = getattr(records, method)(*args, **kwargs)"},
}

// missing is the error for a record that isn't there.
func missing(model string, id, uid int64) *exception {
	return raise(missingError, "%s\n(Record: %s(%d,), User: %d)", recordMissing, model, id, uid)
}
