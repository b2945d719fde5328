package odootest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	example "github.com/bridgecore/bridgecore/examples/odootest"
)

// Every version of Odoo, without one installed.
func TestConfirm(t *testing.T) {
	for _, version := range []string{"13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0"} {
		t.Run(version, func(t *testing.T) {
			srv := odootest.New(t, version)
			client := dial(t, srv)
			customer, product := anyID(t, client, "res.partner"), anyID(t, client, "product.product")
			state, err := example.Confirm(t.Context(), client, customer, product)
			require.NoError(t, err)
			assert.Equal(t, "sale", state)
		})
	}
}

// What the program does when things go wrong.
func TestConfirmWhenOdooIsDown(t *testing.T) {
	srv := odootest.New(t, "17.0")
	client := dial(t, srv)
	customer, product := anyID(t, client, "res.partner"), anyID(t, client, "product.product")
	_, err := client.Schema(t.Context(), "sale.order")
	require.NoError(t, err)

	srv.Down()
	_, err = example.Confirm(t.Context(), client, customer, product)
	assert.ErrorIs(t, err, example.ErrTryLater)

	srv.Up()
	state, err := example.Confirm(t.Context(), client, customer, product)
	require.NoError(t, err)
	assert.Equal(t, "sale", state)
}

func dial(t *testing.T, srv *odootest.Server) *odoo.Client {
	t.Helper()
	client, err := odoo.Dial(t.Context(), odoo.Config{
		URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password,
	})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func anyID(t *testing.T, client *odoo.Client, model string) adapter.ID {
	t.Helper()
	ids, err := client.SearchIDs(t.Context(), adapter.Query{Model: model, Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, ids)
	return ids[0]
}
