package odootest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// post sends a body and returns status and answer.
func post(t *testing.T, s *Server, path, kind, body string, header ...string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func rpc(s *Server, model, method, args string) string {
	return fmt.Sprintf(`{"jsonrpc": "2.0", "id": 1, "params": {"service": "object", "method": "execute_kw", "args": [%q, 2, %q, %q, %q, %s]}}`, s.Database, s.Password, model, method, args)
}

func TestFaults(t *testing.T) {
	s := New(t, "17.0")
	count := func() (*http.Response, string, error) {
		return post(t, s, "/jsonrpc", "application/json", rpc(s, "res.partner", "search_count", "[[]]"))
	}
	s.SetFault(Fault{Status: http.StatusServiceUnavailable, RetryAfter: 7 * time.Second})
	resp, body, err := count()
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	assert.Equal(t, "7", resp.Header.Get("Retry-After"))
	assert.Contains(t, body, "<html>")

	s.SetFault(Fault{Reset: true, Times: 2}, Fault{Body: "{}", ContentType: "application/json", Times: 1})
	for range 2 {
		_, _, err = count()
		require.Error(t, err)
	}
	_, body, err = count()
	require.NoError(t, err)
	assert.Equal(t, "{}", body)
	_, body, err = count()
	require.NoError(t, err, "the faults are over")
	assert.Contains(t, body, "result")

	s.SetFault(Fault{Redirect: "https://elsewhere.example/", Path: "/jsonrpc"})
	resp, _, err = count()
	require.NoError(t, err)
	assert.Equal(t, http.StatusFound, resp.StatusCode)
	_, body, err = post(t, s, "/web/webclient/version_info", "application/json", "{}")
	require.NoError(t, err)
	assert.Contains(t, body, "17.0", "other paths are well")

	s.SetFault(Fault{Cut: true})
	_, _, err = count()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	s.SetFault(Fault{Garbage: true})
	_, body, err = count()
	require.NoError(t, err)
	assert.NotContains(t, body, "result")

	s.SetFault()
	_, body, err = count()
	require.NoError(t, err)
	assert.Contains(t, body, "result")
}

// A request that hangs ends with its client, or with the server.
func TestHang(t *testing.T) {
	s := New(t, "17.0")
	s.SetFault(Fault{Hang: true, Contains: "search_count"})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/jsonrpc", strings.NewReader(rpc(s, "res.partner", "search_count", "[[]]")))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	answered := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		answered <- err
	}()
	arrived(t, s, 1, answered)
	cancel()
	require.ErrorIs(t, <-answered, context.Canceled)

	again, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/jsonrpc", strings.NewReader(rpc(s, "res.partner", "search_count", "[[]]")))
	require.NoError(t, err)
	go func() {
		resp, err := http.DefaultClient.Do(again)
		if err == nil {
			_ = resp.Body.Close()
		}
		answered <- err
	}()
	arrived(t, s, 2, answered)
	s.Close()
	require.Error(t, <-answered)
}

// arrived waits until the server has seen so many requests.
func arrived(t *testing.T, s *Server, n int, answered <-chan error) {
	t.Helper()
	for s.TotalRequests() < n {
		select {
		case err := <-answered:
			t.Fatalf("answered: %v", err)
		default:
			runtime.Gosched()
		}
	}
}

func TestEndlessAnswersEndWithTheReader(t *testing.T) {
	s := New(t, "19.0")
	s.SetFault(Fault{Endless: true})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/xmlrpc/2/object", strings.NewReader("x"))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	n, err := io.CopyN(io.Discard, resp.Body, 10<<20)
	require.NoError(t, err)
	assert.EqualValues(t, 10<<20, n)
	require.NoError(t, resp.Body.Close())
}

// A fault after the call leaves its effect: the outcome is unknown only to
// the client.
func TestFaultAfterTheCall(t *testing.T) {
	s := New(t, "18.0")
	s.SetFault(Fault{Reset: true, AfterCall: true, Contains: `"create"`})
	_, _, err := post(t, s, "/jsonrpc", "application/json", rpc(s, "res.partner", "create", `[{"name": "Schrödinger"}]`))
	require.Error(t, err)
	assert.Equal(t, 1, s.Calls()["res.partner.create"])
	n, err := s.Call("res.partner", "search_count", []any{[]any{"name", "=", "Schrödinger"}})
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)

	s.SetFault(Fault{Reset: true, Contains: `"create"`})
	_, _, err = post(t, s, "/jsonrpc", "application/json", rpc(s, "res.partner", "create", `[{"name": "Nobody"}]`))
	require.Error(t, err)
	n, err = s.Call("res.partner", "search_count", []any{[]any{"name", "=", "Nobody"}})
	require.NoError(t, err)
	assert.EqualValues(t, 0, n)
}

func TestDownAndUpAtTheSameAddress(t *testing.T) {
	s := New(t, "16.0")
	id, err := s.Create("res.partner", map[string]any{"name": "Survivor"})
	require.NoError(t, err)
	s.Down()
	s.Down()
	_, _, err = post(t, s, "/jsonrpc", "application/json", "{}")
	require.Error(t, err)
	require.NoError(t, s.Up())
	require.NoError(t, s.Up())
	_, body, err := post(t, s, "/jsonrpc", "application/json", rpc(s, "res.partner", "read", fmt.Sprintf(`[[%d], ["name"]]`, id)))
	require.NoError(t, err)
	assert.Contains(t, body, "Survivor")
	s.Close()
	s.Close()
	require.Error(t, s.Up())
}

func TestSessionsExpire(t *testing.T) {
	s := New(t, "15.0")
	resp, _, err := post(t, s, "/web/session/authenticate", "application/json", fmt.Sprintf(`{"params": {"db": %q, "login": "admin", "password": "admin"}}`, s.Database))
	require.NoError(t, err)
	cookie := resp.Header.Get("Set-Cookie")
	ask := func() string {
		_, body, err := post(t, s, "/web/dataset/call_kw", "application/json", `{"id": 4, "params": {"model": "res.partner", "method": "search_count", "args": [[]], "kwargs": {}}}`, "Cookie", cookie)
		require.NoError(t, err)
		return body
	}
	assert.Contains(t, ask(), `"result": `)
	s.ExpireSessions()
	assert.Contains(t, ask(), "SessionExpiredException")
}

// Ten failures within a minute, and even the right password is refused: on the
// web, and by RPC until 15.0.
func TestLoginCooldown(t *testing.T) {
	for major := 13; major <= 19; major++ {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		s, err := Start(Config{Version: fmt.Sprintf("%d.0", major), Now: func() time.Time { return now }})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		login := func(password string) string {
			_, body, err := post(t, s, "/jsonrpc", "application/json", fmt.Sprintf(`{"params": {"service": "common", "method": "authenticate", "args": [%q, "admin", %q, {}]}}`, s.Database, password))
			require.NoError(t, err)
			return body
		}
		web := func() string {
			_, body, err := post(t, s, "/web/session/authenticate", "application/json", fmt.Sprintf(`{"params": {"db": %q, "login": "admin", "password": "admin"}}`, s.Database))
			require.NoError(t, err)
			return body
		}
		for range 10 {
			assert.Contains(t, login("wrong"), "false")
		}
		assert.Contains(t, web(), "Too many login failures")
		assert.Equal(t, major <= 15, strings.Contains(login("admin"), "false"))
		now = now.Add(2 * time.Minute)
		assert.Contains(t, login("admin"), `"result": 2`)
	}
}

func TestSeveralDatabases(t *testing.T) {
	s, err := Start(Config{Version: "19.0", OtherDatabases: []string{"other"}})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	ask := func(header ...string) int {
		resp, _, err := post(t, s, "/json/2/res.partner/search_count", "application/json", `{"domain": []}`, append(header, "Authorization", "Bearer "+s.APIKey)...)
		require.NoError(t, err)
		return resp.StatusCode
	}
	assert.Equal(t, http.StatusNotFound, ask())
	assert.Equal(t, http.StatusNotFound, ask("X-Odoo-Database", "other"))
	assert.Equal(t, http.StatusOK, ask("X-Odoo-Database", s.Database))
}

func TestConfig(t *testing.T) {
	for _, version := range []string{"12.0", "20.0", "17", "17.1", "x"} {
		_, err := Start(Config{Version: version})
		require.Error(t, err, version)
	}
	s, err := Start(Config{Version: "14.0", Database: "shop", NoDemo: true, CloseConnections: true, Users: []User{{Login: "admin", Password: "secret", APIKey: "key"}, {Login: "zoe", Role: RoleLimited}}})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	assert.Equal(t, "secret", s.Password)
	assert.Equal(t, "key", s.APIKey)
	_, _, ok := s.User("zoe")
	assert.True(t, ok)
	n, err := s.Call("sale.order", "search_count", []any{})
	require.NoError(t, err)
	assert.EqualValues(t, 0, n)
	resp, body, err := post(t, s, "/web/webclient/version_info", "application/json", "{}")
	require.NoError(t, err)
	assert.True(t, resp.Close)
	assert.Contains(t, body, `"server_serie": "14.0"`)
}

// Many callers at once: for the race detector.
func TestManyCallersAtOnce(t *testing.T) {
	s := New(t, "17.0")
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				id, err := s.Create("sale.order", map[string]any{"partner_id": 7, "order_line": []any{[]any{0, 0, map[string]any{"product_id": i + 1}}}})
				if err != nil {
					errs <- err
					return
				}
				_, _, err = post(t, s, "/jsonrpc", "application/json", rpc(s, "sale.order", "search_read", `[[["partner_id.name", "ilike", "blue"]]]`))
				errs <- errors.Join(err)
				if _, err = s.Call("ir.model.fields", "search_count", []any{}); err != nil {
					errs <- err
				}
				if _, err = s.Call("sale.order", "unlink", []any{id}); err != nil {
					errs <- err
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(errs)
	}()
	for err := range errs {
		require.NoError(t, err)
	}
	n, err := s.Call("sale.order", "search_count", []any{})
	require.NoError(t, err)
	assert.EqualValues(t, 12, n)
}
