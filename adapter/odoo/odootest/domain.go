package odootest

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// The simulator reads and evaluates domains by itself, with Odoo's own
// peculiarities and error texts, rather than through package adapter: what
// package adapter makes of domains is tested against it.

// predicate tells whether a record matches.
type predicate func(e *env, t *table, id int64) bool

func always(ok bool) predicate { return func(*env, *table, int64) bool { return ok } }

// domain compiles a domain for a model.
func (e *env) domain(t *table, v any) (predicate, error) {
	switch d := v.(type) {
	case nil:
		return always(true), nil
	case bool:
		if !d {
			return always(true), nil
		}
		return nil, raise(assertionError, "Domains to normalize must have a 'domain' form: a list or tuple of domain components")
	case []any:
		return e.compile(t, d)
	}
	if e.major >= 19 {
		text := repr(v)
		if s, ok := v.(string); ok {
			text = `"` + s + `"`
		}
		return nil, raise(typeError, "Domain() invalid argument type for domain: %s", text)
	}
	return nil, raise(assertionError, "Domains to normalize must have a 'domain' form: a list or tuple of domain components")
}

// malformed is the error of a domain whose operators don't fit its terms.
func (e *env) malformed(d []any) error {
	switch {
	case e.major >= 19:
		return raise(valueError, "Domain() malformed domain %s", repr(d))
	case e.major >= 17:
		return raise(valueError, "Domain %s is syntactically not correct.", repr(d))
	}
	return raise(assertionError, "This domain is syntactically not correct: %s", repr(d))
}

// compile reads the prefix notation from its end, with a stack of what is
// already read.
func (e *env) compile(t *table, d []any) (predicate, error) {
	var stack []predicate
	for _, item := range slices.Backward(d) {
		op, isText := item.(string)
		switch {
		case isText && op == "!":
			if len(stack) < 1 {
				return nil, e.malformed(d)
			}
			p := stack[len(stack)-1]
			stack[len(stack)-1] = func(e *env, t *table, id int64) bool { return !p(e, t, id) }
		case isText && (op == "&" || op == "|"):
			if len(stack) < 2 {
				return nil, e.malformed(d)
			}
			a, b := stack[len(stack)-1], stack[len(stack)-2]
			stack = stack[:len(stack)-1]
			if op == "&" {
				stack[len(stack)-1] = func(e *env, t *table, id int64) bool { return a(e, t, id) && b(e, t, id) }
			} else {
				stack[len(stack)-1] = func(e *env, t *table, id int64) bool { return a(e, t, id) || b(e, t, id) }
			}
		case isText:
			if e.major >= 19 {
				return nil, raise(valueError, "Domain() invalid item in domain: %s", repr(item))
			}
			return nil, raise(indexError, "string index out of range")
		default:
			p, err := e.term(t, item)
			if err != nil {
				return nil, err
			}
			stack = append(stack, p)
		}
	}
	switch len(stack) {
	case 0:
		return always(true), nil
	case 1:
		return stack[0], nil
	}
	slices.Reverse(stack)
	return func(e *env, t *table, id int64) bool {
		for _, p := range stack {
			if !p(e, t, id) {
				return false
			}
		}
		return true
	}, nil
}

// operators are those of each version: the first that has it.
var operators = map[string]int{
	"=": 13, "!=": 13, "<>": 13, "<": 13, "<=": 13, ">": 13, ">=": 13, "=?": 13,
	"in": 13, "not in": 13, "like": 13, "not like": 13, "ilike": 13, "not ilike": 13, "=like": 13, "=ilike": 13,
	"child_of": 13, "parent_of": 13, "any": 17, "not any": 17,
	"==": 19, "not =like": 19, "not =ilike": 19,
}

// term compiles one condition.
func (e *env) term(t *table, item any) (predicate, error) {
	if b, ok := item.(bool); ok {
		return always(b), nil
	}
	parts, ok := item.([]any)
	if !ok || len(parts) != 3 {
		switch {
		case e.major >= 19:
			return nil, raise(valueError, "Domain() invalid item in domain: %s", repr(item))
		case e.major >= 17 && ok:
			return nil, raise(valueError, "not enough values to unpack (expected 3, got %d)", len(parts))
		case ok:
			return nil, raise(valueError, "Invalid leaf %s", tuple(parts))
		}
		return nil, raise(typeError, "'%s' object is not subscriptable", pyType(item))
	}
	if n, ok := parts[0].(int64); ok && parts[1] == "=" {
		m, _ := intOf(parts[2])
		return always(n == m), nil
	}
	path, ok := parts[0].(string)
	op, ok2 := parts[1].(string)
	if !ok || !ok2 {
		return nil, raise(valueError, "Invalid leaf %s", tuple(parts))
	}
	op = strings.ToLower(op)
	since, known := operators[op]
	switch {
	case known && e.major >= since:
	case e.major >= 19:
		return nil, raise(valueError, "Invalid operator in condition %s", tuple(parts))
	case strings.HasSuffix(op, "any") && known, e.major == 13:
		return nil, raise(typeError, "unhashable type: 'list'")
	default:
		return nil, raise(valueError, "Invalid leaf %s", tuple(parts))
	}
	switch op {
	case "<>":
		op = "!="
	case "==":
		op = "="
	}
	return e.condition(t, path, op, parts[2], parts)
}

// condition compiles a field path, an operator and a value.
func (e *env) condition(t *table, path, op string, v any, whole []any) (predicate, error) {
	name, rest, dotted := strings.Cut(path, ".")
	f, ok := t.fields[name]
	if !ok {
		switch {
		case e.major >= 19:
			return nil, raise(valueError, "Invalid field %s.%s in condition %s", t.model, name, tuple(whole))
		case e.major >= 14:
			return nil, raise(valueError, "Invalid field %s.%s in leaf %s", t.model, name, tuple(whole))
		}
		return nil, raise(valueError, "Invalid field '%s' in leaf \"<osv.ExtendedLeaf: %s on %s (ctx: )>\"", name, tuple(whole), tableName(t.model))
	}
	if !f.Stored && !f.Searchable && name != "id" {
		if e.major >= 19 {
			return nil, raise(valueError, "Cannot convert %s.%s to SQL because it is not stored", t.model, name)
		}
		return always(true), nil // ignored, with a line in the log
	}
	if dotted {
		return e.dotted(t, name, f, rest, op, v, whole)
	}
	if op == "any" || op == "not any" {
		target := e.get(f.Relation)
		if target == nil {
			return nil, raise(valueError, "Invalid leaf %s", tuple(whole))
		}
		inner, err := e.domain(target, v)
		if err != nil {
			return nil, err
		}
		return e.some(name, target, inner, op == "any"), nil
	}
	if op == "child_of" || op == "parent_of" {
		return e.hierarchy(t, name, f, op, v)
	}
	if list, isList := v.([]any); isList {
		switch op {
		case "=", "in":
			return e.member(t, name, f, list, true, whole)
		case "!=", "not in":
			return e.member(t, name, f, list, false, whole)
		}
	} else if op == "in" || op == "not in" {
		if b, isBool := v.(bool); isBool {
			// Odoo takes it for a comparison with (un)set, with a warning.
			if b == (op == "in") {
				return e.compare(t, name, f, "!=", false, whole)
			}
			return e.compare(t, name, f, "=", false, whole)
		}
		if e.major < 19 {
			return nil, raise(valueError, "Invalid domain term %s", tuple(whole))
		}
		return e.member(t, name, f, []any{v}, op == "in", whole)
	}
	return e.compare(t, name, f, op, v, whole)
}

// some matches records of which (not) any related one matches.
func (e *env) some(name string, target *table, inner predicate, want bool) predicate {
	return func(e *env, t *table, id int64) bool {
		for _, other := range e.related(t, id, name) {
			if target.rows[other] != nil && inner(e, target, other) {
				return want
			}
		}
		return !want
	}
}

// related returns the ids that a relation leads to.
func (e *env) related(t *table, id int64, name string) []int64 {
	switch v := e.value(t, id, name).(type) {
	case int64:
		if v != 0 {
			return []int64{v}
		}
	case []int64:
		return v
	}
	return nil
}

// dateParts are the numbers that a path may take of a date since 18.0.
var dateParts = map[string]func(time.Time) int64{
	"year_number":     func(t time.Time) int64 { return int64(t.Year()) },
	"quarter_number":  func(t time.Time) int64 { return int64(t.Month()-1)/3 + 1 },
	"month_number":    func(t time.Time) int64 { return int64(t.Month()) },
	"iso_week_number": func(t time.Time) int64 { _, w := t.ISOWeek(); return int64(w) },
	"day_of_year":     func(t time.Time) int64 { return int64(t.YearDay()) },
	"day_of_month":    func(t time.Time) int64 { return int64(t.Day()) },
	"day_of_week":     func(t time.Time) int64 { return int64(t.Weekday()) },
	"hour_number":     func(t time.Time) int64 { return int64(t.Hour()) },
	"minute_number":   func(t time.Time) int64 { return int64(t.Minute()) },
	"second_number":   func(t time.Time) int64 { return int64(t.Second()) },
}

func (e *env) dotted(t *table, name string, f schemas.Field, rest, op string, v any, whole []any) (predicate, error) {
	target := e.get(f.Relation)
	if target == nil {
		part := dateParts[rest]
		isDate := f.Type == "date" || f.Type == "datetime"
		switch {
		case isDate && part != nil && e.major >= 18:
			want, _ := intOf(v)
			return func(e *env, t *table, id int64) bool {
				at, err := time.Parse(time.DateTime, dateTime(e.text(t, id, name)))
				return err == nil && compared(float64(part(at)), op, float64(want))
			}, nil
		case f.Relation != "":
			return always(false), nil // a model that the simulator has no records of
		case e.major >= 18:
			return nil, raise(valueError, "Invalid field property '%s' on %s.%s", rest, t.model, name)
		case e.major == 17:
			return nil, raise(assertionError, "Invalid field '%s.%s' in domain term %s", name, rest, tuple(whole))
		case e.major == 13:
			return nil, raise(attributeError, "auto_join")
		}
		return nil, raise(attributeError, "'%s' object has no attribute 'auto_join'", strings.ToUpper(f.Type[:1])+f.Type[1:])
	}
	inner, err := e.condition(target, rest, op, v, whole)
	if err != nil {
		return nil, err
	}
	return e.some(name, target, inner, true), nil
}

func dateTime(s string) string {
	if len(s) == 10 {
		return s + " 00:00:00"
	}
	return seconds(s)
}

// hierarchy matches records at or below (above) others.
func (e *env) hierarchy(t *table, name string, f schemas.Field, op string, v any) (predicate, error) {
	target := t
	if name != "id" {
		if target = e.get(f.Relation); target == nil {
			return always(false), nil
		}
	}
	roots := map[int64]bool{}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, item := range list {
		switch item := item.(type) {
		case int64:
			roots[item] = true
		case string:
			for _, id := range target.ids {
				if contains(e.display(target, id), item, true) {
					roots[id] = true
				}
			}
		}
	}
	parent := parentFields[target.model]
	set := map[int64]bool{}
	if op == "parent_of" {
		for id := range roots {
			for at := id; at != 0 && !set[at] && target.rows[at] != nil; at = ref(target, at, parent) {
				set[at] = true
			}
		}
	} else {
		for _, id := range target.ids {
			at := id
			for range len(target.ids) + 1 {
				if roots[at] {
					set[id] = true
					break
				}
				if parent == "" || at == 0 {
					break
				}
				at = ref(target, at, parent)
			}
		}
	}
	return func(e *env, t *table, id int64) bool {
		if name == "id" {
			return set[id]
		}
		for _, other := range e.related(t, id, name) {
			if set[other] {
				return true
			}
		}
		return false
	}, nil
}

// member matches a field whose value is (not) in a list.
func (e *env) member(t *table, name string, f schemas.Field, list []any, want bool, whole []any) (predicate, error) {
	if len(list) == 0 {
		return always(!want), nil
	}
	var parts []predicate
	ids := map[int64]bool{}
	for _, item := range list {
		if n, ok := item.(int64); ok && (name == "id" || f.Relation != "") {
			ids[n] = true // the frequent case, and lists can be long
			continue
		}
		p, err := e.compare(t, name, f, "=", item, whole)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return func(e *env, t *table, id int64) bool {
		if len(ids) > 0 {
			if name == "id" {
				if ids[id] {
					return want
				}
			} else {
				for _, other := range e.related(t, id, name) {
					if ids[other] {
						return want
					}
				}
			}
		}
		for _, p := range parts {
			if p(e, t, id) {
				return want
			}
		}
		return !want
	}, nil
}

var relativeDate = regexp.MustCompile(`^(today|now|[=+-]\d*(monday|tuesday|wednesday|thursday|friday|saturday|sunday)|[+-]\d+[dwmyHMS])( [=+-].*)?$`)

// compare compiles a comparison with one value.
func (e *env) compare(t *table, name string, f schemas.Field, op string, v any, whole []any) (predicate, error) {
	empty := v == nil || v == false
	if op == "=?" {
		if empty {
			return always(true), nil
		}
		op = "="
	}
	if strings.HasSuffix(op, "like") {
		return e.like(t, name, f, op, v), nil
	}
	if f.Type == "boolean" {
		want := truthy(v) == (op == "=")
		return func(e *env, t *table, id int64) bool { return e.value(t, id, name) == true == want }, nil
	}
	if empty {
		if op != "=" && op != "!=" {
			return always(false), nil
		}
		return func(e *env, t *table, id int64) bool { return e.unset(t, id, name, f) == (op == "=") }, nil
	}
	switch f.Type {
	case "many2one", "one2many", "many2many":
		return e.compareRelation(t, name, f, op, v)
	case "integer", "float", "monetary", "many2one_reference":
		n, err := number(v)
		if err != nil {
			return nil, err
		}
		if f.Type == "integer" && math.Abs(n) > math.MaxInt32 && e.major <= 18 {
			return nil, raise(outOfRange, "integer out of range\n")
		}
		return func(e *env, t *table, id int64) bool {
			return compared(floatOf(e.value(t, id, name)), op, n)
		}, nil
	case "date", "datetime":
		want, err := e.moment(f, op, v)
		if err != nil {
			return nil, err
		}
		cut := f.Type == "datetime" && e.major >= 19
		return func(e *env, t *table, id int64) bool {
			have := e.text(t, id, name)
			if have == "" {
				return op == "!="
			}
			if cut {
				have = seconds(have)
			}
			return compared(have, op, want)
		}, nil
	}
	want, ok := v.(string)
	if !ok {
		want = repr(v)
	}
	return func(e *env, t *table, id int64) bool {
		have, ok := e.value(t, id, name).(string)
		if !ok {
			return op == "!="
		}
		return compared(have, op, want)
	}, nil
}

// unset tells whether a field is empty, as a comparison with False sees it.
func (e *env) unset(t *table, id int64, name string, f schemas.Field) bool {
	switch v := e.value(t, id, name).(type) {
	case nil:
		return true
	case string:
		return v == "" && e.major >= 17
	case int64:
		return v == 0 && (f.Type == "integer" || f.Type == "many2one")
	case float64:
		return v == 0
	case []int64:
		return len(v) == 0
	}
	return false
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case bool:
		return floatOf(v), nil
	case string:
		n, err := strconv.ParseFloat(v, 64)
		if err == nil {
			return n, nil
		}
		return 0, raise(invalidText, "invalid input syntax for type integer: %q\nLINE 1: ...\n", v)
	}
	return 0, raise(typeError, "unsupported operand type")
}

func compared[T cmp.Ordered](a T, op string, b T) bool {
	switch op {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	}
	return false
}

// moment reads the value of a comparison with a date or a date-time.
func (e *env) moment(f schemas.Field, op string, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		s = repr(v)
	}
	if e.major >= 19 && relativeDate.MatchString(s) {
		return e.relative(f, s), nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999", time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02T15:04"} {
		at, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if strings.Contains(layout, "Z07") {
			if e.major >= 19 {
				return "", raise(valueError, "expecting only datetimes with no timezone: %s", repr(s))
			}
			// PostgreSQL takes the time as written and drops the zone.
		}
		switch {
		case f.Type == "date":
			return at.Format(time.DateOnly), nil
		case layout == time.DateOnly && (op == ">" || op == "<="):
			if e.major >= 19 {
				return at.Format(time.DateOnly) + " 23:59:59", nil
			}
			return at.Format(time.DateOnly) + " 23:59:59.999999", nil
		case at.Nanosecond() != 0:
			return at.Format("2006-01-02 15:04:05.000000"), nil
		}
		return at.Format(time.DateTime), nil
	}
	if e.major >= 19 {
		return "", raise(valueError, "Invalid isoformat string: %s", repr(s))
	}
	kind := "timestamp"
	if f.Type == "date" {
		kind = "date"
	}
	return "", raise(invalidDatetime, "invalid input syntax for type %s: \"%s\"\nLINE 1: ...\n", kind, s)
}

// relative reads 19.0's relative dates, such as "-1d" or "today +1w".
func (e *env) relative(f schemas.Field, s string) string {
	at := e.now().UTC()
	for word := range strings.FieldsSeq(s) {
		switch word {
		case "today":
			at = at.Truncate(24 * time.Hour)
		case "now":
		default:
			n, err := strconv.Atoi(word[:len(word)-1])
			if err != nil {
				continue
			}
			switch word[len(word)-1] {
			case 'd':
				at = at.AddDate(0, 0, n)
			case 'w':
				at = at.AddDate(0, 0, 7*n)
			case 'm':
				at = at.AddDate(0, n, 0)
			case 'y':
				at = at.AddDate(n, 0, 0)
			case 'H':
				at = at.Add(time.Duration(n) * time.Hour)
			case 'M':
				at = at.Add(time.Duration(n) * time.Minute)
			case 'S':
				at = at.Add(time.Duration(n) * time.Second)
			}
		}
	}
	if f.Type == "date" {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.DateTime)
}

// compareRelation compares ids, or names where the value is text.
func (e *env) compareRelation(t *table, name string, f schemas.Field, op string, v any) (predicate, error) {
	target := e.get(f.Relation)
	match := func(e *env, other int64) bool {
		n, _ := intOf(v)
		return compared(float64(other), strings.TrimPrefix(op, "!"), float64(n))
	}
	if s, ok := v.(string); ok {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && f.Type == "many2one" && e.major <= 16 {
			match = func(_ *env, other int64) bool { return other == n }
		} else {
			match = func(e *env, other int64) bool { return e.named(target, other, s, false) }
		}
	}
	return func(e *env, t *table, id int64) bool {
		for _, other := range e.related(t, id, name) {
			if match(e, other) {
				return op != "!="
			}
		}
		return op == "!="
	}, nil
}

// named tells whether a record is found by a name: the whole of it, or a part.
func (e *env) named(t *table, id int64, s string, part bool) bool {
	for _, have := range e.searchedNames(t, id) {
		if part && contains(have, s, true) || !part && have == s {
			return true
		}
	}
	return false
}

// searchedNames are the texts that a search by name looks at.
func (e *env) searchedNames(t *table, id int64) []string {
	if t == nil || t.rows[id] == nil {
		return nil
	}
	list := []string{e.display(t, id), e.text(t, id, "name")}
	switch t.model {
	case "res.partner":
		list = append(list, e.text(t, id, "email"), e.text(t, id, "ref"), e.text(t, id, "vat"))
	case "product.product", "product.template":
		list = append(list, e.text(t, id, "default_code"), e.text(t, id, "barcode"))
	case "res.country", "res.country.state":
		list = append(list, e.text(t, id, "code"))
	case "res.users":
		list = append(list, e.text(t, id, "login"))
	}
	return list
}

// like compiles the operators with wildcards.
func (e *env) like(t *table, name string, f schemas.Field, op string, v any) predicate {
	negative := strings.HasPrefix(op, "not ")
	base := strings.TrimPrefix(op, "not ")
	fold := strings.HasSuffix(base, "ilike")
	whole := strings.HasPrefix(base, "=")
	pattern, ok := v.(string)
	if !ok {
		if v == nil || v == false {
			pattern = ""
		} else {
			pattern = repr(v)
		}
	}
	if !whole {
		pattern = "%" + pattern + "%"
	}
	match := likePattern(pattern, fold)
	return func(e *env, t *table, id int64) bool {
		switch v := e.value(t, id, name).(type) {
		case string:
			return match(v) != negative
		case []int64, int64:
			if f.Relation == "" {
				return match(repr(v)) != negative
			}
			target := e.get(f.Relation)
			for _, other := range e.related(t, id, name) {
				for _, text := range e.searchedNames(target, other) {
					if match(text) {
						return !negative
					}
				}
			}
			return negative
		case float64:
			return match(pyFloat(v)) != negative
		}
		return negative
	}
}

func contains(s, part string, fold bool) bool { return likePattern("%"+part+"%", fold)(s) }

// likePattern compiles a pattern of SQL's LIKE: % any text, _ any character,
// a backslash before a character that is meant as it is.
func likePattern(pattern string, fold bool) func(string) bool {
	type piece struct {
		r   rune
		any byte // '%', '_' or 0
	}
	if fold {
		pattern = strings.ToLower(pattern)
	}
	var pieces []piece
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			pieces = append(pieces, piece{r: r})
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%' || r == '_':
			pieces = append(pieces, piece{any: byte(r)})
		default:
			pieces = append(pieces, piece{r: r})
		}
	}
	return func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		text := []rune(s)
		// The usual two-pointer match, going back to the last %.
		i, j, star, mark := 0, 0, -1, 0
		for i < len(text) {
			switch {
			case j < len(pieces) && pieces[j].any == '%':
				star, mark = j, i
				j++
			case j < len(pieces) && (pieces[j].any == '_' || pieces[j].any == 0 && pieces[j].r == text[i]):
				i++
				j++
			case star >= 0:
				mark++
				i, j = mark, star+1
			default:
				return false
			}
		}
		for j < len(pieces) && pieces[j].any == '%' {
			j++
		}
		return j == len(pieces)
	}
}

// mentions tells whether a domain has a condition on a field.
func mentions(v any, field string) bool {
	list, _ := v.([]any)
	for _, item := range list {
		if parts, ok := item.([]any); ok && len(parts) == 3 && parts[0] == field {
			return true
		}
	}
	return false
}
