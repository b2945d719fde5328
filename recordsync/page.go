package recordsync

import (
	"context"
	"fmt"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// item is a record in the hands of a step.
type item struct {
	from   Side // where it was seen
	link   *Link
	rec    [2]adapter.Record
	out    Outcome
	silent bool // no outcome is told
	dirty  bool // the link is to be saved
	create bool
	writes [2]adapter.Record // by side
	seen   [2]map[string]string
}

func (s *Session) newItem(from Side, l *Link) *item {
	return &item{from: from, link: l, out: Outcome{Action: Unchanged, Side: from.other()}}
}

// say gives an item an outcome that is no write.
func (it *item) say(a Action, format string, args ...any) {
	it.out.Action, it.out.Reason = a, fmt.Sprintf(format, args...)
}

// page brings the changes of one side over.
func (s *Session) page(ctx context.Context, from Side, changes []adapter.Change) ([]Outcome, error) {
	var gone []adapter.ID
	live := map[adapter.ID]adapter.Record{}
	var order []adapter.ID
	for _, c := range changes {
		delete(live, c.ID)
		gone = slices.DeleteFunc(gone, func(id adapter.ID) bool { return id == c.ID })
		if c.Deleted || c.Record == nil {
			gone = append(gone, c.ID)
			continue
		}
		if !slices.Contains(order, c.ID) {
			order = append(order, c.ID)
		}
		live[c.ID] = c.Record
	}
	order = slices.DeleteFunc(order, func(id adapter.ID) bool { return live[id] == nil })
	order, err := s.filtered(ctx, from, order)
	if err != nil {
		return nil, err
	}
	outcomes, err := s.deleted(ctx, from, gone)
	if err != nil {
		return outcomes, err
	}
	links, err := s.linksOf(ctx, from, order)
	if err != nil {
		return outcomes, err
	}
	var items, loose []*item
	for _, id := range order {
		l := links[id]
		if l == nil {
			l = &Link{Model: s.Model}
			l.IDs[from] = id
		}
		if l.Intent.creates() {
			continue // whether it was created is found out before
		}
		it := s.newItem(from, l)
		it.rec[from] = live[id]
		if l.Gone[from] {
			l.Gone[from], it.dirty = false, true
		}
		switch {
		case l.Gone[from.other()]:
			it.say(Skipped, "it was deleted in the %s; deletions are not passed on", from.other())
		case l.Conflict != nil && l.Conflict.Kind == Doubtful && l.Choice == "":
			it.out.Action, it.out.Conflict = Conflicts, l.Conflict
		case !l.whole():
			loose = append(loose, it)
		}
		items = append(items, it)
	}
	if err := s.doubted(ctx, from, loose); err != nil {
		return outcomes, err
	}
	if err := s.match(ctx, from, loose); err != nil {
		return outcomes, err
	}
	items = slices.DeleteFunc(items, func(it *item) bool { return s.known(from, it.link) })
	more, err := s.bring(ctx, items)
	return append(outcomes, more...), err
}

// known reports whether a dry run has told of a record already, by its other
// side.
func (s *Session) known(from Side, l *Link) bool {
	return s.DryRun && from == Target && s.told[l.IDs[Source]]
}

// filtered leaves the ids of records that the filter matches.
func (s *Session) filtered(ctx context.Context, from Side, ids []adapter.ID) ([]adapter.ID, error) {
	if s.Filter == nil || len(ids) == 0 {
		return ids, nil
	}
	sd := s.sides[from]
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = id.Value()
	}
	matched := map[adapter.ID]bool{}
	q := adapter.Query{Model: s.Model, Fields: []string{sd.idField()}, Filter: adapter.And{adapter.Cond{Field: sd.idField(), Op: adapter.In, Value: values}, s.Filter}}
	for r, err := range sd.system.Each(ctx, q) {
		if err != nil {
			return nil, err
		}
		matched[r.ID()] = true
	}
	return slices.DeleteFunc(ids, func(id adapter.ID) bool { return !matched[id] }), nil
}

func (s *Session) linksOf(ctx context.Context, side Side, ids []adapter.ID) (map[adapter.ID]*Link, error) {
	list, err := s.Links.Find(ctx, s.Model, side, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[adapter.ID]*Link, len(list))
	for _, l := range list {
		out[l.IDs[side]] = l
	}
	return out, nil
}

// bring compares the items with their counterparts and writes what differs.
// Items that have an outcome already are only told.
func (s *Session) bring(ctx context.Context, items []*item) ([]Outcome, error) {
	if err := s.counterparts(ctx, items); err != nil {
		return nil, err
	}
	if err := s.relate(ctx, items); err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.out.Action == Unchanged && !it.create {
			s.merge(it)
			if l := it.link; l.Run == s.run && l.Step == 0 && l.Phase == s.phase && it.writes[Source] == nil && it.writes[Target] == nil {
				l.Step, it.dirty = s.step, true
			}
		}
	}
	err := s.createAll(ctx, items)
	for _, to := range []Side{Target, Source} {
		if err == nil {
			err = s.update(ctx, to, items)
		}
	}
	if !s.DryRun {
		var dirty []*Link
		for _, it := range items {
			s.once(it)
			if it.dirty {
				dirty = append(dirty, it.link)
			}
		}
		if len(dirty) > 0 {
			if saveErr := s.Links.Save(context.WithoutCancel(ctx), s.Model, dirty, nil); err == nil {
				err = saveErr
			}
		}
	}
	var outcomes []Outcome
	for _, it := range items {
		if s.tells(it) {
			it.out.Source, it.out.Target, it.out.Link = it.link.IDs[Source], it.link.IDs[Target], it.link.ID
			outcomes = append(outcomes, it.out)
		}
	}
	return outcomes, err
}

// tells reports whether the item's outcome is told, and makes it what an earlier
// try of the same step did.
func (s *Session) tells(it *item) bool {
	l := it.link
	if it.silent {
		return false
	}
	if it.out.Action != Unchanged || l.Run != s.run {
		return true
	}
	if l.Step != s.step {
		return false // an echo of what this run did
	}
	it.out.Action = l.Did
	return true
}

// once has a conflict told once in a run, though both sides tell of the record.
func (s *Session) once(it *item) {
	if it.out.Action != Conflicts {
		return
	}
	l := it.link
	if l.Run == s.run && l.Did == Conflicts && l.Step != s.step {
		it.silent = true
		return
	}
	l.Run, l.Phase, l.Step, l.Did, it.dirty = s.run, s.phase, s.step, Conflicts, true
}

// did notes that the item was written.
func (s *Session) did(it *item, a Action, side Side) {
	l := it.link
	it.dirty = true
	if l.Run == s.run && l.Step != s.step && l.Step != 0 && (s.phase == PhaseLook || s.phase == PhaseLate) {
		it.silent = true // told already
		return
	}
	if l.Run == s.run && (l.Step == s.step || l.Step == 0) && l.Did == Created && a == Updated {
		a = Created // what an earlier try created is completed
	}
	if it.out.Action == Unchanged {
		it.out.Action, it.out.Side = a, side
	}
	l.Run, l.Phase, l.Step, l.Did = s.run, s.phase, s.step, a
}

// counterparts reads the records on the other side, and sees to those that are
// there no more.
func (s *Session) counterparts(ctx context.Context, items []*item) error {
	var ids [2][]adapter.ID
	for _, it := range items {
		to := it.from.other()
		if it.out.Action == Unchanged && it.link.whole() && it.rec[to] == nil {
			ids[to] = append(ids[to], it.link.IDs[to])
		}
	}
	for to := range ids {
		there, err := s.sides[to].byID(ctx, s.Model, ids[to], s.sides[to].read)
		if err != nil {
			return err
		}
		for _, it := range items {
			if it.from.other() != Side(to) || it.out.Action != Unchanged {
				continue
			}
			if it.link.whole() && it.rec[to] == nil {
				it.rec[to] = there[it.link.IDs[to]]
			}
			switch {
			case !it.link.whole():
				it.create = true
			case it.rec[to] == nil:
				if err := s.orphaned(ctx, it, Side(to)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// deleted passes deletions of one side on.
func (s *Session) deleted(ctx context.Context, gone Side, ids []adapter.ID) ([]Outcome, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	links, err := s.linksOf(ctx, gone, ids)
	if err != nil {
		return nil, err
	}
	living := gone.other()
	var items []*item
	var other []adapter.ID
	for _, id := range ids {
		l := links[id]
		if l == nil || l.Gone[gone] && l.Refusal == nil || s.known(gone, l) {
			continue
		}
		if l.Intent.creates() {
			continue
		}
		it := s.newItem(living, l)
		if !l.whole() || l.Gone[living] {
			l.Dropped, it.dirty, it.silent = true, true, true
		} else {
			other = append(other, l.IDs[living])
		}
		items = append(items, it)
	}
	there, err := s.sides[living].byID(ctx, s.Model, other, s.sides[living].read)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.link.Dropped || err != nil {
			it.out.Action, it.silent = Skipped, true
			continue
		}
		if it.rec[living] = there[it.link.IDs[living]]; it.rec[living] == nil {
			it.link.Dropped, it.dirty, it.silent, it.out.Action = true, true, true, Skipped
			continue
		}
		if err = s.orphaned(ctx, it, gone); err != nil {
			it.out.Action, it.silent = Skipped, true
		}
	}
	outcomes, bringErr := s.bring(ctx, items)
	if err == nil {
		err = bringErr
	}
	return outcomes, err
}

// orphaned decides about a record whose counterpart is gone. The living one is
// on it.from.
func (s *Session) orphaned(ctx context.Context, it *item, gone Side) error {
	l, living := it.link, gone.other()
	l.Late = false // it waits for nothing any more
	if !s.Bidirectional && gone == Target {
		s.anew(it, gone)
		return nil
	}
	if s.Deletions == Ignore {
		l.Gone[gone], it.dirty = true, true
		it.say(Skipped, "it was deleted in the %s; deletions are not passed on", gone)
		return nil
	}
	winner := gone
	if s.changed(living, l, it.rec[living]) {
		switch {
		case l.Choice != "":
			winner = sideNamed(l.Choice)
		case s.Policy == Newest:
			winner = living
		case s.Policy == Manual:
			l.Conflict = &Conflict{Kind: DeletionConflict, At: s.Now().UTC(), Deleted: gone}
			it.out.Action, it.out.Conflict, it.dirty = Conflicts, l.Conflict, true
			return nil
		default:
			winner = sideNamed(string(s.Policy))
		}
	}
	if winner == living {
		if !s.Bidirectional {
			l.Gone[gone], it.dirty = true, true
			it.say(Skipped, "it was deleted in the %s, but changed here", gone)
			return nil
		}
		s.anew(it, gone)
		return nil
	}
	return s.bury(ctx, it, gone)
}

// anew has the record created once more on the side where it is gone.
func (s *Session) anew(it *item, gone Side) {
	l := it.link
	l.IDs[gone], l.Base, l.Conflict, l.Choice, l.Gone, it.dirty = adapter.ID{}, [2]map[string]string{}, nil, "", [2]bool{}, true
	it.rec[gone], it.create = nil, true
	s.refs[refKey{gone.other(), s.Model, l.IDs[gone.other()]}] = ref{late: true}
}

// bury deletes or archives the living record.
func (s *Session) bury(ctx context.Context, it *item, gone Side) error {
	l, living := it.link, gone.other()
	action := Deleted
	if s.Deletions == Archive {
		action = Archived
	}
	it.out.Side = living
	if l.Refusal != nil && l.Refusal.Digest == string(action) && !s.Retry {
		it.say(Skipped, "refused earlier: %s", l.Refusal.Reason)
		return nil
	}
	if s.DryRun {
		it.out.Action = action
		return nil
	}
	sys, ids := s.sides[living].system, []adapter.ID{l.IDs[living]}
	var err error
	if action == Archived {
		err = sys.Update(ctx, s.Model, ids, adapter.Record{"active": false})
	} else {
		err = sys.Delete(ctx, s.Model, ids)
	}
	switch {
	case err == nil, adapter.CodeOf(err) == adapter.NotFound:
		if action == Deleted {
			l.Dropped = true
		}
		l.Refusal, l.Conflict, l.Choice = nil, nil, ""
		l.Gone[gone] = true
		s.did(it, action, living)
		return nil
	case fateOf(err) != refused:
		// A deletion may be repeated, whatever became of it.
		return err
	}
	l.Gone[gone], it.dirty = true, true
	l.Refusal = &Refusal{Side: living, Code: adapter.CodeOf(err), Reason: message(err), Digest: string(action)}
	it.say(Refused, "%s", message(err))
	it.out.Code = adapter.CodeOf(err)
	return nil
}

// changed reports whether a record is another than when the sides were last the
// same.
func (s *Session) changed(side Side, l *Link, r adapter.Record) bool {
	for _, name := range s.fields {
		base, known := l.Base[side][name]
		if known && base != digest(plain(s.sides[side].schema.Fields[name].Type, r[name])) && !l.Intent.writes(side, name) {
			return true
		}
	}
	return false
}

func sideNamed(name string) Side {
	if name == string(TargetWins) {
		return Target
	}
	return Source
}
