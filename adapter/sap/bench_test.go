package sap

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
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
	b.ReportMetric(float64((a-z).Microseconds())/float64(b.N), "us-more/op")
}

// things are n records as v2 writes them.
func things(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"d":{"results":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"__metadata":{"id":"x","uri":"x","type":"T.Thing"},"ID":"%08d","Title":"Thing %d","Amount":"%d.500","Currency":"EUR","Big":"%d","Double":"1.5E+00","Day":"/Date(1741910400000)/","At":"/Date(1741964966000)/","Stamp":"/Date(1741964966000+0060)/","Clock":"PT15H09M26S","Token":"3f2504e0-4f89-11d3-9a0c-0305e82c3301","Yes":true,"Fixed":"","Born":null}`, i, i, i, i)
	}
	return []byte(b.String() + `]}}`)
}

// What the adapter does with 100 records beyond decoding their JSON.
func BenchmarkRecords(b *testing.B) {
	m := modelOf(b, scripted(b, thingsV2, nil), "S.Things")
	body := things(100)
	sel, err := m.selectFields(nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	ratio(b, "x-of-decoding", func() {
		feed, err := m.feed(body)
		if err != nil {
			b.Fatal(err)
		}
		for _, raw := range feed.rows {
			if _, err := sel.record(ctx, raw, false); err != nil {
				b.Fatal(err)
			}
		}
	}, func() {
		var v any
		if err := adapter.DecodeJSON(body, &v); err != nil {
			b.Fatal(err)
		}
	})
}

// Rendering a filter, against writing it as a domain in JSON.
func BenchmarkFilter(b *testing.B) {
	m := modelOf(b, scripted(b, thingsV2, nil), "S.Things")
	m.service.lower.Store(lowerKnown)
	ids := make([]any, 200)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	for name, f := range map[string]adapter.Filter{
		"few":  adapter.And{cond("Title", "ilike", "azure"), cond("Amount", ">", 100), adapter.Not{Part: cond("Day", "<", "2025-01-01")}},
		"many": adapter.And{cond("id", "in", ids), cond("Yes", "=", true)},
	} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			ratio(b, "x-of-json", func() {
				if _, err := m.planFilter(ctx, f); err != nil {
					b.Fatal(err)
				}
			}, func() {
				if _, err := json.Marshal(adapter.FormatDomain(f)); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// Streaming 10,000 records over HTTP, against fetching and decoding the same
// bytes.
func BenchmarkStream(b *testing.B) {
	const n = 10_000
	client := thousands(b, n, 1<<30)
	ctx := b.Context()
	get := func(from int) []byte {
		m := modelOf(b, client, "S.Things")
		resp, err := m.get(ctx, "/Things", "$top=501&$filter="+escapeQuery(fmt.Sprintf("ID gt '%08d'", from)))
		if err != nil {
			b.Fatal(err)
		}
		return resp.Body
	}
	ratio(b, "x-of-fetching", func() {
		for _, err := range client.Stream(ctx, adapter.Query{Model: "S.Things"}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}, func() {
		for from := -1; from < n-1; from += DefaultPageSize {
			var v any
			if err := adapter.DecodeJSON(get(max(from, 0)), &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Reading metadata, against reading the same XML token by token.
func BenchmarkMetadata(b *testing.B) {
	doc := thingsV2
	ratio(b, "x-of-tokens", func() {
		if _, err := edmx.Parse(strings.NewReader(doc)); err != nil {
			b.Fatal(err)
		}
	}, func() { tokens(b, doc) })
}

func tokens(b *testing.B, doc string) {
	b.Helper()
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		if _, err := dec.RawToken(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}
