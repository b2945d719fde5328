package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// session is the transport of the web client: a login that gives a cookie,
// and calls that bring it along. It is there for servers whose RPC is closed.
type session struct {
	wire     *wire
	db       string
	user     string
	password string

	mu         sync.Mutex
	cookie     string
	generation int // counts the logins
}

const sessionCookie = "session_id"

// sessionEnded says that the session of a generation is no more. Nothing was
// done: Odoo looks at the session first.
type sessionEnded struct {
	generation int
	err        error
}

func (e *sessionEnded) Error() string { return "session ended: " + e.err.Error() }
func (e *sessionEnded) Unwrap() error { return e.err }

func (t *session) name() string { return Session }

func (t *session) login(ctx context.Context) (int64, error) {
	var cookie string
	result, err := t.wire.jsonRPC(ctx, jsonRPCRequest{
		path:   "/web/session/authenticate",
		params: map[string]any{"db": t.db, "login": t.user, "password": t.password},
		limit:  smallAnswer,
		seen:   func(h http.Header) { cookie = cookieFrom(h) },
	})
	if err = loginError(err, t.db); err != nil {
		return 0, err
	}
	var info struct {
		UID json.RawMessage `json:"uid"`
	}
	if err := json.Unmarshal(result, &info); err != nil {
		return 0, garbled(err, false)
	}
	var uid int64
	switch {
	case json.Unmarshal(info.UID, &uid) != nil:
		return 0, garbled(errors.New("no user id in the session"), false)
	case uid == 0:
		// The password was right, and a second factor is wanted.
		return 0, &adapter.Error{Code: adapter.Unauthenticated, Message: "the user logs in with two factors, which only people can: use an API key and another transport"}
	case cookie == "":
		return 0, garbled(errors.New("no session cookie"), false)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cookie = cookie
	t.generation++
	return uid, nil
}

func (t *session) ping(ctx context.Context) error {
	_, err := t.wire.jsonRPC(ctx, jsonRPCRequest{path: "/web/webclient/version_info", params: map[string]any{}, limit: smallAnswer})
	return err
}

func (t *session) call(ctx context.Context, _ int64, c Call) (json.RawMessage, error) {
	t.mu.Lock()
	cookie, generation := t.cookie, t.generation
	t.mu.Unlock()
	var renewed string
	result, err := t.wire.jsonRPC(ctx, jsonRPCRequest{
		path:   "/web/dataset/call_kw/" + c.Model + "/" + c.Method,
		params: map[string]any{"model": c.Model, "method": c.Method, "args": list(c.Args), "kwargs": object(c.Kwargs)},
		header: [][2]string{{"Cookie", sessionCookie + "=" + cookie}},
		call:   c,
		seen:   func(h http.Header) { renewed = cookieFrom(h) },
	})
	if ended(err) {
		return nil, &sessionEnded{generation, err}
	}
	if renewed != "" && renewed != cookie {
		// Odoo changes the cookie of a living session from time to time.
		t.mu.Lock()
		if t.generation == generation {
			t.cookie = renewed
		}
		t.mu.Unlock()
	}
	return result, err
}

// since returns how many logins there were.
func (t *session) since() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.generation
}

// ended reports whether an error says that the session is no more. A server
// of several databases that forgot a session forgets its database with it.
func ended(err error) bool {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Code == "100" || f.canonical() == "odoo.http.SessionExpiredException"
	}
	e, ok := errors.AsType[*adapter.Error](err)
	return ok && e.Code == adapter.NotFound && e.Field == "database"
}

func cookieFrom(h http.Header) string {
	resp := http.Response{Header: h}
	value := ""
	for _, c := range resp.Cookies() {
		if c.Name == sessionCookie && c.Value != "" {
			value = c.Value
		}
	}
	return value
}
