package edmx

import (
	"encoding/xml"
	"errors"
	"strconv"
	"strings"
)

// attrs are the attributes of an element.
type attrs []xml.Attr

// get returns an attribute without a prefix.
func (a attrs) get(name string) string {
	for _, attr := range a {
		if attr.Name.Space == "" && attr.Name.Local == name {
			return attr.Value
		}
	}
	return ""
}

// sap returns an attribute of SAP's annotations.
func (a attrs) sap(name string) string {
	for _, attr := range a {
		if attr.Name.Local == name && strings.EqualFold(attr.Name.Space, "sap") {
			return attr.Value
		}
	}
	return ""
}

// prefixed returns an attribute with any prefix.
func (a attrs) prefixed(name string) string {
	for _, attr := range a {
		if attr.Name.Local == name && attr.Name.Space != "" {
			return attr.Value
		}
	}
	return ""
}

func (a attrs) number(name string) int {
	n, err := strconv.Atoi(a.get(name))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (p *parser) name(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := p.names[s]; ok {
		return known
	}
	// What the decoder hands out may hold on to more than itself.
	s = strings.Clone(s)
	p.names[s] = s
	return s
}

// typeName resolves an alias, and takes a type out of its collection.
func (p *parser) typeName(s string) (name string, many bool) {
	if inner, ok := strings.CutPrefix(s, "Collection("); ok {
		s, many = strings.TrimSuffix(inner, ")"), true
	}
	return p.name(s), many
}

var errTooLarge = errors.New("edmx: the document describes too much: more than 500,000 things")

// start takes in the beginning of an element. It reports whether it read the
// whole element with all that is in it.
func (p *parser) start(t xml.StartElement) (skipped bool, err error) {
	a := attrs(t.Attr)
	switch t.Name.Local {
	case "Property", "NavigationProperty", "EntityType", "ComplexType", "EntitySet", "Parameter", "Member", "Annotations":
		if p.kept++; p.kept > maxKept {
			return false, errTooLarge
		}
	}
	switch t.Name.Local {
	case "Edmx":
		p.m.Version = a.get("Version")
		p.m.V4 = strings.HasPrefix(p.m.Version, "4")
	case "Include":
		if alias := a.get("Alias"); alias != "" {
			p.aliases[alias] = p.name(a.get("Namespace"))
		}
	case "Schema":
		p.namespace = p.name(a.get("Namespace"))
		if alias := a.get("Alias"); alias != "" {
			p.aliases[alias] = p.namespace
		}
	case "Annotations":
		list, err := p.readAnnotations(t)
		if target := a.get("Target"); err == nil && len(list) > 0 {
			p.annotations[target] = append(p.annotations[target], list...)
		}
		return true, err
	case "Annotation":
		one, keep, err := p.readAnnotation(t)
		if err != nil {
			return true, err
		}
		if target := p.here(); keep && target != "" {
			p.annotations[target] = append(p.annotations[target], one)
		}
		return true, nil
	default:
		p.startElement(t.Name.Local, a)
	}
	return false, nil
}

// startElement takes in the elements of a schema.
func (p *parser) startElement(name string, a attrs) {
	switch name {
	case "EntityType", "ComplexType":
		p.typ = &Type{
			Name: p.name(a.get("Name")), Namespace: p.namespace, Complex: name == "ComplexType",
			HasStream: a.get("HasStream") == "true" || a.prefixed("HasStream") == "true",
			Label:     p.name(a.sap("label")), base: p.name(a.get("BaseType")),
			props: map[string]*Property{}, navs: map[string]*Navigation{},
		}
		p.m.Types[p.typ.QualifiedName()] = p.typ
	case "Key":
		p.inKey = true
	case "PropertyRef":
		p.propertyRef(p.name(a.get("Name")))
	case "Property":
		p.property(a)
	case "NavigationProperty":
		p.navigation(a)
	case "ReferentialConstraint":
		if p.nav != nil {
			p.nav.Constraint = append(p.nav.Constraint, [2]string{p.name(a.get("Property")), p.name(a.get("ReferencedProperty"))})
		}
	case "EnumType":
		p.enum = &Enum{Name: p.namespace + "." + a.get("Name")}
		p.m.Enums[p.enum.Name] = p.enum
	case "Member":
		if p.enum != nil {
			p.enum.Members = append(p.enum.Members, p.name(a.get("Name")))
		}
	case "EntitySet", "Singleton":
		p.entitySet(name, a)
	case "NavigationPropertyBinding":
		if p.set != nil {
			p.set.Bindings[p.name(a.get("Path"))] = p.name(a.get("Target"))
		}
	default:
		p.startAssociation(name, a)
		p.startOperation(name, a)
	}
}

// startAssociation takes in the associations of v2.
func (p *parser) startAssociation(name string, a attrs) {
	switch name {
	case "Association":
		p.assoc = &association{}
		p.assocs[p.namespace+"."+a.get("Name")] = p.assoc
	case "AssociationSet":
		p.assocSet = &assocSet{association: a.get("Association")}
		p.assocSets = append(p.assocSets, p.assocSet)
	case "End":
		switch {
		case p.assocSet != nil && p.assocSet.n < 2:
			p.assocSet.roles[p.assocSet.n], p.assocSet.sets[p.assocSet.n] = p.name(a.get("Role")), p.name(a.get("EntitySet"))
			p.assocSet.n++
		case p.assoc != nil && p.assoc.n < 2:
			p.assoc.ends[p.assoc.n] = end{role: p.name(a.get("Role")), typ: p.name(a.get("Type")), many: a.get("Multiplicity") == "*"}
			p.assoc.n++
		}
	case "Principal", "Dependent":
		if p.assoc == nil {
			return
		}
		p.assoc.inPrincipal = name == "Principal"
		p.assoc.side().role = p.name(a.get("Role"))
	}
}

func (a *association) side() *constraintEnd {
	if a.inPrincipal {
		return &a.principal
	}
	return &a.dependent
}

func (p *parser) propertyRef(name string) {
	switch {
	case p.typ != nil && p.inKey:
		p.typ.Keys = append(p.typ.Keys, name)
	case p.assoc != nil:
		side := p.assoc.side()
		side.props = append(side.props, name)
	}
}

// startOperation takes in what can be called.
func (p *parser) startOperation(name string, a attrs) {
	switch name {
	case "FunctionImport", "ActionImport":
		operation := a.get("Function") + a.get("Action")
		if operation != "" {
			p.imports = append(p.imports, operationImport{name: p.name(a.get("Name")), operation: p.name(operation)})
			return
		}
		p.op = &Operation{Name: p.name(a.get("Name")), Method: a.prefixed("HttpMethod"), BoundTo: p.name(a.sap("action-for"))}
		if p.op.Method == "" {
			p.op.Method = "GET"
		}
		p.op.Action = p.op.Method != "GET"
		p.op.Returns, p.op.Many = p.typeName(a.get("ReturnType"))
		p.m.Operations = append(p.m.Operations, p.op)
	case "Function", "Action":
		p.op = &Operation{
			Name: p.name(a.get("Name")), Qualified: p.name(p.namespace + "." + a.get("Name")),
			Method: "GET", Action: name == "Action", Bound: a.get("IsBound") == "true",
		}
		if p.op.Action {
			p.op.Method = "POST"
		}
		p.operations[p.op.Qualified] = append(p.operations[p.op.Qualified], p.op)
	case "Parameter":
		if p.op == nil || a.get("Mode") == "Out" {
			return
		}
		typ, many := p.typeName(a.get("Type"))
		if p.op.Bound && p.op.BoundTo == "" {
			p.op.BoundTo, p.op.BoundMany = typ, many
			return
		}
		p.op.Params = append(p.op.Params, &Parameter{Name: p.name(a.get("Name")), Type: typ, Collection: many, Nullable: a.get("Nullable") != "false"})
	case "ReturnType":
		if p.op != nil {
			p.op.Returns, p.op.Many = p.typeName(a.get("Type"))
		}
	}
}

func (p *parser) property(a attrs) {
	if p.typ == nil {
		return
	}
	prop := &Property{
		Name: p.name(a.get("Name")), Nullable: a.get("Nullable") != "false",
		MaxLength: a.number("MaxLength"), Precision: a.number("Precision"), Scale: a.number("Scale"),
		HasDefault: a.get("DefaultValue") != "", Fixed: a.get("ConcurrencyMode") == "Fixed",
		Label: p.name(a.sap("label")), Text: p.name(a.sap("text")), Unit: p.name(a.sap("unit")),
		Semantics: p.name(a.sap("semantics")), DateOnly: a.sap("display-format") == "Date",
		NoCreate: a.sap("creatable") == "false", NoUpdate: a.sap("updatable") == "false",
		NoFilter: a.sap("filterable") == "false", NoSort: a.sap("sortable") == "false",
		MustFilter: a.sap("required-in-filter") == "true",
	}
	if help := a.sap("quickinfo"); help != prop.Label {
		prop.Help = p.name(help)
	}
	prop.Type, prop.Collection = p.typeName(a.get("Type"))
	if prop.Name == "" || p.typ.props[prop.Name] != nil {
		return
	}
	p.prop = prop
	p.typ.Props = append(p.typ.Props, prop)
	p.typ.props[prop.Name] = prop
}

func (p *parser) navigation(a attrs) {
	if p.typ == nil {
		return
	}
	nav := &Navigation{
		Name: p.name(a.get("Name")), Label: p.name(a.sap("label")), Partner: p.name(a.get("Partner")),
		Contains: a.get("ContainsTarget") == "true", NoFilter: a.sap("filterable") == "false", NoCreate: a.sap("creatable") == "false",
		association: p.name(a.get("Relationship")), fromRole: p.name(a.get("FromRole")), toRole: p.name(a.get("ToRole")),
	}
	nav.Target, nav.Many = p.typeName(a.get("Type"))
	if nav.Name == "" || p.typ.navs[nav.Name] != nil {
		return
	}
	p.nav = nav
	p.typ.Navs = append(p.typ.Navs, nav)
	p.typ.navs[nav.Name] = nav
}

func (p *parser) entitySet(element string, a attrs) {
	no := func(name string) bool { return a.sap(name) == "false" }
	p.set = &Set{
		Name: p.name(a.get("Name")), Label: p.name(a.sap("label")), typeName: p.name(a.get("EntityType") + a.get("Type")),
		NoCreate: no("creatable"), NoUpdate: no("updatable"), NoDelete: no("deletable"),
		NoRead: no("addressable"), NoPage: no("pageable"), NoCount: no("countable"),
		MustFilter: a.sap("requires-filter") == "true",
		Bindings:   map[string]string{},
	}
	if element == "Singleton" {
		p.m.Singletons[p.set.Name] = p.set
		return
	}
	p.m.Sets[p.set.Name] = p.set
}

// end takes in the end of an element.
func (p *parser) end(name string) {
	switch name {
	case "EntityType", "ComplexType":
		p.typ, p.prop, p.nav = nil, nil, nil
	case "Key":
		p.inKey = false
	case "Property":
		p.prop = nil
	case "NavigationProperty":
		p.nav = nil
	case "EnumType":
		p.enum = nil
	case "EntitySet", "Singleton":
		p.set = nil
	case "Association":
		p.assoc = nil
	case "AssociationSet":
		p.assocSet = nil
	case "FunctionImport", "ActionImport", "Function", "Action":
		p.op = nil
	}
}

// here is the target of an annotation that stands within an element.
func (p *parser) here() string {
	switch {
	case p.set != nil:
		return "\x00set/" + p.set.Name
	case p.typ != nil && p.prop != nil:
		return p.typ.QualifiedName() + "/" + p.prop.Name
	case p.typ != nil && p.nav != nil:
		return p.typ.QualifiedName() + "/" + p.nav.Name
	case p.typ != nil:
		return p.typ.QualifiedName()
	}
	return ""
}
