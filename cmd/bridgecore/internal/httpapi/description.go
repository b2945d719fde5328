package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"
	"go.yaml.in/yaml/v3"
)

// The versions of OpenAPI in which the API can be described.
const (
	OpenAPI31 = "3.1"
	OpenAPI30 = "3.0.3"
)

// Description returns the OpenAPI description of what Config serves, as JSON or
// YAML. It needs no more of Config than Version, and nothing that is running.
func Description(c Config, version string, asYAML bool) ([]byte, error) {
	return New(c).describe(version, asYAML)
}

// describe writes the description in a version of OpenAPI.
func (a *API) describe(version string, asYAML bool) ([]byte, error) {
	text, err := json.Marshal(a.huma.OpenAPI())
	switch version {
	case OpenAPI31:
	case OpenAPI30:
		if err == nil {
			text, err = downgraded(text)
		}
	default:
		return nil, fmt.Errorf("%q is neither %s nor %s", version, OpenAPI31, OpenAPI30)
	}
	if err != nil || !asYAML {
		return text, err
	}
	return asYAMLText(text)
}

// ambiguous are texts that readers of YAML 1.1 take for something else unless
// they are quoted.
var ambiguous = map[string]bool{"=": true, "on": true, "off": true, "yes": true, "no": true, "y": true, "n": true}

// asYAMLText writes JSON as YAML. JSON is YAML, but for how it is laid out.
func asYAMLText(text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var relax func(n *yaml.Node)
	relax = func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !ambiguous[strings.ToLower(n.Value)] {
			n.Style = 0
		}
		for _, inside := range n.Content {
			relax(inside)
		}
	}
	relax(&doc)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

// downgraded turns a description in OpenAPI 3.1 into one in 3.0.3.
func downgraded(text []byte) ([]byte, error) {
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	spec["openapi"] = OpenAPI30
	if info, ok := spec["info"].(map[string]any); ok {
		if license, ok := info["license"].(map[string]any); ok {
			delete(license, "identifier")
		}
	}
	if components, ok := spec["components"].(map[string]any); ok {
		if schemas, ok := components["schemas"].(map[string]any); ok {
			for _, schema := range schemas {
				downgradeSchema(schema)
			}
		}
	}
	downgradeSchemasIn(spec["paths"])
	return json.Marshal(spec)
}

// downgradeSchemasIn looks for schemas beside the named ones. Examples have
// members of all names, so that they are passed over.
func downgradeSchemasIn(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inside := range v {
			switch name {
			case "schema":
				downgradeSchema(inside)
			case "example", "examples":
			default:
				downgradeSchemasIn(inside)
			}
		}
	case []any:
		for _, inside := range v {
			downgradeSchemasIn(inside)
		}
	}
}

// downgradeSchema writes a schema as 3.0 has it: null is no type of its own,
// there is one example, and an id or whatever else is of several plain types is
// any value.
func downgradeSchema(v any) {
	schema, ok := v.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := schema["$ref"]; ok && len(schema) > 1 {
		// What stands beside a reference is not read in 3.0.
		delete(schema, "$ref")
		schema["allOf"] = []any{map[string]any{"$ref": ref}}
	}
	if list, ok := schema["examples"].([]any); ok {
		delete(schema, "examples")
		if len(list) > 0 {
			schema["example"] = list[0]
		}
	}
	if types, ok := schema["type"].([]any); ok {
		for _, t := range types {
			if t == "null" {
				schema["nullable"] = true
			} else {
				schema["type"] = t
			}
		}
	}
	for _, name := range []string{"exclusiveMinimum", "exclusiveMaximum"} {
		if limit, ok := schema[name].(float64); ok {
			schema["m"+name[len("exclusiveM"):]], schema[name] = limit, true
		}
	}
	if either, ok := schema["anyOf"].([]any); ok && len(either) == 2 {
		if null, ok := either[1].(map[string]any); ok && null["type"] == "null" {
			delete(schema, "anyOf")
			schema["allOf"], schema["nullable"], schema["type"] = either[:1], true, "object"
		}
	}
	if either, ok := schema["oneOf"].([]any); ok && !strings.Contains(fmt.Sprint(either), "$ref") {
		// Generators for 3.0 make a class without members of one value or another.
		delete(schema, "oneOf")
	}
	for _, name := range []string{"items", "additionalProperties", "not"} {
		downgradeSchema(schema[name])
	}
	for _, name := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := schema[name].([]any)
		for _, inside := range list {
			downgradeSchema(inside)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, inside := range properties {
		downgradeSchema(inside)
	}
}

// descriptions are the files of the description, by their paths.
var descriptions = map[string]struct {
	version string
	yaml    bool
}{
	"/openapi.json":     {OpenAPI31, false},
	"/openapi.yaml":     {OpenAPI31, true},
	"/openapi-3.0.json": {OpenAPI30, false},
	"/openapi-3.0.yaml": {OpenAPI30, true},
}

// registerDocs serves the description and its page, both from the program
// itself.
func (a *API) registerDocs() {
	for path, d := range descriptions {
		kind := jsonType[0]
		if d.yaml {
			kind = yamlTypes[0]
		}
		text := sync.OnceValues(func() ([]byte, error) { return a.describe(d.version, d.yaml) })
		a.echo.GET(path, func(c *echo.Context) error {
			b, err := text()
			if err != nil {
				return err
			}
			c.Response().Header().Set("Cache-Control", revalidated)
			return c.Blob(http.StatusOK, kind, b)
		})
	}
	a.registerPage()
}

// spec is the part of the OpenAPI description that is about all operations.
func (a *API) spec() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "BridgeCore API",
				Version: a.Version,
				Description: "One face on Odoo 13.0 to 19.0, Salesforce and SAP. Log in, register a system, then read and write its records with " +
					"`/crud` or call it with `/odoo/{operation}`: in its own words, or with `use_universal_schema` in words that are the same for all. Every error has the same body, of type `application/problem+json`.",
				License: &huma.License{Name: "MIT", Identifier: "MIT"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "Where this description was read"}},
			Components: &huma.Components{
				Schemas: newRegistry(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"accessToken":  {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access token of a login or a refresh."},
					"refreshToken": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The refresh token of a login."},
				},
			},
			Tags: []*huma.Tag{
				{Name: "Authentication", Description: "Sessions and tokens."},
				{Name: "Account", Description: "One's own name, password and sessions."},
				{Name: "Users", Description: "The users of a tenant, for its admins."},
				{Name: "Tenants", Description: "The customers of the installation, for its operators."},
				{Name: "Systems", Description: "Connected systems of the caller's tenant."},
				{Name: "Records", Description: "Create, read, update and delete records of any model."},
				{Name: "Odoo", Description: "Odoo's own operations, the same for every version."},
				{Name: "Mappings", Description: "Universal models, and how each system has them."},
				{Name: "Migration", Description: "Records carried from one version to another."},
				{Name: "Operations", Description: "Work in the background: what was asked for with \"async\": true."},
				{Name: "Barcodes", Description: "Products, packagings, lots and locations by what a scanner reads; labels."},
				{Name: "Files", Description: "Files of records; records as files: exports and reports."},
				{Name: "Audit", Description: "Who did what."},
				{Name: "Cache", Description: "What is kept of a system's answers."},
				{Name: "Health", Description: "For load balancers and people."},
			},
		},
		// huma looks application/problem+json up as "json".
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
	}
}
