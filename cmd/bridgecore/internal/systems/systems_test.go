package systems_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

var good = systems.OdooConnection{URL: "https://odoo.example.com", Database: "production", Username: "admin", Password: "canary-password"}

func with(change func(*systems.OdooConnection)) systems.OdooConnection {
	c := good
	change(&c)
	return c
}

func TestCheckNamesTheMember(t *testing.T) {
	require.NoError(t, good.Check(netguard.Guard{}))
	require.NoError(t, with(func(c *systems.OdooConnection) { c.URL = "http://10.0.0.5:8069/odoo/" }).Check(netguard.Guard{Private: true}))
	require.NoError(t, with(func(c *systems.OdooConnection) { c.Username, c.Password, c.APIKey = "", "", "k" }).Check(netguard.Guard{}), "JSON-2 needs no user")
	for name, tc := range map[string]struct {
		field  string
		change func(*systems.OdooConnection)
	}{
		"scheme":         {"url", func(c *systems.OdooConnection) { c.URL = "ftp://odoo.example.com" }},
		"file":           {"url", func(c *systems.OdooConnection) { c.URL = "file:///etc/passwd" }},
		"no scheme":      {"url", func(c *systems.OdooConnection) { c.URL = "odoo.example.com" }},
		"no host":        {"url", func(c *systems.OdooConnection) { c.URL = "https:///x" }},
		"bad":            {"url", func(c *systems.OdooConnection) { c.URL = "https://[::1" }},
		"user in it":     {"url", func(c *systems.OdooConnection) { c.URL = "https://u:canary@odoo.example.com" }},
		"query":          {"url", func(c *systems.OdooConnection) { c.URL = "https://odoo.example.com/?db=x" }},
		"loopback":       {"url", func(c *systems.OdooConnection) { c.URL = "http://127.0.0.1:8069" }},
		"localhost":      {"url", func(c *systems.OdooConnection) { c.URL = "http://localhost:8069" }},
		"private":        {"url", func(c *systems.OdooConnection) { c.URL = "http://192.168.1.2" }},
		"metadata":       {"url", func(c *systems.OdooConnection) { c.URL = "http://169.254.169.254/latest" }},
		"IPv6 loopback":  {"url", func(c *systems.OdooConnection) { c.URL = "http://[::1]:8069" }},
		"database":       {"database", func(c *systems.OdooConnection) { c.Database = "" }},
		"username":       {"username", func(c *systems.OdooConnection) { c.Username = "" }},
		"password":       {"password", func(c *systems.OdooConnection) { c.Password = "" }},
		"json2":          {"api_key", func(c *systems.OdooConnection) { c.Transport = "json2" }},
		"session":        {"password", func(c *systems.OdooConnection) { c.Transport, c.Password, c.APIKey = "session", "", "k" }},
		"key needs user": {"username", func(c *systems.OdooConnection) { c.Transport, c.Username, c.APIKey = "xmlrpc", "", "k" }},
	} {
		err := with(tc.change).Check(netguard.Guard{})
		var e *adapter.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, adapter.InvalidArgument, e.Code, name)
		assert.Equal(t, "connection_config."+tc.field, e.Field, name)
		assert.NotContains(t, e.Error(), "canary", name)
	}
}

func TestSource(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	v, err := vault.New(vault.NewSecret(key))
	require.NoError(t, err)
	tenant, err := s.EnsureTenant(ctx, "a")
	require.NoError(t, err)
	sealed, err := v.Seal(good)
	require.NoError(t, err)
	assert.NotContains(t, sealed, "canary")
	sys := store.System{TenantID: tenant.ID, SystemID: "main", Kind: systems.Odoo, Version: "17.0", IsActive: true, SealedConfig: sealed}
	require.NoError(t, s.CreateSystem(ctx, &sys))

	source := systems.Source(s, v, nil)
	c, err := source.System(ctx, systems.Tenant(tenant.ID), "main")
	require.NoError(t, err)
	assert.Equal(t, good, c.Connection)
	assert.Equal(t, "17.0", c.Version)
	assert.Equal(t, 10, c.MaxConcurrent)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	assert.NotContains(t, string(b)+fmt.Sprintf("%+v", c), "canary")

	for _, missing := range [][2]string{{systems.Tenant(tenant.ID), "x"}, {systems.Tenant(tenant.ID + 1), "main"}, {"acme", "main"}, {"", "main"}} {
		_, err := source.System(ctx, missing[0], missing[1])
		assert.ErrorIs(t, err, adapter.ErrNotFound)
	}

	sys.SealedConfig, err = v.Seal(with(func(c *systems.OdooConnection) { c.Password = "other" }))
	require.NoError(t, err)
	require.NoError(t, s.UpdateSystem(ctx, &sys))
	changed, err := source.System(ctx, systems.Tenant(tenant.ID), "main")
	require.NoError(t, err)
	assert.NotEqual(t, c.Revision, changed.Revision)
	assert.NotEqual(t, c.Fingerprint, changed.Fingerprint)

	require.NoError(t, s.DeleteSystem(ctx, tenant.ID, "main"))
	again := store.System{TenantID: tenant.ID, SystemID: "main", Kind: systems.Odoo, IsActive: true, SealedConfig: sealed}
	require.NoError(t, s.CreateSystem(ctx, &again))
	anew, err := source.System(ctx, systems.Tenant(tenant.ID), "main")
	require.NoError(t, err)
	assert.NotEqual(t, c.Revision, anew.Revision, "another system of the same name")

	again.IsActive = false
	require.NoError(t, s.UpdateSystem(ctx, &again))
	_, err = source.System(ctx, systems.Tenant(tenant.ID), "main")
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)

	other, err := vault.GenerateKey()
	require.NoError(t, err)
	w, err := vault.New(vault.NewSecret(other))
	require.NoError(t, err)
	again.IsActive = true
	require.NoError(t, s.UpdateSystem(ctx, &again))
	_, err = systems.Source(s, w, nil).System(ctx, systems.Tenant(tenant.ID), "main")
	assert.ErrorIs(t, err, vault.ErrUnreadable)
}
