package sap_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

const model = "ZSAMPLE_SRV.Samples"

// logins are the ways to log in to a simulated system.
func logins(srv *saptest.Server) map[string]sap.Config {
	basic := simulated(srv)
	token := basic
	token.Username, token.Password = "", ""
	oauth, bearer := token, token
	oauth.TokenURL, oauth.ClientID, oauth.ClientSecret = srv.TokenURL, srv.ClientID, srv.ClientSecret
	bearer.BearerToken = srv.BearerToken
	return map[string]sap.Config{"basic": basic, "oauth2": oauth, "bearer": bearer}
}

func TestLogins(t *testing.T) {
	srv := saptest.New(t)
	for name, good := range logins(srv) {
		t.Run(name, func(t *testing.T) {
			client := dial(t, good)
			id, err := client.Create(t.Context(), model, adapter.Record{"Name": name})
			require.NoError(t, err)
			require.NoError(t, client.Delete(t.Context(), model, []adapter.ID{id}))
			assert.Equal(t, "sap", client.Info().Kind)

			bad := good
			switch name {
			case "basic":
				bad.Password = "not the password"
			case "oauth2":
				bad.ClientSecret = "not the secret"
			case "bearer":
				bad.BearerToken = "not-the-token"
			}
			_, err = sap.Dial(t.Context(), bad)
			assert.ErrorIs(t, err, adapter.ErrUnauthenticated)
			requireClean(t, err, bad)
		})
	}
}

// requireClean asserts that the message for callers shows no secret and no
// address.
func requireClean(t *testing.T, err error, c sap.Config) {
	t.Helper()
	e, ok := errors.AsType[*adapter.Error](err)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, e.Message)
	for _, secret := range []string{c.Password, c.ClientSecret, c.BearerToken, "127.0.0.1", "://", "\n", "CL_", "<"} {
		if secret != "" {
			assert.NotContains(t, e.Message, secret)
		}
	}
}

// All who write at once wait for one token, and when it is over, for one more.
func TestCSRFTokenIsFetchedOnce(t *testing.T) {
	srv := saptest.New(t)
	client := dial(t, simulated(srv))
	_, err := client.Schema(t.Context(), model)
	require.NoError(t, err)
	write := func(n int) {
		t.Helper()
		var wg sync.WaitGroup
		errs := make([]error, n)
		for i := range n {
			wg.Go(func() { _, errs[i] = client.Create(t.Context(), model, adapter.Record{"Name": strconv.Itoa(i)}) })
		}
		wg.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	}
	srv.ResetCounters()
	write(30)
	assert.Equal(t, 1, srv.Calls()["CSRF"])
	srv.ExpireCSRF()
	write(30)
	assert.Equal(t, 2, srv.Calls()["CSRF"])
	srv.ExpireSessions()
	write(30)
	assert.Equal(t, 3, srv.Calls()["CSRF"])
}

// A caller that leaves does not take the token from the others who wait.
func TestCSRFTokenSurvivesCallersLeaving(t *testing.T) {
	srv := saptest.New(t)
	client := dial(t, simulated(srv))
	_, err := client.Schema(t.Context(), model)
	require.NoError(t, err)
	arrived := make(chan struct{})
	release := make(chan struct{})
	srv.SetFault(saptest.Fault{Path: "/sap/opu/odata/sap/ZSAMPLE_SRV/", Method: http.MethodGet, Times: 1, Before: func() { close(arrived); <-release }})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := client.Create(ctx, model, adapter.Record{"Name": "leaves"}); first <- err }()
	<-arrived
	go func() { _, err := client.Create(t.Context(), model, adapter.Record{"Name": "stays"}); second <- err }()
	cancel()
	err = <-first
	assert.ErrorIs(t, err, adapter.ErrCanceled)
	var e *adapter.Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.NothingSent)
	close(release)
	assert.NoError(t, <-second)
}

func TestTokensThatEnd(t *testing.T) {
	srv := saptest.NewServer(saptest.Config{TokenCalls: 7, PageSize: 50})
	t.Cleanup(srv.Close)
	c := logins(srv)["oauth2"]
	c.PageSize = 20
	client := dial(t, c)
	values := make([]adapter.Record, 300)
	for i := range values {
		values[i] = adapter.Record{"Name": fmt.Sprintf("%04d", i)}
	}
	ids, err := client.CreateMany(t.Context(), model, values)
	require.NoError(t, err)
	// The token ends every seven requests, in the midst of this.
	n := 0
	for r, err := range client.Stream(t.Context(), adapter.Query{Model: model, Filter: adapter.Cond{Field: "id", Op: adapter.GreaterEq, Value: ids[0].Value()}, Fields: []string{"Name"}}) {
		require.NoError(t, err)
		require.Equal(t, values[n]["Name"], r["Name"])
		n++
	}
	assert.Equal(t, len(values), n)

	// All callers of an ended token wait for one new one.
	srv.ExpireTokens()
	before := srv.Requests()["/sap/bc/sec/oauth2/token"]
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { assert.NoError(t, client.Ping(t.Context())) })
	}
	wg.Wait()
	assert.LessOrEqual(t, srv.Requests()["/sap/bc/sec/oauth2/token"]-before, 2)
}

// An id that is not there does not stop a batch in the midst.
func TestManyAreReadAtOnce(t *testing.T) {
	srv := saptest.New(t)
	client := dial(t, simulated(srv))
	for _, service := range []string{"ZSAMPLE_SRV", "zsample"} {
		name := service + ".Samples"
		ids, err := client.CreateMany(t.Context(), name, []adapter.Record{{"Name": "a"}, {"Name": "b"}, {"Name": "c"}})
		require.NoError(t, err)
		ids = append([]adapter.ID{adapter.StringID("NONE")}, ids...)
		path := srv.Services()[service] + "/$batch"
		requests := srv.Requests()[path]
		records, err := client.Read(t.Context(), name, ids, []string{"Name"})
		require.NoError(t, err)
		assert.Len(t, records, 3)
		assert.Equal(t, requests+1, srv.Requests()[path])
	}
}

// What goes wrong on the way, and what callers are told.
func TestFaults(t *testing.T) {
	srv := saptest.New(t)
	c := simulated(srv)
	client := dial(t, c)
	patient := client
	c.Timeout = 300 * time.Millisecond
	hasty := dial(t, c)
	_, err := hasty.Create(t.Context(), model, adapter.Record{"Name": "with a session"})
	require.NoError(t, err)
	id, err := client.Create(t.Context(), model, adapter.Record{"Name": "here"})
	require.NoError(t, err)
	read := func() error {
		_, err := client.Query(t.Context(), adapter.Query{Model: model, Limit: 1})
		return err
	}
	write := func() error {
		return client.Update(t.Context(), model, []adapter.ID{id}, adapter.Record{"Name": "changed"})
	}
	create := func() error {
		_, err := client.CreateMany(t.Context(), model, []adapter.Record{{"Name": "a"}, {"Name": "b"}})
		return err
	}
	page := "<html><head><title>500</title></head><body>CX_SY_ZERODIVIDE at 10.1.2.3 password=Welcome1</body></html>"
	tests := []struct {
		name        string
		fault       saptest.Fault
		read, write adapter.Code
	}{
		{"reset", saptest.Fault{Reset: true}, "", adapter.UnknownOutcome}, // net/http itself repeats a read
		{"cut", saptest.Fault{Cut: true, Contains: "$batch"}, "", adapter.UnknownOutcome},
		{"cut read", saptest.Fault{Cut: true, Method: http.MethodGet}, adapter.Unavailable, ""},
		{"hang", saptest.Fault{Hang: true}, adapter.Timeout, adapter.UnknownOutcome},
		{"garbage", saptest.Fault{Garbage: true}, adapter.Internal, ""},
		{"500 page", saptest.Fault{Status: 500, Body: page, ContentType: "text/html"}, adapter.Internal, adapter.Internal},
		{"logon page", saptest.Fault{Status: 200, Body: page, ContentType: "text/html"}, adapter.Unauthenticated, adapter.UnknownOutcome},
		{"502", saptest.Fault{Status: 502}, adapter.Unavailable, adapter.UnknownOutcome},
		{"503", saptest.Fault{Status: 503, RetryAfter: 7 * time.Second}, adapter.Unavailable, adapter.Unavailable},
		{"429", saptest.Fault{Status: 429, RetryAfter: 7 * time.Second}, adapter.RateLimited, adapter.RateLimited},
		{"redirect", saptest.Fault{Redirect: "http://login.example.com/saml2?secret=1"}, adapter.Unavailable, adapter.Unavailable},
		{"locked", saptest.Fault{Refuse: &saptest.Error{Status: 423, Code: "V1/042", Message: "Sales order 1 is locked by user X"}}, adapter.Conflict, adapter.Conflict},
		{"400 locked", saptest.Fault{Refuse: &saptest.Error{Status: 400, Code: "M3/897", Message: "Material gesperrt"}}, adapter.Conflict, adapter.Conflict},
		{"403", saptest.Fault{Refuse: &saptest.Error{Status: 403, Code: "/IWFND/MED/1", Message: "No authorization"}}, adapter.PermissionDenied, adapter.PermissionDenied},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if client = patient; test.fault.Hang {
				client = hasty
			}
			test.fault.Path = "/sap/opu/odata/sap/ZSAMPLE_SRV/"
			test.fault.Times = 1
			check := func(want adapter.Code, err error) {
				t.Helper()
				if want == "" {
					return
				}
				require.Error(t, err)
				assert.Equal(t, want, adapter.CodeOf(err), "%v", err)
				requireClean(t, err, c)
				if test.fault.RetryAfter > 0 {
					assert.Equal(t, test.fault.RetryAfter, adapter.RetryAfter(err))
				}
				if want == adapter.UnknownOutcome {
					assert.False(t, adapter.Retryable(err, true))
				}
			}
			srv.SetFault(test.fault)
			check(test.read, read())
			if test.fault.Contains == "" {
				srv.SetFault(test.fault)
				check(test.write, write())
			}
			srv.SetFault(test.fault)
			check(test.write, create())
			srv.SetFault()
			assert.NoError(t, read())
		})
	}
}

func TestUnreachable(t *testing.T) {
	srv := saptest.New(t)
	client := dial(t, simulated(srv))
	require.NoError(t, client.Ping(t.Context()))
	srv.Down()
	_, err := client.Create(t.Context(), model, adapter.Record{"Name": "x"})
	assert.ErrorIs(t, err, adapter.ErrUnavailable)
	assert.True(t, adapter.Retryable(err, true), "%v", err)
	require.NoError(t, srv.Up())
	_, err = client.Create(t.Context(), model, adapter.Record{"Name": "x"})
	assert.NoError(t, err)
}

// The dialer's guard sees the token endpoint, too, and redirects are not
// followed past it.
func TestControlGuardsAllAddresses(t *testing.T) {
	srv := saptest.New(t)
	refused := errors.New("address refused")
	var calls atomic.Int32
	c := logins(srv)["oauth2"]
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
	t.Cleanup(other.Close)
	c.TokenURL = other.URL + "/token"
	guarded := strings.TrimPrefix(other.URL, "http://")
	c.Control = func(_, address string, _ syscall.RawConn) error {
		calls.Add(1)
		if address == guarded {
			return refused
		}
		return nil
	}
	_, err := sap.Dial(t.Context(), c)
	assert.ErrorIs(t, err, refused)
	assert.NotZero(t, calls.Load())

	c = simulated(srv)
	c.Control = func(_, address string, _ syscall.RawConn) error {
		if address == guarded {
			return refused
		}
		return nil
	}
	client := dial(t, c)
	srv.SetFault(saptest.Fault{Path: "/sap/", Redirect: other.URL})
	assert.ErrorIs(t, client.Ping(t.Context()), adapter.ErrUnavailable)
}

func TestMetadataOfManyMegabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("20 MiB")
	}
	srv := saptest.New(t)
	srv.SetFault(saptest.Fault{Contains: "$metadata", Pad: 20 << 20})
	client := dial(t, simulated(srv))
	schema, err := client.Schema(t.Context(), model)
	require.NoError(t, err)
	assert.True(t, schema.Has("Name"))
}

func TestBrokenMetadata(t *testing.T) {
	for name, fault := range map[string]saptest.Fault{
		"half":    {Half: true},
		"garbage": {Garbage: true},
		"other":   {Status: 200, Body: "<feed/>", ContentType: "application/xml"},
		"page":    {Status: 200, Body: "<!DOCTYPE html><html></html>", ContentType: "text/html"},
		"bombs":   {Status: 200, Body: `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><edmx:Edmx Version="1.0">&b;</edmx:Edmx>`, ContentType: "application/xml"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := saptest.New(t)
			client := dial(t, simulated(srv))
			fault.Contains = "$metadata"
			fault.Times = 1
			srv.SetFault(fault)
			_, err := client.Query(t.Context(), adapter.Query{Model: model})
			assert.ErrorIs(t, err, adapter.ErrUnavailable, "%v", err)
			assert.ErrorContains(t, err, "metadata")
			assert.ErrorContains(t, err, "ZSAMPLE_SRV")
			// It is not remembered.
			_, err = client.Query(t.Context(), adapter.Query{Model: model, Limit: 1})
			assert.NoError(t, err)
		})
	}
}

func TestEndlessAnswers(t *testing.T) {
	srv := saptest.New(t)
	c := simulated(srv)
	c.MaxResponse = 1 << 20
	client := dial(t, c)
	_, err := client.Schema(t.Context(), model)
	require.NoError(t, err)
	srv.SetFault(saptest.Fault{Endless: true, Times: 1})
	_, err = client.Query(t.Context(), adapter.Query{Model: model})
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.ErrorContains(t, err, "1 MB")
}
