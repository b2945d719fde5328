package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// carry writes one record.
func (r *run) carry(ctx context.Context, m *model, it *item, there map[ref]adapter.Record, p pass) error {
	it.values, it.late = r.values(m, it, "", p)
	if it.late && p == first {
		r.later(m, it.source)
	}
	if it.target.IsZero() && p == first {
		if id := m.orphans.take(m, it.values); !id.IsZero() {
			it.target, it.fresh = id, true
			r.matcher.known[ref{m.to, it.source}] = id
			r.allLines(m, it)
			if err := r.note(ctx, m, it); err != nil {
				return err
			}
			r.accept(m, it, p, Created)
			return nil
		}
	}
	switch rec, ok := there[ref{m.to, it.target}]; {
	case it.target.IsZero() && p != first:
		return nil // it was refused
	case it.target.IsZero():
		return r.create(ctx, m, it, p)
	case !ok:
		return unseen(r, m, it, "it")
	default:
		return r.update(ctx, m, it, rec, there, p)
	}
}

// unseen says that a record was carried and is not there.
func unseen(r *run, m *model, it *item, what string) error {
	return &adapter.Error{Code: adapter.NotFound, Model: m.to, Message: fmt.Sprintf("%s was written as %s earlier, which the target's user can't see or which was removed; remove its external id %s.%s to have it made again", what, it.target, bridge.ExternalModule, r.Source.ExternalName(m.name, it.source))}
}

func (r *run) create(ctx context.Context, m *model, it *item, p pass) error {
	if m.made {
		if err := r.mayMake(m, it); err != nil {
			return err
		}
	}
	if r.mode != writing {
		if r.mode == verifying {
			m.account.Differences = append(m.account.Differences, Difference{Source: it.source, Field: "id", Want: it.source, Got: nil})
		}
		r.accept(m, it, p, Created)
		return nil
	}
	values := maps.Clone(it.values)
	r.allLines(m, it)
	for i, l := range m.lines {
		var commands []any
		for _, x := range it.lines[i] {
			commands = append(commands, []any{0, 0, map[string]any(x.values)})
		}
		if len(commands) > 0 {
			values[l.toField] = commands
		}
	}
	made, err := r.out.Create(ctx, m.to, values)
	if err != nil {
		return err
	}
	r.report.Writes++
	it.target, it.fresh = made.ID(), true
	r.matcher.known[ref{m.to, it.source}] = it.target
	if err := r.note(ctx, m, it); err != nil {
		return err
	}
	r.accept(m, it, p, Created)
	return nil
}

// update writes what differs.
func (r *run) update(ctx context.Context, m *model, it *item, rec adapter.Record, there map[ref]adapter.Record, p pass) error {
	changes := r.differences(m, it, it.values, rec)
	fresh := 0
	if p == first {
		for i, l := range m.lines {
			commands, added, err := r.lineCommands(ctx, m, l, it, i, rec, there)
			if err != nil {
				return err
			}
			if len(commands) > 0 {
				changes[l.toField] = commands
			}
			fresh += added
		}
	}
	if len(changes) == 0 {
		r.accept(m, it, p, Unchanged)
		return nil
	}
	if r.mode == verifying {
		for _, name := range slices.Sorted(maps.Keys(changes)) {
			m.account.Differences = append(m.account.Differences, Difference{it.source, it.target, name, changes[name], rec[name]})
		}
	}
	if r.mode == writing {
		if p == last {
			return r.writeStates(ctx, m, it, changes)
		}
		if err := r.write(ctx, m, it, changes); err != nil {
			return err
		}
		if fresh > 0 {
			ids, err := r.newLines(ctx, m, it, rec)
			if err == nil {
				err = r.noteIDs(ctx, ids)
			}
			if err != nil {
				return err
			}
		}
	}
	r.accept(m, it, p, Changed)
	return nil
}

func (r *run) write(ctx context.Context, m *model, it *item, changes adapter.Record) error {
	if err := r.out.Update(ctx, m.to, []adapter.ID{it.target}, changes); err != nil {
		return err
	}
	r.report.Writes++
	return nil
}

// writeStates writes the state before what goes with it: a locked order's
// state can't be written.
func (r *run) writeStates(ctx context.Context, m *model, it *item, changes adapter.Record) error {
	for _, name := range states {
		if v, ok := changes[name]; ok {
			if err := r.write(ctx, m, it, adapter.Record{name: v}); err != nil {
				return err
			}
		}
	}
	r.accept(m, it, last, Changed)
	return nil
}

// note makes the external ids of a record, its lines, and what the target made
// with it, in one call.
func (r *run) note(ctx context.Context, m *model, it *item) error {
	ids := []adapter.Record{r.external(m, it.source, it.target)}
	made, err := r.newLines(ctx, m, it, nil)
	if err != nil {
		return err
	}
	ids = append(ids, made...)
	if m.companion != nil {
		pairs, err := r.pairs(ctx, m, []*item{it})
		if err != nil {
			return err
		}
		ids = append(ids, pairs...)
	}
	if err := r.noteIDs(ctx, ids); err != nil {
		if stops(err) {
			return err
		}
		return &adapter.Error{Code: adapter.UnknownOutcome, Model: m.to, Message: fmt.Sprintf("%s %s was created as %s, but its external id could not be: %s", m.name, it.source, it.target, message(err)), Err: err}
	}
	return nil
}
