package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Call calls a resource of the REST API by the name of its method:
//
//   - "actions/standard/chatterPost", "actions/custom/apex/Refund" and
//     "actions/custom/flow/Approve" call an invocable action. Each of Args is
//     one of its inputs; without any, Kwargs are the only input.
//   - "apexrest/refunds/7" posts to an Apex REST service.
//   - "POST /process/rules", "GET /limits" or "PATCH /services/apexrest/x"
//     name the HTTP method and the resource: below the version's root, or below
//     /services/data or /services/apexrest.
//   - Any other name is read with GET: below the object with a Model
//     ("describe/layouts" of "Account"), otherwise below the version's root
//     ("recent", "limits").
//
// Kwargs are the parameters of a GET, DELETE or HEAD and the JSON body of
// anything else, for which the only one of Args may stand too. The answer is
// Salesforce's JSON; what is no JSON comes as a text.
func (c *Client) Call(ctx context.Context, call adapter.Call) (json.RawMessage, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	req, err := c.callRequest(ctx, call)
	if err != nil {
		return nil, err
	}
	a, err := c.wire.send(ctx, req)
	if err != nil {
		if errors.Is(err, adapter.ErrNotFound) {
			err = noMethod(call, err)
		}
		return nil, err
	}
	switch {
	case len(strings.TrimSpace(string(a.body))) == 0:
		return json.RawMessage("null"), nil
	case json.Valid(a.body):
		return a.body, nil
	}
	text, err := json.Marshal(strings.ToValidUTF8(string(a.body), "\uFFFD"))
	return text, err
}

func noMethod(call adapter.Call, err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	own := *e
	own.Model = clip(call.Model, 80)
	if e.Native == "NOT_FOUND" || e.Native == "" {
		own.Field, own.Message = "method", "Salesforce has no resource "+quote(call.Method)
	}
	return &own
}

var (
	verbs        = map[string]bool{http.MethodGet: true, http.MethodHead: true, http.MethodDelete: true, http.MethodPost: true, http.MethodPatch: true, http.MethodPut: true}
	callPath     = regexp.MustCompile(`^/?[A-Za-z0-9_.~@:+=-]+(?:/[A-Za-z0-9_.~@:+=-]+)*/?$`)
	reachable    = [...]string{"/services/data/", "/services/apexrest/"}
	bodyless     = map[string]bool{http.MethodGet: true, http.MethodHead: true, http.MethodDelete: true}
	apexREST     = "apexrest/"
	actionPrefix = "actions/"
)

// callRequest is the request that a call stands for.
func (c *Client) callRequest(ctx context.Context, call adapter.Call) (request, error) {
	wrong := func(field, message string) (request, error) {
		return request{}, &adapter.Error{Code: adapter.InvalidArgument, Model: clip(call.Model, 80), Field: field, Message: message, NothingSent: true}
	}
	verb, path, explicit := strings.Cut(call.Method, " ")
	if !explicit {
		verb, path = http.MethodGet, call.Method
		if strings.HasPrefix(path, apexREST) || strings.HasPrefix(path, actionPrefix) {
			verb = http.MethodPost
		}
	}
	path = strings.TrimSpace(path)
	if !verbs[verb] || !callPath.MatchString(path) || hasDots(path) {
		return wrong("method", quote(call.Method)+" is no resource; use a form such as \"actions/custom/flow/Approve\" or \"GET /limits\", and kwargs for parameters")
	}
	full, err := c.callPath(ctx, call.Model, path, explicit)
	if err != nil {
		return request{}, err
	}
	req := request{method: verb, path: full, model: call.Model, changes: verb != http.MethodGet && verb != http.MethodHead, accept: "application/json, */*;q=0.5"}
	switch {
	case bodyless[verb] && len(call.Args) > 0:
		return wrong("args", "a "+verb+" takes named arguments alone")
	case bodyless[verb]:
		if query := parameters(call.Kwargs); query != "" {
			req.path += "?" + query
		}
	case strings.HasPrefix(path, actionPrefix):
		req.json = map[string]any{"inputs": inputs(call)}
	case len(call.Args) > 1, len(call.Args) == 1 && len(call.Kwargs) > 0:
		return wrong("args", "the body is either the only positional argument or made of the named ones")
	case len(call.Args) == 1:
		req.json = call.Args[0]
	default:
		req.json = call.Kwargs
		if call.Kwargs == nil {
			req.json = map[string]any{}
		}
	}
	return req, nil
}

// callPath is the address of a resource.
func (c *Client) callPath(ctx context.Context, model, path string, explicit bool) (string, error) {
	switch {
	case strings.HasPrefix(path, apexREST):
		return "/services/" + path, nil
	case strings.HasPrefix(path, "/services/"):
		for _, prefix := range reachable {
			if strings.HasPrefix(path, prefix) {
				return path, nil
			}
		}
		return "", &adapter.Error{Code: adapter.PermissionDenied, Field: "method", NothingSent: true, Message: "only resources below /services/data and /services/apexrest can be called"}
	case model == "" || explicit || strings.HasPrefix(path, actionPrefix):
		return c.root + "/" + strings.TrimPrefix(path, "/"), nil
	}
	o, err := c.object(ctx, model)
	if err != nil {
		return "", err
	}
	return c.path("sobjects", o.Name) + "/" + strings.TrimPrefix(path, "/"), nil
}

func hasDots(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func inputs(call adapter.Call) []any {
	if len(call.Args) > 0 {
		return call.Args
	}
	if len(call.Kwargs) == 0 {
		return []any{map[string]any{}}
	}
	return []any{call.Kwargs}
}

func parameters(kwargs map[string]any) string {
	query := url.Values{}
	for name, v := range kwargs {
		if s, ok := textValue(v); ok {
			query.Set(name, s)
			continue
		}
		query.Set(name, fmt.Sprint(v))
	}
	return query.Encode()
}
