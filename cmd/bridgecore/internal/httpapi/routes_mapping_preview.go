package httpapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
)

// previewRequest is the body of a preview.
type previewRequest struct {
	Mapping   json.RawMessage    `json:"mapping,omitempty" doc:"A mapping that is not saved, as YAML in a text or as an object; the one in use unless given"`
	Direction mappings.Direction `json:"direction,omitempty" enum:"to_universal,to_system,both" doc:"to_universal, the default: the system's records in universal words. to_system: a universal record, in record, as it would be written. both: to universal words, and back as an update would write them"`
	Record    json.RawMessage    `json:"record,omitempty" doc:"A record to try it on, in place of the system's: in the system's words, or with to_system in universal ones"`
	RecordIDs bridge.IDs         `json:"record_ids,omitempty" doc:"The system's records to try it on"`
	Domain    json.RawMessage    `json:"domain,omitempty" doc:"Which records of the system to try it on, in universal words; the first ones unless given"`
	Limit     int                `json:"limit,omitempty" minimum:"1" maximum:"50" doc:"How many records; 5 unless given"`
	Operation string             `json:"operation,omitempty" enum:"create,update" doc:"to_system: what is written; create unless given"`
	Unmapped  string             `json:"unmapped,omitempty" enum:"drop,extra,refuse" doc:"What becomes of fields that the mapping does not have: left out with a warning (drop, the default), kept under extra, or refused"`
}

type previewOutput struct {
	Success     bool               `json:"success" doc:"Whether every record could be mapped"`
	SystemID    string             `json:"system_id" example:"odoo_main"`
	Model       string             `json:"model" example:"contact"`
	SystemModel string             `json:"system_model" example:"res.partner"`
	Records     []mappings.Preview `json:"records" nullable:"false"`
	Findings    []string           `json:"findings" nullable:"false" doc:"What is doubtful about the mapping, held against the system as it is now"`
}

const (
	defaultPreview = 5
	mostPreview    = 50
)

var previewShape = shapeOf[previewRequest]()

func (a *API) previewMapping(c *echo.Context) error {
	if err := a.identify(c, false); err != nil {
		return err
	}
	r := c.Request()
	ctx, model := r.Context(), c.Param("model")
	stored, err := a.mapped(ctx, c.Param("system_id"))
	if err != nil {
		return err
	}
	request, text, err := a.previewBody(r)
	if err != nil {
		return err
	}
	sys, err := a.system(ctx, stored.SystemID)
	if err != nil {
		return err
	}
	beside, err := a.Store.Mappings(ctx, stored.TenantID, stored.ID)
	if err != nil {
		return err
	}
	trial := mappings.Trial{
		Draft:     mappings.Draft{Kind: stored.Kind, Model: model, Source: text, Beside: beside},
		Direction: request.Direction, IDs: request.RecordIDs, Domain: request.Domain, Limit: request.Limit,
		Update: request.Operation == "update", Unmapped: unmapped(request.Unmapped),
	}
	if len(request.Record) > 0 {
		if trial.Record, err = adapter.DecodeRecord(request.Record); err != nil || trial.Record == nil {
			return invalid("record", "must be an object of values by field")
		}
	}
	got, err := a.Mappings.Preview(ctx, sys, trial)
	if err != nil {
		return mappingProblem(err)
	}
	return writeJSON(c.Response(), previewOutput{
		Success: got.OK(), SystemID: stored.SystemID, Model: model, SystemModel: got.SystemModel,
		Records: append([]mappings.Preview{}, got.Records...), Findings: append([]string{}, got.Findings...),
	})
}

// previewBody reads and checks the body of a preview.
func (a *API) previewBody(r *http.Request) (request previewRequest, text string, err error) {
	body, err := a.readBody(r)
	if err != nil {
		return request, "", err
	}
	if isYAML(r.Header.Get("Content-Type")) {
		request.Limit, request.Direction = defaultPreview, mappings.ToUniversal
		return request, string(body), nil
	}
	if _, err := previewShape.decode(body, &request); err != nil {
		return request, "", err
	}
	if text, err = mappingText(request.Mapping); err != nil {
		return request, "", err
	}
	return request, text, request.check()
}

func (request *previewRequest) check() error {
	one := func(name, value string, of ...string) error {
		for _, known := range of {
			if value == known || value == "" {
				return nil
			}
		}
		return invalid(name, "must be one of %s", strings.Join(of, ", "))
	}
	if request.Direction == "" {
		request.Direction = mappings.ToUniversal
	}
	if request.Limit == 0 {
		request.Limit = defaultPreview
	}
	for _, err := range []error{
		one("direction", string(request.Direction), string(mappings.ToUniversal), string(mappings.ToSystem), string(mappings.Both)),
		one("operation", request.Operation, "create", "update"),
		one("unmapped", request.Unmapped, "drop", "extra", "refuse"),
	} {
		if err != nil {
			return err
		}
	}
	hasDomain, hasRecord := len(request.Domain) > 0, len(request.Record) > 0
	switch {
	case request.Limit < 1 || request.Limit > mostPreview:
		return invalid("limit", "must be from 1 to %d", mostPreview)
	case len(request.RecordIDs) > mostPreview:
		return invalid("record_ids", "must not be more than %d", mostPreview)
	case hasRecord && (hasDomain || request.RecordIDs != nil), hasDomain && request.RecordIDs != nil:
		return invalid("record", "give record, record_ids or domain, one of them")
	case request.Direction == mappings.ToSystem && !hasRecord:
		return invalid("record", "is missing: to_system needs a universal record")
	case request.Operation != "" && request.Direction != mappings.ToSystem:
		return invalid("operation", "goes with the direction to_system alone")
	}
	return nil
}

func (a *API) registerPreview(path string) {
	op := a.operation(route{
		id: "previewMapping", method: http.MethodPost, path: path, tag: "Mappings",
		summary:     "Try a mapping",
		description: "On records of the system as they are now, or on one in the request; with a mapping that is not saved yet, or the one in use. Nothing is written.",
		errors:      []int{400, 403, 404, 413, 415, 422, 429, 501, 502, 503, 504},
	})
	op.Parameters = append(op.Parameters, systemParameter(), modelParameter())
	a.document(op, reflect.TypeFor[previewRequest](), reflect.TypeFor[previewOutput]())
	a.takesYAML(op.Method, path, exampleMapping)
	a.echo.POST(echoPath(path), a.previewMapping)
}
