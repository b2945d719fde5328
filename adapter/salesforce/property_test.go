package salesforce_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// hostile are texts that a careless query would break on.
var hostile = []string{
	"Red", "red", "RED", "100% sure", "a_b", "axb", "O'Brien", `back\slash`, `\`, `\\`, "%", "_", "é", "É", "ß",
	"line\nbreak", "tab\there", `quote"d`, "' OR Name != '", "x') OR (Name != ''", `\' OR Id != null --`, `\'`, "{!injected}", "\u0001",
	"null", "true", "0", "12", "2025-01-01", ":bind", "NULLS LAST", "مرحبا", "😀", "SELECT Id FROM User", "İstanbul", "ab\\%c",
}

// world is a set of records, and what of them conditions may ask.
type world struct {
	client  *salesforce.Client
	records []adapter.Record
	byID    map[adapter.ID]adapter.Record
	schema  *adapter.Schema
}

func (w *world) Schema(string) (*adapter.Schema, error) { return w.schema, nil }

func (w *world) Related(_ string, r adapter.Record, field string) ([]adapter.Record, error) {
	var out []adapter.Record
	if field == "Children__r" {
		for _, other := range w.records {
			if id, ok := adapter.IDOf(other["Parent__c"]); ok && id == r.ID() {
				out = append(out, other)
			}
		}
		return out, nil
	}
	if id, ok := adapter.IDOf(r["Parent__c"]); ok {
		out = append(out, w.byID[id])
	}
	return out, nil
}

func (w *world) Read(_ string, ids []adapter.ID) ([]adapter.Record, error) {
	var out []adapter.Record
	for _, id := range ids {
		if r, ok := w.byID[id]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

func (w *world) ParentField(string) string { return "Parent__c" }

// newWorld fills the sample object.
func newWorld(t *testing.T, config func(*salesforce.Config)) *world {
	t.Helper()
	srv, err := salesforcetest.Start(salesforcetest.Config{NoDemo: true})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	c := simulated(srv)
	if config != nil {
		config(&c)
	}
	w := &world{client: dial(t, c), byID: map[adapter.ID]adapter.Record{}}
	var ids []string
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...any) any { return list[random.IntN(len(list))] }
	var texts []any
	for _, s := range hostile {
		texts = append(texts, s)
	}
	for i := range 60 {
		values := map[string]any{
			"Name":      hostile[i%len(hostile)],
			"Code__c":   pick(append([]any{nil, nil, nil}, texts...)...),
			"Count__c":  pick(nil, json.Number("0"), json.Number("1"), json.Number("2"), json.Number("-5"), json.Number("10")),
			"Ratio__c":  pick(nil, json.Number("0"), json.Number("1.5"), json.Number("2.25"), json.Number("-0.5")),
			"Flag__c":   pick(true, false),
			"Day__c":    pick(nil, "2025-01-01", "2025-01-02", "2025-02-01"),
			"Moment__c": pick(nil, "2025-01-01T00:00:00.000Z", "2025-01-01T23:59:59.000Z", "2025-01-02T00:00:00.000Z"),
			"Kind__c":   pick(nil, "small", "medium", "large"),
		}
		if i > 5 && i%4 != 0 {
			values["Parent__c"] = ids[(i*i)%len(ids)]
		}
		id, err := srv.Create("Sample__c", values)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	w.schema, err = w.client.Schema(t.Context(), "Sample__c")
	require.NoError(t, err)
	page, err := w.client.Query(t.Context(), adapter.Query{Model: "Sample__c"})
	require.NoError(t, err)
	w.records = page.Records
	for _, r := range w.records {
		r["display_name"] = r["Name"]
		w.byID[r.ID()] = r
	}
	require.Equal(t, 60, len(w.records)) //nolint:testifylint // the records would fill the screen
	return w
}

// conditions draws a filter on the sample object.
func (w *world) filters(depth int) *rapid.Generator[adapter.Filter] {
	leaf := rapid.Custom(func(t *rapid.T) adapter.Filter { return w.cond(t, depth) })
	if depth == 0 {
		return leaf
	}
	inner := rapid.Deferred(func() *rapid.Generator[adapter.Filter] { return w.filters(depth - 1) })
	group := rapid.Custom(func(t *rapid.T) adapter.Filter {
		parts := rapid.SliceOfN(inner, 0, 3).Draw(t, "parts")
		if rapid.Bool().Draw(t, "and") {
			return adapter.And(parts)
		}
		return adapter.Or(parts)
	})
	not := rapid.Custom(func(t *rapid.T) adapter.Filter { return adapter.Not{Part: inner.Draw(t, "part")} })
	return rapid.OneOf(leaf, leaf, group, not)
}

func (w *world) cond(t *rapid.T, depth int) adapter.Filter {
	prefix := rapid.SampledFrom([]string{"", "", "", "Parent__r.", "Parent__c.", "Parent__r.Parent__r.", "Children__r."}).Draw(t, "prefix")
	equalities := []adapter.Op{"=", "!=", "in", "not in", "=?"}
	orders := []adapter.Op{"<", "<=", ">", ">="}
	likes := []adapter.Op{"like", "ilike", "not like", "not ilike", "=like", "=ilike", "not =like", "not =ilike"}
	build := func(field string, ops []adapter.Op, value *rapid.Generator[any]) adapter.Filter {
		op := rapid.SampledFrom(ops).Draw(t, "op")
		v := value.Draw(t, "value")
		if op == "in" || op == "not in" {
			v = rapid.SliceOfN(value, 0, 4).Draw(t, "values")
		}
		for slices.Contains(orders, op) && adapter.IsEmpty(v) {
			v = value.Filter(func(v any) bool { return !adapter.IsEmpty(v) }).Draw(t, "set")
		}
		return adapter.Cond{Field: prefix + field, Op: op, Value: v}
	}
	values := func(list ...any) *rapid.Generator[any] { return rapid.SampledFrom(list) }
	text := rapid.OneOf(
		rapid.Map(rapid.SampledFrom(hostile), func(s string) any { return s }),
		rapid.Map(rapid.StringMatching(`[a-zA-Z%_\\'é ]{1,4}`), func(s string) any { return s }),
		values(nil, false, ""),
	)
	ids := make([]any, len(w.records))
	for i, r := range w.records {
		ids[i] = r["Id"]
	}
	ids = append(ids, nil, false, "a00000000000000AAA")
	switch rapid.IntRange(0, 10).Draw(t, "kind") {
	case 0, 1:
		return build(rapid.SampledFrom([]string{"Name", "Code__c"}).Draw(t, "field"), equalities, text)
	case 2, 3:
		return build(rapid.SampledFrom([]string{"Name", "Code__c"}).Draw(t, "field"), likes, text)
	case 4:
		return build("Count__c", append(equalities, orders...), values(nil, false, 0, 1, json.Number("2.0"), "10", -5.0, json.Number("1e1"), 3))
	case 5:
		return build("Ratio__c", append(equalities, orders...), values(nil, 0, 1.5, json.Number("2.25"), -0.5, 7))
	case 6:
		return build("Flag__c", []adapter.Op{"=", "!=", "in", "not in"}, values(true, false, nil))
	case 7:
		return build("Day__c", append(equalities, orders...), values(nil, false, "2025-01-01", "2025-01-02", "2025-01-02 10:00:00"))
	case 8:
		return build("Moment__c", append(equalities, orders...), values(nil, "2025-01-01", "2025-01-02", "2025-01-01 23:59:59", "2025-01-01T22:59:59-01:00"))
	case 9:
		return build("Kind__c", append(equalities, likes...), values(nil, "small", "large", "m%", "huge"))
	}
	if depth > 0 && rapid.Bool().Draw(t, "nested") {
		nested := w.filters(depth-1).Draw(t, "nested filter")
		field := rapid.SampledFrom([]string{"Parent__c", "Parent__r", "Children__r"}).Draw(t, "relation")
		return adapter.Cond{Field: field, Op: rapid.SampledFrom([]adapter.Op{adapter.Any, adapter.NotAny}).Draw(t, "any"), Value: nested}
	}
	if rapid.IntRange(0, 3).Draw(t, "tree") == 0 {
		prefix = ""
		return build(rapid.SampledFrom([]string{"Id", "Parent__c"}).Draw(t, "field"), []adapter.Op{adapter.ChildOf, adapter.ParentOf}, values(ids[:60]...))
	}
	return build("Parent__c", equalities, values(ids...))
}

// TestFiltersMeanTheSame holds the answers to filters, whatever they ask and
// whatever texts they hold, against their meaning on the same records in
// memory.
func TestFiltersMeanTheSame(t *testing.T) {
	w := newWorld(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		filter := w.filters(3).Draw(rt, "filter")
		w.check(t, rt, filter)
	})
}

// TestFiltersInPieces is the same with addresses so short that most lists are
// split, and most queries travel in a body.
func TestFiltersInPieces(t *testing.T) {
	w := newWorld(t, nil)
	salesforce.SetMaxURI(w.client, 120)
	rapid.Check(t, func(rt *rapid.T) {
		filter := w.filters(2).Draw(rt, "filter")
		w.check(t, rt, filter)
	})
}

// checking is a test, or a check of a property in one.
type checking interface {
	Skip(args ...any)
	Fatalf(format string, args ...any)
}

func (w *world) check(t *testing.T, rt checking, filter adapter.Filter) {
	t.Helper()
	m, err := adapter.NewMatcher(filter, adapter.MatchOptions{Model: "Sample__c", Resolver: w})
	if err != nil {
		if rt == checking(t) {
			return // there is no meaning to hold the answer against
		}
		rt.Skip(err.Error())
	}
	var want []adapter.ID
	for _, r := range w.records {
		ok, err := m.Match(r)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		if ok {
			want = append(want, r.ID())
		}
	}
	got, err := w.client.SearchIDs(t.Context(), adapter.Query{Model: "Sample__c", Filter: filter})
	show := fmt.Sprint(adapter.FormatDomain(filter))
	if err != nil {
		rt.Fatalf("%s: %v: %v", show, err, strings.Join(unwrapped(err), ": "))
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("%s:\n got %v\nwant %v", show, w.names(got), w.names(want))
	}
	n, err := w.client.Count(t.Context(), "Sample__c", filter)
	if err != nil || n != int64(len(want)) {
		rt.Fatalf("%s: counted %d, there are %d: %v", show, n, len(want), err)
	}
}

func unwrapped(err error) []string {
	var out []string
	for err != nil {
		out = append(out, err.Error())
		u, ok := err.(interface{ Unwrap() error }) //nolint:errorlint // the chain itself is shown
		if !ok {
			break
		}
		err = u.Unwrap()
	}
	return out
}

func (w *world) names(ids []adapter.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprintf("%s %q", id, w.byID[id].String("Name"))
	}
	return out
}

// TestEveryCondition goes through all operators on all kinds of fields, with
// and without a path.
func TestEveryCondition(t *testing.T) {
	if testing.Short() {
		t.Skip("every operator on every kind of field")
	}
	w := newWorld(t, nil)
	equalities := []adapter.Op{"=", "!=", "in", "not in", "=?"}
	orders := []adapter.Op{"<", "<=", ">", ">="}
	likes := []adapter.Op{"like", "ilike", "not like", "not ilike", "=like", "=ilike", "not =like", "not =ilike"}
	texts := []any{nil, false, true, "", "Red", "é", "%", `a\_b`, `\\`, "12", 12, " 12", "'", " Red"}
	for _, kind := range []struct {
		field  string
		ops    [][]adapter.Op
		values []any
	}{
		{"Name", [][]adapter.Op{equalities, likes}, texts},
		{"Code__c", [][]adapter.Op{equalities, likes}, texts},
		{"Count__c", [][]adapter.Op{equalities, orders}, []any{nil, false, true, "", 0, 1, "2", json.Number("1e1"), -5.0, 3}},
		{"Ratio__c", [][]adapter.Op{equalities, orders}, []any{nil, 0, 1.5, json.Number("-0.50"), 9}},
		{"Flag__c", [][]adapter.Op{equalities}, []any{nil, true, false}},
		{"Day__c", [][]adapter.Op{equalities, orders}, []any{nil, true, "2025-01-01", "2025-01-02 10:00:00", "2024-01-01"}},
		{"Moment__c", [][]adapter.Op{equalities, orders}, []any{nil, true, "2025-01-01", "2025-01-01 23:59:59", "2025-01-01 23:59:59.0001", "2025-01-02T00:00:00Z"}},
		{"Kind__c", [][]adapter.Op{equalities, likes}, []any{nil, true, "small", "s", "%e"}},
		{"Parent__c", [][]adapter.Op{equalities}, []any{nil, true, w.records[0]["Id"], "red", w.records[0].ID(), "a00000000000000AAA"}},
	} {
		for _, prefix := range []string{"", "Parent__r.", "Children__r."} {
			for _, ops := range kind.ops {
				for _, op := range ops {
					for i, v := range kind.values {
						if op == "in" || op == "not in" {
							v = []any{v, kind.values[(i+3)%len(kind.values)]}
						}
						if slices.Contains(orders, op) && (adapter.IsEmpty(v) || v == true) || slices.Contains(likes, op) && v == true {
							continue // refused, or of no meaning
						}
						cond := adapter.Cond{Field: prefix + kind.field, Op: op, Value: v}
						w.check(t, t, cond)
						w.check(t, t, adapter.Not{Part: cond})
					}
				}
			}
		}
	}
	cond := func(field string, op adapter.Op, v any) adapter.Filter {
		return adapter.Cond{Field: field, Op: op, Value: v}
	}
	number, letters := cond("Count__c", "=", 1), cond("Name", adapter.Like, "e")
	for _, f := range []adapter.Filter{
		// What SOQL can ask by itself, beside what it can't.
		adapter.And{cond("Children__r", adapter.Any, number), letters},
		adapter.And{cond("Children__r", adapter.NotAny, number), letters},
		adapter.And{cond("Children__r", adapter.Any, number), cond("Children__r", adapter.Any, nil), cond("Children__r", adapter.NotAny, cond("Flag__c", "=", true))},
		adapter.Or{cond("Children__r", adapter.Any, number), letters},
		adapter.Not{Part: cond("Children__r", adapter.Any, number)},
		cond("Children__r", adapter.Any, cond("Children__r", adapter.Any, number)),
		cond("Parent__r", adapter.Any, cond("Children__r", adapter.NotAny, number)),
		cond("Children__r", "=", false), cond("Children__r", "!=", false), cond("Children__r", "in", []any{w.records[40]["Id"], w.records[41]["Id"]}),
		adapter.Not{Part: adapter.Or{cond("Parent__r.Count__c", "<", 1), cond("Parent__r.Name", "!=", "Red")}},
	} {
		w.check(t, t, f)
	}
}
