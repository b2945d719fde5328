package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// redisLog numbers and keeps events in Redis, one stream for each tenant, and
// hears of them by publish and subscribe. What was not heard is read from the
// stream. While Redis is away, events are handed out on this server alone,
// without numbers; when it is back, sessions are told to read again.
type redisLog struct {
	client *redis.Client
	prefix string
	keep   int
	log    *slog.Logger
	id     string // of this server
	hub    *Hub

	degraded atomic.Bool
	until    atomic.Int64 // Unix ns until which Redis is left alone

	mu     sync.Mutex
	pubsub *redis.PubSub
	loaded map[*room]bool
	ready  map[*room]*sync.Once

	behind map[*room]bool // of hear: rooms that could not catch up
}

const (
	liveTimeout = 2 * time.Second        // how long Redis may take
	livePause   = time.Second            // how long it is left alone after it failed
	liveSilence = 5 * time.Second        // without a word it is asked whether it is there
	liveRetry   = 250 * time.Millisecond // until what could not be read is tried again
	liveKept    = 24 * time.Hour         // how long events are kept
)

// appendEvent numbers an event, keeps it and tells the servers.
//
// KEYS[1] the last number, KEYS[2] the stream; ARGV[1] how many numbers the
// event takes, ARGV[2] the event, ARGV[3] how many are kept, ARGV[4] the
// channel, ARGV[5] seconds to keep. Numbers begin with the time, so that they
// are greater than any that were given before Redis forgot.
var appendEvent = redis.NewScript(`
local size = tonumber(ARGV[1])
local last = redis.call('INCRBY', KEYS[1], size)
if last == size then
  local t = redis.call('TIME')
  last = t[1] * 1000 + math.floor(t[2] / 1000) + size
  redis.call('SET', KEYS[1], string.format('%.0f', last))
end
last = string.format('%.0f', last)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], last .. '-0', 'e', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[4], last .. ' ' .. ARGV[2])
return last
`)

// leadScript makes this server the leader of something if nobody else is.
var leadScript = redis.NewScript(`
local who = redis.call('GET', KEYS[1])
if who and who ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

func newRedisLog(c Config) (*redisLog, error) {
	opt, err := redis.ParseURL(c.RedisURL)
	if err != nil {
		return nil, errors.New("the Redis URL can't be read; it must look like redis://user:password@host:6379/0")
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = liveTimeout, liveTimeout, liveTimeout, liveTimeout
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DisableIdentity = true
	client := redis.NewClient(opt)
	return &redisLog{
		client: client, pubsub: client.Subscribe(context.Background()), prefix: c.Prefix, keep: c.Keep, log: c.Log, id: uuid.NewString(),
		loaded: map[*room]bool{}, behind: map[*room]bool{}, ready: map[*room]*sync.Once{},
	}, nil
}

func (l *redisLog) shared() (shared, degraded bool) { return true, l.degraded.Load() }

func (l *redisLog) seqKey(tenant string) string    { return l.prefix + "{" + tenant + "}:seq" }
func (l *redisLog) streamKey(tenant string) string { return l.prefix + "{" + tenant + "}:events" }
func (l *redisLog) channel(tenant string) string   { return l.prefix + tenant }

func (l *redisLog) run(ctx context.Context, h *Hub) {
	var hearing sync.WaitGroup
	hearing.Go(func() { l.hear(ctx) })
	defer func() {
		l.mu.Lock()
		_ = l.pubsub.Close()
		l.mu.Unlock()
		hearing.Wait()
		_ = l.client.Close()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-h.inbox:
			l.append(ctx, in)
		}
	}
}

// append puts an event, and those that wait behind it, into Redis in one go.
func (l *redisLog) append(ctx context.Context, first inboxed) {
	batch := []inboxed{first}
more:
	for len(batch) < 128 {
		select {
		case in := <-l.hub.inbox:
			batch = append(batch, in)
		default:
			break more
		}
	}
	l.send(ctx, batch)
}

func (l *redisLog) send(ctx context.Context, batch []inboxed) {
	if time.Now().UnixNano() < l.until.Load() {
		l.alone(batch)
		return
	}
	limited, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	pipe := l.client.Pipeline()
	results := make([]*redis.Cmd, len(batch))
	for i, in := range batch {
		payload, err := json.Marshal(in.event)
		if err != nil {
			l.log.Error("an event can't be written", "error", err)
			payload = []byte(`{"resync":true}`)
		}
		results[i] = appendEvent.Eval(limited, pipe, []string{l.seqKey(in.tenant), l.streamKey(in.tenant)},
			in.event.size(), payload, l.keep, l.channel(in.tenant), int(liveKept.Seconds()))
	}
	_, err := pipe.Exec(limited)
	if err == nil {
		l.back()
		return
	}
	l.away(ctx, err)
	for i, in := range batch {
		if results[i].Err() != nil {
			l.alone([]inboxed{in})
		}
	}
}

// alone hands events out on this server, without numbers.
func (l *redisLog) alone(batch []inboxed) {
	for _, in := range batch {
		l.hub.lost.Store(in.tenant, true)
		if r := l.hub.roomOf(in.tenant); r != nil {
			r.deliver(in.event)
		}
	}
}

func (l *redisLog) away(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	l.until.Store(time.Now().Add(livePause).UnixNano())
	if !l.degraded.Swap(true) {
		l.log.Warn("live events stay on this server, unnumbered: their Redis does not answer", "error", err)
	}
}

// back is called when Redis answers: whoever missed something is told, on
// every server.
func (l *redisLog) back() {
	if l.degraded.Swap(false) {
		l.log.Info("live events are shared again: their Redis answers")
	}
	l.until.Store(0)
	l.hub.lost.Range(func(tenant, _ any) bool {
		select {
		case l.hub.inbox <- inboxed{tenant.(string), &event{At: time.Now().UTC(), Resync: true}}:
			l.hub.lost.Delete(tenant)
			return true
		default:
			return false // it is told with a later one
		}
	})
}

func (l *redisLog) open(ctx context.Context, r *room) {
	l.mu.Lock()
	once := new(sync.Once)
	l.ready[r] = once
	p := l.pubsub
	l.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	if err := p.Subscribe(limited, l.channel(r.tenant)); err != nil {
		l.away(ctx, err)
	}
	wait := liveTimeout
	if l.degraded.Load() {
		wait = liveRetry
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-r.ready:
	case <-timer.C:
		once.Do(func() { close(r.ready) }) // it goes on without the past
	case <-ctx.Done():
		once.Do(func() { close(r.ready) })
	}
}

// hear takes in what Redis tells, for as long as ctx lasts.
func (l *redisLog) hear(ctx context.Context) {
	asked := false
	for ctx.Err() == nil {
		l.mu.Lock()
		p := l.pubsub
		l.mu.Unlock()
		silence := liveSilence
		if len(l.behind) > 0 {
			silence = liveRetry
		}
		msg, err := p.ReceiveTimeout(ctx, silence)
		for r := range l.behind {
			l.catchUp(ctx, r)
		}
		if err != nil {
			asked = l.unheard(ctx, p, err, asked)
			continue
		}
		asked = false
		switch msg := msg.(type) {
		case *redis.Subscription:
			if r := l.roomOf(msg.Channel); r != nil && msg.Kind == "subscribe" {
				l.catchUp(ctx, r)
			}
		case *redis.Message:
			if r := l.roomOf(msg.Channel); r != nil {
				l.heard(ctx, r, msg.Payload)
			}
		}
	}
}

// unheard deals with silence, by asking, and with a lost connection, by
// waiting a little: the next Receive makes a new one.
func (l *redisLog) unheard(ctx context.Context, p *redis.PubSub, err error, asked bool) bool {
	silent, ok := errors.AsType[net.Error](err)
	if ok && silent.Timeout() && len(l.behind) > 0 {
		return asked
	}
	if ok && silent.Timeout() && !asked {
		limited, cancel := context.WithTimeout(ctx, liveTimeout)
		defer cancel()
		if p.Ping(limited) == nil {
			return true
		}
	}
	l.away(ctx, err)
	select {
	case <-ctx.Done():
	case <-time.After(livePause / 4):
	}
	if asked {
		l.renew(ctx)
	}
	return false
}

// renew begins to listen anew, on a connection that is known to be new.
func (l *redisLog) renew(ctx context.Context) {
	var names []string
	for _, r := range l.hub.allRooms() {
		names = append(names, l.channel(r.tenant))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	_ = l.pubsub.Close()
	l.pubsub = l.client.Subscribe(ctx, names...)
}

func (l *redisLog) roomOf(channel string) *room {
	return l.hub.roomOf(strings.TrimPrefix(channel, l.prefix))
}

// heard takes one event in.
func (l *redisLog) heard(ctx context.Context, r *room, text string) {
	number, payload, _ := strings.Cut(text, " ")
	e, err := readEvent(number, payload)
	if err != nil {
		l.log.Error("an event from Redis can't be read", "error", err)
		return
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	switch {
	case e.Last <= last:
	case e.First == last+1:
		r.deliver(e)
	default:
		l.catchUp(ctx, r)
	}
}

func readEvent(number, payload string) (*event, error) {
	last, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("number %q: %w", number, err)
	}
	e := new(event)
	if err := json.Unmarshal([]byte(payload), e); err != nil {
		return nil, err
	}
	e.Last = last
	e.First = last - e.size() + 1
	return e, nil
}

// catchUp reads from the stream what was not heard, and the first time the
// last events that there are.
func (l *redisLog) catchUp(ctx context.Context, r *room) {
	limited, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	l.mu.Lock()
	known := l.loaded[r]
	l.mu.Unlock()
	l.behind[r] = true
	pipe := l.client.Pipeline()
	seq := pipe.Get(limited, l.seqKey(r.tenant))
	kept := pipe.XRevRangeN(limited, l.streamKey(r.tenant), "+", "-", int64(l.keep))
	if _, err := pipe.Exec(limited); err != nil && !errors.Is(err, redis.Nil) {
		l.away(ctx, err)
		return
	}
	delete(l.behind, r)
	l.back()
	last, _ := seq.Uint64()
	var list []*event
	for _, m := range kept.Val() {
		number, _, _ := strings.Cut(m.ID, "-")
		payload, _ := m.Values["e"].(string)
		if e, err := readEvent(number, payload); err == nil {
			list = append(list, e)
		}
	}
	if !known {
		l.load(r, last, list)
		return
	}
	r.mu.Lock()
	seen := r.last
	r.mu.Unlock()
	// Behind nothing at all, whatever there is comes next.
	whole := seen == 0 && len(list) < l.keep
	if last < seen || !whole && len(list) > 0 && list[len(list)-1].First > seen+1 {
		// More was missed than is kept, or Redis has forgotten.
		l.load(r, last, list)
		return
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].First > seen {
			r.deliver(list[i])
		}
	}
}

// load fills the ring of a room, and tells those who are there already to read
// again.
func (l *redisLog) load(r *room, last uint64, newestFirst []*event) {
	before := last
	if n := len(newestFirst); n > 0 {
		before = newestFirst[n-1].First - 1
	}
	r.begin(before)
	r.mu.Lock()
	for i := len(newestFirst) - 1; i >= 0; i-- {
		r.keep(newestFirst[i])
	}
	r.last = max(r.last, last)
	r.mu.Unlock()
	r.resyncAll()
	l.mu.Lock()
	l.loaded[r] = true
	once := l.ready[r]
	l.mu.Unlock()
	if once != nil {
		once.Do(func() { close(r.ready) })
	}
}

// yieldScript ends the lead of this server.
var yieldScript = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 0`)

func (l *redisLog) yield(what string) {
	ctx, cancel := context.WithTimeout(context.Background(), liveTimeout)
	defer cancel()
	// If that fails, the lead ends by itself.
	_ = yieldScript.Run(ctx, l.client, []string{l.prefix + "lead:" + what}, l.id).Err()
}

// lead makes this server the one that tells of something. Without Redis every
// server tells its own sessions.
func (l *redisLog) lead(ctx context.Context, what string, ttl time.Duration) bool {
	limited, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	n, err := leadScript.Run(limited, l.client, []string{l.prefix + "lead:" + what}, l.id, ttl.Milliseconds()).Int()
	return err != nil || n == 1
}
