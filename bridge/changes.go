package bridge

import (
	"context"
	"fmt"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// ChangesQuery asks for the changes of one model, see [System.Changes].
type ChangesQuery struct {
	Model  string
	Fields []string // as in [System.Read]; nil for all
	// Cursor is Next of the answer before; "" begins.
	Cursor string
	// Limit is how many changes at most; 0 is DefaultChangesLimit, and more than
	// MaxChangesLimit is cut to it.
	Limit int
	// Initial begins with every record there is, as changes. It counts at the
	// beginning alone, so that one loop may say it always.
	Initial bool
}

// How many changes System.Changes returns at a time.
const (
	DefaultChangesLimit = 200
	MaxChangesLimit     = 1000
)

// How changes are found where the system does not tell them.
const (
	// changesClocks is how far apart the clocks of the processes may be that use
	// one cursor.
	changesClocks = 2 * time.Minute
	// changesTracked is how many records a model may have for deletions to be
	// found.
	changesTracked = 1_000_000
	// changesRecheck is how long a number of records that is as expected stands
	// for the records themselves.
	changesRecheck = 15 * time.Minute
	// changesNative is how long what such a system told is remembered, by the
	// dates that it tells: it looks back less far itself.
	changesNative = 10 * time.Minute
	// changesCalls bounds how often one answer asks the system for what changed.
	changesCalls = 10
	// changesPage is how many dates are asked for at a time.
	changesPage = 1000
	// changesFew is how many records are read at a time at least, be there room for
	// fewer: most of them may have been told.
	changesFew = 100
)

// Changes tells what was created, changed and deleted in a model since a
// cursor, oldest first: each record as it is now, and of one that is gone its
// id alone. It is for whoever keeps a copy. One loop does it:
//
//	for cursor := ""; ; {
//		page, err := sys.Changes(ctx, bridge.ChangesQuery{Model: model, Initial: true, Cursor: cursor})
//		... // apply page.Changes, and keep page.Next together with them
//		cursor = page.Next
//		if !page.More { ... } // wait
//	}
//
// With Initial it begins with every record there is, page by page in the order
// of their ids (archived ones included), and goes on with what changed since
// the first page. Without, and without a cursor, it returns no changes and the
// cursor for now.
//
// A change may come twice, and records may come that did not change in the
// fields asked for; none is left out, within the limits below. A deletion may be
// told of a record that never came. In an answer with More false is all that had
// changed when the last look began. What one look finds of a record that changed twice is its last
// state. More says that there is more already.
//
// In universal words a record that is no longer of the universal model (an
// invoice that became a bill) is told as deleted. What counts is a change of the
// record itself: of what a universal record shows from other records, such as
// the city of a business partner's address on SAP, only changes that touch the
// record too are told.
//
// A cursor is good for the same system (the database, not only its id), model
// and words, with any fields and limit, for any process, as long as that is: any
// other, or one that was tampered with, is ErrInvalidArgument for the field
// "cursor". One that the system, or the [Keep], does not remember is
// ErrPreconditionFailed: read everything again, with Initial and no cursor. A
// cursor is a few kilobytes at most.
//
// How it is found out, and where that ends:
//
//   - Salesforce tells changes and deletions itself, for 15 days. What a transaction
//     changes that took longer than two minutes is missed.
//   - Odoo's records bear the second of their last change (write_date). Each look
//     goes back 150 seconds behind the newest one seen, since a transaction is
//     dated by its beginning; what was told already is told again only if it is not
//     the same. A change in a transaction that took longer than that is missed,
//     unless it created the record. Views without write_date are ErrUnsupported.
//   - SAP's records bear the moment of their last change, or the day alone (such as
//     business partners): each look goes back ten minutes behind the newest one
//     seen, or a day, so of a model that is dated by days all changes of two days
//     are read at each look. Entity sets with neither are ErrUnsupported.
//   - Of more than 10,000 changes within what is gone back by, the oldest come again
//     until they are over.
//   - Deletions on SAP and Odoo are found by comparing the ids there are with those
//     known, whenever a run of pages has come to its end: by their number each
//     time, one by one if that is not as expected and once in 15 minutes. That is
//     done up to a million records; beyond, each answer has a
//     [adapter.WarnDeletionsUntold].
//
// So none is left out but what took longer to commit than said above, and what a
// system dates after its clock was put back: that is told when it changes again.
// Only the system's own clock counts, for what it dates; records that are dated in
// the future, by a clock that was wrong once, don't keep the others from being
// told. Salesforce tells these when their time has come. The clocks of the
// processes that ask in turn may differ by two minutes. Records are read as the
// caller may read them, and never from the cache.
func (s *System) Changes(ctx context.Context, q ChangesQuery) (adapter.ChangePage, error) {
	switch {
	case q.Limit < 0:
		return adapter.ChangePage{}, wrong("limit", "limit can't be negative")
	case q.Limit == 0:
		q.Limit = DefaultChangesLimit
	}
	q.Limit = min(q.Limit, MaxChangesLimit)
	ctx = s.scoped(ctx, &s.caller.Scope)
	f, err := s.follower(ctx, q)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	if q.Cursor == "" {
		err = f.begin(ctx)
	} else {
		err = f.resume(ctx, q.Cursor)
	}
	if err != nil {
		return adapter.ChangePage{}, err
	}
	switch {
	case q.Cursor == "" && !q.Initial:
		err = f.validate(ctx)
	case f.at.Reading:
		err = f.read(ctx)
	case f.at.Native:
		err = f.runNative(ctx)
	default:
		err = f.run(ctx)
	}
	if err != nil {
		return adapter.ChangePage{}, err
	}
	if f.at.Untold {
		adapter.Warn(ctx, adapter.Warning{
			Code: adapter.WarnDeletionsUntold, Model: q.Model,
			Message: fmt.Sprintf("the model has more than %d records: which of them are deleted is not told", f.bridge.tracked),
		})
	}
	f.page.Next, err = f.cursor(ctx)
	return f.page, err
}

// follower finds the changes of one model for one answer.
type follower struct {
	*System // in the caller's words, archived records included
	query   ChangesQuery
	// own is the system in the words in which changes are found, model the name
	// there and filter what makes its records those of the universal model.
	own    *System
	model  string
	filter adapter.Filter
	id     string // the name of the field that holds a record's id
	info   adapter.Info
	dating adapter.Dating // zero where the system tells changes
	now    func() time.Time

	at    following
	known *idSet // nil where deletions are told, or can't be
	told  *tellings
	page  adapter.ChangePage
	// fresh are ids that were told and known does not reflect yet, and whether
	// their records are there.
	fresh map[adapter.ID]bool
	// place is where a run in the order of ids goes on once what was found is
	// told, and unsure is a date that was there when this answer began to look.
	place  string
	unsure int64
}

// following is where a cursor stands, without the sets.
type following struct {
	// Reading says that not all records were read yet; After is the system's
	// cursor of the next page.
	Reading bool   `json:"r,omitempty"`
	After   string `json:"a,omitempty"`
	// Native says that the system tells changes; Cursor is its own.
	Native bool   `json:"n,omitempty"`
	Cursor string `json:"c,omitempty"`
	// High is the newest date that was seen, in Unix seconds, Seen when that was
	// by our clock, and Low from when on the next run looks.
	High int64 `json:"h,omitempty"`
	Seen int64 `json:"s,omitempty"`
	Low  int64 `json:"l,omitempty"`
	// Running says that a run has not come to its end. In the order of dates it
	// goes on at the second Second and, with Within, behind the id Behind in that
	// second; in the order of ids behind Place, the system's cursor.
	Running bool   `json:"g,omitempty"`
	Second  int64  `json:"t,omitempty"`
	Within  bool   `json:"w,omitempty"`
	Behind  int64  `json:"b,omitempty"`
	Place   string `json:"d,omitempty"`
	// Began is when the run began by our clock.
	Began int64 `json:"i,omitempty"`
	// Newest is the newest date that this run has seen, Passed how many records,
	// Looks in how many calls, and Floor, unless 0, from when on it may have passed
	// what was not there yet.
	Newest int64 `json:"e,omitempty"`
	Passed int   `json:"q,omitempty"`
	Looks  int   `json:"k,omitempty"`
	Floor  int64 `json:"f,omitempty"`
	// Swept is when the ids were last compared, by our clock.
	Swept int64 `json:"p,omitempty"`
	// Untold says that there are too many records to find deletions.
	Untold bool `json:"u,omitempty"`
}

// follower prepares an answer.
func (s *System) follower(ctx context.Context, q ChangesQuery) (*follower, error) {
	f := &follower{System: s.archivedToo(), query: q, told: &tellings{}, fresh: map[adapter.ID]bool{}, now: s.bridge.now}
	if s.universal == nil {
		if err := s.may(ctx, q.Model, "search_read"); err != nil {
			return nil, err
		}
		f.own, f.model = f.System, q.Model
	} else {
		t, err := f.topic(ctx, q.Model, "search_read")
		if err != nil {
			return nil, err
		}
		f.own, f.model = t.System, t.plan.SystemModel()
		if t.plan.Base() != nil {
			if f.filter, err = t.filter(t.scoped(ctx, &t.caller.Scope), nil); err != nil {
				return nil, t.say(err)
			}
		}
	}
	err := f.ask(ctx, func(_ context.Context, a adapter.Adapter) error {
		f.info = a.Info()
		return nil
	})
	if f.id = f.info.IDField; f.id == "" {
		f.id = "id"
	}
	return f, err
}

// ask makes a call in the words in which changes are found.
func (f *follower) ask(ctx context.Context, run func(context.Context, adapter.Adapter) error) error {
	return f.own.do(f.scoped(ctx, &f.own.caller.Scope), work{operation: "changes", model: f.model, run: run})
}

// begin finds the cursor for now. What is asked for first is what must not be
// later than the rest.
func (f *follower) begin(ctx context.Context) error {
	deletions, dated := false, false
	err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		if _, dated = a.(adapter.Dater); dated {
			return nil
		}
		page, err := adapter.Changes(ctx, a, adapter.ChangeQuery{Model: f.model, Fields: []string{}})
		f.at.Native, f.at.Cursor, deletions = err == nil, page.Next, !page.NoDeletions
		return err
	})
	if dated || adapter.CodeOf(err) == adapter.Unsupported {
		err = f.beginDates(ctx)
	}
	if err != nil {
		return err
	}
	if !f.at.Native || !deletions {
		if err := f.track(ctx); err != nil {
			return err
		}
	}
	f.at.Reading = f.query.Initial
	return nil
}

// validate refuses fields that are none, which otherwise the first change would.
func (f *follower) validate(ctx context.Context) error {
	_, err := f.fetch(ctx, nil, "", 1)
	return err
}

// fetch reads records in the caller's words.
func (f *follower) fetch(ctx context.Context, filter adapter.Filter, cursor string, limit int) (adapter.Page, error) {
	q := adapter.Query{Model: f.query.Model, Fields: f.query.Fields, Filter: filter}
	fetch, err := f.fetcher(ctx, &q)
	if err != nil {
		return adapter.Page{}, err
	}
	q.Cursor, q.Limit = cursor, limit
	return fetch(ctx, q)
}

// read reads one of the pages that have every record.
func (f *follower) read(ctx context.Context) error {
	page, err := f.fetch(ctx, nil, f.at.After, f.query.Limit)
	if err != nil {
		return err
	}
	for _, r := range page.Records {
		f.tell(r.ID(), r)
	}
	f.at.After, f.at.Reading, f.page.More = page.Next, page.Next != "", true
	return nil
}

// readOf reads records by their ids; those that are not there, or not of the
// model, are left out.
func (f *follower) readOf(ctx context.Context, ids []adapter.ID) (map[adapter.ID]adapter.Record, error) {
	found := make(map[adapter.ID]adapter.Record, len(ids))
	field := f.id
	if f.universal != nil {
		field = "id"
	}
	for at := 0; at < len(ids); at += expandChunk {
		part := ids[at:min(at+expandChunk, len(ids))]
		for cursor := ""; ; {
			page, err := f.fetch(ctx, idCondition(field, part), cursor, len(part))
			if err != nil {
				return nil, err
			}
			for _, r := range page.Records {
				found[r.ID()] = r
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	return found, nil
}

// tell adds a record as it is now.
func (f *follower) tell(id adapter.ID, r adapter.Record) {
	f.page.Changes = append(f.page.Changes, adapter.Change{ID: id, Record: r})
	f.fresh[id] = true
}

// lost adds a record that is gone, if it can have been known.
func (f *follower) lost(id adapter.ID) {
	if f.known != nil && !f.fresh[id] && !f.known.has(id) {
		return
	}
	f.fresh[id] = false
	f.page.Changes = append(f.page.Changes, adapter.Change{ID: id, Deleted: true})
}

// note brings what is known up to what was told.
func (f *follower) note() {
	if f.known != nil {
		var came, went []adapter.ID
		for id, there := range f.fresh {
			if there {
				came = append(came, id)
			} else {
				went = append(went, id)
			}
		}
		f.known.add(came...)
		f.known.remove(went...)
	}
	clear(f.fresh)
}

// room is how many changes still go into the answer.
func (f *follower) room() int { return f.query.Limit - len(f.page.Changes) }

// runNative asks a system that tells changes by itself. What it tells again is
// told if it is not the same. What there is no room for comes again with the rest
// of its page. A run that began for an earlier answer is followed by another, as
// in run.
func (f *follower) runNative(ctx context.Context) error {
	resumed := f.at.Running
	f.at.Running = true
	for calls := 0; ; calls++ {
		if f.room() <= 0 || calls >= changesCalls {
			f.page.More = true
			return nil
		}
		f.at.Looks++
		var found adapter.ChangePage
		err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) (err error) {
			found, err = adapter.Changes(ctx, a, adapter.ChangeQuery{Model: f.model, Fields: []string{}, Cursor: f.at.Cursor, Limit: f.pageSize()})
			return err
		})
		if err != nil {
			return err
		}
		whole, err := f.tellFound(ctx, found.Changes)
		if err != nil {
			return err
		}
		if !whole {
			continue
		}
		f.at.Passed += len(found.Changes)
		f.told.before(f.at.Newest - int64(changesNative/time.Second))
		if f.at.Cursor = found.Next; found.More {
			continue
		}
		again, now := f.again(resumed, calls)
		f.at.Passed, f.at.Looks, resumed = 0, 0, false
		if !now {
			f.at.Running = false
			err := f.sweep(ctx)
			f.page.More = f.page.More || again
			return err
		}
	}
}

// pageSize is how much is asked for where there may be no room for all of it:
// that comes again, and what was told of it must be remembered until then.
func (f *follower) pageSize() int {
	if len(f.told.list) < tellingsMost-changesFew {
		return max(min(f.room(), changesPage), changesFew)
	}
	return min(f.room(), changesPage)
}

// tellFound tells changes, except those that were told as they are, and reports
// whether there was room for all.
func (f *follower) tellFound(ctx context.Context, changes []adapter.Change) (whole bool, err error) {
	var ids []adapter.ID
	for _, c := range changes {
		if !c.Deleted {
			ids = append(ids, c.ID)
		}
	}
	records, err := f.readOf(ctx, ids)
	if err != nil {
		return false, err
	}
	for _, c := range changes {
		if f.room() <= 0 {
			return false, nil
		}
		r := records[c.ID]
		if c.Deleted {
			r = nil
		}
		at := int64(0)
		if !c.At.IsZero() {
			at = c.At.Unix()
		}
		f.at.Newest = max(f.at.Newest, at)
		switch {
		case !f.told.put(c.ID, at, r):
		case r != nil:
			f.tell(c.ID, r)
		default:
			f.lost(c.ID)
		}
	}
	return true, nil
}

// track learns which records there are.
func (f *follower) track(ctx context.Context) error {
	n, err := f.count(ctx)
	if err != nil {
		return err
	}
	if n > f.bridge.tracked {
		f.at.Untold = true
		return nil
	}
	f.known, err = f.ids(ctx)
	f.at.Swept = f.now().Unix()
	return err
}

func (f *follower) count(ctx context.Context) (n int64, err error) {
	err = f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		n, err = adapter.Count(ctx, a, f.model, f.filter)
		return err
	})
	return n, err
}

// ids are those that there are.
func (f *follower) ids(ctx context.Context) (*idSet, error) {
	var ids []adapter.ID
	err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) (err error) {
		ids, err = adapter.SearchIDs(ctx, a, adapter.Query{Model: f.model, Filter: f.filter, Order: []adapter.Order{{Field: f.id}}})
		return err
	})
	return newIDSet(ids), err
}

// sweep finds what was deleted, and what came without being told: at the end of
// a run, by the number of records while that is as expected.
func (f *follower) sweep(ctx context.Context) error {
	if f.known == nil {
		return nil
	}
	f.note()
	n, err := f.count(ctx)
	if err != nil {
		return err
	}
	now := f.now().Unix()
	switch {
	case n > f.bridge.tracked:
		f.known, f.at.Untold = nil, true
		return nil
	case n == int64(f.known.len()) && now-f.at.Swept < int64(changesRecheck/time.Second):
		return nil
	}
	there, err := f.ids(ctx)
	if err != nil {
		return err
	}
	fresh, gone := there.minus(f.known), f.known.minus(there)
	if len(fresh) > f.room() {
		fresh, f.page.More = fresh[:f.room()], true
	}
	records, err := f.readOf(ctx, fresh)
	if err != nil {
		return err
	}
	for _, id := range fresh {
		if r, ok := records[id]; ok {
			f.told.forget(id)
			f.tell(id, r)
		}
	}
	if len(gone) > f.room() {
		gone, f.page.More = gone[:max(f.room(), 0)], true
	}
	for _, id := range gone {
		f.told.forget(id)
		f.lost(id)
	}
	if !f.page.More {
		f.at.Swept = now
	}
	return nil
}
