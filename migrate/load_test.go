package migrate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

func example(tb testing.TB) *migrate.Pack {
	tb.Helper()
	p, err := migrate.Load(os.DirFS("testdata/example"))
	require.NoError(tb, err)
	return p
}

func load(tb testing.TB, text string) *migrate.Pack {
	tb.Helper()
	p, err := migrate.LoadFiles(map[string][]byte{"pack.yaml": []byte(text)})
	require.NoError(tb, err)
	return p
}

func TestLoad(t *testing.T) {
	p := example(t)
	assert.Equal(t, "example", p.Name)
	assert.Equal(t, []string{"1.0", "2.0", "3.0"}, p.Versions())
	assert.Contains(t, p.Models(), "batch")
	r := p.Hops[0].Models["partner"].Rules[0]
	assert.Equal(t, "rename phone -> phone_primary (1-2.yaml:8)", r.String())
	assert.Equal(t, "release notes of 2.0", r.Source)
	require.Len(t, p.Skipped, 1)
}

const head = "pack: p\nfrom: 1.0\nto: 2.0\nmodels:\n  m:\n    rules:\n"

// TestLoadRefuses lists mistakes with the line and words that must be said.
func TestLoadRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no YAML":             {"a: [", "pack.yaml:1: not YAML"},
		"empty":               {"", "empty"},
		"two documents":       {"pack: p\n---\npack: p", "one document"},
		"no pack":             {"from: 1", `"pack" is missing`},
		"hop to itself":       {"pack: p\nfrom: 1\nto: 1", "pack.yaml:3: a hop leads"},
		"unknown key":         {"pack: p\nform: 1", `pack.yaml:2: the file has no key "form"`},
		"key twice":           {"pack: p\npack: p", `pack.yaml:2: key "pack" appears twice`},
		"alias":               {"pack: p\nskip: &a [*a]", "aliases are not supported"},
		"deep":                {"pack: p\nskip: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), "nest too deep"},
		"no verb":             {head + "      - note: x", "pack.yaml:7: a rule needs one of the verbs"},
		"two verbs":           {head + "      - {remove: a, meaning: b}", "one verb"},
		"no field name":       {head + "      - remove: a.b", `"a.b" is not a field name`},
		"renamed id":          {head + "      - rename: {id: x}", `"id" stays`},
		"two to one target":   {head + "      - rename: {a: c}\n      - rename: {b: c}", "pack.yaml:8: rename b gives field c, as does rename a -> c (pack.yaml:7)"},
		"taken twice":         {head + "      - rename: {a: c}\n      - remove: a", "pack.yaml:8: remove a takes field a, as does rename a -> c (pack.yaml:7)"},
		"alternative order":   {head + "      - rename: {a: c}\n      - rename: {a: d}\n        when: {x: 1}", `only the last may lack "when"`},
		"unknown conversion":  {head + "      - convert: {field: a, as: magic}", "no conversion \"magic\""},
		"scale by zero":       {head + "      - convert: {field: a, as: scale, by: 0}", "not 0"},
		"number of no JSON":   {head + "      - constant: {field: a, value: .inf}", "not a number that JSON can write"},
		"number with octal":   {head + "      - constant: {field: a, value: 0o17}", "not a number that JSON can write"},
		"otherwise alone":     {head + "      - map: {field: a, values: {x: y}}\n        otherwise: z", "belong together"},
		"value twice":         {head + "      - map: {field: a, values: {1: y, 1.0: z}}", "appears twice"},
		"table of odd rows":   {head + "      - table: {from: [a, b], to: [c], rows: [[x, y]]}", "2 old and 1 new"},
		"unknown function":    {head + "      - func: {name: f, from: [a], to: [a]}", `no Go function "f"`},
		"unknown for rename":  {head + "      - rename: {a: b}\n        unknown: keep", "no meaning for rename"},
		"meaning without":     {head + "      - meaning: a", "what the field means now"},
		"removed with rules":  {"pack: p\nfrom: 1\nto: 2\nmodels: {m: {removed: true, rules: [{remove: a}]}}", "can't act"},
		"renamed and removed": {"pack: p\nfrom: 1\nto: 2\nmodels: {m: {removed: true, to: x}}", "more than one of"},
		"test without":        {"pack: p\nfrom: 1\nto: 2\nmodels: {m: {tests: [{up: {}}]}}", `one of "gives" and "error"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := migrate.LoadFiles(map[string][]byte{"pack.yaml": []byte(tc.text)})
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.want)
			assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
			var one *migrate.LoadError
			require.ErrorAs(t, err, &one)
			assert.Positive(t, one.Pos.Line)
		})
	}
}

func TestPath(t *testing.T) {
	hop := func(from, to, cost string) string {
		return "pack: p\nfrom: " + from + "\nto: " + to + "\ncost: " + cost + "\n"
	}
	files := map[string][]byte{}
	add := func(from, to, cost string) { files[from+"-"+to+".yaml"] = []byte(hop(from, to, cost)) }
	add("a", "b", "1")
	add("b", "d", "1")
	add("a", "c", "1")
	add("c", "d", "1")
	add("d", "e", "1")
	add("a", "e", "3")
	add("x", "e", "1")
	add("a", "d", "9")
	p, err := migrate.LoadFiles(files)
	require.NoError(t, err)
	path := func(from, to string) string {
		hops, err := p.Path(from, to)
		require.NoError(t, err)
		versions := []string{from}
		for _, h := range hops {
			versions = append(versions, h.To)
		}
		return strings.Join(versions, "")
	}
	for range 20 {
		assert.Equal(t, "abd", path("a", "d"), "of two as cheap the first by name")
		assert.Equal(t, "ae", path("a", "e"), "of two as cheap the one with fewer hops")
		assert.Equal(t, "a", path("a", "a"))
	}
	for _, tc := range []struct {
		from, to string
		kind     migrate.PathKind
	}{{"a", "z", migrate.UnknownVersion}, {"d", "a", migrate.Downgrade}, {"a", "x", migrate.NoPath}} {
		_, err := p.Path(tc.from, tc.to)
		var pe *migrate.PathError
		require.ErrorAs(t, err, &pe)
		assert.Equal(t, tc.kind, pe.Kind)
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	}
}
