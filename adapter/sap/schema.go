package sap

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// idField is the field that every record and schema has besides SAP's own.
const idField = "id"

// longText is the length from which on a text is taken for more than a line.
const longText = 256

// Schema implements [adapter.Adapter]. Labels are in the language of the
// context's scope, and the schema may be up to an hour old.
func (c *Client) Schema(ctx context.Context, name string) (*adapter.Schema, error) {
	m, err := c.modelIn(ctx, name, language(ctx))
	if err != nil {
		return nil, err
	}
	return m.schema(), nil
}

// schema makes a new description of the model.
func (m *model) schema() *adapter.Schema {
	s := &adapter.Schema{Model: m.name, Label: m.typ.Label, Fields: make(map[string]adapter.Field, len(m.typ.Props)+len(m.typ.Navs)+1)}
	if m.set != nil && m.set.Label != "" {
		s.Label = m.set.Label
	}
	s.Fields[idField] = adapter.Field{
		Type: adapter.Char, Native: "key", Readonly: true, Stored: true,
		Searchable: true, Sortable: m.keysSortable(),
		Help: "the record's key, as a text",
	}
	for _, p := range m.typ.Props {
		if p.Type != "Edm.Stream" {
			s.Fields[p.Name] = m.field(p)
		}
	}
	for _, nav := range m.typ.Navs {
		next := m.follow(nav)
		if next == nil {
			continue
		}
		f := adapter.Field{
			Type: adapter.Many2One, Native: "navigation", Label: nav.Label, Relation: next.name,
			Searchable: !nav.NoFilter && (!nav.Many || m.v4()),
		}
		if nav.Many {
			f.Type, f.Inverse = adapter.One2Many, nav.Partner
		}
		f.Readonly = nav.NoCreate
		s.Fields[nav.Name] = f
	}
	// A property called "id" is the key of most services that have one.
	return s
}

// field describes a property.
func (m *model) field(p *edmx.Property) adapter.Field {
	f := adapter.Field{
		Type: m.fieldType(p), Native: p.Type, Label: p.Label, Help: p.Help, Stored: true,
		Searchable: m.filterable(p), Sortable: m.sortable(p),
	}
	f.Readonly = !m.creatable(p) && !m.updatable(p)
	f.Required = !f.Readonly && !p.Key && (p.Mandatory || !p.Nullable && !p.HasDefault && m.creatable(p))
	if p.Type == "Edm.String" {
		f.Size = p.MaxLength
	}
	if e := m.meta.Enums[p.Type]; e != nil {
		for _, member := range e.Members {
			f.Selection = append(f.Selection, adapter.Option{Value: member, Label: member})
		}
	}
	return f
}

// edmTypes are the types of fields by those of OData.
var edmTypes = map[string]adapter.FieldType{
	"Edm.Boolean": adapter.Boolean, "Edm.Byte": adapter.Integer, "Edm.SByte": adapter.Integer,
	"Edm.Int16": adapter.Integer, "Edm.Int32": adapter.Integer, "Edm.Int64": adapter.Integer,
	"Edm.Decimal": adapter.Float, "Edm.Double": adapter.Float, "Edm.Single": adapter.Float,
	"Edm.String": adapter.Char, "Edm.Guid": adapter.Char, "Edm.Date": adapter.Date,
	"Edm.DateTime": adapter.DateTime, "Edm.DateTimeOffset": adapter.DateTime,
	"Edm.Time": adapter.Char, "Edm.TimeOfDay": adapter.Char, "Edm.Duration": adapter.Char,
	"Edm.Binary": adapter.Binary,
}

func (m *model) fieldType(p *edmx.Property) adapter.FieldType {
	t, primitive := edmTypes[p.Type]
	switch {
	case p.Collection:
		return adapter.JSON
	case !primitive && m.meta.Enums[p.Type] != nil:
		return adapter.Selection
	case !primitive && m.meta.Types[p.Type] != nil:
		return adapter.JSON
	case !primitive:
		return adapter.Unknown
	case p.Type == "Edm.DateTime" && p.DateOnly:
		return adapter.Date
	case p.Type == "Edm.Decimal" && p.Unit != "" && p.Currency:
		return adapter.Monetary
	case p.Type == "Edm.String" && (p.MaxLength == 0 || p.MaxLength >= longText) && !p.Key:
		return adapter.Text
	}
	return t
}

func (m *model) filterable(p *edmx.Property) bool {
	return !p.NoFilter && (m.set == nil || !m.set.NoFilter[p.Name]) && !p.Collection && m.meta.Types[p.Type] == nil && p.Type != "Edm.Binary"
}

func (m *model) sortable(p *edmx.Property) bool {
	return !p.NoSort && (m.set == nil || !m.set.NoSort[p.Name]) && !p.Collection && m.meta.Types[p.Type] == nil && p.Type != "Edm.Binary"
}

func (m *model) creatable(p *edmx.Property) bool {
	return !p.NoCreate && !p.Computed && (m.set == nil || !m.set.NoCreateProps[p.Name])
}

func (m *model) updatable(p *edmx.Property) bool {
	return !p.NoUpdate && !p.Computed && !p.Immutable && !p.Key && (m.set == nil || !m.set.NoUpdateProps[p.Name])
}

// keysSortable reports whether records can be read in the order of their keys,
// from any key on.
func (m *model) keysSortable() bool {
	if len(m.typ.Keys) == 0 {
		return false
	}
	for _, key := range m.typ.Keys {
		p := m.typ.Prop(key)
		if p == nil || !m.sortable(p) || !m.filterable(p) || p.Type == "Edm.Boolean" {
			return false
		}
	}
	return true
}
