package salesforcetest_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

func TestFaults(t *testing.T) {
	c := newClient(t, fixed())
	try := func() (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.srv.URL+"/services/data/v62.0/sobjects/Sample__c", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+c.token)
		resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(data), err
	}
	for name, test := range map[string]struct {
		fault  salesforcetest.Fault
		status int
		body   string
		fails  bool
	}{
		"503":       {fault: salesforcetest.Fault{Status: 503}, status: 503, body: "Service Unavailable"},
		"error":     {fault: salesforcetest.Fault{ErrorCode: "UNABLE_TO_LOCK_ROW", Message: "locked"}, status: 400, body: `[{"message":"locked","errorCode":"UNABLE_TO_LOCK_ROW"}]`},
		"reset":     {fault: salesforcetest.Fault{Reset: true}, fails: true},
		"cut":       {fault: salesforcetest.Fault{Cut: true}, status: 400, fails: true},
		"garbage":   {fault: salesforcetest.Fault{Garbage: true}, status: 200},
		"moved":     {fault: salesforcetest.Fault{Redirect: "/x"}, status: 302},
		"slow":      {fault: salesforcetest.Fault{Latency: time.Millisecond}, status: 400, body: "JSON_PARSER_ERROR"},
		"elsewhere": {fault: salesforcetest.Fault{Path: "/query", Status: 503}, status: 400, body: "JSON_PARSER_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			test.fault.Times = 1
			c.srv.SetFault(test.fault)
			status, body, err := try()
			assert.Equal(t, test.fails, err != nil, "%v", err)
			assert.Equal(t, test.status, status)
			assert.Contains(t, body, test.body)
			c.srv.SetFault()
			status, _, err = try()
			require.NoError(t, err)
			assert.Equal(t, 400, status)
		})
	}
	c.srv.SetFault(salesforcetest.Fault{Method: "POST", Skip: 1, AfterCall: true, Reset: true, Times: 1})
	c.create("Sample__c", map[string]any{"Name": "through"})
	c.refused(c.do("GET", "/sobjects/Nothing", nil), 404, "NOT_FOUND")
	_, _, err := try()
	assert.Error(t, err)

	hang := salesforcetest.Fault{Hang: true}
	c.srv.SetFault(hang)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.srv.URL+"/services/data", nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	c.srv.SetFault()

	c.srv.Down()
	_, _, err = try()
	require.Error(t, err)
	require.NoError(t, c.srv.Up())
	_, _, err = try()
	require.NoError(t, err)
	assert.Positive(t, c.srv.Requests()["POST /sobjects/Sample__c"])
	c.srv.ResetCounters()
	assert.Zero(t, c.srv.TotalRequests())
	assert.Empty(t, c.srv.Requests())
	c.srv.Close()
	c.srv.Close()
	require.Error(t, c.srv.Up())
}

func TestStart(t *testing.T) {
	for _, bad := range []salesforcetest.Config{
		{Version: "12"}, {Version: "x.0"}, {Version: "20.0"}, {Addr: "nowhere:-1"},
		{Objects: []salesforcetest.Object{{Name: "Account"}}}, {Objects: []salesforcetest.Object{{Name: "no name"}}},
		{Objects: []salesforcetest.Object{{Name: "A__c", Fields: []salesforcetest.Field{{Name: "B__c", Type: "blob"}}}}},
		{Objects: []salesforcetest.Object{{Name: "A__c", Fields: []salesforcetest.Field{{Name: "B__c", Type: salesforcetest.TypeReference}}}}},
		{Objects: []salesforcetest.Object{{Name: "A__c", Fields: []salesforcetest.Field{{Name: "B__c", Type: salesforcetest.TypeReference, ReferenceTo: []string{"Nothing"}}}}}},
		{Objects: []salesforcetest.Object{{Name: "A__c", Fields: []salesforcetest.Field{{Name: "Id", Type: salesforcetest.TypeString}}}}},
		{Objects: []salesforcetest.Object{{Name: "A__c", KeyPrefix: "001"}}},
	} {
		_, err := salesforcetest.Start(bad)
		assert.Error(t, err, "%+v", bad)
	}
	srv := salesforcetest.New(t)
	assert.Positive(t, srv.Count("Order"), "demo data")
	assert.Positive(t, srv.Count("Invoice"))
	_, err := srv.Create("Nothing", nil)
	require.Error(t, err)
	_, err = srv.Create("Account", map[string]any{"Name": []int{1}})
	require.Error(t, err)
	require.Error(t, srv.AddField("Nothing", salesforcetest.Field{}))
	require.Error(t, srv.RemoveField("Account", "Nothing"))
}
