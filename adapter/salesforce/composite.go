package salesforce

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/bridgecore/bridgecore/adapter"
)

// subrequest is one request of a composite one.
type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Header      map[string]string `json:"httpHeaders,omitempty"`
	Body        any               `json:"body,omitempty"`
}

type subresponse struct {
	Body        json.RawMessage   `json:"body"`
	Header      map[string]string `json:"httpHeaders"`
	Status      int               `json:"httpStatusCode"`
	ReferenceID string            `json:"referenceId"`
}

func (r *subresponse) decode(target any, model, what string) error {
	a := answer{status: r.Status, body: r.Body}
	return a.decode(target, model, what)
}

// halted are the codes of what was good by itself, and undone or not tried
// because of something else.
var halted = map[string]bool{"PROCESSING_HALTED": true, "ALL_OR_NONE_OPERATION_ROLLED_BACK": true}

// err is the error of a subrequest that failed, and whether it is the cause
// rather than a consequence of another's failure.
func (r *subresponse) err(model string) (err error, cause bool) { //nolint:revive // the error is the answer here
	if r.Status < 300 {
		return nil, false
	}
	faults := parseFaults(r.Body)
	if len(faults) == 0 {
		var results []saveResult
		if json.Unmarshal(r.Body, &results) == nil {
			for i := range results {
				for j := range results[i].Errors {
					if f := &results[i].Errors[j]; !halted[f.code()] {
						return withModel(faultError(f, r.Status), model), true
					}
				}
			}
		}
		resp := &http.Response{StatusCode: r.Status, Header: http.Header{}}
		return withModel(statusError(resp, r.Body, false), model), false
	}
	return withModel(faultError(&faults[0], r.Status), model), !halted[faults[0].code()]
}

// composite sends several requests as one, all or none, and hands their
// answers to read if all went well.
func (c *Client) composite(ctx context.Context, o *object, subs []subrequest, read func([]subresponse) error) error {
	changes := false
	for _, sub := range subs {
		changes = changes || sub.Method != http.MethodGet
	}
	a, err := c.wire.send(ctx, request{
		method: http.MethodPost, path: c.root + "/composite", model: o.Name, changes: changes,
		json: map[string]any{"allOrNone": true, "collateSubrequests": false, "compositeRequest": subs},
	})
	if err != nil {
		return err
	}
	var answer struct {
		Responses []subresponse `json:"compositeResponse"`
	}
	if err := a.decode(&answer, o.Name, "a composite request"); err != nil {
		return lost(err, changes)
	}
	if err := failureOf(answer.Responses, o.Name); err != nil {
		return err
	}
	if len(answer.Responses) != len(subs) {
		return lost(&adapter.Error{Code: adapter.Internal, Model: o.Name, Message: "Salesforce answered only a part of a composite request"}, changes)
	}
	return read(answer.Responses)
}

// failureOf is the error that made a composite request fail.
func failureOf(responses []subresponse, model string) error {
	var first error
	for i := range responses {
		err, cause := responses[i].err(model)
		if cause {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// lost is the error of a change whose answer can't be read.
func lost(err error, changes bool) error {
	if !changes {
		return err
	}
	return &adapter.Error{Code: adapter.UnknownOutcome, Message: "the change was sent, and the answer can't be read: it may have happened", Err: err}
}
