package bridge

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// BenchmarkUniversalCachedRead holds a read from the cache in the universal
// vocabulary against the same one in the system's own words.
func BenchmarkUniversalCachedRead(b *testing.B) {
	u := universally(b, nil)
	universal := u.of(b, "crm")
	native, err := u.System(b.Context(), sara, "crm")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 80 {
		create(b, universal, "contact", adapter.Record{"name": fmt.Sprintf("contact %d", i), "country": "US"})
	}
	readings := []struct {
		name string
		sys  *System
		r    Reading
	}{
		{"native", native, Reading{Query: adapter.Query{Model: "Account", Fields: []string{"Name", "CountryCode", "Vip"}, Limit: 80}, Domain: json.RawMessage(`[["Name","like","contact"]]`)}},
		{"universal", universal, Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name", "country", "vip"}, Limit: 80}, Domain: json.RawMessage(`[["name","like","contact"]]`)}},
	}
	took := map[string]time.Duration{}
	for _, c := range readings {
		b.Run(c.name, func(b *testing.B) {
			if _, err := c.sys.Read(b.Context(), c.r); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				a, err := c.sys.Read(b.Context(), c.r)
				if err != nil || !a.Cached {
					b.Fatal(a.Cached, err)
				}
			}
			took[c.name] = b.Elapsed() / time.Duration(b.N)
			if n := took["native"]; c.name == "universal" && n > 0 {
				b.ReportMetric(float64(took[c.name])/float64(n), "x-native")
			}
		})
	}
}
