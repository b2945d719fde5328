package sap

import (
	"context"
	"errors"
	"maps"

	"github.com/bridgecore/bridgecore/adapter"
)

// Upsert implements [adapter.Upserter] by the key of the record: the key is the
// entity's only key property (such as Product), or "id" with an id as the adapter
// gives it, for keys of several properties too. Any other property is
// ErrInvalidArgument: SAP does not say that it is unique. So is a key that SAP's
// metadata don't let be given to a new record.
//
// An entity set that numbers its records by itself, whatever key is given (as
// sales orders with internal numbers), would make another record with every
// call. That shows with the first record made: it is removed where SAP lets it
// be, and the call is ErrUnsupported.
func (c *Client) Upsert(ctx context.Context, model, key, value string, values adapter.Record) (adapter.ID, bool, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return adapter.ID{}, false, err
	}
	if err := m.addressable("changed"); err != nil {
		return adapter.ID{}, false, err
	}
	props := m.keyProps()
	switch single := len(props) == 1 && props[0].Name == key; {
	case m.typ.Prop(key) == nil && key != idField:
		return adapter.ID{}, false, m.unknown(key, key)
	case !single && (key != idField || m.idIsProperty()):
		return adapter.ID{}, false, m.wrong(key, "SAP does not say that %s is unique, so records can't be found by it; use the key %s", quote(key), m.keyNames())
	case value == "":
		return adapter.ID{}, false, m.wrong(key, "the value of %s is empty", quote(key))
	}
	id := adapter.StringID(value)
	k, err := m.parseID(id)
	if err != nil {
		return adapter.ID{}, false, err
	}
	whole := maps.Clone(values)
	if whole == nil {
		whole = adapter.Record{}
	}
	for i, p := range props {
		if !m.creatable(p) {
			return adapter.ID{}, false, m.wrong(key, "SAP gives the key %s itself, so a new record can't have yours", p.Name)
		}
		if given, ok := whole[p.Name]; ok {
			w := writing{m: m, key: k}
			if err := w.sameKey(p, given); err != nil {
				return adapter.ID{}, false, err
			}
		}
		whole[p.Name] = k[i]
	}
	if key == idField {
		delete(whole, idField)
	}
	rest := maps.Clone(whole)
	for _, p := range props {
		delete(rest, p.Name)
	}
	update := func() error {
		err := c.Update(ctx, model, []adapter.ID{id}, rest)
		if !errors.Is(err, adapter.ErrUnsupported) {
			return err
		}
		// Records in a record are created together with it, but not changed.
		page, lookErr := c.Query(ctx, adapter.Query{Model: model, Fields: []string{props[0].Name}, Filter: adapter.Cond{Field: idField, Op: adapter.Equal, Value: value}, Limit: 1})
		if lookErr == nil && len(page.Records) == 0 {
			return adapter.ErrNotFound
		}
		return err
	}
	if err := update(); !errors.Is(err, adapter.ErrNotFound) {
		return id, false, err
	}
	made, err := c.Create(ctx, model, whole)
	if err != nil {
		if adapter.CodeOf(err) == adapter.UnknownOutcome {
			return adapter.ID{}, false, err
		}
		// Somebody else may have made it meanwhile.
		if again := update(); !errors.Is(again, adapter.ErrNotFound) {
			return id, false, again
		}
		return adapter.ID{}, false, err
	}
	if same, err := m.parseID(made); err != nil || !m.sameKeys(same, k) {
		message := "SAP numbers the records of %s itself: one was made as %s, and removed again. They can't be written by a key of yours"
		if c.Delete(context.WithoutCancel(ctx), model, []adapter.ID{made}) != nil {
			message = "SAP numbers the records of %s itself: one was made as %s, and is still there. They can't be written by a key of yours"
		}
		return adapter.ID{}, false, m.unsupported(key, message, m.name, made)
	}
	return made, true, nil
}

// sameKeys compares keys as SAP writes them.
func (m *model) sameKeys(a, b key) bool {
	x, errX := m.predicate(a)
	y, errY := m.predicate(b)
	return errX == nil && errY == nil && x == y
}

// keyNames names what a record can be found by.
func (m *model) keyNames() string {
	if props := m.keyProps(); len(props) == 1 {
		return quote(props[0].Name)
	}
	return quote(idField) + " with a value such as " + m.exampleID()
}
