package httpapi

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// crudRequest is the body of /crud.
type crudRequest struct {
	Action   string          `json:"action" enum:"create,read,update,delete,upsert" doc:"What to do; it decides which other members there are"`
	Model    string          `json:"model" doc:"The model" example:"res.partner"`
	Data     json.RawMessage `json:"data,omitempty" doc:"create, update, upsert: values by field"`
	Key      string          `json:"key,omitempty" doc:"upsert: what the record is found by: external_id on Odoo, an external id field on Salesforce, the key property or id on SAP" example:"external_id"`
	KeyValue string          `json:"key_value,omitempty" doc:"upsert: the value of key that the record has, or is created with" example:"my_app.customer_42"`
	RecordID adapter.ID      `json:"record_id,omitzero" doc:"update, delete: the record's id. read: one record, archived or not, instead of a domain" example:"123"`
	ETag     bool            `json:"etag,omitempty" doc:"read of a record_id: tell the record's tag too, to send as if_match"`
	IfMatch  string          `json:"if_match,omitempty" doc:"update, delete: the etag that the record must still have, or * for a record that must be there; the header If-Match says the same"`

	Domain  json.RawMessage `json:"domain,omitempty" doc:"read: Odoo domain, a list of conditions such as [\"is_company\", \"=\", true]; all records unless given"`
	Fields  bridge.Names    `json:"fields,omitempty" doc:"read: the fields; all that the user may read unless given. partner_id.email reads through a relation"`
	Limit   *int            `json:"limit,omitempty" doc:"read: at most this many; 80 unless given, and 1000 at most"`
	Offset  int             `json:"offset,omitempty" doc:"read: how many to skip"`
	Order   string          `json:"order,omitempty" doc:"read: such as \"name desc, id\""`
	Cursor  *string         `json:"cursor,omitempty" doc:"read: next_cursor of an earlier answer to the same request, instead of offset; an empty text begins"`
	Format  string          `json:"format,omitempty" enum:"odoo,plain" doc:"read: odoo, the default, gives values as Odoo does; plain gives null for empty values and RFC 3339 for times"`
	Expand  bridge.Expand   `json:"expand,omitempty" enum:"dotted,nested" doc:"read: how values through relations are given"`
	Context json.RawMessage `json:"context,omitempty" doc:"Odoo's context: lang, tz, allowed_company_ids and others"`

	Fallback  adapter.Fallback `json:"fallback,omitempty" enum:"all,off" doc:"What becomes of fields that this version lacks: replaced or left out as far as they are known (unless given), all left out (all), refused (off)"`
	FillEmpty bool             `json:"fill_empty,omitempty" doc:"read: fill empty values from documented alternatives, such as phone from mobile"`

	Universal
}

var crudShape = shapeOf[crudRequest]()

// crudAction is one row of what /crud does.
type crudAction struct {
	needs []string // members that must be there, beside action and model
	takes []string // members that may be
	run   func(*echo.Context, *bridge.System, *crudRequest) error
}

var crudActions = map[string]crudAction{
	"create": {needs: []string{"data"}, takes: []string{"context", "fallback", universalMember, unmappedMember}, run: crudCreate},
	"read":   {takes: []string{"record_id", "etag", "domain", "fields", "limit", "offset", "order", "cursor", "format", "expand", "context", "fallback", "fill_empty", universalMember, unmappedMember}, run: crudRead},
	"update": {needs: []string{"record_id", "data"}, takes: []string{"if_match", "context", "fallback", universalMember, unmappedMember}, run: crudUpdate},
	"delete": {needs: []string{"record_id"}, takes: []string{"if_match", "context", universalMember}, run: crudDelete},
	"upsert": {needs: []string{"key", "key_value", "data"}, takes: []string{"context", "fallback", universalMember, unmappedMember}, run: crudUpsert},
}

// crudVerbs are what the audit log calls the actions: the names that the same
// have as operations.
var crudVerbs = map[string]string{"create": "create", "read": "read", "update": "write", "delete": "unlink", "upsert": "upsert"}

func (a *API) runCRUD(c *echo.Context) error {
	if err := a.identify(c, false); err != nil {
		return err
	}
	body, err := a.readBody(c.Request())
	if err != nil {
		return err
	}
	var request crudRequest
	given, err := crudShape.decode(body, &request)
	if err != nil {
		return err
	}
	action, err := crudActionOf(&request, given)
	if err != nil {
		return err
	}
	n := callFrom(c.Request().Context()).noted(crudVerbs[request.Action], request.Action != "read")
	n.systemID, n.model = c.Param("system_id"), request.Model
	if !request.RecordID.IsZero() {
		n.ids = []adapter.ID{request.RecordID}
	}
	if err := a.limited(callFrom(c.Request().Context()), crudClasses[request.Action]); err != nil {
		return err
	}
	if request.IfMatch, err = conditionOf(c.Request(), request.IfMatch); err != nil {
		return err
	}
	if request.IfMatch != "" && !slices.Contains(action.takes, "if_match") {
		return invalid("If-Match", "is for update and delete: %s can't be made on a condition", request.Action)
	}
	sys, err := a.spoken(c, request.Universal)
	if err != nil {
		return err
	}
	return action.run(c, sys, &request)
}

// crudActionOf returns the row of the request's action, if the members that
// are given are those it takes.
func crudActionOf(r *crudRequest, given []string) (crudAction, error) {
	action, known := crudActions[r.Action]
	switch {
	case !slices.Contains(given, "action"):
		return action, invalid("action", "is missing: create, read, update, delete or upsert")
	case !known:
		return action, invalid("action", "%q is none of %s", clip(r.Action), strings.Join(slices.Sorted(maps.Keys(crudActions)), ", "))
	case r.Model == "":
		return action, invalid("model", "is missing: the model's name, such as res.partner")
	}
	for _, name := range action.needs {
		if !slices.Contains(given, name) {
			return action, invalid(name, "is missing: %s needs it", r.Action)
		}
	}
	for _, name := range given {
		if name != "action" && name != "model" && !slices.Contains(action.needs, name) && !slices.Contains(action.takes, name) {
			return action, invalid(name, "%s takes no %q; it takes model, %s", r.Action, name, strings.Join(slices.Concat(action.needs, action.takes), ", "))
		}
	}
	if slices.Contains(action.needs, "record_id") && r.RecordID.IsZero() {
		return action, invalid("record_id", "must be the id of a record")
	}
	return action, nil
}

func crudCreate(c *echo.Context, sys *bridge.System, r *crudRequest) error {
	values, err := crudValues(r)
	if err != nil {
		return err
	}
	return crudWrite(c, sys, r, func(ctx context.Context, sys *bridge.System) (adapter.Record, error) {
		return sys.Create(ctx, r.Model, values)
	})
}

func crudUpdate(c *echo.Context, sys *bridge.System, r *crudRequest) error {
	values, err := crudValues(r)
	if err != nil {
		return err
	}
	return crudWrite(c, sys, r, func(ctx context.Context, sys *bridge.System) (adapter.Record, error) {
		var err error
		if r.IfMatch == "" {
			err = sys.Update(ctx, r.Model, []adapter.ID{r.RecordID}, values)
		} else {
			err = sys.UpdateIf(ctx, r.Model, r.RecordID, r.IfMatch, values)
		}
		if err != nil {
			return nil, err
		}
		result := maps.Clone(values)
		result["id"] = r.RecordID
		return result, nil
	})
}

func crudUpsert(c *echo.Context, sys *bridge.System, r *crudRequest) error {
	values, err := crudValues(r)
	if err != nil {
		return err
	}
	created := false
	return crudWriting(c, sys, r, func(ctx context.Context, sys *bridge.System) (adapter.Record, error) {
		id, made, err := sys.Upsert(ctx, r.Model, r.Key, r.KeyValue, values)
		if err != nil {
			return nil, err
		}
		created = made
		result := maps.Clone(values)
		result["id"] = id
		return result, nil
	}, func(out *crudOutput) { out.Created = &created })
}

func crudDelete(c *echo.Context, sys *bridge.System, r *crudRequest) error {
	return crudWrite(c, sys, r, func(ctx context.Context, sys *bridge.System) (adapter.Record, error) {
		if r.IfMatch != "" {
			return nil, sys.DeleteIf(ctx, r.Model, r.RecordID, r.IfMatch)
		}
		return nil, sys.Delete(ctx, r.Model, []adapter.ID{r.RecordID})
	})
}

func crudRead(c *echo.Context, sys *bridge.System, r *crudRequest) error {
	sys, err := r.scoped(sys)
	if err != nil {
		return err
	}
	reading, err := r.reading()
	if err != nil {
		return err
	}
	answer, err := sys.Read(c.Request().Context(), reading)
	if err != nil {
		return err
	}
	if r.Cursor == nil && !answer.Truncated {
		answer.NextCursor = "" // nobody asked to page by cursor
	}
	tail := append(appendAside(make([]byte, 0, 128), &answer), '}', '\n')
	writeRead(c, &answer, []byte(`{"success":true,"result":`), tail)
	return nil
}

// reading is what a read of /crud asks for.
func (r *crudRequest) reading() (bridge.Reading, error) {
	reading := bridge.Reading{Domain: r.Domain, Expand: r.Expand, ID: r.RecordID, ETag: r.ETag}
	order, err := adapter.ParseOrder(r.Order)
	if err != nil {
		return reading, err
	}
	reading.Query = adapter.Query{Model: r.Model, Fields: r.Fields, Order: order, Offset: r.Offset}
	switch r.Format {
	case "", "odoo":
	case "plain":
		reading.Plain = true
	default:
		return reading, invalid("format", "must be odoo or plain")
	}
	if r.Limit != nil {
		reading.Limit = *r.Limit
	}
	if r.Cursor != nil {
		reading.Cursor = *r.Cursor
	}
	return reading, nil
}

// scoped returns the system in the scope that the request asks for.
func (r *crudRequest) scoped(sys *bridge.System) (*bridge.System, error) {
	sys, err := sys.WithContext(r.Context)
	if err != nil {
		return nil, err
	}
	scope := sys.Scope()
	switch r.Fallback {
	case adapter.FallbackKnown:
	case adapter.FallbackAll, adapter.FallbackOff:
		scope.Fallback = r.Fallback
	default:
		return nil, invalid("fallback", "must be all or off")
	}
	scope.FillEmpty = scope.FillEmpty || r.FillEmpty
	return sys.WithScope(scope), nil
}

// crudValues reads data.
func crudValues(r *crudRequest) (adapter.Record, error) {
	values, err := adapter.DecodeRecord(r.Data)
	if err != nil || values == nil {
		return nil, invalid("data", "must be an object of values by field")
	}
	return values, nil
}

type crudOutput struct {
	Success    bool              `json:"success" doc:"Always true"`
	Result     any               `json:"result,omitempty" doc:"create, update, upsert: the id and the values that were sent. read: the records. delete: absent"`
	Message    string            `json:"message,omitempty" doc:"delete: what was done"`
	Truncated  bool              `json:"truncated,omitempty" doc:"read: whether the server's own limit cut the answer"`
	Limit      int               `json:"limit,omitempty" doc:"read: the limit that cut it" example:"80"`
	NextCursor string            `json:"next_cursor,omitempty" doc:"read: send it as cursor to read on; only where the answer was cut or cursor was sent"`
	Warnings   []adapter.Warning `json:"warnings,omitempty" doc:"Fields that were replaced or left out, values that were filled or changed"`
	ETag       string            `json:"etag,omitempty" doc:"read with etag: the record's tag"`
	Created    *bool             `json:"created,omitempty" doc:"upsert: whether the record was created"`
}

// recordDeleted is the message that a record was.
const recordDeleted = "record_deleted"

// crudWrite makes a change in the request's scope and answers with what it
// gives.
func crudWrite(c *echo.Context, sys *bridge.System, r *crudRequest, change func(context.Context, *bridge.System) (adapter.Record, error)) error {
	return crudWriting(c, sys, r, change, func(*crudOutput) {})
}

// crudWriting is crudWrite for an answer that says more.
func crudWriting(c *echo.Context, sys *bridge.System, r *crudRequest, change func(context.Context, *bridge.System) (adapter.Record, error), say func(*crudOutput)) error {
	sys, err := r.scoped(sys)
	if err != nil {
		return err
	}
	ctx, warnings := adapter.WithWarnings(c.Request().Context())
	result, err := change(ctx, sys)
	if err != nil {
		return err
	}
	out := crudOutput{Success: true, Warnings: warnings.List()}
	if out.Result = any(result); result == nil {
		out.Result, out.Message = nil, wordsFor(c.Request()).T(recordDeleted)
	}
	say(&out)
	return writeJSON(c.Response(), out)
}

func (a *API) registerCRUD() {
	const path = "/api/v1/systems/{system_id}/crud"
	op := a.operation(route{
		id: "executeCrud", method: http.MethodPost, path: path, tag: "Records",
		summary: "Create, read, update, delete or upsert records",
		description: "The member `action` says which. Other members than those of the action are refused. " +
			"An upsert changes the record that has a key, or creates it with that key, and may be repeated: `external_id` with a value such as `my_app.customer_42` on Odoo (kept in ir.model.data), " +
			"an external id field on Salesforce, the key property or `id` on SAP; any other is refused with 422. Of several at once one creates the record; the others may get 409, with Retry-After. " +
			"Reads are kept for five minutes, or until the model is changed through this server. " +
			"A read of a `record_id` with `etag` tells the record's tag; an update or a deletion that sends it back, in `If-Match` or `if_match`, is refused with 412 if " +
			"somebody else changed the record since. Odoo has no such condition of its own: there the record is looked at just before it is changed, and a change by somebody " +
			"else within that moment is overwritten. Salesforce knows changes by the second.",
		errors: []int{400, 403, 404, 409, 412, 413, 415, 422, 429, 501, 502, 503, 504},
	})
	op.Parameters = append(op.Parameters, systemParameter(), versionParameter(), ifMatchParameter(), ifNoneMatchParameter())
	a.document(op, reflect.TypeFor[crudRequest](), reflect.TypeFor[crudOutput]())
	a.echo.POST(echoPath(path), a.runCRUD)
}
