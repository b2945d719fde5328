package mapping_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// drawn is a generated field: how it is mapped, and what it may hold.
type drawn struct {
	name, typ string
	rule      string                // YAML
	values    *rapid.Generator[any] // universal
	system    *rapid.Generator[any] // what the system holds; nil: only what was written
	paths     []string
}

func anyOf[T any](g *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Map(g, func(v T) any { return v })
}

var (
	words    = rapid.StringMatching(`[A-Za-z0-9%_\\'üñ]{1,6}`)
	phrases  = rapid.StringMatching(`[A-Za-z%_']{1,4}( [A-Za-z%_]{1,4}){0,3}`)
	decimals = rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,18})(\.[0-9]{0,6}[1-9])?`), func(s string) any {
		if s == "-0" {
			s = "0"
		}
		return adapterNumber(s)
	})
	wholes  = rapid.Map(rapid.Int64Range(-1_000_000, 1_000_000), func(n int64) any { return adapterNumber(strconv.FormatInt(n, 10)) })
	ids     = rapid.Map(rapid.Int64Range(1, 1_000_000), func(n int64) any { return adapterNumber(strconv.FormatInt(n, 10)) })
	dates   = anyOf(rapid.StringMatching(`(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])`))
	moments = anyOf(rapid.StringMatching(`(19[789]|20[0-9])[0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z`))
	bools   = anyOf(rapid.Bool())
)

// kinds are the transforms that are declared reversible, each for a field
// called f on paths p and q.
var kinds = []drawn{
	{typ: "char", rule: "p", values: anyOf(words), system: anyOf(words)},
	{typ: "char", rule: "{path: p.q, nest: true}", values: anyOf(words), paths: []string{"p"}},
	{typ: "char", rule: `{path: "p[].q"}`, values: anyOf(words), paths: []string{"p"}},
	{typ: "char", rule: `{path: "p[K=1].q"}`, values: anyOf(words), paths: []string{"p"}},
	{typ: "char", rule: "{path: p, as: number}", values: rapid.Map(ids, func(v any) any { return fmt.Sprint(v) }), system: ids},
	{typ: "text", rule: "{path: p, as: html}", values: anyOf(phrases)},
	{typ: "integer", rule: "p", values: wholes, system: wholes},
	{typ: "integer", rule: "{path: p, as: text}", values: wholes, system: rapid.Map(wholes, func(v any) any { return fmt.Sprint(v) })},
	{typ: "float", rule: "{path: p, scale: 1000}", values: decimals, system: decimals},
	{typ: "float", rule: "{path: p, scale: -0.25}", values: decimals, system: decimals},
	{typ: "monetary", rule: "{path: p, as: text}", values: decimals},
	{typ: "monetary", rule: "{path: p, scale: 0.01, as: text}", values: decimals},
	{typ: "boolean", rule: "p", values: bools, system: bools},
	{typ: "boolean", rule: "{path: p, invert: true}", values: bools, system: bools},
	{typ: "boolean", rule: `{path: p, words: {true: X, false: [N, ""]}}`, values: bools, system: anyOf(rapid.SampledFrom([]string{"X", "N"}))},
	{typ: "selection, values: [a, b, c]", rule: "{path: p, values: {a: 1, b: [two, zwei], c: ~}}", values: anyOf(rapid.SampledFrom([]string{"a", "b", "c"}))},
	{typ: "char", rule: "{path: p, values: {a: b, b: a}, unknown: keep}", values: anyOf(rapid.SampledFrom([]string{"a", "b", "z"})), system: anyOf(rapid.SampledFrom([]string{"a", "b", "z"}))},
	{typ: "date", rule: "p", values: dates, system: dates},
	{typ: "date", rule: "{path: p, as: datetime}", values: dates},
	{typ: "date", rule: "{path: p, as: compact}", values: dates},
	{typ: "datetime", rule: "p", values: moments},
	{typ: "datetime", rule: "{path: p, as: rfc3339}", values: moments, system: moments},
	{typ: "datetime", rule: "{path: p, as: compact}", values: moments},
	{typ: "datetime", rule: "{path: p, as: epoch}", values: moments},
	{typ: "ref, relation: m", rule: "p", values: ids, system: ids},
	{typ: "ref, relation: m", rule: "{path: p, as: text}", values: anyOf(words)},
	{typ: "refs, relation: m", rule: "p", values: anyOf(rapid.Map(rapid.SliceOfN(ids, 0, 3), func(l []any) []any { return append([]any{}, l...) }))},
	{typ: "char", rule: `{join: {paths: [p, q], sep: " "}}`, values: anyOf(phrases), paths: []string{"p", "q"}},
	{typ: "char", rule: `{join: {paths: [p, q, r], sep: "_", cut: last}}`, values: anyOf(words), paths: []string{"p", "q", "r"}},
	{typ: "char", rule: "{path: p, lookup: {model: country, by: code, read: true}}", values: anyOf(rapid.SampledFrom([]string{"SA", "DE", "FR"})), system: anyOf(rapid.SampledFrom([]any{adapterNumber("1"), adapterNumber("2")}))},
	{typ: "selection, values: [a, b, c]", rule: "{table: {paths: [p, q], values: {a: [x, true], b: [x, false], c: [y, ~]}}}", values: anyOf(rapid.SampledFrom([]string{"a", "b", "c"})), paths: []string{"p", "q"}},
	{typ: "char", rule: "{path: p, empty: none}", values: anyOf(words), system: anyOf(words)},
	{typ: "lines, relation: line", rule: "{path: p}", values: linesGen},
}

var linesGen = anyOf(rapid.Map(rapid.SliceOfN(wholes, 0, 3), func(quantities []any) []any {
	out := []any{}
	for _, q := range quantities {
		out = append(out, map[string]any{"quantity": q})
	}
	return out
}))

var countries = mapping.Tables{"country": {{"id": 1, "code": "SA"}, {"id": 2, "code": "DE"}, {"id": 3, "code": "FR"}}}

// drawFields draws some fields, on paths of their own.
func drawFields(t *rapid.T) []drawn {
	n := rapid.IntRange(1, 8).Draw(t, "fields")
	fields := make([]drawn, n)
	for i := range fields {
		f := rapid.SampledFrom(kinds).Draw(t, "kind")
		f.name = fmt.Sprintf("f%d", i)
		own := strconv.Itoa(i)
		if f.paths == nil {
			f.paths = []string{"p"}
		}
		f.paths = slices.Clone(f.paths)
		// "p: ..." and so on become p0, q0; whole words alone.
		renamed := f.rule
		for _, name := range []string{"p", "q", "r"} {
			for _, before := range []string{" ", "[", `"`, "."} {
				for _, after := range []string{",", "]", "}", ".", "["} {
					renamed = strings.ReplaceAll(renamed, before+name+after, before+name+own+after)
				}
			}
			if renamed == name {
				renamed = name + own
			}
		}
		renamed = strings.ReplaceAll(renamed, ".q}", ".q"+own+"}")
		renamed = strings.ReplaceAll(renamed, `.q"`, ".q"+own+`"`)
		f.rule = renamed
		for j := range f.paths {
			f.paths[j] += own
		}
		fields[i] = f
	}
	return fields
}

func drawPlan(t *rapid.T, fields []drawn) *mapping.Plan {
	var model, rules strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&model, "  %s: {type: %s}\n", f.name, f.typ)
		fmt.Fprintf(&rules, "  %s: %s\n", f.name, f.rule)
	}
	text := "universal: m\nfields:\n" + model.String() + "---\nuniversal: line\nfields: {quantity: float}\n---\nmapping: line\nsystem: s\nmodel: L\nfields: {quantity: qty}\n---\nmapping: m\nsystem: s\nmodel: M\nfields:\n" + rules.String()
	t.Logf("%s", text)
	s, err := mapping.Parse("m.yaml", []byte(text))
	require.NoError(t, err)
	p, err := s.Compile("s", "", "m", mapping.Options{Unmapped: mapping.Refuse})
	require.NoError(t, err)
	return p
}

func drawUniversal(t *rapid.T, fields []drawn) adapter.Record {
	r := adapter.Record{}
	for _, f := range fields {
		if rapid.IntRange(0, 4).Draw(t, "there") > 0 {
			r[f.name] = f.values.Draw(t, f.name)
		}
	}
	return r
}

// TestThereAndBack: what is written reads back as it was.
func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := drawFields(t)
		p := drawPlan(t, fields)
		r := drawUniversal(t, fields)
		ctx := mapping.WithLookup(t.Context(), countries)
		v, err := p.Create(ctx, r)
		require.NoError(t, err)
		require.Empty(t, v.Notes)
		back, notes, err := p.ToUniversal(ctx, v.Record, nil)
		require.NoError(t, err)
		require.Empty(t, notes)
		require.True(t, mapping.Same(map[string]any(r), map[string]any(back)), "%v became %v and came back as %v", r, v.Record, back)

		// An update gives the same values, in pieces; lines that it does not name
		// stay.
		for name, x := range r {
			if list, ok := x.([]any); ok && len(list) == 0 {
				delete(r, name)
			}
		}
		for name, x := range v.Record {
			if list, ok := x.([]any); ok && len(list) == 0 {
				delete(v.Record, name)
			}
		}
		u, err := p.Update(ctx, r)
		require.NoError(t, err)
		whole := u.Whole()
		for name, x := range whole {
			if list, ok := x.([]any); ok && len(list) == 0 {
				delete(whole, name)
			}
		}
		require.True(t, mapping.Same(map[string]any(v.Record), map[string]any(whole)), "created %v, updated %v", v.Record, u.Whole())
	})
}

// TestBackAndThere: what is read writes back as it was, for transforms that
// keep every value of the system.
func TestBackAndThere(t *testing.T) {
	exact := slices.DeleteFunc(slices.Clone(kinds), func(d drawn) bool { return d.system == nil })
	require.NotEmpty(t, exact)
	rapid.Check(t, func(t *rapid.T) {
		fields := drawFields(t)
		fields = slices.DeleteFunc(fields, func(d drawn) bool { return d.system == nil })
		if len(fields) == 0 {
			return
		}
		p := drawPlan(t, fields)
		own := adapter.Record{}
		for _, f := range fields {
			own[f.paths[0]] = f.system.Draw(t, f.name)
		}
		ctx := mapping.WithLookup(t.Context(), countries)
		r, _, err := p.ToUniversal(ctx, own, nil)
		require.NoError(t, err)
		v, err := p.Create(ctx, r)
		require.NoError(t, err)
		require.True(t, mapping.Same(map[string]any(own), map[string]any(v.Record)), "%v read as %v and was written as %v", own, r, v.Record)
	})
}

// TestFilterIsExact: a record matches the system's filter exactly where, read,
// it matches the universal one.
func TestFilterIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := drawFields(t)
		p := drawPlan(t, fields)
		ctx := mapping.WithLookup(t.Context(), countries)
		ctx, warnings := adapter.WithWarnings(ctx)
		r := drawUniversal(t, fields)
		v, err := p.Create(ctx, r)
		require.NoError(t, err)
		if strings.Contains(fmt.Sprint(fields), "nest: true") {
			return // systems differ in what a path through nothing matches
		}
		f := drawFilter(t, fields, r, 2)
		got, err := p.Filter(ctx, f)
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		if len(warnings.List()) > 0 {
			return // it is said not to be exact
		}
		text := adapter.AppendDomainJSON(nil, got)
		_, err = adapter.ParseDomainJSON(text)
		require.NoError(t, err, "%s", text)

		for _, f := range fields {
			for _, path := range f.paths {
				if _, there := v.Record[path]; !there {
					v.Record[path] = nil
				}
			}
		}
		universal, _, err := p.ToUniversal(ctx, v.Record, p.Names())
		require.NoError(t, err)
		want, err := adapter.Match(f, universal, adapter.MatchOptions{})
		if err != nil {
			return // needs the names of related records
		}
		has, err := adapter.Match(got, v.Record, adapter.MatchOptions{})
		require.NoError(t, err, "%s", text)
		require.Equal(t, want, has, "%s on %v; %s on %v", adapter.AppendDomainJSON(nil, f), universal, text, v.Record)
	})
}

func drawFilter(t *rapid.T, fields []drawn, r adapter.Record, depth int) adapter.Filter {
	switch pick := rapid.IntRange(0, 5).Draw(t, "shape"); {
	case pick == 0 && depth > 0:
		return adapter.Not{Part: drawFilter(t, fields, r, depth-1)}
	case pick == 1 && depth > 0:
		return adapter.And{drawFilter(t, fields, r, depth-1), drawFilter(t, fields, r, depth-1)}
	case pick == 2 && depth > 0:
		return adapter.Or{drawFilter(t, fields, r, depth-1), drawFilter(t, fields, r, depth-1)}
	}
	f := rapid.SampledFrom(fields).Draw(t, "field")
	value := func() any {
		if v, there := r[f.name]; there && rapid.Bool().Draw(t, "held") {
			return v
		}
		if rapid.IntRange(0, 5).Draw(t, "unset") == 0 {
			return false
		}
		return f.values.Draw(t, "value")
	}
	op := rapid.SampledFrom([]adapter.Op{adapter.Equal, adapter.NotEqual, adapter.In, adapter.NotIn, adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq, adapter.ILike, adapter.NotILike}).Draw(t, "op")
	if strings.HasPrefix(f.typ, "lines") {
		inner := adapter.Cond{Field: "quantity", Op: op, Value: wholes.Draw(t, "value")}
		if op == adapter.In || op == adapter.NotIn {
			inner.Value = []any{inner.Value}
		}
		return adapter.Cond{Field: f.name, Op: rapid.SampledFrom([]adapter.Op{adapter.Any, adapter.NotAny}).Draw(t, "any"), Value: inner}
	}
	if op == adapter.In || op == adapter.NotIn {
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "values") {
			if v := value(); !isList(v) {
				list = append(list, v)
			}
		}
		return adapter.Cond{Field: f.name, Op: op, Value: list}
	}
	v := value()
	if list, ok := v.([]any); ok {
		v = false
		if len(list) > 0 {
			v = list[0]
		}
	}
	return adapter.Cond{Field: f.name, Op: op, Value: v}
}

func isList(v any) bool { _, ok := v.([]any); return ok }

// TestOrderIsExact: records that are sorted by the system's keys are sorted by
// the universal ones, where the plan takes them.
func TestOrderIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := drawFields(t)
		p := drawPlan(t, fields)
		f := rapid.SampledFrom(fields).Draw(t, "field")
		if !slices.Contains([]string{"float", "integer", "monetary", "date", "datetime", "boolean"}, f.typ) || strings.Contains(f.rule, "as: text") {
			return
		}
		orders, err := p.Order([]adapter.Order{{Field: f.name}})
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		a, b := adapter.Record{f.name: f.values.Draw(t, "a")}, adapter.Record{f.name: f.values.Draw(t, "b")}
		x, err := p.Create(t.Context(), a)
		require.NoError(t, err)
		y, err := p.Create(t.Context(), b)
		require.NoError(t, err)
		require.Len(t, orders, 1)
		less, err := adapter.Match(adapter.Cond{Field: f.name, Op: adapter.Less, Value: b[f.name]}, a, adapter.MatchOptions{})
		require.NoError(t, err)
		op := adapter.Less
		if orders[0].Desc {
			op = adapter.Greater
		}
		own, err := adapter.Match(adapter.Cond{Field: orders[0].Field, Op: op, Value: y.Record[orders[0].Field]}, x.Record, adapter.MatchOptions{})
		require.NoError(t, err)
		require.Equal(t, less, own, "%v, %v; %v, %v", a, b, x.Record, y.Record)
	})
}

// TestCut: joining what was cut gives the text again, and no part but the
// whole begins or ends at a cut.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[ab\-]{0,12}`).Draw(t, "text")
		sep := rapid.SampledFrom([]string{"-", "--", "a-"}).Draw(t, "sep")
		cut := rapid.SampledFrom([]mapping.Cut{mapping.CutFirst, mapping.CutLast}).Draw(t, "cut")
		n := rapid.IntRange(2, 4).Draw(t, "parts")
		var parts []string
		for _, p := range mapping.CutText(s, sep, cut, n) {
			if p != "" {
				parts = append(parts, p)
			}
		}
		require.Equal(t, s, strings.Join(parts, sep))
	})
}
