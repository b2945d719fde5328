package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Create implements [adapter.Adapter].
func (c *Client) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return adapter.ID{}, err
	}
	var id adapter.ID
	err = c.settle(ctx, name, func() error {
		converted, err := c.values(ctx, name, values)
		if err != nil {
			return err
		}
		raw, err := c.invoke(ctx, name, "create", []any{converted}, nil)
		if err != nil {
			return err
		}
		ids, err := c.createdIDs(raw, name, 1)
		if err != nil {
			return err
		}
		id = ids[0]
		return nil
	})
	return id, err
}

// CreateMany creates all the records in one call, or none of them.
func (c *Client) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	if len(values) == 0 {
		return nil, nil
	}
	name, err := c.modelName(ctx, model)
	if err != nil {
		return nil, err
	}
	var ids []adapter.ID
	err = c.settle(ctx, name, func() error {
		rows := make([]any, len(values))
		for i, v := range values {
			row, err := c.values(ctx, name, v)
			if err != nil {
				return atRow(err, i)
			}
			rows[i] = row
		}
		raw, err := c.invoke(ctx, name, "create", []any{rows}, nil)
		if err != nil {
			return err
		}
		ids, err = c.createdIDs(raw, name, len(values))
		return err
	})
	return ids, err
}

// atRow says which of several records an error is about.
func atRow(err error, i int) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	clone := *e
	clone.Message = fmt.Sprintf("record %d: %s", i, e.Message)
	return &clone
}

// createdIDs reads the answer of create: an id, or a list of them.
func (c *Client) createdIDs(raw json.RawMessage, name string, want int) ([]adapter.ID, error) {
	var v any
	if err := c.decode(raw, &v, name, "create"); err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	ids := make([]adapter.ID, 0, len(list))
	for _, item := range list {
		if id, ok := adapter.IDOf(item); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) != want {
		return nil, &adapter.Error{
			Code: adapter.UnknownOutcome, Model: name,
			Message: "Odoo answered without the ids of what it created",
			Err:     fmt.Errorf("odoo: create of %d answered %d ids", want, len(ids)),
		}
	}
	return ids, nil
}

// Update implements [adapter.Adapter]: all records, or none.
func (c *Client) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	if len(ids) == 0 {
		return nil
	}
	name, err := c.modelName(ctx, model)
	if err != nil {
		return err
	}
	numbers, err := recordIDs(name, ids)
	if err != nil {
		return err
	}
	err = c.settle(ctx, name, func() error {
		converted, err := c.values(ctx, name, values)
		if err != nil {
			return err
		}
		if len(converted) == 0 {
			// Odoo takes this for granted, without a look at the records.
			return c.allExist(ctx, name, numbers)
		}
		_, err = c.invoke(ctx, name, "write", []any{numbers, converted}, nil)
		return err
	})
	return c.orMissing(ctx, name, numbers, err)
}

// Delete implements [adapter.Adapter]: all records, or none. It looks for the
// records first, in a call of its own, since Odoo does not.
func (c *Client) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	if len(ids) == 0 {
		return nil
	}
	name, err := c.modelName(ctx, model)
	if err != nil {
		return err
	}
	numbers, err := recordIDs(name, ids)
	if err != nil {
		return err
	}
	// For most models Odoo answers true for records that are not there.
	if err := c.allExist(ctx, name, numbers); err != nil {
		return err
	}
	_, err = c.invoke(ctx, name, "unlink", []any{numbers}, nil)
	return c.orMissing(ctx, name, numbers, err)
}

// recordIDs returns the ids of records that are to be there.
func recordIDs(name string, ids []adapter.ID) ([]int64, error) {
	numbers := make([]int64, 0, len(ids))
	for _, id := range ids {
		n, ok := id.Int()
		switch {
		case !ok:
			return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: "id", Message: quote(id.String()) + " is no id; Odoo's are integers"}
		case n <= 0 || n > maxID:
			return nil, missing(name, []int64{n})
		}
		if !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

func missing(name string, ids []int64) error {
	e := &adapter.Error{Code: adapter.NotFound, Model: name, Field: "id"}
	const most = 5
	switch n := len(ids); {
	case n == 1:
		e.Message = fmt.Sprintf("record %d does not exist or has been deleted", ids[0])
	case n <= most:
		e.Message = fmt.Sprintf("records %v do not exist or have been deleted", ids)
	default:
		e.Message = fmt.Sprintf("records %v and %d more do not exist or have been deleted", ids[:most], n-most)
	}
	return e
}

// allExist returns an error that names the records that are not there, or the
// server's own for those that the user may not see.
func (c *Client) allExist(ctx context.Context, name string, ids []int64) error {
	there, err := c.existing(ctx, name, ids)
	if err != nil {
		return err
	}
	var gone []int64
	for _, id := range ids {
		if !there[id] {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	// A search leaves out what the user may not see as well; a read tells.
	var seen []adapter.Record
	if err := c.fetch(ctx, &seen, name, "read", []any{gone}, map[string]any{"fields": []string{"display_name"}}); err != nil {
		if errors.Is(err, adapter.ErrInvalidArgument) || errors.Is(err, adapter.ErrNotFound) {
			return missing(name, gone)
		}
		return err
	}
	for _, r := range seen {
		if id, ok := r.ID().Int(); ok {
			gone = slices.DeleteFunc(gone, func(n int64) bool { return n == id })
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return missing(name, gone)
}

// orMissing tells a missing record from a refused one where the transport
// can't: XML-RPC has one fault code for both.
func (c *Client) orMissing(ctx context.Context, name string, ids []int64, err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Code != adapter.InvalidArgument || e.Native == "" || c.info.Transport != TransportXMLRPC {
		return err
	}
	if gone := c.allExist(ctx, name, ids); errors.Is(gone, adapter.ErrNotFound) {
		return gone
	}
	return err
}

// values converts a record to what Odoo's create and write take: fields by the
// version's own names, values by their types. The caller's map is left alone.
func (c *Client) values(ctx context.Context, name string, values map[string]any) (map[string]any, error) {
	return c.valuesAt(ctx, name, values, 0)
}

// valuesDepth bounds the nesting of x2many commands.
const valuesDepth = 20

func (c *Client) valuesAt(ctx context.Context, name string, values map[string]any, depth int) (map[string]any, error) {
	if depth > valuesDepth {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Message: fmt.Sprintf("the values are nested more than %d deep", valuesDepth)}
	}
	out := make(map[string]any, len(values))
	// In order, so that of several faults the same one is always reported.
	for _, field := range slices.Sorted(maps.Keys(values)) {
		if err := plainName(name, field); err != nil {
			return nil, err
		}
		r, err := c.resolve(ctx, name, field)
		if err != nil {
			return nil, err
		}
		switch r.how {
		case renamed:
			if _, both := values[r.name]; both {
				// An app that writes for several versions at once.
				c.warnDropped(ctx, name, field)
				continue
			}
			c.warnReplaced(ctx, name, field, r.name)
		case absent:
			c.warnDropped(ctx, name, field)
			continue
		case unknown:
			return nil, c.noField(ctx, name, field)
		}
		w := writing{c: c, ctx: ctx, model: name, asked: field, depth: depth}
		if out[r.name], err = w.value(r.field, values[field]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writing is the conversion of one value.
type writing struct {
	c     *Client
	ctx   context.Context
	model string
	asked string // the field as the caller named it
	depth int
}

func (w writing) wrong(format string, args ...any) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Model: w.model, Field: w.asked,
		Message: fmt.Sprintf("field '%s' ", w.asked) + fmt.Sprintf(format, args...),
	}
}

// value converts a value to what a field of that type takes.
func (w writing) value(f adapter.Field, raw any) (any, error) {
	v, err := plainValue(raw)
	if err != nil {
		return nil, w.wrong("has a value that JSON can't hold")
	}
	switch f.Type {
	case adapter.Many2One:
		return w.many2one(v)
	case adapter.One2Many, adapter.Many2Many:
		return w.x2many(f, v)
	}
	if v == nil {
		return false, nil
	}
	switch f.Type {
	case adapter.Date, adapter.DateTime:
		return w.when(f.Type, v)
	case adapter.Properties, adapter.JSON, adapter.Unknown:
		return v, nil
	}
	switch v.(type) {
	case map[string]any, []any:
		if f.Type == adapter.Reference {
			break
		}
		return nil, w.wrong("takes one value of type %s, not %s", f.Type, kindOf(v))
	}
	return v, nil
}

func (w writing) when(t adapter.FieldType, v any) (any, error) {
	if v == false || v == "" {
		return false, nil
	}
	s, ok := v.(string)
	if ok {
		if when, ok := parseWhen(s); ok {
			return when.odoo(t), nil
		}
	}
	if t == adapter.Date {
		return nil, w.wrong("takes a date such as 2006-01-02, not %s", kindOf(v))
	}
	return nil, w.wrong("takes a date-time such as 2006-01-02T15:04:05Z, not %s", kindOf(v))
}

func (w writing) many2one(v any) (any, error) {
	switch v {
	case nil, false, "":
		return false, nil
	}
	if id, ok := refID(v); ok {
		return id, nil
	}
	return nil, w.wrong("takes the id of a record, a pair [5, \"Name\"], {\"id\": 5} or null, not %s", kindOf(v))
}

// refID returns the id of a reference in any form: a positive number, a pair,
// a list of one, an object with an id.
func refID(v any) (int64, bool) {
	switch ref := v.(type) {
	case string, bool, nil:
		return 0, false
	case []any:
		if len(ref) == 1 {
			if _, nested := ref[0].([]any); nested {
				return 0, false
			}
			return refID(ref[0])
		}
		id, ok := pairID(ref)
		return id, ok && id > 0
	case map[string]any:
		p, err := plainValue(ref["id"])
		if err != nil {
			return 0, false
		}
		if _, nested := p.(map[string]any); nested {
			return 0, false
		}
		return refID(p)
	}
	id, ok := adapter.IDOf(v)
	if !ok {
		return 0, false
	}
	n, ok := id.Int()
	return n, ok && n > 0
}

// x2many converts the value of a one-to-many or many-to-many: ids, or
// commands.
func (w writing) x2many(f adapter.Field, v any) (any, error) {
	set := func(ids []any) []any { return []any{[]any{6, 0, ids}} }
	switch v {
	case nil, false, "":
		return set([]any{}), nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, w.wrong("takes a list of ids or of commands, not %s", kindOf(v))
	}
	if len(list) == 0 {
		adapter.Warn(w.ctx, adapter.Warning{
			Code: adapter.WarnValueChanged, Model: w.model, Field: w.asked,
			Message: fmt.Sprintf("the empty list for %s was sent as \"none\"; Odoo itself would ignore it", w.asked),
		})
		return set([]any{}), nil
	}
	ids := make([]any, 0, len(list))
	commands := make([]any, 0, len(list))
	for i, item := range list {
		item, err := plainValue(item)
		if err != nil {
			return nil, w.wrong("has a value that JSON can't hold")
		}
		if command, ok := item.([]any); ok {
			done, err := w.command(f, command, i)
			if err != nil {
				return nil, err
			}
			commands = append(commands, done)
			continue
		}
		id, ok := refID(item)
		if !ok {
			return nil, w.wrong("item %d: takes an id, {\"id\": 5} or a command such as [0, 0, {...}], not %s", i, kindOf(item))
		}
		if m, ok := item.(map[string]any); ok {
			// What was read holds names besides; values to write are another
			// matter, and would be lost.
			for key := range m {
				if key != "id" && key != "display_name" && key != "name" {
					return nil, w.wrong("item %d: to change record %d write the command [1, %d, {...}]", i, id, id)
				}
			}
		}
		ids = append(ids, id)
	}
	switch {
	case len(commands) == 0:
		return set(ids), nil
	case len(ids) > 0:
		return nil, w.wrong("mixes ids with commands; commands are lists in a list, such as [[4, 5]]")
	}
	return commands, nil
}

// command converts one x2many command and refuses those that Odoo would
// ignore or take for another.
func (w writing) command(f adapter.Field, command []any, at int) ([]any, error) {
	wrong := func(format string, args ...any) error {
		return w.wrong("command %d: "+format, append([]any{at}, args...)...)
	}
	if len(command) == 0 {
		return nil, wrong("is empty")
	}
	number, ok := integer(command[0])
	if !ok || number < 0 || number > 6 {
		return nil, wrong("must begin with 0 (create), 1 (update), 2 (delete), 3 (unlink), 4 (link), 5 (clear) or 6 (set)")
	}
	arg := func(i int) any {
		if i >= len(command) {
			return nil
		}
		v, err := plainValue(command[i])
		if err != nil {
			return nil
		}
		return v
	}
	var id int64
	switch number {
	case 1, 2, 3, 4:
		if id, ok = refID(arg(1)); !ok {
			return nil, wrong("needs the id of a record, as in [%d, 5]", number)
		}
	case 5:
		if second := arg(1); second != nil && second != false {
			if n, ok := integer(second); !ok || n != 0 {
				return nil, wrong("[5] clears the whole list and takes no id")
			}
		}
	}
	switch number {
	case 0, 1:
		values, ok := arg(2).(map[string]any)
		if !ok {
			return nil, wrong("needs an object of values, as in [%d, %d, {...}]", number, id)
		}
		converted, err := w.c.valuesAt(w.ctx, f.Relation, values, w.depth+1)
		if err != nil {
			return nil, err
		}
		if number == 1 {
			return []any{1, id, converted}, nil
		}
		// Odoo takes a name of the caller's own for the line to come.
		if virtual, ok := arg(1).(string); ok {
			return []any{0, virtual, converted}, nil
		}
		return []any{0, 0, converted}, nil
	case 2, 3, 4:
		return []any{number, id, 0}, nil
	case 5:
		return []any{5, 0, 0}, nil
	}
	list, ok := arg(2).([]any)
	if !ok && arg(2) != nil && arg(2) != false {
		return nil, wrong("needs a list of ids, as in [6, 0, [1, 2]]")
	}
	ids := make([]any, len(list))
	for i, item := range list {
		item, err := plainValue(item)
		if err != nil {
			return nil, wrong("holds no id at %d", i)
		}
		if ids[i], ok = refID(item); !ok {
			return nil, wrong("holds %s where an id should be", kindOf(item))
		}
	}
	return []any{6, 0, ids}, nil
}

func integer(v any) (int64, bool) {
	switch v.(type) {
	case string, bool, nil:
		return 0, false
	}
	id, ok := adapter.IDOf(v)
	if !ok {
		return 0, false
	}
	return id.Int()
}
