package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Filter translates a filter.
func (l *Lens) Filter(f adapter.Filter) (adapter.Filter, []adapter.Warning, error) {
	if f == nil || len(l.legs) == 0 {
		return f, nil, nil
	}
	w := &lensWalk{lens: l}
	out, err := adapter.Map(f, w.cond)
	if err != nil {
		return nil, w.notes, err
	}
	return adapter.Normalize(out), w.notes, nil
}

// lensWalk is one translation of a filter.
type lensWalk struct {
	lens  *Lens
	notes []adapter.Warning
	asked string       // the caller's field of the condition at hand
	seen  []*lensGroup // whose conditions are being translated
}

func (w *lensWalk) note(format string, args ...any) {
	n := adapter.Warning{Code: adapter.WarnValueChanged, Model: w.lens.callerM, Field: w.asked, Message: fmt.Sprintf(format, args...)}
	if !slices.Contains(w.notes, n) {
		w.notes = append(w.notes, n)
	}
}

func (w *lensWalk) fail(format string, args ...any) error {
	return w.lens.fail(w.asked, fmt.Sprintf(format, args...))
}

// cond takes one condition through all hops.
func (w *lensWalk) cond(c adapter.Cond) (adapter.Filter, error) {
	w.asked = c.Field
	first, rest, path := strings.Cut(c.Field, ".")
	sub, nested := c.Value.(adapter.Filter)
	if path || nested {
		return w.related(c, first, rest, sub)
	}
	var now adapter.Filter = c
	for i := range w.lens.legs {
		leg := &w.lens.legs[i]
		next, err := adapter.Map(now, func(c adapter.Cond) (adapter.Filter, error) { return w.hop(leg, c) })
		if err != nil {
			return nil, err
		}
		now = next
	}
	return now, nil
}

// related translates a path, or a condition on related records: the first
// field by this lens, the rest by the related model's.
func (w *lensWalk) related(c adapter.Cond, first, rest string, sub adapter.Filter) (adapter.Filter, error) {
	l := w.lens
	name := first
	for i := range l.legs {
		leg := &l.legs[i]
		g, there := l.owner(leg, name)
		if !there {
			return nil, w.fail("%s", l.foreign(leg))
		}
		if g == nil {
			continue
		}
		if why := l.gone(leg, g, name); why != "" {
			return nil, w.fail("%s", why)
		}
		to, ok := l.group(g)
		if !ok {
			return nil, w.fail("paths through it have no counterpart in version %s", l.system)
		}
		if to != "" {
			name = to
		}
	}
	model := ""
	if l.opts.Relation != nil {
		model = l.opts.Relation(l.callerM, first)
	}
	if model == "" {
		w.note("the related model of %s is not known here: what follows it was not translated", first)
		c.Field = name
		if rest != "" {
			c.Field += "." + rest
		}
		return c, nil
	}
	other, err := l.relatedLens(model)
	if err != nil {
		return nil, err
	}
	inner := adapter.Filter(adapter.Cond{Field: rest, Op: c.Op, Value: c.Value})
	if rest == "" {
		inner = sub
	}
	got, notes, err := other.Filter(inner)
	w.notes = append(w.notes, notes...)
	if err != nil {
		return nil, err
	}
	if rest == "" {
		c.Field, c.Value = name, got
		return c, nil
	}
	return adapter.Map(got, func(c adapter.Cond) (adapter.Filter, error) {
		c.Field = name + "." + c.Field
		return c, nil
	})
}

// hop takes one condition through one hop.
func (w *lensWalk) hop(leg *lensLeg, c adapter.Cond) (adapter.Filter, error) {
	l := w.lens
	if note := leg.notes[c.Field]; note != "" {
		w.note("from version %s on: %s", leg.hop.To, note)
	}
	g, there := l.owner(leg, c.Field)
	if !there {
		return nil, w.fail("%s", l.foreign(leg))
	}
	if g == nil {
		return c, nil
	}
	if why := l.gone(leg, g, c.Field); why != "" {
		return nil, w.fail("%s", why)
	}
	if !g.conditional {
		return w.rule(leg, g.rules[0], g.acts[0], c)
	}
	if !l.up {
		return nil, w.fail("before version %s it depends on other fields", leg.hop.To)
	}
	// One case for each alternative, and one where none holds.
	var cases adapter.Or
	var before adapter.And
	for i, r := range g.rules {
		when, err := w.when(leg, g, r)
		if err != nil {
			return nil, err
		}
		var then adapter.Filter = c
		if slices.Contains(r.From, c.Field) {
			one := lensGroup{rules: g.rules[i : i+1]}
			if why := l.gone(leg, &one, c.Field); why != "" {
				return nil, w.fail("for some records %s", why)
			}
			if then, err = w.rule(leg, r, g.acts[i], c); err != nil {
				return nil, err
			}
		}
		cases = append(cases, append(append(slices.Clone(before), when...), then))
		if len(when) == 0 {
			return cases, nil
		}
		before = append(before, adapter.Not{Part: when})
	}
	return append(cases, append(before, c)), nil
}

// when is a rule's condition as a filter of the new version.
func (w *lensWalk) when(leg *lensLeg, g *lensGroup, r *Rule) (adapter.And, error) {
	w.seen = append(w.seen, g)
	defer func() { w.seen = w.seen[:len(w.seen)-1] }()
	var out adapter.And
	for _, t := range r.When {
		c := adapter.Cond{Field: t.Field}
		switch {
		case t.Empty != nil && *t.Empty:
			c.Op, c.Value = adapter.Equal, false
		case t.Empty != nil:
			c.Op, c.Value = adapter.NotEqual, false
		case t.Not:
			c.Op, c.Value = adapter.NotIn, slices.Clone(t.Values)
		default:
			c.Op, c.Value = adapter.In, slices.Clone(t.Values)
		}
		o, there := w.lens.owner(leg, t.Field)
		if !there || o == g || slices.Contains(w.seen, o) {
			return nil, w.fail("in version %s it depends on %s, which can't be told apart there", leg.hop.To, t.Field)
		}
		part, err := w.hop(leg, c)
		if err != nil {
			return nil, err
		}
		out = append(out, part)
	}
	return out, nil
}

// listed returns the values that a condition asks for, and whether it excludes
// them; ok is false for operators that do not list values.
func listed(c adapter.Cond) (values []any, not, ok bool) {
	switch c.Op {
	case adapter.Equal, adapter.NotEqual:
		if list, isList := c.Value.([]any); isList {
			return list, c.Op == adapter.NotEqual, true
		}
		return []any{c.Value}, c.Op == adapter.NotEqual, true
	case adapter.In, adapter.NotIn:
		list, isList := c.Value.([]any)
		if !isList {
			list = []any{c.Value}
		}
		return list, c.Op == adapter.NotIn, true
	}
	return nil, false, false
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

// rule takes a condition through one rule.
func (w *lensWalk) rule(leg *lensLeg, r *Rule, act action, c adapter.Cond) (adapter.Filter, error) {
	up := w.lens.up
	from, to := r.From, r.To
	if !up {
		from, to = to, from
	}
	switch r.Verb {
	case Rename:
		c.Field = to[0]
		return c, nil
	case Default:
		w.note("where it is empty, version %s has %s", leg.hop.To, brief(r.Value))
		return c, nil
	case Add: // of a field that both versions have
		w.note("it is never empty from version %s on", leg.hop.To)
		return c, nil
	case Remove: // the field that "instead" fills
		return c, nil
	case Map:
		return w.mapped(r, to[0], c)
	case Table:
		return w.tabled(r, act, slices.Index(from, c.Field), to, c)
	case Convert:
		return w.converted(r, to[0], c)
	case ModelName, Reference:
		values, not, ok := listed(c)
		if !ok {
			w.note("models have other names in version %s: texts were not translated", w.lens.system)
			return c, nil
		}
		var out []any
		for _, v := range values {
			got := []any{absent{}}
			var err error
			if up {
				err = act.up(&call{}, []any{v}, got)
			} else {
				err = act.down(&call{}, []any{v}, got)
			}
			if err != nil {
				return nil, w.fail("%v", err)
			}
			if !isAbsent(got[0]) {
				out = append(out, got[0])
			}
		}
		return among(to[0], out, not), nil
	case Merge:
		if r.Kind == "first" && (!up || c.Field == r.From[0] || r.HasBack) {
			w.note("version %s has one field for %s", leg.hop.To, strings.Join(r.From, ", "))
			c.Field = to[0]
			return c, nil
		}
	}
	return nil, w.fail("it can't be searched in version %s, where it has another form", w.lens.system)
}

// mapped takes a condition through a value map: it asks for all values that
// read as one of those asked for.
func (w *lensWalk) mapped(r *Rule, to string, c adapter.Cond) (adapter.Filter, error) {
	values, not, ok := listed(c)
	if !ok {
		return nil, w.fail("its values differ between the versions: compare with =, !=, in or not in")
	}
	// Seen from the far side: every value there with what it reads as here.
	type reading struct{ far, near any }
	var table []reading
	if w.lens.up {
		a, _ := actionOf(r, &Hop{}, nil).(mapAction)
		seen := map[scalar]bool{}
		add := func(far any) {
			k, ok := scalarKey(far)
			if near, known := a.back[k]; ok && known && far != nil && !seen[k] {
				seen[k] = true
				table = append(table, reading{far, near})
			}
		}
		for _, row := range r.Values {
			add(row.To[0])
		}
		for _, row := range r.Back {
			add(row.From[0])
		}
	} else {
		for _, row := range r.Values {
			table = append(table, reading{row.From[0], row.To[0]})
		}
	}
	var out []any
	for _, v := range values {
		k, ok := scalarKey(v)
		if !ok {
			return nil, w.fail("%s is no value of it", brief(v))
		}
		before, known := len(out), false
		for _, row := range r.Values {
			// A value that the rule knows on either side is no other's.
			old, _ := scalarKey(row.From[0])
			new, _ := scalarKey(row.To[0])
			known = known || old == k || new == k
		}
		for _, t := range table {
			far, _ := scalarKey(t.far)
			known = known || far == k
			if near, _ := scalarKey(t.near); t.near != nil && near == k && !slices.ContainsFunc(out, func(o any) bool { return equalData(o, t.far) }) {
				out = append(out, t.far)
			}
		}
		empty := v == nil || v == false
		if !known && (empty || r.Unknown == Keep || r.Unknown == Otherwise) && !slices.ContainsFunc(out, func(o any) bool { return equalData(o, v) }) {
			out = append(out, v)
		}
		if len(out) == before && !slices.ContainsFunc(out, func(o any) bool { return equalData(o, v) }) {
			w.note("nothing in version %s reads as %s", w.lens.system, brief(v))
		}
	}
	return among(to, out, not), nil
}

// tabled takes a condition on one field of a table through it.
func (w *lensWalk) tabled(r *Rule, act action, at int, to []string, c adapter.Cond) (adapter.Filter, error) {
	values, not, ok := listed(c)
	a, isTable := act.(*tableAction)
	if !ok || !isTable || at < 0 {
		return nil, w.fail("its values differ between the versions: compare with =, !=, in or not in")
	}
	var any adapter.Or
	for _, v := range values {
		k, ok := scalarKey(v)
		if !ok {
			return nil, w.fail("%s is no value of it", brief(v))
		}
		listedThere := false
		for i, row := range r.Values {
			near, far := row.From, row.To
			if !w.lens.up {
				near, far = far, near
			}
			if x, _ := scalarKey(near[at]); x != k {
				continue
			}
			listedThere = true
			if tk, _ := tupleKey(row.To); w.lens.up && a.rowDown[tk] != i {
				continue // another row reads so
			}
			var all adapter.And
			for j, f := range to {
				x := far[j]
				if x == nil {
					x = false
				}
				all = append(all, adapter.Cond{Field: f, Op: adapter.Equal, Value: x})
			}
			any = append(any, all)
		}
		if !listedThere && slices.Contains(to, c.Field) && r.Unknown != ToResidue {
			any = append(any, adapter.Cond{Field: c.Field, Op: adapter.Equal, Value: v})
		}
	}
	if not {
		return adapter.Not{Part: any}, nil
	}
	return any, nil
}

// flipped are the operators of turned comparisons.
var flipped = map[adapter.Op]adapter.Op{
	adapter.Less: adapter.Greater, adapter.LessEq: adapter.GreaterEq,
	adapter.Greater: adapter.Less, adapter.GreaterEq: adapter.LessEq,
}

// converted takes a condition through a convert.
func (w *lensWalk) converted(r *Rule, to string, c adapter.Cond) (adapter.Filter, error) {
	conv := converters[r.Kind]
	f := conv.up
	kind := r.Kind
	if !w.lens.up {
		f, kind = conv.down, reversed[r.Kind]
	}
	values, not, isList := listed(c)
	blank := isList && !slices.ContainsFunc(values, func(v any) bool { return v != nil && v != false })
	if blank && kind != "not" && kind != "bool_to_text" {
		c.Field = to
		return c, nil
	}
	switch kind {
	case "many2one_to_many2many", "many2many_to_many2one":
		if kind == "many2one_to_many2many" {
			w.note("version %s may have several records there: those that have others too match as well", w.lens.system)
		}
		c.Field = to
		if isList {
			var ids []any
			for _, v := range values {
				if ref, ok := adapter.RefOf(v); ok && v != false {
					ids = append(ids, idValue(ref.ID))
				} else {
					ids = append(ids, v)
				}
			}
			c.Op, c.Value = adapter.In, ids
			if not {
				c.Op = adapter.NotIn
			}
		}
		return c, nil
	case "text_to_html", "html_to_text":
		if text, ok := c.Value.(string); ok && !isList && !strings.ContainsAny(text, "<>&\"'\n") {
			w.note("the text is searched within HTML or without it, not exactly as before")
			c.Field = to
			return c, nil
		}
	case "date_to_datetime":
		return w.days(to, c, values, not, isList)
	case "datetime_to_date":
		return w.moments(r, to, c, values, not, isList)
	}
	apply := func(v any) (any, error) {
		if v == nil || (v == false && !conv.takesFalse) {
			return v, nil
		}
		return f(r, FormRead, v)
	}
	simple := []string{"scale", "invert", "not", "number_to_text", "text_to_number", "bool_to_text"}
	if isList && slices.Contains(simple, kind) {
		var out []any
		for _, v := range values {
			x, err := apply(v)
			if err != nil {
				return nil, w.fail("%v", err)
			}
			out = append(out, x)
		}
		return among(to, out, not), nil
	}
	if turn, compares := flipped[c.Op]; compares && (kind == "scale" || kind == "invert") {
		x, err := apply(c.Value)
		if err != nil {
			return nil, w.fail("%v", err)
		}
		by, _ := numberOf(r.By)
		if kind == "invert" {
			w.note("negative values compare otherwise in version %s", w.lens.system)
		}
		if kind == "invert" || by.Sign() < 0 {
			c.Op = turn
		}
		c.Field, c.Value = to, x
		return c, nil
	}
	return nil, w.fail("it can't be searched so in version %s, where it has another form", w.lens.system)
}

// reversed names the conversion that each is seen from the other side.
var reversed = map[string]string{
	"text_to_html": "html_to_text", "html_to_text": "text_to_html",
	"many2one_to_many2many": "many2many_to_many2one", "many2many_to_many2one": "many2one_to_many2many",
	"scale": "scale", "invert": "invert", "not": "not",
	"date_to_datetime": "datetime_to_date", "datetime_to_date": "date_to_datetime",
	"scalar_to_list": "list_to_scalar", "list_to_scalar": "scalar_to_list",
	"id_to_keyed": "keyed_to_id", "keyed_to_id": "id_to_keyed",
	"number_to_text": "text_to_number", "text_to_number": "number_to_text",
	"bool_to_text": "text_to_bool",
}

const (
	dayStart = " 00:00:00"
	dayEnd   = " 23:59:59"
)

// days takes a condition on dates to a field of moments: a day is all of its
// moments.
func (w *lensWalk) days(to string, c adapter.Cond, values []any, not, isList bool) (adapter.Filter, error) {
	date := func(v any) (string, error) {
		s, ok := v.(string)
		if _, err := time.Parse(time.DateOnly, s); !ok || err != nil {
			return "", w.fail("%s is not a date", brief(v))
		}
		return s, nil
	}
	at := func(op adapter.Op, v string) adapter.Filter { return adapter.Cond{Field: to, Op: op, Value: v} }
	if isList {
		var any adapter.Or
		for _, v := range values {
			if v == nil || v == false {
				any = append(any, adapter.Cond{Field: to, Op: adapter.Equal, Value: false})
				continue
			}
			d, err := date(v)
			if err != nil {
				return nil, err
			}
			any = append(any, adapter.And{at(adapter.GreaterEq, d+dayStart), at(adapter.LessEq, d+dayEnd)})
		}
		if not {
			return adapter.Not{Part: any}, nil
		}
		return any, nil
	}
	edges := map[adapter.Op]string{adapter.Less: dayStart, adapter.GreaterEq: dayStart, adapter.Greater: dayEnd, adapter.LessEq: dayEnd}
	edge, ok := edges[c.Op]
	if !ok {
		return nil, w.fail("it is a date and time in version %s: compare with =, <, <=, > or >=", w.lens.system)
	}
	d, err := date(c.Value)
	if err != nil {
		return nil, err
	}
	return at(c.Op, d+edge), nil
}

// moments takes a condition on moments to a field of dates, each of which
// reads as the moment that the rule names.
func (w *lensWalk) moments(r *Rule, to string, c adapter.Cond, values []any, not, isList bool) (adapter.Filter, error) {
	parse := func(v any) (date, clock string, err error) {
		s, _ := v.(string)
		for _, layout := range []string{time.DateTime, time.DateOnly} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.Format(time.DateOnly), t.Format(time.TimeOnly), nil
			}
		}
		return "", "", w.fail("%s is not a date and time", brief(v))
	}
	if isList {
		var out []any
		for _, v := range values {
			if v == nil || v == false {
				out = append(out, v)
				continue
			}
			d, clock, err := parse(v)
			if err != nil {
				return nil, err
			}
			if clock == r.Time {
				out = append(out, d)
			} else {
				w.note("version %s has dates alone: none reads as %s", w.lens.system, brief(v))
			}
		}
		return among(to, out, not), nil
	}
	if _, compares := flipped[c.Op]; !compares {
		return nil, w.fail("it is a date in version %s: compare with =, <, <=, > or >=", w.lens.system)
	}
	d, clock, err := parse(c.Value)
	if err != nil {
		return nil, err
	}
	// date+Time op date+clock, by which of the two clocks is later.
	op := c.Op
	switch {
	case r.Time > clock && op == adapter.LessEq:
		op = adapter.Less
	case r.Time > clock && op == adapter.Greater:
		op = adapter.GreaterEq
	case r.Time < clock && op == adapter.Less:
		op = adapter.LessEq
	case r.Time < clock && op == adapter.GreaterEq:
		op = adapter.Greater
	}
	return adapter.Cond{Field: to, Op: op, Value: d}, nil
}
