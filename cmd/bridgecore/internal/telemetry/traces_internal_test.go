package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bridgecore/bridgecore/bridge"
)

func recorded(t *testing.T, c TracesConfig) (*Traces, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	traces, err := newTraces(c, sdktrace.WithSyncer(exporter))
	require.NoError(t, err)
	return traces, exporter
}

func TestQueriesAreSpansOfTheirRequest(t *testing.T) {
	traces, exporter := recorded(t, TracesConfig{Service: "bridgecore"})
	traces.Query(t.Context(), "select", time.Second) // of no request
	r := httptest.NewRequest(http.MethodGet, "/secret/7?token=canary", nil)
	ctx, span := traces.Serve(r)
	traces.Query(ctx, "select", 30*time.Millisecond)
	traces.Lookup(ctx, bridge.LookupEvent{Hit: true})
	traces.Lookup(ctx, bridge.LookupEvent{})
	Served(span, r, "/secret/:id", 500, "internal")
	spans := exporter.GetSpans()
	require.Len(t, spans, 2)
	assert.Equal(t, "db select", spans[0].Name)
	assert.Equal(t, 30*time.Millisecond, spans[0].EndTime.Sub(spans[0].StartTime))
	assert.Equal(t, spans[1].SpanContext.SpanID(), spans[0].Parent.SpanID())
	assert.Equal(t, "GET /secret/:id", spans[1].Name)
	got := map[string]string{}
	for _, a := range spans[1].Attributes {
		got[string(a.Key)] = a.Value.String()
	}
	assert.Equal(t, map[string]string{
		"http.request.method": "GET", "http.route": "/secret/:id", "http.response.status_code": "500", "error.type": "internal",
		"bridgecore.cache.hits": "1", "bridgecore.cache.misses": "1",
	}, got)
}

// What is not kept costs nothing, but its id travels on.
func TestSampling(t *testing.T) {
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	for sampler, want := range map[string][2]int{ // of a request without a parent, and of one whose parent is kept
		"": {1, 1}, "always_on": {1, 1}, "always_off": {0, 0}, "parentbased_always_off": {0, 1}, "parentbased_always_on": {1, 1}, "traceidratio": {1, 1},
	} {
		traces, exporter := recorded(t, TracesConfig{Sampler: sampler})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		_, span := traces.Serve(r)
		Served(span, r, "/", 200, "")
		assert.Len(t, exporter.GetSpans(), want[0], sampler)
		exporter.Reset()
		r.Header.Set("Traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
		ctx, span := traces.Serve(r)
		traces.Lookup(ctx, bridge.LookupEvent{})
		ctx = traces.Begin(ctx, bridge.UpstreamEvent{})
		var sent string
		_, err := traces.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("Traceparent")
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		})).RoundTrip(r.Clone(ctx))
		require.NoError(t, err)
		traces.Upstream(ctx, bridge.UpstreamEvent{})
		Served(span, r, "/", 200, "")
		assert.Len(t, exporter.GetSpans(), 3*want[1], sampler)
		assert.Contains(t, sent, traceID, sampler)
		assert.Equal(t, traceID, TraceID(ctx))
	}
	for _, bad := range [][2]string{{"sometimes", ""}, {"traceidratio", "2"}, {"traceidratio", "NaN"}, {"traceidratio", "x"}, {"parentbased_", ""}} {
		_, err := SamplerOf(bad[0], bad[1])
		assert.Error(t, err, bad)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Without traces, requests are served all the same.
func TestNoTraces(t *testing.T) {
	var none *Traces
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	ctx, span := none.Serve(r)
	Served(span, r, "/", 500, "internal")
	assert.Empty(t, TraceID(ctx))
	var out bytes.Buffer
	slog.New(Log(slog.NewTextHandler(&out, nil))).InfoContext(ctx, "x")
	assert.NotContains(t, out.String(), "trace_id")
	var nobody *Failures
	nobody.Report(context.Background(), Failure{})
}

func TestScrub(t *testing.T) {
	for text, want := range map[string]string{
		"dial tcp: lookup db: no such host":                  "dial tcp: lookup db: no such host",
		"password=hunter2 refused":                           "password=[removed] refused",
		`{"api_key": "abc", "x": 1}`:                         `{"api_key": [removed], "x": 1}`,
		"Authorization: Bearer abc.def":                      "Authorization: [removed] [removed]",
		"got eyJhbGciOi.eyJzdWIi.c2ln back":                  "got [removed] back",
		"postgres://u:p@db:5432/x failed":                    "postgres://[removed]@db:5432/x failed",
		"Get https://h/p?token=1#x: EOF":                     "Get https://h/p?[removed] EOF",
		"duplicate key (email)=(a@b.example) already exists": "duplicate key (email)=([removed]) already exists",
		"user sara@acme.example is unknown":                  "user [removed] is unknown",
	} {
		assert.Equal(t, want, scrub(text))
	}
	assert.Len(t, scrub(string(bytes.Repeat([]byte("é"), 5000))), mostReported+3)
}
