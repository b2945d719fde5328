package recordsync_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/recordsync"
)

// BenchmarkSyncFirst holds the first synchronisation of a thousand contacts
// against reading and creating them one by one, from Odoo 17.0 to 19.0. Both
// servers take some milliseconds for each call, as real ones do.
func BenchmarkSyncFirst(b *testing.B) {
	const records, latency = 1000, 5 * time.Millisecond
	source := odootest.NewServer(odootest.Config{Version: "17.0", NoDemo: true})
	b.Cleanup(source.Close)
	fields := []string{"name", "email", "street", "parent_id"}
	mine := adapter.Cond{Field: "name", Op: adapter.Like, Value: "benched"}
	made := false
	// pair has a target with nothing in it.
	pair := func() recordsync.Pair {
		source.SetFault()
		target := odootest.NewServer(odootest.Config{Version: "19.0", NoDemo: true})
		b.Cleanup(target.Close)
		p := between(b, [2]string{"odoo", "odoo"}, [2]bridge.Opener{simulated(source), simulated(target)})
		p.Model, p.Words, p.Version, p.Fields, p.Filter = "res.partner", recordsync.Pinned, "17.0", fields, mine
		if !made {
			made = true
			fill(b, p, records)
		}
		for _, s := range []*odootest.Server{source, target} {
			s.SetFault(odootest.Fault{Latency: latency})
		}
		return p
	}
	var together, single time.Duration
	for b.Loop() {
		b.StopTimer()
		p := pair()
		b.StartTimer()
		began := time.Now()
		sums, err := p.Run(b.Context(), nil)
		together += time.Since(began)
		b.StopTimer()
		require.NoError(b, err)
		require.Equal(b, records, sums.Created)

		p = pair()
		began = time.Now()
		oneByOne(b, p)
		single += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(single)/float64(together), "x-faster")
	b.ReportMetric(single.Seconds()/float64(b.N), "s/one-by-one")
}

// fill makes the records: a quarter are companies that the others belong to.
func fill(b *testing.B, p recordsync.Pair, n int) {
	b.Helper()
	sys, err := p.Source.As(p.Version)
	require.NoError(b, err)
	var companies []adapter.ID
	for _, of := range [][2]int{{0, n / 4}, {n / 4, n}} {
		var values []adapter.Record
		for i := of[0]; i < of[1]; i++ {
			v := adapter.Record{"name": fmt.Sprint("benched ", i), "email": fmt.Sprint("r", i, "@example.com"), "street": fmt.Sprint(i, " King Fahd Road")}
			if len(companies) > 0 {
				v["parent_id"] = companies[i%len(companies)].Value()
			}
			values = append(values, v)
		}
		for part := range slices.Chunk(values, 100) {
			ids, err := sys.CreateMany(b.Context(), p.Model, part)
			require.NoError(b, err)
			if of[0] == 0 {
				companies = append(companies, ids...)
			}
		}
	}
}

// oneByOne is what a program does that knows nothing better: it lists the ids,
// reads each record and creates it.
func oneByOne(b *testing.B, p recordsync.Pair) {
	b.Helper()
	source, err := p.Source.As(p.Version)
	require.NoError(b, err)
	target, err := p.Target.As(p.Version)
	require.NoError(b, err)
	var ids []adapter.ID
	for r, err := range source.Each(b.Context(), adapter.Query{Model: p.Model, Filter: p.Filter, Fields: []string{"id"}, Order: []adapter.Order{{Field: "id"}}}) {
		require.NoError(b, err)
		ids = append(ids, r.ID())
	}
	over := map[adapter.ID]adapter.ID{}
	for _, id := range ids {
		var r adapter.Record
		one := adapter.Query{Model: p.Model, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: id.Value()}, Fields: p.Fields, Limit: 1}
		for got, err := range source.Each(b.Context(), one) {
			require.NoError(b, err)
			r = got
		}
		values := adapter.Record{}
		for _, name := range p.Fields {
			values[name] = r[name]
		}
		if parent, ok := r.Ref("parent_id"); ok {
			values["parent_id"] = over[parent.ID].Value()
		}
		created, err := target.Create(b.Context(), p.Model, values)
		require.NoError(b, err)
		over[id] = created.ID()
	}
}
