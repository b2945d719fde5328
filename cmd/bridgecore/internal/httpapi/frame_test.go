package httpapi_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

func TestEveryErrorHasOneBody(t *testing.T) {
	e := newEnv(t)
	for name, tc := range map[string]struct {
		user, method, path, body string
		headers                  []string
		status                   int
		code, detail             string
	}{
		"no such path":        {"", "GET", "/nowhere", "", nil, 404, "not_found", "/docs"},
		"no such path deeper": {"admin", "POST", "/api/v1/nowhere", "{}", nil, 404, "not_found", ""},
		"method":              {"admin", "DELETE", "/api/v1/systems", "", nil, 405, "method_not_allowed", ""},
		"method of a GET":     {"", "POST", "/health", "", nil, 405, "method_not_allowed", ""},
		"media type":          {"", "POST", "/api/v1/auth/login", "<x/>", []string{"Content-Type", "text/xml"}, 415, "unsupported_media_type", "application/json"},
		"media type, hot":     {"admin", "POST", "/api/v1/systems/x/crud", "a: b", []string{"Content-Type", "application/yaml"}, 415, "unsupported_media_type", ""},
		"no token":            {"", "GET", "/api/v1/systems", "", nil, 401, "token_missing", "Authorization"},
		"no token, hot":       {"", "POST", "/api/v1/systems/x/odoo/read", "{}", nil, 401, "token_missing", ""},
		"garbage token":       {"", "GET", "/api/v1/auth/me", "", []string{"Authorization", "Bearer x.y.z"}, 401, "token_invalid", ""},
		"no body":             {"", "POST", "/api/v1/auth/login", "", nil, 400, "bad_request", "body"},
		"no body, hot":        {"admin", "POST", "/api/v1/systems/x/crud", "", nil, 400, "malformed_json", "empty"},
		"broken JSON":         {"", "POST", "/api/v1/auth/login", `{"username":`, nil, 400, "malformed_json", "at byte 12"},
		"broken JSON, hot":    {"admin", "POST", "/api/v1/systems/x/crud", `{"action" "read"}`, nil, 400, "malformed_json", "colon should be here at byte 10"},
		"not an object":       {"", "POST", "/api/v1/auth/login", `[]`, nil, 422, "invalid_argument", "object"},
		"not an object, hot":  {"admin", "POST", "/api/v1/systems/x/crud", `[]`, nil, 422, "invalid_argument", "object"},
		"twice":               {"", "POST", "/api/v1/auth/login", `{"username":"a","username":"b","password":"c"}`, nil, 400, "malformed_json", "twice"},
		"missing member":      {"", "POST", "/api/v1/auth/login", `{"username":"admin"}`, nil, 422, "invalid_argument", "password"},
		"unknown member":      {"", "POST", "/api/v1/auth/login", `{"username":"a","password":"b","database":"c"}`, nil, 422, "invalid_argument", "database"},
		"wrong type":          {"", "POST", "/api/v1/auth/login", `{"username":1,"password":"b"}`, nil, 422, "invalid_argument", "username"},
		"no such system":      {"admin", "GET", "/api/v1/systems/none", "", nil, 404, "not_found", `there is no system "none"`},
		"no such system, hot": {"admin", "POST", "/api/v1/systems/none/odoo/read", `{"model":"res.partner","ids":[1]}`, nil, 404, "not_found", `there is no system "none"`},
		"path that escapes":   {"admin", "GET", "/api/v1/systems/..%2f..%2fetc", "", nil, 404, "not_found", ""},
		"huge path":           {"admin", "GET", "/api/v1/systems/" + strings.Repeat("x", 5000), "", nil, 422, "invalid_argument", "system_id"},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send(tc.user, tc.method, tc.path, tc.body, tc.headers...)
			a.t = t
			detail := a.problem(tc.status, tc.code)
			assert.Contains(t, detail, tc.detail)
			if tc.status == 401 {
				assert.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer")
			}
			if tc.status == 405 {
				assert.NotEmpty(t, a.header.Get("Allow"))
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	e := newEnv(t)
	for _, path := range []string{"/api/v1/auth/login", "/api/v1/systems/x/crud", "/api/v1/systems"} {
		body := `{"username":"` + strings.Repeat("x", 10<<20) + `"}`
		e.send("admin", "POST", path, body).problem(413, "payload_too_large")

		// Without a length.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+path, io.MultiReader(strings.NewReader(body)))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+e.tokens["admin"])
		req.Header.Set("Content-Type", "application/json")
		e.do(req).problem(413, "payload_too_large")
	}
	deep := `{"model":"res.partner","domain":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`
	assert.Contains(t, e.send("admin", "POST", "/api/v1/systems/x/odoo/search", deep).problem(400, "malformed_json"), "deeper")
	assert.Contains(t, e.send("", "POST", "/api/v1/auth/login", deep).problem(400, "malformed_json"), "deeper")
}

func TestEveryAnswerHasAnIdAndATime(t *testing.T) {
	e := newEnv(t)
	a := e.send("", "GET", "/health", "")
	assert.Regexp(t, `^[0-9a-f-]{36}$`, a.header.Get("X-Request-ID"))
	assert.Regexp(t, `^\d+\.\d\dms$`, a.header.Get("X-Response-Time"))
	a = e.send("", "GET", "/nowhere", "", "X-Request-ID", "trace-1.a_B")
	assert.Equal(t, "trace-1.a_B", a.header.Get("X-Request-ID"))
	for _, bad := range []string{"a b", "<script>", strings.Repeat("x", 65), "a,b"} {
		a = e.send("", "GET", "/health", "", "X-Request-ID", bad)
		assert.Regexp(t, `^[0-9a-f-]{36}$`, a.header.Get("X-Request-ID"))
	}
	assert.Contains(t, e.log.String(), `"request_id":"trace-1.a_B","method":"GET","route":"","path":"/nowhere","status":404`)
}

func TestHealth(t *testing.T) {
	check := error(nil)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.CheckCache = func(context.Context) error { return check } })
	v := e.send("", "GET", "/health", "").ok(200)
	assert.Equal(t, "healthy", v["status"])
	assert.Equal(t, "BridgeCore API", v["service"])
	assert.Equal(t, "development", v["environment"])
	assert.NotEmpty(t, v["timestamp"])
	assert.Len(t, v, 4)
	assert.Equal(t, 200, e.send("", "HEAD", "/health", "").status)

	assert.Equal(t, map[string]any{"status": "alive"}, e.send("", "GET", "/livez", "").ok(200))
	assert.Equal(t, map[string]any{"status": "ready", "checks": map[string]any{"database": "ok", "server": "ok", "cache": "ok"}}, e.send("", "GET", "/readyz", "").ok(200))
	check = context.DeadlineExceeded
	v = e.send("", "GET", "/readyz", "").ok(200)
	assert.Equal(t, "ready", v["status"], "the server goes on without its cache")
	assert.Contains(t, v["checks"].(map[string]any)["cache"], "does not answer")
	e.api.Drain()
	v = e.send("", "GET", "/readyz", "").ok(503)
	assert.Equal(t, "not_ready", v["status"])
	e.send("", "GET", "/livez", "").ok(200)
	require.NoError(t, e.store.Close())
	v = e.send("", "GET", "/readyz", "").ok(503)
	assert.Contains(t, v["checks"].(map[string]any)["database"], "does not answer")
}

func TestLongAnswersAreCompressed(t *testing.T) {
	e := newEnv(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/openapi.json", nil)
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "gzip")
	a := e.do(req)
	require.Equal(t, "gzip", a.header.Get("Content-Encoding"))
	r, err := gzip.NewReader(strings.NewReader(string(a.body)))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.True(t, json.Valid(plain))
	assert.Less(t, len(a.body), len(plain)/3)

	req.URL.Path = "/health" // less than 1000 bytes
	assert.Empty(t, e.do(req).header.Get("Content-Encoding"))
}

func TestCORS(t *testing.T) {
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.CORSOrigins = []string{"https://app.example.com"} })
	a := e.send("", "OPTIONS", "/api/v1/systems/x/crud", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	assert.Equal(t, 204, a.status)
	assert.Equal(t, "https://app.example.com", a.header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, a.header.Get("Access-Control-Allow-Methods"), "POST")
	assert.Contains(t, a.header.Get("Access-Control-Allow-Headers"), "Authorization")
	a = e.send("", "GET", "/nowhere", "", "Origin", "https://app.example.com")
	assert.Equal(t, "https://app.example.com", a.header.Get("Access-Control-Allow-Origin"), "on errors too")
	a = e.send("", "GET", "/health", "", "Origin", "https://evil.example.com")
	assert.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
}

// Names of all kinds may hold a character that no database takes.
func TestNamesThatNothingHas(t *testing.T) {
	e := newEnv(t)
	e.send("", "POST", "/api/v1/auth/login", `{"username":"adm\u0000in","password":"x"}`).problem(401, "invalid_credentials")
	e.send("clerk", "GET", "/api/v1/systems/a%00b", "").problem(404, "not_found")
	assert.Empty(t, e.send("admin", "GET", "/api/v1/audit?user=a%00b", "").ok(200)["entries"])
}
