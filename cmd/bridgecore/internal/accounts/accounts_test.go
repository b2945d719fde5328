package accounts_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// Whoever calls, and whichever way he came: each change asks by itself whether
// the actor may make it.
func TestWhoMayManageWhom(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	acme, err := s.EnsureTenant(ctx, "acme")
	require.NoError(t, err)
	rivals, err := s.EnsureTenant(ctx, "rivals")
	require.NoError(t, err)
	add := func(name string, tenant int64, role store.Role) int64 {
		u := store.User{TenantID: tenant, Username: name, PasswordHash: "-", Role: role, IsActive: true}
		require.NoError(t, s.CreateUser(ctx, &u))
		return u.ID
	}
	// Operators of acme and of another tenant, so that none is the last.
	operator, clerk := add("operator", acme.ID, store.Operator), add("clerk", acme.ID, store.Plain)
	add("boss", rivals.ID, store.Operator)
	add("admin", acme.ID, store.Admin)
	stranger := add("stranger", rivals.ID, store.Plain)
	a := &accounts.Accounts{Store: s, Hash: func(context.Context, string) (string, error) { return "-", nil }}
	name := "Renamed"
	change := accounts.UserChange{FullName: &name}
	const password = "correct horse battery staple"
	made := 0

	verbs := map[string]func(by accounts.Actor, user, tenant int64) error{
		"read": func(by accounts.Actor, user, _ int64) error { _, err := a.User(ctx, by, user); return err },
		"change": func(by accounts.Actor, user, _ int64) error {
			_, err := a.ChangeUser(ctx, by, user, change)
			return err
		},
		"reset password": func(by accounts.Actor, user, _ int64) error {
			_, err := a.ResetPassword(ctx, by, user, password)
			return err
		},
		"end sessions": func(by accounts.Actor, user, _ int64) error { _, err := a.EndSessions(ctx, by, user); return err },
		"manage":       func(by accounts.Actor, user, _ int64) error { return a.Manages(ctx, by, user) },
		"add": func(by accounts.Actor, _, tenant int64) error {
			made++
			_, err := a.AddUser(ctx, by, store.User{TenantID: tenant, Username: "new" + string(rune('a'+made)), Role: store.Plain}, password)
			return err
		},
		"remove": func(by accounts.Actor, user, _ int64) error {
			like, err := s.User(ctx, user) // the user itself stays for the others
			require.NoError(t, err)
			made++
			_, err = a.RemoveUser(ctx, by, add("old"+string(rune('a'+made)), like.TenantID, like.Role))
			return err
		},
		"list": func(by accounts.Actor, _, tenant int64) error {
			_, err := a.Users(ctx, by, store.UserFilter{TenantID: tenant})
			return err
		},
		"read tenant": func(by accounts.Actor, _, tenant int64) error { _, err := a.Tenant(ctx, by, tenant); return err },
	}
	const ok = adapter.Code("")
	type want struct{ own, operator, foreign adapter.Code } // what is managed
	none := want{adapter.PermissionDenied, adapter.PermissionDenied, adapter.PermissionDenied}
	for role, rows := range map[store.Role]map[string]want{
		store.Viewer: {"": none},
		store.Plain:  {"": none},
		store.Admin: {
			"":            {ok, adapter.PermissionDenied, adapter.NotFound},
			"read":        {ok, ok, adapter.NotFound},
			"add":         {ok, ok, adapter.InvalidArgument},
			"list":        {ok, ok, ok}, // of another tenant: nobody
			"read tenant": {ok, ok, adapter.NotFound},
		},
		store.Operator: {"": {ok, ok, ok}},
	} {
		by := accounts.Actor{UserID: 1, TenantID: acme.ID, Role: role}
		for verb, do := range verbs {
			row, special := rows[verb]
			if !special {
				row = rows[""]
			}
			for whose, tc := range map[string]struct {
				user, tenant int64
				want         adapter.Code
			}{"own": {clerk, acme.ID, row.own}, "an operator": {operator, acme.ID, row.operator}, "foreign": {stranger, rivals.ID, row.foreign}} {
				err := do(by, tc.user, tc.tenant)
				if tc.want == ok {
					require.NoError(t, err, "%s may %s %s", role, verb, whose)
					continue
				}
				assert.Equal(t, tc.want, adapter.CodeOf(err), "%s, %s, %s: %v", role, verb, whose, err)
			}
		}
	}
	list, err := a.Users(ctx, accounts.Actor{TenantID: acme.ID, Role: store.Admin}, store.UserFilter{TenantID: rivals.ID})
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestOperatorsAloneManageTenants(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	acme, err := s.EnsureTenant(ctx, "acme")
	require.NoError(t, err)
	other, err := s.EnsureTenant(ctx, "other")
	require.NoError(t, err)
	a := &accounts.Accounts{Store: s}
	name := "Renamed"
	for _, role := range store.Roles {
		by := accounts.Actor{TenantID: acme.ID, Role: role}
		for verb, do := range map[string]func() error{
			"list": func() error { _, err := a.Tenants(ctx, by, store.TenantFilter{Limit: 10}); return err },
			"add":  func() error { _, err := a.AddTenant(ctx, by, store.Tenant{Name: "of " + string(role)}); return err },
			"rename": func() error {
				_, err := a.ChangeTenant(ctx, by, acme.ID, accounts.TenantChange{Name: &name})
				return err
			},
			"remove": func() error { _, err := a.RemoveTenant(ctx, by, other.ID); return err },
		} {
			if err := do(); role == store.Operator {
				assert.NoError(t, err, verb)
			} else {
				assert.ErrorIs(t, err, adapter.ErrPermissionDenied, "%s as %s", verb, role)
			}
		}
	}
}

// Users change of themselves what is harmless.
func TestAProfileIsNoWayUp(t *testing.T) {
	s := storetest.Open(t)
	tenant, err := s.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	u := store.User{TenantID: tenant.ID, Username: "clerk", PasswordHash: "-", Role: store.Plain, IsActive: true, Granted: store.Granted{"one"}}
	require.NoError(t, s.CreateUser(t.Context(), &u))
	a := &accounts.Accounts{Store: s}
	name, role, all := "Clerk", store.Operator, store.Granted(nil)
	got, err := a.ChangeProfile(t.Context(), u.ID, accounts.UserChange{FullName: &name, Role: &role, Granted: &all})
	require.NoError(t, err)
	assert.Equal(t, "Clerk", got.FullName)
	assert.Equal(t, store.Plain, got.Role)
	assert.Equal(t, store.Granted{"one"}, got.Granted)
}

func TestRolesAndTheirSystems(t *testing.T) {
	s := storetest.Open(t)
	tenant, err := s.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	u := store.User{TenantID: tenant.ID, Username: "clerk", PasswordHash: "-", Role: store.Plain, IsActive: true, Granted: store.Granted{}}
	require.NoError(t, s.CreateUser(t.Context(), &u))
	a := &accounts.Accounts{Store: s}
	by := accounts.Actor{TenantID: tenant.ID, Role: store.Admin}
	role := store.Role("king")
	_, err = a.ChangeUser(t.Context(), by, u.ID, accounts.UserChange{Role: &role})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	role = store.Admin
	got, err := a.ChangeUser(t.Context(), by, u.ID, accounts.UserChange{Role: &role})
	require.NoError(t, err)
	assert.Nil(t, got.Granted, "an admin uses all systems")

	for _, name := range []string{"boss", "deputy"} { // neither is the last
		u = store.User{TenantID: tenant.ID, Username: name, PasswordHash: "-", Role: store.Operator, IsActive: true}
		require.NoError(t, s.CreateUser(t.Context(), &u))
	}
	role = store.Plain
	_, err = a.ChangeUser(t.Context(), by, u.ID, accounts.UserChange{Role: &role})
	require.ErrorIs(t, err, adapter.ErrPermissionDenied, "an admin takes no operator down")
}

func TestWhatATenantMayBe(t *testing.T) {
	s := storetest.Open(t)
	tenant, err := s.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	a := &accounts.Accounts{Store: s}
	ends := time.Now().Add(time.Hour)
	admin, operator := accounts.Actor{TenantID: tenant.ID, Role: store.Admin}, accounts.Actor{Role: store.Operator}
	_, err = a.ChangeTenant(t.Context(), admin, tenant.ID, accounts.TenantChange{TrialEndsAt: &ends})
	require.ErrorIs(t, err, adapter.ErrPermissionDenied, "a trial is not prolonged by who has it")
	for name, rules := range map[string][]string{"no list": nil, "too many": slices.Repeat([]string{"res.partner"}, 201)} {
		access := map[string][]string{"user": rules}
		_, err = a.ChangeTenant(t.Context(), operator, tenant.ID, accounts.TenantChange{Access: &access})
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, name)
	}
}
