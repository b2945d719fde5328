package bridge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
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

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a system whose answers a test decides.
type fake struct {
	*memory.Adapter
	answer func(context.Context, adapter.Call) (string, error) // of Call
	query  func(context.Context, adapter.Query) (adapter.Page, error)
	create func(context.Context, string, adapter.Record) (adapter.ID, error)
	ping   func(context.Context) error

	mu     sync.Mutex
	calls  []adapter.Call
	scopes []adapter.Scope
	reads  []string
	closed atomic.Int32
}

func newFake() *fake { return &fake{Adapter: memory.New(shop()...)} }

func (f *fake) Call(ctx context.Context, c adapter.Call) (json.RawMessage, error) {
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.scopes = append(f.scopes, adapter.ScopeFrom(ctx))
	f.mu.Unlock()
	if f.answer == nil {
		return json.RawMessage(`[]`), nil
	}
	s, err := f.answer(ctx, c)
	return json.RawMessage(s), err
}

func (f *fake) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	if f.query != nil {
		return f.query(ctx, q)
	}
	return f.Adapter.Query(ctx, q)
}

func (f *fake) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	if f.create != nil {
		return f.create(ctx, model, values)
	}
	return f.Adapter.Create(ctx, model, values)
}

func (f *fake) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	f.mu.Lock()
	f.reads = append(f.reads, fmt.Sprint(model, " ", len(ids), " ", strings.Join(fields, ",")))
	f.mu.Unlock()
	return f.Adapter.Read(ctx, model, ids, fields)
}

func (f *fake) Ping(ctx context.Context) error {
	if f.ping != nil {
		return f.ping(ctx)
	}
	return nil
}

func (f *fake) Close() error {
	f.closed.Add(1)
	return f.Adapter.Close()
}

func (f *fake) made() []adapter.Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func shop() []adapter.Schema {
	field := func(t adapter.FieldType) adapter.Field { return adapter.Field{Type: t} }
	link := func(t adapter.FieldType, model string) adapter.Field { return adapter.Field{Type: t, Relation: model} }
	return []adapter.Schema{
		{Model: "res.country", Fields: map[string]adapter.Field{"name": field(adapter.Char), "code": field(adapter.Char)}},
		{Model: "res.partner", Fields: map[string]adapter.Field{
			"name": field(adapter.Char), "email": field(adapter.Char), "phone": field(adapter.Char),
			"country_id": link(adapter.Many2One, "res.country"), "is_company": field(adapter.Boolean),
		}},
		{Model: "sale.order", Fields: map[string]adapter.Field{
			"name": field(adapter.Char), "partner_id": link(adapter.Many2One, "res.partner"), "amount_total": field(adapter.Float),
			"order_line": {Type: adapter.One2Many, Relation: "sale.order.line", Inverse: "order_id"},
		}},
		{Model: "sale.order.line", Fields: map[string]adapter.Field{
			"name": field(adapter.Char), "order_id": link(adapter.Many2One, "sale.order"), "qty": field(adapter.Float),
		}},
		{Model: "odd.model", Fields: map[string]adapter.Field{"name": field(adapter.Char), "partner_id": link(adapter.Many2One, "res.country")}},
	}
}

type rig struct {
	*Bridge
	source *switchboard
	cache  *cache.Cache
}

// switchboard is a Source that a test changes.
type switchboard struct {
	mu      sync.Mutex
	systems map[systemName]SystemConfig
	err     error
	asked   int
}

func (s *switchboard) System(_ context.Context, tenant, id string) (SystemConfig, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.err != nil {
		return SystemConfig{}, s.err
	}
	if c, ok := s.systems[systemName{tenant, id}]; ok {
		return c, nil
	}
	return SystemConfig{}, adapter.ErrNotFound
}

func (s *switchboard) put(c SystemConfig) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.systems[systemName{c.Tenant, c.ID}] = c
}

func (s *switchboard) remove(tenant, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.systems, systemName{tenant, id})
}

// build makes a bridge over systems, the Connection of each being its adapter
// or a function that opens it.
func build(tb testing.TB, change func(*Config), systems ...SystemConfig) *rig {
	tb.Helper()
	r := &rig{source: &switchboard{systems: map[systemName]SystemConfig{}}, cache: cache.New(cache.NewMemory(1 << 24))}
	for _, s := range systems {
		r.source.put(s)
	}
	c := Config{
		Source: r.source, Cache: r.cache, Logger: slog.New(slog.DiscardHandler),
		Openers: map[string]Opener{"fake": func(ctx context.Context, c SystemConfig) (adapter.Adapter, error) {
			switch conn := c.Connection.(type) {
			case func(context.Context) (adapter.Adapter, error):
				return conn(ctx)
			case adapter.Adapter:
				return conn, nil
			}
			return nil, errors.New("nothing to connect to")
		}},
	}
	if change != nil {
		change(&c)
	}
	b, err := New(c)
	require.NoError(tb, err)
	r.Bridge = b
	tb.Cleanup(func() { _ = r.Close(); _ = r.cache.Close() })
	return r
}

// kept are the caches that what matters most is tried with: in process, and in
// process before a Redis.
func kept(t *testing.T) map[string]func() *cache.Cache {
	t.Helper()
	url := os.Getenv("BRIDGECORE_TEST_REDIS_URL")
	if url == "" {
		url = "redis://" + miniredis.RunT(t).Addr()
	}
	return map[string]func() *cache.Cache{
		"in process": func() *cache.Cache { return cache.New(cache.NewMemory(0)) },
		"two levels": func() *cache.Cache {
			r, err := cache.NewRedis(cache.RedisConfig{URL: url, Timeout: 5 * time.Second, Prefix: rand.Text() + ":"})
			require.NoError(t, err)
			return cache.New(cache.NewTwoLevel(r, cache.TwoLevelConfig{}))
		},
	}
}

func on(conn any) SystemConfig {
	return SystemConfig{Tenant: "acme", ID: "main", Kind: "fake", Connection: conn, Revision: "1"}
}

var sara = Caller{Tenant: "acme", User: "sara"}

func (r *rig) sys(tb testing.TB) *System {
	tb.Helper()
	s, err := r.System(tb.Context(), sara, "main")
	require.NoError(tb, err)
	return s
}

func code(tb testing.TB, err error) adapter.Code {
	tb.Helper()
	require.Error(tb, err)
	var e *adapter.Error
	require.ErrorAs(tb, err, &e, "every error is an adapter's: %v", err)
	return e.Code
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	open := map[string]Opener{"fake": func(context.Context, SystemConfig) (adapter.Adapter, error) { return nil, nil }}
	for name, c := range map[string]Config{
		"no source":        {Openers: open},
		"no opener":        {Source: Static()},
		"nil opener":       {Source: Static(), Openers: map[string]Opener{"x": nil}},
		"negative limit":   {Source: Static(), Openers: open, MaxConcurrent: -1},
		"broken pattern":   {Source: Static(), Openers: open, Access: Access{"r": {{Models: []string{"["}}}}},
		"negative timeout": {Source: Static(), Openers: open, CallTimeout: -1},
	} {
		_, err := New(c)
		assert.Error(t, err, name)
	}
}

func TestASystemNeedsACaller(t *testing.T) {
	r := build(t, nil, on(newFake()))
	for _, c := range []Caller{{}, {Tenant: "acme"}, {User: "sara"}} {
		_, err := r.System(t.Context(), c, "main")
		assert.Equal(t, adapter.Unauthenticated, code(t, err))
	}
}

func TestAForeignSystemIsAsAMissingOne(t *testing.T) {
	other := on(newFake())
	other.Tenant, other.ID = "umbrella", "theirs"
	r := build(t, nil, on(newFake()), other)
	_, missing := r.System(t.Context(), sara, "theirs")
	_, err := r.System(t.Context(), Caller{Tenant: "umbrella", User: "x"}, "theirs")
	require.NoError(t, err)
	_, foreign := r.System(t.Context(), sara, "theirs") // now that the bridge knows it
	assert.Equal(t, adapter.NotFound, code(t, missing))
	assert.Equal(t, missing, foreign)

	// A source that mixes tenants up does not get through.
	r.source.mu.Lock()
	r.source.systems[systemName{"acme", "mixed"}] = other
	r.source.mu.Unlock()
	_, err = r.System(t.Context(), sara, "mixed")
	assert.Equal(t, adapter.NotFound, code(t, err))
}

// Two tenants with a system of the same id and the same records' ids see
// their own, through every way there is, cached or not, and change their own.
func TestTenantsWithTheSameSystemID(t *testing.T) {
	for name, open := range kept(t) {
		t.Run(name, func(t *testing.T) { tenantsWithTheSameSystemID(t, open()) })
	}
}

func tenantsWithTheSameSystemID(t *testing.T, c *cache.Cache) {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	configs := map[string]SystemConfig{}
	var list []SystemConfig
	for _, tenant := range []string{"acme", "umbrella"} {
		m := memory.New(shop()...)
		_, err := m.Create(t.Context(), "res.partner", adapter.Record{"name": tenant + "'s"})
		require.NoError(t, err)
		c := on(m)
		c.Tenant = tenant
		configs[tenant] = c
		list = append(list, c)
	}
	r := build(t, func(config *Config) { config.Cache = c }, list...)
	sysOf := func(tenant string) *System {
		s, err := r.System(t.Context(), Caller{Tenant: tenant, User: "u"}, "main")
		require.NoError(t, err)
		return s
	}
	ways := map[string]func(*System) (Answer, error){
		"read": func(s *System) (Answer, error) {
			return s.Read(t.Context(), Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}}})
		},
		"search_read": func(s *System) (Answer, error) {
			return s.Operation(t.Context(), "search_read", OperationRequest{Model: "res.partner", Fields: Names{"name"}})
		},
		"op read": func(s *System) (Answer, error) {
			return s.Operation(t.Context(), "read", OperationRequest{Model: "res.partner", IDs: IDs{adapter.IntID(1)}})
		},
		"name_search": func(s *System) (Answer, error) {
			return s.Operation(t.Context(), "name_search", OperationRequest{Model: "res.partner"})
		},
		"call_kw": func(s *System) (Answer, error) {
			return s.Operation(t.Context(), "call_kw", OperationRequest{Model: "res.partner", Method: "search_read", Kwargs: json.RawMessage(`{"domain":[]}`)})
		},
	}
	for name, way := range ways {
		for round := range 2 {
			for tenant := range configs {
				a, err := way(sysOf(tenant))
				require.NoError(t, err, name)
				assert.Equal(t, round == 1, a.Cached, name)
				assert.Contains(t, string(a.Result), tenant+"'s", name)
				for other := range configs {
					assert.Equal(t, other == tenant, strings.Contains(string(a.Result), other), name)
				}
			}
		}
	}
	// One tenant's change leaves the other's answers kept.
	require.NoError(t, sysOf("acme").Update(t.Context(), "res.partner", []adapter.ID{adapter.IntID(1)}, adapter.Record{"name": "new acme's"}))
	assert.Positive(t, sysOf("acme").CacheStats(t.Context()).Misses)
	for name, way := range ways {
		a, err := way(sysOf("acme"))
		require.NoError(t, err)
		assert.False(t, a.Cached, name)
		assert.Contains(t, string(a.Result), "new acme's")
		a, err = way(sysOf("umbrella"))
		require.NoError(t, err)
		assert.True(t, a.Cached, name)
		assert.NotContains(t, string(a.Result), "acme")
	}
	assert.Positive(t, sysOf("acme").ClearCache(t.Context(), ""))
	a, err := ways["read"](sysOf("umbrella"))
	require.NoError(t, err)
	assert.True(t, a.Cached)
}

func TestASystemIsDialledWhenNeededAndOnce(t *testing.T) {
	var dials atomic.Int32
	release := make(chan struct{})
	f := newFake()
	r := build(t, func(c *Config) { c.MaxConcurrent = 30 }, on(func(context.Context) (adapter.Adapter, error) {
		dials.Add(1)
		<-release
		return f, nil
	}))
	s := r.sys(t)
	assert.Zero(t, dials.Load(), "looking it up does not dial it")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := s.Operation(t.Context(), "search_count", OperationRequest{Model: "res.partner", Limit: &i})
			assert.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return len(s.link.turns) == 20 }, 10*time.Second, time.Millisecond)
	close(release)
	wg.Wait()
	assert.EqualValues(t, 1, dials.Load())
	assert.Len(t, f.made(), 20)
}

func TestAFailedDialIsTriedAgainAndSaysNoSecret(t *testing.T) {
	fail := true
	f := newFake()
	r := build(t, func(c *Config) { c.Retries = -1 }, on(func(context.Context) (adapter.Adapter, error) {
		if fail {
			return nil, errors.New("dial tcp 10.1.2.3: hunter2")
		}
		return f, nil
	}))
	_, err := r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
	assert.Equal(t, adapter.Unavailable, code(t, err))
	e, _ := asError(err)
	assert.True(t, e.NothingSent)
	assert.NotContains(t, err.Error(), "hunter2")
	assert.NotContains(t, err.Error(), "10.1.2.3")
	fail = false
	_, err = r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
	assert.NoError(t, err)
}

func TestAPanickingOpenerIsAnError(t *testing.T) {
	r := build(t, nil, on(func(context.Context) (adapter.Adapter, error) { panic("oops") }))
	_, err := r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
	assert.Equal(t, adapter.Internal, code(t, err))
}

func TestAChangedConfigurationIsDialledAnew(t *testing.T) {
	old, fresh := newFake(), newFake()
	old.answer = func(context.Context, adapter.Call) (string, error) { return `"old"`, nil }
	fresh.answer = func(context.Context, adapter.Call) (string, error) { return `"fresh"`, nil }
	r := build(t, nil, on(old))
	ask := func() Answer {
		a, err := r.sys(t).Operation(t.Context(), "search_count", OperationRequest{Model: "m"})
		require.NoError(t, err)
		return a
	}
	ask()
	assert.True(t, ask().Cached)
	c := on(fresh)
	c.Revision = "2"
	r.source.put(c)
	assert.Equal(t, `"old"`, string(ask().Result), "within the second it is not looked up again")
	r.Forget("acme", "main")
	a := ask()
	assert.Equal(t, `"fresh"`, string(a.Result))
	assert.False(t, a.Cached)
	require.Eventually(t, func() bool { return old.closed.Load() == 1 }, 10*time.Second, time.Millisecond)

	r.source.remove("acme", "main")
	r.Forget("acme", "main")
	_, err := r.System(t.Context(), sara, "main")
	assert.Equal(t, adapter.NotFound, code(t, err))
	require.NoError(t, r.Close())
	assert.EqualValues(t, 1, fresh.closed.Load())
	_, err = r.System(t.Context(), sara, "main")
	assert.Equal(t, adapter.Unavailable, code(t, err))
}

func TestConfigurationsAreLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newFake(), newFake()
		r := build(t, nil, on(old))
		defer r.cache.Close()
		defer r.Close()
		call := func() error {
			s, err := r.System(t.Context(), sara, "main")
			if err == nil {
				_, err = s.Operation(t.Context(), "exists", OperationRequest{Model: "m", IDs: IDs{adapter.IntID(1)}})
			}
			return err
		}
		for range 10 {
			require.NoError(t, call())
		}
		assert.Equal(t, 1, r.source.asked, "not for every call")
		c := on(fresh)
		c.Revision = "2"
		r.source.put(c)
		time.Sleep(DefaultRecheck)
		require.NoError(t, call())
		assert.Len(t, fresh.made(), 1)
		synctest.Wait()
		assert.EqualValues(t, 1, old.closed.Load())

		// A source that does not answer is an error, not a way past it.
		r.source.err = &adapter.Error{Code: adapter.PermissionDenied, Message: "shut off"}
		time.Sleep(DefaultRecheck)
		for range 3 {
			assert.Equal(t, adapter.PermissionDenied, code(t, call()))
		}
		synctest.Wait()
		assert.EqualValues(t, 1, fresh.closed.Load())
	})
}

func TestUnusedConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newFake()
		second := on(newFake())
		second.ID = "second"
		r := build(t, nil, on(first), second)
		defer r.cache.Close()
		defer r.Close()
		_, err := r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
		require.NoError(t, err)
		time.Sleep(DefaultIdle + time.Second)
		_, err = r.System(t.Context(), sara, "second")
		require.NoError(t, err)
		synctest.Wait()
		assert.EqualValues(t, 1, first.closed.Load())
	})
}

func TestCloseWaitsForCallsUnderWay(t *testing.T) {
	f := newFake()
	started, release := make(chan struct{}), make(chan struct{})
	f.answer = func(context.Context, adapter.Call) (string, error) {
		close(started)
		<-release
		assert.Zero(t, f.closed.Load(), "closed under a call")
		return "1", nil
	}
	r := build(t, nil, on(f))
	s := r.sys(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.Operation(t.Context(), "search_count", OperationRequest{Model: "m"})
		assert.NoError(t, err)
	})
	<-started
	wg.Go(func() { _ = r.Close() })
	require.Eventually(t, func() bool { s.link.mu.Lock(); defer s.link.mu.Unlock(); return s.link.retired }, 10*time.Second, time.Millisecond)
	_, err := s.Operation(t.Context(), "search", OperationRequest{Model: "m"})
	assert.Equal(t, adapter.Unavailable, code(t, err))
	close(release)
	wg.Wait()
	assert.EqualValues(t, 1, f.closed.Load())
}

func TestBreakerOpensAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		down := true
		f.answer = func(context.Context, adapter.Call) (string, error) {
			if down {
				return "", &adapter.Error{Code: adapter.Unavailable, Message: "connection refused", Temporary: true, NothingSent: true}
			}
			return "7", nil
		}
		seen := &watcher{}
		r := build(t, func(c *Config) { c.Retries = -1; c.Observer = seen }, on(f))
		defer r.cache.Close()
		defer r.Close()
		ask := func() (Answer, error) {
			return r.sys(t).Operation(t.Context(), "search_count", OperationRequest{Model: "m"})
		}
		for range 5 {
			_, err := ask()
			assert.Equal(t, adapter.Unavailable, code(t, err))
		}
		require.Len(t, f.made(), 5)
		_, err := ask()
		e, _ := asError(err)
		assert.Equal(t, adapter.Unavailable, e.Code)
		assert.Equal(t, time.Minute, e.RetryAfter)
		assert.Contains(t, e.Message, `"main"`)
		assert.Len(t, f.made(), 5, "an open breaker lets no call through")
		st := r.sys(t).Status(t.Context())
		assert.Equal(t, breaker.Open, st.Breaker.State)
		assert.False(t, st.Health.Healthy)

		down = false
		time.Sleep(time.Minute + time.Second)
		a, err := ask()
		require.NoError(t, err)
		assert.Equal(t, "7", string(a.Result))
		assert.Equal(t, breaker.Closed, r.sys(t).Status(t.Context()).Breaker.State)
		assert.Equal(t, []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}, seen.states)

		// What is kept is served while the system is away.
		down = true
		a, err = ask()
		require.NoError(t, err)
		assert.True(t, a.Cached)
	})
}

func TestWrongCredentialsAreNotHammered(t *testing.T) {
	var dials atomic.Int32
	r := build(t, nil, on(func(context.Context) (adapter.Adapter, error) {
		dials.Add(1)
		return nil, &adapter.Error{Code: adapter.Unauthenticated, Message: "wrong password"}
	}))
	for range 20 {
		_, err := r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
		assert.Equal(t, adapter.Unauthenticated, code(t, err))
	}
	assert.EqualValues(t, 1, dials.Load())
	assert.True(t, r.sys(t).Status(t.Context()).Breaker.CredentialsRefused)
}

// One hung system holds its own turns and no one else's.
func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, well := newFake(), newFake()
		hung.answer = func(ctx context.Context, _ adapter.Call) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		second := on(well)
		second.ID = "second"
		r := build(t, func(c *Config) { c.MaxConcurrent = 3; c.Retries = -1 }, on(hung), second)
		defer r.cache.Close()
		defer r.Close()
		var wg sync.WaitGroup
		codes := make(chan adapter.Code, 100)
		for i := range 50 {
			wg.Go(func() {
				_, err := r.sys(t).Operation(t.Context(), "search_count", OperationRequest{Model: "m", Limit: &i})
				codes <- adapter.CodeOf(err)
			})
		}
		synctest.Wait()
		start := time.Now()
		other, err := r.System(t.Context(), sara, "second")
		require.NoError(t, err)
		for i := range 100 {
			_, err := other.Operation(t.Context(), "search_count", OperationRequest{Model: "m", Limit: &i})
			require.NoError(t, err)
		}
		assert.Zero(t, time.Since(start), "the other system is as quick as ever")

		time.Sleep(DefaultMaxWait)
		synctest.Wait()
		assert.Len(t, codes, 47, "those without a turn are told after the wait")
		for range 47 {
			assert.Equal(t, adapter.Unavailable, <-codes)
		}
		assert.EqualValues(t, 3, r.sys(t).Stats().ActiveConnections)
		assert.Equal(t, breaker.Closed, r.sys(t).link.breaker.Snapshot().State, "being busy is no failure of the system")
		_, err = r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
		e, _ := asError(err)
		assert.Contains(t, e.Message, "all of its 3 calls at a time are taken")
		assert.True(t, e.NothingSent)
		assert.Equal(t, time.Second, e.RetryAfter)

		wg.Wait()
		for range 3 {
			assert.Equal(t, adapter.Timeout, <-codes)
		}
		assert.Equal(t, 3, r.sys(t).link.breaker.Snapshot().FailureCount, "our own deadline is")
	})
}

func TestRetries(t *testing.T) {
	temporary := &adapter.Error{Code: adapter.Unavailable, Message: "reset", Temporary: true}
	unsent := &adapter.Error{Code: adapter.Unavailable, Message: "refused", Temporary: true, NothingSent: true}
	unknown := &adapter.Error{Code: adapter.UnknownOutcome, Message: "no answer", Temporary: true}
	business := &adapter.Error{Code: adapter.InvalidArgument, Message: "no"}
	paced := &adapter.Error{Code: adapter.RateLimited, Message: "slow", Temporary: true, RetryAfter: time.Minute}
	for _, c := range []struct {
		name        string
		err         error
		read, write int // calls made while it fails
	}{
		{"temporary", temporary, 3, 1},
		{"nothing sent", unsent, 3, 3},
		{"unknown outcome", unknown, 1, 1},
		{"business", business, 1, 1},
		{"too slow", &adapter.Error{Code: adapter.Timeout, Message: "slow", Temporary: true}, 1, 1},
		{"paced for long", paced, 1, 1},
		{"caller left", context.Canceled, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.answer = func(context.Context, adapter.Call) (string, error) { return "", c.err }
				r := build(t, func(c *Config) { c.Breaker.Failures = 100 }, on(f))
				defer r.cache.Close()
				defer r.Close()
				_, err := r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
				assert.Error(t, err)
				assert.Len(t, f.made(), c.read, "reads")
				r.Forget("acme", "main")
				_, err = r.sys(t).Operation(t.Context(), "unlink", OperationRequest{Model: "m", IDs: IDs{adapter.IntID(1)}})
				assert.Error(t, err)
				assert.Len(t, f.made(), c.read+c.write, "writes")
			})
		})
	}
}

func TestRetriesAreBudgeted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(context.Context, adapter.Call) (string, error) {
			return "", &adapter.Error{Code: adapter.Unavailable, Message: "reset", Temporary: true}
		}
		r := build(t, func(c *Config) { c.Breaker.Failures = 1 << 20 }, on(f))
		defer r.cache.Close()
		defer r.Close()
		const calls = 500
		for range calls {
			_, _ = r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m"})
		}
		again := len(f.made()) - calls
		assert.GreaterOrEqual(t, again, 10)
		assert.LessOrEqual(t, again, calls/10+10)
	})
}

func TestStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(_ context.Context, c adapter.Call) (string, error) {
			if c.Model == "slow" {
				time.Sleep(3 * time.Second)
				return "1", nil
			}
			time.Sleep(time.Second)
			return "", &adapter.Error{Code: adapter.NotFound, Message: "no"}
		}
		r := build(t, nil, on(f))
		defer r.cache.Close()
		defer r.Close()
		s := r.sys(t)
		assert.Equal(t, Stats{}, s.Stats())
		for range 2 {
			_, err := s.Operation(t.Context(), "search_count", OperationRequest{Model: "slow"}) // the second from the cache
			require.NoError(t, err)
		}
		_, err := s.Operation(t.Context(), "search_count", OperationRequest{Model: "missing"})
		require.Error(t, err)
		at := s.Stats().LastRequestAt
		require.NotNil(t, at)
		assert.Equal(t, time.Second, time.Since(*at))
		got := s.Stats()
		got.LastRequestAt = nil
		assert.Equal(t, Stats{TotalRequests: 2, SuccessfulRequests: 1, FailedRequests: 1, AvgResponseTime: 2}, got, "the mean of 3 s and 1 s")

		st := s.Status(t.Context())
		assert.True(t, st.Health.Healthy)
		assert.True(t, st.Connected)
		assert.Equal(t, "1", st.Version)
		b, err := json.Marshal(st)
		require.NoError(t, err)
		for _, member := range []string{
			"system_id", "system_type", "version", "connected", "health", "circuit_breaker", "connection_pool", "cache",
			"total_requests", "successful_requests", "failed_requests", "avg_response_time", "active_connections", "last_request_at",
			"failure_threshold", "recovery_timeout", "hit_rate_percent",
		} {
			assert.Contains(t, string(b), `"`+member+`":`)
		}
	})
}

func TestHealthOfASystemThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.ping = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		r := build(t, nil, on(f))
		defer r.cache.Close()
		defer r.Close()
		start := time.Now()
		h := r.sys(t).Health(t.Context())
		assert.Equal(t, healthTimeout, time.Since(start))
		assert.False(t, h.Healthy)
		assert.Equal(t, adapter.Timeout, h.Code)
		assert.Equal(t, `system "main" did not answer within 5s`, h.Message)
	})
}

func TestACallerWhoLeavesIsToldAtOnceAndBreaksNothing(t *testing.T) {
	f := newFake()
	started := make(chan struct{}, 100)
	f.answer = func(ctx context.Context, _ adapter.Call) (string, error) {
		started <- struct{}{}
		<-ctx.Done()
		return "", ctx.Err()
	}
	r := build(t, nil, on(f))
	s := r.sys(t)
	for _, op := range []string{"search", "exists", "unlink"} {
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				_, err := s.Operation(ctx, op, OperationRequest{Model: "m", IDs: map[bool]IDs{true: nil, false: {adapter.IntID(1)}}[op == "search"]})
				done <- err
			}()
			<-started
			cancel()
			assert.Equal(t, adapter.Canceled, code(t, <-done), op)
		}
	}
	assert.Equal(t, breaker.Closed, r.sys(t).link.breaker.Snapshot().State)
	assert.Zero(t, r.sys(t).link.breaker.Snapshot().FailureCount)
}

func TestConnectionsAreNotPrinted(t *testing.T) {
	c := SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", Connection: map[string]string{"password": "hunter2"}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "system", c)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	for _, s := range []string{c.String(), fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c), log.String(), string(b)} {
		assert.NotContains(t, s, "hunter2")
		assert.Contains(t, s, "main")
	}
}

// watcher is an Observer that remembers.
type watcher struct {
	mu       sync.Mutex
	upstream []UpstreamEvent
	lookups  []LookupEvent
	changes  []ChangeEvent
	states   []breaker.State
}

func (w *watcher) Upstream(_ context.Context, e UpstreamEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.upstream = append(w.upstream, e)
}

func (w *watcher) Lookup(_ context.Context, e LookupEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups = append(w.lookups, e)
}

func (w *watcher) Changed(_ context.Context, e ChangeEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, e)
}

func (w *watcher) Breaker(e BreakerEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, e.To)
}

func TestObserver(t *testing.T) {
	seen := &watcher{}
	r := build(t, func(c *Config) { c.Observer = seen }, on(newFake()))
	s := r.sys(t)
	for range 2 {
		_, err := s.Operation(t.Context(), "search", OperationRequest{Model: "m"})
		require.NoError(t, err)
	}
	_, err := s.Operation(t.Context(), "write", OperationRequest{Model: "m", IDs: IDs{adapter.IntID(3)}, Values: json.RawMessage(`{"a":1}`)})
	require.NoError(t, err)
	require.Len(t, seen.lookups, 2)
	assert.Equal(t, LookupEvent{"acme", "main", "search", "m", false}, seen.lookups[0])
	assert.True(t, seen.lookups[1].Hit)
	require.Len(t, seen.upstream, 2)
	assert.Equal(t, "search", seen.upstream[0].Operation)
	require.Len(t, seen.changes, 1)
	assert.Equal(t, "sara", seen.changes[0].User)
	assert.Equal(t, "write", seen.changes[0].Operation)
	assert.Equal(t, []adapter.ID{adapter.IntID(3)}, seen.changes[0].IDs)
}
