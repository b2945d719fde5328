package live

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bridgecore/bridgecore/bridge"
)

// Config says how a hub behaves; every zero value has a default.
type Config struct {
	RedisURL string // "" keeps everything in this process
	Prefix   string // of keys and channels in Redis; "" is "bridgecore:live:"

	// PollInterval is how often systems are asked for changes that others made;
	// 0 turns that off. SweepInterval is how often for deletions; 0 is six
	// times that, and half a minute at least.
	PollInterval, SweepInterval time.Duration
	// CheckInterval is how often it is checked that sessions may go on; 0 is
	// two seconds.
	CheckInterval time.Duration
	ReadTimeout   time.Duration // for the data of one event; 0 is five seconds

	MaxSessions      int // of all users; 0 is 20,000
	MaxPerUser       int // 0 is 20
	MaxSubscriptions int // of one session; 0 is 100
	MaxRecords       int // of one subscription; 0 is 1,000
	MaxFeeds         int // models followed for one tenant; 0 is 50
	// Linger is how long a model is followed after the last who wanted it was
	// cut off; 0 is two minutes.
	Linger time.Duration
	Queue  int // events that may wait for one session; 0 is 512
	Keep   int // events that are kept for those who come back; 0 is 1,024

	Metrics Metrics      // nil for none
	Log     *slog.Logger // nil is slog.Default
}

// Metrics are told what a hub does.
type Metrics interface {
	LiveSessions(n int)           // are connected now
	LiveEvent(kind string, n int) // handed to sessions
	LiveDropped(reason string)    // a session was dropped, or an event lost
}

type noMetrics struct{}

func (noMetrics) LiveSessions(int)      {}
func (noMetrics) LiveEvent(string, int) {}
func (noMetrics) LiveDropped(string)    {}

// Hub is where events meet those who want them. Make one with New. It is safe
// for concurrent use.
type Hub struct {
	config Config
	log    log
	logger *slog.Logger
	bridge atomic.Pointer[bridge.Bridge]
	inbox  chan inboxed
	bell   bell
	lost   sync.Map // tenant -> true: events that found no place
	cancel context.CancelFunc
	ctx    context.Context //nolint:containedctx // the hub's own life
	work   sync.WaitGroup
	health sync.Map // systemName -> string: the status that was told last

	mu       sync.RWMutex
	rooms    map[string]*room
	feeds    map[feedKey]*feeder
	perUser  map[userKey]int
	sessions int
	closing  bool
	left     sync.WaitGroup // sessions
}

type inboxed struct {
	tenant string
	event  *event
}

type userKey struct{ tenant, user string }

// New starts a hub.
func New(c Config) (*Hub, error) {
	c.Prefix = cmp.Or(c.Prefix, "bridgecore:live:")
	c.SweepInterval = cmp.Or(c.SweepInterval, max(6*c.PollInterval, 30*time.Second))
	c.CheckInterval = cmp.Or(c.CheckInterval, 2*time.Second)
	c.Linger = cmp.Or(c.Linger, 2*time.Minute)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 5*time.Second)
	c.MaxSessions = cmp.Or(c.MaxSessions, 20_000)
	c.MaxPerUser = cmp.Or(c.MaxPerUser, 20)
	c.MaxSubscriptions = cmp.Or(c.MaxSubscriptions, 100)
	c.MaxRecords = cmp.Or(c.MaxRecords, 1_000)
	c.MaxFeeds = cmp.Or(c.MaxFeeds, 50)
	c.Queue = cmp.Or(c.Queue, 512)
	c.Keep = cmp.Or(c.Keep, 1_024)
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	h := &Hub{
		config: c, logger: c.Log, inbox: make(chan inboxed, 8192), bell: bell{rung: make(chan struct{}, 1)},
		rooms: map[string]*room{}, feeds: map[feedKey]*feeder{}, perUser: map[userKey]int{},
	}
	h.log = localLog{}
	if c.RedisURL != "" {
		l, err := newRedisLog(c)
		if err != nil {
			return nil, err
		}
		l.hub = h
		h.log = l
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.work.Go(func() { h.log.run(h.ctx, h) })
	h.work.Go(func() { h.bell.run(h.ctx) })
	h.work.Go(h.check)
	return h, nil
}

// Use gives the hub the bridge through which it reads for subscribers. A
// bridge has the hub for an observer, so it comes later.
func (h *Hub) Use(b *bridge.Bridge) { h.bridge.Store(b) }

// Drain ends all sessions with a reason that says where to go on, and lets no
// new one in. It returns when they are gone, or ctx has ended.
func (h *Hub) Drain(ctx context.Context) { h.drain(ctx.Done()) }

func (h *Hub) drain(late <-chan struct{}) {
	h.mu.Lock()
	h.closing = true
	rooms := slices.Collect(maps.Values(h.rooms))
	h.mu.Unlock()
	for _, r := range rooms {
		for _, s := range r.members() {
			s.Close(goingAway(s.seen()))
		}
	}
	done := make(chan struct{})
	go func() {
		h.left.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-late:
	}
}

// Close stops the hub.
func (h *Hub) Close() error {
	late := make(chan struct{})
	timer := time.AfterFunc(5*time.Second, func() { close(late) })
	h.drain(late)
	timer.Stop()
	h.cancel()
	h.work.Wait()
	return nil
}

// publish takes an event in. It never blocks: what finds no place is lost, and
// the tenant's sessions are told to read everything again.
func (h *Hub) publish(tenant string, e *event) {
	if !h.wanted(tenant) {
		return
	}
	e.At = time.Now().UTC()
	select {
	case h.inbox <- inboxed{tenant, e}:
	default:
		h.lost.Store(tenant, true)
		h.config.Metrics.LiveDropped("inbox full")
	}
}

// wanted reports whether somebody may want a tenant's events: here, if nobody
// else is told.
func (h *Hub) wanted(tenant string) bool {
	if shared, _ := h.log.shared(); shared {
		return true
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.rooms[tenant] != nil
}

// OperationProgress implements Publisher.
func (h *Hub) OperationProgress(tenant, user string, p Progress) {
	h.publish(tenant, note(Operations, user, p))
}

// Notify tells a tenant's subscribers of a channel. user "" is all of them.
func (h *Hub) Notify(tenant, channel, user string, data any) {
	h.publish(tenant, note(channel, user, data))
}

// room returns the room of a tenant, which is made for its first session.
func (h *Hub) room(ctx context.Context, tenant string) *room {
	h.mu.Lock()
	r := h.rooms[tenant]
	if r == nil {
		r = newRoom(h, tenant)
		h.rooms[tenant] = r
		h.mu.Unlock()
		h.log.open(ctx, r)
		return r
	}
	h.mu.Unlock()
	return r
}

func (h *Hub) roomOf(tenant string) *room {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.rooms[tenant]
}

func (h *Hub) allRooms() []*room {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Values(h.rooms))
}

// Stats are the figures of this server.
type Stats struct {
	ActiveConnections int            `json:"active_connections"`
	ActiveUsers       int            `json:"active_users"`
	Channels          map[string]int `json:"channels"`
	Models            map[string]int `json:"models"`
	Feeds             int            `json:"feeds"`
	LastEventID       uint64         `json:"last_event_id"`
	Shared            bool           `json:"shared"`
	Degraded          bool           `json:"degraded"`
}

// Stats returns the figures of a tenant, or with a user those of the user.
func (h *Hub) Stats(tenant, user string) Stats {
	out := Stats{Channels: map[string]int{}, Models: map[string]int{}}
	for _, c := range Channels {
		out.Channels[c] = 0
	}
	out.Shared, out.Degraded = h.log.shared()
	h.mu.RLock()
	for k := range h.feeds {
		if k.tenant == tenant && user == "" {
			out.Feeds++
		}
	}
	h.mu.RUnlock()
	r := h.roomOf(tenant)
	if r == nil {
		return out
	}
	users := map[string]bool{}
	r.mu.Lock()
	defer r.mu.Unlock()
	out.LastEventID = r.last
	for s := range r.sessions {
		if user != "" && s.member.User != user {
			continue
		}
		out.ActiveConnections++
		users[s.member.User] = true
		for c := range s.channels {
			out.Channels[c]++
		}
		for k := range s.models {
			out.Models[k.system+":"+k.model]++
		}
	}
	out.ActiveUsers = len(users)
	return out
}

// check ends sessions that may not go on.
func (h *Hub) check() {
	tick := time.NewTicker(h.config.CheckInterval)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		h.Check(h.ctx)
	}
}

// Check asks of every session whether it may go on, and ends those that may
// not. The hub does it by itself, every CheckInterval.
func (h *Hub) Check(ctx context.Context) {
	for _, r := range h.allRooms() {
		for _, s := range r.members() {
			s.recheck(ctx)
		}
	}
}
