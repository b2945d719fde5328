package odoo_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// What a caller is told when an Odoo misbehaves, by what the call would do.
func TestFaults(t *testing.T) {
	read := func(ctx context.Context, c *odoo.Client) error {
		_, err := c.Query(ctx, adapter.Query{Model: "res.partner", Fields: []string{"name"}, Limit: 1})
		return err
	}
	write := func(ctx context.Context, c *odoo.Client) error {
		_, err := c.Create(ctx, "res.partner", adapter.Record{"name": "x"})
		return err
	}
	method := func(ctx context.Context, c *odoo.Client) error {
		_, err := c.Call(ctx, adapter.Call{Model: "res.partner", Method: "action_archive", Args: []any{[]int{1}}})
		return err
	}
	for _, tc := range []struct {
		name  string
		fault odootest.Fault
		do    func(context.Context, *odoo.Client) error
		code  adapter.Code
	}{
		{"a read hangs", odootest.Fault{Hang: true}, read, adapter.Timeout},
		{"a write hangs", odootest.Fault{Hang: true}, write, adapter.UnknownOutcome},
		{"a method hangs", odootest.Fault{Hang: true}, method, adapter.UnknownOutcome},
		{"a read is cut off", odootest.Fault{Reset: true}, read, adapter.Unavailable},
		{"a write is cut off", odootest.Fault{Reset: true}, write, adapter.UnknownOutcome},
		{"a proxy says 503", odootest.Fault{Status: 503}, read, adapter.Unavailable},
		{"a proxy says 429", odootest.Fault{Status: 429, RetryAfter: 7 * time.Second}, read, adapter.RateLimited},
		{"garbage", odootest.Fault{Garbage: true}, read, adapter.Unavailable},
		{"no end", odootest.Fault{Endless: true}, read, adapter.InvalidArgument},
		{"a redirect", odootest.Fault{Redirect: "https://elsewhere.example"}, read, adapter.Unavailable},
	} {
		for _, transport := range transportsOf("19.0") {
			t.Run(tc.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				srv := odootest.New(t, "19.0")
				config := simulated(srv, transport)
				config.Timeout, config.MaxResponse = 2*time.Second, 1<<20
				client := dial(t, config)
				require.NoError(t, read(t.Context(), client), "before")
				srv.SetFault(tc.fault)
				err := tc.do(t.Context(), client)
				require.Error(t, err)
				assert.Equal(t, tc.code, adapter.CodeOf(err), "%v", err)
				assert.NotContains(t, err.Error(), srv.URL, "addresses are not for callers")
				if tc.code == adapter.RateLimited {
					assert.Equal(t, 7*time.Second, adapter.RetryAfter(err))
				}
				srv.SetFault()
				assert.NoError(t, read(t.Context(), client), "after")
			})
		}
	}
}

func TestDownAndUpAgain(t *testing.T) {
	for _, transport := range transportsOf("19.0") {
		t.Run(transport, func(t *testing.T) {
			srv := odootest.New(t, "19.0")
			client := dial(t, simulated(srv, transport))
			_, err := client.Count(t.Context(), "res.partner", nil)
			require.NoError(t, err)
			srv.Down()
			// A connection that was kept may have carried this call before it
			// broke; the next one finds no server.
			_, err = client.Count(t.Context(), "res.partner", nil)
			require.ErrorIs(t, err, adapter.ErrUnavailable)
			_, err = client.Create(t.Context(), "res.partner", adapter.Record{"name": "x"})
			require.ErrorIs(t, err, adapter.ErrUnavailable)
			assert.True(t, adapter.Retryable(err, true), "nothing was sent, so that even a change may be tried again")
			assert.Error(t, client.Ping(t.Context()))
			require.NoError(t, srv.Up())
			_, err = client.Create(t.Context(), "res.partner", adapter.Record{"name": "x"})
			require.NoError(t, err)
			assert.NoError(t, client.Ping(t.Context()))
		})
	}
}

func TestSessionsEnd(t *testing.T) {
	srv := odootest.New(t, "16.0")
	client := dial(t, simulated(srv, odoo.TransportSession))
	_, err := client.Count(t.Context(), "res.partner", nil)
	require.NoError(t, err)
	srv.ExpireSessions()
	_, err = client.Count(t.Context(), "res.partner", nil)
	assert.NoError(t, err)
}

func TestRefusedLogins(t *testing.T) {
	for _, version := range versions {
		srv := odootest.New(t, version)
		for _, transport := range transportsOf(version) {
			if transport == odoo.TransportJSON2 {
				continue
			}
			c := simulated(srv, transport)
			c.Password = "wrong password"
			_, err := odoo.Dial(t.Context(), c)
			assert.ErrorIs(t, err, adapter.ErrUnauthenticated, "%s over %s", version, transport)
			assert.NotContains(t, err.Error(), "wrong password")
			c = simulated(srv, transport)
			c.Database = "nodb"
			_, err = odoo.Dial(t.Context(), c)
			assert.Contains(t, []adapter.Code{adapter.InvalidArgument, adapter.NotFound}, adapter.CodeOf(err), "%s over %s: %v", version, transport, err)
		}
	}
}

// A key alone is enough for JSON-2.
func TestKeyAlone(t *testing.T) {
	srv := odootest.New(t, "19.0")
	client := dial(t, odoo.Config{URL: srv.URL, Database: srv.Database, APIKey: srv.APIKey})
	assert.Equal(t, odoo.TransportJSON2, client.Info().Transport)
	assert.False(t, client.Info().UserID.IsZero())
	granted, err := client.Call(t.Context(), adapter.Call{Model: "res.users", Method: "has_group", Args: []any{"base.group_user"}})
	require.NoError(t, err)
	assert.Equal(t, "true", string(granted))
}
