package sap

import (
	"math/big"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// leaf is a condition on one property.
type leaf struct {
	r    *renderer
	c    adapter.Cond
	p    *edmx.Property
	at   place
	ref  string // "to_Customer/Name"
	neg  bool
	null bool // the value may be null
}

// leaf renders a condition on a property. Its operator is a positive one.
func (r *renderer) leaf(c adapter.Cond, at place, neg bool) (expr, error) {
	p := at.m.typ.Prop(c.Field)
	if p == nil {
		return expr{}, at.m.unknown(c.Field, c.Field)
	}
	if err := r.use(c.Field, p, at); err != nil {
		return expr{}, err
	}
	l := leaf{r: r, c: c, p: p, at: at, ref: at.prefix + p.Name, neg: neg, null: p.Nullable || at.guard != ""}
	switch c.Op {
	case adapter.Equal, adapter.In:
		return l.equal()
	case adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq:
		return l.order()
	case adapter.Like, adapter.ILike, adapter.EqLike, adapter.EqILike:
		return l.like()
	}
	return expr{}, at.m.unsupported(c.Field, "SAP has no operator \"%s\" for %s", c.Op, quote(c.Field))
}

// or adds null to what a condition lets through, if there can be any.
func (l leaf) orNull(e expr) expr {
	if !l.null {
		return e
	}
	return or(e, atom("%s eq null", l.ref))
}

// unset is the condition that the property holds nothing: null, an empty text,
// the number 0, false.
func (l leaf) unset(neg bool) expr {
	op, empties := "eq", []string{}
	if neg {
		op = "ne"
	}
	switch {
	case l.p.Type == "Edm.String":
		empties = append(empties, "''")
	case l.p.Type == "Edm.Boolean":
		empties = append(empties, "false")
	case isNumber(l.p.Type):
		zero, _ := l.at.m.literal(l.p, 0)
		empties = append(empties, zero)
	}
	if l.null {
		empties = append(empties, "null")
	}
	parts := make([]expr, len(empties))
	for i, s := range empties {
		parts[i] = atom("%s %s %s", l.ref, op, s)
	}
	return join(parts, !neg)
}

// equal renders "=" and "in".
func (l leaf) equal() (expr, error) {
	list, isList := l.c.Value.([]any)
	if !isList {
		list = []any{l.c.Value}
	}
	var literals []string
	seen := map[string]bool{}
	unset := false
	for _, v := range list {
		switch {
		case v == true && l.p.Type != "Edm.Boolean":
			// Compared with true, a value need only be set.
			return l.unset(!l.neg), nil
		case v == nil, v == false, v == "", l.zero(v):
			unset = true
			continue
		}
		s, err := l.literal(v)
		if err == errNever {
			continue
		}
		if err != nil {
			return expr{}, err
		}
		if !seen[s] {
			seen[s] = true
			literals = append(literals, s)
		}
	}
	return l.oneOf(literals, unset), nil
}

// zero reports whether a value is the number 0, which in a property of numbers
// is the same as nothing.
func (l leaf) zero(v any) bool {
	if !isNumber(l.p.Type) {
		return false
	}
	n, ok := numberOf(v)
	return ok && n.zero()
}

// oneOf renders that the property is one of the literals, or unset, or that it
// is none of that.
func (l leaf) oneOf(literals []string, unset bool) expr {
	op := "eq"
	if l.neg {
		op = "ne"
	}
	var parts []expr
	if l.at.m.meta.Version == "4.01" && len(literals) > 2 {
		e := atom("%s in (%s)", l.ref, strings.Join(literals, ","))
		if l.neg {
			e = atom("not (%s)", e.text)
		}
		parts = append(parts, e)
	} else {
		for _, s := range literals {
			parts = append(parts, atom("%s %s %s", l.ref, op, s))
		}
	}
	switch {
	case unset:
		parts = append(parts, l.unset(l.neg))
	case l.neg && len(literals) > 0:
		// What is null is none of them.
		return l.orNull(join(parts, false))
	}
	return join(parts, !l.neg)
}

// literal writes a value of the condition, a date-time without its time where
// the property has none.
func (l leaf) literal(v any) (string, error) {
	t := l.at.m.fieldType(l.p)
	if t == adapter.Date || t == adapter.DateTime {
		at, ok := momentOf(v)
		if !ok {
			return "", l.at.m.wrong(l.c.Field, "%s is no date that SAP can be asked for; write it as \"2025-01-31\" or \"2025-01-31 13:45:00\"", kindOf(v))
		}
		if t == adapter.Date {
			v = at.dayOf().Format(time.DateOnly)
		}
	}
	return l.at.m.literal(l.p, v)
}

// words are OData's operators of order, and their opposites.
var words = map[adapter.Op][2]string{
	adapter.Less: {"lt", "ge"}, adapter.LessEq: {"le", "gt"},
	adapter.Greater: {"gt", "le"}, adapter.GreaterEq: {"ge", "lt"},
}

// compare renders the comparison with a literal, or its opposite.
func (l leaf) compare(op adapter.Op, literal string) expr {
	word := words[op][0]
	if l.neg {
		word = words[op][1]
	}
	return atom("%s %s %s", l.ref, word, literal)
}

// order renders <, <=, > and >=.
func (l leaf) order() (expr, error) {
	v := l.c.Value
	if adapter.IsEmpty(v) {
		return constant(l.neg), nil
	}
	t := l.at.m.fieldType(l.p)
	switch {
	case t == adapter.Date || t == adapter.DateTime:
		return l.orderMoments(t)
	case isNumber(l.p.Type):
		return l.orderNumbers()
	case l.p.Type != "Edm.String" && l.p.Type != "Edm.Guid" && l.p.Type != "Edm.Time" && l.p.Type != "Edm.TimeOfDay":
		return expr{}, l.at.m.wrong(l.c.Field, "%s has no order for \"%s\"; use =, !=, in or not in", quote(l.c.Field), l.c.Op)
	}
	if _, isText := v.(string); !isText {
		return expr{}, l.at.m.wrong(l.c.Field, "%s holds texts, which \"%s\" compares with a text alone", quote(l.c.Field), l.c.Op)
	}
	s, err := l.at.m.literal(l.p, v)
	if err != nil {
		return expr{}, l.at.m.wrong(l.c.Field, "%s is no value of %s", kindOf(v), quote(l.c.Field))
	}
	e := l.compare(l.c.Op, s)
	if l.p.Type == "Edm.String" && (l.c.Op == adapter.Less || l.c.Op == adapter.LessEq) {
		// An empty text is less than any, and is nothing.
		if l.neg {
			e = or(e, atom("%s eq ''", l.ref))
		} else {
			e = and(e, atom("%s ne ''", l.ref))
		}
	}
	if l.neg {
		e = l.orNull(e)
	}
	return e, nil
}

// orderMoments compares dates and date-times. A day as the limit of a
// date-time is the whole day.
func (l leaf) orderMoments(t adapter.FieldType) (expr, error) {
	at, ok := momentOf(l.c.Value)
	if !ok {
		_, err := l.literal(l.c.Value)
		if err == nil {
			err = l.at.m.wrong(l.c.Field, "%s is no date", kindOf(l.c.Value))
		}
		return expr{}, err
	}
	op := l.c.Op
	when := at.at
	switch {
	case t == adapter.Date:
		when = at.dayOf()
	case at.day && op == adapter.Greater:
		op, when = adapter.GreaterEq, when.AddDate(0, 0, 1)
	case at.day && op == adapter.LessEq:
		op, when = adapter.Less, when.AddDate(0, 0, 1)
	}
	e := l.compare(op, momentLiteral(l.at.m.v4(), l.p.Type, when))
	if l.neg {
		e = l.orNull(e)
	}
	return e, nil
}

// orderNumbers compares numbers, of which one that is not set is 0.
func (l leaf) orderNumbers() (expr, error) {
	v := l.c.Value
	if v == true {
		v = 1
	}
	n, ok := numberOf(v)
	if !ok {
		return expr{}, l.at.m.wrong(l.c.Field, "%s is no number that SAP can compare with", kindOf(v))
	}
	op := l.c.Op
	zeroHolds := holds(op, new(big.Rat).Neg(n.rat()).Sign())
	e := everything
	if r, integer := ranges[l.p.Type]; integer {
		var decided bool
		op, n, decided = wholeLimit(op, n, r)
		if decided {
			// The limit is beyond every value.
			return constant(zeroHolds != l.neg), nil
		}
	}
	s, err := numberLiteral(l.at.m.v4(), l.p.Type, n)
	if err != nil {
		return expr{}, err
	}
	e = l.compare(op, s)
	if zeroHolds != l.neg {
		e = l.orNull(e)
	}
	return e, nil
}

// holds tells whether a comparison's sign satisfies an operator of order.
func holds(op adapter.Op, sign int) bool {
	switch op {
	case adapter.Less:
		return sign < 0
	case adapter.LessEq:
		return sign <= 0
	case adapter.Greater:
		return sign > 0
	}
	return sign >= 0
}

func (n number) rat() *big.Rat {
	r, _ := new(big.Rat).SetString(n.String())
	return r
}

// wholeLimit makes a limit of whole numbers of any number: x > 1.5 is x > 1
// for them. decided says that the limit is beyond the type's range, so that
// all values are on the same side of it.
func wholeLimit(op adapter.Op, n number, r [2]int64) (adapter.Op, number, bool) {
	value := n.rat()
	if value.Cmp(new(big.Rat).SetInt64(r[0])) < 0 || value.Cmp(new(big.Rat).SetInt64(r[1])) > 0 {
		return op, n, true
	}
	if value.IsInt() {
		return op, n, false
	}
	// Euclidean division rounds towards minus infinity for a positive divisor.
	floor := new(big.Int).Div(value.Num(), value.Denom())
	n, _ = parseNumber(floor.String())
	switch op {
	case adapter.Less, adapter.LessEq:
		return adapter.LessEq, n, false
	}
	return adapter.Greater, n, false
}

// like renders the patterns.
func (l leaf) like() (expr, error) {
	whole := l.c.Op == adapter.EqLike || l.c.Op == adapter.EqILike
	fold := l.c.Op == adapter.ILike || l.c.Op == adapter.EqILike
	if adapter.IsEmpty(l.c.Value) {
		if whole {
			return l.unset(l.neg), nil
		}
		return constant(!l.neg), nil
	}
	if l.p.Type != "Edm.String" {
		return expr{}, l.at.m.wrong(l.c.Field, "%s is no text, which \"%s\" needs; use =, !=, in or not in", quote(l.c.Field), l.c.Op)
	}
	text, ok := textOf(l.c.Value)
	if !ok {
		return expr{}, l.at.m.wrong(l.c.Field, "\"%s\" on %s needs a text", l.c.Op, quote(l.c.Field))
	}
	p := patternOf(text, whole)
	e, exact := l.pattern(p, fold)
	if !exact {
		if l.at.prefix != "" && strings.HasPrefix(l.at.prefix, "x") && l.at.guard == "" {
			return expr{}, l.at.m.unsupported(l.c.Field, "SAP can't look for a pattern with wildcards within the records behind a list")
		}
		l.r.inexact = true
	}
	switch {
	case !l.neg:
		return e, nil
	case !exact:
		// What does not fit the pattern can be anything.
		return everything, nil
	case e.constant():
		return constant(e.never), nil
	case p.anything():
		return l.unset(true != l.neg), nil
	}
	return l.orNull(l.not(e)), nil
}

// not negates a condition on a text that is there.
func (l leaf) not(e expr) expr {
	if literal, ok := strings.CutPrefix(e.text, l.ref+" eq "); ok && !e.group {
		return atom("%s ne %s", l.ref, literal)
	}
	if e.group {
		return atom("not (%s)", e.text)
	}
	if strings.Contains(e.text, ") eq ") {
		return atom("not (%s)", e.text)
	}
	return atom("not %s", e.text)
}

// pattern is a pattern taken apart: runs of text with wildcards between.
type pattern struct {
	runs       []string
	open, shut bool // any text may come before the first run, and after the last
	exact      bool // nothing but any text stands between runs
}

func (p pattern) anything() bool { return len(p.runs) == 0 && p.open && p.exact }

// patternOf reads a pattern: % is any text, _ any character, and a backslash
// makes the next one literal.
func patternOf(s string, whole bool) pattern {
	if !whole {
		// As Odoo builds it, so that a backslash at the end escapes the % behind.
		s = "%" + s + "%"
	}
	p := pattern{exact: true}
	var run strings.Builder
	escaped, wild := false, false
	flush := func() {
		if run.Len() > 0 {
			p.runs = append(p.runs, run.String())
			run.Reset()
		}
	}
	for i, c := range s {
		switch {
		case escaped:
			escaped, wild = false, false
			run.WriteRune(c)
		case c == '\\':
			escaped = true
		case c == '%':
			p.open = p.open || i == 0
			flush()
			wild = true
		case c == '_':
			p.open = p.open || i == 0
			p.exact = false
			flush()
			wild = true
		default:
			wild = false
			run.WriteRune(c)
		}
	}
	if escaped {
		run.WriteByte('\\')
		wild = false
	}
	flush()
	p.shut = wild
	return p
}

// pattern renders a pattern as far as OData's functions go. exact is false
// where they let through more than fits.
func (l leaf) pattern(p pattern, fold bool) (e expr, exact bool) {
	ref, v4 := l.ref, l.at.m.v4()
	if fold {
		ref = "tolower(" + ref + ")"
	}
	write := func(s string) string {
		if fold {
			s = strings.ToLower(s)
		}
		return quoted(s)
	}
	contains := func(s string) expr {
		if v4 {
			return atom("contains(%s,%s)", ref, write(s))
		}
		return atom("substringof(%s,%s)", write(s), ref)
	}
	n := len(p.runs)
	if n == 0 {
		return l.unset(true), p.anything()
	}
	if n == 1 && !p.open && !p.shut {
		return atom("%s eq %s", ref, write(p.runs[0])), p.exact
	}
	parts := make([]expr, n)
	for i, run := range p.runs {
		switch {
		case i == 0 && !p.open:
			parts[i] = atom("startswith(%s,%s)", ref, write(run))
		case i == n-1 && !p.shut:
			parts[i] = atom("endswith(%s,%s)", ref, write(run))
		default:
			parts[i] = contains(run)
		}
	}
	return and(parts...), p.exact && n == 1
}
