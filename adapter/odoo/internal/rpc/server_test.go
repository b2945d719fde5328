package rpc_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server with as much of Odoo as these tests need: it knows the
// password "secret", the key "key" and the user 7, and answers every call
// alike. Tests replace what they want to be odd.
type fake struct {
	*httptest.Server
	version string

	mu      sync.Mutex
	routes  map[string]http.HandlerFunc // by path, before the fake's own
	answer  http.HandlerFunc            // of calls, on each transport
	session string                      // the living session
	logins  int
	calls   int
}

func newFake(t *testing.T, version string) *fake {
	t.Helper()
	f := &fake{version: version, routes: map[string]http.HandlerFunc{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// config is for logging in with the password.
func (f *fake) config() rpc.Config {
	return rpc.Config{URL: f.URL, Database: "shop", Username: "ada", Password: "secret"}
}

func (f *fake) route(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes[path] = h
}

func (f *fake) onCall(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = h
}

func (f *fake) counts() (logins, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logins, f.calls
}

func (f *fake) endSession() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = ""
}

// page answers with a web page.
func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html><body>a page</body></html>")
	}
}

func result(v string) string { return `{"jsonrpc": "2.0", "id": 1, "result": ` + v + `}` }

const (
	expired = `{"jsonrpc": "2.0", "id": null, "error": {"code": 100, "message": "Odoo Session Expired", "data": {"name": "odoo.http.SessionExpiredException", "message": "Session expired", "arguments": ["Session expired"], "debug": "Traceback"}}}`
	denied  = `{"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": {"name": "odoo.exceptions.AccessDenied", "message": "Access Denied", "arguments": ["Access Denied"], "debug": ""}}}`
)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h, ok := f.routes[r.URL.Path]; ok {
		f.mu.Unlock()
		defer f.mu.Lock()
		h(w, r)
		return
	}
	call := func() {
		f.calls++
		if h := f.answer; h != nil {
			f.mu.Unlock()
			defer f.mu.Lock()
			h(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, result(`true`))
	}
	switch path := r.URL.Path; {
	case path == "/web/webclient/version_info":
		_, _ = io.WriteString(w, versionAnswer(f.version))
	case path == "/jsonrpc":
		var body struct {
			Params struct {
				Service, Method string
				Args            []any
			}
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		switch {
		case body.Params.Method == "version":
			_, _ = io.WriteString(w, versionAnswer(f.version))
		case body.Params.Service == "common":
			f.logins++
			if body.Params.Args[2] == "secret" {
				_, _ = io.WriteString(w, result(`7`))
			} else {
				_, _ = io.WriteString(w, result(`false`))
			}
		case body.Params.Args[2] != "secret":
			_, _ = io.WriteString(w, denied)
		default:
			call()
		}
	case path == "/web/session/authenticate":
		f.logins++
		var body struct{ Params struct{ Password string } }
		_ = json.NewDecoder(r.Body).Decode(&body)
		if body.Params.Password != "secret" {
			_, _ = io.WriteString(w, denied)
			return
		}
		f.session = "session" + string(rune('0'+f.logins))
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: f.session, Path: "/", HttpOnly: true})
		_, _ = io.WriteString(w, result(`{"uid": 7}`))
	case len(path) > 20 && path[:21] == "/web/dataset/call_kw/":
		if c, err := r.Cookie("session_id"); err != nil || f.session == "" || c.Value != f.session {
			http.SetCookie(w, &http.Cookie{Name: "session_id", Value: "nobody", Path: "/"})
			_, _ = io.WriteString(w, expired)
			return
		}
		call()
	case path == "/json/2/res.users/context_get" && f.version >= "19":
		f.logins++
		if r.Header.Get("Authorization") != "bearer key" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": ["Invalid apikey", 401], "context": {}, "debug": "Traceback"}`)
			return
		}
		_, _ = io.WriteString(w, `{"lang": "en_US", "tz": "Europe/Brussels", "uid": 7}`)
	case len(path) > 8 && path[:8] == "/json/2/" && f.version >= "19":
		call()
	default:
		f.mu.Unlock()
		defer f.mu.Lock()
		page(http.StatusNotFound)(w, r)
	}
}
