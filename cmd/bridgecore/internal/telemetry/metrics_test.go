package telemetry_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

// page is what Prometheus reads.
func page(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	return rec.Body.String()
}

func TestTheDocumentedMetricsAreSet(t *testing.T) {
	m := telemetry.New(func() map[string]int { return map[string]int{"odoo": 2, "sap": 1} })
	ctx := t.Context()
	m.Request("GET", "/api/v1/systems/:system_id", 200, 3*time.Millisecond)
	m.Request("POST", "", 404, time.Millisecond)
	m.Lookup(ctx, bridge.LookupEvent{Operation: "search_read", Hit: true})
	m.Lookup(ctx, bridge.LookupEvent{Operation: "search_read"})
	m.Query("select", time.Millisecond)
	m.Upstream(ctx, bridge.UpstreamEvent{Tenant: "1", System: "odoo_main", Kind: "odoo", Model: "res.partner", Operation: "read"})
	m.Upstream(ctx, bridge.UpstreamEvent{Kind: "odoo", Model: "res.partner", Operation: "read", Err: adapter.ErrNotFound})
	m.Breaker(bridge.BreakerEvent{Tenant: "1", System: "odoo_2", To: breaker.Open})
	m.Breaker(bridge.BreakerEvent{Tenant: "1", System: "odoo_3", To: breaker.HalfOpen})
	m.Migrated("odoo", "13.0", "19.0", 3, 1)
	text := page(t, m)
	for _, line := range []string{
		`http_requests_total{endpoint="/api/v1/systems/:system_id",method="GET",status="200"} 1`,
		`http_requests_total{endpoint="unmatched",method="POST",status="404"} 1`,
		`http_request_duration_seconds_count{endpoint="/api/v1/systems/:system_id",method="GET"} 1`,
		`active_connections{system_type="odoo"} 2`,
		`active_connections{system_type="sap"} 1`,
		`cache_hits_total{operation="search_read"} 1`,
		`cache_misses_total{operation="search_read"} 1`,
		`db_query_duration_seconds_count{operation="select"} 1`,
		`api_operations_total{model="res.partner",operation="read",status="ok",system_type="odoo"} 1`,
		`api_operations_total{model="res.partner",operation="read",status="not_found",system_type="odoo"} 1`,
		`circuit_breaker_state{system_id="1/odoo_main"} 0`,
		`circuit_breaker_state{system_id="1/odoo_2"} 2`,
		`circuit_breaker_state{system_id="1/odoo_3"} 1`,
		`version_migrations_total{from_version="13.0",status="ok",system_type="odoo",to_version="19.0"} 3`,
		`version_migrations_total{from_version="13.0",status="failed",system_type="odoo",to_version="19.0"} 1`,
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.Contains(t, text, "go_goroutines ")
	assert.Contains(t, text, "process_cpu_seconds_total ")
	problems, err := testutil.GatherAndLint(m.Gatherer())
	require.NoError(t, err)
	for _, p := range problems {
		// The documented names are not ours to choose.
		t.Log(p.Metric, p.Text)
	}
}

// Clients choose methods, models and systems: none of them may make the number
// of series grow without end.
func TestLabelsAreBounded(t *testing.T) {
	m := telemetry.New(nil)
	for i := range 5000 {
		m.Request(fmt.Sprint("M", i), "/x", 200, 0)
		m.Upstream(t.Context(), bridge.UpstreamEvent{Kind: "odoo", Model: fmt.Sprint("x.model", i), Operation: "read"})
		m.Upstream(t.Context(), bridge.UpstreamEvent{Kind: "odoo", Model: fmt.Sprint("nonsense", i), Operation: "read", Err: errors.New("no")})
		m.Breaker(bridge.BreakerEvent{Tenant: "1", System: strconv.Itoa(i), To: breaker.Open})
	}
	text := page(t, m)
	assert.Equal(t, 1, strings.Count(text, "\nhttp_requests_total{"))
	assert.LessOrEqual(t, strings.Count(text, "\napi_operations_total{"), 202)
	assert.LessOrEqual(t, strings.Count(text, "\ncircuit_breaker_state{"), 1001)
	assert.NotContains(t, text, "nonsense")
	assert.Contains(t, text, `model="other"`)
}

func BenchmarkRequest(b *testing.B) {
	m := telemetry.New(nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Request("POST", "/api/v1/systems/:system_id/crud", 200, time.Millisecond)
		m.Lookup(b.Context(), bridge.LookupEvent{Operation: "search_read", Hit: true})
	}
}
