package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// cooldown is how long refused credentials are not tried again, so that
	// many callers with a wrong secret don't lock the user out.
	cooldown = time.Minute
	// early is how long before its end a token is no longer used.
	early = 10 * time.Second
	// assertionLife is how long a JWT is good for; Salesforce takes none of
	// more than five minutes.
	assertionLife = 3 * time.Minute
)

// session is the access token that all calls share. Whoever finds that it has
// ended renews it for all.
type session struct {
	grant func(ctx context.Context) (*oauth2.Token, error)
	now   func() time.Time
	gate  chan struct{} // holds one token: who has it asks for a new access token

	mu      sync.Mutex
	token   *oauth2.Token
	serial  int // counts the tokens so far
	refused error
	until   time.Time // when refused may be tried again
}

func newSession(c *Config, transport http.RoundTripper) *session {
	s := &session{now: time.Now, gate: make(chan struct{}, 1)}
	s.gate <- struct{}{}
	grant, timeout := granter(c), c.Timeout
	s.grant = func(ctx context.Context) (*oauth2.Token, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		b := &bound{ctx: ctx, transport: transport}
		client := &http.Client{
			Transport:     b,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		token, err := grant(context.WithValue(ctx, oauth2.HTTPClient, client))
		if err != nil {
			return nil, grantError(ctx, err, b.err)
		}
		return token, nil
	}
	return s
}

// bound sends requests in a context of their own and remembers how that
// failed: x/oauth2 drops both in some flows.
type bound struct {
	ctx       context.Context
	transport http.RoundTripper
	err       error
}

// RoundTrip implements [http.RoundTripper].
func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.transport.RoundTrip(r.WithContext(b.ctx))
	b.err = err
	return resp, err
}

// granter returns what asks for an access token in the configured way.
func granter(c *Config) func(ctx context.Context) (*oauth2.Token, error) {
	switch c.auth() {
	case AuthJWTBearer:
		conf := &jwt.Config{
			Email: c.ClientID, Subject: c.Username, PrivateKey: []byte(c.PrivateKey),
			TokenURL: c.TokenURL, Audience: c.Audience, Expires: assertionLife,
		}
		return func(ctx context.Context) (*oauth2.Token, error) { return conf.TokenSource(ctx).Token() }
	case AuthRefreshToken:
		conf := &oauth2.Config{
			ClientID: c.ClientID, ClientSecret: c.ClientSecret,
			Endpoint: oauth2.Endpoint{TokenURL: c.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
		}
		// Only the session's gate keeper comes here, one at a time.
		refresh, told := c.RefreshToken, c.OnRefreshToken
		return func(ctx context.Context) (*oauth2.Token, error) {
			token, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
			if err == nil && token.RefreshToken != "" && token.RefreshToken != refresh {
				refresh = token.RefreshToken
				if told != nil {
					told(refresh)
				}
			}
			return token, err
		}
	default:
		conf := &clientcredentials.Config{
			ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.TokenURL,
			AuthStyle: oauth2.AuthStyleInParams,
		}
		return conf.Token
	}
}

// current returns the access token and its number, asking for one if there is
// none that is still good.
func (s *session) current(ctx context.Context) (token string, serial int, err error) {
	s.mu.Lock()
	held, serial := s.token, s.serial
	s.mu.Unlock()
	if held != nil && (held.Expiry.IsZero() || s.now().Before(held.Expiry.Add(-early))) {
		return held.AccessToken, serial, nil
	}
	if err := s.renew(ctx, serial); err != nil {
		return "", 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.AccessToken, s.serial, nil
}

// renew replaces the token of the given number, unless somebody else did.
func (s *session) renew(ctx context.Context, stale int) error {
	select {
	case <-s.gate:
		defer func() { s.gate <- struct{}{} }()
	case <-ctx.Done():
		return notSent(adapter.ContextError(ctx))
	}
	s.mu.Lock()
	serial, refused, left := s.serial, s.refused, s.until.Sub(s.now())
	s.mu.Unlock()
	if serial != stale {
		return nil
	}
	if refused != nil && left > 0 {
		return refusedAgain(refused, left)
	}
	token, err := s.grant(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if errors.Is(err, adapter.ErrUnauthenticated) {
			s.refused, s.until = err, s.now().Add(cooldown)
		}
		return err
	}
	s.token, s.serial, s.refused = token, s.serial+1, nil
	return nil
}

// identity returns the ids of the organization and of the user, as the token
// endpoint's "id" has them: ".../id/00Dxx/005xx".
func (s *session) identity() (org, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil {
		return "", ""
	}
	url, _ := s.token.Extra("id").(string)
	parts := strings.Split(url, "/")
	if n := len(parts); n >= 3 && parts[n-3] == "id" {
		return parts[n-2], parts[n-1]
	}
	return "", ""
}

func refusedAgain(err error, left time.Duration) error {
	e := &adapter.Error{Code: adapter.Unauthenticated, NothingSent: true, RetryAfter: left.Round(time.Second)}
	e.Message = "Salesforce refused these credentials a moment ago; they are tried again after a pause"
	if native, ok := errors.AsType[*adapter.Error](err); ok {
		e.Native, e.Err = native.Native, native.Err
	}
	return e
}

// grantAdvice says what to do about the errors of the token endpoint.
var grantAdvice = map[string]string{
	"invalid_grant":              "Salesforce refused the login: the refresh token, the user's approval of the app or the signature of the JWT is not (or no longer) good",
	"invalid_client":             "Salesforce refused the client secret",
	"invalid_client_id":          "Salesforce knows no connected app with this client id",
	"invalid_client_credentials": "Salesforce refused the client secret",
	"unauthorized_client":        "the connected app may not log in in this way: enable the flow in its settings",
	"unsupported_grant_type":     "Salesforce does not offer this way to log in at this address: use the My Domain address",
	"invalid_app_access":         "the user may not use this connected app: pre-authorize it by a profile or permission set",
	"inactive_user":              "the Salesforce user is not active",
	"inactive_org":               "the Salesforce organization is locked or closed",
	"invalid_assertion":          "Salesforce refused the JWT: check the certificate, the client id and the username",
	"invalid_request":            "Salesforce could not read the login: check the token URL and the settings of the connected app",
}

// tokenError is the native error of a refused login. It repeats nothing that
// was sent.
type tokenError struct {
	status      int
	code        string
	description string
}

func (e *tokenError) Error() string {
	return fmt.Sprintf("salesforce: token endpoint: HTTP status %d, %s %q", e.status, e.code, e.description)
}

// grantError sorts a failure to get a token. The errors of x/oauth2 hold the
// answer, which may hold anything, so they are not passed on.
func grantError(ctx context.Context, err, transport error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case transport != nil:
		return transportError(ctx, transport, false, false)
	case !ok && ctx.Err() != nil:
		return transportError(ctx, ctx.Err(), false, false)
	case !ok:
		return &adapter.Error{Code: adapter.Unavailable, Field: "url", NothingSent: true, Message: "what answers at the token URL is not Salesforce's login"}
	}
	native := &tokenError{code: refused.ErrorCode, description: refused.ErrorDescription}
	if refused.Response != nil {
		native.status = refused.Response.StatusCode
	}
	if native.code == "" {
		var body struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if json.Unmarshal(refused.Body, &body) == nil {
			native.code, native.description = body.Error, body.Description
		}
	}
	native.description = clip(native.description, 200)
	switch {
	case native.code == "" && native.status >= 300 && native.status < 400:
		return &adapter.Error{Code: adapter.Unavailable, Field: "url", NothingSent: true, Err: native,
			Message: "Salesforce redirects the login to another address, which is not followed: use the My Domain address"}
	case native.status == http.StatusTooManyRequests, strings.Contains(strings.ToLower(native.description), "login rate exceeded"):
		return &adapter.Error{Code: adapter.RateLimited, Temporary: true, NothingSent: true, Err: native, Message: "Salesforce asks for fewer logins"}
	case native.status >= 500, native.code == "unknown_error", native.code == "temporarily_unavailable", native.code == "server_error":
		return &adapter.Error{Code: adapter.Unavailable, Temporary: true, NothingSent: true, Native: native.code, Err: native, Message: "Salesforce's login is not available at the moment"}
	case native.code == "":
		return &adapter.Error{Code: adapter.Unavailable, Field: "url", NothingSent: true, Err: native, Message: "what answers at the token URL is not Salesforce's login"}
	}
	e := &adapter.Error{Code: adapter.Unauthenticated, Native: native.code, NothingSent: true, Err: native}
	if e.Message = grantAdvice[native.code]; e.Message == "" {
		e.Message = "Salesforce refused the login"
	}
	return e
}
