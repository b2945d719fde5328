package systems

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

func TestANewSecretIsKept(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	v, err := vault.New(vault.NewSecret(key))
	require.NoError(t, err)
	tenant, err := s.EnsureTenant(ctx, "acme")
	require.NoError(t, err)
	was := SalesforceConnection{URL: "https://acme.my.salesforce.com", ClientID: "app", RefreshToken: "canary-1"}
	sealed, err := v.Seal(was)
	require.NoError(t, err)
	require.NoError(t, s.CreateSystem(ctx, &store.System{TenantID: tenant.ID, SystemID: "crm", Kind: Salesforce, IsActive: true, SealedConfig: sealed}))

	var out bytes.Buffer
	k := NewKeeper(s, v, slog.New(slog.NewTextHandler(&out, nil)))
	source := Source(s, v, nil)
	before, err := source.System(ctx, Tenant(tenant.ID), "crm")
	require.NoError(t, err)
	now := was
	now.RefreshToken = "canary-2"
	k.keep(Tenant(tenant.ID), "crm", was, now)
	k.Close()
	after, err := source.System(ctx, Tenant(tenant.ID), "crm")
	require.NoError(t, err)
	assert.Equal(t, now, after.Connection)
	assert.Equal(t, before.Revision, after.Revision, "it is the same connection")

	// Somebody registered other secrets meanwhile: those stay.
	stale := was
	stale.RefreshToken = "canary-3"
	k.keep(Tenant(tenant.ID), "crm", was, stale)
	k.Close()
	after, err = source.System(ctx, Tenant(tenant.ID), "crm")
	require.NoError(t, err)
	assert.Equal(t, now, after.Connection)
	assert.Empty(t, out.String())

	k.keep(Tenant(tenant.ID), "gone", was, now)
	k.keep("x", "crm", was, now)
	k.Close()
	assert.Contains(t, out.String(), "system=gone")
	assert.NotContains(t, out.String(), "canary")
	(*Keeper)(nil).keep("1", "crm", was, now)
	(*Keeper)(nil).Close()
}
