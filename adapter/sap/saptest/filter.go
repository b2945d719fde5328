package saptest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// class is what a value is to a filter: values of one class compare.
type class uint8

const (
	classNull class = iota
	classBoolean
	classNumber
	classString
	classDateTime // v2, without a zone
	classStamp    // DateTimeOffset
	classDate     // v4
	classTime
	classGuid
	classBinary
)

var classNames = []string{"null", "Boolean", "number", "String", "DateTime", "DateTimeOffset", "Date", "Time", "Guid", "Binary"}

func (p *property) class(version int) class {
	switch p.kind {
	case kindString:
		return classString
	case kindBoolean:
		return classBoolean
	case kindDate:
		if version == 2 {
			return classDateTime
		}
		return classDate
	case kindDateTime:
		if version == 2 {
			return classDateTime
		}
		return classStamp
	case kindDateTimeOffset:
		return classStamp
	case kindTime:
		return classTime
	case kindGuid:
		return classGuid
	case kindBinary:
		return classBinary
	}
	return classNumber
}

// env is what an expression is evaluated on: a record, and around it those of
// the lambdas' callers.
type env struct {
	vals []any
	up   *env
}

// expr is a compiled expression.
type expr struct {
	class class
	alpha bool // a text whose leading zeros don't count
	fixed bool // a literal
	eval  func(*env) any
}

// maxDepth is how deep parentheses may go.
const maxDepth = 200

// filterParser compiles the text of a filter against an entity.
type filterParser struct {
	lexer
	version int
	now     time.Time
	scopes  []scope // the innermost last; the first is the entity itself
	depth   int
}

// scope is a lambda variable and the entity it stands for.
type scope struct {
	name string
	ent  *entity
}

// compileFilter compiles a $filter.
func compileFilter(text string, e *entity, version int, now time.Time) (*expr, error) {
	p := &filterParser{lexer: lexer{text: text}, version: version, now: now, scopes: []scope{{"$it", e}}}
	x, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.skipSpace(); p.at < len(p.text) {
		return nil, p.syntax()
	}
	if x.class != classBoolean {
		return nil, bad("The filter is no condition but a %s", classNames[x.class])
	}
	return x, nil
}

// matches says whether a record fulfils a filter; nil is fulfilled by all.
func (x *expr) matches(r *record) bool {
	if x == nil {
		return true
	}
	yes, _ := x.eval(&env{vals: r.vals}).(bool)
	return yes
}

// lexer walks over the text of an expression.
type lexer struct {
	text string
	at   int
}

func (l *lexer) syntax() *Error {
	near := l.text[l.at:]
	if len(near) > 30 {
		near = near[:30]
	}
	return &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C22578E", Message: fmt.Sprintf("Invalid expression detected at position %d: '%s'", l.at, strings.ToValidUTF8(near, "?"))}
}

func (l *lexer) skipSpace() {
	for l.at < len(l.text) && (l.text[l.at] == ' ' || l.text[l.at] == '\t') {
		l.at++
	}
}

// char takes a character, after spaces.
func (l *lexer) char(c byte) bool {
	l.skipSpace()
	if l.at < len(l.text) && l.text[l.at] == c {
		l.at++
		return true
	}
	return false
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// peekWord is the word that follows, which stays.
func (l *lexer) peekWord() string {
	l.skipSpace()
	end := l.at
	for end < len(l.text) && wordByte(l.text[end]) {
		end++
	}
	return l.text[l.at:end]
}

// keyword takes a word if it follows, with something else after it.
func (l *lexer) keyword(word string) bool {
	if l.peekWord() != word {
		return false
	}
	l.at += len(word)
	return true
}

// quoted takes what stands in quotes, of which two mean one within.
func (l *lexer) quoted() (string, error) {
	if !l.char('\'') {
		return "", l.syntax()
	}
	var b strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		l.at++
		if c != '\'' {
			b.WriteByte(c)
			continue
		}
		if l.at < len(l.text) && l.text[l.at] == '\'' {
			b.WriteByte(c)
			l.at++
			continue
		}
		return b.String(), nil
	}
	return "", l.syntax()
}

func (p *filterParser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return bad("The filter is nested too deeply")
	}
	return nil
}

func (p *filterParser) either() (*expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.joined("or", p.both, func(a, b *expr) func(*env) any {
		return func(e *env) any {
			x := a.eval(e)
			if x == true {
				return true
			}
			y := b.eval(e)
			if y == true {
				return true
			}
			if x == nil || y == nil {
				return nil
			}
			return false
		}
	})
}

func (p *filterParser) both() (*expr, error) {
	return p.joined("and", p.not, func(a, b *expr) func(*env) any {
		return func(e *env) any {
			x := a.eval(e)
			if x == false {
				return false
			}
			y := b.eval(e)
			if y == false {
				return false
			}
			if x == nil || y == nil {
				return nil
			}
			return true
		}
	})
}

// joined parses conditions with "and" or "or" between.
func (p *filterParser) joined(word string, operand func() (*expr, error), combine func(a, b *expr) func(*env) any) (*expr, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	list := []*expr{left}
	for p.keyword(word) {
		right, err := operand()
		if err != nil {
			return nil, err
		}
		list = append(list, right)
	}
	if len(list) == 1 {
		return left, nil
	}
	for _, x := range list {
		if x.class != classBoolean && x.class != classNull {
			return nil, bad("The operator '%s' joins conditions, not a %s", word, classNames[x.class])
		}
	}
	// As a balanced tree, for thousands of conditions don't make a deep one.
	var tree func(list []*expr) *expr
	tree = func(list []*expr) *expr {
		if len(list) == 1 {
			return list[0]
		}
		a, b := tree(list[:len(list)/2]), tree(list[len(list)/2:])
		return &expr{class: classBoolean, eval: combine(a, b)}
	}
	return tree(list), nil
}

func (p *filterParser) not() (*expr, error) {
	if !p.keyword("not") {
		return p.comparison()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.not()
	if err != nil {
		return nil, err
	}
	if x.class != classBoolean {
		return nil, bad("The operator 'not' wants a condition, not a %s", classNames[x.class])
	}
	return &expr{class: classBoolean, eval: func(e *env) any {
		if yes, ok := x.eval(e).(bool); ok {
			return !yes
		}
		return nil
	}}, nil
}

var comparisons = map[string]func(c int) bool{
	"eq": func(c int) bool { return c == 0 }, "ne": func(c int) bool { return c != 0 },
	"gt": func(c int) bool { return c > 0 }, "ge": func(c int) bool { return c >= 0 },
	"lt": func(c int) bool { return c < 0 }, "le": func(c int) bool { return c <= 0 },
}

func (p *filterParser) comparison() (*expr, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	word := p.peekWord()
	if word == "in" && p.version == 4 {
		p.at += len(word)
		return p.in(left)
	}
	test := comparisons[word]
	if test == nil {
		return left, nil
	}
	p.at += len(word)
	right, err := p.sum()
	if err != nil {
		return nil, err
	}
	if err := p.comparable(left, right); err != nil {
		return nil, err
	}
	order := orderOf(left, right)
	return &expr{class: classBoolean, eval: func(e *env) any {
		a, b := left.eval(e), right.eval(e)
		if a == nil || b == nil {
			// Null equals null; it is neither more nor less than anything.
			switch word {
			case "eq":
				return a == nil && b == nil
			case "ne":
				return a != nil || b != nil
			}
			return false
		}
		return test(order(a, b))
	}}, nil
}

// comparable refuses to compare values of different classes.
func (p *filterParser) comparable(a, b *expr) error {
	if a.class == b.class || a.class == classNull || b.class == classNull {
		return nil
	}
	return &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C22578E", Message: fmt.Sprintf("Incompatible types %s and %s in the filter", classNames[a.class], classNames[b.class])}
}

func (p *filterParser) in(left *expr) (*expr, error) {
	if !p.char('(') {
		return nil, p.syntax()
	}
	var values []any
	var order func(a, b any) int
	for {
		x, err := p.sum()
		if err != nil {
			return nil, err
		}
		if !x.fixed {
			return nil, bad("The operator 'in' wants literals")
		}
		if err := p.comparable(left, x); err != nil {
			return nil, err
		}
		if x.class != classNull && order == nil {
			order = orderOf(left, x)
		}
		values = append(values, x.eval(nil))
		if p.char(')') {
			break
		}
		if !p.char(',') {
			return nil, p.syntax()
		}
	}
	return &expr{class: classBoolean, eval: func(e *env) any {
		v := left.eval(e)
		return slices.ContainsFunc(values, func(want any) bool {
			if v == nil || want == nil {
				return v == nil && want == nil
			}
			return order(v, want) == 0
		})
	}}, nil
}

func (p *filterParser) sum() (*expr, error) {
	return p.arithmetic([]string{"add", "sub"}, func() (*expr, error) {
		return p.arithmetic([]string{"mul", "div", "mod"}, p.unary)
	})
}

func (p *filterParser) arithmetic(words []string, operand func() (*expr, error)) (*expr, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	for {
		word := p.peekWord()
		if !slices.Contains(words, word) {
			return left, nil
		}
		p.at += len(word)
		right, err := operand()
		if err != nil {
			return nil, err
		}
		if left.class != classNumber || right.class != classNumber {
			return nil, bad("The operator '%s' wants numbers", word)
		}
		a := left
		left = &expr{class: classNumber, eval: func(e *env) any { return calculate(word, a.eval(e), right.eval(e)) }}
	}
}

func (p *filterParser) unary() (*expr, error) {
	p.skipSpace()
	if p.at+1 < len(p.text) && p.text[p.at] == '-' && (p.text[p.at+1] < '0' || p.text[p.at+1] > '9') {
		p.at++
		if err := p.deeper(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		x, err := p.unary()
		if err != nil {
			return nil, err
		}
		if x.class != classNumber {
			return nil, bad("The operator '-' wants a number")
		}
		return &expr{class: classNumber, eval: func(e *env) any { return calculate("sub", int64(0), x.eval(e)) }}, nil
	}
	return p.primary()
}

func (p *filterParser) primary() (*expr, error) {
	if p.char('(') {
		x, err := p.either()
		if err != nil {
			return nil, err
		}
		if !p.char(')') {
			return nil, p.syntax()
		}
		return x, nil
	}
	if x, ok, err := p.literalValue(); ok || err != nil {
		return x, err
	}
	word := p.peekWord()
	if word == "" {
		return nil, p.syntax()
	}
	if next := p.at + len(word); next < len(p.text) && p.text[next] == '(' {
		p.at = next + 1
		return p.call(word)
	}
	return p.path(word)
}

// path parses a property, over relations to one where there are slashes.
func (p *filterParser) path(word string) (*expr, error) {
	depth, ent := 0, p.scopes[len(p.scopes)-1].ent
	found := false
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if p.scopes[i].name == word {
			depth, ent, found = len(p.scopes)-1-i, p.scopes[i].ent, true
			break
		}
	}
	if found {
		p.at += len(word)
		if !p.slash() {
			return nil, p.syntax()
		}
		word = p.peekWord()
	} else {
		// A name without a variable is the entity's own.
		depth, ent = len(p.scopes)-1, p.scopes[0].ent
	}
	start := func(e *env) []any {
		for range depth {
			e = e.up
		}
		return e.vals
	}
	return p.steps(word, ent, start)
}

func (p *filterParser) slash() bool {
	if p.at < len(p.text) && p.text[p.at] == '/' {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) steps(word string, ent *entity, start func(*env) []any) (*expr, error) {
	p.at += len(word)
	n := ent.navBy[word]
	if n == nil {
		prop := ent.byName[word]
		if prop == nil {
			return nil, &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C21D78E", Message: fmt.Sprintf("Property '%s' not found in type '%s'", word, ent.typeName), Target: word}
		}
		if prop.noFilter {
			return nil, &Error{Status: 400, Code: "/IWBEP/CM_MGW_RT/176", Message: fmt.Sprintf("Property '%s' is not filterable", word), Target: word}
		}
		column := prop.column
		return &expr{class: prop.class(p.version), alpha: prop.alpha, eval: func(e *env) any {
			if vals := start(e); vals != nil {
				return vals[column]
			}
			return nil
		}}, nil
	}
	if !p.slash() {
		return nil, bad("The navigation property '%s' is no value", word)
	}
	next := p.peekWord()
	if n.many {
		return p.lambda(n, next, start)
	}
	return p.steps(next, n.to, func(e *env) []any {
		vals := start(e)
		if vals == nil {
			return nil
		}
		if rows := n.related(vals); len(rows) > 0 {
			return rows[0].vals
		}
		return nil
	})
}

// lambda parses any(...) and all(...), which version 2 doesn't know.
func (p *filterParser) lambda(n *navigation, word string, start func(*env) []any) (*expr, error) {
	if p.version == 2 || word != "any" && word != "all" {
		return nil, bad("The navigation property '%s' leads to many", n.name)
	}
	p.at += len(word)
	if !p.char('(') {
		return nil, p.syntax()
	}
	condition := &expr{class: classBoolean, eval: func(*env) any { return true }}
	if !p.char(')') {
		name := p.peekWord()
		p.at += len(name)
		if name == "" || !p.char(':') {
			return nil, p.syntax()
		}
		p.scopes = append(p.scopes, scope{name, n.to})
		x, err := p.either()
		if err != nil {
			return nil, err
		}
		p.scopes = p.scopes[:len(p.scopes)-1]
		if x.class != classBoolean || !p.char(')') {
			return nil, p.syntax()
		}
		condition = x
	} else if word == "all" {
		return nil, p.syntax()
	}
	return &expr{class: classBoolean, eval: func(e *env) any {
		vals := start(e)
		if vals == nil {
			return word == "all"
		}
		for _, r := range n.related(vals) {
			if yes := condition.eval(&env{vals: r.vals, up: e}) == true; yes == (word == "any") {
				return yes
			}
		}
		return word == "all"
	}}, nil
}

// literalValue takes a literal, if one follows.
func (p *filterParser) literalValue() (x *expr, ok bool, err error) {
	p.skipSpace()
	if p.at >= len(p.text) {
		return nil, false, p.syntax()
	}
	v, c, end, err := readLiteral(p.text, p.at, p.version)
	if err != nil || end == p.at {
		if err != nil {
			err = p.syntax()
		}
		return nil, false, err
	}
	p.at = end
	return &expr{class: c, fixed: true, eval: func(*env) any { return v }}, true, nil
}

// readLiteral reads a literal from a place in a text; end is that place if
// there is none.
func readLiteral(s string, at, version int) (v any, c class, end int, err error) {
	l := lexer{text: s, at: at}
	if s[at] == '\'' {
		text, err := l.quoted()
		return text, classString, l.at, err
	}
	for end = at; end < len(s) && (wordByte(s[end]) || strings.IndexByte("-.:+", s[end]) >= 0); end++ {
	}
	word := s[at:end]
	switch word {
	case "null":
		return nil, classNull, end, nil
	case "true", "false":
		return word == "true", classBoolean, end, nil
	}
	if end < len(s) && s[end] == '\'' && end > at {
		l.at = end
		text, err := l.quoted()
		if err != nil {
			return nil, 0, at, err
		}
		v, c, err := prefixed(word, text, version)
		return v, c, l.at, err
	}
	if word == "" || (word[0] < '0' || word[0] > '9') && word[0] != '-' && !(version == 4 && guidForm.MatchString(word)) {
		return nil, 0, at, nil
	}
	v, c, ok := bare(word, version)
	if !ok {
		return nil, 0, at, bad("The literal '%s' can't be read", word)
	}
	return v, c, end, nil
}

// prefixed reads a literal such as datetime'2026-01-31T00:00:00'.
func prefixed(prefix, text string, version int) (any, class, error) {
	wrong := bad("The literal %s'%s' can't be read", prefix, text)
	if version == 4 {
		if prefix == "duration" || prefix == "binary" {
			return text, classBinary, nil
		}
		return nil, 0, wrong
	}
	switch prefix {
	case "datetime":
		for _, layout := range []string{"2006-01-02T15:04:05.9999999", "2006-01-02T15:04"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t, classDateTime, nil
			}
		}
	case "datetimeoffset":
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return t.UTC(), classStamp, nil
		}
	case "time":
		if d, ok := parseClock(text, 2); ok {
			return d, classTime, nil
		}
	case "guid":
		if guidForm.MatchString(text) {
			return strings.ToLower(text), classGuid, nil
		}
	case "X", "binary":
		return strings.ToUpper(text), classBinary, nil
	}
	return nil, 0, wrong
}

// bare reads a literal without quotes: numbers, and in version 4 all but texts.
func bare(word string, version int) (any, class, bool) {
	number := word
	if version == 2 {
		number = strings.TrimRight(word, "mMdDfFlL")
		if len(word)-len(number) > 1 {
			return nil, 0, false
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n, classNumber, true
	}
	if d, ok := parseDecimal(number); ok {
		return d, classNumber, true
	}
	if version == 2 {
		return nil, 0, false
	}
	if guidForm.MatchString(word) {
		return strings.ToLower(word), classGuid, true
	}
	if t, err := time.Parse(dateLayout, word); err == nil {
		return t, classDate, true
	}
	if t, err := time.Parse(time.RFC3339Nano, word); err == nil {
		return t.UTC(), classStamp, true
	}
	if d, ok := parseClock(word, 4); ok && strings.Contains(word, ":") {
		return d, classTime, true
	}
	return nil, 0, false
}
