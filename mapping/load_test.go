package mapping_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

func shop(tb testing.TB) *mapping.Set {
	tb.Helper()
	s, err := mapping.Load(os.DirFS("testdata/shop"))
	require.NoError(tb, err)
	return s
}

func compile(tb testing.TB, s *mapping.Set, system, version, model string, o mapping.Options) *mapping.Plan {
	tb.Helper()
	p, err := s.Compile(system, version, model, o)
	require.NoError(tb, err)
	return p
}

// The tests that stand beside the mappings of the tests pass: this is also the
// table of what each transform does.
func TestShopTests(t *testing.T) {
	results := shop(t).Test(context.Background())
	require.Len(t, results, 19)
	for _, r := range results {
		assert.True(t, r.Passed(), "%s", r)
	}
}

// Tests can fail.
func TestTestsFail(t *testing.T) {
	s, err := mapping.Parse("t.yaml", []byte(oneModel+`
tests:
  - name: wrong value
    universal: {a: x}
    system: {b: y}
  - name: missing and superfluous
    direction: to_universal
    universal: {a: x}
    system: {n: 1}
  - name: no such error
    universal: {a: x}
    error: never
  - name: wrong filter
    filter: [[a, "=", x]]
    gives: [[c, "=", x]]
  - name: wrong fields
    fields: [a]
    reads: [c]
  - name: no warning
    universal: {a: x}
    system: {b: x}
    warnings: [a]
`))
	require.NoError(t, err)
	got := map[string]string{}
	for _, r := range s.Test(t.Context()) {
		got[r.Case.Name] = strings.Join(r.Problems, "; ")
	}
	assert.Equal(t, map[string]string{
		"wrong value":             `universal: a is "y", want "x"; written: b is "x", want "y"`,
		"missing and superfluous": `universal: a is missing, want "x"; universal: n is 1, and not expected`,
		"no such error":           `there is no error with "never"`,
		"wrong filter":            `the filter is [["b","=","x"]], want [["c","=","x"]]`,
		"wrong fields":            `the fields are [b], want [c]`,
		"no warning":              `warnings name [], not [a]`,
	}, got)
}

const oneModel = `universal: m
fields: {a: char, n: integer, b: boolean, s: {type: selection, values: [x, y]}, d: date, l: {type: lines, relation: k}, r: {type: ref, relation: m}}
---
universal: k
fields: {q: float}
---
mapping: k
system: s
model: K
fields: {q: q}
---
mapping: m
system: s
model: M
fields:
  n: n
  a: b`

// Mistakes are found when the files are loaded, with their line and field.
func TestLoadErrors(t *testing.T) {
	mapped := func(fields string) string {
		return strings.TrimSuffix(oneModel, "  n: n\n  a: b") + fields
	}
	for _, tc := range []struct{ name, yaml, want string }{
		{"empty", "", "t.yaml:1: the file is empty"},
		{"no YAML", "a: [", "t.yaml:1: not YAML"},
		{"neither", "a: 1", `t.yaml:1: a document has "universal" (a model) or "mapping"`},
		{"a list", "[1]", `t.yaml:1: a document is a mapping`},
		{"unknown key", "universal: m\nfeilds: {}", `t.yaml:2: a universal model has no key "feilds" (did you mean "fields"?)`},
		{"unknown type", "universal: m\nfields:\n  a: strnig", `t.yaml:3: a: there is no type "strnig"`},
		{"near type", "universal: m\nfields:\n  a: floot", `(did you mean "float"?)`},
		{"lines without relation", "universal: m\nfields:\n  a: lines", `t.yaml:3: a: type lines needs "relation"`},
		{"unknown relation", "universal: m\nfields:\n  a: {type: ref, relation: n}", `t.yaml:3: a: there is no universal model "n"`},
		{"id", "universal: m\nfields:\n  id: char", `t.yaml:3: id: every model has "id"`},
		{"twice", "universal: m\nfields:\n  a: char\n  a: char", "t.yaml:4: key \"a\" appears twice"},
		{"key twice", "universal: m\ndoc: a\ndoc: b\nfields: {}", `t.yaml:3: key "doc" appears twice`},
		{"model twice", "universal: m\nfields: {a: char}\n---\nuniversal: m\nfields: {a: char}", "t.yaml:4: universal model m is defined at t.yaml:1 already"},
		{"anchor", "universal: m\nfields: {a: &x char, b: char}", "anchors are not supported"},
		{"bomb", "universal: m\nfields: {a: &x [1], b: [*x, *x]}", "anchors are not supported"},
		{"alias of nothing", "universal: m\nfields: {b: *x}", "not YAML"},
		{"deep", "universal: m\nfields: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "values nest too deep"},
		{"no model", "mapping: m\nsystem: s\nmodel: M\nfields: {a: b}", `t.yaml:1: there is no universal model "m" here; load the mapping over the set that has it`},
		{"field of no model", mapped("  aa: b"), `t.yaml:16: aa: universal model m has no such field (did you mean "a"?)`},
		{"unknown transform", mapped("  a: {path: b, scales: 3}"), `t.yaml:16: a: a field has no key "scales" (did you mean "scale"?)`},
		{"no source", mapped("  a: {as: name}"), "t.yaml:16: a: where the field comes from is missing"},
		{"two sources", mapped("  a: {path: b, constant: c}"), `a field comes from one place: "path" or "constant"`},
		{"key that does not go", mapped("  a: {constant: c, scale: 3}"), `"scale" does not go with "constant"`},
		{"bad path", mapped("  a: b..c"), `"b..c" is not a path`},
		{"open bracket", mapped(`  a: "b[x"`), "a bracket is not closed"},
		{"ends with mark", mapped(`  a: "b[]"`), "ends with a mark"},
		{"scale of text", mapped("  a: {path: b, scale: 3, round: 2}"), `t.yaml:16: a: "scale" is for numbers, not type char`},
		{"scale without end", mapped("  n: {path: b, scale: 3}"), "dividing by 3 may have no end"},
		{"scale zero", mapped("  n: {path: b, scale: 0}"), "not 0"},
		{"invert of text", mapped("  a: {path: b, invert: true}"), `"invert" is for type boolean, not char`},
		{"form of another type", mapped("  a: {path: b, as: rfc3339}"), `as "rfc3339" is no form of type char`},
		{"unknown form", mapped("  a: {path: b, as: namme}"), `there is no form "namme" (did you mean "name"?)`},
		{"value of no selection", mapped("  s: {path: b, values: {x: 1, zz: 2}}"), `"zz" is no value of type selection`},
		{"value twice", mapped("  s: {path: b, values: {x: 1, x: 2}}"), `value "x" appears twice`},
		{"words", mapped("  b: {path: b, words: {true: X}}"), "words has both true and false"},
		{"unknown without values", mapped("  a: {path: b, unknown: keep}"), `"unknown" goes with "values"`},
		{"default of another type", mapped("  n: {path: b, default: x}"), `default "x" is no value of type integer`},
		{"lookup without write", mapped("  a: {path: b, lookup: {model: c, by: d}}"), `"path" reads the key itself`},
		{"lookup with unknown", mapped("  a: {path: b.c, lookup: {model: c, by: d, with: {e: nn}}}"), `lookup: universal model m has no field "nn"`},
		{"lines elsewhere", mapped("  l: {path: b, lines: m}"), "the universal model says that its lines are k, not m"},
		{"half a split", mapped("  a: {split: {path: b, part: 1, of: 2}}"), "1 of the 2 parts of b are mapped: all must be"},
		{"join of one", mapped("  a: {join: {paths: [b]}}"), "join has from 2 to 5"},
		{"compute of unknown", mapped("  n: {compute: {sum: [zz]}}"), `compute: universal model m has no field "zz"`},
		{"compute of text", mapped("  n: {compute: {sum: [a, n]}}\n  a: a"), "compute: a is no number"},
		{"computed from itself", mapped("  n: {compute: {sum: [n]}}"), "it is computed from itself: n -> n"},
		{"versions", mapped("  a: {path: b, since: x}"), "versions read like 13.0-19.0"},
		{"versions that end first", mapped("  a: {path: b, versions: 3.0-2.0}"), "end before they begin"},
		{"overlap", oneModel + "\n---\nmapping: m\nsystem: s\nversions: 1.0-\nmodel: M\nfields: {a: b}", "m of s is mapped at t.yaml:12 already, for versions that overlap"},
		{"bad domain", strings.Replace(oneModel, "model: M\n", "model: M\nwhere: [[a]]\n", 1), "a condition has three elements"},
		{"not a number", mapped("  n: {path: b, default: 0x10}"), "0x10 is not a number that JSON can write"},
		{"extends nothing", "mapping: m\nextends: true\nsystem: s\nfields: {a: b}\n---\nuniversal: m\nfields: {a: char}", "extends nothing"},
		{"test of nothing", oneModel + "\ntests: [{name: x}]", `a test has "universal" and "system"`},
		{"a cycle of lines", `universal: a
fields: {x: {type: lines, relation: b}}
---
universal: b
fields: {y: {type: lines, relation: a}}
---
{mapping: a, system: s, model: A, fields: {x: x}}
---
mapping: b
system: s
model: B
fields:
  y: y`, "t.yaml:13: y: the lines hold themselves: a -> b -> a"},
		{"lines that are not mapped", "universal: a\nfields: {x: {type: lines, relation: b}}\n---\nuniversal: b\nfields: {q: char}\n---\n{mapping: a, system: s, model: A, fields: {x: x}}", "b, its lines, is not mapped to s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := mapping.Parse("t.yaml", []byte(tc.yaml))
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.want)
			assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
			var all mapping.LoadErrors
			require.ErrorAs(t, err, &all)
			assert.Positive(t, all[0].Pos.Line)
		})
	}
}

func TestHugeFiles(t *testing.T) {
	_, err := mapping.Parse("t.yaml", []byte(strings.Repeat("# nothing\n", 1<<20)))
	require.ErrorContains(t, err, "larger than")
	_, err = mapping.Parse("t.yaml", []byte(strings.Repeat("---\na: 1\n", 2000)))
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	var all mapping.LoadErrors
	require.ErrorAs(t, err, &all)
	assert.LessOrEqual(t, len(all), 100)
}

func TestVersions(t *testing.T) {
	for _, tc := range []struct {
		versions, version string
		want              bool
	}{
		{"13.0-19.0", "13.0", true}, {"13.0-19.0", "19.0", true}, {"13.0-19.0", "19.0.1", true}, {"13.0-19.0", "12.0", false},
		{"13.0-19.0", "19.1", false}, {"17.0", "17.0", true}, {"17.0", "17.0+e", true}, {"17.0", "17.1", false}, {"17.0-", "18.0", true},
		{"-16.0", "16.0", true}, {"-16.0", "17.0", false}, {"17.0-", "saas~17.2", true}, {"62.0-", "62.0", true}, {"17.0-", "", false}, {"17-19", "19.0", true},
		{"2022-2023", "S/4HANA 2023", true},
	} {
		s, err := mapping.Parse("t.yaml", []byte("universal: m\nfields: {a: char}\n---\nmapping: m\nsystem: s\nversions: \""+tc.versions+"\"\nmodel: M\nfields: {a: b}"))
		require.NoError(t, err)
		_, err = s.Compile("s", tc.version, "m", mapping.Options{})
		if tc.want {
			assert.NoError(t, err, "%s in %s", tc.version, tc.versions)
			continue
		}
		var e *mapping.CompileError
		require.ErrorAs(t, err, &e, "%s in %s", tc.version, tc.versions)
		assert.Equal(t, mapping.VersionOutside, e.Kind)
		assert.ErrorIs(t, err, adapter.ErrUnsupported)
	}
}

func TestCompileErrors(t *testing.T) {
	s := shop(t)
	_, err := s.Compile("erp", "1.0", "custmer", mapping.Options{})
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	assert.ErrorContains(t, err, `there is no universal model "custmer" (did you mean "customer"?); there are customer, order, order_line`)
	_, err = s.Compile("sap", "", "customer", mapping.Options{})
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
	assert.ErrorContains(t, err, "customer is not mapped to sap, but to crm, erp")
	_, err = s.Compile("erp", "", "customer", mapping.Options{})
	assert.ErrorContains(t, err, "for versions 1.0-3.0, not for version that is not known")
}

// A layer above wins; one that extends changes what it names.
func TestLayers(t *testing.T) {
	base := shop(t)
	mine, err := mapping.Parse("mine.yaml", []byte(`
universal: customer
extends: true
fields: {loyalty: integer, fax: ~}
---
mapping: customer
system: erp
versions: 2.0
extends: true
fields:
  loyalty: x_loyalty
  phone: x_phone
  city: ~
`), mapping.Over(base))
	require.NoError(t, err)
	assert.NotEqual(t, base.Revision(), mine.Revision())
	assert.Equal(t, shop(t).Revision(), base.Revision())

	two := compile(t, mine, "erp", "2.0", "customer", mapping.Options{})
	v, err := two.Create(t.Context(), adapter.Record{"name": "A", "loyalty": 3, "phone": "5", "city": "X"})
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"name": "A", "x_loyalty": 3, "x_phone": "5", "customer_rank": adapterNumber("1")}, v.Record)
	assert.Len(t, v.Notes, 1)
	assert.NotContains(t, two.Names(), "fax")

	// Other versions are as they were, but that they say nothing of the new field.
	three := compile(t, mine, "erp", "3.0", "customer", mapping.Options{})
	paths, _, err := three.Fields([]string{"phone", "loyalty"})
	require.NoError(t, err)
	assert.Equal(t, []string{"phone", "mobile"}, paths)

	// The same by With, once and twice.
	again, err := base.With(mine)
	require.NoError(t, err)
	assert.Equal(t, mine.Revision(), again.Revision())
	again, err = again.With(mine)
	require.NoError(t, err)
	assert.Equal(t, mine.Revision(), again.Revision())
	same, err := base.With(nil)
	require.NoError(t, err)
	assert.Same(t, base, same)

	// A whole mapping takes the place of the one below.
	whole, err := mapping.Parse("mine.yaml", []byte("mapping: customer\nsystem: erp\nmodel: my.partner\nfields: {name: title}"), mapping.Over(base))
	require.NoError(t, err)
	p := compile(t, whole, "erp", "", "customer", mapping.Options{})
	assert.Equal(t, "my.partner", p.SystemModel())
	assert.Equal(t, "the mapping says nothing of it", p.Unsupported("phone"))
}

// JSON is YAML.
func TestJSON(t *testing.T) {
	s, err := mapping.Parse("m.json", []byte(`{"mapping": "order_line", "system": "new", "model": "L", "fields": {"product": {"path": "p"}, "price": {"path": "x", "scale": 0.01}}}`), mapping.Over(shop(t)))
	require.NoError(t, err)
	v, err := compile(t, s, "new", "", "order_line", mapping.Options{}).Create(t.Context(), adapter.Record{"price": 12})
	require.NoError(t, err)
	assert.Equal(t, adapterNumber("1200"), v.Record["x"])
}
