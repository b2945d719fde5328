package mappings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/mapping"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

func own(model, fields string) store.Mapping {
	return store.Mapping{Model: model, Source: "mapping: " + model + "\nsystem: odoo\nextends: true\nfields:\n  " + fields + "\n"}
}

// One saved mapping that can't be used any more hinders no other, and says so
// where it is used.
func TestAMappingThatCanNoLongerBeUsed(t *testing.T) {
	m := mappings.New(standard.Set(), standard.Source)
	set, err := m.Layer("odoo", nil)
	require.NoError(t, err)
	assert.Nil(t, set)

	broken := own("product", "no_such_field: {path: name}")
	set, err = m.Layer("odoo", []store.Mapping{own("contact", "industry: {path: function}"), broken, own("user", "login: {pathh: x}")})
	require.NoError(t, err)
	plan, err := set.Compile("odoo", "17.0", "contact", mapping.Options{})
	require.NoError(t, err)
	fields, _, err := plan.Fields([]string{"industry"})
	require.NoError(t, err)
	assert.Contains(t, fields, "function")
	for model, reason := range map[string]string{"product": "no_such_field", "user": "pathh"} {
		_, err = set.Compile("odoo", "17.0", model, mapping.Options{})
		assert.ErrorIs(t, err, adapter.ErrUnsupported, model)
		assert.ErrorContains(t, err, "can't be used any more", model)
		assert.ErrorContains(t, err, reason, model)
	}
	_, err = set.Compile("sap", "", "product", mapping.Options{})
	assert.NoError(t, err, "other systems have theirs")

	entries := m.Overview("odoo", "17.0", []store.Mapping{broken})
	for _, e := range entries {
		assert.Equal(t, e.Model == "product", e.Own != nil, e.Model)
		assert.Equal(t, e.Model == "product", e.SystemModel == "", e.Model)
	}
	assert.Greater(t, len(entries), 8)
}

func TestStandardSource(t *testing.T) {
	m := mappings.New(standard.Set(), standard.Source)
	for _, model := range standard.Set().Models() {
		for _, kind := range []string{"odoo", "salesforce", "sap"} {
			text, err := m.StandardSource(kind, model.Name)
			require.NoError(t, err, "%s of %s", model.Name, kind)
			assert.Contains(t, text, "mapping: "+model.Name)
			assert.Equal(t, strings.Count(text, "\nsystem: "), strings.Count(text, "\nsystem: "+kind), "those of other kinds are left out")
			assert.NotContains(t, text, "universal: "+model.Name)
			// As it is, it can be used as one's own.
			set, err := mapping.Parse("x", []byte(text), mapping.Over(standard.Set()))
			require.NoError(t, err, "%s of %s", model.Name, kind)
			assert.NotNil(t, set)
		}
	}
	_, err := m.StandardSource("odoo", "no_such")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = m.StandardSource("odoo", "../standard")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = m.StandardSource("dynamics", "contact")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}
