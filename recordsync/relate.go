package recordsync

import (
	"context"
	"fmt"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// refKey is a record that another one refers to.
type refKey struct {
	from  Side
	model string
	id    adapter.ID
}

// ref is which record that is on the other side.
type ref struct {
	id   adapter.ID
	late bool   // it is synchronised, but not yet
	lost string // why there is none
}

// over is a value as the other side takes it.
type over struct {
	value any
	late  bool   // it waits for other records
	part  bool   // what there is of it already is written meanwhile
	lost  string // why it can't be carried over
	said  string // why a part of it can't
}

func (o *over) ok() bool { return !o.late && o.lost == "" }

// translate gives a value the form that it is written to the other side in. With
// partly, a relation to many whose records are not all known yet has the others.
func (s *Session) translate(from Side, name string, v any, partly bool) over {
	f := s.sides[from].schema.Fields[name]
	to := s.sides[from.other()]
	switch {
	case f.Type == adapter.Boolean:
		return over{value: adapter.Record{"": v}.Bool("")}
	case f.Type == adapter.Many2One:
		r, refers := adapter.RefOf(v)
		if !refers || adapter.IsEmpty(v) {
			return over{value: to.none(s.Words)}
		}
		got := s.refs[refKey{from, f.Relation, r.ID}]
		if got.late || got.lost != "" || got.id.IsZero() {
			return over{late: got.late, lost: orWords(got.late, got.lost)}
		}
		return over{value: got.id.Value()}
	case f.Type == adapter.Many2Many:
		ids, late, lost := []any{}, false, ""
		for _, id := range idsOf(v) {
			got := s.refs[refKey{from, f.Relation, id}]
			switch {
			case got.late:
				late = true
			case got.lost != "" || got.id.IsZero():
				lost = orWords(false, got.lost)
			default:
				ids = append(ids, got.id.Value())
			}
		}
		if lost != "" && len(ids) == 0 && !late {
			return over{lost: lost}
		}
		return over{value: ids, late: late, part: partly, said: lost}
	case adapter.IsEmpty(v):
		switch f.Type {
		case adapter.Integer, adapter.Float, adapter.Monetary:
			return over{value: 0}
		}
		return over{value: to.none(s.Words)}
	}
	return over{value: v}
}

func orWords(late bool, lost string) string {
	if lost == "" && !late {
		return "the record that it refers to was not found"
	}
	return lost
}

// none is how nothing is written.
func (sd *side) none(words Words) any {
	if sd.system.Kind() == "odoo" && words != Universal {
		return false
	}
	return nil
}

// sent is a record with its relations to many in the form that the side wants.
func (s *Session) sent(to Side, values adapter.Record) adapter.Record {
	sd := s.sides[to]
	if sd.system.Kind() != "odoo" || s.Words == Universal {
		return values
	}
	out := make(adapter.Record, len(values))
	for name, v := range values {
		if ids, many := v.([]any); many && sd.schema.Fields[name].Type == adapter.Many2Many {
			v = []any{[]any{6, 0, ids}}
		}
		out[name] = v
	}
	return out
}

// forgetLate forgets which records were not there yet.
func (s *Session) forgetLate() {
	for key, r := range s.refs {
		if r.late || key.model == s.Model {
			delete(s.refs, key)
		}
	}
}

// relate finds the counterparts of all records that the items refer to.
func (s *Session) relate(ctx context.Context, items []*item) error {
	wanted := map[Side]map[string][]adapter.ID{Source: {}, Target: {}}
	for _, it := range items {
		for i, sd := range s.sides {
			from := Side(i)
			if it.rec[from] == nil || from == Target && !s.Bidirectional {
				continue
			}
			for _, name := range s.fields {
				f := sd.schema.Fields[name]
				var ids []adapter.ID
				switch f.Type {
				case adapter.Many2One:
					if r, ok := adapter.RefOf(it.rec[from][name]); ok && !adapter.IsEmpty(it.rec[from][name]) {
						ids = []adapter.ID{r.ID}
					}
				case adapter.Many2Many:
					ids = idsOf(it.rec[from][name])
				}
				for _, id := range ids {
					if _, known := s.refs[refKey{from, f.Relation, id}]; !known {
						s.refs[refKey{from, f.Relation, id}] = ref{}
						wanted[from][f.Relation] = append(wanted[from][f.Relation], id)
					}
				}
			}
		}
	}
	for from, models := range wanted {
		for model, ids := range models {
			if err := s.resolve(ctx, from, model, ids); err != nil {
				for _, id := range ids {
					delete(s.refs, refKey{from, model, id})
				}
				return err
			}
		}
	}
	return nil
}

func (s *Session) resolve(ctx context.Context, from Side, model string, ids []adapter.ID) error {
	links, err := s.Links.Find(ctx, model, from, ids)
	if err != nil {
		return err
	}
	synced := model == s.Model || slices.Contains(s.Along, model)
	if !synced {
		state, err := s.Links.State(ctx, model)
		if err != nil {
			return err
		}
		synced = state.Shape != ""
	}
	for _, l := range links {
		r := ref{id: l.IDs[from.other()]}
		if l.Gone[from.other()] {
			r = ref{lost: fmt.Sprintf("the record that it refers to is left out, or was deleted in the %s", from.other())}
		}
		s.refs[refKey{from, model, l.IDs[from]}] = r
	}
	unknown := func(id adapter.ID) bool { return s.refs[refKey{from, model, id}] == ref{} }
	open := slices.DeleteFunc(slices.Clone(ids), func(id adapter.ID) bool { return !unknown(id) })
	if synced {
		for _, id := range open {
			s.refs[refKey{from, model, id}] = ref{late: true}
		}
		return nil
	}
	if s.Words != Universal && s.sides[Source].system.Kind() == "odoo" {
		if err := s.delivered(ctx, from, model, open); err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(id adapter.ID) bool { return !unknown(id) })
	}
	return s.byName(ctx, from, model, open)
}

// delivered finds records that both Odoo systems know by the same external id.
func (s *Session) delivered(ctx context.Context, from Side, model string, ids []adapter.ID) error {
	const data = "ir.model.data"
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = id.Value()
	}
	own := make(map[string]adapter.ID, len(ids))
	var names []any
	q := adapter.Query{Model: data, Fields: []string{"module", "name", "res_id"}, Filter: adapter.And{
		adapter.Cond{Field: "model", Op: adapter.Equal, Value: model}, adapter.Cond{Field: "res_id", Op: adapter.In, Value: values},
	}}
	for r, err := range s.sides[from].system.Each(ctx, q) {
		if err != nil {
			return tolerated(err)
		}
		if id, ok := adapter.IDOf(r["res_id"]); ok {
			own[r.String("module")+"."+r.String("name")] = id
			names = append(names, r.String("name"))
		}
	}
	if len(names) == 0 {
		return nil
	}
	q.Filter = adapter.And{adapter.Cond{Field: "model", Op: adapter.Equal, Value: model}, adapter.Cond{Field: "name", Op: adapter.In, Value: names}}
	for r, err := range s.sides[from.other()].system.Each(ctx, q) {
		if err != nil {
			return tolerated(err)
		}
		if id, ok := own[r.String("module")+"."+r.String("name")]; ok {
			if to, ok := adapter.IDOf(r["res_id"]); ok {
				s.refs[refKey{from, model, id}] = ref{id: to}
			}
		}
	}
	return nil
}

// tolerated leaves out that a model may not be read: its records then are not
// found, which is said where they are wanted.
func tolerated(err error) error {
	switch adapter.CodeOf(err) {
	case adapter.PermissionDenied, adapter.NotFound, adapter.Unsupported, adapter.InvalidArgument:
		return nil
	}
	return err
}

// byName finds records that both sides call the same, if only one is called so.
func (s *Session) byName(ctx context.Context, from Side, model string, ids []adapter.ID) error {
	if len(ids) == 0 {
		return nil
	}
	lose := func(reason string) {
		for _, id := range ids {
			s.refs[refKey{from, model, id}] = ref{lost: reason}
		}
	}
	names := []string{"complete_name", "name", "Name"} // that both sides can be asked for
	for _, sd := range s.sides {
		schema, err := sd.system.Describe(ctx, model)
		if err != nil {
			if tolerated(err) != nil {
				return err
			}
			lose(fmt.Sprintf("%s is not synchronised, and the %s does not tell of it", model, sd.at))
			return nil
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !schema.Fields[name].Stored })
	}
	if len(names) == 0 {
		lose(model + " is not synchronised, and its records have no name")
		return nil
	}
	field := names[0]
	named := map[adapter.ID]string{}
	there, err := s.named(ctx, from, model, field, adapter.Cond{Field: "id", Op: adapter.In, Value: valuesOf(ids)})
	if err != nil {
		return tolerated(err)
	}
	var wanted []any
	for name, of := range there {
		for _, id := range of {
			named[id] = name
		}
		wanted = append(wanted, name)
	}
	found, err := s.named(ctx, from.other(), model, field, adapter.Cond{Field: field, Op: adapter.In, Value: wanted})
	if err != nil {
		return tolerated(err)
	}
	for _, id := range ids {
		got := found[named[id]]
		switch {
		case len(got) == 1:
			s.refs[refKey{from, model, id}] = ref{id: got[0]}
		case len(got) > 1:
			s.refs[refKey{from, model, id}] = ref{lost: fmt.Sprintf("the %s has %d %s named %q", from.other(), len(got), model, named[id])}
		default:
			s.refs[refKey{from, model, id}] = ref{lost: fmt.Sprintf("the %s has no %s named %q", from.other(), model, named[id])}
		}
	}
	return nil
}

// named reads the names of a model's records.
func (s *Session) named(ctx context.Context, side Side, model, field string, filter adapter.Filter) (map[string][]adapter.ID, error) {
	out := map[string][]adapter.ID{}
	q := adapter.Query{Model: model, Filter: filter, Fields: []string{field}}
	for r, err := range s.sides[side].system.Each(ctx, q) {
		if err != nil {
			return nil, err
		}
		if name := r.String(field); name != "" {
			out[name] = append(out[name], r.ID())
		}
	}
	return out, nil
}

func valuesOf(ids []adapter.ID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id.Value()
	}
	return out
}
