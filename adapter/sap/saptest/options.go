package saptest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// selection is which properties of records go into an answer, and which
// related records with them.
type selection struct {
	ent     *entity
	props   []*property
	all     bool // no $select: all properties
	links   map[string]bool
	expands []*expansion
}

// expansion is related records in an answer.
type expansion struct {
	nav  *navigation
	sel  *selection
	opts *options
}

// options are a request's system query options.
type options struct {
	filter    *expr
	orders    []ordering
	sel       *selection
	top       int // -1: none
	skip      int
	skipToken string
	count     bool
}

type ordering struct {
	by   *expr
	desc bool
}

// systemOptions are those that exist, by version.
var systemOptions = map[int][]string{
	2: {"$filter", "$orderby", "$top", "$skip", "$skiptoken", "$select", "$expand", "$inlinecount", "$format"},
	4: {"$filter", "$orderby", "$top", "$skip", "$skiptoken", "$select", "$expand", "$count", "$format"},
}

// options reads the system query options of a request for records of ent.
func (c *call) options(ent *entity) (*options, error) {
	get := map[string]string{}
	for name, values := range c.query {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if name == "$search" {
			return nil, c.fail(400, "/IWBEP/CM_MGW_RT/170", text{"Search is not supported for '%s'", "Die Suche wird für '%s' nicht unterstützt"}, ent.set)
		}
		if !slices.Contains(systemOptions[c.version()], name) {
			return nil, &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C21578E", Message: "Invalid system query option '" + name + "'"}
		}
		if len(values) > 1 {
			return nil, bad("The system query option '%s' is given twice", name)
		}
		get[name] = values[0]
	}
	return c.parseOptions(ent, get)
}

func (c *call) parseOptions(ent *entity, get map[string]string) (*options, error) {
	o := &options{top: -1, skipToken: get["$skiptoken"]}
	var err error
	if o.sel, err = c.selection(ent, get["$select"], get["$expand"]); err != nil {
		return nil, err
	}
	if s, ok := get["$filter"]; ok && strings.TrimSpace(s) != "" {
		if o.filter, err = compileFilter(s, ent, c.version(), c.server.config.Now().UTC()); err != nil {
			return nil, err
		}
	}
	if s := get["$orderby"]; s != "" {
		if o.orders, err = c.orderings(s, ent); err != nil {
			return nil, err
		}
	}
	for name, into := range map[string]*int{"$top": &o.top, "$skip": &o.skip} {
		if s, ok := get[name]; ok {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return nil, bad("The system query option '%s' has the value '%s', which is no count", name, s)
			}
			*into = n
		}
	}
	switch {
	case get["$inlinecount"] == "allpages", get["$count"] == "true":
		o.count = true
	case get["$inlinecount"] != "" && get["$inlinecount"] != "none", get["$count"] != "" && get["$count"] != "false":
		return nil, bad("The system query option for counting has a value that it can't have")
	}
	return o, nil
}

func (c *call) orderings(s string, ent *entity) ([]ordering, error) {
	p := &filterParser{lexer: lexer{text: s}, version: c.version(), now: c.server.config.Now(), scopes: []scope{{"$it", ent}}}
	var list []ordering
	for {
		if prop := ent.byName[p.peekWord()]; prop != nil && prop.noSort {
			return nil, &Error{Status: 400, Code: "/IWBEP/CM_MGW_RT/177", Message: "Property '" + prop.name + "' is not sortable", Target: prop.name}
		}
		x, err := p.sum()
		if err != nil {
			return nil, err
		}
		o := ordering{by: x}
		switch word := p.peekWord(); word {
		case "asc", "desc":
			p.at += len(word)
			o.desc = word == "desc"
		}
		list = append(list, o)
		if p.char(',') {
			continue
		}
		if p.skipSpace(); p.at < len(s) {
			return nil, p.syntax()
		}
		return list, nil
	}
}

// compare orders two records; null comes first.
func (o *ordering) compare(a, b *record) int {
	x, y := o.by.eval(&env{vals: a.vals}), o.by.eval(&env{vals: b.vals})
	n := 0
	switch {
	case x == nil && y == nil:
	case x == nil:
		n = -1
	case y == nil:
		n = 1
	default:
		n = orderOf(o.by, o.by)(x, y)
	}
	if o.desc {
		return -n
	}
	return n
}

func everything(ent *entity) *selection {
	return &selection{ent: ent, props: ent.props, all: true}
}

func (c *call) selection(ent *entity, sel, expand string) (*selection, error) {
	if c.version() == 4 {
		return c.selectionV4(ent, sel, expand)
	}
	root := &selectNode{}
	for _, path := range splitList(sel) {
		root.add(strings.Split(path, "/"))
	}
	tree := &expandNode{}
	for _, path := range splitList(expand) {
		tree.add(strings.Split(path, "/"))
	}
	if sel == "" {
		root = nil
	}
	return c.selectionV2(ent, root, tree)
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// selectNode is the tree that the paths of a version 2 $select make.
type selectNode struct {
	names    []string
	children map[string]*selectNode
	whole    bool
}

func (n *selectNode) add(path []string) {
	if n.children == nil {
		n.children = map[string]*selectNode{}
	}
	child := n.children[path[0]]
	if child == nil {
		child = &selectNode{}
		n.children[path[0]] = child
		n.names = append(n.names, path[0])
	}
	if len(path) == 1 {
		child.whole = true
		return
	}
	child.add(path[1:])
}

type expandNode struct {
	names    []string
	children map[string]*expandNode
}

func (n *expandNode) add(path []string) {
	if n.children == nil {
		n.children = map[string]*expandNode{}
	}
	child := n.children[path[0]]
	if child == nil {
		child = &expandNode{}
		n.children[path[0]] = child
		n.names = append(n.names, path[0])
	}
	if len(path) > 1 {
		child.add(path[1:])
	}
}

func unknownProperty(e *entity, name string) *Error {
	return &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C21D78E", Message: "Property '" + name + "' not found in type '" + e.typeName + "'", Target: name}
}

// selectionV2 makes a selection of the two trees. A related record that is
// expanded shows only if it is selected too.
func (c *call) selectionV2(ent *entity, sel *selectNode, expand *expandNode) (*selection, error) {
	s := everything(ent)
	if sel != nil && sel.children["*"] == nil {
		s = &selection{ent: ent, links: map[string]bool{}}
	}
	if sel != nil {
		for _, name := range sel.names {
			switch {
			case name == "*":
			case ent.byName[name] != nil:
				if !s.all {
					s.props = append(s.props, ent.byName[name])
				}
			case ent.navBy[name] == nil:
				return nil, unknownProperty(ent, name)
			case !s.all:
				s.links[name] = true
			}
		}
	}
	for _, name := range expand.names {
		n := ent.navBy[name]
		if n == nil {
			return nil, &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C21D78E", Message: "Invalid navigation property '" + name + "' in $expand of type '" + ent.typeName + "'", Target: name}
		}
		var below *selectNode
		if sel != nil && sel.children["*"] == nil && sel.children[name] == nil {
			continue
		}
		if sel != nil && sel.children[name] != nil && !sel.children[name].whole {
			below = sel.children[name]
		}
		child, err := c.selectionV2(n.to, below, expand.children[name])
		if err != nil {
			return nil, err
		}
		s.expands = append(s.expands, &expansion{nav: n, sel: child, opts: &options{top: -1}})
	}
	return s, nil
}

func (c *call) selectionV4(ent *entity, sel, expand string) (*selection, error) {
	s := everything(ent)
	names := splitList(sel)
	if len(names) > 0 && !slices.Contains(names, "*") {
		s = &selection{ent: ent}
		for _, name := range names {
			switch {
			case ent.byName[name] != nil:
				s.props = append(s.props, ent.byName[name])
			case ent.navBy[name] == nil:
				return nil, unknownProperty(ent, name)
			}
		}
	}
	items, err := splitNested(expand, ',')
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		x, err := c.expansionV4(ent, strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		s.expands = append(s.expands, x)
	}
	return s, nil
}

// expansionV4 reads an item of $expand with its own options in parentheses.
func (c *call) expansionV4(ent *entity, item string) (*expansion, error) {
	name, inner, _ := cutKey(item)
	n := ent.navBy[strings.TrimSpace(name)]
	if n == nil {
		return nil, &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C21D78E", Message: "Invalid navigation property '" + name + "' in $expand of type '" + ent.typeName + "'", Target: name}
	}
	get := map[string]string{}
	list, err := splitNested(inner, ';')
	if err != nil {
		return nil, err
	}
	for _, option := range list {
		key, value, ok := strings.Cut(strings.TrimSpace(option), "=")
		if !ok || !slices.Contains([]string{"$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count"}, key) {
			return nil, bad("The option '%s' is not possible in $expand", option)
		}
		get[key] = value
	}
	o, err := c.parseOptions(n.to, get)
	if err != nil {
		return nil, err
	}
	return &expansion{nav: n, sel: o.sel, opts: o}, nil
}

// splitNested splits a list, separators in parentheses and quotes left alone.
func splitNested(s string, separator byte) ([]string, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var list []string
	depth, quoted, start := 0, false, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == separator && depth == 0:
			list = append(list, s[start:i])
			start = i + 1
		}
		if depth < 0 || depth > 50 {
			return nil, bad("The parentheses of $expand don't match")
		}
	}
	if depth != 0 || quoted {
		return nil, bad("The parentheses of $expand don't match")
	}
	return append(list, s[start:]), nil
}

// parseQuery reads a query as servers of SAP do: a semicolon is a character.
func parseQuery(raw string) (url.Values, error) {
	values := url.Values{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			return nil, bad("The query can't be read")
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, bad("The query can't be read")
		}
		values[n] = append(values[n], v)
	}
	return values, nil
}
