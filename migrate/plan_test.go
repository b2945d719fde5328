package migrate_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

func record(tb testing.TB, text string) adapter.Record {
	tb.Helper()
	r, err := adapter.DecodeRecord([]byte(text))
	require.NoError(tb, err)
	return r
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(b)
}

func compile(tb testing.TB, p *migrate.Pack, model, from, to string, opts migrate.Options) *migrate.Plan {
	tb.Helper()
	plan, err := p.CompileWith(model, from, to, opts)
	require.NoError(tb, err)
	return plan
}

func TestTestsBesideRules(t *testing.T) {
	results := example(t).Test(t.Context())
	assert.NotEmpty(t, results)
	for _, r := range results {
		assert.True(t, r.Passed(), "%s", r)
	}
	wrong := load(t, "pack: p\nfrom: 1\nto: 2\nmodels:\n  m:\n    rules: [{rename: {a: b}}]\n    tests: [{name: x, up: {a: 1}, gives: {b: 2}}]")
	results = wrong.Test(t.Context())
	require.Len(t, results, 1)
	assert.Contains(t, results[0].String(), "FAIL  pack.yaml:7: m, 1 to 2: x\n      gives: b is 1, want 2")
}

// TestRules has one line for each thing a rule can do: a record up, what it
// becomes, what goes to the residue, and what comes back without it.
func TestRules(t *testing.T) {
	for name, tc := range map[string]struct{ rules, up, want, residue, down string }{
		"swap":                   {`[{rename: {a: b, b: a}}]`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, "", `{"a":1,"b":2}`},
		"swap of one":            {`[{rename: {a: b, b: a}}]`, `{"a":1}`, `{"b":1}`, "", `{"a":1}`},
		"circle":                 {`[{rename: {a: b, b: c, c: a}}]`, `{"a":1,"b":2,"c":3}`, `{"a":3,"b":1,"c":2}`, "", `{"a":1,"b":2,"c":3}`},
		"displaced":              {`[{rename: {a: b}}]`, `{"a":1,"b":2}`, `{"b":1}`, `{"b":2}`, `{"a":1}`},
		"displaced by nothing":   {`[{rename: {a: b}}]`, `{"b":2}`, `{}`, `{"b":2}`, `{}`},
		"removed":                {`[{remove: a}]`, `{"a":1,"z":2}`, `{"z":2}`, `{"a":1}`, `{"z":2}`},
		"removed with back":      {`[{remove: a, back: 7}]`, `{"a":1}`, `{}`, `{"a":1}`, `{"a":7}`},
		"removed, was not":       {`[{remove: a, back: 7}]`, `{}`, `{}`, `{}`, `{"a":7}`},
		"instead":                {`[{remove: c, instead: {to: t, values: {true: contact}}}]`, `{"c":true}`, `{"t":"contact"}`, `{"c":true}`, `{"t":"contact"}`},
		"instead stands back":    {`[{remove: c, instead: {to: t, values: {true: contact}}}]`, `{"c":true,"t":"x"}`, `{"t":"x"}`, `{"c":true}`, `{"t":"x"}`},
		"map":                    {`[{map: {field: a, values: {x: y}}}]`, `{"a":"x"}`, `{"a":"y"}`, "", `{"a":"x"}`},
		"map keeps unknown":      {`[{map: {field: a, values: {x: y}}}]`, `{"a":"q"}`, `{"a":"q"}`, "", `{"a":"q"}`},
		"map two to one":         {`[{map: {field: a, values: {x: z, y: z}}}]`, `{"a":"y"}`, `{"a":"z"}`, `{"a":"y"}`, `{"a":"x"}`},
		"map unknown residue":    {`[{map: {field: a, values: {x: y}}, unknown: residue}]`, `{"a":"q"}`, `{}`, `{"a":"q"}`, `{}`},
		"map unknown default":    {`[{map: {field: a, values: {x: y}}, unknown: default, otherwise: d}]`, `{"a":"q"}`, `{"a":"d"}`, `{"a":"q"}`, `{"a":"d"}`},
		"map no counterpart":     {`[{map: {field: a, values: {x: null}}}]`, `{"a":"x"}`, `{}`, `{"a":"x"}`, `{}`},
		"map with back":          {`[{map: {field: a, values: {x: z, y: z}}, back: {z: y}}]`, `{"a":"x"}`, `{"a":"z"}`, `{"a":"x"}`, `{"a":"y"}`},
		"map typed keys":         {`[{map: {field: a, values: {1: one, "1": text, true: yes}}}]`, `{"a":1}`, `{"a":"one"}`, "", `{"a":1}`},
		"map to another":         {`[{map: {field: a, to: b, values: {x: y}}}]`, `{"a":"x"}`, `{"b":"y"}`, "", `{"a":"x"}`},
		"map leaves false":       {`[{map: {field: a, values: {x: y}}, unknown: error}]`, `{"a":false}`, `{"a":false}`, "", `{"a":false}`},
		"table":                  {`[{table: {from: [t], to: [t, s], rows: [[p, [c, true]], [c, [c, false]]]}}]`, `{"t":"p"}`, `{"t":"c","s":true}`, "", `{"t":"p"}`},
		"table, other row":       {`[{table: {from: [t], to: [t, s], rows: [[p, [c, true]], [c, [c, false]]]}}]`, `{"t":"c"}`, `{"t":"c","s":false}`, "", `{"t":"c"}`},
		"text to html":           {`[{convert: {field: a, as: text_to_html}}]`, `{"a":"x < y\nz"}`, `{"a":"<p>x &lt; y<br>z</p>"}`, "", `{"a":"x < y\nz"}`},
		"one to many, pair":      {`[{convert: {field: a, to: b, as: many2one_to_many2many}}]`, `{"a":[5,"Ann"]}`, `{"b":[5]}`, `{"a":[5,"Ann"]}`, `{"a":5}`},
		"one to many, id":        {`[{convert: {field: a, to: b, as: many2one_to_many2many}}]`, `{"a":5}`, `{"b":[[6,0,[5]]]}`, "", `{"a":5}`},
		"one to many, none":      {`[{convert: {field: a, to: b, as: many2one_to_many2many}}]`, `{"a":false}`, `{"b":[]}`, "", `{"a":false}`},
		"many to one":            {`[{convert: {field: a, to: b, as: many2many_to_many2one}}]`, `{"a":[5,6]}`, `{"b":5}`, `{"a":[5,6]}`, `{"a":[[6,0,[5]]]}`},
		"scale":                  {`[{convert: {field: a, as: scale, by: 100}}]`, `{"a":0.07}`, `{"a":7}`, "", `{"a":0.07}`},
		"scale keeps literal":    {`[{convert: {field: a, as: scale, by: 100}}]`, `{"a":0.50}`, `{"a":50}`, `{"a":0.50}`, `{"a":0.5}`},
		"invert":                 {`[{convert: {field: a, as: invert}}]`, `{"a":8}`, `{"a":0.125}`, "", `{"a":8}`},
		"invert third":           {`[{convert: {field: a, as: invert}}]`, `{"a":3}`, `{"a":0.3333333333333333}`, `{"a":3}`, `{"a":3.0000000000000003}`},
		"not":                    {`[{convert: {field: a, to: b, as: not}}]`, `{"a":false}`, `{"b":true}`, "", `{"a":false}`},
		"date to moment":         {`[{convert: {field: a, as: date_to_datetime, time: "23:59:59"}}]`, `{"a":"2024-02-29"}`, `{"a":"2024-02-29 23:59:59"}`, "", `{"a":"2024-02-29"}`},
		"moment to date":         {`[{convert: {field: a, as: datetime_to_date}}]`, `{"a":"2024-02-29 10:00:00"}`, `{"a":"2024-02-29"}`, `{"a":"2024-02-29 10:00:00"}`, `{"a":"2024-02-29 00:00:00"}`},
		"to list":                {`[{convert: {field: a, as: scalar_to_list}}]`, `{"a":"x"}`, `{"a":["x"]}`, "", `{"a":"x"}`},
		"keyed by id":            {`[{convert: {field: a, to: b, as: id_to_keyed}}]`, `{"a":5}`, `{"b":{"5":100}}`, "", `{"a":5}`},
		"number to text":         {`[{convert: {field: a, as: number_to_text}}]`, `{"a":5.0}`, `{"a":"5.0"}`, "", `{"a":5.0}`},
		"bool to text":           {`[{convert: {field: a, as: bool_to_text, true: "y", false: "n"}}]`, `{"a":false}`, `{"a":"n"}`, "", `{"a":false}`},
		"convert unfit, kept":    {`[{convert: {field: a, as: scale, by: 2}, unknown: residue}]`, `{"a":"x"}`, `{}`, `{"a":"x"}`, `{}`},
		"constant":               {`[{constant: {field: a, value: 1}}]`, `{"a":2}`, `{"a":1}`, `{"a":2}`, `{}`},
		"default fills":          {`[{default: {field: a, value: 1}}]`, `{}`, `{"a":1}`, `{}`, `{"a":1}`},
		"default leaves":         {`[{default: {field: a, value: 1}}]`, `{"a":false}`, `{"a":false}`, "", `{"a":false}`},
		"default over false":     {`[{default: {field: a, value: 1}, note: x}]`, `{"a":""}`, `{"a":1}`, `{"a":""}`, `{"a":1}`},
		"default empty":          {`[{default: {field: a, value: 1, empty: true}}]`, `{"a":false}`, `{"a":1}`, `{"a":false}`, `{"a":1}`},
		"add":                    {`[{add: {field: a, value: 1}}]`, `{}`, `{"a":1}`, "", `{}`},
		"add from another":       {`[{add: {field: a, from: b}}]`, `{"b":3}`, `{"a":3,"b":3}`, "", `{"b":3}`},
		"add by table":           {`[{add: {field: a, from: b, values: {x: y}}}]`, `{"b":"x"}`, `{"a":"y","b":"x"}`, "", `{"b":"x"}`},
		"split":                  {`[{split: {field: a, to: [b, c]}}]`, `{"a":"x y z"}`, `{"b":"x","c":"y z"}`, "", `{"a":"x y z"}`},
		"split without":          {`[{split: {field: a, to: [b, c]}}]`, `{"a":"x"}`, `{"b":"x"}`, "", `{"a":"x"}`},
		"split false":            {`[{split: {field: a, to: [b, c]}}]`, `{"a":false}`, `{"b":false}`, "", `{"a":false}`},
		"join":                   {`[{merge: {from: [a, b], to: c, by: join}}]`, `{"a":"x","b":"y"}`, `{"c":"x y"}`, "", `{"a":"x","b":"y"}`},
		"first":                  {`[{merge: {from: [a, b], to: c, by: first}}]`, `{"a":false,"b":5}`, `{"c":5}`, `{"a":false,"b":5}`, `{"a":5}`},
		"first, back all":        {`[{merge: {from: [a, b], to: c, by: first}, back: all}]`, `{"a":5,"b":5}`, `{"c":5}`, "", `{"a":5,"b":5}`},
		"any":                    {`[{merge: {from: [a, b], to: c, by: any}}]`, `{"a":false,"b":true}`, `{"c":true}`, `{"a":false,"b":true}`, `{"a":true}`},
		"sum":                    {`[{merge: {from: [a, b], to: c, by: sum}}]`, `{"a":0.1,"b":0.2}`, `{"c":0.3}`, `{"a":0.1,"b":0.2}`, `{"a":0.3}`},
		"union":                  {`[{merge: {from: [a, b], to: c, by: union}}]`, `{"a":[1,2],"b":[2,3]}`, `{"c":[1,2,3]}`, `{"a":[1,2],"b":[2,3]}`, `{"a":[1,2,3]}`},
		"condition holds":        {`[{rename: {a: b}, when: {k: x}}]`, `{"a":1,"k":"x"}`, `{"b":1,"k":"x"}`, "", `{"a":1,"k":"x"}`},
		"condition fails":        {`[{rename: {a: b}, when: {k: x}}]`, `{"a":1,"k":"y"}`, `{"a":1,"k":"y"}`, "", `{"a":1,"k":"y"}`},
		"condition not":          {`[{remove: a, when: {k: {not: [x, y]}}}]`, `{"a":1,"k":"z"}`, `{"k":"z"}`, `{"a":1}`, `{"k":"z"}`},
		"condition empty":        {`[{remove: a, when: {k: {empty: true}}}]`, `{"a":1,"k":false}`, `{"k":false}`, `{"a":1}`, `{"k":false}`},
		"condition on pair":      {`[{remove: a, when: {k: 5}}]`, `{"a":1,"k":[5,"x"]}`, `{"k":[5,"x"]}`, `{"a":1}`, `{"k":[5,"x"]}`},
		"alternatives":           {`[{map: {field: a, values: {x: y}}, when: {k: 1}}, {map: {field: a, values: {x: z}}}]`, `{"a":"x","k":2}`, `{"a":"z","k":2}`, "", `{"a":"x","k":2}`},
		"condition on a removed": {`[{rename: {a: b}, when: {k: x}}, {remove: k}]`, `{"a":1,"k":"x"}`, `{"b":1}`, `{"k":"x"}`, `{"b":1}`},
		"conditions in a circle": {`[{rename: {a: b}, when: {c: x}}, {rename: {c: d}, when: {a: y}}]`, `{"a":"y","c":"x"}`, `{"b":"y","d":"x"}`, `{"a":"y"}`, `{"b":"y","d":"x"}`},
		"map prefers the same":   {`[{map: {field: a, values: {x: y, y: y}}}]`, `{"a":"y"}`, `{"a":"y"}`, "", `{"a":"y"}`},
		"condition on itself":    {`[{rename: {a: b}, when: {a: 1}}]`, `{"a":1}`, `{"b":1}`, "", `{"a":1}`},
		"untouched":              {`[{meaning: a, note: other}]`, `{"a":1,"x":[{"y":null}]}`, `{"a":1,"x":[{"y":null}]}`, "", `{"a":1,"x":[{"y":null}]}`},
		"model name":             {`[{model_name: a}]`, `{"a":"lot"}`, `{"a":"batch"}`, "", `{"a":"lot"}`},
		"reference":              {`[{reference: a}]`, `{"a":"lot,5"}`, `{"a":"batch,5"}`, "", `{"a":"lot,5"}`},
		"reference to others":    {`[{reference: a}]`, `{"a":"x.y,5"}`, `{"a":"x.y,5"}`, "", `{"a":"x.y,5"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, "pack: p\nfrom: a\nto: b\nmodels:\n  lot: {to: batch}\n  m:\n    rules: "+tc.rules)
			plan := compile(t, p, "m", "a", "b", migrate.Options{AllowLoss: true})
			up := record(t, tc.up)
			got, err := plan.Up(t.Context(), up)
			require.NoError(t, err)
			assert.JSONEq(t, tc.want, asJSON(t, got.Record))
			assert.Equal(t, record(t, tc.up), up, "the record itself is left alone")
			if tc.residue == "" {
				assert.True(t, got.Residue.Empty())
			} else if assert.False(t, got.Residue.Empty()) {
				assert.JSONEq(t, tc.residue, asJSON(t, got.Residue.Kept[0].Old))
			}
			var residue migrate.Residue
			require.NoError(t, json.Unmarshal([]byte(asJSON(t, got.Residue)), &residue))
			back, err := plan.Down(t.Context(), record(t, asJSON(t, got.Record)), &residue)
			require.NoError(t, err)
			assert.Equal(t, up, back.Record, "down(up(r)) = r, through JSON")
			back, err = plan.Down(t.Context(), got.Record, nil)
			require.NoError(t, err)
			assert.JSONEq(t, tc.down, asJSON(t, back.Record), "without residue")
		})
	}
}

// What left nothing behind comes back with the residue that says so; without
// any residue nobody knows.
func TestNothingLostIsNotNothingKnown(t *testing.T) {
	plan := compile(t, load(t, head+"      - rename: {a: b}\n      - remove: gone"), "m", "1.0", "2.0", migrate.Options{})
	steps, err := plan.Stepwise()
	require.NoError(t, err)
	old := record(t, `{"a":1}`)
	for _, up := range []func(context.Context, adapter.Record) (migrate.Result, error){plan.Up, steps.Up} {
		got, err := up(t.Context(), old)
		require.NoError(t, err)
		require.NotNil(t, got.Residue)
		assert.True(t, got.Residue.Empty())
		var stored migrate.Result
		require.NoError(t, json.Unmarshal([]byte(asJSON(t, got)), &stored))
		require.NotNil(t, stored.Residue, "%s", asJSON(t, got))
		back, err := plan.Down(t.Context(), got.Record, stored.Residue)
		require.NoError(t, err)
		assert.Equal(t, old, back.Record)
		_, err = plan.Down(t.Context(), got.Record, nil)
		var missing *migrate.MissingError
		require.ErrorAs(t, err, &missing)
		assert.Equal(t, []string{"gone"}, missing.Fields)
	}
	bare := compile(t, load(t, head+"      - rename: {a: b}"), "m", "1.0", "2.0", migrate.Options{NoResidue: true})
	got, err := bare.Up(t.Context(), old)
	require.NoError(t, err)
	assert.Nil(t, got.Residue)
}
