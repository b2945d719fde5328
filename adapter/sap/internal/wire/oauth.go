package wire

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"

	"github.com/bridgecore/bridgecore/adapter"
)

// tokens are the access tokens of the connection.
type tokens struct {
	conn   *Conn
	config *clientcredentials.Config
	group  singleflight.Group

	mu    sync.Mutex
	token *oauth2.Token
}

// spare is how long before its end an access token is no longer used.
const spare = 10 * time.Second

func (t *tokens) init(c *Conn) {
	t.conn = c
	if c.cfg.Auth == OAuth2 {
		t.config = &clientcredentials.Config{
			ClientID: c.cfg.ClientID, ClientSecret: c.cfg.ClientSecret, TokenURL: c.cfg.TokenURL, Scopes: c.cfg.Scopes,
		}
	}
}

// renewable reports whether a refused token can be replaced by another.
func (t *tokens) renewable() bool { return t.config != nil }

// get returns the access token, "" where there is none to send. It gets a new
// one when the old one is over: once for all who wait.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.config == nil {
		return t.conn.cfg.BearerToken, nil
	}
	if token := t.cached(); token != "" {
		return token, nil
	}
	done := t.group.DoChan("token", func() (any, error) {
		if token := t.cached(); token != "" {
			return token, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.conn.cfg.Timeout)
		defer cancel()
		return t.fetch(ctx)
	})
	select {
	case <-ctx.Done():
		return "", notSent(ctx.Err(), "")
	case result := <-done:
		if result.Err != nil {
			return "", result.Err
		}
		return result.Val.(string), nil
	}
}

func (t *tokens) cached() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == nil || !t.token.Expiry.IsZero() && t.conn.now().Add(spare).After(t.token.Expiry) {
		return ""
	}
	return t.token.AccessToken
}

// drop forgets a token that was refused, if it is still the one in use.
func (t *tokens) drop(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != nil && t.token.AccessToken == refused {
		t.token = nil
	}
}

func (t *tokens) fetch(ctx context.Context) (string, error) {
	client := &http.Client{
		Transport:     t.conn.sender,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return "", tokenError(ctx, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = token
	if left := token.Expiry.Sub(t.conn.now()); !token.Expiry.IsZero() && left < 2*spare {
		// One that is over at once would be got for every call; it is used for
		// half of the time it has.
		token.Expiry = t.conn.now().Add(spare + max(left/2, 0))
	}
	return token.AccessToken, nil
}

// tokenError sorts what the token endpoint or the way there did. Its texts may
// hold what was sent, and stay in Err.
func tokenError(ctx context.Context, err error) error {
	if own, ok := errors.AsType[*adapter.Error](err); ok {
		return own
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		e := failure(ctx, err, false, Request{})
		if own, ok := errors.AsType[*adapter.Error](e); ok && own.Code == adapter.Unavailable {
			own.Message = "the token endpoint can't be reached or gave no token: check the token URL"
		}
		return e
	}
	e := &adapter.Error{Code: adapter.Unauthenticated, Native: refused.ErrorCode, NothingSent: true, Err: errors.New("oauth2: the token endpoint answered " + refused.Response.Status)}
	switch status := refused.Response.StatusCode; {
	case status == http.StatusTooManyRequests:
		e.Code, e.Temporary = adapter.RateLimited, true
		e.Message = "the token endpoint asks for fewer calls"
	case status >= 500:
		e.Code, e.Temporary = adapter.Unavailable, true
		e.Message = "the token endpoint is not available at the moment"
	case status/100 == 3:
		e.Code, e.Message = adapter.Unavailable, "the token endpoint redirects, which is not followed: set the token URL to the final address"
	case status == http.StatusNotFound:
		e.Code, e.Message = adapter.Unavailable, "there is no token endpoint at the token URL"
	default:
		e.Message = "the token endpoint refused the client's id or secret"
	}
	return e
}
