package bridge

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// asking is what a caller asked of records.
type asking struct {
	fields []string // nil for all
	lost   []string // of them, without counterpart
	plain  bool     // values as JSON has them, see adapter.Query
	bare   bool     // many-to-one values as ids
}

// records translates records that were read.
func (v *view) records(ctx context.Context, records []adapter.Record, a asking) ([]adapter.Record, error) {
	sources := make([][]string, len(a.fields))
	for i, f := range a.fields {
		sources[i], _, _ = v.lens.Fields([]string{f})
	}
	known := v.pin.schema(v.pin.version, v.model)
	out := make([]adapter.Record, len(records))
	for i, r := range records {
		got, notes, err := v.lens.Record(ctx, r, a.fields)
		if err != nil {
			return nil, single(err)
		}
		v.warn(ctx, notes)
		for j, f := range a.fields {
			if _, there := got[f]; there {
				continue
			}
			// A field that the system itself left out stays so; one that the
			// lens can't show is empty.
			if slices.Contains(a.lost, f) || slices.ContainsFunc(sources[j], func(s string) bool { _, read := r[s]; return read }) {
				got[f] = emptyOf(known, f, a.plain)
			}
		}
		if a.plain && known != nil {
			instants(got, known)
		}
		out[i] = got
	}
	if known != nil && !a.bare {
		v.nameRefs(ctx, out, known)
	}
	return out, nil
}

// record translates one record, or a part of one, that was read.
func (v *view) record(ctx context.Context, r adapter.Record, a asking) (adapter.Record, error) {
	list, err := v.records(ctx, []adapter.Record{r}, a)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// emptyOf is how a field says that it has no value.
func emptyOf(s *adapter.Schema, field string, plain bool) any {
	if s != nil {
		switch s.Fields[field].Type {
		case adapter.Boolean:
			return false
		case adapter.Integer, adapter.Float, adapter.Monetary:
			return 0
		case adapter.One2Many, adapter.Many2Many:
			return []any{}
		}
	}
	if plain {
		return nil
	}
	return false
}

// instants writes the moments that the lens made of dates as plain values do.
func instants(r adapter.Record, s *adapter.Schema) {
	for name, v := range r {
		if text, ok := v.(string); ok && s.Fields[name].Type == adapter.DateTime {
			if t, err := time.Parse(time.DateTime, text); err == nil {
				r[name] = t.Format(time.RFC3339)
			}
		}
	}
}

// nameRefs gives the many-to-one values that the lens made of lists of ids
// their names, as such values read. Where the names can't be had the ids stay
// by themselves.
func (v *view) nameRefs(ctx context.Context, records []adapter.Record, known *adapter.Schema) {
	missing := map[string][]adapter.ID{} // by relation
	each := func(visit func(r adapter.Record, field, relation string, id adapter.ID)) {
		for _, r := range records {
			for name, value := range r {
				switch value.(type) {
				case json.Number, int, int64:
				default:
					continue
				}
				f := known.Fields[name]
				if f.Type != adapter.Many2One || f.Relation == "" {
					continue
				}
				if id, ok := adapter.IDOf(value); ok {
					visit(r, name, f.Relation, id)
				}
			}
		}
	}
	each(func(_ adapter.Record, _, relation string, id adapter.ID) {
		if !slices.Contains(missing[relation], id) {
			missing[relation] = append(missing[relation], id)
		}
	})
	names := map[string]map[adapter.ID]string{}
	for relation, ids := range missing {
		o, err := v.other(relation)
		if err != nil {
			continue
		}
		found, err := adapter.Read(ctx, v.own, o.lens.Model(), ids, []string{"display_name"})
		if err != nil {
			continue
		}
		names[relation] = map[adapter.ID]string{}
		for _, r := range found {
			names[relation][r.ID()] = r.String("display_name")
		}
	}
	each(func(r adapter.Record, field, relation string, id adapter.ID) {
		if name, ok := names[relation][id]; ok {
			r[field] = []any{id, name}
		}
	})
}
