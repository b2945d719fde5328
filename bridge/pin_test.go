package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/migrate"
)

const pinPack = `
pack: p
from: "1"
to: "2"
models:
  lot:
    to: batch
    rules:
      - rename: {name: code, line_ids: row_ids}
      - remove: fax
        note: nobody has one
      - map: {field: state, values: {draft: draft, sent: posted, done: posted}}
      - convert: {field: owner_id, to: owner_ids, as: many2one_to_many2many}
      - convert: {field: start, as: date_to_datetime}
      - table: {from: [kind], to: [kind, stored], rows: [[goods, [thing, true]], [thing, [thing, false]]]}
      - add: {field: policy, value: x}
  lot.line:
    to: batch.row
    rules:
      - rename: {lot_id: batch_id, qty: quantity}
  pair:
    rules:
      - rename: {left: right, right: left}
`

func pinSchemas() map[string][]adapter.Schema {
	field := func(t adapter.FieldType, relation, inverse string) adapter.Field {
		return adapter.Field{Type: t, Relation: relation, Inverse: inverse, Stored: true, Searchable: true, Sortable: true}
	}
	selection := func(keys ...string) adapter.Field {
		f := field(adapter.Selection, "", "")
		for _, k := range keys {
			f.Selection = append(f.Selection, adapter.Option{Value: k, Label: "<" + k + ">"})
		}
		return f
	}
	char := field(adapter.Char, "", "")
	person := adapter.Schema{Model: "person", Fields: map[string]adapter.Field{"name": char, "display_name": char}}
	return map[string][]adapter.Schema{
		"1": {
			{Model: "lot", Fields: map[string]adapter.Field{
				"name": char, "fax": char, "state": selection("draft", "sent", "done"), "kind": selection("goods", "thing"),
				"owner_id": field(adapter.Many2One, "person", ""), "start": field(adapter.Date, "", ""), "made": field(adapter.DateTime, "", ""),
				"line_ids": field(adapter.One2Many, "lot.line", "lot_id"), "display_name": char,
			}},
			{Model: "pair", Fields: map[string]adapter.Field{"left": field(adapter.Many2One, "lot", ""), "right": field(adapter.Many2One, "person", "")}},
			{Model: "lot.line", Fields: map[string]adapter.Field{"lot_id": field(adapter.Many2One, "lot", ""), "qty": field(adapter.Float, "", ""), "display_name": char}},
			person,
		},
		"2": {
			{Model: "batch", Fields: map[string]adapter.Field{
				"code": char, "state": selection("draft", "posted"), "kind": selection("thing"), "stored": field(adapter.Boolean, "", ""), "policy": char, "novel": char,
				"owner_ids": field(adapter.Many2Many, "person", ""), "start": field(adapter.DateTime, "", ""), "made": field(adapter.DateTime, "", ""),
				"row_ids": field(adapter.One2Many, "batch.row", "batch_id"), "display_name": char,
			}},
			{Model: "pair", Fields: map[string]adapter.Field{"left": field(adapter.Many2One, "person", ""), "right": field(adapter.Many2One, "batch", "")}},
			{Model: "batch.row", Fields: map[string]adapter.Field{"batch_id": field(adapter.Many2One, "batch", ""), "quantity": field(adapter.Float, "", ""), "display_name": char}},
			person,
		},
	}
}

// elder is a system of version 2 without methods of its own; elderCaller has
// the answers that a test decides.
type elder struct{ *memory.Adapter }

func (elder) Info() adapter.Info { return adapter.Info{Kind: "fake", Version: "2"} }

type elderCaller struct {
	elder
	*recorder
}

type recorder struct {
	answer string
	calls  []string
	scopes []adapter.Scope
}

func (r *recorder) Call(ctx context.Context, c adapter.Call) (json.RawMessage, error) {
	kwargs, err := encodeJSON(c.Kwargs)
	if err != nil {
		return nil, err
	}
	args, err := encodeJSON(orEmpty(c.Args))
	r.calls = append(r.calls, fmt.Sprintf("%s.%s%s%s", c.Model, c.Method, args, kwargs))
	r.scopes = append(r.scopes, adapter.ScopeFrom(ctx))
	return json.RawMessage(r.answer), err
}

func pinRig(tb testing.TB, conn adapter.Adapter, schemas bool, change func(*Config)) *rig {
	tb.Helper()
	pack, err := migrate.LoadFiles(map[string][]byte{"p.yaml": []byte(pinPack)})
	require.NoError(tb, err)
	lens := Lens{Pack: pack}
	if schemas {
		lens.Schema = func(version, model string) *adapter.Schema {
			for _, s := range pinSchemas()[version] {
				if s.Model == model {
					return &s
				}
			}
			return nil
		}
	}
	return build(tb, func(c *Config) {
		c.Lenses = map[string]Lens{"fake": lens}
		if change != nil {
			change(c)
		}
	}, on(conn))
}

func as(tb testing.TB, s *System, version string) *System {
	tb.Helper()
	p, err := s.As(version)
	require.NoError(tb, err)
	assert.Equal(tb, version, p.PinnedVersion())
	return p
}

func idText(v any) string { return fmt.Sprint(v) }

// A system without methods of its own, in the words of version 1.
func TestPinnedRecords(t *testing.T) {
	for _, schemas := range []bool{true, false} {
		models := pinSchemas()["2"]
		models[0].Fields["x_own"] = adapter.Field{Type: adapter.Char}
		r := pinRig(t, elder{memory.New(models...)}, schemas, nil)
		own, old := r.sys(t), as(t, r.sys(t), "1")
		person, err := own.Create(t.Context(), "person", adapter.Record{"name": "Ann", "display_name": "Ann"})
		require.NoError(t, err)
		ctx, warnings := adapter.WithWarnings(t.Context())
		lot, err := old.Create(ctx, "lot", adapter.Record{
			"name": "L1", "state": "sent", "kind": "goods", "fax": "1", "start": "2026-01-02", "made": "2026-01-02 10:00:00",
		})
		require.NoError(t, err)
		require.NoError(t, own.Update(t.Context(), "batch", []adapter.ID{lot.ID()}, adapter.Record{"owner_ids": []any{person.ID().Value()}}))
		assert.Equal(t, "L1", lot["name"], "the values that were sent")
		codes := []string{}
		for _, w := range warnings.List() {
			codes = append(codes, w.Code+" "+w.Field)
		}
		assert.Contains(t, codes, "field_dropped fax")
		line, err := old.Create(t.Context(), "lot.line", adapter.Record{"lot_id": lot.ID().Value(), "qty": json.Number("2.50")})
		require.NoError(t, err)

		got, err := own.Read(t.Context(), Reading{Query: adapter.Query{Model: "batch", Fields: []string{"code", "state", "kind", "stored", "start"}}})
		require.NoError(t, err)
		assert.JSONEq(t, `[{"id":`+idText(lot.ID())+`,"code":"L1","state":"posted","kind":"thing","stored":true,"start":"2026-01-02 00:00:00"}]`, string(got.Result))

		fields := []string{"name", "kind", "fax", "start"}
		domain := json.RawMessage(`[["kind","=","goods"],["line_ids.qty",">",2]]`)
		got, err = old.Read(t.Context(), Reading{Query: adapter.Query{Model: "lot", Fields: fields}, Domain: domain})
		require.NoError(t, err)
		assert.JSONEq(t, `[{"id":`+idText(lot.ID())+`,"name":"L1","kind":"goods","fax":false,"start":"2026-01-02"}]`, string(got.Result))
		assert.True(t, slices.ContainsFunc(got.Warnings, func(w adapter.Warning) bool {
			return w.Code == adapter.WarnFieldDropped && w.Field == "fax" && w.Model == "lot"
		}), "%v", got.Warnings)
		again, err := old.Read(t.Context(), Reading{Query: adapter.Query{Model: "lot", Fields: fields}, Domain: domain})
		require.NoError(t, err)
		assert.True(t, again.Cached)
		assert.Equal(t, got.Warnings, again.Warnings, "warnings are kept with the answer")

		got, err = old.Read(t.Context(), Reading{Query: adapter.Query{Model: "lot.line", Fields: []string{"lot_id.name", "lot_id.owner_id", "qty"}}})
		require.NoError(t, err)
		owner := `,"lot_id.owner_id":` + idText(person.ID())
		if schemas {
			owner = `,"lot_id.owner_id":[` + idText(person.ID()) + `,"Ann"]`
		}
		assert.JSONEq(t, `[{"id":`+idText(line.ID())+`,"lot_id.name":"L1"`+owner+`,"qty":2.50}]`, string(got.Result))

		got, err = old.Read(t.Context(), Reading{Query: adapter.Query{Model: "lot", Fields: []string{"name", "fax", "start", "made"}, Plain: true}})
		require.NoError(t, err)
		assert.JSONEq(t, `[{"id":`+idText(lot.ID())+`,"name":"L1","fax":null,"start":"2026-01-02","made":"2026-01-02T10:00:00Z"}]`, string(got.Result))

		require.NoError(t, old.Update(t.Context(), "lot", []adapter.ID{lot.ID()}, adapter.Record{"kind": "thing", "name": "L2"}))
		n, err := old.Operation(t.Context(), "search_count", request(t, `{"model":"lot","domain":[["kind","=","thing"],["name","=","L2"]]}`))
		require.NoError(t, err)
		assert.Equal(t, "1", string(n.Result))
		found, err := old.Operation(t.Context(), "search_read", request(t, `{"model":"lot","fields":["name"],"order":"name desc"}`))
		require.NoError(t, err)
		assert.JSONEq(t, `[{"id":`+idText(lot.ID())+`,"name":"L2"}]`, string(found.Result))

		described, err := old.Fields(t.Context(), "lot")
		require.NoError(t, err)
		var s adapter.Schema
		require.NoError(t, json.Unmarshal(described.Result, &s))
		assert.Equal(t, "lot", s.Model)
		for _, f := range []string{"name", "line_ids", "owner_id", "kind", "start", "x_own"} {
			assert.True(t, s.Has(f), f)
		}
		for _, f := range []string{"code", "row_ids", "owner_ids", "policy", "stored"} {
			assert.False(t, s.Has(f), f)
		}
		assert.Equal(t, "lot.line", s.Fields["line_ids"].Relation)
		if schemas {
			assert.False(t, s.Has("novel"))
			assert.Equal(t, adapter.Many2One, s.Fields["owner_id"].Type)
			assert.Equal(t, adapter.Date, s.Fields["start"].Type)
			assert.Equal(t, []adapter.Option{{Value: "draft", Label: "<draft>"}, {Value: "sent", Label: "<posted>"}, {Value: "done", Label: "done"}}, s.Fields["state"].Selection)
		}

		require.NoError(t, old.Delete(t.Context(), "lot", []adapter.ID{lot.ID()}))
	}
}

// What can't be translated is refused, with the reason.
func TestPinnedRefuses(t *testing.T) {
	conn := elderCaller{elder{memory.New(pinSchemas()["2"]...)}, &recorder{answer: `[]`}}
	r := pinRig(t, conn, true, nil)
	old := as(t, r.sys(t), "1")
	for _, c := range []struct{ op, body, field, message string }{
		{"search", `{"model":"lot","domain":[["fax","=","1"]]}`, "fax", "removed in version 2; nobody has one"},
		{"search", `{"model":"lot","domain":[["policy","=","x"]]}`, "policy", "does not exist before version 2"},
		{"search_read", `{"model":"lot","fields":["name"],"order":"kind"}`, "kind", "can't be sorted by"},
		{"read_group", `{"model":"lot","groupby":["state"],"fields":[]}`, "state", "its groups are others"},
		{"search_read", `{"model":"lot","fields":["fax"],"fallback":"off"}`, "fax", "removed"},
		{"create", `{"model":"lot","values":{"fax":"1"},"fallback":"off"}`, "fax", "no place"},
		{"call_kw", `{"model":"lot","method":"search","args":[[["fax","=","1"]],0,1,"name",true]}`, "fax", "removed"},
	} {
		_, err := old.Operation(t.Context(), c.op, request(t, c.body))
		var e *adapter.Error
		if assert.ErrorAs(t, err, &e, c.body) {
			assert.Equal(t, adapter.InvalidArgument, e.Code, c.body)
			assert.Equal(t, c.field, e.Field, c.body)
			assert.Contains(t, e.Message, c.message, c.body)
		}
	}
	for method := range opaque {
		_, err := old.Operation(t.Context(), "call_kw", request(t, `{"model":"lot","method":"`+method+`","args":[[]]}`))
		assert.Equal(t, adapter.Unsupported, adapter.CodeOf(err), method)
	}
	assert.Empty(t, conn.calls, "nothing was asked of the system")

	_, err := r.sys(t).As("3")
	assert.Equal(t, adapter.InvalidArgument, adapter.CodeOf(err))
	assert.ErrorContains(t, err, "there are 1, 2")
	bare := build(t, nil, on(newFake()))
	_, err = bare.sys(t).As("1")
	assert.Equal(t, adapter.Unsupported, adapter.CodeOf(err))
	_, err = New(Config{Source: Static(), Openers: map[string]Opener{"fake": func(context.Context, SystemConfig) (adapter.Adapter, error) { return nil, nil }}, Lenses: map[string]Lens{"fake": {}}})
	assert.ErrorContains(t, err, "no Pack")
}

// What each call becomes, and what becomes of its answer.
func TestPinnedCalls(t *testing.T) {
	for _, c := range []struct{ op, body, sent, answer, want string }{
		{
			"search_read", `{"model":"lot","domain":[["state","=","sent"]],"fields":["name","state"],"order":"name desc","limit":3}`,
			`batch.search_read[]{"domain":[["state","=","posted"]],"fields":["code","state"],"limit":3,"order":"code desc"}`,
			`[{"id":1,"code":"A","state":"posted"}]`, `[{"id":1,"name":"A","state":"sent"}]`,
		},
		{
			"call_kw", `{"model":"lot","method":"search_read","args":[[["name","=","A"]],["name"],0,1,"name"],"kwargs":{"count":true}}`,
			`batch.search_read[[["code","=","A"]],["code"],0,1,"code"]{"count":true}`, `[{"id":1,"code":"A"}]`, `[{"id":1,"name":"A"}]`,
		},
		{
			"read", `{"model":"lot","ids":[1],"fields":["owner_id"],"load":""}`,
			`batch.read[]{"fields":["owner_ids"],"ids":[1],"load":""}`, `[{"id":1,"owner_ids":[7]}]`, `[{"id":1,"owner_id":7}]`,
		},
		{
			"web_search_read", `{"model":"lot","specification":{"name":{},"line_ids":{"fields":{"qty":{}},"order":"qty desc"},"fax":{}}}`,
			`batch.web_search_read[]{"limit":200,"specification":{"code":{},"row_ids":{"fields":{"quantity":{}},"order":"quantity desc"}}}`,
			`{"length":1,"records":[{"id":1,"code":"A","row_ids":[{"id":2,"quantity":1.50}]}]}`,
			`{"length":1,"records":[{"id":1,"fax":false,"line_ids":[{"id":2,"qty":1.50}],"name":"A"}]}`,
		},
		{
			"create", `{"model":"lot","vals_list":[{"name":"A","line_ids":[[0,0,{"qty":1.50}],[1,5,{"qty":2}],[2,6,0],[6,0,[7]]]}]}`,
			`batch.create[]{"values":[{"code":"A","row_ids":[[0,0,{"quantity":1.50}],[1,5,{"quantity":2}],[2,6,0],[6,0,[7]]]}]}`, `[9]`, `[9]`,
		},
		{
			"write", `{"model":"lot","ids":[1],"values":{"kind":"goods","owner_id":4}}`,
			`batch.write[]{"ids":[1],"values":{"kind":"thing","owner_ids":[[6,0,[4]]],"stored":true}}`, `true`, `true`,
		},
		{
			"copy", `{"model":"lot","ids":[1],"default":{"name":"B"}}`, `batch.copy[]{"default":{"code":"B"},"ids":[1]}`, `2`, `2`,
		},
		{
			"default_get", `{"model":"lot","fields":["name","line_ids","fax"]}`, `batch.default_get[]{"fields":["code","row_ids"]}`,
			`{"code":"A","row_ids":[[0,0,{"quantity":1}]]}`, `{"line_ids":[[0,0,{"qty":1}]],"name":"A"}`,
		},
		{
			"read_group", `{"model":"lot.line","domain":[["qty",">",1]],"fields":["qty:sum","most:max(qty)"],"groupby":["lot_id"],"orderby":"lot_id desc, qty"}`,
			`batch.row.read_group[]{"domain":[["quantity",">",1]],"fields":["quantity:sum","most:max(quantity)"],"groupby":["batch_id"],"orderby":"batch_id desc, quantity"}`,
			`[{"batch_id":[1,"A"],"batch_id_count":2,"quantity":3.50,"most":2,"__domain":["&",["batch_id","=",1],["quantity",">",1]],"__context":{"group_by":["batch_id"]}}]`,
			`[{"__context":{"group_by":["lot_id"]},"__domain":[["lot_id","=",1],["qty",">",1]],"lot_id":[1,"A"],"lot_id_count":2,"most":2,"qty":3.50}]`,
		},
		{
			"formatted_read_group", `{"model":"lot.line","groupby":["lot_id"],"aggregates":["qty:sum","__count"],"having":[["qty:sum",">",1]],"order":"qty:sum desc"}`,
			`batch.row.formatted_read_group[]{"aggregates":["quantity:sum","__count"],"groupby":["batch_id"],"having":[["quantity:sum",">",1]],"order":"quantity:sum desc"}`,
			`[{"batch_id":[1,"A"],"quantity:sum":3.50,"__count":2,"__extra_domain":[["batch_id","=",1]]}]`,
			`[{"__count":2,"__extra_domain":[["lot_id","=",1]],"lot_id":[1,"A"],"qty:sum":3.50}]`,
		},
		{
			"read_group", `{"model":"lot","fields":[],"groupby":["start:month"]}`, `batch.read_group[]{"fields":[],"groupby":["start:month"]}`,
			`[{"start:month":"January 2026","start_count":1,"__range":{"start:month":{"from":"2026-01-01","to":"2026-02-01"}}}]`,
			`[{"__range":{"start:month":{"from":"2026-01-01","to":"2026-02-01"}},"start:month":"January 2026","start_count":1}]`,
		},
		{
			"fields_get", `{"model":"lot","allfields":["name","state","owner_id","line_ids"],"attributes":["type","relation","selection"]}`,
			`batch.fields_get[]{"allfields":["code","state","owner_ids","row_ids"],"attributes":["type","relation","selection"]}`,
			`{"code":{"type":"char"},"state":{"type":"selection","selection":[["draft","New"],["posted","Posted"]]},"owner_ids":{"type":"many2many","relation":"person"},"row_ids":{"type":"one2many","relation":"batch.row"}}`,
			`{"line_ids":{"relation":"lot.line","type":"one2many"},"name":{"type":"char"},"owner_id":{"relation":"person","type":"many2one"},"state":{"selection":[["draft","New"],["sent","Posted"],["done","done"]],"type":"selection"}}`,
		},
		{
			"onchange", `{"model":"lot","ids":[],"values":{"name":"A","line_ids":[[0,"v",{"qty":1}]]},"field_name":"name","field_onchange":{"name":"1","line_ids":"","line_ids.qty":"1"}}`,
			`batch.onchange[[],{"code":"A","row_ids":[[0,"v",{"quantity":1}]]},["code"],{"code":"1","row_ids":"","row_ids.quantity":"1"}]null`,
			`{"value":{"code":"B","policy":"y","row_ids":[[1,2,{"quantity":3}]]},"warning":{"title":"t"}}`,
			`{"value":{"line_ids":[[1,2,{"qty":3}]],"name":"B"},"warning":{"title":"t"}}`,
		},
		{
			"onchange", `{"model":"lot","values":{},"field_name":["name"],"field_onchange":{"name":{},"line_ids":{"fields":{"qty":{}}}}}`,
			`batch.onchange[[],{},["code"],{"code":{},"row_ids":{"fields":{"quantity":{}}}}]null`, `{}`, `{}`,
		},
		{"name_search", `{"model":"lot","name":"A","domain":[["name","!=","B"]],"limit":5}`, `batch.name_search[]{"domain":[["code","!=","B"]],"limit":5,"name":"A"}`, `[[1,"A"]]`, `[[1,"A"]]`},
		{"call_method", `{"model":"lot","method":"action_close","ids":[1]}`, `batch.action_close[[1]]null`, `true`, `true`},
	} {
		conn := elderCaller{elder{memory.New(pinSchemas()["2"]...)}, &recorder{answer: c.answer}}
		old := as(t, pinRig(t, conn, true, nil).sys(t), "1")
		a, err := old.Operation(t.Context(), c.op, request(t, c.body))
		if !assert.NoError(t, err, c.body) {
			continue
		}
		if assert.Len(t, conn.calls, 1, c.body) {
			assert.Equal(t, c.sent, conn.calls[0], c.body)
		}
		assert.JSONEq(t, c.want, string(a.Result), c.body)
		for _, literal := range []string{"1.50", "3.50"} {
			assert.Equal(t, strings.Contains(c.want, literal), strings.Contains(string(a.Result), literal), "%s keeps its numbers", c.body)
		}
	}
}

// The context's defaults are values too, and what the bridge does not know is
// said to go on as it is.
func TestPinnedContext(t *testing.T) {
	conn := elderCaller{elder{memory.New(pinSchemas()["2"]...)}, &recorder{answer: `true`}}
	old := as(t, pinRig(t, conn, true, nil).sys(t), "1")
	a, err := old.Operation(t.Context(), "call_kw", request(t, `{"model":"lot","method":"action_make","args":[[1],{"fax":"1"}],"context":{"default_name":"A","default_kind":"goods","active_model":"lot.line","lang":"fr_FR"}}`))
	require.NoError(t, err)
	require.Len(t, conn.scopes, 1)
	assert.Equal(t, map[string]any{"default_code": "A", "default_kind": "thing", "default_stored": true, "active_model": "batch.row"}, conn.scopes[0].Values)
	assert.Equal(t, "fr_FR", conn.scopes[0].Language)
	assert.True(t, slices.ContainsFunc(a.Warnings, func(w adapter.Warning) bool { return w.Code == adapter.WarnUntranslated && w.Used == "action_make" }))

	_, err = old.Operation(t.Context(), "call_kw", request(t, `{"model":"lot","method":"action_make","args":[[1]],"kwargs":{"context":{"default_name":"A"}}}`))
	require.NoError(t, err)
	assert.Contains(t, conn.calls[1], `{"context":{"default_code":"A"}}`)
}

// Answers in different words are kept apart, and dropped together.
func TestPinnedAnswersAreKeptApart(t *testing.T) {
	conn := elder{memory.New(pinSchemas()["2"]...)}
	r := pinRig(t, conn, true, nil)
	own, old := r.sys(t), as(t, r.sys(t), "1")
	batch, err := own.Create(t.Context(), "batch", adapter.Record{"code": "A"})
	require.NoError(t, err)
	read := func(s *System, model, field string) (string, bool) {
		a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: model, Fields: []string{field}}})
		require.NoError(t, err)
		records, err := a.Records()
		require.NoError(t, err)
		return records[0].String(field), a.Cached
	}
	both := func(want string, cached bool) {
		t.Helper()
		for s, model := range map[*System]string{own: "batch", old: "lot"} {
			name := "code"
			if s == old {
				name = "name"
			}
			got, kept := read(s, model, name)
			assert.Equal(t, want, got)
			assert.Equal(t, cached, kept, model)
		}
	}
	both("A", false)
	both("A", true)
	require.NoError(t, own.Update(t.Context(), "batch", []adapter.ID{batch.ID()}, adapter.Record{"code": "B"}))
	both("B", false)
	require.NoError(t, old.Update(t.Context(), "lot", []adapter.ID{batch.ID()}, adapter.Record{"name": "C"}))
	both("C", false)
	both("C", true)
	old.ClearCache(t.Context(), "lot")
	both("C", false)

	// The same words, which mean one thing here and another there.
	person, err := own.Create(t.Context(), "person", adapter.Record{"name": "Ann"})
	require.NoError(t, err)
	_, err = own.Create(t.Context(), "pair", adapter.Record{"left": person.ID().Value(), "right": batch.ID().Value()})
	require.NoError(t, err)
	for range 2 {
		got, _ := read(own, "pair", "left.name")
		assert.Equal(t, "Ann", got)
		got, _ = read(old, "pair", "left.name")
		assert.Equal(t, "C", got)
		got, _ = read(own, "pair", "left")
		assert.Equal(t, "Ann", got)
		got, _ = read(old, "pair", "left")
		assert.NotEqual(t, "Ann", got)
	}
}

// Rules of access name models as the system does, whatever the caller says.
func TestPinnedAccess(t *testing.T) {
	r := pinRig(t, elder{memory.New(pinSchemas()["2"]...)}, true, func(c *Config) {
		c.Access = Access{"clerk": {{Models: []string{"batch", "lot.*"}, Methods: []string{"*"}}}}
	})
	s, err := r.System(t.Context(), Caller{Tenant: "acme", User: "sara", Roles: []string{"clerk"}}, "main")
	require.NoError(t, err)
	old := as(t, s, "1")
	_, err = old.Operation(t.Context(), "search_count", request(t, `{"model":"lot"}`))
	assert.NoError(t, err, "lot is the system's batch")
	_, err = old.Operation(t.Context(), "search_count", request(t, `{"model":"lot.line"}`))
	assert.Equal(t, adapter.PermissionDenied, adapter.CodeOf(err), "lot.line is the system's batch.row")
	_, err = old.Read(t.Context(), Reading{Query: adapter.Query{Model: "lot", Fields: []string{"line_ids.qty"}}})
	assert.Equal(t, adapter.PermissionDenied, adapter.CodeOf(err))
}

// A newer app in front of an older system, in plain values.
func TestPinnedDown(t *testing.T) {
	conn := junior{memory.New(pinSchemas()["1"]...)}
	r := pinRig(t, conn, true, nil)
	lot, err := r.sys(t).Create(t.Context(), "lot", adapter.Record{"name": "A", "start": "2026-01-02", "kind": "goods", "state": "sent"})
	require.NoError(t, err)
	a, err := as(t, r.sys(t), "2").Read(t.Context(), Reading{Query: adapter.Query{
		Model: "batch", Fields: []string{"code", "start", "kind", "stored", "state", "policy"}, Plain: true,
		Filter: adapter.And{adapter.Cond{Field: "stored", Op: adapter.Equal, Value: true}, adapter.Cond{Field: "state", Op: adapter.Equal, Value: "posted"}},
	}})
	require.NoError(t, err)
	assert.JSONEq(t, `[{"id":`+idText(lot.ID())+`,"code":"A","start":"2026-01-02T00:00:00Z","kind":"thing","stored":true,"state":"posted","policy":null}]`, string(a.Result))
}

type junior struct{ *memory.Adapter }

func (junior) Info() adapter.Info { return adapter.Info{Kind: "fake", Version: "1"} }

// A system may be pinned for all who use it.
func TestASystemsOwnPin(t *testing.T) {
	r := pinRig(t, elder{memory.New(pinSchemas()["2"]...)}, true, nil)
	c := on(elder{memory.New(pinSchemas()["2"]...)})
	c.ID, c.PinnedVersion = "pinned", "1"
	r.source.put(c)
	s, err := r.System(t.Context(), sara, "pinned")
	require.NoError(t, err)
	assert.Equal(t, "1", s.PinnedVersion())
	_, err = s.Create(t.Context(), "lot", adapter.Record{"name": "A"})
	require.NoError(t, err)
	own, err := s.As("")
	require.NoError(t, err)
	assert.Empty(t, own.PinnedVersion())
	n, err := own.Operation(t.Context(), "search_count", request(t, `{"model":"batch","domain":[["code","=","A"]]}`))
	require.NoError(t, err)
	assert.Equal(t, "1", string(n.Result))
	c.PinnedVersion, c.ID = "9", "wrong"
	r.source.put(c)
	_, err = r.System(t.Context(), sara, "wrong")
	assert.Equal(t, adapter.InvalidArgument, adapter.CodeOf(err))
}
