package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

func newUser(t *testing.T, s *store.Store, tenant int64, name string, role store.Role) store.User {
	t.Helper()
	u := store.User{TenantID: tenant, Username: name, PasswordHash: "h", Role: role, IsActive: true}
	require.NoError(t, s.CreateUser(t.Context(), &u))
	return u
}

func TestRolesIncludeEachOther(t *testing.T) {
	for i, a := range store.Roles {
		for j, b := range store.Roles {
			assert.Equal(t, i <= j, a.Includes(b), "%s %s", a, b)
		}
		assert.False(t, store.Role("king").Includes(a))
		assert.False(t, store.Role("").Includes(a))
	}
}

func TestTenantsKeepWhatTheyAreGiven(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	tenant := store.Tenant{Name: "Acme", Status: store.Trial, TrialEndsAt: ends, Limits: map[string]int{"read": 7}, Access: map[string][]string{"user": {"res.*", `a"b`}, "viewer": {}}}
	require.NoError(t, s.CreateTenant(ctx, &tenant))
	got, err := s.Tenant(ctx, tenant.ID)
	require.NoError(t, err)
	assert.Equal(t, tenant.Access, got.Access)
	assert.Equal(t, tenant.Limits, got.Limits)
	assert.True(t, ends.Equal(got.TrialEndsAt))
	assert.ErrorIs(t, s.CreateTenant(ctx, &store.Tenant{Name: "Acme"}), adapter.ErrAlreadyExists)

	got, err = s.ChangeTenant(ctx, tenant.ID, func(t *store.Tenant) error {
		t.Status, t.TrialEndsAt, t.Access, t.Limits = store.Active, time.Time{}, nil, nil
		return nil
	})
	require.NoError(t, err)
	again, err := s.TenantByName(ctx, "Acme")
	require.NoError(t, err)
	assert.True(t, again.TrialEndsAt.IsZero())
	assert.Empty(t, again.Access)
	assert.NotNil(t, again.Access)
	assert.Equal(t, got.Status, again.Status)
	_, err = s.ChangeTenant(ctx, tenant.ID, func(*store.Tenant) error { return adapter.ErrConflict })
	assert.ErrorIs(t, err, adapter.ErrConflict)
	_, err = s.ChangeTenant(ctx, 999, func(*store.Tenant) error { return nil })
	assert.ErrorIs(t, err, adapter.ErrNotFound)

	u := newUser(t, s, tenant.ID, "sara", store.Plain)
	for _, g := range []store.Granted{nil, {}, {"one", `t"wo`}} {
		_, err := s.ChangeUser(ctx, tenant.ID, u.ID, "", func(u *store.User) error {
			u.Granted = g
			return nil
		})
		require.NoError(t, err)
		got, err := s.User(ctx, u.ID)
		require.NoError(t, err)
		assert.Equal(t, g, got.Granted)
		assert.Equal(t, "Acme", got.Tenant.Name)
	}
	_, err = s.ChangeUser(ctx, tenant.ID+1, u.ID, "", func(*store.User) error { return nil })
	assert.ErrorIs(t, err, adapter.ErrNotFound, "of another tenant")
	_, err = s.DeleteUser(ctx, tenant.ID+1, u.ID, func(*store.User) error { return nil })
	assert.ErrorIs(t, err, adapter.ErrNotFound, "of another tenant")
}

// Admins who demote each other at the same time leave one.
func TestATenantKeepsAnAdmin(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	tenant := newTenant(t, s, "acme")
	operators := newTenant(t, s, "house")
	for round := range 5 {
		var ids [2][]int64
		for i := range 3 {
			ids[0] = append(ids[0], newUser(t, s, tenant.ID, fmt.Sprintf("a%d-%d", round, i), store.Admin).ID)
			ids[1] = append(ids[1], newUser(t, s, operators.ID, fmt.Sprintf("o%d-%d", round, i), store.Operator).ID)
		}
		var wait sync.WaitGroup
		for _, list := range ids {
			for _, id := range list {
				wait.Go(func() {
					_, err := s.ChangeUser(ctx, store.AnyTenant, id, "", func(u *store.User) error {
						u.IsActive = false
						return nil
					})
					if err != nil {
						assert.ErrorIs(t, err, adapter.ErrConflict)
					}
				})
			}
		}
		wait.Wait()
		for role, tenant := range map[store.Role]int64{store.Admin: tenant.ID, store.Operator: operators.ID} {
			list, err := s.ListUsers(ctx, store.UserFilter{TenantID: tenant, Role: role})
			require.NoError(t, err)
			active := 0
			for _, u := range list {
				if u.IsActive {
					active++
				}
			}
			assert.Equal(t, 1, active, "round %d: %s", round, role)
			for _, u := range list { // the next round is without them
				_, err := s.DeleteUser(ctx, tenant, u.ID, func(*store.User) error { return nil })
				assert.Equal(t, u.IsActive, errors.Is(err, adapter.ErrConflict))
				require.NoError(t, s.Exec(ctx, "DELETE FROM users WHERE id = ?", u.ID))
			}
		}
	}
}

func TestSessionsAreKept(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	tenant := newTenant(t, s, "acme")
	sara, omar := newUser(t, s, tenant.ID, "sara", store.Plain), newUser(t, s, tenant.ID, "omar", store.Plain)
	open := func(u store.User, id string, life time.Duration) {
		t.Helper()
		require.NoError(t, s.OpenSession(ctx, &store.Session{ID: id, UserID: u.ID, Agent: "x", Address: "192.0.2.1", ExpiresAt: time.Now().Add(life)}))
	}
	ids := func(u store.User) []string {
		list, err := s.Sessions(ctx, u.ID)
		require.NoError(t, err)
		out := []string{}
		for _, one := range list {
			out = append(out, one.ID)
		}
		return out
	}
	open(sara, "old", -time.Hour)
	open(sara, "a", time.Hour)
	open(sara, "b", time.Hour)
	open(omar, "c", time.Hour)
	assert.ElementsMatch(t, []string{"a", "b"}, ids(sara), "without what has expired")
	_, err := s.Session(ctx, omar.ID, "a")
	assert.ErrorIs(t, err, adapter.ErrNotFound, "another's")
	u, err := s.User(ctx, sara.ID)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), u.LastLoginAt, time.Minute)

	require.NoError(t, s.TouchSession(ctx, &store.Session{ID: "a", UserID: sara.ID, Agent: "y", Address: "192.0.2.2", ExpiresAt: time.Now().Add(time.Hour)}))
	require.NoError(t, s.TouchSession(ctx, &store.Session{ID: "unrecorded", UserID: omar.ID, ExpiresAt: time.Now().Add(time.Hour)}))
	one, err := s.Session(ctx, sara.ID, "a")
	require.NoError(t, err)
	assert.Equal(t, "y", one.Agent)
	assert.False(t, one.RefreshedAt.Before(one.CreatedAt))
	assert.ElementsMatch(t, []string{"c", "unrecorded"}, ids(omar))

	require.NoError(t, s.RevokeSession(ctx, "a", time.Now().Add(time.Hour)))
	assert.Equal(t, []string{"b"}, ids(sara))
	open(sara, "d", time.Hour)
	_, err = s.ChangeUser(ctx, tenant.ID, sara.ID, "d", func(u *store.User) error {
		u.SessionGeneration++
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"d"}, ids(sara), "all but the one that is kept")
	list, err := s.AllSessions(ctx, tenant.ID)
	require.NoError(t, err)
	assert.Len(t, list, 3)
	assert.NotEmpty(t, list[0].User.Username)
	none, err := s.AllSessions(ctx, tenant.ID+1)
	require.NoError(t, err)
	assert.Empty(t, none)
	n, err := s.TenantCounts(ctx, tenant.ID)
	require.NoError(t, err)
	assert.Equal(t, store.TenantCounts{Users: 2, Sessions: 3}, n)
	_, err = s.DeleteUser(ctx, tenant.ID, omar.ID, func(*store.User) error { return nil })
	require.NoError(t, err)
	assert.Empty(t, ids(omar), "they go with the user")
}

// A database of the version before is taken over with what is in it, and given
// back.
func TestAnOlderDatabaseIsTakenOver(t *testing.T) {
	o, ctx := storetest.Options(t), t.Context()
	driver, dialect, dsn := "sqlite", goose.DialectSQLite3, "file:"+(t.TempDir())+"/old.db?_pragma=foreign_keys(1)"
	if o.Driver == "postgres" {
		driver, dialect, dsn = "pgx", goose.DialectPostgres, o.DSN
	}
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	p, err := goose.NewProvider(dialect, db, os.DirFS("migrations/"+o.Driver))
	require.NoError(t, err)
	_, err = p.UpTo(ctx, 11)
	require.NoError(t, err)
	for _, q := range []string{
		`INSERT INTO tenants (name, created_at) VALUES ('acme', '2025-01-01 00:00:00+00:00')`,
		`INSERT INTO users (tenant_id, username, email, full_name, password_hash, role, is_active, session_generation, created_at, updated_at)
			SELECT id, 'sara', 's@example.com', 'Sara', 'h', 'admin', true, 3, '2025-01-01 00:00:00+00:00', '2025-01-01 00:00:00+00:00' FROM tenants`,
	} {
		_, err := db.ExecContext(ctx, q)
		require.NoError(t, err)
	}
	read := func() (name, role, email string, generation int) {
		t.Helper()
		require.NoError(t, db.QueryRowContext(ctx, `SELECT username, role, email, session_generation FROM users`).Scan(&name, &role, &email, &generation))
		return
	}
	for range 2 {
		_, err = p.Up(ctx)
		require.NoError(t, err)
		name, role, email, generation := read()
		assert.Equal(t, []any{"sara", "admin", "s@example.com", 3}, []any{name, role, email, generation})
		var status, granted string
		require.NoError(t, db.QueryRowContext(ctx, `SELECT t.status, u.granted FROM tenants t JOIN users u ON u.tenant_id = t.id`).Scan(&status, &granted))
		assert.Equal(t, "active", status)
		assert.Empty(t, granted)
		_, err = p.DownTo(ctx, 11)
		require.NoError(t, err)
		name, role, email, generation = read()
		assert.Equal(t, []any{"sara", "admin", "s@example.com", 3}, []any{name, role, email, generation})
	}
}
