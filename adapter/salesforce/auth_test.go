package salesforce_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

func privateKey(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// logins are the ways to log in to a simulated organization.
func logins(srv *salesforcetest.Server) map[string]salesforce.Config {
	return map[string]salesforce.Config{
		"client credentials": {URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret},
		"jwt bearer":         {URL: srv.URL, ClientID: srv.ClientID, Username: srv.Username, PrivateKey: privateKey(srv.PrivateKey)},
		"refresh token":      {URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret, RefreshToken: srv.RefreshToken},
	}
}

func TestLogins(t *testing.T) {
	srv := salesforcetest.New(t)
	for name, config := range logins(srv) {
		t.Run(name, func(t *testing.T) {
			client := dial(t, config)
			info := client.Info()
			assert.Equal(t, "salesforce", info.Kind)
			assert.Equal(t, "62.0", info.Version)
			assert.Equal(t, srv.UserID, info.UserID.String())
			assert.Equal(t, srv.OrgID, info.Database)
			assert.Equal(t, srv.URL, info.URL)
			assert.Equal(t, "Id", info.IDField)
			n, err := client.Count(t.Context(), "Account", nil)
			require.NoError(t, err)
			assert.Positive(t, n)
			// The token ends, and nobody notices.
			srv.ExpireTokens()
			_, err = client.Count(t.Context(), "Account", nil)
			assert.NoError(t, err)
		})
	}
}

func TestLoginsThatAreRefused(t *testing.T) {
	srv := salesforcetest.New(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	wrong := map[string]func(c *salesforce.Config){
		"client credentials": func(c *salesforce.Config) { c.ClientSecret = "s3cret-that-is-wrong" },
		"jwt bearer":         func(c *salesforce.Config) { c.PrivateKey = privateKey(other) },
		"refresh token":      func(c *salesforce.Config) { c.RefreshToken = "s3cret-that-is-wrong" },
	}
	for name, config := range logins(srv) {
		t.Run(name, func(t *testing.T) {
			wrong[name](&config)
			_, err := salesforce.Dial(t.Context(), config)
			require.ErrorIs(t, err, adapter.ErrUnauthenticated)
			e, ok := errors.AsType[*adapter.Error](err)
			require.True(t, ok)
			assert.NotEmpty(t, e.Native)
			assert.True(t, e.NothingSent)
			assertNoSecrets(t, err, config)
		})
	}
}

// assertNoSecrets looks through an error and all that it wraps.
func assertNoSecrets(t *testing.T, err error, config salesforce.Config) {
	t.Helper()
	for _, text := range append(unwrapped(err), fmt.Sprintf("%+v %#v", err, err)) {
		for _, secret := range []string{config.ClientSecret, config.RefreshToken, fakeToken, "PRIVATE KEY", "Bearer "} {
			if secret != "" {
				assert.NotContains(t, text, secret)
			}
		}
	}
}

// TestOneRenewal has many callers find at once that the token has ended.
func TestOneRenewal(t *testing.T) {
	srv := salesforcetest.New(t)
	client := dial(t, simulated(srv))
	_, err := client.Schema(t.Context(), "Account")
	require.NoError(t, err)
	srv.ResetCounters()
	srv.ExpireTokens()
	var wg sync.WaitGroup
	errs := make([]error, 32)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = client.Query(t.Context(), adapter.Query{Model: "Account", Fields: []string{"Name"}, Limit: 1})
		})
	}
	wg.Wait()
	for _, err := range errs {
		assert.NoError(t, err)
	}
	assert.Equal(t, 1, srv.Requests()["POST /services/oauth2/token"])
}

// TestTokenThatIsNeverGood renews once, not for ever.
func TestTokenThatIsNeverGood(t *testing.T) {
	ended := status(http.StatusUnauthorized, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
	f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/v62.0/query": ended})
	client := dial(t, f.config())
	_, err := client.Query(t.Context(), adapter.Query{Model: "Thing__c", Fields: []string{"Name"}})
	require.ErrorIs(t, err, adapter.ErrUnauthenticated)
	assert.Equal(t, 2, f.count("GET /services/data/v62.0/query"))
	assert.Equal(t, 2, f.count("POST /services/oauth2/token"))
	assertNoSecrets(t, err, f.config())
}

// TestRefusalIsRemembered does not run into the lock of Salesforce.
func TestRefusalIsRemembered(t *testing.T) {
	srv := salesforcetest.New(t)
	config := logins(srv)["refresh token"]
	client := dial(t, config)
	srv.RevokeRefreshToken()
	srv.ExpireTokens()
	srv.ResetCounters()
	for range 5 {
		_, err := client.Count(t.Context(), "Account", nil)
		require.ErrorIs(t, err, adapter.ErrUnauthenticated)
		assertNoSecrets(t, err, config)
	}
	assert.Equal(t, 1, srv.Requests()["POST /services/oauth2/token"])
	_, err := client.Count(t.Context(), "Account", nil)
	assert.Positive(t, adapter.RetryAfter(err))
}

func TestTokenEndpointErrors(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   adapter.Code
		native string
	}{
		"invalid_grant":     {status(400, `{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}`), adapter.Unauthenticated, "invalid_grant"},
		"invalid_client_id": {status(400, `{"error":"invalid_client_id","error_description":"client identifier invalid"}`), adapter.Unauthenticated, "invalid_client_id"},
		"inactive user":     {status(400, `{"error":"inactive_user","error_description":"user is inactive"}`), adapter.Unauthenticated, "inactive_user"},
		"something new":     {status(400, `{"error":"quantum_lock"}`), adapter.Unauthenticated, "quantum_lock"},
		"a page":            {status(200, `<html>login</html>`), adapter.Unavailable, ""},
		"a page that errs":  {status(404, `<html>no</html>`), adapter.Unavailable, ""},
		"overload":          {status(503, `<html>busy</html>`), adapter.Unavailable, ""},
		"too many an hour":  {status(400, `{"error":"invalid_grant","error_description":"Login Rate Exceeded"}`), adapter.RateLimited, ""},
		"too many":          {status(429, `{"error":"slow_down"}`), adapter.RateLimited, ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}, adapter.Unavailable, ""},
		"a token of nothing": {status(200, `{"token_type":"Bearer"}`), adapter.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, map[string]http.HandlerFunc{"POST /services/oauth2/token": test.answer})
			_, err := salesforce.Dial(t.Context(), f.config())
			e, ok := errors.AsType[*adapter.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, test.code, e.Code, "%v", err)
			assert.Equal(t, test.native, e.Native)
			assert.NotContains(t, e.Message, "http")
			assertNoSecrets(t, err, f.config())
		})
	}
}

func TestRotatingRefreshToken(t *testing.T) {
	var mu sync.Mutex
	next := 1
	f := newFake(t, map[string]http.HandlerFunc{
		"POST /services/oauth2/token": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if want := fmt.Sprintf("refresh-%d", next-1); r.FormValue("refresh_token") != want {
				status(400, `{"error":"invalid_grant"}`)(w, r)
				return
			}
			text(fmt.Sprintf(`{"access_token":"a%d","refresh_token":"refresh-%d"}`, next, next))(w, r)
			next++
		},
		"GET /services/data/v62.0/query": status(401, `[{"errorCode":"INVALID_SESSION_ID"}]`),
	})
	var told []string
	client := dial(t, salesforce.Config{URL: f.URL, ClientID: "client", RefreshToken: "refresh-0", OnRefreshToken: func(s string) { told = append(told, s) }})
	_, err := client.Query(t.Context(), adapter.Query{Model: "Thing__c"})
	require.Error(t, err)
	assert.Equal(t, []string{"refresh-1", "refresh-2"}, told)
}

func TestControlSeesEveryAddress(t *testing.T) {
	srv := salesforcetest.New(t)
	refusal := adapter.Errorf(adapter.PermissionDenied, "addresses of this network are not allowed")
	for name, config := range logins(srv) {
		t.Run(name, func(t *testing.T) {
			var dialled []string
			config.APIVersion = "62.0" // so that the token is asked for first
			config.Control = func(_, address string, _ syscall.RawConn) error {
				dialled = append(dialled, address)
				return refusal
			}
			_, err := salesforce.Dial(t.Context(), config)
			require.ErrorIs(t, err, adapter.ErrPermissionDenied)
			assert.Equal(t, []string{strings.TrimPrefix(srv.URL, "http://")}, dialled)
		})
	}
}

func TestVersionIsNegotiated(t *testing.T) {
	for _, test := range []struct {
		offers string
		want   string
		code   adapter.Code
	}{
		{`[{"version":"61.0"},{"version":"62.0"},{"version":"99.0"}]`, "62.0", ""},
		{`[{"version":"57.0"},{"version":"55.0"}]`, "57.0", ""},
		{`[{"version":"31.0"},{"version":"40.0"}]`, "", adapter.Unsupported},
		{`[{"version":"99.0"}]`, "", adapter.Unsupported},
		{`[]`, "", adapter.Unsupported},
		{`<html>`, "", adapter.Unavailable},
		{`{"error":1}`, "", adapter.Unavailable},
	} {
		f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/": text(test.offers)})
		client, err := salesforce.Dial(t.Context(), f.config())
		assert.Equal(t, test.code, adapter.CodeOf(err), "%s: %v", test.offers, err)
		if err == nil {
			assert.Equal(t, test.want, client.Info().Version)
			require.NoError(t, client.Close())
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := salesforce.Config{URL: "https://acme.my.salesforce.com", ClientID: "id", ClientSecret: "secret"}
	for field, spoil := range map[string]func(*salesforce.Config){
		"url":            func(c *salesforce.Config) { c.URL = "" },
		"token_url":      func(c *salesforce.Config) { c.TokenURL = "ftp://x" },
		"client_id":      func(c *salesforce.Config) { c.ClientID = "" },
		"client_secret":  func(c *salesforce.Config) { c.ClientSecret = "" },
		"username":       func(c *salesforce.Config) { c.PrivateKey = "key" },
		"private_key":    func(c *salesforce.Config) { c.PrivateKey, c.Username = "key", "user" },
		"refresh_token":  func(c *salesforce.Config) { c.Auth = salesforce.AuthRefreshToken },
		"auth":           func(c *salesforce.Config) { c.Auth = "password" },
		"api_version":    func(c *salesforce.Config) { c.APIVersion = "v62" },
		"timeout":        func(c *salesforce.Config) { c.Timeout = -1 },
		"max_conns":      func(c *salesforce.Config) { c.MaxConns = -1 },
		"max_response":   func(c *salesforce.Config) { c.MaxResponse = -1 },
		"max_attachment": func(c *salesforce.Config) { c.MaxAttachment = -1 },
		"page_size":      func(c *salesforce.Config) { c.PageSize = 2001 },
		"bulk_timeout":   func(c *salesforce.Config) { c.BulkTimeout = -1 },
		"slow_at":        func(c *salesforce.Config) { c.SlowAt = -1 },
		"stop_at":        func(c *salesforce.Config) { c.StopAt = -1 },
	} {
		config := good
		spoil(&config)
		_, err := salesforce.Dial(t.Context(), config)
		e, ok := errors.AsType[*adapter.Error](err)
		if assert.True(t, ok, field) {
			assert.Equal(t, adapter.InvalidArgument, e.Code, "%s: %v", field, err)
			assert.Equal(t, field, e.Field)
			assert.True(t, e.NothingSent)
		}
	}
	for _, url := range []string{"acme.my.salesforce.com", "https://", "https://user:p4ss@acme.my.salesforce.com", "https://acme.my.salesforce.com?x=1", "https://acme.my.salesforce.com#x", "https://%zz"} {
		config := good
		config.URL = url
		_, err := salesforce.Dial(t.Context(), config)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, url)
		assert.NotContains(t, err.Error(), "p4ss")
	}
}

func TestConfigHidesItsSecrets(t *testing.T) {
	config := salesforce.Config{
		URL: "https://u:s3cret@acme.my.salesforce.com?s3cret", ClientID: "consumer-key", ClientSecret: "s3cret", Username: "me@example.com",
		PrivateKey: "s3cret", RefreshToken: "s3cret",
	}
	json, err := config.MarshalJSON()
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("connecting", "config", config, "pointer", &config)
	for _, shown := range []string{
		config.String(), config.GoString(), fmt.Sprint(config), fmt.Sprintf("%+v %#v %q %d", config, config, config, config), fmt.Sprintf("%v", &config), string(json), log.String(),
	} {
		assert.NotContains(t, shown, "s3cret")
		assert.Contains(t, shown, "consumer-key")
	}
}

func TestUnreachable(t *testing.T) {
	srv := salesforcetest.New(t)
	client := dial(t, simulated(srv))
	srv.Down()
	_, err := client.Create(t.Context(), "Account", adapter.Record{"Name": "x"})
	require.ErrorIs(t, err, adapter.ErrUnavailable)
	assert.True(t, adapter.Retryable(err, true), "nothing was sent: even a change may be sent again")
	require.NoError(t, srv.Up())
	_, err = client.Create(t.Context(), "Account", adapter.Record{"Name": "x"})
	assert.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gone := simulated(srv)
	srv.Close()
	_, err = salesforce.Dial(ctx, gone)
	require.ErrorIs(t, err, adapter.ErrUnavailable)
}
