package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

func TestACallIsAContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		newCall := func() *call {
			c := &call{}
			c.parent, c.at = parent, time.Now().Add(time.Minute)
			return c
		}

		c := newCall()
		at, ok := c.Deadline()
		assert.True(t, ok)
		assert.Equal(t, time.Now().Add(time.Minute), at)
		assert.Same(t, c, callFrom(context.WithValue(c, key{}, "w")))
		assert.Equal(t, "v", c.Value(key{}))
		child, stop := context.WithCancel(c)
		defer stop()
		assert.Equal(t, "v", child.Value(key{}))
		assert.NoError(t, c.Err())
		time.Sleep(time.Minute)
		<-child.Done()
		assert.ErrorIs(t, c.Err(), context.DeadlineExceeded)
		c.end()

		c = newCall()
		c.end()
		<-c.Done()
		assert.ErrorIs(t, c.Err(), context.Canceled, "ended before anybody waited")
		assert.Equal(t, "v", c.Value(key{}))

		c = newCall()
		done := c.Done()
		c.end()
		<-done

		c = newCall()
		done = c.Done()
		cancel()
		<-done
		assert.ErrorIs(t, c.Err(), context.Canceled, "the client went away")
		c.end()
	})
}

// A panic in the midst of an answer breaks it off, and is reported too.
func TestAPanicInTheMidstOfAnAnswer(t *testing.T) {
	var reports atomic.Int64
	ingest := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), "halfway") {
			reports.Add(1)
		}
	}))
	defer ingest.Close()
	failures, err := telemetry.NewFailures(telemetry.FailuresConfig{DSN: strings.Replace(ingest.URL, "http://", "http://key@", 1) + "/1"})
	require.NoError(t, err)
	srv := httptest.NewServer(&frame{
		timeout: time.Minute, log: slog.New(slog.DiscardHandler), failures: failures,
		next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			panic("halfway")
		}),
	})
	defer srv.Close()
	res, err := http.Get(srv.URL) //nolint:noctx // a test's own server
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	require.Error(t, err, "the client knows that it is not whole")
	require.NoError(t, failures.Close(t.Context()))
	assert.EqualValues(t, 1, reports.Load())
}
