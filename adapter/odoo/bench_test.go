package odoo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// rows are n partners as the server writes them.
func rows(n int) json.RawMessage {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"Partner %d","phone":false,"email":"p%d@example.com","country_id":[233,"United States"],"create_date":"2025-03-01 10:00:00","color":%d,"active":true,"partner_latitude":1.5,"category_id":[1,2]}`, i+1, i, i, i%12)
	}
	b.WriteByte(']')
	return json.RawMessage(b.String())
}

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
	b.ReportMetric(float64((a-z).Microseconds())/float64(b.N), "us-more/op")
}

// What Query does beyond decoding the server's 80 records.
func BenchmarkQuery(b *testing.B) {
	raw := rows(80)
	for _, asPlain := range []bool{false, true} {
		b.Run(fmt.Sprintf("plain=%v", asPlain), func(b *testing.B) {
			client, conn := connect(17)
			conn.answer = func(rpc.Call) (any, error) { conn.calls = conn.calls[:0]; return raw, nil }
			q := adapter.Query{
				Model: "res.partner", Fields: []string{"name", "phone", "email", "country_id", "create_date", "color", "active", "partner_latitude", "category_id"},
				Filter: adapter.And{adapter.Cond{Field: "country_id.code", Op: adapter.Equal, Value: "US"}, adapter.Cond{Field: "create_date", Op: adapter.Greater, Value: "2025-01-01T00:00:00Z"}},
				Order:  []adapter.Order{{Field: "name"}}, Limit: 80, Plain: asPlain,
			}
			ctx := b.Context()
			ratio(b, "x-of-decoding", func() {
				if _, err := client.Query(ctx, q); err != nil {
					b.Fatal(err)
				}
			}, func() {
				var records []adapter.Record
				if err := adapter.DecodeJSON(raw, &records); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// What Call does beyond the connection's own work.
func BenchmarkCall(b *testing.B) {
	raw := rows(80)
	client, conn := connect(17)
	conn.answer = func(rpc.Call) (any, error) { conn.calls = conn.calls[:0]; return raw, nil }
	call := adapter.Call{Model: "res.partner", Method: "search_read", Kwargs: map[string]any{
		"domain": []any{[]any{"country_id.code", "=", "US"}, []any{"create_date", ">", "2025-01-01T00:00:00Z"}},
		"fields": []any{"name", "phone", "email", "country_id", "create_date"}, "order": "name", "limit": 80,
	}}
	ctx := b.Context()
	ratio(b, "x-of-decoding", func() {
		if _, err := client.Call(ctx, call); err != nil {
			b.Fatal(err)
		}
	}, func() {
		var records []adapter.Record
		if err := adapter.DecodeJSON(raw, &records); err != nil {
			b.Fatal(err)
		}
	})
}

// What the conversion of values adds to writing them as JSON.
func BenchmarkValues(b *testing.B) {
	client, _ := connect(17)
	order := adapter.Record{"partner_id": []any{json.Number("5"), "x"}, "date_order": "2025-03-01T10:00:00+03:00", "note": nil}
	var lines []any
	for i := range 20 {
		lines = append(lines, []any{0, 0, map[string]any{"product_id": map[string]any{"id": i + 1}, "product_uom_qty": 2, "price_unit": json.Number("10.50"), "tax_ids": []any{1}}})
	}
	order["order_line"] = lines
	ctx := b.Context()
	ratio(b, "x-of-json", func() {
		if _, err := client.values(ctx, "sale.order", order); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := json.Marshal(order); err != nil {
			b.Fatal(err)
		}
	})
}
