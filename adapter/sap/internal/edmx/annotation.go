package edmx

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// annotation is an annotation of v4 as far as it is of use here.
type annotation struct {
	term  string // resolved: "Org.OData.Core.V1.Computed"
	value string // of a constant, or a path
	paths []string
	// Of a record, the values of its properties, and of a list within it.
	fields map[string]string
	lists  map[string][]string
	// inner are annotations of the annotation.
	inner []annotation
}

// wanted are the terms that are read. All others are passed over.
var wanted = map[string]bool{
	"Org.OData.Core.V1.Computed": true, "Org.OData.Core.V1.Immutable": true,
	"Org.OData.Core.V1.ComputedDefaultValue": true, "Org.OData.Core.V1.Description": true,
	"Org.OData.Core.V1.OptimisticConcurrency": true,
	"Org.OData.Measures.V1.ISOCurrency":       true, "Org.OData.Measures.V1.Unit": true,
	"Org.OData.Capabilities.V1.InsertRestrictions": true, "Org.OData.Capabilities.V1.UpdateRestrictions": true,
	"Org.OData.Capabilities.V1.DeleteRestrictions": true, "Org.OData.Capabilities.V1.FilterRestrictions": true,
	"Org.OData.Capabilities.V1.SortRestrictions": true, "Org.OData.Capabilities.V1.CountRestrictions": true,
	"Org.OData.Capabilities.V1.ReadRestrictions": true, "Org.OData.Capabilities.V1.TopSupported": true,
	"Org.OData.Capabilities.V1.SkipSupported": true,
	"com.sap.vocabularies.Common.v1.Label":    true, "com.sap.vocabularies.Common.v1.Text": true,
	"com.sap.vocabularies.Common.v1.QuickInfo": true, "com.sap.vocabularies.Common.v1.FieldControl": true,
	"com.sap.vocabularies.Common.v1.IsCurrency": true,
}

// qualified resolves the alias of a name.
func (p *parser) qualified(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name
	}
	if namespace, ok := p.aliases[name[:i]]; ok {
		return namespace + name[i:]
	}
	return name
}

// readAnnotations reads an Annotations element to its end.
func (p *parser) readAnnotations(start xml.StartElement) ([]annotation, error) {
	var list []annotation
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "Annotation" {
				if err := p.skip(t.Name.Local); err != nil {
					return nil, err
				}
				continue
			}
			one, keep, err := p.readAnnotation(t)
			if err != nil {
				return nil, err
			}
			if keep {
				list = append(list, one)
			}
		case xml.EndElement:
			return list, p.closes(start.Name.Local, t)
		}
	}
}

// next reads a token within an annotation.
func (p *parser) next() (xml.Token, error) {
	token, err := p.dec.RawToken()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("edmx: the document ends in the midst: it was cut off")
	}
	if _, ok := token.(xml.StartElement); ok {
		if p.elements++; p.elements > maxElements {
			return nil, errors.New("edmx: the document has too many elements")
		}
	}
	return token, err
}

func (p *parser) closes(open string, t xml.EndElement) error {
	if open == t.Name.Local {
		return nil
	}
	return &xml.SyntaxError{Msg: "element <" + open + "> closed by </" + t.Name.Local + ">", Line: p.line()}
}

func (p *parser) line() int {
	line, _ := p.dec.InputPos()
	return line
}

// skip reads to the end of an element that is open.
func (p *parser) skip(name string) error {
	open := []string{name}
	for len(open) > 0 {
		token, err := p.next()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if open = append(open, t.Name.Local); len(open) > maxDepth {
				return errors.New("edmx: the document is nested too deep")
			}
		case xml.EndElement:
			if err := p.closes(open[len(open)-1], t); err != nil {
				return err
			}
			open = open[:len(open)-1]
		}
	}
	return nil
}

// constants are the attributes in which an annotation may hold its value.
var constants = []string{"String", "Bool", "Path", "PropertyPath", "EnumMember", "Int", "AnnotationPath", "Decimal"}

func constant(a attrs) string {
	for _, name := range constants {
		if v := a.get(name); v != "" {
			return v
		}
	}
	return ""
}

// readAnnotation reads an annotation to its end. keep is false for one that is
// of no use.
func (p *parser) readAnnotation(start xml.StartElement) (one annotation, keep bool, err error) {
	a := attrs(start.Attr)
	term := a.get("Term")
	if base, _, qualifier := strings.Cut(term, "#"); qualifier {
		term = base
	}
	one = annotation{term: p.name(p.qualified(term)), value: p.name(constant(a))}
	if !wanted[one.term] || a.get("Qualifier") != "" {
		return one, false, p.skip(start.Name.Local)
	}
	r := reading{p: p, one: &one}
	if err := r.content(start.Name.Local, "", 0); err != nil {
		return one, false, err
	}
	// An annotation without a value is true.
	if one.value == "" && one.fields == nil && one.lists == nil && one.paths == nil {
		one.value = "true"
	}
	return one, true, nil
}

// reading is an annotation that is being read.
type reading struct {
	p   *parser
	one *annotation
}

// content reads what is in an element, as the value of a field of the
// annotation's record, or of the annotation itself where field is "".
func (r reading) content(element, field string, depth int) error {
	if depth > maxDepth {
		return errors.New("edmx: the document is nested too deep")
	}
	for {
		token, err := r.p.next()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.child(t, field, depth); err != nil {
				return err
			}
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				r.text(element, field, text)
			}
		case xml.EndElement:
			return r.p.closes(element, t)
		}
	}
}

func (r reading) child(t xml.StartElement, field string, depth int) error {
	a := attrs(t.Attr)
	switch t.Name.Local {
	case "PropertyValue":
		name := a.get("Property")
		if field != "" {
			name = field + "." + name
		}
		if v := constant(a); v != "" {
			r.set(name, v)
		}
		return r.content(t.Name.Local, name, depth+1)
	case "Annotation":
		inner, keep, err := r.p.readAnnotation(t)
		if keep {
			r.one.inner = append(r.one.inner, inner)
		}
		return err
	}
	return r.content(t.Name.Local, field, depth+1)
}

func (r reading) set(field, value string) {
	if r.one.fields == nil {
		r.one.fields = map[string]string{}
	}
	r.one.fields[field] = r.p.name(value)
}

// text takes in the text of an element such as <String>, <PropertyPath> or
// <Bool>.
func (r reading) text(element, field, text string) {
	text = r.p.name(text)
	switch {
	case element == "PropertyPath" || element == "NavigationPropertyPath":
		if field == "" {
			r.one.paths = append(r.one.paths, text)
			return
		}
		if r.one.lists == nil {
			r.one.lists = map[string][]string{}
		}
		r.one.lists[field] = append(r.one.lists[field], text)
	case field == "":
		r.one.value = text
	default:
		r.set(field, text)
	}
}
