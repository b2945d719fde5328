package transfer_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/migrate"
	rules "github.com/bridgecore/bridgecore/migrate/odoo"
	"github.com/bridgecore/bridgecore/transfer"
)

// BenchmarkTransfer holds a transfer of 5,000 partners from 13.0 to 19.0 against
// reading, bringing up and creating them, each with its external id, one by
// one. Both servers take some milliseconds for each call, as real ones do.
func BenchmarkTransfer(b *testing.B) {
	const records, latency = 5000, 5 * time.Millisecond
	var together, single time.Duration
	var calls, memory float64
	for b.Loop() {
		b.StopTimer()
		start := func(version string) *odootest.Server {
			s := odootest.NewServer(odootest.Config{Version: version, NoDemo: true})
			b.Cleanup(s.Close)
			return s
		}
		p := &pair{source: start("13.0"), target: start("19.0")}
		p.connect(b)
		for i := range records {
			_, err := p.source.Create("res.partner", map[string]any{"name": fmt.Sprintf("Partner %05d", i), "email": fmt.Sprintf("p%d@example.com", i), "city": "Cairo"})
			require.NoError(b, err)
		}
		for _, s := range []*odootest.Server{p.source, p.target} {
			s.SetFault(odootest.Fault{Latency: latency})
			s.ResetCounters()
		}
		tr := p.transfer("res.partner")
		tr.Page = 0
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		began := time.Now()
		report, err := tr.Run(b.Context())
		together += time.Since(began)
		b.StopTimer()
		require.NoError(b, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		memory += float64(after.HeapAlloc) - float64(before.HeapAlloc)
		created := of(report, "res.partner").Created
		require.GreaterOrEqual(b, created, records)
		calls += float64(p.source.TotalRequests()+p.target.TotalRequests()) / float64(created)

		const some = 200
		began = time.Now()
		oneByOne(b, p, of(report, "res.partner"), some)
		single += time.Since(began) * records / some
		b.StartTimer()
	}
	n := float64(b.N)
	b.ReportMetric(single.Seconds()/together.Seconds(), "times-one-by-one")
	b.ReportMetric(together.Seconds()/n, "s")
	b.ReportMetric(calls/n, "calls/record")
	b.ReportMetric(memory/n/1e6, "MB-kept")
	b.ReportMetric(0, "ns/op")
}

// oneByOne is what a script would do with the same fields.
func oneByOne(b *testing.B, p *pair, account *transfer.ModelReport, some int) {
	b.Helper()
	schema, err := p.old.LiveSchema(b.Context(), "res.partner")
	require.NoError(b, err)
	target, err := p.new.LiveSchema(b.Context(), "res.partner")
	require.NoError(b, err)
	plan, err := rules.Community().CompileWith("res.partner", "13.0", "19.0", migrate.Options{Form: migrate.FormRead, Source: schema, Target: target})
	require.NoError(b, err)
	var fields []string
	for _, f := range account.Fields {
		if f.Fate == transfer.CarriedField || f.Fate == transfer.RenamedField || f.Fate == transfer.ByRule && f.Field != "" {
			fields = append(fields, f.Field)
		}
	}
	found, err := p.old.LiveQuery(b.Context(), adapter.Query{Model: "res.partner", Fields: []string{"id"}, Filter: adapter.Cond{Field: "name", Op: adapter.Like, Value: "Partner"}, Limit: some})
	require.NoError(b, err)
	for _, rec := range found {
		read, err := p.old.LiveRead(b.Context(), "res.partner", []adapter.ID{rec.ID()}, fields)
		require.NoError(b, err)
		up, err := plan.Up(b.Context(), read[0])
		require.NoError(b, err)
		values := adapter.Record{}
		for name, v := range up.Record {
			if f := target.Fields[name]; f.Stored && !f.Readonly && !f.Type.Relational() && !adapter.IsEmpty(v) {
				values[name] = v
			}
		}
		made, err := p.new.Create(b.Context(), "res.partner", values)
		require.NoError(b, err)
		_, err = p.new.Create(b.Context(), "ir.model.data", adapter.Record{"module": "bench", "name": "partner_" + rec.ID().String(), "model": "res.partner", "res_id": made.ID().Value()})
		require.NoError(b, err)
	}
}
