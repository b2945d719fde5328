package saptest

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

// atomValue is a value as Atom has it.
func atomValue(p *property, v any) string {
	switch v := v.(type) {
	case time.Time:
		if p.kind == kindDateTimeOffset {
			return v.Format(dateTimeLayout) + "Z"
		}
		return v.Format(dateTimeLayout)
	case time.Duration:
		return clockText(v, 2)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return fmt.Sprint(v)
}

// metadata is the answer to $metadata.
func (c *call) metadata() *response {
	var b bytes.Buffer
	if c.service.version == 2 {
		c.service.writeV2(&b, c.language)
	} else {
		c.service.writeV4(&b, c.root)
	}
	r := &response{status: http.StatusOK, header: http.Header{}, body: b.Bytes()}
	r.header.Set("Content-Type", "application/xml")
	r.header.Set("Last-Modified", c.server.started.UTC().Format(http.TimeFormat))
	if c.service.version == 2 {
		r.header.Set("DataServiceVersion", "2.0")
	} else {
		r.header.Set("OData-Version", "4.0")
	}
	return r
}

// attributes writes those that have a value, as name and value by turns.
func attributes(b *bytes.Buffer, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(b, ` %s="%s"`, pairs[i], xmlText(pairs[i+1]))
		}
	}
}

func falseIf(no bool) string {
	if no {
		return "false"
	}
	return ""
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (s *Service) writeV2(b *bytes.Buffer, language string) {
	b.WriteString(xmlHead + `<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData">`)
	b.WriteString(`<edmx:DataServices m:DataServiceVersion="2.0">`)
	fmt.Fprintf(b, `<Schema Namespace="%s" xmlns="http://schemas.microsoft.com/ado/2008/09/edm" xml:lang="%s" sap:schema-version="1">`, s.namespace, languageTag(language))
	for _, e := range s.entities {
		e.writeTypeV2(b)
	}
	for _, t := range s.complexes {
		fmt.Fprintf(b, `<ComplexType Name="%s">`, t.typeName)
		for _, p := range t.props {
			p.writeV2(b)
		}
		b.WriteString(`</ComplexType>`)
	}
	s.writeAssociations(b)
	fmt.Fprintf(b, `<EntityContainer Name="%s_Entities" m:IsDefaultEntityContainer="true" sap:supported-formats="atom json xlsx">`, s.name)
	for _, e := range s.entities {
		fmt.Fprintf(b, `<EntitySet Name="%s" EntityType="%s"`, e.set, e.qualified())
		attributes(b, "sap:creatable", falseIf(e.noCreate), "sap:updatable", falseIf(e.noUpdate), "sap:deletable", falseIf(e.noDelete), "sap:addressable", falseIf(e.unaddressable), "sap:content-version", "1")
		b.WriteString(`/>`)
	}
	s.writeAssociationSets(b)
	for _, f := range s.functions {
		f.writeV2(b)
	}
	b.WriteString(`</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`)
}

func (e *entity) writeTypeV2(b *bytes.Buffer) {
	fmt.Fprintf(b, `<EntityType Name="%s"`, e.typeName)
	if e.media {
		b.WriteString(` m:HasStream="true"`)
	}
	attributes(b, "sap:label", label(e.set), "sap:content-version", "1")
	b.WriteString(`><Key>`)
	for _, k := range e.keys {
		fmt.Fprintf(b, `<PropertyRef Name="%s"/>`, k.name)
	}
	b.WriteString(`</Key>`)
	for _, p := range e.props {
		p.writeV2(b)
	}
	for _, n := range e.navs {
		from, to := n.roles()
		fmt.Fprintf(b, `<NavigationProperty Name="%s" Relationship="%s.%s" FromRole="%s" ToRole="%s"/>`, n.name, e.service.namespace, n.association(), from, to)
	}
	b.WriteString(`</EntityType>`)
}

func (p *property) facets(b *bytes.Buffer) {
	switch p.kind {
	case kindString, kindBinary:
		attributes(b, "MaxLength", count(p.length))
	case kindDecimal:
		attributes(b, "Precision", count(p.precision), "Scale", count(p.scale))
	}
}

func (p *property) writeV2(b *bytes.Buffer) {
	fmt.Fprintf(b, `<Property Name="%s" Type="%s"`, p.name, p.edm(2))
	if p.key || p.required {
		b.WriteString(` Nullable="false"`)
	}
	switch p.kind {
	case kindDate, kindTime:
		b.WriteString(` Precision="0"`)
	case kindDateTime, kindDateTimeOffset:
		b.WriteString(` Precision="7"`)
	}
	p.facets(b)
	if p.etag {
		b.WriteString(` ConcurrencyMode="Fixed"`)
	}
	display := ""
	switch {
	case p.kind == kindDate:
		display = "Date"
	case p.alpha:
		display = "UpperCase"
	}
	attributes(b, "sap:unit", p.unit, "sap:display-format", display, "sap:label", label(p.name), "sap:creatable", falseIf(p.noCreate), "sap:updatable", falseIf(p.noUpdate && !p.key || p.key && p.noCreate), "sap:filterable", falseIf(p.noFilter), "sap:sortable", falseIf(p.noSort))
	b.WriteString(`/>`)
}

// association names what a navigation and the one that leads back share.
func (n *navigation) association() string {
	if n.partner != nil && n.partner.first() {
		n = n.partner
	}
	return "assoc_" + n.from.set + "_" + n.name
}

// first says whether a navigation names the association that it shares.
func (n *navigation) first() bool { return n.many }

func (n *navigation) roles() (from, to string) {
	a := n.association()
	if n.partner != nil && n.partner.first() {
		return "ToRole_" + a, "FromRole_" + a
	}
	return "FromRole_" + a, "ToRole_" + a
}

func (n *navigation) multiplicity() string {
	switch {
	case n.many:
		return "*"
	case n.required:
		return "1"
	}
	return "0..1"
}

// associations lists the navigations that name one.
func (s *Service) associations() []*navigation {
	var list []*navigation
	for _, e := range s.entities {
		for _, n := range e.navs {
			if n.partner == nil || !n.partner.first() {
				list = append(list, n)
			}
		}
	}
	return list
}

func (s *Service) writeAssociations(b *bytes.Buffer) {
	for _, n := range s.associations() {
		back := "1"
		if n.partner != nil {
			back = n.partner.multiplicity()
		} else if !n.many {
			back = "*"
		}
		from, to := n.roles()
		fmt.Fprintf(b, `<Association Name="%s" sap:content-version="1"><End Type="%s" Multiplicity="%s" Role="%s"/><End Type="%s" Multiplicity="%s" Role="%s"/>`, n.association(), n.from.qualified(), back, from, n.to.qualified(), n.multiplicity(), to)
		if slices.EqualFunc(n.local, n.from.keys, func(a, k *property) bool { return a == k }) {
			n.writeConstraint(b, from, to, n.local, n.foreign)
		} else if slices.EqualFunc(n.foreign, n.to.keys, func(a, k *property) bool { return a == k }) {
			n.writeConstraint(b, to, from, n.foreign, n.local)
		}
		b.WriteString(`</Association>`)
	}
}

func (n *navigation) writeConstraint(b *bytes.Buffer, principal, dependent string, keys, refs []*property) {
	fmt.Fprintf(b, `<ReferentialConstraint><Principal Role="%s">`, principal)
	for _, p := range keys {
		fmt.Fprintf(b, `<PropertyRef Name="%s"/>`, p.name)
	}
	fmt.Fprintf(b, `</Principal><Dependent Role="%s">`, dependent)
	for _, p := range refs {
		fmt.Fprintf(b, `<PropertyRef Name="%s"/>`, p.name)
	}
	b.WriteString(`</Dependent></ReferentialConstraint>`)
}

func (s *Service) writeAssociationSets(b *bytes.Buffer) {
	for _, n := range s.associations() {
		from, to := n.roles()
		fmt.Fprintf(b, `<AssociationSet Name="%s" Association="%s.%s" sap:creatable="false" sap:updatable="false" sap:deletable="false" sap:content-version="1"><End EntitySet="%s" Role="%s"/><End EntitySet="%s" Role="%s"/></AssociationSet>`, n.association(), s.namespace, n.association(), n.from.set, from, n.to.set, to)
	}
}

// returnType is the name of a function's result.
func (f *function) returnType(version int) string {
	name := ""
	switch {
	case f.entity != nil:
		name = f.entity.qualified()
	case f.complex != nil:
		name = f.complex.qualified()
	case f.primitive != nil:
		name = f.primitive.edm(version)
	default:
		return ""
	}
	if f.many {
		return "Collection(" + name + ")"
	}
	return name
}

func (f *function) method() string {
	if f.post {
		return http.MethodPost
	}
	return http.MethodGet
}

func (f *function) writeV2(b *bytes.Buffer) {
	fmt.Fprintf(b, `<FunctionImport Name="%s"`, f.name)
	attributes(b, "ReturnType", f.returnType(2))
	if f.entity != nil {
		attributes(b, "EntitySet", f.entity.set)
	}
	attributes(b, "m:HttpMethod", f.method())
	if f.bound != nil {
		attributes(b, "sap:action-for", f.bound.qualified())
	}
	b.WriteString(`>`)
	for _, p := range f.params {
		fmt.Fprintf(b, `<Parameter Name="%s" Type="%s" Mode="In"`, p.name, p.edm(2))
		p.facets(b)
		if !p.required {
			b.WriteString(` Nullable="true"`)
		}
		b.WriteString(`/>`)
	}
	b.WriteString(`</FunctionImport>`)
}

func (s *Service) writeV4(b *bytes.Buffer, root string) {
	b.WriteString(xmlHead + `<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">`)
	for _, v := range [][2]string{{"Org.OData.Core.V1", "SAP__core"}, {"Org.OData.Capabilities.V1", "SAP__capabilities"}, {"com.sap.vocabularies.Common.v1", "SAP__common"}, {"Org.OData.Measures.V1", "SAP__measures"}} {
		fmt.Fprintf(b, `<edmx:Reference Uri="%s"><edmx:Include Namespace="%s" Alias="%s"/></edmx:Reference>`, xmlText(root+"/vocabularies/"+v[0]), v[0], v[1])
	}
	fmt.Fprintf(b, `<edmx:DataServices><Schema Namespace="%s" Alias="SAP__self" xmlns="http://docs.oasis-open.org/odata/ns/edm">`, s.namespace)
	for _, e := range s.entities {
		e.writeTypeV4(b)
	}
	for _, t := range s.complexes {
		fmt.Fprintf(b, `<ComplexType Name="%s">`, t.typeName)
		for _, p := range t.props {
			p.writeV4(b)
		}
		b.WriteString(`</ComplexType>`)
	}
	for _, f := range s.functions {
		f.writeV4(b)
	}
	b.WriteString(`<EntityContainer Name="Container">`)
	for _, e := range s.entities {
		fmt.Fprintf(b, `<EntitySet Name="%s" EntityType="%s">`, e.set, e.qualified())
		for _, n := range e.navs {
			fmt.Fprintf(b, `<NavigationPropertyBinding Path="%s" Target="%s"/>`, n.name, n.to.set)
		}
		b.WriteString(`</EntitySet>`)
	}
	for _, f := range s.functions {
		f.writeImportV4(b)
	}
	b.WriteString(`</EntityContainer>`)
	for _, e := range s.entities {
		e.writeAnnotations(b)
	}
	b.WriteString(`</Schema></edmx:DataServices></edmx:Edmx>`)
}

func (e *entity) writeTypeV4(b *bytes.Buffer) {
	fmt.Fprintf(b, `<EntityType Name="%s"`, e.typeName)
	if e.media {
		b.WriteString(` HasStream="true"`)
	}
	b.WriteString(`><Key>`)
	for _, k := range e.keys {
		fmt.Fprintf(b, `<PropertyRef Name="%s"/>`, k.name)
	}
	b.WriteString(`</Key>`)
	for _, p := range e.props {
		p.writeV4(b)
	}
	for _, n := range e.navs {
		n.writeV4(b)
	}
	b.WriteString(`</EntityType>`)
}

func (n *navigation) writeV4(b *bytes.Buffer) {
	typ := n.to.qualified()
	if n.many {
		typ = "Collection(" + typ + ")"
	}
	fmt.Fprintf(b, `<NavigationProperty Name="%s" Type="%s"`, n.name, typ)
	if n.required {
		b.WriteString(` Nullable="false"`)
	}
	if n.partner != nil {
		attributes(b, "Partner", n.partner.name)
	}
	b.WriteString(`>`)
	if !n.many {
		for i := range n.local {
			if n.local[i] == nil {
				continue
			}
			fmt.Fprintf(b, `<ReferentialConstraint Property="%s" ReferencedProperty="%s"/>`, n.local[i].name, n.foreign[i].name)
		}
	}
	if n.own {
		b.WriteString(`<OnDelete Action="Cascade"/>`)
	}
	b.WriteString(`</NavigationProperty>`)
}

func (p *property) writeV4(b *bytes.Buffer) {
	fmt.Fprintf(b, `<Property Name="%s" Type="%s"`, p.name, p.edm(4))
	if !p.nullable {
		b.WriteString(` Nullable="false"`)
	}
	p.facets(b)
	if p.kind == kindDateTimeOffset || p.kind == kindDateTime {
		b.WriteString(` Precision="7"`)
	}
	b.WriteString(`/>`)
}

func (f *function) writeV4(b *bytes.Buffer) {
	element := "Function"
	if f.post {
		element = "Action"
	}
	fmt.Fprintf(b, `<%s Name="%s"`, element, f.name)
	if f.bound != nil {
		fmt.Fprintf(b, ` IsBound="true"><Parameter Name="_it" Type="%s" Nullable="false"/>`, f.bound.qualified())
	} else {
		b.WriteString(`>`)
	}
	for _, p := range f.params {
		fmt.Fprintf(b, `<Parameter Name="%s" Type="%s"`, p.name, p.edm(4))
		if p.required {
			b.WriteString(` Nullable="false"`)
		}
		p.facets(b)
		b.WriteString(`/>`)
	}
	if t := f.returnType(4); t != "" {
		fmt.Fprintf(b, `<ReturnType Type="%s" Nullable="false"/>`, t)
	}
	fmt.Fprintf(b, `</%s>`, element)
}

func (f *function) writeImportV4(b *bytes.Buffer) {
	if f.bound != nil {
		return
	}
	element := "Function"
	if f.post {
		element = "Action"
	}
	fmt.Fprintf(b, `<%sImport Name="%s" %s="%s.%s"`, element, f.name, element, f.service.namespace, f.name)
	if f.entity != nil {
		attributes(b, "EntitySet", f.entity.set)
	}
	b.WriteString(`/>`)
}

// writeAnnotations says what may be done with an entity set and what its
// properties are called.
func (e *entity) writeAnnotations(b *bytes.Buffer) {
	fmt.Fprintf(b, `<Annotations Target="SAP__self.Container/%s">`, e.set)
	restriction := func(term, property string, not bool) {
		fmt.Fprintf(b, `<Annotation Term="SAP__capabilities.%s"><Record><PropertyValue Property="%s" Bool="%t"/></Record></Annotation>`, term, property, !not)
	}
	restriction("InsertRestrictions", "Insertable", e.noCreate)
	restriction("UpdateRestrictions", "Updatable", e.noUpdate)
	restriction("DeleteRestrictions", "Deletable", e.noDelete)
	restriction("SearchRestrictions", "Searchable", true)
	if filters := listNames(e.props, func(p *property) bool { return p.noFilter }); len(filters) > 0 {
		b.WriteString(`<Annotation Term="SAP__capabilities.FilterRestrictions"><Record><PropertyValue Property="NonFilterableProperties"><Collection>`)
		for _, name := range filters {
			fmt.Fprintf(b, `<PropertyPath>%s</PropertyPath>`, name)
		}
		b.WriteString(`</Collection></PropertyValue></Record></Annotation>`)
	}
	if e.etag != nil && !e.silentETag {
		fmt.Fprintf(b, `<Annotation Term="SAP__core.OptimisticConcurrency"><Collection><PropertyPath>%s</PropertyPath></Collection></Annotation>`, e.etag.name)
	}
	b.WriteString(`</Annotations>`)
	for _, p := range e.props {
		fmt.Fprintf(b, `<Annotations Target="SAP__self.%s/%s"><Annotation Term="SAP__common.Label" String="%s"/>`, e.typeName, p.name, xmlText(label(p.name)))
		switch {
		case p.noCreate && p.noUpdate:
			b.WriteString(`<Annotation Term="SAP__core.Computed" Bool="true"/>`)
		case p.noUpdate:
			b.WriteString(`<Annotation Term="SAP__core.Immutable" Bool="true"/>`)
		}
		if p.unit != "" {
			fmt.Fprintf(b, `<Annotation Term="SAP__measures.Unit" Path="%s"/>`, p.unit)
		}
		b.WriteString(`</Annotations>`)
	}
}

func listNames(props []*property, which func(*property) bool) []string {
	var list []string
	for _, p := range props {
		if which(p) {
			list = append(list, p.name)
		}
	}
	return list
}

// serviceDocument lists the entity sets.
func (c *call) serviceDocument() *response {
	if c.version() == 4 {
		b := []byte(`{"@odata.context":"$metadata","value":[`)
		for i, e := range c.service.entities {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `{"name":"%s","kind":"EntitySet","url":"%s"}`, e.set, e.set)
		}
		return c.answer(http.StatusOK, append(b, `]}`...))
	}
	if c.wantsJSON() {
		b := []byte(`{"d":{"EntitySets":[`)
		for i, e := range c.service.entities {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, e.set)
		}
		return c.answer(http.StatusOK, append(b, `]}}`...))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s<app:service xml:lang="%s" xml:base="%s/" xmlns:app="http://www.w3.org/2007/app" xmlns:atom="http://www.w3.org/2005/Atom"><app:workspace><atom:title type="text">Data</atom:title>`, xmlHead, languageTag(c.language), xmlText(c.root))
	for _, e := range c.service.entities {
		fmt.Fprintf(&b, `<app:collection href="%s"><atom:title type="text">%s</atom:title></app:collection>`, e.set, e.set)
	}
	b.WriteString(`</app:workspace></app:service>`)
	r := c.answer(http.StatusOK, b.Bytes())
	r.header.Set("Content-Type", "application/atomsvc+xml")
	return r
}
