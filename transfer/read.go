package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// item is a record on its way.
type item struct {
	source adapter.ID
	from   adapter.Record // as the source has it
	up     adapter.Record // in the new version, with the source's ids
	values adapter.Record // what the target is to have
	target adapter.ID     // zero where it is not there
	fresh  bool           // it was created now
	late   bool           // references of it wait
	lines  [][]*item      // by the model's lines
}

// name is what people call the record.
func (it *item) name() string {
	if name := it.from.String("name"); name != "" {
		return name
	}
	return it.from.String("display_name")
}

// ids are a model's records, each after those of the same model that it refers
// to, as far as they don't go in circles.
func (r *run) ids(ctx context.Context, m *model) ([]adapter.ID, error) {
	var self []string
	for _, f := range slices.Sorted(maps.Keys(m.source.Fields)) {
		if s := m.source.Fields[f]; s.Type == adapter.Many2One && s.Relation == m.name && s.Stored {
			self = append(self, f)
		}
	}
	var ids []adapter.ID
	ahead := map[adapter.ID][]adapter.ID{}
	const atOnce = 1000
	var from adapter.ID
	for {
		q := adapter.Query{Model: m.name, Fields: append([]string{"id"}, self...), Order: []adapter.Order{{Field: "id"}}, Limit: atOnce}
		if !from.IsZero() {
			q.Filter = adapter.Cond{Field: "id", Op: adapter.Greater, Value: from.Value()}
		}
		page, err := r.in.LiveQuery(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, rec := range page {
			id := rec.ID()
			ids = append(ids, id)
			for _, f := range self {
				if to, ok := adapter.IDOf(rec[f]); ok && to != id {
					ahead[id] = append(ahead[id], to)
				}
			}
		}
		if len(page) < atOnce {
			break
		}
		from = page[len(page)-1].ID()
	}
	if len(ahead) == 0 {
		return ids, nil
	}
	there := map[adapter.ID]bool{}
	for _, id := range ids {
		there[id] = true
	}
	out := make([]adapter.ID, 0, len(ids))
	seen := map[adapter.ID]bool{}
	var visit func(adapter.ID)
	visit = func(id adapter.ID) {
		if seen[id] || !there[id] {
			return
		}
		seen[id] = true
		for _, to := range ahead[id] {
			visit(to)
		}
		out = append(out, id)
	}
	for _, id := range ids {
		visit(id)
	}
	return out, nil
}

// read reads records with their lines, and brings them into the new version.
// Those that the rules refuse are apart.
func (r *run) read(ctx context.Context, m *model, ids []adapter.ID) (items []*item, refused map[adapter.ID]error, err error) {
	fields := slices.Clone(m.fields)
	for _, l := range m.lines {
		fields = append(fields, l.field)
	}
	if m.companion != nil && m.source.Has(m.companion.field) {
		fields = append(fields, m.companion.field)
	}
	for _, c := range companions {
		if c.model == m.name && m.source.Has(c.tells) {
			fields = append(fields, c.tells)
		}
	}
	if !slices.Contains(fields, "name") && m.source.Has("display_name") {
		fields = append(fields, "display_name") // to name it in the report
	}
	records, err := r.in.LiveRead(ctx, m.name, ids, fields)
	if err != nil {
		return nil, nil, err
	}
	refused = map[adapter.ID]error{}
	for _, rec := range records {
		it, err := r.up(ctx, m, rec)
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, err
			}
			refused[rec.ID()] = plain(err)
			continue
		}
		items = append(items, it)
	}
	// As asked for, whatever order the source has them in.
	at := map[adapter.ID]int{}
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(items, func(a, b *item) int { return at[a.source] - at[b.source] })
	for _, l := range m.lines {
		var all []adapter.ID
		for _, it := range items {
			all = append(all, it.from.IDs(l.field)...)
		}
		got, broken, err := r.read(ctx, l.model, all)
		if err != nil {
			return nil, nil, err
		}
		byID := map[adapter.ID]*item{}
		for _, x := range got {
			byID[x.source] = x
		}
		for _, it := range items {
			own := []*item{}
			for _, id := range it.from.IDs(l.field) {
				if x := byID[id]; x != nil {
					own = append(own, x)
				} else if err := broken[id]; err != nil {
					refused[it.source] = fmt.Errorf("its line %s was refused by the rules: %w", id, err)
				}
			}
			it.lines = append(it.lines, own)
		}
	}
	items = slices.DeleteFunc(items, func(it *item) bool { return refused[it.source] != nil })
	return items, refused, nil
}

func (r *run) up(ctx context.Context, m *model, rec adapter.Record) (*item, error) {
	mine := adapter.Record{"id": rec["id"]}
	for _, f := range m.fields {
		if v, ok := rec[f]; ok {
			mine[f] = v
		}
	}
	got, err := m.plan.Up(ctx, mine)
	if err != nil {
		return nil, err
	}
	return &item{source: rec.ID(), from: rec, up: got.Record}, nil
}

// refs are the records that items refer to, and with own the items themselves.
func (r *run) refs(m *model, items []*item, own bool) map[ref]bool {
	out := map[ref]bool{}
	for _, it := range items {
		if own {
			out[ref{m.to, it.source}] = true
		}
		for name, v := range it.up {
			f := m.target.Fields[name]
			if f.Type != adapter.Many2One && f.Type != adapter.Many2Many || f.Relation == "" || !writableField(f) {
				continue
			}
			if _, is := kept(m.name, name); is || r.leftOut(m, name) {
				continue
			}
			for _, id := range relatedIDs(v, f.Type) {
				out[ref{f.Relation, id}] = true
			}
		}
		for i, l := range m.lines {
			if i < len(it.lines) {
				maps.Copy(out, r.refs(l.model, it.lines[i], true))
			}
		}
		if c := m.companion; c != nil {
			for _, id := range it.from.IDs(c.field) {
				out[ref{r.byModel[c.model].to, id}] = true
			}
		}
	}
	return out
}

// there reads the target's records that items, and their lines, stand for.
func (r *run) there(ctx context.Context, m *model, items []*item) (map[ref]adapter.Record, error) {
	out := map[ref]adapter.Record{}
	var ids []adapter.ID
	fields := map[string]bool{}
	for _, it := range items {
		if it.target.IsZero() {
			continue
		}
		ids = append(ids, it.target)
		for name := range it.up {
			if f, ok := m.target.Fields[name]; ok && f.Type != adapter.One2Many {
				fields[name] = true
			}
		}
	}
	for _, l := range m.lines {
		fields[l.toField] = true
	}
	if len(ids) == 0 {
		return out, nil
	}
	records, err := r.out.LiveRead(ctx, m.to, ids, slices.Sorted(maps.Keys(fields)))
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		out[ref{m.to, rec.ID()}] = rec
	}
	for i, l := range m.lines {
		var own []*item
		for _, it := range items {
			for _, x := range it.lines[i] {
				x.target = r.matcher.known[ref{l.to, x.source}]
				own = append(own, x)
			}
		}
		more, err := r.there(ctx, l.model, own)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, more)
	}
	return out, nil
}
