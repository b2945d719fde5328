package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// One record that is dated in the future keeps no other from being told, those
// that are seen late included, on each kind of system.
func TestChangesOfEachKindDatedInTheFuture(t *testing.T) {
	for _, m := range models {
		for _, wrong := range []time.Duration{10 * time.Hour, 400 * 24 * time.Hour} {
			for _, before := range []bool{true, false} {
				t.Run(fmt.Sprint(m.kind, " ", m.name, " ", wrong, " before ", before), func(t *testing.T) {
					t.Parallel()
					a := newApart(t, m, 0)
					own, late := a.create(t, "own"), a.create(t, "late")
					var wrongly adapter.ID
					future := func() {
						a.ahead.Store(int64(wrong))
						wrongly = a.create(t, "future")
						a.ahead.Store(0)
					}
					if before {
						future()
					}
					q := bridge.ChangesQuery{Model: m.name, Fields: []string{m.text}}
					texts := map[adapter.ID]any{}
					follow := func() {
						for more := true; more; {
							page, err := a.follows.Changes(t.Context(), q)
							require.NoError(t, err)
							for _, c := range page.Changes {
								texts[c.ID] = c.Record[m.text]
							}
							q.Cursor, more = page.Next, page.More
						}
					}
					follow()
					if !before {
						future()
					}
					for n := range 8 {
						began, text := a.now(), fmt.Sprint("now ", n)
						a.pass(m.late)
						a.write(t, own, text)
						follow()
						require.Equal(t, text, texts[own], "round %d", n)
						a.commit(began, func() { a.write(t, late, text) })
						follow()
						require.Equal(t, text, texts[late], "round %d: seen late", n)
						a.pass([]time.Duration{time.Minute, time.Hour, 20 * time.Hour}[n%3])
						follow()
					}
					if m.kind == "sap" { // Salesforce tells it when its time has come
						assert.Equal(t, "future", texts[wrongly])
					}
				})
			}
		}
	}
}
