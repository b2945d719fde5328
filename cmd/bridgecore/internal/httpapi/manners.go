package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// header is one line of an answer's header, its name in the canonical form.
type header struct {
	name  string
	value []string
}

// manners are the lines that tell browsers and caches how to treat an answer:
// as data that is shown nowhere, embedded nowhere and kept nowhere.
func manners(hsts time.Duration) []header {
	lines := []header{
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"X-Frame-Options", []string{"DENY"}},
		{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
		{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
		{"Cache-Control", []string{"no-store"}},
	}
	if hsts > 0 {
		lines = append(lines, header{"Strict-Transport-Security", []string{"max-age=" + strconv.Itoa(int(hsts.Seconds()))}})
	}
	return lines
}

// revalidated is the Cache-Control of what is the same for everybody.
const revalidated = "no-cache"

// registerPage serves the page of the API's description, from the program
// itself. It may run the scripts that it consists of, and talk to this server.
func (a *API) registerPage() {
	page := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "BridgeCore API", SwaggerJSON: "/openapi.json", BasePath: "/docs",
		SettingsUI: map[string]string{"persistAuthorization": "true", "tryItOutEnabled": "true", "validatorUrl": "null"},
	})
	var first httptest.ResponseRecorder
	first.Body = &bytes.Buffer{}
	page.ServeHTTP(&first, httptest.NewRequest(http.MethodGet, "/docs", nil)) //nolint:noctx // nobody waits for it
	policy := strings.Join([]string{
		"default-src 'none'", "script-src 'self'" + scriptHashes(first.Body.Bytes()), "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
		"font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
	serve := func(c *echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", revalidated)
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	a.echo.GET("/docs", serve)
	a.echo.GET("/docs/*", serve)
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// scriptHashes name the scripts that stand in a page, so that no other does.
func scriptHashes(page []byte) string {
	var b strings.Builder
	for _, m := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(m[1])
		b.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return b.String()
}

// options answers what a path takes, where CORS has no say.
func options(c *echo.Context) error {
	h := c.Response().Header()
	if allow, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
		h.Set("Allow", allow)
		withHead(h)
	}
	c.Response().WriteHeader(http.StatusNoContent)
	return nil
}

// withHead adds HEAD to the methods in Allow, if GET is one of them.
func withHead(h http.Header) {
	allow := h.Get("Allow")
	if slices.Contains(strings.Split(allow, ", "), http.MethodGet) {
		h.Set("Allow", allow+", "+http.MethodHead)
	}
}
