package odoo

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// Schemas are the models of one version by name.
type Schemas map[string]*adapter.Schema

// Snapshot returns the schemas of the common models in a version ("16.0"), and
// whether there are any of that version. They are what fields_get answered on
// servers of Odoo Community with the modules contacts, product, sale,
// purchase, stock and account, without labels: a server with other modules has
// more fields. The schemas are shared: do not change them.
func Snapshot(version string) (Schemas, bool) {
	i := slices.Index(Versions(), version)
	if i < 0 {
		return nil, false
	}
	return snapshots[i](), true
}

// Schema returns a model of the snapshot of a version, and whether it is known:
// what migrate.Lint asks for.
func Schema(version, model string) (*adapter.Schema, bool) {
	s, _ := Snapshot(version)
	schema, ok := s[model]
	return schema, ok
}

// Models lists the models of the snapshot, sorted.
func (s Schemas) Models() []string { return slices.Sorted(maps.Keys(s)) }

// snapshots make the schemas of each of the versions, when they are asked for.
var snapshots = func() []func() Schemas {
	makers := make([]func() Schemas, len(Versions()))
	for i := range makers {
		makers[i] = sync.OnceValue(func() Schemas { return snapshot(schemas.First + i) })
	}
	return makers
}()

func snapshot(major int) Schemas {
	all := Schemas{}
	for _, newest := range schemas.Models() {
		model, there := schemas.ModelName(newest, major)
		if !there || !schemas.Complete(newest) {
			continue
		}
		s := &adapter.Schema{Model: model, Fields: map[string]adapter.Field{}}
		for name, f := range schemas.Fields(newest, major) {
			s.Fields[name] = field(model, name, f)
		}
		all[model] = s
	}
	return all
}

func field(model, name string, f schemas.Field) adapter.Field {
	out := adapter.Field{
		Relation: f.Relation, Inverse: f.Inverse, Required: f.Required, Readonly: f.Readonly,
		Stored: f.Stored, Searchable: f.Searchable, Sortable: f.Sortable, Translate: f.Translate,
	}
	out.Type, out.Native = fieldType(f.Type)
	if !open(model, name) {
		for _, key := range f.Selection {
			out.Selection = append(out.Selection, adapter.Option{Value: key, Label: key})
		}
	}
	return out
}

// open reports whether the keys of a selection depend on the database: then
// the snapshot has none, so that no key is taken for wrong.
func open(model, field string) bool {
	switch field {
	case "lang", "tz", "active_lang", "model_id", "ttype":
		return true
	}
	return strings.HasSuffix(field, "_lang") || (model == "ir.model.fields" && field == "state")
}

// fieldType returns a type for Odoo's word for it, and that word where it says
// more.
func fieldType(word string) (adapter.FieldType, string) {
	switch t := adapter.FieldType(word); {
	case slices.Contains(fieldTypes, t):
		return t, ""
	case word == "many2one_reference":
		return adapter.Integer, word
	default:
		return adapter.Unknown, word
	}
}

var fieldTypes = []adapter.FieldType{
	adapter.Boolean, adapter.Integer, adapter.Float, adapter.Monetary, adapter.Char, adapter.Text, adapter.HTML, adapter.Date,
	adapter.DateTime, adapter.Binary, adapter.Selection, adapter.Many2One, adapter.One2Many, adapter.Many2Many,
	adapter.Reference, adapter.JSON, adapter.Properties,
}
