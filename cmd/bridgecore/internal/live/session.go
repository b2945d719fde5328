package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// Member is whose session it is.
type Member struct {
	Tenant string
	User   string
	Admin  bool
	Roles  []string
	// Rules are what the member may call, nil for everything, see
	// [bridge.Caller].
	Rules    []bridge.Rule
	ReadOnly bool
	// MayUse says whether the member may use a system of the tenant; nil lets
	// all be used. Of others nothing is heard.
	MayUse func(system string) bool
	// Check says whether the session may go on, and as whom. A *Closed ends
	// it; any other error changes nothing. nil never ends it.
	Check func(ctx context.Context) (Member, error)
	// Renew returns the member that a new token is for; a *Closed says why it
	// is for none. nil refuses all.
	Renew func(ctx context.Context, token string) (Member, error)
	// Say puts what the session is told into the member's language; code is that
	// of an error, "" of anything else. nil leaves the English.
	Say func(code, english string) string
	// Read puts the message of a [Progress] into the member's language; nil leaves
	// it as it was published.
	Read func(message string) string

	// reads tells apart who reads differently.
	reads string
}

func (m *Member) caller() bridge.Caller {
	return bridge.Caller{Tenant: m.Tenant, User: m.User, Roles: m.Roles, Rules: m.Rules, ReadOnly: m.ReadOnly}
}

// hears reports whether an event is about something that the member may know
// of.
func (m *Member) hears(e *event) bool {
	system := e.System
	if e.Change != nil {
		system = e.Change.System
	}
	return (e.User == "" || e.User == m.User) && (system == "" || m.MayUse == nil || m.MayUse(system))
}

// Session is one connection of a user. Its methods may be called from several
// goroutines, Next from one at a time.
type Session struct {
	hub    *Hub
	room   *room
	resume uint64 // subscriptions begin behind this number; 0 for now
	say    func(code, english string) string
	read   func(message string) string // nil leaves messages as they are

	// Guarded by the room.
	member   Member
	channels map[string]uint64 // and live from the events after this number
	models   map[modelKey]*modelSub
	renewed  int // how often the member showed a new token

	mu      sync.Mutex
	queue   []item
	backlog int // of queue: replayed, which counts for no limit
	sent    uint64
	closed  *Closed
	wake    chan struct{}

	current delivery // of Next
	held    item     // of Next: an event whose messages are being made

	due bool // to be woken; guarded by the bell
}

// item is something that waits to be sent: an answer, or an event.
type item struct {
	raw   json.RawMessage
	event *event
	sub   *modelSub
	at    []int // which records of the event; nil for all
}

// delivery is an event that is under way, with the messages of its records.
type delivery struct {
	event    *event
	messages [][]byte
	at       []int // of them, those that are wanted; nil for all
	next     int
}

// Join lets a member in. With resume, the number of the last event that was
// seen, every subscription begins behind that event. The error is a *Closed.
func (h *Hub) Join(ctx context.Context, m Member, resume uint64) (*Session, error) {
	who := userKey{m.Tenant, m.User}
	h.mu.Lock()
	switch {
	case h.closing:
		h.mu.Unlock()
		return nil, goingAway(0)
	case h.sessions >= h.config.MaxSessions:
		h.mu.Unlock()
		h.config.Metrics.LiveDropped("too many sessions")
		return nil, &Closed{CodeTooMany, "the server has too many live connections; try again later"}
	case h.perUser[who] >= h.config.MaxPerUser:
		h.mu.Unlock()
		h.config.Metrics.LiveDropped("too many sessions of a user")
		return nil, &Closed{CodeTooMany, fmt.Sprintf("you have %d live connections already; close one first", h.config.MaxPerUser)}
	}
	h.sessions++
	h.perUser[who]++
	h.left.Add(1)
	h.config.Metrics.LiveSessions(h.sessions)
	h.mu.Unlock()

	r := h.room(ctx, m.Tenant)
	m.reads = m.rolesKey()
	s := &Session{
		hub: h, room: r, resume: resume, say: m.Say, read: m.Read, member: m,
		channels: map[string]uint64{}, models: map[modelKey]*modelSub{}, wake: make(chan struct{}, 1),
	}
	if s.say == nil {
		s.say = func(_, english string) string { return english }
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		s.leave(who)
		return nil, &Closed{CodeGoingAway, "gone before it began"}
	}
	r.await(ctx, resume)
	r.mu.Lock()
	r.sessions[s] = true
	r.mu.Unlock()
	return s, nil
}

// Leave ends the session's part in the hub. Call it once.
func (s *Session) Leave() {
	s.Close(&Closed{1000, "bye"})
	r := s.room
	r.mu.Lock()
	delete(r.sessions, s)
	for name := range s.channels {
		r.outOfChannel(name, s)
	}
	subs := slices.Collect(maps.Values(s.models))
	for _, sub := range subs {
		r.outOfModel(sub, s)
	}
	who := userKey{s.member.Tenant, s.member.User}
	r.mu.Unlock()
	for _, sub := range subs {
		s.hub.unfollow(sub, true)
	}
	s.leave(who)
}

func (s *Session) leave(who userKey) {
	h := s.hub
	h.mu.Lock()
	h.sessions--
	if h.perUser[who]--; h.perUser[who] <= 0 {
		delete(h.perUser, who)
	}
	h.config.Metrics.LiveSessions(h.sessions)
	h.mu.Unlock()
	h.left.Done()
}

func (r *room) outOfChannel(name string, s *Session) {
	delete(s.channels, name)
	take(r.channels, name, s)
}

func (r *room) outOfModel(sub *modelSub, s *Session) {
	delete(s.models, sub.key)
	take(r.models, sub.topic(), sub)
}

func take[K, M comparable, V any](from map[K]map[M]V, key K, member M) {
	delete(from[key], member)
	if len(from[key]) == 0 {
		delete(from, key)
	}
}

// Close ends the session: Next returns why, once it has been told what waits.
func (s *Session) Close(why *Closed) {
	s.mu.Lock()
	if s.closed == nil {
		s.closed = why
		s.queue, s.backlog = nil, 0
	}
	s.mu.Unlock()
	s.rouse()
}

func (s *Session) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// seen is the number of the last event that was handed out.
func (s *Session) seen() uint64 {
	s.mu.Lock()
	sent := s.sent
	s.mu.Unlock()
	if sent > 0 {
		return sent
	}
	return s.resume
}

func goingAway(seen uint64) *Closed {
	reason := "the server is going away; come back to go on"
	if seen > 0 {
		reason = "the server is going away; come back to go on with last_event_id=" + strconv.FormatUint(seen, 10)
	}
	return &Closed{CodeGoingAway, reason}
}

// push puts something into the queue, and ends a session that does not keep
// up.
func (s *Session) push(i item) {
	s.add(i)
	s.rouse()
}

// add is push without waking whoever sends it.
func (s *Session) add(i item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	s.queue = append(s.queue, i)
	if len(s.queue)-s.backlog > s.hub.config.Queue {
		s.queue, s.backlog = nil, 0
		s.closed = &Closed{CodeSlow, "you read too slowly: events were waiting; come back with last_event_id=" + strconv.FormatUint(s.sent, 10)}
		s.hub.config.Metrics.LiveDropped("slow")
	}
}

// replay puts kept events into the queue.
func (s *Session) replay(items []item) {
	s.mu.Lock()
	if s.closed == nil {
		s.queue = append(s.queue, items...)
		s.backlog = len(s.queue)
	}
	s.mu.Unlock()
	s.rouse()
}

// Message is one message to send.
type Message struct {
	Body   []byte // JSON; not to be changed
	Number uint64 // of the event; 0 for an answer
	Type   string // "notification", "model_update"; "" for an answer
}

// Next returns the next message to send, waiting for it, and a *Closed when
// the session has ended.
func (s *Session) Next(ctx context.Context) (Message, error) {
	for {
		if m, ok := s.under(); ok {
			return m, nil
		}
		if s.held.event != nil {
			if err := s.begin(ctx, s.held); err != nil {
				return Message{}, err
			}
			s.held = item{}
			continue
		}
		s.mu.Lock()
		closed := s.closed
		var next item
		some := closed == nil && len(s.queue) > 0
		if some {
			next = s.queue[0]
			s.queue[0] = item{}
			if s.queue = s.queue[1:]; len(s.queue) == 0 {
				s.queue = nil
			}
			s.backlog = max(0, s.backlog-1)
		}
		s.mu.Unlock()
		switch {
		case closed != nil:
			return Message{}, closed
		case !some:
			select {
			case <-s.wake:
			case <-ctx.Done():
				return Message{}, ctx.Err()
			}
		case next.raw != nil:
			return Message{Body: next.raw}, nil
		default:
			s.held = next
		}
	}
}

// under takes the next message of the event that is under way.
func (s *Session) under() (Message, bool) {
	d := &s.current
	n := len(d.messages)
	if d.at != nil {
		n = len(d.at)
	}
	if d.next >= n {
		s.current = delivery{}
		return Message{}, false
	}
	i := d.next
	if d.at != nil {
		i = d.at[i]
	}
	d.next++
	m := Message{Body: d.messages[i], Number: d.event.number(i), Type: "model_update"}
	if d.event.Change == nil {
		m.Number, m.Type = d.event.Last, "notification"
	}
	s.note(m.Number)
	return m, true
}

func (s *Session) note(number uint64) {
	if number == 0 {
		return
	}
	s.mu.Lock()
	s.sent = max(s.sent, number)
	s.mu.Unlock()
}

// begin makes the messages of an event.
func (s *Session) begin(ctx context.Context, i item) error {
	e := i.event
	if e.Change == nil {
		s.hub.config.Metrics.LiveEvent("notification", 1)
		s.current = delivery{event: e, messages: e.notification(s.read)}
		return nil
	}
	all, err := s.hub.view(ctx, s.memberNow(), i.sub, e)
	if err != nil {
		return err
	}
	n := len(all)
	if i.at != nil {
		n = len(i.at)
	}
	s.hub.config.Metrics.LiveEvent("model_update", n)
	s.current = delivery{event: e, messages: all, at: i.at}
	return nil
}

// number is that of the event's i-th record.
func (e *event) number(i int) uint64 {
	if e.First == 0 {
		return 0
	}
	return e.First + uint64(i)
}

func (s *Session) memberNow() Member {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.member
}

// recheck ends the session if it may not go on, and what it may hear no longer.
func (s *Session) recheck(ctx context.Context) {
	r := s.room
	r.mu.Lock()
	check, renewed := s.member.Check, s.renewed
	r.mu.Unlock()
	if check == nil {
		return
	}
	m, err := check(ctx)
	r.mu.Lock()
	another := s.renewed != renewed // it showed a new token meanwhile
	r.mu.Unlock()
	if another {
		return
	}
	if why, ended := errors.AsType[*Closed](err); ended {
		s.hub.config.Metrics.LiveDropped("token")
		s.Close(why)
		return
	}
	if err == nil {
		s.become(ctx, m)
	}
}

// become takes in what the member may do now.
func (s *Session) become(ctx context.Context, m Member) {
	r := s.room
	r.mu.Lock()
	before := s.member.reads
	s.member.Roles, s.member.Rules, s.member.ReadOnly, s.member.MayUse = m.Roles, m.Rules, m.ReadOnly, m.MayUse
	s.member.reads = s.member.rolesKey()
	if s.member.Admin = m.Admin; !m.Admin && has(s.channels, Audit) {
		r.outOfChannel(Audit, s)
		s.push(item{raw: answer(problem{Type: "error", Code: "permission_denied", Message: s.say("permission_denied", "the channel audit needs the role admin, which you no longer have"), Channel: Audit})})
	}
	other := before != s.member.reads
	var subs []*modelSub
	for _, sub := range s.models {
		if other || m.MayUse != nil && !m.MayUse(sub.key.system) {
			subs = append(subs, sub)
		}
	}
	r.mu.Unlock()
	for _, sub := range subs {
		if _, _, err := s.mayRead(ctx, sub); err != nil {
			s.lose(sub, err)
		}
	}
}

func has[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}

// lose ends a subscription to what the member may no longer read.
func (s *Session) lose(sub *modelSub, why error) {
	switch adapter.CodeOf(why) {
	case adapter.NotFound, adapter.PermissionDenied:
	default:
		return // nobody knows
	}
	r := s.room
	r.mu.Lock()
	sub, still := s.models[sub.key]
	if still {
		r.outOfModel(sub, s)
		s.push(item{raw: answer(problem{
			Type: "error", Code: string(adapter.CodeOf(why)), Message: s.say(string(adapter.CodeOf(why)), "the subscription has ended: "+messageOf(why)),
			SystemID: sub.key.system, Model: sub.key.model, Vocabulary: sub.key.words,
		})})
	}
	r.mu.Unlock()
	if still {
		s.hub.unfollow(sub, false)
	}
}

// renew goes on with a new token; what was subscribed to stays.
func (s *Session) renew(ctx context.Context, token string) error {
	now := s.memberNow()
	if now.Renew == nil {
		return adapter.Errorf(adapter.Unsupported, "this connection can't take a new token; connect anew")
	}
	m, err := now.Renew(ctx, token)
	if why, refused := errors.AsType[*Closed](err); refused {
		return adapter.Errorf(adapter.Unauthenticated, "token: %s; the connection goes on with the one that it has", why.Reason)
	}
	if err != nil {
		return err
	}
	if m.Tenant != now.Tenant || m.User != now.User {
		return adapter.Errorf(adapter.PermissionDenied, "token: it is another user's; the connection goes on with the one that it has")
	}
	s.room.mu.Lock()
	s.member.Check, s.member.Renew = m.Check, m.Renew
	s.renewed++
	s.room.mu.Unlock()
	s.become(ctx, m)
	return nil
}

// subscribe adds channels and models that were checked, and replays what they
// missed since the session's resume number.
func (s *Session) subscribe(ack json.RawMessage, channel string, sub *modelSub) error {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sessions[s] {
		return errGone
	}
	if len(s.channels)+len(s.models) >= s.hub.config.MaxSubscriptions {
		if _, known := s.channels[channel]; !known && (sub == nil || s.models[sub.key] == nil) {
			return adapter.Errorf(adapter.RateLimited, "a connection has at most %d subscriptions; unsubscribe from some first", s.hub.config.MaxSubscriptions)
		}
	}
	if channel != "" {
		if _, known := s.channels[channel]; !known {
			s.channels[channel] = r.last
			put(r.channels, channel, s, true)
		}
	} else {
		if old := s.models[sub.key]; old != nil {
			if err := sub.join(old, s.hub.config.MaxRecords); err != nil {
				return err
			}
			if sub.feed != nil {
				s.hub.unfollow(old, false) // one of the two is enough
			} else {
				sub.feed = old.feed
			}
			sub.promised, sub.after = old.promised, old.after
			take(r.models, old.topic(), old)
		}
		sub.since = r.last
		s.models[sub.key] = sub
		put(r.models, sub.topic(), sub, s)
	}
	if ack != nil {
		s.push(item{raw: ack})
	}
	if s.resume > 0 {
		s.catchUp(s.resume, func(e *event) (item, bool) { return s.wants(e, channel, sub) })
		if sub != nil && ack != nil {
			s.replayFeed(sub)
		}
	}
	return nil
}

// errGone is for a session that left meanwhile: nobody hears it.
var errGone = adapter.Errorf(adapter.Unavailable, "the connection is closed")

func put[K, M comparable, V any](in map[K]map[M]V, key K, member M, v V) {
	if in[key] == nil {
		in[key] = map[M]V{}
	}
	in[key][member] = v
}

// join takes an earlier subscription to the same model in.
func (m *modelSub) join(old *modelSub, most int) error {
	m.whole = m.whole || old.whole
	if m.whole {
		m.ids = nil
	} else {
		ids := maps.Clone(old.ids)
		maps.Copy(ids, m.ids)
		if len(ids) > most {
			return adapter.Errorf(adapter.InvalidArgument, "record_ids: at most %d of one model; leave them out to follow all of it", most)
		}
		m.ids = ids
	}
	if m.fields == nil {
		m.fields = old.fields
	}
	return nil
}

// wants picks what of a kept event is for one subscription.
func (s *Session) wants(e *event, channel string, sub *modelSub) (item, bool) {
	switch {
	case e.Resync:
		// It was said when it happened: who comes back is told again.
		return item{raw: s.resync(s.room.last, modelKey{})}, e.Change == nil || sub != nil && sub.topic() == e.Change.topic()
	case e.Change == nil:
		return item{event: e}, e.Channel == channel && s.member.hears(e)
	case sub == nil || sub.topic() != e.Change.topic():
		return item{}, false
	}
	at, some := sub.pick(e.Change.IDs)
	return item{event: e, sub: sub, at: at}, some && s.member.hears(e)
}

// catchUp replays what was kept behind a number, or says that something is
// missing. The room is locked.
func (s *Session) catchUp(after uint64, wants func(*event) (item, bool)) (n int) {
	r := s.room
	if after+1 < r.first || after > r.last {
		s.push(item{raw: s.resync(r.last, modelKey{})})
		return 0
	}
	var items []item
	for _, e := range r.ring {
		if e.Last <= after {
			continue
		}
		i, ok := wants(e)
		if !ok {
			continue
		}
		if e.First <= after { // a part of it was seen
			if i.at = behind(i.at, e, after); len(i.at) == 0 {
				continue
			}
		}
		items = append(items, i)
	}
	s.replay(items)
	return len(items)
}

// behind are the places of the records whose numbers come after one.
func behind(at []int, e *event, after uint64) []int {
	var rest []int
	for n := range e.Change.IDs {
		if e.number(n) > after && (at == nil || slices.Contains(at, n)) {
			rest = append(rest, n)
		}
	}
	return rest
}

// goOn replays to all subscriptions what they missed behind a number, as far
// as it came before they were made.
func (s *Session) goOn(after uint64) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	n := s.catchUp(after, func(e *event) (item, bool) {
		for name, since := range s.channels {
			if i, ok := s.wants(e, name, nil); ok && e.Last <= since {
				return i, true
			}
		}
		for _, sub := range s.models {
			if i, ok := s.wants(e, "", sub); ok && e.Last <= sub.since {
				return i, true
			}
		}
		return item{}, false
	})
	for name := range s.channels {
		s.channels[name] = after
	}
	for _, sub := range s.models {
		sub.since = after
		if sub.after = after; sub.promised || sub.feed == nil {
			s.replayFeed(sub)
		}
	}
	s.push(item{raw: answer(struct {
		Type        string `json:"type"`
		LastEventID uint64 `json:"last_event_id"`
		Replayed    int    `json:"replayed"`
	}{"resumed", r.last, n})})
}

// unsubscribe drops subscriptions.
func (s *Session) unsubscribe(ack json.RawMessage, channel string, key modelKey, ids []adapter.ID) {
	r := s.room
	r.mu.Lock()
	var dropped *modelSub
	if channel != "" {
		r.outOfChannel(channel, s)
	} else if sub := s.models[key]; sub != nil {
		rest := &modelSub{}
		*rest = *sub
		rest.ids = maps.Clone(sub.ids)
		for _, id := range ids {
			delete(rest.ids, id)
		}
		if len(ids) == 0 || !sub.whole && len(rest.ids) == 0 {
			dropped = sub
			r.outOfModel(sub, s)
		} else if !sub.whole {
			take(r.models, sub.topic(), sub)
			s.models[key] = rest
			put(r.models, rest.topic(), rest, s)
		}
	}
	r.mu.Unlock()
	if dropped != nil {
		s.hub.unfollow(dropped, false)
	}
	s.push(item{raw: ack}) // when it is so
}

// rolesKey tells apart who reads differently.
func (m *Member) rolesKey() string {
	roles := slices.Clone(m.Roles)
	slices.Sort(roles)
	return fmt.Sprintf("%q%q", roles, m.Rules)
}
