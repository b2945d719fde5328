package httpapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// mappingRequest is the body that saves a mapping, where it is JSON. A body of
// type application/yaml is the mapping itself.
type mappingRequest struct {
	Mapping json.RawMessage `json:"mapping" doc:"The mapping: its YAML as a text, or an object"`
	Version *int64          `json:"version,omitempty" doc:"The version that this one follows, as If-Match says it too; 0 where there is none of one's own yet"`
	Note    string          `json:"note,omitempty" doc:"Why it is changed, for people"`
}

type mappingSaved struct {
	Success bool `json:"success" doc:"Always true"`
	MappingSummary
	Tests    int      `json:"tests" doc:"How many tests beside it ran; all passed" example:"3"`
	Findings []string `json:"findings" nullable:"false" doc:"What is doubtful about it, and does not keep it from being saved"`
}

var mappingShape = shapeOf[mappingRequest]()

// yamlTypes are the types that a body of YAML may have.
var yamlTypes = []string{"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}

// isYAML reports whether a body is called YAML.
func isYAML(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	for _, t := range yamlTypes {
		if kind == t {
			return true
		}
	}
	return strings.HasSuffix(kind, "+yaml")
}

// mappingText is the text of a mapping that is a member of a body.
func mappingText(member json.RawMessage) (string, error) {
	switch {
	case len(member) == 0:
		return "", nil
	case member[0] == '"':
		var text string
		if err := json.Unmarshal(member, &text); err != nil {
			return "", unfit("mapping", err)
		}
		return text, nil
	case member[0] == '{':
		return string(member), nil
	}
	return "", invalid("mapping", "must be YAML as a text, or an object")
}

// mappingBody reads the body of a save.
func (a *API) mappingBody(r *http.Request) (request mappingRequest, text string, err error) {
	body, err := a.readBody(r)
	if err != nil {
		return request, "", err
	}
	if isYAML(r.Header.Get("Content-Type")) {
		return request, string(body), nil
	}
	if _, err := mappingShape.decode(body, &request); err != nil {
		return request, "", err
	}
	if text, err = mappingText(request.Mapping); err != nil {
		return request, "", err
	}
	if strings.TrimSpace(text) == "" {
		return request, "", invalid("mapping", "is missing: the mapping, as YAML in a text or as an object")
	}
	return request, text, nil
}

// putMapping saves a mapping, once it was found to be right.
func (a *API) putMapping(c *echo.Context) error {
	if err := a.identify(c, true); err != nil {
		return err
	}
	r := c.Request()
	ctx, model := r.Context(), c.Param("model")
	stored, err := a.mapped(ctx, c.Param("system_id"))
	if err != nil {
		return err
	}
	request, text, err := a.mappingBody(r)
	if err != nil {
		return err
	}
	after, err := versionAfter(r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), request.Version)
	if err != nil {
		return err
	}
	if len(request.Note) > maxNote {
		return invalid("note", "must not be longer than %d bytes", maxNote)
	}
	// Fields that were added a moment ago count, and what was kept before may
	// not know them.
	a.Bridge.Forget(systems.Tenant(stored.TenantID), stored.SystemID) //nolint:contextcheck // also if the client goes away now
	sys, err := a.system(ctx, stored.SystemID)
	if err != nil {
		return err
	}
	beside, err := a.Store.Mappings(ctx, stored.TenantID, stored.ID)
	if err != nil {
		return err
	}
	checked, err := a.Mappings.Check(ctx, sys, mappings.Draft{Kind: stored.Kind, Model: model, Source: text, Beside: beside})
	if err != nil {
		return mappingProblem(err)
	}
	m := store.Mapping{TenantID: stored.TenantID, SystemRef: stored.ID, Model: model, Source: text, Note: request.Note}
	if err := a.saveMapping(ctx, &stored, &m, after); err != nil {
		return err
	}
	c.Response().Header().Set("ETag", etagOf(m.Version))
	return writeJSON(c.Response(), mappingSaved{
		Success: true, MappingSummary: summaryOf(model, checked.SystemModel, &m),
		Tests: checked.Tests, Findings: append([]string{}, checked.Findings...),
	})
}

// maxNote is the length of the longest note, in bytes.
const maxNote = 2000

func (a *API) registerSaveMapping(path string) {
	op := a.operation(route{
		id: "saveMapping", method: http.MethodPut, path: path, tag: "Mappings", admin: true,
		summary: "Save one's own mapping",
		description: "It takes the place of the standard one, or with `extends: true` is laid over it. It is saved only if it can be used: it is parsed and " +
			"compiled, the tests beside it are run, and its fields are looked for in the system as it is now. Every save is a new version.",
		errors: []int{400, 403, 404, 409, 412, 413, 415, 422, 429, 502, 503, 504},
	})
	ifMatch := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	op.Parameters = append(op.Parameters, systemParameter(), modelParameter(),
		ifMatch("If-Match", "The ETag of the version that this one follows; another one is refused with 412"),
		ifMatch("If-None-Match", "* saves only if there is no mapping of one's own yet"))
	a.document(op, reflect.TypeFor[mappingRequest](), reflect.TypeFor[mappingSaved]())
	a.takesYAML(op.Method, path, exampleMapping)
	a.echo.PUT(echoPath(path), a.putMapping)
}

const exampleMapping = "mapping: contact\nsystem: odoo\nextends: true\nfields:\n  reference: {path: x_customer_number}\n"

func modelParameter() *huma.Param {
	return &huma.Param{
		Name: "model", In: "path", Required: true, Description: "The universal model", Example: "contact",
		Schema: &huma.Schema{Type: huma.TypeString},
	}
}

// takesYAML lets the body of an operation on mappings be YAML too.
func (a *API) takesYAML(method, path, example string) {
	a.yaml[method+" "+echoPath(path)] = true
	item := a.huma.OpenAPI().Paths[path]
	op := map[string]*huma.Operation{http.MethodPut: item.Put, http.MethodPost: item.Post}[method]
	op.RequestBody.Content["application/yaml"] = &huma.MediaType{
		Schema:  &huma.Schema{Type: huma.TypeString, Description: "The mapping"},
		Example: example,
	}
	// These speak no version of Odoo.
	op.Responses["200"].Headers = nil
	if method == http.MethodPut {
		op.Responses["200"].Headers = map[string]*huma.Param{"ETag": {Description: "Of the version that was saved", Schema: &huma.Schema{Type: huma.TypeString}}}
	}
}
