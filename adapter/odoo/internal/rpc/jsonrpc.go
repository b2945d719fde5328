package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync/atomic"

	"github.com/bridgecore/bridgecore/adapter"
)

// jsonrpc is the transport over /jsonrpc, whose calls carry the credentials.
type jsonrpc struct {
	wire   *wire
	db     string
	user   string
	secret string
}

func (t *jsonrpc) name() string { return JSONRPC }

func (t *jsonrpc) login(ctx context.Context) (int64, error) {
	result, err := t.wire.service(ctx, "common", "authenticate", t.db, t.user, t.secret, struct{}{})
	return loginResult(result, loginError(err, t.db))
}

func (t *jsonrpc) ping(ctx context.Context) error {
	_, err := t.wire.service(ctx, "common", "version")
	return err
}

func (t *jsonrpc) call(ctx context.Context, uid int64, c Call) (json.RawMessage, error) {
	args := []any{t.db, uid, t.secret, c.Model, c.Method, list(c.Args), object(c.Kwargs)}
	return t.wire.jsonRPC(ctx, jsonRPCRequest{
		path:   "/jsonrpc",
		params: map[string]any{"service": "object", "method": "execute_kw", "args": args},
		call:   c,
	})
}

// service calls a method of one of Odoo's RPC services that belong to no
// database.
func (w *wire) service(ctx context.Context, service, method string, args ...any) (json.RawMessage, error) {
	return w.jsonRPC(ctx, jsonRPCRequest{
		path:   "/jsonrpc",
		params: map[string]any{"service": service, "method": method, "args": list(args)},
		limit:  smallAnswer,
	})
}

// list and object make sure that nothing is sent as an empty list or object,
// not as null.
func list(args []any) []any {
	if args == nil {
		return []any{}
	}
	return args
}

func object(kwargs map[string]any) map[string]any {
	if kwargs == nil {
		return map[string]any{}
	}
	return kwargs
}

// loginResult reads what authenticate returned: an id, or false.
func loginResult(result json.RawMessage, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	var uid int64
	if json.Unmarshal(result, &uid) != nil || uid <= 0 {
		return 0, errCredentials(fmt.Errorf("authenticate returned %s", shorten(string(result), 80)))
	}
	return uid, nil
}

// jsonRPCRequest is a request in Odoo's dialect of JSON-RPC 2.0.
type jsonRPCRequest struct {
	path   string
	params any
	header [][2]string
	call   Call // for errors, and whether it changes anything
	limit  int64
	seen   func(http.Header) // gets the headers of an answer in the protocol
}

var jsonRPCID atomic.Uint64

// jsonRPC makes a request and returns its result, null where there is none.
func (w *wire) jsonRPC(ctx context.Context, r jsonRPCRequest) (json.RawMessage, error) {
	body, err := encodeJSON(map[string]any{"jsonrpc": "2.0", "method": "call", "params": r.params, "id": jsonRPCID.Add(1)})
	if err != nil {
		return nil, err
	}
	a, err := w.send(ctx, request{
		path: r.path, contentType: "application/json", header: r.header,
		body: body, changes: r.call.Changes, limit: r.limit,
	})
	if err != nil {
		return nil, err
	}
	if a.page() {
		return nil, pageError(a, r.call.Changes)
	}
	result, fault, err := decodeJSONRPC(a.body)
	if err != nil {
		if a.status != http.StatusOK {
			return nil, pageError(a, r.call.Changes)
		}
		return nil, garbled(err, r.call.Changes)
	}
	if r.seen != nil {
		r.seen(a.header)
	}
	if fault != nil {
		return nil, fault.toError(r.call)
	}
	return result, nil
}

// decodeJSONRPC takes an answer apart. A result that is absent, which is how
// Odoo answers None, is null.
func decodeJSONRPC(body []byte) (json.RawMessage, *Fault, error) {
	var envelope struct {
		JSONRPC string          `json:"jsonrpc"`
		Result  json.RawMessage `json:"result"`
		Error   *struct {
			Code    json.Number `json:"code"`
			Message string      `json:"message"`
			Data    struct {
				Name          string `json:"name"`
				Message       string `json:"message"`
				Arguments     []any  `json:"arguments"`
				ExceptionType string `json:"exception_type"` // 13.0
				Debug         string `json:"debug"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, nil, err
	}
	if e := envelope.Error; e != nil {
		f := &Fault{Name: e.Data.Name, Message: firstArgument(e.Data.Name, e.Data.Arguments, e.Data.Message), Kind: e.Data.ExceptionType, Debug: e.Data.Debug, Code: e.Code.String()}
		if f.Message == "" {
			f.Message = e.Message
		}
		return nil, f, nil
	}
	if envelope.JSONRPC == "" && envelope.Result == nil {
		return nil, nil, errors.New("no JSON-RPC answer")
	}
	if envelope.Result == nil {
		return json.RawMessage("null"), nil, nil
	}
	return envelope.Result, nil, nil
}

// encodeJSON is json.Marshal without HTML escapes.
func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Message: "an argument can't be sent: it holds a value that JSON does not have", NothingSent: true, Err: err}
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// wantsTLS is what nginx, Apache and Go answer to plain HTTP on a TLS port.
var wantsTLS = regexp.MustCompile(`(?i)plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled|HTTP request to an HTTPS server`)

// pageError is the error for an answer that is a web page, or text with a
// status that is no success.
func pageError(a *answer, changes bool) error {
	native := &httpError{status: a.status, page: shorten(string(bytes.TrimSpace(a.body)), 300)}
	e := &adapter.Error{Code: adapter.Unavailable, Err: native}
	switch {
	case a.status == http.StatusNotFound && bytes.Contains(a.body, []byte("No database is selected")):
		return &adapter.Error{Code: adapter.NotFound, Field: "database", Message: "the server has no database of that name", Err: native}
	case a.status == http.StatusBadRequest && wantsTLS.Match(a.body):
		e.Message, e.Field = "the server speaks TLS there: begin the system's URL with https://", "url"
	case a.status == http.StatusUnauthorized:
		e.Message = "a proxy before Odoo asks for a login of its own"
	case a.status == http.StatusForbidden, a.status == http.StatusMethodNotAllowed, a.status == http.StatusGone:
		e.Message = fmt.Sprintf("the server does not let calls through (HTTP status %d): a proxy before it blocks this interface", a.status)
	case a.status == http.StatusNotFound:
		e.Message = "the server has no such interface: check the system's URL; a proxy before it may block the interface"
		e.Field = "url"
	case a.status >= 500 && changes:
		e.Code, e.Message = adapter.UnknownOutcome, "the server failed without saying how far it came with a change: it may have happened"
	case a.status >= 500:
		e.Code, e.Message, e.Temporary = adapter.Unavailable, "the server failed", true
	case a.status == http.StatusOK && changes:
		e.Code, e.Message = adapter.UnknownOutcome, "a web page came instead of the answer to a change: it may have happened"
	default:
		e.Message = "a web page came instead of Odoo's answer: check the system's URL, and what stands before the server"
		e.Field = "url"
	}
	return e
}

// garbled is the error for an answer that breaks its protocol.
func garbled(native error, changes bool) error {
	if changes {
		return &adapter.Error{Code: adapter.UnknownOutcome, Message: "the answer to a change can't be read: it may have happened", Err: native}
	}
	return &adapter.Error{Code: adapter.Unavailable, Field: "url", Message: "the server's answer can't be read: it is not in Odoo's format", Err: native}
}
