package memory

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
)

var _ adapter.Upserter = (*Adapter)(nil)

// Unique as the Native of a Char field of a schema, keeps its values unique,
// empty ones apart.
const Unique = "unique"

// Upsert implements [adapter.Upserter], by a field that is [Unique]. Nothing
// comes between the look and the change.
func (a *Adapter) Upsert(ctx context.Context, model, key, value string, values adapter.Record) (id adapter.ID, created bool, err error) {
	err = a.writing(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		fail := func(message string) error {
			return &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: key, Message: message, NothingSent: true}
		}
		f, known := t.schema.Fields[key]
		switch {
		case !known:
			return adapter.UnknownField(t.schema, key)
		case f.Native != Unique:
			return fail(quoted(key) + " is not unique, so records can't be found by it")
		case value == "":
			return fail("the value of " + quoted(key) + " is empty")
		}
		if given, ok := values[key]; ok && given != value {
			return fail("the values set " + quoted(key) + " to something else than the key")
		}
		whole := adapter.Record{}
		for name, v := range values {
			whole[name] = v
		}
		whole[key] = value
		if id = t.holder(key, value); !id.IsZero() {
			return a.update(model, []adapter.ID{id}, whole)
		}
		ids, err := a.create(t, []adapter.Record{whole})
		if err != nil {
			return err
		}
		id, created = ids[0], true
		return nil
	})
	if err != nil {
		return adapter.ID{}, false, err
	}
	return id, created, nil
}

// holder is the record whose unique field holds a value, zero for none.
func (t *table) holder(field, value string) adapter.ID {
	for _, id := range t.order {
		if t.rows[id][field] == value {
			return id
		}
	}
	return adapter.ID{}
}

// taken refuses values of unique fields that other records have. id is zero for
// a new record.
func (t *table) taken(id adapter.ID, values adapter.Record) error {
	for name, v := range values {
		text, _ := v.(string)
		if t.schema.Fields[name].Native != Unique || text == "" {
			continue
		}
		if other := t.holder(name, text); !other.IsZero() && other != id {
			return &adapter.Error{Code: adapter.AlreadyExists, Model: t.schema.Model, Field: name, Message: "another record has this value of " + quoted(name)}
		}
	}
	return nil
}
