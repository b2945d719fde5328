package memory

import (
	"context"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
)

var (
	_ adapter.Conditional = (*Adapter)(nil)
	_ adapter.EachCreator = (*Adapter)(nil)
)

// ETag implements [adapter.Conditional]. The tag is a count of changes, so no
// change is missed, however soon it follows on another.
func (a *Adapter) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	var tag string
	err := a.reading(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		if _, err := t.row(id); err != nil {
			return err
		}
		tag = t.tag(id)
		return nil
	})
	return tag, err
}

// UpdateIf implements [adapter.Conditional]. Nothing comes between the check
// and the change.
func (a *Adapter) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	return a.writing(ctx, func() error {
		if err := a.unchanged(model, id, etag); err != nil {
			return err
		}
		return a.update(model, []adapter.ID{id}, values)
	})
}

// DeleteIf implements [adapter.Conditional].
func (a *Adapter) DeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	return a.writing(ctx, func() error {
		if err := a.unchanged(model, id, etag); err != nil {
			return err
		}
		return a.remove(model, []adapter.ID{id})
	})
}

func (a *Adapter) unchanged(model string, id adapter.ID, etag string) error {
	t, err := a.table(model)
	if err != nil {
		return err
	}
	if _, err := t.row(id); err != nil {
		return err
	}
	if t.tag(id) == etag {
		return nil
	}
	return &adapter.Error{Code: adapter.PreconditionFailed, Model: model, Message: "record " + quoted(id.String()) + " has changed since it was read; read it again"}
}

// CreateEach implements [adapter.EachCreator]: what one record lacks is no
// matter of the others.
func (a *Adapter) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	return each(ctx, values, func(v adapter.Record) (adapter.ID, error) { return a.Create(ctx, model, v) })
}

func each(ctx context.Context, values []adapter.Record, create func(adapter.Record) (adapter.ID, error)) ([]adapter.ID, error) {
	if err := adapter.ContextError(ctx); err != nil {
		return nil, err
	}
	ids := make([]adapter.ID, len(values))
	failed := map[int]error{}
	for i, v := range values {
		id, err := create(v)
		if err != nil {
			failed[i] = err
			continue
		}
		ids[i] = id
	}
	if len(failed) > 0 {
		return ids, &adapter.PartialError{Done: ids, Failed: failed}
	}
	return ids, nil
}

// put stores a row under a new count.
func (t *table) put(id adapter.ID, row adapter.Record) {
	t.changes++
	t.rows[id] = row
	t.changed[id] = t.changes
}

func (t *table) tag(id adapter.ID) string { return strconv.FormatInt(t.changed[id], 10) }
