package bridge

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// What an upsert does not name stays as it is in a record that is there: neither
// what a new record is given unless told otherwise, nor the rest of a text that
// holds two fields.
func TestUniversalUpsertsLeaveTheRestAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		model, key, value string
		first, then, want adapter.Record
	}{
		"sap":             {"product", "default_code", "UPSERTED", adapter.Record{"weight": 1.5, "weight_unit": "g", "categ_id": "L002"}, adapter.Record{"weight": 2.5}, adapter.Record{"weight": 2.5, "weight_unit": "g", "categ_id": "L002"}},
		"odoo 17.0":       {"person", "external_id", "app.sara", adapter.Record{"first_name": "Sara", "last_name": "Ali"}, adapter.Record{"first_name": "Sarah"}, adapter.Record{"first_name": "Sarah", "last_name": "Ali"}},
		"salesforce 62.0": {"opportunity", "External_Id__c", "one", adapter.Record{"name": "First", "stage": "Closed Won", "close_date": "2026-01-02"}, adapter.Record{"name": "Then"}, adapter.Record{"name": "Then", "stage": "Closed Won", "close_date": "2026-01-02"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := simulation(t, name, nil)
			id, created, err := s.Upsert(t.Context(), tc.model, tc.key, tc.value, tc.first)
			require.NoError(t, err)
			assert.True(t, created)
			again, created, err := s.Upsert(t.Context(), tc.model, tc.key, tc.value, tc.then)
			require.NoError(t, err)
			assert.False(t, created)
			assert.Equal(t, id, again)
			a, err := s.Read(t.Context(), Reading{ID: id, Query: adapter.Query{Model: tc.model}})
			require.NoError(t, err)
			records, err := a.Records()
			require.NoError(t, err)
			for field, want := range tc.want {
				assert.Equal(t, fmt.Sprint(want), fmt.Sprint(records[0][field]), field)
			}
		})
	}
}

// A record that is none of the universal model is not made one.
func TestUniversalUpsertsChangeTheirOwnAlone(t *testing.T) {
	_, u := simulation(t, "odoo 17.0", nil)
	s := u.native()
	company, _, err := s.Upsert(t.Context(), "res.partner", "external_id", "app.acme", adapter.Record{"name": "Acme", "is_company": true})
	require.NoError(t, err)
	_, _, err = u.Upsert(t.Context(), "person", "external_id", "app.acme", adapter.Record{"first_name": "Sara", "last_name": "Ali"})
	require.ErrorIs(t, err, adapter.ErrNotFound)
	a, err := s.Read(t.Context(), Reading{ID: company, Query: adapter.Query{Model: "res.partner", Fields: []string{"name", "is_company"}}})
	require.NoError(t, err)
	records, err := a.Records()
	require.NoError(t, err)
	assert.Equal(t, "Acme", records[0]["name"])
	assert.Equal(t, true, records[0]["is_company"])
}

func TestUniversalUpsertsThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		model, key string
		values     adapter.Record
		field      string
	}{
		"sap":             {"product", "default_code", adapter.Record{"name": "Behind"}, "name"},
		"odoo 17.0":       {"person", "nope", adapter.Record{"first_name": "Sara", "last_name": "Ali"}, "key"},
		"salesforce 62.0": {"opportunity", "name", adapter.Record{"stage": "Closed Won"}, "name"},
	} {
		_, s := simulation(t, name, nil)
		_, _, err := s.Upsert(t.Context(), tc.model, tc.key, "X", tc.values)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, name)
		e, ok := errors.AsType[*adapter.Error](err)
		require.True(t, ok)
		assert.Equal(t, tc.field, e.Field, name)
	}
}

// Observers hear of an upsert as of what it was.
func TestUpsertsAreTold(t *testing.T) {
	seen := &watcher{}
	_, u := simulation(t, "odoo 17.0", func(c *Config) { c.Observer = seen })
	s := u.native()
	id, _, err := s.Upsert(t.Context(), "res.partner", "external_id", "app.told", adapter.Record{"name": "Told"})
	require.NoError(t, err)
	_, _, err = u.Upsert(t.Context(), "contact", "external_id", "app.told", adapter.Record{"name": "Told again"})
	require.NoError(t, err)
	require.Len(t, seen.changes, 2)
	for i, method := range []string{"create", "write"} {
		assert.Equal(t, method, seen.changes[i].Operation)
		assert.Equal(t, []adapter.ID{id}, seen.changes[i].IDs)
	}
}
