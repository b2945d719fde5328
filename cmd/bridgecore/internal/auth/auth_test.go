package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

const (
	key      = "0123456789abcdef0123456789abcdef"
	password = "password123"
	address  = "192.0.2.1"
)

// here is where clients are.
var here = auth.Client{Address: address, Agent: "test/1.0"}

// at is another place.
func at(address string) auth.Client { return auth.Client{Address: address} }

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	*auth.Auth
	store *store.Store
	clock *clock
	user  store.User
}

func setup(t *testing.T) fixture {
	t.Helper()
	s := storetest.Open(t)
	tenant, err := s.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	c := &clock{t: time.Now().Truncate(time.Second)}
	f := fixture{store: s, clock: c, Auth: auth.New(s, auth.Config{Key: vault.NewSecret(key), Now: c.now})}
	f.user = store.User{TenantID: tenant.ID, Username: "admin", Role: store.Admin, IsActive: true}
	f.user.PasswordHash, err = f.Hash(t.Context(), password)
	require.NoError(t, err)
	require.NoError(t, s.CreateUser(t.Context(), &f.user))
	return f
}

// other is another process over the same store.
func (f fixture) other() *auth.Auth {
	return auth.New(f.store, auth.Config{Key: vault.NewSecret(key), Now: f.clock.now})
}

func (f fixture) login(t *testing.T) auth.Grant {
	t.Helper()
	g, err := f.Login(t.Context(), " Admin ", password, here)
	require.NoError(t, err)
	return g
}

func tokenCode(err error) string {
	if e, ok := errors.AsType[*auth.TokenError](err); ok {
		return e.Code
	}
	return ""
}

func TestLoginYieldsTokensOfTheDocumentedForm(t *testing.T) {
	f := setup(t)
	g := f.login(t)
	assert.Equal(t, 30*time.Minute, g.ExpiresIn)

	for token, want := range map[string]string{g.AccessToken: "access", g.RefreshToken: "refresh"} {
		parts := strings.Split(token, ".")
		require.Len(t, parts, 3)
		head, err := base64.RawURLEncoding.DecodeString(parts[0])
		require.NoError(t, err)
		assert.JSONEq(t, `{"alg":"HS256","typ":"JWT"}`, string(head))
		body, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		var claims map[string]any
		require.NoError(t, json.Unmarshal(body, &claims))
		assert.Equal(t, strconv.FormatInt(f.user.ID, 10), claims["sub"])
		assert.Equal(t, want, claims["type"])
		assert.Equal(t, "tenant", claims["user_type"])
		assert.Equal(t, strconv.FormatInt(f.user.TenantID, 10), claims["tenant_id"])
		life := map[string]time.Duration{"access": 30 * time.Minute, "refresh": 7 * 24 * time.Hour}[want]
		assert.EqualValues(t, f.clock.now().Add(life).Unix(), claims["exp"])
		assert.NotEmpty(t, claims["jti"])
	}

	id, err := f.Identify(t.Context(), "Bearer "+g.AccessToken)
	require.NoError(t, err)
	assert.Equal(t, f.user.ID, id.UserID)
	assert.Equal(t, f.user.TenantID, id.TenantID)
	assert.Equal(t, "admin", id.Username)
	assert.True(t, id.IsAdmin())
}

func TestUnknownUserAndWrongPasswordAnswerAlike(t *testing.T) {
	f := setup(t)
	inactive := store.User{TenantID: f.user.TenantID, Username: "gone", PasswordHash: f.user.PasswordHash, Role: store.Plain}
	require.NoError(t, f.store.CreateUser(t.Context(), &inactive))
	for _, tc := range [][2]string{
		{"admin", "wrong-password"}, {"nobody", password}, {"gone", password}, {"", ""}, {"admin", ""},
		{strings.Repeat("x", 5000), password}, {"admin", strings.Repeat("x", 5000)}, {"nobody", ""},
	} {
		_, err := f.Login(t.Context(), tc[0], tc[1], at("192.0.2."+strconv.Itoa(len(tc[0])%250)))
		assert.Equal(t, auth.ErrBadCredentials, err)
	}
	users, err := f.store.Users(t.Context())
	require.NoError(t, err)
	assert.Len(t, users, 2, "logging in makes no users")
}

func TestRefreshYieldsAnAccessTokenAndKeepsTheRefreshToken(t *testing.T) {
	f := setup(t)
	g := f.login(t)
	for range 3 {
		f.clock.add(time.Hour)
		_, err := f.Identify(t.Context(), "Bearer "+g.AccessToken)
		assert.Equal(t, "token_expired", tokenCode(err))
		r, err := f.Refresh(t.Context(), "bearer "+g.RefreshToken, here)
		require.NoError(t, err)
		assert.Empty(t, r.RefreshToken)
		assert.Equal(t, 30*time.Minute, r.ExpiresIn)
		g.AccessToken = r.AccessToken
		_, err = f.Identify(t.Context(), "Bearer "+g.AccessToken)
		require.NoError(t, err)
	}
	f.clock.add(7 * 24 * time.Hour)
	_, err := f.Refresh(t.Context(), "Bearer "+g.RefreshToken, here)
	assert.Equal(t, "token_expired", tokenCode(err))
}

func TestCachedTokensExpireToo(t *testing.T) {
	f := setup(t)
	g := f.login(t)
	_, err := f.Identify(t.Context(), "Bearer "+g.AccessToken)
	require.NoError(t, err)
	f.clock.add(30*time.Minute - time.Second)
	_, err = f.Identify(t.Context(), "Bearer "+g.AccessToken)
	require.NoError(t, err)
	f.clock.add(time.Second)
	_, err = f.Identify(t.Context(), "Bearer "+g.AccessToken)
	assert.Equal(t, "token_expired", tokenCode(err))
}

func TestBadTokens(t *testing.T) {
	f := setup(t)
	g := f.login(t)
	sign := func(method jwt.SigningMethod, k any, change func(jwt.MapClaims)) string {
		c := jwt.MapClaims{"iss": "bridgecore", "aud": "bridgecore-api", "sub": strconv.FormatInt(f.user.ID, 10), "exp": f.clock.now().Add(time.Hour).Unix(),
			"type": "access", "sid": "s", "gen": 0, "tenant_id": strconv.FormatInt(f.user.TenantID, 10)}
		change(c)
		token, err := jwt.NewWithClaims(method, c).SignedString(k)
		require.NoError(t, err)
		return "Bearer " + token
	}
	set := func(name string, value any) string {
		return sign(jwt.SigningMethodHS256, []byte(key), func(c jwt.MapClaims) {
			if value == nil {
				delete(c, name)
			} else {
				c[name] = value
			}
		})
	}
	_, err := f.Identify(t.Context(), set("x", 1))
	require.NoError(t, err, "the base of the table is good")

	for name, tc := range map[string]struct{ header, want string }{
		"none":               {"", "token_missing"},
		"another scheme":     {"Basic YTpi", "token_missing"},
		"no token":           {"Bearer ", "token_missing"},
		"garbage":            {"Bearer garbage", "token_invalid"},
		"huge":               {"Bearer " + strings.Repeat("a", 1<<20), "token_invalid"},
		"refresh as access":  {"Bearer " + g.RefreshToken, "token_wrong_type"},
		"another key":        {sign(jwt.SigningMethodHS256, []byte("another"), func(jwt.MapClaims) {}), "token_invalid"},
		"no signature":       {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, func(jwt.MapClaims) {}), "token_invalid"},
		"another algorithm":  {sign(jwt.SigningMethodHS512, []byte(key), func(jwt.MapClaims) {}), "token_invalid"},
		"no expiry":          {set("exp", nil), "token_invalid"},
		"expired":            {set("exp", f.clock.now().Add(-time.Second).Unix()), "token_expired"},
		"issued tomorrow":    {set("iat", f.clock.now().Add(24*time.Hour).Unix()), "token_invalid"},
		"another issuer":     {set("iss", "x"), "token_invalid"},
		"another audience":   {set("aud", "x"), "token_invalid"},
		"no subject":         {set("sub", nil), "token_invalid"},
		"a word for subject": {set("sub", "user123"), "token_invalid"},
		"no type":            {set("type", nil), "token_wrong_type"},
		"no session":         {set("sid", nil), "token_invalid"},
		"no such user":       {set("sub", "999999"), "token_revoked"},
		"another tenant":     {set("tenant_id", "999999"), "token_revoked"},
		"old generation":     {set("gen", -1), "token_revoked"},
		"altered":            {"Bearer " + g.AccessToken[:strings.LastIndex(g.AccessToken, ".")] + g.RefreshToken[strings.LastIndex(g.RefreshToken, "."):], "token_invalid"},
	} {
		_, err := f.Identify(t.Context(), tc.header)
		assert.Equal(t, tc.want, tokenCode(err), name)
	}
	_, err = f.Refresh(t.Context(), "Bearer "+g.AccessToken, here)
	assert.Equal(t, "token_wrong_type", tokenCode(err), "access as refresh")
}

func TestLogoutEndsBothTokens(t *testing.T) {
	f, ctx := setup(t), t.Context()
	g, kept := f.login(t), f.login(t)
	other := f.other()
	for _, a := range []*auth.Auth{f.Auth, other} {
		_, err := a.Identify(ctx, "Bearer "+g.AccessToken)
		require.NoError(t, err)
	}
	id, err := f.Identify(ctx, "Bearer "+g.AccessToken)
	require.NoError(t, err)
	require.NoError(t, f.Logout(ctx, id))
	require.NoError(t, f.Logout(ctx, id), "twice is once")

	_, err = f.Identify(ctx, "Bearer "+g.AccessToken)
	assert.Equal(t, "token_revoked", tokenCode(err), "at once, although it was cached")
	_, err = f.Refresh(ctx, "Bearer "+g.RefreshToken, here)
	assert.Equal(t, "token_revoked", tokenCode(err))
	_, err = other.Refresh(ctx, "Bearer "+g.RefreshToken, here)
	assert.Equal(t, "token_revoked", tokenCode(err), "the other process asks the store")
	f.clock.add(10 * time.Second)
	_, err = other.Identify(ctx, "Bearer "+g.AccessToken)
	assert.Equal(t, "token_revoked", tokenCode(err), "the other process notices within ten seconds")

	_, err = f.Identify(ctx, "Bearer "+kept.AccessToken)
	assert.NoError(t, err, "another session goes on")
}

func TestANewPasswordEndsAllSessions(t *testing.T) {
	f, ctx := setup(t), t.Context()
	g := f.login(t)
	_, err := f.Identify(ctx, "Bearer "+g.AccessToken)
	require.NoError(t, err)
	hash, err := f.Hash(ctx, "another-password")
	require.NoError(t, err)
	_, err = f.store.ChangeUser(ctx, store.AnyTenant, f.user.ID, "", func(u *store.User) error {
		u.PasswordHash = hash
		u.SessionGeneration++
		return nil
	})
	require.NoError(t, err)
	f.clock.add(10 * time.Second)
	_, err = f.Identify(ctx, "Bearer "+g.AccessToken)
	assert.Equal(t, "token_revoked", tokenCode(err))
	_, err = f.Refresh(ctx, "Bearer "+g.RefreshToken, here)
	assert.Equal(t, "token_revoked", tokenCode(err))
	_, err = f.Login(ctx, "admin", password, here)
	assert.ErrorIs(t, err, auth.ErrBadCredentials)
	_, err = f.Login(ctx, "admin", "another-password", here)
	assert.NoError(t, err)
}

func TestFailedLoginsAreThrottled(t *testing.T) {
	f, ctx := setup(t), t.Context()
	for range 5 {
		_, err := f.Login(ctx, "admin", "wrong-password", here)
		require.ErrorIs(t, err, auth.ErrBadCredentials)
	}
	_, err := f.Login(ctx, "admin", password, here)
	require.ErrorIs(t, err, adapter.ErrRateLimited, "even the right one")
	assert.Equal(t, 12*time.Second, adapter.RetryAfter(err))

	_, err = f.Login(ctx, "admin", password, at("192.0.2.2"))
	require.NoError(t, err, "the user isn't locked out from another address")
	f.clock.add(12 * time.Second)
	for range 20 {
		_, err = f.Login(ctx, "admin", password, here)
		require.NoError(t, err, "logins that succeed cost nothing")
	}
}

func TestOneAddressTryingManyUsersIsThrottled(t *testing.T) {
	users := &fakeUsers{}
	a := auth.New(users, auth.Config{Key: vault.NewSecret(key), Now: (&clock{t: time.Now()}).now})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits for hashes here; the budget is taken before
	limited := 0
	for i := range 70 {
		_, err := a.Login(ctx, "user"+strconv.Itoa(i), password, here)
		if errors.Is(err, adapter.ErrRateLimited) {
			limited++
		}
	}
	assert.Equal(t, 10, limited)
}

type fakeUsers struct {
	auth.Users

	known bool
}

func (f fakeUsers) UserByName(context.Context, string) (store.User, error) {
	if f.known {
		return store.User{ID: 1, IsActive: true, Tenant: &store.Tenant{Status: store.Active}}, nil
	}
	return store.User{}, adapter.Errorf(adapter.NotFound, "no")
}

func TestPasswords(t *testing.T) {
	p, ctx := auth.NewPasswords(), t.Context()
	one, err := p.Hash(ctx, password)
	require.NoError(t, err)
	two, err := p.Hash(ctx, password)
	require.NoError(t, err)
	assert.NotEqual(t, one, two, "salted")
	assert.True(t, strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$"), one)
	for hash, want := range map[string]bool{one: true, two: true, "": false} {
		ok, err := p.Verify(ctx, hash, password)
		require.NoError(t, err)
		assert.Equal(t, want, ok)
	}
	ok, err := p.Verify(ctx, one, password+"x")
	require.NoError(t, err)
	assert.False(t, ok)
	for _, hash := range []string{"$2b$12$bcrypt", "x", one + "$", strings.Replace(one, "m=19456", "m=8", 1)} {
		_, err := p.Verify(ctx, hash, password)
		assert.Error(t, err, hash)
	}
	for _, bad := range []string{"", strings.Repeat("x", 1025)} {
		_, err := p.Hash(ctx, bad)
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { _, _ = p.Verify(cancelled, one, password) })
	}
	wg.Wait()
	for range 30 {
		_, err := p.Verify(cancelled, one, password)
		require.ErrorIs(t, err, context.Canceled, "nothing is hashed for who has gone")
	}
	// No deadlock, and no slot is lost:
	ok, err = p.Verify(ctx, one, password)
	require.NoError(t, err)
	assert.True(t, ok)
}

func FuzzIdentify(f *testing.F) {
	a := auth.New(&fakeUsers{}, auth.Config{Key: vault.NewSecret(key)})
	f.Add("Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.x")
	f.Add("bearer ..")
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, header string) {
		if _, err := a.Identify(context.Background(), header); tokenCode(err) == "" {
			t.Fatalf("%q was not refused as a token: %v", header, err)
		}
	})
}

func BenchmarkIdentify(b *testing.B) {
	s := storetest.Open(b)
	tenant, err := s.EnsureTenant(b.Context(), "acme")
	require.NoError(b, err)
	user := store.User{TenantID: tenant.ID, Username: "admin", Role: store.Admin, IsActive: true}
	require.NoError(b, s.CreateUser(b.Context(), &user))
	a := auth.New(s, auth.Config{Key: vault.NewSecret(key)})
	g, err := a.Open(user)
	require.NoError(b, err)
	header := "Bearer " + g.AccessToken
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Identify(b.Context(), header); err != nil {
			b.Fatal(err)
		}
	}
}

func TestATenantsStatusIsNoticed(t *testing.T) {
	f, ctx := setup(t), t.Context()
	g := f.login(t)
	other := f.other()
	header := "Bearer " + g.AccessToken
	set := func(status store.TenantStatus, ends time.Time) {
		t.Helper()
		_, err := f.store.ChangeTenant(ctx, f.user.TenantID, func(tenant *store.Tenant) error {
			tenant.Status, tenant.TrialEndsAt = status, ends
			return nil
		})
		require.NoError(t, err)
		f.Changed()
	}
	for _, tc := range []struct {
		status store.TenantStatus
		ends   time.Time
		want   error
	}{
		{store.Trial, f.clock.now().Add(time.Hour), nil},
		{store.Trial, f.clock.now(), auth.ErrTrialExpired},
		{store.Suspended, time.Time{}, auth.ErrTenantSuspended},
		{store.Deleted, time.Time{}, auth.ErrTenantDeleted},
		{store.Active, time.Time{}, nil},
	} {
		_, _ = other.Identify(ctx, header) // it knows the token as it was
		set(tc.status, tc.ends)
		check := func(a *auth.Auth, where string) {
			t.Helper()
			for what, try := range map[string]func() error{
				"identify": func() error { _, err := a.Identify(ctx, header); return err },
				"refresh":  func() error { _, err := a.Refresh(ctx, "Bearer "+g.RefreshToken, here); return err },
				"login":    func() error { _, err := a.Login(ctx, "admin", password, here); return err },
			} {
				err := try()
				if tc.want == nil {
					require.NoError(t, err, "%s %s %s", where, what, tc.status)
				} else {
					require.Equal(t, tc.want, err, "%s %s %s", where, what, tc.status)
				}
			}
			if tc.want != nil {
				_, err := a.Login(ctx, "admin", "wrong-password", at("198.51.100.1"))
				require.Equal(t, auth.ErrBadCredentials, err, "who does not know the password learns nothing")
			}
		}
		check(f.Auth, "here")
		f.clock.add(10 * time.Second)
		check(other, "elsewhere, ten seconds later")
	}

	// A trial ends by itself, for tokens that are out.
	set(store.Trial, f.clock.now().Add(time.Minute))
	g = f.login(t)
	_, err := f.Identify(ctx, "Bearer "+g.AccessToken)
	require.NoError(t, err)
	f.clock.add(time.Minute)
	_, err = f.Identify(ctx, "Bearer "+g.AccessToken)
	assert.Equal(t, auth.ErrTrialExpired, err)
}

func TestAnIdentityCarriesWhatRequestsNeed(t *testing.T) {
	f, ctx := setup(t), t.Context()
	_, err := f.store.ChangeTenant(ctx, f.user.TenantID, func(tenant *store.Tenant) error {
		tenant.Limits = map[string]int{"read": 7}
		tenant.Access = map[string][]string{"user": {"res.*"}, "viewer": {}}
		return nil
	})
	require.NoError(t, err)
	identity := func(role store.Role, granted store.Granted) *auth.Identity {
		u := store.User{TenantID: f.user.TenantID, Username: "u-" + string(role), PasswordHash: "x", Role: role, IsActive: true, Language: "ar", Granted: granted}
		require.NoError(t, f.store.CreateUser(ctx, &u))
		g, err := f.Open(u)
		require.NoError(t, err)
		id, err := f.Identify(ctx, "Bearer "+g.AccessToken)
		require.NoError(t, err)
		assert.Equal(t, "ar", id.Language)
		assert.Equal(t, limit.Rates{limit.Read: 7}, id.Limits)
		return id
	}
	some := store.Granted{"one"}
	for role, want := range map[store.Role]struct {
		operator, admin, reads bool
		rules                  int // -1 for none
		two                    bool
	}{
		store.Operator: {true, true, false, -1, true},
		store.Admin:    {false, true, false, -1, true},
		store.Plain:    {false, false, false, 1, false},
		store.Viewer:   {false, false, true, 0, false},
	} {
		id := identity(role, some)
		assert.Equal(t, want.operator, id.IsOperator(), role)
		assert.Equal(t, want.admin, id.IsAdmin(), role)
		assert.Equal(t, want.reads, id.ReadsOnly(), role)
		assert.True(t, id.MayUse("one"), role)
		assert.Equal(t, want.two, id.MayUse("two"), role)
		if want.rules < 0 {
			assert.Nil(t, id.Rules, role)
		} else {
			assert.NotNil(t, id.Rules, role)
			assert.Len(t, id.Rules, want.rules, role)
		}
	}
	assert.True(t, (&auth.Identity{Role: "king"}).ReadsOnly(), "a role that nobody knows may least")
	assert.False(t, (&auth.Identity{Role: "king"}).IsAdmin())
}

func TestChangesAreNoticedAtOnceHere(t *testing.T) {
	f, ctx := setup(t), t.Context()
	g := f.login(t)
	header := "Bearer " + g.AccessToken
	other := f.other()
	for _, a := range []*auth.Auth{f.Auth, other} {
		_, err := a.Identify(ctx, header)
		require.NoError(t, err)
	}
	second := store.User{TenantID: f.user.TenantID, Username: "second", PasswordHash: "x", Role: store.Admin, IsActive: true}
	require.NoError(t, f.store.CreateUser(ctx, &second))
	_, err := f.store.ChangeUser(ctx, store.AnyTenant, f.user.ID, "", func(u *store.User) error {
		u.Role = store.Viewer
		return nil
	})
	require.NoError(t, err)
	id, err := f.Identify(ctx, header)
	require.NoError(t, err)
	assert.True(t, id.IsAdmin(), "not told yet")
	f.Changed()
	id, err = f.Identify(ctx, header)
	require.NoError(t, err)
	assert.True(t, id.ReadsOnly())
	f.clock.add(10 * time.Second)
	id, err = other.Identify(ctx, header)
	require.NoError(t, err)
	assert.True(t, id.ReadsOnly(), "elsewhere after ten seconds")
}

func TestGuessesFromManyAddressesAreThrottled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits for hashes here; the budget is taken before
	for _, name := range []string{"somebody", "nobody"} {
		known := name == "somebody"
		a := auth.New(&fakeUsers{known: known}, auth.Config{Key: vault.NewSecret(key), Now: (&clock{t: time.Now()}).now})
		limited := 0
		for i := range 120 {
			_, err := a.Login(ctx, name, password, at("192.0.2."+strconv.Itoa(i)))
			if errors.Is(err, adapter.ErrRateLimited) {
				limited++
			}
		}
		assert.Equal(t, 20, limited, "whether there is such a user or not")
		limited = 0
		for range 10 {
			_, err := a.Login(ctx, "other", password, at("198.51.100.7"))
			if errors.Is(err, adapter.ErrRateLimited) {
				limited++
			}
		}
		assert.Equal(t, 5, limited, "others are not kept out")
	}
}

// Work in a user's name is refused where a request would be.
func TestOfWhoMayNotCall(t *testing.T) {
	for name, tc := range map[string]struct {
		active bool
		status store.TenantStatus
		want   error
	}{
		"in order":    {true, store.Active, nil},
		"deactivated": {false, store.Active, auth.ErrTokenRevoked},
		"suspended":   {true, store.Suspended, auth.ErrTenantSuspended},
		"deleted":     {true, store.Deleted, auth.ErrTenantDeleted},
	} {
		a := auth.New(nil, auth.Config{Key: vault.NewSecret(key)})
		_, err := a.Of(&store.User{ID: 1, Role: store.Plain, IsActive: tc.active, Tenant: &store.Tenant{Status: tc.status}})
		assert.ErrorIs(t, err, tc.want, name)
	}
}
