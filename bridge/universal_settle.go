package bridge

import (
	"context"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// An update of a field that lies in a record behind the record, such as the
// city of a business partner's address, is a change of that other record, or
// makes it where there is none.

// branch is what an update writes into one record, and into those behind it.
type branch struct {
	field  string // universal, of the first value
	step   mapping.Step
	values adapter.Record
	behind []*branch
}

// grow puts a value on the tree.
func (b *branch) grow(field string, path mapping.Path, value any) {
	if len(path) == 1 {
		b.values[path[0].Name] = value
		return
	}
	for _, next := range b.behind {
		if next.step.Name == path[0].Name && slices.Equal(next.step.Keys, path[0].Keys) {
			next.grow(field, path[1:], value)
			return
		}
	}
	next := &branch{field: field, step: path[0], values: adapter.Record{}}
	b.behind = append(b.behind, next)
	next.grow(field, path[1:], value)
}

// paths are the fields that tell which records there are.
func (b *branch) paths(prefix, idField string) []string {
	var out []string
	for _, next := range b.behind {
		at := prefix + next.step.Name
		out = append(out, at+"."+idField)
		for _, k := range next.step.Keys {
			out = append(out, at+"."+k.Field)
		}
		out = append(out, next.paths(at+".", idField)...)
	}
	return out
}

// settle finds out which records an update changes behind a record.
func (t *topic) settle(ctx context.Context, id adapter.ID, v mapping.Values) ([]apart, error) {
	var all []apart
	if len(v.Nested) > 0 {
		root := &branch{values: adapter.Record{}}
		for _, n := range v.Nested {
			root.grow(n.Field, n.Path, n.Value)
		}
		there, err := t.behind(ctx, id, root)
		if err != nil {
			return nil, err
		}
		if err := t.settleBranch(ctx, t.plan.SystemModel(), there, root, &all); err != nil {
			return nil, err
		}
	}
	for _, l := range v.Lines {
		lines, err := t.settleLines(ctx, id, l)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, t.mayDeeds(ctx, all)
}

// behind reads which records there are behind a record.
func (t *topic) behind(ctx context.Context, id adapter.ID, root *branch) (adapter.Record, error) {
	q := adapter.Query{Model: t.plan.SystemModel(), Filter: idCondition(t.idField(), []adapter.ID{id}), Fields: root.paths("", t.idField())}
	var e *expansion
	if !t.nature.nests {
		var err error
		if e, _, err = t.expansionTo(ctx, q.Model, q.Fields, ExpandNested, mappingsReach); err != nil {
			return nil, err
		}
		q.Fields = e.base
	}
	ctx = t.scoped(ctx, &t.caller.Scope)
	var page adapter.Page
	err := t.do(ctx, work{operation: "query", model: q.Model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		page, err = a.Query(ctx, q)
		return err
	}})
	if err != nil {
		return nil, err
	}
	if len(page.Records) == 0 {
		return nil, &adapter.Error{Code: adapter.NotFound, Model: t.model, Field: "id", Message: "there is no " + t.model + " " + id.String()}
	}
	if e != nil {
		if _, err := t.expandRecords(ctx, e, page.Records, false); err != nil {
			return nil, err
		}
	}
	page.Records[0]["id"] = id.Value()
	return page.Records[0], nil
}

// settleBranch compares what is to be written with the records that there are.
func (t *topic) settleBranch(ctx context.Context, model string, there adapter.Record, b *branch, all *[]apart) error {
	for _, next := range b.behind {
		relation, inverse, err := t.relationOf(ctx, model, next.step.Name)
		if err != nil {
			return err
		}
		found := fitting(there[next.step.Name], next.step)
		part := apart{field: next.field, parent: model, relation: next.step.Name, whole: there.ID(), model: relation, inverse: inverse}
		switch {
		case found == nil:
			part.deeds = []deed{{method: "create", values: next.fresh()}}
			*all = append(*all, part)
			continue
		case len(next.values) > 0:
			part.deeds = []deed{{method: "write", id: found.ID(), values: next.values}}
			*all = append(*all, part)
		}
		if err := t.settleBranch(ctx, relation, found, next, all); err != nil {
			return err
		}
	}
	return nil
}

// fitting is the record that a step leads to, nil for none.
func fitting(v any, step mapping.Step) adapter.Record {
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	for _, item := range list {
		r, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if !slices.ContainsFunc(step.Keys, func(k mapping.Key) bool { return adapter.Record(r).String(k.Field) != k.Value }) {
			return r
		}
	}
	return nil
}

// fresh are the values of a record that is not there yet, with those behind it.
func (b *branch) fresh() adapter.Record {
	out := maps.Clone(b.values)
	for _, k := range b.step.Keys {
		if _, given := out[k.Field]; !given {
			out[k.Field] = k.Value
		}
	}
	for _, next := range b.behind {
		inner := map[string]any(next.fresh())
		if !next.step.Many {
			out[next.step.Name] = inner
			continue
		}
		list, _ := out[next.step.Name].([]any)
		out[next.step.Name] = append(list, inner)
	}
	return out
}

// settleLines prepares the changes of lines.
func (t *topic) settleLines(ctx context.Context, id adapter.ID, l mapping.LineChanges) ([]apart, error) {
	model, inverse, err := t.relationOf(ctx, t.plan.SystemModel(), l.Relation)
	if err != nil {
		return nil, err
	}
	if l.Inverse != "" {
		inverse = l.Inverse
	}
	part := apart{field: l.Field, parent: t.plan.SystemModel(), relation: l.Relation, whole: id, model: model, inverse: inverse}
	var behind []apart
	line := *t
	line.plan, line.model = l.Plan, l.Plan.Model()
	for _, c := range l.Change {
		if len(c.Values.Record) > 0 {
			part.deeds = append(part.deeds, deed{"write", c.ID, c.Values.Record})
		}
		more, err := line.settle(ctx, c.ID, c.Values)
		if err != nil {
			return nil, err
		}
		behind = append(behind, more...)
	}
	for _, r := range l.Remove {
		part.deeds = append(part.deeds, deed{method: "unlink", id: r})
	}
	for _, r := range l.Add {
		part.deeds = append(part.deeds, deed{method: "create", values: r})
	}
	if err := t.belong(ctx, part); err != nil {
		return nil, err
	}
	return append([]apart{part}, behind...), nil
}
