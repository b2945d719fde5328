package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// redisAt is a Redis whose clock stands still until it is moved.
type redisAt struct {
	*miniredis.Miniredis
	clock *clock
}

func newRedis(t *testing.T, c *clock) *redisAt {
	t.Helper()
	r := &redisAt{miniredis.RunT(t), c}
	r.SetTime(c.now())
	return r
}

func (r *redisAt) add(d time.Duration) {
	r.clock.add(d)
	r.SetTime(r.clock.now())
	r.FastForward(d)
}

// budgets are what one more server counts in the Redis, which may take long: a
// machine that is busy with other tests is no Redis that is away.
func (r *redisAt) budgets(t *testing.T) *limit.Shared {
	t.Helper()
	shared, err := limit.NewShared(limit.Redis{URL: "redis://" + r.Addr(), Prefix: "test:", Timeout: 30 * time.Second, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, shared.Close()) })
	return shared
}

// Servers over one Redis allow as many failures together as one alone does.
func TestServersShareTheThrottle(t *testing.T) {
	f := setup(t)
	redis := newRedis(t, f.clock)
	var servers [2]*auth.Auth
	for i := range servers {
		servers[i] = auth.New(f.store, auth.Config{Key: vault.NewSecret(key), Now: f.clock.now, Budgets: redis.budgets(t)})
	}
	login := func(server int, password string, from auth.Client) error {
		_, err := servers[server].Login(t.Context(), "admin", password, from)
		return err
	}
	for i := range 5 {
		require.ErrorIs(t, login(i%2, "wrong-password", here), auth.ErrBadCredentials)
	}
	for i := range servers {
		err := login(i, password, here)
		require.ErrorIs(t, err, adapter.ErrRateLimited, "even the right one, at either server")
		assert.Equal(t, 12*time.Second, adapter.RetryAfter(err))
		require.NoError(t, login(i, password, at("192.0.2.2")), "the user isn't locked out from another address")
	}
	redis.add(12 * time.Second)
	for i := range 12 {
		require.NoError(t, login(i%2, password, here), "logins that succeed cost nothing")
	}
	require.ErrorIs(t, login(1, "wrong-password", here), auth.ErrBadCredentials)
	require.ErrorIs(t, login(0, password, here), adapter.ErrRateLimited)
	for _, name := range redis.Keys() {
		assert.NotContains(t, name, "admin", "what was typed as a name may be a password")
		assert.NotContains(t, name, address)
		assert.Positive(t, redis.TTL(name), "nothing is kept for ever")
	}
}

// gone is somebody who hangs up: nobody waits for hashes in these tests, and his
// tries count all the same.
func gone(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// guess tries so often at each server in turn, and returns how many tries were
// let through.
func guess(ctx context.Context, servers []*auth.Auth, n int, who func(i int) (string, auth.Client)) (tried int) {
	for i := range n {
		name, from := who(i)
		if _, err := servers[i%len(servers)].Login(ctx, name, password, from); !errors.Is(err, adapter.ErrRateLimited) {
			tried++
		}
	}
	return tried
}

func TestServersShareEveryBudget(t *testing.T) {
	c := &clock{t: time.Now().Truncate(time.Second)}
	redis := newRedis(t, c)
	servers := make([]*auth.Auth, 3)
	for i := range servers {
		servers[i] = auth.New(&fakeUsers{known: true}, auth.Config{Key: vault.NewSecret(key), Now: c.now, Budgets: redis.budgets(t)})
	}
	ctx := gone(t)
	assert.Equal(t, 5, guess(ctx, servers, 30, func(int) (string, auth.Client) { return "one", here }), "of one user from one address")
	assert.Equal(t, 55, guess(ctx, servers, 90, func(i int) (string, auth.Client) { return "user" + strconv.Itoa(i), here }), "of one address, with the five before")
	assert.Equal(t, 100, guess(ctx, servers, 150, func(i int) (string, auth.Client) { return "many", at("198.51.100." + strconv.Itoa(i)) }), "of one user")
	assert.Equal(t, 1, guess(ctx, servers, 1, func(int) (string, auth.Client) { return "another", at("203.0.113.1") }))
}

// While Redis is away every server goes on with what it saw itself, and none is
// without limit or refuses everybody.
func TestTheThrottleWithoutRedis(t *testing.T) {
	c := &clock{t: time.Now().Truncate(time.Second)}
	redis := newRedis(t, c)
	server := func() *auth.Auth {
		return auth.New(&fakeUsers{known: true}, auth.Config{Key: vault.NewSecret(key), Now: c.now, Budgets: redis.budgets(t)})
	}
	f := setup(t)
	alone := auth.New(f.store, auth.Config{Key: vault.NewSecret(key), Now: f.clock.now, Budgets: redis.budgets(t)})
	one, two := server(), server()
	ctx := gone(t)
	me := func(int) (string, auth.Client) { return "admin", here }
	assert.Equal(t, 3, guess(ctx, []*auth.Auth{one}, 3, me))
	redis.Close()
	assert.Equal(t, 2, guess(ctx, []*auth.Auth{one}, 20, me), "what it saw before is not forgotten")
	assert.Equal(t, 5, guess(ctx, []*auth.Auth{two}, 20, me))
	c.add(12 * time.Second)
	assert.Equal(t, 1, guess(ctx, []*auth.Auth{one}, 20, me))

	for range 8 {
		_, err := alone.Login(t.Context(), "admin", password, here)
		require.NoError(t, err, "whoever knows the password logs in")
	}
}

// Names of budgets don't depend on who counts, and don't run into one another.
func TestNamesOfBudgets(t *testing.T) {
	spy := &spyBudgets{}
	a := auth.New(&fakeUsers{}, auth.Config{Key: vault.NewSecret(key), Budgets: spy})
	b := auth.New(&fakeUsers{}, auth.Config{Key: vault.NewSecret(strings.Repeat("k", 32)), Budgets: spy})
	ctx := gone(t)
	for _, who := range []*auth.Auth{a, a, b} {
		_, _ = who.Login(ctx, "x", password, at("y"))
	}
	_, _ = a.Login(ctx, "xy", password, at(""))
	require.Len(t, spy.seen, 4)
	assert.Equal(t, spy.seen[0], spy.seen[1])
	assert.NotEqual(t, spy.seen[0], spy.seen[2], "of another installation, or with another key")
	assert.NotEqual(t, spy.seen[0][0], spy.seen[3][0])
}

// spyBudgets sees who is counted, and counts nothing.
type spyBudgets struct{ seen [][]limit.Claim }

func (s *spyBudgets) Spend(_ context.Context, claims ...limit.Claim) (func(context.Context), time.Duration, bool) {
	s.seen = append(s.seen, claims)
	return nil, 0, false
}
