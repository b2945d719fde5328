package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

// statuses is the one table from codes to HTTP.
//
// 401 is for tokens alone, because clients answer it by refreshing and
// repeating; a system that refuses our credentials is a bad gateway. So is an
// unknown outcome: clients repeat what got a 503 or 504, and a change that may
// have happened must not be repeated unseen.
var statuses = map[adapter.Code]int{
	adapter.InvalidArgument:    http.StatusUnprocessableEntity,
	adapter.Unauthenticated:    http.StatusBadGateway,
	adapter.PermissionDenied:   http.StatusForbidden,
	adapter.NotFound:           http.StatusNotFound,
	adapter.Conflict:           http.StatusConflict,
	adapter.AlreadyExists:      http.StatusConflict,
	adapter.PreconditionFailed: http.StatusPreconditionFailed,
	adapter.RateLimited:        http.StatusTooManyRequests,
	adapter.Unavailable:        http.StatusServiceUnavailable,
	adapter.Timeout:            http.StatusGatewayTimeout,
	adapter.Canceled:           statusClientClosed,
	adapter.Unsupported:        http.StatusNotImplemented,
	adapter.UnknownOutcome:     http.StatusBadGateway,
	adapter.Internal:           http.StatusInternalServerError,
}

// tenantStatuses are the answers to the users of tenants that may not use the
// server.
var tenantStatuses = map[*auth.TenantError]int{
	auth.ErrTrialExpired:    http.StatusPaymentRequired,
	auth.ErrTenantSuspended: http.StatusForbidden,
	auth.ErrTenantDeleted:   http.StatusGone,
}

// statusClientClosed is what nginx logs for a client that went away; nobody
// receives it.
const statusClientClosed = 499

// Codes of failures that are the server's own, beside those of package
// adapter and of tokens.
const (
	codeMalformed          = "malformed_json"
	codeBadRequest         = "bad_request"
	codeBadCredentials     = "invalid_credentials"
	codeMethodNotAllowed   = "method_not_allowed"
	codeNotAcceptable      = "not_acceptable"
	codeTooLarge           = "payload_too_large"
	codeUnsupportedMedia   = "unsupported_media_type"
	codeRequestTimeout     = "request_timeout"
	codeRange              = "range_not_satisfiable"
	codeClientDisconnected = "canceled"
)

// defaults name the type and the code of a status where nothing more is known.
var defaults = map[int]struct{ kind, code string }{
	http.StatusBadRequest:                   {"BadRequest", codeBadRequest},
	http.StatusUnauthorized:                 {"Unauthorized", auth.ErrTokenInvalid.Code},
	http.StatusPaymentRequired:              {"PaymentRequired", auth.ErrTrialExpired.Code},
	http.StatusGone:                         {"Gone", auth.ErrTenantDeleted.Code},
	http.StatusForbidden:                    {"Forbidden", string(adapter.PermissionDenied)},
	http.StatusNotFound:                     {"NotFound", string(adapter.NotFound)},
	http.StatusMethodNotAllowed:             {"MethodNotAllowed", codeMethodNotAllowed},
	http.StatusNotAcceptable:                {"NotAcceptable", codeNotAcceptable},
	http.StatusRequestTimeout:               {"RequestTimeout", codeRequestTimeout},
	http.StatusConflict:                     {"Conflict", string(adapter.Conflict)},
	http.StatusPreconditionFailed:           {"PreconditionFailed", string(adapter.PreconditionFailed)},
	http.StatusRequestEntityTooLarge:        {"PayloadTooLarge", codeTooLarge},
	http.StatusUnsupportedMediaType:         {"UnsupportedMediaType", codeUnsupportedMedia},
	http.StatusRequestedRangeNotSatisfiable: {"RangeNotSatisfiable", codeRange},
	http.StatusUnprocessableEntity:          {"ValidationError", string(adapter.InvalidArgument)},
	http.StatusTooManyRequests:              {"RateLimitExceeded", string(adapter.RateLimited)},
	statusClientClosed:                      {"ClientClosedRequest", codeClientDisconnected},
	http.StatusInternalServerError:          {"InternalServerError", string(adapter.Internal)},
	http.StatusNotImplemented:               {"NotImplemented", string(adapter.Unsupported)},
	http.StatusBadGateway:                   {"BadGateway", string(adapter.Unavailable)},
	http.StatusServiceUnavailable:           {"ServiceUnavailable", string(adapter.Unavailable)},
	http.StatusGatewayTimeout:               {"GatewayTimeout", string(adapter.Timeout)},
}

// Problem is the body of every error: RFC 9457's members, and beside them
// what clients of the first BridgeCore read.
type Problem struct {
	Type     string      `json:"type" doc:"A URN that names the kind of error by its code" example:"urn:bridgecore:error:not_found"`
	Title    string      `json:"title" doc:"The HTTP status in words" example:"Not Found"`
	Status   int         `json:"status" doc:"The HTTP status" example:"404"`
	Detail   string      `json:"detail" doc:"What went wrong, for people" example:"there is no system \"odoo_main\""`
	Instance string      `json:"instance,omitempty" doc:"The path of the request" example:"/api/v1/systems/odoo_main"`
	Success  bool        `json:"success" doc:"Always false" example:"false"`
	Message  string      `json:"message" doc:"The same as detail"`
	Info     ProblemInfo `json:"error" doc:"The same for programs"`

	headers http.Header
	cause   error // for the log
}

// ProblemInfo is the part of a Problem that is for programs.
type ProblemInfo struct {
	Type      string          `json:"type" doc:"The kind of status" example:"NotFound"`
	Code      string          `json:"code" doc:"Which error it is: one of a closed set" example:"not_found"`
	Message   string          `json:"message" doc:"The same as detail"`
	Details   []ProblemDetail `json:"details" nullable:"false" doc:"What exactly is wrong, where more than the message is known"`
	RequestID string          `json:"request_id" doc:"The request in the server's log" example:"0b6f7c1e-6f0e-4f0e-9d0f-3d3a3b5b8c11"`
}

// ProblemDetail is one thing that is wrong.
type ProblemDetail struct {
	Field   string `json:"field,omitempty" doc:"The member of the request, or the field of the model" example:"limit"`
	Model   string `json:"model,omitempty" doc:"The model it is about" example:"res.partner"`
	Message string `json:"message" doc:"What is wrong with it"`
	Native  string `json:"native,omitempty" doc:"The system's own name for the error" example:"odoo.exceptions.AccessError"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// Unwrap returns what caused it, for the log.
func (p *Problem) Unwrap() error { return p.cause }

// problemType is the type of every error's body.
const problemType = "application/problem+json"

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// StatusCode is for echo.
func (p *Problem) StatusCode() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return problemType }

// newProblem makes a problem of a status; code "" is the status's own.
func newProblem(status int, code, message string, details ...ProblemDetail) *Problem {
	d, known := defaults[status]
	if !known {
		d.kind, d.code = "HttpError", codeBadRequest
	}
	if code == "" {
		code = d.code
	}
	if details == nil {
		details = []ProblemDetail{}
	}
	title := http.StatusText(status)
	if status == statusClientClosed {
		title = "Client Closed Request"
	}
	return &Problem{
		Type: "urn:bridgecore:error:" + code, Title: title, Status: status, Detail: message, Message: message,
		Info:    ProblemInfo{Type: d.kind, Code: code, Message: message, Details: details},
		headers: http.Header{},
	}
}

// invalid is a request that is well-formed and wrong: it names the member.
func invalid(field, format string, args ...any) *Problem {
	message := fmt.Sprintf(format, args...)
	return newProblem(http.StatusUnprocessableEntity, "", field+": "+message, ProblemDetail{Field: field, Message: message})
}

// problemOf turns any error into a Problem, which is new and may be changed.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		q := *p
		q.headers = p.headers.Clone()
		return &q
	}
	p := knownProblem(err)
	if p.Status >= http.StatusInternalServerError || p.cause == nil {
		p.cause = err
	}
	return p
}

func knownProblem(err error) *Problem {
	if e, ok := errors.AsType[*auth.TokenError](err); ok {
		p := newProblem(http.StatusUnauthorized, e.Code, e.Message)
		challenge := `Bearer realm="bridgecore"`
		if e != auth.ErrTokenMissing {
			challenge += `, error="invalid_token", error_description="` + e.Message + `"`
		}
		p.headers.Set("WWW-Authenticate", challenge)
		return p
	}
	if errors.Is(err, auth.ErrBadCredentials) {
		p := newProblem(http.StatusUnauthorized, codeBadCredentials, err.Error())
		p.headers.Set("WWW-Authenticate", `Bearer realm="bridgecore"`)
		return p
	}
	if e, ok := errors.AsType[*auth.TenantError](err); ok {
		return newProblem(tenantStatuses[e], e.Code, e.Message)
	}
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return adapterProblem(e)
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(e.Limit)
	}
	if status := echo.StatusCode(err); status != 0 {
		return statusProblem(status)
	}
	switch adapter.CodeOf(err) {
	case adapter.Canceled:
		return newProblem(statusClientClosed, "", "the client went away")
	case adapter.Timeout:
		return newProblem(http.StatusGatewayTimeout, "", "the request took too long")
	}
	if errors.Is(err, context.Canceled) {
		return newProblem(statusClientClosed, "", "the client went away")
	}
	return statusProblem(http.StatusInternalServerError)
}

func adapterProblem(e *adapter.Error) *Problem {
	status, known := statuses[e.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	message := e.Message
	if status == http.StatusInternalServerError && message == "" {
		return statusProblem(status)
	}
	var details []ProblemDetail
	if e.Field != "" || e.Model != "" || e.Native != "" {
		details = append(details, ProblemDetail{Field: e.Field, Model: e.Model, Message: message, Native: e.Native})
	}
	if name, _, _ := strings.Cut(e.Field, "["); e.Code == adapter.InvalidArgument && !strings.Contains(message, name) {
		message = e.Field + ": " + message
	}
	p := newProblem(status, string(e.Code), message, details...)
	if e.RetryAfter > 0 {
		p.retryAfter(e.RetryAfter)
	} else if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		p.retryAfter(time.Second)
	}
	return p
}

// retryAfter says when to come back, rounded up to whole seconds.
func (p *Problem) retryAfter(d time.Duration) {
	p.headers.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))))
}

func statusProblem(status int) *Problem {
	message := map[int]string{
		http.StatusNotFound:             "there is nothing at this path; /docs lists what there is",
		http.StatusMethodNotAllowed:     "this path does not take this method; the header Allow lists those it takes",
		http.StatusUnsupportedMediaType: "send the body as application/json",
		http.StatusInternalServerError:  "something went wrong in the server; its log has the cause under the request_id",
	}[status]
	if message == "" {
		message = strings.ToLower(http.StatusText(status))
	}
	return newProblem(status, "", message)
}

func fileTooLarge(limit int64) *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the file is larger than the limit of %d bytes", limit))
}

func tooLarge(limit int64) *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the body is larger than the limit of %d bytes", limit))
}

// translate puts what the code means in the caller's language before what went
// wrong. That is translated too where it is the server's own phrase; a system's
// own text, which programs look into, stays as it is.
func (p *Problem) translate(w *i18n.Words) {
	if w.Language == "en" {
		return
	}
	key := errorKey + p.Info.Code
	if !w.Has(key) {
		return
	}
	text := w.T(key)
	if !p.generic() {
		text += ": " + p.said(w)
	}
	p.Info.Details = slices.Clone(p.Info.Details)
	for i := range p.Info.Details {
		p.Info.Details[i].Message = w.Say(p.Info.Details[i].Message)
	}
	p.Detail, p.Message, p.Info.Message = text, text, text
	if p.headers == nil {
		p.headers = http.Header{}
	}
	p.headers.Set("Content-Language", w.Language)
}

// translated is what was kept of a problem, in the language of the words.
func (i *ProblemInfo) translated(w *i18n.Words) *ProblemInfo {
	status, known := statuses[adapter.Code(i.Code)]
	if !known {
		status = http.StatusInternalServerError
	}
	p := Problem{Status: status, Detail: i.Message, Message: i.Message, Info: *i}
	p.translate(w)
	return &p.Info
}

// of fills in what a problem says of its request.
func (p *Problem) of(c *call) *Problem {
	p.Instance, p.Info.RequestID = c.request.URL.EscapedPath(), c.requestID
	p.translate(c.words())
	c.err, c.code = p.cause, p.Info.Code
	return p
}

// said is the detail in the language of the words.
func (p *Problem) said(w *i18n.Words) string {
	details := p.Info.Details
	if len(details) == 0 {
		return w.Say(p.Detail)
	}
	where, what, found := strings.Cut(p.Detail, ": ")
	if found && strings.HasPrefix(where, "operations[") {
		inner := *p
		inner.Detail = what
		inner.Info.Details = slices.Clone(details)
		if inner.Info.Details[0].Field == where {
			inner.Info.Details = nil
		} else {
			inner.Info.Details[0].Field = strings.TrimPrefix(details[0].Field, where+".")
		}
		return where + ": " + inner.said(w)
	}
	first := details[0]
	said := w.Say(first.Message)
	switch rest, about := strings.CutPrefix(p.Detail, first.Field+": "+first.Message); {
	case !about:
		return w.Say(p.Detail)
	case rest == "":
		return first.Field + ": " + said
	default:
		return first.Field + ": " + said + " " + w.N(moreDetails, len(details)-1)
	}
}

// moreDetails is the message that there are more.
const moreDetails = "more_details"

// generic reports whether the message says no more than the code.
func (p *Problem) generic() bool {
	return p.Detail == statusProblem(p.Status).Detail || p.Info.Code == codeBadCredentials || p.Status == http.StatusUnauthorized
}

// writeProblem answers with the problem, unless an answer was begun.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.Instance = r.URL.EscapedPath()
	p.translate(wordsFor(r))
	if c := callFrom(r.Context()); c != nil {
		p.Info.RequestID = c.requestID
		c.err = p.cause
		if c.begun {
			return
		}
		c.code = p.Info.Code
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // texts and numbers
	h := w.Header()
	for name, values := range p.headers {
		h[name] = values
	}
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes())
	}
}

// huma asks these for every error it meets itself.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := humaProblem(status, message, errs)
		if ctx == nil {
			return p
		}
		u := ctx.URL()
		p.Instance = u.EscapedPath()
		var id *auth.Identity
		if c := callFrom(ctx.Context()); c != nil {
			id = c.identity
		}
		p.translate(i18n.For(preferences(ctx.Query("lang"), ctx.Header("Accept-Language"), id)...))
		if c := callFrom(ctx.Context()); c != nil {
			p.Info.RequestID = c.requestID
			c.err, c.code = p.cause, p.Info.Code
		}
		for name, values := range p.headers {
			for _, value := range values {
				ctx.SetHeader(name, value)
			}
		}
		return p
	}
}

// humaProblem turns what huma found into a Problem: an error of a handler, or
// a request that does not fit its schema. Values are left out: they may be
// passwords.
func humaProblem(status int, message string, errs []error) *Problem {
	var details []ProblemDetail
	for _, err := range errs {
		d, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			return problemOf(err)
		}
		if p, ok := malformedFrom(d.Message); ok {
			return p
		}
		details = append(details, schemaDetail(d))
	}
	if len(details) > 0 {
		message = details[0].Field + ": " + details[0].Message
		if n := len(details) - 1; n > 0 {
			message += " " + i18n.For().N(moreDetails, n)
		}
	}
	return newProblem(status, "", message, details...)
}

// schemaDetail names the member of the request that does not fit its schema.
func schemaDetail(d *huma.ErrorDetail) ProblemDetail {
	_, field, _ := strings.Cut(d.Location, ".") // "body.", "query.", "path."
	message := d.Message
	if name, ok := strings.CutPrefix(message, "expected required property "); ok {
		name, _, _ = strings.Cut(name, " ")
		if field != "" {
			name = field + "." + name
		}
		return ProblemDetail{Field: name, Message: "is missing"}
	}
	if field == "" {
		field = d.Location
	}
	switch message {
	case "unexpected property":
		message = "there is no such member"
	case "required query parameter is missing":
		message = "is missing"
	}
	return ProblemDetail{Field: field, Message: message}
}
