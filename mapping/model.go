package mapping

import (
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Model is a universal model: what all systems are spoken to about.
type Model struct {
	Name   string           `json:"name"`
	Doc    string           `json:"doc,omitempty"`
	Fields map[string]Field `json:"fields"`
	// Order has the names of the fields as their file has them.
	Order []string `json:"-"`
	Pos   Position `json:"-"`
}

// Field is a field of a universal model.
type Field struct {
	Type     Type     `json:"type"`
	Doc      string   `json:"doc,omitempty"`
	Relation string   `json:"relation,omitempty"` // the universal model of a reference or of lines
	Required bool     `json:"required,omitempty"`
	Readonly bool     `json:"readonly,omitempty"`
	Values   []string `json:"values,omitempty"` // of a selection
	Pos      Position `json:"-"`
}

// Type is the type of a universal field. The package's comment has the form
// of each one's values.
type Type string

// The types.
const (
	Char      Type = "char"
	Text      Type = "text"
	HTML      Type = "html"
	Integer   Type = "integer"
	Float     Type = "float"
	Monetary  Type = "monetary"
	Boolean   Type = "boolean"
	Date      Type = "date"
	DateTime  Type = "datetime"
	Selection Type = "selection"
	Ref       Type = "ref"
	Refs      Type = "refs"
	List      Type = "list"
	Lines     Type = "lines"
	Binary    Type = "binary"
	JSON      Type = "json"
)

var types = []Type{Char, Text, HTML, Integer, Float, Monetary, Boolean, Date, DateTime, Selection, Ref, Refs, List, Lines, Binary, JSON}

func typeNames() []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = string(t)
	}
	return out
}

func (t Type) text() bool   { return t == Char || t == Text || t == HTML || t == Selection }
func (t Type) number() bool { return t == Integer || t == Float || t == Monetary }
func (t Type) moment() bool { return t == Date || t == DateTime }

// adapterType is the type in the vocabulary of schemas.
func (t Type) adapterType() adapter.FieldType {
	switch t {
	case Ref:
		return adapter.Many2One
	case Refs:
		return adapter.Many2Many
	case Lines:
		return adapter.One2Many
	case List:
		return adapter.JSON
	}
	return adapter.FieldType(t)
}

// Names returns the names of the fields, in the order of their file.
func (m *Model) Names() []string { return slices.Clone(m.Order) }

func (m *Model) clone() *Model {
	c := *m
	c.Fields = make(map[string]Field, len(m.Fields))
	for name, f := range m.Fields {
		c.Fields[name] = f
	}
	c.Order = slices.Clone(m.Order)
	return &c
}
