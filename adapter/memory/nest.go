package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Nested is an [Adapter] that reads and creates nested records by itself, as
// SAP and Salesforce do. Make one with [NewNested].
type Nested struct{ *Adapter }

var _ adapter.Nester = (*Nested)(nil)

// NewNested is [New] for a Nested adapter. What a path leads through is read as
// an object, or a list of objects, in place of the relation's own value.
func NewNested(schemas ...adapter.Schema) *Nested { return &Nested{New(schemas...)} }

// Nests implements [adapter.Nester].
func (*Nested) Nests() {}

// Query implements [adapter.Adapter].
func (n *Nested) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	heads, paths := split(q.Fields)
	if len(paths) == 0 {
		return n.Adapter.Query(ctx, q)
	}
	q.Fields = heads
	page, err := n.Adapter.Query(ctx, q)
	if err != nil {
		return page, err
	}
	return page, n.nest(ctx, q.Model, page.Records, paths, q.Plain)
}

// Read implements [adapter.Reader].
func (n *Nested) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	heads, paths := split(fields)
	records, err := n.Adapter.Read(ctx, model, ids, heads)
	if err != nil || len(paths) == 0 {
		return records, err
	}
	return records, n.nest(ctx, model, records, paths, false)
}

// split takes the relations out of paths: what to read of the model itself,
// and behind each relation.
func split(fields []string) (heads []string, paths map[string][]string) {
	if fields == nil {
		return nil, nil
	}
	heads = []string{}
	for _, f := range fields {
		head, rest, deeper := strings.Cut(f, ".")
		if !slices.Contains(heads, head) {
			heads = append(heads, head)
		}
		if deeper {
			if paths == nil {
				paths = map[string][]string{}
			}
			paths[head] = append(paths[head], rest)
		}
	}
	return heads, paths
}

// nest puts the records behind relations in place.
func (n *Nested) nest(ctx context.Context, model string, records []adapter.Record, paths map[string][]string, plain bool) error {
	schema, err := n.Schema(ctx, model)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		field := schema.Fields[name]
		if !field.Type.Relational() || field.Relation == "" {
			return refuse(schema, name, "is no relation, so nothing can be read through it")
		}
		one := field.Type == adapter.Many2One
		if len(records) == 0 {
			// Paths are held against the schema even so.
			_, err = n.Query(ctx, adapter.Query{Model: field.Relation, Fields: paths[name], Limit: 1})
			if err != nil {
				return err
			}
		}
		for _, r := range records {
			found, err := n.behind(ctx, field.Relation, r, name, one, paths[name], plain)
			if err != nil {
				return err
			}
			list := make([]any, len(found))
			for i, f := range found {
				list[i] = map[string]any(f)
			}
			switch {
			case !one:
				r[name] = list
			case len(list) == 0:
				r[name] = nil
			default:
				r[name] = list[0]
			}
		}
	}
	return nil
}

func (n *Nested) behind(ctx context.Context, model string, r adapter.Record, name string, one bool, fields []string, plain bool) ([]adapter.Record, error) {
	ids := r.IDs(name)
	if ref, ok := r.Ref(name); one && ok {
		ids = []adapter.ID{ref.ID}
	}
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id.Value()
	}
	page, err := n.Query(ctx, adapter.Query{Model: model, Fields: fields, Plain: plain, Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: list}})
	return page.Records, err
}

// Create implements [adapter.Adapter]: the record with all that is nested in
// it, or nothing.
func (n *Nested) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	var id adapter.ID
	err := n.writing(ctx, func() (err error) {
		var made []rowName
		if id, err = n.createNested(model, values, &made); err != nil {
			for _, m := range slices.Backward(made) {
				_ = n.remove(m.model, []adapter.ID{m.id})
			}
		}
		return err
	})
	return id, err
}

type rowName struct {
	model string
	id    adapter.ID
}

func (n *Nested) createNested(model string, values adapter.Record, made *[]rowName) (adapter.ID, error) {
	t, err := n.table(model)
	if err != nil {
		return adapter.ID{}, err
	}
	own := adapter.Record{}
	var lines []string
	for name, v := range values {
		if list, ok := v.([]any); ok && computed(t.schema.Fields[name]) && !adapter.IsEmpty(list) {
			lines = append(lines, name)
			continue
		}
		if !computed(t.schema.Fields[name]) {
			own[name] = v
		}
	}
	ids, err := n.create(t, []adapter.Record{own})
	if err != nil {
		return adapter.ID{}, err
	}
	*made = append(*made, rowName{model, ids[0]})
	slices.Sort(lines)
	for _, name := range lines {
		field := t.schema.Fields[name]
		for _, item := range values[name].([]any) {
			line, ok := item.(map[string]any)
			if !ok {
				return adapter.ID{}, refuse(t.schema, name, "takes objects of values")
			}
			line = maps.Clone(line)
			line[field.Inverse] = ids[0].Value()
			if _, err := n.createNested(field.Relation, line, made); err != nil {
				return adapter.ID{}, err
			}
		}
	}
	return ids[0], nil
}

// CreateMany implements [adapter.BatchCreator].
func (n *Nested) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	var ids []adapter.ID
	err := n.writing(ctx, func() error {
		var made []rowName
		for _, v := range values {
			id, err := n.createNested(model, v, &made)
			if err != nil {
				for _, m := range slices.Backward(made) {
					_ = n.remove(m.model, []adapter.ID{m.id})
				}
				ids = nil
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// CreateEach implements [adapter.EachCreator].
func (n *Nested) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	return each(ctx, values, func(v adapter.Record) (adapter.ID, error) { return n.Create(ctx, model, v) })
}

// Update implements [adapter.Adapter]. Nested records are changed by
// themselves.
func (n *Nested) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	if err := n.noLines(ctx, model, values); err != nil {
		return err
	}
	return n.Adapter.Update(ctx, model, ids, values)
}

// UpdateIf implements [adapter.Conditional].
func (n *Nested) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	if err := n.noLines(ctx, model, values); err != nil {
		return err
	}
	return n.Adapter.UpdateIf(ctx, model, id, etag, values)
}

func (n *Nested) noLines(ctx context.Context, model string, values adapter.Record) error {
	schema, err := n.Schema(ctx, model)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if field := schema.Fields[name]; computed(field) {
			return &adapter.Error{Code: adapter.Unsupported, Model: model, Field: name, Message: "field " + quoted(name) + " can't be written with an update; create, change or delete records of " + field.Relation}
		}
	}
	return nil
}
