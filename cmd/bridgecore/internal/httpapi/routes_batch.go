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
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

// How many operations a batch may have, while the caller waits and otherwise.
const (
	maxOperations      = 1000
	maxAsyncOperations = 10_000
)

// batchRequest is the body of /batch/execute.
type batchRequest struct {
	SystemID    string            `json:"system_id,omitempty" doc:"The system, where an operation names no other" example:"odoo_main"`
	Operations  []json.RawMessage `json:"operations" doc:"What to do, in this order: 1000 operations at most, 10000 with async"`
	StopOnError bool              `json:"stop_on_error,omitempty" doc:"Try nothing after the first operation that fails. What was done stays done: a batch is no transaction"`
	Async       bool              `json:"async,omitempty" doc:"Answer 202 at once and do it in the background: see /operations. A batch may then have 10000 operations"`

	Universal
}

// batchOperation is one operation of a batch, as the description has it. Those
// with an action are decoded as the body of /crud, those with an operation as
// that of /odoo/{operation}.
type batchOperation struct {
	SystemID  string          `json:"system_id,omitempty" doc:"The system, if not the batch's"`
	Action    string          `json:"action,omitempty" enum:"create,read,update,delete,upsert" doc:"What to do, with the members that /crud takes for it"`
	Operation string          `json:"operation,omitempty" doc:"Instead of action: an Odoo operation such as search_read or call_kw, with the members that /odoo/{operation} takes"`
	Model     string          `json:"model" doc:"The model" example:"res.partner"`
	Data      json.RawMessage `json:"data,omitempty" doc:"create, update, upsert: values by field"`
	Key       string          `json:"key,omitempty" doc:"upsert: what the record is found by"`
	KeyValue  string          `json:"key_value,omitempty" doc:"upsert: the value of key"`
	RecordID  adapter.ID      `json:"record_id,omitzero" doc:"update, delete: the record's id"`
	IfMatch   string          `json:"if_match,omitempty" doc:"update, delete, write, unlink: the etag that the record must still have"`
}

type batchOutput struct {
	Success    bool          `json:"success" doc:"Whether all operations succeeded"`
	Total      int           `json:"total" doc:"Operations in the request" example:"2"`
	Successful int           `json:"successful" example:"2"`
	Succeeded  int           `json:"succeeded" doc:"The same as successful, for older clients" deprecated:"true" example:"2"`
	Failed     int           `json:"failed" example:"0"`
	Skipped    int           `json:"skipped,omitempty" doc:"Operations that were not tried"`
	Results    []batchResult `json:"results" nullable:"false" doc:"One for each operation, in the order of the request"`
}

type batchResult struct {
	Success    bool              `json:"success"`
	Action     string            `json:"action" doc:"The action, or the operation" example:"create"`
	Model      string            `json:"model" example:"res.partner"`
	SystemID   string            `json:"system_id,omitempty" doc:"The system, if not the batch's"`
	RecordID   adapter.ID        `json:"record_id,omitzero" doc:"create, update, delete, upsert: the record"`
	Created    *bool             `json:"created,omitempty" doc:"upsert: whether the record was created"`
	Data       any               `json:"data,omitempty" doc:"create, update, upsert: the id and the values that were sent. read: the records. An operation: its result"`
	Message    string            `json:"message,omitempty"`
	Skipped    bool              `json:"skipped,omitempty" doc:"It was not tried"`
	Error      *ProblemInfo      `json:"error,omitempty"`
	Truncated  bool              `json:"truncated,omitempty"`
	NextCursor string            `json:"next_cursor,omitempty"`
	Warnings   []adapter.Warning `json:"warnings,omitempty"`
	ETag       string            `json:"etag,omitempty" doc:"read with etag: the record's tag"`
}

var batchShape = shapeOf[batchRequest]()

// plannedOperation is a decoded operation of a batch.
type plannedOperation struct {
	item     *bridge.BatchItem
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
	b := batchPlan{
		open:    func(id string) (*bridge.System, error) { return a.translated(c.Request().Context(), id) },
		words:   wordsFor(c.Request()),
		version: c.Request().Header.Get(versionHeader), header: c.Response().Header(), requestID: callFrom(c.Request().Context()).requestID,
	}
	if err := b.decode(body); err != nil {
		return err
	}
	if c.Request().Header.Get("If-Match") != "" {
		return invalid("If-Match", "is one record's: give if_match in the operations that it is for")
	}
	callFrom(c.Request().Context()).noted("batch", true).systemID = b.request.SystemID
	planned, items, err := b.plan(all(len(b.request.Operations)))
	if err != nil {
		return err
	}
	if b.request.Async {
		return a.startBatch(c, &b, body)
	}
	results := bridge.Batch(c.Request().Context(), items, b.request.StopOnError)
	return writeJSON(c.Response(), b.answer(planned, results))
}

// decode reads the request apart from its operations.
func (b *batchPlan) decode(body []byte) error {
	given, err := batchShape.decode(body, &b.request)
	if err != nil {
		return err
	}
	most := maxOperations
	if b.request.Async {
		most = maxAsyncOperations
	}
	switch n := len(b.request.Operations); {
	case !slices.Contains(given, "operations"):
		return invalid("operations", "is missing: a list of operations")
	case n == 0:
		return invalid("operations", "is empty")
	case n > maxAsyncOperations:
		return invalid("operations", "has %d operations; a batch may have %d, or %d with \"async\": true", n, maxOperations, maxAsyncOperations)
	case n > most:
		return invalid("operations", "has %d operations; a batch may have %d, or %d with \"async\": true", n, most, maxAsyncOperations)
	}
	return nil
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// plan decodes some of the operations, all of them before the first is done.
func (b *batchPlan) plan(which []int) ([]plannedOperation, []bridge.BatchItem, error) {
	planned := make([]plannedOperation, len(which))
	items := make([]bridge.BatchItem, len(which))
	for i, at := range which {
		raw := b.request.Operations[at]
		if len(raw) == 0 || raw[0] != '{' {
			return nil, nil, invalid(fmt.Sprintf("operations[%d]", at), "must be an object such as {\"action\": \"read\", \"model\": \"res.partner\"}")
		}
		planned[i].item = &items[i]
		if err := b.operation(&planned[i], raw); err != nil {
			return nil, nil, atOperation(err, at)
		}
	}
	return planned, items, nil
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
	open      func(id string) (*bridge.System, error) // for the caller
	version   string                                  // in whose words the request is
	header    http.Header                             // of the answer
	words     *i18n.Words                             // of the answer; nil for English
	requestID string

	request batchRequest
	systems map[spokenSystem]*bridge.System
}

// say are the words of the answer.
func (b *batchPlan) say() *i18n.Words {
	if b.words == nil {
		return i18n.For()
	}
	return b.words
}

// noRequest stands for the header If-Match, which a batch does not have.
var noRequest = &http.Request{}

// operation decodes one operation.
func (b *batchPlan) operation(p *plannedOperation, raw json.RawMessage) error {
	var action, operation string
	err := members(raw, func(name []byte, value json.RawMessage) error {
		switch string(name) {
		case "system_id":
			return unfitMember("system_id", value, &p.systemID)
		case "action":
			return unfitMember("action", value, &action)
		case "operation":
			return unfitMember("operation", value, &operation)
		}
		return nil
	})
	if err != nil {
		return err
	}
	id := p.systemID
	if id == b.request.SystemID {
		p.systemID = ""
	}
	if id == "" {
		id = b.request.SystemID
	}
	switch {
	case id == "":
		return invalid("system_id", "is missing, here and in the batch")
	case action != "" && operation != "":
		return invalid("operation", "give an action or an operation, not both")
	case operation != "":
		p.action = operation
		return b.odoo(p, id, operation, raw)
	}
	p.action = action
	return b.record(p, id, raw)
}

// besides are the members of an operation that the bodies of its own route do
// not have.
var besides = []string{"system_id", "operation"}

func unfitMember(name string, value json.RawMessage, target *string) error {
	if err := decodeMember(value, target); err != nil {
		return unfit(name, err)
	}
	return nil
}

// odoo is an operation of Odoo's.
func (b *batchPlan) odoo(p *plannedOperation, id, operation string, body []byte) error {
	var request operationRequest
	_, err := operationShape.decode(body, &request, besides...)
	if err != nil {
		return err
	}
	if request.IfMatch, err = conditionOf(noRequest, request.IfMatch); err != nil {
		return err
	}
	sys, err := b.system(id, request.Universal)
	if err != nil {
		return err
	}
	*p.item = bridge.BatchItem{System: sys, Action: bridge.BatchOperation, Operation: operation, Model: request.Model, Request: request.OperationRequest}
	return nil
}

// record is one of the actions of /crud.
func (b *batchPlan) record(p *plannedOperation, id string, body []byte) error {
	request := &crudRequest{}
	given, err := crudShape.decode(body, request, besides...)
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
	*p.item = bridge.BatchItem{System: sys, Action: bridge.BatchAction(request.Action), Model: request.Model}
	if p.item.IfMatch, err = conditionOf(noRequest, request.IfMatch); err != nil {
		return err
	}
	switch p.item.Action {
	case bridge.BatchRead:
		p.item.Reading, err = request.reading()
	case bridge.BatchDelete:
		p.item.IDs = []adapter.ID{request.RecordID}
	case bridge.BatchUpdate:
		p.item.IDs = []adapter.ID{request.RecordID}
		p.item.Values, err = crudValues(request)
	default:
		p.item.Key, p.item.KeyValue = request.Key, request.KeyValue
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
	sys, err := b.open(id)
	if err != nil {
		return nil, err
	}
	if own.asked() {
		sys, err = own.of(sys, b.version)
	} else {
		sys, err = speaking(sys, b.version, b.header)
	}
	if err != nil {
		return nil, err
	}
	if b.systems == nil {
		b.systems = map[spokenSystem]*bridge.System{}
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
		out.Results[i] = b.item(&planned[i], &results[i])
		out.count(&out.Results[i])
	}
	out.Succeeded, out.Success = out.Successful, out.Successful == out.Total
	return out
}

// count adds an item to the sums.
func (o *batchOutput) count(item *batchResult) {
	switch {
	case item.Skipped:
		o.Skipped++
	case !item.Success:
		o.Failed++
	default:
		o.Successful++
	}
}

// item is what became of an operation.
func (b *batchPlan) item(p *plannedOperation, r *bridge.BatchResult) batchResult {
	item := batchResult{
		Success: r.Err == nil, Action: p.action, Model: p.item.Model, SystemID: p.systemID,
		Skipped: r.Skipped, Truncated: r.Answer.Truncated, Warnings: r.Warnings,
	}
	switch {
	case r.Skipped:
		item.Message = b.problem(r.Err).Message
	case r.Err != nil:
		item.Error = b.problem(r.Err)
	default:
		b.fill(&item, p, r)
	}
	return item
}

func (b *batchPlan) problem(err error) *ProblemInfo {
	p := problemOf(err)
	p.translate(b.say())
	info := p.Info
	info.RequestID = b.requestID
	return &info
}

// fill gives an operation that succeeded what it yields.
func (b *batchPlan) fill(item *batchResult, p *plannedOperation, r *bridge.BatchResult) {
	switch p.item.Action {
	case bridge.BatchCreate, bridge.BatchUpdate, bridge.BatchUpsert:
		if p.item.Action == bridge.BatchUpsert {
			item.Created = &r.Created
		}
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
		item.RecordID, item.Message = p.crud.RecordID, b.say().T(recordDeleted)
	default:
		item.Data = r.Answer.Result
		if r.Answer.ETag != "" {
			item.ETag = bare(answerTag(&r.Answer))
		}
		if r.Answer.Truncated || p.crud != nil && p.crud.Cursor != nil {
			item.NextCursor = r.Answer.NextCursor
		}
	}
}

func (a *API) registerBatch() {
	const path = "/api/v1/batch/execute"
	op := a.operation(route{
		id: "executeBatch", method: http.MethodPost, path: path, tag: "Records",
		summary: "Do many operations in one request",
		description: "In their order, on one or several models and systems. The status is 200 whatever became of them: each has a result of its own. " +
			"A request that is wrong itself (a member that does not exist, a system that is not there) is refused before anything is done. " +
			"Consecutive creations on one model go out together, and a bad one does not hinder the others; consecutive reads run at the same time.",
		errors: []int{400, 404, 413, 415, 422, 429, 501, 502, 503, 504},
	})
	op.Parameters = append(op.Parameters, versionParameter())
	op.Description += " With async the answer is 202 at once, and the batch is done in the background."
	schemas := a.huma.OpenAPI().Components.Schemas
	a.document(op, reflect.TypeFor[batchRequest](), reflect.TypeFor[batchOutput]())
	a.huma.OpenAPI().Paths[path].Post.Responses["202"] = a.acceptedResponse()
	// The operations are decoded one by one; this is what each may hold.
	items := schemas.Schema(reflect.TypeFor[batchOperation](), true, "BatchOperation")
	if ref := schemas.SchemaFromRef(schemas.Schema(reflect.TypeFor[batchRequest](), true, "Request").Ref); ref != nil && ref.Properties["operations"] != nil {
		ref.Properties["operations"].Items = items
	}
	a.echo.POST(echoPath(path), a.runBatch)
}
