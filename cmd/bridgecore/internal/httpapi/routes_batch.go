package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

// maxOperations is how many operations a batch may have.
const maxOperations = 1000

// batchRequest is the body of /batch/execute.
type batchRequest struct {
	SystemID    string            `json:"system_id,omitempty" doc:"The system, where an operation names no other" example:"odoo_main"`
	Operations  []json.RawMessage `json:"operations" doc:"What to do, in this order: 1000 operations at most"`
	StopOnError bool              `json:"stop_on_error,omitempty" doc:"Try nothing after the first operation that fails. What was done stays done: a batch is no transaction"`

	Universal
}

// batchOperation is one operation of a batch, as the description has it. Those
// with an action are decoded as the body of /crud, those with an operation as
// that of /odoo/{operation}.
type batchOperation struct {
	SystemID  string          `json:"system_id,omitempty" doc:"The system, if not the batch's"`
	Action    string          `json:"action,omitempty" enum:"create,read,update,delete" doc:"What to do, with the members that /crud takes for it"`
	Operation string          `json:"operation,omitempty" doc:"Instead of action: an Odoo operation such as search_read or call_kw, with the members that /odoo/{operation} takes"`
	Model     string          `json:"model" doc:"The model" example:"res.partner"`
	Data      json.RawMessage `json:"data,omitempty" doc:"create, update: values by field"`
	RecordID  adapter.ID      `json:"record_id,omitzero" doc:"update, delete: the record's id"`
}

type batchOutput struct {
	Success    bool          `json:"success" doc:"Whether all operations succeeded"`
	Total      int           `json:"total" doc:"Operations in the request" example:"2"`
	Successful int           `json:"successful" example:"2"`
	Succeeded  int           `json:"succeeded" doc:"The same as successful, for older clients" example:"2"`
	Failed     int           `json:"failed" example:"0"`
	Skipped    int           `json:"skipped,omitempty" doc:"Operations that were not tried"`
	Results    []batchResult `json:"results" nullable:"false" doc:"One for each operation, in the order of the request"`
}

type batchResult struct {
	Success    bool              `json:"success"`
	Action     string            `json:"action" doc:"The action, or the operation" example:"create"`
	Model      string            `json:"model" example:"res.partner"`
	SystemID   string            `json:"system_id,omitempty" doc:"The system, if not the batch's"`
	RecordID   adapter.ID        `json:"record_id,omitzero" doc:"create, update, delete: the record"`
	Data       any               `json:"data,omitempty" doc:"create, update: the id and the values that were sent. read: the records. An operation: its result"`
	Message    string            `json:"message,omitempty"`
	Skipped    bool              `json:"skipped,omitempty" doc:"It was not tried"`
	Error      *ProblemInfo      `json:"error,omitempty"`
	Truncated  bool              `json:"truncated,omitempty"`
	NextCursor string            `json:"next_cursor,omitempty"`
	Warnings   []adapter.Warning `json:"warnings,omitempty"`
}

var batchShape = shapeOf[batchRequest]()

// plannedOperation is a decoded operation of a batch.
type plannedOperation struct {
	item     bridge.BatchItem
	action   string
	systemID string // if not the batch's
	crud     *crudRequest
}

func (a *API) runBatch(c *echo.Context) error {
	if err := a.identify(c, false); err != nil {
		return err
	}
	if err := a.limited(callFrom(c.Request().Context()), limit.Batch); err != nil {
		return err
	}
	body, err := a.readBody(c.Request())
	if err != nil {
		return err
	}
	var request batchRequest
	given, err := batchShape.decode(body, &request)
	if err != nil {
		return err
	}
	switch {
	case !slices.Contains(given, "operations"):
		return invalid("operations", "is missing: a list of operations")
	case len(request.Operations) == 0:
		return invalid("operations", "is empty")
	case len(request.Operations) > maxOperations:
		return invalid("operations", "has %d operations; a batch may have %d", len(request.Operations), maxOperations)
	}
	callFrom(c.Request().Context()).noted("batch", true).systemID = request.SystemID
	b := batchPlan{api: a, c: c, request: &request, systems: map[spokenSystem]*bridge.System{}}
	planned := make([]plannedOperation, len(request.Operations))
	items := make([]bridge.BatchItem, len(request.Operations))
	for i, raw := range request.Operations {
		if len(raw) == 0 || raw[0] != '{' {
			return invalid(fmt.Sprintf("operations[%d]", i), "must be an object such as {\"action\": \"read\", \"model\": \"res.partner\"}")
		}
		// All are looked over before the first is done.
		if planned[i], err = b.operation(raw); err != nil {
			return atOperation(err, i)
		}
		items[i] = planned[i].item
	}
	results := bridge.Batch(c.Request().Context(), items, request.StopOnError)
	return writeJSON(c.Response(), b.answer(planned, results))
}

// atOperation says which operation of the batch an error is about.
func atOperation(err error, i int) error {
	p := problemOf(err)
	at := fmt.Sprintf("operations[%d]", i)
	p.Detail = at + ": " + p.Detail
	p.Message, p.Info.Message = p.Detail, p.Detail
	for j := range p.Info.Details {
		if field := p.Info.Details[j].Field; field != "" {
			p.Info.Details[j].Field = at + "." + field
		}
	}
	if len(p.Info.Details) == 0 {
		p.Info.Details = []ProblemDetail{{Field: at, Message: p.Detail}}
	}
	return p
}

// batchPlan is a batch being looked over.
type batchPlan struct {
	api     *API
	c       *echo.Context
	request *batchRequest
	systems map[spokenSystem]*bridge.System
}

// operation decodes one operation.
func (b *batchPlan) operation(raw json.RawMessage) (plannedOperation, error) {
	var p plannedOperation
	var action, operation string
	rest := []byte{'{'}
	err := members(raw, func(name []byte, value json.RawMessage) error {
		switch string(name) {
		case "system_id":
			return unfitMember("system_id", value, &p.systemID)
		case "action":
			if err := unfitMember("action", value, &action); err != nil {
				return err
			}
		case "operation":
			return unfitMember("operation", value, &operation)
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		key, err := json.Marshal(string(name))
		if err != nil {
			return err
		}
		rest = append(append(append(rest, key...), ':'), value...)
		return nil
	})
	if err != nil {
		return p, err
	}
	rest = append(rest, '}')
	id := p.systemID
	if id == b.request.SystemID {
		p.systemID = ""
	}
	if id == "" {
		id = b.request.SystemID
	}
	switch {
	case id == "":
		return p, invalid("system_id", "is missing, here and in the batch")
	case action != "" && operation != "":
		return p, invalid("operation", "give an action or an operation, not both")
	case operation != "":
		p.action = operation
		return p, b.odoo(&p, id, operation, rest)
	}
	p.action = action
	return p, b.record(&p, id, rest)
}

func unfitMember(name string, value json.RawMessage, target *string) error {
	if err := decodeMember(value, target); err != nil {
		return unfit(name, err)
	}
	return nil
}

// odoo is an operation of Odoo's.
func (b *batchPlan) odoo(p *plannedOperation, id, operation string, body []byte) error {
	var request operationRequest
	if _, err := operationShape.decode(body, &request); err != nil {
		return err
	}
	sys, err := b.system(id, request.Universal)
	if err != nil {
		return err
	}
	p.item = bridge.BatchItem{System: sys, Action: bridge.BatchOperation, Operation: operation, Model: request.Model, Request: request.OperationRequest}
	return nil
}

// record is one of the actions of /crud.
func (b *batchPlan) record(p *plannedOperation, id string, body []byte) error {
	request := &crudRequest{}
	given, err := crudShape.decode(body, request)
	if err != nil {
		return err
	}
	if _, err := crudActionOf(request, given); err != nil {
		return err
	}
	sys, err := b.system(id, request.Universal)
	if err != nil {
		return err
	}
	if len(request.Context) > 0 || request.Fallback != "" || request.FillEmpty {
		if sys, err = request.scoped(sys); err != nil {
			return err
		}
	}
	p.crud = request
	p.item = bridge.BatchItem{System: sys, Action: bridge.BatchAction(request.Action), Model: request.Model}
	switch p.item.Action {
	case bridge.BatchRead:
		p.item.Reading, err = request.reading()
	case bridge.BatchDelete:
		p.item.IDs = []adapter.ID{request.RecordID}
	case bridge.BatchUpdate:
		p.item.IDs = []adapter.ID{request.RecordID}
		p.item.Values, err = crudValues(request)
	default:
		p.item.Values, err = crudValues(request)
	}
	return err
}

// system is the same for all operations on it in the same words: that is how
// creations find together. An operation's own words win over the batch's.
func (b *batchPlan) system(id string, own Universal) (*bridge.System, error) {
	if !own.asked() {
		own = b.request.Universal
	}
	key := spokenSystem{id, own}
	if sys := b.systems[key]; sys != nil {
		return sys, nil
	}
	sys, err := b.api.system(b.c.Request().Context(), id)
	if err != nil {
		return nil, err
	}
	version := b.c.Request().Header.Get(versionHeader)
	if own.asked() {
		sys, err = own.of(sys, version)
	} else {
		sys, err = speaking(sys, version, b.c.Response().Header())
	}
	if err != nil {
		return nil, err
	}
	b.systems[key] = sys
	return sys, nil
}

// spokenSystem is a system and the words that are used with it.
type spokenSystem struct {
	id    string
	words Universal
}

func (b *batchPlan) answer(planned []plannedOperation, results []bridge.BatchResult) batchOutput {
	out := batchOutput{Total: len(planned), Results: make([]batchResult, len(planned))}
	for i := range planned {
		p, r := &planned[i], &results[i]
		item := batchResult{
			Success: r.Err == nil, Action: p.action, Model: p.item.Model, SystemID: p.systemID,
			Skipped: r.Skipped, Truncated: r.Answer.Truncated, Warnings: r.Warnings,
		}
		switch {
		case r.Skipped:
			out.Skipped++
		case r.Err != nil:
			out.Failed++
		default:
			out.Successful++
		}
		switch {
		case r.Skipped:
			item.Message = problemOf(r.Err).Message
		case r.Err != nil:
			item.Error = b.problem(r.Err)
		default:
			b.fill(&item, p, r)
		}
		out.Results[i] = item
	}
	out.Succeeded, out.Success = out.Successful, out.Successful == out.Total
	return out
}

func (b *batchPlan) problem(err error) *ProblemInfo {
	info := problemOf(err).Info
	if c := callFrom(b.c.Request().Context()); c != nil {
		info.RequestID = c.requestID
	}
	return &info
}

// fill gives an operation that succeeded what it yields.
func (b *batchPlan) fill(item *batchResult, p *plannedOperation, r *bridge.BatchResult) {
	switch p.item.Action {
	case bridge.BatchCreate, bridge.BatchUpdate:
		if item.RecordID = r.ID; p.item.Action == bridge.BatchUpdate {
			item.RecordID = p.crud.RecordID
		}
		values := maps.Clone(p.item.Values)
		if values == nil {
			values = adapter.Record{}
		}
		values["id"] = item.RecordID
		item.Data = values
	case bridge.BatchDelete:
		item.RecordID, item.Message = p.crud.RecordID, "Record deleted successfully"
	default:
		item.Data = r.Answer.Result
		if r.Answer.Truncated || p.crud != nil && p.crud.Cursor != nil {
			item.NextCursor = r.Answer.NextCursor
		}
	}
}

func (a *API) registerBatch() {
	const path = "/api/v1/batch/execute"
	op := a.operation(route{
		id: "batch", method: http.MethodPost, path: path, tag: "Records",
		summary: "Do many operations in one request",
		description: "In their order, on one or several models and systems. The status is 200 whatever became of them: each has a result of its own. " +
			"A request that is wrong itself (a member that does not exist, a system that is not there) is refused before anything is done. " +
			"Consecutive creations on one model go out together, and a bad one does not hinder the others; consecutive reads run at the same time.",
		errors: []int{400, 404, 413, 415, 422, 429, 501, 502, 503, 504},
	})
	op.Parameters = append(op.Parameters, versionParameter())
	schemas := a.huma.OpenAPI().Components.Schemas
	a.document(op, reflect.TypeFor[batchRequest](), reflect.TypeFor[batchOutput](), map[string]example{
		"create two": {
			request: `{"system_id":"odoo_main","operations":[{"model":"res.partner","action":"create","data":{"name":"Customer 1","email":"c1@example.com"}},{"model":"res.partner","action":"create","data":{"name":"Customer 2","email":"c2@example.com"}}],"stop_on_error":false}`,
			answer:  `{"success":true,"total":2,"successful":2,"succeeded":2,"failed":0,"results":[{"success":true,"action":"create","model":"res.partner","record_id":123,"data":{"id":123,"name":"Customer 1","email":"c1@example.com"}},{"success":true,"action":"create","model":"res.partner","record_id":124,"data":{"id":124,"name":"Customer 2","email":"c2@example.com"}}]}`,
		},
	})
	// The operations are decoded one by one; this is what each may hold.
	items := schemas.Schema(reflect.TypeFor[batchOperation](), true, "BatchOperation")
	if ref := schemas.SchemaFromRef(schemas.Schema(reflect.TypeFor[batchRequest](), true, "Request").Ref); ref != nil && ref.Properties["operations"] != nil {
		ref.Properties["operations"].Items = items
	}
	a.echo.POST(echoPath(path), a.runBatch)
}
