package bridge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A date that the system's clock has not reached, by what it says, is of a clock
// that was wrong: unless a later one comes that is as much later, of a clock that
// is running and is told wrongly.
func TestDatesThatAreBelieved(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type read struct {
		at, got time.Duration // from the start
		want    bool
	}
	for name, reads := range map[string][]read{
		"of now":                         {{0, 0, true}, {4 * time.Minute, time.Second, true}},
		"one of the future":              {{10 * time.Hour, 0, false}, {10 * time.Hour, time.Minute, false}, {2 * time.Minute, 2 * time.Minute, true}},
		"several of the future at once":  {{10 * time.Hour, 0, false}, {10*time.Hour + time.Second, 0, false}, {11 * time.Hour, 0, false}},
		"some of the future one by one":  {{10 * time.Hour, 0, false}, {12 * time.Hour, time.Minute, false}, {9 * time.Hour, 2 * time.Minute, false}},
		"a clock that is told wrongly":   {{7 * time.Hour, 0, false}, {7*time.Hour + 5*time.Second, 10 * time.Second, true}, {7*time.Hour + time.Minute, time.Minute, true}},
		"one of the future on the way":   {{7 * time.Hour, 0, false}, {90 * time.Hour, time.Minute, false}, {7*time.Hour + 2*time.Minute, 2 * time.Minute, false}, {7*time.Hour + 3*time.Minute, 3 * time.Minute, true}},
		"one of the future when learned": {{7 * time.Hour, 0, false}, {7*time.Hour + time.Minute, time.Minute, true}, {90 * time.Hour, 2 * time.Minute, false}, {7*time.Hour + 3*time.Minute, 3 * time.Minute, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var d dates
			for i, r := range reads {
				at, got := start.Add(r.at), start.Add(r.got)
				believed := d.believes(at, got, got.Add(feedFuture))
				assert.Equal(t, r.want, believed, "date %d", i)
				if believed {
					d.learn(at, got)
				}
			}
		})
	}
	var d dates
	assert.True(t, d.believes(start.Add(90*time.Hour), start, time.Time{}), "where nobody says what time it is there")
}
