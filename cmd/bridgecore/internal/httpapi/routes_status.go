package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/cespare/xxhash/v2"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

type fieldsInput struct {
	SystemPath
	Model     string `query:"model" required:"true" minLength:"1" maxLength:"255" doc:"The model to describe" example:"res.partner"`
	Universal bool   `query:"use_universal_schema" doc:"model is a universal model, described as the system has it"`
}

type fieldsOutput struct {
	SystemID string          `json:"system_id" example:"odoo_main"`
	Model    string          `json:"model" example:"res.partner"`
	Fields   json.RawMessage `json:"fields" doc:"Each field with what the system tells of it: Odoo's fields_get, and of others the same in its words"`
	Cached   bool            `json:"cached" doc:"Whether it was kept from an earlier request"`
}

// taggedFields have a tag of the fields alone: that they were kept changes
// nothing.
type taggedFields struct {
	ETag string `header:"ETag" doc:"Of the fields"`
	Body fieldsOutput
}

func (a *API) registerStatus() {
	const tag, path = "Systems", "/api/v1/systems/{system_id}"

	register(a, route{
		id: "getSystemStatus", method: http.MethodGet, path: path + "/status", tag: tag,
		summary: "Condition of a system",
		description: "Asks the system whether it is there, and tells its version and transport, the state of the circuit breaker " +
			"(closed, open or half_open), and the figures of its connections and its cache. A system that is down is answered with 200 too: see health.",
		errors: []int{403, 404},
	}, func(ctx context.Context, in *SystemPath) (*body[bridge.Status], error) {
		sys, err := a.system(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		return &body[bridge.Status]{sys.Status(ctx)}, nil
	})

	register(a, route{
		id: "getSystemFields", method: http.MethodGet, path: path + "/fields", tag: tag,
		summary: "Fields of a model", description: "As the system's user sees them.",
		errors: []int{403, 404, 422, 429, 502, 503, 504},
	}, func(ctx context.Context, in *fieldsInput) (*taggedFields, error) {
		sys, err := a.translated(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		if in.Universal {
			if sys, err = sys.Universal(bridge.UniversalOptions{}); err != nil {
				return nil, err
			}
		}
		fields, cached, err := fieldsOf(ctx, sys, in.Model)
		if err != nil {
			return nil, err
		}
		return &taggedFields{weakTag(xxhash.Sum64(fields)), fieldsOutput{in.SystemID, in.Model, fields, cached}}, nil
	})
}

// fieldsOf describes a model's fields: in Odoo's own words where it is one.
func fieldsOf(ctx context.Context, sys *bridge.System, model string) (fields json.RawMessage, cached bool, err error) {
	if sys.Kind() == systems.Odoo && !sys.IsUniversal() {
		answer, err := sys.Operation(ctx, "fields_get", bridge.OperationRequest{Model: model})
		return answer.Result, answer.Cached, err
	}
	answer, err := sys.Fields(ctx, model)
	if err != nil {
		return nil, false, err
	}
	var schema struct {
		Fields json.RawMessage `json:"fields"`
	}
	err = json.Unmarshal(answer.Result, &schema)
	return schema.Fields, answer.Cached, err
}
