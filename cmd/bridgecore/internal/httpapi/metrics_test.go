package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

func withMetrics(elsewhere bool) option {
	return func(c *httpapi.Config, b *bridge.Config) {
		c.Metrics, c.MetricsElsewhere = telemetry.New(nil), elsewhere
		b.Observer = c.Metrics
	}
}

func TestMetricsAreReallySet(t *testing.T) {
	e := newEnv(t, withMetrics(false))
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	const body = `{"model":"res.partner","fields":["name"],"limit":1}`
	for range 3 {
		e.send("admin", http.MethodPost, "/api/v1/systems/odoo/odoo/search_read", body).ok(200)
	}
	e.send("admin", http.MethodPost, "/api/v1/systems/odoo/migrate", `{"model":"res.partner","from_version":"17.0","to_version":"18.0","record_ids":[1]}`).ok(200)
	e.send("admin", http.MethodGet, "/api/v1/nothing/here/canary-path", "")
	page := string(e.send("", http.MethodGet, "/metrics", "").body)
	for _, line := range []string{
		`http_requests_total{endpoint="/api/v1/systems/:system_id/odoo/:operation",method="POST",status="200"} 3`,
		`cache_hits_total{operation="search_read"} 2`,
		`cache_misses_total{operation="search_read"} 1`,
		`api_operations_total{model="res.partner",operation="search_read",status="ok",system_type="odoo"} 1`,
		`version_migrations_total{from_version="17.0",status="ok",system_type="odoo",to_version="18.0"} 1`,
		`http_requests_total{endpoint="unmatched",method="GET",status="404"} 1`,
	} {
		assert.Contains(t, page, line+"\n")
	}
	assert.Regexp(t, `circuit_breaker_state\{system_id="\d+/odoo"\} 0\n`, page)
	// A word: digits may stand in any of the page's numbers.
	assert.NotContains(t, page, "canary-path", "labels are templates of paths")
	assert.NotContains(t, page, password)
}

func TestMetricsElsewhere(t *testing.T) {
	e := newEnv(t, withMetrics(true))
	assert.Equal(t, 404, e.send("admin", http.MethodGet, "/metrics", "").status)
	assert.Equal(t, 404, newEnv(t).send("admin", http.MethodGet, "/metrics", "").status)
}
