package adaptertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// testFilters holds the answers to filters against what they should be, and
// against adapter.Match on the records as they are read.
func testFilters(t *testing.T, s *suite) {
	t.Helper()
	target := func(i int) any {
		if i < len(s.Targets) {
			return s.Targets[i].ID.Value()
		}
		return nil
	}
	set := func(values map[string]any) adapter.Record {
		r := adapter.Record{}
		for field, value := range values {
			if field != "" {
				r[field] = value
			}
		}
		return r
	}
	var ids []adapter.ID
	add := func(name string, values map[string]any) { ids = append(ids, s.create(t, name, set(values))) }
	add("alpha", map[string]any{s.OptionalText: "Red", s.Integer: 1, s.Float: 1.5, s.Boolean: true, s.Date: "2025-01-01", s.DateTime: "2025-01-01 00:00:00", s.Reference: target(0)})
	add("beta", map[string]any{s.OptionalText: "red", s.Integer: 2, s.Float: 2.25, s.Boolean: false, s.Date: "2025-01-02", s.DateTime: "2025-01-01 23:59:59", s.Reference: target(1)})
	add("gamma", map[string]any{s.OptionalText: "100% sure", s.Integer: 3, s.Float: -1, s.Boolean: true, s.Date: "2025-02-01", s.DateTime: "2025-01-02 00:00:00", s.Reference: target(0)})
	add("delta", map[string]any{s.OptionalText: "a_b", s.Integer: 10, s.Float: 100, s.Boolean: false})
	add("omega", map[string]any{s.OptionalText: "axb", s.Integer: -5, s.Boolean: true})

	field := func(name string) func(op adapter.Op, value any) adapter.Filter {
		return func(op adapter.Op, value any) adapter.Filter { return adapter.Cond{Field: name, Op: op, Value: value} }
	}
	text, opt, integer, float := field(s.Text), field(s.OptionalText), field(s.Integer), field(s.Float)
	boolean, date, moment, ref := field(s.Boolean), field(s.Date), field(s.DateTime), field(s.Reference)
	alpha, beta := text("=", s.name("alpha")), text("=", s.name("beta"))
	const all = "alpha beta gamma delta omega"
	tests := []struct {
		name   string
		needs  string // the field that the condition is on
		filter adapter.Filter
		want   string
	}{
		{"nil", s.Text, nil, all},
		{"always", s.Text, adapter.Always(true), all},
		{"never", s.Text, adapter.Always(false), ""},
		{"empty and", s.Text, adapter.And{}, all},
		{"empty or", s.Text, adapter.Or{}, ""},
		{"equal", s.Text, alpha, "alpha"},
		{"not equal", s.Text, text("!=", s.name("alpha")), "beta gamma delta omega"},
		{"in", s.Text, text("in", []any{s.name("alpha"), s.name("gamma"), "x"}), "alpha gamma"},
		{"in nothing", s.Text, text("in", []any{}), ""},
		{"not in", s.Text, text("not in", []any{s.name("alpha"), "x"}), "beta gamma delta omega"},
		{"not in nothing", s.Text, text("not in", []any{}), all},
		{"or", s.Text, adapter.Or{alpha, beta}, "alpha beta"},
		{"and", s.Text, adapter.And{alpha, beta}, ""},
		{"not", s.Text, adapter.Not{Part: alpha}, "beta gamma delta omega"},
		{"not or", s.Text, adapter.Not{Part: adapter.Or{alpha, beta}}, "gamma delta omega"},
		{"not and", s.Text, adapter.Not{Part: adapter.And{alpha, text("!=", "x")}}, "beta gamma delta omega"},
		{"or of ands", s.Text, adapter.Or{adapter.And{alpha, text("!=", "x")}, adapter.And{beta, alpha}}, "alpha"},
		{"not not", s.Text, adapter.Not{Part: adapter.Not{Part: alpha}}, "alpha"},

		{"like", s.OptionalText, opt("like", "ed"), "alpha beta"},
		{"like heeds case", s.OptionalText, opt("like", "Re"), "alpha"},
		{"not like", s.OptionalText, opt("not like", "Re"), "beta gamma delta omega"},
		{"ilike", s.OptionalText, opt("ilike", "RE"), "alpha beta gamma"},
		{"not ilike", s.OptionalText, opt("not ilike", "RED"), "gamma delta omega"},
		{"like %", s.OptionalText, opt("like", `a%b`), "delta omega"},
		{"like _", s.OptionalText, opt("like", `a_b`), "delta omega"},
		{"like escaped _", s.OptionalText, opt("like", `a\_b`), "delta"},
		{"like escaped %", s.OptionalText, opt("like", `0\%`), "gamma"},
		{"=like", s.OptionalText, opt("=like", "R%"), "alpha"},
		{"=like whole", s.OptionalText, opt("=like", "ed"), ""},
		{"=ilike", s.OptionalText, opt("=ilike", "R_D"), "alpha beta"},
		{"not =like", s.OptionalText, opt("not =like", "R%"), "beta gamma delta omega"},
		{"not =ilike", s.OptionalText, opt("not =ilike", "r%"), "gamma delta omega"},
		{"=? nothing", s.OptionalText, opt("=?", false), all},
		{"=? something", s.OptionalText, opt("=?", "Red"), "alpha"},

		{"integer =", s.Integer, integer("=", 3), "gamma"},
		{"integer !=", s.Integer, integer("!=", 3), "alpha beta delta omega"},
		{"integer <", s.Integer, integer("<", 2), "alpha omega"},
		{"integer <=", s.Integer, integer("<=", 2), "alpha beta omega"},
		{"integer >", s.Integer, integer(">", 2), "gamma delta"},
		{"integer >=", s.Integer, integer(">=", 2), "beta gamma delta"},
		{"integer in", s.Integer, integer("in", []any{1, -5}), "alpha omega"},
		{"integer not in", s.Integer, integer("not in", []any{1, -5}), "beta gamma delta"},
		{"float =", s.Float, float("=", 2.25), "beta"},
		{"float >", s.Float, float(">", 1.5), "beta delta"},
		{"float <", s.Float, float("<", -0.5), "gamma"},
		{"true", s.Boolean, boolean("=", true), "alpha gamma omega"},
		{"false", s.Boolean, boolean("=", false), "beta delta"},
		{"not true", s.Boolean, boolean("!=", true), "beta delta"},

		{"date =", s.Date, date("=", "2025-01-02"), "beta"},
		{"date <", s.Date, date("<", "2025-01-02"), "alpha"},
		{"date >=", s.Date, date(">=", "2025-01-02"), "beta gamma"},
		{"date not set", s.Date, date("=", false), "delta omega"},
		{"date set", s.Date, date("!=", false), "alpha beta gamma"},
		{"date-time =", s.DateTime, moment("=", "2025-01-01 23:59:59"), "beta"},
		{"date-time >", s.DateTime, moment(">", "2025-01-01 23:59:58"), "beta gamma"},
		{"date-time <=", s.DateTime, moment("<=", "2025-01-01 23:59:59"), "alpha beta"},
		{"date-time <= day", s.DateTime, moment("<=", "2025-01-01"), "alpha beta"},
		{"date-time > day", s.DateTime, moment(">", "2025-01-01"), "gamma"},
		{"date-time >= day", s.DateTime, moment(">=", "2025-01-02"), "gamma"},
		{"date-time < day", s.DateTime, moment("<", "2025-01-02"), "alpha beta"},

		{"reference =", s.Reference, ref("=", target(0)), "alpha gamma"},
		{"reference !=", s.Reference, ref("!=", target(0)), "beta delta omega"},
		{"reference in", s.Reference, ref("in", []any{target(0), target(1)}), "alpha beta gamma"},
		{"reference not in", s.Reference, ref("not in", []any{target(1)}), "alpha gamma delta omega"},
		{"reference not set", s.Reference, ref("=", false), "delta omega"},
		{"reference set", s.Reference, ref("!=", false), "alpha beta gamma"},
		{"reference in with not set", s.Reference, ref("in", []any{target(1), false}), "beta delta omega"},
	}
	if s.Reference != "" {
		name := s.TargetField
		if name == "" {
			name = "name"
		}
		schema, err := s.Adapter.Schema(t.Context(), s.Model)
		require.NoError(t, err)
		targets, err := adapter.Read(t.Context(), s.Adapter, schema.Fields[s.Reference].Relation, []adapter.ID{s.Targets[0].ID}, []string{name})
		require.NoError(t, err)
		require.Len(t, targets, 1, "the first of Targets")
		value := targets[0].String(name)
		through := adapter.Cond{Field: name, Op: adapter.Equal, Value: value}
		tests = append(tests, []struct {
			name   string
			needs  string
			filter adapter.Filter
			want   string
		}{
			{"path", s.Reference, adapter.Cond{Field: s.Reference + "." + name, Op: adapter.Equal, Value: value}, "alpha gamma"},
			{"reference any", s.Reference, ref(adapter.Any, through), "alpha gamma"},
			{"reference not any", s.Reference, ref(adapter.NotAny, through), "beta delta omega"},
			{"reference = name", s.Reference, ref("=", s.Targets[1].Name), "beta"},
		}...)
	}

	fields := []string{s.Text}
	for _, name := range []string{s.OptionalText, s.Integer, s.Float, s.Boolean, s.Date, s.DateTime, s.Reference} {
		if name != "" {
			fields = append(fields, name)
		}
	}
	records := s.query(t, adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: fields})
	require.Len(t, records, len(ids))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.needs == "" {
				t.Skip("the harness names no such field")
			}
			filter := adapter.And{s.only(ids...), test.filter}
			page, err := s.Adapter.Query(t.Context(), adapter.Query{Model: s.Model, Filter: filter, Fields: []string{s.Text}, Order: []adapter.Order{{Field: s.IDField}}})
			if !s.supports(opsOf(test.filter)...) {
				require.Error(t, err, "an operator that is not supported")
				assert.Contains(t, []adapter.Code{adapter.Unsupported, adapter.InvalidArgument}, adapter.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			got := s.names(page.Records)
			want := strings.Fields(test.want)
			assert.ElementsMatch(t, want, got)

			if s.BareReferences && test.name == "reference = name" {
				return // the records as read don't have the name
			}
			var matched []string
			for _, r := range records {
				ok, err := adapter.Match(test.filter, r, adapter.MatchOptions{})
				if adapter.CodeOf(err) == adapter.Unsupported {
					return // needs the related records
				}
				require.NoError(t, err)
				if ok {
					matched = append(matched, s.names([]adapter.Record{r})[0])
				}
			}
			assert.ElementsMatch(t, got, matched, "adapter.Match on the records as read")
		})
	}
}

// opsOf returns the operators in a filter.
func opsOf(f adapter.Filter) []adapter.Op {
	var ops []adapter.Op
	adapter.Walk(f, func(c adapter.Cond) bool {
		ops = append(ops, c.Op)
		if nested, ok := c.Value.(adapter.Filter); ok {
			ops = append(ops, opsOf(nested)...)
		}
		return true
	})
	return ops
}

func testOrder(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "b", "a", "d", "c")
	order := func(o ...adapter.Order) string {
		t.Helper()
		return strings.Join(s.names(s.query(t, adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}, Order: o})), " ")
	}
	assert.Equal(t, "a b c d", order(adapter.Order{Field: s.Text}))
	assert.Equal(t, "d c b a", order(adapter.Order{Field: s.Text, Desc: true}))
	if _, isInt := ids[0].Int(); isInt {
		assert.Equal(t, "b a d c", order(adapter.Order{Field: s.IDField}))
		assert.Equal(t, "c d a b", order(adapter.Order{Field: s.IDField, Desc: true}))
	}
	if s.Integer != "" {
		for i, n := range []int{9, 10, 9, 10} {
			require.NoError(t, s.Adapter.Update(t.Context(), s.Model, ids[i:i+1], adapter.Record{s.Integer: n}))
		}
		assert.Equal(t, "b d a c", order(adapter.Order{Field: s.Integer}, adapter.Order{Field: s.Text}), "9 comes before 10")
		assert.Equal(t, "c a d b", order(adapter.Order{Field: s.Integer, Desc: true}, adapter.Order{Field: s.Text, Desc: true}))
		assert.Equal(t, "d b c a", order(adapter.Order{Field: s.Integer}, adapter.Order{Field: s.Text, Desc: true}))
	}
}

func testPages(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "a", "b", "c", "d", "e")
	byText := []adapter.Order{{Field: s.Text}}
	page := func(limit, offset int, cursor string) adapter.Page {
		t.Helper()
		page, err := s.Adapter.Query(t.Context(), adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}, Order: byText, Limit: limit, Offset: offset, Cursor: cursor})
		require.NoError(t, err)
		return page
	}
	names := func(p adapter.Page) string { return strings.Join(s.names(p.Records), " ") }

	whole := page(0, 0, "")
	assert.Equal(t, "a b c d e", names(whole))
	assert.False(t, whole.Truncated)
	assert.Empty(t, whole.Next)

	exact := page(5, 0, "")
	assert.Equal(t, "a b c d e", names(exact))
	assert.False(t, exact.Truncated, "nothing was cut")

	cut := page(2, 0, "")
	assert.Equal(t, "a b", names(cut))
	assert.True(t, cut.Truncated, "a limit that cuts is said")

	assert.Equal(t, "c d", names(page(2, 2, "")))
	end := page(2, 4, "")
	assert.Equal(t, "e", names(end))
	assert.False(t, end.Truncated)
	beyond := page(2, 9, "")
	assert.Empty(t, beyond.Records)
	assert.False(t, beyond.Truncated)

	// Cursors lead through all, once.
	for _, order := range [][]adapter.Order{nil, {{Field: s.IDField}}, {{Field: s.IDField, Desc: true}}, byText, {{Field: s.Text, Desc: true}}} {
		var seen []adapter.ID
		q := adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}, Order: order, Limit: 2}
		for range ids {
			p, err := s.Adapter.Query(t.Context(), q)
			require.NoError(t, err)
			for _, r := range p.Records {
				seen = append(seen, r.ID())
			}
			assert.Equal(t, p.Truncated, p.Next != "", "more records, more pages")
			if q.Cursor = p.Next; p.Next == "" {
				break
			}
		}
		assert.ElementsMatch(t, ids, seen, "order %q", adapter.FormatOrder(order))
	}

	for _, cursor := range []string{"garbage", "AAAA", "%%%", "9999999999999999999999"} {
		_, err := s.Adapter.Query(t.Context(), adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}, Order: byText, Limit: 2, Cursor: cursor})
		requireCode(t, adapter.InvalidArgument, err, "a cursor that is none: "+cursor)
	}
}

// testPagesWhileDeleting deletes what was read already and adds what comes
// behind: nothing else may be skipped or repeated.
func testPagesWhileDeleting(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "a", "b", "c", "d", "e", "f")
	q := adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}, Order: []adapter.Order{{Field: s.IDField}}, Limit: 2}
	var seen []adapter.ID
	for range ids {
		p, err := s.Adapter.Query(t.Context(), q)
		require.NoError(t, err)
		for _, r := range p.Records {
			seen = append(seen, r.ID())
			require.NoError(t, s.Adapter.Delete(t.Context(), s.Model, []adapter.ID{r.ID()}))
		}
		if q.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	slices.SortFunc(seen, func(a, b adapter.ID) int { return slices.Index(ids, a) - slices.Index(ids, b) })
	assert.Equal(t, ids, seen)
}

func testAll(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "a", "b", "c", "d", "e")
	q := adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}}
	collect := func(q adapter.Query) []string {
		t.Helper()
		var names []string
		for r, err := range adapter.All(t.Context(), s.Adapter, q) {
			require.NoError(t, err)
			names = append(names, s.names([]adapter.Record{r})...)
		}
		return names
	}
	assert.ElementsMatch(t, []string{"a", "b", "c", "d", "e"}, collect(q))
	q.Order = []adapter.Order{{Field: s.Text, Desc: true}}
	assert.Equal(t, []string{"e", "d", "c", "b", "a"}, collect(q))
	q.Limit = 3
	assert.Equal(t, []string{"e", "d", "c"}, collect(q))
	q.Limit, q.Filter = 0, s.only(s.MissingID)
	assert.Empty(t, collect(q))

	q.Model = "no.such.model"
	n := 0
	for r, err := range adapter.All(t.Context(), s.Adapter, q) {
		n++
		assert.Nil(t, r)
		requireCode(t, adapter.NotFound, err, "All of an unknown model")
	}
	assert.Equal(t, 1, n, "the first error ends it")
}
