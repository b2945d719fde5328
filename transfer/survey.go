package transfer

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// survey reads everything once: how many values each field has, and what the
// records refer to that the target does not have.
func (r *run) survey(ctx context.Context) error {
	for again := true; again; {
		again = false
		missing := map[string]*Unmatched{}
		for _, m := range r.models {
			if err := r.look(ctx, m, missing); err != nil {
				return err
			}
		}
		if r.Dependencies && len(missing) > 0 {
			var further []string
			for name := range missing {
				if r.byModel[name] == nil && !never[name] {
					further = append(further, name)
				}
			}
			if len(further) > 0 {
				slices.Sort(further)
				if err := r.along(ctx, further); err != nil {
					return err
				}
				r.state.Along = append(r.state.Along, further...)
				for _, name := range further {
					r.matcher.part(r.byModel[name].to)
					r.state.match(r.byModel[name].to, r.matcher.known)
				}
				again = true
				continue
			}
		}
		if err := r.checkLeftOut(); err != nil {
			return err
		}
		r.report.Unmatched = nil
		for _, name := range slices.Sorted(maps.Keys(missing)) {
			r.report.Unmatched = append(r.report.Unmatched, *missing[name])
		}
	}
	return nil
}

// along adds models that others refer to.
func (r *run) along(ctx context.Context, models []string) error {
	r.report.Notes = append(r.report.Notes, "carried along, as other records refer to them: "+strings.Join(models, ", "))
	clear(r.matcher.absent)
	clear(r.matcher.before)
	if err := r.open(ctx, models); err != nil {
		return err
	}
	for _, name := range models {
		to := r.byModel[name].to
		for id, there := range r.state.Matched[to] {
			if n, err := strconv.ParseInt(id, 10, 64); err == nil {
				r.matcher.known[ref{to, adapter.IntID(n)}] = there
			}
		}
	}
	return nil
}

// checkLeftOut sees that there is what is to be left out.
func (r *run) checkLeftOut() error {
	for _, name := range r.LeaveOut {
		if !slices.ContainsFunc(r.models, func(m *model) bool {
			return m.hasField(name) || slices.ContainsFunc(m.lines, func(l *line) bool { return l.hasField(name) })
		}) {
			return wrong("leave_out", "leave out: no model of the transfer has a field %s in the target", name)
		}
	}
	return nil
}

// hasField reports whether the target has a field, "comment" or
// "res.partner.comment".
func (m *model) hasField(name string) bool {
	own, _ := strings.CutPrefix(name, m.to+".")
	return m.target.Has(own)
}

// look reads the records of a model.
func (r *run) look(ctx context.Context, m *model, missing map[string]*Unmatched) error {
	ids, err := r.ids(ctx, m)
	if err != nil {
		return err
	}
	m.total = len(ids)
	m.account.Records = m.total
	for i := range m.account.Fields {
		m.account.Fields[i].reset()
	}
	for _, l := range m.lines {
		for i := range l.account.Fields {
			l.account.Fields[i].reset()
		}
		l.account.Records = 0
	}
	for part := range slices.Chunk(ids, r.Page) {
		items, _, err := r.read(ctx, m, part)
		if err != nil {
			return err
		}
		if err := r.matcher.find(ctx, r.refs(m, items, true)); err != nil {
			return err
		}
		r.tally(m, items, missing)
		for i, l := range m.lines {
			for _, it := range items {
				l.account.Records += len(it.lines[i])
				r.tally(l.model, it.lines[i], missing)
			}
		}
		r.tell("survey", m, len(part))
	}
	return nil
}

// tally counts values, and references without counterpart.
func (r *run) tally(m *model, items []*item, missing map[string]*Unmatched) {
	for i := range m.account.Fields {
		f := &m.account.Fields[i]
		if f.Field == "" {
			continue
		}
		for _, it := range items {
			if v := it.from[f.Field]; !adapter.IsEmpty(v) {
				f.count(v)
			}
			lost := false
			for _, to := range f.To {
				t := m.target.Fields[to]
				if t.Type != adapter.Many2One && t.Type != adapter.Many2Many || f.Fate != CarriedField && f.Fate != RenamedField && f.Fate != ByRule || !writableField(t) {
					continue
				}
				for _, id := range relatedIDs(it.up[to], t.Type) {
					if !r.matcher.absent[ref{t.Relation, id}] {
						continue
					}
					lost = true
					name := r.matcher.old(t.Relation)
					if name == "" {
						name = t.Relation
					}
					u := missing[name]
					if u == nil {
						u = &Unmatched{Model: name}
						missing[name] = u
					}
					u.add(id, nameOf(it.from[f.Field], id), m.name+"."+f.Field)
				}
			}
			if lost {
				f.LeftOut++
			}
		}
	}
}

func (f *FieldReport) reset() { f.Values, f.LeftOut, f.Always, f.varies = 0, 0, nil, false }

// count takes in a value. Of those that are lost it is told whether they are
// all the same.
func (f *FieldReport) count(v any) {
	f.Values++
	if f.Fate != Residue && f.Fate != NoCounterpart {
		return
	}
	switch {
	case f.Values == 1:
		f.Always = v
	case !f.varies && digest(f.Always, nil) != digest(v, nil):
		f.varies = true
	}
	if f.varies {
		f.Always = nil
	}
}

func nameOf(v any, id adapter.ID) string {
	if one, ok := adapter.RefOf(v); ok && one.ID == id {
		return one.Name
	}
	return ""
}

// add counts a record once, and names the first of them.
func (u *Unmatched) add(id adapter.ID, name, field string) {
	if !slices.Contains(u.Fields, field) {
		u.Fields = append(u.Fields, field)
	}
	if u.seen == nil {
		u.seen = map[adapter.ID]bool{}
	}
	if u.seen[id] {
		return
	}
	u.seen[id] = true
	u.Records++
	const most = 10
	if len(u.Names) < most {
		u.Names = append(u.Names, strings.TrimSpace(id.String()+" "+name))
	}
}
