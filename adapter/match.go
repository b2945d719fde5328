package adapter

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Match reports whether f holds for r, as Odoo means it:
//
//   - null, false, "" and an empty list are one and the same "not set". "=",
//     "in" with false match it; "!=", "not in" and the negated likes match it
//     too unless they name it. A number that is not set is 0. A field that r
//     lacks is not set.
//   - like and ilike look for the text anywhere, with % and _ as wildcards and
//     a backslash before a literal one; =like and =ilike compare the whole.
//   - Numbers compare exactly, whatever their size, and with texts that hold
//     numbers. A date-time compared with a date by > or <= counts the whole
//     day. Times may be written in Odoo's form or RFC 3339.
//   - A many-to-one compares by id, with a text by its display name; a
//     one-to-many or many-to-many matches when any record of it does.
//
// Where the versions of Odoo differ, 19.0's meaning holds. Texts are ordered
// by their bytes. What needs other records than r is asked of opts.Resolver,
// and is ErrUnsupported without one. To match many records, use [NewMatcher].
func Match(f Filter, r Record, opts MatchOptions) (bool, error) {
	m, err := NewMatcher(f, opts)
	if err != nil {
		return false, err
	}
	return m.Match(r)
}

// MatchOptions says what a match may consult beyond the record. The zero value
// serves conditions on the record's own values.
type MatchOptions struct {
	// Model is the records' model. Together with Resolver it tells the types
	// of fields, which are otherwise guessed from the values.
	Model    string
	Resolver Resolver
	// Now is what dates such as "today -1w" (Odoo 19.0) are relative to; the
	// zero value is the time at which the filter is prepared.
	Now time.Time
}

// Resolver answers what filters ask about other records.
type Resolver interface {
	// Schema describes a model.
	Schema(model string) (*Schema, error)
	// Related returns the records that a field of r leads to; r is one of
	// model's. Their names are read from display_name or name.
	Related(model string, r Record, field string) ([]Record, error)
	// Read returns the records of the ids, leaving out those that don't exist.
	Read(model string, ids []ID) ([]Record, error)
	// ParentField names the many-to-one that makes a hierarchy of the model
	// for child_of and parent_of, "" if there is none.
	ParentField(model string) string
}

// Matcher is a filter ready to be held against records. It is safe for
// concurrent use as far as its Resolver is.
type Matcher struct{ test test }

// NewMatcher prepares f. An error is ErrInvalidArgument for a condition that
// has no meaning, or ErrUnsupported for one that needs a Resolver.
func NewMatcher(f Filter, opts MatchOptions) (*Matcher, error) {
	c := compiler{Resolver: opts.Resolver, now: opts.Now}
	if c.now.IsZero() {
		c.now = time.Now()
	}
	t, err := c.filter(f, opts.Model)
	if err != nil {
		return nil, err
	}
	return &Matcher{test: t}, nil
}

// Match reports whether the filter holds for r.
func (m *Matcher) Match(r Record) (bool, error) { return m.test(r) }

type test func(r Record) (bool, error)

type compiler struct {
	Resolver Resolver
	now      time.Time
}

func always(b bool) test { return func(Record) (bool, error) { return b, nil } }

func not(t test) test {
	return func(r Record) (bool, error) {
		ok, err := t(r)
		return !ok && err == nil, err
	}
}

func (c *compiler) filter(f Filter, model string) (test, error) {
	switch f := indirect(f).(type) {
	case nil:
		return always(true), nil
	case Always:
		return always(bool(f)), nil
	case Not:
		t, err := c.filter(f.Part, model)
		return not(t), err
	case And:
		return c.group(f, model, false)
	case Or:
		return c.group(f, model, true)
	case Cond:
		return c.cond(normalCond(f), model)
	}
	return nil, Errorf(InvalidArgument, "a filter can't hold a Go %T", f)
}

// group matches until a part gives the answer that decides.
func (c *compiler) group(parts []Filter, model string, decides bool) (test, error) {
	tests := make([]test, len(parts))
	for i, part := range parts {
		var err error
		if tests[i], err = c.filter(part, model); err != nil {
			return nil, err
		}
	}
	return func(r Record) (bool, error) {
		for _, t := range tests {
			ok, err := t(r)
			if err != nil {
				return false, err
			}
			if ok == decides {
				return decides, nil
			}
		}
		return !decides, nil
	}, nil
}

// field looks up the schema's word on a field; ok is false where there is no
// schema to ask.
func (c *compiler) field(model, name string) (Field, bool, error) {
	if c.Resolver == nil || model == "" {
		return Field{}, false, nil
	}
	schema, err := c.Resolver.Schema(model)
	if err != nil {
		return Field{}, false, err
	}
	field, ok := schema.Fields[name]
	if !ok {
		return Field{}, false, unknownField(schema, name)
	}
	return field, true, nil
}

func (c *compiler) cond(cond Cond, model string) (test, error) {
	op, known := operators[cond.Op]
	if !known {
		return nil, &Error{Code: InvalidArgument, Model: model, Field: cond.Field, Message: "operator " + quote(string(cond.Op)) + " is unknown; use one of " + operatorNames}
	}
	head, rest, dotted := strings.Cut(cond.Field, ".")
	field, known, err := c.field(model, head)
	if err != nil {
		return nil, err
	}
	if dotted {
		return c.path(cond, model, head, rest, field)
	}
	if cond.Op == Any || cond.Op == NotAny {
		nested, isFilter := cond.Value.(Filter)
		if !isFilter && cond.Value != nil {
			return nil, wrongValue(cond, model, "needs a filter on the related records")
		}
		if known && !field.Type.Relational() {
			return nil, wrongValue(cond, model, "needs a field that leads to other records, and "+head+" is "+string(field.Type))
		}
		t, err := c.filter(nested, field.Relation)
		if err != nil {
			return nil, err
		}
		t = c.any(model, head, Fields(nested), t)
		if cond.Op == NotAny {
			t = not(t)
		}
		return t, nil
	}
	if problem := checkValue(cond.Op, cond.Value); problem != "" {
		return nil, wrongValue(cond, model, problem)
	}
	if field.Type == Date || field.Type == DateTime {
		cond.Value = c.absolute(cond.Value, field.Type)
	}
	if op.negative != "" {
		// A negation holds exactly where its positive does not.
		cond.Op = op.negative
		t, err := c.cond(cond, model)
		return not(t), err
	}
	if cond.Op == EqualOrNone {
		if IsEmpty(cond.Value) {
			return always(true), nil
		}
		cond.Op = Equal
		return c.cond(normalCond(cond), model)
	}
	switch {
	case cond.Op == ChildOf:
		return c.childOf(cond, model, field)
	case cond.Op == ParentOf:
		return c.parentOf(cond, model, field)
	case op.like:
		return c.like(cond, model, op, field), nil
	case op.order:
		return c.order(cond, field), nil
	}
	return c.equal(cond, model, field), nil
}

// absolute replaces dates relative to now by what they are now.
func (c *compiler) absolute(value any, t FieldType) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = c.absolute(item, t)
		}
		return list
	case string:
		if _, ok := parseMoment(v); ok {
			return v
		}
		if m, ok := relativeMoment(v, c.now); ok {
			if m.day || t == Date {
				return m.at.Format(time.DateOnly)
			}
			return m.at.Format(time.DateTime)
		}
	}
	return value
}

func wrongValue(cond Cond, model, problem string) error {
	return &Error{Code: InvalidArgument, Model: model, Field: cond.Field, Message: "operator \"" + string(cond.Op) + "\" on " + quote(cond.Field) + " " + problem}
}

// path tests a condition on the records that head leads to.
func (c *compiler) path(cond Cond, model, head, rest string, field Field) (test, error) {
	if part, ok := dateParts[rest]; ok && (field.Type == "" || field.Type == Date || field.Type == DateTime) {
		t, err := c.cond(Cond{Field: "part", Op: cond.Op, Value: cond.Value}, "")
		if err != nil {
			return nil, err
		}
		return func(r Record) (bool, error) {
			values := Record{}
			if s, ok := r[head].(string); ok {
				if m, ok := parseMoment(s); ok {
					values["part"] = part(m.at)
				}
			}
			return t(values)
		}, nil
	}
	if field.Type == Properties {
		return nil, &Error{Code: Unsupported, Model: model, Field: cond.Field, Message: "can't look into the properties of " + quote(head), Err: errors.ErrUnsupported}
	}
	if field.Type != "" && !field.Type.Relational() {
		return nil, &Error{Code: InvalidArgument, Model: model, Field: cond.Field, Message: quote(head) + " is " + string(field.Type) + " and leads to no other records; remove " + quote("."+rest)}
	}
	t, err := c.cond(Cond{Field: rest, Op: cond.Op, Value: cond.Value}, field.Relation)
	if err != nil {
		return nil, err
	}
	next, _, _ := strings.Cut(rest, ".")
	related := c.any(model, head, []string{next}, t)
	flat, err := c.cond(Cond{Field: "flat", Op: cond.Op, Value: cond.Value}, "")
	if err != nil {
		return related, nil //nolint:nilerr // nested and hierarchical conditions have no flat form
	}
	return func(r Record) (bool, error) {
		// A record that was expanded before has the path as a field.
		if v, ok := r[cond.Field]; ok {
			return flat(Record{"flat": v})
		}
		return related(r)
	}, nil
}

// any tests whether some record that field leads to passes t, which looks at
// the fields needs.
func (c *compiler) any(model, field string, needs []string, t test) test {
	return func(r Record) (bool, error) {
		records, err := c.related(model, r, field, needs)
		if err != nil {
			return false, err
		}
		for _, record := range records {
			if ok, err := t(record); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
}

// related returns the records that a field leads to: those nested in r, where
// they have the fields that are needed, otherwise the resolver's.
func (c *compiler) related(model string, r Record, field string, needs []string) ([]Record, error) {
	v, present := r[field]
	if present && IsEmpty(v) {
		return nil, nil
	}
	if records, ok := nestedRecords(v, needs); ok {
		return records, nil
	}
	if c.Resolver == nil || model == "" {
		if !present {
			return nil, nil
		}
		return nil, &Error{Code: Unsupported, Field: field, Message: "a condition on the records behind " + quote(field) + " can't be evaluated here", Err: errors.ErrUnsupported}
	}
	return c.Resolver.Related(model, r, field)
}

// nestedRecords reads related records out of a value, if it has all that is
// needed of them.
func nestedRecords(v any, needs []string) ([]Record, bool) {
	var items []any
	switch value := v.(type) {
	case nil:
		return nil, false
	case []any:
		if _, pair := RefOf(value); pair {
			items = []any{value}
			break
		}
		items = value
	default:
		items = []any{value}
	}
	records := make([]Record, len(items))
	for i, item := range items {
		switch item := item.(type) {
		case map[string]any:
			records[i] = item
		case Record:
			records[i] = item
		default:
			ref, ok := RefOf(item)
			if !ok {
				return nil, false
			}
			records[i] = Record{"id": ref.ID.Value()}
			if ref.Name != "" {
				records[i]["display_name"] = ref.Name
			}
		}
		for _, name := range needs {
			name, _, _ = strings.Cut(name, ".")
			if _, ok := records[i][name]; !ok {
				return nil, false
			}
		}
	}
	return records, true
}

// A key is a value in the form in which equal values are equal. A value of a
// filter has all keys under which a record may hold it.
type key struct {
	kind byte // 's' text, 'n' number, 'b' truth, 'd' date, 't' date-time
	text string
}

func (d decimal) key() key {
	sign := ""
	if d.neg {
		sign = "-"
	}
	return key{kind: 'n', text: sign + d.digits + "e" + itoa(d.exp)}
}

// wanted is the set of values that a condition looks for.
type wanted struct {
	keys  map[key]struct{}
	unset bool // false or null
	blank bool // ""
	zero  bool // 0
	set   bool // true, which every value that is set equals
	// What a relation is compared with: a text asks for a display name, even
	// where it looks like an id.
	ids   map[key]struct{}
	names map[string]struct{}
}

func newWanted(values ...any) *wanted {
	w := &wanted{keys: make(map[key]struct{}, len(values)), ids: map[key]struct{}{}, names: map[string]struct{}{}}
	for _, v := range values {
		w.add(v)
	}
	return w
}

func (w *wanted) add(v any) {
	switch v := v.(type) {
	case nil:
		w.unset = true
		return
	case bool:
		if v {
			w.set = true
			w.keys[key{kind: 'b'}] = struct{}{}
		} else {
			w.unset = true
		}
		return
	case string:
		if v == "" {
			w.blank = true
			return
		}
		w.names[v] = struct{}{}
		w.keys[key{kind: 's', text: v}] = struct{}{}
		if d, ok := parseDecimal(v); ok {
			w.keys[d.key()] = struct{}{}
		}
		if m, ok := parseMoment(v); ok {
			w.keys[m.dayOf().key()] = struct{}{}
			w.keys[moment{at: m.at}.key()] = struct{}{}
		}
		return
	}
	d, ok := decimalOf(v)
	if !ok {
		return
	}
	if d.isZero() {
		w.zero = true
	}
	w.keys[d.key()] = struct{}{}
	w.ids[d.key()] = struct{}{}
	w.keys[key{kind: 's', text: d.literal}] = struct{}{}
	if one := (decimal{digits: "1", exp: 1}).key(); d.key() == one {
		w.keys[key{kind: 'b'}] = struct{}{}
	}
}

func (w *wanted) has(k key) bool {
	_, ok := w.keys[k]
	return ok
}

// matches tests a value that is no reference.
func (w *wanted) matches(v any, t FieldType) bool {
	switch v := v.(type) {
	case nil:
		return w.unset || w.blank || w.zero
	case bool:
		if v {
			return w.has(key{kind: 'b'})
		}
		return w.unset || w.blank || w.zero
	case string:
		if v == "" {
			return w.unset || w.blank
		}
		if w.set {
			return true
		}
		switch {
		case isNumeric(t):
			d, ok := parseDecimal(v)
			return ok && w.has(d.key())
		case t == "" || t == Unknown || t == Date || t == DateTime:
			if m, ok := parseMoment(v); ok {
				return w.has(m.key())
			}
		}
		return w.has(key{kind: 's', text: v})
	case []any:
		if len(v) == 0 {
			return w.unset || w.blank
		}
		return w.set || slices.ContainsFunc(v, func(item any) bool { return w.matches(item, t) })
	case map[string]any:
		return w.set
	}
	d, ok := decimalOf(v)
	if !ok {
		return false
	}
	if d.isZero() {
		return w.unset || w.zero
	}
	return w.set || w.has(d.key())
}

func (w *wanted) matchesID(id ID) bool {
	if !id.num {
		return w.has(key{kind: 's', text: id.text})
	}
	d, _ := parseDecimal(id.text)
	_, ok := w.ids[d.key()]
	return ok
}

func isNumeric(t FieldType) bool { return t == Integer || t == Float || t == Monetary }

// equal tests "=" and "in".
func (c *compiler) equal(cond Cond, model string, field Field) test {
	values, ok := cond.Value.([]any)
	if !ok {
		values = []any{cond.Value}
	}
	w := newWanted(values...)
	name := cond.Field
	if len(values) == 0 {
		return always(false)
	}
	return func(r Record) (bool, error) {
		v := r[name]
		refs, isRelation := refsOf(v, field.Type)
		if !isRelation && v == nil && field.Type.Relational() {
			var err error
			if refs, err = c.refs(model, r, name); err != nil {
				return false, err
			}
			isRelation = true
		}
		if !isRelation {
			return w.matches(v, field.Type), nil
		}
		if len(refs) == 0 {
			return w.unset || w.blank, nil
		}
		if w.set {
			return true, nil
		}
		for _, ref := range refs {
			if w.matchesID(ref.ID) {
				return true, nil
			}
		}
		if len(w.names) == 0 {
			return false, nil
		}
		return c.named(model, r, name, refs, func(text string) bool {
			_, ok := w.names[text]
			return ok
		})
	}
}

// refs returns what a relation that r does not hold leads to.
func (c *compiler) refs(model string, r Record, field string) ([]Ref, error) {
	records, err := c.related(model, r, field, []string{"id"})
	if err != nil {
		return nil, err
	}
	refs := make([]Ref, len(records))
	for i, record := range records {
		refs[i] = Ref{ID: record.ID(), Name: displayName(record)}
	}
	return refs, nil
}

// named reports whether the display name of any reference passes, asking for
// the names that are not at hand.
func (c *compiler) named(model string, r Record, field string, refs []Ref, passes func(string) bool) (bool, error) {
	missing := false
	for _, ref := range refs {
		if ref.Name == "" {
			missing = true
			continue
		}
		if passes(ref.Name) {
			return true, nil
		}
	}
	if !missing {
		return false, nil
	}
	records, err := c.related(model, r, field, []string{"display_name"})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(records, func(r Record) bool { return passes(displayName(r)) }), nil
}

func displayName(r Record) string {
	if name := r.String("display_name"); name != "" {
		return name
	}
	return r.String("name")
}

// refsOf reads a value as references, where its field's type or, if that is
// not known, its form says that it is a relation.
func refsOf(v any, t FieldType) ([]Ref, bool) {
	switch t {
	case Many2One:
		if v == nil {
			return nil, false
		}
		ref, ok := RefOf(v)
		if !ok {
			return nil, true
		}
		return []Ref{ref}, true
	case One2Many, Many2Many:
		list, ok := v.([]any)
		if !ok {
			return nil, v != nil
		}
		return refList(list), true
	case "", Unknown, Reference:
		switch v := v.(type) {
		case []any:
			if ref, ok := RefOf(v); ok {
				return []Ref{ref}, true
			}
			refs := refList(v)
			return refs, len(refs) == len(v)
		case map[string]any:
			if ref, ok := RefOf(v); ok {
				return []Ref{ref}, true
			}
		}
	}
	return nil, false
}

func refList(list []any) []Ref {
	refs := make([]Ref, 0, len(list))
	for _, item := range list {
		if ref, ok := RefOf(item); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

// like tests the positive pattern operators.
func (c *compiler) like(cond Cond, model string, op operator, field Field) test {
	name := cond.Field
	if IsEmpty(cond.Value) {
		if op.whole || field.Type.Relational() {
			// =like "" asks for what is empty; a relation like "" for what is set.
			unset := c.equal(Cond{Field: name, Value: []any{false}}, model, field)
			if op.whole {
				return unset
			}
			return not(unset)
		}
		return always(true)
	}
	p := compilePattern(textOf(cond.Value), op.whole, op.fold)
	return func(r Record) (bool, error) {
		v := r[name]
		refs, isRelation := refsOf(v, field.Type)
		if !isRelation && v == nil && field.Type.Relational() {
			var err error
			if refs, err = c.refs(model, r, name); err != nil {
				return false, err
			}
			isRelation = true
		}
		if isRelation {
			if len(refs) == 0 {
				return false, nil
			}
			return c.named(model, r, name, refs, p.match)
		}
		if IsEmpty(v) {
			return false, nil
		}
		return p.match(textOf(v)), nil
	}
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	if d, ok := decimalOf(v); ok {
		return d.literal
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// order tests <, <=, > and >=.
func (c *compiler) order(cond Cond, field Field) test {
	name, op := cond.Field, cond.Op
	if IsEmpty(cond.Value) {
		return always(false)
	}
	limit, _ := cond.Value.(string)
	number, isNumber := decimalOf(cond.Value)
	if !isNumber {
		number, isNumber = parseDecimal(limit)
	}
	if b, ok := cond.Value.(bool); ok && b {
		number, isNumber = decimalOf(1)
	}
	asTime, isTime := parseMoment(limit)
	if !isTime && limit != "" {
		// Where the type is not known, the record's value must be a date too.
		asTime, isTime = relativeMoment(limit, c.now)
	}
	if field.Type != "" && field.Type != Unknown && field.Type != Date && field.Type != DateTime {
		isTime = false
	}
	// The same limit for a field of date-times: a whole day is over at its end.
	last := asTime
	if isTime && asTime.day && (op == Greater || op == LessEq) {
		last = asTime.endOfDay()
	}
	return func(r Record) (bool, error) {
		var sign int
		switch v := r[name].(type) {
		case nil, bool:
			if v == true {
				v = 1
			} else {
				if !isNumeric(field.Type) && field.Type != Boolean {
					return false, nil
				}
				v = 0
			}
			d, _ := decimalOf(v)
			if !isNumber {
				return false, nil
			}
			sign = d.compare(number)
		case string:
			m, ok := moment{}, false
			if isTime {
				m, ok = parseMoment(v)
			}
			switch {
			case v == "":
				return false, nil
			case ok && m.day:
				sign = m.at.Compare(asTime.dayOf().at)
			case ok:
				sign = m.at.Compare(last.at)
			case isNumber && (isNumeric(field.Type) || limit == ""):
				d, ok := parseDecimal(v)
				if !ok {
					return false, nil
				}
				sign = d.compare(number)
			default:
				sign = strings.Compare(v, limit)
			}
		case []any, map[string]any:
			refs, _ := refsOf(v, field.Type)
			return slices.ContainsFunc(refs, func(ref Ref) bool {
				d, ok := parseDecimal(ref.ID.text)
				return ok && isNumber && op.holds(d.compare(number))
			}), nil
		default:
			d, ok := decimalOf(v)
			if !ok || !isNumber {
				return false, nil
			}
			sign = d.compare(number)
		}
		return op.holds(sign), nil
	}
}

// holds tells whether a comparison's sign satisfies an ordering operator.
func (op Op) holds(sign int) bool {
	switch op {
	case Less:
		return sign < 0
	case LessEq:
		return sign <= 0
	case Greater:
		return sign > 0
	default:
		return sign >= 0
	}
}
