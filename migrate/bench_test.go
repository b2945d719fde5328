//go:build unix

package migrate_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// sixHops is a pack of six hops that renames and removes fields; with values
// it maps and converts others too.
func sixHops(tb testing.TB, values bool) *migrate.Pack {
	tb.Helper()
	files := map[string][]byte{}
	for h := range 6 {
		var b strings.Builder
		fmt.Fprintf(&b, "pack: p\nfrom: v%d\nto: v%d\nmodels:\n  m:\n    rules:\n", h, h+1)
		fmt.Fprintf(&b, "      - rename: {a%d: a%d, b%d: b%d, c%d: c%d}\n      - remove: gone%d\n", h, h+1, h, h+1, h, h+1, h)
		if values {
			fmt.Fprintf(&b, "      - map: {field: state%d, to: state%d, values: {draft: draft, sent: sale, sale: sale}}\n", h, h+1)
			fmt.Fprintf(&b, "      - convert: {field: rate%d, as: scale, by: 100}\n", h)
		}
		files[fmt.Sprintf("h%d.yaml", h)] = []byte(b.String())
	}
	p, err := migrate.LoadFiles(files)
	require.NoError(tb, err)
	return p
}

// benchLine is a record of a dozen fields.
func benchLine(i int) string {
	return fmt.Sprintf(`{"id":%d,"name":"Azure Interior %d","a0":"+1 555 %d","b0":[7,"Brandon Freeman"],"c0":true,"gone3":"x","state0":"draft","rate2":0.15,"street":"4557 De Silva St","city":"Fremont","zip":"94538","active":true,"write_date":"2024-01-31 12:00:00"}`, i, i, i)
}

func benchRecord(tb testing.TB) adapter.Record { tb.Helper(); return record(tb, benchLine(1)) }

// naive is what one writes first: a copy of the map for every hop.
func naive(r adapter.Record, renames []map[string]string, removes []string) adapter.Record {
	for h, names := range renames {
		next := maps.Clone(r)
		for old, now := range names {
			if v, ok := r[old]; ok {
				delete(next, old)
				next[now] = v
			}
		}
		delete(next, removes[h])
		r = next
	}
	return r
}

// processor is the time that the process has spent on processors.
func processor(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFused runs the same records fused, hop by hop, and naively, and
// prints how many times faster fused is.
func BenchmarkFused(b *testing.B) {
	for _, tc := range []struct {
		name   string
		values bool
	}{{"keys", false}, {"values", true}} {
		b.Run(tc.name, func(b *testing.B) {
			plan := compile(b, sixHops(b, tc.values), "m", "v0", "v6", migrate.Options{NoResidue: true})
			steps, err := plan.Stepwise()
			require.NoError(b, err)
			r := benchRecord(b)
			renames, removes := make([]map[string]string, 6), make([]string, 6)
			for h := range 6 {
				renames[h] = map[string]string{fmt.Sprintf("a%d", h): fmt.Sprintf("a%d", h+1), fmt.Sprintf("b%d", h): fmt.Sprintf("b%d", h+1), fmt.Sprintf("c%d", h): fmt.Sprintf("c%d", h+1)}
				removes[h] = fmt.Sprintf("gone%d", h)
			}
			measure := func(f func()) time.Duration {
				start := processor(b)
				for range b.N {
					f()
				}
				return max(processor(b)-start, 1)
			}
			b.ReportAllocs()
			fused := measure(func() { _, _ = plan.Up(b.Context(), r) })
			b.StopTimer()
			stepwise := measure(func() { _, _ = steps.Up(b.Context(), r) })
			byMaps := measure(func() { naive(r, renames, removes) })
			b.ReportMetric(float64(stepwise)/float64(fused), "stepwise/fused")
			b.ReportMetric(float64(byMaps)/float64(fused), "naive-keys/fused")
		})
	}
}

// BenchmarkStream carries NDJSON over six hops on one core, and prints records
// a second and how many times faster rewriting is than decoding.
func BenchmarkStream(b *testing.B) {
	for _, tc := range []struct {
		name    string
		values  bool
		residue bool
	}{{"keys", false, false}, {"keys with residue", false, true}, {"values", true, false}, {"values with residue", true, true}} {
		b.Run(tc.name, func(b *testing.B) {
			plan := compile(b, sixHops(b, tc.values), "m", "v0", "v6", migrate.Options{})
			const n = 20_000
			var in bytes.Buffer
			for i := range n {
				in.WriteString(benchLine(i))
				in.WriteByte('\n')
			}
			// Time of the processor, not of the clock: others may be busy too.
			run := func(opts migrate.StreamOptions) time.Duration {
				opts.Workers = 1
				if tc.residue {
					opts.Residue = io.Discard
				}
				start := processor(b)
				_, err := migrate.Stream(b.Context(), bytes.NewReader(in.Bytes()), io.Discard, plan, opts)
				require.NoError(b, err)
				return processor(b) - start
			}
			b.SetBytes(int64(in.Len()))
			var fast time.Duration
			for b.Loop() {
				fast += run(migrate.StreamOptions{})
			}
			slow := run(migrate.StreamOptions{}.Decoding())
			b.ReportMetric(float64(n)*float64(b.N)/fast.Seconds(), "records/core-s")
			b.ReportMetric(float64(slow)*float64(b.N)/float64(fast), "decoding/rewriting")
		})
	}
}

// BenchmarkCompile compiles the plan over six hops.
func BenchmarkCompile(b *testing.B) {
	p := sixHops(b, true)
	for b.Loop() {
		_, err := p.Compile("m", "v0", "v6")
		require.NoError(b, err)
	}
}

// lineSource repeats a line without holding the whole in memory.
type lineSource struct {
	line []byte
	left int
	rest []byte
}

func (s *lineSource) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if len(s.rest) == 0 {
			if s.left == 0 {
				if n == 0 {
					return 0, io.EOF
				}
				return n, nil
			}
			s.left--
			s.rest = s.line
		}
		c := copy(b[n:], s.rest)
		s.rest = s.rest[c:]
		n += c
	}
	return n, nil
}

var memoryRecords = flag.Int("records", 1_000_000, "how many records BenchmarkMemory carries")

// BenchmarkMemory carries a million records in one run, or as many as the flag
// -records says, and prints by how many MiB the process's memory grew.
func BenchmarkMemory(b *testing.B) {
	plan := compile(b, sixHops(b, true), "m", "v0", "v6", migrate.Options{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		src := &lineSource{line: []byte(benchLine(7) + "\n"), left: *memoryRecords}
		_, err := migrate.Stream(b.Context(), src, io.Discard, plan, migrate.StreamOptions{Residue: io.Discard})
		require.NoError(b, err)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.Sys-before.Sys)/(1<<20), "MiB-grown")
}
