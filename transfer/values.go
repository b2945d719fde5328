package transfer

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// values are what the target is to have of a record, with its own ids. late
// says that some references are to records of the transfer that are not there.
func (r *run) values(m *model, it *item, inverse string, p pass) (out adapter.Record, late bool) {
	out = adapter.Record{}
	for _, name := range slices.Sorted(maps.Keys(it.up)) {
		v := it.up[name]
		f, there := m.target.Fields[name]
		_, is := kept(m.name, name)
		isState := slices.Contains(states, name)
		empty := adapter.IsEmpty(v) && f.Type != adapter.Boolean
		switch {
		case !there, name == "id", name == inverse, is, r.leftOut(m, name), unreadable(f), f.Type == adapter.One2Many:
			continue
		case isState && (f.Type == adapter.Selection || name == "locked"):
			if r.State && p == last {
				out[name] = v
			}
			continue
		case p == last, !writableField(f):
			continue
		case empty:
			// Said, not left out: otherwise the target would make up a default,
			// such as taxes on a line that has none.
			switch {
			case f.Required:
			case f.Type == adapter.Many2Many:
				out[name] = []any{[]any{6, 0, []any{}}}
			default:
				out[name] = false
			}
			continue
		}
		switch f.Type {
		case adapter.Many2One, adapter.Many2Many:
			ids, whole := []any{}, true
			all := relatedIDs(v, f.Type)
			for _, id := range all {
				to, ok := r.matcher.known[ref{f.Relation, id}]
				switch {
				case ok && !to.IsZero():
					ids = append(ids, to.Value())
				case r.matcher.own(f.Relation):
					whole, late = false, true
				}
			}
			switch {
			case f.Type == adapter.Many2One && len(ids) > 0:
				out[name] = ids[0]
			case f.Type == adapter.Many2Many && (whole || len(ids) > 0) && (len(ids) > 0 || len(all) == 0):
				out[name] = []any{[]any{6, 0, ids}}
			}
		default:
			out[name] = v
		}
	}
	return out, late
}

// differences are the values that the target's record has otherwise, without
// those that it is known not to keep.
func (r *run) differences(m *model, it *item, values, rec adapter.Record) adapter.Record {
	out := adapter.Record{}
	for name, v := range values {
		if same(m.target.Fields[name].Type, v, rec[name]) {
			continue
		}
		if held := r.state.held(m.name, it.source, name); held != "" && held == digest(v, rec[name]) && r.mode != verifying {
			continue
		}
		out[name] = v
	}
	return out
}

// relatedIDs reads an id, a pair, a list of ids, or Odoo's command that sets
// one.
func relatedIDs(v any, kind adapter.FieldType) []adapter.ID {
	if kind == adapter.Many2One {
		if id, ok := adapter.IDOf(v); ok {
			return []adapter.ID{id}
		}
		return nil
	}
	list, _ := v.([]any)
	if len(list) == 1 {
		if command, ok := list[0].([]any); ok && len(command) == 3 {
			list, _ = command[2].([]any)
		}
	}
	ids := make([]adapter.ID, 0, len(list))
	for _, x := range list {
		if id, ok := adapter.IDOf(x); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// same compares a value to be written with one that was read.
func same(kind adapter.FieldType, write, read any) bool {
	if adapter.IsEmpty(write) && adapter.IsEmpty(read) {
		return true
	}
	switch kind {
	case adapter.Many2One:
		a, _ := adapter.IDOf(write)
		b, _ := adapter.IDOf(read)
		return a == b
	case adapter.Many2Many:
		a, b := relatedIDs(write, kind), relatedIDs(read, kind)
		slices.SortFunc(a, byNumber)
		slices.SortFunc(b, byNumber)
		return slices.Equal(a, b)
	case adapter.Integer, adapter.Float, adapter.Monetary:
		return adapter.Record{"": write}.Float("") == adapter.Record{"": read}.Float("")
	}
	a, err1 := json.Marshal(write)
	b, err2 := json.Marshal(read)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// digest tells a pair of values from others.
func digest(a, b any) string {
	x, _ := json.Marshal([]any{a, b})
	return sum(x)
}

func byNumber(a, b adapter.ID) int {
	x, _ := a.Int()
	y, _ := b.Int()
	return int(x - y)
}
