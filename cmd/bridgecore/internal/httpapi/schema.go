package httpapi

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bridgecore/bridgecore/adapter"
)

// newRegistry returns the registry of the OpenAPI description's schemas.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", schemaName)
	r.RegisterTypeAlias(reflect.TypeFor[adapter.ID](), reflect.TypeFor[idSchema]())
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
	return &huma.Schema{
		Description: "The id of a record",
		OneOf:       []*huma.Schema{{Type: huma.TypeInteger, Format: "int64"}, {Type: huma.TypeString}},
	}
}
