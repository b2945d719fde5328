package httpapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

func TestEveryAnswerTellsBrowsersHowToTreatIt(t *testing.T) {
	e := newEnv(t)
	login := `{"username":"admin","password":"` + password + `"}`
	for _, a := range []answer{
		e.send("", "GET", "/health", ""), e.send("", "GET", "/nowhere", ""), e.send("", "POST", "/api/v1/auth/login", login),
		e.send("admin", "GET", "/api/v1/systems", ""), e.send("", "GET", "/api/v1/systems", ""), e.send("", "GET", "/openapi.json", ""), e.send("", "GET", "/docs", ""),
	} {
		assert.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-referrer", a.header.Get("Referrer-Policy"))
		assert.Equal(t, "DENY", a.header.Get("X-Frame-Options"))
		assert.Equal(t, "same-origin", a.header.Get("Cross-Origin-Resource-Policy"))
		assert.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'")
		assert.Contains(t, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		assert.Empty(t, a.header.Get("Strict-Transport-Security"))
	}
	for _, a := range []answer{e.send("", "POST", "/api/v1/auth/login", login), e.send("admin", "GET", "/api/v1/systems", ""), e.send("", "GET", "/api/v1/systems", "")} {
		assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	}
	secure := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.HSTS = 365 * 24 * time.Hour })
	assert.Equal(t, "max-age=31536000", secure.send("", "GET", "/nowhere", "").header.Get("Strict-Transport-Security"))
}

// The page of the description may run the scripts that stand in it, and no
// others.
func TestThePageMayRunItsScripts(t *testing.T) {
	e := newEnv(t)
	a := e.send("", "GET", "/docs", "")
	require.Equal(t, 200, a.status)
	policy := a.header.Get("Content-Security-Policy")
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllSubmatch(a.body, -1)
	require.NotEmpty(t, scripts)
	for _, s := range scripts {
		sum := sha256.Sum256(s[1])
		assert.Contains(t, policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	assert.Len(t, regexp.MustCompile(`<script`).FindAll(a.body, -1), len(scripts)+2, "and two of files")
	directive := regexp.MustCompile(`script-src [^;]*`).FindString(policy)
	assert.NotContains(t, directive, "unsafe")
	assert.NotRegexp(t, `(src|href)="https?:`, string(a.body), "nothing is loaded from elsewhere")
	for _, m := range regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(string(a.body), -1) {
		assert.Equal(t, 200, e.send("", "GET", m[1], "").status, m[1])
	}
}

// HEAD is GET without the body, on every path that takes GET.
func TestHEADIsGETWithoutABody(t *testing.T) {
	e := newEnv(t, withMetrics(false))
	e.register("admin", "main", odootest.New(t, "17.0"))
	spec := e.send("", "GET", "/openapi.json", "").ok(200)
	paths := []string{"/docs", "/docs/swagger-ui.css", "/openapi.json", "/metrics", "/nowhere"}
	for path, item := range spec["paths"].(map[string]any) {
		if item.(map[string]any)["get"] != nil {
			paths = append(paths, strings.NewReplacer("{system_id}", "main", "{model}", "contact").Replace(path))
		}
	}
	require.Greater(t, len(paths), 15)
	for _, path := range paths {
		plain := []string{"Accept-Encoding", "identity"} // the client asks for gzip, and hides it, with GET alone
		get, head := e.send("admin", "GET", path, "", plain...), e.send("admin", "HEAD", path, "", plain...)
		assert.Equal(t, get.status, head.status, path)
		assert.Empty(t, head.body, path)
		for _, volatile := range []string{"X-Request-Id", "X-Response-Time", "Date", "X-Ratelimit-Remaining", "Ratelimit", "Content-Length", "Etag"} {
			if volatile == "Content-Length" || volatile == "Etag" {
				// Answers with a time in them differ, but have them.
				assert.Equal(t, get.header[volatile] == nil, head.header[volatile] == nil, "%s %s", path, volatile)
			}
			delete(get.header, volatile)
			delete(head.header, volatile)
		}
		assert.Equal(t, get.header, head.header, path)
	}
	assert.Contains(t, e.log.String(), `"method":"HEAD"`)
	assert.Equal(t, 405, e.send("admin", "HEAD", "/api/v1/batch/execute", "").status)
}

func TestOPTIONSTellsWhatAPathTakes(t *testing.T) {
	for name, option := range map[string]option{
		"without CORS": func(*httpapi.Config, *bridge.Config) {},
		"with CORS":    func(c *httpapi.Config, _ *bridge.Config) { c.CORSOrigins = []string{"https://app.example.com"} },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, option)
			for path, want := range map[string][]string{
				"/api/v1/systems": {"GET", "HEAD", "OPTIONS", "POST"}, "/health": {"GET", "HEAD", "OPTIONS"}, "/api/v1/systems/x/crud": {"OPTIONS", "POST"},
			} {
				a := e.send("", "OPTIONS", path, "")
				assert.Equal(t, 204, a.status, path)
				assert.Empty(t, a.body)
				assert.ElementsMatch(t, want, strings.Split(a.header.Get("Allow"), ", "), path)
				a = e.send("", "TRACE", path, "")
				a.problem(405, "method_not_allowed")
				assert.ElementsMatch(t, want, strings.Split(a.header.Get("Allow"), ", "), path)
			}
		})
	}
}

func TestCORSDependsOnTheOrigin(t *testing.T) {
	const app = "https://app.example.com"
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.CORSOrigins, c.CORSCredentials = []string{app}, true })
	for _, a := range []answer{
		e.send("", "GET", "/health", "", "Origin", app), e.send("", "GET", "/nowhere", "", "Origin", app),
		e.send("", "POST", "/api/v1/auth/login", "<x/>", "Origin", app, "Content-Type", "text/xml"),
		e.send("", "OPTIONS", "/api/v1/systems", "", "Origin", app, "Access-Control-Request-Method", "GET"),
	} {
		assert.Equal(t, app, a.header.Get("Access-Control-Allow-Origin"), "%d", a.status)
		assert.Equal(t, "true", a.header.Get("Access-Control-Allow-Credentials"), "%d", a.status)
		assert.Contains(t, a.header.Values("Vary"), "Origin")
	}
	for _, origin := range []string{"", "https://evil.example.com", "null", "https://app.example.com.evil.example", "http://app.example.com"} {
		a := e.send("", "GET", "/health", "", "Origin", origin)
		assert.Empty(t, a.header.Get("Access-Control-Allow-Origin"), origin)
		assert.Empty(t, a.header.Get("Access-Control-Allow-Credentials"), origin)
		assert.Contains(t, a.header.Values("Vary"), "Origin", "a cache must not serve one origin's answer to another")
	}
	any := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.CORSOrigins = []string{"*"} })
	a := any.send("", "GET", "/health", "", "Origin", "https://evil.example.com")
	assert.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
	assert.Empty(t, a.header.Get("Access-Control-Allow-Credentials"))
}

func TestReadsHaveATag(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	e.register("admin", "main", sim)
	const crud, search = "/api/v1/systems/main/crud", "/api/v1/systems/main/odoo/search_read"
	for path, body := range map[string]string{
		search:                                   `{"model":"res.partner","fields":["name"],"order":"id"}`,
		crud:                                     `{"action":"read","model":"res.partner","fields":["name","email"],"order":"id"}`,
		"/api/v1/systems/main/odoo/search_count": `{"model":"res.partner"}`,
	} {
		first, again := e.send("clerk", "POST", path, body), e.send("clerk", "POST", path, body)
		require.Equal(t, 200, first.status, string(first.body))
		tag := first.header.Get("ETag")
		require.Regexp(t, `^W/"[0-9a-f]+"$`, tag)
		assert.Equal(t, tag, again.header.Get("ETag"), "of what was read, and not of whether it was cached")

		for _, known := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*"} {
			a := e.send("clerk", "POST", path, body, "If-None-Match", known)
			assert.Equal(t, 304, a.status, known)
			assert.Empty(t, a.body)
			assert.Equal(t, tag, a.header.Get("ETag"))
			assert.Empty(t, a.header.Get("Content-Type"))
			assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
		}
		assert.Equal(t, 200, e.send("clerk", "POST", path, body, "If-None-Match", `"other"`).status)
		assert.Equal(t, 401, e.send("", "POST", path, body, "If-None-Match", tag).status, "a tag opens nothing")

		e.send("clerk", "POST", crud, `{"action":"create","model":"res.partner","data":{"name":"Azure"}}`).ok(200)
		a := e.send("clerk", "POST", path, body, "If-None-Match", tag)
		assert.Equal(t, 200, a.status)
		assert.NotEqual(t, tag, a.header.Get("ETag"))
	}
	a := e.send("clerk", "POST", "/api/v1/systems/main/odoo/write", `{"model":"res.partner","ids":[1],"values":{"phone":"1"}}`, "If-None-Match", "*")
	assert.Equal(t, 200, a.status, "a change has no tag")
	assert.Empty(t, a.header.Get("ETag"))

	// What GET gives, too; what has a tag of its own keeps it.
	for _, path := range []string{"/api/v1/systems", "/api/v1/systems/main", "/api/v1/systems/main/fields?model=res.partner", "/api/v1/auth/me", "/openapi.json", "/api/v1/mappings/models"} {
		a := e.send("admin", "GET", path, "")
		tag := a.header.Get("ETag")
		require.NotEmpty(t, tag, path)
		for _, method := range []string{"GET", "HEAD"} {
			b := e.send("admin", method, path, "", "If-None-Match", tag)
			assert.Equal(t, 304, b.status, path)
			assert.Empty(t, b.body)
		}
	}
	e.send("admin", "GET", "/api/v1/systems/none", "").problem(404, "not_found")
	assert.Empty(t, e.send("admin", "GET", "/api/v1/systems/none", "").header.Get("ETag"))
}

// Compressed or not, what is said is the same.
func TestATagIsTheSameForCompressedAnswers(t *testing.T) {
	e := newEnv(t)
	plain := e.send("", "GET", "/openapi.json", "", "Accept-Encoding", "identity")
	small := e.send("", "GET", "/openapi.json", "", "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", small.header.Get("Content-Encoding"))
	assert.Equal(t, plain.header.Get("ETag"), small.header.Get("ETag"))
	a := e.send("", "GET", "/openapi.json", "", "Accept-Encoding", "gzip", "If-None-Match", plain.header.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, a.status)
	assert.Empty(t, a.header.Get("Content-Encoding"))
}
