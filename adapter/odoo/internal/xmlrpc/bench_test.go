package xmlrpc

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	kolo "github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"
)

// measure returns the best of a few runs of f.
func measure(b *testing.B, f func() error) time.Duration {
	b.Helper()
	best := time.Hour
	for range 10 {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	return best
}

// BenchmarkTranscode decodes 1,000 records of 20 fields to JSON and prints
// how that compares with kolo/xmlrpc, and with encoding/json decoding the
// same records from JSON.
func BenchmarkTranscode(b *testing.B) {
	const n = 1000
	doc := records(n)
	asJSON, _, err := Transcode(nil, bytes.NewReader(doc), Limits{})
	require.NoError(b, err)
	// The room that the transport would set aside, from the answer's length.
	hint := func() []byte { return make([]byte, 0, len(doc)/4) }
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Transcode(hint(), bytes.NewReader(doc), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
	ours := measure(b, func() error { _, _, err := Transcode(hint(), bytes.NewReader(doc), Limits{}); return err })
	theirs := measure(b, func() error { var v any; return kolo.Response(doc).Unmarshal(&v) })
	values := measure(b, func() error {
		out, _, err := Transcode(hint(), bytes.NewReader(doc), Limits{})
		if err != nil {
			return err
		}
		var v any
		return json.Unmarshal(out, &v)
	})
	jsonOnly := measure(b, func() error { var v any; return json.Unmarshal(asJSON, &v) })
	b.ReportMetric(float64(ours.Microseconds())/n, "us/record")
	b.ReportMetric(float64(theirs)/float64(ours), "x-faster-than-kolo")
	b.ReportMetric(float64(jsonOnly)/float64(ours), "x-faster-than-json")
	b.ReportMetric(float64(theirs)/float64(values), "x-faster-than-kolo-with-values")
}
