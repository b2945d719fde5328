package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// liveUser is somebody at a running server.
type liveUser struct {
	t           *testing.T
	address     string
	id          int64
	token       string
	slowestWait time.Duration
}

func logIn(t *testing.T, address string) *liveUser {
	t.Helper()
	u := &liveUser{t: t, address: address, slowestWait: time.Minute}
	v := u.send("POST", "/api/v1/auth/login", `{"username":"admin","password":"correct-horse-9"}`, http.StatusOK)
	u.token = v["access_token"].(string)
	u.id = int64(u.send("GET", "/api/v1/auth/me", "", http.StatusOK)["id"].(float64))
	return u
}

// at is the same user at another server of the installation.
func (u *liveUser) at(address string) *liveUser {
	other := *u
	other.address = address
	return &other
}

func (u *liveUser) send(method, path, body string, status int) map[string]any {
	u.t.Helper()
	got, text := u.try(method, path, body)
	require.Equal(u.t, status, got, "%s", text)
	var v map[string]any
	require.NoError(u.t, json.Unmarshal(text, &v))
	return v
}

// try sends a request; status 0 says that nobody answered.
func (u *liveUser) try(method, path, body string) (status int, text []byte) {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, "http://"+u.address+path, strings.NewReader(body))
	require.NoError(u.t, err)
	req.Header.Set("Authorization", "Bearer "+u.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	text, _ = io.ReadAll(res.Body)
	return res.StatusCode, text
}

func (u *liveUser) register(id, version string, c odoo.Config) {
	u.t.Helper()
	b, err := json.Marshal(map[string]any{"system_id": id, "system_type": "odoo", "system_version": version, "name": id, "connection_config": map[string]any{
		"url": c.URL, "database": c.Database, "username": c.Username, "password": c.Password,
	}})
	require.NoError(u.t, err)
	u.send("POST", "/api/v1/systems", string(b), http.StatusCreated)
}

// liveSocket is a WebSocket of a user.
type liveSocket struct {
	*liveUser
	conn *websocket.Conn
}

func (u *liveUser) socket(after uint64) *liveSocket {
	u.t.Helper()
	address := fmt.Sprintf("ws://%s/api/v1/ws/%d", u.address, u.id)
	if after > 0 {
		address += fmt.Sprintf("?last_event_id=%d", after)
	}
	conn, _, err := websocket.Dial(u.t.Context(), address, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + u.token}}}) //nolint:bodyclose // it is the connection
	require.NoError(u.t, err)
	u.t.Cleanup(func() { _ = conn.CloseNow() })
	return &liveSocket{u, conn}
}

// liveMessage is a message of a server's.
type liveMessage struct {
	Type      string
	EventID   uint64     `json:"event_id"`
	Model     string     `json:"model"`
	RecordID  adapter.ID `json:"record_id"`
	Operation string
	External  *bool
	Data      map[string]any
	Message   string
	came      time.Time
}

func (s *liveSocket) next() (m liveMessage, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.slowestWait)
	defer cancel()
	_, text, err := s.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	m.came = time.Now()
	return m, err
}

func (s *liveSocket) subscribe(system, model, more string) liveMessage {
	s.t.Helper()
	require.NoError(s.t, s.conn.Write(s.t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"subscribe_model","system_id":%q,"model":%q%s}`, system, model, more)))
	m, err := s.next()
	require.NoError(s.t, err)
	require.Equal(s.t, "subscribed", m.Type, m.Message)
	return m
}

// percentile is that of durations, in milliseconds.
func percentile(list []time.Duration, p float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return float64(list[min(len(list)-1, int(p*float64(len(list))))].Microseconds()) / 1000
}

// edited is what somebody did to a record in Odoo itself.
type edited struct {
	dates map[int64]bool // the seconds in which it was changed
	edits int
	last  string // its ref
	ended time.Time
	gone  bool
}

// TestRealLiveEdits makes edits in a real Odoo, over four connections of its
// own, while somebody is connected to a running server: all of them are heard,
// none twice. It wants the variables that adapter/odoo's TestReal wants.
func TestRealLiveEdits(t *testing.T) {
	c := odoo.Config{
		URL: os.Getenv("BRIDGECORE_ODOO_URL"), Database: os.Getenv("BRIDGECORE_ODOO_DATABASE"),
		Username: os.Getenv("BRIDGECORE_ODOO_USERNAME"), Password: os.Getenv("BRIDGECORE_ODOO_PASSWORD"), Transport: odoo.TransportXMLRPC,
	}
	if c.URL == "" {
		t.Skip("SKIPPED: no real Odoo. Set BRIDGECORE_ODOO_URL, _DATABASE, _USERNAME and _PASSWORD to test against one.")
	}
	const model, workers, each = "res.partner", 4, 250
	p := newProgram(t, "ALLOWED_PRIVATE_NETWORKS=127.0.0.0/8", "LIVE_POLL_INTERVAL=1")
	status, _, stderr := p.run("correct-horse-9\n", "user", "add", "admin", "--admin")
	require.Equal(t, statusOK, status, stderr)
	u := logIn(t, startProcess(t, p).address)
	u.slowestWait = 3 * time.Minute
	own, err := odoo.Dial(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = own.Close() })
	u.register("main", own.Version().String(), c)
	s := u.socket(0)
	asked := time.Now()
	m := s.subscribe("main", model, `,"fields":["ref","active"]`)
	require.True(t, m.External != nil && *m.External, "it is followed")
	t.Logf("subscribed after %s", m.came.Sub(asked).Round(time.Millisecond))

	var mu sync.Mutex
	records := map[adapter.ID]*edited{}
	refs := map[string]time.Time{} // when an edit had been made
	began := time.Now()
	var all sync.WaitGroup
	for w := range workers {
		own, err := odoo.Dial(t.Context(), c)
		require.NoError(t, err)
		t.Cleanup(func() { _ = own.Close() })
		all.Go(func() { editAtRandom(t, own, w, each, &mu, records, refs) })
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()

	// sentinel is heard last: one that is made when all the rest was heard.
	heard := map[adapter.ID][]liveMessage{}
	missing := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for id, r := range records {
			list := heard[id]
			switch {
			case r.gone && len(list) == 0: // made and deleted between two looks
			case r.gone && list[len(list)-1].Operation != "unlink", !r.gone && (len(list) == 0 || list[len(list)-1].Data["ref"] != r.last):
				n++
			}
		}
		return n
	}
	over := false
	var cut <-chan time.Time
	sentinels := 0
	var sentinel adapter.ID
	messages := make(chan liveMessage)
	go func() {
		defer close(messages)
		for {
			m, err := s.next()
			if err != nil {
				return
			}
			messages <- m
		}
	}()
	var lags []time.Duration
	made := func() {
		r, err := own.Create(t.Context(), model, adapter.Record{"name": "live sentinel"})
		assert.NoError(t, err)
		sentinel = r
		sentinels++
	}
loop:
	for {
		select {
		case <-ended:
			ended, over = nil, true
			cut = time.After(2 * time.Minute)
		case <-cut:
			break loop
		case m, ok := <-messages:
			require.True(t, ok, "the connection was lost")
			require.NotEqual(t, "resync", m.Type)
			if m.Type != "model_update" {
				continue
			}
			if m.RecordID == sentinel {
				// Whatever would be told twice would have come by now.
				if sentinels == 3 {
					break loop
				}
				made()
				continue
			}
			mu.Lock()
			if ref, ok := m.Data["ref"].(string); ok {
				if at, ours := refs[ref]; ours {
					lags = append(lags, m.came.Sub(at))
				}
			}
			mu.Unlock()
			heard[m.RecordID] = append(heard[m.RecordID], m)
		}
		if over && sentinels == 0 && missing() == 0 {
			made()
		}
	}
	took := time.Since(began)
	edits, dates, told, missed, twice, unlinks := 0, 0, 0, 0, 0, 0
	for id, r := range records {
		list := heard[id]
		edits += r.edits
		dates += len(r.dates)
		told += len(list)
		writes := 0
		for i, m := range list {
			switch {
			case m.Operation == "create" && i > 0, m.Operation == "unlink" && (!r.gone || i < len(list)-1):
				twice++
				t.Errorf("record %v: %s is event %d of %d", id, m.Operation, i+1, len(list))
			case m.Operation == "unlink":
				unlinks++
			default:
				writes++
			}
		}
		if writes > len(r.dates) {
			twice++
			t.Errorf("record %v changed in %d seconds and was told %d times", id, len(r.dates), writes)
		}
		if len(list) > 0 && list[0].Operation != "create" && list[0].Operation != "unlink" {
			missed++
			t.Errorf("record %v: its creation was told as %s", id, list[0].Operation)
		}
		if r.gone && len(list) > 0 && list[len(list)-1].Operation != "unlink" || !r.gone && (len(list) == 0 || list[len(list)-1].Data["ref"] != r.last) {
			missed++
			t.Errorf("record %v: the last edit, %q, was not heard: %+v", id, r.last, list)
		}
	}
	t.Logf("%d edits of %d records in %s, in %d different seconds of a record; %d events, %d of them deletions; %d missed, %d twice", edits, len(records), took.Round(time.Second), dates, told, unlinks, missed, twice)
	t.Logf("an edit was heard after %.0f ms (median), %.0f ms (99%%)", percentile(lags, 0.5), percentile(lags, 0.99))
	assert.GreaterOrEqual(t, edits, workers*each)
	var ids []adapter.ID
	for id, r := range records {
		if !r.gone {
			ids = append(ids, id)
		}
	}
	found, err := adapter.SearchIDs(t.Context(), own, adapter.Query{Model: model, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: "live sentinel"}})
	require.NoError(t, err)
	for chunk := range slices.Chunk(append(ids, found...), 200) {
		assert.NoError(t, own.Delete(t.Context(), model, chunk))
	}
}

// editAtRandom creates, changes, archives and deletes records of its own: often
// the same one twice in a second, sometimes many in one transaction.
func editAtRandom(t *testing.T, own *odoo.Client, worker, edits int, mu *sync.Mutex, records map[adapter.ID]*edited, refs map[string]time.Time) {
	t.Helper()
	ctx := t.Context()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(worker))) //nolint:gosec // a test's
	var mine []adapter.ID
	dated := func(ids []adapter.ID, ref string) {
		at := time.Now()
		list := make([]any, len(ids))
		for i, id := range ids {
			list[i] = id.Value()
		}
		scope := adapter.Scope{Values: map[string]any{"active_test": false}}
		page, err := own.Query(adapter.WithScope(ctx, scope), adapter.Query{Model: "res.partner", Fields: []string{"write_date"}, Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: list}})
		if !assert.NoError(t, err) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		refs[ref] = at
		for _, r := range page.Records {
			e := records[r.ID()]
			if e == nil {
				e = &edited{dates: map[int64]bool{}}
				records[r.ID()] = e
			}
			e.dates[r.Time("write_date").Unix()] = true
			e.edits++
			e.last, e.ended = ref, at
		}
	}
	for n := 0; n < edits; n++ {
		ref := fmt.Sprintf("live-%d-%d", worker, n)
		switch choice := random.IntN(20); {
		case choice < 5 || len(mine) < 3:
			id, err := own.Create(ctx, "res.partner", adapter.Record{"name": "live edits", "ref": ref})
			if !assert.NoError(t, err) {
				return
			}
			mine = append(mine, id)
			dated([]adapter.ID{id}, ref)
		case choice < 6: // one long transaction
			many := make([]adapter.Record, 40)
			for i := range many {
				many[i] = adapter.Record{"name": "live edits", "ref": ref}
			}
			ids, err := adapter.CreateMany(ctx, own, "res.partner", many)
			if !assert.NoError(t, err) {
				return
			}
			mine = append(mine, ids...)
			dated(ids, ref)
		case choice < 8:
			i := random.IntN(len(mine))
			id := mine[i]
			if !assert.NoError(t, own.Delete(ctx, "res.partner", []adapter.ID{id})) {
				return
			}
			mine = slices.Delete(mine, i, i+1)
			mu.Lock()
			records[id].gone = true
			records[id].edits++
			mu.Unlock()
		default:
			id := mine[random.IntN(len(mine))]
			values := adapter.Record{"ref": ref}
			if choice < 10 {
				values["active"] = random.IntN(2) == 0
			}
			if !assert.NoError(t, own.Update(ctx, "res.partner", []adapter.ID{id}, values)) {
				return
			}
			dated([]adapter.ID{id}, ref)
			if choice > 15 && n+1 < edits { // and again, in the same second
				n++
				again := fmt.Sprintf("live-%d-%d", worker, n)
				if !assert.NoError(t, own.Update(ctx, "res.partner", []adapter.ID{id}, adapter.Record{"ref": again})) {
					return
				}
				dated([]adapter.ID{id}, again)
			}
		}
	}
}

// TestTwoServersAreOne runs two servers over one PostgreSQL and one Redis: a
// write through one is heard at the other, periodic work is done once, and when
// one is killed the other goes on with what it had begun, and those who were
// connected to it miss nothing.
func TestTwoServersAreOne(t *testing.T) {
	redis := os.Getenv("BRIDGECORE_TEST_REDIS_URL")
	p := newProgram(t, "ALLOWED_PRIVATE_NETWORKS=127.0.0.0/8", "REDIS_URL="+redis, "SECRET_KEY=0123456789abcdef0123456789abcdef",
		"RATE_LIMITS=read=60000,write=60000,batch=6000,default=6000,auth=600")
	if redis == "" || !strings.Contains(strings.Join(p.environ, " "), "DATABASE_URL=postgres") {
		t.Skip("SKIPPED: no PostgreSQL and Redis. Run it by .ci/with-services.")
	}
	status, _, stderr := p.run("correct-horse-9\n", "user", "add", "admin", "--admin")
	require.Equal(t, statusOK, status, stderr)
	upstream := odootest.New(t, "17.0")
	first, second := startProcess(t, p), startProcess(t, p)
	go func() { _, _ = io.Copy(io.Discard, logOf(second)) }()
	a := logIn(t, first.address)
	b := a.at(second.address)
	a.register("main", "17.0", odoo.Config{URL: upstream.URL, Database: upstream.Database, Username: upstream.Username, Password: upstream.Password})
	write := func(u *liveUser, ref string) {
		u.send("POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":1,"data":{"ref":%q}}`, ref), http.StatusOK)
	}
	write(a, "warm")
	write(b, "warm")

	onA, onB := a.socket(0), b.socket(0)
	onA.subscribe("main", "res.partner", `,"external":false`)
	onB.subscribe("main", "res.partner", `,"external":false`)
	var whole, after []time.Duration
	last := uint64(0)
	for n := range 200 {
		ref := fmt.Sprint("write ", n)
		sent := time.Now()
		write(a, ref)
		answered := time.Now()
		for _, s := range []*liveSocket{onB, onA} {
			m, err := s.next()
			require.NoError(t, err)
			require.Equal(t, ref, m.Data["ref"])
			if s == onB {
				require.Greater(t, m.EventID, last)
				whole, after = append(whole, m.came.Sub(sent)), append(after, m.came.Sub(answered))
				last = m.EventID
			}
		}
	}
	t.Logf("200 writes through one server were heard at the other %.1f ms (median), %.1f ms (99%%) after they were sent; %.1f and %.1f ms after their answers",
		percentile(whole, 0.5), percentile(whole, 0.99), percentile(after, 0.5), percentile(after, 0.99))

	// Operations begin at the first; events that its subscriber will not
	// read are told; then it is killed.
	const operations, records = 4, 300
	var begun []string
	for o := range operations {
		items := make([]string, records)
		for i := range items {
			items[i] = fmt.Sprintf(`{"action":"create","model":"res.country","data":{"name":"Batch %d %d","code":"%c%c"}}`, o, i, 'a'+i/26%26, 'A'+i%26)
		}
		started := a.send("POST", "/api/v1/batch/execute", `{"system_id":"main","async":true,"operations":[`+strings.Join(items, ",")+`]}`, http.StatusAccepted)
		begun = append(begun, "/api/v1/operations/"+started["operation_id"].(string))
	}
	for n := range 10 {
		write(a, fmt.Sprint("before ", n))
	}
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	for n := range 10 {
		write(b, fmt.Sprint("after ", n))
	}
	again := b.socket(last)
	again.subscribe("main", "res.partner", `,"external":false`)
	var missed []any
	for range 20 {
		m, err := again.next()
		require.NoError(t, err)
		require.Equal(t, "model_update", m.Type, m.Message)
		require.Greater(t, m.EventID, last)
		last = m.EventID
		missed = append(missed, m.Data["ref"])
	}
	var want []any
	for _, word := range []string{"before", "after"} {
		for n := range 10 {
			want = append(want, fmt.Sprint(word, " ", n))
		}
	}
	assert.Equal(t, want, missed, "every event, once and in order")
	killed := time.Now()
	for _, operation := range begun {
		var state map[string]any
		require.Eventually(t, func() bool {
			state = b.send("GET", operation, "", http.StatusOK)
			return state["state"] == "succeeded" || state["state"] == "failed"
		}, 2*time.Minute, 50*time.Millisecond)
		assert.Equal(t, "succeeded", state["state"], "%v", state)
	}
	t.Logf("%d operations, begun at the killed server, had ended %s later", operations, time.Since(killed).Round(time.Millisecond))
	count := b.send("POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.country","domain":[["name","=like","Batch %"]]}`, http.StatusOK)
	assert.EqualValues(t, operations*records, count["result"], "none is missing, none is there twice")
}

// logOf is the rest of a process's log.
func logOf(p *process) io.Reader {
	r, w := io.Pipe()
	go func() {
		for p.lines.Scan() {
			_, _ = w.Write(append(bytes.Clone(p.lines.Bytes()), '\n'))
		}
		_ = w.Close()
	}()
	return r
}
