package migrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

func schema(model string, fields map[string]adapter.Field) *adapter.Schema {
	return &adapter.Schema{Model: model, Fields: fields}
}

func options(keys ...string) []adapter.Option {
	var out []adapter.Option
	for _, k := range keys {
		out = append(out, adapter.Option{Value: k})
	}
	return out
}

const coverPack = head + `      - rename: {phone: phone_primary}
      - remove: fax
      - remove: customer
        instead: {to: kind, values: {true: contact}}
      - map: {field: state, values: {draft: draft, sent: posted}}
      - convert: {field: user_id, to: user_ids, as: many2one_to_many2many}
      - add: {field: policy, value: strict}
      - add: {field: journal}
      - remove: memo
        when: {state: draft}
`

func coverSchemas() (old, new *adapter.Schema) {
	text := adapter.Field{Type: adapter.Char}
	old = schema("m", map[string]adapter.Field{
		"id": {Type: adapter.Integer}, "phone": text, "fax": text, "customer": {Type: adapter.Boolean}, "kind": {Type: adapter.Selection, Selection: options("contact", "other")},
		"state":   {Type: adapter.Selection, Selection: options("draft", "sent", "cancel")},
		"user_id": {Type: adapter.Many2One, Relation: "res.users"}, "memo": text, "colour": {Type: adapter.Integer}, "own": text,
		"lot_id": {Type: adapter.Many2One, Relation: "lot"},
	})
	new = schema("m", map[string]adapter.Field{
		"id": {Type: adapter.Integer, Required: true}, "phone_primary": text, "kind": {Type: adapter.Selection, Selection: options("contact")},
		"state":    {Type: adapter.Selection, Selection: options("draft", "posted"), Required: true},
		"user_ids": {Type: adapter.Many2Many, Relation: "res.users"}, "memo": text, "colour": {Type: adapter.Char},
		"policy": {Type: adapter.Char, Required: true}, "journal": {Type: adapter.Many2One, Required: true}, "plan": {Type: adapter.Char, Required: true},
		"lot_id": {Type: adapter.Many2One, Relation: "batch"},
	})
	return old, new
}

func TestCoverage(t *testing.T) {
	old, new := coverSchemas()
	plan := compile(t, load(t, coverPack), "m", "1.0", "2.0", migrate.Options{})
	c, err := migrate.CoverageOf(t.Context(), plan, old, new)
	require.NoError(t, err)
	assert.False(t, c.OK)
	fates := map[string]migrate.Fate{}
	for _, f := range c.Fields {
		fates[f.Field] = f.Fate
	}
	assert.Equal(t, map[string]migrate.Fate{
		"id": migrate.Carried, "phone": migrate.Renamed, "fax": migrate.Dropped, "customer": migrate.Dropped, "kind": migrate.Carried, "state": migrate.Converted,
		"user_id": migrate.Converted, "memo": migrate.Carried, "colour": migrate.Carried, "own": migrate.Carried, "lot_id": migrate.Carried,
	}, fates, "every field has a fate")
	said := func(kind migrate.CoverageKind) (out []string) {
		for _, p := range c.Problem(kind) {
			out = append(out, p.Message)
		}
		return out
	}
	assert.Equal(t, []string{"own: the new schema has no field own"}, said(migrate.NotInTarget))
	assert.Equal(t, []string{"colour is integer, colour is char there"}, said(migrate.TypeClash))
	assert.Equal(t, []string{`kind: "other" comes out as "other", which kind does not know`, `state: "cancel" comes out as "cancel", which state does not know`}, said(migrate.SelectionClash))
	assert.Equal(t, []string{"lot_id refers to lot, lot_id to batch there"}, said(migrate.RelationClash))
	assert.Equal(t, []string{"plan is required there, and nothing fills it"}, said(migrate.RequiredMissing))
	assert.Len(t, said(migrate.PersonNeeded), 1, "journal")
	filled := map[string]bool{}
	for _, r := range c.Required {
		filled[r.Field] = r.Filled
	}
	assert.Equal(t, map[string]bool{"policy": true, "journal": false, "plan": false, "state": false}, filled)
	assert.Contains(t, c.String(), "type_clash")
}

func TestDiff(t *testing.T) {
	plan := compile(t, load(t, coverPack), "m", "1.0", "2.0", migrate.Options{})
	got := migrate.Diff(t.Context(), plan, []adapter.Record{record(t, `{"id":1,"name":"x","phone":"1","fax":"2","state":"sent","memo":"m"}`)})
	assert.JSONEq(t, `[{"id":1,"model":"m","changes":[
		{"field":"fax","fate":"residue","before":"2"},
		{"field":"phone","to":["phone_primary"],"fate":"renamed","before":"1","after":"1"},
		{"field":"state","to":["state"],"fate":"converted","before":"sent","after":"posted"},
		{"to":["policy"],"fate":"defaulted","after":"strict"}]}]`, asJSON(t, got))
}

func TestLint(t *testing.T) {
	old, new := coverSchemas()
	p := load(t, head+`      - rename: {phone: phone_primary}
        source: notes
      - rename: {gone: memo2}
        source: notes
      - remove: colour
        source: notes
      - map: {field: state, values: {draft: draft, open: wrong}}
        source: notes
      - rename: {own: kind}
`)
	var got []string
	for _, f := range migrate.Lint(p, func(version, model string) (*adapter.Schema, bool) {
		return map[string]*adapter.Schema{"1.0": old, "2.0": new}[version], model == "m"
	}) {
		got = append(got, f.String())
	}
	assert.Equal(t, []string{
		"pack.yaml:6: no_test: model m has rules, and no test beside them",
		"pack.yaml:9: unknown_field: m in version 1.0 has no field gone",
		"pack.yaml:9: unknown_field: m in version 2.0 has no field memo2",
		"pack.yaml:11: still_there: version 2.0 still has field colour",
		"pack.yaml:11: irreversible: remove colour can't be undone without the residue",
		`pack.yaml:13: unreachable_value: state in version 1.0 has no value "open"`,
		`pack.yaml:13: unknown_value: state in version 2.0 has no value "wrong"`,
		"pack.yaml:15: no_source: rename own does not say where it comes from",
		"pack.yaml:15: displaced: rename own takes the place of field kind, which version 1.0 has: its value goes to the residue",
	}, got)
}

func TestLayer(t *testing.T) {
	lower := load(t, coverPack)
	upper := load(t, "pack: mine\nfrom: 1.0\nto: 2.0\nmodels:\n  m:\n    rules: [{rename: {fax: x_fax}}]\n  other:\n    rules: [{remove: x}]")
	p, err := migrate.Layer(lower, upper)
	require.NoError(t, err)
	got, err := compile(t, p, "m", "1.0", "2.0", migrate.Options{}).Up(t.Context(), record(t, `{"fax":"1","phone":"2"}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"x_fax":"1","phone_primary":"2","policy":"strict"}`, asJSON(t, got.Record))
	require.Len(t, p.Replaced(), 1)
	assert.Equal(t, "remove fax", p.Replaced()[0].Rule.Key)
	assert.Len(t, lower.Hops[0].Models, 1, "the lower pack is as it was")
}

// TestDescription holds the documented shape of a dry run.
func TestDescription(t *testing.T) {
	plan := compile(t, load(t, `
pack: p
from: "13.0"
to: "14.0"
models:
  res.partner:
    rules:
      - remove: customer
        instead: {to: type, values: {true: contact}}
        note: customer field removed, use type field
      - remove: supplier
`), "res.partner", "13.0", "14.0", migrate.Options{})
	assert.JSONEq(t, `{"success":true,"from_version":"13.0","to_version":"14.0","migration_path":["13.0","14.0"],
		"steps":[{"from":"13.0","to":"14.0","changes":{"removed_fields":["customer","supplier"],"renamed_fields":[],"warnings":["customer field removed, use type field"]}}],
		"complexity":1}`, asJSON(t, plan))
	assert.Contains(t, plan.String(), "customer is gone")

	lot := compile(t, example(t), "lot", "1.0", "3.0", migrate.Options{})
	d := lot.Describe()
	assert.Equal(t, "batch", d.ToModel)
	assert.Equal(t, &migrate.Pair{Old: "lot", New: "batch"}, d.Steps[0].Changes.RenamedModel)
	assert.Equal(t, 2, d.Complexity)
}

func TestModels(t *testing.T) {
	p := example(t)
	_, err := p.Compile("inventory", "1.0", "3.0")
	var removed *migrate.RemovedError
	require.ErrorAs(t, err, &removed)
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
	assert.ErrorContains(t, err, "counts are done on quants now")

	pack := compile(t, p, "package", "1.0", "3.0", migrate.Options{})
	assert.ElementsMatch(t, []string{"package.type", "packaging"}, pack.Targets())
	for _, tc := range []struct{ up, model, want string }{
		{`{"name":"x","delivery":true}`, "package.type", `{"name":"x"}`},
		{`{"name":"x","delivery":false}`, "packaging", `{"name":"x","delivery":false}`},
	} {
		up := record(t, tc.up)
		got, err := pack.Up(t.Context(), up)
		require.NoError(t, err)
		assert.Equal(t, tc.model, got.Model)
		assert.JSONEq(t, tc.want, asJSON(t, got.Record))
		back, err := pack.Down(t.Context(), got.Record, got.Residue)
		require.NoError(t, err)
		assert.Equal(t, up, back.Record)
	}
	_, err = pack.Down(t.Context(), adapter.Record{}, nil)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "which part the record is of nobody knows")

	back, err := p.CompileBack("batch", "1.0", "3.0", migrate.Options{})
	require.NoError(t, err)
	assert.Equal(t, "lot", back.Model())
	_, err = p.Compile("", "1.0", "2.0")
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

// TestSideRecords follows a moved value through a later hop of its new model.
func TestSideRecords(t *testing.T) {
	p, err := migrate.LoadFiles(map[string][]byte{
		"1.yaml": []byte("pack: p\nfrom: 1\nto: 2\nmodels:\n  m:\n    rules: [{move: {field: a, model: s, to: b, link: m_id}}, {move: {field: c, model: s, to: d, link: m_id}}]"),
		"2.yaml": []byte("pack: p\nfrom: 2\nto: 3\nmodels:\n  s:\n    to: t\n    rules: [{rename: {b: e, m_id: n_id}}, {add: {field: z, value: 1}}]"),
	})
	require.NoError(t, err)
	plan := compile(t, p, "m", "1", "3", migrate.Options{})
	up := record(t, `{"a":1,"c":2,"k":3}`)
	got, err := plan.Up(t.Context(), up)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"model":"t","link":"n_id","values":{"e":1,"d":2}}]`, asJSON(t, got.Side))
	back, err := plan.Down(t.Context(), got.Record, got.Residue)
	require.NoError(t, err)
	assert.Equal(t, up, back.Record)
	steps, err := plan.Stepwise()
	require.NoError(t, err)
	one, err := steps.Up(t.Context(), up)
	require.NoError(t, err)
	assert.Equal(t, got, one)
}

// TestTarget: records for a schema hold its fields alone, relations in the
// form that is written, and come back whole.
func TestTarget(t *testing.T) {
	_, target := coverSchemas()
	target.Fields["tag_ids"] = adapter.Field{Type: adapter.Many2Many}
	p := load(t, coverPack)
	plan := compile(t, p, "m", "1.0", "2.0", migrate.Options{Target: target})
	up := record(t, `{"id":1,"phone":"1","own":"x","unknown":[1],"lot_id":[4,"L"],"tag_ids":[1,2],"user_id":[5,"Ann"],"customer":true}`)
	got, err := plan.Up(t.Context(), up)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":1,"phone_primary":"1","lot_id":4,"tag_ids":[[6,0,[1,2]]],"user_ids":[[6,0,[5]]],"policy":"strict","kind":"contact"}`, asJSON(t, got.Record))
	back, err := plan.Down(t.Context(), got.Record, got.Residue)
	require.NoError(t, err)
	assert.Equal(t, up, back.Record)
	in := asJSON(t, up)
	fast, err := stream(t, plan, in, migrate.StreamOptions{})
	require.NoError(t, err)
	slow, err := stream(t, plan, in, migrate.StreamOptions{}.Decoding())
	require.NoError(t, err)
	assert.JSONEq(t, slow.out, fast.out)
	assert.JSONEq(t, slow.residue, fast.residue)
	assert.JSONEq(t, slow.report, fast.report)
}

type lookup map[string]any

func (l lookup) Lookup(_ context.Context, model string, id adapter.ID, field string) (any, bool, error) {
	if model == "broken" {
		return nil, false, errors.New("no connection")
	}
	v, ok := l[model+","+id.String()+"."+field]
	return v, ok, nil
}

func TestLookup(t *testing.T) {
	p := load(t, head+"      - lookup: {field: category, via: uom_id, model: uom, read: category_id}")
	without := compile(t, p, "m", "1.0", "2.0", migrate.Options{})
	assert.Len(t, without.Warnings(), 1)
	got, err := without.Up(t.Context(), record(t, `{"uom_id":[3,"kg"]}`))
	require.NoError(t, err)
	assert.NotContains(t, got.Record, "category")

	with := compile(t, p, "m", "1.0", "2.0", migrate.Options{Lookup: lookup{"uom,3.category_id": "weight"}})
	assert.Empty(t, with.Warnings())
	got, err = with.Up(t.Context(), record(t, `{"uom_id":[3,"kg"]}`))
	require.NoError(t, err)
	assert.Equal(t, "weight", got.Record["category"])
}

func TestFunc(t *testing.T) {
	files := map[string][]byte{"p.yaml": []byte(head + "      - func: {name: swap, from: [a, b], to: [c, d]}")}
	swap := func(v []any) ([]any, error) { return []any{v[1], v[0]}, nil }
	p, err := migrate.LoadFiles(files, migrate.WithFunc("swap", migrate.Func{Up: swap, Down: swap}))
	require.NoError(t, err)
	plan := compile(t, p, "m", "1.0", "2.0", migrate.Options{})
	up := record(t, `{"a":1}`)
	got, err := plan.Up(t.Context(), up)
	require.NoError(t, err)
	assert.JSONEq(t, `{"d":1}`, asJSON(t, got.Record))
	back, err := plan.Down(t.Context(), got.Record, nil)
	require.NoError(t, err)
	assert.Equal(t, up, back.Record)
}

// TestChangedSince: what was changed in the new version wins over the residue.
func TestChangedSince(t *testing.T) {
	plan := compile(t, load(t, head+`      - map: {field: p, values: {"0": "0", "1": "0", "2": "1", "3": "1"}}`+"\n      - remove: fax"), "m", "1.0", "2.0", migrate.Options{})
	got, err := plan.Up(t.Context(), record(t, `{"p":"1","fax":"9"}`))
	require.NoError(t, err)
	got.Record["p"] = "1"
	back, err := plan.Down(t.Context(), got.Record, got.Residue)
	require.NoError(t, err)
	assert.Equal(t, record(t, `{"p":"2","fax":"9"}`), back.Record)

	// A field taken away is a change as well.
	plan = compile(t, load(t, head+`      - table: {from: [t], to: [t, s], rows: [[p, [c, true]], [q, [c, true]], [c, [c, null]]]}`), "m", "1.0", "2.0", migrate.Options{})
	got, err = plan.Up(t.Context(), record(t, `{"t":"q"}`))
	require.NoError(t, err)
	delete(got.Record, "s")
	back, err = plan.Down(t.Context(), got.Record, got.Residue)
	require.NoError(t, err)
	assert.Equal(t, record(t, `{"t":"c"}`), back.Record)
}

// TestDownWithout: without residue a record comes down as far as the rules
// say how.
func TestDownWithout(t *testing.T) {
	down := func(rules, rec string, opts migrate.Options) (migrate.Back, error) {
		return compile(t, load(t, head+rules), "m", "1.0", "2.0", opts).Down(t.Context(), record(t, rec), nil)
	}
	back, err := down("      - rename: {a: b}\n      - remove: c\n        back: 1", `{"b":5,"a":"new"}`, migrate.Options{})
	require.NoError(t, err)
	assert.Equal(t, record(t, `{"a":5,"c":1}`), back.Record)
	assert.Equal(t, []string{"c"}, back.MadeUp)
	assert.Equal(t, []string{"a"}, back.Lost, "a field of the new version that took the old name")
	_, err = down("      - remove: c", `{"b":5}`, migrate.Options{})
	var missing *migrate.MissingError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, []string{"c"}, missing.Fields)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	back, err = down("      - remove: c", `{"b":5}`, migrate.Options{AllowLoss: true})
	require.NoError(t, err)
	assert.Equal(t, []string{"c"}, back.Missing)
	back, err = down("      - remove: c\n        back: 1", `{"b":5}`, migrate.Options{Partial: true})
	require.NoError(t, err)
	assert.Equal(t, record(t, `{"b":5}`), back.Record, "nothing is made up in a part of a record")
}
