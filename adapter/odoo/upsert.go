package odoo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// ExternalID is the key of [Client.Upsert] that stands for Odoo's external ids.
const ExternalID = "external_id"

// externalIDs is the model of external ids. Its pairs of module and name are
// unique in the database.
const externalIDs = "ir.model.data"

// uniqueFields are the fields, by model, that a constraint of the database
// keeps unique in every version. Odoo does not tell which do.
var uniqueFields = map[string]string{
	"ir.config_parameter": "key",
	"res.country":         "code",
	"res.lang":            "code",
	"res.users":           "login",
}

// reservedFor is how long a name that was reserved, without a record, is left to
// whoever reserved it: Odoo ends a request after two minutes.
const reservedFor = 150 * time.Second

// Upsert implements [adapter.Upserter]. The key is "external_id" and the value
// "module.name", kept in ir.model.data, which the user must be allowed to write
// (group Access Rights); or a field that Odoo keeps unique: res.users login,
// res.lang and res.country code, ir.config_parameter key. Any other key is
// ErrInvalidArgument, since two calls at once might then make two records.
//
// A new record's external id is reserved first, so of several calls at once one
// makes the record; the others are ErrConflict, temporary, until it is there. A
// call that broke off leaves the name reserved: for 150 seconds, in which Odoo
// may still be at it, a repeated call is ErrConflict as well, and then it takes
// over the record that was made, which it tells by the values, or makes it. An
// external id that belongs to a record of another model is ErrConflict; one of a
// record that was deleted is given to a new one.
func (c *Client) Upsert(ctx context.Context, model, key, value string, values adapter.Record) (adapter.ID, bool, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return adapter.ID{}, false, err
	}
	switch {
	case key == ExternalID:
		module, rest, ok := strings.Cut(value, ".")
		if !ok || module == "" || rest == "" || strings.ContainsAny(value, " \t\r\n") {
			return adapter.ID{}, false, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: key, NothingSent: true,
				Message: quote(value) + " is no external id; one reads like \"my_app.customer_42\", without spaces"}
		}
		if _, given := values[ExternalID]; given {
			values = maps.Clone(values)
			delete(values, ExternalID)
		}
		u := upsert{c: c, model: name, module: module, name: rest, values: values}
		return u.run(ctx)
	case uniqueFields[name] == key && key != "":
		return c.upsertBy(ctx, name, key, value, values)
	}
	message := "Odoo does not say that " + quote(key) + " is unique, so records can't be found by it; use the key \"external_id\" with a value such as \"my_app.customer_42\""
	if field := uniqueFields[name]; field != "" {
		message += ", or " + quote(field)
	}
	return adapter.ID{}, false, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: key, Message: message, NothingSent: true}
}

// upsertBy writes a record by a field that a constraint keeps unique.
func (c *Client) upsertBy(ctx context.Context, name, key, value string, values adapter.Record) (adapter.ID, bool, error) {
	if value == "" {
		return adapter.ID{}, false, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: key, Message: "the value of " + quote(key) + " is empty", NothingSent: true}
	}
	if given, ok := values[key]; ok && given != value {
		return adapter.ID{}, false, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: key, Message: "the values set " + quote(key) + " to something else than the key", NothingSent: true}
	}
	find := func() (adapter.ID, error) {
		var ids []adapter.ID
		err := c.fetch(ctx, &ids, name, "search", []any{[]any{[]any{key, "=", value}}}, map[string]any{"limit": 1, "context": archivedToo})
		if err != nil || len(ids) == 0 {
			return adapter.ID{}, err
		}
		return ids[0], nil
	}
	id, err := find()
	if err != nil {
		return id, false, err
	}
	if id.IsZero() {
		whole := maps.Clone(values)
		if whole == nil {
			whole = adapter.Record{}
		}
		whole[key] = value
		made, err := c.Create(ctx, name, whole)
		if err == nil {
			return made, true, nil
		}
		// Somebody else made it meanwhile, or the answer got lost; otherwise it was refused.
		if id, _ = find(); id.IsZero() {
			return made, false, err
		}
	}
	return id, false, c.Update(ctx, name, []adapter.ID{id}, values)
}

var archivedToo = map[string]any{"active_test": false}

// upsert is one upsert by external id.
type upsert struct {
	c            *Client
	model        string
	module, name string
	values       adapter.Record
}

// note is a row of ir.model.data.
type note struct {
	id     adapter.ID
	model  string
	record adapter.ID // zero while it is reserved
	made   string     // when, by the server's clock
}

func (u *upsert) run(ctx context.Context) (adapter.ID, bool, error) {
	n, err := u.look(ctx)
	if err != nil {
		return adapter.ID{}, false, err
	}
	switch {
	case n == nil:
		return u.create(ctx)
	case n.model != u.model:
		return adapter.ID{}, false, u.conflict("the external id %s.%s is that of a record of %s", u.module, u.name, n.model)
	case n.record.IsZero():
		return u.takeOver(ctx, n)
	}
	err = u.c.Update(ctx, u.model, []adapter.ID{n.record}, u.values)
	if !errors.Is(err, adapter.ErrNotFound) {
		return n.record, false, err
	}
	// The record was deleted, past the ORM, and its external id was not.
	if err := u.release(ctx, n.id); err != nil {
		return adapter.ID{}, false, err
	}
	return u.create(ctx)
}

func (u *upsert) conflict(format string, args ...any) error {
	return &adapter.Error{Code: adapter.Conflict, Model: u.model, Field: ExternalID, Message: fmt.Sprintf(format, args...)}
}

// busy says when to try again. Nothing was done to any record: whoever repeats it
// by himself, as background operations do sooner after a crash than a reserved name
// is taken over, does no harm.
func (u *upsert) busy(rest time.Duration) error {
	return &adapter.Error{
		Code: adapter.Conflict, Model: u.model, Field: ExternalID, Temporary: true, NothingSent: true, RetryAfter: rest,
		Message: fmt.Sprintf("a record with the external id %s.%s is being made by another call, or by one that broke off; try again in %s", u.module, u.name, rest),
	}
}

// look finds the external id, nil for none.
func (u *upsert) look(ctx context.Context) (*note, error) {
	var rows []adapter.Record
	err := u.c.fetch(ctx, &rows, externalIDs, "search_read",
		[]any{[]any{[]any{"module", "=", u.module}, []any{"name", "=", u.name}}},
		map[string]any{"fields": []string{"model", "res_id", "create_date"}, "limit": 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	n := &note{id: rows[0].ID(), model: rows[0].String("model"), made: rows[0].String("create_date")}
	if id := rows[0].Int("res_id"); id > 0 {
		n.record = adapter.IntID(id)
	}
	return n, nil
}

// create reserves the name, makes the record, and notes it.
func (u *upsert) create(ctx context.Context) (adapter.ID, bool, error) {
	raw, err := u.c.invoke(ctx, externalIDs, "create", []any{map[string]any{
		"module": u.module, "name": u.name, "model": u.model, "res_id": 0, "noupdate": true,
	}}, nil)
	if err != nil {
		if adapter.CodeOf(err) == adapter.PermissionDenied {
			return adapter.ID{}, false, &adapter.Error{Code: adapter.PermissionDenied, Model: externalIDs, Field: ExternalID, Err: err,
				Message: "the system's user may not make external ids (ir.model.data); it needs to be of the group Access Rights"}
		}
		if n, lookErr := u.look(ctx); lookErr == nil && n != nil {
			// Somebody else was first.
			if n.model == u.model && !n.record.IsZero() {
				return n.record, false, u.c.Update(ctx, u.model, []adapter.ID{n.record}, u.values)
			}
			return adapter.ID{}, false, u.busy(time.Second)
		}
		return adapter.ID{}, false, err
	}
	reserved, err := u.c.createdIDs(raw, externalIDs, 1)
	if err != nil {
		return adapter.ID{}, false, err
	}
	id, err := u.c.Create(ctx, u.model, u.values)
	if err != nil {
		if adapter.CodeOf(err) != adapter.UnknownOutcome {
			// Nothing was made. A name that stays reserved is free again later.
			_ = u.release(context.WithoutCancel(ctx), reserved[0])
		}
		return id, false, err
	}
	return id, true, u.fill(ctx, reserved[0], id)
}

// fill notes the record behind a reserved name.
func (u *upsert) fill(ctx context.Context, reserved, id adapter.ID) error {
	record, _ := id.Int()
	return u.c.Update(ctx, externalIDs, []adapter.ID{reserved}, adapter.Record{"res_id": record})
}

// release gives a name up.
func (u *upsert) release(ctx context.Context, n adapter.ID) error {
	err := u.c.Delete(ctx, externalIDs, []adapter.ID{n})
	if errors.Is(err, adapter.ErrNotFound) {
		return nil
	}
	return err
}

// takeOver settles a name that was reserved by a call that broke off.
func (u *upsert) takeOver(ctx context.Context, n *note) (adapter.ID, bool, error) {
	// A write dates it by the server's clock. It must not touch the record, which
	// whoever reserved the name may note at this moment.
	if err := u.c.Update(ctx, externalIDs, []adapter.ID{n.id}, adapter.Record{"noupdate": true}); err != nil {
		return adapter.ID{}, false, err
	}
	var rows []adapter.Record
	if err := u.c.fetch(ctx, &rows, externalIDs, "read", []any{[]any{n.id.Value()}}, map[string]any{"fields": []string{"res_id", "create_date", "write_date"}}); err != nil {
		return adapter.ID{}, false, err
	}
	if len(rows) == 0 || rows[0].Int("res_id") > 0 {
		return adapter.ID{}, false, u.busy(time.Second) // it is settled meanwhile
	}
	if age := rows[0].Time("write_date").Sub(rows[0].Time("create_date")); age < reservedFor {
		return adapter.ID{}, false, u.busy(reservedFor - age)
	}
	id, err := u.orphan(ctx, n)
	if err != nil {
		return adapter.ID{}, false, err
	}
	if !id.IsZero() {
		if err := u.fill(ctx, n.id, id); err != nil {
			return id, false, err
		}
		return id, false, u.c.Update(ctx, u.model, []adapter.ID{id}, u.values)
	}
	if err := u.release(ctx, n.id); err != nil {
		return adapter.ID{}, false, err
	}
	return u.create(ctx)
}

// orphan is the record that the call made that broke off: of this user, since
// the name was reserved, with the same values, and without an external id.
func (u *upsert) orphan(ctx context.Context, n *note) (adapter.ID, error) {
	described, err := u.c.Schema(ctx, u.model)
	if err != nil {
		return adapter.ID{}, err
	}
	filter := adapter.And{
		adapter.Cond{Field: "create_date", Op: adapter.GreaterEq, Value: n.made},
		adapter.Cond{Field: "create_uid", Op: adapter.Equal, Value: u.c.Info().UserID.Value()},
	}
	told := false
	for _, field := range slices.Sorted(maps.Keys(u.values)) {
		f, value := described.Fields[field], u.values[field]
		text, isText := value.(string)
		if f.Type == adapter.Char && f.Stored && !f.Translate && isText && text != "" {
			filter, told = append(filter, adapter.Cond{Field: field, Op: adapter.Equal, Value: text}), true
		}
	}
	scope := adapter.ScopeFrom(ctx)
	scope.Values = maps.Clone(scope.Values)
	if scope.Values == nil {
		scope.Values = map[string]any{}
	}
	scope.Values["active_test"] = false
	ids, err := u.c.SearchIDs(adapter.WithScope(ctx, scope), adapter.Query{Model: u.model, Filter: filter, Order: []adapter.Order{{Field: "id"}}, Limit: orphansMost})
	if err != nil || len(ids) == 0 {
		return adapter.ID{}, err
	}
	if !told || len(ids) == orphansMost {
		return adapter.ID{}, &adapter.Error{Code: adapter.UnknownOutcome, Model: u.model, Field: ExternalID,
			Message: fmt.Sprintf("an earlier call for %s.%s broke off, and nothing tells whether it made its record; look, and set the record of that external id", u.module, u.name)}
	}
	var noted []adapter.Record
	numbers := existingIDs(ids)
	err = u.c.fetch(ctx, &noted, externalIDs, "search_read", []any{[]any{[]any{"model", "=", u.model}, []any{"res_id", "in", numbers}}}, map[string]any{"fields": []string{"res_id"}})
	if err != nil {
		return adapter.ID{}, err
	}
	for _, r := range noted {
		numbers = slices.DeleteFunc(numbers, func(id int64) bool { return id == r.Int("res_id") })
	}
	if len(numbers) == 0 {
		return adapter.ID{}, nil
	}
	return adapter.IntID(numbers[0]), nil
}

// orphansMost is among how many records one is looked for.
const orphansMost = 100
