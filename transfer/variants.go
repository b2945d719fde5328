package transfer

import (
	"context"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// again has a variant's template gone over once more in the second pass: the
// target computes some of its values of its variants when these are written.
func (r *run) again(m *model, it *item) {
	for _, parent := range r.models {
		if parent.companion == nil || parent.companion.model != m.name {
			continue
		}
		if id, ok := adapter.IDOf(it.from[parent.companion.inverse]); ok {
			r.later(parent, id)
		}
	}
}

// mayMake refuses a variant that the target did not make: it would be one
// without its attributes.
func (r *run) mayMake(m *model, it *item) error {
	for _, c := range companions {
		if c.model == m.name && len(it.from.IDs(c.tells)) > 0 {
			return &adapter.Error{Code: adapter.Unsupported, Model: m.name, Message: "the target made no variant of these attribute values: carry the attributes (product.attribute) along, and look whether its template was refused"}
		}
	}
	return nil
}

// link finds, of templates that are there, the variants that nobody linked yet.
func (r *run) link(ctx context.Context, m *model, items []*item) error {
	if r.mode != writing {
		return nil
	}
	var loose []*item
	for _, it := range items {
		to := r.byModel[m.companion.model].to
		if !it.target.IsZero() && slices.ContainsFunc(it.from.IDs(m.companion.field), func(id adapter.ID) bool { return r.matcher.known[ref{to, id}].IsZero() }) {
			loose = append(loose, it)
		}
	}
	if len(loose) == 0 {
		return nil
	}
	ids, err := r.pairs(ctx, m, loose)
	if err != nil {
		return err
	}
	return r.noteIDs(ctx, ids)
}

// strays forgets, of records that both sides were delivered with, the variants
// whose templates are not the same: to change them would take them from theirs.
func (r *run) strays(ctx context.Context, delivered map[ref]bool) error {
	for _, m := range r.models {
		if m.companion == nil {
			continue
		}
		c, cm := m.companion, r.byModel[m.companion.model]
		of := map[adapter.ID]ref{} // by the target's id
		var theirs, ours []adapter.ID
		for x := range delivered {
			if x.model == cm.to {
				of[r.matcher.known[x]] = x
				theirs, ours = append(theirs, x.id), append(ours, r.matcher.known[x])
			}
		}
		if len(of) == 0 {
			continue
		}
		was, err := r.in.LiveRead(ctx, cm.name, theirs, []string{c.inverse})
		if err != nil {
			return err
		}
		now, err := r.out.LiveRead(ctx, cm.to, ours, []string{c.inverse})
		if err != nil {
			return err
		}
		refs, parents := map[ref]bool{}, map[adapter.ID]ref{}
		for _, rec := range was {
			if id, ok := adapter.IDOf(rec[c.inverse]); ok {
				parents[rec.ID()] = ref{m.to, id}
				refs[parents[rec.ID()]] = true
			}
		}
		if err := r.matcher.find(ctx, refs); err != nil {
			return err
		}
		for _, rec := range now {
			x := of[rec.ID()]
			if id, _ := adapter.IDOf(rec[c.inverse]); r.matcher.known[parents[x.id]] != id {
				delete(r.matcher.known, x)
			}
		}
	}
	return nil
}

// pairs holds what the target made with records against what the source has:
// one and one belong together, of several those of the same values.
func (r *run) pairs(ctx context.Context, m *model, items []*item) ([]adapter.Record, error) {
	c, cm := m.companion, r.byModel[m.companion.model]
	type combination struct {
		id     adapter.ID
		values string
	}
	// combinations reads the variants of a side; values are the target's ids.
	combinations := func(s *bridge.System, schema *adapter.Schema, name string, ids []adapter.ID, source bool) (map[adapter.ID]combination, error) {
		out := map[adapter.ID]combination{}
		if !schema.Has(c.tells) {
			for _, id := range ids {
				out[id] = combination{id: id}
			}
			return out, nil
		}
		records, err := s.LiveRead(ctx, name, ids, []string{c.tells})
		if err != nil {
			return nil, err
		}
		var told []adapter.ID
		for _, rec := range records {
			told = append(told, rec.IDs(c.tells)...)
		}
		values := map[adapter.ID]adapter.ID{}
		if len(told) > 0 {
			relation := schema.Fields[c.tells].Relation
			found, err := s.LiveRead(ctx, relation, told, []string{c.value})
			if err != nil {
				return nil, err
			}
			stands, err := r.schema(ctx, cm.target.Fields[c.tells].Relation)
			if err != nil {
				return nil, err
			}
			refs := map[ref]bool{}
			for _, rec := range found {
				if to, ok := adapter.IDOf(rec[c.value]); ok {
					values[rec.ID()] = to
					refs[ref{stands.Fields[c.value].Relation, to}] = true
				}
			}
			if source {
				if err := r.matcher.find(ctx, refs); err != nil {
					return nil, err
				}
				for k, v := range values {
					values[k] = r.matcher.known[ref{stands.Fields[c.value].Relation, v}]
				}
			}
		}
		for _, rec := range records {
			var parts []string
			for _, id := range rec.IDs(c.tells) {
				parts = append(parts, values[id].String())
			}
			slices.Sort(parts)
			out[rec.ID()] = combination{rec.ID(), strings.Join(parts, ",")}
		}
		return out, nil
	}
	var theirs, ours []adapter.ID
	made := map[adapter.ID][]adapter.ID{}
	var parents []adapter.ID
	for _, it := range items {
		theirs = append(theirs, it.from.IDs(c.field)...)
		parents = append(parents, it.target)
	}
	records, err := r.out.LiveRead(ctx, m.to, parents, []string{c.field})
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		made[rec.ID()] = rec.IDs(c.field)
		ours = append(ours, rec.IDs(c.field)...)
	}
	a, err := combinations(r.in, cm.source, cm.name, theirs, true)
	if err != nil {
		return nil, err
	}
	b, err := combinations(r.out, cm.target, cm.to, ours, false)
	if err != nil {
		return nil, err
	}
	taken := map[adapter.ID]bool{}
	var out []adapter.Record
	for _, it := range items {
		from, to := it.from.IDs(c.field), made[it.target]
		for _, id := range from {
			if known := r.matcher.known[ref{cm.to, id}]; !known.IsZero() {
				taken[known] = true
			}
		}
		for _, id := range from {
			if !r.matcher.known[ref{cm.to, id}].IsZero() {
				continue
			}
			for _, x := range to {
				if taken[x] || a[id].values != b[x].values {
					continue
				}
				taken[x] = true
				r.matcher.known[ref{cm.to, id}] = x
				out = append(out, r.external(cm, id, x))
				break
			}
		}
	}
	return out, nil
}
