package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

const operationsPath = "/api/v1/operations"

// The kinds of operations.
const (
	kindBatch   = "batch"
	kindMigrate = "migrate"
	kindReport  = "report"
	kindSync    = "sync"
)

// startedOperation is the answer to a request with "async": true.
type startedOperation struct {
	Success     bool                 `json:"success"`
	OperationID string               `json:"operation_id" example:"0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10"`
	State       store.OperationState `json:"state" example:"queued"`
	StatusURL   string               `json:"status_url" doc:"Where to see how it goes; /events below it tells every change, /result is what it yields" example:"/api/v1/operations/0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10"`
}

// accepted is an answer that may be one of two.
type accepted struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

// OperationPath names an operation.
type OperationPath struct {
	ID string `path:"operation_id" maxLength:"64" doc:"The operation_id that it was started with" example:"0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10"`
}

type operationsInput struct {
	Kind   string `query:"kind" maxLength:"32" doc:"Only of this kind: batch, migrate, report, sync" example:"batch"`
	State  string `query:"state" enum:"queued,running,succeeded,failed,cancelled" doc:"Only in this state" example:"running"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of an earlier answer"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most this many"`
}

type operationList struct {
	Operations []taskOutput `json:"operations" nullable:"false" doc:"The newest first: the caller's own, an admin's whole tenant's"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Send it as cursor for older ones; absent at the end"`
}

type taskOutput struct {
	ID         string               `json:"operation_id" example:"0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10"`
	Kind       string               `json:"kind" example:"batch"`
	State      store.OperationState `json:"state" enum:"queued,running,succeeded,failed,cancelled" example:"running"`
	SystemID   string               `json:"system_id,omitempty" example:"odoo_main"`
	User       string               `json:"user" doc:"Who started it, and as whom it is done" example:"admin"`
	Progress   operationProgress    `json:"progress"`
	Result     json.RawMessage      `json:"result,omitempty" doc:"The sums so far; /result has all of it"`
	Error      *ProblemInfo         `json:"error,omitempty" doc:"Why it failed; of one that is queued again, why it has to wait"`
	Attempts   int64                `json:"attempts" doc:"Temporary failures in a row" example:"0"`
	Cancelling bool                 `json:"cancelling,omitempty" doc:"It is about to be cancelled"`
	ResultURL  string               `json:"result_url,omitempty" doc:"Once it has ended"`
	CreatedAt  time.Time            `json:"created_at"`
	StartedAt  *time.Time           `json:"started_at,omitempty"`
	FinishedAt *time.Time           `json:"finished_at,omitempty"`
	NextAt     *time.Time           `json:"next_attempt_at,omitempty" doc:"Of one that waits after a failure"`
	ExpiresAt  *time.Time           `json:"expires_at,omitempty" doc:"It is deleted then, with its result"`
}

type operationProgress struct {
	Done    int64   `json:"done" example:"250"`
	Total   int64   `json:"total" example:"1000"`
	Percent float64 `json:"percent" example:"25"`
	Message string  `json:"message,omitempty" example:"250 of 1000 done, 3 failed"`
}

// operationAnswer tells of an operation in the language of whoever reads it.
func operationAnswer(op *store.Operation, words *i18n.Words) taskOutput {
	out := taskOutput{
		ID: op.ID, Kind: op.Kind, State: op.State, SystemID: op.SystemID, User: op.Username, Attempts: op.Attempts,
		Progress:  operationProgress{Done: op.Done, Total: op.Total, Message: words.Kept(op.Message)},
		CreatedAt: op.CreatedAt.UTC(), StartedAt: inUTC(op.StartedAt), FinishedAt: inUTC(op.FinishedAt), ExpiresAt: inUTC(op.ExpiresAt),
		Cancelling: op.Cancel && !op.State.Final(),
	}
	if op.Total > 0 {
		out.Progress.Percent = float64(op.Done*1000/op.Total) / 10
	}
	if op.Result != "" {
		out.Result = json.RawMessage(op.Result)
	}
	if op.Error != "" {
		var info ProblemInfo
		if json.Unmarshal([]byte(op.Error), &info) == nil {
			out.Error = info.translated(words)
		}
	}
	if op.State.Final() {
		out.ResultURL = operationsPath + "/" + op.ID + "/result"
	} else if op.Attempts > 0 {
		out.NextAt = inUTC(&op.NextAt)
	}
	return out
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// registerTasks serves background operations.
func (a *API) registerTasks() {
	const tag, path = "Operations", operationsPath + "/{operation_id}"
	if a.Tasks != nil {
		a.Tasks.Explain = explainOperation
		a.Tasks.Handle(kindBatch, batchExecutor{a})
		a.Tasks.Handle(kindMigrate, migrateExecutor{a})
		a.Tasks.Handle(kindReport, reportExecutor{a})
		a.Tasks.Handle(kindSync, syncExecutor{a})
	}

	register(a, route{
		id: "listOperations", method: http.MethodGet, path: operationsPath, tag: tag,
		summary:     "List background operations",
		description: "What was started with \"async\": true, the newest first: the caller's own; an admin sees the whole tenant's.",
		errors:      []int{422},
	}, func(ctx context.Context, in *operationsInput) (*body[operationList], error) {
		who := callFrom(ctx).identity
		f := store.OperationFilter{TenantID: who.TenantID, Kind: in.Kind, State: store.OperationState(in.State), Before: in.Cursor, Limit: in.Limit + 1}
		if !who.IsAdmin() {
			f.UserID = who.UserID
		}
		list, err := a.Store.Operations(ctx, f)
		if err != nil {
			return nil, err
		}
		out := operationList{Operations: make([]taskOutput, 0, len(list))}
		if len(list) > in.Limit {
			list = list[:in.Limit]
			out.NextCursor = list[in.Limit-1].ID
		}
		words := callFrom(ctx).words()
		for i := range list {
			out.Operations = append(out.Operations, operationAnswer(&list[i], words))
		}
		return &body[operationList]{out}, nil
	})

	register(a, route{
		id: "getOperation", method: http.MethodGet, path: path, tag: tag,
		summary: "See how an operation goes", description: "Its state, its progress, and why it failed if it did.",
		errors: []int{404},
	}, func(ctx context.Context, in *OperationPath) (*body[taskOutput], error) {
		op, err := a.ownOperation(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &body[taskOutput]{operationAnswer(&op, callFrom(ctx).words())}, nil
	})

	register(a, route{
		id: "cancelOperation", method: http.MethodPost, path: path + "/cancel", tag: tag,
		summary:     "Cancel an operation",
		description: "One that runs ends within a second: what was done stays done, and what was being written then has its own outcome in the result. An operation that has ended is 409.",
		errors:      []int{404, 409},
	}, a.operationVerb(func(ctx context.Context, id string) error { return a.tasks().Cancel(ctx, id) }))

	register(a, route{
		id: "retryOperation", method: http.MethodPost, path: path + "/retry", tag: tag,
		summary:     "Retry an operation",
		description: "One that failed or was cancelled goes on from where it stopped. Items that have an outcome keep it. Any other operation is 409.",
		errors:      []int{404, 409},
	}, a.operationVerb(func(ctx context.Context, id string) error { return a.tasks().Retry(ctx, id) }))

	result := a.raw(route{
		id: "operationResult", method: http.MethodGet, path: path + "/result", tag: tag, timeout: a.TransferTimeout, carries: true,
		summary: "Download an operation's result",
		description: "Of a batch or a migration what the request without async would have answered; of one that failed or was cancelled, what was done before. " +
			"Of a report the file, as long as it is kept. While the operation runs it is 409.",
		errors: []int{404, 409, 416},
	}, a.operationResult)
	result.Parameters = append(result.Parameters, &huma.Param{
		Name: "operation_id", In: "path", Required: true, Description: "The operation_id that it was started with", Example: "0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10", Schema: &huma.Schema{Type: huma.TypeString},
	})
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	files := map[string]*huma.MediaType{}
	for _, f := range report.Formats {
		kind, _, _ := strings.Cut(f.MIMEType(), ";")
		files[kind] = binary
	}
	content := maps.Clone(files)
	content[jsonType[0]] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject}, Examples: map[string]*huma.Example{"batch": {Summary: "of a batch", Value: json.RawMessage(
		`{"success":true,"total":1,"successful":1,"succeeded":1,"failed":0,"results":[{"success":true,"action":"create","model":"res.partner","record_id":123,"data":{"id":123,"name":"Customer 1"}}]}`)}}}
	result.Responses = a.answers(result, content)
	result.Responses["206"] = &huma.Response{Description: "The part of a file that Range asks for", Content: files}
	result.Responses["304"] = unchanged
	a.huma.OpenAPI().AddOperation(&result)
	a.registerEvents(tag, path+"/events")
}

// answers are the documented responses of an operation whose success has
// content of its own.
func (a *API) answers(op huma.Operation, content map[string]*huma.MediaType) map[string]*huma.Response {
	out := map[string]*huma.Response{"200": {Description: "OK", Content: content}}
	problem := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, status := range op.Errors {
		out[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	return out
}

// tasks are the engine, or one that changes the store alone.
func (a *API) tasks() operationVerbs {
	if a.Tasks != nil {
		return a.Tasks
	}
	return storeOnly{a.Store}
}

type operationVerbs interface {
	Cancel(ctx context.Context, id string) error
	Retry(ctx context.Context, id string) error
}

// storeOnly leaves it to the workers to notice.
type storeOnly struct{ store *store.Store }

func (s storeOnly) Cancel(ctx context.Context, id string) error {
	return s.store.CancelOperation(ctx, id, 72*time.Hour)
}

func (s storeOnly) Retry(ctx context.Context, id string) error {
	return s.store.RetryOperation(ctx, id)
}

// ownOperation is one that the caller may see. Any other is as a missing one.
func (a *API) ownOperation(ctx context.Context, id string) (store.Operation, error) {
	return a.operationOf(ctx, callFrom(ctx).identity, id)
}

func (a *API) operationOf(ctx context.Context, who *auth.Identity, id string) (store.Operation, error) {
	user := who.UserID
	if who.IsAdmin() {
		user = 0
	}
	return a.Store.OperationOf(ctx, who.TenantID, user, id)
}

// operationVerb changes an operation and answers with what it is then.
func (a *API) operationVerb(do func(ctx context.Context, id string) error) func(context.Context, *OperationPath) (*body[taskOutput], error) {
	return func(ctx context.Context, in *OperationPath) (*body[taskOutput], error) {
		op, err := a.ownOperation(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		callFrom(ctx).note.systemID = op.SystemID
		if err := do(ctx, op.ID); err != nil {
			return nil, err
		}
		if op, err = a.Store.Operation(ctx, op.ID); err != nil {
			return nil, err
		}
		return &body[taskOutput]{operationAnswer(&op, callFrom(ctx).words())}, nil
	}
}

func (a *API) operationResult(c *echo.Context) error {
	call := callFrom(c.Request().Context())
	op, err := a.ownOperation(call, c.Param("operation_id"))
	if err != nil {
		return err
	}
	call.note.systemID = op.SystemID
	call.note.details = map[string]any{"operation_id": op.ID, "kind": op.Kind}
	switch {
	case !op.State.Final():
		return adapter.Errorf(adapter.Conflict, "the operation has not ended yet; its status_url tells how it goes")
	case a.Tasks == nil:
		return adapter.Errorf(adapter.Unsupported, "this server does no background operations")
	}
	got, err := a.Tasks.Result(call, op)
	if err != nil {
		return err
	}
	if got.File != nil {
		defer func() { _ = got.File.Close() }()
		return serveFile(c, served{name: got.Filename, kind: got.ContentType, tag: got.Tag, at: got.At, content: got.File})
	}
	h := c.Response().Header()
	h.Set("Content-Type", got.ContentType)
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", got.Filename))
	c.Response().WriteHeader(http.StatusOK)
	_, _ = c.Response().Write(got.Body) // whoever went away is told nothing
	return nil
}

// start begins an operation as the caller's.
func (a *API) start(ctx context.Context, kind, systemID string, parameters any, total int) (startedOperation, error) {
	return a.startAs(ctx, "", kind, systemID, parameters, total)
}

// startAs is start for an operation whose id is known already.
func (a *API) startAs(ctx context.Context, id, kind, systemID string, parameters any, total int) (startedOperation, error) {
	if a.Tasks == nil {
		return startedOperation{}, &adapter.Error{Code: adapter.Unsupported, Field: "async", Message: "async: this server does no background operations"}
	}
	c := callFrom(ctx)
	b, err := json.Marshal(parameters)
	if err != nil {
		return startedOperation{}, err
	}
	op := store.Operation{
		ID: id, TenantID: c.identity.TenantID, UserID: c.identity.UserID, Username: c.identity.Username,
		Kind: kind, SystemID: systemID, RequestID: c.requestID, Parameters: string(b), Total: int64(total),
	}
	if err := a.Tasks.Submit(ctx, &op); err != nil {
		return startedOperation{}, err
	}
	return startedOperation{true, op.ID, op.State, operationsPath + "/" + op.ID}, nil
}

// registerAsync registers an operation that answers 200 with a migration, or
// 202 with a background operation.
func (a *API) registerAsync(op huma.Operation, handler func(context.Context, *migrateInput) (*accepted, error)) {
	schemas := a.huma.OpenAPI().Components.Schemas
	op.Responses = a.answers(op, map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[migrateOutput](), true, "MigrateOutput")}})
	op.Responses["202"] = a.acceptedResponse()
	huma.Register(a.huma, op, handler)
}

func (a *API) acceptedResponse() *huma.Response {
	return &huma.Response{
		Description: "With async: the operation was started",
		Headers:     map[string]*huma.Param{"Location": {Description: "The same as status_url", Schema: &huma.Schema{Type: huma.TypeString}}},
		Content: map[string]*huma.MediaType{"application/json": {
			Schema:  a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[startedOperation](), true, "StartedOperation"),
			Example: json.RawMessage(`{"success":true,"operation_id":"0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10","state":"queued","status_url":"/api/v1/operations/0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10"}`),
		}},
	}
}

// explainOperation writes an error as the member error of an operation.
func explainOperation(err error, requestID string) string {
	info := problemOf(err).Info
	info.RequestID = requestID
	return jsonText(info)
}

// How often an operation is looked at for whoever follows it, and after how
// long a silence he is told that the connection lives.
const (
	eventPoll      = 250 * time.Millisecond
	eventHeartbeat = 15 * time.Second
)

// registerEvents serves the changes of an operation as server-sent events.
func (a *API) registerEvents(tag, path string) {
	op := a.operation(route{
		id: "operationEvents", method: http.MethodGet, path: path, tag: tag,
		summary: "Follow an operation",
		description: "Server-sent events: `event: progress` while it goes on, at last `event: succeeded`, `failed` or `cancelled`, and the stream ends. " +
			"The data is what GET of the operation answers. Every event has an id; after a broken connection send it as Last-Event-ID, as browsers do by themselves: " +
			"what was seen is not sent again. A comment comes every 15 seconds when there is nothing to tell.",
		errors: []int{404},
	})
	op.Parameters = []*huma.Param{
		{Name: "operation_id", In: "path", Required: true, Description: "The operation_id that it was started with", Example: "0199e0a4-5a0e-7cc0-8f6e-3f2c1b7d9a10", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "Last-Event-ID", In: "header", Description: "The id of the last event that was received", Example: "7", Schema: &huma.Schema{Type: huma.TypeString}},
	}
	op.Responses = a.answers(op, map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "id: 7\nevent: progress\ndata: {\"operation_id\":\"...\",\"state\":\"running\"}\n\n"}})
	a.huma.OpenAPI().AddOperation(&op)
	a.echo.GET(echoPath(path), a.followOperation)
}

func (a *API) followOperation(c *echo.Context) error {
	if err := a.identify(c, false); err != nil {
		return err
	}
	call := callFrom(c.Request().Context())
	call.noted("operationEvents", false)
	if err := a.limited(call, limit.Default); err != nil {
		return err
	}
	id := c.Param("operation_id")
	op, err := a.ownOperation(call, id)
	if err != nil {
		return err
	}
	last, _ := strconv.ParseInt(c.Request().Header.Get("Last-Event-ID"), 10, 64) // none, or not ours: from here on
	// The writers between here and the connection don't pass a flush on.
	w := http.NewResponseController(call.ResponseWriter)
	// A stream outlives the time that other answers may take.
	_ = w.SetWriteDeadline(time.Time{})
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Set(gzhttp.HeaderNoCompression, "true") // it would hold events back
	c.Response().WriteHeader(http.StatusOK)
	s := eventStream{w: c.Response(), flush: w.Flush, last: last, words: call.words()}
	poll, heartbeat := time.NewTicker(eventPoll), time.NewTicker(eventHeartbeat)
	defer poll.Stop()
	defer heartbeat.Stop()
	// The request's own deadline is for answers, not for streams.
	ctx := call.parent
	for {
		if err := s.tell(&op); err != nil || op.State.Final() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-heartbeat.C:
			if a.draining.Load() || s.write(": alive\n\n") != nil {
				return nil // the client comes back to another server
			}
		case <-poll.C:
			if a.draining.Load() {
				return nil
			}
		}
		// Whoever may no longer see it, or log in, is told no more.
		who, err := a.Auth.Identify(ctx, c.Request().Header.Get("Authorization")) //nolint:contextcheck // see above
		if err != nil {
			return nil
		}
		if op, err = a.operationOf(ctx, who, id); err != nil { //nolint:contextcheck // see above
			return nil
		}
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w     http.ResponseWriter
	flush func() error
	last  int64 // the id of the last event
	words *i18n.Words
	begun bool
}

// tell sends the operation if it changed since the last event.
func (s *eventStream) tell(op *store.Operation) error {
	if op.Revision <= s.last && (s.begun || !op.State.Final()) {
		if s.begun {
			return nil
		}
		s.begun = true
		return s.write(": alive\n\n")
	}
	s.last, s.begun = op.Revision, true
	name := "progress"
	if op.State.Final() {
		name = string(op.State)
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", op.Revision, name, bytes.TrimSpace([]byte(jsonText(operationAnswer(op, s.words))))))
}

func (s *eventStream) write(text string) error {
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.flush()
}

var _ operationVerbs = (*task.Engine)(nil)
