package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// translate carries texts in the languages that both sides have.
func (r *run) translate(ctx context.Context, m *model, items []*item) error {
	if len(m.names) == 0 {
		return nil
	}
	from := slices.Sorted(maps.Keys(m.names))
	to := make([]string, len(from))
	for i, f := range from {
		to[i] = m.names[f]
	}
	var sources, targets []adapter.ID
	for _, it := range items {
		if !it.target.IsZero() {
			sources, targets = append(sources, it.source), append(targets, it.target)
		}
	}
	if len(sources) == 0 {
		return nil
	}
	for _, lang := range r.langs {
		in, out := speaking(r.Source, lang), speaking(r.Target, lang)
		theirs, err := in.LiveRead(ctx, m.name, sources, from)
		if err != nil {
			return err
		}
		ours, err := out.LiveRead(ctx, m.to, targets, to)
		if err != nil {
			return err
		}
		was := byID(theirs)
		now := byID(ours)
		for _, it := range items {
			a, b := was[it.source], now[it.target]
			if a == nil || b == nil {
				continue
			}
			changes := adapter.Record{}
			for i, f := range from {
				v := a[f]
				if r.leftOut(m, to[i]) || adapter.IsEmpty(v) || same(m.target.Fields[to[i]].Type, v, b[to[i]]) {
					continue
				}
				if held := r.state.held(m.name, it.source, to[i]+"@"+lang); held != "" && held == digest(v, b[to[i]]) && r.mode != verifying {
					continue
				}
				changes[to[i]] = v
			}
			if len(changes) == 0 {
				continue
			}
			switch r.mode {
			case verifying:
				for name, v := range changes {
					m.account.Differences = append(m.account.Differences, Difference{it.source, it.target, name + "@" + lang, v, b[name]})
				}
			case writing:
				if err := out.Update(ctx, m.to, []adapter.ID{it.target}, changes); err != nil {
					if stops(err) {
						return err
					}
					r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s %s in %s: %s", m.name, it.source, lang, message(err)))
					continue
				}
				r.report.Writes++
				kept, err := out.LiveRead(ctx, m.to, []adapter.ID{it.target}, slices.Sorted(maps.Keys(changes)))
				if err != nil {
					return err
				}
				for name, v := range changes {
					if len(kept) > 0 && !same(m.target.Fields[name].Type, v, kept[0][name]) {
						r.keep(m, it, name+"@"+lang, v, kept[0][name])
					}
				}
			}
			r.state.note(m.name, it.source, Changed)
		}
	}
	return nil
}

func byID(records []adapter.Record) map[adapter.ID]adapter.Record {
	out := make(map[adapter.ID]adapter.Record, len(records))
	for _, rec := range records {
		out[rec.ID()] = rec
	}
	return out
}
