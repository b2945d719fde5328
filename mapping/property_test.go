package mapping_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// wild is a field and what a system may hold for it that no plan has written:
// texts with separators, values without counterpart, nothing in every spelling.
type wild struct {
	typ, rule string
	holds     map[string][]any // by path
	asks      []any            // values to compare with
}

func num(s string) any { return adapterNumber(s) }

var (
	nothings   = []any{nil, false, ""}
	wildDays   = []any{"2024-01-01", "2024-01-02", "2024-01-03", "2024-01-02 00:00:00", "2024-01-02T11:00:00Z", "2024-01-01 11:00:00", false}
	wildTimes  = []any{nil, false, "2024-01-01 00:00:00", "2024-01-01 11:00:00", "2024-01-02 00:00:00", "2024-01-02 10:59:59", "2024-01-03 23:00:00"}
	someTexts  = append([]any{"a", "b", "a b", "b a", "a b c", " a", "a ", "a  b", "A", "a%", "a_b"}, nothings...)
	askedTexts = []any{"a", "b", "a b", "a b c", "A", "a%", "z", "", false}
)

// wilds are on the paths p, q, r, which drawWild makes the field's own.
var wilds = []wild{
	{"char", "p", map[string][]any{"p": someTexts}, askedTexts},
	{"char", "{path: p, empty: a}", map[string][]any{"p": someTexts}, askedTexts},
	{"char", "{path: p, fallback: [q, r]}", map[string][]any{"p": someTexts, "q": someTexts, "r": {"a", "z", nil, ""}}, askedTexts},
	{"char", "{path: p, fallback: [q], empty: b}", map[string][]any{"p": someTexts, "q": someTexts}, askedTexts},
	{"float", "{path: p, fallback: [q]}", map[string][]any{"p": {nil, num("0"), num("1.5"), num("-2")}, "q": {nil, num("0"), num("3")}}, []any{num("0"), num("1.5"), num("3"), false}},
	{"float", "{path: p, scale: -0.5}", map[string][]any{"p": {nil, num("0"), num("1.5"), num("-2")}}, []any{num("0"), num("-0.75"), num("1"), false}},
	{"float", "{path: p, empty: 7}", map[string][]any{"p": {nil, num("0"), num("7"), num("9")}}, []any{num("0"), num("7"), num("8"), false}},
	{"boolean", "{path: p, invert: true}", map[string][]any{"p": {nil, false, true}}, []any{true, false, nil}},
	{"boolean", "{path: p, fallback: [q]}", map[string][]any{"p": {nil, false, true}, "q": {nil, false, true}}, []any{true, false}},
	{"boolean", "{path: p, empty: true}", map[string][]any{"p": {nil, false, true}}, []any{true, false}},
	{"boolean", `{path: p, words: {true: X, false: ""}}`, map[string][]any{"p": {nil, false, "", "X"}}, []any{true, false}},
	{"selection, values: [a, b, c]", "{path: p, values: {a: [x, y], b: z, c: [~, n]}}", map[string][]any{"p": {nil, false, "", "x", "y", "z", "n", "w"}}, []any{"a", "b", "c", false}},
	{"selection, values: [a, b, c]", "{path: p, values: {a: [x, y], b: z, c: n}, unknown: 'null'}", map[string][]any{"p": {nil, false, "", "x", "y", "z", "n", "w"}}, []any{"a", "b", "c", false}},
	{"char", "{path: p, values: {a: b, b: a}, unknown: keep}", map[string][]any{"p": {nil, false, "", "a", "b", "w"}}, []any{"a", "b", "w", false}},
	{"selection, values: [a, b, c]", "{path: p, values: {a: x, b: y}, fallback: [q]}", map[string][]any{"p": {nil, "", "x", "y", "w"}, "q": {nil, "x", "y"}}, []any{"a", "b", false}},
	{"selection, values: [a, b, c]", "{table: {paths: [p, q], values: {a: [x, true], b: [x, ~], c: [~, true]}}}", map[string][]any{"p": {nil, false, "x", "w"}, "q": {nil, false, true}}, []any{"a", "b", "c", false}},
	{"selection, values: [a, b, c]", "{table: {paths: [p, q], values: {a: [x, true], b: [~, false], c: [w, ~]}}}", map[string][]any{"p": {nil, false, "x", "w"}, "q": {nil, false, true}}, []any{"a", "b", "c", false}},
	{"char", `{join: {paths: [p, q], sep: " "}}`, map[string][]any{"p": someTexts, "q": someTexts}, askedTexts},
	{"char", `{join: {paths: [p, q, r], sep: ", ", cut: last}}`, map[string][]any{"p": {"a", "b,", nil}, "q": {"a, b", " b", ""}, "r": {"c", false}}, []any{"a", "a,", ",", "a, b", "a, a, b, c", " b", "c", false}},
	{"date", "p", map[string][]any{"p": {nil, false, "2024-01-01", "2024-01-02", "2024-01-03"}}, wildDays},
	{"date", "{path: p, as: datetime}", map[string][]any{"p": wildTimes}, wildDays},
	{"datetime", "p", map[string][]any{"p": wildTimes}, wildDays},
	{"datetime", "{path: p, as: date}", map[string][]any{"p": {nil, false, "2024-01-01", "2024-01-02", "2024-01-03"}}, wildDays},
	{"date", "{path: p, as: compact}", map[string][]any{"p": {nil, "20240101", "20240102", "20240103"}}, wildDays},
	{"datetime", "{path: p, as: compact}", map[string][]any{"p": {nil, "20240101000000", "20240101110000", "20240102000000", "20240103230000"}}, wildDays},
	{"datetime", "{path: p, as: epoch}", map[string][]any{"p": {nil, num("1704067200000"), num("1704106800000"), num("1704153600000"), num("1704322800000")}}, wildDays},
	{"date", "{path: p, as: epoch}", map[string][]any{"p": {nil, num("1704067200000"), num("1704106800000"), num("1704153600000"), num("1704322800000")}}, wildDays},
	{"char", "{constant: a}", nil, []any{"a", "b", false}},
	{"ref, relation: m", "p", map[string][]any{"p": {nil, false, num("1"), num("2")}}, []any{num("1"), num("2"), false}},
	{"ref, relation: m", "{path: p, as: text}", map[string][]any{"p": {nil, "", "1", "2"}}, []any{num("1"), "2", false}},
	{"char", "{path: p.q}", map[string][]any{"p": {
		map[string]any{"q": "a"}, map[string]any{"q": "b"}, map[string]any{"q": nil},
	}}, askedTexts},
	{"char", `{path: "p[k=1].q"}`, map[string][]any{"p": {
		[]any{}, []any{map[string]any{"k": "1", "q": "a"}}, []any{map[string]any{"k": "2", "q": "a"}},
		[]any{map[string]any{"k": "2", "q": "b"}, map[string]any{"k": "1", "q": "a"}}, []any{map[string]any{"k": "1", "q": nil}, map[string]any{"k": "2", "q": "a"}},
	}}, askedTexts},
	{"char", "{path: p, lookup: {model: country, by: code, read: true}}", map[string][]any{"p": {nil, false, num("1"), num("2")}}, []any{"SA", "DE", "FR", false}},
	{"lines, relation: line", "p", map[string][]any{"p": {
		[]any{}, []any{map[string]any{"qty": num("1"), "kind": "x"}}, []any{map[string]any{"qty": num("1"), "kind": "section"}},
		[]any{map[string]any{"qty": num("2"), "kind": "x"}, map[string]any{"qty": num("5"), "kind": "section"}},
	}}, []any{num("1"), num("2"), num("5")}},
}

// ofLines is a model of lines that shares its system's model with others.
const ofLines = `---
universal: line
fields: {quantity: float}
---
mapping: line
system: s
model: L
where: [[kind, "!=", section]]
fields: {quantity: qty}
---
`

// cut are two parts of one text, which stand together.
var cut = []wild{
	{"char", `{split: {path: p, part: 1, of: 2, sep: " ", cut: %s}}`, map[string][]any{"p": someTexts}, askedTexts},
	{"char", `{split: {path: p, part: 2, of: 2, sep: " ", cut: %s}}`, map[string][]any{"p": someTexts}, askedTexts},
}

// wildPlan draws up to four fields, and the plan that has them.
func wildPlan(t *rapid.T) (*mapping.Plan, []wild) {
	fields := rapid.SliceOfN(rapid.SampledFrom(wilds), 1, 3).Draw(t, "fields")
	if rapid.IntRange(0, 3).Draw(t, "split") == 0 {
		way := rapid.SampledFrom([]string{"first", "last"}).Draw(t, "cut")
		for _, part := range cut {
			part.rule = fmt.Sprintf(part.rule, way)
			fields = append(fields, part)
		}
	}
	split := len(fields)
	var model, rules strings.Builder
	for i := range fields {
		own := strconv.Itoa(i)
		if strings.Contains(fields[i].rule, "split") {
			own = strconv.Itoa(split) // of one text
		}
		rule, holds := fields[i].rule, map[string][]any{}
		for _, name := range []string{"p", "q", "r"} {
			rule = replaceWord(rule, name, name+own)
			if list, ok := fields[i].holds[name]; ok {
				holds[name+own] = renamed(list, "q", "q"+own)
			}
		}
		fields[i].rule, fields[i].holds = rule, holds
		fmt.Fprintf(&model, "  f%d: {type: %s}\n", i, fields[i].typ)
		fmt.Fprintf(&rules, "  f%d: %s\n", i, rule)
	}
	text := "universal: m\nfields:\n" + model.String() + ofLines + `mapping: m
system: s
model: M
fields:
` + rules.String()
	t.Logf("%s", text)
	s, err := mapping.Parse("m.yaml", []byte(text))
	require.NoError(t, err)
	p, err := s.Compile("s", "", "m", mapping.Options{})
	require.NoError(t, err)
	return p, fields
}

// replaceWord replaces a name that stands alone.
func replaceWord(s, word, by string) string {
	part := func(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], word) && (i == 0 || !part(s[i-1])) && (i+len(word) == len(s) || !part(s[i+len(word)])) {
			out.WriteString(by)
			i += len(word) - 1
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// renamed gives the records in values another name for a field.
func renamed(values []any, name, to string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case []any:
			out[i] = renamed(v, name, to)
		case map[string]any:
			r := map[string]any{}
			for k, x := range v {
				if k == name {
					k = to
				}
				r[k] = x
			}
			out[i] = r
		default:
			out[i] = v
		}
	}
	return out
}

func wildRecord(t *rapid.T, fields []wild) adapter.Record {
	r := adapter.Record{"id": num("7")}
	for _, f := range fields {
		for _, path := range []string{"p", "q", "r"} {
			for name, list := range f.holds {
				if strings.HasPrefix(name, path) && r[name] == nil {
					r[name] = rapid.SampledFrom(list).Draw(t, name)
				}
			}
		}
	}
	return r
}

func wildFilter(t *rapid.T, fields []wild, depth int) adapter.Filter {
	switch pick := rapid.IntRange(0, 8).Draw(t, "shape"); {
	case pick == 0 && depth > 0:
		return adapter.Not{Part: wildFilter(t, fields, depth-1)}
	case pick == 1 && depth > 0:
		return adapter.And{wildFilter(t, fields, depth-1), wildFilter(t, fields, depth-1)}
	case pick == 2 && depth > 0:
		return adapter.Or{wildFilter(t, fields, depth-1), wildFilter(t, fields, depth-1)}
	}
	i := rapid.IntRange(0, len(fields)-1).Draw(t, "field")
	name, f := fmt.Sprintf("f%d", i), fields[i]
	op := rapid.SampledFrom([]adapter.Op{adapter.Equal, adapter.NotEqual, adapter.In, adapter.NotIn, adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq, adapter.Like, adapter.ILike, adapter.NotILike, adapter.EqualOrNone}).Draw(t, "op")
	c := adapter.Cond{Field: name, Op: op, Value: rapid.SampledFrom(f.asks).Draw(t, "value")}
	if op == adapter.In || op == adapter.NotIn {
		c.Value = rapid.SliceOfN(rapid.SampledFrom(f.asks), 0, 3).Draw(t, "values")
	}
	if !strings.HasPrefix(f.typ, "lines") {
		return c
	}
	switch rapid.IntRange(0, 3).Draw(t, "lines") {
	case 0:
		c.Field += ".quantity"
		return c
	case 1:
		return adapter.Cond{Field: name, Op: rapid.SampledFrom([]adapter.Op{adapter.Equal, adapter.NotEqual}).Draw(t, "set"), Value: false}
	}
	c.Field = "quantity"
	return adapter.Cond{Field: name, Op: rapid.SampledFrom([]adapter.Op{adapter.Any, adapter.NotAny}).Draw(t, "any"), Value: c}
}

// TestFilterOnEveryKind is TestFilterOnWhatOthersWrote with one field and one
// condition, every one that there is.
func TestFilterOnEveryKind(t *testing.T) {
	ops := []adapter.Op{adapter.Equal, adapter.NotEqual, adapter.In, adapter.NotIn, adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq, adapter.Like, adapter.ILike, adapter.NotILike, adapter.EqualOrNone}
	for _, w := range wilds {
		t.Run(w.typ+" "+w.rule, func(t *testing.T) {
			t.Parallel()
			s, err := mapping.Parse("m.yaml", []byte("universal: m\nfields: {f: {type: "+w.typ+"}}\n"+ofLines+"mapping: m\nsystem: s\nmodel: M\nfields:\n  f: "+w.rule))
			require.NoError(t, err)
			p, err := s.Compile("s", "", "m", mapping.Options{})
			require.NoError(t, err)
			for _, op := range ops {
				for _, v := range w.asks {
					for _, f := range conditions(w, op, v) {
						exact(t, p, f, everyRecord(w))
					}
				}
			}
		})
	}
}

func conditions(w wild, op adapter.Op, v any) []adapter.Filter {
	c := adapter.Cond{Field: "f", Op: op, Value: v}
	if op == adapter.In || op == adapter.NotIn {
		c.Value = []any{v, w.asks[0]}
	}
	if !strings.HasPrefix(w.typ, "lines") {
		if op == adapter.In || op == adapter.NotIn {
			return []adapter.Filter{c, adapter.Cond{Field: "f", Op: op, Value: []any{}}}
		}
		return []adapter.Filter{c}
	}
	inner := c
	inner.Field, c.Field = "quantity", "f.quantity"
	return []adapter.Filter{c, adapter.Cond{Field: "f", Op: adapter.Any, Value: inner}, adapter.Cond{Field: "f", Op: adapter.NotAny, Value: inner},
		adapter.Cond{Field: "f", Op: adapter.Equal, Value: false}, adapter.Cond{Field: "f", Op: adapter.NotEqual, Value: false}}
}

// everyRecord lists what the system may hold for a field.
func everyRecord(w wild) []adapter.Record {
	out := []adapter.Record{{}}
	for path, values := range w.holds {
		var next []adapter.Record
		for _, r := range out {
			for _, v := range values {
				with := maps.Clone(r)
				with[path] = v
				next = append(next, with)
			}
		}
		out = next
	}
	return out
}

// exact holds a filter and its translation against the same records, unless
// it is refused, or said not to be exact.
func exact(t *testing.T, p *mapping.Plan, f adapter.Filter, records []adapter.Record) {
	t.Helper()
	ctx, warnings := adapter.WithWarnings(mapping.WithLookup(t.Context(), countries))
	got, err := p.Filter(ctx, f)
	if err != nil {
		require.ErrorIs(t, err, adapter.ErrInvalidArgument)
		return
	}
	if len(warnings.List()) > 0 {
		return
	}
	own, err := adapter.NewMatcher(got, adapter.MatchOptions{})
	require.NoError(t, err)
	matcher, err := adapter.NewMatcher(f, adapter.MatchOptions{})
	require.NoError(t, err)
	for _, r := range records {
		universal, _, err := p.ToUniversal(ctx, r, p.Names())
		require.NoError(t, err)
		want, err := matcher.Match(universal)
		if err != nil {
			continue // needs the names of related records
		}
		has, err := own.Match(r)
		if err != nil || has != want {
			t.Errorf("%s on %v is %v; %s on %v is %v, %v", adapter.AppendDomainJSON(nil, f), universal, want, adapter.AppendDomainJSON(nil, got), r, has, err)
			return
		}
	}
}

// TestFilterOnWhatOthersWrote: a filter selects exactly the records that,
// read, match the universal filter, whoever wrote them.
func TestFilterOnWhatOthersWrote(t *testing.T) {
	translated := 0
	rapid.Check(t, func(t *rapid.T) {
		p, fields := wildPlan(t)
		own := wildRecord(t, fields)
		f := wildFilter(t, fields, 2)
		ctx, warnings := adapter.WithWarnings(mapping.WithLookup(t.Context(), countries))
		before := string(adapter.AppendDomainJSON(nil, f))
		got, err := p.Filter(ctx, f)
		require.Equal(t, before, string(adapter.AppendDomainJSON(nil, f)), "the filter was changed")
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		if len(warnings.List()) > 0 {
			return // it is said not to be exact
		}
		universal, _, err := p.ToUniversal(ctx, own, p.Names())
		require.NoError(t, err)
		want, err := adapter.Match(f, universal, adapter.MatchOptions{})
		if err != nil {
			return // needs the names of related records
		}
		text := adapter.AppendDomainJSON(nil, got)
		has, err := adapter.Match(got, own, adapter.MatchOptions{})
		require.NoError(t, err, "%s", text)
		require.Equal(t, want, has, "%s on %v; %s on %v", before, universal, text, own)
		translated++
	})
	require.Positive(t, translated)
}

// TestFieldsSuffice: what a field list names is all that reading looks at, and
// reading changes nothing.
func TestFieldsSuffice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, fields := wildPlan(t)
		own := wildRecord(t, fields)
		ctx := mapping.WithLookup(t.Context(), countries)
		names := rapid.SliceOfN(rapid.SampledFrom(p.Names()), 1, 4).Draw(t, "names")
		before := inJSON(own)
		want, _, err := p.ToUniversal(ctx, own, names)
		require.NoError(t, err)
		require.Equal(t, before, inJSON(own), "the record was changed")
		require.Equal(t, num("7"), want["id"])

		paths, _, err := p.Fields(names)
		require.NoError(t, err)
		few := adapter.Record{"id": own["id"]}
		for _, path := range paths {
			keep(few, own, strings.Split(path, "."))
		}
		got, _, err := p.ToUniversal(ctx, few, names)
		require.NoError(t, err)
		require.Equal(t, inJSON(want), inJSON(got), "%v reads %v: %v of %v", names, paths, few, own)

		// With all fields, the same values.
		all, _, err := p.ToUniversal(ctx, own, nil)
		require.NoError(t, err)
		for _, name := range names {
			require.True(t, mapping.Same(all[name], want[name]), "%s: %v in all, %v by name", name, all[name], want[name])
		}
	})
}

// keep copies what lies at a path.
func keep(to, from map[string]any, path []string) {
	v, there := from[path[0]]
	if !there {
		return
	}
	if len(path) == 1 {
		to[path[0]] = v
		return
	}
	switch v := v.(type) {
	case map[string]any:
		inner, _ := to[path[0]].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
		}
		keep(inner, v, path[1:])
		to[path[0]] = inner
	case []any:
		list, _ := to[path[0]].([]any)
		if list == nil {
			list = make([]any, len(v))
			for i := range list {
				list[i] = map[string]any{}
			}
		}
		for i, item := range v {
			inner, _ := item.(map[string]any)
			mine, _ := list[i].(map[string]any)
			keep(mine, inner, path[1:])
		}
		to[path[0]] = list
	default:
		to[path[0]] = v
	}
}

// TestOrderOnWhatOthersWrote: records sort by the system's keys as they do, read,
// by the universal ones, or the order is refused. Where nothing stands in
// the order is each system's own.
func TestOrderOnWhatOthersWrote(t *testing.T) {
	more := []wild{
		{"float", "{path: p, as: text}", map[string][]any{"p": {"9", "10", "-1", "1.50"}}, nil},
		{"char", "{path: p, as: number}", map[string][]any{"p": {num("9"), num("10"), num("1.5")}}, nil},
		{"boolean", `{path: p, words: {true: A, false: B}}`, map[string][]any{"p": {"A", "B"}}, nil},
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(append(slices.Clone(more), wilds...)).Draw(t, "kind")
		if strings.Contains(f.rule, "join") || strings.HasPrefix(f.typ, "lines") || strings.HasPrefix(f.typ, "ref") {
			return // a name that is several texts sorts by each of them
		}
		s, err := mapping.Parse("m.yaml", []byte("universal: m\nfields: {f: {type: "+f.typ+"}}\n---\nmapping: m\nsystem: s\nmodel: M\nfields:\n  f: "+f.rule))
		require.NoError(t, err)
		p, err := s.Compile("s", "", "m", mapping.Options{})
		require.NoError(t, err)
		orders, err := p.Order([]adapter.Order{{Field: "f"}})
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		if len(orders) == 0 {
			return // all are equal
		}
		a, b := wildRecord(t, []wild{f}), wildRecord(t, []wild{f})
		ctx := mapping.WithLookup(t.Context(), countries)
		x, _, err := p.ToUniversal(ctx, a, []string{"f"})
		require.NoError(t, err)
		y, _, err := p.ToUniversal(ctx, b, []string{"f"})
		require.NoError(t, err)
		key := orders[0].Field
		if head, _, nested := strings.Cut(key, "."); nested || adapter.IsEmpty(a[head]) && a[head] != false || adapter.IsEmpty(b[head]) && b[head] != false || x["f"] == nil || y["f"] == nil {
			return
		}
		less := func(field string, a, b adapter.Record, op adapter.Op) bool {
			ok, err := adapter.Match(adapter.Cond{Field: field, Op: op, Value: b[field]}, a, adapter.MatchOptions{})
			require.NoError(t, err)
			return ok
		}
		op := adapter.Less
		if orders[0].Desc {
			op = adapter.Greater
		}
		if less("f", x, y, adapter.Less) {
			require.False(t, less(key, b, a, op), "%s: %v before %v, but %v after %v", f.rule, x, y, a, b)
		}
	})
}
