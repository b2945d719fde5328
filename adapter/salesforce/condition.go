package salesforce

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// place is where the path of a condition leads.
type place struct {
	path  string // as SOQL has it: "Account.Owner.Name"
	field *field
	// exists is the reference that has to be set for the path to lead anywhere,
	// "" for a field of the records themselves.
	exists string
}

// render writes a condition of a rewritten filter, or its opposite. A path
// that leads nowhere fulfils no condition, and so every opposite.
func render(cond adapter.Cond, at place, negated bool) (node, error) {
	n, err := renderField(cond, at, negated)
	if err != nil || at.exists == "" {
		return n, err
	}
	if negated {
		return anyOf(isNull(at.exists), n), nil
	}
	return allOf(notNull(at.exists), n), nil
}

func renderField(cond adapter.Cond, at place, negated bool) (node, error) {
	if positive, ok := cond.Op.Negates(); ok {
		cond.Op = positive
		return renderField(cond, at, !negated)
	}
	if join, ok := cond.Value.(semiJoin); ok {
		if negated {
			return compare(at.path + " NOT IN " + string(join)), nil
		}
		return compare(at.path + " IN " + string(join)), nil
	}
	if at.field.kind == kindOpaque || !at.field.Filterable {
		return node{}, badCondition(cond, "can't be used in a filter: Salesforce does not search in it")
	}
	if at.field.kind == kindBoolean {
		return renderBoolean(cond, at, negated)
	}
	switch cond.Op {
	case adapter.Equal, adapter.In:
		values, ok := cond.Value.([]any)
		if !ok {
			values = []any{cond.Value}
		}
		return renderEqual(cond, at, values, negated)
	case adapter.Less, adapter.LessEq, adapter.Greater, adapter.GreaterEq:
		return renderOrder(cond, at, negated)
	case adapter.Like, adapter.ILike, adapter.EqLike, adapter.EqILike:
		return renderLike(cond, at, negated)
	}
	return node{}, badCondition(cond, fmt.Sprintf("has the operator %s, which can't be used here", quote(string(cond.Op))))
}

func badCondition(cond adapter.Cond, problem string) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Field: cond.Field, NothingSent: true,
		Message: "the condition on " + quote(cond.Field) + " " + problem,
	}
}

// renderBoolean asks which of the two values the condition holds for.
func renderBoolean(cond adapter.Cond, at place, negated bool) (node, error) {
	var holds [2]bool
	for i, value := range [...]bool{false, true} {
		ok, err := adapter.Match(adapter.Cond{Field: "value", Op: cond.Op, Value: cond.Value}, adapter.Record{"value": value}, adapter.MatchOptions{})
		if err != nil {
			return node{}, badCondition(cond, "can't be compared with this value; use true or false")
		}
		holds[i] = ok != negated
	}
	switch {
	case holds[0] && holds[1]:
		return constant(true, true), nil
	case holds[0]:
		return compare(at.path + " = FALSE"), nil
	case holds[1]:
		return compare(at.path + " = TRUE"), nil
	}
	return constant(false, true), nil
}

// wanted is the set of values that a condition asks for.
type wanted struct {
	unset, set bool // false or null; true, which every value that is set equals
	zero       bool // of a number: 0, which one that is not set is too
	blank      bool // ""
	literals   []string
	exact      bool // the literals can be told from all others
}

func renderEqual(cond adapter.Cond, at place, values []any, negated bool) (node, error) {
	w := wanted{exact: true}
	for _, v := range values {
		if err := w.add(cond, at, v); err != nil {
			return node{}, err
		}
	}
	if at.field.kind == kindNumber {
		return w.number(at.path, negated), nil
	}
	empty := w.unset || w.blank
	if !negated {
		var parts []node
		if empty {
			parts = append(parts, isNull(at.path))
		}
		if w.set {
			parts = append(parts, notNull(at.path))
		}
		list := oneOf(at.path, w.literals)
		list.exact = list.exact && w.exact
		return anyOf(append(parts, list)...), nil
	}
	if w.set {
		if empty {
			return constant(false, true), nil
		}
		return isNull(at.path), nil
	}
	others := noneOf(at.path, w.literals)
	if !w.exact {
		others = everything()
	}
	if empty {
		return allOf(notNull(at.path), others), nil
	}
	if len(w.literals) == 0 {
		return constant(true, true), nil
	}
	return anyOf(isNull(at.path), others), nil
}

// number is the condition on a number, where 0 and nothing are the same.
func (w *wanted) number(path string, negated bool) node {
	nothing := w.unset || w.zero
	isZero, notZero := anyOf(isNull(path), compare(path+" = 0")), allOf(notNull(path), compare(path+" != 0"))
	if !negated {
		var parts []node
		if nothing {
			parts = append(parts, isZero)
		} else if w.blank {
			parts = append(parts, isNull(path))
		}
		if w.set {
			parts = append(parts, notZero)
		}
		return anyOf(append(parts, oneOf(path, w.literals))...)
	}
	var parts []node
	if nothing {
		parts = append(parts, notZero)
	} else if w.blank {
		parts = append(parts, notNull(path))
	}
	if w.set {
		parts = append(parts, isZero)
	}
	if len(w.literals) > 0 {
		others := noneOf(path, w.literals)
		if !nothing && !w.blank {
			others = anyOf(isNull(path), others)
		}
		parts = append(parts, others)
	}
	return allOf(parts...)
}

func (w *wanted) add(cond adapter.Cond, at place, v any) error {
	switch v := v.(type) {
	case nil:
		w.unset = true
		return nil
	case bool:
		if v {
			w.set = true
		} else {
			w.unset = true
		}
		return nil
	case string:
		if v == "" {
			w.blank = true
			return nil
		}
	}
	literal, exact, err := equalLiteral(cond, at.field, v)
	switch {
	case err != nil:
		return err
	case literal == "":
		return nil // no record has it
	case at.field.kind == kindNumber && literal == "0":
		w.zero = true
		return nil
	}
	w.literals = append(w.literals, literal)
	w.exact = w.exact && exact
	return nil
}

// equalLiteral writes a value to be equal to, "" for one that no record can
// have.
func equalLiteral(cond adapter.Cond, f *field, v any) (literal string, exact bool, err error) {
	switch f.kind {
	case kindNumber:
		literal, ok := numberLiteral(v)
		if !ok {
			return "", false, badCondition(cond, "compares a number with "+describeValue(v))
		}
		return literal, true, nil
	case kindDate, kindDateTime:
		when, ok := parseWhen(v)
		if !ok {
			return "", false, badDate(cond, v)
		}
		if f.kind == kindDate {
			return when.UTC().Format(time.DateOnly), true, nil
		}
		if when.Nanosecond()%int(time.Millisecond) != 0 {
			return "", true, nil
		}
		return momentLiteral(when.Time), true, nil
	case kindTime:
		s, _ := v.(string)
		if !timeOfDay.MatchString(s) {
			return "", false, badCondition(cond, "compares a time of day with "+describeValue(v)+"; write it as 13:45:00Z")
		}
		return s, true, nil
	case kindID:
		s, _ := v.(string)
		if !recordID.MatchString(s) {
			return "", true, nil
		}
		return "'" + longID(s) + "'", true, nil
	}
	s, ok := textValue(v)
	if !ok {
		return "", false, badCondition(cond, "compares a text with "+describeValue(v))
	}
	return quoted(s), f.kind == kindPicklist || f.CaseSensitive || !cased(s), nil
}

var timeOfDay = regexp.MustCompile(`^[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,3})?Z$`)

// textValue is how a text compares with a value.
func textValue(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int, int64:
		return fmt.Sprint(v), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return "", false
}

// numberLiteral writes a number without an exponent, exactly.
func numberLiteral(v any) (string, bool) {
	text, ok := textValue(v)
	if !ok || len(text) > 60 {
		return "", false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exponent, err := strconv.Atoi(text[i+1:]); err != nil || exponent > 40 || exponent < -40 {
			return "", false
		}
	}
	if !decimal.MatchString(text) {
		return "", false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", false
	}
	digits, _ := r.FloatPrec()
	return r.FloatString(digits), true
}

var decimal = regexp.MustCompile(`^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$`)

func renderOrder(cond adapter.Cond, at place, negated bool) (node, error) {
	if adapter.IsEmpty(cond.Value) {
		return constant(negated, true), nil
	}
	op := cond.Op
	var literal string
	switch at.field.kind {
	case kindNumber:
		value := cond.Value
		if value == true {
			value = 1
		}
		var ok bool
		if literal, ok = numberLiteral(value); !ok {
			return node{}, badCondition(cond, "compares a number with "+describeValue(cond.Value))
		}
		return orderNumber(at.path, op, literal, negated), nil
	case kindDate, kindDateTime:
		when, ok := parseWhen(cond.Value)
		if !ok {
			return node{}, badDate(cond, cond.Value)
		}
		if at.field.kind == kindDate {
			literal = when.UTC().Format(time.DateOnly)
			break
		}
		op, literal = orderMoment(op, when)
	default:
		s, isText := cond.Value.(string)
		if !isText {
			return node{}, badCondition(cond, "compares a text with "+describeValue(cond.Value))
		}
		var err error
		if literal, _, err = equalLiteral(cond, at.field, s); err != nil {
			return node{}, err
		}
		if literal == "" {
			return node{}, badCondition(cond, "compares an id with "+describeValue(cond.Value)+", which is none")
		}
	}
	if negated {
		return anyOf(isNull(at.path), compare(at.path+" "+string(opposite[op])+" "+literal)), nil
	}
	return compare(at.path + " " + string(op) + " " + literal), nil
}

var opposite = map[adapter.Op]adapter.Op{
	adapter.Less: adapter.GreaterEq, adapter.LessEq: adapter.Greater,
	adapter.Greater: adapter.LessEq, adapter.GreaterEq: adapter.Less,
}

// orderNumber compares a number that is 0 when it is not set.
func orderNumber(path string, op adapter.Op, literal string, negated bool) node {
	if negated {
		op = opposite[op]
	}
	limit, _ := new(big.Rat).SetString(literal)
	sign := -limit.Sign() // of 0 compared with the limit
	nothing := map[adapter.Op]bool{adapter.Less: sign < 0, adapter.LessEq: sign <= 0, adapter.Greater: sign > 0, adapter.GreaterEq: sign >= 0}[op]
	n := compare(path + " " + string(op) + " " + literal)
	if nothing {
		return anyOf(isNull(path), n)
	}
	return n
}

// orderMoment compares a date-time: with a day, the whole day counts; with
// parts of a millisecond, which Salesforce has not, the next whole one.
func orderMoment(op adapter.Op, when moment) (adapter.Op, string) {
	at := when.Time
	switch {
	case when.day && op == adapter.Greater:
		op, at = adapter.GreaterEq, at.AddDate(0, 0, 1)
	case when.day && op == adapter.LessEq:
		op, at = adapter.Less, at.AddDate(0, 0, 1)
	case at.Nanosecond()%int(time.Millisecond) == 0:
	case op == adapter.Less:
		op = adapter.LessEq
	case op == adapter.GreaterEq:
		op = adapter.Greater
	}
	return op, momentLiteral(at)
}

// momentLiteral writes a moment as SOQL has it, without quotes.
func momentLiteral(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond() < int(time.Millisecond) {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

func renderLike(cond adapter.Cond, at place, negated bool) (node, error) {
	whole := cond.Op == adapter.EqLike || cond.Op == adapter.EqILike
	if adapter.IsEmpty(cond.Value) {
		if !whole {
			return constant(!negated, true), nil
		}
		if negated {
			return notNull(at.path), nil
		}
		return isNull(at.path), nil
	}
	if k := at.field.kind; k != kindText && k != kindPicklist || at.field.Type == "multipicklist" {
		return node{}, badCondition(cond, "compares by a pattern, which Salesforce does for texts alone")
	}
	pattern, ok := textValue(cond.Value)
	if !ok {
		return node{}, badCondition(cond, "compares a text with "+describeValue(cond.Value))
	}
	literal, exact := likePattern(pattern, !whole)
	folds := cond.Op == adapter.ILike || cond.Op == adapter.EqILike
	switch {
	case folds && at.field.CaseSensitive && cased(pattern):
		// Salesforce tells the cases of this field apart, and the filter does not.
		if negated {
			return everything(), nil
		}
		return notNull(at.path).loosely(), nil
	case !folds && cased(pattern):
		exact = false
	}
	if !negated {
		n := compare(at.path + " LIKE " + literal)
		n.exact = exact
		return n, nil
	}
	if !exact {
		return everything(), nil
	}
	return anyOf(isNull(at.path), compare("(NOT "+at.path+" LIKE "+literal+")")), nil
}

func badDate(cond adapter.Cond, v any) error {
	return badCondition(cond, "compares a date with "+describeValue(v)+"; write 2006-01-02 or 2006-01-02T15:04:05Z")
}

func describeValue(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case json.Number, int, int64, float64:
		return "the number " + clip(fmt.Sprint(v), 40)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	case nil:
		return "nothing"
	}
	return "a value of another kind"
}
