// Package cache keeps answers as the bytes to send, in process ([NewMemory]),
// in Redis ([NewRedis]), or in process in front of Redis ([NewTwoLevel]).
//
// A [Key] cannot be made without the identity of who asks. What a write
// changed is made unreachable with [Cache.Bump], before and after the write:
// every value is stored under the generation that was current before it was
// loaded, so that a read which began before a bump can store nothing that a
// later read finds. Nothing ever searches for keys.
//
// A value is loaded once for all who ask for it at the same time
// ([Cache.Load]), and errors are never kept.
package cache

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Value is an answer. Its bytes are shared by all who read it and must not be
// changed.
type Value struct {
	Body  []byte
	Meta  []byte // what its maker wants kept beside the body; usually nothing
	Flags uint8  // the maker's own
	// Transient values are handed to whoever waits for them and not kept.
	Transient bool
}

// Generation is the state of everything an answer was made from. Zero is
// unknown: a value loaded now must not be stored.
type Generation uint64

// Store is where values are kept. Implementations are safe for concurrent
// use, never fail a caller (what can't be had is a miss), and never block for
// longer than the short timeout they were made with.
type Store interface {
	// Get returns the value under key, if one was stored under today's
	// generation. Otherwise it returns the generation to store with what is
	// loaded from now on.
	Get(ctx context.Context, key Key) (Value, Generation, bool)
	// Set stores a value that was loaded after Get returned gen. It is never
	// found again once a subject of the key was bumped since.
	Set(ctx context.Context, key Key, gen Generation, v Value, ttl time.Duration)
	// Bump makes everything stored about the subjects unreachable, for all
	// processes that share the store.
	Bump(ctx context.Context, subjects ...Subject)
	// Clear is Bump that also frees the room, and tells how many values it
	// removed, as well as it can.
	Clear(ctx context.Context, s Subject) int
	// Count returns how many values are kept for a system, as well as it can.
	Count(ctx context.Context, tenant, system string) int
	// Close frees what the store holds open. Later calls are misses.
	Close() error
}

// Stats are the figures of one system since this process began.
type Stats struct {
	TotalKeys      int     `json:"total_keys"` // kept now, best effort
	Hits           int64   `json:"total_hits"`
	Misses         int64   `json:"total_misses"`
	HitRatePercent float64 `json:"hit_rate_percent"` // two decimals; 0 before the first read
}

// Cache is a Store with loading, statistics and jitter. A nil *Cache keeps
// nothing and loads every time.
type Cache struct {
	store   Store
	flights flights
	// local is bumped along with the store. It keeps a read that begins after
	// a bump from joining a load that began before it, also while a shared
	// store is away and can't tell generations.
	local generations

	mu       sync.RWMutex
	counters map[[2]string]*counters
}

type counters struct{ hits, misses atomic.Int64 }

// New makes a cache on a store, which it closes.
func New(store Store) *Cache {
	return &Cache{store: store, counters: map[[2]string]*counters{}}
}

// Get returns the value under key without loading it.
func (c *Cache) Get(ctx context.Context, key Key) (Value, bool) {
	if c == nil || key.IsZero() {
		return Value{}, false
	}
	v, _, ok := c.store.Get(ctx, key)
	c.count(&key, ok)
	return v, ok
}

// Load returns the value under key, loading it where it is absent, and
// whether it was there. Callers who ask for the same key at the same time
// share one load, whose context ends only when all of them have gone; its
// error is everybody's and is not kept. A caller whose own context ends gets
// that context's error at once.
//
// The value is kept for about ttl: a tenth more or less, so that what was
// stored together does not expire together.
func (c *Cache) Load(ctx context.Context, key Key, ttl time.Duration, load func(context.Context) (Value, error)) (Value, bool, error) {
	if c == nil || key.IsZero() {
		v, err := load(ctx)
		return v, false, err
	}
	// The local generation is read first: if a bump comes between the two,
	// the pair matches no load that began before it.
	local := c.local.of(&key)
	landed := c.flights.landed.Load()
	v, gen, ok := c.store.Get(ctx, key)
	c.count(&key, ok)
	if ok {
		return v, true, nil
	}
	v, err := c.load(ctx, key, ttl, gen, local, landed, load)
	return v, false, err
}

func (c *Cache) load(ctx context.Context, key Key, ttl time.Duration, gen, local Generation, landed uint64, load func(context.Context) (Value, error)) (Value, error) {
	return c.flights.do(ctx, flightKey{key.sum, gen, local}, func(ctx context.Context) (Value, error) {
		// Another load may have ended between the look at the store and now.
		if landed != c.flights.landed.Load() {
			if v, now, ok := c.store.Get(ctx, key); ok && now == gen {
				return v, nil
			}
		}
		v, err := load(ctx)
		// A value that a bump has overtaken would be found by nobody, and in a
		// shared store take the place of a newer one.
		if err == nil && gen != 0 && ttl > 0 && !v.Transient && local == c.local.of(&key) {
			c.store.Set(ctx, key, gen, v, jitter(ttl))
		}
		return v, err
	})
}

// Bump makes everything kept about the subjects unreachable. Call it before
// and after a change.
func (c *Cache) Bump(ctx context.Context, subjects ...Subject) {
	if c == nil {
		return
	}
	c.local.bump(subjects...)
	c.store.Bump(ctx, subjects...)
}

// Clear removes what is kept of a model, or with an empty Model of a system,
// and tells how many values that were, as well as it can.
func (c *Cache) Clear(ctx context.Context, s Subject) int {
	if c == nil {
		return 0
	}
	c.local.bump(s)
	return c.store.Clear(ctx, s)
}

// Stats returns the figures of a system.
func (c *Cache) Stats(ctx context.Context, tenant, system string) Stats {
	if c == nil {
		return Stats{}
	}
	n := c.countersOf(tenant, system)
	s := Stats{TotalKeys: c.store.Count(ctx, tenant, system), Hits: n.hits.Load(), Misses: n.misses.Load()}
	if all := s.Hits + s.Misses; all > 0 {
		s.HitRatePercent = math.Round(float64(s.Hits)*10000/float64(all)) / 100
	}
	return s
}

// Close closes the store.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	return c.store.Close()
}

func (c *Cache) count(key *Key, hit bool) {
	n := c.countersOf(key.tenant, key.system)
	if hit {
		n.hits.Add(1)
	} else {
		n.misses.Add(1)
	}
}

func (c *Cache) countersOf(tenant, system string) *counters {
	name := [2]string{tenant, system}
	c.mu.RLock()
	n := c.counters[name]
	c.mu.RUnlock()
	if n != nil {
		return n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n = c.counters[name]; n == nil {
		n = new(counters)
		c.counters[name] = n
	}
	return n
}

func jitter(ttl time.Duration) time.Duration {
	return time.Duration(float64(ttl) * (0.9 + 0.2*rand.Float64()))
}
