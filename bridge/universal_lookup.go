package bridge

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// asking returns the context with what mappings look other records up by.
func (t *topic) asking(ctx context.Context) context.Context {
	return mapping.WithLookup(ctx, lookup{t})
}

// lookup finds what values stand for among the system's records. What it finds
// is kept as other answers are, so that a thousand contacts in the same country
// look it up once; that there is nothing is not kept.
type lookup struct{ *topic }

// FindID implements [mapping.Lookup].
func (l lookup) FindID(ctx context.Context, model string, filter adapter.Filter) (adapter.ID, error) {
	filter, err := l.externals(ctx, model, filter)
	if err != nil {
		return adapter.ID{}, err
	}
	ids, err := l.found(ctx, model, filter)
	switch {
	case err != nil || len(ids) == 0:
		return adapter.ID{}, err
	case len(ids) > 1:
		return adapter.ID{}, &adapter.Error{
			Code: adapter.InvalidArgument, Model: model,
			Message: "several records of " + model + " fit " + string(adapter.AppendDomainJSON(nil, filter)) + "; give the id itself",
		}
	}
	return ids[0], nil
}

// found asks for the ids of at most two records that a condition fits.
func (l lookup) found(ctx context.Context, model string, f adapter.Filter) ([]adapter.ID, error) {
	if err := l.allowed(ctx, model, "read"); err != nil {
		return nil, err
	}
	b := appendCanonical(nil, json.RawMessage(adapter.AppendDomainJSON(nil, f)))
	q := question{family: "universal", operation: "lookup", model: model, canonical: b}
	a, err := l.kept(ctx, &l.caller.Scope, q, readOperation, func(ctx context.Context) (Answer, error) {
		var ids []adapter.ID
		err := l.do(ctx, work{operation: "search", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			ids, err = adapter.SearchIDs(ctx, a, adapter.Query{Model: model, Filter: f, Limit: 2, Order: []adapter.Order{{Field: l.idField()}}})
			return err
		}})
		if err != nil {
			return Answer{}, err
		}
		b, err := encodeJSON(orEmpty(ids))
		return Answer{Result: b, transient: len(ids) == 0}, err
	})
	if err != nil {
		return nil, err
	}
	return idsOf(a.Result), nil
}

// Value implements [mapping.Lookup].
func (l lookup) Value(ctx context.Context, model string, id adapter.ID, field string) (any, error) {
	if field == mapping.ExternalID && l.Kind() == odooKind {
		return l.externalID(ctx, model, id)
	}
	if err := l.allowed(ctx, model, "read"); err != nil {
		return nil, err
	}
	b := appendCanonical(appendCanonical(nil, id), field)
	q := question{family: "universal", operation: "value", model: model, canonical: b}
	a, err := l.kept(ctx, &l.caller.Scope, q, readOperation, func(ctx context.Context) (Answer, error) {
		var records []adapter.Record
		err := l.do(ctx, work{operation: "read", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			records, err = adapter.Read(ctx, a, model, []adapter.ID{id}, []string{field})
			return err
		}})
		if err != nil || len(records) == 0 {
			return Answer{Result: json.RawMessage("null"), transient: true}, err
		}
		b, err := encodeJSON(records[0][field])
		return Answer{Result: b}, err
	})
	if err != nil {
		return nil, err
	}
	var v any
	if err := adapter.DecodeJSON(a.Result, &v); err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Model: model, Message: "a kept value can't be read", Err: err}
	}
	return v, nil
}

// odooKind is the kind of systems whose external ids are records of
// ir.model.data. Other systems have theirs in fields, which mappings name.
const odooKind = "odoo"

// externals replaces conditions on Odoo's external ids, "base.sa", by the ids
// that they stand for.
func (l lookup) externals(ctx context.Context, model string, f adapter.Filter) (adapter.Filter, error) {
	if l.Kind() != odooKind {
		return f, nil
	}
	return adapter.Map(f, func(c adapter.Cond) (adapter.Filter, error) {
		name, isText := c.Value.(string)
		if c.Field != mapping.ExternalID || !isText {
			return c, nil
		}
		module, rest, _ := strings.Cut(name, ".")
		rows, err := l.found(ctx, externalIDs, adapter.And{
			adapter.Cond{Field: "model", Op: adapter.Equal, Value: model},
			adapter.Cond{Field: "module", Op: adapter.Equal, Value: module},
			adapter.Cond{Field: "name", Op: adapter.Equal, Value: rest},
		})
		if err != nil || len(rows) == 0 {
			return adapter.Always(false), err
		}
		v, err := l.Value(ctx, externalIDs, rows[0], "res_id")
		return adapter.Cond{Field: "id", Op: adapter.Equal, Value: v}, err
	})
}

// externalID is the external id of a record of Odoo's, nil for none.
func (l lookup) externalID(ctx context.Context, model string, id adapter.ID) (any, error) {
	rows, err := l.found(ctx, externalIDs, adapter.And{
		adapter.Cond{Field: "model", Op: adapter.Equal, Value: model},
		adapter.Cond{Field: "res_id", Op: adapter.Equal, Value: id.Value()},
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	module, err := l.Value(ctx, externalIDs, rows[0], "module")
	if err != nil {
		return nil, err
	}
	name, err := l.Value(ctx, externalIDs, rows[0], "name")
	if err != nil {
		return nil, err
	}
	m, _ := module.(string)
	n, _ := name.(string)
	return m + "." + n, nil
}
