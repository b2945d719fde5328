package live

import (
	"context"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// topic names a model of a system, in the system's own words.
type topic struct{ system, model string }

// topic is what a change is about.
func (c *change) topic() topic { return topic{c.System, c.Model} }

// modelKey names what a client subscribed to, in the client's words.
type modelKey struct{ system, model, words string }

// universalWords are those of modelKey.words that are no system's own.
const universalWords = "universal"

// room is where the sessions of one tenant are, with the tenant's last events.
type room struct {
	hub    *Hub
	tenant string
	ready  chan struct{} // closed when the last events are known

	mu       sync.Mutex
	last     uint64 // number of the last event
	first    uint64 // the first that could be replayed
	ring     []*event
	bytes    int
	sessions map[*Session]bool
	channels map[string]map[*Session]bool
	models   map[topic]map[*modelSub]*Session
}

// ringBytes is how much the events may hold that a tenant's ring keeps.
const ringBytes = 8 << 20

func newRoom(h *Hub, tenant string) *room {
	return &room{
		hub: h, tenant: tenant, ready: make(chan struct{}),
		sessions: map[*Session]bool{}, channels: map[string]map[*Session]bool{}, models: map[topic]map[*modelSub]*Session{},
	}
}

func (r *room) members() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Session, 0, len(r.sessions))
	for s := range r.sessions {
		list = append(list, s)
	}
	return list
}

// await waits a moment for an event that a client saw on another server, and
// which is still on its way to this one.
func (r *room) await(ctx context.Context, number uint64) {
	if shared, degraded := r.hub.log.shared(); !shared || degraded {
		return
	}
	behind := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.last < number
	}
	ctx, cancel := context.WithTimeout(ctx, awaitMost)
	defer cancel()
	tick := time.NewTicker(awaitMost / 100)
	defer tick.Stop()
	for behind() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const awaitMost = 500 * time.Millisecond

// begin sets the number after which events come.
func (r *room) begin(last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.first, r.ring, r.bytes = last, last+1, nil, 0
}

// keep puts a numbered event into the ring.
func (r *room) keep(e *event) {
	r.last = e.Last
	r.ring = append(r.ring, e)
	r.bytes += e.weight()
	for len(r.ring) > r.hub.config.Keep || r.bytes > ringBytes && len(r.ring) > 1 {
		r.first = r.ring[0].Last + 1
		r.bytes -= r.ring[0].weight()
		r.ring[0] = nil
		r.ring = r.ring[1:]
	}
}

// weight is about how many bytes an event holds.
func (e *event) weight() int {
	n := 128 + len(e.Data)
	if e.Change != nil {
		n += 32 * len(e.Change.IDs)
		for _, v := range e.Change.Values {
			n += len(v)
		}
	}
	return n
}

// deliver hands an event to those who want it. One that is numbered is kept.
func (r *room) deliver(e *event) { r.hub.bell.ring(r.take(e)) }

// take gives an event to those who want it, and returns whom.
func (r *room) take(e *event) (whom []*Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.First > 0 {
		r.keep(e)
	}
	switch {
	case e.Resync && e.Change != nil:
		r.resyncModel(e.Change.topic())
	case e.Resync:
		for s := range r.sessions {
			s.push(item{raw: s.resync(r.last, modelKey{})})
		}
	case e.Change != nil:
		whom = r.spread(e)
	default:
		for s := range r.channels[e.Channel] {
			if s.member.hears(e) {
				s.add(item{event: e})
				whom = append(whom, s)
			}
		}
	}
	return whom
}

// spread hands a change to those who follow its model, and returns whom.
func (r *room) spread(e *event) (whom []*Session) {
	t := e.Change.topic()
	whom = make([]*Session, 0, len(r.models[t]))
	for sub, s := range r.models[t] {
		if at, some := sub.pick(e.Change.IDs); some && s.member.hears(e) {
			s.add(item{event: e, sub: sub, at: at})
			whom = append(whom, s)
		}
	}
	r.hub.heard(feedKey{r.tenant, t.system, t.model}, e.Change)
	return whom
}

// resyncAll tells those who are here to read everything again.
func (r *room) resyncAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.sessions {
		s.push(item{raw: s.resync(r.last, modelKey{})})
	}
}

// resyncModel tells those who follow a model to read it again. The room is
// locked.
func (r *room) resyncModel(t topic) {
	for sub, s := range r.models[t] {
		s.push(item{raw: s.resync(r.last, sub.key)})
	}
}

// modelSub is a session's subscription to a model.
type modelSub struct {
	key    modelKey
	own    string // the model, in the system's own words
	whole  bool
	ids    map[adapter.ID]bool
	fields []string
	as     string  // the version in whose words it reads
	feed   *feeder // where it hears of what others change; nil for not at all
	since  uint64  // live from the events after this number

	promised bool   // it was told that it hears what others change
	after    uint64 // what others changed since this number is to be heard too
}

// topic is what the subscription is about.
func (m *modelSub) topic() topic { return topic{m.key.system, m.own} }

// pick are the places of the ids that the subscription is about; nil for all.
func (m *modelSub) pick(ids []adapter.ID) (at []int, some bool) {
	if m.whole {
		return nil, true
	}
	for i, id := range ids {
		if m.ids[id] {
			at = append(at, i)
		}
	}
	return at, len(at) > 0
}

// localLog numbers events in the process.
type localLog struct{}

func (localLog) shared() (shared, degraded bool) { return false, false }

func (localLog) lead(context.Context, string, time.Duration) bool { return true }

func (localLog) yield(string) {}

func (localLog) open(_ context.Context, r *room) {
	// Later than any number of an earlier process.
	r.begin(uint64(time.Now().UnixMilli()))
	close(r.ready)
}

func (localLog) run(ctx context.Context, h *Hub) {
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-h.inbox:
			if r := h.roomOf(in.tenant); r != nil {
				h.deliverLost(in.tenant)
				number(r, in.event)
				r.deliver(in.event)
			}
		}
	}
}

// number gives an event the next numbers of a room that nobody else numbers.
func number(r *room, e *event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.First = r.last + 1
	e.Last = r.last + e.size()
}

// deliverLost says that events were lost, once.
func (h *Hub) deliverLost(tenant string) {
	if _, lost := h.lost.LoadAndDelete(tenant); !lost {
		return
	}
	if r := h.roomOf(tenant); r != nil {
		r.deliver(&event{Resync: true})
	}
}
