package salesforce_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
)

// ratio reports how many times longer one thing takes than another, measured
// in turns so that both see the same machine.
func ratio(b *testing.B, name string, one, other func()) {
	b.Helper()
	var a, z time.Duration
	for b.Loop() {
		start := time.Now()
		one()
		middle := time.Now()
		other()
		a += middle.Sub(start)
		z += time.Since(middle)
	}
	b.ReportMetric(float64(a)/float64(z), name)
	b.ReportMetric(float64(a)/float64(b.N), "ns/this")
}

// BenchmarkFilter renders a filter, held against encoding/json of the same
// domain.
func BenchmarkFilter(b *testing.B) {
	ids := make([]any, 500)
	for i := range ids {
		ids[i] = fmt.Sprintf("a0000000000%04dAAA", i)
	}
	cond := func(field string, op adapter.Op, v any) adapter.Filter {
		return adapter.Cond{Field: field, Op: op, Value: v}
	}
	few := adapter.And{
		cond("Name", adapter.ILike, "o'brien"), adapter.Or{cond("Count__c", ">=", 3), cond("Flag__c", "=", true)},
		cond("Day__c", "<", "2025-01-31"), adapter.Not{Part: cond("Kind__c", "in", []any{"small", "large"})},
		cond("Parent__r.Code__c", "!=", false), cond("Moment__c", ">", "2025-01-01 10:00:00"),
	}
	_, client := seeded(b, 0, nil)
	for name, filter := range map[string]adapter.Filter{"ten conditions": few, "500 ids": adapter.And{few, cond("Id", "in", ids)}} {
		domain := adapter.FormatDomain(filter)
		b.Run(name, func(b *testing.B) {
			ratio(b, "times-json", func() {
				if _, err := salesforce.Where(b.Context(), client, "Sample__c", filter); err != nil {
					b.Fatal(err)
				}
			}, func() {
				if _, err := json.Marshal(domain); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkQuery reads a page of 2000 records, held against encoding/json
// reading the same answer.
func BenchmarkQuery(b *testing.B) {
	records := make([]map[string]any, 2000)
	for i := range records {
		records[i] = map[string]any{
			"attributes": map[string]any{"type": "Thing__c", "url": fmt.Sprintf("/services/data/v62.0/sobjects/Thing__c/a01000000000%04dAA", i)},
			"Id":         fmt.Sprintf("a01000000000%04dAA", i), "Name": fmt.Sprint("Thing ", i), "Key__c": nil, "Calc__c": float64(i) / 4, "SystemModstamp": "2025-03-14T15:09:26.000+0000",
		}
	}
	body, err := json.Marshal(map[string]any{"totalSize": len(records), "done": true, "records": records})
	require.NoError(b, err)
	f := newFake(b, map[string]http.HandlerFunc{"GET /services/data/v62.0/query": text(string(body))})
	client := dial(b, f.config())
	ratio(b, "times-json", func() {
		page, err := client.Query(b.Context(), adapter.Query{Model: "Thing__c", Fields: []string{"Name", "Key__c", "Calc__c", "SystemModstamp"}, Limit: 2000})
		if err != nil || len(page.Records) != 2000 {
			b.Fatal(len(page.Records), err)
		}
	}, func() {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkStream reads 100,000 records by the Bulk API, held against the REST
// API.
func BenchmarkStream(b *testing.B) {
	srv, bulk := seeded(b, many, nil)
	config := simulated(srv)
	config.BulkThreshold = -1
	rest := dial(b, config)
	read := func(client *salesforce.Client) {
		n := 0
		for _, err := range client.Stream(b.Context(), adapter.Query{Model: "Sample__c", Fields: []string{"Name", "Count__c", "Flag__c"}}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != many {
			b.Fatal(n)
		}
	}
	ratio(b, "times-rest", func() { read(bulk) }, func() { read(rest) })
}
