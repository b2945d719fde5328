package bridge

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// universally runs a change of a universal model.
func (s *System) universally(ctx context.Context, model, method string, run func(*topic) error) error {
	t, err := s.topic(ctx, model, method)
	if err != nil {
		return err
	}
	return t.say(run(t))
}

func (s *System) universalCreate(ctx context.Context, model string, values adapter.Record) (made adapter.Record, err error) {
	err = s.universally(ctx, model, "create", func(t *topic) error {
		made, err = t.createOne(ctx, values)
		return err
	})
	return made, err
}

func (s *System) universalCreateMany(ctx context.Context, model string, values []adapter.Record) (ids []adapter.ID, err error) {
	err = s.universally(ctx, model, "create", func(t *topic) error {
		ids, err = t.createMany(ctx, values)
		return err
	})
	return ids, err
}

func (s *System) universalCreateEach(ctx context.Context, model string, values []adapter.Record) (ids []adapter.ID, err error) {
	err = s.universally(ctx, model, "create", func(t *topic) error {
		ids, err = eachTranslated(values,
			func(r adapter.Record) (adapter.Record, error) { return t.created(ctx, r) },
			func(own []adapter.Record) ([]adapter.ID, error) { return t.insertEach(ctx, own) })
		if partial, ok := errors.AsType[*adapter.PartialError](err); ok {
			for i, err := range partial.Failed {
				partial.Failed[i] = t.say(err)
			}
		}
		return err
	})
	return ids, err
}

func (s *System) universalUpdate(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	return s.universally(ctx, model, "write", func(t *topic) error { return t.update(ctx, ids, values) })
}

func (s *System) universalDelete(ctx context.Context, model string, ids []adapter.ID) error {
	return s.universally(ctx, model, "unlink", func(t *topic) error { return t.remove(ctx, ids) })
}

func (s *System) universalETag(ctx context.Context, model string, id adapter.ID) (tag string, err error) {
	err = s.universally(ctx, model, "read", func(t *topic) error {
		if err := t.mustBe(ctx, []adapter.ID{id}); err != nil {
			return err
		}
		tag, err = t.ETag(ctx, t.plan.SystemModel(), id)
		return err
	})
	return tag, err
}

func (s *System) universalUpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	return s.universally(ctx, model, "write", func(t *topic) error {
		return t.updateWith(ctx, []adapter.ID{id}, values, true, func(own adapter.Record) error {
			return t.UpdateIf(ctx, t.plan.SystemModel(), id, etag, own)
		})
	})
}

func (s *System) universalDeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	return s.universally(ctx, model, "unlink", func(t *topic) error {
		if err := t.deletable(); err != nil {
			return err
		}
		if err := t.mustBe(ctx, []adapter.ID{id}); err != nil {
			return err
		}
		return t.DeleteIf(ctx, t.plan.SystemModel(), id, etag)
	})
}

// createOne makes a record and returns its id together with the values sent.
func (t *topic) createOne(ctx context.Context, values adapter.Record) (adapter.Record, error) {
	ids, err := t.createMany(ctx, []adapter.Record{values})
	if err != nil {
		return nil, err
	}
	out := make(adapter.Record, len(values)+1)
	for name, v := range values {
		out[name] = v
	}
	out["id"] = ids[0]
	return out, nil
}

func (t *topic) createMany(ctx context.Context, values []adapter.Record) ([]adapter.ID, error) {
	own := make([]adapter.Record, len(values))
	var err error
	for i, v := range values {
		if own[i], err = t.created(ctx, v); err != nil {
			return nil, err
		}
	}
	return t.insert(ctx, own)
}

// insert makes records of the system's model, with those nested in them.
func (t *topic) insert(ctx context.Context, own []adapter.Record) ([]adapter.ID, error) {
	return t.inserting(ctx, own, func(ctx context.Context, a adapter.Adapter) ([]adapter.ID, error) {
		if len(own) == 1 {
			id, err := a.Create(ctx, t.plan.SystemModel(), own[0])
			return []adapter.ID{id}, err
		}
		return adapter.CreateMany(ctx, a, t.plan.SystemModel(), own)
	})
}

func (t *topic) insertEach(ctx context.Context, own []adapter.Record) ([]adapter.ID, error) {
	return t.inserting(ctx, own, func(ctx context.Context, a adapter.Adapter) ([]adapter.ID, error) {
		return adapter.CreateEach(ctx, a, t.plan.SystemModel(), own)
	})
}

func (t *topic) inserting(ctx context.Context, own []adapter.Record, run func(context.Context, adapter.Adapter) ([]adapter.ID, error)) ([]adapter.ID, error) {
	if len(own) == 0 {
		return nil, nil
	}
	further, err := t.within(ctx, own)
	if err != nil {
		return nil, err
	}
	var ids []adapter.ID
	model := t.plan.SystemModel()
	err = t.changeModels(ctx, "create", model, further, func(ctx context.Context, a adapter.Adapter) (err error) {
		ids, err = run(ctx, a)
		return err
	})
	t.System.created(ctx, model, ids, own, err)
	return ids, err
}

// within are the models of the records that are nested in values, as far as
// they are known.
func (t *topic) within(ctx context.Context, own []adapter.Record) ([]string, error) {
	var nested []string
	for _, r := range own {
		for name, v := range r {
			switch v.(type) {
			case []any, map[string]any:
				if !slices.Contains(nested, name) {
					nested = append(nested, name)
				}
			}
		}
	}
	if len(nested) == 0 {
		return nil, nil
	}
	described, err := t.schema(ctx, t.plan.SystemModel())
	if err != nil {
		return nil, err
	}
	var models []string
	for _, name := range nested {
		if m := described.Fields[name].Relation; m != "" && !slices.Contains(models, m) {
			models = append(models, m)
		}
	}
	return models, nil
}

func (t *topic) update(ctx context.Context, ids []adapter.ID, values adapter.Record) error {
	return t.updateWith(ctx, ids, values, false, func(own adapter.Record) error {
		return t.write(ctx, ids, own)
	})
}

func (t *topic) write(ctx context.Context, ids []adapter.ID, own adapter.Record) error {
	further, err := t.within(ctx, []adapter.Record{own})
	if err != nil {
		return err
	}
	model := t.plan.SystemModel()
	err = t.changeModels(ctx, "write", model, further, func(ctx context.Context, a adapter.Adapter) error {
		return a.Update(ctx, model, ids, own)
	})
	if err == nil {
		t.changed(ctx, "write", model, ids, own)
	}
	return err
}

// updateWith changes records: themselves first, then those behind them. A
// conditional write is made even of nothing, since it looks at the condition.
func (t *topic) updateWith(ctx context.Context, ids []adapter.ID, values adapter.Record, conditional bool, write func(adapter.Record) error) error {
	values, err := t.completed(ctx, ids, values)
	if err != nil {
		return err
	}
	own, err := t.plan.Update(t.asking(ctx), values)
	if err != nil {
		return err
	}
	t.warn(ctx, own.Notes)
	if len(ids) == 0 {
		return nil
	}
	if field := behindField(own); field != "" && len(ids) > 1 {
		return wrong(field, "%s can be changed for one record at a time: on this system it lies in records of their own", field)
	}
	if err := t.mustBe(ctx, ids); err != nil {
		return err
	}
	all, err := t.settle(ctx, ids[0], own)
	if err != nil {
		return err
	}
	if len(own.Record) > 0 || len(all) == 0 || conditional {
		if err := write(own.Record); err != nil {
			return err
		}
	}
	return t.carryOut(ctx, ids[0], len(own.Record) > 0, all)
}

// completed adds to values what the record has, where the system keeps several
// universal fields in one text and not all of them are given.
func (t *topic) completed(ctx context.Context, ids []adapter.ID, values adapter.Record) (adapter.Record, error) {
	missing := t.plan.Companions(values)
	if len(missing) == 0 || len(ids) != 1 {
		return values, nil
	}
	sh, err := t.shape(ctx, missing)
	if err != nil {
		return nil, err
	}
	scoped := t.archivedToo()
	q := Reading{Query: adapter.Query{Filter: idCondition("id", ids), Limit: 1}}
	a, err := scoped.query(scoped.scoped(ctx, &scoped.caller.Scope), q, sh, 0)
	if err != nil {
		return nil, err
	}
	records, err := a.Records()
	if err != nil || len(records) == 0 {
		return values, err
	}
	out := maps.Clone(values)
	for _, name := range missing {
		out[name] = records[0][name]
	}
	return out, nil
}

// behindField is a universal field of values that lie behind the record.
func behindField(v mapping.Values) string {
	switch {
	case len(v.Lines) > 0:
		return v.Lines[0].Field
	case len(v.Nested) > 0:
		return v.Nested[0].Field
	}
	return ""
}

// deletable refuses models that the mapping says are for reading.
func (t *topic) deletable() error {
	if why := t.plan.ReadOnly(); why != "" {
		return &adapter.Error{Code: adapter.Unsupported, Model: t.model, Message: t.model + " is for reading on this system: " + why}
	}
	return nil
}

func (t *topic) remove(ctx context.Context, ids []adapter.ID) error {
	if err := t.deletable(); err != nil {
		return err
	}
	if err := t.mustBe(ctx, ids); err != nil {
		return err
	}
	return t.Delete(ctx, t.plan.SystemModel(), ids)
}

// kindred are those of the ids whose records are of the universal model: a
// model of the system may hold others, as invoices and bills are in one.
func (t *topic) kindred(ctx context.Context, ids []adapter.ID) ([]adapter.ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	f, err := t.filter(ctx, idCondition("id", ids))
	if err != nil {
		return nil, err
	}
	return t.idsThat(ctx, t.plan.SystemModel(), f)
}

// mustBe refuses ids of records that are not of the universal model.
func (t *topic) mustBe(ctx context.Context, ids []adapter.ID) error {
	if t.plan.Base() == nil || len(ids) == 0 {
		return nil
	}
	there, err := t.kindred(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(there, id) {
			return &adapter.Error{
				Code: adapter.NotFound, Model: t.model, Field: "id",
				Message: "there is no " + t.model + " " + id.String() + " (a record of " + t.plan.SystemModel() + " that is none does not count)",
			}
		}
	}
	return nil
}

// created translates the values of a new record.
func (t *topic) created(ctx context.Context, values adapter.Record) (adapter.Record, error) {
	own, err := t.plan.Create(t.asking(ctx), values)
	if err != nil {
		return nil, err
	}
	t.warn(ctx, own.Notes)
	return own.Record, nil
}

func (t *topic) warn(ctx context.Context, notes []adapter.Warning) {
	for _, n := range notes {
		adapter.Warn(ctx, n)
	}
}
