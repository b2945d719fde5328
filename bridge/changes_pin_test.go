package bridge_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
)

// An app of 13.0 upserts and follows in the words of 13.0 what a server of 19.0
// calls otherwise.
func TestUpsertAndChangesInTheWordsOfAnotherVersion(t *testing.T) {
	srv := odootest.New(t, "19.0")
	dial := odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password}
	old, own := pinned(t, dial, "13.0"), pinned(t, dial, "")
	ctx := t.Context()
	q := bridge.ChangesQuery{Model: "product.template", Fields: []string{"name", "type"}}
	page, err := old.Changes(ctx, q)
	require.NoError(t, err)

	id, created, err := old.Upsert(ctx, "product.template", "external_id", "app.sextant", adapter.Record{"name": "Sextant", "type": "product"})
	require.NoError(t, err)
	assert.True(t, created)
	again, created, err := old.Upsert(ctx, "product.template", "external_id", "app.sextant", adapter.Record{"name": "Old sextant", "type": "product"})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, id, again)
	same, created, err := own.Upsert(ctx, "product.template", "external_id", "app.sextant", adapter.Record{"list_price": 9.5})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, id, same, "an external id is the same in all versions")
	answer, err := own.Read(ctx, bridge.Reading{ID: id, Query: adapter.Query{Model: "product.template", Fields: []string{"type", "is_storable"}}})
	require.NoError(t, err)
	assert.Contains(t, string(answer.Result), `"is_storable":true`)

	q.Cursor = page.Next
	page, err = old.Changes(ctx, q)
	require.NoError(t, err)
	require.NotEmpty(t, page.Changes)
	last := page.Changes[len(page.Changes)-1]
	assert.Equal(t, id, last.ID)
	assert.Equal(t, adapter.Record{"id": last.Record["id"], "name": "Old sextant", "type": "product"}, last.Record)
	_, err = own.Changes(ctx, bridge.ChangesQuery{Model: "product.template", Cursor: page.Next})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument, "a cursor is good for the words in which it began")

	for key, want := range map[string]error{"nope": adapter.ErrInvalidArgument, "name": adapter.ErrInvalidArgument} {
		_, _, err = old.Upsert(ctx, "product.template", key, "x", adapter.Record{"name": "x"})
		require.ErrorIs(t, err, want, key)
	}
	_, _, err = old.Upsert(ctx, "product.template", "external_id", "app.other", adapter.Record{"nope": 1})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	user, created, err := old.Upsert(ctx, "res.users", "login", "sara@example.com", adapter.Record{"name": "Sara"})
	require.NoError(t, err)
	assert.True(t, created)
	same, _, err = own.Upsert(ctx, "res.users", "login", "sara@example.com", adapter.Record{"name": "Sara"})
	require.NoError(t, err)
	assert.Equal(t, user, same)
}
