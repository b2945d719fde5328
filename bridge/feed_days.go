package bridge

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// A model that is dated by days alone, as SAP's business partners are, shows the
// same date for everything that happens to a record on one day. What changed is
// found by the states of all records of the last days: a state that is not the
// one that was seen last is told, a second after it was first seen. By then
// whatever bears the same time of day is there, and it is known which changes
// were the caller's own.

const (
	// feedRest is how long a look at the states of one record keeps the feed from
	// looking again, so that a day on which much changed is no burden.
	feedRest = 2 * time.Millisecond
	// feedDayMost is how many records may change within the days that are looked
	// at.
	feedDayMost = 100_000
	// feedZones is by how much the day of a system may be ahead of the one by
	// universal time.
	feedZones = 14 * time.Hour
)

// state is what a record was seen as.
type state struct {
	at      time.Time
	version string
	isNew   bool // it was made and not changed since, as far as its dates say
}

// sighted is a state that was seen and not told.
type sighted struct {
	state
	since time.Time // of our clock
}

// days is what a feed knows of a model that is dated by days.
type days struct {
	newest time.Time // the last day that bears changes
	floor  time.Time // what is dated before it is not looked at
	seen   map[adapter.ID]state
	untold map[adapter.ID]sighted
	rested time.Time // of our clock: when it may look again
}

func (d *days) from(lag time.Duration) time.Time {
	if from := d.newest.Add(-lag); from.After(d.floor) {
		return from
	}
	return d.floor
}

// beginDays notes what the records of the last days look like. Records that are
// not among those known by then have come since, and are told.
func (f *Feed) beginDays(ctx context.Context, a adapter.Adapter) error {
	f.days = days{seen: map[adapter.ID]state{}, untold: map[adapter.ID]sighted{}}
	var err error
	if f.days.newest, err = f.newestPast(ctx, a); err != nil {
		return err
	}
	f.days.floor = f.days.newest.Add(-f.dating.Lag)
	states, err := f.statesSince(ctx, a, f.days.floor)
	if err != nil {
		return err
	}
	if len(states) > feedDayMost {
		return &adapter.Error{Code: adapter.Unavailable, Model: f.model, Message: "too many records of " + f.model + " changed within two days for their changes to be followed; read them anew instead"}
	}
	for id, s := range states {
		if f.known == nil || f.known[id] {
			f.days.seen[id] = s
		}
	}
	f.rest(len(states))
	f.begun = true
	return nil
}

func (f *Feed) rest(records int) {
	f.days.rested = f.now().Add(time.Duration(records) * feedRest)
}

// pollDays is poll for a model that is dated by days.
func (f *Feed) pollDays(ctx context.Context) (FeedPage, error) {
	if sent := f.now(); !sent.Before(f.days.rested) {
		var states map[adapter.ID]state
		limit := time.Time{}
		err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) (err error) {
			states, err = f.statesSince(ctx, a, f.days.from(f.dating.Lag))
			limit = f.future(a)
			return err
		})
		switch {
		case err != nil:
			return FeedPage{}, err
		case len(states) > feedDayMost:
			return f.overrun(ctx)
		}
		f.whole = sent
		f.sight(states, limit)
		f.rest(len(states))
	}
	var changes []FeedChange
	for id, s := range f.days.untold {
		if f.now().Sub(s.since) < time.Second {
			continue
		}
		delete(f.days.untold, id)
		operation := f.operationOf(id, s.isNew)
		if !f.marked(id, false) {
			changes = append(changes, FeedChange{ID: id, Operation: operation, At: s.at.Unix(), Version: s.version})
		}
	}
	slices.SortFunc(changes, func(a, b FeedChange) int { return cmp.Or(cmp.Compare(a.At, b.At), compareIDs(a.ID, b.ID)) })
	changes = append(f.missing(), changes...)
	f.forget()
	return FeedPage{Changes: changes, Pending: len(f.gone)+len(f.days.untold) > 0}, nil
}

// sight takes in the states that a look found, and moves on to the last day
// among them that is not one of the future.
func (f *Feed) sight(states map[adapter.ID]state, limit time.Time) {
	d := &f.days
	for id, s := range states {
		if s.at.After(d.newest) && (limit.IsZero() || !s.at.After(limit)) {
			d.newest = s.at
		}
		before, met := d.seen[id]
		if met && before.version == s.version {
			continue
		}
		d.seen[id] = s
		now := sighted{state: s, since: f.now()}
		now.isNew = now.isNew && !met
		if waits, also := d.untold[id]; also {
			now.isNew = now.isNew || waits.isNew
		}
		d.untold[id] = now
	}
	low := d.from(f.dating.Lag)
	for id, s := range d.seen {
		if s.at.Before(low) {
			delete(d.seen, id)
		}
	}
}

// future is the last date that is not one of the future by the system's clock,
// zero where that is not known.
func (f *Feed) future(a adapter.Adapter) time.Time {
	now, known := adapter.Clock(a)
	switch {
	case !known:
		return time.Time{}
	case f.byDays():
		return now.UTC().Add(feedZones).Truncate(f.dating.Step)
	}
	return now.Add(feedFuture)
}

func (f *Feed) byDays() bool { return f.dating.Step > time.Second }

// statesSince reads what the records look like that bear a date or a later one.
func (f *Feed) statesSince(ctx context.Context, a adapter.Adapter, low time.Time) (map[adapter.ID]state, error) {
	q := adapter.Query{Model: f.model, Filter: datedSince(f.dating, low), Limit: feedDayMost + 1}
	if len(f.dating.Marks) > 0 {
		q.Fields = append(append(q.Fields, f.dating.Fields...), f.dating.Marks...)
	}
	states := map[adapter.ID]state{}
	for r, err := range adapter.All(ctx, a, q) {
		if err != nil {
			return nil, err
		}
		states[r.ID()] = state{
			at: dateOf(f.dating, r), version: versionOf(r),
			isNew: len(f.dating.Fields) > 1 && r.Time(f.dating.Fields[0]).IsZero(),
		}
	}
	return states, nil
}

// versionOf tells states of one record apart.
func versionOf(r adapter.Record) string {
	d := digestOf(r)
	return hex.EncodeToString(d[:])
}
