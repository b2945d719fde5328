package migrate_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

const lensPack = `
pack: p
from: "1"
to: "2"
models:
  lot: {to: batch, rules: [{rename: {name: code}}]}
  m:
    rules:
      - rename: {mobile: phone, phone: phone2}
      - remove: fax
        note: nobody has one
      - map: {field: state, values: {draft: draft, sent: posted, done: posted, old: null}}
      - table: {from: [type], to: [type, is_storable], rows: [[product, [consu, true]], [consu, [consu, false]], [service, [service, false]]]}
      - convert: {field: user_id, to: user_ids, as: many2one_to_many2many}
      - convert: {field: rate, as: scale, by: -100}
      - convert: {field: active, to: archived, as: not}
      - convert: {field: start, as: date_to_datetime}
      - convert: {field: stop, as: datetime_to_date, time: "12:00:00"}
      - add: {field: policy, value: x}
      - move: {field: use_date, model: lot.dates, to: use}
      - model_name: res_model
      - map: {field: kind, values: {a: b}}
        when: {flavour: x}
      - rename: {lot_id: batch_id}
      - meaning: total
        note: with taxes
`

func lens(tb testing.TB, p *migrate.Pack, model, caller, system string) *migrate.Lens {
	tb.Helper()
	l, err := p.Lens(model, caller, system, migrate.LensOptions{Relation: func(model, field string) string {
		return map[string]string{"m.lot_id": "lot", "m.batch_id": "batch"}[model+"."+field]
	}})
	require.NoError(tb, err)
	return l
}

func TestLensFilter(t *testing.T) {
	p := load(t, lensPack)
	for _, tc := range []struct{ caller, system, domain, want string }{
		{"1", "2", `[["mobile","=","5"],["phone","ilike","6"]]`, `["&",["phone","=","5"],["phone2","ilike","6"]]`},
		{"2", "1", `[["phone","=","5"]]`, `[["mobile","=","5"]]`},
		{"1", "2", `[["state","=","sent"]]`, `[["state","=","posted"]]`},
		{"1", "2", `[["state","=","done"]]`, `[[0,"=",1]]`},
		{"1", "2", `[["state","!=","done"]]`, `[[1,"=",1]]`},
		{"1", "2", `[["state","in",["draft","sent","done"]]]`, `[["state","in",["draft","posted"]]]`},
		{"2", "1", `[["state","=","posted"]]`, `[["state","in",["sent","done"]]]`},
		{"1", "2", `[["state","=","other"]]`, `[["state","=","other"]]`},
		{"1", "2", `[["type","=","product"]]`, `["&",["type","=","consu"],["is_storable","=",true]]`},
		{"1", "2", `[["type","!=","service"]]`, `["!","&",["type","=","service"],["is_storable","=",false]]`},
		{"1", "2", `[["type","in",["product","consu"]]]`, `["|","&",["type","=","consu"],["is_storable","=",true],"&",["type","=","consu"],["is_storable","=",false]]`},
		{"2", "1", `[["is_storable","=",true]]`, `[["type","=","product"]]`},
		{"1", "2", `[["user_id","=",5]]`, `[["user_ids","in",[5]]]`},
		{"1", "2", `[["user_id","=",false]]`, `[["user_ids","=",false]]`},
		{"1", "2", `[["user_id","ilike","ann"]]`, `[["user_ids","ilike","ann"]]`},
		{"1", "2", `[["rate","<",0.5]]`, `[["rate",">",-50]]`},
		{"1", "2", `[["active","=",true]]`, `[["archived","=",false]]`},
		{"1", "2", `[["start",">","2024-01-01"]]`, `[["start",">","2024-01-01 23:59:59"]]`},
		{"1", "2", `[["start","=","2024-01-01"]]`, `["&",["start",">=","2024-01-01 00:00:00"],["start","<=","2024-01-01 23:59:59"]]`},
		{"1", "2", `[["stop","<=","2024-01-01 11:00:00"]]`, `[["stop","<","2024-01-01"]]`},
		{"1", "2", `[["stop",">=","2024-01-01 13:00:00"]]`, `[["stop",">","2024-01-01"]]`},
		{"1", "2", `[["res_model","=","lot"]]`, `[["res_model","=","batch"]]`},
		{"1", "2", `[["kind","=","a"]]`, `["|","&",["flavour","in",["x"]],["kind","=","b"],"&","!",["flavour","in",["x"]],["kind","=","a"]]`},
		{"1", "2", `[["lot_id.name","=","L1"]]`, `[["batch_id.code","=","L1"]]`},
		{"2", "1", `[["batch_id.code","=","L1"]]`, `[["lot_id.name","=","L1"]]`},
		{"1", "2", `[["lot_id","any",[["name","=","L1"]]]]`, `[["batch_id","any",[["code","=","L1"]]]]`},
		{"1", "2", `[["x_own","=",1],["total",">",5]]`, `["&",["x_own","=",1],["total",">",5]]`},
	} {
		t.Run(tc.caller+tc.domain, func(t *testing.T) {
			f, err := adapter.ParseDomainJSON([]byte(tc.domain))
			require.NoError(t, err)
			got, _, err := lens(t, p, "m", tc.caller, tc.system).Filter(f)
			require.NoError(t, err)
			want, err := adapter.ParseDomainJSON([]byte(tc.want))
			require.NoError(t, err)
			assert.Equal(t, asJSON(t, adapter.FormatDomain(want)), asJSON(t, adapter.FormatDomain(got)))
		})
	}
}

func TestLensRefuses(t *testing.T) {
	p := load(t, lensPack)
	up := lens(t, p, "m", "1", "2")
	for _, tc := range []struct{ domain, field, reason string }{
		{`[["fax","=","1"]]`, "fax", "was removed in version 2; nobody has one"},
		{`[["use_date","=","1"]]`, "use_date", "moved to lot.dates.use in version 2"},
		{`[["policy","=","x"]]`, "policy", "does not exist before version 2"},
		{`[["is_storable","=",true]]`, "is_storable", "does not exist before version 2"},
		{`[["state","ilike","dr"]]`, "state", "compare with ="},
		{`[["start","like","2024"]]`, "start", "date and time"},
	} {
		f, err := adapter.ParseDomainJSON([]byte(tc.domain))
		require.NoError(t, err)
		_, _, err = up.Filter(f)
		var le *migrate.LensError
		if assert.ErrorAs(t, err, &le, tc.domain) {
			assert.Equal(t, tc.field, le.Field)
			assert.Contains(t, le.Error(), tc.reason)
			assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
		}
	}
}

func TestLensLists(t *testing.T) {
	p := load(t, lensPack)
	up := lens(t, p, "m", "1", "2")
	fields, notes, err := up.Fields([]string{"name", "mobile", "phone", "type", "kind", "total"})
	require.NoError(t, err)
	assert.Equal(t, []string{"name", "phone", "phone2", "type", "is_storable", "kind", "flavour", "total"}, fields)
	assert.Equal(t, adapter.Warning{Code: adapter.WarnFieldReplaced, Model: "m", Field: "mobile", Used: "phone", Message: "mobile is read from phone in version 2"}, notes[0])
	fields, _, err = up.Fields([]string{"fax", "name", "policy"})
	assert.Equal(t, []string{"name"}, fields)
	var all migrate.LensErrors
	require.ErrorAs(t, err, &all)
	assert.Len(t, all, 2)

	orders, notes, err := up.Order([]adapter.Order{{Field: "mobile", Desc: true}, {Field: "rate"}, {Field: "active"}, {Field: "id"}, {Field: "state"}})
	require.NoError(t, err)
	assert.Equal(t, "phone desc, rate desc, archived desc, id, state", adapter.FormatOrder(orders))
	assert.Len(t, notes, 1, "states sort otherwise")
	_, _, err = up.Order([]adapter.Order{{Field: "type"}})
	assert.ErrorContains(t, err, "can't be sorted by")

	groups, _, err := up.GroupBy([]string{"start:month", "user_id", "lot_id"})
	require.NoError(t, err)
	assert.Equal(t, []string{"start:month", "user_ids", "batch_id"}, groups)
	_, _, err = up.GroupBy([]string{"state"})
	assert.ErrorContains(t, err, "its groups are others")

	down := lens(t, p, "batch", "2", "1")
	assert.Equal(t, "lot", down.Model())
	fields, _, err = down.Fields([]string{"code"})
	require.NoError(t, err)
	assert.Equal(t, []string{"name"}, fields)
	_, _, err = lens(t, p, "m", "2", "1").Fields([]string{"policy"})
	assert.ErrorContains(t, err, "does not exist before version 2")
}

func TestLensValuesAndRecords(t *testing.T) {
	p := load(t, lensPack)
	up := lens(t, p, "m", "1", "2")
	values := record(t, `{"mobile":"1","user_id":5,"fax":"9","type":"product"}`)
	got, notes, err := up.Values(t.Context(), values)
	require.NoError(t, err)
	assert.JSONEq(t, `{"phone":"1","user_ids":[[6,0,[5]]],"type":"consu","is_storable":true}`, asJSON(t, got))
	require.Len(t, notes, 1)
	assert.Equal(t, "fax", notes[0].Field)

	answer := record(t, `{"id":7,"phone":"1","user_ids":[5,6],"type":"consu","is_storable":true,"policy":"x","state":"posted"}`)
	seen, notes, err := up.Record(t.Context(), answer, []string{"mobile", "user_id", "type", "state"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":7,"mobile":"1","user_id":5,"type":"product","state":"sent"}`, asJSON(t, seen))
	assert.NotEmpty(t, notes, "state may have been done")

	down := lens(t, p, "m", "2", "1")
	got, _, err = down.Values(t.Context(), record(t, `{"phone":"1","type":"consu","is_storable":false}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"mobile":"1","type":"consu"}`, asJSON(t, got))
	seen, _, err = down.Record(t.Context(), record(t, `{"id":7,"mobile":"1","user_id":[5,"Ann"]}`), nil)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":7,"phone":"1","user_ids":[5]}`, asJSON(t, seen))
}

func TestLensSameVersion(t *testing.T) {
	p := load(t, lensPack)
	l := lens(t, p, "m", "2", "2")
	fields, notes, err := l.Fields([]string{"a"})
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, fields)
	assert.Empty(t, notes)
}

// TestLensFindsWhatItShows: a filter that is translated without a warning
// matches the records whose picture through the lens the original matches.
func TestLensFindsWhatItShows(t *testing.T) {
	tried, held := 0, 0
	// Systems compare values of mixed types by rules of their own: texts alone.
	texts := func(rule string) bool { return !mixed.MatchString(rule) }
	rapid.Check(t, func(t *rapid.T) {
		files := packsOf(texts).Draw(t, "pack")
		for _, name := range sorted(files) {
			t.Logf("%s", files[name])
		}
		p, err := migrate.LoadFiles(files)
		require.NoError(t, err)
		v := p.Versions()
		caller, system := v[0], v[len(v)-1]
		l, err := p.Lens("m", caller, system, migrate.LensOptions{})
		require.NoError(t, err)
		scalar := rapid.SampledFrom([]any{"x", "y", "z", "o", false})
		c := adapter.Cond{Field: rapid.SampledFrom(alphabet).Draw(t, "field")}
		c.Op = rapid.SampledFrom([]adapter.Op{adapter.Equal, adapter.NotEqual, adapter.In, adapter.NotIn}).Draw(t, "op")
		if c.Op == adapter.In || c.Op == adapter.NotIn {
			c.Value = rapid.SliceOfN(scalar, 1, 3).Draw(t, "values")
		} else {
			c.Value = scalar.Draw(t, "value")
		}
		got, notes, err := l.Filter(c)
		tried++
		if err != nil || len(notes) > 0 {
			return
		}
		old := adapter.Record{}
		for _, f := range alphabet {
			old[f] = scalar.Draw(t, f)
		}
		up, err := l.Plan().Up(t.Context(), old)
		if err != nil {
			return
		}
		s := up.Record // what a system of the new version may hold
		seen, _, err := l.Record(t.Context(), s, nil)
		if err != nil {
			return
		}
		if _, there := seen[c.Field]; !there {
			return // the caller sees no value that could match
		}
		want, err := adapter.Match(c, seen, adapter.MatchOptions{})
		if err != nil {
			return
		}
		have, err := adapter.Match(got, s, adapter.MatchOptions{})
		if err != nil {
			return
		}
		held++
		require.Equal(t, want, have, "%v on %v; %v on %v", c, seen, got, s)
	})
	t.Logf("%d of %d filters held against records", held, tried)
}

var mixed = regexp.MustCompile(`convert|by: any|\btrue|[ \[{,][0-9]|\{"?[0-9]`)

func sorted(files map[string][]byte) []string {
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
