package bridge

import (
	"context"
	"encoding/json"

	"github.com/bridgecore/bridgecore/adapter"
)

// invoke calls a method of the system, or where the system has no methods of
// that kind, does the same with what every system can.
func invoke(ctx context.Context, a adapter.Adapter, call adapter.Call) (json.RawMessage, error) {
	if c, ok := a.(adapter.Caller); ok {
		return c.Call(ctx, call)
	}
	stand := standIns[call.Method]
	if stand == nil {
		return nil, &adapter.Error{Code: adapter.Unsupported, Model: call.Model, Message: "a " + a.Info().Kind + " system has no operation " + call.Method}
	}
	v, err := stand(ctx, a, call.Model, given(call.Kwargs))
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Message: "the answer can't be written as JSON", Err: err}
	}
	return b, nil
}

// standIns are the operations in terms of the adapter's own methods.
var standIns = map[string]func(context.Context, adapter.Adapter, string, given) (any, error){
	"search_read": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		q, err := g.query(model)
		if err != nil {
			return nil, err
		}
		page, err := a.Query(ctx, q)
		return orEmpty(page.Records), err
	},
	"read": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		records, err := adapter.Read(ctx, a, model, g.ids(), g.names("fields"))
		return orEmpty(records), err
	},
	"search": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		q, err := g.query(model)
		if err != nil {
			return nil, err
		}
		ids, err := adapter.SearchIDs(ctx, a, q)
		return orEmpty(ids), err
	},
	"search_count": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		f, err := g.filter()
		if err != nil {
			return nil, err
		}
		return adapter.Count(ctx, a, model, f)
	},
	"fields_get": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		s, err := a.Schema(ctx, model)
		if err != nil {
			return nil, err
		}
		return fieldsOf(s, g.names("allfields")), nil
	},
	"name_search": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		f, err := g.filter()
		if err != nil {
			return nil, err
		}
		name, _ := g["name"].(string)
		limit, _ := g["limit"].(int)
		refs, err := adapter.NameSearch(ctx, a, model, name, f, limit)
		return pairs(refs), err
	},
	"create": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		b, _ := g["values"].(json.RawMessage)
		var many []adapter.Record
		if adapter.DecodeJSON(b, &many) == nil {
			return adapter.CreateMany(ctx, a, model, many)
		}
		one, err := adapter.DecodeRecord(b)
		if err != nil {
			return nil, wrong("values", "values must be an object such as {\"name\": \"Azure\"}")
		}
		return a.Create(ctx, model, one)
	},
	"write": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		b, _ := g["values"].(json.RawMessage)
		values, err := adapter.DecodeRecord(b)
		if err != nil {
			return nil, wrong("values", "values must be an object such as {\"name\": \"Azure\"}")
		}
		return true, a.Update(ctx, model, g.ids(), values)
	},
	"unlink": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		return true, a.Delete(ctx, model, g.ids())
	},
	"exists": func(ctx context.Context, a adapter.Adapter, model string, g given) (any, error) {
		records, err := adapter.Read(ctx, a, model, g.ids(), []string{"id"})
		ids := make([]adapter.ID, len(records))
		for i, r := range records {
			ids[i] = r.ID()
		}
		return ids, err
	},
}

// given are the named arguments of a call.
type given map[string]any

func (g given) names(name string) []string {
	names, _ := g[name].([]string)
	return names
}

func (g given) ids() []adapter.ID {
	list, _ := g["ids"].([]any)
	ids := make([]adapter.ID, 0, len(list))
	for _, v := range list {
		if id, ok := adapter.IDOf(v); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (g given) filter() (adapter.Filter, error) {
	b, _ := g["domain"].(json.RawMessage)
	if len(b) == 0 {
		return nil, nil
	}
	return adapter.ParseDomainJSON(b)
}

func (g given) query(model string) (adapter.Query, error) {
	f, err := g.filter()
	if err != nil {
		return adapter.Query{}, err
	}
	order, _ := g["order"].(string)
	orders, err := adapter.ParseOrder(order)
	if err != nil {
		return adapter.Query{}, err
	}
	q := adapter.Query{Model: model, Filter: f, Fields: g.names("fields"), Order: orders}
	q.Limit, _ = g["limit"].(int)
	q.Offset, _ = g["offset"].(int)
	return q, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// pairs writes references as [id, name], the way Odoo does.
func pairs(refs []adapter.Ref) [][2]any {
	out := make([][2]any, len(refs))
	for i, r := range refs {
		out[i] = [2]any{r.ID, r.Name}
	}
	return out
}

func fieldsOf(s *adapter.Schema, names []string) map[string]adapter.Field {
	if names == nil {
		return s.Fields
	}
	out := make(map[string]adapter.Field, len(names))
	for _, name := range names {
		if f, ok := s.Fields[name]; ok {
			out[name] = f
		}
	}
	return out
}
