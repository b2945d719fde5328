package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// system returns the caller's system.
func (a *API) system(ctx context.Context, id string) (*bridge.System, error) {
	who := callFrom(ctx).identity
	if !who.MayUse(id) {
		return nil, noSystem(id)
	}
	return a.Bridge.System(ctx, callerOf(who), id)
}

// callerOf is somebody as package bridge knows callers.
func callerOf(who *auth.Identity) bridge.Caller {
	return bridge.Caller{
		Tenant:   systems.Tenant(who.TenantID),
		User:     strconv.FormatInt(who.UserID, 10),
		Roles:    []string{string(who.Role)},
		Rules:    who.Rules,
		ReadOnly: who.ReadsOnly(),
	}
}

// noSystem is what a system that the caller may not use is, exactly as one that
// does not exist.
func noSystem(id string) error { return adapter.Errorf(adapter.NotFound, "there is no system %q", id) }

// stored returns the caller's system as it is stored. Whoever reads a system
// from the store comes this way.
func (a *API) stored(ctx context.Context, id string) (store.System, error) {
	who := callFrom(ctx).identity
	if !who.MayUse(id) {
		return store.System{}, noSystem(id)
	}
	return a.Store.System(ctx, who.TenantID, id)
}

// versionHeader names the version in whose words a request is, and its answer.
const versionHeader = "X-Odoo-Version"

// spoken returns the caller's system in the words that the request speaks:
// universal ones, or those of a version, and then says in the answer which that
// is.
func (a *API) spoken(c *echo.Context, universal Universal) (*bridge.System, error) {
	r := c.Request()
	sys, err := a.translated(r.Context(), c.Param("system_id"))
	if err != nil {
		return nil, err
	}
	if universal.asked() {
		return universal.of(sys, r.Header.Get(versionHeader))
	}
	return speaking(sys, r.Header.Get(versionHeader), c.Response().Header())
}

func speaking(sys *bridge.System, version string, answer http.Header) (*bridge.System, error) {
	if version != "" {
		var err error
		if sys, err = sys.As(version); err != nil {
			if e, ok := errors.AsType[*adapter.Error](err); ok && e.Code == adapter.InvalidArgument {
				return nil, invalid(versionHeader, "%s", e.Message)
			}
			return nil, err
		}
	}
	if v := sys.PinnedVersion(); v != "" {
		answer.Set(versionHeader, v)
	}
	return sys, nil
}

func versionParameter() *huma.Param {
	return &huma.Param{
		Name: versionHeader, In: "header", Example: "13.0", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "The version of Odoo in whose words the request is, if that is not the system's own. Models, fields, filters, orders and values " +
			"are translated to the system's version, and the answer back; what differs is in the answer's warnings. A field without counterpart is empty " +
			"when read and left out when written, unless fallback is off: then it is refused, as filters, orders and groupings always are.",
	}
}

func ifMatchParameter() *huma.Param {
	return &huma.Param{
		Name: "If-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "The ETag of a read of the record with etag, or *: the record is changed only if it still has it. The member if_match says the same",
	}
}

func ifNoneMatchParameter() *huma.Param {
	return &huma.Param{
		Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "The ETag of an earlier answer to the same read: if nothing of it differs the answer is 304, without a body, though the method is POST",
	}
}

// answered are the headers of a success of an operation with the parameters.
func answered(params []*huma.Param) map[string]*huma.Param {
	headers := map[string]*huma.Param{versionHeader: {
		Description: "The version in whose words the answer is, if that is not the system's own", Schema: &huma.Schema{Type: huma.TypeString},
	}}
	if slices.ContainsFunc(params, func(p *huma.Param) bool { return p.Name == "If-None-Match" }) {
		headers["ETag"] = &huma.Param{Description: "Of a read: a digest of what was read", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return headers
}

var (
	operationShape    = shapeOf[operationRequest]()
	operationRequests = sync.Pool{New: func() any { return new(operationRequest) }}
)

// operationRequest is the body of an operation.
type operationRequest struct {
	bridge.OperationRequest
	Universal
}

// runOperation answers POST /systems/{system_id}/odoo/{operation}. It goes past
// huma: a kept answer is written as the bytes that it is.
func (a *API) runOperation(c *echo.Context) error {
	if err := a.identify(c, false); err != nil {
		return err
	}
	body, err := a.readBody(c.Request())
	if err != nil {
		return err
	}
	request := operationRequests.Get().(*operationRequest)
	defer func() {
		*request = operationRequest{}
		operationRequests.Put(request)
	}()
	if _, err := operationShape.decode(body, request); err != nil {
		return err
	}
	effect := bridge.EffectOf(c.Param("operation"), request.Method)
	who := callFrom(c.Request().Context())
	action := c.Param("operation")
	if request.Method != "" {
		action = request.Method
	}
	n := who.noted(clipTo(action, 100), effect != bridge.Reads)
	n.systemID, n.model, n.ids = c.Param("system_id"), request.Model, request.IDs
	if err := a.limited(who, classOf(effect)); err != nil {
		return err
	}
	if request.IfMatch, err = conditionOf(c.Request(), request.IfMatch); err != nil {
		return err
	}
	sys, err := a.spoken(c, request.Universal)
	if err != nil {
		return err
	}
	answer, err := sys.Operation(c.Request().Context(), c.Param("operation"), request.OperationRequest)
	if err != nil {
		return err
	}
	if tail := operationTail(&answer); effect == bridge.Reads {
		writeRead(c, &answer, resultHead, tail)
	} else {
		writeParts(c.Response(), resultHead, answer.Result, tail)
	}
	return nil
}

var (
	resultHead = []byte(`{"result":`)
	// The usual ends of an answer: cached or not, optimized or not.
	usualTails = [2][2][]byte{
		{[]byte(`,"cached":false}` + "\n"), []byte(`,"cached":false,"optimized":true}` + "\n")},
		{[]byte(`,"cached":true}` + "\n"), []byte(`,"cached":true,"optimized":true}` + "\n")},
	}
)

// operationTail is what there is to say of an answer after its result.
func operationTail(answer *bridge.Answer) []byte {
	tail := usualTails[number(answer.Cached)][number(answer.Optimized)]
	if !answer.Truncated && answer.NextCursor == "" && len(answer.Warnings) == 0 && answer.ETag == "" {
		return tail
	}
	return append(appendAside(slices.Clone(tail[:len(tail)-2]), answer), '}', '\n')
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// appendAside writes the members that an answer has only where they mean
// something.
func appendAside(b []byte, answer *bridge.Answer) []byte {
	if answer.Truncated {
		b = append(b, `,"truncated":true`...)
		if answer.Limit > 0 {
			b = strconv.AppendInt(append(b, `,"limit":`...), int64(answer.Limit), 10)
		}
	}
	if answer.NextCursor != "" {
		b = appendJSON(append(b, `,"next_cursor":`...), answer.NextCursor)
	}
	if len(answer.Warnings) > 0 {
		b = appendJSON(append(b, `,"warnings":`...), answer.Warnings)
	}
	if answer.ETag != "" {
		b = appendJSON(append(b, `,"etag":`...), bare(answerTag(answer)))
	}
	return b
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("null") // texts and warnings can be written
	}
	return append(b, text...)
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	writeParts(w, nil, b.Bytes(), nil)
	return nil
}

// writeParts answers with JSON that lies in three pieces. A failure to write
// means that the client went away: there is nobody to tell.
func writeParts(w http.ResponseWriter, head, result, tail []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(head) + len(result) + len(tail))}
	w.WriteHeader(http.StatusOK)
	for _, part := range [...][]byte{head, result, tail} {
		if len(part) == 0 {
			continue // the compressing writer decides at the first write, which must say something
		}
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

type operationOutput struct {
	Result     json.RawMessage   `json:"result" doc:"Odoo's answer, its numbers as it wrote them"`
	Cached     bool              `json:"cached" doc:"Whether it was kept from an earlier request"`
	Optimized  bool              `json:"optimized,omitempty" doc:"Whether the query was rewritten: relations read along, indexed conditions first"`
	Truncated  bool              `json:"truncated,omitempty" doc:"Whether the operation's own limit cut the answer"`
	Limit      int               `json:"limit,omitempty" doc:"The limit that cut it" example:"200"`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Send it as cursor to read on"`
	Warnings   []adapter.Warning `json:"warnings,omitempty" doc:"Fields that were replaced or left out, values that were filled"`
	ETag       string            `json:"etag,omitempty" doc:"read with etag: the record's tag, to send as if_match or as If-Match"`
}

func (a *API) registerOperations() {
	const path = "/api/v1/systems/{system_id}/odoo/{operation}"
	op := a.operation(route{
		id: "callOdooOperation", method: http.MethodPost, path: path, tag: "Odoo",
		summary:     "Call an Odoo operation",
		description: describeOperations(),
		errors:      []int{400, 403, 404, 409, 412, 413, 415, 422, 429, 501, 502, 503, 504},
	})
	list := bridge.Operations()
	names := make([]any, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	op.Parameters = append(op.Parameters,
		systemParameter(),
		&huma.Param{Name: "operation", In: "path", Required: true, Description: "The operation", Example: "search_read", Schema: &huma.Schema{Type: huma.TypeString, Enum: names}},
		versionParameter(), ifMatchParameter(), ifNoneMatchParameter(),
	)
	a.document(op, reflect.TypeFor[operationRequest](), reflect.TypeFor[operationOutput]())
	a.echo.POST(echoPath(path), a.runOperation)
}

// describeOperations lists the operations with what each takes.
func describeOperations() string {
	var b strings.Builder
	b.WriteString("The same for Odoo 13.0 to 19.0. `call_kw` and `call_method` call any public method; one that is an operation below is kept and bounded like it. " +
		"A member that an operation does not take is refused. Every operation takes `model`, `context`, `expand`, `optimize`, `fallback` and `fill_empty`.\n\n" +
		"| operation | takes | kept for | at most |\n|---|---|---|---|\n")
	for _, op := range bridge.Operations() {
		kept, most := "", ""
		if op.TTL > 0 {
			kept = fmt.Sprintf("%.0f s", op.TTL.Seconds())
		}
		if op.MaxLimit > 0 {
			most = strconv.Itoa(op.MaxLimit)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", op.Name, strings.Join(op.Members, ", "), kept, most)
	}
	return b.String()
}

// document adds an operation that does not go through huma to the OpenAPI
// description.
func (a *API) document(op huma.Operation, request, answer reflect.Type) {
	api := a.huma.OpenAPI()
	schemas := api.Components.Schemas
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(request, true, "Request")},
	}}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Headers: answered(op.Parameters), Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(answer, true, "Answer")},
	}}}
	if op.Responses["200"].Headers["ETag"] != nil {
		op.Responses["304"] = unchanged
	}
	a.documentProblems(&op)
	api.AddOperation(&op)
}

// documentProblems describes the errors of an operation.
func (a *API) documentProblems(op *huma.Operation) {
	problem := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, status := range op.Errors {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
			problemType: {Schema: problem},
		}}
	}
}

func systemParameter() *huma.Param {
	return &huma.Param{
		Name: "system_id", In: "path", Required: true, Description: "The system_id that it was registered with", Example: "odoo_main",
		Schema: &huma.Schema{Type: huma.TypeString},
	}
}
