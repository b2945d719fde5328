package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

// schemaPrefix is what references to schemas begin with.
const schemaPrefix = "#/components/schemas/"

// newRegistry returns the registry of the OpenAPI description's schemas.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry(schemaPrefix, schemaName)
	r.RegisterTypeAlias(reflect.TypeFor[adapter.ID](), reflect.TypeFor[idSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[json.Number](), reflect.TypeFor[float64]())
	return r
}

// schemaName gives types of other packages their package's name too: several
// have a Stats.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	if pkg == "" || pkg == "httpapi" || t.Name() == "" {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// idSchema is how OpenAPI describes an id.
type idSchema struct{}

// Schema returns the description.
func (idSchema) Schema(huma.Registry) *huma.Schema {
	least := 1
	return &huma.Schema{
		Description: "The id of a record",
		OneOf:       []*huma.Schema{{Type: huma.TypeInteger, Format: "int64"}, {Type: huma.TypeString, MinLength: &least}},
	}
}

// Lists in requests and answers are lists: what has none is left out or empty.
func init() { huma.DefaultArrayNullable = false }

// Forms of values whose type in Go says nothing of them: they are passed on as
// they come.
var (
	anObject     = huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	objects      = huma.Schema{Type: huma.TypeArray, Items: &anObject}
	anyValues    = huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{}}
	textOrObject = huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, &anObject}}
	oneOrMore    = huma.Schema{OneOf: []*huma.Schema{&anObject, &objects}}
)

// orNull is a named schema that may be absent.
func orNull(name string) huma.Schema {
	return huma.Schema{AnyOf: []*huma.Schema{{Ref: schemaPrefix + name}, {Type: "null"}}}
}

// forms say what such members of schemas hold.
var forms = map[string]huma.Schema{
	"AuditEntry.details": anObject, "AuditEntry.record_ids": {Type: huma.TypeArray, Items: idSchema{}.Schema(nil)},
	"BatchOperation.data": anObject,
	"CrudOutput.result":   oneOrMore,
	"CrudRequest.context": anObject, "CrudRequest.data": anObject, "CrudRequest.domain": anyValues,
	"FieldsOutput.fields":   {Type: huma.TypeObject, AdditionalProperties: &anObject},
	"OperationRequest.args": anyValues, "OperationRequest.context": anObject, "OperationRequest.default": anObject,
	"OperationRequest.domain": anyValues, "OperationRequest.field_onchange": anObject, "OperationRequest.having": anyValues,
	"OperationRequest.kwargs": anObject, "OperationRequest.options": anObject, "OperationRequest.specification": anObject,
	"OperationRequest.values": anObject, "OperationRequest.vals_list": objects, "OperationRequest.views": anyValues,
	"FoundBarcode.quantity": {Type: huma.TypeNumber}, "LookupOutput.product": orNull("BridgeProduct"), "ScanOutput.product": orNull("BridgeProduct"),
	"MappingRequest.mapping": textOrObject, "PreviewRequest.mapping": textOrObject,
	"PreviewRequest.domain": anyValues, "PreviewRequest.record": anObject,
}

// finishSchemas says of the description's schemas what their types in Go can't.
func (a *API) finishSchemas() {
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	for name, schema := range schemas {
		for property, p := range schema.Properties {
			p.PatternDescription = "" // huma's own: it stands in its messages already
			form, known := forms[name+"."+property]
			if !known {
				continue
			}
			p.Type, p.Items, p.AdditionalProperties, p.OneOf, p.AnyOf = form.Type, form.Items, form.AdditionalProperties, form.OneOf, form.AnyOf
			if p.AnyOf != nil {
				p.Ref = ""
			}
		}
	}
	// It takes the members of /crud or of an Odoo operation too.
	schemas["BatchOperation"].AdditionalProperties = true
	codes := schemas["ProblemInfo"].Properties["code"]
	for _, key := range i18n.Keys(errorKey) {
		codes.Enum = append(codes.Enum, strings.TrimPrefix(key, errorKey))
	}
}

// errorKey is what the keys of messages about errors begin with; the rest is
// the error's code.
const errorKey = "error_"
