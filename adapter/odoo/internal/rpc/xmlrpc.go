package rpc

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/xmlrpc"
)

// xmlRPC is the transport over /xmlrpc/2, whose calls carry the credentials.
type xmlRPC struct {
	wire   *wire
	db     string
	user   string
	secret string
}

const (
	xmlCommon = "/xmlrpc/2/common"
	xmlObject = "/xmlrpc/2/object"
)

func (t *xmlRPC) name() string { return XMLRPC }

func (t *xmlRPC) login(ctx context.Context) (int64, error) {
	result, err := t.wire.xmlRPC(ctx, xmlCommon, Call{}, "authenticate", t.db, t.user, t.secret, map[string]any{})
	return loginResult(result, loginError(err, t.db))
}

func (t *xmlRPC) ping(ctx context.Context) error {
	_, err := t.wire.xmlRPC(ctx, xmlCommon, Call{}, "version")
	return err
}

func (t *xmlRPC) call(ctx context.Context, uid int64, c Call) (json.RawMessage, error) {
	return t.wire.xmlRPC(ctx, xmlObject, c, "execute_kw", t.db, uid, t.secret, c.Model, c.Method, list(c.Args), object(c.Kwargs))
}

// xmlRPC makes an XML-RPC call and returns its result as JSON. Call is for
// errors, and whether it changes anything.
func (w *wire) xmlRPC(ctx context.Context, path string, call Call, method string, args ...any) (json.RawMessage, error) {
	body, err := xmlrpc.EncodeCall(method, args...)
	if err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Message: "an argument can't be sent: " + err.Error(), Model: call.Model, NothingSent: true, Err: err}
	}
	req := request{path: path, contentType: "text/xml", body: body, changes: call.Changes}
	if path == xmlCommon {
		req.limit = smallAnswer
	}
	var result json.RawMessage
	err = w.exchange(ctx, req, func(resp *http.Response, body io.Reader) error {
		if resp.StatusCode != http.StatusOK {
			page, err := io.ReadAll(io.LimitReader(body, pageSize))
			if err != nil {
				return err
			}
			return pageError(&answer{resp.StatusCode, resp.Header, page}, call.Changes)
		}
		start := &beginning{r: body}
		// XML takes about four times the room of the same values in JSON.
		hint := min(max(resp.ContentLength/4, 0), 4<<20)
		out, fault, err := xmlrpc.Transcode(make([]byte, 0, hint), start, xmlrpc.Limits{Bytes: 1 << 62})
		if err != nil {
			if page := (&answer{resp.StatusCode, resp.Header, start.seen}); page.page() {
				return pageError(page, call.Changes)
			}
			return garbled(err, call.Changes)
		}
		if fault != nil {
			result, err = xmlFault(fault, call)
			return err
		}
		result = out
		return nil
	})
	return result, err
}

// beginning remembers the first bytes that were read.
type beginning struct {
	r    io.Reader
	seen []byte
}

func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if room := 512 - len(b.seen); room > 0 {
		b.seen = append(b.seen, p[:min(n, room)]...)
	}
	return n, err
}

// xmlFault sorts a fault. That None can't be marshalled is Python's complaint
// about a result, after the method ran and its changes were committed: it is
// a success, of which the result is null.
func xmlFault(fault *xmlrpc.Fault, call Call) (json.RawMessage, error) {
	f := parseXMLFault(fault.Code, fault.String)
	if f.canonical() == "builtins.TypeError" {
		switch text := f.text(); {
		case strings.HasPrefix(text, "cannot marshal None"):
			return json.RawMessage("null"), nil
		case strings.HasPrefix(text, "cannot marshal "), strings.HasPrefix(text, "dictionary key must be string"):
			return nil, &adapter.Error{
				Code: adapter.Unsupported, Model: call.Model, Native: f.Name, Err: f,
				Message: "the method ran, but XML-RPC can't carry what it returned: use another transport",
			}
		}
	}
	return nil, f.toError(call)
}

const tracebackHead = "Traceback (most recent call last):"

var exceptionLine = regexp.MustCompile(`^([A-Za-z_][\w.]*)(?:: ?(.*))?$`)

// parseXMLFault finds out which exception a fault tells of. Of /xmlrpc/2, 3
// and 4 are one exception each, 2 is one of several business errors, and 1 is
// everything else, with a traceback whose end names the exception.
func parseXMLFault(code, text string) *Fault {
	f := &Fault{Name: code, Message: text, Code: code}
	switch code {
	case "3":
		f.Name = "odoo.exceptions.AccessDenied"
	case "4":
		f.Name = "odoo.exceptions.AccessError"
	case "1":
		if name, message, ok := lastException(text); ok {
			f.Name, f.Message, f.Debug = name, message, text
		}
	}
	return f
}

// lastException reads the exception at the end of a traceback: the first line
// after the last frames that is not indented, and all that follows it.
func lastException(traceback string) (name, message string, ok bool) {
	at := strings.LastIndex(traceback, tracebackHead)
	if at < 0 {
		return "", "", false
	}
	rest := traceback[at+len(tracebackHead):]
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		if line == "" || line[0] == ' ' {
			rest = after
			continue
		}
		m := exceptionLine.FindStringSubmatch(line)
		if m == nil {
			return "", "", false
		}
		name, message = m[1], m[2]
		if after != "" {
			message += "\n" + after
		}
		if !strings.Contains(name, ".") {
			name = "builtins." + name
		}
		return name, message, true
	}
	return "", "", false
}
