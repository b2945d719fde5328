package saptest

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// What a page of a hundred records costs inside the server, without the
// network, and against a handler that only writes the same bytes.
func BenchmarkPage(b *testing.B) {
	s, err := Start(Config{NoDemo: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	if err := s.Seed("ZSAMPLE_SRV.Samples", 10000, func(i int) map[string]any {
		return map[string]any{"SampleID": strconv.Itoa(i + 1), "Name": fmt.Sprint("row ", i), "Amount": float64(i) / 4, "Flag": true}
	}); err != nil {
		b.Fatal(err)
	}
	ask := func() *response {
		c := s.inside(s.entity("ZSAMPLE_SRV.Samples").service)
		c.method, c.path = http.MethodGet, "Samples"
		c.query, _ = parseQuery("$top=100&$filter=substringof('7',Name)%20and%20Amount%20gt%2010")
		return c.serve()
	}
	answer := ask()
	if answer.status != 200 {
		b.Fatalf("%s", answer.body)
	}
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
	per := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	sink := 0
	began := time.Now()
	for range b.N {
		sink += len(append([]byte(nil), answer.body...))
	}
	if sink == 0 {
		b.Fatal("nothing was copied")
	}
	b.ReportMetric(per/(float64(time.Since(began).Nanoseconds())/float64(b.N)), "x_copy_of_the_answer")
	b.ReportMetric(per/1e6, "ms/op")
}

// How long a server takes to start, with its demo data.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start(Config{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
