package odoo

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// filterDepth bounds the nesting of a filter that a Go caller builds; parsed
// domains have bounds of their own.
const filterDepth = 200

// subqueryMost is how many ids a rewritten condition may name.
const subqueryMost = 10_000

// domain writes a filter as the connected version understands it: fields by
// that version's names, values in Odoo's form, newer operators by what they
// mean.
func (c *Client) domain(ctx context.Context, name string, f adapter.Filter) ([]any, error) {
	if f == nil {
		return []any{}, nil
	}
	f, err := c.rewrite(ctx, name, f, 0)
	if err != nil {
		return nil, err
	}
	return adapter.FormatDomain(f), nil
}

func (c *Client) rewrite(ctx context.Context, name string, f adapter.Filter, depth int) (adapter.Filter, error) {
	if depth > filterDepth {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "domain", Message: fmt.Sprintf("the filter is nested more than %d deep", filterDepth)}
	}
	parts := func(in []adapter.Filter) ([]adapter.Filter, error) {
		out := make([]adapter.Filter, len(in))
		for i, part := range in {
			var err error
			if out[i], err = c.rewrite(ctx, name, part, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch f := f.(type) {
	case nil:
		return adapter.Always(true), nil
	case adapter.And:
		out, err := parts(f)
		return adapter.And(out), err
	case adapter.Or:
		out, err := parts(f)
		return adapter.Or(out), err
	case adapter.Not:
		part, err := c.rewrite(ctx, name, f.Part, depth+1)
		return adapter.Not{Part: part}, err
	case adapter.Cond:
		return c.condition(ctx, name, f, depth)
	}
	return f, nil
}

// dateParts are the numbers that 18.0 and later take of a date in a domain.
var dateParts = []string{
	"year_number", "quarter_number", "month_number", "iso_week_number", "day_of_week",
	"day_of_month", "day_of_year", "hour_number", "minute_number", "second_number",
}

// place is where a path of fields leads to.
type place struct {
	path   string        // in the version's own names
	field  adapter.Field // at its end
	single bool          // no hop leads to more than one record
}

// follow holds a path against the schemas on its way.
func (c *Client) follow(ctx context.Context, name, path string) (place, error) {
	steps := strings.Split(path, ".")
	at := place{single: true}
	for i, step := range steps {
		r, err := c.resolve(ctx, name, step)
		if err != nil {
			return place{}, err
		}
		switch r.how {
		case renamed:
			c.warnReplaced(ctx, name, step, r.name)
		case absent, unknown:
			e := c.noField(ctx, name, step)
			if r.how == absent {
				e.Message += "; a condition on it can't be left out"
			}
			return place{}, e
		}
		steps[i], at.field = r.name, r.field
		last := i == len(steps)-1
		switch {
		case r.field.Type.Relational():
			at.single = at.single && r.field.Type == adapter.Many2One
			name = r.field.Relation
		case last:
		case r.field.Type == adapter.Properties, r.field.Type == adapter.JSON, r.field.Type == adapter.Unknown, r.how == doubtful:
			at.field = adapter.Field{Type: adapter.Unknown}
			at.path = strings.Join(steps, ".")
			return at, nil
		case (r.field.Type == adapter.Date || r.field.Type == adapter.DateTime) && i == len(steps)-2 && slices.Contains(dateParts, steps[i+1]):
			if c.version.Major < 18 {
				return place{}, c.needs(18, "condition on "+quote(path), path)
			}
			at.field = adapter.Field{Type: adapter.Integer}
			at.path = strings.Join(steps, ".")
			return at, nil
		default:
			return place{}, &adapter.Error{
				Code: adapter.InvalidArgument, Model: name, Field: step,
				Message: fmt.Sprintf("the condition on '%s' goes through '%s', which is no relation", clip(path), clip(step)),
			}
		}
	}
	at.path = strings.Join(steps, ".")
	return at, nil
}

// needs is the error for what only a later version can do.
func (c *Client) needs(major int, what, field string) error {
	return &adapter.Error{
		Code: adapter.Unsupported, Field: field,
		Message: fmt.Sprintf("%s needs Odoo %d.0; this is %s", what, major, c.version),
	}
}

func (c *Client) condition(ctx context.Context, name string, cond adapter.Cond, depth int) (adapter.Filter, error) {
	if !cond.Op.Known() {
		return nil, &adapter.Error{
			Code: adapter.InvalidArgument, Model: name, Field: cond.Field,
			Message: fmt.Sprintf("the condition on '%s' has the unknown operator %s", clip(cond.Field), quote(string(cond.Op))),
		}
	}
	at, err := c.follow(ctx, name, cond.Field)
	if err != nil {
		return nil, err
	}
	cond.Field = at.path
	switch cond.Op {
	case adapter.Any, adapter.NotAny:
		return c.anyCondition(ctx, at, cond, depth)
	case adapter.In, adapter.NotIn:
		list, ok := asList(cond.Value)
		if !ok {
			// Before 19.0 a scalar is an error, or worse.
			list = []any{cond.Value}
		}
		if id, isPair := pairID(list); isPair && (at.field.Type.Relational() || at.path == "id") {
			// A pair as it was read, which "=" turned into a list of two.
			list = []any{id}
		}
		values := make([]any, len(list))
		for i, v := range list {
			if values[i], err = c.operand(at, cond, v); err != nil {
				return nil, err
			}
		}
		cond.Value = values
		return cond, nil
	case adapter.NotEqLike, adapter.NotEqILike:
		if c.version.Major >= 19 {
			return cond, nil
		}
		return c.notEqLike(ctx, name, at, cond, depth)
	}
	if list, ok := asList(cond.Value); ok {
		switch cond.Op {
		case adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq:
			return nil, c.badOperand(cond, list)
		}
		if _, isPair := pairID(list); !isPair || !at.field.Type.Relational() && at.path != "id" {
			values := make([]any, len(list))
			for i, v := range list {
				if values[i], err = c.operand(at, cond, v); err != nil {
					return nil, err
				}
			}
			cond.Value = values
			return cond, nil
		}
	}
	cond.Value, err = c.operand(at, cond, cond.Value)
	return cond, err
}

// relative is how 19.0 writes a date relative to now.
var relative = regexp.MustCompile(`^(today|now|[=+-]?\d*[a-zA-Z]+)(\s.*)?$`)

// operand converts one value of a condition.
func (c *Client) operand(at place, cond adapter.Cond, v any) (any, error) {
	v, err := plainValue(v)
	if err != nil {
		return nil, c.badOperand(cond, v)
	}
	if v == nil {
		return false, nil
	}
	switch t := at.field.Type; {
	case t.Relational() || strings.HasSuffix("."+at.path, ".id"):
		switch ref := v.(type) {
		case []any:
			id, ok := pairID(ref)
			if !ok {
				return nil, c.badOperand(cond, v)
			}
			return id, nil
		case map[string]any:
			id, ok := adapter.IDOf(ref["id"])
			if !ok {
				return nil, c.badOperand(cond, v)
			}
			return id.Value(), nil
		}
	case t == adapter.Date || t == adapter.DateTime:
		s, ok := v.(string)
		if !ok || isPattern(cond.Op) {
			break
		}
		if when, ok := parseWhen(s); ok {
			return when.odoo(t), nil
		}
		switch {
		case c.version.Major >= 19:
		case relative.MatchString(s):
			return nil, c.needs(19, "the relative date "+quote(s), cond.Field)
		default:
			return nil, &adapter.Error{
				Code: adapter.InvalidArgument, Field: cond.Field,
				Message: fmt.Sprintf("the condition on '%s' compares with %s, which is no %s; write 2006-01-02 or 2006-01-02T15:04:05Z", clip(cond.Field), quote(s), t),
			}
		}
	}
	return v, nil
}

func (c *Client) badOperand(cond adapter.Cond, v any) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Field: cond.Field,
		Message: fmt.Sprintf("the condition on '%s' can't compare with %s", clip(cond.Field), kindOf(v)),
	}
}

func isPattern(op adapter.Op) bool {
	switch op {
	case adapter.Like, adapter.NotLike, adapter.ILike, adapter.NotILike,
		adapter.EqLike, adapter.EqILike, adapter.NotEqLike, adapter.NotEqILike:
		return true
	}
	return false
}

// notEqLike writes "not =like" for versions before 19.0: empty, or not =like.
// At the end of a path it asks for a related record of that kind, as 19.0
// does.
func (c *Client) notEqLike(ctx context.Context, name string, at place, cond adapter.Cond, depth int) (adapter.Filter, error) {
	op := adapter.EqLike
	if cond.Op == adapter.NotEqILike {
		op = adapter.EqILike
	}
	without := func(field string) adapter.Filter {
		return adapter.Or{
			adapter.Cond{Field: field, Op: adapter.Equal, Value: false},
			adapter.Not{Part: adapter.Cond{Field: field, Op: op, Value: cond.Value}},
		}
	}
	i := strings.LastIndexByte(at.path, '.')
	if i < 0 {
		return without(at.path), nil
	}
	return c.condition(ctx, name, adapter.Cond{Field: at.path[:i], Op: adapter.Any, Value: without(at.path[i+1:])}, depth+1)
}

// anyCondition writes "any" and "not any". Before 17.0 they become paths where
// that means the same, and otherwise a list of the ids that match.
func (c *Client) anyCondition(ctx context.Context, at place, cond adapter.Cond, depth int) (adapter.Filter, error) {
	if !at.field.Type.Relational() {
		return nil, &adapter.Error{
			Code: adapter.InvalidArgument, Field: cond.Field,
			Message: fmt.Sprintf("%q asks for related records, but '%s' is no relation", cond.Op, clip(cond.Field)),
		}
	}
	part, ok := cond.Value.(adapter.Filter)
	if !ok && cond.Value != nil {
		return nil, c.badOperand(cond, cond.Value)
	}
	inner, err := c.rewrite(ctx, at.field.Relation, part, depth+1)
	if err != nil {
		return nil, err
	}
	if c.version.Major >= 17 {
		cond.Value = inner
		return cond, nil
	}
	if cond.Op == adapter.Any {
		if f, ok := asPaths(at, inner); ok {
			return f, nil
		}
	}
	ids, err := c.subquery(ctx, at, inner)
	if err != nil {
		return nil, err
	}
	op := adapter.In
	if cond.Op == adapter.NotAny {
		op = adapter.NotIn
	}
	return adapter.Cond{Field: at.path, Op: op, Value: ids}, nil
}

// asPaths writes "at any f" with paths through at, and reports whether that
// means the same. Odoo takes each path for itself, so that several conditions
// on one of many related records don't translate; and it turns the operator
// under a "!" around, which a path does not survive either.
func asPaths(at place, f adapter.Filter) (adapter.Filter, bool) {
	some := adapter.Cond{Field: at.path, Op: adapter.NotEqual, Value: false}
	all := func(parts []adapter.Filter) ([]adapter.Filter, bool) {
		out := make([]adapter.Filter, len(parts))
		for i, part := range parts {
			var ok bool
			if out[i], ok = asPaths(at, part); !ok {
				return nil, false
			}
		}
		return out, true
	}
	switch f := f.(type) {
	case adapter.Always:
		if !f {
			return f, true
		}
		return some, true
	case adapter.Cond:
		f.Field = at.path + "." + f.Field
		return f, true
	case adapter.Or:
		out, ok := all(f)
		return adapter.Or(out), ok
	case adapter.And:
		if len(f) == 0 {
			return some, true
		}
		if len(f) > 1 && !at.single {
			return nil, false
		}
		out, ok := all(f)
		return adapter.And(out), ok
	}
	return nil, false
}

// subquery returns the ids of the related records that match. Archived ones
// count behind a many-to-one and not behind the others, as in Odoo's paths.
func (c *Client) subquery(ctx context.Context, at place, f adapter.Filter) ([]any, error) {
	kwargs := map[string]any{"limit": subqueryMost + 1}
	if at.field.Type == adapter.Many2One {
		kwargs["context"] = map[string]any{"active_test": false}
	}
	var ids []any
	if err := c.fetch(ctx, &ids, at.field.Relation, "search", []any{adapter.FormatDomain(f)}, kwargs); err != nil {
		return nil, err
	}
	if len(ids) > subqueryMost {
		return nil, &adapter.Error{
			Code: adapter.Unsupported, Field: at.path,
			Message: fmt.Sprintf("\"any\" needs Odoo 17.0 here: more than %d records of %s match; this is %s", subqueryMost, at.field.Relation, c.version),
		}
	}
	return ids, nil
}

// orders writes sort keys by the version's own names.
func (c *Client) orders(ctx context.Context, name string, orders []adapter.Order) (string, error) {
	out := make([]adapter.Order, 0, len(orders)+1)
	for _, o := range orders {
		if strings.Contains(o.Field, ".") {
			return "", &adapter.Error{
				Code: adapter.InvalidArgument, Model: name, Field: o.Field,
				Message: fmt.Sprintf("can't sort by '%s': Odoo sorts by fields of the model itself", clip(o.Field)),
			}
		}
		r, err := c.resolve(ctx, name, o.Field)
		if err != nil {
			return "", err
		}
		switch {
		case r.how == renamed:
			c.warnReplaced(ctx, name, o.Field, r.name)
		case r.how >= absent:
			return "", c.noField(ctx, name, o.Field)
		}
		if !r.field.Sortable {
			return "", &adapter.Error{
				Code: adapter.InvalidArgument, Model: name, Field: o.Field,
				Message: fmt.Sprintf("can't sort by '%s': Odoo does not store it", clip(o.Field)),
			}
		}
		o.Field = r.name
		out = append(out, o)
	}
	return adapter.FormatOrder(out), nil
}
