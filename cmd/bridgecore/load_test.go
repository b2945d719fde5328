package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

var (
	loadClients = flag.Int("load.clients", 20, "how many clients TestLoad has")
	loadTime    = flag.Duration("load.time", 0, "how long TestLoad lasts; 0 for one round of each client")
	loadRates   = flag.String("load.rates", "read=6000,write=3000,delete=1200,batch=600,default=3600,auth=600", "RATE_LIMITS of TestLoad")
)

// TestLoad has many clients ask for different things at once: nothing but
// documented refusals comes back, and nothing stays behind. A minute of 200
// clients against PostgreSQL and Redis:
//
//	.ci/with-services go test ./cmd/bridgecore -run TestLoad -v -load.clients 200 -load.time 1m
func TestLoad(t *testing.T) {
	l := newLoad(t)
	l.run(t, l.round) // whatever is made once has been made
	before := l.rest()
	l.forget()

	start := time.Now()
	rounds := func(ctx context.Context, c *loadClient) {
		l.round(ctx, c)
		for *loadTime > 0 && time.Since(start) < *loadTime {
			l.round(ctx, c)
		}
	}
	l.run(t, rounds)
	took := time.Since(start)
	after := l.rest()

	l.report(t, took)
	t.Logf("goroutines %d before, %d after; %.1f MiB reachable before, %.1f MiB after",
		before.goroutines, after.goroutines, float64(before.heap)/(1<<20), float64(after.heap)/(1<<20))
	assert.Empty(t, l.faults)
	assert.Empty(t, l.log.String(), "errors in the log")
	assert.LessOrEqual(t, after.goroutines, before.goroutines+5, "goroutines stay behind")
}

// load is a server with simulated systems, and what its clients met with.
type load struct {
	scene   *scene
	server  *server
	log     *lockedBuffer
	http    *http.Client
	clients []*loadClient

	mu     sync.Mutex
	taken  map[string][]time.Duration // by the kind of request
	codes  map[string]int             // status and code of the errors
	faults []string
}

type loadClient struct {
	token  string
	random *rand.Rand
}

func newLoad(t *testing.T) *load {
	t.Helper()
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	environ := []string{
		"BRIDGECORE_DATA_DIR=" + t.TempDir(), "ENCRYPTION_KEY=" + key, "SECRET_KEY=0123456789abcdef0123456789abcdef", "RATE_LIMITS=" + *loadRates,
	}
	if o := storetest.Options(t); o.Driver == "postgres" {
		environ = append(environ, "DATABASE_URL="+o.DSN)
	}
	if url := os.Getenv("BRIDGECORE_TEST_REDIS_URL"); url != "" {
		environ = append(environ, "REDIS_URL="+url)
	}
	c, err := config.Load(environ, "")
	require.NoError(t, err)
	_, err = c.FillSecrets()
	require.NoError(t, err)
	l := &load{log: &lockedBuffer{}, taken: map[string][]time.Duration{}, codes: map[string]int{}}
	l.server, err = assemble(t.Context(), c, slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelError})))
	require.NoError(t, err)
	t.Cleanup(l.server.close)
	l.scene, err = newScene(t.Context(), l.server)
	require.NoError(t, err)
	t.Cleanup(l.scene.close)

	admin, err := l.server.store.UserByName(t.Context(), demoUser)
	require.NoError(t, err)
	for i := range *loadClients {
		u := store.User{
			TenantID: admin.TenantID, Username: fmt.Sprint("client", i), PasswordHash: admin.PasswordHash, Role: store.Plain, IsActive: true,
		}
		require.NoError(t, l.server.store.CreateUser(t.Context(), &u))
		grant, err := l.server.auth.Open(u)
		require.NoError(t, err)
		l.clients = append(l.clients, &loadClient{token: grant.AccessToken, random: rand.New(rand.NewPCG(uint64(i), 1))}) //nolint:gosec // the same requests every time
	}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.scene.URL = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.server.serve(ctx, listener) }()
	l.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *loadClients}, Timeout: time.Minute}
	t.Cleanup(func() {
		l.http.CloseIdleConnections()
		stop()
		assert.NoError(t, <-ended)
	})
	return l
}

// run lets every client do something at once.
func (l *load) run(t *testing.T, do func(context.Context, *loadClient)) {
	t.Helper()
	var all sync.WaitGroup
	for _, c := range l.clients {
		all.Go(func() { do(t.Context(), c) })
	}
	all.Wait()
}

// round is what a client asks for: mostly reads, as apps do.
func (l *load) round(ctx context.Context, c *loadClient) {
	odoo := []string{"odoo13", "odoo17", "odoo19"}[c.random.IntN(3)]
	kind := []string{odoo, "salesforce", "sap"}[c.random.IntN(3)]
	crud := "/api/v1/systems/" + odoo + "/crud"
	for range 4 {
		l.ask(ctx, c, "cached read", "POST", "/api/v1/systems/"+odoo+"/odoo/search_read", `{"model":"product.product","fields":["name","list_price"],"limit":20}`)
	}
	l.ask(ctx, c, "read", "POST", crud, fmt.Sprintf(`{"action":"read","model":"res.partner","domain":[["id",">",%d]],"fields":["name","email"],"limit":%d}`, c.random.IntN(30), 1+c.random.IntN(50)))
	l.ask(ctx, c, "related read", "POST", "/api/v1/systems/"+odoo+"/odoo/search_read", fmt.Sprintf(`{"model":"sale.order","fields":["name","partner_id"],"limit":%d}`, 1+c.random.IntN(10)))
	l.ask(ctx, c, "universal read", "POST", "/api/v1/systems/"+kind+"/crud", fmt.Sprintf(`{"action":"read","model":"contact","fields":["name","city"],"limit":%d,"use_universal_schema":true}`, 1+c.random.IntN(20)))

	made := l.ask(ctx, c, "create", "POST", crud, `{"action":"create","model":"res.partner","data":{"name":"Load"}}`)
	if result, ok := made["result"].(map[string]any); ok {
		l.ask(ctx, c, "update", "POST", crud, fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":%v,"data":{"phone":"+966501234567"}}`, result["id"]))
		l.ask(ctx, c, "delete", "POST", crud, fmt.Sprintf(`{"action":"delete","model":"res.partner","record_id":%v}`, result["id"]))
	}
	switch c.random.IntN(8) {
	case 0:
		done := l.ask(ctx, c, "batch", "POST", "/api/v1/batch/execute", `{"system_id":"`+odoo+`","operations":[`+
			`{"action":"create","model":"res.partner","data":{"name":"A"}},{"action":"create","model":"res.partner","data":{"name":"B"}},{"action":"read","model":"res.partner","limit":3}]}`)
		// What stays in the simulated Odoo would look like a leak.
		if results, ok := done["results"].([]any); ok {
			l.ask(ctx, c, "unlink", "POST", "/api/v1/systems/"+odoo+"/odoo/unlink", fmt.Sprintf(`{"model":"res.partner","ids":[%v,%v]}`,
				results[0].(map[string]any)["record_id"], results[1].(map[string]any)["record_id"]))
		}
	case 1:
		l.ask(ctx, c, "barcode", "GET", "/api/v1/barcode/lookup?barcode=6281000000120&system_id="+odoo, "")
	case 2:
		l.ask(ctx, c, "status", "GET", "/api/v1/systems/"+kind+"/status", "")
	case 3:
		l.ask(ctx, c, "fields", "GET", "/api/v1/systems/"+odoo+"/fields?model=res.partner", "")
	case 4:
		l.ask(ctx, c, "me", "GET", "/api/v1/auth/me", "")
	case 5:
		l.ask(ctx, c, "bad request", "POST", crud, `{"action":"read","model":"res.partner","domain":[["no_such","=","x"]]}`)
	case 6:
		l.ask(ctx, c, "missing", "GET", "/api/v1/systems/nothere", "")
	case 7:
		l.ask(ctx, c, "list", "GET", "/api/v1/systems", "")
	}
}

// refusals are what may be answered besides success: what was asked is wrong
// or not there, the caller's limit is reached, a system's share is used up.
var refusals = map[string][]string{
	"barcode":     {"404 not_found"},
	"bad request": {"422 invalid_argument"},
	"missing":     {"404 not_found"},
}

func (l *load) ask(ctx context.Context, c *loadClient, kind, method, path, body string) map[string]any {
	start := time.Now()
	answer, status, err := l.send(ctx, c, method, path, body)
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[kind] = append(l.taken[kind], took)
	if err != nil {
		l.faults = append(l.faults, fmt.Sprintf("%s: %v", kind, err))
		return nil
	}
	if status < 400 {
		return answer
	}
	code := "no error body"
	if info, ok := answer["error"].(map[string]any); ok {
		code = fmt.Sprint(status, " ", info["code"])
	}
	l.codes[code]++
	if !slices.Contains(refusals[kind], code) && code != "429 rate_limited" && code != "503 busy" {
		l.faults = append(l.faults, fmt.Sprintf("%s: %s: %v", kind, code, answer["detail"]))
	}
	return nil
}

func (l *load) send(ctx context.Context, c *loadClient, method, path, body string) (answer map[string]any, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, l.scene.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := l.http.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, 0, err
	}
	err = json.Unmarshal(text, &answer)
	return answer, res.StatusCode, err
}

func (l *load) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = nil
	clear(l.taken)
	clear(l.codes)
}

// resting is what the process has when nothing is asked of it.
type resting struct {
	goroutines int
	heap       uint64
}

func (l *load) rest() resting {
	l.http.CloseIdleConnections()
	var r resting
	// Connections that were closed here end a moment later there: count until
	// there are no fewer.
	for fewest := 0; ; fewest = r.goroutines {
		for range 20 {
			runtime.GC()
		}
		if r.goroutines = busy(); r.goroutines == fewest {
			break
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.heap = m.HeapAlloc
	return r
}

// elsewhere are the goroutines that busy leaves out.
var elsewhere = []string{"net/http.(*persistConn)", "net/http.(*conn)", "riverqueue/river"}

// busy counts the goroutines that are there for something else than a
// connection or River's own work: how many of those there are differs with
// the moment.
func busy() (n int) {
	stacks := make([]byte, 1<<20)
	for {
		if size := runtime.Stack(stacks, true); size < len(stacks) {
			stacks = stacks[:size]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if !slices.ContainsFunc(elsewhere, func(part string) bool { return strings.Contains(stack, part) }) {
			n++
		}
	}
	return n
}

func (l *load) report(t *testing.T, took time.Duration) {
	t.Helper()
	all := 0
	var table bytes.Buffer
	for _, kind := range slices.Sorted(maps.Keys(l.taken)) {
		times := l.taken[kind]
		slices.Sort(times)
		all += len(times)
		at := func(part float64) time.Duration {
			return times[int(part*float64(len(times)-1))].Round(100 * time.Microsecond)
		}
		fmt.Fprintf(&table, "%-14s %7d  p50 %-9v p95 %-9v p99 %v\n", kind, len(times), at(.5), at(.95), at(.99))
	}
	t.Logf("%d clients, %v: %d requests, %.0f a second\n%srefused: %v", len(l.clients), took.Round(time.Second), all, float64(all)/took.Seconds(), &table, l.codes)
}

// lockedBuffer is a log that several write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
