package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

func fault(code, message string, fields ...string) string {
	b, _ := json.Marshal([]map[string]any{{"errorCode": code, "message": message, "fields": fields}})
	return string(b)
}

// TestFaults sorts Salesforce's codes into ours.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		status    int
		body      string
		code      adapter.Code
		field     string
		message   string // a part of it
		temporary bool
	}{
		{400, fault("INVALID_FIELD", "\nSELECT Foo FROM Thing__c\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Thing__c'. If you are attempting to use a custom field, be sure to append the '__c'"), adapter.InvalidArgument, "Foo", "No such column 'Foo'", false},
		{400, fault("MALFORMED_QUERY", "unexpected token: 'FROM'"), adapter.InvalidArgument, "", "unexpected token", false},
		{400, fault("INVALID_TYPE", "sObject type 'Nope' is not supported"), adapter.NotFound, "model", "no such object", false},
		{404, fault("NOT_FOUND", "The requested resource does not exist"), adapter.NotFound, "", "no such record", false},
		{404, fault("ENTITY_IS_DELETED", "entity is deleted"), adapter.NotFound, "", "deleted", false},
		{400, fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"), adapter.NotFound, "", "does not exist", false},
		{400, fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "AccountId"), adapter.InvalidArgument, "AccountId", "AccountId", false},
		{400, fault("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"), adapter.Conflict, "", "another process", true},
		{403, fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), adapter.RateLimited, "", "API requests", true},
		{400, fault("DUPLICATE_VALUE", "duplicate value found: Key__c duplicates value on record with id: 001"), adapter.AlreadyExists, "Key__c", "duplicate value", false},
		{400, fault("DUPLICATES_DETECTED", "Use one of these records?"), adapter.AlreadyExists, "", "Use one of these", false},
		{400, fault("FIELD_CUSTOM_VALIDATION_EXCEPTION", "The name must rhyme", "Name"), adapter.InvalidArgument, "Name", "must rhyme", false},
		{400, fault("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", "Name"), adapter.InvalidArgument, "Name", "Required fields", false},
		{400, fault("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]"), adapter.InvalidArgument, "Name", "Required fields", false},
		{400, fault("STRING_TOO_LONG", "Name: data value too large", "Name"), adapter.InvalidArgument, "Name", "too large", false},
		{403, fault("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"), adapter.PermissionDenied, "", "insufficient access", false},
		{400, fault("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id"), adapter.PermissionDenied, "", "insufficient", false},
		{507, fault("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"), adapter.Conflict, "", "storage is full", false},
		{400, fault("ENTITY_IS_LOCKED", "This record is locked."), adapter.Conflict, "", "approval", false},
		{400, fault("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "no"), adapter.Unavailable, "", "maintenance", true},
		{503, fault("TOO_MANY_APEX_REQUESTS", "no"), adapter.RateLimited, "", "at once", true},
		{403, fault("ORG_LOCKED", "no"), adapter.Unauthenticated, "", "locked", false},
		{503, fault("SERVER_UNAVAILABLE", "too many requests in the queue"), adapter.Unavailable, "", "busy", true},
		{400, fault("QUERY_TIMEOUT", "Your query request was running for too long."), adapter.Timeout, "", "too long", false},
		{500, fault("UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 123"), adapter.Internal, "", "failed by itself", false},
		{412, fault("PRECONDITION_FAILED", ""), adapter.PreconditionFailed, "", "no longer", false},
		{400, fault("A_CODE_OF_NEXT_YEAR", "something new"), adapter.InvalidArgument, "", "something new", false},
		{403, fault("A_CODE_OF_NEXT_YEAR", ""), adapter.PermissionDenied, "", "A_CODE_OF_NEXT_YEAR", false},
		{403, `{"errorCode":"API_DISABLED_FOR_ORG","message":"API is not enabled"}`, adapter.PermissionDenied, "", "not enabled", false},
		{414, `<html>URI Too Long</html>`, adapter.InvalidArgument, "", "size", false},
		{420, ``, adapter.Unavailable, "", "My Domain", true},
		{429, ``, adapter.RateLimited, "", "fewer calls", true},
		{502, `<html>bad gateway</html>`, adapter.Unavailable, "", "not available", true},
		{500, `<html>oops</html>`, adapter.Internal, "", "failed", false},
		{418, `{}`, adapter.InvalidArgument, "", "without a reason", false},
		{302, ``, adapter.Unavailable, "url", "redirects", false},
	} {
		t.Run(fmt.Sprint(test.status, " ", test.body[:min(len(test.body), 60)]), func(t *testing.T) {
			f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/v62.0/query": status(test.status, test.body)})
			_, err := dial(t, f.config()).Query(t.Context(), adapter.Query{Model: "Thing__c", Fields: []string{"Name"}})
			e, ok := errors.AsType[*adapter.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, test.code, e.Code, "%v", err)
			assert.Equal(t, test.field, e.Field)
			assert.Contains(t, e.Message, test.message)
			assert.Equal(t, test.temporary, e.Temporary)
			assert.Equal(t, "Thing__c", e.Model)
			assert.NotContains(t, e.Message, "SELECT", "the query is not repeated")
			assert.NotContains(t, e.Message, "\n")
			assertNoSecrets(t, err, f.config())
		})
	}
}

func TestRetryAfter(t *testing.T) {
	f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/v62.0/query": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		status(503, fault("SERVER_UNAVAILABLE", ""))(w, r)
	}})
	_, err := dial(t, f.config()).Query(t.Context(), adapter.Query{Model: "Thing__c"})
	assert.Equal(t, 7*time.Second, adapter.RetryAfter(err))
	assert.True(t, adapter.Retryable(err, false))
}

// TestLostAnswers tells a change that may have happened from one that has not.
func TestLostAnswers(t *testing.T) {
	srv := salesforcetest.New(t)
	config := simulated(srv)
	config.Timeout = 300 * time.Millisecond
	client := dial(t, config)
	_, err := client.Schema(t.Context(), "Account")
	require.NoError(t, err)
	for name, fault := range map[string]salesforcetest.Fault{
		"hang":    {Hang: true},
		"reset":   {Reset: true},
		"cut":     {Cut: true, AfterCall: true},
		"gateway": {Status: http.StatusGatewayTimeout, AfterCall: true},
		"garbage": {Garbage: true, AfterCall: true},
	} {
		t.Run(name, func(t *testing.T) {
			fault.Method, fault.Path = http.MethodPost, "/sobjects/Account"
			srv.SetFault(fault)
			defer srv.SetFault()
			_, err := client.Create(t.Context(), "Account", adapter.Record{"Name": "x"})
			require.ErrorIs(t, err, adapter.ErrUnknownOutcome)
			assert.False(t, adapter.Retryable(err, true))

			fault.Method, fault.Path, fault.AfterCall = http.MethodGet, "/query", false
			srv.SetFault(fault)
			_, err = client.Query(t.Context(), adapter.Query{Model: "Account", Fields: []string{"Name"}})
			require.Error(t, err)
			assert.NotErrorIs(t, err, adapter.ErrUnknownOutcome, "a question changes nothing")
			assert.Contains(t, []adapter.Code{adapter.Timeout, adapter.Unavailable, adapter.Internal}, adapter.CodeOf(err))
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	srv.SetFault(salesforcetest.Fault{Hang: true, Method: http.MethodPost, Path: "/sobjects/Account"})
	go func() {
		for srv.Requests()["POST /sobjects/Account"] == 0 {
			runtime.Gosched()
		}
		cancel()
	}()
	srv.ResetCounters()
	_, err = client.Create(ctx, "Account", adapter.Record{"Name": "x"})
	srv.SetFault()
	require.ErrorIs(t, err, adapter.ErrUnknownOutcome)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAnswersThatAreTooLarge(t *testing.T) {
	srv := salesforcetest.New(t)
	config := simulated(srv)
	config.MaxResponse = 100 << 10
	client := dial(t, config)
	srv.SetFault(salesforcetest.Fault{Endless: true, Path: "/query"})
	_, err := client.Query(t.Context(), adapter.Query{Model: "Account", Fields: []string{"Name"}})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.ErrorContains(t, err, "ask for fewer")
	srv.SetFault(salesforcetest.Fault{Endless: true, Path: "/sobjects/Account", Method: http.MethodPost, AfterCall: true})
	_, err = client.Create(t.Context(), "Account", adapter.Record{"Name": "x"})
	require.ErrorIs(t, err, adapter.ErrUnknownOutcome)
}

// TestAnswersOfOtherForms are what no Salesforce says.
func TestAnswersOfOtherForms(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `7`, `{"records":7}`, `{"records":[7]}`, `{"done":false,"nextRecordsUrl":"https://elsewhere.example/x","records":[{"Id":"a010000000000001AA"}]}`, `{"done":false,"records":[]}`} {
		f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/v62.0/query": text(body)})
		client := dial(t, f.config())
		for _, err := range adapter.All(t.Context(), client, adapter.Query{Model: "Thing__c", Fields: []string{"Name"}}) {
			if err != nil {
				assert.ErrorIs(t, err, adapter.ErrInternal, body)
			}
		}
		assert.LessOrEqual(t, f.count("GET /services/data/v62.0/query"), 2)
	}
}
