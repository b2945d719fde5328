package httpapi_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
)

var (
	sockets = flag.Int("sockets", 200, "sockets of the load test; raise `ulimit -n` to twice as many and more")
	updates = flag.Int("updates", 600, "updates of the test of sockets that never read")
)

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// crowd connects many sockets that follow a model. Each message that one of
// them gets is told to heard.
func (e *env) crowd(n int, heard func()) (stop func()) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	path := "/api/v1/ws/" + e.idOf("clerk")
	var reading, connecting sync.WaitGroup
	turns := make(chan struct{}, 32)
	var failed atomic.Value
	for range n {
		turns <- struct{}{}
		connecting.Go(func() {
			defer func() { <-turns }()
			conn, _, err := e.dial(path, http.Header{"Authorization": {"Bearer " + e.tokens["clerk"]}})
			if err == nil {
				err = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"subscribe_model","system_id":"main","model":"res.partner"}`))
			}
			if err == nil {
				_, _, err = conn.Read(ctx)
			}
			if err != nil {
				failed.Store(err)
				return
			}
			reading.Go(func() {
				defer conn.CloseNow()
				for {
					_, r, err := conn.Reader(ctx)
					if err != nil {
						return
					}
					if _, err = io.Copy(io.Discard, r); err != nil {
						return
					}
					heard()
				}
			})
		})
	}
	connecting.Wait()
	require.Nil(e.t, failed.Load())
	return func() {
		cancel()
		reading.Wait()
	}
}

// loadEnv is a server that many sockets may come to.
func loadEnv(tb testing.TB) *env {
	tb.Helper()
	quiet := slog.New(slog.DiscardHandler)
	hub, err := live.New(live.Config{MaxPerUser: 1 << 20, MaxSessions: 1 << 20, Log: quiet})
	require.NoError(tb, err)
	e := newEnv(tb, func(c *httpapi.Config, b *bridge.Config) {
		c.Live, c.Log, b.Logger = hub, quiet, quiet
	})
	e.register("admin", "main", odootest.New(tb, "17.0"))
	return e
}

const partnerUpdate = `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"%d"}}`

// TestLiveManySockets tells one update to many sockets: all of them hear it,
// once. With -sockets 5000 -v it prints what that costs.
func TestLiveManySockets(t *testing.T) {
	e := loadEnv(t)
	e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(partnerUpdate, 0)).ok(200)
	n := *sockets
	var heard atomic.Int64
	all := make(chan struct{}, 1)
	before := inUse()
	stop := e.crowd(n, func() {
		if heard.Add(1)%int64(n) == 0 {
			all <- struct{}{}
		}
	})
	defer stop()
	t.Logf("%d sockets: %.1f KiB each, both ends together", n, float64(inUse()-before)/float64(n)/1024)
	for round := range 3 {
		began := time.Now()
		e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(partnerUpdate, round)).ok(200)
		answered := time.Since(began)
		select {
		case <-all:
		case <-time.After(patience):
			t.Fatalf("%d of %d heard it", heard.Load(), n)
		}
		t.Logf("the writer had its answer after %s, the last of %d sockets its message after %s", answered, n, time.Since(began))
	}
	assert.EqualValues(t, 3*n, heard.Load())
}

// BenchmarkLiveWrite is what 1,000 subscribers cost a writer, in ratios to a
// write that nobody hears of: of the server's own time for the answer (the
// median, and the mean), and of the time that the writer waits, while the same
// processors run the 1,000 clients too. Writes of both kinds take turns, so that
// whatever else the machine does strikes both.
func BenchmarkLiveWrite(b *testing.B) {
	e := loadEnv(b)
	e.register("admin", "quiet", odootest.New(b, "17.0"))
	write := func(system string, i int) (server, client time.Duration) {
		began := time.Now()
		a := e.send("admin", "POST", "/api/v1/systems/"+system+"/crud", fmt.Sprintf(partnerUpdate, i))
		a.ok(200)
		server, err := time.ParseDuration(a.header.Get("X-Response-Time"))
		require.NoError(b, err)
		return server, time.Since(began)
	}
	var heard atomic.Int64
	all := make(chan struct{}, 1)
	stop := e.crowd(1000, func() {
		if heard.Add(1)%1000 == 0 {
			all <- struct{}{}
		}
	})
	defer stop()
	for i := range 20 { // to warm up
		write("quiet", i)
		write("main", i)
		<-all
	}
	var took [2][2][]time.Duration // of main and quiet; in the server and at the client
	var last time.Duration
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		write("quiet", i) // after what the last one left to do
		server, client := write("quiet", i)
		took[1][0], took[1][1] = append(took[1][0], server), append(took[1][1], client)
		// The writer does not wait until everybody was told; the next one does.
		began := time.Now()
		server, client = write("main", i)
		took[0][0], took[0][1] = append(took[0][0], server), append(took[0][1], client)
		<-all
		last += time.Since(began)
	}
	median := func(list []time.Duration) float64 { slices.Sort(list); return float64(list[len(list)/2]) }
	mean := func(list []time.Duration) (sum float64) {
		for _, d := range list {
			sum += float64(d)
		}
		return sum / float64(len(list))
	}
	b.ReportMetric(median(took[0][0])/median(took[1][0]), "x_server_time")
	b.ReportMetric(mean(took[0][0])/mean(took[1][0]), "x_server_mean")
	b.ReportMetric(median(took[0][1])/median(took[1][1]), "x_client_time")
	b.ReportMetric(float64(last.Milliseconds())/float64(b.N), "ms_to_the_last")
}

// TestLiveSocketsThatNeverRead has sockets that follow a model and never read,
// while it is updated again and again: they are dropped, those who read lose
// nothing, and the server holds no more than it did. With -updates 10000 -v it
// prints what that costs.
func TestLiveSocketsThatNeverRead(t *testing.T) {
	e := loadEnv(t)
	e.api.LiveTimes.Write = 2 * time.Second
	write := func(i int) {
		e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"%d","comment":%q}}`, i, long)).ok(200)
	}
	write(0)
	connected := func() int {
		return int(e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["active_connections"].(float64))
	}
	eager := e.socket("clerk")
	eager.subscribe("main", "res.partner", `,"fields":["ref"]`)
	before := inUse()
	for range neverRead {
		s := e.socket("clerk")
		s.subscribe("main", "res.partner", "")
	}
	most, gone := before, -1
	for i := range *updates {
		write(i)
		v := eager.until("model_update")
		require.Equal(t, strconv.Itoa(i), v["data"].(map[string]any)["ref"], "who reads loses nothing")
		if i%(*updates/20+1) == 0 {
			most = max(most, inUse())
		}
		if gone < 0 && i%50 == 0 && connected() == 1 {
			gone = i
		}
	}
	require.Eventually(t, func() bool { return connected() == 1 }, patience, 5*time.Millisecond)
	after := inUse()
	t.Logf("%d sockets that never read, %d updates: %.1f MiB in use before, %.1f at most, %.1f after; the last was dropped by update %d",
		neverRead, *updates, float64(before)/(1<<20), float64(most)/(1<<20), float64(after)/(1<<20), gone)
	assert.Less(t, most, before+64<<20)
	assert.Less(t, after, before+32<<20)
}

const neverRead = 100

var long = strings.Repeat("x", 8<<10)
