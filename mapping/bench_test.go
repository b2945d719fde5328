//go:build unix

package mapping_test

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

const benchFile = `universal: contact
fields: {name: char, email: char, phone: char, mobile: char, website: char, street: char, street2: char, city: char, zip: char, country: char, is_company: boolean, vat: char, ref: char, note: text, active: boolean, kind: {type: selection, values: [a, b]}, credit: monetary, weight: float, parent_id: {type: ref, relation: contact}, created_at: datetime}
---
mapping: contact
system: s
model: p
where: [[rank, ">", 0]]
fields: {name: name, email: email, phone: {path: phone, fallback: [mobile]}, mobile: mobile, website: website, street: street, street2: street2, city: city, zip: zip, country: country_id.code, is_company: is_company, vat: vat, ref: ref, note: comment, active: {path: del, invert: true}, kind: {path: type, values: {a: x, b: y}}, credit: credit, weight: {path: weight, scale: 1000}, parent_id: parent_id, created_at: create_date}
`

const benchRecord = `{"id":1,"name":"Azure Interior","email":"azure@example.com","phone":"+1 555","mobile":"+1 556","website":"http://example.com","street":"4557 De Silva St","street2":false,"city":"Fremont","zip":"94538","country_id":{"id":5,"code":"US"},"is_company":true,"vat":"US12345673","ref":"R17","comment":"hello","del":false,"type":"x","credit":10.50,"weight":1.5,"parent_id":[7,"Home"],"create_date":"2024-01-31 12:00:00"}`

func benchPlan(b *testing.B) (*mapping.Plan, adapter.Record) {
	b.Helper()
	s, err := mapping.Parse("bench.yaml", []byte(benchFile))
	require.NoError(b, err)
	return compile(b, s, "s", "", "contact", mapping.Options{}), record(b, benchRecord)
}

// processor is the time that the process has spent on processors: others may
// be busy too.
func processor(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ratio runs f, measured, and then other as often, and reports how many times
// as long that takes.
func ratio(b *testing.B, name string, f, other func()) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	start := processor(b)
	for range b.N {
		f()
	}
	took := max(processor(b)-start, 1)
	b.StopTimer()
	start = processor(b)
	for range b.N {
		other()
	}
	b.ReportMetric(float64(processor(b)-start)/float64(took), name+"/map")
}

// BenchmarkRecord maps a record of 20 fields, beside encoding/json of the same
// record.
func BenchmarkRecord(b *testing.B) {
	p, own := benchPlan(b)
	universal, _, err := p.ToUniversal(b.Context(), own, nil)
	require.NoError(b, err)
	require.Len(b, universal, 21)
	delete(universal, "country") // it is read through a relation
	text, err := json.Marshal(own)
	require.NoError(b, err)
	marshal := func() { _, _ = json.Marshal(own) }
	unmarshal := func() {
		var r map[string]any
		_ = json.Unmarshal(text, &r)
	}
	b.Run("to universal", func(b *testing.B) {
		ratio(b, "unmarshal", func() { _, _, _ = p.ToUniversal(b.Context(), own, nil) }, unmarshal)
	})
	names := p.Names()
	b.Run("to universal, named", func(b *testing.B) {
		ratio(b, "unmarshal", func() { _, _, _ = p.ToUniversal(b.Context(), own, names) }, unmarshal)
	})
	b.Run("to the system", func(b *testing.B) {
		ratio(b, "marshal", func() { _, _ = p.Create(b.Context(), universal) }, marshal)
	})
}

// BenchmarkFilter turns a filter of five conditions, beside writing it.
func BenchmarkFilter(b *testing.B) {
	p, _ := benchPlan(b)
	f := domain(b, `["|",["name","ilike","azure"],["kind","in",["a","b"]],["weight",">",500],["active","=",true],["created_at",">=","2024-01-01T00:00:00Z"]]`)
	_, err := p.Filter(b.Context(), f)
	require.NoError(b, err)
	var buffer []byte
	ratio(b, "write", func() { _, _ = p.Filter(b.Context(), f) }, func() { buffer = adapter.AppendDomainJSON(buffer[:0], f) })
}

// BenchmarkCompile makes a plan, beside loading its file.
func BenchmarkCompile(b *testing.B) {
	s, err := mapping.Parse("bench.yaml", []byte(benchFile))
	require.NoError(b, err)
	ratio(b, "load", func() { _, _ = s.Compile("s", "", "contact", mapping.Options{}) }, func() { _, _ = mapping.Parse("bench.yaml", []byte(benchFile)) })
}
