package wire

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bridgecore/bridgecore/adapter"
)

// session is what a system remembers callers by: cookies, and the CSRF token
// that is good together with them alone. SAP compares the two; a token with
// the cookies of another answer is refused. So they are kept, replaced and
// forgotten as one.
type session struct {
	mu    sync.Mutex
	state *state
	group singleflight.Group
}

// state is a session at one moment. Token and generation never change; the
// cookies do, since answers may renew them.
type state struct {
	token   string
	fetched bool // the token was asked for; "" is then a system that has none

	mu      sync.Mutex
	cookies map[string]*http.Cookie
}

// current is the session as it is, which may have no token.
func (s *session) current() *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		s.state = &state{cookies: map[string]*http.Cookie{}}
	}
	return s.state
}

// get returns a session with a token, which it fetches if need be: once for
// all who wait. One of them leaving does not fail the others.
func (s *session) get(ctx context.Context, c *Conn, req Request) (*state, error) {
	if now := s.current(); now.fetched {
		return now, nil
	}
	done := s.group.DoChan("token", func() (any, error) {
		now := s.current()
		if now.fetched {
			return now, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.Timeout)
		defer cancel()
		fresh, err := c.fetchToken(ctx, req, now)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.state = fresh
		return fresh, nil
	})
	select {
	case <-ctx.Done():
		return nil, notSent(ctx.Err(), req.Model)
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*state), nil
	}
}

// drop forgets a session that was refused, if it is still the current one:
// callers that were refused together replace it once.
func (s *session) drop(old *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == old {
		s.state = nil
	}
}

// keep takes in the cookies of an answer. Those that answer to a session which
// is no longer the current one change nothing.
func (s *session) keep(of *state, cookies []*http.Cookie, now time.Time) {
	if len(cookies) > 0 && of != nil {
		of.keep(cookies, now)
	}
}

func (s *state) keep(cookies []*http.Cookie, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cookie := range cookies {
		gone := cookie.MaxAge < 0 || cookie.Value == "" || !cookie.Expires.IsZero() && cookie.Expires.Before(now)
		if gone {
			delete(s.cookies, cookie.Name)
			continue
		}
		s.cookies[cookie.Name] = cookie
	}
}

// header is the Cookie header of the session.
func (s *state) header(scheme string) string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for name, cookie := range s.cookies {
		if cookie.Secure && scheme != "https" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name + "=" + cookie.Value)
	}
	return b.String()
}

// fetchToken asks a service for a CSRF token. The answer's cookies and token
// make a new session, which goes on from the cookies of the one before.
func (c *Conn) fetchToken(ctx context.Context, req Request, before *state) (*state, error) {
	fresh := &state{fetched: true, cookies: map[string]*http.Cookie{}}
	before.mu.Lock()
	for name, cookie := range before.cookies {
		fresh.cookies[name] = cookie
	}
	before.mu.Unlock()
	fetch := Request{
		Method: http.MethodGet, Service: req.Service, Path: "/", Model: req.Model, Language: req.Language,
		Header: http.Header{"X-Csrf-Token": {"Fetch"}, "Accept": {"application/json"}},
	}
	renewed := false
	for {
		grant, err := c.tokens.get(ctx)
		if err != nil {
			return nil, err
		}
		resp, err := c.exchange(ctx, fetch, fresh, "", grant)
		if err != nil {
			return nil, err
		}
		if resp.Status == http.StatusUnauthorized && !renewed && c.tokens.renewable() {
			renewed = true
			c.tokens.drop(grant)
			continue
		}
		token := resp.Header.Get("X-Csrf-Token")
		switch {
		case token != "" && !strings.EqualFold(token, "required"):
			// Even an error may bring it.
			fresh.token = token
		case resp.Status == http.StatusUnauthorized:
			return nil, c.refusal(resp, fetch)
		case resp.Status >= 500 || resp.Status == http.StatusTooManyRequests || resp.Status/100 == 3:
			return nil, c.refusal(resp, fetch)
		}
		// A service without tokens is no SAP Gateway, and wants none.
		return fresh, nil
	}
}

// unsent marks the error of a request that had to go before another: of that
// nothing was sent, so that even a change may be tried again.
func unsent(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.NothingSent {
		return err
	}
	own := *e
	own.NothingSent = true
	if own.Code == adapter.UnknownOutcome {
		own.Code = adapter.Unavailable
	}
	return &own
}
