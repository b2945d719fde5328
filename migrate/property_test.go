package migrate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// alphabet are the fields that generated packs and records share, few enough
// that rules meet each other.
var alphabet = []string{"a", "b", "c", "d", "e", "f", "g", "h"}

// values are what generated records hold, in both the forms that rules know
// and those that they do not.
func valueGen() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2, 3:
			return rapid.SampledFrom([]string{"x", "y", "z", "", "x y", "2024-02-29", "m,5", "m"}).Draw(t, "text")
		case 4, 5:
			return json.Number(rapid.SampledFrom([]string{"0", "1", "2", "5", "0.5", "0.50", "-3", "1e2"}).Draw(t, "number"))
		case 6:
			return []any{json.Number("5"), "Ann"}
		case 7:
			return []any{json.Number("5"), json.Number("6")}
		case 8:
			return []any{}
		default:
			return map[string]any{"5": json.Number("100")}
		}
	})
}

func recordGen() *rapid.Generator[adapter.Record] {
	return rapid.Custom(func(t *rapid.T) adapter.Record {
		names := rapid.SliceOfDistinct(rapid.SampledFrom(slices.Concat(alphabet, []string{"id", "x_own"})), rapid.ID).Draw(t, "fields")
		r := adapter.Record{}
		for _, n := range names {
			r[n] = valueGen().Draw(t, n)
		}
		return r
	})
}

func scalarGen() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"x", "y", "z", "1", "2", "true", "false", `"1"`})
}

// ruleText draws a rule over some fields.
func ruleText(t *rapid.T, field func() string) string {
	table := func() string {
		keys := rapid.SliceOfNDistinct(scalarGen(), 1, 4, rapid.ID).Draw(t, "keys")
		for i, k := range keys {
			keys[i] = k + ": " + rapid.SampledFrom([]string{"x", "y", "1", "true", "null"}).Draw(t, "to")
		}
		return "{" + strings.Join(keys, ", ") + "}"
	}
	value := func() string { return scalarGen().Draw(t, "value") }
	to := func() string {
		if rapid.Bool().Draw(t, "renames") {
			return ", to: " + field()
		}
		return ""
	}
	policy := func() string {
		return rapid.SampledFrom([]string{"", ", unknown: keep", ", unknown: residue", ", unknown: default, otherwise: o"}).Draw(t, "policy")
	}
	soft := func() string {
		return rapid.SampledFrom([]string{", unknown: keep", ", unknown: residue"}).Draw(t, "soft")
	}
	var s string
	switch rapid.IntRange(0, 14).Draw(t, "verb") {
	case 0, 1:
		s = fmt.Sprintf("rename: {%s: %s}", field(), field())
	case 2:
		s = "remove: " + field()
	case 3:
		s = fmt.Sprintf("remove: %s, back: %s", field(), value())
	case 4:
		s = fmt.Sprintf("remove: %s, instead: {to: %s, values: %s}", field(), field(), table())
	case 5, 6:
		s = fmt.Sprintf("map: {field: %s%s, values: %s}%s", field(), to(), table(), policy())
	case 7:
		s = fmt.Sprintf("constant: {field: %s, value: %s}", field(), value())
	case 8:
		s = fmt.Sprintf("default: {field: %s, value: %s, empty: %v}", field(), value(), rapid.Bool().Draw(t, "empty"))
	case 9:
		s = fmt.Sprintf("add: {field: %s, value: %s}", field(), value())
	case 10:
		s = fmt.Sprintf("add: {field: %s, from: %s}", field(), field())
	case 11:
		s = fmt.Sprintf("split: {field: %s, to: [%s, %s]}%s", field(), field(), field(), soft())
	case 12:
		by := rapid.SampledFrom([]string{"first", "any"}).Draw(t, "by")
		s = fmt.Sprintf("merge: {from: [%s, %s], to: %s, by: %s}", field(), field(), field(), by)
	case 13:
		as := rapid.SampledFrom([]string{"scale, by: 100", "invert", "not", "many2one_to_many2many", "many2many_to_many2one", "scalar_to_list", "list_to_scalar", "id_to_keyed", "keyed_to_id", "date_to_datetime", "text_to_html", "number_to_text"}).Draw(t, "as")
		s = fmt.Sprintf("convert: {field: %s%s, as: %s}%s", field(), to(), as, soft())
	default:
		s = fmt.Sprintf("table: {from: [%s, %s], to: [%s, %s], rows: [[[x, 1], [y, 2]], [[y, 1], [y, 2]], [[1, null], [x, true]]]}", field(), field(), field(), field())
	}
	if rapid.IntRange(0, 2).Draw(t, "conditional") == 0 {
		cond := rapid.SampledFrom([]string{"x", "[x, 1]", "{not: y}", "{empty: true}", "{empty: false}"}).Draw(t, "cond")
		s += fmt.Sprintf(", when: {%s: %s}", field(), cond)
	}
	return "{" + s + "}"
}

// packGen draws a pack of some hops; rules that contradict earlier ones are
// left out.
func packGen() *rapid.Generator[map[string][]byte] {
	return packsOf(func(string) bool { return true })
}

// packsOf is packGen with the rules that suit alone.
func packsOf(suits func(rule string) bool) *rapid.Generator[map[string][]byte] {
	return rapid.Custom(func(t *rapid.T) map[string][]byte {
		files := map[string][]byte{}
		hops := rapid.IntRange(1, 4).Draw(t, "hops")
		for h := range hops {
			head := fmt.Sprintf("pack: p\nfrom: v%d\nto: v%d\nmodels:\n  m:\n    rules:\n", h, h+1)
			field := func() string { return rapid.SampledFrom(alphabet).Draw(t, "field") }
			var kept string
			for range rapid.IntRange(0, 5).Draw(t, "rules") {
				rule := ruleText(t, field)
				if !suits(rule) {
					continue
				}
				try := kept + "      - " + rule + "\n"
				if _, err := migrate.LoadFiles(map[string][]byte{"p.yaml": []byte(head + try)}); err == nil {
					kept = try
				}
			}
			if kept == "" {
				kept = "      - {remove: unused}\n"
			}
			files[fmt.Sprintf("h%d.yaml", h)] = []byte(head + kept)
		}
		return files
	})
}

func drawPlan(t *rapid.T) *migrate.Plan {
	files := packGen().Draw(t, "pack")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		t.Logf("%s", files[name])
	}
	p, err := migrate.LoadFiles(files)
	require.NoError(t, err)
	versions := p.Versions()
	plan, err := p.CompileWith("m", versions[0], versions[len(versions)-1], migrate.Options{AllowLoss: true, Partial: rapid.Bool().Draw(t, "partial")})
	require.NoError(t, err)
	return plan
}

// TestFusedIsStepwise holds the one pass over all hops against hop by hop:
// same records, same residues, up and down, with residue and without.
func TestFusedIsStepwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		steps, err := plan.Stepwise()
		require.NoError(t, err)
		r := recordGen().Draw(t, "record")
		fused, err := plan.Up(t.Context(), r)
		one, err1 := steps.Up(t.Context(), r)
		require.Equal(t, err1 == nil, err == nil, "%v, %v", err, err1)
		if err != nil {
			return
		}
		require.Equal(t, one, fused)
		want, err1 := steps.Down(t.Context(), one.Record, one.Residue)
		got, err := plan.Down(t.Context(), one.Record, one.Residue)
		require.Equal(t, err1 == nil, err == nil, "%v, %v", err, err1)
		require.Equal(t, want.Record, got.Record)
		other := recordGen().Draw(t, "new record")
		want, err1 = steps.Down(t.Context(), other, nil)
		got, err = plan.Down(t.Context(), other, nil)
		require.Equal(t, err1 == nil, err == nil, "%v, %v", err, err1)
		require.Equal(t, want.Record, got.Record)
	})
}

// TestRoundTrip: what goes up comes down as it was, also when the residue was
// written to a file in between.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		r := recordGen().Draw(t, "record")
		got, err := plan.Up(t.Context(), r)
		if err != nil {
			return
		}
		var stored struct {
			Record  json.RawMessage
			Residue *migrate.Residue
		}
		b, err := json.Marshal(got)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &stored))
		up, err := adapter.DecodeRecord(stored.Record)
		require.NoError(t, err)
		back, err := plan.Down(t.Context(), up, stored.Residue)
		require.NoError(t, err)
		require.Equal(t, r, back.Record)
	})
}
