package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
)

const patience = 20 * time.Second

func newHub(tb testing.TB, c live.Config) *live.Hub {
	tb.Helper()
	h, err := live.New(c)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = h.Close() })
	return h
}

// listener is a session and what it was told.
type listener struct {
	t tb
	s *live.Session

	last     uint64 // of until
	resynced bool
}

type tb interface {
	require.TestingT
	Helper()
}

func join(t tb, h *live.Hub, user string, resume uint64, channels ...string) *listener {
	t.Helper()
	s, err := h.Join(context.Background(), live.Member{Tenant: "acme", User: user}, resume)
	require.NoError(t, err)
	l := &listener{t: t, s: s}
	for _, c := range channels {
		s.Handle(context.Background(), fmt.Appendf(nil, `{"type":"subscribe","channel":%q}`, c))
		require.Equal(t, "subscribed", l.next()["type"])
	}
	return l
}

func (l *listener) message() (live.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return l.s.Next(ctx)
}

func (l *listener) next() map[string]any {
	l.t.Helper()
	m, err := l.message()
	require.NoError(l.t, err)
	var v map[string]any
	require.NoError(l.t, json.Unmarshal(m.Body, &v), string(m.Body))
	return v
}

func (l *listener) progress() int {
	l.t.Helper()
	for {
		if v := l.next(); v["type"] == "notification" {
			return int(v["data"].(map[string]any)["progress"].(float64))
		}
	}
}

func publish(h *live.Hub, n int) {
	h.OperationProgress("acme", "1", live.Progress{OperationID: "x", Progress: n, Status: "running"})
}

// However often a client is cut off, and whichever server it comes back to, it
// hears everything once and by rising numbers.
func TestResumeHearsEverythingOnce(t *testing.T) {
	redis := miniredis.RunT(t)
	for name, url := range map[string]string{"in process": "", "Redis": "redis://" + redis.Addr()} {
		t.Run(name, func(t *testing.T) {
			runs := 0
			rapid.Check(t, func(t *rapid.T) {
				runs++
				var hubs []*live.Hub
				for range map[bool]int{true: 1, false: 3}[url == ""] {
					h, err := live.New(live.Config{RedisURL: url, Prefix: fmt.Sprintf("%p %d:", t, runs), Keep: 50})
					require.NoError(t, err)
					defer func() { _ = h.Close() }()
					hubs = append(hubs, h)
				}
				any := func() *live.Hub { return hubs[rapid.IntRange(0, len(hubs)-1).Draw(t, "server")] }
				l := join(t, any(), "1", 0, live.Operations)
				sent, heard, last := 0, 0, uint64(0)
				told := map[int]bool{}
				hear := func(n int) {
					for range n {
						m, err := l.message()
						require.NoError(t, err)
						var v struct {
							Data struct{ Progress int }
						}
						require.NoError(t, json.Unmarshal(m.Body, &v))
						require.Equal(t, "notification", m.Type, "%s", m.Body)
						require.False(t, told[v.Data.Progress], "%s", m.Body)
						require.Greater(t, m.Number, last)
						told[v.Data.Progress] = true
						heard, last = heard+1, m.Number
					}
				}
				for range rapid.IntRange(1, 6).Draw(t, "rounds") {
					h := any()
					for range rapid.IntRange(0, 8).Draw(t, "published") {
						sent++
						publish(h, sent)
					}
					hear(rapid.IntRange(0, sent-heard).Draw(t, "heard"))
					if last > 0 && rapid.Bool().Draw(t, "cut off") {
						l.s.Leave()
						l = join(t, any(), "1", last, live.Operations)
					}
				}
				hear(sent - heard)
				l.s.Leave()
			})
		})
	}
}

// One that does not read is dropped; those beside it hear everything, and
// whoever publishes never waits.
func TestSlowSessionsAreDropped(t *testing.T) {
	h := newHub(t, live.Config{Queue: 10})
	slow, quick := join(t, h, "1", 0, live.Operations), join(t, h, "1", 0, live.Operations)
	for n := 1; n <= 100; n++ {
		publish(h, n)
		require.Equal(t, n, quick.progress())
	}
	_, err := slow.message()
	var closed *live.Closed
	require.ErrorAs(t, err, &closed)
	assert.Equal(t, live.CodeSlow, closed.Code)
	slow.s.Leave()
	quick.s.Leave()
}

// Sessions come and go while events are published.
func TestSessionsComeAndGo(t *testing.T) {
	h := newHub(t, live.Config{MaxPerUser: 1000})
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 50 {
				l := join(t, h, "1", 0, live.Operations)
				l.s.Handle(t.Context(), []byte(`{"type":"unsubscribe","channel":"operations"}`))
				l.s.Leave()
			}
		})
	}
	work.Go(func() {
		for n := range 500 {
			publish(h, n)
			h.Stats("acme", "")
		}
	})
	work.Wait()
	assert.Zero(t, h.Stats("acme", "").ActiveConnections)
}

// Nothing that a client sends breaks a session.
func FuzzHandle(f *testing.F) {
	for _, s := range []string{`{"type":"ping"}`, `{"type":"subscribe","channel":"cache"}`, `{"type":"subscribe_model","system_id":"a","model":"b","record_ids":[1,"x",null]}`, `{"type":"resume","last_event_id":1}`, `[]`, `{`} {
		f.Add([]byte(s))
	}
	h, err := live.New(live.Config{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = h.Close() })
	f.Fuzz(func(t *testing.T, text []byte) {
		l := join(t, h, "1", 0)
		defer l.s.Leave()
		l.s.Handle(t.Context(), text)
		assert.NotEmpty(t, l.next()["type"])
	})
}
