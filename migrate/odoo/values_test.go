package odoo

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// A key that the old version has too, and that a table makes of another one,
// must be listed as itself: going back it would be taken for the other
// ("contact" for "private") by every app that is pinned to the old version.
func TestKeysOfBothVersionsReadBackAsThemselves(t *testing.T) {
	seen := 0
	for _, hop := range Community().Hops {
		for _, model := range hop.Models {
			schema, known := Schema(hop.From, model.Name)
			if !known {
				continue
			}
			for _, rule := range model.Rules {
				if rule.Verb != migrate.Map || rule.From[0] != rule.To[0] {
					continue
				}
				old := map[string]bool{}
				for _, option := range schema.Fields[rule.From[0]].Selection {
					old[option.Value] = true
				}
				listed := map[string]bool{}
				for _, row := range rule.Values {
					listed[fmt.Sprint(row.From[0])] = true
				}
				for _, row := range rule.Values {
					key, isText := row.To[0].(string)
					seen++
					assert.False(t, isText && old[key] && !listed[key],
						"%s:%d: %s.%s: %q stays as it is too, and must be listed", rule.Pos.File, rule.Pos.Line, model.Name, rule.From[0], key)
				}
			}
		}
	}
	assert.Greater(t, seen, 20, "tables over fields whose schema is known")
}

// What an app of 15.0 reads of a 19.0: the common key, not the one that became
// it, and it finds the records by it.
func TestCommonKeysAreReadAsTheyAre(t *testing.T) {
	for _, c := range []struct{ model, field, key string }{
		{"res.partner", "type", "contact"},
		{"res.users", "type", "contact"},
		{"sale.order.line", "state", "sale"},
		{"purchase.order.line", "state", "purchase"},
		{"sale.order.line", "product_type", "consu"},
		{"purchase.order.line", "product_type", "consu"},
		{"res.company", "layout_background", "Blank"},
		{"ir.actions.act_window", "target", "current"},
	} {
		lens, err := Community().Lens(c.model, "15.0", "19.0", migrate.LensOptions{})
		require.NoError(t, err)
		record, _, err := lens.Record(t.Context(), adapter.Record{"id": 1, c.field: c.key}, []string{c.field})
		require.NoError(t, err)
		assert.Equal(t, c.key, record[c.field], "%s.%s", c.model, c.field)
		filter, _, err := lens.Filter(adapter.Cond{Field: c.field, Op: adapter.Equal, Value: c.key})
		require.NoError(t, err)
		matches, err := adapter.Match(filter, adapter.Record{"id": 1, c.field: c.key}, adapter.MatchOptions{})
		require.NoError(t, err)
		assert.True(t, matches, "%s.%s: %v", c.model, c.field, filter)
	}
}

// 19.0 has one phone number: which of two was given up is said.
func TestASecondNumberIsNotLostUnsaid(t *testing.T) {
	lens, err := Community().Lens("res.partner", "15.0", "19.0", migrate.LensOptions{})
	require.NoError(t, err)
	values, warnings, err := lens.Values(t.Context(), adapter.Record{"phone": "222", "mobile": "111"})
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"phone": "222"}, values)
	require.Len(t, warnings, 1)
	assert.Equal(t, "mobile", warnings[0].Field)
}
