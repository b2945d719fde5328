package transfer

import (
	"context"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// orphans are records that an earlier run made, and was broken off before it
// noted so.
type orphans struct{ records []adapter.Record }

// brokenOff looks for orphans of a model and of its lines.
func (r *run) brokenOff(ctx context.Context, m *model) error {
	var err error
	if m.orphans, err = r.orphansOf(ctx, m); err != nil {
		return err
	}
	for _, l := range m.lines {
		if l.orphans, err = r.orphansOf(ctx, l.model); err != nil {
			return err
		}
	}
	return nil
}

// orphansOf are all records that were made since the run was first broken off
// and that have no external id, however many were made meanwhile.
func (r *run) orphansOf(ctx context.Context, m *model) (*orphans, error) {
	last, broken := r.state.Broken[m.to]
	if !broken {
		return nil, nil
	}
	fields := m.comparable()
	out := &orphans{}
	for {
		q := adapter.Query{Model: m.to, Fields: []string{"id"}, Order: []adapter.Order{{Field: "id"}}, Limit: r.Page}
		if !last.IsZero() {
			q.Filter = adapter.Cond{Field: "id", Op: adapter.Greater, Value: last.Value()}
		}
		page, err := r.out.LiveQuery(ctx, q)
		if err != nil {
			return nil, err
		}
		var values []any
		for _, rec := range page {
			values = append(values, rec.ID().Value())
		}
		noted := map[adapter.ID]bool{}
		if err := external(ctx, r.out, "res_id", values, adapter.Cond{Field: "model", Op: adapter.Equal, Value: m.to}, func(e externalID) { noted[e.id] = true }); err != nil {
			return nil, err
		}
		var ids []adapter.ID
		for _, rec := range page {
			if !noted[rec.ID()] {
				ids = append(ids, rec.ID())
			}
		}
		if len(ids) > 0 {
			records, err := r.out.LiveRead(ctx, m.to, ids, fields)
			if err != nil {
				return nil, err
			}
			slices.SortFunc(records, func(a, b adapter.Record) int { return byNumber(a.ID(), b.ID()) })
			out.records = append(out.records, records...)
		}
		if len(page) < r.Page {
			return out, nil
		}
		last = page[len(page)-1].ID()
	}
}

// comparable are the target's fields by which a record can be told that has no
// external id yet.
func (m *model) comparable() []string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(m.target.Fields)) {
		f := m.target.Fields[name]
		if _, is := kept(m.name, name); !is && f.Stored && f.Type != adapter.Binary && !f.Type.Relational() || f.Type == adapter.Many2One && f.Stored {
			fields = append(fields, name)
		}
	}
	return fields
}

// take finds the record that was made of values: the one of the same name and
// the same required references. Of the other values few may differ, which the
// target keeps otherwise. It is zero where there is none.
func (o *orphans) take(m *model, values adapter.Record) adapter.ID {
	if o == nil {
		return adapter.ID{}
	}
	best, most := -1, 0
	for i, rec := range o.records {
		like, unlike := 0, 0
		for name, v := range values {
			got, ok := rec[name]
			if !ok || adapter.IsEmpty(v) {
				continue
			}
			f := m.target.Fields[name]
			switch {
			case same(f.Type, v, got):
				like++
			case name == "name", f.Type == adapter.Many2One && f.Required:
				unlike = len(values) // it is another
			default:
				unlike++
			}
		}
		if like > 4*unlike && like > most {
			best, most = i, like
		}
	}
	if best < 0 {
		return adapter.ID{}
	}
	id := o.records[best].ID()
	o.records = slices.Delete(o.records, best, best+1)
	return id
}

// adoptLines notes the lines that a run added to records that were there, and
// was broken off before it noted so: otherwise they would be added again.
func (r *run) adoptLines(ctx context.Context, m *model, items []*item) error {
	var ids []adapter.Record
	for i, l := range m.lines {
		if l.orphans == nil {
			continue
		}
		for _, it := range items {
			own := l.orphans.within(l.inverse, it.target)
			for _, x := range it.lines[i] {
				to := ref{l.to, x.source}
				if !r.matcher.known[to].IsZero() {
					continue
				}
				values, _ := r.values(l.model, x, l.inverse, first)
				if id := own.take(l.model, values); !id.IsZero() {
					r.matcher.known[to] = id
					ids = append(ids, r.external(l.model, x.source, id))
				}
			}
		}
	}
	return r.noteIDs(ctx, ids)
}

// within are those that belong to a parent.
func (o *orphans) within(inverse string, parent adapter.ID) *orphans {
	out := &orphans{}
	for _, rec := range o.records {
		if id, ok := adapter.IDOf(rec[inverse]); ok && id == parent {
			out.records = append(out.records, rec)
		}
	}
	return out
}
