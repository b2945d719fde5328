package adapter_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
)

// Small worlds, so that conditions and records meet.
var (
	someFields = []string{"name", "ref", "rank", "amount", "active", "day", "at", "parent_id", "tag_ids"}
	someValues = []any{
		nil, false, true, "", "a", "A", "ab", "a%", `a\_`, "7", "2025-03-14", "2025-03-14 10:00:00", "2025-03-14T10:00:00Z",
		num("0"), num("7"), num("7.0"), num("-1.5"), num("12345678901234567890"), 7, int64(-1), 1.5,
	}
	scalarOps = []adapter.Op{
		adapter.Equal, adapter.NotEqual, adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq,
		adapter.Like, adapter.NotLike, adapter.ILike, adapter.NotILike, adapter.EqLike, adapter.EqILike,
		adapter.NotEqLike, adapter.NotEqILike, adapter.EqualOrNone,
	}
	listOps = []adapter.Op{adapter.In, adapter.NotIn, adapter.Equal, adapter.NotEqual}
)

func drawFilter(depth int) *rapid.Generator[adapter.Filter] {
	return rapid.Custom(func(t *rapid.T) adapter.Filter {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth <= 0 {
			kind = max(kind, 3)
		}
		parts := func() []adapter.Filter {
			return rapid.SliceOfN(drawFilter(depth-1), 0, 3).Draw(t, "parts")
		}
		field := rapid.SampledFrom(someFields).Draw(t, "field")
		value := rapid.SampledFrom(someValues)
		switch kind {
		case 0:
			return adapter.And(parts())
		case 1:
			return adapter.Or(parts())
		case 2:
			return adapter.Not{Part: drawFilter(depth-1).Draw(t, "part")}
		case 3:
			return adapter.Always(rapid.Bool().Draw(t, "always"))
		case 4:
			if depth > 0 && rapid.Bool().Draw(t, "nil") {
				return nil
			}
			return cond(field, rapid.SampledFrom(listOps).Draw(t, "op"), rapid.SliceOfN(value, 0, 3).Draw(t, "values"))
		case 5:
			if depth > 0 {
				op := rapid.SampledFrom([]adapter.Op{adapter.Any, adapter.NotAny}).Draw(t, "op")
				var nested any
				if f := drawFilter(depth-1).Draw(t, "nested"); f != nil {
					nested = f
				}
				return cond("partner", op, nested)
			}
		}
		return cond(field, rapid.SampledFrom(scalarOps).Draw(t, "op"), value.Draw(t, "value"))
	})
}

func drawRecord() *rapid.Generator[adapter.Record] {
	return rapid.Custom(func(t *rapid.T) adapter.Record {
		r := adapter.Record{}
		for _, field := range someFields {
			switch field {
			case "parent_id":
				r[field] = rapid.SampledFrom([]any{false, []any{num("7"), "a"}}).Draw(t, field)
			case "tag_ids":
				r[field] = rapid.SampledFrom([]any{[]any{}, []any{[]any{num("7"), "ab"}, []any{num("8"), "A"}}}).Draw(t, field)
			default:
				r[field] = rapid.SampledFrom(someValues).Draw(t, field)
			}
		}
		// A partner who has a partner, deeper than filters are drawn.
		var partner any = false
		for range 6 {
			next := map[string]any{"id": num("1"), "partner": partner}
			for _, field := range someFields {
				next[field] = r[field]
			}
			partner = next
		}
		r["partner"] = partner
		return r
	})
}

func matches(t require.TestingT, f adapter.Filter, r adapter.Record) bool {
	ok, err := adapter.Match(f, r, adapter.MatchOptions{})
	require.NoError(t, err, "%v", f)
	return ok
}

func TestDomainsReadBackAsTheyWerePrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFilter(4).Draw(t, "filter")
		normal := adapter.Normalize(f)
		text := adapter.AppendDomainJSON(nil, f)

		// Both ways to print say the same.
		var printed, formatted any
		require.NoError(t, adapter.DecodeJSON(text, &printed))
		b, err := json.Marshal(adapter.FormatDomain(f))
		require.NoError(t, err)
		require.NoError(t, adapter.DecodeJSON(b, &formatted))
		assert.Equal(t, formatted, printed)

		// Print and parse end in the normal form, which is its own.
		back, err := adapter.ParseDomain(adapter.FormatDomain(f))
		require.NoError(t, err, "%s", text)
		assert.Equal(t, normal, back, "%s", text)
		assert.Equal(t, normal, adapter.Normalize(normal))
		again, err := adapter.ParseDomainJSON(text)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(adapter.AppendDomainJSON(nil, again)))

		// All of them mean the same.
		r := drawRecord().Draw(t, "record")
		want := matches(t, f, r)
		assert.Equal(t, want, matches(t, normal, r), "normal form of %s", text)
		assert.Equal(t, want, matches(t, back, r), "%s", text)
		assert.Equal(t, want, matches(t, again, r), "%s", text)
	})
}

func TestMatchIsLogic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, g := drawFilter(3).Draw(t, "f"), drawFilter(3).Draw(t, "g")
		r := drawRecord().Draw(t, "record")
		a, b := matches(t, f, r), matches(t, g, r)
		assert.Equal(t, a && b, matches(t, adapter.And{f, g}, r))
		assert.Equal(t, a || b, matches(t, adapter.Or{f, g}, r))
		assert.Equal(t, !a, matches(t, adapter.Not{Part: f}, r))
	})
}

func TestNegatedOperatorsAreComplements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord().Draw(t, "record")
		field := rapid.SampledFrom(someFields).Draw(t, "field")
		op := rapid.SampledFrom(scalarOps).Draw(t, "op")
		value := rapid.SampledFrom(someValues).Draw(t, "value")
		if positive, ok := op.Negates(); ok {
			assert.NotEqual(t, matches(t, cond(field, positive, value), r), matches(t, cond(field, op, value), r))
		}
		list := rapid.SliceOfN(rapid.SampledFrom(someValues), 0, 3).Draw(t, "list")
		if len(list) > 0 {
			any := false
			for _, v := range list {
				any = any || matches(t, cond(field, adapter.Equal, v), r)
			}
			assert.Equal(t, any, matches(t, cond(field, adapter.In, list), r), "in is = of any")
		}
		less, more := matches(t, cond(field, adapter.Less, value), r), matches(t, cond(field, adapter.Greater, value), r)
		assert.False(t, less && more && field != "tag_ids")
	})
}

func TestReorderIndexedKeepsTheMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFilter(2).Draw(t, "filter")
		reordered, changed := adapter.ReorderIndexed(f, func(field string) bool { return field < "d" })
		assert.Equal(t, !reflect.DeepEqual(f, reordered), changed)
		r := drawRecord().Draw(t, "record")
		assert.Equal(t, matches(t, f, r), matches(t, reordered, r))
	})
}

func FuzzParseDomainJSON(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `[["name","=","x"]]`, `["|",["a","=",1],["b","!=",false]]`, `["!",["a","in",[1,"x",null]]]`,
		`["&","|","!",true,false,[1,"=",1]]`, `[["a.b","any",[["c","not any",[]]]]]`, `[["a","=like","%\\_"]]`,
		`["name","=","x"]`, `[["a","foo",1]]`, `["|"]`, `[["a","<>",1e400]]`, `[["\u0000","=",{}]]`, `[[[[[[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := adapter.ParseDomainJSON(b)
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		text := adapter.AppendDomainJSON(nil, parsed)
		back, err := adapter.ParseDomainJSON(text)
		require.NoError(t, err, "%s printed as %s", b, text)
		require.Equal(t, string(text), string(adapter.AppendDomainJSON(nil, back)))
		_, err = adapter.Match(parsed, adapter.Record{"a": num("1"), "name": "x", "b": []any{num("1"), "y"}}, adapter.MatchOptions{})
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrUnsupported, "%s", b)
		}
		adapter.Fields(parsed)
	})
}

func FuzzLike(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"a%b", "axxb"}, {`\%`, "%"}, {"%a%a%a%a%b", "aaaaaaaaaaaaaaaa"}, {"_é", "xé"}, {`a\`, `a\`}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			t.Skip("not UTF-8")
		}
		r := adapter.Record{"f": text, "upper": strings.ToUpper(text)}
		literal := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
		if text != "" {
			assert.True(t, matches(t, cond("f", adapter.EqLike, literal), r), "a text is like itself")
			assert.True(t, matches(t, cond("f", adapter.Like, literal), r))
			assert.True(t, matches(t, cond("f", adapter.EqLike, "%"), r))
		}
		whole := matches(t, cond("f", adapter.EqLike, pattern), r)
		part := matches(t, cond("f", adapter.Like, pattern), r)
		if whole && !strings.HasSuffix(pattern, `\`) && pattern != "" {
			assert.True(t, part, "what fits the whole fits somewhere")
		}
		if whole && pattern != "" {
			assert.True(t, matches(t, cond("f", adapter.EqILike, pattern), r), "ignoring case finds no less")
		}
		assert.Equal(t, whole, likeByHand(pattern, text), "%q =like %q", text, pattern)
	})
}

// likeByHand is the definition of =like, too slow for use.
func likeByHand(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if text == "" {
		return false // an empty text is not set
	}
	p, s := []rune(pattern), []rune(text)
	known := map[[2]int]bool{}
	var fits func(i, j int) bool
	fits = func(i, j int) (ok bool) {
		at := [2]int{i, j}
		if seen, done := known[at]; done {
			return seen
		}
		defer func() { known[at] = ok }()
		switch {
		case i == len(p):
			return j == len(s)
		case p[i] == '%':
			return fits(i+1, j) || j < len(s) && fits(i, j+1)
		case j == len(s):
			return false
		case p[i] == '_':
			return fits(i+1, j+1)
		case p[i] == '\\' && i+1 < len(p):
			return p[i+1] == s[j] && fits(i+2, j+1)
		}
		return p[i] == s[j] && fits(i+1, j+1)
	}
	return fits(0, 0)
}

var benchDomain = []byte(`["&",["active","=",true],"|",["name","ilike","azure interior"],["email","=like","%@example.com"],["country_id.code","in",["FR","BE","DE","NL"]],["id","not in",[1,2,3,4,5,6,7,8,9,10]],["write_date",">=","2025-01-01 00:00:00"],["credit_limit",">",1500.75],["parent_id","any",[["is_company","=",true]]]]`)

// against reports how the benchmark's time per loop compares with that of
// another way to do the same.
func against(b *testing.B, name string, other func()) {
	b.Helper()
	perLoop := float64(b.Elapsed()) / float64(b.N)
	b.StopTimer()
	rounds := 0
	start := time.Now()
	for ; rounds < 100 || time.Since(start) < 200*time.Millisecond; rounds++ {
		other()
	}
	b.ReportMetric(perLoop/(float64(time.Since(start))/float64(rounds)), "x-"+name)
}

func BenchmarkParseDomain(b *testing.B) {
	b.SetBytes(int64(len(benchDomain)))
	for b.Loop() {
		if _, err := adapter.ParseDomainJSON(benchDomain); err != nil {
			b.Fatal(err)
		}
	}
	against(b, "encoding/json", func() {
		var v any
		if err := json.Unmarshal(benchDomain, &v); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkPrintDomain(b *testing.B) {
	f, err := adapter.ParseDomainJSON(benchDomain)
	if err != nil {
		b.Fatal(err)
	}
	var v any
	if err := adapter.DecodeJSON(benchDomain, &v); err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.SetBytes(int64(len(benchDomain)))
	for b.Loop() {
		dst = adapter.AppendDomainJSON(dst[:0], f)
	}
	against(b, "encoding/json", func() {
		if _, err := json.Marshal(v); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	m, err := adapter.NewMatcher(filter(b, `["|",["name","ilike","interior"],["id","in",[1,2,3]],["amount",">",10.25]]`), adapter.MatchOptions{})
	if err != nil {
		b.Fatal(err)
	}
	r := record(b, `{"id": 7, "name": "Azure Interior", "amount": 10.50}`)
	for b.Loop() {
		if _, err := m.Match(r); err != nil {
			b.Fatal(err)
		}
	}
}
