package saptest

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// modelFiles are the services that every server has, in the form that
// [ParseService] reads.
//
//go:embed models/*.txt
var modelFiles embed.FS

// Service is an OData service: its entity sets, complex types and functions.
// Make one with [ParseService].
type Service struct {
	name      string
	path      string // "/sap/opu/odata/sap/NAME", without a slash at the end
	namespace string
	version   int  // 2 or 4
	initial   bool // an empty value is its type's initial value, as ABAP has it, not null

	entities  []*entity
	complexes []*entity // complex types: entities without keys and sets
	functions []*function
}

// Name is what the service is called.
func (s *Service) Name() string { return s.name }

// Path is where the service is, below the server's URL.
func (s *Service) Path() string { return s.path }

// entity is an entity set and its type, or a complex type.
type entity struct {
	service  *Service
	set      string
	typeName string
	over     string // the "SERVICE.Set" whose records it shows under names of its own

	keys  []*property
	props []*property
	navs  []*navigation
	etag  *property

	noCreate, noUpdate, noDelete bool
	nested                       bool // made only with, or through, the record it belongs to
	media                        bool
	unaddressable                bool // not readable as a whole set
	silentETag                   bool // its etag is in the answers but not in the metadata

	table  *table
	byName map[string]*property
	navBy  map[string]*navigation
}

// kind is a primitive type. One definition serves both versions: date is
// Edm.DateTime in v2 and Edm.Date in v4.
type kind uint8

const (
	kindString kind = iota
	kindBoolean
	kindByte
	kindSByte
	kindInt16
	kindInt32
	kindInt64
	kindDecimal
	kindDouble
	kindSingle
	kindDateTime
	kindDate
	kindDateTimeOffset
	kindTime
	kindGuid
	kindBinary
)

var kindNames = []string{
	"String", "Boolean", "Byte", "SByte", "Int16", "Int32", "Int64", "Decimal", "Double", "Single",
	"DateTime", "Date", "DateTimeOffset", "Time", "Guid", "Binary",
}

type property struct {
	name             string
	kind             kind
	length           int // of texts, 0 for no limit
	precision, scale int // of decimals
	column           int // in the records of the table

	key, required, nullable       bool
	noCreate, noUpdate            bool
	noFilter, noSort, etag, alpha bool
	unit                          string // the property that holds the unit or the currency
	of                            string // the property of the entity below, if it is called otherwise
}

// navigation leads from an entity to others, by equal values.
type navigation struct {
	name           string
	from, to       *entity
	target         string
	many, required bool
	own            bool // the records it leads to are deleted with this one
	must           bool // values that lead nowhere are refused
	local, foreign []*property
	fixed          []any // where local is nil: the value wanted
	pairs          []string
	partner        *navigation
}

// function is a function import (v2), or a function or action (v4).
type function struct {
	service    *Service
	name       string
	post       bool // an action, or a function import by POST
	bound      *entity
	boundName  string
	params     []*property
	result     string // the name of a complex type, an entity set or a primitive kind; "" is none
	many       bool
	entity     *entity // the result, if it is an entity set
	complex    *entity
	primitive  *property
	implements Func
}

// ParseService reads a service from its definition, one thing a line:
//
//	service ZORDERS v2 /sap/opu/odata/sap/ZORDERS
//	entity Orders
//	  OrderID String(10) key
//	  Amount Decimal(13,2) unit=Currency
//	  Currency String(5)
//	  ChangedAt DateTimeOffset ro etag
//	  nav Lines Lines* OrderID own
//	entity Lines nested
//	  OrderID String(10) key
//	  LineNo Int32 key
//	  nav Order Orders! OrderID
//	complex Result
//	  Text String
//	function Release POST Result OrderID:String(10)
//
// After "service" stand the version and the path, and optionally
// namespace=NAME and the word initial (empty values read as their type's
// initial value, as ABAP's do, rather than null).
//
// Words on an entity: type=NAME, nocreate, noupdate, nodelete, nested (made
// only with or through the record it belongs to), media (a record has a
// stream), noaddress (the set can't be read as a whole), etagsilent (the
// metadata don't tell of the etag), over=SERVICE.Set (it shows the records of
// that set).
//
// Words on a property: key, required, null (may be null though the service is
// initial), ro (never written), nocreate, noupdate, nofilter, nosort, etag,
// alpha (leading zeros of numbers don't count), unit=PROPERTY, =PROPERTY (of
// the entity that it is over).
//
// A navigation has a name, a target entity set with * (many), ? (none or one)
// or ! (one), the properties that are equal on both sides ("Local=Foreign",
// or one name for both, by commas; "'1'=Foreign" wants that text), and
// optionally the word own (deleted together) or must (values that lead nowhere
// are refused).
//
// A function has a name, GET or POST, a result ("-" for none, * for many) and
// parameters; bound=Set binds it in v4 and names what it is for in v2.
func ParseService(text string) (*Service, error) {
	var p modelParser
	for i, line := range strings.Split(text, "\n") {
		if at := strings.IndexByte(line, '#'); at >= 0 {
			line = line[:at]
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if p.s == nil {
		return nil, fmt.Errorf("there is no service in it")
	}
	return p.s, p.s.link()
}

type modelParser struct {
	s *Service
	e *entity
}

func (p *modelParser) line(words []string) error {
	if words[0] != "service" && p.s == nil {
		return fmt.Errorf("%q before any service", words[0])
	}
	switch words[0] {
	case "service":
		return p.service(words)
	case "entity", "complex":
		return p.entity(words)
	case "function":
		return p.function(words)
	case "nav":
		return p.navigation(words)
	}
	if p.e == nil {
		return fmt.Errorf("the property %q belongs to no entity", words[0])
	}
	prop, err := parseProperty(words)
	if err != nil {
		return err
	}
	p.e.props = append(p.e.props, prop)
	return nil
}

func (p *modelParser) service(words []string) error {
	if len(words) < 4 {
		return fmt.Errorf("want: service NAME v2|v4 PATH")
	}
	p.s = &Service{name: words[1], namespace: words[1], path: strings.TrimSuffix(words[3], "/")}
	switch words[2] {
	case "v2":
		p.s.version = 2
	case "v4":
		p.s.version = 4
	default:
		return fmt.Errorf("version %q is neither v2 nor v4", words[2])
	}
	for _, w := range words[4:] {
		if name, ok := strings.CutPrefix(w, "namespace="); ok {
			p.s.namespace = name
		} else if w == "initial" {
			p.s.initial = true
		} else {
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}

func (p *modelParser) entity(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("%s without a name", words[0])
	}
	e := &entity{service: p.s, set: words[1], typeName: words[1] + "Type"}
	p.e = e
	if words[0] == "complex" {
		e.typeName = words[1]
		p.s.complexes = append(p.s.complexes, e)
		return nil
	}
	if p.s.version == 4 {
		e.typeName = words[1] + "_Type"
	}
	p.s.entities = append(p.s.entities, e)
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "type":
			e.typeName = value
		case "over":
			e.over = value
		case "nocreate":
			e.noCreate = true
		case "noupdate":
			e.noUpdate = true
		case "nodelete":
			e.noDelete = true
		case "nested":
			e.nested = true
		case "media":
			e.media = true
		case "noaddress":
			e.unaddressable = true
		case "etagsilent":
			e.silentETag = true
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}

func (p *modelParser) navigation(words []string) error {
	if p.e == nil || len(words) < 4 {
		return fmt.Errorf("want, within an entity: nav NAME TARGET*|?|! PROPERTIES")
	}
	target := words[2]
	n := &navigation{name: words[1], from: p.e, target: target[:len(target)-1], pairs: strings.Split(words[3], ",")}
	switch target[len(target)-1] {
	case '*':
		n.many = true
	case '!':
		n.required = true
	case '?':
	default:
		return fmt.Errorf("the target %q ends in none of *, ? and !", target)
	}
	n.own, n.must = slices.Contains(words[4:], "own"), slices.Contains(words[4:], "must")
	p.e.navs = append(p.e.navs, n)
	return nil
}

func (p *modelParser) function(words []string) error {
	if len(words) < 4 || words[2] != "GET" && words[2] != "POST" {
		return fmt.Errorf("want: function NAME GET|POST RESULT [PARAMETER:TYPE ...]")
	}
	f := &function{service: p.s, name: words[1], post: words[2] == "POST"}
	f.result, f.many = strings.CutSuffix(words[3], "*")
	if f.result == "-" {
		f.result = ""
	}
	for _, w := range words[4:] {
		if set, ok := strings.CutPrefix(w, "bound="); ok {
			f.boundName = set
			continue
		}
		name, typ, ok := strings.Cut(w, ":")
		if !ok {
			return fmt.Errorf("the parameter %q has no type", w)
		}
		optional := strings.HasSuffix(typ, "?")
		param, err := parseProperty([]string{name, strings.TrimSuffix(typ, "?")})
		if err != nil {
			return err
		}
		param.required = !optional
		f.params = append(f.params, param)
	}
	p.s.functions = append(p.s.functions, f)
	p.e = nil
	return nil
}

func parseProperty(words []string) (*property, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("the property %q has no type", words[0])
	}
	p := &property{name: words[0]}
	name, size, _ := strings.Cut(strings.TrimSuffix(words[1], ")"), "(")
	at := slices.Index(kindNames, name)
	if at < 0 {
		return nil, fmt.Errorf("the property %q has the unknown type %q", p.name, name)
	}
	p.kind = kind(at)
	if size != "" {
		first, second, _ := strings.Cut(size, ",")
		n, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("the property %q has the size %q", p.name, size)
		}
		p.length, p.precision = n, n
		p.scale, _ = strconv.Atoi(second)
	}
	for _, w := range words[2:] {
		if err := p.word(w); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *property) word(w string) error {
	switch w {
	case "key":
		p.key, p.required, p.noUpdate = true, true, true
	case "required":
		p.required = true
	case "null":
		p.nullable = true
	case "ro":
		p.noCreate, p.noUpdate = true, true
	case "nocreate":
		p.noCreate = true
	case "noupdate":
		p.noUpdate = true
	case "nofilter":
		p.noFilter = true
	case "nosort":
		p.noSort = true
	case "etag":
		p.etag = true
	case "alpha":
		p.alpha = true
	default:
		if of, ok := strings.CutPrefix(w, "="); ok {
			p.of = of
		} else if unit, ok := strings.CutPrefix(w, "unit="); ok {
			p.unit = unit
		} else {
			return fmt.Errorf("the property %q has the unknown word %q", p.name, w)
		}
	}
	return nil
}

// link makes names into pointers within the service.
func (s *Service) link() error {
	for _, e := range append(slices.Clone(s.entities), s.complexes...) {
		e.byName, e.navBy = map[string]*property{}, map[string]*navigation{}
		for _, p := range e.props {
			if e.byName[p.name] != nil {
				return fmt.Errorf("%s has two properties %q", e.set, p.name)
			}
			e.byName[p.name] = p
			if p.key {
				e.keys = append(e.keys, p)
			}
			if p.etag {
				e.etag = p
			}
			// Dates and times have no initial value but null.
			p.nullable = p.nullable || !p.key && !p.required && (!s.initial || p.kind >= kindDateTime)
		}
	}
	for _, e := range s.entities {
		if len(e.keys) == 0 {
			return fmt.Errorf("%s has no key", e.set)
		}
		for _, n := range e.navs {
			if err := s.linkNavigation(e, n); err != nil {
				return err
			}
			e.navBy[n.name] = n
		}
	}
	for _, e := range s.entities {
		for _, n := range e.navs {
			n.partner = n.reverse()
		}
	}
	for _, f := range s.functions {
		if err := s.linkFunction(f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) linkNavigation(e *entity, n *navigation) error {
	if n.to = s.entity(n.target); n.to == nil {
		return fmt.Errorf("%s.%s leads to the unknown entity set %q", e.set, n.name, n.target)
	}
	for _, pair := range n.pairs {
		local, foreign, ok := strings.Cut(pair, "=")
		if !ok {
			foreign = local
		}
		l, f := e.byName[local], n.to.byName[foreign]
		var fixed any
		if strings.HasPrefix(local, "'") {
			fixed = strings.Trim(local, "'")
		}
		if l == nil && fixed == nil || f == nil {
			return fmt.Errorf("%s.%s joins the unknown properties %q", e.set, n.name, pair)
		}
		n.local, n.foreign, n.fixed = append(n.local, l), append(n.foreign, f), append(n.fixed, fixed)
	}
	return nil
}

// reverse is the navigation that leads back, if there is one.
func (n *navigation) reverse() *navigation {
	for _, back := range n.to.navs {
		if back.to == n.from && back.many != n.many && slices.Equal(back.local, n.foreign) && slices.Equal(back.foreign, n.local) {
			return back
		}
	}
	return nil
}

func (s *Service) linkFunction(f *function) error {
	if f.boundName != "" {
		if f.bound = s.entity(f.boundName); f.bound == nil {
			return fmt.Errorf("the function %s is bound to the unknown entity set %q", f.name, f.boundName)
		}
	}
	if f.result == "" {
		return nil
	}
	f.entity = s.entity(f.result)
	for _, c := range s.complexes {
		if c.set == f.result {
			f.complex = c
		}
	}
	if f.entity == nil && f.complex == nil {
		p, err := parseProperty([]string{f.name, f.result})
		if err != nil {
			return fmt.Errorf("the function %s returns the unknown type %q", f.name, f.result)
		}
		f.primitive = p
	}
	return nil
}

func (s *Service) entity(set string) *entity {
	for _, e := range s.entities {
		if e.set == set {
			return e
		}
	}
	return nil
}

func (s *Service) function(name string) *function {
	for _, f := range s.functions {
		if f.name == name {
			return f
		}
	}
	return nil
}

// model is the entity's name across services.
func (e *entity) model() string { return e.service.name + "." + e.set }

// qualified is the full name of the type.
func (e *entity) qualified() string { return e.service.namespace + "." + e.typeName }

// label makes words of a name: "SalesOrderItem" is "Sales Order Item".
func label(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "A_"), "to_")
	var b strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if i > 0 && upper && (name[i-1] >= 'a' && name[i-1] <= 'z' || i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z' && name[i-1] != ' ') {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ReplaceAll(b.String(), "_", "")
}

// edm is the property's type in the version of OData.
func (p *property) edm(version int) string {
	switch {
	case version == 2 && p.kind == kindDate:
		return "Edm.DateTime"
	case version == 4 && p.kind == kindDateTime:
		return "Edm.DateTimeOffset"
	case version == 4 && p.kind == kindTime:
		return "Edm.TimeOfDay"
	}
	return "Edm." + kindNames[p.kind]
}

// initialValue is what the property is without a value.
func (p *property) initialValue() any {
	if p.nullable {
		return nil
	}
	switch p.kind {
	case kindString:
		return ""
	case kindBoolean:
		return false
	case kindByte, kindSByte, kindInt16, kindInt32, kindInt64:
		return int64(0)
	case kindDecimal:
		return decimal("0")
	case kindDouble, kindSingle:
		return 0.0
	}
	return nil
}
