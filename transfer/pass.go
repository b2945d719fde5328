package transfer

import (
	"context"
	"errors"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// pass is one way over the records.
type pass int

const (
	first     pass = iota // everything but what waits
	relations             // references to records that were not there yet
	last                  // the states
)

// all goes over the records as often as it takes.
func (r *run) all(ctx context.Context) error {
	for _, m := range r.models {
		m.account.Created, m.account.Changed, m.account.Unchanged, m.account.Refused = 0, 0, 0, 0
		ids, err := r.ids(ctx, m)
		if err != nil {
			return err
		}
		if err := r.brokenOff(ctx, m); err != nil {
			return err
		}
		for part := range slices.Chunk(ids, r.Page) {
			if err := r.page(ctx, m, part, first); err != nil {
				return err
			}
		}
		delete(r.state.Broken, m.to)
		for _, l := range m.lines {
			delete(r.state.Broken, l.to)
		}
	}
	if r.mode == writing {
		for _, m := range r.models {
			for part := range slices.Chunk(slices.Clone(r.state.Late[m.name]), r.Page) {
				if err := r.page(ctx, m, part, relations); err != nil {
					return err
				}
			}
		}
	}
	if r.State {
		for _, m := range r.models {
			if !slices.ContainsFunc(m.fields, func(f string) bool { return f == stateField }) {
				continue
			}
			ids, err := r.ids(ctx, m)
			if err != nil {
				return err
			}
			for part := range slices.Chunk(ids, r.Page) {
				if err := r.page(ctx, m, part, last); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// page carries some records of a model.
func (r *run) page(ctx context.Context, m *model, ids []adapter.ID, p pass) error {
	if err := r.mark(ctx, m); err != nil {
		return err
	}
	items, refused, err := r.read(ctx, m, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := refused[id]; err != nil && p == first {
			r.refuse(m, id, "", err)
		}
	}
	if err := r.matcher.find(ctx, r.refs(m, items, true)); err != nil {
		return err
	}
	for _, it := range items {
		it.target = r.matcher.known[ref{m.to, it.source}]
	}
	if p == first {
		if err := r.adoptLines(ctx, m, items); err != nil {
			return err
		}
	}
	if m.companion != nil {
		if err := r.link(ctx, m, items); err != nil {
			return err
		}
	}
	there, err := r.there(ctx, m, items)
	if err != nil {
		return err
	}
	if err := r.carryAll(ctx, m, items, there, p); err != nil {
		return err
	}
	if p == first {
		if err := r.translate(ctx, m, items); err != nil {
			return err
		}
	}
	if err := r.readBack(ctx, m, items); err != nil {
		return err
	}
	r.tell([]string{"write", "relations", "states"}[p], m, len(ids))
	return r.unmark(m, p, ids)
}

// mark notes durably what is about to be written.
func (r *run) mark(ctx context.Context, m *model) error {
	if r.mode != writing {
		return nil
	}
	newest, err := r.newest(ctx, m.to)
	if err != nil {
		return err
	}
	mark := &Mark{Model: m.to, Newest: newest, Lines: map[string]adapter.ID{}}
	for _, l := range m.lines {
		if mark.Lines[l.to], err = r.newest(ctx, l.to); err != nil {
			return err
		}
	}
	r.state.Mark = mark
	return r.save()
}

// newest is the target's newest record of a model, zero for none.
func (r *run) newest(ctx context.Context, model string) (adapter.ID, error) {
	records, err := r.out.LiveQuery(ctx, adapter.Query{Model: model, Fields: []string{"id"}, Order: []adapter.Order{{Field: "id", Desc: true}}, Limit: 1})
	if err != nil || len(records) == 0 {
		return adapter.ID{}, err
	}
	return records[0].ID(), nil
}

func (r *run) unmark(m *model, p pass, ids []adapter.ID) error {
	if r.mode != writing {
		return nil
	}
	if p == relations {
		r.state.Late[m.name] = slices.DeleteFunc(r.state.Late[m.name], func(id adapter.ID) bool { return slices.Contains(ids, id) })
	}
	r.state.Mark = nil
	return r.save()
}

func (r *run) save() error {
	if r.Save == nil {
		return nil
	}
	return r.Save(r.state)
}

func (r *run) refuse(m *model, id adapter.ID, name string, err error) {
	r.state.note(m.name, id, Refused)
	x := Refusal{Source: id, Name: name, Code: adapter.CodeOf(err), Message: message(err)}
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		x.Field = e.Field
	}
	m.account.Refusals = append(m.account.Refusals, x)
	m.account.Results = append(m.account.Results, RecordReport{Source: id, Outcome: Refused})
}

// later has a record gone over again in the second pass.
func (r *run) later(m *model, id adapter.ID) {
	if !slices.Contains(r.state.Late[m.name], id) {
		r.state.Late[m.name] = append(r.state.Late[m.name], id)
	}
}

// accept notes what became of a record.
func (r *run) accept(m *model, it *item, p pass, o Outcome) {
	newest, broken := r.state.Broken[m.to]
	if broken && r.mode == writing && p == first && byNumber(it.target, newest) > 0 {
		o = Created // by the run that was broken off
	}
	if m.made && p == first && (o != Unchanged || broken) {
		r.again(m, it)
	}
	o = r.state.note(m.name, it.source, o)
	if p == first {
		m.account.Results = append(m.account.Results, RecordReport{Source: it.source, ID: it.target, Outcome: o})
	}
}

func (r *run) tell(pass string, m *model, n int) {
	if r.mode == verifying && pass == "write" {
		pass = "verify"
	}
	if r.Progress == nil {
		return
	}
	key := pass + m.name
	if r.progress == nil {
		r.progress = map[string]int{}
	}
	r.progress[key] += n
	r.Progress(Progress{Pass: pass, Model: m.name, Done: r.progress[key], Total: m.total})
}

// done counts the outcomes.
func (r *run) done() *Report {
	for _, m := range r.models {
		a := m.account
		a.Results = slices.Clone(a.Results)
		a.Created, a.Changed, a.Unchanged = 0, 0, 0
		for i := range a.Results {
			x := &a.Results[i]
			x.Outcome = r.state.Outcomes[m.name][x.Source.String()]
			switch x.Outcome {
			case Created:
				a.Created++
			case Changed:
				a.Changed++
			case Unchanged:
				a.Unchanged++
			}
		}
		a.Refused = len(a.Refusals)
	}
	r.state.Ended = true
	if r.mode == writing && r.Save != nil {
		if err := r.Save(r.state); err != nil {
			r.report.Notes = append(r.report.Notes, "the state could not be kept: "+err.Error())
		}
	}
	return r.report
}
