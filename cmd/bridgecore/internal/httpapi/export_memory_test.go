package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
)

// endless is a system with as many orders as wanted, made up when they are read.
type endless struct {
	adapter.Adapter

	orders int
	pages  atomic.Int64
	query  func(context.Context) error // nil does nothing
	// highest is the most heap that was in use while pages were read.
	highest atomic.Uint64
}

func (e *endless) Info() adapter.Info { return adapter.Info{Kind: "odoo", Version: "17.0"} }
func (e *endless) Close() error       { return nil }

func (e *endless) Schema(_ context.Context, model string) (*adapter.Schema, error) {
	if model != "sale.order" {
		return nil, adapter.ErrNotFound
	}
	return &adapter.Schema{Model: model, Label: "Sales Order", Fields: map[string]adapter.Field{
		"id": {Type: adapter.Integer, Label: "ID", Stored: true}, "name": {Type: adapter.Char, Label: "Order", Stored: true},
		"partner_id": {Type: adapter.Many2One, Label: "Customer", Relation: "res.partner", Stored: true}, "date_order": {Type: adapter.DateTime, Label: "Date", Stored: true},
		"currency_id": {Type: adapter.Many2One, Label: "Currency", Relation: "res.currency", Stored: true}, "amount_total": {Type: adapter.Monetary, Label: "Total", Stored: true},
	}}, nil
}

func (e *endless) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	if q.Model != "sale.order" {
		return adapter.Page{}, adapter.ErrNotFound
	}
	if e.pages.Add(1)%20 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		e.highest.Store(max(e.highest.Load(), m.HeapInuse))
	}
	if e.query != nil {
		if err := e.query(ctx); err != nil {
			return adapter.Page{}, err
		}
	}
	at, _ := strconv.Atoi(q.Cursor)
	n := min(q.Limit, e.orders-at)
	page := adapter.Page{Records: make([]adapter.Record, n)}
	for i := range page.Records {
		id := at + i + 1
		page.Records[i] = adapter.Record{
			"id": json.Number(strconv.Itoa(id)), "name": fmt.Sprintf("S%07d", id), "partner_id": []any{json.Number("7"), "شركة النور للتجارة"},
			"date_order": "2026-01-15 09:30:00", "currency_id": []any{json.Number("1"), "SAR"}, "amount_total": json.Number("1250.75"),
		}
	}
	if at+n < e.orders {
		page.Next, page.Truncated = strconv.Itoa(at+n), true
	}
	return page, nil
}

func withEndless(s *endless) option {
	return func(_ *httpapi.Config, b *bridge.Config) {
		b.Openers = map[string]bridge.Opener{"odoo": func(context.Context, bridge.SystemConfig) (adapter.Adapter, error) { return s, nil }}
	}
}

func (e *env) registerEndless() {
	e.t.Helper()
	e.send("admin", "POST", "/api/v1/systems", `{"system_id":"main","system_type":"odoo","system_version":"17.0","connection_config":{"url":"http://127.0.0.1:1","database":"d","username":"u","password":"canary"}}`).ok(201)
}

const exportAll = `{"system_id":"main","model":"sale.order","fields":["id","name","partner_id","date_order","amount_total"],"format":"csv"}`

// exported exports all orders of an endless system over HTTP, fetches the file,
// and returns its size and by how much the heap grew at its highest.
func exported(tb testing.TB, format string, orders int) (size int64, growth float64) {
	tb.Helper()
	s := &endless{orders: orders}
	e := newEnv(tb, withEndless(s))
	e.registerEndless()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	made := e.send("clerk", "POST", "/api/v1/files/export", `{"system_id":"main","model":"sale.order","fields":["id","name","partner_id","date_order","amount_total"],"format":"`+format+`"}`).ok(200)
	require.EqualValues(tb, orders, made["rows"])
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	highest := max(s.highest.Load(), after.HeapInuse)

	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, e.url+made["download_url"].(string), nil)
	require.NoError(tb, err)
	req.Header.Set("Authorization", "Bearer "+e.tokens["clerk"])
	res, err := e.client.Do(req)
	require.NoError(tb, err)
	defer func() { _ = res.Body.Close() }()
	size, err = io.Copy(io.Discard, res.Body)
	require.NoError(tb, err)
	require.EqualValues(tb, made["size"], size)
	return size, float64(int64(highest)-int64(before.HeapInuse)) / (1 << 20)
}

// Ten times the rows don't take ten times the memory.
func TestExportsAreWrittenAsTheyAreRead(t *testing.T) {
	size, growth := exported(t, "csv", 100_000)
	assert.Greater(t, size, int64(7<<20))
	assert.Less(t, growth, 64.0, "MiB")
}

// An export has more time than other requests, and not all of it.
func TestExportsHaveTheirOwnTime(t *testing.T) {
	s := &endless{orders: 3}
	var left time.Duration
	s.query = func(ctx context.Context) error {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		return nil
	}
	e := newEnv(t, withEndless(s), func(h *httpapi.Config, b *bridge.Config) {
		h.Timeout, h.ExportTimeout, b.CallTimeout = time.Minute, time.Hour, 2*time.Hour
	})
	e.registerEndless()
	e.send("clerk", "POST", "/api/v1/files/export", exportAll).ok(200)
	assert.Greater(t, left, 50*time.Minute)
	assert.LessOrEqual(t, left, time.Hour)

	s.query = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	e = newEnv(t, withEndless(s), func(h *httpapi.Config, b *bridge.Config) {
		h.Timeout, h.ExportTimeout, b.Retries = 300*time.Millisecond, 400*time.Millisecond, -1
	})
	e.registerEndless()
	assert.Contains(t, e.send("clerk", "POST", "/api/v1/files/export", exportAll).problem(504, "timeout"), "narrow the filter")
}

// When its client leaves, an export ends, and leaves no file.
func TestAnExportEndsWithItsClient(t *testing.T) {
	dir := t.TempDir()
	s := &endless{orders: 1_000_000}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	s.query = func(ctx context.Context) error {
		if s.pages.Load() < 3 {
			return nil
		}
		cancel()
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	e := newEnv(t, withEndless(s), func(h *httpapi.Config, b *bridge.Config) {
		reports, err := shelf.New(shelf.Config{Dir: dir, Key: []byte("0123456789abcdef"), Life: time.Hour})
		require.NoError(t, err)
		h.Reports, b.Retries = reports, -1
	})
	e.registerEndless()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/api/v1/files/export", strings.NewReader(exportAll))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+e.tokens["clerk"])
	_, err = e.client.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	require.Eventually(t, func() bool {
		entries, err := os.ReadDir(dir)
		return err == nil && len(entries) == 0
	}, 10*time.Second, 5*time.Millisecond)
}

// BenchmarkExport writes many rows to a file over HTTP, fetches it, and tells by
// how many MiB the heap grew at its highest.
func BenchmarkExport(b *testing.B) {
	for _, c := range []struct {
		format string
		orders int
	}{{"csv", 1_000_000}, {"jsonl", 1_000_000}, {"excel", 200_000}, {"pdf", 20_000}} {
		b.Run(fmt.Sprint(c.format, "-", c.orders), func(b *testing.B) {
			for b.Loop() {
				size, growth := exported(b, c.format, c.orders)
				b.ReportMetric(growth, "MiB-growth")
				b.ReportMetric(float64(size)/(1<<20), "MiB-file")
			}
			b.ReportMetric(float64(c.orders)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
