package odoo

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// The example of the documentation, to the letter.
func TestDocumentedExample(t *testing.T) {
	plan, err := Documented().Compile("res.partner", "13.0", "19.0")
	require.NoError(t, err)
	var record adapter.Record
	require.NoError(t, json.Unmarshal([]byte(`{"name": "Ahmed Al-Saudi", "customer": true, "phone": "+966501234567", "user_id": 5}`), &record))
	got, err := plan.Up(t.Context(), record)
	require.NoError(t, err)
	b, err := json.Marshal(got.Record)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name": "Ahmed Al-Saudi", "type": "contact", "phone_primary": "+966501234567", "sales_person_id": 5}`, string(b))
}

// The plan of the documentation; it shows the first step alone.
func TestDocumentedPlan(t *testing.T) {
	plan, err := Documented().Compile("res.partner", "13.0", "19.0")
	require.NoError(t, err)
	b, err := json.Marshal(plan)
	require.NoError(t, err)
	var got struct {
		Success bool
		From    string   `json:"from_version"`
		To      string   `json:"to_version"`
		Path    []string `json:"migration_path"`
		Steps   []struct {
			From, To string
			Changes  json.RawMessage
		}
		Complexity int
	}
	require.NoError(t, json.Unmarshal(b, &got))
	assert.True(t, got.Success)
	assert.Equal(t, "13.0", got.From)
	assert.Equal(t, "19.0", got.To)
	assert.Equal(t, []string{"13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0"}, got.Path)
	assert.Equal(t, 6, got.Complexity)
	require.Len(t, got.Steps, 6)
	assert.Equal(t, "13.0", got.Steps[0].From)
	assert.Equal(t, "14.0", got.Steps[0].To)
	var first struct {
		Removed  []string        `json:"removed_fields"`
		Renamed  json.RawMessage `json:"renamed_fields"`
		Warnings []string        `json:"warnings"`
	}
	require.NoError(t, json.Unmarshal(got.Steps[0].Changes, &first))
	assert.Equal(t, []string{"customer", "supplier"}, first.Removed)
	assert.JSONEq(t, `[]`, string(first.Renamed))
	assert.Equal(t, []string{"customer field removed, use type field"}, first.Warnings)
	for i, step := range got.Steps[1:] {
		assert.Equal(t, Versions()[i+1], step.From)
		assert.Equal(t, Versions()[i+2], step.To)
	}
}

// Every rule that the documentation names, where it names it.
func TestDocumentedRules(t *testing.T) {
	for _, c := range []struct {
		model, from, to string
		old, new        string
		warning         string
	}{
		{"res.partner", "13.0", "14.0", `{"customer": true}`, `{"type": "contact"}`, "customer field removed, use type field"},
		{"res.partner", "13.0", "14.0", `{"customer": false, "supplier": true}`, `{}`, ""},
		{"res.partner", "14.0", "15.0", `{"phone": "1", "mobile": "2"}`, `{"phone_primary": "1", "phone_secondary": "2"}`, ""},
		{"res.partner", "15.0", "16.0", `{"user_id": 5}`, `{"sales_person_id": 5}`, ""},
		{"res.partner", "16.0", "17.0", `{"street": "x"}`, `{"street": "x"}`, "address format changes (street structure)"},
		{"res.partner", "17.0", "18.0", `{}`, `{}`, "payment terms restructured"},
		{"res.partner", "18.0", "19.0", `{}`, `{}`, "enhanced contact classification"},
		{"product.product", "13.0", "14.0", `{"list_price": 5}`, `{"standard_price": 5}`, ""},
		{"product.product", "15.0", "16.0", `{"track_inventory": true}`, `{"tracking": "lot"}`, ""},
		{"product.product", "17.0", "18.0", `{}`, `{}`, "new variant system"},
		{"product.product", "18.0", "19.0", `{}`, `{}`, "enhanced attribute system"},
		{"sale.order", "14.0", "15.0", `{"state": "done"}`, `{"state": "done"}`, "workflow state changes"},
		{"sale.order", "16.0", "17.0", `{}`, `{}`, "tax calculation method changes"},
		{"sale.order", "17.0", "18.0", `{}`, `{}`, "line-level discounts enhanced"},
		{"sale.order", "13.0", "14.0", `{"x": 1}`, `{"x": 1}`, ""},
		{"account.move", "13.0", "19.0", `{"type": "entry"}`, `{"type": "entry"}`, ""},
	} {
		what := fmt.Sprintf("%s %s to %s", c.model, c.from, c.to)
		plan, err := Documented().Compile(c.model, c.from, c.to)
		require.NoError(t, err, what)
		var record adapter.Record
		require.NoError(t, json.Unmarshal([]byte(c.old), &record))
		got, err := plan.Up(t.Context(), record)
		require.NoError(t, err, what)
		b, err := json.Marshal(got.Record)
		require.NoError(t, err)
		assert.JSONEq(t, c.new, string(b), what)
		if c.warning != "" {
			assert.Contains(t, plan.Warnings(), c.warning, what)
		}
	}
}

// The documentation's plans go through every version between.
func TestDocumentedPaths(t *testing.T) {
	for from := range Versions() {
		for to := from + 1; to < len(Versions()); to++ {
			for name, pack := range Packs() {
				plan, err := pack.Compile("res.partner", Versions()[from], Versions()[to])
				require.NoError(t, err)
				assert.Equal(t, Versions()[from:to+1], plan.Path(), name)
			}
		}
	}
}

func TestExamplesBesideTheRules(t *testing.T) {
	for name, pack := range Packs() {
		results := pack.Test(t.Context())
		assert.NotEmpty(t, results, name)
		for _, r := range results {
			assert.True(t, r.Passed(), r.String())
		}
		t.Logf("%s: %d examples", name, len(results))
	}
}

// Every model of every hop compiles to the last version or says that it is
// removed.
func TestEveryModelCompiles(t *testing.T) {
	for _, pack := range Packs() {
		for _, model := range pack.Models() {
			for i, from := range Versions() {
				for _, to := range Versions()[i+1:] {
					_, err := pack.Compile(model, from, to)
					if err != nil {
						var removed *migrate.RemovedError
						assert.ErrorAs(t, err, &removed, "%s from %s to %s", model, from, to)
					}
				}
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	n := func(s string) json.Number { return json.Number(s) }
	for _, c := range []struct {
		name     string
		old, new []any
	}{
		{"account_type", []any{[]any{n("5"), "Current Assets"}, "other"}, []any{"asset_current"}},
		{"account_type", []any{false, "payable"}, []any{"liability_payable"}},
		{"account_type", []any{n("5"), "other"}, nil},
		{"account_type", []any{migrate.Absent, migrate.Absent}, nil},
		{"term_delay", []any{n("0"), n("30"), n("0"), false}, []any{"days_after", n("30")}},
		{"term_delay", []any{n("2"), n("0"), n("5"), false}, []any{"days_after", n("65")}},
		{"term_delay", []any{n("0"), n("0"), n("5"), true}, []any{"days_after_end_of_month", n("5")}},
		{"term_delay", []any{n("1"), n("0"), n("5"), true}, []any{"days_after_end_of_next_month", n("5")}},
		{"term_delay", []any{n("1"), n("15"), n("0"), true}, []any{"days_end_of_month_on_the", n("15")}},
		{"term_delay", []any{n("3"), n("0"), n("0"), true}, []any{"days_after", n("90")}},
		{"term_delay", []any{migrate.Absent, false, nil, migrate.Absent}, []any{"days_after", n("0")}},
		{"rest_of_hundred", []any{n("97.5")}, []any{n("2.5")}},
		{"rest_of_hundred", []any{n("0")}, []any{n("100")}},
		{"rest_of_hundred", []any{false}, []any{false}},
		{"list_views", []any{"tree,form"}, []any{"list,form"}},
		{"list_views", []any{"treemap, tree"}, []any{"treemap, list"}},
		{"list_views", []any{false}, []any{false}},
	} {
		got, err := functions[c.name].Up(slices.Clone(c.old))
		if c.new == nil {
			assert.ErrorIs(t, err, migrate.ErrNeedsPerson, "%s %v", c.name, c.old)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.new, got, "%s %v", c.name, c.old)
	}
	for _, bad := range [][]any{{"x", n("0"), n("0"), false}, {n("1e999999999"), n("0"), n("0"), false}} {
		_, err := functions["term_delay"].Up(bad)
		assert.Error(t, err)
	}
	_, err := functions["rest_of_hundred"].Up([]any{"many"})
	assert.Error(t, err)
}

func TestNamed(t *testing.T) {
	for name, want := range Packs() {
		got, ok := Named(name)
		assert.True(t, ok)
		assert.Same(t, want, got)
		assert.Equal(t, name, got.Name)
	}
	_, ok := Named("nope")
	assert.False(t, ok)
}
