package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/migrate"
)

// ref is a record of the source, by its model's name in the target.
type ref struct {
	model string
	id    adapter.ID
}

// matcher finds the records of the target that stand for those of the source.
type matcher struct {
	run    *run
	known  map[ref]adapter.ID
	absent map[ref]bool      // asked for, and not there; of models that are not carried
	before map[string]string // models' names in the source, "" for none
}

func newMatcher(r *run) *matcher {
	return &matcher{run: r, known: map[ref]adapter.ID{}, absent: map[ref]bool{}, before: map[string]string{}}
}

// old is a model's name in the source.
func (m *matcher) old(model string) string {
	if name, done := m.before[model]; done {
		return name
	}
	name := ""
	for _, own := range m.run.byModel {
		if own.to == model {
			name = own.name
		}
		for _, l := range own.lines {
			if l.to == model {
				name = l.name
			}
		}
	}
	if name == "" {
		if m.run.from == m.run.to {
			name = model
		} else if l, err := m.run.Pack.Lens(model, m.run.to, m.run.from, migrate.LensOptions{}); err == nil {
			name = l.Model()
		}
	}
	m.before[model] = name
	return name
}

// check sees that what [Transfer.Map] says is so.
func (m *matcher) check(ctx context.Context) error {
	for _, from := range slices.Sorted(maps.Keys(m.run.Map)) {
		model, _, _ := strings.Cut(from, ":")
		to := model
		if m.run.from != m.run.to {
			l, err := m.run.Pack.Lens(model, m.run.from, m.run.to, migrate.LensOptions{})
			if err != nil {
				return wrong("map", "map: %s: %s", from, message(plain(err)))
			}
			to = l.Model()
		}
		there, err := m.run.out.LiveQuery(ctx, adapter.Query{Model: to, Fields: []string{"id"}, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: m.run.Map[from].Value()}, Limit: 1})
		switch {
		case err != nil && stops(err):
			return err
		case err != nil:
			return wrong("map", "map: %s: %s", from, message(err))
		case len(there) == 0:
			return wrong("map", "map: %s stands for %s of the target, which has no such record of %s", from, m.run.Map[from], to)
		}
	}
	return nil
}

// own reports whether records of the model are carried.
func (m *matcher) own(model string) bool {
	for _, o := range m.run.byModel {
		if o.to == model || slices.ContainsFunc(o.lines, func(l *line) bool { return l.to == model }) {
			return true
		}
	}
	return false
}

// find looks all of them up that are not known yet.
func (m *matcher) find(ctx context.Context, refs map[ref]bool) error {
	wanted := map[ref]bool{}
	for r := range refs {
		if _, done := m.known[r]; done || m.absent[r] {
			continue
		}
		if to, ok := m.run.Map[m.old(r.model)+":"+r.id.String()]; ok {
			m.known[r] = to
			continue
		}
		wanted[r] = true
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := m.earlier(ctx, wanted); err != nil {
		return err
	}
	if err := m.delivered(ctx, wanted); err != nil {
		return err
	}
	byModel := map[string][]adapter.ID{}
	for r := range wanted {
		if _, done := m.known[r]; !done && !m.own(r.model) {
			byModel[r.model] = append(byModel[r.model], r.id)
		}
	}
	for _, model := range slices.Sorted(maps.Keys(byModel)) {
		if err := m.byKeys(ctx, model, byModel[model]); err != nil {
			return err
		}
		for _, id := range byModel[model] {
			if r := (ref{model, id}); m.known[r].IsZero() {
				m.absent[r] = true
			}
		}
	}
	return nil
}

// part leaves each record of the target to one of those that it stands for, the
// oldest. Others may refer to the same one for both; written into it, each would
// undo the other.
func (m *matcher) part(model string) {
	oldest := map[adapter.ID]ref{}
	for r, to := range m.known {
		if was, ok := oldest[to]; r.model == model && (!ok || byNumber(r.id, was.id) < 0) {
			oldest[to] = r
		}
	}
	maps.DeleteFunc(m.known, func(r ref, to adapter.ID) bool { return r.model == model && oldest[to] != r })
}

// earlier finds what earlier runs wrote.
func (m *matcher) earlier(ctx context.Context, wanted map[ref]bool) error {
	byName := map[string]ref{}
	for r := range wanted {
		if old := m.old(r.model); old != "" {
			byName[m.run.Source.ExternalName(old, r.id)] = r
		}
	}
	names := slices.Sorted(maps.Keys(byName))
	return external(ctx, m.run.out, "name", texts(names), adapter.Cond{Field: "module", Op: adapter.Equal, Value: bridge.ExternalModule}, func(e externalID) {
		if r, ok := byName[e.name]; ok && e.model == r.model {
			m.known[r] = e.id
		}
	})
}

// delivered finds what the modules of both systems brought.
func (m *matcher) delivered(ctx context.Context, wanted map[ref]bool) error {
	ids := map[string][]any{}
	after := map[string]string{}
	for r := range wanted {
		old := m.old(r.model)
		if _, done := m.known[r]; done || old == "" || m.run.CreateDelivered && m.own(r.model) {
			continue
		}
		ids[old] = append(ids[old], r.id.Value())
		after[old] = r.model
	}
	byName, charts := map[string]ref{}, map[string]ref{}
	var names []string
	for _, model := range slices.Sorted(maps.Keys(ids)) {
		err := external(ctx, m.run.in, "res_id", ids[model], adapter.Cond{Field: "model", Op: adapter.Equal, Value: model}, func(e externalID) {
			if strings.HasPrefix(e.module, "__") {
				return // exported, imported or carried: made by hand, not delivered
			}
			r := ref{after[model], e.id}
			byName[e.module+"."+e.name] = r
			if strings.HasPrefix(e.module, "l10n_") {
				charts[e.name] = r
			}
			names = append(names, e.name)
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(names)
	taken := map[ref]bool{}
	err := external(ctx, m.run.out, "name", texts(slices.Compact(names)), nil, func(e externalID) {
		r, ok := byName[e.module+"."+e.name]
		if !ok && e.module == "account" {
			r, ok = charts[e.name] // from 17.0 on the records of charts are account's own
		}
		if ok && e.model == r.model && !taken[r] {
			m.known[r], taken[r] = e.id, true
		}
	})
	if err != nil {
		return err
	}
	return m.run.strays(ctx, taken)
}

// byKeys finds records by what tells them apart for people.
func (m *matcher) byKeys(ctx context.Context, model string, ids []adapter.ID) error {
	old := m.old(model)
	if old == "" {
		return nil
	}
	from, err := m.run.in.LiveSchema(ctx, old)
	if err != nil {
		return hushed(err)
	}
	for _, key := range naturalKeys(model) {
		if err := m.byKey(ctx, model, old, from, key, ids); err != nil {
			return err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id adapter.ID) bool { return !m.known[ref{model, id}].IsZero() })
		if len(ids) == 0 {
			return nil
		}
	}
	return nil
}

func (m *matcher) byKey(ctx context.Context, model, old string, from *adapter.Schema, key []string, ids []adapter.ID) error {
	records, err := m.run.in.LiveRead(ctx, old, ids, key)
	if err != nil {
		return hushed(err)
	}
	further := map[ref]bool{}
	for _, f := range key {
		if field := from.Fields[f]; field.Type == adapter.Many2One {
			for _, r := range records {
				if id, ok := adapter.IDOf(r[f]); ok {
					further[ref{field.Relation, id}] = true
				}
			}
		}
	}
	if err := m.find(ctx, further); err != nil {
		return err
	}
	// text is what a record is told by, "" where it has no value.
	text := func(r adapter.Record, source bool) string {
		var parts []string
		for _, f := range key {
			v := r[f]
			if from.Fields[f].Type == adapter.Many2One {
				id, _ := adapter.IDOf(v)
				if source {
					id = m.known[ref{from.Fields[f].Relation, id}]
				}
				v = id.String()
			}
			if adapter.IsEmpty(v) {
				return ""
			}
			if s, isText := v.(string); isText {
				v = strings.ToLower(strings.TrimSpace(s))
			}
			parts = append(parts, fmt.Sprint(v))
		}
		return strings.Join(parts, "\x00")
	}
	wanted := map[string][]adapter.ID{}
	var values []any
	for _, r := range records {
		if k := text(r, true); k != "" {
			wanted[k] = append(wanted[k], r.ID())
			v := r[key[0]]
			if from.Fields[key[0]].Type == adapter.Many2One {
				id, _ := adapter.IDOf(v)
				v = m.known[ref{from.Fields[key[0]].Relation, id}].Value()
			}
			values = append(values, v)
		}
	}
	found := map[string][]adapter.ID{}
	const atOnce = 200
	for part := range slices.Chunk(values, atOnce) {
		page, err := m.run.out.LiveQuery(ctx, adapter.Query{Model: model, Fields: key, Filter: adapter.Cond{Field: key[0], Op: adapter.In, Value: part}, Limit: 1000})
		if err != nil {
			return hushed(err)
		}
		for _, r := range page {
			if k := text(r, false); wanted[k] != nil {
				found[k] = append(found[k], r.ID())
			}
		}
	}
	for k, there := range found {
		// Several that can't be told apart are no counterpart.
		if len(there) == 1 {
			for _, id := range wanted[k] {
				m.known[ref{model, id}] = there[0]
			}
		}
	}
	return nil
}
