package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// TracesConfig says where traces go and which ones are kept. Its members are
// those of OpenTelemetry's standard variables.
type TracesConfig struct {
	Endpoint    string            // of the traces themselves, such as http://collector:4318/v1/traces
	Headers     map[string]string // sent to it
	Sampler     string            // one of Samplers; "" for parentbased_always_on
	Ratio       string            // OTEL_TRACES_SAMPLER_ARG, for those that take one
	Service     string            // its name
	Version     string
	Environment string
	Log         *slog.Logger
}

// Samplers are the names that OTEL_TRACES_SAMPLER may have.
var Samplers = []string{
	"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
}

// Traces follow requests through the server and on to the systems it asks, as
// spans of OpenTelemetry. A span has the template of a path, the kind of a
// system, a model, an operation and codes of errors: never a value, a domain,
// an id of a record or of a person. They are a bridge.Observer.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

var (
	_ bridge.Observer = (*Traces)(nil)
	_ bridge.Beginner = (*Traces)(nil)
)

// w3c reads and writes the header traceparent. Baggage is not passed on: it is
// whatever clients put there.
var w3c = propagation.TraceContext{}

// NewTraces sends traces by OTLP over HTTP. It does not wait for the collector:
// one that is away costs spans, and lines in the log.
func NewTraces(ctx context.Context, c TracesConfig) (*Traces, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint), otlptracehttp.WithHeaders(c.Headers))
	if err != nil {
		return nil, err
	}
	return newTraces(c, sdktrace.WithBatcher(logged{exporter, c.Log}))
}

func newTraces(c TracesConfig, options ...sdktrace.TracerProviderOption) (*Traces, error) {
	sampler, err := SamplerOf(c.Sampler, c.Ratio)
	if err != nil {
		return nil, err
	}
	about := resource.NewSchemaless(
		attribute.String("service.name", c.Service), attribute.String("service.version", c.Version),
		attribute.String("deployment.environment.name", c.Environment),
	)
	// What the environment says of the resource wins.
	if about, err = resource.Merge(about, resource.Environment()); err != nil {
		return nil, err
	}
	p := sdktrace.NewTracerProvider(append(options, sdktrace.WithSampler(sampler), sdktrace.WithResource(about))...)
	return &Traces{p, p.Tracer("github.com/bridgecore/bridgecore")}, nil
}

// SamplerOf is the sampler of a name.
func SamplerOf(name, ratio string) (sdktrace.Sampler, error) {
	base, parent := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	var s sdktrace.Sampler
	switch base {
	case "always_on":
		s = sdktrace.AlwaysSample()
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio":
		part := 1.0
		if ratio != "" {
			var err error
			if part, err = strconv.ParseFloat(ratio, 64); err != nil || !(part >= 0 && part <= 1) {
				return nil, errors.New("OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1, the part of the traces that is kept")
			}
		}
		s = sdktrace.TraceIDRatioBased(part)
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER: must be one of %s", strings.Join(Samplers, ", "))
	}
	if parent {
		s = sdktrace.ParentBased(s)
	}
	return s, nil
}

// logged is an exporter whose failures are logged: the SDK would print them.
type logged struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

// ExportSpans sends spans.
func (l logged) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := l.SpanExporter.ExportSpans(ctx, spans)
	if err == nil || l.log == nil {
		return err
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the address
	}
	l.log.Warn("traces were not sent", "spans", len(spans), "error", err)
	return nil
}

// Close sends what is left, as long as ctx lasts.
func (t *Traces) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// serverSpan is what all spans of requests begin with.
var serverSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// Serve begins the span of a request, below that of whoever sent it. A nil
// Traces begins none.
func (t *Traces) Serve(r *http.Request) (context.Context, trace.Span) {
	ctx := r.Context()
	if t == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	if len(r.Header["Traceparent"]) > 0 {
		ctx = w3c.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	ctx, span := t.tracer.Start(ctx, r.Method, serverSpan...)
	if !span.IsRecording() {
		return ctx, span
	}
	counted := &counting{Span: span}
	return trace.ContextWithSpan(ctx, counted), counted
}

// counting is the span of a request that counts what the cache had and lacked:
// a batch reads much.
type counting struct {
	trace.Span
	hits, misses atomic.Int64
}

// Served ends the span of a request: route is the template of its path.
func Served(span trace.Span, r *http.Request, route string, status int, code string) {
	if !span.IsRecording() {
		span.End()
		return
	}
	attributes := make([]attribute.KeyValue, 0, 4)
	attributes = append(attributes, attribute.String("http.request.method", r.Method), attribute.Int("http.response.status_code", status))
	if route != "" {
		span.SetName(r.Method + " " + route)
		attributes = append(attributes, attribute.String("http.route", route))
	}
	if code != "" {
		attributes = append(attributes, attribute.String("error.type", code))
	}
	if c, ok := span.(*counting); ok {
		if n := c.hits.Load(); n > 0 {
			attributes = append(attributes, attribute.Int64("bridgecore.cache.hits", n))
		}
		if n := c.misses.Load(); n > 0 {
			attributes = append(attributes, attribute.Int64("bridgecore.cache.misses", n))
		}
	}
	span.SetAttributes(attributes...)
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Begin implements bridge.Beginner: it begins the span of a call.
func (t *Traces) Begin(ctx context.Context, e bridge.UpstreamEvent) context.Context {
	ctx, span := t.tracer.Start(ctx, e.Kind+" "+e.Operation, trace.WithSpanKind(trace.SpanKindInternal))
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("bridgecore.system.type", e.Kind), attribute.String("bridgecore.model", e.Model),
			attribute.String("bridgecore.operation", e.Operation), attribute.Int("bridgecore.attempt", e.Attempt),
		)
	}
	return ctx
}

// Upstream implements bridge.Observer: it ends the span of a call. The message
// of an error may quote values, so its code alone is told.
func (t *Traces) Upstream(ctx context.Context, e bridge.UpstreamEvent) {
	span := trace.SpanFromContext(ctx)
	if e.Err != nil && span.IsRecording() {
		span.SetAttributes(attribute.String("error.type", string(adapter.CodeOf(e.Err))))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Lookup implements bridge.Observer: the span of the request counts it.
func (t *Traces) Lookup(ctx context.Context, e bridge.LookupEvent) {
	c, ok := trace.SpanFromContext(ctx).(*counting)
	switch {
	case !ok:
	case e.Hit:
		c.hits.Add(1)
	default:
		c.misses.Add(1)
	}
}

// Changed implements bridge.Observer.
func (t *Traces) Changed(context.Context, bridge.ChangeEvent) {}

// Breaker implements bridge.Observer.
func (t *Traces) Breaker(bridge.BreakerEvent) {}

// Query adds the span of a query to the server's own database, which has
// ended, to a request that is traced.
func (t *Traces) Query(ctx context.Context, operation string, took time.Duration) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	end := time.Now()
	_, span := t.tracer.Start(ctx, "db "+operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(end.Add(-took)),
		trace.WithAttributes(attribute.String("db.operation.name", operation)))
	span.End(trace.WithTimestamp(end))
}

// Transport follows requests to systems. Their paths and queries hold ids and
// values, so a span has the host alone.
func (t *Traces) Transport(next http.RoundTripper) http.RoundTripper {
	return &transport{next, t.tracer}
}

type transport struct {
	next   http.RoundTripper
	tracer trace.Tracer
}

// RoundTrip sends the request with the header traceparent.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return t.next.RoundTrip(r)
	}
	ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()))
	}
	r = r.Clone(ctx)
	w3c.Inject(ctx, propagation.HeaderCarrier(r.Header))
	res, err := t.next.RoundTrip(r)
	if !span.IsRecording() {
		return res, err
	}
	if err != nil {
		span.SetAttributes(attribute.String("error.type", brokenOff(err)))
		span.SetStatus(codes.Error, "")
		return res, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	if res.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return res, nil
}

// brokenOff is why a request had no answer.
func brokenOff(err error) string {
	if code := adapter.CodeOf(err); code != adapter.Internal {
		return string(code)
	}
	return string(adapter.Unavailable)
}

// Log adds the trace that a line belongs to.
func Log(h slog.Handler) slog.Handler { return tracing{h} }

type tracing struct{ slog.Handler }

// Handle adds trace_id.
func (h tracing) Handle(ctx context.Context, r slog.Record) error {
	if id := TraceID(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps adding it.
func (h tracing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracing{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps adding it.
func (h tracing) WithGroup(name string) slog.Handler { return tracing{h.Handler.WithGroup(name)} }

// TraceID is the id of the trace that a context belongs to, "" for none.
func TraceID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}
