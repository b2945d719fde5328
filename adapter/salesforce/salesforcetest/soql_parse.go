package salesforcetest

import (
	"strconv"
	"strings"
)

// maxSOQL is how many characters a query may have.
const maxSOQL = 100_000

// query is SOQL as it is written.
type query struct {
	soql    string
	items   []item
	from    token
	alias   string
	where   condition
	groupBy []token
	order   []orderItem
	limit   int // -1 is none
	offset  int
}

// item is one of what is selected: a field's path, a function of one, or a
// query of children.
type item struct {
	token
	function string // in capitals
	alias    string
	children *query
}

type orderItem struct {
	item
	descending bool
	nullsLast  bool
}

// condition is *both, *either, *negation or *comparison.
type condition interface{}

type both struct{ parts []condition }

type either struct{ parts []condition }

type negation struct{ part condition }

type comparison struct {
	field    token
	operator string // in capitals: "=", "LIKE", "NOT IN", ...
	values   []token
	list     bool
	query    *query // of a semi-join
}

type parser struct {
	soql   string
	tokens []token
	at     int
	depth  int
}

// parseSOQL reads a query.
func parseSOQL(soql string) (*query, *apiError) {
	if len(soql) > maxSOQL {
		return nil, &apiError{code: "MALFORMED_QUERY", message: "SOQL statements cannot be longer than 100000 characters."}
	}
	tokens, err := lex(soql)
	if err != nil {
		return nil, err
	}
	p := &parser{soql: soql, tokens: tokens}
	q, err := p.query(false)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd {
		return nil, p.unexpected()
	}
	return q, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// word takes a keyword if it is the next.
func (p *parser) word(words ...string) bool {
	for i, word := range words {
		if p.at+i >= len(p.tokens) || !p.tokens[p.at+i].is(word) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) markIs(c string) bool {
	if p.peek().mark(c) {
		p.at++
		return true
	}
	return false
}

// unexpected is an error about the token at hand.
func (p *parser) unexpected() *apiError {
	t := p.peek()
	if t.kind == tokenEnd {
		return &apiError{code: "MALFORMED_QUERY", message: "unexpected token: '<EOF>'"}
	}
	return malformed(p.soql, t.at, "unexpected token: '"+t.text+"'")
}

func (p *parser) expectMark(c string) *apiError {
	if !p.markIs(c) {
		return p.unexpected()
	}
	return nil
}

// name takes a name that is no keyword where a keyword would end a part.
func (p *parser) name() (token, *apiError) {
	if p.peek().kind != tokenName {
		return token{}, p.unexpected()
	}
	return p.next(), nil
}

func (p *parser) query(nested bool) (*query, *apiError) {
	if p.depth++; p.depth > 100 {
		return nil, &apiError{code: "QUERY_TOO_COMPLICATED", message: "Query is either selecting too many fields or the filter conditions are too complicated."}
	}
	defer func() { p.depth-- }()
	q := &query{soql: p.soql, limit: -1}
	if !p.word("SELECT") {
		return nil, p.unexpected()
	}
	for {
		i, err := p.item(nested)
		if err != nil {
			return nil, err
		}
		q.items = append(q.items, i)
		if !p.markIs(",") {
			break
		}
	}
	if !p.word("FROM") {
		return nil, p.unexpected()
	}
	var err *apiError
	if q.from, err = p.name(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind == tokenName && !keyword(t.text) {
		q.alias = p.next().text
	}
	if p.word("USING", "SCOPE") {
		p.next()
	}
	return q, p.clauses(q)
}

func keyword(word string) bool {
	switch strings.ToUpper(word) {
	case "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "FOR", "ALL", "USING", "WITH", "UPDATE":
		return true
	}
	return false
}

func (p *parser) clauses(q *query) *apiError {
	var err *apiError
	if p.word("WHERE") {
		if q.where, err = p.condition(); err != nil {
			return err
		}
	}
	if p.word("WITH", "SECURITY_ENFORCED") || p.word("WITH", "USER_MODE") || p.word("WITH", "SYSTEM_MODE") {
		q.alias += ""
	}
	if p.word("GROUP", "BY") {
		for {
			t, err := p.name()
			if err != nil {
				return err
			}
			q.groupBy = append(q.groupBy, t)
			if !p.markIs(",") {
				break
			}
		}
	}
	if p.word("ORDER", "BY") {
		for {
			if err := p.orderItem(q); err != nil {
				return err
			}
			if !p.markIs(",") {
				break
			}
		}
	}
	if p.word("LIMIT") {
		if q.limit, err = p.number(); err != nil {
			return err
		}
	}
	if p.word("OFFSET") {
		if q.offset, err = p.number(); err != nil {
			return err
		}
	}
	if p.word("FOR", "VIEW") || p.word("FOR", "REFERENCE") {
		return nil
	}
	if p.peek().is("ALL") {
		return malformed(p.soql, p.peek().at, "ALL ROWS not allowed in this context")
	}
	return nil
}

func (p *parser) number() (int, *apiError) {
	t := p.peek()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokenNumber || err != nil || n < 0 {
		return 0, p.unexpected()
	}
	p.at++
	return n, nil
}

func (p *parser) item(nested bool) (item, *apiError) {
	if p.peek().mark("(") {
		if nested {
			return item{}, p.unexpected()
		}
		at := p.next().at
		children, err := p.query(true)
		if err != nil {
			return item{}, err
		}
		return item{token: token{at: at}, children: children}, p.expectMark(")")
	}
	i, err := p.operand()
	if err != nil {
		return i, err
	}
	if t := p.peek(); t.kind == tokenName && !t.is("FROM") && (i.function != "" || len(i.text) > 0) {
		if i.function == "" {
			// A field may have an alias in a grouped query only.
			return i, p.unexpected()
		}
		i.alias = p.next().text
	}
	return i, nil
}

// operand is a field's path or a function of one.
func (p *parser) operand() (item, *apiError) {
	name, err := p.name()
	if err != nil {
		return item{}, err
	}
	if !p.peek().mark("(") {
		return item{token: name}, nil
	}
	p.at++
	i := item{token: token{at: name.at, kind: tokenName}, function: strings.ToUpper(name.text)}
	if p.markIs(")") {
		if i.function != "COUNT" {
			return i, p.unexpected()
		}
		return i, nil
	}
	field, err := p.name()
	if err != nil {
		return i, err
	}
	i.token = field
	return i, p.expectMark(")")
}

func (p *parser) orderItem(q *query) *apiError {
	i, err := p.operand()
	if err != nil {
		return err
	}
	o := orderItem{item: i}
	if p.word("DESC") {
		o.descending = true
	} else {
		p.word("ASC")
	}
	if p.word("NULLS", "LAST") {
		o.nullsLast = true
	} else {
		p.word("NULLS", "FIRST")
	}
	q.order = append(q.order, o)
	return nil
}

// condition reads one of: a AND b AND ..., a OR b OR ..., NOT a, a. A mixture
// needs parentheses.
func (p *parser) condition() (condition, *apiError) {
	if p.depth++; p.depth > 500 {
		return nil, &apiError{code: "QUERY_TOO_COMPLICATED", message: "Query is either selecting too many fields or the filter conditions are too complicated."}
	}
	defer func() { p.depth-- }()
	if p.word("NOT") {
		part, err := p.simple()
		return &negation{part}, err
	}
	first, err := p.simple()
	if err != nil {
		return nil, err
	}
	parts := []condition{first}
	for _, joint := range []string{"AND", "OR"} {
		if !p.peek().is(joint) {
			continue
		}
		for p.word(joint) {
			part, err := p.simple()
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if p.peek().is("AND") || p.peek().is("OR") {
			return nil, p.unexpected()
		}
		if joint == "AND" {
			return &both{parts}, nil
		}
		return &either{parts}, nil
	}
	return first, nil
}

func (p *parser) simple() (condition, *apiError) {
	if p.markIs("(") {
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		return c, p.expectMark(")")
	}
	field, err := p.name()
	if err != nil {
		return nil, err
	}
	if field.is("NOT") {
		p.at--
		return nil, p.unexpected()
	}
	c := &comparison{field: field}
	switch t := p.next(); {
	case t.kind == tokenOperator:
		c.operator = strings.ReplaceAll(t.text, "<>", "!=")
	case t.is("LIKE"):
		c.operator = "LIKE"
	case t.is("IN"), t.is("INCLUDES"), t.is("EXCLUDES"):
		c.operator, c.list = strings.ToUpper(t.text), true
	case t.is("NOT") && p.word("IN"):
		c.operator, c.list = "NOT IN", true
	default:
		if t.kind != tokenEnd {
			p.at--
		}
		return nil, p.unexpected()
	}
	return c, p.values(c)
}

func (p *parser) values(c *comparison) *apiError {
	if !c.list {
		v, err := p.value()
		c.values = []token{v}
		return err
	}
	if err := p.expectMark("("); err != nil {
		return err
	}
	if p.peek().is("SELECT") {
		q, err := p.query(true)
		if err != nil {
			return err
		}
		c.query = q
		return p.expectMark(")")
	}
	for {
		v, err := p.value()
		if err != nil {
			return err
		}
		c.values = append(c.values, v)
		if !p.markIs(",") {
			return p.expectMark(")")
		}
	}
}

// value reads a literal. A date literal with a number (LAST_N_DAYS:7) becomes
// one token.
func (p *parser) value() (token, *apiError) {
	t := p.peek()
	switch t.kind {
	case tokenString, tokenNumber, tokenMoment:
		p.at++
		return t, nil
	case tokenName:
		if t.is("null") || t.is("true") || t.is("false") {
			p.at++
			return t, nil
		}
		if known, counted := dateLiteral(t.text); known {
			p.at++
			if !counted {
				return t, nil
			}
			if err := p.expectMark(":"); err != nil {
				return t, err
			}
			n, err := p.number()
			t.text += ":" + strconv.Itoa(n)
			return t, err
		}
	}
	return t, p.unexpected()
}
