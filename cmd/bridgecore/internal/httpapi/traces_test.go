package httpapi_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

// collected is a collector that takes OTLP over HTTP.
type collected struct {
	*httptest.Server
	mu     sync.Mutex
	raw    strings.Builder
	header http.Header
	spans  []*tracepb.Span
}

func newCollector(tb testing.TB) *collected {
	tb.Helper()
	c := &collected{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.header = r.Header
		c.raw.Write(body)
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	tb.Cleanup(c.Close)
	return c
}

// traced sends traces to a collector.
func traced(tb testing.TB, c *collected, traces **telemetry.Traces) option {
	tb.Helper()
	return func(hc *httpapi.Config, bc *bridge.Config) {
		t, err := telemetry.NewTraces(tb.Context(), telemetry.TracesConfig{
			Endpoint: c.URL + "/v1/traces", Headers: map[string]string{"X-Team": "mobile"}, Service: "bridgecore", Version: "test", Environment: "test", Log: hc.Log,
		})
		require.NoError(tb, err)
		*traces, hc.Traces = t, t
		bc.Observer = bridge.Observers{t}
		bc.Openers = systems.OpenersVia(netguard.Guard{Private: true}, nil, t.Transport)
		hc.Log = slog.New(telemetry.Log(hc.Log.Handler()))
	}
}

// attributes of a span, as texts.
func attributes(s *tracepb.Span) map[string]string {
	out := map[string]string{}
	for _, a := range s.GetAttributes() {
		b, _ := json.Marshal(a.GetValue().GetValue())
		var v map[string]any
		_ = json.Unmarshal(b, &v)
		for _, text := range v {
			b, _ := json.Marshal(text)
			out[a.GetKey()] = strings.Trim(string(b), `"`)
		}
	}
	return out
}

const parentTrace, parentSpan = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

// One request is one tree, from whoever sent it to what was sent to the system.
func TestARequestIsOneTrace(t *testing.T) {
	c := newCollector(t)
	var traces *telemetry.Traces
	e := newEnv(t, traced(t, c, &traces))

	sim := odootest.New(t, "17.0")
	var mu sync.Mutex
	var sent []string
	target, err := url.Parse(sim.URL)
	require.NoError(t, err)
	onward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		sent = append(sent, r.Header.Get("Traceparent"))
		mu.Unlock()
		onward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	e.send("admin", "POST", "/api/v1/systems", registered(t, "main", "odoo", "17.0", map[string]any{
		"url": front.URL, "database": sim.Database, "username": sim.Username, "password": sim.Password,
	})).ok(201)

	const body = `{"model":"res.partner","domain":[["name","ilike","canary-value"]],"fields":["name"]}`
	parent := []string{"Traceparent", "00-" + parentTrace + "-" + parentSpan + "-01", "X-Request-ID", "the-request"}
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_read", body, parent...).ok(200)
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_read", body, parent...).ok(200)
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_read", `{"model":"no.model","domain":[]}`, parent...).problem(404, "not_found")
	require.NoError(t, traces.Close(t.Context()))

	byID := map[string]*tracepb.Span{}
	var servers, calls, requests []*tracepb.Span
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) != parentTrace {
			continue
		}
		byID[string(s.GetSpanId())] = s
		switch {
		case s.GetKind() == tracepb.Span_SPAN_KIND_SERVER:
			servers = append(servers, s)
		case s.GetKind() == tracepb.Span_SPAN_KIND_INTERNAL:
			calls = append(calls, s)
		case attributes(s)["http.request.method"] != "":
			requests = append(requests, s)
		}
	}
	require.Len(t, servers, 3)
	for i, s := range servers {
		assert.Equal(t, parentSpan, hex.EncodeToString(s.GetParentSpanId()))
		assert.Equal(t, "POST /api/v1/systems/:system_id/odoo/:operation", s.GetName())
		assert.Equal(t, []string{"200", "200", "404"}[i], attributes(s)["http.response.status_code"])
		hits, misses := attributes(s)["bridgecore.cache.hits"], attributes(s)["bridgecore.cache.misses"]
		want := [3][2]string{{"", "1"}, {"1", ""}, {"", "1"}}[i]
		assert.Equal(t, want, [2]string{hits, misses}, "the second one comes from the cache")
	}
	assert.Equal(t, "not_found", attributes(servers[2])["error.type"])
	require.GreaterOrEqual(t, len(calls), 2)
	assert.Equal(t, "odoo search_read", calls[0].GetName())
	assert.Equal(t, map[string]string{
		"bridgecore.system.type": "odoo", "bridgecore.model": "res.partner", "bridgecore.operation": "search_read", "bridgecore.attempt": "1",
	}, attributes(calls[0]))
	assert.Equal(t, servers[0].GetSpanId(), calls[0].GetParentSpanId())
	assert.Equal(t, "not_found", attributes(calls[len(calls)-1])["error.type"])
	require.NotEmpty(t, requests)
	heard := map[string]bool{}
	for _, header := range sent {
		heard[header] = true
	}
	for _, s := range requests {
		parent := byID[string(s.GetParentSpanId())]
		require.NotNil(t, parent)
		assert.Equal(t, tracepb.Span_SPAN_KIND_INTERNAL, parent.GetKind(), "a request to the system lies below the call")
		assert.Equal(t, "127.0.0.1", attributes(s)["server.address"])
		assert.True(t, heard["00-"+parentTrace+"-"+hex.EncodeToString(s.GetSpanId())+"-01"], "Odoo hears of each: %v", sent)
	}

	assert.Contains(t, e.log.String(), `"trace_id":"`+parentTrace+`"`)
	assert.Equal(t, "mobile", c.header.Get("X-Team"))
	for _, secret := range []string{"canary", sim.Password, "clerk", "/jsonrpc", e.tokens["clerk"]} {
		assert.NotContains(t, c.raw.String(), secret)
	}
}

// Every kind of system is followed, where its tokens come from too.
func TestEveryKindOfSystemIsTraced(t *testing.T) {
	c := newCollector(t)
	var traces *telemetry.Traces
	e := newEnv(t, traced(t, c, &traces))
	org, s4 := salesforcetest.New(t), saptest.New(t)
	e.send("admin", "POST", "/api/v1/systems", registered(t, "crm", "salesforce", "", map[string]any{
		"url": org.URL, "client_id": org.ClientID, "client_secret": org.ClientSecret,
	})).ok(201)
	e.send("admin", "POST", "/api/v1/systems", registered(t, "s4", "sap", "", map[string]any{
		"url": s4.URL, "username": s4.Username, "password": s4.Password,
	})).ok(201)
	for _, id := range []string{"crm", "s4"} {
		e.send("clerk", "POST", "/api/v1/systems/"+id+"/crud", `{"action":"read","model":"contact","use_universal_schema":true,"domain":[["name","!=","canary-value"]],"fields":["name"],"limit":1}`).ok(200)
	}
	require.NoError(t, traces.Close(t.Context()))

	byID := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		byID[string(s.GetSpanId())] = s
	}
	requests := map[string]int{}
	for _, s := range c.spans {
		if s.GetKind() != tracepb.Span_SPAN_KIND_CLIENT || attributes(s)["http.request.method"] == "" {
			continue
		}
		parent := byID[string(s.GetParentSpanId())]
		require.NotNil(t, parent)
		requests[attributes(parent)["bridgecore.system.type"]]++
	}
	assert.GreaterOrEqual(t, requests["salesforce"], 3, "a token, a description, a query")
	assert.GreaterOrEqual(t, requests["sap"], 2)
	for _, secret := range []string{"canary", org.ClientSecret, s4.Password, "SELECT"} {
		assert.NotContains(t, c.raw.String(), secret)
	}
}

// A collector that is away costs nothing but a line in the log.
func TestACollectorThatIsAway(t *testing.T) {
	c := newCollector(t)
	var traces *telemetry.Traces
	e := newEnv(t, traced(t, c, &traces))
	c.Close()
	e.send("admin", "GET", "/api/v1/systems", "").ok(200)
	require.NoError(t, traces.Close(t.Context()))
	assert.Contains(t, e.log.String(), "traces were not sent")
	assert.NotContains(t, e.log.String(), c.URL)
}
