package rpc_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// described is a model's description as the server gives it, cut down.
const described = `{"model": "sale.order", "name": "Order", "doc": null, "fields": {}, "methods": {
	"action_confirm": {"signature": "()", "parameters": {}, "doc": "x"},
	"address_get": {"signature": "(adr_pref=None, more=1, *, only=2)", "parameters": {"adr_pref": {"default": null}, "more": {"default": 1}, "only": {"kind": "KEYWORD_ONLY", "default": 2}}},
	"find_or_create": {"signature": "(email)", "parameters": {"email": {}}, "api": ["model"]}
}}`

func TestJSON2NamesArguments(t *testing.T) {
	order := func(method string, args []any, kwargs map[string]any) rpc.Call {
		return rpc.Call{Model: "sale.order", Method: method, Args: args, Kwargs: kwargs}
	}
	type kw = map[string]any
	tests := []struct {
		name string
		call rpc.Call
		want string // the body
		code adapter.Code
	}{
		{name: "positional", call: order("search", []any{[]any{}, 5, 10, "id desc"}, nil), want: `{"domain": [], "offset": 5, "limit": 10, "order": "id desc"}`},
		{name: "named and context", call: order("search_read", []any{[]any{}}, kw{"fields": []string{"name"}, "context": kw{"lang": "en_US"}}), want: `{"domain": [], "fields": ["name"], "context": {"lang": "en_US"}}`},
		{name: "ids first", call: order("write", []any{[]adapter.ID{adapter.IntID(5)}, adapter.Record{"name": "x"}}, nil), want: `{"ids": [5], "vals": {"name": "x"}}`},
		{name: "one id", call: order("read", []any{5, []string{"name"}}, nil), want: `{"ids": [5], "fields": ["name"]}`},
		{name: "an id", call: order("unlink", []any{adapter.IntID(5)}, nil), want: `{"ids": [5]}`},
		{name: "raw ids", call: order("unlink", []any{json.RawMessage(`[5, 6]`)}, nil), want: `{"ids": [5, 6]}`},
		{name: "no ids are said", call: order("unlink", []any{[]any{}}, nil), want: `{"ids": []}`},
		{name: "ids by name", call: order("write", nil, kw{"ids": []int{1}, "vals": kw{}}), want: `{"ids": [1], "vals": {}}`},
		{name: "create", call: order("create", []any{[]any{kw{"name": "x"}}}, nil), want: `{"vals_list": [{"name": "x"}]}`},
		{name: "no arguments are an object", call: order("fields_get", nil, nil), want: `{}`},
		{name: "described, of records", call: order("action_confirm", []any{[]int{5}}, nil), want: `{"ids": [5]}`},
		{name: "described, with arguments", call: order("address_get", []any{[]int{5}, []string{"x"}, 2}, nil), want: `{"ids": [5], "adr_pref": ["x"], "more": 2}`},
		{name: "described, of the model", call: order("find_or_create", []any{"a@b.c"}, nil), want: `{"email": "a@b.c"}`},
		{name: "not described, with ids", call: rpc.Call{Model: "x.hidden", Method: "action_do", Args: []any{[]int{5}}}, want: `{"ids": [5]}`},

		{name: "a method of records without ids", call: order("write", nil, kw{"vals": kw{}}), code: adapter.InvalidArgument},
		{name: "a described one without ids", call: order("action_confirm", nil, nil), code: adapter.InvalidArgument},
		{name: "ids that are none", call: order("read", []any{"abc"}, nil), code: adapter.InvalidArgument},
		{name: "ids that are null", call: order("read", []any{nil}, nil), code: adapter.InvalidArgument},
		{name: "too many arguments", call: order("unlink", []any{[]int{1}, 2}, nil), code: adapter.InvalidArgument},
		{name: "too many arguments, by position only", call: order("address_get", []any{[]int{1}, 1, 2, 3}, nil), code: adapter.InvalidArgument},
		{name: "an argument twice", call: order("search", []any{[]any{}}, kw{"domain": []any{}}), code: adapter.InvalidArgument},
		{name: "not described, without ids", call: rpc.Call{Model: "x.hidden", Method: "action_do"}, code: adapter.Unsupported},
		{name: "not described, with more", call: rpc.Call{Model: "x.hidden", Method: "action_do", Args: []any{[]int{5}, 6}}, code: adapter.Unsupported},
	}
	f := newFake(t, "19")
	cfg := f.config()
	cfg.APIKey = "key"
	c := dial(t, cfg)
	asked := map[string]int{}
	f.route("/doc-bearer/sale.order.json", func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		assert.Equal(t, "bearer key", r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, described)
	})
	f.route("/doc-bearer/x.hidden.json", func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		page(http.StatusForbidden)(w, r)
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var body []byte
			f.onCall(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/json/2/"+test.call.Model+"/"+test.call.Method, r.URL.Path)
				assert.Equal(t, "shop", r.Header.Get("X-Odoo-Database"))
				assert.Equal(t, "bearer key", r.Header.Get("Authorization"))
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				body, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, "null")
			})
			got, err := c.Call(t.Context(), test.call)
			if test.code != "" {
				e := fault(t, err)
				require.Equal(t, test.code, e.Code)
				require.True(t, e.NothingSent)
				require.Nil(t, body, "nothing was sent")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "null", string(got))
			require.JSONEq(t, test.want, string(body))
		})
	}
	require.Equal(t, map[string]int{"/doc-bearer/sale.order.json": 1, "/doc-bearer/x.hidden.json": 1}, asked, "a model is asked about once")
}

// RPC's create returns an id for one record and a list for a list; so does
// JSON-2's, here.
func TestJSON2CreatesLikeRPC(t *testing.T) {
	f := newFake(t, "19")
	cfg := f.config()
	cfg.APIKey = "key"
	c := dial(t, cfg)
	for _, test := range []struct {
		values any
		want   string
	}{
		{map[string]any{"name": "x"}, "149"},
		{adapter.Record{"name": "x"}, "149"},
		{json.RawMessage(` {"name": "x"}`), "149"},
		{struct {
			Name string `json:"name"`
		}{"x"}, "149"},
		{[]any{map[string]any{"name": "x"}}, "[149]"},
		{[]adapter.Record{{"name": "x"}}, "[149]"},
		{json.RawMessage(`[{"name": "x"}]`), "[149]"},
	} {
		f.onCall(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "[149]") })
		got, err := c.Call(t.Context(), rpc.Call{Model: "res.partner", Method: "create", Args: []any{test.values}, Changes: true})
		require.NoError(t, err)
		require.Equal(t, test.want, string(got), "%T", test.values)
	}
}

func TestJSON2BadKey(t *testing.T) {
	f := newFake(t, "19")
	cfg := f.config()
	cfg.APIKey = "wrong"
	_, err := rpc.Dial(t.Context(), cfg)
	require.Equal(t, adapter.Unauthenticated, fault(t, err).Code)
	_, err = rpc.Dial(t.Context(), cfg)
	require.True(t, fault(t, err).NothingSent)
	logins, _ := f.counts()
	require.Equal(t, 1, logins)

	old := newFake(t, "18")
	cfg = old.config()
	cfg.APIKey, cfg.Transport = "key", rpc.JSON2
	_, err = rpc.Dial(t.Context(), cfg)
	e := fault(t, err)
	require.Equal(t, adapter.Unsupported, e.Code)
	require.Equal(t, "transport", e.Field)

	older := newFake(t, "13")
	cfg = older.config()
	cfg.APIKey, cfg.Password = "key", ""
	_, err = rpc.Dial(t.Context(), cfg)
	require.Equal(t, "api_key", fault(t, err).Field)
}
