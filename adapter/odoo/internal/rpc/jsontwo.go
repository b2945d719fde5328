package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// jsonTwo is the transport over /json/2 of Odoo 19 and later. It takes
// arguments by name; calls come with positional ones, as RPC has them, and
// are translated.
type jsonTwo struct {
	wire *wire
	db   string
	key  string

	mu   sync.Mutex
	docs map[string]modelDoc // by model
}

// modelDoc is what the server said about a model's methods.
type modelDoc struct {
	methods map[string]signature // nil where it would not say
	at      time.Time
}

// docRetry is after how long a server that would not describe a model is
// asked again.
const docRetry = 10 * time.Minute

func (t *jsonTwo) name() string { return JSON2 }

func (t *jsonTwo) header() [][2]string {
	return [][2]string{{"Authorization", "bearer " + t.key}, {"X-Odoo-Database", t.db}}
}

// login asks for the user's context, which any user may have and which holds
// the id.
func (t *jsonTwo) login(ctx context.Context) (int64, error) {
	result, err := t.post(ctx, Call{Model: "res.users", Method: "context_get"}, map[string]any{}, smallAnswer)
	if err = loginError(err, t.db); err != nil {
		return 0, err
	}
	var user struct {
		UID int64 `json:"uid"`
	}
	if err := json.Unmarshal(result, &user); err != nil || user.UID == 0 {
		return 0, garbled(fmt.Errorf("no user id in %s: %w", shorten(string(result), 200), err), false)
	}
	return user.UID, nil
}

func (t *jsonTwo) ping(ctx context.Context) error {
	_, err := t.login(ctx)
	return err
}

func (t *jsonTwo) call(ctx context.Context, _ int64, c Call) (json.RawMessage, error) {
	named, err := t.arguments(ctx, c)
	if err != nil {
		return nil, err
	}
	result, err := t.post(ctx, c, named, 0)
	if err == nil && c.Method == "create" && isObject(named["vals_list"]) {
		return onlyItem(result), nil
	}
	return result, err
}

// onlyItem unwraps the list that JSON-2's create returns even for a single
// record, for which RPC returns the id alone.
func onlyItem(result json.RawMessage) json.RawMessage {
	var items []json.RawMessage
	if json.Unmarshal(result, &items) == nil && len(items) == 1 {
		return items[0]
	}
	return result
}

// post makes a call with named arguments.
func (t *jsonTwo) post(ctx context.Context, c Call, named map[string]any, limit int64) (json.RawMessage, error) {
	body, err := encodeJSON(named)
	if err != nil {
		return nil, err
	}
	a, err := t.wire.send(ctx, request{
		path: "/json/2/" + c.Model + "/" + c.Method, contentType: "application/json", header: t.header(),
		body: body, changes: c.Changes, limit: limit,
	})
	if err != nil {
		return nil, err
	}
	return decodeJSON2(a, c)
}

// decodeJSON2 reads an answer: the bare result, or an error that says the
// same as JSON-RPC's.
func decodeJSON2(a *answer, c Call) (json.RawMessage, error) {
	body := bytes.TrimSpace(a.body)
	switch {
	case a.page():
		return nil, pageError(a, c.Changes)
	case a.status >= 200 && a.status < 300:
		if len(body) == 0 {
			return json.RawMessage("null"), nil
		}
		if !json.Valid(body) {
			return nil, garbled(fmt.Errorf("no JSON: %s", shorten(string(body), 200)), c.Changes)
		}
		return json.RawMessage(body), nil
	}
	var e struct {
		Name      string `json:"name"`
		Message   string `json:"message"`
		Debug     string `json:"debug"`
		Arguments []any  `json:"arguments"`
	}
	if json.Unmarshal(body, &e) != nil || e.Name == "" {
		return nil, pageError(a, c.Changes)
	}
	f := &Fault{Name: e.Name, Message: firstArgument(e.Name, e.Arguments, e.Message), Debug: e.Debug, Code: strconv.Itoa(a.status)}
	return nil, f.toError(c)
}

// arguments names the positional arguments of a call. What JSON-2 would
// silently take for something else is refused: above all a method of records
// without ids, which it would run on no records.
func (t *jsonTwo) arguments(ctx context.Context, c Call) (map[string]any, error) {
	named := maps.Clone(object(c.Kwargs))
	sig, known := signatures[c.Method]
	if !known {
		sig, known = t.describe(ctx, c)
	}
	args := c.Args
	_, idsNamed := named["ids"]
	switch {
	case known && sig.model:
		// No ids.
	case len(args) > 0 && (known || len(args) == 1) && !idsNamed:
		ids, ok := idList(args[0])
		if !ok {
			return nil, refuse(c, "ids", "the first argument of %q must be the list of ids", c.Method)
		}
		named["ids"], args = ids, args[1:]
	case idsNamed && len(args) == 0:
		// The caller knows JSON-2.
	case known:
		return nil, refuse(c, "ids", "the method %q needs the list of ids as its first argument", c.Method)
	default:
		e := adapter.Errorf(adapter.Unsupported, "the server does not say what arguments the method %q takes: pass the ids as the only positional argument, and the others by name", c.Method)
		e.Model, e.Field, e.NothingSent = c.Model, "method", true
		return nil, e
	}
	if len(args) > len(sig.params) {
		return nil, refuse(c, "args", "the method %q takes at most %d positional arguments", c.Method, len(sig.params)+len(c.Args)-len(args))
	}
	for i, arg := range args {
		name := sig.params[i]
		if _, twice := named[name]; twice {
			return nil, refuse(c, name, "the argument %q of the method %q is given twice", name, c.Method)
		}
		named[name] = arg
	}
	return named, nil
}

func refuse(c Call, field, format string, args ...any) error {
	e := adapter.Errorf(adapter.InvalidArgument, format, args...)
	e.Model, e.Field, e.NothingSent = c.Model, field, true
	return e
}

// idList checks that a value is a list of ids, or one id, as RPC has it.
// Negative and unknown ids are the server's to judge.
func idList(v any) (any, bool) {
	if id, ok := v.(adapter.ID); ok {
		v = id.Value()
	}
	b, err := encodeJSON(v)
	if err != nil {
		return nil, false
	}
	var ids []int64
	if json.Unmarshal(b, &ids) == nil && ids != nil {
		return ids, true
	}
	var id int64
	if json.Unmarshal(b, &id) == nil && string(b) != "null" {
		return []int64{id}, true
	}
	return nil, false
}

// isObject reports whether a value is a JSON object.
func isObject(v any) bool {
	switch v := v.(type) {
	case map[string]any, adapter.Record:
		return true
	case []any, nil:
		return false
	case json.RawMessage:
		return bytes.HasPrefix(bytes.TrimSpace(v), []byte("{"))
	}
	b, err := encodeJSON(v)
	return err == nil && bytes.HasPrefix(b, []byte("{"))
}

// describe asks the server for the signature of a method. Whether it answers
// depends on a module and on the user's rights.
func (t *jsonTwo) describe(ctx context.Context, c Call) (signature, bool) {
	t.mu.Lock()
	doc, found := t.docs[c.Model]
	t.mu.Unlock()
	if !found || doc.methods == nil && t.wire.now().Sub(doc.at) > docRetry {
		a, err := t.wire.send(ctx, request{get: true, path: "/doc-bearer/" + c.Model + ".json", header: t.header()})
		if err != nil && !blocked(err) {
			return signature{}, false
		}
		doc = modelDoc{at: t.wire.now()}
		if err == nil && a.status == http.StatusOK {
			doc.methods = parseDoc(a.body)
		}
		t.mu.Lock()
		if t.docs == nil {
			t.docs = map[string]modelDoc{}
		}
		t.docs[c.Model] = doc
		t.mu.Unlock()
	}
	sig, ok := doc.methods[c.Method]
	return sig, ok
}

// parseDoc reads the signatures from a model's description, nil from anything
// else. The order of the parameters is that of the object's members.
func parseDoc(body []byte) map[string]signature {
	var doc struct {
		Methods map[string]struct {
			API        []string        `json:"api"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"methods"`
	}
	if json.Unmarshal(body, &doc) != nil || doc.Methods == nil {
		return nil
	}
	methods := make(map[string]signature, len(doc.Methods))
	for name, m := range doc.Methods {
		var sig signature
		for _, api := range m.API {
			sig.model = sig.model || strings.HasPrefix(api, "model")
		}
		dec := json.NewDecoder(bytes.NewReader(m.Parameters))
		if t, err := dec.Token(); err == nil && t == json.Delim('{') {
			for dec.More() {
				param, err := dec.Token()
				var about struct {
					Kind string `json:"kind"`
				}
				if err != nil || dec.Decode(&about) != nil {
					break
				}
				// Kinds other than positional are named by their kind.
				if about.Kind == "" {
					sig.params = append(sig.params, param.(string))
				}
			}
		}
		methods[name] = sig
	}
	return methods
}
