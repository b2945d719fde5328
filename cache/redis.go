package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// RedisConfig says how to reach a Redis.
type RedisConfig struct {
	// URL is redis://, rediss:// or unix://, with user, password and database.
	URL string
	// Timeout bounds every exchange, connecting included. 0 is 100 ms.
	Timeout time.Duration
	// Pause is how long Redis is left alone after it failed. 0 is 1 s.
	Pause time.Duration
	// MaxValue is the largest value kept, in bytes. 0 is 8 MiB.
	MaxValue int
	// PoolSize is the number of connections at most. 0 is 50.
	PoolSize int
	// Prefix goes before every key, to share a Redis with others.
	Prefix string
	// Logger is told when Redis goes away and comes back. nil is slog.Default.
	Logger *slog.Logger
}

// Redis is a Store in a Redis. While it is away everything is a miss; what
// was bumped meanwhile is not served by this process until the bump was
// delivered. Other processes that still reach the Redis may serve it until it
// expires: that is the price of going on without it.
//
// It uses no scripts and never searches for keys. Generations are random
// tokens rather than counters, so that a Redis which lost some (an eviction,
// a flush) can't make an old value reachable again.
type Redis struct {
	client *redis.Client
	config RedisConfig
	log    *slog.Logger

	awayUntil atomic.Int64 // Unix ns; 0 while Redis answers
	closed    atomic.Bool

	mu      sync.Mutex
	owed    map[Subject]uint64 // bumps not delivered yet, each with the number it was owed under
	debts   uint64
	owing   atomic.Int32 // len(owed), to look without the lock
	courier bool         // a goroutine is delivering
	stop    context.CancelFunc
	life    context.Context
	wait    sync.WaitGroup

	onBump func([]Subject) // told of this process's own bumps, before and after
}

// generationLife is how long an unused generation is remembered. Losing one
// only costs reloads, so it need only be longer than values usually live.
const generationLife = 7 * 24 * time.Hour

func init() {
	// go-redis writes to the standard logger; what matters is said by Redis.fail.
	redis.SetLogger(&logging.VoidLogger{})
}

// NewRedis makes a store in the Redis of the configuration. It checks the
// URL but does not connect: a Redis may be away at any time.
func NewRedis(config RedisConfig) (*Redis, error) {
	opt, err := redis.ParseURL(config.URL)
	if err != nil {
		// The URL may hold a password; the parser's words may hold the URL.
		return nil, errors.New("the Redis URL can't be read; it must look like redis://user:password@host:6379/0")
	}
	if config.Timeout <= 0 {
		config.Timeout = 100 * time.Millisecond
	}
	if config.Pause <= 0 {
		config.Pause = time.Second
	}
	if config.MaxValue <= 0 {
		config.MaxValue = 8 << 20
	}
	if config.PoolSize <= 0 {
		config.PoolSize = 50
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = config.Timeout, config.Timeout, config.Timeout, config.Timeout
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	opt.PoolSize = config.PoolSize
	opt.DisableIdentity = true
	life, stop := context.WithCancel(context.Background())
	return &Redis{
		client: redis.NewClient(opt), config: config, log: config.Logger,
		owed: map[Subject]uint64{}, life: life, stop: stop,
	}, nil
}

// Ping reports whether the Redis answers, for health checks.
func (r *Redis) Ping(ctx context.Context) error {
	ctx, cancel := r.limit(ctx)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("the cache's Redis does not answer: %w", err)
	}
	return nil
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key Key) (Value, Generation, bool) {
	state, ok := r.fetch(ctx, &key, true)
	if !ok {
		return Value{}, 0, false
	}
	v, _, ok := decodeEntry(state.entry, state.gen)
	return v, state.gen, ok
}

// Set implements Store.
func (r *Redis) Set(ctx context.Context, key Key, gen Generation, v Value, ttl time.Duration) {
	if gen == 0 || ttl <= 0 || len(v.Body)+len(v.Meta) > r.config.MaxValue || r.owes(&key) || !r.present() {
		return
	}
	// The value carries its generation: if that was bumped meanwhile, nobody
	// will take the value.
	ctx, cancel := r.limit(ctx)
	defer cancel()
	now := time.Now()
	expires := now.Add(ttl)
	name, index := r.config.Prefix+key.String(), r.indexName(key.tenant, key.system)
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, name, appendEntry(nil, gen, v, expires), ttl)
		p.ZAdd(ctx, index, redis.Z{Score: float64(expires.UnixMilli()), Member: name})
		p.ZRemRangeByScore(ctx, index, "-inf", strconv.FormatInt(now.UnixMilli(), 10))
		p.Expire(ctx, index, generationLife)
		return nil
	})
	r.settle(err)
}

// Bump implements Store.
func (r *Redis) Bump(ctx context.Context, subjects ...Subject) {
	if len(subjects) == 0 || r.closed.Load() {
		return
	}
	if r.onBump != nil {
		r.onBump(subjects)
		defer r.onBump(subjects)
	}
	if !r.present() || !r.settle(r.bump(ctx, subjects)) {
		r.owe(subjects)
	}
}

func (r *Redis) bump(ctx context.Context, subjects []Subject) error {
	// A caller who has gone away must not stop the bump.
	ctx, cancel := r.limit(ctx)
	defer cancel()
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, s := range subjects {
			p.Set(ctx, r.generationName(s), newToken(), generationLife)
		}
		for _, s := range subjects {
			p.Publish(ctx, r.channelName(), formatSubject(s))
		}
		return nil
	})
	return err
}

// Clear implements Store.
func (r *Redis) Clear(ctx context.Context, s Subject) int {
	r.Bump(ctx, s)
	if !r.present() {
		return 0
	}
	index := r.indexName(s.Tenant, s.System)
	removed, from := 0, int64(0)
	for {
		limited, cancel := r.limit(ctx)
		names, err := r.client.ZRange(limited, index, from, from+999).Result()
		if err == nil && len(names) > 0 {
			var gone []any
			for _, name := range names {
				if s.Model == "" || modelOf(name) == s.Model {
					gone = append(gone, name)
				}
			}
			from += int64(len(names) - len(gone))
			if len(gone) > 0 {
				var count *redis.IntCmd
				_, err = r.client.Pipelined(limited, func(p redis.Pipeliner) error {
					keys := make([]string, len(gone))
					for i, name := range gone {
						keys[i] = name.(string)
					}
					count = p.Unlink(limited, keys...)
					p.ZRem(limited, index, gone...)
					return nil
				})
				if err == nil {
					removed += int(count.Val())
				}
			}
		}
		cancel()
		if !r.settle(err) || len(names) == 0 || ctx.Err() != nil {
			return removed
		}
	}
}

// Count implements Store. Values that a bump made unreachable are counted
// until they expire.
func (r *Redis) Count(ctx context.Context, tenant, system string) int {
	if !r.present() {
		return 0
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	n, err := r.client.ZCount(ctx, r.indexName(tenant, system), "("+strconv.FormatInt(time.Now().UnixMilli(), 10), "+inf").Result()
	if !r.settle(err) {
		return 0
	}
	return int(n)
}

// Close implements Store.
func (r *Redis) Close() error {
	r.mu.Lock()
	if r.closed.Swap(true) {
		r.mu.Unlock()
		return nil
	}
	r.stop()
	r.mu.Unlock()
	r.wait.Wait()
	return r.client.Close()
}

// state is what Redis knows about a key.
type state struct {
	tokens []string // one for each subject of the key, in order
	gen    Generation
	entry  string
}

// fetch reads the generations of a key, and its entry when asked, in one
// exchange. It is false while Redis can't be relied on.
func (r *Redis) fetch(ctx context.Context, key *Key, entry bool) (state, bool) {
	if r.owes(key) || !r.present() {
		return state{}, false
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	names := make([]string, 0, 4)
	key.subjects(func(s Subject) { names = append(names, r.generationName(s)) })
	subjects := len(names)
	if entry {
		names = append(names, r.config.Prefix+key.String())
	}
	// The second round is only for subjects never heard of before.
	for round := range 2 {
		got, err := r.client.MGet(ctx, names...).Result()
		if !r.settle(err) {
			return state{}, false
		}
		st := state{tokens: make([]string, subjects)}
		var unknown []string
		for i := range subjects {
			token, _ := got[i].(string)
			if st.tokens[i] = token; token == "" {
				unknown = append(unknown, names[i])
			}
		}
		if len(unknown) == 0 {
			if entry {
				st.entry, _ = got[subjects].(string)
			}
			st.gen = combine(st.tokens)
			return st, true
		}
		if round > 0 {
			break
		}
		_, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, name := range unknown {
				p.SetNX(ctx, name, newToken(), generationLife)
			}
			return nil
		})
		if !r.settle(err) {
			return state{}, false
		}
	}
	return state{}, false
}

// present reports whether Redis may be asked. After a failure it is left
// alone for a while; then one caller tries while the others go on without.
func (r *Redis) present() bool {
	if r.closed.Load() {
		return false
	}
	until := r.awayUntil.Load()
	if until == 0 {
		return true
	}
	now := time.Now().UnixNano()
	return now >= until && r.awayUntil.CompareAndSwap(until, now+int64(r.config.Pause))
}

// settle notes the end of an exchange and reports whether it went well.
func (r *Redis) settle(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) {
		if r.awayUntil.Load() != 0 && r.awayUntil.Swap(0) != 0 {
			r.log.Info("the cache's Redis answers again")
		}
		return true
	}
	if r.closed.Load() {
		return false
	}
	if r.awayUntil.Swap(time.Now().Add(r.config.Pause).UnixNano()) == 0 {
		r.log.Warn("the cache's Redis does not answer; going on without it", "error", err)
	}
	return false
}

// limit gives an exchange its own short deadline, whatever becomes of the
// caller: half an exchange would cost a connection.
func (r *Redis) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
}

// owes reports whether a bump of one of the key's subjects is undelivered.
func (r *Redis) owes(key *Key) bool {
	if r.owing.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	owed := false
	key.subjects(func(s Subject) {
		_, is := r.owed[s]
		owed = owed || is
	})
	return owed
}

// owe remembers bumps that Redis has not taken, and sees to their delivery.
func (r *Redis) owe(subjects []Subject) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range subjects {
		r.debts++
		r.owed[s] = r.debts
	}
	r.owing.Store(int32(len(r.owed)))
	if !r.courier && !r.closed.Load() {
		r.courier = true
		r.wait.Go(r.deliver)
	}
}

func (r *Redis) deliver() {
	tick := time.NewTicker(r.config.Pause)
	defer tick.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-tick.C:
		}
		r.mu.Lock()
		subjects := slices.Collect(maps.Keys(r.owed))
		upTo := r.debts
		r.mu.Unlock()
		if !r.settle(r.bump(r.life, subjects)) {
			continue
		}
		if r.onBump != nil {
			r.onBump(subjects)
		}
		r.mu.Lock()
		// One that was owed again meanwhile belongs to a later moment, which
		// this bump may have come too early for.
		for _, s := range subjects {
			if r.owed[s] <= upTo {
				delete(r.owed, s)
			}
		}
		r.owing.Store(int32(len(r.owed)))
		done := len(r.owed) == 0
		if done {
			r.courier = false
		}
		r.mu.Unlock()
		if done {
			return
		}
	}
}

func (r *Redis) generationName(s Subject) string {
	return r.config.Prefix + "generation:" + s.label()
}

func (r *Redis) indexName(tenant, system string) string {
	return r.config.Prefix + "index:" + Subject{Tenant: tenant, System: system}.label()
}

func (r *Redis) channelName() string { return r.config.Prefix + "generation:bumps" }

// modelOf reads the model back from the documented form of a key. Neither a
// model's name nor the hash after it can hold a colon.
func modelOf(name string) string {
	name, _, _ = cutLast(name)
	_, model, _ := cutLast(name)
	return model
}

func cutLast(s string) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}

func newToken() string { return rand.Text() }

// combine makes one generation of the tokens of all subjects, the same one in
// every process.
func combine(tokens []string) Generation {
	sum := sha256.Sum256(appendParts(nil, tokens))
	return Generation(binary.BigEndian.Uint64(sum[:]) | 1)
}
