package recordsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Side is one of the two systems.
type Side int

// The sides.
const (
	Source Side = iota
	Target
)

// String names the side.
func (s Side) String() string { return [2]string{"source", "target"}[s] }

// MarshalText writes the name.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Side) UnmarshalText(b []byte) error {
	switch string(b) {
	case "source":
		*s = Source
	case "target":
		*s = Target
	default:
		return adapter.Errorf(adapter.InvalidArgument, "%q is no side; there are source and target", b)
	}
	return nil
}

func (s Side) other() Side { return 1 - s }

// Link says that a record of one side is a record of the other, or that a
// record of one side is known and has none yet.
type Link struct {
	ID    int64         `json:"id"` // given by Links; 0 for a new one
	Model string        `json:"model"`
	IDs   [2]adapter.ID `json:"ids"` // by side; zero for none
	// Base has, by side and field, a digest of the value that there was when
	// the sides were last the same.
	Base [2]map[string]string `json:"base"`
	// Gone says that a side's record was deleted, and the deletion not passed on.
	Gone [2]bool `json:"gone,omitzero"`
	// Intent is what a run was about to write.
	Intent *Intent `json:"intent,omitempty"`
	// Late says that something of the record waits for another: it is looked at
	// again.
	Late     bool      `json:"late,omitempty"`
	Conflict *Conflict `json:"conflict,omitempty"`
	// Choice is what somebody decided of the conflict; the next run does it.
	Choice  string   `json:"choice,omitempty"`
	Refusal *Refusal `json:"refusal,omitempty"`
	// Run is the last run that wrote something of the record, Phase and Step
	// which part of it, and Did what. A step that is done again after a kill says
	// the same; 0 is one that is still to be told.
	Run   string `json:"run,omitempty"`
	Phase Phase  `json:"phase,omitempty"`
	Step  int64  `json:"step,omitempty"`
	Did   Action `json:"did,omitempty"`

	// Dropped has Save remove the link.
	Dropped bool `json:"-"`
}

func (l *Link) whole() bool { return !l.IDs[Source].IsZero() && !l.IDs[Target].IsZero() }

func (l *Link) clone() *Link {
	c := *l
	for side := range c.Base {
		c.Base[side] = maps.Clone(l.Base[side])
	}
	return &c
}

func (l *Link) setBase(side Side, field, digest string) {
	if l.Base[side] == nil {
		l.Base[side] = map[string]string{}
	}
	l.Base[side][field] = digest
}

// Intent is a write that may have been made, or not.
type Intent struct {
	Side Side      `json:"side"` // that is written
	At   time.Time `json:"at"`
	// Values are those of a record that is created; nil of a change.
	Values adapter.Record `json:"values,omitempty"`
	Fields []string       `json:"fields,omitempty"` // that a change writes
	// Newest is the newest record of the model before the creation, on a system
	// that numbers its records; Numbered says that it was asked for.
	Newest   adapter.ID `json:"newest,omitzero"`
	Numbered bool       `json:"numbered,omitempty"`
	// Before are the records that looked like it before.
	Before []adapter.ID `json:"before,omitempty"`
}

// creates reports whether a record may have been created.
func (i *Intent) creates() bool { return i != nil && i.Values != nil }

// writes reports whether the field of a side may have been written.
func (i *Intent) writes(side Side, field string) bool {
	return i != nil && i.Side == side && slices.Contains(i.Fields, field)
}

// Refusal is why a system did not take a record. It is not tried again until the
// record changes, see [Pair.Retry].
type Refusal struct {
	Side   Side         `json:"side"`
	Code   adapter.Code `json:"code"`
	Reason string       `json:"reason"`
	Digest string       `json:"digest"` // of what was refused
}

// ConflictKind is what a conflict is about.
type ConflictKind string

// The kinds of conflicts.
const (
	FieldConflict    ConflictKind = "fields"    // both sides changed the same field
	Ambiguous        ConflictKind = "ambiguous" // several records may be the one
	Doubtful         ConflictKind = "doubtful"  // it may have been created, by a run that was broken off
	DeletionConflict ConflictKind = "deleted"   // one side deleted what the other changed
)

// Conflict is a question to somebody. It stays until it is answered, see
// [Resolve], or until the sides agree.
type Conflict struct {
	Kind ConflictKind `json:"kind"`
	At   time.Time    `json:"at"`
	// Fields are those that both sides changed, of FieldConflict.
	Fields []FieldPair `json:"fields,omitempty"`
	// Candidates are the records of the other side, of Ambiguous and Doubtful.
	Candidates []adapter.ID `json:"candidates,omitempty"`
	// Deleted is the side that has the record no more, of DeletionConflict.
	Deleted Side `json:"deleted,omitempty"`
}

// FieldPair is a field with what each side has in it.
type FieldPair struct {
	Field  string `json:"field"`
	Source any    `json:"source"`
	Target any    `json:"target"`
}

// State is what is kept of a model between runs.
type State struct {
	// Cursors are how far the changes of each side were followed.
	Cursors [2]string `json:"cursors"`
	// Shape tells what was synchronised: another shape begins anew.
	Shape string `json:"shape"`
	// Unswept says that a side was read anew without a cursor: deletions of before
	// are still to be looked for.
	Unswept [2]bool `json:"unswept"`
	// Clock is by how much each system's clock is ahead of ours, as far as known.
	Clock [2]Clock `json:"clock"`
}

// Clock is by how much a system's clock is ahead of ours.
type Clock struct {
	Ahead    time.Duration `json:"ahead"` // nanoseconds
	Measured bool          `json:"measured"`
}

// Want selects links.
type Want struct {
	Kind WantKind
	// Run and Step have WantLate give those too that this step of this run has
	// seen to, Retry those that were refused.
	Run   string
	Step  int64
	Retry bool
	After int64 // ids that are greater
	Limit int
}

// WantKind is a kind of links.
type WantKind string

// The kinds of links.
const (
	WantAll       WantKind = "all"
	WantPending   WantKind = "pending"   // that may have been created
	WantLate      WantKind = "late"      // to be looked at again
	WantConflicts WantKind = "conflicts" // that wait for a choice
	WantRefused   WantKind = "refused"
)

// Has reports whether a link is of the kind.
func (w *Want) Has(l *Link) bool {
	switch w.Kind {
	case WantAll:
		return true
	case WantPending:
		return l.Intent.creates()
	case WantLate:
		return !l.Intent.creates() && (l.Late || l.Choice != "" || w.Retry && l.Refusal != nil || w.Run != "" && l.Run == w.Run && l.Step == w.Step)
	case WantConflicts:
		return l.Conflict != nil && l.Choice == ""
	case WantRefused:
		return l.Refusal != nil
	}
	return false
}

// Links keeps which record is which, for one pair of systems. It is durable as
// far as the caller wants runs to be.
type Links interface {
	// Find returns the links of a model with one of the ids on a side.
	Find(ctx context.Context, model string, side Side, ids []adapter.ID) ([]*Link, error)
	// Select returns links of a model by id, the smallest first.
	Select(ctx context.Context, model string, want Want) ([]*Link, error)
	// Save writes links, and unless it is nil the state, all or nothing. New
	// links get an id. A record is in one link at most: another one is
	// ErrConflict.
	Save(ctx context.Context, model string, links []*Link, state *State) error
	// State returns what was saved of a model, the zero State at first.
	State(ctx context.Context, model string) (State, error)
	// Lease gives the model to one holder for a while, or prolongs that. One
	// that somebody else has is ErrConflict, see [Busy]. A duration of 0 gives it
	// back.
	Lease(ctx context.Context, model, holder string, d time.Duration) error
}

// Memory is Links in memory, for programs that run once and for tests. It is
// safe for concurrent use.
type Memory struct {
	mu     sync.Mutex
	last   int64
	models map[string]*memoryModel
}

type memoryModel struct {
	links  map[int64]*Link
	byID   [2]map[adapter.ID]int64
	state  State
	holder string
	until  time.Time
}

// NewMemory returns Links that hold nothing.
func NewMemory() *Memory { return &Memory{models: map[string]*memoryModel{}} }

func (m *Memory) model(name string) *memoryModel {
	got := m.models[name]
	if got == nil {
		got = &memoryModel{links: map[int64]*Link{}, byID: [2]map[adapter.ID]int64{{}, {}}}
		m.models[name] = got
	}
	return got
}

// Find implements Links.
func (m *Memory) Find(_ context.Context, model string, side Side, ids []adapter.ID) ([]*Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.model(model)
	var out []*Link
	for _, id := range ids {
		if at, ok := held.byID[side][id]; ok {
			out = append(out, held.links[at].clone())
		}
	}
	return out, nil
}

// Select implements Links.
func (m *Memory) Select(_ context.Context, model string, want Want) ([]*Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.model(model)
	var out []*Link
	for _, id := range slices.Sorted(maps.Keys(held.links)) {
		if l := held.links[id]; id > want.After && want.Has(l) {
			if out = append(out, l.clone()); len(out) == want.Limit {
				break
			}
		}
	}
	return out, nil
}

// Save implements Links.
func (m *Memory) Save(_ context.Context, model string, links []*Link, state *State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.model(model)
	for _, l := range links {
		if l.Dropped {
			held.remove(l.ID)
		}
	}
	for _, l := range links {
		for side, id := range l.IDs {
			if at, taken := held.byID[side][id]; taken && at != l.ID && !l.Dropped {
				return AlreadyLinked(model)
			}
		}
	}
	for _, l := range links {
		if l.Dropped {
			continue
		}
		if l.ID == 0 {
			m.last++
			l.ID = m.last
		}
		held.remove(l.ID)
		held.links[l.ID] = l.clone()
		for side, id := range l.IDs {
			if !id.IsZero() {
				held.byID[side][id] = l.ID
			}
		}
	}
	if state != nil {
		held.state = *state
	}
	return nil
}

// AlreadyLinked is the error of Save for a record that another link has.
func AlreadyLinked(model string) error {
	return &adapter.Error{Code: adapter.Conflict, Model: model, Temporary: true, Message: "a record is linked to another one already; run the synchronisation again"}
}

func (m *memoryModel) remove(id int64) {
	l := m.links[id]
	if l == nil {
		return
	}
	for side, id := range l.IDs {
		delete(m.byID[side], id)
	}
	delete(m.links, id)
}

// State implements Links.
func (m *Memory) State(_ context.Context, model string) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.model(model).state, nil
}

// Lease implements Links.
func (m *Memory) Lease(_ context.Context, model, holder string, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.model(model)
	if held.holder != holder && held.until.After(time.Now()) {
		return Busy(model, held.holder, held.until)
	}
	held.holder, held.until = holder, time.Now().Add(d)
	return nil
}

// Held says of a pair who has it, and until when if nothing prolongs that.
type Held struct {
	By    string
	Until time.Time
}

// Error implements error.
func (h *Held) Error() string { return "held by " + h.By }

// Busy is the error for a pair that another run has: an ErrConflict with a
// [Held].
func Busy(model, by string, until time.Time) error {
	return &adapter.Error{
		Code: adapter.Conflict, Model: model, Err: &Held{by, until},
		Message: fmt.Sprintf("these two systems are being synchronised already, by %s; wait for the end of that, or cancel it", by),
	}
}
