package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
)

// carryAll carries the records of a page. New ones that don't refer to one
// another are created in one call.
func (r *run) carryAll(ctx context.Context, m *model, items []*item, there map[ref]adapter.Record, p pass) error {
	var waiting []*item
	create := func() error {
		batch := waiting
		waiting = nil
		if len(batch) > 1 {
			if done, err := r.createAll(ctx, m, batch, p); err != nil || done {
				return err
			}
		}
		for _, it := range batch {
			if err := r.carryOne(ctx, m, it, there, p); err != nil {
				return err
			}
		}
		return nil
	}
	for _, it := range items {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.state.Outcomes[m.name][it.source.String()] == Refused && p != first {
			continue
		}
		if _, late := r.values(m, it, "", p); late && len(waiting) > 0 {
			// It may refer to one of those.
			if err := create(); err != nil {
				return err
			}
		}
		if r.simple(m, it, p) {
			waiting = append(waiting, it)
			continue
		}
		if err := r.carryOne(ctx, m, it, there, p); err != nil {
			return err
		}
	}
	return create()
}

// simple reports whether a record is to be created and nothing is made with it
// that must be looked for. After a run was broken off each one is looked for.
func (r *run) simple(m *model, it *item, p pass) bool {
	return r.mode == writing && p == first && it.target.IsZero() && !m.made && m.companion == nil && len(m.lines) == 0 && (m.orphans == nil || len(m.orphans.records) == 0)
}

// createAll creates records in one call, and their external ids in another. The
// target may refuse some, and makes none then: done is false.
func (r *run) createAll(ctx context.Context, m *model, items []*item, p pass) (done bool, err error) {
	values := make([]adapter.Record, len(items))
	for i, it := range items {
		it.values, it.late = r.values(m, it, "", p)
		values[i] = it.values
	}
	made, err := r.out.CreateMany(ctx, m.to, values)
	if err != nil {
		if _, partly := errors.AsType[*adapter.PartialError](err); partly || stops(err) {
			return false, err
		}
		return false, nil
	}
	r.report.Writes++
	if len(made) != len(items) {
		return false, adapter.Errorf(adapter.UnknownOutcome, "%d records of %s were created, and the target named %d of them", len(items), m.to, len(made))
	}
	ids := make([]adapter.Record, len(items))
	for i, it := range items {
		it.target, it.fresh = made[i], true
		r.matcher.known[ref{m.to, it.source}] = made[i]
		ids[i] = r.external(m, it.source, made[i])
	}
	if err := r.noteIDs(ctx, ids); err != nil {
		if stops(err) {
			return false, err
		}
		return false, &adapter.Error{Code: adapter.UnknownOutcome, Model: m.to, Message: fmt.Sprintf("%d records of %s were created from %s on, but their external ids could not be: %s", len(items), m.to, made[0], message(err)), Err: err}
	}
	for _, it := range items {
		if it.late {
			r.later(m, it.source)
		}
		r.accept(m, it, p, Created)
	}
	return true, nil
}

// carryOne carries a record, and says where it is refused.
func (r *run) carryOne(ctx context.Context, m *model, it *item, there map[ref]adapter.Record, p pass) error {
	err := r.carry(ctx, m, it, there, p)
	switch {
	case err == nil:
	case stops(err):
		return err
	case p == first:
		r.refuse(m, it.source, it.name(), err)
	default:
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s %s was written, but what was left for later was refused: %s", m.name, it.source, message(err)))
	}
	return nil
}
