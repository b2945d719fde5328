package salesforcetest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A plan is a query that was held against the definitions of objects.

type predicate func(row) bool

// plan finds and shows the records of a query.
type plan struct {
	db     *database
	object *object
	query  *query
	where  predicate
	ids    []string // the only ids that can match; nil is any
	order  []sorter
	show   *shown
	// aggregates are set when the answer is of groups.
	aggregates []aggregate
	grouped    bool
	count      bool // COUNT() alone
}

// reach reads a field, maybe of a parent.
type reach struct {
	path  []int // references to follow
	final int
	field *Field
	poly  string // of what a reference to several objects leads to: "Name", "Type" or "Id"
}

type sorter struct {
	reach
	descending, nullsLast bool
	aggregate             int // of a grouped query: the place of what is sorted by; -1 is none
}

type aggregate struct {
	reach
	function string // "" is a field that is grouped by
	alias    string
}

// shown is what is shown of a record: fields, parents and children.
type shown struct {
	object *object
	parts  []part
}

type part struct {
	name     string
	field    int    // of a field or of the reference to a parent
	parent   *shown // of a parent
	poly     []string
	children *plan // of children
	inverse  int   // the field of the children that leads back
}

// prepare makes a plan of a query on an object.
func (db *database) prepare(q *query, o *object) (*plan, *apiError) {
	p := &plan{db: db, object: o, query: q, show: &shown{object: o}}
	if q.offset > 2000 {
		return nil, &apiError{code: "NUMBER_OUTSIDE_VALID_RANGE", message: pointed(q.soql, q.from.at, "Maximum SOQL offset allowed is 2000")}
	}
	if err := p.prepareItems(); err != nil {
		return nil, err
	}
	var err *apiError
	if q.where != nil {
		if p.where, err = p.compile(q.where); err != nil {
			return nil, err
		}
		p.ids = p.only(q.where)
	}
	for _, o := range q.order {
		s, err := p.sorter(o)
		if err != nil {
			return nil, err
		}
		p.order = append(p.order, s)
	}
	return p, nil
}

func (p *plan) prepareItems() *apiError {
	q := p.query
	for _, i := range q.items {
		if i.function != "" && i.function != "FIELDS" && i.function != "TOLABEL" && i.function != "FORMAT" {
			p.grouped = true
		}
	}
	p.grouped = p.grouped || len(q.groupBy) > 0
	if p.grouped && len(q.items) == 1 && q.items[0].function == "COUNT" && q.items[0].text == "" {
		if len(q.groupBy) == 0 {
			p.count, p.grouped = true, false
			return nil
		}
	}
	if p.grouped {
		return p.prepareGroups()
	}
	seen := map[string]bool{}
	for _, i := range q.items {
		switch {
		case i.children != nil:
			if err := p.prepareChildren(i); err != nil {
				return err
			}
		case i.function == "FIELDS":
			if err := p.allFields(i, seen); err != nil {
				return err
			}
		default:
			if err := p.select1(i.token, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// allFields selects FIELDS(ALL), FIELDS(STANDARD) or FIELDS(CUSTOM).
func (p *plan) allFields(i item, seen map[string]bool) *apiError {
	which := strings.ToUpper(i.text)
	if which != "ALL" && which != "STANDARD" && which != "CUSTOM" {
		return malformed(p.query.soql, i.at, "FIELDS can be of ALL, STANDARD or CUSTOM")
	}
	if which != "STANDARD" && (p.query.limit < 0 || p.query.limit > 200) {
		return malformed(p.query.soql, i.at, "The SOQL FIELDS function must have a LIMIT of at most 200")
	}
	for at := range p.object.Fields {
		f := &p.object.Fields[at]
		if which != "ALL" && f.custom() != (which == "CUSTOM") && at != fieldID {
			continue
		}
		if err := p.select1(token{kind: tokenName, text: f.Name, at: i.at}, seen); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) path(t token) []string {
	names := strings.Split(t.text, ".")
	if len(names) > 1 && (p.query.alias != "" && strings.EqualFold(names[0], p.query.alias) || strings.EqualFold(names[0], p.query.from.text)) {
		if _, parent := p.object.parents[strings.ToLower(names[0])]; !parent {
			names = names[1:]
		}
	}
	return names
}

func (p *plan) noColumn(t token, name string, o *object) *apiError {
	return &apiError{code: "INVALID_FIELD", message: pointed(p.query.soql, t.at, "No such column '"+name+"' on entity '"+o.Name+"'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.")}
}

func (p *plan) noRelationship(t token, name string) *apiError {
	return &apiError{code: "INVALID_FIELD", message: pointed(p.query.soql, t.at, "Didn't understand relationship '"+name+"' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.")}
}

// reach resolves a path of at most five relationships and a field.
func (p *plan) reach(t token) (reach, *apiError) {
	names := p.path(t)
	o := p.object
	var r reach
	if len(names) > 6 {
		return r, malformed(p.query.soql, t.at, "Relationship paths can have at most 5 levels: "+t.text)
	}
	for i, name := range names {
		if i == len(names)-1 {
			at, f := o.field(name)
			if f == nil {
				return r, p.noColumn(t, name, o)
			}
			r.final, r.field = at, f
			return r, nil
		}
		via, ok := o.parents[strings.ToLower(name)]
		if !ok {
			return r, p.noRelationship(t, name)
		}
		r.path = append(r.path, via)
		f := &o.Fields[via]
		if len(f.ReferenceTo) > 1 {
			if i != len(names)-2 || !polymorphic(names[i+1]) {
				return r, p.noColumn(t, names[i+1], &object{Object: Object{Name: "Name"}})
			}
			r.poly = strings.ToLower(names[i+1])
			r.field = &Field{Name: names[i+1], Type: TypeString, Length: 255}
			return r, nil
		}
		o = p.db.object(f.ReferenceTo[0])
	}
	return r, p.noColumn(t, t.text, o)
}

// polymorphic says whether a field may be read through a reference that leads
// to several objects.
func polymorphic(name string) bool {
	return slices.Contains([]string{"id", "name", "type"}, strings.ToLower(name))
}

// value reads what a reach leads to.
func (db *database) value(o *object, r row, to reach) any {
	for _, via := range to.path {
		o, r = db.parent(o, r, via)
		if r == nil {
			return nil
		}
	}
	if to.poly != "" {
		return polyValue(o, r, to.poly)
	}
	return db.fieldValue(o, r, to.final)
}

func polyValue(o *object, r row, name string) any {
	switch strings.ToLower(name) {
	case "type":
		return o.Name
	case "name":
		if o.name >= 0 {
			return r[o.name]
		}
		return nil
	}
	return r.id()
}

// fieldValue reads a field; addresses are made of their parts.
func (db *database) fieldValue(o *object, r row, at int) any {
	f := &o.Fields[at]
	switch f.Type {
	case TypeAddress:
		return address(o, r, strings.TrimSuffix(f.Name, "Address"))
	case TypeBase64:
		return nil
	}
	return r[at]
}

func address(o *object, r row, prefix string) any {
	value := func(name string) any {
		if at := o.at(prefix + name); at >= 0 {
			return r[at]
		}
		return nil
	}
	m := members{
		{"city", value("City")}, {"country", value("Country")}, {"geocodeAccuracy", nil}, {"latitude", nil}, {"longitude", nil},
		{"postalCode", value("PostalCode")}, {"state", value("State")}, {"street", value("Street")},
	}
	for _, part := range m {
		if part.value != nil {
			return m
		}
	}
	return nil
}

func (p *plan) select1(t token, seen map[string]bool) *apiError {
	r, err := p.reach(t)
	if err != nil {
		return err
	}
	names := p.path(t)
	key := strings.ToLower(strings.Join(names, "."))
	if seen[key] {
		return &apiError{code: "INVALID_FIELD", message: pointed(p.query.soql, t.at, "duplicate field selected: "+t.text)}
	}
	seen[key] = true
	show, o := p.show, p.object
	for i, via := range r.path {
		f := &o.Fields[via]
		at := slices.IndexFunc(show.parts, func(q part) bool { return q.field == via && (q.parent != nil || q.poly != nil) })
		if at < 0 {
			next := part{name: f.Relationship, field: via}
			if len(f.ReferenceTo) > 1 {
				next.poly = []string{}
			} else {
				next.parent = &shown{object: p.db.object(f.ReferenceTo[0])}
			}
			at = len(show.parts)
			show.parts = append(show.parts, next)
		}
		if r.poly != "" && i == len(r.path)-1 {
			show.parts[at].poly = append(show.parts[at].poly, map[string]string{"id": "Id", "name": "Name", "type": "Type"}[r.poly])
			return nil
		}
		show = show.parts[at].parent
		o = show.object
	}
	show.parts = append(show.parts, part{name: r.field.Name, field: r.final})
	return nil
}

func (p *plan) prepareChildren(i item) *apiError {
	name := i.children.from.text
	name = name[strings.LastIndexByte(name, '.')+1:]
	for _, child := range p.object.children {
		if child.name == "" || !strings.EqualFold(child.name, name) {
			continue
		}
		children, err := p.db.prepare(i.children, child.object)
		if err != nil {
			return err
		}
		if children.count || children.grouped {
			return malformed(p.query.soql, i.at, "Aggregates are not allowed in a query of children")
		}
		p.show.parts = append(p.show.parts, part{name: child.name, children: children, inverse: child.field})
		return nil
	}
	return &apiError{code: "INVALID_TYPE", message: pointed(p.query.soql, i.children.from.at, "Didn't understand relationship '"+name+"' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.")}
}

// sorter prepares a part of ORDER BY.
func (p *plan) sorter(o orderItem) (sorter, *apiError) {
	s := sorter{descending: o.descending, nullsLast: o.nullsLast, aggregate: -1}
	if p.grouped {
		for i, a := range p.aggregates {
			same := a.function == o.function && strings.EqualFold(a.field1(), o.text)
			if same || o.function == "" && a.alias != "" && strings.EqualFold(a.alias, o.text) {
				s.aggregate = i
				return s, nil
			}
		}
		return s, malformed(p.query.soql, o.at, "Ordered field must be grouped or aggregated: "+o.text)
	}
	if o.function != "" {
		return s, malformed(p.query.soql, o.at, "unexpected token: '"+o.function+"'")
	}
	var err *apiError
	if s.reach, err = p.reach(o.token); err != nil {
		return s, err
	}
	if !s.field.sortable() {
		return s, malformed(p.query.soql, o.at, "field '"+s.field.Name+"' can not be sorted in a query call")
	}
	return s, nil
}

// find returns the records that match, in order, without the limit.
func (p *plan) find(all bool) []row {
	var found []row
	consider := func(r row) {
		if (all || !r.deleted()) && (p.where == nil || p.where(r)) {
			found = append(found, r)
		}
	}
	if p.ids != nil {
		for _, id := range p.ids {
			if r, ok := p.object.table.get(id); ok {
				consider(r)
			}
		}
	} else {
		for _, r := range p.object.table.rows {
			consider(r)
		}
	}
	return p.sort(found)
}

func (p *plan) sort(found []row) []row {
	if len(p.order) == 0 || p.grouped {
		return found
	}
	keys := make(map[*any][]any, len(found))
	for _, r := range found {
		key := make([]any, len(p.order))
		for i, s := range p.order {
			key[i] = p.db.value(p.object, r, s.reach)
			if text, ok := key[i].(string); ok && s.field.Type != TypeID && s.field.Type != TypeReference {
				key[i] = strings.ToLower(text)
			}
		}
		keys[&r[0]] = key
	}
	slices.SortStableFunc(found, func(a, b row) int {
		ka, kb := keys[&a[0]], keys[&b[0]]
		for i, s := range p.order {
			if c := s.compare(ka[i], kb[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return found
}

func (s *sorter) compare(a, b any) int {
	if a == nil || b == nil {
		if a == nil && b == nil {
			return 0
		}
		if (a == nil) != s.nullsLast {
			return -1
		}
		return 1
	}
	var c int
	if s.field != nil && s.field.Type == TypePicklist && len(s.field.Values) > 0 {
		c = cmp.Compare(s.field.position(a.(string)), s.field.position(b.(string)))
	}
	if c == 0 {
		c = compareValues(a, b)
	}
	if s.descending {
		return -c
	}
	return c
}

// compareValues compares two stored values of one type.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	case moment:
		if b, ok := b.(moment); ok {
			return cmp.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok && a != b {
			if b {
				return -1
			}
			return 1
		}
	}
	return 0
}

// cut applies OFFSET and LIMIT.
func (q *query) cut(found []row) []row {
	found = found[min(q.offset, len(found)):]
	if q.limit >= 0 && q.limit < len(found) {
		found = found[:q.limit]
	}
	return found
}

// append writes a record as JSON.
func (s *shown) append(b []byte, db *database, version string, r row) []byte {
	b = append(b, `{"attributes":{"type":"`...)
	b = append(b, s.object.Name...)
	b = append(b, `","url":"/services/data/v`...)
	b = append(b, version...)
	b = append(b, "/sobjects/"...)
	b = append(b, s.object.Name...)
	b = append(b, '/')
	b = append(b, r.id()...)
	b = append(b, `"}`...)
	for i := range s.parts {
		q := &s.parts[i]
		b = append(appendString(append(b, ','), q.name), ':')
		switch {
		case q.children != nil:
			b = q.children.appendChildren(b, version, q.inverse, r)
		case q.parent != nil:
			if _, parent := db.parent(s.object, r, q.field); parent != nil {
				b = q.parent.append(b, db, version, parent)
			} else {
				b = append(b, "null"...)
			}
		case q.poly != nil:
			b = appendJSON(b, polyRecord(db, version, s.object, r, q))
		case s.object.Fields[q.field].Type == TypeBase64:
			b = appendString(b, "/services/data/v"+version+"/sobjects/"+s.object.Name+"/"+r.id()+"/"+q.name)
		default:
			b = appendJSON(b, s.object.Fields[q.field].wire(db.fieldValue(s.object, r, q.field)))
		}
	}
	return append(b, '}')
}

func polyRecord(db *database, version string, o *object, r row, q *part) any {
	target, parent := db.parent(o, r, q.field)
	if parent == nil {
		return nil
	}
	m := members{{"attributes", members{{"type", target.Name}, {"url", "/services/data/v" + version + "/sobjects/" + target.Name + "/" + parent.id()}}}}
	for _, name := range q.poly {
		m = append(m, member{name, polyValue(target, parent, name)})
	}
	return m
}

// appendChildren writes the children of a record; none are null.
func (p *plan) appendChildren(b []byte, version string, inverse int, of row) []byte {
	var found []row
	for _, r := range p.object.table.referring(inverse, of.id()) {
		if p.where == nil || p.where(r) {
			found = append(found, r)
		}
	}
	found = p.query.cut(p.sort(found))
	if len(found) == 0 {
		return append(b, "null"...)
	}
	b = append(b, `{"totalSize":`...)
	b = strconv.AppendInt(b, int64(len(found)), 10)
	b = append(b, `,"done":true,"records":[`...)
	for i, r := range found {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.show.append(b, p.db, version, r)
	}
	return append(b, "]}"...)
}

// like matches a text against a pattern of LIKE, without regard to case. Both
// are in lower case.
func like(text, pattern string) bool {
	var star, mark = -1, 0
	t, q := 0, 0
	for t < len(text) {
		r, size := utf8.DecodeRuneInString(text[t:])
		if q < len(pattern) {
			c, width, escaped := patternRune(pattern[q:])
			switch {
			case c == '%' && !escaped:
				star, mark = q+width, t
				q += width
				continue
			case c == '_' && !escaped || c == r:
				t += size
				q += width
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, size = utf8.DecodeRuneInString(text[mark:])
		mark += size
		t, q = mark, star
	}
	for q < len(pattern) {
		c, width, escaped := patternRune(pattern[q:])
		if c != '%' || escaped {
			return false
		}
		q += width
	}
	return true
}

func patternRune(s string) (r rune, width int, escaped bool) {
	if s[0] == '\\' && len(s) > 1 {
		r, width = utf8.DecodeRuneInString(s[1:])
		return r, width + 1, true
	}
	r, width = utf8.DecodeRuneInString(s)
	return r, width, false
}
