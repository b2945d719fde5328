package mapping

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Lookup finds records that values stand for. It is safe for concurrent use.
type Lookup interface {
	// FindID returns the id of the record of the system's model that matches,
	// and no id, without an error, if there is none. Several that match are
	// ErrInvalidArgument. The filter holds fields of that model; the field
	// "external_id" stands for the system's own external id.
	FindID(ctx context.Context, model string, filter adapter.Filter) (adapter.ID, error)
	// Value returns a field of a record, nil where it is empty or the record
	// does not exist.
	Value(ctx context.Context, model string, id adapter.ID, field string) (any, error)
}

// ExternalID is the field that stands for a system's own external ids in a
// [Lookup].
const ExternalID = "external_id"

// FieldError says that a part of a call can't be had in the system. It unwraps
// to an [*adapter.Error].
type FieldError struct {
	Model  string // universal
	Field  string // universal; with a path through lines "order_lines.quantity"
	Code   adapter.Code
	Reason string
	Err    error
}

// Error names the field and says why.
func (e *FieldError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *FieldError) Unwrap() error {
	out := &adapter.Error{Code: e.Code, Model: e.Model, Field: e.Field, Message: fmt.Sprintf("field %q: %s", e.Field, e.Reason), Err: e.Err}
	if why, ok := errors.AsType[*adapter.Error](e.Err); ok {
		// A lookup failed: what it was for has not been sent.
		out.Native, out.Temporary, out.NothingSent, out.RetryAfter = why.Native, why.Temporary, true, why.RetryAfter
	}
	return out
}

// call is one use of a plan.
type call struct {
	ctx    context.Context
	plan   *Plan
	field  string         // universal
	record map[string]any // the universal record, for lookups
	update bool
	notes  []adapter.Warning
}

func (c *call) fail(format string, args ...any) error {
	return c.plan.fail(c.field, adapter.InvalidArgument, fmt.Sprintf(format, args...))
}

func (p *Plan) fail(field string, code adapter.Code, reason string) *FieldError {
	return &FieldError{Model: p.universal.Name, Field: field, Code: code, Reason: reason}
}

func (c *call) note(code, used, format string, args ...any) {
	c.notes = addNote(c.notes, adapter.Warning{Code: code, Model: c.plan.universal.Name, Field: c.field, Used: used, Message: fmt.Sprintf(format, args...)})
}

func addNote(notes []adapter.Warning, n adapter.Warning) []adapter.Warning {
	if slices.Contains(notes, n) {
		return notes
	}
	return append(notes, n)
}

// conv is one step between the universal value and the system's.
type conv interface {
	down(c *call, v any) (any, error) // to the system
	up(c *call, v any) (any, error)   // to universal
	// cond takes a condition on the universal side to the system's side; the
	// field's name stays.
	cond(c *call, cond adapter.Cond) (adapter.Filter, error)
}

// number makes an integer a value of records.
func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// listed returns the values that a condition asks for, and whether it excludes
// them; ok is false for operators that do not list values.
func listed(c adapter.Cond) (values []any, not, ok bool) {
	switch c.Op {
	case adapter.Equal, adapter.NotEqual, adapter.In, adapter.NotIn:
	default:
		return nil, false, false
	}
	values, isList := c.Value.([]any)
	if !isList {
		values = []any{c.Value}
	}
	return values, c.Op == adapter.NotEqual || c.Op == adapter.NotIn, true
}

// among makes a condition of a list of values.
func among(field string, values []any, not bool) adapter.Filter {
	switch {
	case len(values) == 0:
		return adapter.Always(not)
	case len(values) == 1 && not:
		return adapter.Cond{Field: field, Op: adapter.NotEqual, Value: values[0]}
	case len(values) == 1:
		return adapter.Cond{Field: field, Op: adapter.Equal, Value: values[0]}
	case not:
		return adapter.Cond{Field: field, Op: adapter.NotIn, Value: values}
	}
	return adapter.Cond{Field: field, Op: adapter.In, Value: values}
}

// eachValue replaces the values of a condition. It is for conversions that
// keep equality; compare says that they keep order too.
func eachValue(cond adapter.Cond, compare bool, f func(any) (any, error)) (adapter.Filter, bool, error) {
	values, not, ok := listed(cond)
	if !ok {
		switch cond.Op {
		case adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq:
			if !compare {
				return nil, false, nil
			}
		case adapter.EqualOrNone:
			if adapter.IsEmpty(cond.Value) {
				return adapter.Always(true), true, nil
			}
			cond.Op = adapter.Equal
		default:
			return nil, false, nil
		}
		v, err := f(cond.Value)
		cond.Value = v
		return cond, true, err
	}
	out := make([]any, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		x, err := f(v)
		if err != nil {
			return nil, false, err
		}
		out[i] = x
	}
	return among(cond.Field, out, not), true, nil
}

// textConv is for texts: numbers read as texts.
type textConv struct{ number bool }

func (t textConv) down(c *call, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		if s, ok = literalOf(v); !ok {
			return nil, c.fail("it is a text, not %s", brief(v))
		}
		v = s
	}
	if t.number {
		d, ok := parseDecimal(s)
		if !ok {
			return nil, c.fail("the system has a number there, and %s is none", brief(v))
		}
		if json.Valid([]byte(s)) {
			return json.Number(s), nil
		}
		return d.number(), nil
	}
	return v, nil
}

func (t textConv) up(_ *call, v any) (any, error) {
	if _, ok := v.(string); ok {
		return v, nil
	}
	if s, ok := literalOf(v); ok {
		return s, nil
	}
	return v, nil
}

func (t textConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if !t.number {
		return cond, nil
	}
	f, ok, err := eachValue(cond, false, func(v any) (any, error) { return t.down(c, v) })
	if !ok && err == nil {
		err = c.fail("the system has a number there: compare with =, !=, in or not in")
	}
	return f, err
}

// nameConv reads the name of a reference.
type nameConv struct{}

func (nameConv) down(c *call, _ any) (any, error) {
	return nil, c.fail("it is the name of a related record")
}

func (nameConv) up(_ *call, v any) (any, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	if ref, ok := refOf(v); ok && ref.Name != "" {
		return ref.Name, nil
	}
	return nil, nil
}

func (nameConv) cond(_ *call, cond adapter.Cond) (adapter.Filter, error) { return cond, nil }

// numberConv is for numbers; the system may have them as texts.
type numberConv struct{ whole, text bool }

func (n numberConv) down(c *call, v any) (any, error) {
	if x, isNumber := v.(json.Number); isNumber && !n.text {
		if d, ok := shortOf(string(x)); ok && (d.places == 0 || !n.whole) {
			return v, nil
		}
	}
	d, ok := decimalOf(v)
	if !ok {
		return nil, c.fail("it is a number, not %s", brief(v))
	}
	if n.whole && d.places > 0 && d.trim().places > 0 {
		return nil, c.fail("it is a whole number, not %s", brief(v))
	}
	if n.text {
		if s, ok := textOf(v); ok && !strings.ContainsAny(s, "eE +") {
			return s, nil
		}
		return d.String(), nil
	}
	if _, isText := v.(string); isText {
		return d.number(), nil
	}
	return v, nil
}

func (n numberConv) up(_ *call, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return v, nil
	}
	s = strings.TrimSpace(s)
	if sign, isSuffixed := strings.CutSuffix(s, "-"); isSuffixed {
		s = "-" + sign // as ABAP writes it
	}
	d, ok := parseDecimal(s)
	switch {
	case !ok:
		return v, nil
	case json.Valid([]byte(s)):
		return json.Number(s), nil
	}
	return d.number(), nil
}

func (n numberConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if values, not, ok := listed(cond); ok && n.text {
		c.note(adapter.WarnValueChanged, "", "the system has the number as a text: it is compared with the text, and 5.0 is not 5")
		for _, v := range values {
			// A number that is not set is 0, a text is not.
			if d, isNumber := decimalOf(v); isNumber && d.n.Sign() == 0 || adapter.IsEmpty(v) {
				cond = adapter.Cond{Field: cond.Field, Op: adapter.In, Value: append(slices.Clone(values), number(0), nil)}
				if not {
					cond.Op = adapter.NotIn
				}
				break
			}
		}
	}
	f, ok, err := eachValue(cond, !n.text, func(v any) (any, error) { return condNumber(c, n, v) })
	if !ok && err == nil {
		err = c.fail("it is a number: operator %q does not suit it here", cond.Op)
	}
	return f, err
}

func condNumber(c *call, n numberConv, v any) (any, error) {
	if b, ok := v.(bool); ok && !b {
		return v, nil // not set
	}
	return numberConv{text: n.text}.down(c, v)
}

// boolConv is for truth values.
type boolConv struct{}

func (boolConv) down(c *call, v any) (any, error) {
	if _, ok := v.(bool); ok {
		return v, nil
	}
	return nil, c.fail("it is true or false, not %s", brief(v))
}

func (boolConv) up(_ *call, v any) (any, error)                          { return v, nil }
func (boolConv) cond(_ *call, cond adapter.Cond) (adapter.Filter, error) { return cond, nil }

// notConv turns truth values round. What is not set on the system is false, and
// reads as true.
type notConv struct{}

func (notConv) down(_ *call, v any) (any, error) { return turned(v), nil }

func (notConv) up(_ *call, v any) (any, error) {
	if v == nil {
		return true, nil
	}
	return turned(v), nil
}

func turned(v any) any {
	b, ok := v.(bool)
	if v == nil || !ok {
		return v
	}
	return !b
}

func (notConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	values, not, ok := listed(cond)
	if !ok {
		return nil, c.fail("it is true or false: compare with =, !=, in or not in")
	}
	out := make([]any, len(values))
	for i, v := range values {
		if v == nil {
			v = false
		}
		out[i] = turned(v)
	}
	return among(cond.Field, out, not), nil
}

// refConv is for references.
type refConv struct{ form Form }

func (r refConv) down(c *call, v any) (any, error) {
	switch x := v.(type) {
	case string, int64:
	case json.Number:
		if _, ok := adapter.IDOf(x); !ok {
			return nil, c.fail("it is the id of a record, not %s", brief(v))
		}
	case []any, map[string]any, adapter.Record, adapter.ID, adapter.Ref, int, int32, float64:
		ref, ok := refOf(x)
		if !ok {
			return nil, c.fail("it is the id of a record, not %s", brief(v))
		}
		v = ref.ID.Value()
	default:
		return nil, c.fail("it is the id of a record, not %s", brief(v))
	}
	switch r.form {
	case FormText:
		s, _ := textOf(v)
		return s, nil
	case FormNumber:
		s, _ := textOf(v)
		if id, ok := adapter.IDOf(json.Number(s)); ok {
			return json.Number(id.String()), nil
		}
		return nil, c.fail("the system has numbers for ids, and %s is none", brief(v))
	}
	return v, nil
}

func (r refConv) up(_ *call, v any) (any, error) {
	switch x := v.(type) {
	case []any:
		if len(x) == 2 {
			if _, ok := adapter.RefOf(v); ok {
				return x[0], nil
			}
		}
	case map[string]any, adapter.Record:
		if ref, ok := refOf(v); ok {
			return idValue(ref.ID), nil
		}
	}
	return v, nil
}

func (r refConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if r.form != FormText && r.form != FormNumber {
		return cond, nil
	}
	f, ok, err := eachValue(cond, false, func(v any) (any, error) {
		if b, isBool := v.(bool); isBool && !b {
			return v, nil
		}
		return r.down(c, v)
	})
	if !ok && err == nil {
		err = c.fail("it is the id of a record: compare with =, !=, in or not in")
	}
	return f, err
}

// commandsConv writes the ids of a list as Odoo's command for it.
type commandsConv struct{}

func (commandsConv) down(_ *call, v any) (any, error) {
	ids, ok := v.([]any)
	if !ok {
		return v, nil
	}
	return []any{[]any{number(6), number(0), ids}}, nil
}

func (commandsConv) up(_ *call, v any) (any, error)                          { return v, nil }
func (commandsConv) cond(_ *call, cond adapter.Cond) (adapter.Filter, error) { return cond, nil }

// valuesConv is a value map.
type valuesConv struct {
	toSystem    map[scalar]any
	toUniversal map[scalar]any
	all         map[scalar][]any // every system value that reads as a universal one
	names       []string         // for messages
	unknown     Unknown
}

func newValues(r *Rule) *valuesConv {
	n := len(r.Values)
	vc := &valuesConv{toSystem: make(map[scalar]any, n), toUniversal: make(map[scalar]any, n), all: make(map[scalar][]any, n), unknown: r.Unknown}
	for _, p := range r.Values {
		u, _ := scalarOf(p.Universal)
		vc.toSystem[u] = p.System[0]
		vc.names = append(vc.names, brief(p.Universal))
		for _, v := range p.System {
			s, _ := scalarOf(v)
			if _, taken := vc.toUniversal[s]; !taken {
				vc.toUniversal[s] = p.Universal
				vc.all[u] = append(vc.all[u], v)
			}
		}
	}
	return vc
}

func (vc *valuesConv) down(c *call, v any) (any, error) {
	k, ok := scalarOf(v)
	if ok {
		if x, known := vc.toSystem[k]; known {
			return x, nil
		}
	}
	if v == nil || vc.unknown == UnknownKeep {
		return v, nil
	}
	return nil, c.fail("the system has no counterpart for %s; there are %s", brief(v), strings.Join(vc.names, ", "))
}

func (vc *valuesConv) up(c *call, v any) (any, error) {
	k, ok := scalarOf(v)
	if ok {
		if x, known := vc.toUniversal[k]; known {
			return x, nil
		}
		// What is not set may be null, false or an empty text.
		if adapter.IsEmpty(v) {
			for _, none := range [...]scalar{{kind: 'n'}, {kind: 's'}, {kind: 'f'}} {
				if x, known := vc.toUniversal[none]; known {
					return x, nil
				}
			}
			return nil, nil
		}
	}
	switch vc.unknown {
	case UnknownKeep:
		return v, nil
	case UnknownRefuse:
		return nil, c.fail("the system's value %s has no universal counterpart", brief(v))
	case UnknownNull:
		c.note(adapter.WarnUntranslated, "", "the system's value %s has no universal counterpart, and was left out", brief(v))
		return nil, nil
	}
	c.note(adapter.WarnUntranslated, "", "the system's value %s has no universal counterpart, and was kept as it is", brief(v))
	return v, nil
}

// readsNull reports whether what is not set on the system reads as a value.
func (vc *valuesConv) readsNull() bool {
	for _, none := range [...]scalar{{kind: 'n'}, {kind: 's'}, {kind: 'f'}} {
		if x, known := vc.toUniversal[none]; known {
			return x != nil
		}
	}
	return false
}

func (vc *valuesConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if cond.Op == adapter.EqualOrNone && adapter.IsEmpty(cond.Value) {
		return adapter.Always(true), nil
	}
	if cond.Op == adapter.EqualOrNone {
		cond.Op = adapter.Equal
	}
	values, not, ok := listed(cond)
	if !ok {
		return nil, c.fail("its values are others in the system: compare with =, !=, in or not in")
	}
	var out []any
	unknown := false
	for _, v := range values {
		k, ok := scalarOf(v)
		if !ok {
			return nil, c.fail("%s is no value of it", brief(v))
		}
		if k.kind == 'f' {
			// false asks for what is not set, unless it is a value.
			if _, known := vc.toSystem[k]; !known {
				k, v = scalar{kind: 'n'}, nil
			}
		}
		switch _, known := vc.toSystem[k]; {
		case known:
			out = append(out, vc.all[k]...)
		case v == nil:
			unknown = vc.unknown == UnknownNull
			if !vc.readsNull() {
				out = append(out, v)
			}
		case vc.unknown == UnknownKeep:
			if _, other := vc.toUniversal[k]; !other {
				out = append(out, v)
			}
		default:
			return nil, c.fail("the system has no counterpart for %s; there are %s", brief(v), strings.Join(vc.names, ", "))
		}
	}
	if unknown {
		// What has no counterpart reads as null too.
		return negate(adapter.Or{among(cond.Field, out, false), among(cond.Field, vc.known(), true)}, not), nil
	}
	return among(cond.Field, out, not), nil
}

// known lists the system's values that read as something.
func (vc *valuesConv) known() []any {
	var out []any
	for _, name := range slices.SortedFunc(maps.Keys(vc.all), func(a, b scalar) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.text, b.text))
	}) {
		if name.kind != 'n' {
			out = append(out, vc.all[name]...)
		}
	}
	if !vc.readsNull() {
		out = append(out, nil) // what is not set is asked for already
	}
	return out
}

// scaleConv multiplies: universal = system x by.
type scaleConv struct {
	by      decimal
	inverse decimal
	exact   bool
	round   int // digits, -1: as many as it takes
	// The same as shorts, where they are.
	up1, down1 short
	quick      bool
}

func newScale(r *Rule) scaleConv {
	by, _ := parseDecimal(r.Scale)
	s := scaleConv{by: by, round: r.Round}
	s.inverse, s.exact = by.inverse()
	if s.exact && s.round < 0 {
		var ok, ok2 bool
		s.up1, ok = shortOf(by.String())
		s.down1, ok2 = shortOf(s.inverse.String())
		s.quick = ok && ok2
	}
	return s
}

// short multiplies without big numbers, if it can.
func (s scaleConv) short(v any, by short) (json.Number, bool) {
	n, ok := v.(json.Number)
	if !ok || !s.quick {
		return "", false
	}
	d, ok := shortOf(string(n))
	if !ok {
		return "", false
	}
	return d.mul(by), true
}

func (s scaleConv) down(c *call, v any) (any, error) {
	if n, ok := s.short(v, s.down1); ok {
		return n, nil
	}
	d, ok := decimalOf(v)
	switch {
	case v == nil:
		return nil, nil
	case !ok:
		return nil, c.fail("it is a number, not %s", brief(v))
	case s.round >= 0:
		return d.divide(s.by, s.round).number(), nil
	}
	return d.mul(s.inverse).number(), nil
}

func (s scaleConv) up(_ *call, v any) (any, error) {
	if n, ok := s.short(v, s.up1); ok {
		return n, nil
	}
	d, ok := decimalOf(v)
	if !ok {
		return v, nil
	}
	return d.mul(s.by).number(), nil
}

var flipped = map[adapter.Op]adapter.Op{
	adapter.Less: adapter.Greater, adapter.LessEq: adapter.GreaterEq,
	adapter.Greater: adapter.Less, adapter.GreaterEq: adapter.LessEq,
}

func (s scaleConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if op, turns := flipped[cond.Op]; turns && s.by.n.Sign() < 0 {
		cond.Op = op
	}
	exact := s
	if s.exact {
		exact.round = -1
	}
	f, ok, err := eachValue(cond, true, func(v any) (any, error) {
		if b, isBool := v.(bool); isBool && !b {
			return v, nil
		}
		if !s.exact {
			c.note(adapter.WarnValueChanged, "", "%s is compared rounded to %d digits", brief(v), s.round)
		}
		return exact.down(c, v)
	})
	if !ok && err == nil {
		err = c.fail("it is a number: operator %q does not suit it", cond.Op)
	}
	return f, err
}

// emptyConv reads a value for what is empty.
type emptyConv struct{ v any }

func (emptyConv) down(_ *call, v any) (any, error) { return v, nil }

func (e emptyConv) up(_ *call, v any) (any, error) {
	if v == nil || v == "" {
		return e.v, nil
	}
	return v, nil
}

func (e emptyConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	values, not, ok := listed(cond)
	if !ok {
		m, err := adapter.NewMatcher(cond, adapter.MatchOptions{})
		if err != nil {
			return nil, c.fail("operator %q does not suit it here", cond.Op)
		}
		hit, err := m.Match(adapter.Record{cond.Field: e.v})
		if err != nil {
			return nil, c.fail("operator %q does not suit it here", cond.Op)
		}
		none := adapter.Cond{Field: cond.Field, Op: adapter.Equal, Value: false}
		if hit {
			return adapter.Or{cond, none}, nil
		}
		return adapter.And{cond, adapter.Not{Part: none}}, nil
	}
	var out []any
	for _, v := range values {
		if v == nil || v == "" || v == false && e.v != false {
			continue // never empty
		}
		out = append(out, v)
		if same(v, e.v) {
			out = append(out, nil)
		}
	}
	return among(cond.Field, out, not), nil
}

// htmlConv is for plain texts that the system has as HTML.
type htmlConv struct{}

func (htmlConv) down(_ *call, v any) (any, error) {
	if s, ok := v.(string); ok {
		return textToHTML(s), nil
	}
	return v, nil
}

func (htmlConv) up(_ *call, v any) (any, error) {
	if s, ok := v.(string); ok {
		return htmlToText(s), nil
	}
	return v, nil
}

func (htmlConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if values, _, ok := listed(cond); ok && !slices.ContainsFunc(values, func(v any) bool { return !adapter.IsEmpty(v) }) {
		return cond, nil
	}
	if s, ok := cond.Value.(string); ok && !strings.ContainsAny(s, "<>&\"'\n") {
		switch cond.Op {
		case adapter.Like, adapter.ILike, adapter.NotLike, adapter.NotILike:
			c.note(adapter.WarnValueChanged, "", "the text is looked for within HTML: names of tags match too")
			return cond, nil
		}
	}
	return nil, c.fail("the system has it as HTML: compare with like or ilike and a plain word")
}

// momentConv: see moment.go.

func (m momentConv) down(c *call, v any) (any, error) {
	if s, ok := v.(string); ok && !m.day && m.form == FormDateTime && usual(s, 'T') && len(s) == 20 && s[19] == 'Z' {
		return s[:10] + " " + s[11:19], nil
	}
	t, ok := parseMoment(v)
	if !ok {
		want := "a date and time such as 2006-01-02T15:04:05Z"
		if m.day {
			want = "a date such as 2006-01-02"
		}
		return nil, c.fail("it is %s, not %s", want, brief(v))
	}
	return m.system(t), nil
}

func (m momentConv) up(_ *call, v any) (any, error) {
	if s, ok := v.(string); ok && m.day && m.form != FormCompact && len(s) == len("2006-01-02") {
		if _, ok := parseMoment(s); ok {
			return v, nil
		}
	}
	if s, ok := v.(string); ok && !m.day && len(s) == 19 && usual(s, ' ') {
		return s[:10] + "T" + s[11:] + "Z", nil
	}
	t, ok := m.read(v)
	if !ok {
		return v, nil
	}
	return m.universal(t), nil
}

// usual reports whether a text begins with a date and a time, a character in
// between, that exist for certain.
func usual(s string, between byte) bool {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != between || s[13] != ':' || s[16] != ':' {
		return false
	}
	for i := range 19 {
		switch i {
		case 4, 7, 10, 13, 16:
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	month, day := s[5:7], s[8:10]
	return month >= "01" && month <= "12" && day >= "01" && day <= "28" && s[11:13] < "24" && s[14:16] < "60" && s[17:19] < "60"
}

// lookupConv turns a key into the id of its record.
type lookupConv struct{ rule *LookupRule }

func (l lookupConv) find(c *call, v any) (any, error) {
	lookup := lookupFrom(c.ctx)
	if lookup == nil {
		return nil, c.plan.fail(c.field, adapter.Unsupported, fmt.Sprintf("%s is found by its %s, and nothing here can look it up", l.rule.Model, l.rule.By))
	}
	var filter adapter.Filter = adapter.Cond{Field: l.rule.By, Op: adapter.Equal, Value: v}
	if len(l.rule.With)+len(l.rule.Where) > 0 {
		all := adapter.And{filter}
		for _, w := range l.rule.Where {
			all = append(all, adapter.Cond{Field: w.Field, Op: adapter.Equal, Value: w.Value})
		}
		for _, w := range l.rule.With {
			if x := c.record[w.Universal]; !adapter.IsEmpty(x) {
				all = append(all, adapter.Cond{Field: w.Field, Op: adapter.Equal, Value: x})
			}
		}
		if filter = all; len(all) == 1 {
			filter = all[0]
		}
	}
	id, err := lookup.FindID(c.ctx, l.rule.Model, filter)
	if err != nil {
		code := adapter.CodeOf(err)
		return nil, &FieldError{Model: c.plan.universal.Name, Field: c.field, Code: code, Reason: messageOf(err), Err: err}
	}
	if id.IsZero() {
		return nil, c.fail("there is no %s whose %s is %s", l.rule.Model, l.rule.By, brief(v))
	}
	return idValue(id), nil
}

// idValue is an id as records have it.
func idValue(id adapter.ID) any {
	if _, ok := id.Int(); ok {
		return json.Number(id.String())
	}
	return id.Value()
}

func (l lookupConv) down(c *call, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	return l.find(c, v)
}

func (l lookupConv) up(c *call, v any) (any, error) {
	if !l.rule.Read || v == nil {
		return v, nil
	}
	ref, ok := refOf(v)
	if !ok {
		return v, nil
	}
	lookup := lookupFrom(c.ctx)
	if lookup == nil {
		return nil, c.plan.fail(c.field, adapter.Unsupported, fmt.Sprintf("the %s of %s is looked up, and nothing here can", l.rule.By, l.rule.Model))
	}
	got, err := lookup.Value(c.ctx, l.rule.Model, ref.ID, l.rule.By)
	if err != nil {
		return nil, &FieldError{Model: c.plan.universal.Name, Field: c.field, Code: adapter.CodeOf(err), Reason: messageOf(err), Err: err}
	}
	if got == false {
		got = nil
	}
	return got, nil
}

func (l lookupConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if !l.rule.Read {
		return cond, nil // the path reads the key itself
	}
	f, ok, err := eachValue(cond, false, func(v any) (any, error) {
		if v == false {
			return v, nil
		}
		return l.find(c, v)
	})
	if !ok && err == nil {
		err = c.fail("it is looked up by its %s: compare with =, !=, in or not in", l.rule.By)
	}
	return f, err
}
