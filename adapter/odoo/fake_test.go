package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// fakeConn is a server of some version that knows the fields of the common
// models and answers everything else as a test says.
type fakeConn struct {
	major     int
	transport string
	// lacks are fields, as "model.field", that this database has not.
	lacks map[string]bool
	// extra are fields that it has besides, by model.
	extra  map[string]map[string]any
	answer func(rpc.Call) (any, error)

	mu    sync.Mutex
	calls []rpc.Call
	loads int // calls of fields_get
}

func (f *fakeConn) Version() rpc.Version {
	series := fmt.Sprintf("%d.0", f.major)
	return rpc.Version{Major: f.major, Series: series, Full: series + "-20250101"}
}

func (f *fakeConn) Transport() string {
	if f.transport == "" {
		return TransportJSONRPC
	}
	return f.transport
}
func (f *fakeConn) UID() int64                 { return 2 }
func (f *fakeConn) Ping(context.Context) error { return nil }
func (f *fakeConn) Close() error               { return nil }

func (f *fakeConn) Call(ctx context.Context, call rpc.Call) (json.RawMessage, error) {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	if call.Method == "fields_get" {
		f.loads++
		fields := f.fields(call.Model)
		f.mu.Unlock()
		if fields == nil {
			return nil, &adapter.Error{Code: adapter.NotFound, Model: call.Model, Message: "Object " + call.Model + " doesn't exist", Native: "2"}
		}
		return json.Marshal(fields)
	}
	f.mu.Unlock()
	if f.answer == nil {
		return json.RawMessage("true"), nil
	}
	v, err := f.answer(call)
	if err != nil {
		return nil, err
	}
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	return json.Marshal(v)
}

func (f *fakeConn) fields(model string) map[string]any {
	known := schemas.Fields(model, f.major)
	if name, ok := schemas.ModelName(model, f.major); !ok || name != model {
		known = nil
	}
	if known == nil && f.extra[model] == nil {
		return nil
	}
	out := map[string]any{}
	for name, field := range known {
		if f.lacks[model+"."+name] {
			continue
		}
		info := map[string]any{
			"type": field.Type, "string": schemas.Label(name), "store": field.Stored,
			"searchable": field.Searchable, "sortable": field.Sortable,
			"required": field.Required, "readonly": field.Readonly,
		}
		if field.Relation != "" {
			info["relation"] = field.Relation
		}
		out[name] = info
	}
	maps.Copy(out, f.extra[model])
	return out
}

// sent are the calls so far, but for those of fields_get.
func (f *fakeConn) sent() []rpc.Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.calls), func(c rpc.Call) bool { return c.Method == "fields_get" })
}

func (f *fakeConn) last(t *testing.T) rpc.Call {
	t.Helper()
	calls := f.sent()
	require.NotEmpty(t, calls, "nothing was sent")
	return calls[len(calls)-1]
}

// connect makes a client of a server of the given version.
func connect(major int) (*Client, *fakeConn) {
	f := &fakeConn{major: major}
	return newClient(f, Config{URL: "http://odoo.test", Database: "test"}), f
}

// invalidField is the server's word for a field that it lacks.
func invalidField(model, field string) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Model: model, Field: field, Native: "builtins.ValueError",
		Message: fmt.Sprintf("Invalid field '%s' on model '%s'", field, model),
	}
}

// asJSON is a value as it would travel.
func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(b)
}

// fault returns the adapter's error inside err.
func fault(tb testing.TB, err error) *adapter.Error {
	tb.Helper()
	e, ok := errors.AsType[*adapter.Error](err)
	require.True(tb, ok, "want an *adapter.Error, got %v", err)
	return e
}

// object parses an object of JSON.
func object(tb testing.TB, s string) map[string]any {
	tb.Helper()
	var v map[string]any
	require.NoError(tb, adapter.DecodeJSON([]byte(s), &v))
	return v
}

// list parses a list of JSON.
func list(tb testing.TB, s string) []any {
	tb.Helper()
	var v []any
	require.NoError(tb, adapter.DecodeJSON([]byte(s), &v))
	return v
}
