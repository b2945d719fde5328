package salesforce

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func TestPace(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := newPace(80, 95)
	p.now = func() time.Time { return now }
	var waited time.Duration
	p.wait = func(_ context.Context, d time.Duration) error { waited += d; return nil }
	use := func(header string) {
		waited = 0
		h := http.Header{}
		h.Set("Sforce-Limit-Info", header)
		p.note(h)
	}
	ready := func() error { return p.ready(t.Context()) }

	require.NoError(t, ready(), "before anything is known")
	use("api-usage=100/1000")
	require.NoError(t, ready())
	assert.Zero(t, waited)
	use("api-usage=850/1000; per-app-api-usage=17/250(appName=sample)")
	require.NoError(t, ready())
	early := waited
	assert.Positive(t, early)
	use("api-usage=940/1000")
	require.NoError(t, ready())
	assert.Greater(t, waited, early, "slower and slower")
	assert.LessOrEqual(t, waited, slowest)

	// Near the end one call probes, and the others are refused.
	use("api-usage=960/1000")
	require.NoError(t, ready())
	err := ready()
	require.ErrorIs(t, err, adapter.ErrRateLimited)
	assert.True(t, adapter.Retryable(err, true), "nothing was sent")
	assert.Equal(t, probeEvery, adapter.RetryAfter(err))
	now = now.Add(probeEvery)
	require.NoError(t, ready(), "the next probe")
	use("api-bursts=1/750; api-usage=10/1000")
	require.NoError(t, ready(), "the day's count went down")

	for _, header := range []string{"", "nonsense", "api-usage=", "api-usage=1", "api-usage=x/y", "api-usage=1/0", "api-usage=-1/5"} {
		use(header)
	}
	used, all := p.usage()
	assert.Equal(t, [2]int64{10, 1000}, [2]int64{used, all}, "what can't be read changes nothing")

	off := newPace(101, 101)
	off.note(http.Header{"Sforce-Limit-Info": {"api-usage=1000/1000"}})
	assert.NoError(t, off.ready(t.Context()))
}

func TestPaceHonoursTheContext(t *testing.T) {
	p := newPace(1, 200)
	p.note(http.Header{"Sforce-Limit-Info": {"api-usage=99/100"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.ready(ctx)
	require.ErrorIs(t, err, adapter.ErrCanceled)
	e, _ := err.(*adapter.Error) //nolint:errorlint // as it was made
	assert.True(t, e.NothingSent)
}

func TestLongID(t *testing.T) {
	for short, long := range map[string]string{
		"001D000000IRFma": "001D000000IRFmaIAH",
		"01gD0000002HU6K": "01gD0000002HU6KIAW",
		"000000000000000": "000000000000000AAA",
		"AAAAAAAAAAAAAAA": "AAAAAAAAAAAAAAA555",
		"not an id":       "not an id",
	} {
		assert.Equal(t, long, longID(short))
		assert.Equal(t, long, longID(long), "a long id stays")
	}
}
