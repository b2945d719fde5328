package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var someone = Identity{Tenant: "acme", System: "main", Credential: "c1", Companies: []int64{1}, Language: "fr_FR", Timezone: "Asia/Riyadh"}

func keyOf(tb testing.TB, id Identity, q Question) Key {
	tb.Helper()
	k, err := NewKey(id, q)
	require.NoError(tb, err)
	return k
}

func reading(tb testing.TB, id Identity, model, args string) Key {
	tb.Helper()
	return keyOf(tb, id, Question{Operation: "search_read", Model: model, Arguments: []byte(args)})
}

func TestNoKeyWithoutIdentity(t *testing.T) {
	q := Question{Operation: "read", Model: "res.partner"}
	for name, id := range map[string]Identity{
		"none":          {},
		"no tenant":     {System: "main", Credential: "c"},
		"no system":     {Tenant: "acme", Credential: "c"},
		"no credential": {Tenant: "acme", System: "main"},
	} {
		_, err := NewKey(id, q)
		assert.Error(t, err, name)
	}
	_, err := NewKey(someone, Question{Operation: "read"})
	assert.Error(t, err)
	_, err = NewKey(someone, Question{Model: "m"})
	assert.Error(t, err)

	// A key that was never made reaches nothing.
	c := New(NewMemory(0))
	defer c.Close()
	loads := 0
	for range 2 {
		_, hit, err := c.Load(t.Context(), Key{}, time.Minute, func(context.Context) (Value, error) { loads++; return Value{}, nil })
		assert.False(t, hit)
		assert.NoError(t, err)
	}
	assert.Equal(t, 2, loads)
}

func TestKeyHasTheDocumentedForm(t *testing.T) {
	k := reading(t, someone, "res.partner", `{"limit":10}`)
	assert.Regexp(t, `^odoo:main:search_read:res\.partner:[0-9a-f]{40}$`, k.String())
	k = keyOf(t, someone, Question{Family: "system", Operation: "model", Model: "res.partner"})
	assert.Regexp(t, `^system:main:model:res\.partner:[0-9a-f]{40}$`, k.String())
}

// Whatever differs in who asks or what is asked differs in the key, also
// where parts run together to the same text.
func TestKeysDifferWhereAnswersMay(t *testing.T) {
	base := Question{Operation: "read", Model: "m", Arguments: []byte("x")}
	keys := map[[20]byte]string{}
	add := func(name string, id Identity, q Question) {
		k := keyOf(t, id, q)
		if other, taken := keys[k.sum]; taken {
			t.Errorf("%s and %s share a key", name, other)
		}
		keys[k.sum] = name
	}
	with := func(change func(*Identity, *Question)) (Identity, Question) {
		id, q := someone, base
		change(&id, &q)
		return id, q
	}
	for name, change := range map[string]func(*Identity, *Question){
		"base":            func(*Identity, *Question) {},
		"tenant":          func(id *Identity, _ *Question) { id.Tenant = "umbrella" },
		"system":          func(id *Identity, _ *Question) { id.System = "second" },
		"moved boundary":  func(id *Identity, _ *Question) { id.Tenant, id.System = "acmem", "ain" },
		"credential":      func(id *Identity, _ *Question) { id.Credential = "c2" },
		"companies":       func(id *Identity, _ *Question) { id.Companies = []int64{2} },
		"more companies":  func(id *Identity, _ *Question) { id.Companies = []int64{1, 2} },
		"company order":   func(id *Identity, _ *Question) { id.Companies = []int64{2, 1} },
		"no companies":    func(id *Identity, _ *Question) { id.Companies = nil },
		"language":        func(id *Identity, _ *Question) { id.Language = "ar_001" },
		"timezone":        func(id *Identity, _ *Question) { id.Timezone = "UTC" },
		"lang as tz":      func(id *Identity, _ *Question) { id.Language, id.Timezone = "", "fr_FR" },
		"extra":           func(id *Identity, _ *Question) { id.Extra = []string{"a"} },
		"two extras":      func(id *Identity, _ *Question) { id.Extra = []string{"a", "b"} },
		"joined extras":   func(id *Identity, _ *Question) { id.Extra = []string{"ab"} },
		"family":          func(_ *Identity, q *Question) { q.Family = "system" },
		"operation":       func(_ *Identity, q *Question) { q.Operation = "search" },
		"model":           func(_ *Identity, q *Question) { q.Model = "n" },
		"op/model border": func(_ *Identity, q *Question) { q.Operation, q.Model = "rea", "dm" },
		"related":         func(_ *Identity, q *Question) { q.Related = []string{"x"} },
		"arguments":       func(_ *Identity, q *Question) { q.Arguments = []byte("y") },
		"no arguments":    func(_ *Identity, q *Question) { q.Arguments = nil },
	} {
		id, q := with(change)
		add(name, id, q)
	}
}

// stores lists every kind of store; all must pass the same suite.
func stores(t *testing.T) map[string]func(t *testing.T) Store {
	t.Helper()
	redisAt := func(url func(t *testing.T) string, two bool, lag time.Duration) func(*testing.T) Store {
		return func(t *testing.T) Store {
			t.Helper()
			r, err := NewRedis(RedisConfig{URL: url(t), Timeout: 2 * time.Second, Prefix: fmt.Sprintf("test%d:", rand.Int64())})
			require.NoError(t, err)
			if !two {
				return r
			}
			s := NewTwoLevel(r, TwoLevelConfig{Lag: lag})
			if lag >= 0 {
				require.Eventually(t, s.hearing.Load, 5*time.Second, time.Millisecond)
			}
			return s
		}
	}
	mini := func(t *testing.T) string { t.Helper(); return "redis://" + miniredis.RunT(t).Addr() }
	all := map[string]func(*testing.T) Store{
		"memory":               func(*testing.T) Store { return NewMemory(0) },
		"redis":                redisAt(mini, false, 0),
		"two levels":           redisAt(mini, true, time.Hour),
		"two levels, checking": redisAt(mini, true, -1),
	}
	if real := os.Getenv("BRIDGECORE_TEST_REDIS_URL"); real != "" {
		at := func(*testing.T) string { return real }
		all["real redis"] = redisAt(at, false, 0)
		all["two levels on a real redis"] = redisAt(at, true, 0)
	} else {
		t.Log("BRIDGECORE_TEST_REDIS_URL is not set: Redis is a simulated one only")
	}
	return all
}

// TestConformance is what every store must do, behind the one front.
func TestConformance(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				name string
				test func(*testing.T, *Cache)
			}{
				{"keeps values as they are", conformValues},
				{"loads once and then finds it", conformLoad},
				{"keeps no errors", conformErrors},
				{"keeps nothing transient or without a life", conformTransient},
				{"forgets what was bumped", conformBump},
				{"stores nothing that was loaded before a bump", conformRace},
				{"shares one load", conformSingleFlight},
				{"a load that began before a bump is not joined after it", conformNoOldFlight},
				{"a caller who leaves does not fail the others", conformLeaving},
				{"the load ends when all have left", conformAllLeave},
				{"counts and clears", conformClear},
				{"identities never meet", conformIdentities},
				{"no stale value after an acknowledged write", conformNoStale},
				{"close twice, then miss", conformClose},
			} {
				t.Run(c.name, func(t *testing.T) {
					cache := New(open(t))
					defer cache.Close()
					c.test(t, cache)
				})
			}
		})
	}
}

func value(s string) func(context.Context) (Value, error) {
	return func(context.Context) (Value, error) { return Value{Body: []byte(s)}, nil }
}

func conformValues(t *testing.T, c *Cache) {
	t.Helper()
	for i, v := range []Value{
		{Body: []byte(`[{"id":1,"amount":5.0,"name":"ÿ 🎉"}]`)},
		{Body: []byte{}},
		{Body: []byte("null"), Meta: []byte("\x00\xff meta"), Flags: 255},
		{Body: []byte(strings.Repeat("long ", 100_000)), Flags: 1},
	} {
		k := reading(t, someone, "m", strconv.Itoa(i))
		_, hit, err := c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) { return v, nil })
		require.NoError(t, err)
		require.False(t, hit)
		got, ok := c.Get(t.Context(), k)
		require.True(t, ok, i)
		assert.Equal(t, string(v.Body), string(got.Body))
		assert.Equal(t, string(v.Meta), string(got.Meta))
		assert.Equal(t, v.Flags, got.Flags)
	}
}

func conformLoad(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	for i := range 3 {
		v, hit, err := c.Load(t.Context(), k, time.Minute, value(fmt.Sprint("load ", i)))
		require.NoError(t, err)
		assert.Equal(t, i > 0, hit)
		assert.Equal(t, "load 0", string(v.Body))
	}
	s := c.Stats(t.Context(), "acme", "main")
	assert.Equal(t, Stats{TotalKeys: 1, Hits: 2, Misses: 1, HitRatePercent: 66.67}, s)
	assert.Equal(t, Stats{}, c.Stats(t.Context(), "acme", "other"))
}

func conformErrors(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	broken := errors.New("broken")
	for range 2 {
		_, _, err := c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) { return Value{Body: []byte("half")}, broken })
		require.ErrorIs(t, err, broken)
		_, ok := c.Get(t.Context(), k)
		require.False(t, ok)
	}
}

func conformTransient(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	_, _, err := c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) { return Value{Transient: true}, nil })
	require.NoError(t, err)
	_, _, err = c.Load(t.Context(), k, 0, value("x"))
	require.NoError(t, err)
	_, ok := c.Get(t.Context(), k)
	assert.False(t, ok)
}

func conformBump(t *testing.T, c *Cache) {
	t.Helper()
	a, b := reading(t, someone, "a", ""), reading(t, someone, "b", "")
	both := keyOf(t, someone, Question{Operation: "read", Model: "a", Related: []string{"b"}})
	fill := func() {
		for _, k := range []Key{a, b, both} {
			_, _, err := c.Load(t.Context(), k, time.Minute, value("x"))
			require.NoError(t, err)
		}
	}
	has := func(k Key) bool { _, ok := c.Get(t.Context(), k); return ok }
	for _, step := range []struct {
		subject       Subject
		a, b, related bool
	}{
		{Subject{"acme", "main", "a"}, false, true, false},
		{Subject{"acme", "main", "b"}, true, false, false},
		{Subject{"acme", "main", ""}, false, false, false},
		{Subject{"acme", "main", "c"}, true, true, true},
		{Subject{"acme", "other", ""}, true, true, true},
		{Subject{"umbrella", "main", "a"}, true, true, true},
	} {
		fill()
		require.True(t, has(a) && has(b) && has(both))
		c.Bump(t.Context(), step.subject)
		assert.Equal(t, []bool{step.a, step.b, step.related}, []bool{has(a), has(b), has(both)}, "%+v", step.subject)
	}
}

func conformRace(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	_, _, err := c.Load(t.Context(), k, time.Minute, func(ctx context.Context) (Value, error) {
		// A write comes and is done while the read is under way.
		c.Bump(ctx, Subject{"acme", "main", "m"})
		return Value{Body: []byte("from before")}, nil
	})
	require.NoError(t, err)
	_, ok := c.Get(t.Context(), k)
	assert.False(t, ok, "a value loaded before the bump was stored")
}

func conformSingleFlight(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	const callers = 50
	var loads atomic.Int32
	started := make(chan struct{})
	release := make(chan struct{})
	var wg sync.WaitGroup
	ask := func() {
		v, _, err := c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) {
			loads.Add(1)
			close(started)
			<-release
			return Value{Body: []byte("one")}, nil
		})
		assert.NoError(t, err)
		assert.Equal(t, "one", string(v.Body))
	}
	wg.Go(ask)
	<-started
	for range callers {
		wg.Go(ask)
	}
	require.Eventually(t, func() bool { return c.flights.waitingFor(k) > callers }, 10*time.Second, time.Millisecond)
	close(release)
	wg.Wait()
	assert.EqualValues(t, 1, loads.Load())
}

// waitingFor counts the callers who wait for a key.
func (f *flights) waitingFor(k Key) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for key, fl := range f.flying {
		if key.sum == k.sum {
			n += fl.waiting
		}
	}
	return n
}

func conformNoOldFlight(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		v, _, _ := c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) {
			close(started)
			<-release
			return Value{Body: []byte("old")}, nil
		})
		assert.Equal(t, "old", string(v.Body))
	})
	<-started
	c.Bump(t.Context(), Subject{"acme", "main", "m"})
	v, hit, err := c.Load(t.Context(), k, time.Minute, value("new"))
	require.NoError(t, err)
	assert.False(t, hit)
	assert.Equal(t, "new", string(v.Body))
	close(release)
	wg.Wait()
	v, ok := c.Get(t.Context(), k)
	assert.Equal(t, "new", string(v.Body), "kept: %v", ok)
}

func conformLeaving(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	started, release := make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context) (Value, error) {
		close(started)
		select {
		case <-release:
			return Value{Body: []byte("done")}, nil
		case <-ctx.Done():
			return Value{}, ctx.Err()
		}
	}
	first, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _, err := c.Load(first, k, time.Minute, load)
		assert.ErrorIs(t, err, context.Canceled)
	})
	<-started
	wg.Go(func() {
		v, _, err := c.Load(t.Context(), k, time.Minute, load)
		assert.NoError(t, err)
		assert.Equal(t, "done", string(v.Body))
	})
	require.Eventually(t, func() bool { return c.flights.waitingFor(k) == 2 }, 10*time.Second, time.Millisecond)
	leave()
	require.Eventually(t, func() bool { return c.flights.waitingFor(k) == 1 }, 10*time.Second, time.Millisecond)
	close(release)
	wg.Wait()
}

func conformAllLeave(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan struct{})
	_, _, err := c.Load(ctx, k, time.Minute, func(ctx context.Context) (Value, error) {
		leave()
		<-ctx.Done()
		close(ended)
		return Value{Body: []byte("late")}, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	// Whoever comes now starts anew.
	v, _, err := c.Load(t.Context(), k, time.Minute, value("anew"))
	require.NoError(t, err)
	assert.Contains(t, []string{"anew", "late"}, string(v.Body))
}

func conformClear(t *testing.T, c *Cache) {
	t.Helper()
	other := someone
	other.Tenant = "umbrella"
	for i := range 1500 {
		model := []string{"a", "b", "b"}[i%3]
		_, _, err := c.Load(t.Context(), reading(t, someone, model, strconv.Itoa(i)), time.Minute, value("x"))
		require.NoError(t, err)
	}
	kept := reading(t, other, "a", "")
	_, _, err := c.Load(t.Context(), kept, time.Minute, value("x"))
	require.NoError(t, err)

	assert.Equal(t, 1500, c.Stats(t.Context(), "acme", "main").TotalKeys)
	assert.Equal(t, 500, c.Clear(t.Context(), Subject{"acme", "main", "a"}))
	assert.Equal(t, 1000, c.Stats(t.Context(), "acme", "main").TotalKeys)
	assert.Equal(t, 1000, c.Clear(t.Context(), Subject{"acme", "main", ""}))
	assert.Equal(t, 0, c.Stats(t.Context(), "acme", "main").TotalKeys)
	assert.Equal(t, 0, c.Clear(t.Context(), Subject{"acme", "main", ""}))
	_, ok := c.Get(t.Context(), kept)
	assert.True(t, ok, "another tenant's value went too")
}

func conformIdentities(t *testing.T, c *Cache) {
	t.Helper()
	for i, tenant := range []string{"acme", "umbrella"} {
		for j, credential := range []string{"c1", "c2"} {
			id := someone
			id.Tenant, id.Credential = tenant, credential
			v, hit, err := c.Load(t.Context(), reading(t, id, "m", "same"), time.Minute, value(fmt.Sprint(i, j)))
			require.NoError(t, err)
			assert.False(t, hit)
			assert.Equal(t, fmt.Sprint(i, j), string(v.Body))
		}
	}
}

// conformNoStale writes and reads one record from many goroutines. A reader
// may see a value that is newer than the last acknowledged one when it asked,
// never an older one.
func conformNoStale(t *testing.T, c *Cache) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		model := fmt.Sprintf("m%d", rand.Int64())
		k := reading(t, someone, model, "")
		writers, readers := rapid.IntRange(1, 3).Draw(rt, "writers"), rapid.IntRange(1, 4).Draw(rt, "readers")
		rounds := rapid.IntRange(1, 12).Draw(rt, "rounds")
		var upstream, acknowledged atomic.Int64
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range rounds {
					c.Bump(t.Context(), Subject{"acme", "main", model})
					n := upstream.Add(1)
					c.Bump(t.Context(), Subject{"acme", "main", model})
					for {
						if at := acknowledged.Load(); at >= n || acknowledged.CompareAndSwap(at, n) {
							break
						}
					}
				}
			})
		}
		var stale atomic.Int64
		for range readers {
			wg.Go(func() {
				for range rounds * 3 {
					least := acknowledged.Load()
					v, _, err := c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) {
						return Value{Body: strconv.AppendInt(nil, upstream.Load(), 10)}, nil
					})
					var n int64
					_, _ = fmt.Sscan(string(v.Body), &n)
					if err != nil || n < least {
						stale.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if n := stale.Load(); n > 0 {
			rt.Fatalf("%d stale reads", n)
		}
	})
}

func conformClose(t *testing.T, c *Cache) {
	t.Helper()
	k := reading(t, someone, "m", "")
	_, _, err := c.Load(t.Context(), k, time.Minute, value("x"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	v, hit, err := c.Load(t.Context(), k, time.Minute, value("y"))
	require.NoError(t, err)
	assert.False(t, hit)
	assert.Equal(t, "y", string(v.Body))
	c.Bump(t.Context(), Subject{"acme", "main", "m"})
	c.Clear(t.Context(), Subject{"acme", "main", ""})
}

func TestNilCacheLoadsEveryTime(t *testing.T) {
	var c *Cache
	k := reading(t, someone, "m", "")
	for i := range 2 {
		v, hit, err := c.Load(t.Context(), k, time.Minute, value(strconv.Itoa(i)))
		require.NoError(t, err)
		assert.False(t, hit)
		assert.Equal(t, strconv.Itoa(i), string(v.Body))
	}
	_, ok := c.Get(t.Context(), k)
	assert.False(t, ok)
	c.Bump(t.Context(), Subject{})
	assert.Zero(t, c.Clear(t.Context(), Subject{}))
	assert.Zero(t, c.Stats(t.Context(), "a", "b"))
	assert.NoError(t, c.Close())
}

func TestPanicInALoadReachesItsCallers(t *testing.T) {
	c := New(NewMemory(0))
	defer c.Close()
	k := reading(t, someone, "m", "")
	assert.PanicsWithValue(t, "boom", func() {
		defer func() {
			if p := recover(); p != nil {
				text, _ := p.(string)
				assert.Contains(t, text, "in the load:")
				word, _, _ := strings.Cut(text, "\n")
				panic(word)
			}
		}()
		_, _, _ = c.Load(t.Context(), k, time.Minute, func(context.Context) (Value, error) { panic("boom") })
	})
	// The key is not blocked by it.
	_, _, err := c.Load(t.Context(), k, time.Minute, value("x"))
	assert.NoError(t, err)
}

func TestMemoryExpiresWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(NewMemory(0))
		defer c.Close()
		var keys []Key
		for i := range 200 {
			k := reading(t, someone, "m", strconv.Itoa(i))
			keys = append(keys, k)
			_, _, err := c.Load(t.Context(), k, 100*time.Second, value("x"))
			require.NoError(t, err)
		}
		alive := func() (n int) {
			for _, k := range keys {
				if _, ok := c.Get(t.Context(), k); ok {
					n++
				}
			}
			return n
		}
		time.Sleep(89 * time.Second)
		assert.Equal(t, 200, alive(), "before nine tenths of the time none has gone")
		time.Sleep(11 * time.Second)
		n := alive()
		assert.Greater(t, n, 20, "at the time itself some have gone, some not")
		assert.Less(t, n, 180)
		time.Sleep(11 * time.Second)
		assert.Zero(t, alive(), "after eleven tenths all have gone")
	})
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	const size = 1 << 20
	m := NewMemory(size)
	c := New(m)
	defer c.Close()
	body := strings.Repeat("x", 10_000)
	for i := range 1000 {
		_, _, err := c.Load(t.Context(), reading(t, someone, "m", strconv.Itoa(i)), time.Hour, value(body))
		require.NoError(t, err)
	}
	m.table.cache.CleanUp()
	assert.LessOrEqual(t, m.table.cache.WeightedSize(), uint64(size))
	assert.Greater(t, m.Count(t.Context(), "acme", "main"), 10)

	big := reading(t, someone, "m", "big")
	_, _, err := c.Load(t.Context(), big, time.Hour, value(strings.Repeat("x", size/8)))
	require.NoError(t, err)
	_, ok := c.Get(t.Context(), big)
	assert.False(t, ok, "one value must not drive out all others")
}

func TestRedisAwayEverythingStillWorks(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two levels ", two), func(t *testing.T) {
			server := miniredis.RunT(t)
			r, err := NewRedis(RedisConfig{URL: "redis://" + server.Addr(), Timeout: time.Second, Pause: 5 * time.Millisecond})
			require.NoError(t, err)
			var s Store = r
			if two {
				s = NewTwoLevel(r, TwoLevelConfig{})
			}
			c := New(s)
			defer c.Close()
			k, quiet := reading(t, someone, "m", ""), reading(t, someone, "quiet", "")
			_, _, err = c.Load(t.Context(), k, time.Minute, value("before"))
			require.NoError(t, err)
			_, _, err = c.Load(t.Context(), quiet, time.Minute, value("kept"))
			require.NoError(t, err)

			server.Close()
			// Changes that Redis can't be told of: nobody may see the value from before.
			c.Bump(t.Context(), Subject{"acme", "main", "m"})
			for i := range 3 {
				v, hit, err := c.Load(t.Context(), k, time.Minute, value(fmt.Sprint("away ", i)))
				require.NoError(t, err)
				assert.False(t, hit)
				assert.Equal(t, fmt.Sprint("away ", i), string(v.Body))
			}
			c.Stats(t.Context(), "acme", "main")
			c.Clear(t.Context(), Subject{"acme", "main", "other"})

			require.NoError(t, server.Restart())
			require.Eventually(t, func() bool {
				v, hit, err := c.Load(t.Context(), k, time.Minute, value("after"))
				require.NoError(t, err)
				require.Equal(t, "after", string(v.Body), "a value from before the change came back")
				return hit
			}, 10*time.Second, time.Millisecond)
			v, ok := c.Get(t.Context(), quiet)
			assert.True(t, ok, "what did not change is still there")
			assert.Equal(t, "kept", string(v.Body))
		})
	}
}

// A Redis that accepts and then says nothing costs one short timeout, not one
// for every call.
func TestHungRedisIsLeftAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns atomic.Int32
	var wg sync.WaitGroup
	hung := make(chan struct{})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			wg.Go(func() { <-hung; c.Close() })
		}
	})
	defer wg.Wait()
	defer close(hung)
	defer l.Close()

	r, err := NewRedis(RedisConfig{URL: "redis://" + l.Addr().String(), Timeout: 20 * time.Millisecond, Pause: time.Hour})
	require.NoError(t, err)
	c := New(r)
	defer c.Close()
	for i := range 200 {
		_, hit, err := c.Load(t.Context(), reading(t, someone, "m", strconv.Itoa(i)), time.Minute, value("x"))
		require.NoError(t, err)
		require.False(t, hit)
		c.Bump(t.Context(), Subject{"acme", "main", "m"})
	}
	assert.LessOrEqual(t, conns.Load(), int32(2), "after the first failure Redis is left alone")
	assert.Error(t, r.Ping(t.Context()))
}

// Two processes share a Redis: each sees the other's change.
func TestProcessesHearOfEachOther(t *testing.T) {
	for name, lag := range map[string]time.Duration{"by messages": time.Hour, "by asking": -1} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			open := func() *Cache {
				r, err := NewRedis(RedisConfig{URL: "redis://" + server.Addr(), Timeout: time.Second})
				require.NoError(t, err)
				s := NewTwoLevel(r, TwoLevelConfig{Lag: lag})
				if lag > 0 {
					require.Eventually(t, s.hearing.Load, 5*time.Second, time.Millisecond)
				}
				return New(s)
			}
			one, two := open(), open()
			defer one.Close()
			defer two.Close()
			k := reading(t, someone, "m", "")
			_, _, err := one.Load(t.Context(), k, time.Minute, value("first"))
			require.NoError(t, err)
			for range 2 {
				v, hit, err := two.Load(t.Context(), k, time.Minute, value("never loaded"))
				require.NoError(t, err)
				require.True(t, hit)
				require.Equal(t, "first", string(v.Body))
			}
			one.Bump(t.Context(), Subject{"acme", "main", "m"})
			heard := func() bool {
				_, ok := two.Get(t.Context(), k)
				return !ok
			}
			if lag < 0 {
				require.True(t, heard(), "asking sees the change at once")
			} else {
				require.Eventually(t, heard, 5*time.Second, time.Millisecond)
			}
			// What one loads anew, the other takes from Redis.
			_, _, err = one.Load(t.Context(), k, time.Minute, value("second"))
			require.NoError(t, err)
			v, hit, err := two.Load(t.Context(), k, time.Minute, value("never loaded"))
			require.NoError(t, err)
			assert.True(t, hit)
			assert.Equal(t, "second", string(v.Body))
		})
	}
}

// A Redis that loses everything, or only the generations, serves nothing old.
func TestRedisThatForgetsGenerations(t *testing.T) {
	server := miniredis.RunT(t)
	r, err := NewRedis(RedisConfig{URL: "redis://" + server.Addr(), Timeout: time.Second})
	require.NoError(t, err)
	c := New(r)
	defer c.Close()
	k := reading(t, someone, "m", "")
	_, _, err = c.Load(t.Context(), k, time.Minute, value("x"))
	require.NoError(t, err)
	c.Bump(t.Context(), Subject{"acme", "main", "m"})
	for _, name := range server.Keys() {
		if strings.HasPrefix(name, "generation:") {
			server.Del(name)
		}
	}
	_, ok := c.Get(t.Context(), k)
	assert.False(t, ok)
}

func TestRedisKeepsForeignBytesAtBay(t *testing.T) {
	server := miniredis.RunT(t)
	r, err := NewRedis(RedisConfig{URL: "redis://" + server.Addr(), Timeout: time.Second})
	require.NoError(t, err)
	c := New(r)
	defer c.Close()
	k := reading(t, someone, "m", "")
	for _, rubbish := range []string{"", "x", "\x80\x04pickle", strings.Repeat("\xff", 100)} {
		require.NoError(t, server.Set(k.String(), rubbish))
		_, ok := c.Get(t.Context(), k)
		assert.False(t, ok, "%q", rubbish)
	}
}

func TestRedisURLIsNeverShown(t *testing.T) {
	_, err := NewRedis(RedisConfig{URL: "http://user:hunter2@host"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(string(appendEntry(nil, 7, Value{Body: []byte("body"), Meta: []byte("meta"), Flags: 3}, time.Unix(1, 0))), uint64(7))
	f.Add("", uint64(1))
	f.Add(strings.Repeat("\x01", 22), uint64(0x0101010101010101))
	f.Fuzz(func(t *testing.T, s string, gen uint64) {
		v, expires, ok := decodeEntry(s, Generation(gen))
		if !ok {
			return
		}
		if again := string(appendEntry(nil, Generation(gen), v, expires)); again != s {
			t.Fatalf("%q became %q", s, again)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	c := New(NewMemory(0))
	defer c.Close()
	args := []byte(`{"domain":[["is_company","=",true]],"fields":["name","email","phone"],"limit":80}`)
	q := Question{Operation: "search_read", Model: "res.partner", Arguments: args}
	k := keyOf(b, someone, q)
	_, _, _ = c.Load(b.Context(), k, time.Hour, value(strings.Repeat("x", 1000)))
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = NewKey(someone, q)
		}
	})
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, hit, _ := c.Load(b.Context(), k, time.Hour, nil); !hit {
				b.Fatal("missed")
			}
		}
	})
}

// Stores refuse what was loaded before a bump by themselves, without the
// front's help: in a shared store the bump may be another process's.
func TestStoresKeepNothingFromBeforeABump(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer s.Close()
			k := reading(t, someone, "m", "")
			_, gen, ok := s.Get(t.Context(), k)
			require.False(t, ok)
			require.NotZero(t, gen)
			s.Bump(t.Context(), Subject{"acme", "main", "m"})
			s.Set(t.Context(), k, gen, Value{Body: []byte("old")}, time.Minute)
			_, fresh, ok := s.Get(t.Context(), k)
			assert.False(t, ok)
			assert.NotEqual(t, gen, fresh)
			s.Set(t.Context(), k, fresh, Value{Body: []byte("new")}, time.Minute)
			v, _, ok := s.Get(t.Context(), k)
			assert.True(t, ok)
			assert.Equal(t, "new", string(v.Body))
			s.Set(t.Context(), k, 0, Value{Body: []byte("of no generation")}, time.Minute)
			v, _, _ = s.Get(t.Context(), k)
			assert.Equal(t, "new", string(v.Body))
		})
	}
}

// A Redis that came back before the bumps that it missed were delivered is
// not believed about them.
func TestRedisIsNotBelievedBeforeItKnows(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two levels ", two), func(t *testing.T) {
			server := miniredis.RunT(t)
			r, err := NewRedis(RedisConfig{URL: "redis://" + server.Addr(), Timeout: time.Second, Pause: time.Hour})
			require.NoError(t, err)
			var s Store = r
			if two {
				s = NewTwoLevel(r, TwoLevelConfig{})
			}
			defer s.Close()
			k, other := reading(t, someone, "m", ""), reading(t, someone, "other", "")
			for _, k := range []Key{k, other} {
				_, gen, _ := s.Get(t.Context(), k)
				s.Set(t.Context(), k, gen, Value{Body: []byte("before")}, time.Minute)
			}
			server.Close()
			s.Bump(t.Context(), Subject{"acme", "main", "m"})
			require.NoError(t, server.Restart())
			r.awayUntil.Store(0) // it answers again; the bump is still owed
			_, gen, ok := s.Get(t.Context(), k)
			assert.False(t, ok)
			assert.Zero(t, gen, "and nothing is stored meanwhile")
			_, _, ok = s.Get(t.Context(), other)
			assert.True(t, ok, "what was not bumped is believed")
		})
	}
}
