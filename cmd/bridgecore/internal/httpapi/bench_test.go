package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

const benchmarkRequest = `{"model":"product.product","domain":[["sale_ok","=",true]],"fields":["id","name","list_price"],"limit":10}`

// quiet is a server as it runs in production: the request log goes where the
// operator sends it.
func quiet(c *httpapi.Config, b *bridge.Config) {
	c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	b.Logger = c.Log
}

// shot sends requests over one kept connection each, without compression, as
// a load generator would.
type shot struct {
	client *http.Client
	url    string
	token  string
	body   string
}

func newShot(url, token, body string) *shot {
	return &shot{&http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}, url, token, body}
}

func (s *shot) fire(b *testing.B) []byte {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.url, strings.NewReader(s.body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", s.token)
	res, err := s.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(err, res.StatusCode, string(got))
	}
	return got
}

// BenchmarkCachedRead reads a kept answer through the whole server over HTTP,
// and lets a bare echo handler send the same bytes in the same run. ratio is
// the throughput as a part of the bare handler's; the aim is 0.7.
func BenchmarkCachedRead(b *testing.B) {
	e := newEnv(b, quiet)
	e.register("admin", "main", startOdoo(b, "17.0"))
	ours := newShot(e.url+odoo+"search_read", "Bearer "+e.tokens["clerk"], benchmarkRequest)
	ours.fire(b)
	answer := ours.fire(b)
	require.Contains(b, string(answer), `"cached":true`)

	bare := echo.New()
	bare.POST(odoo+"search_read", func(c *echo.Context) error {
		// It reads the request too: so must every handler of a POST.
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		return c.Blob(http.StatusOK, "application/json", answer)
	})
	srv := httptest.NewServer(bare)
	b.Cleanup(srv.Close)
	theirs := newShot(srv.URL+odoo+"search_read", ours.token, ours.body)
	require.True(b, bytes.Equal(answer, theirs.fire(b)))

	b.ReportAllocs()
	var took [2]time.Duration
	// They take turns, so that whatever else the machine does hits both.
	const turn = 200
	n := 0
	for b.Loop() {
		n++
		for i, s := range []*shot{ours, theirs} {
			start := time.Now()
			parallel(turn, func() { s.fire(b) })
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
	b.ReportMetric(float64(n*turn)/took[0].Seconds(), "req/s")
	b.ReportMetric(float64(n*turn)/took[1].Seconds(), "bare-req/s")
	b.ReportMetric(0, "ns/op")
}

// parallel makes n calls on a few goroutines.
func parallel(n int, f func()) {
	const workers = 8
	done := make(chan struct{})
	for range workers {
		go func() {
			for range n / workers {
				f()
			}
			done <- struct{}{}
		}()
	}
	for range workers {
		<-done
	}
}

// BenchmarkUncachedRead reads from a simulated Odoo through the server, and
// from the same one directly. added-us is what the server adds to the median;
// the aim is less than 300.
func BenchmarkUncachedRead(b *testing.B) {
	sim := startOdoo(b, "17.0")
	e := newEnv(b, quiet, func(_ *httpapi.Config, c *bridge.Config) { c.Cache = nil })
	e.register("admin", "main", sim)
	ours := newShot(e.url+odoo+"search_read", "Bearer "+e.tokens["clerk"], benchmarkRequest)
	require.Contains(b, string(ours.fire(b)), `"cached":false`)
	direct := newShot(sim.URL+"/jsonrpc", "", `{"jsonrpc":"2.0","method":"call","id":1,"params":{"service":"object","method":"execute_kw","args":["`+sim.Database+`",2,"`+sim.Password+
		`","product.product","search_read",[],{"domain":[["sale_ok","=",true]],"fields":["id","name","list_price"],"limit":10}]}}`)
	require.Contains(b, string(direct.fire(b)), `"list_price"`)

	var took [2][]time.Duration
	for b.Loop() {
		for i, s := range []*shot{ours, direct} {
			start := time.Now()
			s.fire(b)
			took[i] = append(took[i], time.Since(start))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2]) / float64(time.Microsecond)
	}
	through, straight := median(took[0]), median(took[1])
	b.ReportMetric(through-straight, "added-us")
	b.ReportMetric(through, "median-us")
	b.ReportMetric(straight, "direct-us")
	b.ReportMetric(0, "ns/op")
}

func startOdoo(b *testing.B, version string) *odootest.Server {
	b.Helper()
	sim, err := odootest.Start(odootest.Config{Version: version})
	require.NoError(b, err)
	b.Cleanup(sim.Close)
	return sim
}

// BenchmarkCachedReadHandler is the server's own part of BenchmarkCachedRead:
// everything but the connection.
func BenchmarkCachedReadHandler(b *testing.B) {
	e := newEnv(b, quiet)
	e.register("admin", "main", startOdoo(b, "17.0"))
	newShot(e.url+odoo+"search_read", "Bearer "+e.tokens["clerk"], benchmarkRequest).fire(b)
	body := strings.NewReader(benchmarkRequest)
	req := httptest.NewRequest(http.MethodPost, odoo+"search_read", body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+e.tokens["clerk"])
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(benchmarkRequest)
		w := discard{http.Header{}}
		e.api.ServeHTTP(w, req)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkWatched compares a cached read with limits, audit (of changes alone),
// metrics and traces, all of them sampled and sent, with one without. costs-% is
// what they add together, the aim is less than 25; traces-% is the traces' part
// of it, and unsampled-% what they add where none is kept. It is measured in
// medians of the processor's time, of the client too, which differ little where
// other programs run beside.
func BenchmarkWatched(b *testing.B) {
	sim := startOdoo(b, "17.0")
	shotOf := func(options ...option) *shot {
		e := newEnv(b, append([]option{quiet}, options...)...)
		e.register("admin", "main", sim)
		s := newShot(e.url+odoo+"search_read", "Bearer "+e.tokens["clerk"], benchmarkRequest)
		s.fire(b)
		require.Contains(b, string(s.fire(b)), `"cached":true`)
		return s
	}
	watched := func(c *httpapi.Config, bc *bridge.Config) {
		_, audited := withAudit(b, false)
		withMetrics(true)(c, bc)
		audited(c, bc)
		c.Limits = httpapi.Limits{Limiter: limit.NewLocal(nil), Rates: limit.Rates{limit.Default: 100_000_000}}
		bc.Observer = bridge.Observers{c.Metrics, bc.Observer}
	}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(collector.Close)
	traced := func(sampler string) option {
		return func(c *httpapi.Config, bc *bridge.Config) {
			t, err := telemetry.NewTraces(b.Context(), telemetry.TracesConfig{Endpoint: collector.URL + "/v1/traces", Sampler: sampler, Service: "bridgecore", Log: c.Log})
			require.NoError(b, err)
			b.Cleanup(func() { _ = t.Close(context.Background()) })
			c.Traces, bc.Observer = t, bridge.Observers{bc.Observer, t}
			c.Log = slog.New(telemetry.Log(c.Log.Handler()))
		}
	}
	shots := []*shot{shotOf(), shotOf(watched), shotOf(watched, traced("always_on")), shotOf(watched, traced("always_off"))}
	took := make([][]time.Duration, len(shots))
	const turn = 40
	for b.Loop() {
		for i, s := range shots {
			start := processor(b)
			parallel(turn, func() { s.fire(b) })
			took[i] = append(took[i], processor(b)-start)
		}
	}
	median := func(i int) float64 {
		slices.Sort(took[i])
		return took[i][len(took[i])/2].Seconds()
	}
	over := func(i, j int) float64 { return 100 * (median(i) - median(j)) / median(0) }
	b.ReportMetric(over(2, 0), "costs-%")
	b.ReportMetric(over(2, 1), "traces-%")
	b.ReportMetric(over(3, 1), "unsampled-%")
	b.ReportMetric(0, "ns/op")
}

// processor is the time that this process has had of processors.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
