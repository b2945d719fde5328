package adapter

// Schema describes a model as the connected user sees it.
type Schema struct {
	Model  string           `json:"model"`
	Label  string           `json:"label,omitempty"`
	Fields map[string]Field `json:"fields"`
}

// Has reports whether the model has the field.
func (s *Schema) Has(field string) bool {
	_, ok := s.Fields[field]
	return ok
}

// Field describes a field of a model.
type Field struct {
	Type     FieldType `json:"type"`
	Native   string    `json:"native_type,omitempty"` // the system's own word, where it says more than Type
	Label    string    `json:"label,omitempty"`
	Help     string    `json:"help,omitempty"`
	Relation string    `json:"relation,omitempty"`       // the model that a relation leads to
	Inverse  string    `json:"relation_field,omitempty"` // the many-to-one behind a one-to-many
	Required bool      `json:"required,omitempty"`
	Readonly bool      `json:"readonly,omitempty"`
	// Stored fields live in the database: only they can be relied on in
	// filters and orders.
	Stored     bool     `json:"store"`
	Searchable bool     `json:"searchable"`
	Sortable   bool     `json:"sortable"`
	Translate  bool     `json:"translate,omitempty"`
	Size       int      `json:"size,omitempty"` // characters at most, 0 for unlimited
	Selection  []Option `json:"selection,omitempty"`
}

// Option is one key of a selection field.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// FieldType is the kind of value that a field holds, in Odoo's vocabulary.
type FieldType string

// The types of fields. One that no constant names is Unknown, with the
// system's own word in Field.Native.
const (
	Boolean    FieldType = "boolean"
	Integer    FieldType = "integer"
	Float      FieldType = "float"
	Monetary   FieldType = "monetary"
	Char       FieldType = "char"
	Text       FieldType = "text"
	HTML       FieldType = "html"
	Date       FieldType = "date"
	DateTime   FieldType = "datetime"
	Binary     FieldType = "binary"
	Selection  FieldType = "selection"
	Many2One   FieldType = "many2one"
	One2Many   FieldType = "one2many"
	Many2Many  FieldType = "many2many"
	Reference  FieldType = "reference"
	JSON       FieldType = "json"
	Properties FieldType = "properties"
	Unknown    FieldType = "unknown"
)

// Relational reports whether values refer to other records.
func (t FieldType) Relational() bool {
	return t == Many2One || t == One2Many || t == Many2Many
}
