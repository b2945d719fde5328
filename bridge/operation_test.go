package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/cache"
)

// request reads a request as the HTTP API does.
func request(tb testing.TB, body string) OperationRequest {
	tb.Helper()
	var r OperationRequest
	require.NoError(tb, json.Unmarshal([]byte(body), &r), body)
	return r
}

func (r *rig) run(tb testing.TB, op, body string) (Answer, error) {
	tb.Helper()
	return r.sys(tb).Operation(tb.Context(), op, request(tb, body))
}

// What each operation sends to the system.
func TestOperationsBecomeCalls(t *testing.T) {
	for _, c := range []struct{ op, body, want string }{
		{"search_read", `{"model":"m"}`, `m.search_read() limit=201`},
		{"search_read", `{"model":"m","domain":[["a","=",1]],"fields":["a","b"],"limit":5,"offset":2,"order":"a desc","load":""}`, `m.search_read() domain=[["a","=",1]] fields=["a","b"] limit=5 load="" offset=2 order="a desc"`},
		{"search_read", `{"model":"m","domain":null,"fields":null,"limit":null,"order":null,"offset":null,"context":null}`, `m.search_read() limit=201`},
		{"search_read", `{"model":"m","cursor":"o200","limit":7}`, `m.search_read() limit=7 offset=200`},
		{"read", `{"model":"m","ids":[1,2],"fields":["a"]}`, `m.read() fields=["a"] ids=[1,2]`},
		{"read", `{"model":"m","id":7}`, `m.read() ids=[7]`},
		{"read", `{"model":"m","ids":7}`, `m.read() ids=[7]`},
		{"search", `{"model":"m","domain":[],"limit":3}`, `m.search() domain=[] limit=3`},
		{"search_count", `{"model":"m","domain":[["a","=",true]]}`, `m.search_count() domain=[["a","=",true]]`},
		{"fields_get", `{"model":"m","allfields":["a"],"attributes":["type"]}`, `m.fields_get() allfields=["a"] attributes=["type"]`},
		{"fields_get", `{"model":"m","fields":["a"]}`, `m.fields_get() allfields=["a"]`},
		{"name_search", `{"model":"m","name":"x","domain":[["a","=",1]],"operator":"=","limit":8}`, `m.name_search() domain=[["a","=",1]] limit=8 name="x" operator="="`},
		{"name_search", `{"model":"m","name":"","args":[]}`, `m.name_search() domain=[] limit=51 name=""`},
		{"name_get", `{"model":"m","ids":[4]}`, `m.name_get() ids=[4]`},
		{"web_search_read", `{"model":"m","specification":{"a":{}},"domain":[],"count_limit":9}`, `m.web_search_read() count_limit=9 domain=[] limit=200 specification={"a":{}}`},
		{"web_search_read", `{"model":"m","fields":["a"],"limit":2}`, `m.web_search_read() fields=["a"] limit=2`},
		{"web_read", `{"model":"m","ids":[1],"specification":{"a":{}}}`, `m.web_read() ids=[1] specification={"a":{}}`},
		{"web_read", `{"model":"m","ids":[1],"fields":["a","b"]}`, `m.web_read() ids=[1] specification={"a":{},"b":{}}`},
		{"create", `{"model":"m","values":{"a":1.50}}`, `m.create() values={"a":1.50}`},
		{"create", `{"model":"m","vals_list":[{"a":1},{"a":2}]}`, `m.create() values=[{"a":1},{"a":2}]`},
		{"write", `{"model":"m","ids":[1,2],"values":{"a":false}}`, `m.write() ids=[1,2] values={"a":false}`},
		{"unlink", `{"model":"m","ids":[1]}`, `m.unlink() ids=[1]`},
		{"web_save", `{"model":"m","ids":[1],"values":{"a":1},"specification":{"a":{}}}`, `m.web_save() ids=[1] specification={"a":{}} values={"a":1}`},
		{"copy", `{"model":"m","id":3,"default":{"name":"x"}}`, `m.copy() default={"name":"x"} ids=[3]`},
		{"name_create", `{"model":"m","name":"x"}`, `m.name_create() name="x"`},
		{"default_get", `{"model":"m","fields":["a"]}`, `m.default_get() fields=["a"]`},
		{"onchange", `{"model":"m","ids":[1],"values":{"a":1},"field_name":"a","field_onchange":{"a":"1"}}`, `m.onchange([1],{"a":1},["a"],{"a":"1"})`},
		{"onchange", `{"model":"m","values":{"a":1},"field_name":["a","b"]}`, `m.onchange([],{"a":1},["a","b"],{})`},
		{"read_group", `{"model":"m","domain":[],"fields":["a:sum"],"groupby":"b","lazy":false,"orderby":"b","limit":1}`, `m.read_group() domain=[] fields=["a:sum"] groupby=["b"] lazy=false limit=1 orderby="b"`},
		{"formatted_read_group", `{"model":"m","groupby":["b"],"aggregates":["a:sum"],"having":[["a:sum","=",1]]}`, `m.formatted_read_group() aggregates=["a:sum"] groupby=["b"] having=[["a:sum","=",1]]`},
		{"exists", `{"model":"m","ids":[1,2]}`, `m.exists() ids=[1,2]`},
		{"check_access_rights", `{"model":"m","operation":"write","raise_exception":false}`, `m.check_access_rights() operation="write" raise_exception=false`},
		{"get_view", `{"model":"m","view_id":false,"view_type":"form"}`, `m.get_view() view_id=false view_type="form"`},
		{"get_views", `{"model":"m","views":[[false,"form"]],"options":{"toolbar":true}}`, `m.get_views() options={"toolbar":true} views=[[false,"form"]]`},
		{"load_views", `{"model":"m","views":[[false,"list"]]}`, `m.load_views() views=[[false,"list"]]`},
		{"fields_view_get", `{"model":"m","view_type":"form","toolbar":true,"submenu":false}`, `m.fields_view_get() submenu=false toolbar=true view_type="form"`},

		// Known methods through the generic calls are their own operations.
		{"call_kw", `{"model":"m","method":"search_read","args":[],"kwargs":{"domain":[["a","=",1]],"fields":["a"],"limit":80,"offset":0}}`, `m.search_read() domain=[["a","=",1]] fields=["a"] limit=80`},
		{"call_kw", `{"model":"m","method":"search_read","args":[[["a","=",1]],["a"],0,5]}`, `m.search_read() domain=[["a","=",1]] fields=["a"] limit=5`},
		{"call_kw", `{"model":"m","method":"read","args":[[1,2],["a"]]}`, `m.read() fields=["a"] ids=[1,2]`},
		{"call_kw", `{"model":"m","method":"name_search","args":["x"],"kwargs":{"args":[],"limit":100}}`, `m.name_search() domain=[] limit=51 name="x"`},
		{"call_kw", `{"model":"m","method":"create","args":[{"a":1}]}`, `m.create() values={"a":1}`},
		{"call_kw", `{"model":"m","method":"create","kwargs":{"vals_list":[{"a":1}]}}`, `m.create() values=[{"a":1}]`},
		{"call_kw", `{"model":"m","method":"write","args":[[1],{"a":1}]}`, `m.write() ids=[1] values={"a":1}`},
		{"call_kw", `{"model":"m","method":"fields_get","kwargs":{"allfields":["a"]}}`, `m.fields_get() allfields=["a"]`},
		// What does not fit goes on as it is.
		{"call_kw", `{"model":"m","method":"search_read","kwargs":{"domain":[],"odd":1}}`, `m.search_read() domain=[] odd=1`},
		{"call_kw", `{"model":"m","method":"read","args":[[1],["a"],"x","y","z"]}`, `m.read([1],["a"],"x","y","z")`},
		{"call_kw", `{"model":"m","method":"action_confirm","args":[[1]],"kwargs":{"x":1}}`, `m.action_confirm([1]) x=1`},
		{"call_method", `{"model":"m","method":"action_confirm","ids":[1,2]}`, `m.action_confirm([1,2])`},
		{"call_method", `{"model":"m","method":"do","id":1,"args":["x"],"kwargs":{"y":null}}`, `m.do([1],"x") y=null`},
		{"call_method", `{"model":"m","method":"do"}`, `m.do()`},
	} {
		f := newFake()
		r := build(t, nil, on(f))
		_, err := r.run(t, c.op, c.body)
		require.NoError(t, err, "%s %s", c.op, c.body)
		calls := f.made()
		require.Len(t, calls, 1)
		assert.Equal(t, c.want, show(calls[0]), "%s %s", c.op, c.body)
	}
}

// show writes a call as one line.
func show(c adapter.Call) string {
	var args, named []string
	for _, v := range c.Args {
		b, _ := json.Marshal(v)
		args = append(args, string(b))
	}
	for name, v := range c.Kwargs {
		b, _ := json.Marshal(v)
		named = append(named, name+"="+string(b))
	}
	slices.Sort(named)
	return strings.TrimSpace(c.Model + "." + c.Method + "(" + strings.Join(args, ",") + ") " + strings.Join(named, " "))
}

func TestEveryOperationIsTried(t *testing.T) {
	listed := map[string]bool{}
	for _, o := range Operations() {
		listed[o.Name] = true
		assert.LessOrEqual(t, len(operations[o.Name].parsed), len(arguments{}), o.Name)
	}
	// The documented ones are all there, with the documented times and limits.
	for name, want := range map[string][2]int{
		"search_read": {300, 200}, "read": {300, 100}, "search": {300, 500}, "search_count": {300, 0}, "fields_get": {3600, 0},
		"name_search": {600, 50}, "name_get": {600, 0}, "web_search_read": {300, 200}, "web_read": {300, 100},
	} {
		op := operations[name]
		require.NotNil(t, op, name)
		assert.Equal(t, want, [2]int{int(op.ttl.Seconds()), op.most}, name)
	}
	for _, name := range strings.Fields(`create write unlink web_save call_kw call_method default_get copy onchange read_group
		formatted_read_group name_create exists check_access_rights get_views get_view load_views fields_view_get`) {
		assert.True(t, listed[name], name)
		assert.Zero(t, operations[name].ttl, name)
	}
	assert.Len(t, listed, 27)
	assert.LessOrEqual(t, len(members), 64)
}

func TestRefusals(t *testing.T) {
	f := newFake()
	r := build(t, nil, on(f))
	for _, c := range []struct{ op, body, code, field, says string }{
		{"serch_read", `{"model":"m"}`, "invalid_argument", "operation", "did you mean search_read?"},
		{"", `{"model":"m"}`, "invalid_argument", "operation", "there is no operation"},
		{"search_read", `{}`, "invalid_argument", "model", "model is missing"},
		{"search_read", `{"model":"a b"}`, "invalid_argument", "model", "no name of a model"},
		{"search_read", `{"model":"a:b"}`, "invalid_argument", "model", "no name of a model"},
		{"search_read", `{"model":"m","ids":[1]}`, "invalid_argument", "ids", `search_read takes no "ids"; it takes model, domain, fields`},
		{"search_count", `{"model":"m","fields":["a"]}`, "invalid_argument", "fields", `takes no "fields"`},
		{"read", `{"model":"m"}`, "invalid_argument", "ids", `read needs "ids"`},
		{"read", `{"model":"m","ids":[1],"id":1}`, "invalid_argument", "id", "not both"},
		{"create", `{"model":"m"}`, "invalid_argument", "values", "needs"},
		{"search_read", `{"model":"m","limit":-1}`, "invalid_argument", "limit", "negative"},
		{"search_read", `{"model":"m","offset":-1}`, "invalid_argument", "offset", "negative"},
		{"search_read", `{"model":"m","cursor":"x"}`, "invalid_argument", "cursor", "cursor"},
		{"search_read", `{"model":"m","cursor":"o1","offset":1}`, "invalid_argument", "cursor", "not both"},
		{"search_read", `{"model":"m","domain":[["a","foo",1]]}`, "invalid_argument", "domain", "foo"},
		{"search_read", `{"model":"m","domain":["|",["a","=",1]]}`, "invalid_argument", "domain", "'|'"},
		{"search_read", `{"model":"m","context":[]}`, "invalid_argument", "context", "object"},
		{"search_read", `{"model":"m","context":{"allowed_company_ids":"x"}}`, "invalid_argument", "context.allowed_company_ids", "list of ids"},
		{"search_read", `{"model":"m","expand":"odd"}`, "invalid_argument", "expand", "dotted"},
		{"search_read", `{"model":"m","fallback":"odd"}`, "invalid_argument", "fallback", "all"},
		{"search_read", `{"model":"sale.order","fields":["name.x"]}`, "invalid_argument", "name", "is no relation"},
		{"search_read", `{"model":"sale.order","fields":["partnr_id.name"]}`, "invalid_argument", "partnr_id", "Invalid field 'partnr_id' on model 'sale.order'; did you mean partner_id?"},
		{"search_read", `{"model":"sale.order","fields":["partner_id."]}`, "invalid_argument", "fields", "no field"},
		{"search_read", `{"model":"sale.order","fields":["order_line.order_id.order_line.order_id.name"]}`, "invalid_argument", "fields", "at most 3"},
		{"call_kw", `{"model":"m"}`, "invalid_argument", "method", "needs"},
		{"call_kw", `{"model":"m","method":"_compute"}`, "permission_denied", "method", "private"},
		{"call_method", `{"model":"m","method":"a b"}`, "invalid_argument", "method", "no name of a method"},
		{"call_kw", `{"model":"m","method":"do","args":{}}`, "invalid_argument", "args", "list"},
		{"call_kw", `{"model":"m","method":"do","kwargs":[]}`, "invalid_argument", "kwargs", "object"},
		{"call_kw", `{"model":"m","method":"do","ids":[1]}`, "invalid_argument", "ids", "takes no"},
		{"web_read", `{"model":"m","ids":[1]}`, "invalid_argument", "specification", "needs"},
		{"web_read", `{"model":"m","ids":[1],"fields":["a"],"specification":{}}`, "invalid_argument", "fields", "not both"},
		{"web_search_read", `{"model":"m","fields":["a"],"specification":{}}`, "invalid_argument", "fields", "not both"},
	} {
		_, err := r.run(t, c.op, c.body)
		e, ok := asError(err)
		require.True(t, ok, "%s %s: %v", c.op, c.body, err)
		assert.Equal(t, c.code, string(e.Code), "%s %s", c.op, c.body)
		assert.Truef(t, strings.HasPrefix(e.Field, c.field), "%s %s: field %q", c.op, c.body, e.Field)
		assert.Contains(t, e.Message, c.says, "%s %s", c.op, c.body)
	}
	assert.Empty(t, f.made(), "nothing of it reached the system")
}

func TestAccess(t *testing.T) {
	f := newFake()
	f.answer = func(context.Context, adapter.Call) (string, error) { return "[]", nil }
	access := Access{
		"sales": {{Models: []string{"sale.*"}, Methods: []string{"search*", "read", "action_confirm"}}, {Models: []string{"res.partner"}, Methods: []string{"read"}}},
		"boss":  {{Models: []string{"*"}, Methods: []string{"*"}}},
	}
	r := build(t, func(c *Config) { c.Access = access }, on(f))
	try := func(role, op, body string) adapter.Code {
		s, err := r.System(t.Context(), Caller{Tenant: "acme", User: "u", Roles: []string{role}}, "main")
		require.NoError(t, err)
		_, err = s.Operation(t.Context(), op, request(t, body))
		return adapter.CodeOf(err)
	}
	const denied = adapter.PermissionDenied
	assert.Empty(t, try("sales", "search_read", `{"model":"sale.order"}`))
	assert.Equal(t, denied, try("sales", "write", `{"model":"sale.order","ids":[1],"values":{}}`))
	assert.Equal(t, denied, try("sales", "search_read", `{"model":"res.users"}`))
	assert.Empty(t, try("sales", "call_kw", `{"model":"sale.order","method":"action_confirm","args":[[1]]}`))
	assert.Equal(t, denied, try("sales", "call_kw", `{"model":"sale.order","method":"unlink","args":[[1]]}`))
	assert.Equal(t, denied, try("sales", "call_method", `{"model":"sale.order","method":"action_cancel","ids":[1]}`))
	assert.Equal(t, denied, try("nobody", "search_read", `{"model":"sale.order"}`))
	assert.Empty(t, try("boss", "unlink", `{"model":"res.users","ids":[1]}`))
	assert.Equal(t, denied, try("boss", "call_kw", `{"model":"res.users","method":"_login"}`))
	// Through a relation too, and not by way of what somebody else was given.
	assert.Empty(t, try("boss", "search_read", `{"model":"sale.order","fields":["partner_id.country_id.code"]}`))
	assert.Equal(t, denied, try("sales", "search_read", `{"model":"sale.order","fields":["partner_id.country_id.code"]}`))
	assert.Empty(t, try("sales", "search_read", `{"model":"sale.order","fields":["partner_id.email"]}`))

	s, err := r.System(t.Context(), Caller{Tenant: "acme", User: "u", Roles: []string{"sales"}}, "main")
	require.NoError(t, err)
	_, err = s.Create(t.Context(), "sale.order", adapter.Record{})
	assert.Equal(t, denied, code(t, err))
	assert.Equal(t, denied, code(t, s.Update(t.Context(), "sale.order", nil, nil)))
	assert.Equal(t, denied, code(t, s.Delete(t.Context(), "sale.order", nil)))
	_, err = s.Read(t.Context(), Reading{Query: adapter.Query{Model: "res.users"}})
	assert.Equal(t, denied, code(t, err))
	_, err = s.Fields(t.Context(), "res.users")
	assert.Equal(t, denied, code(t, err))
}

// The bytes of a system's answer reach the caller untouched, number literals
// included, from the system and from the cache.
func TestAnswersAreNotDecoded(t *testing.T) {
	const odd = `[{"id": 1, "f": 5.0, "big": 12345678901234567890.10, "e": 1E400, "u": "\u00e9<>&", "dup": 1, "dup": 2}]`
	f := newFake()
	f.answer = func(context.Context, adapter.Call) (string, error) { return odd, nil }
	r := build(t, nil, on(f))
	for _, op := range []string{"search_read", "read", "search", "name_get", "fields_get", "exists", "read_group"} {
		body := map[string]string{
			"read": `{"model":"m","ids":[1]}`, "name_get": `{"model":"m","ids":[1]}`, "exists": `{"model":"m","ids":[1]}`,
			"read_group": `{"model":"m","groupby":["a"]}`,
		}[op]
		if body == "" {
			body = `{"model":"m"}`
		}
		for range 2 {
			a, err := r.run(t, op, body)
			require.NoError(t, err)
			assert.Equal(t, odd, string(a.Result), op)
		}
	}
	// Not even rubbish in the cache would be looked at.
	a, err := r.run(t, "search_read", `{"model":"m"}`)
	require.NoError(t, err)
	b, err := r.run(t, "search_read", `{"model":"m"}`)
	require.NoError(t, err)
	assert.Same(t, &a.Result[0], &b.Result[0], "one copy serves all")
}

func TestWhatIsKeptAndFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := build(t, nil, on(f))
		defer r.cache.Close()
		defer r.Close()
		kept := func(op string) bool {
			body := `{"model":"m"}`
			if operations[op].at("ids") >= 0 {
				body = `{"model":"m","ids":[1],"fields":["a"]}`
				if op == "name_get" {
					body = `{"model":"m","ids":[1]}`
				}
			}
			a, err := r.run(t, op, body)
			require.NoError(t, err)
			return a.Cached
		}
		for _, op := range strings.Fields("search_read read search search_count fields_get name_search name_get web_search_read web_read") {
			ttl := operations[op].ttl
			assert.False(t, kept(op), op)
			assert.True(t, kept(op), op)
			time.Sleep(ttl * 89 / 100)
			assert.True(t, kept(op), op)
			time.Sleep(ttl * 22 / 100)
			assert.False(t, kept(op), op)
		}
	})
}

func TestSpacesDoNotMakeAnotherQuestion(t *testing.T) {
	f := newFake()
	r := build(t, nil, on(f))
	for i, body := range []string{
		`{"model":"m","domain":[["a","=","x y"]],"fields":["a"],"limit":5}`,
		`{"limit":5,"fields":[ "a" ],"domain":[ [ "a", "=" , "x y" ] ],"model":"m"}`,
		"{\"model\":\"m\",\"domain\":[[\"a\",\n\t\"=\",\"x y\"]],\"fields\":\"a\",\"limit\":5,\"offset\":0}",
	} {
		a, err := r.run(t, "search_read", body)
		require.NoError(t, err)
		assert.Equal(t, i > 0, a.Cached, body)
	}
	// Through the generic call it is kept under the same key, but for the
	// rewriting, which is off there.
	a, err := r.run(t, "search_read", `{"model":"m","domain":[["a","=","x y"]],"fields":["a"],"limit":5,"optimize":false}`)
	require.NoError(t, err)
	assert.False(t, a.Cached)
	a, err = r.run(t, "call_kw", `{"model":"m","method":"search_read","kwargs":{"domain":[["a","=","x y"]],"fields":["a"],"limit":5}}`)
	require.NoError(t, err)
	assert.True(t, a.Cached)
}

// Each difference in a question is one in the key. order, context, name and
// specification are what naive keys forget.
func TestDifferentQuestionsAreKeptApart(t *testing.T) {
	f := newFake()
	r := build(t, nil, on(f))
	for _, c := range [][2]string{
		{"search_read", `{"model":"m"}`},
		{"search_read", `{"model":"n"}`},
		{"search", `{"model":"m"}`},
		{"search_read", `{"model":"m","order":"a"}`},
		{"search_read", `{"model":"m","order":"a desc"}`},
		{"search_read", `{"model":"m","limit":1}`},
		{"search_read", `{"model":"m","offset":1}`},
		{"search_read", `{"model":"m","fields":["a"]}`},
		{"search_read", `{"model":"m","fields":["b"]}`},
		{"search_read", `{"model":"m","fields":["a","b"]}`},
		{"search_read", `{"model":"m","fields":["ab"]}`},
		{"search_read", `{"model":"m","domain":[["a","=",1]]}`},
		{"search_read", `{"model":"m","domain":[["a","=","1"]]}`},
		{"search_read", `{"model":"m","domain":[["a","=","a b"]]}`},
		{"search_read", `{"model":"m","domain":[["a","=","ab"]]}`},
		{"search_read", `{"model":"m","context":{"lang":"fr_FR"}}`},
		{"search_read", `{"model":"m","context":{"lang":"ar_001"}}`},
		{"search_read", `{"model":"m","context":{"tz":"fr_FR"}}`},
		{"search_read", `{"model":"m","context":{"allowed_company_ids":[1]}}`},
		{"search_read", `{"model":"m","context":{"allowed_company_ids":[2]}}`},
		{"search_read", `{"model":"m","context":{"active_test":false}}`},
		{"search_read", `{"model":"m","context":{"active_test":true}}`},
		{"search_read", `{"model":"m","context":{"bin_size":true}}`},
		{"search_read", `{"model":"m","context":{"active_test":false},"fill_empty":true}`},
		{"search_read", `{"model":"m","context":{"active_test":false},"fallback":"all"}`},
		{"search_read", `{"model":"m","fallback":"off"}`},
		{"search_read", `{"model":"m","fill_empty":true}`},
		{"search_read", `{"model":"m","load":""}`},
		{"name_search", `{"model":"m","name":"a"}`},
		{"name_search", `{"model":"m","name":"b"}`},
		{"name_search", `{"model":"m","name":"a","operator":"="}`},
		{"read", `{"model":"m","ids":[1,2]}`},
		{"read", `{"model":"m","ids":[12]}`},
		{"read", `{"model":"m","ids":[2,1]}`},
		{"web_read", `{"model":"m","ids":[1],"specification":{"a":{}}}`},
		{"web_read", `{"model":"m","ids":[1],"specification":{"b":{}}}`},
	} {
		a, err := r.run(t, c[0], c[1])
		require.NoError(t, err)
		assert.False(t, a.Cached, "%v", c)
		a, err = r.run(t, c[0], c[1])
		require.NoError(t, err)
		assert.True(t, a.Cached, "%v", c)
	}
	// So are different credentials.
	c := on(f)
	c.Fingerprint = "somebody else"
	r.source.put(c)
	s, err := r.System(t.Context(), sara, "main")
	require.NoError(t, err)
	a, err := s.Operation(t.Context(), "search_read", OperationRequest{Model: "m"})
	require.NoError(t, err)
	assert.True(t, a.Cached, "the old configuration is still in use")
}

func TestContextBecomesScope(t *testing.T) {
	f := newFake()
	r := build(t, nil, on(f))
	s, err := r.System(t.Context(), Caller{Tenant: "acme", User: "u", Scope: adapter.Scope{Language: "en_US", Timezone: "UTC", Values: map[string]any{"a": 1}}}, "main")
	require.NoError(t, err)
	_, err = s.Operation(t.Context(), "search_read", request(t, `{"model":"m","context":{"lang":"fr_FR","allowed_company_ids":[2,1],"b":2},"fill_empty":true,"fallback":"all"}`))
	require.NoError(t, err)
	_, err = s.Operation(t.Context(), "call_kw", request(t, `{"model":"m","method":"do","context":{"tz":false}}`))
	require.NoError(t, err)
	_, err = s.Operation(t.Context(), "call_kw", request(t, `{"model":"m","method":"search_read","kwargs":{"context":{"lang":"ar_001"}}}`))
	require.NoError(t, err)
	require.Len(t, f.scopes, 3)
	assert.Equal(t, adapter.Scope{
		Language: "fr_FR", Timezone: "UTC", Companies: []int64{2, 1}, Values: map[string]any{"a": 1, "b": json.Number("2")},
		FillEmpty: true, Fallback: adapter.FallbackAll,
	}, f.scopes[0])
	assert.Equal(t, adapter.Scope{Language: "en_US", Values: map[string]any{"a": 1}}, f.scopes[1])
	assert.Equal(t, "ar_001", f.scopes[2].Language)
	assert.Equal(t, map[string]any{"a": 1}, s.Scope().Values, "the caller's own map is left alone")

	s, err = s.WithContext(json.RawMessage(`{"lang":"de_DE"}`))
	require.NoError(t, err)
	assert.Equal(t, "de_DE", s.Scope().Language)
}

func TestWarningsAreKeptWithTheAnswer(t *testing.T) {
	f := newFake()
	w := adapter.Warning{Code: adapter.WarnFieldDropped, Field: "mobile", Message: "gone in 19.0"}
	f.answer = func(ctx context.Context, _ adapter.Call) (string, error) { adapter.Warn(ctx, w); return "[]", nil }
	r := build(t, nil, on(f))
	for _, c := range [][2]string{
		{"search_read", `{"model":"m"}`}, {"search_read", `{"model":"m"}`}, {"exists", `{"model":"m","ids":[1]}`},
		{"create", `{"model":"m","values":{}}`}, {"call_kw", `{"model":"m","method":"do"}`}, {"call_kw", `{"model":"m","method":"has_group"}`},
	} {
		a, err := r.run(t, c[0], c[1])
		require.NoError(t, err)
		assert.Equal(t, []adapter.Warning{w}, a.Warnings, "%v", c)
	}
}

// After a change nothing from before it is served: which changes reach which
// models.
func TestInvalidation(t *testing.T) {
	write := `"ids":[1],"values":{"a":1}`
	for _, c := range []struct {
		op, body string
		gone     string // models whose answers go, "*" for all
	}{
		{"write", `{"model":"x.y",` + write + `}`, "x.y"},
		{"create", `{"model":"x.y","values":{}}`, "x.y"},
		{"unlink", `{"model":"x.y","ids":[1]}`, "x.y"},
		{"copy", `{"model":"x.y","ids":[1]}`, "x.y"},
		{"web_save", `{"model":"x.y",` + write + `}`, "x.y"},
		{"name_create", `{"model":"x.y","name":"n"}`, "x.y"},
		{"call_kw", `{"model":"x.y","method":"write","args":[[1],{}]}`, "x.y"},
		{"call_kw", `{"model":"x.y","method":"write","args":[[1],{}],"kwargs":{"odd":1}}`, "x.y"},
		{"call_kw", `{"model":"x.y","method":"action_confirm","args":[[1]]}`, "*"},
		{"call_method", `{"model":"x.y","method":"anything","ids":[1]}`, "*"},
		{"write", `{"model":"product.product",` + write + `}`, "product.product product.template sale.order.line"},
		{"write", `{"model":"product.template",` + write + `}`, "product.product product.template sale.order.line"},
		{"write", `{"model":"sale.order.line",` + write + `}`, "sale.order sale.order.line res.partner product.product product.template"},
		{"write", `{"model":"res.partner",` + write + `}`, "res.partner sale.order"},
		{"write", `{"model":"res.users",` + write + `}`, "*"},
		{"write", `{"model":"ir.rule",` + write + `}`, "*"},
		{"write", `{"model":"ir.attachment",` + write + `}`, ""},
		{"call_kw", `{"model":"x.y","method":"search_read"}`, ""},
		{"call_kw", `{"model":"x.y","method":"has_group","args":["g"]}`, ""},
		{"exists", `{"model":"x.y","ids":[1]}`, ""},
		{"default_get", `{"model":"x.y","fields":["a"]}`, ""},
	} {
		f := newFake()
		r := build(t, nil, on(f))
		models := strings.Fields("x.y product.product product.template sale.order sale.order.line res.partner other.model")
		for range 2 {
			for _, m := range models {
				_, err := r.run(t, "search", `{"model":"`+m+`"}`)
				require.NoError(t, err)
			}
			_, err := r.run(t, "fields_get", `{"model":"x.y"}`)
			require.NoError(t, err)
		}
		_, err := r.run(t, c.op, c.body)
		require.NoError(t, err)
		for _, m := range models {
			a, err := r.run(t, "search", `{"model":"`+m+`"}`)
			require.NoError(t, err)
			want := c.gone == "*" || slices.Contains(strings.Fields(c.gone), m)
			assert.Equal(t, want, !a.Cached, "%s %s: %s", c.op, c.body, m)
		}
		a, err := r.run(t, "fields_get", `{"model":"x.y"}`)
		require.NoError(t, err)
		assert.Equal(t, c.gone == "*", !a.Cached, "a change of records leaves the model's description: %s %s", c.op, c.body)
	}
}

func TestAFailedChangeInvalidatesToo(t *testing.T) {
	f := newFake()
	r := build(t, nil, on(f))
	_, err := r.run(t, "search", `{"model":"m"}`)
	require.NoError(t, err)
	f.answer = func(_ context.Context, c adapter.Call) (string, error) {
		if c.Method == "write" {
			return "", &adapter.Error{Code: adapter.Internal, Message: "half done"}
		}
		return "[]", nil
	}
	_, err = r.run(t, "write", `{"model":"m","ids":[1],"values":{}}`)
	require.Error(t, err)
	a, err := r.run(t, "search", `{"model":"m"}`)
	require.NoError(t, err)
	assert.False(t, a.Cached)
}

// A change that got no answer may be made later: what is read meanwhile is
// not kept.
func TestUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(ctx context.Context, c adapter.Call) (string, error) {
			if c.Method == "write" {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "[]", nil
		}
		r := build(t, nil, on(f))
		defer r.cache.Close()
		defer r.Close()
		_, err := r.run(t, "write", `{"model":"m","ids":[1],"values":{}}`)
		assert.Equal(t, adapter.UnknownOutcome, code(t, err))
		e, _ := asError(err)
		assert.Contains(t, e.Message, "the change may have been made")
		kept := func(model string) bool {
			for range 2 {
				a, err := r.run(t, "search", `{"model":"`+model+`"}`)
				require.NoError(t, err)
				if a.Cached {
					return true
				}
			}
			return false
		}
		assert.False(t, kept("m"))
		assert.True(t, kept("n"))
		time.Sleep(doubtFor + time.Second)
		assert.True(t, kept("m"))
	})
}

// A caller who leaves in the midst of a change does not keep what was kept
// from being dropped.
func TestInvalidationOutlivesTheCaller(t *testing.T) {
	f := newFake()
	r := build(t, nil, on(f))
	_, err := r.run(t, "search", `{"model":"m"}`)
	require.NoError(t, err)
	ctx, leave := context.WithCancel(t.Context())
	f.answer = func(_ context.Context, c adapter.Call) (string, error) {
		if c.Method == "unlink" {
			// Meanwhile somebody reads the value from before.
			a, err := r.sys(t).Operation(context.Background(), "search", OperationRequest{Model: "m"})
			assert.NoError(t, err)
			assert.False(t, a.Cached)
			leave()
		}
		return "[]", nil
	}
	_, _ = r.sys(t).Operation(ctx, "unlink", OperationRequest{Model: "m", IDs: IDs{adapter.IntID(1)}})
	a, err := r.run(t, "search", `{"model":"m"}`)
	require.NoError(t, err)
	assert.False(t, a.Cached)
}

// Readers and writers at the same time, over a real table: no reader sees a
// value older than the last change that was acknowledged when it asked.
func TestNoStaleValueAfterAnAcknowledgedChange(t *testing.T) {
	for name, open := range kept(t) {
		t.Run(name, func(t *testing.T) { noStaleValue(t, open) })
	}
}

func noStaleValue(t *testing.T, open func() *cache.Cache) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		kept := open()
		defer kept.Close()
		m := memory.New(shop()...)
		r := build(t, func(c *Config) { c.MaxConcurrent = 100; c.Cache = kept }, on(m))
		id, err := m.Create(t.Context(), "sale.order", adapter.Record{"amount_total": 0})
		require.NoError(t, err)
		var acknowledged atomic.Int64
		var stale, errs atomic.Int32
		rounds := rapid.IntRange(2, 15).Draw(rt, "rounds")
		ways := rapid.SliceOfN(rapid.SampledFrom([]string{"update", "write", "call_kw"}), rounds, rounds).Draw(rt, "ways")
		var wg sync.WaitGroup
		var turn sync.Mutex // one writer at a time: what is acknowledged grows
		next := int64(0)
		for range rapid.IntRange(1, 3).Draw(rt, "writers") {
			wg.Go(func() {
				for _, way := range ways {
					turn.Lock()
					next++
					n := next
					values := fmt.Sprintf(`{"amount_total":%d}`, n)
					var err error
					switch s := r.sys(t); way {
					case "update":
						err = s.Update(t.Context(), "sale.order", []adapter.ID{id}, adapter.Record{"amount_total": n})
					case "write":
						_, err = s.Operation(t.Context(), "write", OperationRequest{Model: "sale.order", IDs: IDs{id}, Values: json.RawMessage(values)})
					case "call_kw":
						_, err = s.Operation(t.Context(), "call_kw", OperationRequest{Model: "sale.order", Method: "write", Args: json.RawMessage(`[[1],` + values + `]`)})
					}
					if err != nil {
						errs.Add(1)
					}
					acknowledged.Store(n)
					turn.Unlock()
				}
			})
		}
		for i := range rapid.IntRange(1, 4).Draw(rt, "readers") {
			wg.Go(func() {
				for range rounds * 4 {
					least := acknowledged.Load()
					var a Answer
					var err error
					if i%2 == 0 {
						a, err = r.sys(t).Read(t.Context(), Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"amount_total"}}})
					} else {
						a, err = r.sys(t).Operation(t.Context(), "search_read", OperationRequest{Model: "sale.order", Fields: Names{"amount_total"}})
					}
					if err != nil {
						errs.Add(1)
						continue
					}
					records, err := a.Records()
					if err != nil || len(records) != 1 {
						errs.Add(1)
						continue
					}
					if records[0].Int("amount_total") < least {
						stale.Add(1)
					}
				}
			})
		}
		wg.Wait()
		_ = r.Close()
		_ = r.cache.Close()
		if stale.Load() > 0 || errs.Load() > 0 {
			rt.Fatalf("%d stale reads, %d errors", stale.Load(), errs.Load())
		}
	})
}

func TestManyCallersShareOneCall(t *testing.T) {
	f := newFake()
	release := make(chan struct{})
	f.answer = func(context.Context, adapter.Call) (string, error) { <-release; return "[]", nil }
	r := build(t, nil, on(f))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := r.run(t, "search_read", `{"model":"m","limit":10}`)
			assert.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return r.sys(t).CacheStats(t.Context()).Misses == 100 }, 10*time.Second, time.Millisecond)
	close(release)
	wg.Wait()
	assert.Len(t, f.made(), 1)
}

func TestErrorsAreNotKept(t *testing.T) {
	f := newFake()
	f.answer = func(context.Context, adapter.Call) (string, error) {
		return "", &adapter.Error{Code: adapter.NotFound, Message: "no model"}
	}
	r := build(t, nil, on(f))
	for range 3 {
		_, err := r.run(t, "search_read", `{"model":"m"}`)
		assert.Equal(t, adapter.NotFound, code(t, err))
	}
	assert.Len(t, f.made(), 3)
}

func TestClearCache(t *testing.T) {
	r := build(t, nil, on(newFake()))
	for _, op := range []string{"search_read", "search", "fields_get"} {
		for _, m := range []string{"a", "b"} {
			_, err := r.run(t, op, `{"model":"`+m+`"}`)
			require.NoError(t, err)
		}
	}
	s := r.sys(t)
	assert.Equal(t, 6, s.CacheStats(t.Context()).TotalKeys)
	assert.Equal(t, 3, s.ClearCache(t.Context(), "a"))
	assert.Equal(t, 3, s.CacheStats(t.Context()).TotalKeys)
	a, err := r.run(t, "fields_get", `{"model":"a"}`)
	require.NoError(t, err)
	assert.False(t, a.Cached)
	assert.Equal(t, 4, s.ClearCache(t.Context(), ""))
}

func TestWithoutACache(t *testing.T) {
	f := newFake()
	r := build(t, func(c *Config) { c.Cache = nil }, on(f))
	for range 2 {
		a, err := r.run(t, "search_read", `{"model":"m"}`)
		require.NoError(t, err)
		assert.False(t, a.Cached)
	}
	_, err := r.run(t, "write", `{"model":"m","ids":[1],"values":{}}`)
	require.NoError(t, err)
	assert.Zero(t, r.sys(t).CacheStats(t.Context()))
	assert.Zero(t, r.sys(t).ClearCache(t.Context(), ""))
	r.Forget("acme", "main")
}

// A system that knows no calls of methods is reached through what every
// adapter can.
func TestOperationsOverAnyAdapter(t *testing.T) {
	r := build(t, nil, on(memory.New(shop()...)))
	for _, c := range []struct{ op, body, want string }{
		{"create", `{"model":"res.partner","values":{"name":"Azure","email":"a@example.com"}}`, `1`},
		{"create", `{"model":"res.partner","values":[{"name":"Deco"},{"name":"Gemini"}]}`, `[2,3]`},
		{"search", `{"model":"res.partner","domain":[["name","like","e"]],"order":"id"}`, `[1,2,3]`},
		{"search_count", `{"model":"res.partner"}`, `3`},
		{"search_read", `{"model":"res.partner","domain":[["id","=",1]],"fields":["name"]}`, `[{"id":1,"name":"Azure"}]`},
		{"read", `{"model":"res.partner","ids":[2,1],"fields":["name"]}`, `[{"id":2,"name":"Deco"},{"id":1,"name":"Azure"}]`},
		{"write", `{"model":"res.partner","ids":[2],"values":{"name":"Deco Addict"}}`, `true`},
		{"name_search", `{"model":"res.partner","name":"addict"}`, `[[2,"Deco Addict"]]`},
		{"unlink", `{"model":"res.partner","ids":[3]}`, `true`},
		{"exists", `{"model":"res.partner","ids":[1,2,3]}`, `[1,2]`},
		{"search_read", `{"model":"res.partner","domain":[["id","=",77]]}`, `[]`},
	} {
		a, err := r.run(t, c.op, c.body)
		require.NoError(t, err, "%s %s", c.op, c.body)
		assert.JSONEq(t, c.want, string(a.Result), "%s %s", c.op, c.body)
	}
	a, err := r.run(t, "fields_get", `{"model":"res.partner","allfields":["name"]}`)
	require.NoError(t, err)
	assert.Contains(t, string(a.Result), `{"name":{"type":"char"`)
	for _, op := range []string{"onchange", "copy", "read_group"} {
		_, err := r.run(t, op, map[string]string{"onchange": `{"model":"res.partner","values":{},"field_name":"a"}`, "copy": `{"model":"res.partner","ids":[1]}`, "read_group": `{"model":"res.partner","groupby":["a"]}`}[op])
		assert.Equal(t, adapter.Unsupported, code(t, err), op)
	}
	_, err = r.run(t, "call_kw", `{"model":"res.partner","method":"do"}`)
	assert.Equal(t, adapter.Unsupported, code(t, err))
	_, err = r.run(t, "write", `{"model":"res.partner","ids":[99],"values":{"name":"x"}}`)
	assert.Equal(t, adapter.NotFound, code(t, err))
}

// Requests of any shape are answered or refused, without a panic.
func FuzzOperation(f *testing.F) {
	f.Add("search_read", `{"model":"res.partner","domain":[["id",">",1]],"fields":["country_id.code"],"limit":3}`)
	f.Add("call_kw", `{"model":"res.partner","method":"read","args":[[1],["name"]],"kwargs":{}}`)
	f.Add("write", `{"model":"res.partner","ids":[1],"values":{"name":null}}`)
	f.Add("read", `{"model":"res.partner","ids":[ 1 , -2,"x"]}`)
	m := memory.New(shop()...)
	_, _ = m.Create(context.Background(), "res.partner", adapter.Record{"name": "Azure"})
	r := build(f, func(c *Config) { c.Retries = -1 }, on(m))
	f.Fuzz(func(t *testing.T, op, body string) {
		var req OperationRequest
		if json.Unmarshal([]byte(body), &req) != nil {
			return
		}
		a, err := r.sys(t).Operation(t.Context(), op, req)
		if err == nil && !json.Valid(a.Result) {
			t.Fatalf("%s %s: %s", op, body, a.Result)
		}
		if err != nil && adapter.CodeOf(err) == adapter.Internal {
			t.Fatalf("%s %s: %v", op, body, err)
		}
	})
}

func FuzzIDs(f *testing.F) {
	for _, s := range []string{`[1,2]`, `[]`, `[ ]`, `["a",1]`, `7`, `null`, `false`, `[1.5]`, `[+1]`, `[1,]`, `[01]`, `[[1]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var ids IDs
		if json.Unmarshal([]byte(s), &ids) != nil || !strings.HasPrefix(strings.TrimSpace(s), "[") {
			return
		}
		var slow []adapter.ID
		require.NoError(t, json.Unmarshal([]byte(s), &slow), "%s", s)
		assert.Equal(t, fmt.Sprint(slow), fmt.Sprint([]adapter.ID(ids)), "%s", s)
	})
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{`["a","b\u00e9","\xff"]`, `[]`, `{"a":1,"b":[1,{"c":"],"}]}`, ` [ 1 , "x" ] `, `{"\u0061" : null}`, `["a",1]`, `[null]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var list []json.RawMessage
		got, ok := listOf(json.RawMessage(s))
		if want := s == "" || json.Unmarshal([]byte(s), &list) == nil; want != ok && strings.TrimSpace(s) != "null" {
			t.Fatalf("%q: %v, want %v", s, ok, want)
		}
		if ok {
			assert.Equal(t, fmt.Sprintf("%q", list), fmt.Sprintf("%q", got))
		}
		var object map[string]json.RawMessage
		if members, ok := objectOf(json.RawMessage(s)); ok && s != "" {
			require.NoError(t, json.Unmarshal([]byte(s), &object))
			last := map[string]json.RawMessage{}
			for _, m := range members {
				last[m.name] = m.value
			}
			assert.Len(t, last, len(object))
			for name, v := range object {
				assert.Equal(t, string(v), string(last[name]))
			}
		}
		if !strings.HasPrefix(s, "[") || !json.Valid([]byte(s)) {
			return
		}
		var fast Names
		var slow []string
		errFast, errSlow := fast.UnmarshalJSON([]byte(s)), json.Unmarshal([]byte(s), &slow)
		assert.Equal(t, errSlow == nil, errFast == nil, s)
		if errSlow == nil {
			assert.Equal(t, slow, []string(fast))
		}
	})
}

func FuzzCompact(f *testing.F) {
	f.Add(`[ ["a", "=" , "x \" y\\"] , {"k" : 1.50 } ]`)
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) {
			return
		}
		var want strings.Builder
		raw := json.RawMessage(appendCompact(nil, []byte(s)))
		dst := new(strings.Builder)
		buf, err := json.Marshal(json.RawMessage(s))
		require.NoError(t, err)
		again, err := json.Marshal(raw)
		require.NoError(t, err)
		want.Write(buf)
		dst.Write(again)
		assert.Equal(t, want.String(), dst.String())
		assert.Len(t, appendCompact(nil, raw), len(raw))
	})
}

func BenchmarkCachedOperation(b *testing.B) {
	f := newFake()
	big := "[" + strings.Repeat(`{"id":1,"name":"Azure Interior","email":"azure@example.com","phone":"+1 555 0100"},`, 79) + `{"id":2}]`
	f.answer = func(context.Context, adapter.Call) (string, error) { return big, nil }
	r := build(b, nil, on(f))
	body := []byte(`{"model":"res.partner","domain":[["is_company","=",true]],"fields":["name","email","phone"],"limit":80,"offset":0,"order":"name"}`)
	generic := []byte(`{"model":"res.partner","method":"search_read","args":[],"kwargs":{"domain":[["is_company","=",true]],"fields":["name","email","phone"],"limit":80,"offset":0,"order":"name"}}`)
	req, kw := request(b, string(body)), request(b, string(generic))
	hit := func(b *testing.B, op string, req OperationRequest) {
		b.Helper()
		s, err := r.System(b.Context(), sara, "main")
		if err != nil {
			b.Fatal(err)
		}
		if a, err := s.Operation(b.Context(), op, req); err != nil || !a.Cached && b.N > 1 {
			b.Fatal(a.Cached, err)
		}
	}
	for _, c := range []struct {
		name string
		run  func(b *testing.B)
	}{
		{"search_read", func(b *testing.B) { b.Helper(); hit(b, "search_read", req) }},
		{"search_read with decoding the request", func(b *testing.B) {
			b.Helper()
			var req OperationRequest
			if json.Unmarshal(body, &req) != nil {
				b.Fatal("no JSON")
			}
			hit(b, "search_read", req)
		}},
		{"call_kw", func(b *testing.B) { b.Helper(); hit(b, "call_kw", kw) }},
		{"Read", func(b *testing.B) {
			b.Helper()
			s, _ := r.System(b.Context(), sara, "main")
			if _, err := s.Read(b.Context(), Reading{Query: adapter.Query{Model: "res.partner", Fields: req.Fields, Limit: 80}, Domain: req.Domain}); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.run(b)
			b.ReportAllocs()
			for b.Loop() {
				c.run(b)
			}
		})
	}
}
