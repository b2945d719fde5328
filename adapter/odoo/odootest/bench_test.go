package odootest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// discard is a response writer that keeps nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// What a search_read of ten records costs inside the server, without the
// network, and against a handler that only reads and writes the same bytes.
func BenchmarkSearchReadTen(b *testing.B) {
	s, err := Start(Config{Version: "17.0"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	body := rpc(s, "res.partner", "search_read", `[[["is_company", "=", true]], ["name", "email", "phone", "city", "country_id", "category_id", "create_date"], 0, 10]`)
	ask := func(h http.Handler, w http.ResponseWriter) {
		r := httptest.NewRequest(http.MethodPost, "/jsonrpc", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
	}
	answer := httptest.NewRecorder()
	ask(s, answer)
	if !strings.Contains(answer.Body.String(), `"result": [{"id"`) {
		b.Fatal(answer.Body)
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = decodeJSON([]byte(body))
		_, _ = w.Write(answer.Body.Bytes())
	})
	b.ReportAllocs()
	for b.Loop() {
		ask(s, discard{http.Header{}})
	}
	per := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	began := time.Now()
	for range b.N {
		ask(bare, discard{http.Header{}})
	}
	b.ReportMetric(per/(float64(time.Since(began).Nanoseconds())/float64(b.N)), "x_bare_handler")
	b.ReportMetric(per/1e6, "ms/op")
}

// How long a server takes to start, with its demo data.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start(Config{Version: "17.0"})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
