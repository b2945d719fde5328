package transfer

import (
	"context"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// readBack looks how the target kept what was written. What it keeps otherwise
// is said and noted, so that the next run does not write it again and again.
// Written once more it would not be safe: a company's address is its contacts'
// too, and each would undo the other.
func (r *run) readBack(ctx context.Context, m *model, items []*item) error {
	if r.mode != writing {
		return nil
	}
	var written []*item
	for _, it := range items {
		if !it.target.IsZero() && it.values != nil && r.state.Outcomes[m.name][it.source.String()] != Refused {
			written = append(written, it)
		}
	}
	there, err := r.there(ctx, m, written)
	if err != nil {
		return err
	}
	for _, it := range written {
		r.compare(m, it, there)
	}
	return nil
}

// compare says what the target keeps otherwise of a record and of its lines.
func (r *run) compare(m *model, it *item, there map[ref]adapter.Record) {
	if rec := there[ref{m.to, it.target}]; rec != nil {
		for _, name := range slices.Sorted(maps.Keys(it.values)) {
			if !same(m.target.Fields[name].Type, it.values[name], rec[name]) {
				r.keep(m, it, name, it.values[name], rec[name])
			}
		}
	}
	for i, l := range m.lines {
		for _, x := range it.lines[i] {
			r.compare(l.model, x, there)
		}
	}
}

func (r *run) keep(m *model, it *item, name string, want, got any) {
	r.state.hold(m.name, it.source, name, digest(want, got))
	d := Difference{it.source, it.target, name, want, got}
	if i := slices.IndexFunc(m.account.Differences, func(x Difference) bool { return x.Source == it.source && x.Field == name }); i >= 0 {
		m.account.Differences[i] = d
		return
	}
	m.account.Differences = append(m.account.Differences, d)
}
