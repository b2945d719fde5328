package bridge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// OData v2 can't filter by what lies in many records behind a record, such as
// the city of a partner's addresses or the name of a product, which SAP keeps
// in a record for each language. The bridge asks for those records first, and
// then for the ones that they belong to.

// maxSought is how many records behind others one condition may find.
const maxSought = 5000

// sought replaces the conditions that the system can't answer by conditions on
// what was found for them.
func (t *topic) sought(ctx context.Context, model string, f adapter.Filter) (adapter.Filter, error) {
	if f == nil || !t.nature.nests {
		return f, nil
	}
	many := false
	adapter.Walk(f, func(c adapter.Cond) bool {
		many = many || c.Op == adapter.Any || c.Op == adapter.NotAny || strings.Contains(c.Field, ".")
		return true
	})
	if !many {
		return f, nil
	}
	described, err := t.schema(ctx, model)
	if err != nil {
		return nil, err
	}
	return adapter.Map(f, func(c adapter.Cond) (adapter.Filter, error) {
		head, rest, dotted := strings.Cut(c.Field, ".")
		field := described.Fields[head]
		if field.Type != adapter.One2Many || field.Searchable || field.Relation == "" {
			return c, nil
		}
		var inner adapter.Filter = adapter.Cond{Field: rest, Op: c.Op, Value: c.Value}
		if !dotted {
			part, ok := c.Value.(adapter.Filter)
			if !ok || c.Op != adapter.Any && c.Op != adapter.NotAny {
				return c, nil // by the relation itself: for the system to refuse
			}
			inner = part
		}
		found, err := t.seek(ctx, described, field.Relation, inner)
		if err != nil {
			return nil, err
		}
		if !dotted && c.Op == adapter.NotAny {
			return adapter.Not{Part: found}, nil
		}
		return found, nil
	})
}

// seek finds the records behind others, and returns the condition for those
// that they belong to.
func (t *topic) seek(ctx context.Context, whole *adapter.Schema, model string, f adapter.Filter) (adapter.Filter, error) {
	if err := t.allowed(ctx, model, "read"); err != nil {
		return nil, err
	}
	f, err := t.sought(ctx, model, f)
	if err != nil {
		return nil, err
	}
	var owners adapter.Or
	seen := map[string]bool{}
	q := adapter.Query{Model: model, Filter: f, Fields: []string{t.idField()}}
	for n := 0; ; {
		var page adapter.Page
		err := t.do(ctx, work{operation: "query", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			page, err = a.Query(ctx, q)
			return err
		}})
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			owner, key, err := ownerOf(whole, model, r.ID())
			if err != nil {
				return nil, err
			}
			if !seen[key] {
				seen[key] = true
				owners = append(owners, owner)
			}
		}
		if n += len(page.Records); n > maxSought {
			return nil, &adapter.Error{
				Code: adapter.InvalidArgument, Model: t.model,
				Message: fmt.Sprintf("more than %d records of %s fit a condition that this system can only be asked in two steps; narrow it", maxSought, model),
			}
		}
		if page.Next == "" {
			return gathered(owners), nil
		}
		q.Cursor = page.Next
	}
}

// ownerOf is the condition for the record that another one belongs to: it has
// the keys that both have, SalesOrder='1' for SalesOrder='1',SalesOrderItem='10'.
func ownerOf(whole *adapter.Schema, model string, id adapter.ID) (owner adapter.Filter, key string, err error) {
	keys := keysOf(id)
	var all adapter.And
	var own []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if whole.Has(name) && keys[name] != "" {
			all = append(all, adapter.Cond{Field: name, Op: adapter.Equal, Value: keys[name]})
			own = append(own, fmt.Sprintf("%s=%q", name, keys[name]))
		}
	}
	key = strings.Join(own, ",")
	switch len(all) {
	case 0:
		return nil, "", &adapter.Error{
			Code: adapter.Unsupported, Model: whole.Model,
			Message: "nothing tells which record of " + whole.Model + " one of " + model + " belongs to, so that it can't be filtered by",
		}
	case 1:
		return all[0], key, nil
	}
	return all, key, nil
}

// gathered writes conditions on one field as one, which the system is asked in
// fewer words.
func gathered(owners adapter.Or) adapter.Filter {
	if len(owners) == 0 {
		return adapter.Always(false)
	}
	var values []any
	field := ""
	for _, o := range owners {
		c, ok := o.(adapter.Cond)
		if !ok || field != "" && c.Field != field {
			return owners
		}
		field = c.Field
		values = append(values, c.Value)
	}
	return adapter.Cond{Field: field, Op: adapter.In, Value: values}
}
