package recordsync

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// Phase is a part of a run.
type Phase string

// The phases, in their order.
const (
	PhaseSettle Phase = "settle" // what became of creations that were broken off
	PhaseLook   Phase = "look"   // what somebody chose, and what waited in the last run
	PhaseSource Phase = "source" // the source's changes
	PhaseBefore Phase = "before" // what became of creations whose answers got lost: the target tells of them as changes
	PhaseTarget Phase = "target" // the target's, if both directions are wanted
	PhaseAgain  Phase = "again"  // the same for the other direction
	PhaseLate   Phase = "late"   // what waited for other records
	PhaseSweep  Phase = "sweep"  // deletions that no cursor could tell
	PhaseDone   Phase = "done"
)

// Phases are all of them, in their order.
var Phases = []Phase{PhaseSettle, PhaseLook, PhaseSource, PhaseBefore, PhaseTarget, PhaseAgain, PhaseLate, PhaseSweep, PhaseDone}

// Progress is where a run stands. Kept durably, it lets another process go on.
// The zero value begins a run.
type Progress struct {
	Run     string    `json:"run"`
	Phase   Phase     `json:"phase"`
	Steps   int64     `json:"steps"`           // that were done
	After   int64     `json:"after,omitempty"` // the last link that a phase looked at
	Cursors [2]string `json:"cursors"`
	Swept   Side      `json:"swept,omitempty"` // the side that the sweep is at
	// Seen are the records of the phase that a dry run has told of: nothing else
	// remembers them, and a first reading is followed by what changed during it.
	Seen []adapter.ID `json:"seen,omitempty"`
	// Told are the source's records that a dry run in both directions has told of
	// with what both sides changed: the target's changes tell nothing new of them.
	Told []adapter.ID `json:"told,omitempty"`
	// Looked are the records, by side, that a dry run has told of since somebody
	// chose or they waited in the last run.
	Looked [2][]adapter.ID `json:"looked,omitzero"`
}

func (p *Progress) looked(side Side, id adapter.ID) {
	if !id.IsZero() {
		p.Looked[side] = append(p.Looked[side], id)
	}
}

func (p *Progress) next() {
	if p.Phase == PhaseSource {
		p.Told = p.Seen
	}
	p.Phase, p.After, p.Seen = Phases[slices.Index(Phases, p.Phase)+1], 0, nil
}

// Step does a part of a run: a page of changes, or of links. It goes on where at
// says, and moves at on. On an error at stays, and the outcomes are of what was
// done until then: the same step is to be done again. A run is over when at.Phase
// is PhaseDone.
//
// Another run of the same pair under way is ErrConflict. An error that is
// temporary with a time to wait says that something may still arrive at a
// system.
func (s *Session) Step(ctx context.Context, at *Progress) ([]Outcome, error) {
	ctx = bridge.Patient(ctx)
	if !s.DryRun {
		if err := s.Links.Lease(ctx, s.Model, s.Holder, s.Lease); err != nil {
			return nil, err
		}
		held, release := s.hold(ctx)
		defer release()
		ctx = held
	}
	if at.Run == "" {
		if err := s.begin(ctx, at); err != nil {
			return nil, err
		}
	}
	s.run, s.phase, s.step = at.Run, at.Phase, at.Steps+1
	s.forgetLate()
	outcomes, err := s.do(ctx, at)
	if err == nil {
		at.Steps++
	} else if cause := context.Cause(ctx); errors.Is(cause, adapter.ErrConflict) {
		err = cause
	}
	return outcomes, err
}

// hold prolongs the lease of the pair, however long a step takes, until release.
// The context ends when somebody else has it.
func (s *Session) hold(ctx context.Context) (held context.Context, release func()) {
	held, end := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		tick := time.NewTicker(max(s.Lease/4, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			if err := s.Links.Lease(held, s.Model, s.Holder, s.Lease); errors.Is(err, adapter.ErrConflict) {
				end(err)
			}
		}
	})
	return held, func() {
		end(nil)
		keeper.Wait()
	}
}

func (s *Session) do(ctx context.Context, at *Progress) ([]Outcome, error) {
	switch at.Phase {
	case PhaseSettle, PhaseBefore, PhaseAgain:
		return s.skipDry(at, func() ([]Outcome, error) { return s.settle(ctx, at) })
	case PhaseLook:
		return s.revisit(ctx, at)
	case PhaseLate:
		return s.skipDry(at, func() ([]Outcome, error) { return s.revisit(ctx, at) })
	case PhaseSource:
		return s.follow(ctx, Source, at)
	case PhaseTarget:
		if !s.Bidirectional {
			at.next()
			return nil, nil
		}
		return s.follow(ctx, Target, at)
	case PhaseSweep:
		return s.skipDry(at, func() ([]Outcome, error) { return s.sweep(ctx, at) })
	}
	return nil, nil
}

func (s *Session) skipDry(at *Progress, do func() ([]Outcome, error)) ([]Outcome, error) {
	if s.DryRun {
		at.next()
		return nil, nil
	}
	return do()
}

// begin starts a run from what the last one left.
func (s *Session) begin(ctx context.Context, at *Progress) error {
	var err error
	if s.state, err = s.Links.State(ctx, s.Model); err != nil {
		return err
	}
	s.askClocks(ctx)
	*at = Progress{Run: token(), Phase: PhaseSettle}
	if s.state.Shape == s.shape {
		at.Cursors = s.state.Cursors
	} else if s.state.Shape != "" {
		s.state.Cursors = [2]string{}
	}
	return nil
}

// follow goes through a page of a side's changes.
func (s *Session) follow(ctx context.Context, from Side, at *Progress) ([]Outcome, error) {
	sd := s.sides[from]
	q := bridge.ChangesQuery{Model: s.Model, Fields: sd.read, Cursor: at.Cursors[from], Limit: s.Page, Initial: true}
	page, err := sd.system.Changes(ctx, q)
	if q.Cursor != "" && forgotten(err) {
		// Everything is gone through, and the links tell what is known.
		q.Cursor = ""
		page, err = sd.system.Changes(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	seen := at.Seen
	if s.DryRun {
		page.Changes = slices.DeleteFunc(page.Changes, func(c adapter.Change) bool {
			return slices.Contains(seen, c.ID) || slices.Contains(at.Looked[from], c.ID)
		})
		for _, c := range page.Changes {
			seen = append(seen, c.ID)
		}
		s.told = make(map[adapter.ID]bool, len(at.Told))
		for _, id := range at.Told {
			s.told[id] = true
		}
	}
	s.state.Unswept[from] = s.state.Unswept[from] || q.Cursor == ""
	outcomes, err := s.page(ctx, from, page.Changes)
	if err != nil {
		return outcomes, err
	}
	if !s.DryRun {
		s.state.Cursors[from], s.state.Shape = page.Next, s.shape
		if err := s.Links.Save(ctx, s.Model, nil, &s.state); err != nil {
			return outcomes, err
		}
	}
	at.Cursors[from], at.Seen = page.Next, seen
	if !page.More {
		at.next()
	}
	return outcomes, nil
}

// forgotten reports whether a cursor is too old, or of a system that was there
// before.
func forgotten(err error) bool {
	e, ok := errors.AsType[*adapter.Error](err)
	return ok && (e.Code == adapter.PreconditionFailed || e.Code == adapter.InvalidArgument && e.Field == "cursor")
}

// sweep looks for records of links that are there no more, a side at a time,
// where a side was read whole: deletions of before are in no cursor.
func (s *Session) sweep(ctx context.Context, at *Progress) ([]Outcome, error) {
	if at.Swept == Target && !s.Bidirectional || s.Deletions == Ignore || !s.state.Unswept[at.Swept] {
		return nil, s.swept(ctx, at)
	}
	links, err := s.Links.Select(ctx, s.Model, Want{Kind: WantAll, After: at.After, Limit: s.Page})
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		return nil, s.swept(ctx, at)
	}
	var ids []adapter.ID
	for _, l := range links {
		if id := l.IDs[at.Swept]; !id.IsZero() && !l.Gone[at.Swept] {
			ids = append(ids, id)
		}
	}
	there, err := s.sides[at.Swept].byID(ctx, s.Model, ids, []string{})
	if err != nil {
		return nil, err
	}
	gone := slices.DeleteFunc(ids, func(id adapter.ID) bool { return there[id] != nil })
	outcomes, err := s.deleted(ctx, at.Swept, gone)
	if err == nil {
		at.After = links[len(links)-1].ID
	}
	return outcomes, err
}

func (s *Session) swept(ctx context.Context, at *Progress) error {
	if s.state.Unswept[at.Swept] && s.Deletions != Ignore {
		s.state.Unswept[at.Swept] = false
		if err := s.Links.Save(ctx, s.Model, nil, &s.state); err != nil {
			return err
		}
	}
	if at.Swept == Source {
		at.Swept, at.After = Target, 0
	} else {
		at.next()
	}
	return nil
}

// byID reads records of a side, as they are now. Those that are not there are
// left out. Without fields only the ids are asked for.
func (sd *side) byID(ctx context.Context, model string, ids []adapter.ID, fields []string) (map[adapter.ID]adapter.Record, error) {
	out := make(map[adapter.ID]adapter.Record, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	name := sd.idField()
	if len(fields) == 0 {
		fields = []string{name}
	}
	for chunk := range slices.Chunk(ids, DefaultPage) {
		values := make([]any, len(chunk))
		for i, id := range chunk {
			values[i] = id.Value()
		}
		q := adapter.Query{Model: model, Filter: adapter.Cond{Field: name, Op: adapter.In, Value: values}, Fields: fields}
		for r, err := range sd.system.Each(ctx, q) {
			if err != nil {
				return nil, err
			}
			out[r.ID()] = r
		}
	}
	return out, nil
}

// idField is what a record's id is called in the side's words.
func (sd *side) idField() string {
	if !sd.schema.Has("id") && sd.schema.Has("Id") {
		return "Id"
	}
	return "id"
}

// errArriving marks an error that says only when to look again.
var errArriving = errors.New("still arriving")

func stillArriving(err error) (time.Duration, bool) {
	if errors.Is(err, errArriving) {
		return adapter.RetryAfter(err), true
	}
	return 0, false
}

// fate is what an error of a write means.
type fate int

const (
	refused fate = iota
	again        // nothing was written; it may go better later
	doubt        // it may have been written
)

func fateOf(err error) fate {
	e, _ := errors.AsType[*adapter.Error](err)
	switch {
	case e != nil && e.NothingSent, adapter.Retryable(err, true):
		if e != nil && e.NothingSent && (e.Code == adapter.InvalidArgument || e.Code == adapter.PermissionDenied || e.Code == adapter.NotFound || e.Code == adapter.Unsupported) {
			return refused
		}
		return again
	case adapter.CodeOf(err) == adapter.RateLimited, adapter.CodeOf(err) == adapter.Unauthenticated:
		return again
	case adapter.CodeOf(err) == adapter.UnknownOutcome, adapter.CodeOf(err) == adapter.Timeout, adapter.CodeOf(err) == adapter.Canceled,
		adapter.CodeOf(err) == adapter.Unavailable, e == nil:
		return doubt
	case e.Code == adapter.Conflict && e.Temporary:
		return again
	}
	return refused
}

// message is what is told of a refusal.
func message(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return "the system refused it"
}
