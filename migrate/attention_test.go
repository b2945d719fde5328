package migrate_test

import (
	"encoding/json"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

const attention = `
pack: attention
from: "1"
to: "2"
models:
  m:
    rules:
      - map: {field: kind, values: {a: b, x: null}}
        person: {is: x}
      - remove: warn
        person: {not: [none, false]}
      - rename: {old: new}
        person: {empty: false}
      - meaning: limit
        person: {not: [0, false]}
        note: of another kind
      - constant: {field: state, value: closed}
        whole: true
        when: {done: true}
      - map: {field: state, values: {o: open, c: closed}}
      - add: {field: company, from: owner, empty: true}
      - func: {name: odd, from: [n], to: [n]}
`

func odd() migrate.LoadOption {
	return migrate.WithFunc("odd", migrate.Func{Up: func(old []any) ([]any, error) {
		if old[0] == json.Number("2") {
			return nil, migrate.ErrNeedsPerson
		}
		return old, nil
	}, Down: func(new []any) ([]any, error) { return new, nil }})
}

func attentionPack(t *testing.T) *migrate.Pack {
	t.Helper()
	p, err := migrate.LoadFiles(map[string][]byte{"a.yaml": []byte(attention)}, odd())
	require.NoError(t, err)
	return p
}

// A condition beside "person" asks for one where it holds, and nowhere else.
func TestPersonsAreAskedOnCondition(t *testing.T) {
	plan, err := attentionPack(t).Compile("m", "1", "2")
	require.NoError(t, err)
	for _, c := range []struct {
		record string
		asked  bool
	}{
		{`{"kind": "a", "company": 1}`, false},
		{`{"kind": "x", "company": 1}`, true},
		{`{"warn": "none", "company": 1}`, false},
		{`{"warn": false, "company": 1}`, false},
		{`{"warn": "block", "company": 1}`, true},
		{`{"old": false, "company": 1}`, false},
		{`{"old": "text", "company": 1}`, true},
		{`{"limit": 0.0, "company": 1}`, false},
		{`{"limit": 5, "company": 1}`, true},
		{`{"n": 1, "company": 1}`, false},
		{`{"n": 2, "company": 1}`, true},
		{`{"company": false, "owner": 3}`, false},
		{`{"company": false}`, true},
	} {
		var r adapter.Record
		require.NoError(t, adapter.DecodeJSON([]byte(c.record), &r))
		source := iter.Seq2[adapter.Record, error](func(yield func(adapter.Record, error) bool) { yield(r, nil) })
		report, err := migrate.Run(t.Context(), source, func(migrate.Result) error { return nil }, plan, migrate.RunOptions{})
		require.NoError(t, err)
		want := int64(0)
		if c.asked {
			want = 1
		}
		assert.Equal(t, want, report.Persons, c.record)
	}
}

// What a person must translate stays out of the new record, and in the residue.
func TestValuesForAPersonAreKept(t *testing.T) {
	plan, err := attentionPack(t).Compile("m", "1", "2")
	require.NoError(t, err)
	old := adapter.Record{"n": json.Number("2"), "company": json.Number("1")}
	got, err := plan.Up(t.Context(), old)
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"company": json.Number("1")}, got.Record)
	back, err := plan.Down(t.Context(), got.Record, got.Residue)
	require.NoError(t, err)
	assert.Equal(t, old, back.Record)
}

// Rules for whole records act on those alone.
func TestRulesForWholeRecords(t *testing.T) {
	p := attentionPack(t)
	old := adapter.Record{"state": "o", "done": true}
	for partial, want := range map[bool]string{false: "closed", true: "open"} {
		plan, err := p.CompileWith("m", "1", "2", migrate.Options{Partial: partial})
		require.NoError(t, err)
		got, err := plan.Up(t.Context(), old)
		require.NoError(t, err)
		assert.Equal(t, want, got.Record["state"], "partial: %v", partial)
	}
	lens, err := p.Lens("m", "1", "2", migrate.LensOptions{})
	require.NoError(t, err)
	got, _, err := lens.Filter(adapter.Cond{Field: "state", Op: adapter.Equal, Value: "c"})
	require.NoError(t, err)
	assert.Equal(t, adapter.Cond{Field: "state", Op: adapter.Equal, Value: "closed"}, got)
	// What "add" fills where it is empty exists in both versions.
	fields, _, err := lens.Fields([]string{"company"})
	require.NoError(t, err)
	assert.Equal(t, []string{"company"}, fields)
}

// What is filled where it was empty stays going back without residue.
func TestFilledFieldsStayGoingBack(t *testing.T) {
	plan, err := attentionPack(t).CompileWith("m", "1", "2", migrate.Options{AllowLoss: true})
	require.NoError(t, err)
	back, err := plan.Down(t.Context(), adapter.Record{"company": json.Number("4")}, nil)
	require.NoError(t, err)
	assert.Equal(t, json.Number("4"), back.Record["company"])
}

func TestMistakesInPersonConditions(t *testing.T) {
	for _, person := range []string{"{maybe: 1}", "{is: 1, not: 2}", "{is: {a: 1}}", "perhaps"} {
		_, err := migrate.LoadFiles(map[string][]byte{"a.yaml": []byte("pack: p\nfrom: a\nto: b\nmodels:\n  m:\n    rules:\n      - remove: f\n        person: " + person + "\n")})
		assert.Error(t, err, person)
	}
}
