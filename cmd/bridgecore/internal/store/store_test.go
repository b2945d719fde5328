package store_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

func newTenant(t *testing.T, s *store.Store, name string) store.Tenant {
	t.Helper()
	tenant, err := s.EnsureTenant(t.Context(), name)
	require.NoError(t, err)
	return tenant
}

func TestTenantsAreMadeOnce(t *testing.T) {
	s := storetest.Open(t)
	a := newTenant(t, s, "acme")
	assert.Positive(t, a.ID)
	assert.Equal(t, a, newTenant(t, s, "acme"))
	b := newTenant(t, s, "beta")
	assert.NotEqual(t, a.ID, b.ID)
	list, err := s.Tenants(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []store.Tenant{a, b}, list)
	assert.WithinDuration(t, time.Now(), a.CreatedAt, time.Minute)
}

func TestUsers(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	has, err := s.HasUsers(ctx)
	require.NoError(t, err)
	assert.False(t, has)

	tenant := newTenant(t, s, "acme")
	u := store.User{TenantID: tenant.ID, Username: "Ahmed", Email: "a@example.com", FullName: "Ahmed", PasswordHash: "h", Role: store.Admin, IsActive: true}
	require.NoError(t, s.CreateUser(ctx, &u))
	assert.Positive(t, u.ID)
	assert.Equal(t, "ahmed", u.Username)

	got, err := s.UserByName(ctx, "AHMED")
	require.NoError(t, err)
	assert.Equal(t, u.ID, got.ID)
	assert.Equal(t, u.CreatedAt, got.CreatedAt.UTC())
	got, err = s.User(ctx, u.ID)
	require.NoError(t, err)
	assert.Equal(t, store.Admin, got.Role)
	assert.True(t, got.IsActive)

	again := store.User{TenantID: newTenant(t, s, "beta").ID, Username: "ahmed", Role: store.Plain}
	err = s.CreateUser(ctx, &again)
	assert.ErrorIs(t, err, adapter.ErrAlreadyExists, "names are unique across tenants")

	_, err = s.ChangeUser(ctx, tenant.ID, u.ID, "", func(u *store.User) error {
		u.PasswordHash = "h2"
		u.SessionGeneration++
		return nil
	})
	require.NoError(t, err)
	got, err = s.User(ctx, u.ID)
	require.NoError(t, err)
	assert.Equal(t, "h2", got.PasswordHash)
	assert.Equal(t, u.SessionGeneration+1, got.SessionGeneration)

	_, err = s.User(ctx, u.ID+99)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = s.UserByName(ctx, "nobody")
	assert.ErrorIs(t, err, adapter.ErrNotFound)

	list, err := s.Users(ctx)
	require.NoError(t, err)
	assert.Len(t, list, 1)
	has, err = s.HasUsers(ctx)
	require.NoError(t, err)
	assert.True(t, has)
}

func TestARoleIsOneOfTheRoles(t *testing.T) {
	s := storetest.Open(t)
	u := store.User{TenantID: newTenant(t, s, "a").ID, Username: "x", Role: "root"}
	err := s.CreateUser(t.Context(), &u)
	require.Error(t, err)
	assert.NotErrorIs(t, err, adapter.ErrAlreadyExists, "another constraint than a unique one")
}

func TestSystemsBelongToTheirTenant(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	a, b := newTenant(t, s, "a").ID, newTenant(t, s, "b").ID
	create := func(tenant int64, name string) store.System {
		sys := store.System{TenantID: tenant, SystemID: "odoo_main", Kind: "odoo", Version: "17.0", Name: name, IsActive: true, SealedConfig: "sealed-" + name}
		require.NoError(t, s.CreateSystem(ctx, &sys))
		return sys
	}
	sa, sb := create(a, "of a"), create(b, "of b")
	assert.NotEqual(t, sa.ID, sb.ID)

	dup := store.System{TenantID: a, SystemID: "odoo_main"}
	assert.ErrorIs(t, s.CreateSystem(ctx, &dup), adapter.ErrAlreadyExists)

	got, err := s.System(ctx, a, "odoo_main")
	require.NoError(t, err)
	assert.Equal(t, "of a", got.Name)
	got, err = s.System(ctx, b, "odoo_main")
	require.NoError(t, err)
	assert.Equal(t, "of b", got.Name)

	list, err := s.Systems(ctx, a)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, sa.ID, list[0].ID)

	// A record of b can't be written with a's tenant.
	foreign := got
	foreign.TenantID = a
	assert.ErrorIs(t, s.UpdateSystem(ctx, &foreign), adapter.ErrConflict)

	got.Name, got.IsActive, got.SealedConfig = "new", false, "sealed-new"
	stale := got
	require.NoError(t, s.UpdateSystem(ctx, &got))
	assert.EqualValues(t, 2, got.Revision)
	assert.ErrorIs(t, s.UpdateSystem(ctx, &stale), adapter.ErrConflict)
	read, err := s.System(ctx, b, "odoo_main")
	require.NoError(t, err)
	assert.Equal(t, "new", read.Name)
	assert.Equal(t, "sealed-new", read.SealedConfig)
	assert.False(t, read.IsActive)

	require.NoError(t, s.DeleteSystem(ctx, a, "odoo_main"))
	assert.ErrorIs(t, s.DeleteSystem(ctx, a, "odoo_main"), adapter.ErrNotFound)
	_, err = s.System(ctx, a, "odoo_main")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = s.System(ctx, b, "odoo_main")
	assert.NoError(t, err, "b's own stays")
}

func TestRevokedSessions(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	require.NoError(t, s.RevokeSession(ctx, "old", time.Now().Add(-time.Second)))
	require.NoError(t, s.RevokeSession(ctx, "s1", time.Now().Add(time.Hour)))
	require.NoError(t, s.RevokeSession(ctx, "s1", time.Now().Add(time.Hour)), "twice is once")
	for id, want := range map[string]bool{"s1": true, "s2": false, "old": false} {
		revoked, err := s.SessionRevoked(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, want, revoked, id)
	}
}

func TestTextIsKeptAsItIs(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	tenant := newTenant(t, s, `شركة "O'Neil" ?0 \ %s {}`)
	sys := store.System{TenantID: tenant.ID, SystemID: "x'; DROP TABLE users; --", Name: "a?b 'c' \"d\" \\ 😀", Description: "?"}
	require.NoError(t, s.CreateSystem(ctx, &sys))
	got, err := s.System(ctx, tenant.ID, sys.SystemID)
	require.NoError(t, err)
	assert.Equal(t, sys.Name, got.Name)
	assert.Equal(t, "?", got.Description)
}

func TestManyWriteAtOnce(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	tenant := newTenant(t, s, "a")
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for i := range 20 {
		wg.Go(func() {
			sys := store.System{TenantID: tenant.ID, SystemID: fmt.Sprintf("s%d", i)}
			errs <- s.CreateSystem(ctx, &sys)
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		assert.NoError(t, err)
	}
	list, err := s.Systems(ctx, tenant.ID)
	require.NoError(t, err)
	assert.Len(t, list, 20)
}

func TestManyServersOpenOneDatabaseAtOnce(t *testing.T) {
	options := storetest.Options(t)
	if options.Driver == "sqlite" {
		t.Skip("a SQLite file belongs to one server")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), options)
			if assert.NoError(t, err) {
				assert.NoError(t, s.Close())
			}
		})
	}
	wg.Wait()
}

func TestDataOutlivesTheProcess(t *testing.T) {
	options, ctx := storetest.Options(t), t.Context()
	s, err := store.Open(ctx, options)
	require.NoError(t, err)
	want := newTenant(t, s, "kept")
	require.NoError(t, s.Close())

	s, err = store.Open(ctx, options)
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	require.NoError(t, s.Ping(ctx))
	assert.Equal(t, want.ID, newTenant(t, s, "kept").ID)
}

func TestOpenErrorsDoNotShowTheDSN(t *testing.T) {
	for _, o := range []store.Options{
		{Driver: "postgres", DSN: "postgres://u:canary@127.0.0.1:1/d?sslmode=disable"},
		{Driver: "postgres", DSN: "postgres://u:canary@[bad"},
		{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "dir", "..", "") + "/"},
		{Driver: "oracle", DSN: "canary"},
	} {
		_, err := store.Open(t.Context(), o)
		require.Error(t, err, o.Driver)
		assert.NotContains(t, err.Error(), "canary")
	}
}
