package salesforce

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// filterDepth bounds the nesting of a filter that a Go caller builds;
	// parsed domains have bounds of their own.
	filterDepth = 200
	// subqueryMost is how many ids a rewritten condition may stand for.
	subqueryMost = 10_000
	// maxSemiJoins is how many SOQL takes in one query.
	maxSemiJoins = 2
)

// semiJoin is the value of a condition that SOQL answers by a query of its
// own: "(SELECT AccountId FROM Contact WHERE ...)".
type semiJoin string

// filter is a filter ready for SOQL.
type filter struct {
	where node
	// rest is the filter in the records' own terms, to be held against each
	// record that comes; nil where the node is exact.
	rest   adapter.Filter
	object *object
}

// rewriter brings a filter into the form that render takes: paths to one
// record alone, in Salesforce's names, ids in their long form.
type rewriter struct {
	c      *Client
	ctx    context.Context
	places map[string]place
	joins  int  // semi-joins so far
	noJoin bool // ids must be named instead
}

// scope is where a condition stands.
type scope struct {
	object *object
	prefix string // "Account.": what leads there
	exists string // the reference at the end of the prefix: "AccountId"
	// conjunct says that every record has to fulfil the condition, as semi-joins
	// need.
	conjunct bool
	depth    int
}

func (s scope) within(conjunct bool) scope {
	s.depth++
	s.conjunct = s.conjunct && conjunct
	return s
}

// filter compiles a filter on records of o.
func (c *Client) filter(ctx context.Context, o *object, f adapter.Filter) (filter, error) {
	compiled, joins, err := c.compile(ctx, o, f, false)
	if err != nil || compiled.where.exact || joins == 0 {
		return compiled, err
	}
	// What is left over can't be held against a record if it has a semi-join.
	compiled, _, err = c.compile(ctx, o, f, true)
	return compiled, err
}

func (c *Client) compile(ctx context.Context, o *object, f adapter.Filter, noJoin bool) (filter, int, error) {
	if f == nil {
		return filter{where: constant(true, true), object: o}, 0, nil
	}
	w := &rewriter{c: c, ctx: ctx, places: map[string]place{}, noJoin: noJoin}
	rewritten, err := w.filter(f, scope{object: o, conjunct: true})
	if err != nil {
		return filter{}, 0, withModel(err, o.Name)
	}
	where, err := w.render(rewritten, false)
	if err != nil {
		return filter{}, 0, withModel(err, o.Name)
	}
	out := filter{where: where, object: o}
	if !where.exact {
		out.rest = rewritten
	}
	return out, w.joins, nil
}

func (w *rewriter) render(f adapter.Filter, negated bool) (node, error) {
	switch f := f.(type) {
	case nil:
		return constant(!negated, true), nil
	case adapter.Always:
		return constant(bool(f) != negated, true), nil
	case adapter.Not:
		return w.render(f.Part, !negated)
	case adapter.Cond:
		return render(f, w.places[f.Field], negated)
	case adapter.And:
		return w.renderGroup(f, negated, negated)
	case adapter.Or:
		return w.renderGroup(f, negated, !negated)
	}
	return node{}, badFilter(f)
}

func (w *rewriter) renderGroup(parts []adapter.Filter, negated, either bool) (node, error) {
	nodes := make([]node, len(parts))
	for i, part := range parts {
		var err error
		if nodes[i], err = w.render(part, negated); err != nil {
			return node{}, err
		}
	}
	if either {
		return anyOf(nodes...), nil
	}
	return allOf(nodes...), nil
}

func badFilter(f adapter.Filter) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: "domain", NothingSent: true, Message: fmt.Sprintf("a filter can't hold a Go %T", f)}
}

func (w *rewriter) filter(f adapter.Filter, at scope) (adapter.Filter, error) {
	if at.depth > filterDepth {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "domain", NothingSent: true, Message: fmt.Sprintf("the filter is nested more than %d deep", filterDepth)}
	}
	if at.depth == 0 {
		f = adapter.Normalize(f)
	}
	switch f := f.(type) {
	case nil:
		return adapter.Always(true), nil
	case adapter.Always:
		return f, nil
	case adapter.And:
		parts, err := w.parts(f, at.within(true))
		return adapter.And(parts), err
	case adapter.Or:
		parts, err := w.parts(f, at.within(len(f) == 1))
		return adapter.Or(parts), err
	case adapter.Not:
		part, err := w.filter(f.Part, at.within(false))
		return adapter.Not{Part: part}, err
	case adapter.Cond:
		return w.cond(f, at)
	}
	return nil, badFilter(f)
}

func (w *rewriter) parts(parts []adapter.Filter, at scope) ([]adapter.Filter, error) {
	out := make([]adapter.Filter, len(parts))
	for i, part := range parts {
		var err error
		if out[i], err = w.filter(part, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// cond follows the path of a condition.
func (w *rewriter) cond(cond adapter.Cond, at scope) (adapter.Filter, error) {
	if !cond.Op.Known() {
		return nil, badCondition(cond, "has the unknown operator "+quote(string(cond.Op)))
	}
	if cond.Field == "" {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "domain", NothingSent: true, Message: "a condition names no field"}
	}
	if at.depth > filterDepth {
		return w.filter(cond, at)
	}
	name, rest, more := strings.Cut(cond.Field, ".")
	o := at.object
	f, isField := o.field(name)
	if !isField {
		o, f, isField = w.c.lookUp(w.ctx, o, name)
		at.object = o
	}
	if !isField {
		if f, isField = o.relations[name]; !isField {
			if children, ok := o.children[name]; ok {
				return w.children(cond, at, children, rest, more)
			}
			return nil, adapter.UnknownField(o.schema, name)
		}
	}
	if more {
		return w.through(cond, at, f, rest)
	}
	return w.leaf(cond, at, f)
}

// lookUp finds a field that the description lacks, in a newer one.
func (c *Client) lookUp(ctx context.Context, o *object, name string) (*object, *field, bool) {
	if o.relations[name] != nil || o.children[name] != nil {
		return o, nil, false
	}
	o = c.fresh(ctx, o)
	f, ok := o.field(name)
	return o, f, ok
}

// through follows a reference to the rest of a path.
func (w *rewriter) through(cond adapter.Cond, at scope, f *field, rest string) (adapter.Filter, error) {
	next, err := w.next(cond, at, f)
	if err != nil {
		return nil, err
	}
	cond.Field = rest
	return w.cond(cond, next)
}

// next is the scope of the record that a reference leads to.
func (w *rewriter) next(cond adapter.Cond, at scope, f *field) (scope, error) {
	if f.Type != "reference" || f.Relationship == "" {
		return scope{}, badCondition(cond, "goes through "+quote(f.Name)+", which leads to no other record")
	}
	target, err := w.c.target(w.ctx, f)
	if err != nil {
		return scope{}, err
	}
	// A condition behind a path is no longer one on the records themselves.
	next := at.within(true)
	next.object, next.exists = target, at.prefix+f.Name
	next.prefix = at.prefix + f.Relationship + "."
	return next, nil
}

// target is the object that a reference leads to: that of all names where it
// may be one of several.
func (c *Client) target(ctx context.Context, f *field) (*object, error) {
	name := f.target()
	if name == "" {
		return anyName, nil
	}
	return c.object(ctx, name)
}

// anyName has the fields that all targets of a polymorphic reference share in
// SOQL.
var anyName = func() *object {
	o := &object{Name: nameObject, Label: nameObject}
	for _, name := range [...]string{"Name", "FirstName", "LastName", "Email", "Phone", "Title", "Type", "Username", "Alias"} {
		o.Fields = append(o.Fields, field{Name: name, Type: "string", Filterable: true, Sortable: true, Nillable: true, NameField: name == "Name"})
	}
	o.Fields = append(o.Fields, field{Name: "Id", Type: "id", Filterable: true, Sortable: true}, field{Name: "IsActive", Type: "boolean", Filterable: true, Sortable: true})
	o.finish()
	return o
}()

// leaf takes a condition on a field at the end of its path.
func (w *rewriter) leaf(cond adapter.Cond, at scope, f *field) (adapter.Filter, error) {
	path := at.prefix + f.Name
	w.places[path] = place{path: path, field: f, exists: at.exists}
	asked := cond
	cond.Field = path
	switch {
	case cond.Op == adapter.Any || cond.Op == adapter.NotAny:
		return w.anyParent(asked, at, f)
	case cond.Op == adapter.ChildOf || cond.Op == adapter.ParentOf:
		return w.hierarchy(asked, at, f, path)
	case cond.Op == adapter.EqualOrNone:
		if adapter.IsEmpty(cond.Value) {
			return adapter.Always(true), nil
		}
		cond.Op = adapter.Equal
	}
	if _, isFilter := cond.Value.(adapter.Filter); isFilter {
		return nil, badCondition(asked, "takes a value, not a filter")
	}
	if f.kind == kindID {
		return w.reference(cond, at, f)
	}
	if list, ok := cond.Value.([]any); ok {
		switch positive, _ := cond.Op.Negates(); {
		case cond.Op == adapter.Equal || cond.Op == adapter.In || positive == adapter.Equal || positive == adapter.In:
		default:
			return nil, badCondition(asked, fmt.Sprintf("takes one value for %q, not a list of %d", cond.Op, len(list)))
		}
	}
	return cond, nil
}

// reference brings the ids in a condition into their long form. A text that
// is no id asks for the name of the record that is referred to.
func (w *rewriter) reference(cond adapter.Cond, at scope, f *field) (adapter.Filter, error) {
	op, negated := cond.Op, false
	if positive, ok := op.Negates(); ok {
		op, negated = positive, true
	}
	not := func(f adapter.Filter) adapter.Filter {
		if negated {
			return adapter.Not{Part: f}
		}
		return f
	}
	switch op {
	case adapter.Equal, adapter.In:
	case adapter.Like, adapter.ILike, adapter.EqLike, adapter.EqILike:
		if f.Type != "reference" {
			return nil, badCondition(cond, "compares an id by a pattern")
		}
		if adapter.IsEmpty(cond.Value) {
			set := adapter.Cond{Field: cond.Field, Op: adapter.NotEqual, Value: false}
			if op == adapter.EqLike || op == adapter.EqILike {
				set.Op = adapter.Equal
			}
			return not(set), nil
		}
		named, err := w.named(cond, at, f, op, cond.Value)
		return not(named), err
	default:
		if s, ok := cond.Value.(string); ok {
			cond.Value = longID(s)
		}
		return cond, nil
	}
	list, ok := cond.Value.([]any)
	if _, pair := adapter.RefOf(cond.Value); !ok || pair && op == adapter.Equal || pair && adapterPair(list) {
		list = []any{cond.Value}
	}
	values, names := make([]any, 0, len(list)), []any(nil)
	for _, v := range list {
		switch id, isID := idValue(v); {
		case isID:
			values = append(values, id)
		case f.Type == "reference" && isName(v):
			names = append(names, v)
		case adapter.IsEmpty(v) || v == true:
			values = append(values, v)
		}
	}
	var parts adapter.Or
	if len(values) > 0 || len(names) == 0 {
		parts = append(parts, adapter.Cond{Field: cond.Field, Op: adapter.In, Value: values})
	}
	if len(names) > 0 {
		named, err := w.named(cond, at, f, adapter.In, names)
		if err != nil {
			return nil, err
		}
		parts = append(parts, named)
	}
	if len(parts) == 1 {
		return not(parts[0]), nil
	}
	return not(parts), nil
}

// adapterPair tells a reference as it was read, [id, name], from a list of two
// ids.
func adapterPair(list []any) bool {
	if len(list) != 2 {
		return false
	}
	_, isID := idValue(list[0])
	return isID && !isIDText(list[1])
}

func isIDText(v any) bool {
	_, ok := idValue(v)
	return ok
}

// idValue is the long form of an id that was written in any form.
func idValue(v any) (string, bool) {
	if m, ok := v.(map[string]any); ok {
		v = adapter.Record(m).ID()
	}
	id, ok := adapter.IDOf(v)
	if !ok {
		return "", false
	}
	text := idText(id)
	return text, text != ""
}

func isName(v any) bool {
	s, ok := v.(string)
	return ok && s != ""
}

// named is the condition on the name of the record that is referred to.
func (w *rewriter) named(cond adapter.Cond, at scope, f *field, op adapter.Op, value any) (adapter.Filter, error) {
	next, err := w.next(cond, at, f)
	if err != nil {
		return nil, err
	}
	if next.object.nameField == "" {
		return nil, badCondition(cond, "compares with a name, and "+next.object.Name+" has none; use an id")
	}
	return w.cond(adapter.Cond{Field: next.object.nameField, Op: op, Value: value}, next)
}

// anyParent is "any" on the one record that a reference leads to.
func (w *rewriter) anyParent(cond adapter.Cond, at scope, f *field) (adapter.Filter, error) {
	nested, ok := cond.Value.(adapter.Filter)
	if !ok && cond.Value != nil {
		return nil, badCondition(cond, "needs a filter on the related records")
	}
	if f.Type != "reference" {
		return nil, badCondition(cond, "needs a field that leads to other records")
	}
	set, err := w.leaf(adapter.Cond{Field: cond.Field, Op: adapter.NotEqual, Value: false}, at, f)
	if err != nil {
		return nil, err
	}
	parts := adapter.And{set}
	if nested != nil {
		next, err := w.next(cond, at, f)
		if err != nil {
			return nil, err
		}
		next.conjunct = next.conjunct && cond.Op == adapter.Any
		part, err := w.filter(adapter.Normalize(nested), next)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if cond.Op == adapter.NotAny {
		return adapter.Not{Part: parts}, nil
	}
	return parts, nil
}

// children takes a condition on the records that refer to this one.
func (w *rewriter) children(cond adapter.Cond, at scope, c *child, rest string, more bool) (adapter.Filter, error) {
	any := adapter.Cond{Field: cond.Field, Op: adapter.Any}
	switch {
	case more:
		// As Odoo takes it: some related record fulfils the condition.
		cond.Field = rest
		any.Value = adapter.Filter(cond)
	case cond.Op == adapter.Any || cond.Op == adapter.NotAny:
		any = cond
	default:
		return w.childIDs(cond, at, c)
	}
	nested, ok := any.Value.(adapter.Filter)
	if !ok && any.Value != nil {
		return nil, badCondition(cond, "needs a filter on the related records")
	}
	o, err := w.c.object(w.ctx, c.Object)
	if err != nil {
		return nil, err
	}
	left, op := at.prefix+"Id", adapter.In
	if at.exists != "" {
		left = at.exists
	}
	if any.Op == adapter.NotAny {
		op = adapter.NotIn
	}
	w.places[left] = w.place(left, at)
	join, ok, err := w.join(o, c, nested, at, op)
	if err != nil {
		return nil, err
	}
	if ok {
		w.joins++
		return adapter.Cond{Field: left, Op: op, Value: join}, nil
	}
	ids, err := w.c.collect(w.ctx, o, nested, c.Field, cond)
	if err != nil {
		return nil, err
	}
	return adapter.Cond{Field: left, Op: op, Value: ids}, nil
}

// place is that of an id, which every object has, or of the reference that
// leads to it.
func (w *rewriter) place(path string, at scope) place {
	if known, ok := w.places[path]; ok {
		return known
	}
	id := &field{Name: path, Type: "id", Filterable: true}
	id.finish()
	return place{path: path, field: id}
}

// childIDs is "Contacts = id" and its like.
func (w *rewriter) childIDs(cond adapter.Cond, at scope, c *child) (adapter.Filter, error) {
	op := cond.Op
	if positive, ok := op.Negates(); ok {
		op = positive
	}
	if op != adapter.Equal && op != adapter.In {
		return nil, badCondition(cond, fmt.Sprintf("is on many records, for which %q has no meaning; use any", cond.Op))
	}
	negated := op != cond.Op
	list, ok := cond.Value.([]any)
	if !ok {
		list = []any{cond.Value}
	}
	some := func(f adapter.Filter, negated bool) (adapter.Filter, error) {
		cond := adapter.Cond{Field: cond.Field, Op: adapter.Any, Value: f}
		if f == nil {
			cond.Value = nil
		}
		if negated {
			cond.Op = adapter.NotAny
		}
		return w.children(cond, at, c, "", false)
	}
	if len(list) == 1 && adapter.IsEmpty(list[0]) {
		return some(nil, !negated)
	}
	for _, v := range list {
		if !isIDText(v) {
			return nil, badCondition(cond, "is on many records; compare with their ids, with false, or use any")
		}
	}
	return some(adapter.Cond{Field: "Id", Op: adapter.In, Value: list}, negated)
}

// join writes a condition on child records as a semi-join, where SOQL takes
// one: two in a query at most, none within another, and all of them joined by
// "and".
func (w *rewriter) join(o *object, c *child, nested adapter.Filter, at scope, op adapter.Op) (semiJoin, bool, error) {
	if w.noJoin || !at.conjunct || w.joins >= maxSemiJoins || at.prefix != "" {
		return "", false, nil
	}
	inner, err := w.c.filterAlone(w.ctx, o, nested)
	if err != nil {
		return "", false, err
	}
	if !inner.where.exact || inner.where.size() > longList {
		return "", false, nil
	}
	where := allOf(notNull(c.Field), inner.where)
	if where.op == opConstant {
		return "", false, nil
	}
	return semiJoin("(SELECT " + c.Field + " FROM " + o.Name + where.where() + ")"), true, nil
}

// filterAlone compiles a filter without semi-joins.
func (c *Client) filterAlone(ctx context.Context, o *object, f adapter.Filter) (filter, error) {
	compiled, _, err := c.compile(ctx, o, f, true)
	return compiled, err
}

// collect returns the distinct values of a reference, of the records that
// match.
func (c *Client) collect(ctx context.Context, o *object, f adapter.Filter, reference string, cond adapter.Cond) ([]any, error) {
	compiled, err := c.filterAlone(ctx, o, f)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	ids := []any{}
	rows := c.rows(&plan{object: o, filter: compiled, selection: selectOnly(o, reference), byID: 1})
	for {
		r, ok, err := rows.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			return ids, nil
		}
		id, _ := r[reference].(string)
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		if ids = append(ids, id); len(ids) > subqueryMost {
			return nil, &adapter.Error{
				Code: adapter.Unsupported, Model: o.Name, Field: cond.Field, NothingSent: true,
				Message: fmt.Sprintf("the condition on %s stands for more than %d records of %s; make it narrower", quote(cond.Field), subqueryMost, o.Name),
			}
		}
	}
}

// hierarchy resolves child_of and parent_of to ids.
func (w *rewriter) hierarchy(cond adapter.Cond, at scope, f *field, path string) (adapter.Filter, error) {
	if f.kind != kindID {
		return nil, badCondition(cond, "has no hierarchy; use a relation or Id")
	}
	o := at.object
	if f.Type == "reference" {
		if f.target() == "" {
			return nil, badCondition(cond, "leads to objects of several kinds, which have no common hierarchy")
		}
		var err error
		if o, err = w.c.target(w.ctx, f); err != nil {
			return nil, err
		}
	}
	values, ok := cond.Value.([]any)
	if !ok || adapterPair(values) {
		values = []any{cond.Value}
	}
	roots, err := w.roots(cond, o, values)
	if err != nil {
		return nil, err
	}
	ids, err := w.relatives(cond, o, roots)
	if err != nil {
		return nil, err
	}
	return adapter.Cond{Field: path, Op: adapter.In, Value: ids}, nil
}

// roots are the ids that a hierarchy operator starts from: those given, and
// those of records whose name contains a text.
func (w *rewriter) roots(cond adapter.Cond, o *object, values []any) ([]any, error) {
	var ids []any
	for _, v := range values {
		id, isID := idValue(v)
		switch {
		case isID:
			ids = append(ids, id)
		case isName(v):
			if o.nameField == "" {
				return nil, badCondition(cond, "compares with a name, and "+o.Name+" has none; use an id")
			}
			named, err := w.c.collect(w.ctx, o, adapter.Cond{Field: o.nameField, Op: adapter.ILike, Value: v}, "Id", cond)
			if err != nil {
				return nil, err
			}
			ids = append(ids, named...)
		case !adapter.IsEmpty(v):
			return nil, badCondition(cond, "needs ids or names, not "+describeValue(v))
		}
	}
	return ids, nil
}

// relatives adds all that is below the given records, or above them.
func (w *rewriter) relatives(cond adapter.Cond, o *object, roots []any) ([]any, error) {
	all := []any{}
	seen := map[any]bool{}
	add := func(ids []any) (news []any) {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				all, news = append(all, id), append(news, id)
			}
		}
		return news
	}
	level := add(roots)
	if o.parent == "" {
		return all, nil
	}
	from, to := o.parent, "Id" // down: those whose parent is among them
	if cond.Op == adapter.ParentOf {
		from, to = "Id", o.parent
	}
	for len(level) > 0 {
		found, err := w.c.collect(w.ctx, o, adapter.Cond{Field: from, Op: adapter.In, Value: level}, to, cond)
		if err != nil {
			return nil, err
		}
		level = add(found)
		if len(all) > subqueryMost {
			return nil, badCondition(cond, fmt.Sprintf("stands for more than %d records", subqueryMost))
		}
	}
	return all, nil
}

// resolver answers what adapter.Match asks about fields. What records refer to
// comes along with them.
type resolver struct {
	c   *Client
	ctx context.Context
}

func (r resolver) Schema(model string) (*adapter.Schema, error) {
	if model == nameObject {
		return anyName.schema, nil
	}
	o, err := r.c.object(r.ctx, model)
	if err != nil {
		return nil, err
	}
	return o.schema, nil
}

func (r resolver) Related(string, adapter.Record, string) ([]adapter.Record, error) { return nil, nil }
func (r resolver) Read(string, []adapter.ID) ([]adapter.Record, error)              { return nil, nil }
func (r resolver) ParentField(string) string                                        { return "" }

// matcher is what is left of the filter, nil where nothing is; and the paths
// that it needs of each record.
func (f *filter) matcher(ctx context.Context, c *Client) (*adapter.Matcher, []string, error) {
	if f.rest == nil {
		return nil, nil, nil
	}
	m, err := adapter.NewMatcher(f.rest, adapter.MatchOptions{Model: f.object.Name, Resolver: resolver{c, ctx}})
	if err != nil {
		return nil, nil, err
	}
	fields := adapter.Fields(f.rest)
	slices.Sort(fields)
	return m, fields, nil
}
