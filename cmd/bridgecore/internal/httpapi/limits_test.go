package httpapi_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

func withLimits(rates limit.Rates, proxies ...string) option {
	return func(c *httpapi.Config, _ *bridge.Config) {
		c.Limits = httpapi.Limits{Limiter: limit.NewLocal(nil), Rates: rates}
		for _, p := range proxies {
			c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
		}
	}
}

func TestTheHundredAndFirstReadInAMinute(t *testing.T) {
	e := newEnv(t, withLimits(limit.Documented()))
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	const body = `{"model":"res.partner","fields":["name"],"limit":1}`
	read := func(user string) answer {
		return e.send(user, http.MethodPost, "/api/v1/systems/odoo/odoo/search_read", body)
	}
	refused := 0
	for i := range 130 {
		a := read("clerk")
		if i == 0 {
			assert.Equal(t, "100", a.header.Get("X-RateLimit-Limit"))
			assert.Equal(t, "99", a.header.Get("X-RateLimit-Remaining"))
			assert.NotEmpty(t, a.header.Get("X-RateLimit-Reset"))
			assert.Equal(t, `"read";q=100;w=60`, a.header.Get("RateLimit-Policy"))
			assert.Equal(t, `"read";r=99;t=1`, a.header.Get("RateLimit"))
		}
		if a.status == http.StatusTooManyRequests {
			if refused++; refused == 1 {
				assert.GreaterOrEqual(t, i, 100, "the first hundred go through")
				assert.Equal(t, "1", a.header.Get("Retry-After"))
				assert.Equal(t, "rate_limited", a.json()["error"].(map[string]any)["code"])
			}
			continue
		}
		require.Equal(t, 200, a.status)
	}
	assert.Positive(t, refused)
	assert.Equal(t, 200, read("admin").status, "another user has a bucket of his own")
	a := e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"x"}}`)
	assert.Equal(t, 200, a.status, "and so has another class")
}

func TestCallsAreLimitedByWhatTheyDo(t *testing.T) {
	rates := limit.Rates{limit.Default: 0}
	for i, c := range limit.Classes {
		if c != limit.Default {
			rates[c] = 1000 + i
		}
	}
	e := newEnv(t, withLimits(rates))
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	for _, c := range []struct {
		path, body string
		want       limit.Class
	}{
		{"systems/odoo/odoo/call_kw", `{"model":"res.partner","method":"unlink","args":[[999999]]}`, limit.Delete},
		{"systems/odoo/odoo/call_kw", `{"model":"res.partner","method":"search_count","args":[[]]}`, limit.Read},
		{"systems/odoo/odoo/call_kw", `{"model":"sale.order","method":"action_confirm","args":[[999999]]}`, limit.Write},
		{"systems/odoo/odoo/unlink", `{"model":"res.partner","ids":[999999]}`, limit.Delete},
		{"systems/odoo/odoo/create", `{"model":"res.partner","values":{"name":"x"}}`, limit.Write},
		{"systems/odoo/crud", `{"action":"read","model":"res.partner","limit":1}`, limit.Read},
		{"systems/odoo/crud", `{"action":"delete","model":"res.partner","record_id":999999}`, limit.Delete},
		{"systems/odoo/crud", `{"action":"update","model":"res.partner","record_id":999999,"data":{"name":"x"}}`, limit.Write},
		{"batch/execute", `{"system_id":"odoo","operations":[{"action":"read","model":"res.partner","limit":1}]}`, limit.Batch},
		{"auth/login", `{"username":"nobody","password":"x"}`, limit.Auth},
	} {
		a := e.send("admin", http.MethodPost, "/api/v1/"+c.path, c.body)
		policy, _, _ := strings.Cut(a.header.Get("RateLimit-Policy"), ";")
		assert.Equal(t, `"`+string(c.want)+`"`, policy, "%s %s", c.path, c.body)
	}
	for _, path := range []string{"/livez", "/readyz", "/health", "/openapi.json"} {
		assert.Empty(t, e.send("", http.MethodGet, path, "").header.Get("RateLimit-Policy"), path)
	}
}

func TestLoginsAreLimitedByAddress(t *testing.T) {
	e := newEnv(t, withLimits(limit.Rates{limit.Auth: 3, limit.Default: 0}, "127.0.0.0/8"))
	login := func(forwarded string) int {
		return e.send("", http.MethodPost, "/api/v1/auth/login", `{"username":"nobody","password":"x"}`, "X-Forwarded-For", forwarded).status
	}
	for range 3 {
		assert.Equal(t, 401, login("198.51.100.1"))
	}
	assert.Equal(t, 429, login("198.51.100.1"))
	assert.Equal(t, 429, login("203.0.113.9, 198.51.100.1"), "what stands further left is the client's claim")
	assert.Equal(t, 429, login("198.51.100.1, 127.0.0.9"), "proxies of ours are passed over")
	assert.Equal(t, 401, login("198.51.100.2"))
	assert.Equal(t, 401, login("nonsense"), "then it is the proxy's own")

	e = newEnv(t, withLimits(limit.Rates{limit.Auth: 1, limit.Default: 0}))
	assert.Equal(t, 401, e.send("", http.MethodPost, "/api/v1/auth/login", `{"username":"a","password":"x"}`, "X-Forwarded-For", "198.51.100.1").status)
	assert.Equal(t, 429, e.send("", http.MethodPost, "/api/v1/auth/login", `{"username":"a","password":"x"}`, "X-Forwarded-For", "198.51.100.2").status,
		"without a trusted proxy the header counts for nothing")
}
