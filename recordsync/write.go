package recordsync

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// waves bounds how many calls the creations of a page are parted in, so that
// records come after those of the same page that they refer to. What refers
// deeper waits.
const waves = 5

// createAll creates what the items lack on the other side.
func (s *Session) createAll(ctx context.Context, items []*item) error {
	for _, from := range []Side{Source, Target} {
		var open []*item
		for _, it := range items {
			if it.create && it.from == from && it.out.Action == Unchanged {
				open = append(open, it)
			}
		}
		for wave := 1; len(open) > 0; wave++ {
			now, rest := s.independent(from, open)
			if len(now) == 0 || wave == waves {
				now, rest = open, nil
			}
			for chunk := range slices.Chunk(now, s.Page) {
				if err := s.create(ctx, from, chunk); err != nil {
					return err
				}
			}
			open = rest
		}
	}
	return nil
}

// independent parts the items into those that refer to none of the others, and
// the rest.
func (s *Session) independent(from Side, items []*item) (now, rest []*item) {
	open := map[adapter.ID]bool{}
	for _, it := range items {
		open[it.link.IDs[from]] = true
	}
	for _, it := range items {
		refers := false
		for _, name := range s.fields {
			f := s.sides[from].schema.Fields[name]
			if f.Relation != s.Model {
				continue
			}
			var ids []adapter.ID
			if f.Type == adapter.Many2One {
				if r, ok := adapter.RefOf(it.rec[from][name]); ok && !adapter.IsEmpty(it.rec[from][name]) {
					ids = []adapter.ID{r.ID}
				}
			} else {
				ids = idsOf(it.rec[from][name])
			}
			refers = refers || slices.ContainsFunc(ids, func(id adapter.ID) bool { return open[id] })
		}
		if refers {
			rest = append(rest, it)
		} else {
			now = append(now, it)
		}
	}
	return now, rest
}

// create creates items on the other side, all of them in as few calls as the
// system allows.
func (s *Session) create(ctx context.Context, from Side, items []*item) error {
	to := s.sides[from.other()]
	var ready []*item
	for _, it := range items {
		values := s.values(it)
		it.out.Side = to.at
		if r := it.link.Refusal; r != nil && r.Digest == digest(values) && !s.Retry && it.link.Choice == "" {
			s.still(it, values)
			continue
		}
		if s.DryRun {
			it.out.Action = Created
			continue
		}
		it.link.Intent = &Intent{Side: to.at, Values: values}
		ready = append(ready, it)
	}
	if len(ready) == 0 {
		return nil
	}
	// A new link is in no need of being kept if nothing was created: the step is
	// done again. What is known longer may be told of by nothing else.
	isNew := make([]bool, len(ready))
	for i, it := range ready {
		isNew[i] = it.link.ID == 0
	}
	if err := s.mark(ctx, to, ready); err != nil {
		return err
	}
	if err := s.save(ctx, ready); err != nil {
		return err
	}
	values := make([]adapter.Record, len(ready))
	for i, it := range ready {
		values[i] = s.sent(to.at, it.link.Intent.Values)
	}
	began := s.Now()
	ids, err := to.system.CreateEach(ctx, s.Model, values)
	ended := s.Now()
	var failure error
	whole := false // the failure is about all of them, and none was created
	failed := map[int]error{}
	if partial, some := errors.AsType[*adapter.PartialError](err); some {
		ids, failed = partial.Done, partial.Failed
	} else if err != nil {
		ids = nil
		for i := range ready {
			failed[i] = err
		}
		if fateOf(err) == refused {
			failure, whole = err, true
		}
	}
	var made []*item
	for i, it := range ready {
		l := it.link
		err := failed[i]
		if err == nil && (i >= len(ids) || ids[i].IsZero()) {
			err = &adapter.Error{Code: adapter.UnknownOutcome, Model: s.Model, Message: "the system did not say what it created"}
		}
		switch {
		case err == nil:
			l.IDs[to.at], l.Intent, l.Refusal, l.Choice = ids[i], nil, nil, ""
			made = append(made, it)
			continue
		case whole:
			l.Intent = nil
		case fateOf(err) == doubt:
			l.Intent.At = s.Now().UTC()
			it.out.Changes = nil
			it.say(Deferred, "the answer got lost; whether it was created is found out before it is tried again")
		case fateOf(err) == again:
			l.Intent = nil
			failure = err
			it.silent = true
		default:
			s.refuse(it, to.at, l.Intent.Values, err)
			l.Intent = nil
		}
		if l.Intent == nil && l.Refusal == nil {
			l.Dropped, l.Late = isNew[i], !isNew[i]
			it.out.Action, it.silent = Skipped, true
		}
	}
	saveErr := s.settled(ctx, to, made, func(it *item) { s.did(it, Created, to.at) }, began, ended)
	if saveErr == nil {
		saveErr = s.save(context.WithoutCancel(ctx), ready)
	}
	if saveErr != nil {
		return saveErr
	}
	return failure
}

// still leaves out what was refused before and would be again.
func (s *Session) still(it *item, values adapter.Record) {
	it.out.Changes = nil
	it.say(Skipped, "refused earlier, and not changed since: %s", it.link.Refusal.Reason)
	it.out.Side, it.out.Code = it.link.Refusal.Side, it.link.Refusal.Code
	it.silent = s.phase == PhaseLook || s.phase == PhaseLate
	if late := s.waits(it, values); late != it.link.Late {
		it.link.Late, it.dirty = late, true
	}
}

// waits reports whether what was refused may be another when others were seen to:
// values lack some that wait, or lead to records that are synchronised.
func (s *Session) waits(it *item, values adapter.Record) bool {
	if len(it.out.Waiting) > 0 {
		return true
	}
	for name, v := range values {
		if s.sides[Target].schema.Fields[name].Relation == s.Model && !adapter.IsEmpty(v) {
			return true
		}
	}
	return false
}

// refuse notes that a side did not take what was written.
func (s *Session) refuse(it *item, side Side, values adapter.Record, err error) {
	it.link.Refusal, it.dirty = &Refusal{Side: side, Code: adapter.CodeOf(err), Reason: message(err), Digest: digest(values)}, true
	it.link.Late = s.waits(it, values)
	it.out.Changes = nil
	it.say(Refused, "%s", message(err))
	it.out.Side, it.out.Code = side, adapter.CodeOf(err)
}

// values are those of a new record.
func (s *Session) values(it *item) adapter.Record {
	from, to := it.from, it.from.other()
	values := adapter.Record{}
	it.out.Changes, it.out.Waiting, it.out.LeftOut = nil, nil, nil
	for _, name := range s.fields {
		f := s.sides[to].schema.Fields[name]
		v := s.translate(from, name, it.rec[from][name], false)
		now := plain(s.sides[from].schema.Fields[name].Type, it.rec[from][name])
		switch {
		case v.late:
			it.out.Waiting = append(it.out.Waiting, name)
			continue
		case v.lost != "":
			it.out.LeftOut = append(it.out.LeftOut, LeftOut{name, v.lost})
		case f.Readonly:
			if now != nil {
				it.out.LeftOut = append(it.out.LeftOut, LeftOut{name, "the " + to.String() + " does not let it be written"})
			}
		case now == nil && (f.Required || s.sides[to].system.Kind() != "odoo" || s.Words == Universal):
		default:
			// Nothing is said too: otherwise Odoo would make up a default.
			if v.said != "" {
				it.out.LeftOut = append(it.out.LeftOut, LeftOut{name, v.said})
			}
			values[name] = v.value
			if now != nil {
				it.out.Changes = append(it.out.Changes, Change{to, name, nil, v.value})
			}
		}
		it.note(from, name, digest(now))
	}
	if s.ExternalID != "" && to == Target {
		values[s.ExternalID] = it.link.IDs[Source].String()
	}
	return values
}

// settled reads what the side made of what was written, takes that as what both
// have, and saves it.
func (s *Session) settled(ctx context.Context, sd *side, items []*item, done func(*item), began, ended time.Time) error {
	if len(items) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	ids := make([]adapter.ID, len(items))
	for i, it := range items {
		ids[i] = it.link.IDs[sd.at]
	}
	there, err := sd.byID(ctx, s.Model, ids, sd.read)
	if err != nil {
		there = nil // the next run finds them different, or not
	}
	for _, it := range items {
		l := it.link
		r := there[l.IDs[sd.at]]
		if r != nil {
			s.measure(sd.at, r, began, ended)
			for _, name := range s.fields {
				if _, wrote := it.writes[sd.at][name]; wrote || it.create {
					l.setBase(sd.at, name, digest(plain(sd.schema.Fields[name].Type, r[name])))
				}
			}
			for name, sum := range it.seen[sd.at.other()] {
				l.setBase(sd.at.other(), name, sum)
			}
			it.rec[sd.at] = r
		} else {
			// To be written once more, so that it is seen what became of it.
			l.Intent = &Intent{Side: sd.at, At: s.Now().UTC(), Fields: s.fields}
		}
		l.Late = len(it.out.Waiting) > 0 || r == nil
		from := sd.at.other()
		s.refs[refKey{from, s.Model, l.IDs[from]}] = ref{id: l.IDs[sd.at]}
		s.refs[refKey{sd.at, s.Model, l.IDs[sd.at]}] = ref{id: l.IDs[from]}
		done(it)
	}
	return s.save(ctx, items)
}

func (s *Session) save(ctx context.Context, items []*item) error {
	links := make([]*Link, 0, len(items))
	for _, it := range items {
		links = append(links, it.link)
		it.dirty = false
	}
	if len(links) == 0 {
		return nil
	}
	state := s.state
	return s.Links.Save(ctx, s.Model, links, &state)
}

// update writes the changes of the items to one side, several at a time.
func (s *Session) update(ctx context.Context, to Side, items []*item) error {
	sd := s.sides[to]
	var ready []*item
	for _, it := range items {
		values := it.writes[to]
		if len(values) == 0 || it.out.Action == Refused || it.out.Action == Skipped || it.out.Action == Deferred {
			continue
		}
		if r := it.link.Refusal; r != nil && r.Digest == digest(values) && !s.Retry && it.link.Choice == "" {
			s.still(it, values)
			continue
		}
		if s.DryRun {
			if it.out.Action == Unchanged {
				it.out.Action, it.out.Side = Updated, to
			}
			if it.out.Conflict != nil {
				it.out.Action = Conflicts
			}
			continue
		}
		fields := make([]string, 0, len(values))
		for name := range values {
			fields = append(fields, name)
		}
		slices.Sort(fields)
		it.link.Intent = &Intent{Side: to, At: s.Now().UTC(), Fields: fields}
		ready = append(ready, it)
	}
	if len(ready) == 0 {
		return nil
	}
	if err := s.save(ctx, ready); err != nil {
		return err
	}
	began := s.Now()
	errs := make([]error, len(ready))
	var group sync.WaitGroup
	turn := make(chan struct{}, s.Concurrency)
	for i, it := range ready {
		turn <- struct{}{}
		group.Go(func() {
			defer func() { <-turn }()
			errs[i] = sd.system.Update(ctx, s.Model, []adapter.ID{it.link.IDs[to]}, s.sent(to, it.writes[to]))
		})
	}
	group.Wait()
	ended := s.Now()
	var failure error
	var made []*item
	for i, it := range ready {
		l, err := it.link, errs[i]
		switch {
		case err == nil:
			l.Intent, l.Refusal, l.Choice = nil, nil, ""
			made = append(made, it)
		case adapter.CodeOf(err) == adapter.NotFound:
			l.Intent, l.Late = nil, true
			it.out.Changes = nil
			it.say(Deferred, "it was deleted in the %s meanwhile", to)
		case fateOf(err) == refused:
			s.refuse(it, to, it.writes[to], err)
			l.Intent = nil
		case fateOf(err) == again:
			l.Intent, l.Late, failure = nil, true, err
			it.out.Action, it.silent = Skipped, true
		default:
			// Written again when it is looked at again.
			l.Late, failure = true, err
			it.out.Action, it.silent = Skipped, true
		}
	}
	err := s.settled(ctx, sd, made, func(it *item) {
		s.did(it, Updated, to)
		if it.out.Conflict != nil {
			it.out.Action = Conflicts
		}
	}, began, ended)
	if err == nil {
		err = s.save(context.WithoutCancel(ctx), ready)
	}
	if err != nil {
		return err
	}
	return failure
}
