package salesforcetest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// compile makes a condition of SOQL one of Go.
func (p *plan) compile(c condition) (predicate, *apiError) {
	switch c := c.(type) {
	case *both:
		parts, err := p.compileAll(c.parts)
		return func(r row) bool {
			for _, part := range parts {
				if !part(r) {
					return false
				}
			}
			return true
		}, err
	case *either:
		parts, err := p.compileAll(c.parts)
		return func(r row) bool {
			for _, part := range parts {
				if part(r) {
					return true
				}
			}
			return false
		}, err
	case *negation:
		part, err := p.compile(c.part)
		return func(r row) bool { return !part(r) }, err
	case *comparison:
		return p.comparison(c)
	}
	return nil, malformed(p.query.soql, 0, "unexpected condition")
}

func (p *plan) compileAll(list []condition) ([]predicate, *apiError) {
	var parts []predicate
	for _, c := range list {
		part, err := p.compile(c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// only returns the ids that can match at all, if the condition says so; nil
// is any.
func (p *plan) only(c condition) []string {
	switch c := c.(type) {
	case *both:
		for _, part := range c.parts {
			if ids := p.only(part); ids != nil {
				return ids
			}
		}
	case *comparison:
		if c.query != nil || c.operator != "=" && c.operator != "IN" || !strings.EqualFold(strings.Join(p.path(c.field), "."), "Id") {
			return nil
		}
		ids := []string{}
		for _, v := range c.values {
			if id, ok := parseID(v.text); ok {
				ids = append(ids, id)
			}
		}
		at := p.object.table.at
		slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
		return slices.Compact(ids)
	}
	return nil
}

func (p *plan) comparison(c *comparison) (predicate, *apiError) {
	to, err := p.reach(c.field)
	if err != nil {
		return nil, err
	}
	f := to.field
	if !f.filterable() {
		return nil, &apiError{code: "INVALID_FIELD", message: pointed(p.query.soql, c.field.at, "field '"+f.Name+"' can not be filtered in a query call")}
	}
	if c.query != nil {
		return p.semiJoin(c, to)
	}
	switch c.operator {
	case "LIKE":
		return p.likeness(c, to)
	case "INCLUDES", "EXCLUDES":
		return p.includes(c, to)
	case "IN", "NOT IN":
		return p.membership(c, to)
	}
	return p.relation(c, to)
}

func (p *plan) badOperator(c *comparison, what string) *apiError {
	return &apiError{code: "INVALID_QUERY_FILTER_OPERATOR", message: pointed(p.query.soql, c.field.at, what)}
}

// likeness is LIKE.
func (p *plan) likeness(c *comparison, to reach) (predicate, *apiError) {
	v := c.values[0]
	if !to.field.isText() || to.field.Type == TypeMultiPicklist {
		return nil, p.badOperator(c, "invalid operator on "+to.field.Type+" field")
	}
	if v.kind != tokenString {
		return nil, p.mistyped(v, to.field)
	}
	pattern, ok := unescape(v.text, true)
	if !ok {
		return nil, p.badString(v)
	}
	pattern = strings.ToLower(pattern)
	db, o := p.db, p.object
	return func(r row) bool {
		text, ok := db.value(o, r, to).(string)
		return ok && like(strings.ToLower(text), pattern)
	}, nil
}

func (p *plan) badString(v token) *apiError {
	return malformed(p.query.soql, v.at, "Invalid string literal '"+v.text+"'. Illegal character sequence in string literal.")
}

// includes is INCLUDES and EXCLUDES: each value is choices that must all be
// there, and one of the values must hold.
func (p *plan) includes(c *comparison, to reach) (predicate, *apiError) {
	if to.field.Type != TypeMultiPicklist {
		return nil, p.badOperator(c, "includes or excludes operator only valid on multipicklist field")
	}
	var wanted [][]string
	for _, v := range c.values {
		text, ok := unescape(v.text, false)
		if v.kind != tokenString || !ok {
			return nil, p.mistyped(v, to.field)
		}
		wanted = append(wanted, strings.Split(strings.ToLower(text), ";"))
	}
	db, o := p.db, p.object
	return func(r row) bool {
		text, _ := db.value(o, r, to).(string)
		have := strings.Split(strings.ToLower(text), ";")
		any := slices.ContainsFunc(wanted, func(all []string) bool {
			return !slices.ContainsFunc(all, func(choice string) bool { return !slices.Contains(have, choice) })
		})
		return any == (c.operator == "INCLUDES")
	}, nil
}

// operand is a value to compare with. Of a date literal it is the span.
type operand struct {
	value    any
	from, to any // of a span: its first, and the first behind it
}

// comparable is how a stored value is compared.
func comparableValue(f *Field, v any) any {
	if text, ok := v.(string); ok && f.isText() && !f.CaseSensitive {
		return strings.ToLower(text)
	}
	return v
}

func (p *plan) membership(c *comparison, to reach) (predicate, *apiError) {
	set := map[any]bool{}
	var spans []operand
	for _, v := range c.values {
		o, err := p.literal(v, to.field)
		if err != nil {
			return nil, err
		}
		if o.from != nil {
			spans = append(spans, o)
			continue
		}
		set[o.value] = true
	}
	db, o, f := p.db, p.object, to.field
	return func(r row) bool {
		v := comparableValue(f, db.value(o, r, to))
		in := set[v] || v != nil && slices.ContainsFunc(spans, func(s operand) bool {
			return compareValues(v, s.from) >= 0 && compareValues(v, s.to) < 0
		})
		return in == (c.operator == "IN")
	}, nil
}

// relation is = != < <= > >=.
func (p *plan) relation(c *comparison, to reach) (predicate, *apiError) {
	want, err := p.literal(c.values[0], to.field)
	if err != nil {
		return nil, err
	}
	equality := c.operator == "=" || c.operator == "!="
	if !equality && (to.field.Type == TypeBoolean || to.field.Type == TypeMultiPicklist) {
		return nil, p.badOperator(c, "invalid operator on "+to.field.Type+" field")
	}
	if !equality && want.value == nil && want.from == nil {
		return nil, p.badOperator(c, "only '=' and '!=' can be used with null")
	}
	db, o, f, operator := p.db, p.object, to.field, c.operator
	return func(r row) bool {
		v := comparableValue(f, db.value(o, r, to))
		if v == nil || want.value == nil && want.from == nil {
			same := v == nil && want.value == nil && want.from == nil
			return operator == "=" && same || operator == "!=" && !same
		}
		from, behind := want.value, want.value
		if want.from != nil {
			from, behind = want.from, want.to
		}
		before := compareValues(v, from) < 0
		after := compareValues(v, behind) > 0
		if want.from != nil {
			after = compareValues(v, behind) >= 0
		}
		switch operator {
		case "=":
			return !before && !after
		case "!=":
			return before || after
		case "<":
			return before
		case "<=":
			return !after
		case ">":
			return after
		}
		return !before
	}, nil
}

// mistyped says that a literal is not of its field's type.
func (p *plan) mistyped(v token, f *Field) *apiError {
	quoted := "should not be enclosed in quotes"
	if f.isText() || f.Type == TypeID || f.Type == TypeReference {
		quoted = "should be enclosed in quotes"
	}
	return &apiError{code: "INVALID_FIELD", message: pointed(p.query.soql, v.at, "value of filter criterion for field '"+f.Name+"' must be of type "+strings.TrimPrefix(soapType(f), "xsd:")+" and "+quoted)}
}

// literal reads a value for a field.
func (p *plan) literal(v token, f *Field) (operand, *apiError) {
	if v.is("null") {
		return operand{}, nil
	}
	wrong := func() (operand, *apiError) { return operand{}, p.mistyped(v, f) }
	switch {
	case f.Type == TypeID || f.Type == TypeReference:
		if v.kind != tokenString {
			return wrong()
		}
		if v.text == "" {
			return operand{}, nil
		}
		id, ok := parseID(v.text)
		if !ok {
			return operand{}, &apiError{code: "INVALID_QUERY_FILTER_OPERATOR", message: pointed(p.query.soql, v.at, "invalid ID field: "+v.text)}
		}
		return operand{value: id}, nil
	case f.isText():
		if v.kind != tokenString {
			return wrong()
		}
		text, ok := unescape(v.text, false)
		if !ok {
			return operand{}, p.badString(v)
		}
		if text = trim(text); text == "" {
			return operand{}, nil
		}
		if f.Type == TypeMultiPicklist {
			text = f.sortChoices(text)
		}
		return operand{value: comparableValue(f, text)}, nil
	case f.isNumber():
		n, err := strconv.ParseFloat(v.text, 64)
		if v.kind != tokenNumber || err != nil {
			return wrong()
		}
		return operand{value: n}, nil
	case f.Type == TypeBoolean:
		if !v.is("true") && !v.is("false") {
			return wrong()
		}
		return operand{value: v.is("true")}, nil
	}
	return p.timeLiteral(v, f)
}

func (p *plan) timeLiteral(v token, f *Field) (operand, *apiError) {
	if v.kind == tokenName {
		from, to, ok := spanOf(v.text, p.db.now().UTC())
		if !ok {
			return operand{}, p.mistyped(v, f)
		}
		if f.Type == TypeDate {
			return operand{from: from.Format(dayForm), to: to.Format(dayForm)}, nil
		}
		return operand{from: moment(from.Unix()), to: moment(to.Unix())}, nil
	}
	if v.kind != tokenMoment {
		return operand{}, p.mistyped(v, f)
	}
	if f.Type == TypeDate {
		day, ok := parseDay(v.text)
		if !ok {
			return operand{}, p.mistyped(v, f)
		}
		return operand{value: day}, nil
	}
	m, ok := parseMoment(v.text)
	zoned := strings.ContainsAny(v.text[10:], "Zz+") || strings.Contains(v.text[10:], "-")
	if !ok || !zoned {
		return operand{}, p.mistyped(v, f)
	}
	return operand{value: m}, nil
}

// semiJoin is IN (SELECT ...) and NOT IN (SELECT ...).
func (p *plan) semiJoin(c *comparison, to reach) (predicate, *apiError) {
	inner := c.query
	o := p.db.object(inner.from.text)
	if o == nil {
		return nil, unsupported(p.query.soql, inner.from)
	}
	if to.field.Type != TypeID && to.field.Type != TypeReference {
		return nil, malformed(p.query.soql, c.field.at, "The left operand in the semi join expression must be an id or reference field: '"+c.field.text+"'")
	}
	if len(inner.items) != 1 || inner.items[0].function != "" || inner.items[0].children != nil {
		return nil, malformed(p.query.soql, inner.from.at, "The inner select must have one field")
	}
	if len(inner.order) > 0 || inner.limit >= 0 || inner.offset > 0 {
		return nil, malformed(p.query.soql, inner.from.at, "The inner select can have neither ORDER BY nor LIMIT")
	}
	found, err := p.db.prepare(inner, o)
	if err != nil {
		return nil, err
	}
	selected, err := found.reach(inner.items[0].token)
	if err != nil {
		return nil, err
	}
	if selected.field.Type != TypeID && selected.field.Type != TypeReference {
		return nil, malformed(p.query.soql, inner.items[0].at, "The selected field in the subquery must be an id or reference field: '"+selected.field.Name+"'")
	}
	set := map[any]bool{}
	for _, r := range found.find(false) {
		if v := p.db.value(o, r, selected); v != nil {
			set[v] = true
		}
	}
	db, outer := p.db, p.object
	return func(r row) bool {
		return set[db.value(outer, r, to)] == (c.operator == "IN")
	}, nil
}

func unsupported(soql string, from token) *apiError {
	return &apiError{code: "INVALID_TYPE", message: pointed(soql, from.at, "sObject type '"+from.text+"' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.")}
}
