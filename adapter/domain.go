package adapter

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The limits of a domain. They keep hostile input from costing more than its
// length, and are far above what people and programs write.
const (
	// MaxDomainDepth is how deep groups may nest. A chain of one operator
	// ("|", "|", "|", ...) is one level.
	MaxDomainDepth = 100
	// MaxDomainTerms is how many operators and conditions a domain may have,
	// those of nested domains included. Lists of values are not counted.
	MaxDomainTerms = 10_000
)

// ParseDomainJSON is [ParseDomain] of a JSON text; number literals are kept as
// they are written. Empty text, like null, is the nil Filter.
func ParseDomainJSON(b []byte) (Filter, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var v any
	if err := DecodeJSON(b, &v); err != nil {
		return nil, &Error{Code: InvalidArgument, Field: "domain", Message: "domain is not valid JSON: " + err.Error(), Err: err}
	}
	return ParseDomain(v)
}

// ParseDomain reads one of Odoo's domains from decoded JSON: a list of
// conditions [field, operator, value], joined by "and" unless a prefix
// operator "&", "|" or "!" says otherwise. The empty list and nil are the nil
// Filter.
//
// It reads what any version from 13.0 to 19.0 does, and gives every spelling
// one meaning: operators in any case, "<>" and "==", a single value for "in",
// a list for "=", true and false as conditions. A list with "=" means "in" and
// the empty one, as in 19.0, "is not set". What comes back is in the form that
// [Normalize] describes.
//
// An error is ErrInvalidArgument, its Field the place: "domain[2][1]" is the
// operator of the third term.
func ParseDomain(v any) (Filter, error) {
	p := domainParser{}
	return p.domain(v, "domain", 0)
}

type domainParser struct {
	terms   int
	grafted bool // a Filter stood among the terms
}

// group is an operator that waits for its terms.
type group struct {
	op    byte // '&', '|', '!'; 0 for the domain itself
	need  int  // terms still to come
	parts []Filter
}

func (p *domainParser) domain(v any, at string, depth int) (Filter, error) {
	var list []any
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		list = v
	case Filter:
		return Normalize(v), nil
	case string:
		return nil, domainErrorf(at, "must be a list of conditions such as [[\"name\", \"=\", \"x\"]], not a text")
	default:
		return nil, domainErrorf(at, "must be a list of conditions such as [[\"name\", \"=\", \"x\"]], not %s", kindOf(v))
	}
	if len(list) == 0 {
		return nil, nil
	}
	if p.terms += len(list); p.terms > MaxDomainTerms {
		return nil, domainErrorf(at, "has more than %d terms; use \"in\" with a list of values instead of many conditions", MaxDomainTerms)
	}

	// A prefix notation needs no recursion: groups waits for terms, the
	// innermost last, the domain itself first.
	groups := []group{{parts: make([]Filter, 0, len(list))}}
	for i, item := range list {
		top := &groups[len(groups)-1]
		var term Filter
		switch item := item.(type) {
		case string:
			switch {
			case item != "&" && item != "|" && item != "!":
				return nil, p.strayText(list, i, item, at)
			case item[0] == '!' && top.op == '!':
				// Twice negated.
				groups = groups[:len(groups)-1]
			case item[0] == top.op:
				// One more of the same joins its group.
				top.need++
			default:
				if len(groups)+depth > MaxDomainDepth {
					return nil, domainErrorf(at+index(i), "nests deeper than %d levels", MaxDomainDepth)
				}
				need := 2
				if item == "!" {
					need = 1
				}
				groups = append(groups, group{op: item[0], need: need})
			}
			continue
		case bool:
			term = Always(item)
		case Filter:
			term, p.grafted = item, true
		case []any:
			var err error
			if term, err = p.condition(item, at, i, depth+len(groups)); err != nil {
				return nil, err
			}
		default:
			return nil, domainErrorf(at+index(i), "must be a condition [field, operator, value] or one of \"&\", \"|\", \"!\", not %s", kindOf(item))
		}
		// Hand the term up through every group that it completes.
		for {
			top := &groups[len(groups)-1]
			top.parts = append(top.parts, term)
			if top.op == 0 {
				break
			}
			if top.need--; top.need > 0 {
				break
			}
			term = top.filter()
			groups = groups[:len(groups)-1]
		}
	}
	if len(groups) > 1 {
		return nil, starved(list, at)
	}
	all := And{}
	for _, part := range groups[0].parts {
		if and, ok := part.(And); ok {
			all = append(all, and...)
			continue
		}
		all = append(all, part)
	}
	if p.grafted {
		return Normalize(all), nil
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// filter is what a complete group means.
func (g *group) filter() Filter {
	switch g.op {
	case '!':
		if constant, ok := g.parts[0].(Always); ok {
			return !constant
		}
		return Not{Part: g.parts[0]}
	case '|':
		return Or(g.parts)
	default:
		return And(g.parts)
	}
}

// starved says which operator lacks terms, by reading the list again.
func starved(list []any, at string) error {
	type waiting struct {
		op            string
		pos, has, all int
	}
	var stack []waiting
	for i, item := range list {
		if op, ok := item.(string); ok {
			all := 2
			if op == "!" {
				all = 1
			}
			stack = append(stack, waiting{op: op, pos: i, all: all})
			continue
		}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.has++; top.has < top.all {
				break
			}
			stack = stack[:len(stack)-1]
		}
	}
	words := [...]string{"none", "one", "two"}
	terms := [...]string{"", "one term", "two terms"}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		return &Error{Code: InvalidArgument, Field: at + index(top.pos),
			Message: fmt.Sprintf("%s: '%s' at position %d needs %s, has %s", at, top.op, top.pos, terms[top.all], words[top.has])}
	}
	return domainErrorf(at, "is incomplete")
}

// strayText explains a text that stands where a condition should.
func (p *domainParser) strayText(list []any, i int, item, at string) error {
	if i == 0 && len(list) == 3 {
		if op, ok := list[1].(string); ok {
			if _, known := operatorOf(op); known {
				return domainErrorf(at, "is a single condition, not a list of conditions; write it as [[%s, %s, ...]]", quote(item), quote(op))
			}
		}
	}
	return domainErrorf(at+index(i), "%s is neither a condition [field, operator, value] nor one of \"&\", \"|\", \"!\"", quote(item))
}

// condition reads the term list[i] = item of the domain called at.
func (p *domainParser) condition(item []any, at string, i, depth int) (Filter, error) {
	here := func(element int) string { return at + index(i) + index(element) }
	if len(item) != 3 {
		return nil, domainErrorf(at+index(i), "a condition has three elements [field, operator, value], this has %d", len(item))
	}
	opText, ok := item[1].(string)
	if !ok {
		return nil, domainErrorf(here(1), "the operator must be a text, not %s", kindOf(item[1]))
	}
	op, ok := operatorOf(opText)
	if !ok {
		return nil, domainErrorf(here(1), "operator %s is unknown; use one of %s", quote(opText), operatorNames)
	}
	field, ok := item[0].(string)
	if !ok {
		if constant, ok := constantOf(item[0], op, item[2]); ok {
			return constant, nil
		}
		return nil, domainErrorf(here(0), "the field must be a text, not %s", kindOf(item[0]))
	}
	if !isFilterPath(field) {
		return nil, domainErrorf(here(0), "%s is not a field name", quote(field))
	}
	cond := Cond{Field: field, Op: op, Value: plainValue(item[2])}
	if op == Any || op == NotAny {
		if depth > MaxDomainDepth {
			return nil, domainErrorf(here(2), "nests deeper than %d levels", MaxDomainDepth)
		}
		if item[2] == nil {
			return nil, domainErrorf(here(2), "operator %q needs a domain, such as [[\"name\", \"=\", \"x\"]]", op)
		}
		nested, err := p.domain(item[2], here(2), depth)
		if err != nil {
			return nil, err
		}
		cond.Value = nested
		return cond, nil
	}
	if problem := checkValue(op, cond.Value); problem != "" {
		return nil, domainErrorf(here(2), "operator %q %s", op, problem)
	}
	return normalCond(cond), nil
}

// checkValue tells what is wrong with a value for an operator, "" if nothing.
func checkValue(op Op, value any) string {
	list, isList := value.([]any)
	switch {
	case isList && !operators[op].list:
		return "takes a single value, not a list"
	case isList:
		for _, item := range list {
			if !isScalar(item) {
				return "takes a list of plain values; it holds " + kindOf(item)
			}
		}
	case !isScalar(value):
		return "can't take " + kindOf(value)
	}
	return ""
}

// normalCond gives the spellings of a condition one form: "in" has a list,
// "=" has none.
func normalCond(c Cond) Cond {
	c.Value = plainValue(c.Value)
	switch c.Op {
	case Equal, NotEqual:
		if list, ok := c.Value.([]any); ok {
			if len(list) == 0 {
				list = []any{false}
			}
			return Cond{Field: c.Field, Op: swapOp(c.Op, Equal, In, NotIn), Value: list}
		}
	case In, NotIn:
		switch value := c.Value.(type) {
		case []any:
		case bool:
			return Cond{Field: c.Field, Op: swapOp(c.Op, In, Equal, NotEqual), Value: value}
		default:
			c.Value = []any{value}
		}
	case Any, NotAny:
		switch value := c.Value.(type) {
		case Filter:
			c.Value = Normalize(value)
		case []any:
			// A Go program may write the nested domain as a list.
			if nested, err := ParseDomain(value); err == nil {
				c.Value = nested
			}
		}
	}
	return c
}

func swapOp(op, from, positive, negative Op) Op {
	if op == from {
		return positive
	}
	return negative
}

// constantOf reads (1, "=", 1) and (0, "=", 1), and what follows from them.
func constantOf(left any, op Op, right any) (Always, bool) {
	a, aok := decimalOf(left)
	b, bok := decimalOf(right)
	if !aok || !bok {
		return false, false
	}
	switch op {
	case Equal:
		return Always(a.compare(b) == 0), true
	case NotEqual:
		return Always(a.compare(b) != 0), true
	}
	return false, false
}

// isFilterPath accepts field paths, and the names that properties have.
func isFilterPath(s string) bool {
	if len(s) > 1000 {
		return false
	}
	return isFieldPath(s)
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

func domainErrorf(at, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	join := ": "
	if strings.HasPrefix(message, "must ") || strings.HasPrefix(message, "has ") || strings.HasPrefix(message, "is ") || strings.HasPrefix(message, "nests ") {
		join = " "
	}
	return &Error{Code: InvalidArgument, Field: at, Message: at + join + message}
}

// kindOf names a value's JSON type for a message.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any, Record:
		return "an object"
	case json.Number:
		return "the number " + quote(v.String())
	}
	if d, ok := decimalOf(v); ok {
		return "the number " + quote(d.literal)
	}
	return fmt.Sprintf("a Go %T", v)
}
