package recordsync

import (
	"context"
	"fmt"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// match looks for records of the other side that are the items' own, by the
// external id and then by each of the fields of Match.
func (s *Session) match(ctx context.Context, from Side, items []*item) error {
	items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.out.Action != Unchanged || it.link.Choice != "" })
	if s.ExternalID != "" && from == Source {
		if err := s.matchBy(ctx, from, items, s.ExternalID, func(it *item) any { return it.link.IDs[Source].String() }, true); err != nil {
			return err
		}
	}
	for _, name := range s.Match {
		kind := s.sides[from].schema.Fields[name].Type
		if err := s.matchBy(ctx, from, items, name, func(it *item) any { return plain(kind, it.rec[from][name]) }, false); err != nil {
			return err
		}
	}
	for _, it := range items {
		if it.link.Conflict != nil && it.link.Conflict.Kind == Ambiguous && it.out.Action == Unchanged {
			it.link.Conflict, it.dirty = nil, true // it is clear now
		}
	}
	return nil
}

// matchBy looks for records whose field has the items' values.
func (s *Session) matchBy(ctx context.Context, from Side, items []*item, field string, value func(*item) any, unique bool) error {
	to := from.other()
	byValue := map[any][]*item{}
	var values []any
	for _, it := range items {
		v := value(it)
		if it.link.whole() || it.out.Action != Unchanged || v == nil {
			continue
		}
		if byValue[v] == nil {
			values = append(values, v)
		}
		byValue[v] = append(byValue[v], it)
	}
	if len(values) == 0 {
		return nil
	}
	found, err := s.having(ctx, to, field, values)
	if err != nil {
		return err
	}
	var all []adapter.ID
	var met []any
	for v, records := range found {
		if byValue[v] != nil {
			met = append(met, v)
			for _, r := range records {
				all = append(all, r.ID())
			}
		}
	}
	if len(met) == 0 {
		return nil
	}
	links, err := s.linksOf(ctx, to, all)
	if err != nil {
		return err
	}
	// A value that several records of this side have tells none of them.
	shared := map[any][]adapter.Record{}
	if !unique {
		if shared, err = s.having(ctx, from, field, met); err != nil {
			return err
		}
	}
	for _, v := range met {
		var free []adapter.Record
		var ids []adapter.ID
		for _, r := range found[v] {
			if l := links[r.ID()]; l == nil || !l.whole() && !l.Intent.creates() {
				free, ids = append(free, r), append(ids, r.ID())
			}
		}
		for _, it := range byValue[v] {
			switch {
			case len(free) == 0:
			case len(free) == 1 && len(byValue[v]) == 1 && len(shared[v]) <= 1:
				l := it.link
				if half := links[ids[0]]; half != nil {
					// It was known as one without a counterpart.
					half.Dropped = true
					if !s.DryRun {
						if err := s.Links.Save(ctx, s.Model, []*Link{half}, nil); err != nil {
							return err
						}
					}
				}
				l.IDs[to], l.Conflict, l.Refusal, it.rec[to], it.dirty = ids[0], nil, nil, free[0], true
			default:
				reason := fmt.Sprintf("%d records of the %s have the same %s", len(free), to, field)
				if len(free) == 1 {
					reason = fmt.Sprintf("several records of the %s have the same %s as one of the %s", from, field, to)
				}
				if it.link.Conflict == nil || it.link.Conflict.Kind != Ambiguous {
					it.link.Conflict, it.dirty = &Conflict{Kind: Ambiguous, At: s.Now().UTC()}, true
				}
				it.link.Conflict.Candidates = ids
				it.out.Conflict = it.link.Conflict
				it.say(Conflicts, "%s", reason)
			}
		}
	}
	return nil
}

// having reads the records of a side whose field has one of the values, by the
// value.
func (s *Session) having(ctx context.Context, side Side, field string, values []any) (map[any][]adapter.Record, error) {
	sd := s.sides[side]
	read := sd.read
	if !slices.Contains(read, field) {
		read = append(slices.Clone(read), field)
	}
	kind := sd.schema.Fields[field].Type
	out := map[any][]adapter.Record{}
	for chunk := range slices.Chunk(values, DefaultPage) {
		q := adapter.Query{Model: s.Model, Fields: read, Filter: adapter.Cond{Field: field, Op: adapter.In, Value: chunk}}
		for r, err := range sd.system.Each(ctx, q) {
			if err != nil {
				return nil, err
			}
			v := plain(kind, r[field])
			out[v] = append(out[v], r)
		}
	}
	return out, nil
}

// revisit looks again at records that waited for others, or for a choice.
func (s *Session) revisit(ctx context.Context, at *Progress) ([]Outcome, error) {
	kind := WantLate
	links, err := s.Links.Select(ctx, s.Model, Want{Kind: kind, Run: at.Run, Step: s.step, Retry: s.Retry && at.Phase == PhaseLook, After: at.After, Limit: s.Page})
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		at.next()
		return nil, nil
	}
	var items []*item
	var ids [2][]adapter.ID
	claimed := map[adapter.ID]*Link{} // with the half of a link that it was in, nil for none
	for _, l := range links {
		it := s.newItem(Source, l)
		if l.IDs[Source].IsZero() {
			it = s.newItem(Target, l)
		}
		items = append(items, it)
		if err := s.chosen(ctx, it, claimed); err != nil {
			return nil, err
		}
		for side, id := range l.IDs {
			if !id.IsZero() {
				ids[side] = append(ids[side], id)
			}
		}
	}
	for _, half := range claimed {
		for _, it := range items {
			if half != nil && it.link.ID == half.ID {
				it.out.Action, it.silent, it.dirty = Skipped, true, false
			}
		}
	}
	var there [2]map[adapter.ID]adapter.Record
	for side := range ids {
		if there[side], err = s.sides[side].byID(ctx, s.Model, ids[side], s.sides[side].read); err != nil {
			return nil, err
		}
	}
	var loose [2][]*item
	for _, it := range items {
		l := it.link
		for side := range there {
			it.rec[side] = there[side][l.IDs[side]]
		}
		switch {
		case it.out.Action != Unchanged:
		case it.rec[it.from] == nil && it.rec[it.from.other()] != nil:
			gone := it.from
			it.from = gone.other()
			l.Late, it.dirty = false, true
			if l.Gone[gone] {
				it.silent, it.out.Action = true, Skipped
			} else if err := s.orphaned(ctx, it, gone); err != nil {
				return nil, err
			}
		case it.rec[it.from] != nil && l.Conflict != nil && l.Conflict.Kind == Doubtful && l.Choice == "":
			it.out.Action, it.out.Conflict = Conflicts, l.Conflict
		case it.rec[it.from] == nil:
			l.Dropped, it.dirty, it.silent, it.out.Action = true, true, true, Skipped
		case !l.whole() && l.Choice == "":
			loose[it.from] = append(loose[it.from], it)
		}
	}
	for from := range loose {
		if err := s.doubted(ctx, Side(from), loose[from]); err != nil {
			return nil, err
		}
		if err := s.match(ctx, Side(from), loose[from]); err != nil {
			return nil, err
		}
	}
	outcomes, err := s.bring(ctx, items)
	if err == nil {
		at.After = links[len(links)-1].ID
	}
	if s.DryRun {
		for i := range outcomes {
			at.looked(Source, outcomes[i].Source)
			at.looked(Target, outcomes[i].Target)
		}
	}
	return outcomes, err
}

// chosen applies a choice about which record it is.
func (s *Session) chosen(ctx context.Context, it *item, claimed map[adapter.ID]*Link) error {
	l, to := it.link, it.from.other()
	if l.Choice == "" || l.Conflict == nil || l.Conflict.Kind != Ambiguous && l.Conflict.Kind != Doubtful {
		return nil
	}
	it.dirty = true
	switch l.Choice {
	case ChoiceSkip:
		l.Gone[to], l.Conflict, l.Choice = true, nil, ""
		it.say(Skipped, "as it was chosen")
		return nil
	case ChoiceCreate:
		l.Conflict = nil // the choice stays until it is created: it is not matched
		return nil
	}
	at := slices.IndexFunc(l.Conflict.Candidates, func(id adapter.ID) bool { return id.String() == l.Choice })
	l.Choice = ""
	if at < 0 {
		it.out.Action, it.out.Conflict = Conflicts, l.Conflict
		return nil
	}
	id := l.Conflict.Candidates[at]
	links, err := s.linksOf(ctx, to, []adapter.ID{id})
	if err != nil {
		return err
	}
	other := links[id]
	if _, twice := claimed[id]; twice || other != nil && (other.whole() || other.Intent.creates()) {
		it.out.Conflict = l.Conflict
		it.say(Conflicts, "record %s belongs to another one by now", id)
		return nil
	}
	claimed[id] = other
	if other != nil && !s.DryRun {
		other.Dropped = true
		if err := s.Links.Save(ctx, s.Model, []*Link{other}, nil); err != nil {
			return err
		}
	}
	l.IDs[to], l.Base, l.Conflict = id, [2]map[string]string{}, nil
	return nil
}

// doubted keeps records from being created on the other side that may have been
// created from a record there: as long as nobody has said, or as it is still to be
// found out.
func (s *Session) doubted(ctx context.Context, from Side, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	const atOnce = 1000
	pending := false
	candidates := map[adapter.ID]bool{}
	for _, kind := range []WantKind{WantPending, WantConflicts} {
		for after := int64(0); ; {
			links, err := s.Links.Select(ctx, s.Model, Want{Kind: kind, After: after, Limit: atOnce})
			if err != nil {
				return err
			}
			for _, l := range links {
				switch {
				case kind == WantPending:
					pending = pending || l.Intent.Side == from
				case l.Conflict.Kind == Doubtful && l.IDs[from].IsZero():
					for _, id := range l.Conflict.Candidates {
						candidates[id] = true
					}
				}
				after = l.ID
			}
			if len(links) < atOnce {
				break
			}
		}
	}
	for _, it := range items {
		switch {
		case candidates[it.link.IDs[from]]:
			it.say(Deferred, "it may be what a run that was broken off created; that is a conflict which waits for a choice")
		case pending:
			it.say(Deferred, "it may be what was created when an answer got lost, which is found out before")
		default:
			continue
		}
		it.link.Late, it.dirty = true, true
	}
	return nil
}

// The choices that are no side and no record.
const (
	ChoiceCreate = "create" // it is none of the candidates
	ChoiceSkip   = "skip"   // it is left alone from now on
)

// ListConflicts returns the conflicts of a model that wait for a choice, by the id
// of their links: those after one, and at most limit.
func ListConflicts(ctx context.Context, links Links, model string, after int64, limit int) ([]*Link, error) {
	return links.Select(ctx, model, Want{Kind: WantConflicts, After: after, Limit: limit})
}

// Resolve decides a conflict: "source" or "target" where both sides changed a
// record, or one deleted it; the id of a candidate, ChoiceCreate or ChoiceSkip
// where it is not clear which record it is. The next run does it.
func Resolve(ctx context.Context, links Links, model string, id int64, choice string) (*Link, error) {
	list, err := links.Select(ctx, model, Want{Kind: WantAll, After: id - 1, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || list[0].ID != id || list[0].Conflict == nil {
		return nil, &adapter.Error{Code: adapter.NotFound, Message: "there is no such conflict; it may be resolved already"}
	}
	l := list[0]
	allowed := []string{string(SourceWins), string(TargetWins)}
	if l.Conflict.Kind == Ambiguous || l.Conflict.Kind == Doubtful {
		allowed = []string{ChoiceCreate, ChoiceSkip}
		for _, c := range l.Conflict.Candidates {
			allowed = append(allowed, c.String())
		}
	}
	if !slices.Contains(allowed, choice) {
		return nil, wrong("choice", "choice: %q is none of %v", choice, allowed)
	}
	l.Choice = choice
	return l, links.Save(ctx, model, []*Link{l}, nil)
}
