package limit_test

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

// clock is a clock that stands still until it is moved.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }
func exhaust(l limit.Limiter, key string, rate int) (allowed int) {
	for range rate * 2 {
		if l.Take(context.Background(), key, rate).Allowed {
			allowed++
		}
	}
	return allowed
}

func TestABucketEmptiesAndFills(t *testing.T) {
	c := newClock()
	l := limit.NewLocal(c.now)
	for i := range 100 {
		r := l.Take(t.Context(), "user 1 read", 100)
		require.True(t, r.Allowed, "request %d", i+1)
		require.Equal(t, 100, r.Limit)
		require.Equal(t, 99-i, r.Remaining)
	}
	r := l.Take(t.Context(), "user 1 read", 100)
	assert.False(t, r.Allowed, "the 101st read in a minute")
	assert.Zero(t, r.Remaining)
	assert.InDelta(t, float64(600*time.Millisecond), float64(r.Retry), float64(time.Millisecond))
	assert.InDelta(t, float64(time.Minute), float64(r.Reset), float64(time.Millisecond))
	assert.True(t, l.Take(t.Context(), "user 2 read", 100).Allowed, "another's bucket is another")

	c.move(r.Retry + time.Millisecond)
	assert.True(t, l.Take(t.Context(), "user 1 read", 100).Allowed, "after the wait that was told")
	assert.False(t, l.Take(t.Context(), "user 1 read", 100).Allowed)
	c.move(time.Minute)
	assert.Equal(t, 100, exhaust(l, "user 1 read", 100), "full again after a minute")
}

func TestAnotherRateIsAnotherBucket(t *testing.T) {
	l := limit.NewLocal(newClock().now)
	assert.Equal(t, 3, exhaust(l, "k", 3))
	assert.Equal(t, 5, exhaust(l, "k", 5), "a tenant's limit was raised")
}

func TestNoLimit(t *testing.T) {
	l := limit.NewLocal(nil)
	for range 1000 {
		require.True(t, l.Take(t.Context(), "k", 0).Allowed)
	}
}

func TestRates(t *testing.T) {
	r := limit.Documented()
	want := map[limit.Class]int{"auth": 10, "read": 100, "write": 50, "delete": 20, "batch": 10, "file": 30, "report": 20, "default": 60}
	for _, c := range limit.Classes {
		assert.Equal(t, want[c], r.Of(c), c)
	}
	over := r.Over(limit.Rates{limit.Read: 7})
	assert.Equal(t, 7, over.Of(limit.Read))
	assert.Equal(t, 50, over.Of(limit.Write))
	assert.Equal(t, 100, r.Of(limit.Read), "the original stays")
	assert.Equal(t, 60, limit.Rates{limit.Default: 60}.Of(limit.Report), "a class left out has the default")
}

// redisURL is the real Redis of make test, else one in this process.
func redisURL(t *testing.T) string {
	t.Helper()
	if url := os.Getenv("BRIDGECORE_TEST_REDIS_URL"); url != "" {
		return url
	}
	return "redis://" + miniredis.RunT(t).Addr()
}

// patience is that of tests with a Redis which is there, on a machine that may be
// busy with others.
const patience = 30 * time.Second

func shared(t *testing.T, url, prefix string) *limit.Shared {
	t.Helper()
	s, err := limit.NewShared(limit.Redis{URL: url, Prefix: prefix, Timeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestSeveralServersShareABucket(t *testing.T) {
	url, prefix := redisURL(t), uuid.NewString()+":"
	servers := []*limit.Shared{shared(t, url, prefix), shared(t, url, prefix), shared(t, url, prefix)}
	// At six a minute none comes back while the test runs.
	var allowed, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			r := servers[i%3].Take(context.Background(), "user 1 auth", 6)
			if r.Allowed {
				allowed.Add(1)
				return
			}
			refused.Add(1)
			assert.Positive(t, r.Retry)
			assert.LessOrEqual(t, r.Retry, 10*time.Second)
		})
	}
	wg.Wait()
	assert.EqualValues(t, 6, allowed.Load())
	assert.EqualValues(t, 24, refused.Load())
	r := servers[0].Take(t.Context(), "user 2 auth", 6)
	assert.True(t, r.Allowed)
	assert.Equal(t, 5, r.Remaining)
	assert.Equal(t, 6, r.Limit)
}

func TestRedisAwayLimitsInTheProcess(t *testing.T) {
	mini := miniredis.RunT(t)
	s := shared(t, "redis://"+mini.Addr(), "")
	assert.True(t, s.Take(t.Context(), "k", 3).Allowed)
	mini.Close()
	assert.Equal(t, 3, exhaust(s, "k", 3), "limited, though by this process alone")
}

func TestABadRedisURLIsNotShown(t *testing.T) {
	_, err := limit.NewShared(limit.Redis{URL: "http://user:hunter2@host"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func BenchmarkTake(b *testing.B) {
	l := limit.NewLocal(nil)
	b.ReportAllocs()
	for b.Loop() {
		l.Take(context.Background(), "user 1 read", 1_000_000)
	}
}

func TestRatesAreRead(t *testing.T) {
	var r limit.Rates
	require.NoError(t, r.UnmarshalText([]byte("read=7, write = 8,")))
	assert.Equal(t, limit.Rates{limit.Read: 7, limit.Write: 8}, r)
	for _, bad := range []string{"read", "read=x", "read=-1", "reads=5", "=5"} {
		assert.Error(t, r.UnmarshalText([]byte(bad)), bad)
	}
}

func TestSeveralServersShareBudgets(t *testing.T) {
	url, prefix := redisURL(t), uuid.NewString()+":"
	servers := []*limit.Shared{shared(t, url, prefix), shared(t, url, prefix), shared(t, url, prefix)}
	// None comes back while the test runs.
	narrow := limit.Claim{Key: "user", Budget: limit.Budget{Burst: 6, Every: time.Hour}}
	wide := limit.Claim{Key: "address", Budget: limit.Budget{Burst: 8, Every: time.Hour}}
	var mu sync.Mutex
	var backs []func(context.Context)
	try := func(i int, claims ...limit.Claim) time.Duration {
		back, wait, ok := servers[i%3].Spend(t.Context(), claims...)
		assert.True(t, ok)
		if wait == 0 {
			mu.Lock()
			defer mu.Unlock()
			backs = append(backs, back)
		}
		return wait
	}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if wait := try(i, narrow, wide); wait > 0 {
				assert.LessOrEqual(t, wait, time.Hour)
			}
		})
	}
	wg.Wait()
	require.Len(t, backs, 6)
	assert.Zero(t, try(0, wide), "the refused took nothing of the wide one")
	assert.Zero(t, try(1, wide))
	assert.Positive(t, try(2, wide))

	for _, back := range backs {
		back(t.Context())
	}
	backs = nil
	for i := range 10 {
		try(i, narrow)
	}
	assert.Len(t, backs, 6, "all that was given back")
	// To give back what was not taken makes no more of it.
	for _, back := range append(backs, backs...) {
		back(t.Context())
	}
	backs = nil
	for i := range 10 {
		try(i, narrow)
	}
	assert.Len(t, backs, 6)
}

func TestBudgetsWithoutRedis(t *testing.T) {
	mini := miniredis.RunT(t)
	s := shared(t, "redis://"+mini.Addr(), "")
	claim := limit.Claim{Key: "k", Budget: limit.Budget{Burst: 1, Every: time.Hour}}
	back, _, ok := s.Spend(t.Context(), claim)
	require.True(t, ok)
	mini.Close()
	_, _, ok = s.Spend(t.Context(), claim)
	assert.False(t, ok, "nobody knows")
	back(t.Context()) // nobody to give it to
}
