package migrate_test

import (
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// reported runs records through a plan.
func reported(t failer, plan *migrate.Plan, records ...adapter.Record) (*migrate.Report, []migrate.Result) {
	var out []migrate.Result
	source := iter.Seq2[adapter.Record, error](func(yield func(adapter.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	report, err := migrate.Run(t.Context(), source, func(r migrate.Result) error { out = append(out, r); return nil }, plan, migrate.RunOptions{Workers: 1, OnError: migrate.Collect})
	if report.Failed == 0 {
		require.NoError(t, err)
	}
	return report, out
}

// holdsUp checks the account of one record: each of its fields has one line,
// each new field belongs to a line, and the lines say the truth about both.
func holdsUp(t failer, report *migrate.Report, old adapter.Record, got migrate.Result) {
	counted, asked, given := map[string]int64{}, map[string]int64{}, map[string]bool{}
	for _, f := range report.Fields {
		if f.Fate == migrate.NeedsPerson {
			if f.Field != "" {
				asked[f.Field] += f.Count
			}
			continue
		}
		require.EqualValues(t, 1, f.Count, "%+v", f)
		for name := range strings.SplitSeq(f.To, ", ") {
			if name != "" {
				given[name] = true
				require.Contains(t, got.Record, name, "%+v", f)
			}
		}
		if f.Field != "" {
			counted[f.Field] += f.Count
			require.Contains(t, old, f.Field, "%+v", f)
		}
		switch f.Fate {
		case migrate.Carried:
			require.Equal(t, f.Field, f.To)
			require.Equal(t, old[f.Field], got.Record[f.To], "%+v", f)
		case migrate.Renamed:
			for name := range strings.SplitSeq(f.To, ", ") {
				require.NotEqual(t, f.Field, f.To)
				require.Equal(t, old[f.Field], got.Record[name], "%+v", f)
			}
		case migrate.Dropped, migrate.Moved:
			require.Empty(t, f.To, "%+v", f)
		case migrate.Converted, migrate.Defaulted:
			require.NotEmpty(t, f.To, "%+v", f)
		}
	}
	want := map[string]int64{}
	for f := range old {
		want[f] = 1
		require.LessOrEqual(t, asked[f], int64(1), f)
	}
	require.Equal(t, want, counted)
	for name := range got.Record {
		require.True(t, given[name], "nothing says where %s comes from: %+v", name, report.Fields)
	}
}

// TestReportIsExact holds reports of generated plans over several hops against
// the records: each field is accounted for once, under its old name, and
// truly.
func TestReportIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		records := rapid.SliceOfN(recordGen(), 1, 3).Draw(t, "records")
		sums := map[string]int64{}
		var migrated []adapter.Record
		for _, r := range records {
			report, got := reported(t, plan, r)
			if report.Failed > 0 {
				require.Empty(t, report.Fields, "a refused record counts as such alone")
				continue
			}
			holdsUp(t, report, r, got[0])
			migrated = append(migrated, r)
			for _, f := range report.Fields {
				sums[f.Field+" "+f.To+" "+string(f.Fate)] += f.Count
			}
		}
		report, _ := reported(t, plan, records...)
		require.EqualValues(t, len(migrated), report.Migrated)
		all := map[string]int64{}
		for _, f := range report.Fields {
			all[f.Field+" "+f.To+" "+string(f.Fate)] += f.Count
		}
		require.Equal(t, sums, all, "counts add up over records")
	})
}

const severalHops = `
pack: hops
from: "1"
to: "2"
models:
  m:
    rules:
      - rename: {a: b}
      - split: {field: name, to: [first, last]}
      - add: {field: made, value: 1}
      - add: {field: open}
      - rename: {r: s}
      - remove: gone
        person: true
      - add: {field: wish}
      - rename: {side: aside}
---
pack: hops
from: "2"
to: "3"
models:
  m:
    rules:
      - map: {field: b, to: c, values: {x: y}}
      - rename: {first: given, made: kept, open: asked}
      - remove: last
      - default: {field: wish, value: 3}
      - move: {field: aside, model: other, to: kept}
      - meaning: s
        person: {is: 5}
        note: of another kind
---
pack: hops
from: "3"
to: "4"
models:
  m:
    rules:
      - rename: {c: d, s: t}
      - remove: kept
`

func hops(t *testing.T, text string) *migrate.Pack {
	t.Helper()
	files := map[string][]byte{}
	for i, doc := range strings.Split(text, "---\n") {
		files[string(rune('a'+i))+".yaml"] = []byte(doc)
	}
	p, err := migrate.LoadFiles(files)
	require.NoError(t, err)
	return p
}

func TestReportOverSeveralHops(t *testing.T) {
	plan := compile(t, hops(t, severalHops), "m", "1", "4", migrate.Options{})
	old := record(t, `{"id": 1, "a": "x", "name": "Ann Lee", "gone": 1, "r": 5, "side": 7, "x_own": 2}`)
	report, got := reported(t, plan, old)
	assert.Equal(t, adapter.Record{"id": old["id"], "x_own": old["x_own"], "d": "y", "given": "Ann", "t": old["r"], "wish": json.Number("3")}, got[0].Record)
	holdsUp(t, report, old, got[0])
	type row struct {
		field, to string
		fate      migrate.Fate
	}
	var rows []row
	for _, f := range report.Fields {
		rows = append(rows, row{f.Field, f.To, f.Fate})
	}
	assert.Equal(t, []row{
		{"", "asked", migrate.NeedsPerson},
		{"", "wish", migrate.Defaulted},
		{"", "wish", migrate.NeedsPerson},
		{"a", "d", migrate.Converted},
		{"gone", "", migrate.Dropped},
		{"gone", "", migrate.NeedsPerson},
		{"id", "id", migrate.Carried},
		{"name", "given", migrate.Converted},
		{"r", "t", migrate.Renamed},
		{"r", "t", migrate.NeedsPerson},
		{"side", "", migrate.Moved},
		{"x_own", "x_own", migrate.Carried},
	}, rows)
	assert.EqualValues(t, 1, report.Persons)
	report, _ = reported(t, plan, record(t, `{"r": 4, "open": 3, "wish": 1}`))
	assert.Zero(t, report.Persons, "%v", report)
}

const splitHops = `
pack: split
from: "1"
to: "2"
models:
  m:
    rules:
      - rename: {a: b}
      - map: {field: state, values: {o: open}}
      - add: {field: made, value: 1}
---
pack: split
from: "2"
to: "3"
models:
  m:
    split:
      - to: left
        when: {kind: l}
        rules:
          - map: {field: b, to: c, values: {x: y}}
          - remove: made
          - move: {field: side, model: left, to: x_side}
          - remove: note
            person: true
      - to: right
    rules:
      - rename: {state: status}
---
pack: split
from: "3"
to: "4"
models:
  left:
    rules:
      - rename: {c: d}
      - remove: kind
`

// Where a model is split on the way, the parts of the way make one account.
func TestReportOfSplitModels(t *testing.T) {
	plan := compile(t, hops(t, splitHops), "m", "1", "4", migrate.Options{})
	left := record(t, `{"id": 1, "a": "x", "kind": "l", "state": "o", "x_own": 2, "side": 1, "note": 2}`)
	report, got := reported(t, plan, left)
	holdsUp(t, report, left, got[0])
	assert.Equal(t, "left", got[0].Model)
	assert.EqualValues(t, 1, report.Count("a", migrate.Converted))
	assert.EqualValues(t, 1, report.Count("kind", migrate.Dropped))
	assert.EqualValues(t, 1, report.Count("state", migrate.Converted))
	assert.EqualValues(t, 1, report.Count("x_own", migrate.Carried))
	assert.EqualValues(t, 1, report.Count("side", migrate.Moved))
	assert.EqualValues(t, 1, report.Count("note", migrate.NeedsPerson))
	assert.Len(t, report.Fields, 8)
	right := record(t, `{"id": 1, "a": "x", "kind": "r", "state": "o"}`)
	report, got = reported(t, plan, right)
	holdsUp(t, report, right, got[0])
	assert.EqualValues(t, 1, report.Count("a", migrate.Renamed))
	assert.EqualValues(t, 1, report.Count("made", migrate.Defaulted))
	report, _ = reported(t, plan, left, right, left)
	assert.EqualValues(t, 2, report.Count("kind", migrate.Dropped))
	assert.EqualValues(t, 1, report.Count("kind", migrate.Carried))
	assert.EqualValues(t, 2, report.Count("a", migrate.Converted))
}
