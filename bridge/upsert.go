package bridge

import (
	"context"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// Upsert changes the record that a key holds the value of, or creates it with
// that value, and says which it did. The key is a field that the system keeps
// unique: "external_id" with a value such as "my_app.customer_42" on Odoo (kept in
// ir.model.data), an external id field on Salesforce, the key property or "id" on
// SAP. Any other is ErrInvalidArgument for the key; see the adapters. The caller
// must be allowed both to create and to write; on Odoo an external id needs no
// access to ir.model.data by the caller's roles.
//
// It may be repeated as often as one likes: that is what it is for. In universal
// words the key is "external_id", or a universal field that is the system's key as
// it is; values that lie in records behind the record are refused, since they
// can't be written along: update them afterwards. Of a record that is there only
// what is named changes, as by an update; one that is not of the universal model
// is ErrNotFound.
func (s *System) Upsert(ctx context.Context, model, key, value string, values adapter.Record) (id adapter.ID, created bool, err error) {
	if s.universal != nil {
		return s.universalUpsert(ctx, model, key, value, values)
	}
	for _, method := range []string{"create", "write"} {
		if err := s.may(ctx, model, method); err != nil {
			return id, false, err
		}
	}
	return s.upsert(ctx, model, key, value, values)
}

// upsert makes a change of either kind: create is the one that touches more.
func (s *System) upsert(ctx context.Context, model, key, value string, values adapter.Record) (id adapter.ID, created bool, err error) {
	w := work{operation: "create", model: model, changes: true, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		id, created, err = adapter.Upsert(ctx, a, model, key, value, values)
		return err
	}}
	if err := s.changing(ctx, w, nil); err != nil {
		return adapter.ID{}, false, err
	}
	method := "write"
	if created {
		method = "create"
	}
	s.changed(ctx, method, model, []adapter.ID{id}, values)
	return id, created, nil
}

// Upsert writes a record by a key. The key is the caller's: a field of its
// version, or an external id, which is the same in all.
func (l *lensed) Upsert(ctx context.Context, model, key, value string, values adapter.Record) (adapter.ID, bool, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return adapter.ID{}, false, err
	}
	if key != mapping.ExternalID {
		used, _, err := v.fields(ctx, []string{key})
		if err != nil {
			return adapter.ID{}, false, err
		}
		if len(used) != 1 {
			return adapter.ID{}, false, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: key, Message: "\"" + key + "\" has no counterpart in version " + l.server + " that records could be found by"}
		}
		key = used[0]
	}
	if values, err = v.values(ctx, values); err != nil {
		return adapter.ID{}, false, err
	}
	return adapter.Upsert(ctx, l.own, v.lens.Model(), key, value, values)
}

func (s *System) universalUpsert(ctx context.Context, model, key, value string, values adapter.Record) (id adapter.ID, created bool, err error) {
	t, err := s.topic(ctx, model, "create")
	if err != nil {
		return id, false, err
	}
	if err := t.may(ctx, t.plan.SystemModel(), "write"); err != nil {
		return id, false, err
	}
	id, created, err = t.upsertOne(ctx, key, value, values)
	return id, created, t.say(err)
}

func (t *topic) upsertOne(ctx context.Context, key, value string, values adapter.Record) (id adapter.ID, created bool, err error) {
	own, err := t.ownKey(ctx, key)
	if err != nil {
		return id, false, err
	}
	there, err := t.keyed(ctx, own, value)
	if err != nil {
		return id, false, err
	}
	if err := t.mustBe(ctx, there); err != nil {
		return id, false, err
	}
	if values, err = t.completed(ctx, there, values); err != nil {
		return id, false, err
	}
	update, err := t.plan.Update(t.asking(ctx), values)
	if err != nil {
		return id, false, err
	}
	if field := behindField(update); field != "" {
		return id, false, wrong(field, "%s can't be written along with an upsert: on this system it lies in records of their own; update it afterwards", field)
	}
	model := t.plan.SystemModel()
	if len(there) > 0 {
		// What a new record is given unless told otherwise (a stage, a date) must
		// not change one that is there.
		t.warn(ctx, update.Notes)
		id, created, err = t.upsert(ctx, model, own, value, update.Record)
		if err != nil || !created {
			return id, created, err
		}
		// It was deleted at this moment.
		whole, err := t.created(ctx, values)
		if err != nil {
			return id, true, err
		}
		return id, true, t.write(ctx, []adapter.ID{id}, whole)
	}
	whole, err := t.created(ctx, values)
	if err != nil {
		return id, false, err
	}
	id, created, err = t.upsert(ctx, model, own, value, whole)
	if err != nil || created {
		return id, created, err
	}
	return id, false, t.mustBe(ctx, []adapter.ID{id}) // somebody made it at this moment
}

// keyed is the record that a key holds the value of, by now. What is no key is
// left to the system to refuse.
func (t *topic) keyed(ctx context.Context, own, value string) ([]adapter.ID, error) {
	model := t.plan.SystemModel()
	var f adapter.Filter = adapter.Cond{Field: own, Op: adapter.Equal, Value: value}
	switch {
	case own == t.idField(), own == "id":
		f = idCondition(t.idField(), []adapter.ID{t.ParseID(value)})
	case own == mapping.ExternalID && t.Kind() == odooKind:
		ids, err := t.externally(ctx, model, value)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		f = idCondition(t.idField(), ids) // it may be gone, and its external id not
	}
	ids, err := t.idsThat(ctx, model, f)
	switch adapter.CodeOf(err) {
	case adapter.InvalidArgument, adapter.Unsupported:
		return nil, nil
	}
	if len(ids) > 1 {
		return nil, err
	}
	return ids, err
}

// externally is the record that an external id of Odoo's is kept of.
func (t *topic) externally(ctx context.Context, model, name string) ([]adapter.ID, error) {
	module, rest, _ := strings.Cut(name, ".")
	var ids []adapter.ID
	err := t.do(ctx, work{operation: "search", model: externalIDs, run: func(ctx context.Context, a adapter.Adapter) error {
		page, err := a.Query(ctx, adapter.Query{Model: externalIDs, Fields: []string{"res_id"}, Limit: 1, Filter: adapter.And{
			adapter.Cond{Field: "model", Op: adapter.Equal, Value: model},
			adapter.Cond{Field: "module", Op: adapter.Equal, Value: module},
			adapter.Cond{Field: "name", Op: adapter.Equal, Value: rest},
			adapter.Cond{Field: "res_id", Op: adapter.Greater, Value: 0},
		}})
		for _, r := range page.Records {
			ids = append(ids, adapter.IntID(r.Int("res_id")))
		}
		return err
	}})
	return ids, err
}

// ownKey is the system's name of a key.
func (t *topic) ownKey(ctx context.Context, key string) (string, error) {
	if key == mapping.ExternalID && t.Kind() == odooKind {
		return key, nil
	}
	paths, _, err := t.plan.Fields([]string{key})
	if err == nil && len(paths) == 1 {
		return paths[0], nil
	}
	if described, schemaErr := t.schema(ctx, t.plan.SystemModel()); schemaErr == nil && described.Has(key) {
		return key, nil // the system's own, as an external id field of Salesforce is
	}
	return "", wrong("key", "%s is no field of %s that records could be found by on this system", clip(key), t.model)
}
