package salesforce

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// fault is an error as Salesforce writes it. Resources of records call the
// code errorCode, results of collections statusCode.
type fault struct {
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
}

func (f *fault) code() string {
	if f.ErrorCode != "" {
		return f.ErrorCode
	}
	return f.StatusCode
}

// Error is for logs; callers get an adapter.Error.
func (f *fault) Error() string {
	return fmt.Sprintf("salesforce: %s: %s", f.code(), clip(f.Message, 500))
}

// meaning is what a code of Salesforce's stands for.
type meaning struct {
	code      adapter.Code
	message   string // for people; "" passes Salesforce's own on
	temporary bool
	after     time.Duration // when to try again
}

// meanings are the codes of Salesforce that say more than the HTTP status.
var meanings = map[string]meaning{
	// The query or the request is wrong.
	"INVALID_FIELD":                    {code: adapter.InvalidArgument},
	"MALFORMED_QUERY":                  {code: adapter.InvalidArgument},
	"INVALID_QUERY_FILTER_OPERATOR":    {code: adapter.InvalidArgument},
	"INVALID_QUERY_LOCATOR":            {code: adapter.PreconditionFailed, message: "the query is no longer open: start it again"},
	"QUERY_TOO_COMPLICATED":            {code: adapter.InvalidArgument, message: "the query is too complicated for Salesforce: use fewer conditions, fields or formulas"},
	"NUMBER_OUTSIDE_VALID_RANGE":       {code: adapter.InvalidArgument},
	"JSON_PARSER_ERROR":                {code: adapter.InvalidArgument},
	"INVALID_TYPE_ON_FIELD_IN_RECORD":  {code: adapter.InvalidArgument},
	"MALFORMED_ID":                     {code: adapter.InvalidArgument},
	"INVALID_ID_FIELD":                 {code: adapter.InvalidArgument},
	"INVALID_BATCH_SIZE":               {code: adapter.InvalidArgument},
	"EXCEEDED_MAX_SEMIJOIN_SUBSELECTS": {code: adapter.InvalidArgument},
	"EXCEEDED_ID_LIMIT":                {code: adapter.PreconditionFailed, message: "more records have changed than Salesforce lists: read everything again"},
	"INVALID_REPLICATION_DATE":         {code: adapter.PreconditionFailed, message: "the changes reach further back than Salesforce keeps them: read everything again"},
	"ILLEGAL_QUERY_PARAMETER_VALUE":    {code: adapter.InvalidArgument},
	"OPERATION_TOO_LARGE":              {code: adapter.InvalidArgument, message: "the query reads too much for one user: narrow the filter"},
	"METHOD_NOT_ALLOWED":               {code: adapter.Unsupported, message: "Salesforce does not allow that there"},
	"UNSUPPORTED_MEDIA_TYPE":           {code: adapter.InvalidArgument},

	// There is no such thing.
	"INVALID_TYPE":                {code: adapter.NotFound},
	"NOT_FOUND":                   {code: adapter.NotFound, message: "Salesforce has no such record or resource"},
	"ENTITY_IS_DELETED":           {code: adapter.NotFound, message: "the record has been deleted"},
	"INVALID_CROSS_REFERENCE_KEY": {code: adapter.NotFound, message: "a record with this id does not exist, or the user may not see it"},
	"INVALIDJOB":                  {code: adapter.NotFound},

	// Validation.
	"REQUIRED_FIELD_MISSING":                        {code: adapter.InvalidArgument},
	"FIELD_CUSTOM_VALIDATION_EXCEPTION":             {code: adapter.InvalidArgument},
	"FIELD_FILTER_VALIDATION_EXCEPTION":             {code: adapter.InvalidArgument},
	"FIELD_INTEGRITY_EXCEPTION":                     {code: adapter.InvalidArgument},
	"STRING_TOO_LONG":                               {code: adapter.InvalidArgument},
	"INVALID_EMAIL_ADDRESS":                         {code: adapter.InvalidArgument},
	"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST":       {code: adapter.InvalidArgument},
	"INVALID_FIELD_FOR_INSERT_UPDATE":               {code: adapter.InvalidArgument},
	"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY":          {code: adapter.InvalidArgument},
	"CANNOT_UPDATE_CONVERTED_LEAD":                  {code: adapter.InvalidArgument},
	"CIRCULAR_DEPENDENCY":                           {code: adapter.InvalidArgument},
	"DELETE_FAILED":                                 {code: adapter.Conflict},
	"DEPENDENCY_EXISTS":                             {code: adapter.Conflict},
	"FAILED_ACTIVATION":                             {code: adapter.InvalidArgument},
	"INACTIVE_OWNER_OR_USER":                        {code: adapter.InvalidArgument},
	"INVALID_CURRENCY_ISO":                          {code: adapter.InvalidArgument},
	"INVALID_STATUS":                                {code: adapter.InvalidArgument},
	"MANAGER_NOT_DEFINED":                           {code: adapter.InvalidArgument},
	"STANDARD_PRICE_NOT_DEFINED":                    {code: adapter.InvalidArgument},
	"TRANSFER_REQUIRES_READ":                        {code: adapter.PermissionDenied},
	"ALL_OR_NONE_OPERATION_ROLLED_BACK":             {code: adapter.InvalidArgument, message: "the record was good, and undone because another one was refused"},
	"PROCESSING_HALTED":                             {code: adapter.InvalidArgument, message: "not tried, because another record was refused"},
	"REQUIRED_FEATURE_MISSING":                      {code: adapter.Unsupported},
	"API_DISABLED_FOR_ORG":                          {code: adapter.PermissionDenied, message: "the API is not enabled for this organization or user"},
	"FUNCTIONALITY_NOT_ENABLED":                     {code: adapter.Unsupported},
	"FUNCTIONALITY_TEMPORARILY_UNAVAILABLE":         {code: adapter.Unavailable, temporary: true},
	"DUPLICATE_VALUE":                               {code: adapter.AlreadyExists},
	"DUPLICATE_EXTERNAL_ID":                         {code: adapter.Conflict, message: "several records have this external id"},
	"DUPLICATES_DETECTED":                           {code: adapter.AlreadyExists},
	"DUPLICATE_USERNAME":                            {code: adapter.AlreadyExists},
	"DUPLICATE_DEVELOPER_NAME":                      {code: adapter.AlreadyExists},
	"INSUFFICIENT_ACCESS":                           {code: adapter.PermissionDenied},
	"INSUFFICIENT_ACCESS_OR_READONLY":               {code: adapter.PermissionDenied},
	"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": {code: adapter.PermissionDenied},
	"CANNOT_EXECUTE_FLOW_TRIGGER":                   {code: adapter.InvalidArgument},

	// Others at work, and limits.
	"ENTITY_IS_LOCKED": {code: adapter.Conflict, message: "the record is locked, as by an approval that is under way"},
	"INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": {code: adapter.Unavailable, message: "Salesforce is under maintenance and takes no changes at the moment", temporary: true, after: time.Minute},
	"TOO_MANY_APEX_REQUESTS":                              {code: adapter.RateLimited, message: "too many of the organization's own programs run at once", temporary: true, after: 5 * time.Second},
	"UNABLE_TO_LOCK_ROW":                                  {code: adapter.Conflict, message: "another process changes the same record at the moment", temporary: true, after: time.Second},
	"REQUEST_LIMIT_EXCEEDED":                              {code: adapter.RateLimited, message: "the organization has used its API requests, or has too many at once", temporary: true, after: time.Minute},
	"REQUEST_RUNNING_TOO_LONG":                            {code: adapter.Unavailable, message: "Salesforce gave up the request, which ran too long", temporary: true},
	"SERVER_UNAVAILABLE":                                  {code: adapter.Unavailable, message: "Salesforce is busy at the moment", temporary: true, after: 5 * time.Second},
	"QUERY_TIMEOUT":                                       {code: adapter.Timeout, message: "the query takes Salesforce too long: narrow the filter, best by an indexed field"},
	"LIMIT_EXCEEDED":                                      {code: adapter.RateLimited, message: "a limit of the organization is reached", temporary: true, after: time.Minute},
	"TXN_SECURITY_METERING_ERROR":                         {code: adapter.RateLimited, temporary: true, after: time.Minute},
	"EXCEEDED_QUOTA":                                      {code: adapter.RateLimited, temporary: true, after: time.Minute},
	"STORAGE_LIMIT_EXCEEDED":                              {code: adapter.Conflict, message: "the organization's storage is full: delete records or buy storage"},
	"APEX_DATA_ACCESS_RESTRICTION":                        {code: adapter.PermissionDenied},

	// Who we are.
	"INVALID_SESSION_ID":     {code: adapter.Unauthenticated, message: "Salesforce refused the access token"},
	"INVALID_AUTH_HEADER":    {code: adapter.Unauthenticated, message: "Salesforce refused the access token"},
	"INVALID_LOGIN":          {code: adapter.Unauthenticated, message: "Salesforce refused the login"},
	"ORG_LOCKED":             {code: adapter.Unauthenticated, message: "the organization is locked or closed"},
	"API_CURRENTLY_DISABLED": {code: adapter.Unavailable, message: "the API is switched off at the moment", temporary: true},

	"APEX_ERROR":          {code: adapter.Internal, message: "the organization's own code failed"},
	"UNKNOWN_EXCEPTION":   {code: adapter.Internal, message: "Salesforce failed by itself"},
	"PRECONDITION_FAILED": {code: adapter.PreconditionFailed, message: "the record is no longer as it was known"},
}

// statusNoRoute is how the proxy in front of the organizations says that it
// doesn't know where the one of a host name is.
const statusNoRoute = 420

// byStatus is what an HTTP status means where the answer has no code that is
// known.
func byStatus(status int) meaning {
	switch {
	case status == http.StatusUnauthorized:
		return meaning{code: adapter.Unauthenticated, message: "Salesforce refused the access token"}
	case status == http.StatusForbidden:
		return meaning{code: adapter.PermissionDenied, message: "the connected user may not do that"}
	case status == http.StatusNotFound, status == http.StatusGone:
		return meaning{code: adapter.NotFound, message: "Salesforce has no such record or resource"}
	case status == http.StatusMethodNotAllowed:
		return meaning{code: adapter.Unsupported, message: "Salesforce does not allow that there"}
	case status == http.StatusConflict:
		return meaning{code: adapter.Conflict}
	case status == http.StatusPreconditionFailed:
		return meaning{code: adapter.PreconditionFailed, message: "the record is no longer as it was known"}
	case status == http.StatusRequestEntityTooLarge, status == http.StatusRequestURITooLong, status == http.StatusRequestHeaderFieldsTooLarge:
		return meaning{code: adapter.InvalidArgument, message: "Salesforce refuses a request of this size: send less at a time"}
	case status == statusNoRoute:
		return meaning{code: adapter.Unavailable, message: "Salesforce finds no way from this host name to the organization: check the My Domain address", temporary: true}
	case status == http.StatusTooManyRequests:
		return meaning{code: adapter.RateLimited, message: "Salesforce asks for fewer calls", temporary: true}
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return meaning{code: adapter.Unavailable, message: "Salesforce is not available at the moment", temporary: true}
	case status >= 500:
		return meaning{code: adapter.Internal, message: "Salesforce failed by itself"}
	case status >= 400:
		return meaning{code: adapter.InvalidArgument}
	case status >= 300:
		return meaning{code: adapter.Unavailable, message: "Salesforce redirects to another address, which is not followed: use the My Domain address"}
	}
	return meaning{code: adapter.Internal}
}

// httpError is the native error of an answer that holds no fault.
type httpError struct{ status int }

func (e *httpError) Error() string { return fmt.Sprintf("salesforce: HTTP status %d", e.status) }

// parseFaults reads the body of an error: a list of faults, or one.
func parseFaults(body []byte) []fault {
	var list []fault
	if json.Unmarshal(body, &list) == nil {
		return list
	}
	var one fault
	if json.Unmarshal(body, &one) == nil && one.code() != "" {
		return []fault{one}
	}
	return nil
}

// statusError is the error of an answer that is none.
func statusError(resp *http.Response, body []byte, changes bool) error {
	faults := parseFaults(body)
	wait := retryAfter(resp.Header)
	if len(faults) == 0 || faults[0].code() == "" {
		m := byStatus(resp.StatusCode)
		e := &adapter.Error{Code: m.code, Message: m.message, Temporary: m.temporary, RetryAfter: wait, Err: &httpError{resp.StatusCode}}
		if e.Message == "" {
			e.Message = "Salesforce refused the request without a reason"
		}
		if changes && (resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusGatewayTimeout) {
			e.Code, e.Temporary = adapter.UnknownOutcome, false
			e.Message = "the change was sent, and a proxy lost the answer: it may have happened"
		}
		if resp.StatusCode >= 300 && resp.StatusCode < 400 {
			e.Field = "url"
		}
		return e
	}
	e := faultError(&faults[0], resp.StatusCode)
	if wait > 0 {
		e.RetryAfter = wait
	}
	return e
}

// faultError turns a fault into an error for callers. status is that of the
// answer, 0 if the fault is part of a result.
func faultError(f *fault, status int) *adapter.Error {
	m, known := meanings[f.code()]
	if !known {
		m = byStatus(status)
		if status == 0 {
			m = meaning{code: adapter.InvalidArgument}
		}
		m.message = ""
	}
	e := &adapter.Error{Code: m.code, Message: m.message, Native: f.code(), Temporary: m.temporary, RetryAfter: m.after, Err: f}
	if e.Message == "" {
		e.Message = readable(f)
	}
	e.Field = f.field()
	switch {
	case f.code() == "INVALID_TYPE":
		e.Field, e.Message = "model", "this organization has no such object, or the user may not see it"
	case f.code() == "INVALID_CROSS_REFERENCE_KEY" && e.Field != "" && !strings.EqualFold(e.Field, "id"):
		e.Code, e.Message = adapter.InvalidArgument, "the value of "+e.Field+" refers to no record that the user may see"
	}
	return e
}

// readable is Salesforce's own message in one line, without the query that it
// repeats above it.
func readable(f *fault) string {
	text := f.Message
	if i := strings.Index(text, "ERROR at Row:"); i >= 0 {
		text = text[i:]
		if _, rest, ok := strings.Cut(text, "\n"); ok {
			text = rest
		}
	}
	text, _, _ = strings.Cut(text, " If you are attempting to use a custom field")
	if text = clip(text, 400); text == "" {
		return "Salesforce refused it: " + f.code()
	}
	return text
}

// faultFields are where messages name the field that is wrong.
var faultFields = [...]*regexp.Regexp{
	regexp.MustCompile(`No such column '([A-Za-z0-9_.]+)'`),
	regexp.MustCompile(`(?:field|Field) '([A-Za-z0-9_.]+)'`),
	regexp.MustCompile(`duplicate value found: ([A-Za-z0-9_]+) `),
	regexp.MustCompile(`Required fields are missing: \[([A-Za-z0-9_]+)`),
	regexp.MustCompile(`Didn't understand relationship '([A-Za-z0-9_.]+)'`),
}

func (f *fault) field() string {
	if len(f.Fields) > 0 {
		return f.Fields[0]
	}
	for _, expr := range faultFields {
		if m := expr.FindStringSubmatch(f.Message); m != nil {
			return m[1]
		}
	}
	return ""
}

// sessionEnded reports whether an access token is no longer good.
func sessionEnded(err error) bool {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Code != adapter.Unauthenticated {
		return false
	}
	native, isHTTP := errors.AsType[*httpError](e.Err)
	return e.Native == "INVALID_SESSION_ID" || e.Native == "INVALID_AUTH_HEADER" || isHTTP && native.status == http.StatusUnauthorized
}
