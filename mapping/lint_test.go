package mapping_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

const doubtful = `universal: m
fields:
  a: char
  b: char
  c: char
  s: {type: selection, values: [x, y, z]}
  n: float
  t: datetime
  nowhere: char
---
mapping: m
system: s
model: M
fields:
  a: p
  b: p
  s: {path: state, values: {x: 1, y: 1}}
  n: {path: n, scale: 3, round: 2}
  t: {path: day, as: date}
  nowhere: ~
---
mapping: m
system: other
model: O
fields:
  a: gone
  b: {path: fixed}
  c: {path: rel.zz}
  s: {path: state, values: {x: one, y: two, z: three}, doc: all}
  n: {path: n, scale: 3, round: 2, doc: thirds are rounded}
  t: {path: at, write_only: true}
  nowhere: {unsupported: no}
tests: [{name: x, fields: [a], reads: [gone]}]
---
mapping: m
system: third
model: T
fields: {a: a, b: b, c: c, s: s, n: n, t: t, nowhere: ~}
tests: [{name: x, fields: [a], reads: [a]}]
`

func findings(tb testing.TB, schemas mapping.Schemas) []string {
	tb.Helper()
	s, err := mapping.Parse("m.yaml", []byte(doubtful))
	require.NoError(tb, err)
	var out []string
	for _, f := range s.Lint(schemas) {
		out = append(out, f.String())
	}
	return out
}

func TestLint(t *testing.T) {
	assert.Equal(t, []string{
		"m.yaml:9: gap: nowhere: no system has it",
		"m.yaml:11: no_test: m of s has no test beside it",
		`m.yaml:11: gap: c: m of s says nothing of it; map it, or say that it is unsupported`,
		"m.yaml:16: same_target: a and b are both written to p",
		`m.yaml:17: irreversible: s: "y" reads back as "x"`,
		`m.yaml:17: missing_value: s: the value "z" has no counterpart on s`,
		"m.yaml:18: irreversible: n: it is rounded to 2 digits",
		"m.yaml:19: irreversible: t: the time of day is lost",
		"m.yaml:31: irreversible: t: it can't be read back",
	}, findings(t, nil))
}

// With schemas the system's side is looked at too.
func TestLintWithSchemas(t *testing.T) {
	schemas := func(system, _, model string) *adapter.Schema {
		switch {
		case system == "other" && model == "O":
			return &adapter.Schema{Model: "O", Fields: map[string]adapter.Field{
				"fixed": {Readonly: true}, "rel": {Relation: "R"}, "n": {}, "at": {},
				"state": {Type: adapter.Selection, Selection: []adapter.Option{{Value: "one"}, {Value: "two"}}},
			}}
		case system == "other" && model == "R":
			return &adapter.Schema{Model: "R", Fields: map[string]adapter.Field{"z": {}}}
		}
		return nil
	}
	bare := findings(t, nil)
	var more []string
	for _, f := range findings(t, schemas) {
		if len(bare) > 0 && f == bare[0] {
			bare = bare[1:]
			continue
		}
		more = append(more, f)
	}
	assert.Empty(t, bare)
	assert.Equal(t, []string{
		"m.yaml:26: unknown_field: a is mapped to gone, and O has no field gone",
		"m.yaml:27: readonly: b: fixed of O can't be written on other; say read_only",
		`m.yaml:28: unknown_field: c is mapped to rel.zz, and R has no field zz (did you mean "z"?)`,
		`m.yaml:29: unknown_value: s: state of O has no value "three"`,
	}, more)
}

// A finding that every version has is said once.
func TestLintVersions(t *testing.T) {
	s, err := mapping.Parse("m.yaml", []byte(`universal: m
fields: {a: char}
---
mapping: m
system: s
versions: 13.0-16.0
model: M
fields: {a: a}
tests: [{name: x, fields: [a], reads: [a]}]
---
mapping: m
system: s
versions: 17.0-
model: N
fields: {a: a}
tests: [{name: x, fields: [a], reads: [a]}]
`))
	require.NoError(t, err)
	var asked []string
	found := s.Lint(func(_, version, model string) *adapter.Schema {
		asked = append(asked, version)
		if version == "17.0" && model == "M" {
			return &adapter.Schema{}
		}
		if model == "N" || version < "15" {
			return nil
		}
		return &adapter.Schema{Model: model, Fields: map[string]adapter.Field{"b": {}}}
	})
	require.Len(t, found, 2)
	assert.Equal(t, "15.0", found[0].Version)
	assert.Equal(t, "m.yaml:11: unknown_model: the schemas of s know no model N", found[1].String())
	assert.Subset(t, asked, []string{"13.0", "14.0", "15.0", "16.0", "17.0"})
}

func TestCoverage(t *testing.T) {
	c := shop(t).Coverage()
	assert.Equal(t, []string{"crm", "erp"}, c.Systems)
	require.Len(t, c.Models, 3)
	assert.Equal(t, `| field | type | crm | erp |
|---|---|---|---|
| product | char | `+"`Product2.Name` (read) | `name`"+` |
| quantity | float | `+"`Quantity` | `qty`"+` |
| price | monetary | `+"`UnitPrice` | `price_unit`"+` |
| subtotal | monetary | `+"`multiply(quantity, price)` (read) | `price_subtotal` (read)"+` |
`, tableOf(t, c.String(), "order_line"))
	customer := tableOf(t, c.String(), "customer")
	assert.Contains(t, customer, "| email | char | `Emails[].Address` | `email` in 2.0-<br>`mail` in -1.9 |")
	assert.Contains(t, customer, "| tags | list | - | `category_ids.name` (read) |")
	assert.Contains(t, customer, "| login | char | - | `login` (read, create) |")
	assert.Contains(t, customer, "| password | char | - | `password` (write) |")
	assert.Contains(t, customer, "| source | char | `Source` | `= \"erp\"` (read) |")
	assert.Contains(t, c.String(), "- tags, crm: no tags\n")
	assert.Contains(t, c.String(), "- seen_at, crm: days alone\n")
	assert.Contains(t, c.String(), "| [order](#order) | `Order`, 5 of 6 fields | `sale.order`, 6 of 6 fields |")
}

// tableOf cuts the table of a model out.
func tableOf(tb testing.TB, s, model string) string {
	tb.Helper()
	_, rest, ok := strings.Cut(s, "## "+model+"\n")
	require.True(tb, ok)
	_, table, ok := strings.Cut(rest, "| field")
	require.True(tb, ok)
	if before, _, ends := strings.Cut(table, "\n\n"); ends {
		table = before + "\n"
	}
	return "| field" + table
}
