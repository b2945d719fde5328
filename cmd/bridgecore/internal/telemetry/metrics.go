// Package telemetry tells operators what the server does: Prometheus metrics
// under the documented names, with label sets that stay bounded whatever
// clients send.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
)

// Other stands for every value of a label beyond those that are told apart.
const Other = "other"

// How many values of labels that clients choose are told apart.
const (
	maxModels  = 200
	maxSystems = 1000
)

// Metrics are the server's metrics. They are a bridge.Observer.
type Metrics struct {
	registry *prometheus.Registry

	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	hits       *prometheus.CounterVec
	misses     *prometheus.CounterVec
	queries    *prometheus.HistogramVec
	operations *prometheus.CounterVec
	breakers   *prometheus.GaugeVec
	kept       *prometheus.GaugeVec
	counted    prometheus.Gauge
	migrations *prometheus.CounterVec
	sessions   prometheus.Gauge
	events     *prometheus.CounterVec
	dropped    *prometheus.CounterVec

	models  *bounded
	systems *bounded

	// The children of vectors that every request needs, by their labels: a
	// look into a map is cheaper than into a vector.
	lookups sync.Map // lookupKey -> prometheus.Counter
	served  sync.Map // servedKey -> *served
	called  sync.Map // systemKey -> true
}

type systemKey struct{ tenant, system string }

type lookupKey struct {
	operation string
	hit       bool
}

type servedKey struct {
	method, endpoint string
	status           int
}

type served struct {
	count    prometheus.Counter
	duration prometheus.Observer
}

var _ bridge.Observer = (*Metrics)(nil)

// buckets of durations, in seconds: a cached read takes less than a
// millisecond, a slow system half a minute.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// New returns metrics in a registry of their own. connections tells how many
// systems are connected, by their type; it is asked at every scrape, and may be
// nil.
func New(connections func() map[string]int) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), models: &bounded{most: maxModels}, systems: &bounded{most: maxSystems}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.requests = counter("http_requests_total", "Requests answered, by the template of their path.", "method", "endpoint", "status")
	m.durations = histogram("http_request_duration_seconds", "Time from a request's header to the end of its answer.", "method", "endpoint")
	m.hits = counter("cache_hits_total", "Reads answered from the cache.", "operation")
	m.misses = counter("cache_misses_total", "Reads that the cache could not answer.", "operation")
	m.queries = histogram("db_query_duration_seconds", "Time of queries to the server's own database.", "operation")
	m.operations = counter("api_operations_total", "Calls made to connected systems, each attempt by itself; status is ok or the code of the error.", "system_type", "model", "operation", "status")
	m.breakers = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "circuit_breaker_state", Help: "State of a system's circuit breaker: 0 closed, 1 half-open, 2 open. system_id is tenant/system."}, []string{"system_id"})
	m.kept = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "cache_keys", Help: "Answers kept of a system when they were last counted, every five minutes by one of the servers. system_id is tenant/system."}, []string{"system_id"})
	m.counted = prometheus.NewGauge(prometheus.GaugeOpts{Name: "cache_counted_timestamp_seconds", Help: "When this server last counted cache_keys; 0 for never."})
	m.migrations = counter("version_migrations_total", "Records migrated between versions; status is ok or failed.", "system_type", "from_version", "to_version", "status")
	m.sessions = prometheus.NewGauge(prometheus.GaugeOpts{Name: "live_connections", Help: "WebSockets and event streams that are open."})
	m.events = counter("live_events_total", "Messages handed to live connections.", "type")
	m.dropped = counter("live_dropped_total", "Live connections that were dropped or refused, and events that were lost, by reason.", "reason")
	m.registry.MustRegister(m.sessions, m.breakers, m.kept, m.counted, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(&connected{connections})
	return m
}

// Operations adds how many background operations there are, asked for at every
// scrape. count returns them by kind and state.
func (m *Metrics) Operations(count func() (map[OperationGroup]int64, error)) {
	m.registry.MustRegister(operationCounts{count})
}

// OperationGroup are the operations of one kind in one state.
type OperationGroup struct{ Kind, State string }

type operationCounts struct {
	count func() (map[OperationGroup]int64, error)
}

var (
	operationsDescription = prometheus.NewDesc("background_operations", "Background operations that are kept, by kind and state.", []string{"kind", "state"}, nil)
	queueDescription      = prometheus.NewDesc("background_operations_waiting", "Background operations that wait for a worker or for their next attempt.", nil, nil)
)

// Describe implements prometheus.Collector.
func (operationCounts) Describe(ch chan<- *prometheus.Desc) {
	ch <- operationsDescription
	ch <- queueDescription
}

// Collect implements prometheus.Collector.
func (o operationCounts) Collect(ch chan<- prometheus.Metric) {
	groups, err := o.count()
	if err != nil {
		return // the database's own metrics tell
	}
	var waiting int64
	for group, n := range groups {
		if group.State == "queued" {
			waiting += n
		}
		ch <- prometheus.MustNewConstMetric(operationsDescription, prometheus.GaugeValue, float64(n), group.Kind, group.State)
	}
	ch <- prometheus.MustNewConstMetric(queueDescription, prometheus.GaugeValue, float64(waiting))
}

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Gatherer gives the metrics to tests and other exporters.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Request counts one request. route is the template of its path, "" where
// none matched.
func (m *Metrics) Request(method, route string, status int, d time.Duration) {
	if route == "" {
		route = "unmatched"
	}
	key := servedKey{methodLabel(method), route, status}
	v, ok := m.served.Load(key)
	if !ok {
		v, _ = m.served.LoadOrStore(key, &served{
			m.requests.WithLabelValues(key.method, route, strconv.Itoa(status)),
			m.durations.WithLabelValues(key.method, route),
		})
	}
	s := v.(*served)
	s.count.Inc()
	s.duration.Observe(d.Seconds())
}

// methodLabel bounds the methods, which clients make up.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return Other
}

// Query observes one query to the server's own database.
func (m *Metrics) Query(operation string, d time.Duration) {
	m.queries.WithLabelValues(operation).Observe(d.Seconds())
}

// Migrated counts records that were migrated, and those that failed.
func (m *Metrics) Migrated(kind, from, to string, ok, failed int) {
	if ok > 0 {
		m.migrations.WithLabelValues(kind, from, to, "ok").Add(float64(ok))
	}
	if failed > 0 {
		m.migrations.WithLabelValues(kind, from, to, "failed").Add(float64(failed))
	}
}

// LiveSessions implements live.Metrics.
func (m *Metrics) LiveSessions(n int) { m.sessions.Set(float64(n)) }

// LiveEvent implements live.Metrics.
func (m *Metrics) LiveEvent(kind string, n int) { m.events.WithLabelValues(kind).Add(float64(n)) }

// LiveDropped implements live.Metrics.
func (m *Metrics) LiveDropped(reason string) { m.dropped.WithLabelValues(reason).Inc() }

// Upstream implements bridge.Observer.
func (m *Metrics) Upstream(_ context.Context, e bridge.UpstreamEvent) {
	status := "ok"
	if e.Err != nil {
		status = string(adapter.CodeOf(e.Err))
	}
	// The model is counted only if the system knew it.
	model := e.Model
	if e.Err != nil {
		model = m.models.known(model)
	} else {
		model = m.models.label(model)
	}
	m.operations.WithLabelValues(e.Kind, model, e.Operation, status).Inc()
	m.seen(e.Tenant, e.System)
}

// Lookup implements bridge.Observer.
func (m *Metrics) Lookup(_ context.Context, e bridge.LookupEvent) {
	key := lookupKey{e.Operation, e.Hit}
	v, ok := m.lookups.Load(key)
	if !ok {
		vec := m.misses
		if e.Hit {
			vec = m.hits
		}
		v, _ = m.lookups.LoadOrStore(key, vec.WithLabelValues(e.Operation))
	}
	v.(prometheus.Counter).Inc()
}

// Changed implements bridge.Observer.
func (m *Metrics) Changed(context.Context, bridge.ChangeEvent) {}

// Breaker implements bridge.Observer.
func (m *Metrics) Breaker(e bridge.BreakerEvent) {
	m.breakers.WithLabelValues(m.systems.label(e.Tenant + "/" + e.System)).Set(breakerValue(e.To))
}

// CacheCounted shows how many answers are kept of a system.
func (m *Metrics) CacheCounted(tenant, system string, keys int) {
	m.kept.WithLabelValues(m.systems.label(tenant + "/" + system)).Set(float64(keys))
	m.counted.SetToCurrentTime()
}

// seen shows the breaker of a system that was called as closed, before it ever
// opened.
func (m *Metrics) seen(tenant, system string) {
	key := systemKey{tenant, system}
	if _, known := m.called.Load(key); known {
		return
	}
	m.called.Store(key, true)
	if name := m.systems.label(tenant + "/" + system); name != Other {
		m.breakers.WithLabelValues(name).Add(0)
	}
}

func breakerValue(s breaker.State) float64 {
	switch s {
	case breaker.HalfOpen:
		return 1
	case breaker.Open:
		return 2
	}
	return 0
}

// bounded tells the first values of a label apart, and gives all others the
// same.
type bounded struct {
	most  int
	mu    sync.RWMutex
	names map[string]bool
}

// label is the value to use for a name, which is remembered.
func (b *bounded) label(name string) string {
	if b.known(name) == name {
		return name
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.names == nil {
		b.names = map[string]bool{}
	}
	if len(b.names) >= b.most && !b.names[name] {
		return Other
	}
	b.names[name] = true
	return name
}

// known is the value to use for a name that may be nonsense.
func (b *bounded) known(name string) string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if name == "" || b.names[name] {
		return name
	}
	return Other
}

// connected collects active_connections when it is asked for.
type connected struct{ count func() map[string]int }

var connections = prometheus.NewDesc("active_connections", "Systems that are connected.", []string{"system_type"}, nil)

// Describe implements prometheus.Collector.
func (c *connected) Describe(ch chan<- *prometheus.Desc) { ch <- connections }

// Collect implements prometheus.Collector.
func (c *connected) Collect(ch chan<- prometheus.Metric) {
	if c.count == nil {
		return
	}
	for kind, n := range c.count() {
		ch <- prometheus.MustNewConstMetric(connections, prometheus.GaugeValue, float64(n), kind)
	}
}
