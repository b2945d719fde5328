package sap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// expr is a part of a $filter. An empty text stands for everything, or for
// nothing: OData v2 has no constants that all servers take.
type expr struct {
	text  string
	never bool
	group bool // text needs parentheses beside other operators
}

func (e expr) constant() bool { return e.text == "" }

var (
	everything = expr{}
	nothing    = expr{never: true}
)

func constant(holds bool) expr { return expr{never: !holds} }

// atom is an expression that stands by itself.
func atom(format string, args ...any) expr { return expr{text: fmt.Sprintf(format, args...)} }

func (e expr) inner() string {
	if e.group {
		return "(" + e.text + ")"
	}
	return e.text
}

// join joins expressions by "and" or "or".
func join(parts []expr, or bool) expr {
	word, decides := " and ", nothing
	if or {
		word, decides = " or ", everything
	}
	kept := parts[:0:0]
	for _, p := range parts {
		switch {
		case p.constant() && p.never == decides.never:
			return decides
		case !p.constant():
			kept = append(kept, p)
		}
	}
	switch len(kept) {
	case 0:
		return constant(!or)
	case 1:
		return kept[0]
	}
	texts := make([]string, len(kept))
	for i, p := range kept {
		texts[i] = p.inner()
	}
	return expr{text: strings.Join(texts, word), group: true}
}

func and(parts ...expr) expr { return join(parts, false) }
func or(parts ...expr) expr  { return join(parts, true) }

// renderer writes a filter as OData's $filter. Negations are carried down to
// the conditions, and each condition says for itself what becomes of null:
// databases and OData do not agree on "not (a eq 1)" where a is null.
type renderer struct {
	m *model
	// inexact are conditions for which the expression lets through more than
	// it should, so that the answers must be looked at again.
	inexact bool
	used    map[string]bool // properties of the model that are filtered by
	lambdas int
}

// place is where a condition's field is: the model it belongs to, and how to
// get there.
type place struct {
	m      *model
	prefix string // "to_Customer/" or "x0/"
	// guard is the property that is null when a relation on the way leads
	// nowhere; "" where there is none.
	guard string
}

// checkFilter holds a filter against the schemas.
func (m *model) checkFilter(f adapter.Filter) error {
	err := adapter.Validate(f, m.schemaOf(), m.name)
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Code != adapter.Internal {
		return err
	}
	return err
}

// schemaOf finds the schemas of the model and those it leads to, which are all
// in one service.
func (m *model) schemaOf() func(string) (*adapter.Schema, error) {
	known := map[string]*adapter.Schema{}
	return func(name string) (*adapter.Schema, error) {
		if s := known[name]; s != nil {
			return s, nil
		}
		_, set, _ := strings.Cut(name, ".")
		next := m.service.modelOf(m.meta, set)
		if next == nil {
			return nil, unknownModel(name, "the service has no entity set "+quote(set), "", nil)
		}
		known[name] = next.schema()
		return known[name], nil
	}
}

// render writes a filter that was normalized and checked.
func (r *renderer) render(f adapter.Filter, at place, neg bool) (expr, error) {
	switch f := f.(type) {
	case nil:
		return constant(!neg), nil
	case adapter.Always:
		return constant(bool(f) != neg), nil
	case adapter.Not:
		return r.render(f.Part, at, !neg)
	case adapter.And:
		return r.parts(f, at, neg, neg)
	case adapter.Or:
		return r.parts(f, at, neg, !neg)
	case adapter.Cond:
		return r.cond(f, at, neg)
	}
	return expr{}, at.m.wrong("", "a filter can't hold a Go %T", f)
}

func (r *renderer) parts(parts []adapter.Filter, at place, neg, or bool) (expr, error) {
	out := make([]expr, len(parts))
	for i, part := range parts {
		var err error
		if out[i], err = r.render(part, at, neg); err != nil {
			return expr{}, err
		}
	}
	return join(out, or), nil
}

// negatives are the operators that negate another.
var negatives = map[adapter.Op]adapter.Op{
	adapter.NotEqual: adapter.Equal, adapter.NotIn: adapter.In, adapter.NotLike: adapter.Like,
	adapter.NotILike: adapter.ILike, adapter.NotEqLike: adapter.EqLike, adapter.NotEqILike: adapter.EqILike,
	adapter.NotAny: adapter.Any,
}

func (r *renderer) cond(c adapter.Cond, at place, neg bool) (expr, error) {
	if positive, ok := negatives[c.Op]; ok {
		c.Op, neg = positive, !neg
	}
	if c.Op == adapter.EqualOrNone {
		if adapter.IsEmpty(c.Value) {
			return constant(!neg), nil
		}
		c.Op = adapter.Equal
	}
	if c.Op == adapter.ChildOf || c.Op == adapter.ParentOf {
		return expr{}, at.m.unsupported(c.Field, "SAP has no operator \"%s\"; name the records of the hierarchy with \"in\"", c.Op)
	}
	head, rest, dotted := strings.Cut(c.Field, ".")
	nav := at.m.typ.Nav(head)
	switch {
	case nav == nil && dotted:
		return expr{}, at.m.unsupported(c.Field, "SAP can't filter by a part of %s", quote(head))
	case nav == nil && head == idField && !at.m.idIsProperty():
		return r.id(c, at, neg)
	case nav == nil:
		return r.leaf(c, at, neg)
	}
	return r.through(c, at, nav, rest, neg)
}

// through renders a condition on the records that a navigation property leads
// to.
func (r *renderer) through(c adapter.Cond, at place, nav *edmx.Navigation, rest string, neg bool) (expr, error) {
	next := at.m.follow(nav)
	switch {
	case next == nil:
		return expr{}, at.m.unsupported(c.Field, "the metadata do not tell where %s leads", quote(nav.Name))
	case nav.NoFilter:
		return expr{}, at.m.wrong(c.Field, "SAP does not filter by %s", quote(nav.Name))
	case nav.Many && !at.m.v4():
		return expr{}, at.m.unsupported(c.Field, "OData v2 can't filter by the many records behind %s; ask for those first, and then with \"in\"", quote(nav.Name))
	}
	if at.prefix == "" {
		r.used[nav.Name] = true
	}
	var inner adapter.Filter
	switch {
	case rest != "":
		inner = adapter.Cond{Field: rest, Op: c.Op, Value: c.Value}
	case c.Op == adapter.Any:
		inner, _ = c.Value.(adapter.Filter)
	default:
		return r.relation(c, at, nav, next, neg)
	}
	if nav.Many {
		return r.lambda(inner, at, nav, next, neg)
	}
	to := place{m: next, prefix: at.prefix + nav.Name + "/"}
	if len(next.typ.Keys) > 0 {
		to.guard = to.prefix + next.typ.Keys[0]
	}
	e, err := r.render(inner, to, neg)
	if err != nil || to.guard == "" {
		return e, err
	}
	if neg {
		return or(e, atom("%s eq null", to.guard)), nil
	}
	if r.acceptsNothing(inner, to) {
		return and(e, atom("%s ne null", to.guard)), nil
	}
	return e, nil
}

// acceptsNothing reports whether a condition may hold for a record that is not
// there, all of whose values are null.
func (r *renderer) acceptsNothing(f adapter.Filter, at place) bool {
	c, ok := f.(adapter.Cond)
	if !ok || strings.Contains(c.Field, ".") {
		return true
	}
	switch c.Op {
	case adapter.Like, adapter.ILike, adapter.EqLike, adapter.EqILike:
		s, _ := textOf(c.Value)
		return s == ""
	case adapter.Equal, adapter.In, adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq:
		p := at.m.typ.Prop(c.Field)
		if p == nil || isNumber(p.Type) || p.Type == "Edm.Boolean" {
			return true
		}
		list, isList := c.Value.([]any)
		if !isList {
			list = []any{c.Value}
		}
		for _, v := range list {
			if adapter.IsEmpty(v) {
				return true
			}
		}
		return false
	}
	return true
}

// lambda renders a condition that any of many records satisfies.
func (r *renderer) lambda(inner adapter.Filter, at place, nav *edmx.Navigation, next *model, neg bool) (expr, error) {
	path := at.prefix + nav.Name
	e := everything
	variable := fmt.Sprintf("x%d", r.lambdas)
	if inner != nil {
		r.lambdas++
		before := r.inexact
		var err error
		if e, err = r.render(inner, place{m: next, prefix: variable + "/"}, false); err != nil {
			return expr{}, err
		}
		if r.inexact != before {
			return expr{}, at.m.unsupported(nav.Name, "SAP can't look for a pattern with wildcards within %s", quote(nav.Name))
		}
	}
	if e.never {
		return constant(neg), nil
	}
	text := path + "/any()"
	if !e.constant() {
		text = path + "/any(" + variable + ":" + e.text + ")"
	}
	if neg {
		text = "not " + text
	}
	return atom("%s", text), nil
}

// relation renders a condition on a navigation property itself: by the ids of
// the records it leads to, or by whether there are any.
func (r *renderer) relation(c adapter.Cond, at place, nav *edmx.Navigation, next *model, neg bool) (expr, error) {
	if c.Op != adapter.Equal && c.Op != adapter.In {
		return expr{}, at.m.unsupported(c.Field, "SAP compares %s with = and \"in\" alone; name a field behind it, such as %s", quote(c.Field), quote(c.Field+"."+firstKey(next)))
	}
	list, isList := c.Value.([]any)
	if !isList {
		list = []any{c.Value}
	}
	var ids []any
	var parts []expr
	set := adapter.Cond{Field: nav.Name, Op: adapter.Any}
	for _, v := range list {
		switch {
		case v == true:
			return r.through(set, at, nav, "", neg)
		case adapter.IsEmpty(v):
			e, err := r.through(set, at, nav, "", !neg)
			if err != nil {
				return expr{}, err
			}
			parts = append(parts, e)
		default:
			ids = append(ids, v)
		}
	}
	if len(ids) > 0 {
		e, err := r.through(adapter.Cond{Field: nav.Name + "." + idField, Op: adapter.In, Value: ids}, at, nav, idField, neg)
		if err != nil {
			return expr{}, err
		}
		parts = append(parts, e)
	}
	return join(parts, !neg), nil
}

func firstKey(m *model) string {
	if len(m.typ.Keys) == 0 {
		return idField
	}
	return m.typ.Keys[0]
}

// idIsProperty reports whether the service itself calls the key "id".
func (m *model) idIsProperty() bool { return len(m.typ.Keys) == 1 && m.typ.Keys[0] == idField }

// id renders a condition on the id.
func (r *renderer) id(c adapter.Cond, at place, neg bool) (expr, error) {
	props := at.m.keyProps()
	switch {
	case len(props) == 0:
		return expr{}, at.m.unsupported(idField, "%s has no key", at.m.name)
	case len(props) == 1:
		c.Field = props[0].Name
		return r.leaf(c, at, neg)
	case c.Op != adapter.Equal && c.Op != adapter.In:
		return expr{}, at.m.unsupported(idField, "the id of %s is made of several keys, which %q can't compare; use the keys themselves", at.m.name, c.Op)
	}
	list, isList := c.Value.([]any)
	if !isList {
		list = []any{c.Value}
	}
	parts := make([]expr, 0, len(list))
	for _, v := range list {
		id, ok := adapter.IDOf(v)
		if !ok {
			if v == true {
				return constant(!neg), nil // every record has one
			}
			continue
		}
		k, err := at.m.parseID(id)
		if err != nil {
			if adapter.CodeOf(err) == adapter.InvalidArgument && !errors.Is(err, errNever) && strings.Contains(id.String(), "=") {
				return expr{}, err
			}
			continue
		}
		e, err := r.sameKey(at, props, k, neg)
		if err != nil {
			return expr{}, err
		}
		parts = append(parts, e)
	}
	return join(parts, !neg), nil
}

func (r *renderer) sameKey(at place, props []*edmx.Property, k key, neg bool) (expr, error) {
	op := "eq"
	if neg {
		op = "ne"
	}
	parts := make([]expr, len(props))
	for i, p := range props {
		if err := r.use(p.Name, p, at); err != nil {
			return expr{}, err
		}
		s, err := at.m.literal(p, k[i])
		if err != nil {
			return expr{}, err
		}
		parts[i] = atom("%s%s %s %s", at.prefix, p.Name, op, s)
	}
	return join(parts, neg), nil
}

// use notes that a property is filtered by, or refuses it.
func (r *renderer) use(field string, p *edmx.Property, at place) error {
	if !at.m.filterable(p) {
		return at.m.wrong(field, "SAP does not filter by %s: its metadata say so", quote(p.Name))
	}
	if at.prefix == "" {
		r.used[p.Name] = true
	}
	return nil
}

// filterPlan is a filter as it goes to the service.
type filterPlan struct {
	expr
	residual *adapter.Matcher // what the answers must be held against, or nil
	needs    []string         // the fields that residual looks at
}

// planFilter renders a filter.
func (m *model) planFilter(_ context.Context, f adapter.Filter) (filterPlan, error) {
	f = adapter.Normalize(f)
	if err := m.checkFilter(f); err != nil {
		return filterPlan{}, err
	}
	r := &renderer{m: m, used: map[string]bool{}}
	e, err := r.render(f, place{m: m}, false)
	if err != nil {
		return filterPlan{}, err
	}
	plan := filterPlan{expr: e}
	if r.inexact {
		plan.needs = adapter.Fields(f)
		plan.residual, err = adapter.NewMatcher(f, adapter.MatchOptions{Model: m.name, Resolver: resolver{m.schemaOf()}})
		if err != nil {
			return filterPlan{}, err
		}
	}
	return plan, m.checkMustFilter(r.used)
}

// checkMustFilter refuses a query without the filters that the service asks
// for.
func (m *model) checkMustFilter(used map[string]bool) error {
	for _, p := range m.typ.Props {
		if (p.MustFilter || m.set != nil && m.set.MustFilterProps[p.Name]) && !used[p.Name] {
			return m.wrong(p.Name, "SAP answers queries of %s only with a filter by %s", m.name, quote(p.Name))
		}
	}
	if m.set != nil && m.set.MustFilter && len(used) == 0 {
		return m.wrong("filter", "SAP answers queries of %s only with a filter", m.name)
	}
	return nil
}

// resolver tells a matcher the types of fields. Everything else is in the
// records.
type resolver struct {
	schemaOf func(string) (*adapter.Schema, error)
}

func (r resolver) Schema(model string) (*adapter.Schema, error) { return r.schemaOf(model) }

func (r resolver) Related(model string, _ adapter.Record, field string) ([]adapter.Record, error) {
	return nil, &adapter.Error{Code: adapter.Unsupported, Model: model, Field: field, Message: "SAP can't look for a pattern with wildcards together with the records behind " + quote(field), Err: errors.ErrUnsupported}
}

func (r resolver) Read(model string, _ []adapter.ID) ([]adapter.Record, error) {
	_, err := r.Related(model, nil, idField)
	return nil, err
}

func (r resolver) ParentField(string) string { return "" }
