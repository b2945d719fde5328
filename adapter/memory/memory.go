// Package memory is an adapter over tables in memory, for tests, examples and
// programs that want records without a server. It keeps the same promises as
// the adapters of real systems and passes adaptertest.Run.
//
// Its records look like Odoo's: a many-to-one reads as [id, name], date-times
// as "2006-01-02 15:04:05" in UTC. What is not set is null.
package memory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// PageSize is how many records a Query without a limit returns at most.
const PageSize = 1000

// Adapter holds tables of records. It is safe for concurrent use; each call
// sees one state of all tables. Make one with [New].
type Adapter struct {
	mu     sync.RWMutex
	closed bool
	tables map[string]*table
	files  map[adapter.ID]file
	fileID int64
}

type table struct {
	schema  *adapter.Schema
	textIDs bool
	rows    map[adapter.ID]adapter.Record // never changed in place
	order   []adapter.ID                  // of creation
	last    int64
	changes int64                // so far
	changed map[adapter.ID]int64 // the change that made each row what it is
}

var (
	_ adapter.Adapter      = (*Adapter)(nil)
	_ adapter.Counter      = (*Adapter)(nil)
	_ adapter.IDSearcher   = (*Adapter)(nil)
	_ adapter.Reader       = (*Adapter)(nil)
	_ adapter.NameSearcher = (*Adapter)(nil)
	_ adapter.BatchCreator = (*Adapter)(nil)
	_ adapter.Attacher     = (*Adapter)(nil)

	_ adapter.AttachmentDeleter = (*Adapter)(nil)

	_ adapter.Pinger = (*Adapter)(nil)
)

// New returns an adapter with an empty table for each schema. Every model also
// gets the fields "id" and "display_name". Ids are the integers from 1, or
// random texts where the schema declares "id" as Char. A later schema of the
// same model replaces an earlier one. The schemas are not kept.
//
// A one-to-many with an Inverse is computed from it; any other relation to many
// is a list of ids. A relation to a model that has no schema takes any id.
func New(schemas ...adapter.Schema) *Adapter {
	a := &Adapter{tables: map[string]*table{}, files: map[adapter.ID]file{}}
	for _, s := range schemas {
		schema := &adapter.Schema{Model: s.Model, Label: s.Label, Fields: maps.Clone(s.Fields)}
		if schema.Fields == nil {
			schema.Fields = map[string]adapter.Field{}
		}
		id, declared := schema.Fields["id"]
		if !declared {
			id = adapter.Field{Type: adapter.Integer, Label: "ID"}
		}
		id.Readonly, id.Required = true, false
		schema.Fields["id"] = id
		if !schema.Has("display_name") {
			schema.Fields["display_name"] = adapter.Field{Type: adapter.Char, Label: "Display Name", Readonly: true}
		}
		for name, field := range schema.Fields {
			field.Stored = !computed(field)
			field.Searchable = true
			field.Sortable = sortable(field)
			schema.Fields[name] = field
		}
		a.tables[s.Model] = &table{schema: schema, textIDs: id.Type == adapter.Char, rows: map[adapter.ID]adapter.Record{}, changed: map[adapter.ID]int64{}}
	}
	return a
}

// computed reports whether the values of a field are found in another table.
func computed(f adapter.Field) bool { return f.Type == adapter.One2Many && f.Inverse != "" }

func sortable(f adapter.Field) bool {
	switch f.Type {
	case adapter.One2Many, adapter.Many2Many, adapter.Binary, adapter.JSON, adapter.Properties, adapter.Unknown:
		return false
	}
	return true
}

// Info implements [adapter.Adapter].
func (a *Adapter) Info() adapter.Info { return adapter.Info{Kind: "memory", Version: "1"} }

// Close implements [adapter.Adapter]. The records stay unreachable.
func (a *Adapter) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return nil
}

// Ping implements [adapter.Pinger].
func (a *Adapter) Ping(ctx context.Context) error {
	return a.reading(ctx, func() error { return nil })
}

// Schema implements [adapter.Adapter].
func (a *Adapter) Schema(ctx context.Context, model string) (*adapter.Schema, error) {
	var schema *adapter.Schema
	err := a.reading(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		clone := *t.schema
		clone.Fields = maps.Clone(t.schema.Fields)
		schema = &clone
		return nil
	})
	return schema, err
}

// reading runs f while nothing is written.
func (a *Adapter) reading(ctx context.Context, f func() error) error {
	if err := adapter.ContextError(ctx); err != nil {
		return err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		return errClosed()
	}
	return f()
}

// writing runs f alone. f changes either all that it means to or nothing.
func (a *Adapter) writing(ctx context.Context, f func() error) error {
	if err := adapter.ContextError(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errClosed()
	}
	return f()
}

func errClosed() error {
	return &adapter.Error{Code: adapter.Unavailable, Message: "the adapter is closed", NothingSent: true}
}

func (a *Adapter) table(model string) (*table, error) {
	t, ok := a.tables[model]
	if !ok {
		return nil, &adapter.Error{Code: adapter.NotFound, Model: model, Message: "there is no model " + quoted(model)}
	}
	return t, nil
}

func (t *table) row(id adapter.ID) (adapter.Record, error) {
	row, ok := t.rows[id]
	if !ok {
		return nil, &adapter.Error{Code: adapter.NotFound, Model: t.schema.Model, Message: "there is no record " + quoted(id.String())}
	}
	return row, nil
}

func (t *table) nextID() adapter.ID {
	if t.textIDs {
		var b [9]byte
		_, _ = rand.Read(b[:])
		return adapter.StringID(hex.EncodeToString(b[:]))
	}
	t.last++
	return adapter.IntID(t.last)
}

// Create implements [adapter.Adapter].
func (a *Adapter) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	ids, err := a.CreateMany(ctx, model, []adapter.Record{values})
	if err != nil {
		return adapter.ID{}, err
	}
	return ids[0], nil
}

// CreateMany implements [adapter.BatchCreator].
func (a *Adapter) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	var ids []adapter.ID
	err := a.writing(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		ids, err = a.create(t, values)
		return err
	})
	return ids, err
}

func (a *Adapter) create(t *table, values []adapter.Record) ([]adapter.ID, error) {
	var err error
	rows := make([]adapter.Record, len(values))
	for i, v := range values {
		if rows[i], err = a.store(t, v); err != nil {
			return nil, err
		}
		for name, field := range t.schema.Fields {
			if _, given := rows[i][name]; given {
				continue
			}
			if field.Required && field.Type != adapter.Boolean {
				return nil, missing(t.schema, name)
			}
			if !computed(field) {
				rows[i][name] = emptyOf(field.Type)
			}
		}
	}
	for i, row := range rows {
		if err := t.taken(adapter.ID{}, row); err != nil {
			return nil, err
		}
		for _, before := range rows[:i] {
			for name, f := range t.schema.Fields {
				if f.Native == Unique && row[name] != nil && row[name] == before[name] {
					return nil, &adapter.Error{Code: adapter.AlreadyExists, Model: t.schema.Model, Field: name, Message: "two new records have the same value of " + quoted(name)}
				}
			}
		}
	}
	ids := make([]adapter.ID, len(rows))
	for i, row := range rows {
		ids[i] = t.nextID()
		row["id"] = ids[i].Value()
		row["display_name"] = displayName(t.schema, row)
		t.put(ids[i], row)
		t.order = append(t.order, ids[i])
	}
	return ids, nil
}

// Update implements [adapter.Adapter]: all of the records or none.
func (a *Adapter) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	return a.writing(ctx, func() error { return a.update(model, ids, values) })
}

func (a *Adapter) update(model string, ids []adapter.ID, values adapter.Record) error {
	t, err := a.table(model)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	changes, err := a.store(t, values)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.row(id); err != nil {
			return err
		}
		if err := t.taken(id, changes); err != nil {
			return err
		}
	}
	for _, id := range ids {
		row := maps.Clone(t.rows[id])
		maps.Copy(row, changes)
		row["display_name"] = displayName(t.schema, row)
		t.put(id, row)
	}
	return nil
}

// Delete implements [adapter.Adapter]: all of the records or none. References
// to them are cleared; a required one forbids it, with ErrInvalidArgument.
func (a *Adapter) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	return a.writing(ctx, func() error { return a.remove(model, ids) })
}

func (a *Adapter) remove(model string, ids []adapter.ID) error {
	t, err := a.table(model)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	gone := make(map[adapter.ID]bool, len(ids))
	for _, id := range ids {
		if _, err := t.row(id); err != nil {
			return err
		}
		gone[id] = true
	}
	cleared, err := a.clearReferences(model, gone)
	if err != nil {
		return err
	}
	for _, change := range cleared {
		change.table.put(change.id, change.row)
	}
	for id := range gone {
		delete(t.rows, id)
		delete(t.changed, id)
	}
	t.order = slices.DeleteFunc(t.order, func(id adapter.ID) bool { return gone[id] })
	maps.DeleteFunc(a.files, func(_ adapter.ID, f file) bool { return f.info.Model == model && gone[f.info.RecordID] })
	return nil
}

type rowChange struct {
	table *table
	id    adapter.ID
	row   adapter.Record
}

// clearReferences returns the rows that refer to records of a model that will
// be gone, without those references.
func (a *Adapter) clearReferences(model string, gone map[adapter.ID]bool) ([]rowChange, error) {
	var changes []rowChange
	for _, t := range a.tables {
		var fields []string
		for name, field := range t.schema.Fields {
			if field.Relation == model && field.Type.Relational() && !computed(field) {
				fields = append(fields, name)
			}
		}
		if len(fields) == 0 {
			continue
		}
		for _, id := range t.order {
			if t.schema.Model == model && gone[id] {
				continue
			}
			row, changed := t.rows[id], false
			for _, name := range fields {
				value, ok := without(row[name], gone)
				if !ok {
					continue
				}
				if t.schema.Fields[name].Required && adapter.IsEmpty(value) {
					return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: name,
						Message: "record " + quoted(id.String()) + " of " + t.schema.Model + " needs it in " + quoted(name) + "; change or delete that one first"}
				}
				if !changed {
					row, changed = maps.Clone(row), true
				}
				row[name] = value
			}
			if changed {
				changes = append(changes, rowChange{t, id, row})
			}
		}
	}
	return changes, nil
}

// without takes ids out of a relation's value; ok is false if none is in it.
func without(value any, gone map[adapter.ID]bool) (left any, ok bool) {
	list, isList := value.([]any)
	if !isList {
		id, isID := adapter.IDOf(value)
		return nil, isID && gone[id]
	}
	kept := make([]any, 0, len(list))
	for _, item := range list {
		if id, _ := adapter.IDOf(item); !gone[id] {
			kept = append(kept, item)
		}
	}
	return kept, len(kept) < len(list)
}
