package main

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// What is kept of a system is counted for the metrics by the periodic job.
func TestCacheStatistics(t *testing.T) {
	p := newProgram(t, "ENVIRONMENT=development")
	w := world{environ: p.environ, stderr: io.Discard}
	c, err := w.config()
	require.NoError(t, err)
	_, err = c.FillSecrets()
	require.NoError(t, err)
	s, err := assemble(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(s.close)
	require.NotNil(t, s.metrics)
	odoo := odootest.New(t, "17.0")
	tenant, err := s.store.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	sealed, err := s.vault.Seal(systems.OdooConnection{URL: odoo.URL, Database: odoo.Database, Username: odoo.Username, Password: odoo.Password})
	require.NoError(t, err)
	require.NoError(t, s.store.CreateSystem(t.Context(), &store.System{TenantID: tenant.ID, SystemID: "odoo", Kind: "odoo", IsActive: true, SealedConfig: sealed}))
	sys, err := s.bridge.System(t.Context(), bridge.Caller{Tenant: systems.Tenant(tenant.ID), User: "sara"}, "odoo")
	require.NoError(t, err)
	_, err = sys.Fields(t.Context(), "res.partner")
	require.NoError(t, err)

	run := func(name string) {
		t.Helper()
		for _, periodic := range s.periodic() {
			if periodic.Name == name {
				require.NoError(t, periodic.Run(t.Context()))
				return
			}
		}
		require.Fail(t, "there is no periodic "+name)
	}
	page := func() string {
		rec := httptest.NewRecorder()
		s.metrics.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		return rec.Body.String()
	}
	assert.Contains(t, page(), "cache_counted_timestamp_seconds 0\n")
	run("cache-statistics")
	text := page()
	assert.Regexp(t, `cache_keys\{system_id="\d+/odoo"\} [1-9]`, text)
	assert.NotContains(t, text, "cache_counted_timestamp_seconds 0\n")
	run("expire-results")
	run("refresh-systems")
}
