package cache

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// TwoLevel is a Store in this process in front of a Redis that several
// processes share.
//
// A value in process is served without asking Redis as long as its
// generations are known to be today's: this process keeps the generations it
// has read for at most Lag, and drops them when another process tells of a
// bump by publishing it. While that channel is down, or with a negative Lag,
// the generations are read from Redis every time. So a change made through
// this process is seen by its next read; one made through another process a
// message later, usually within a millisecond and never later than Lag.
//
// While Redis is away nothing is served from this process either: other
// processes' changes would go unheard.
type TwoLevel struct {
	redis *Redis
	near  table
	lag   time.Duration

	hearing atomic.Bool   // the channel is subscribed
	bumps   atomic.Uint64 // any bump heard of, to notice one that came during a read

	mu    sync.RWMutex
	known map[Subject]sighting
}

type sighting struct {
	token string
	at    time.Time
}

// TwoLevelConfig sizes the level in this process.
type TwoLevelConfig struct {
	MaxBytes int64         // 0 is DefaultMemoryBytes
	Lag      time.Duration // 0 is 1 s; negative asks Redis for the generations every time
}

// maxKnown bounds how many generations are remembered; beyond it all are
// forgotten and read again.
const maxKnown = 1 << 14

// NewTwoLevel puts a level in process in front of r, which it takes over and
// closes.
func NewTwoLevel(r *Redis, config TwoLevelConfig) *TwoLevel {
	if config.Lag == 0 {
		config.Lag = time.Second
	}
	t := &TwoLevel{redis: r, near: newTable(config.MaxBytes), lag: config.Lag, known: map[Subject]sighting{}}
	r.onBump = t.forget
	if config.Lag > 0 {
		r.wait.Go(t.listen)
	}
	return t
}

// Get implements Store.
func (t *TwoLevel) Get(ctx context.Context, key Key) (Value, Generation, bool) {
	if gen, ok := t.current(&key); ok {
		if v, ok := t.near.get(&key, gen); ok {
			return v, gen, true
		}
	}
	seen, asked := t.bumps.Load(), time.Now()
	// Where the value is here, its generations are all that is missing.
	if near, here := t.near.cache.GetIfPresent(key.sum); here {
		st, ok := t.redis.fetch(ctx, &key, false)
		if !ok {
			return Value{}, 0, false
		}
		if near.gen == st.gen {
			t.remember(&key, st.tokens, seen, asked)
			return near.value, st.gen, true
		}
	}
	st, ok := t.redis.fetch(ctx, &key, true)
	if !ok {
		return Value{}, 0, false
	}
	t.remember(&key, st.tokens, seen, asked)
	v, expires, ok := decodeEntry(st.entry, st.gen)
	if ok {
		t.near.set(key, st.gen, v, time.Until(expires))
	}
	return v, st.gen, ok
}

// Set implements Store.
func (t *TwoLevel) Set(ctx context.Context, key Key, gen Generation, v Value, ttl time.Duration) {
	if gen == 0 {
		return
	}
	t.near.set(key, gen, v, ttl)
	t.redis.Set(ctx, key, gen, v, ttl)
}

// Bump implements Store.
func (t *TwoLevel) Bump(ctx context.Context, subjects ...Subject) { t.redis.Bump(ctx, subjects...) }

// Clear implements Store.
func (t *TwoLevel) Clear(ctx context.Context, s Subject) int {
	n := t.redis.Clear(ctx, s)
	return max(n, t.near.remove(s))
}

// Count implements Store.
func (t *TwoLevel) Count(ctx context.Context, tenant, system string) int {
	return t.redis.Count(ctx, tenant, system)
}

// Ping reports whether the Redis answers, for health checks.
func (t *TwoLevel) Ping(ctx context.Context) error { return t.redis.Ping(ctx) }

// Close implements Store.
func (t *TwoLevel) Close() error {
	err := t.redis.Close()
	t.near.close()
	return err
}

// current returns the generation of the key if it is known without asking.
func (t *TwoLevel) current(key *Key) (Generation, bool) {
	if !t.hearing.Load() || t.redis.awayUntil.Load() != 0 || t.redis.closed.Load() {
		return 0, false
	}
	now := time.Now()
	var room [4]string
	tokens := room[:0]
	fresh := true
	t.mu.RLock()
	key.subjects(func(s Subject) {
		if sg, ok := t.known[s]; ok && now.Sub(sg.at) < t.lag {
			tokens = append(tokens, sg.token)
		} else {
			fresh = false
		}
	})
	t.mu.RUnlock()
	if !fresh {
		return 0, false
	}
	return combine(tokens), true
}

// remember keeps generations that were asked for when the count of bumps was
// seen. If it has moved since, they may be yesterday's.
func (t *TwoLevel) remember(key *Key, tokens []string, seen uint64, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bumps.Load() != seen || !t.hearing.Load() {
		return
	}
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	i := 0
	key.subjects(func(s Subject) {
		t.known[s] = sighting{token: tokens[i], at: asked}
		i++
	})
}

func (t *TwoLevel) forget(subjects []Subject) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bumps.Add(1)
	for _, s := range subjects {
		delete(t.known, s)
	}
}

func (t *TwoLevel) forgetAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bumps.Add(1)
	clear(t.known)
}

// listen hears of the bumps of other processes until the store is closed.
func (t *TwoLevel) listen() {
	r := t.redis
	sub := r.client.Subscribe(r.life, r.channelName())
	defer sub.Close()
	// Closing the subscription is what ends a read that waits for a message.
	defer context.AfterFunc(r.life, func() { sub.Close() })()
	silent := false
	for r.life.Err() == nil {
		msg, err := sub.ReceiveTimeout(r.life, t.lag)
		var timeout net.Error
		switch {
		case err == nil:
			silent = false
			t.hear(msg)
		case errors.As(err, &timeout) && timeout.Timeout() && !silent && sub.Ping(r.life) == nil:
			// Nothing was said for a while; the answer to the ping must come
			// before the next look.
			silent = true
		default:
			silent = false
			t.hearing.Store(false)
			t.forgetAll()
			select {
			case <-r.life.Done():
			case <-time.After(r.config.Pause):
			}
		}
	}
}

func (t *TwoLevel) hear(msg any) {
	switch m := msg.(type) {
	case *redis.Subscription:
		// Whatever was bumped before this moment may have gone unheard.
		t.forgetAll()
		t.hearing.Store(true)
	case *redis.Message:
		if s, ok := parseSubject(m.Payload); ok {
			t.forget([]Subject{s})
		} else {
			t.forgetAll()
		}
	}
}
