package live

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// feedKey names what is followed: a tenant's system has one credential.
type feedKey struct{ tenant, system, model string }

func (k feedKey) String() string { return k.tenant + "/" + k.system + "/" + k.model }

// feeder follows a model for all who subscribed to what others change in it.
type feeder struct {
	key    feedKey
	feed   *bridge.Feed
	users  int
	idle   *time.Timer // ends it; runs while nobody follows
	cancel context.CancelFunc
	begun  chan struct{} // closed when changes are heard
	since  uint64        // all of them have later numbers; valid once begun

	mu   sync.Mutex
	told map[bridge.FeedChange]time.Time // by any server, and when
	// state is what was told last of a record whose states have versions: it may
	// come back to an earlier one.
	state map[adapter.ID]found
	left  []found
}

// How a feeder waits between polls.
const (
	pendingWait  = 1100 * time.Millisecond // the second of a change must be over
	idleFactor   = 1.25                    // longer by so much while nothing happens
	idleMost     = 4                       // up to so many intervals
	failedFactor = 2
	failedMost   = time.Minute
)

// follow begins to follow a model for a subscription; nil says that changes
// from outside will not be heard.
func (h *Hub) follow(r *room, m Member, sub *modelSub, wanted bool) *feeder {
	b := h.bridge.Load()
	if !wanted || h.config.PollInterval <= 0 || b == nil {
		return nil
	}
	key := feedKey{r.tenant, sub.key.system, sub.own}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return nil
	}
	f := h.feeds[key]
	if f == nil {
		if !h.feedFits(r.tenant) {
			return nil
		}
		f = newFeeder(key)
		var ctx context.Context
		ctx, f.cancel = context.WithCancel(h.ctx)
		caller := m.caller()
		h.feeds[key] = f
		h.work.Go(func() { h.pollOn(ctx, b, caller, f) })
	}
	if f.idle != nil {
		f.idle.Stop()
		f.idle = nil
	}
	f.users++
	sub.feed = f
	return f
}

func newFeeder(key feedKey) *feeder {
	return &feeder{key: key, told: map[bridge.FeedChange]time.Time{}, state: map[adapter.ID]found{}, begun: make(chan struct{})}
}

// feedFits reports whether one more model may be followed for a tenant. One
// that nobody follows any more makes place. The hub is locked.
func (h *Hub) feedFits(tenant string) bool {
	n := 0
	var idle *feeder
	for k, f := range h.feeds {
		if k.tenant == tenant {
			n++
			if f.users == 0 {
				idle = f
			}
		}
	}
	if n >= h.config.MaxFeeds && idle != nil {
		h.end(idle)
		n--
	}
	return n < h.config.MaxFeeds
}

// unfollow ends a subscription's part in a feed. With the last one it stops:
// at once, or with linger a while later, so that who was cut off and comes back
// has missed nothing.
func (h *Hub) unfollow(sub *modelSub, linger bool) {
	f := sub.feed
	if f == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.users--; f.users > 0 || h.feeds[f.key] != f {
		return
	}
	if !linger || h.closing {
		h.end(f)
		return
	}
	var idle *time.Timer
	idle = time.AfterFunc(h.config.Linger, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if f.idle == idle {
			h.end(f)
		}
	})
	f.idle = idle
}

// end stops a feeder. The hub is locked.
func (h *Hub) end(f *feeder) {
	if f.idle != nil {
		f.idle.Stop()
		f.idle = nil
	}
	f.cancel()
	if h.feeds[f.key] == f {
		delete(h.feeds, f.key)
	}
}

// beganTo notes that changes are heard from now on. Who was told so before,
// since it took too long, has to read again.
func (h *Hub) beganTo(f *feeder) {
	if f.hasBegun() {
		return
	}
	r := h.roomOf(f.key.tenant)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f.since = r.last
	close(f.begun)
	for sub, s := range r.models[topic{f.key.system, f.key.model}] {
		if sub.feed == f && sub.promised {
			s.push(item{raw: s.resync(r.last, sub.key)})
		}
	}
}

// hasBegun reports whether changes are heard.
func (f *feeder) hasBegun() bool {
	select {
	case <-f.begun:
		return true
	default:
		return false
	}
}

// missed reports whether changes from outside may have been missed since an
// event with a number was heard.
func (f *feeder) missed(after uint64) bool {
	return !f.hasBegun() || f.since >= after
}

// promise waits for a feed to begin, and tells the subscriber that it has.
func (s *Session) promise(ack json.RawMessage, sub *modelSub) {
	timer := time.NewTimer(beginMost)
	defer timer.Stop()
	select {
	case <-sub.feed.begun:
	case <-timer.C:
	case <-s.hub.ctx.Done():
	}
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	now, still := s.models[sub.key]
	if !still || !r.sessions[s] {
		return
	}
	now.promised = true
	s.push(item{raw: ack})
	s.replayFeed(now)
}

// replayFeed says that changes from outside may have been missed since the
// number that the session went on from. The room is locked.
func (s *Session) replayFeed(sub *modelSub) {
	if after := max(s.resume, sub.after); after > 0 && sub.feed != nil && sub.feed.missed(after) {
		s.push(item{raw: s.resync(s.room.last, sub.key)})
	}
	sub.after = 0
}

// beginMost is how long a subscriber waits for a feed to begin.
const beginMost = 5 * time.Second

// heard tells the feed of a model of changes that everybody has heard of: it
// need not tell them again.
func (h *Hub) heard(key feedKey, c *change) {
	h.mu.RLock()
	f := h.feeds[key]
	var feed *bridge.Feed
	if f != nil {
		feed = f.feed
	}
	h.mu.RUnlock()
	switch {
	case feed == nil:
	case c.Writer != "":
		feed.Mark(c.Operation, c.IDs)
	default:
		f.note(c)
	}
}

// note remembers what was told of changes from outside, by whichever server.
func (f *feeder) note(c *change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for i, id := range c.IDs {
		ch := bridge.FeedChange{ID: id, Operation: c.Operation}
		if i < len(c.Dates) {
			ch.At = c.Dates[i]
		}
		if i < len(c.Versions) {
			ch.Version = c.Versions[i]
		}
		switch {
		case ch.Version != "":
			f.state[id] = found{ch, now}
		case ch.At > 0 || ch.Operation == bridge.FeedUnlink:
			f.told[ch] = now
		}
	}
	f.left = slices.DeleteFunc(f.left, func(left found) bool { return f.isTold(left.FeedChange) })
	for ch, at := range f.told {
		if now.Sub(at) > toldFor {
			delete(f.told, ch)
		}
	}
	for id, last := range f.state {
		if now.Sub(last.at) > toldFor {
			delete(f.state, id)
		}
	}
}

// isTold reports whether a change was told by any server. The feeder is locked.
func (f *feeder) isTold(ch bridge.FeedChange) bool {
	if ch.Version != "" {
		return f.state[ch.ID].FeedChange == ch
	}
	_, told := f.told[ch]
	return told
}

// toldFor is how long a feeder remembers what was told, and keeps what it left
// to the server that leads.
const toldFor = 2 * time.Minute

// found is a change that a feeder found and left to another server.
type found struct {
	bridge.FeedChange

	at time.Time
}

// fresh are the changes that this server has to tell: none while another one
// leads, and when it takes over those too that the other did not get to tell.
func (f *feeder) fresh(changes []bridge.FeedChange, leads bool) []bridge.FeedChange {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	var rest []found
	for _, ch := range f.left {
		if !f.isTold(ch.FeedChange) && now.Sub(ch.at) < toldFor {
			rest = append(rest, ch)
		}
	}
	for _, ch := range changes {
		if !f.isTold(ch) {
			rest = append(rest, found{ch, now})
		}
	}
	if !leads {
		f.left = rest
		return nil
	}
	f.left = nil
	out := make([]bridge.FeedChange, len(rest))
	for i, ch := range rest {
		out[i] = ch.FeedChange
	}
	return out
}

// pollOn asks the system again and again, until nobody wants it any more.
func (h *Hub) pollOn(ctx context.Context, b *bridge.Bridge, caller bridge.Caller, f *feeder) {
	defer h.log.yield(f.key.String())
	var lastSweep time.Time
	for wait := time.Duration(0); ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = h.pollOnce(ctx, b, caller, f, wait, &lastSweep)
	}
}

// pollOnce asks the system once and says how long to wait for the next time.
func (h *Hub) pollOnce(ctx context.Context, b *bridge.Bridge, caller bridge.Caller, f *feeder, waited time.Duration, lastSweep *time.Time) time.Duration {
	feed, err := h.feedOf(ctx, b, caller, f)
	if err != nil {
		return slower(waited, h.config.PollInterval)
	}
	page, err := feed.Poll(ctx)
	if err != nil {
		// The bridge keeps to its breaker and its turns; wait longer, too.
		return slower(waited, h.config.PollInterval)
	}
	if !page.Begun {
		return pendingWait
	}
	h.beganTo(f)
	changes := page.Changes
	if time.Since(*lastSweep) >= h.config.SweepInterval {
		*lastSweep = time.Now()
		gone, err := feed.Sweep(ctx)
		if err != nil {
			return slower(waited, h.config.PollInterval)
		}
		changes = append(changes, gone...)
		page.Pending = page.Pending || feed.Waits()
	}
	leads := h.log.lead(ctx, f.key.String(), 3*h.config.PollInterval+10*time.Second)
	if leads && page.Lost {
		h.publish(f.key.tenant, &event{Resync: true, Change: &change{System: f.key.system, Model: f.key.model}})
	}
	h.external(f.key, f.fresh(changes, leads))
	switch {
	case page.Pending:
		return min(pendingWait, h.config.PollInterval)
	case len(changes) > 0:
		return h.config.PollInterval
	}
	return min(max(h.config.PollInterval, time.Duration(float64(waited)*idleFactor)), idleMost*h.config.PollInterval)
}

func slower(waited, interval time.Duration) time.Duration {
	return min(max(interval, waited*failedFactor), failedMost)
}

// feedOf makes the feeder's feed when it is first needed.
func (h *Hub) feedOf(ctx context.Context, b *bridge.Bridge, caller bridge.Caller, f *feeder) (*bridge.Feed, error) {
	if f.feed != nil {
		return f.feed, nil
	}
	sys, err := b.System(ctx, caller, f.key.system)
	if err != nil {
		return nil, err
	}
	feed, err := sys.Feed(f.key.model, bridge.FeedOptions{})
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	f.feed = feed
	h.mu.Unlock()
	return feed, nil
}

// external publishes changes that others made, those of one kind together.
func (h *Hub) external(key feedKey, changes []bridge.FeedChange) {
	if len(changes) == 0 {
		return
	}
	h.Invalidated(key.tenant, key.system, key.model)
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && n < maxTogether && changes[n].Operation == changes[0].Operation {
			n++
		}
		c := &change{System: key.system, Model: key.model, Operation: changes[0].Operation}
		for _, ch := range changes[:n] {
			c.IDs = append(c.IDs, ch.ID)
			c.Dates = append(c.Dates, ch.At)
			c.Versions = append(c.Versions, ch.Version)
		}
		if strings.Join(c.Versions, "") == "" {
			c.Versions = nil
		}
		h.publish(key.tenant, &event{Change: c})
		changes = changes[n:]
	}
}

// maxTogether is how many records one event is about.
const maxTogether = 200

// Following reports whether changes that others make in a model are heard from
// now on.
func (h *Hub) Following(tenant, system, model string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	f := h.feeds[feedKey{tenant, system, model}]
	return f != nil && f.hasBegun()
}
