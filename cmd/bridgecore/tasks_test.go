package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// killable is the program in a killable of its own.
type killable struct {
	cmd   *exec.Cmd
	url   string
	ended chan struct{}
}

// begin starts the program and waits until its log says what ready matches.
func (p program) begin(ready *regexp.Regexp, args ...string) *killable {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1", "HOST=127.0.0.1", "PORT=0"), p.environ...)
	errs, err := cmd.StderrPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, cmd.Start())
	s := &killable{cmd: cmd, ended: make(chan struct{})}
	lines := bufio.NewScanner(errs)
	var log strings.Builder
	for s.url == "" && lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			s.url = "http://" + m[1]
		}
	}
	require.NotEmpty(p.t, s.url, log.String())
	go func() {
		defer close(s.ended)
		_, _ = io.Copy(io.Discard, errs)
		_ = cmd.Wait()
	}()
	return s
}

func (s *killable) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Kill())
	<-s.ended
}

var (
	serving = regexp.MustCompile(`address"?[=:]"?([0-9.:]+)`)
	working = regexp.MustCompile(`msg"?[=:]"?(working)`)
)

// caller is a client of a server.
type caller struct {
	t          *testing.T
	url, token string
}

func (c *caller) send(method, path string, body any, want int) map[string]any {
	c.t.Helper()
	status, text, err := c.try(method, path, body)
	require.NoError(c.t, err)
	require.Equal(c.t, want, status, string(text))
	var v map[string]any
	require.NoError(c.t, json.Unmarshal(text, &v))
	return v
}

// try sends a request whatever the answer is.
func (c *caller) try(method, path string, body any) (status int, text []byte, err error) {
	c.t.Helper()
	b, err := json.Marshal(body)
	require.NoError(c.t, err)
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(string(b)))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// follow waits until an operation has got as far as enough says.
func (p program) follow(s *store.Store, id string, enough func(store.Operation) bool) store.Operation {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		op, err := s.Operation(p.t.Context(), id)
		require.NoError(p.t, err)
		if enough(op) {
			return op
		}
		select {
		case <-tick.C:
		case <-p.t.Context().Done():
			require.Fail(p.t, "the operation did not get there", "%+v", op)
		}
	}
}

// workload is a server with a system, and a batch to do on it.
type workload struct {
	program
	odoo  *odootest.Server
	store *store.Store
	call  *caller
}

func newWorkload(t *testing.T, environ ...string) *workload {
	t.Helper()
	p := newProgram(t, append([]string{"BRIDGECORE_ADMIN_PASSWORD=a-long-password", "OPERATION_SETTLE_SECONDS=1", "ALLOWED_PRIVATE_NETWORKS=127.0.0.0/8"}, environ...)...)
	return &workload{program: p, odoo: odootest.New(t, "17.0")}
}

// connect logs in at a server and registers the system.
func (w *workload) connect(url string) {
	w.t.Helper()
	w.call = &caller{t: w.t, url: url}
	w.call.token = w.call.send("POST", "/api/v1/auth/login", map[string]any{"username": "admin", "password": "a-long-password"}, 200)["access_token"].(string)
	w.call.send("POST", "/api/v1/systems", map[string]any{"system_id": "odoo", "system_type": "odoo", "system_version": "17.0", "connection_config": map[string]any{
		"url": w.odoo.URL, "database": w.odoo.Database, "username": w.odoo.Username, "password": w.odoo.Password,
	}}, 201)
	c, err := config.Load(w.environ, "")
	require.NoError(w.t, err)
	w.store, err = openStore(w.t.Context(), c, nil)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = w.store.Close() })
}

// batch starts a batch of n creations, all different but for every tenth, which
// is the same, and of updates and reads between them.
func (w *workload) batch(ref string, n int) string {
	w.t.Helper()
	var ops []map[string]any
	for i := range n {
		name := fmt.Sprintf("%s %d", ref, i)
		if i%10 == 0 {
			name = ref + " twin"
		}
		ops = append(ops, map[string]any{"action": "create", "model": "res.partner", "data": map[string]any{"name": name, "ref": ref, "email": ref + "@example.com"}})
		switch i % 40 {
		case 13:
			ops = append(ops, map[string]any{"action": "update", "model": "res.partner", "record_id": 1, "data": map[string]any{"comment": name}})
		case 26:
			ops = append(ops, map[string]any{"action": "read", "model": "res.partner", "fields": []string{"name"}, "limit": 1})
		case 39:
			ops = append(ops, map[string]any{"action": "create", "model": "res.partner", "data": map[string]any{"no_such_field": 1}})
		}
	}
	v := w.call.send("POST", "/api/v1/batch/execute", map[string]any{"system_id": "odoo", "async": true, "operations": ops}, 202)
	return v["operation_id"].(string)
}

// check holds the end against that of an unbroken run.
func (w *workload) check(id, ref string, n int) {
	w.t.Helper()
	op := w.follow(w.store, id, func(op store.Operation) bool { return op.State.Final() })
	require.Equal(w.t, store.Succeeded, op.State, op.Error)
	refused := n / 40
	assert.JSONEq(w.t, fmt.Sprintf(`{"total":%d,"successful":%d,"failed":%d}`, op.Total, int(op.Total)-refused, refused), op.Result)

	found, err := w.odoo.Call("res.partner", "search_read", []any{[]any{"ref", "=", ref}}, []any{"name"})
	require.NoError(w.t, err)
	names := map[string]int{}
	ids := map[any]bool{}
	for _, r := range found.([]any) {
		names[r.(map[string]any)["name"].(string)]++
		ids[fmt.Sprint(r.(map[string]any)["id"])] = true
	}
	assert.Len(w.t, found, n, "nothing is lost and nothing doubled")
	assert.Equal(w.t, n/10, names[ref+" twin"])
	assert.Len(w.t, names, n-n/10+1)

	parts, err := w.store.OperationParts(w.t.Context(), id)
	require.NoError(w.t, err)
	told, places := map[any]bool{}, map[int]bool{}
	for _, text := range parts {
		var items []struct {
			At    int
			Value struct {
				Action   string
				RecordID json.Number `json:"record_id"`
			}
		}
		require.NoError(w.t, json.Unmarshal([]byte(text), &items))
		for _, item := range items {
			assert.False(w.t, places[item.At], "item %d has one outcome", item.At)
			places[item.At] = true
			if item.Value.Action == "create" && item.Value.RecordID != "" {
				told[item.Value.RecordID.String()] = true
			}
		}
	}
	assert.Len(w.t, places, int(op.Total))
	assert.Equal(w.t, ids, told, "every record is told, and each once")
}

// TestKillAWorker kills the program at random, with a signal that it can't see,
// in the midst of a batch, and starts it again. The end is that of an unbroken
// run.
func TestKillAWorker(t *testing.T) {
	t.Parallel()
	const n = 1200
	w := newWorkload(t)
	command, ready := []string{"serve"}, serving
	p := w.begin(serving, "serve")
	w.connect(p.url)
	if w.store.Driver() == "postgres" {
		p.kill(t)
		w.environ = append(w.environ, "WORKERS_IN_SERVER=false")
		server := w.begin(serving, "serve")
		defer server.kill(t)
		w.call.url = server.url
		command, ready = []string{"worker"}, working
		p = w.begin(ready, command...)
	}
	defer func() { p.kill(t) }()
	w.odoo.SetFault(odootest.Fault{Contains: "create", Latency: 15 * time.Millisecond}, odootest.Fault{Contains: "search", Latency: 5 * time.Millisecond})
	id := w.batch("killed", n)
	at := int64(0)
	inFlight := 0
	kills := 6
	if w.store.Driver() == "postgres" {
		kills = 4 // each has to wait until the others notice
	}
	for range kills {
		op := w.follow(w.store, id, func(op store.Operation) bool { return op.Done > at || op.State.Final() })
		if op.State.Final() {
			break
		}
		at = op.Done + 25*rand.Int64N(4)
		// At a random moment of the pieces after that.
		wait := time.NewTimer(time.Duration(rand.IntN(40)) * time.Millisecond)
		<-wait.C
		p.kill(t)
		op, err := w.store.Operation(t.Context(), id)
		require.NoError(t, err)
		if strings.Contains(op.Cursor, `"sent":true`) {
			inFlight++
		}
		p = w.begin(ready, command...)
	}
	w.check(id, "killed", n)
	t.Logf("%s: %d kills, %d of them while a piece was being written", w.store.Driver(), kills, inFlight)
}

// TestKillAMigration does the same in the midst of records being written to
// another system.
func TestKillAMigration(t *testing.T) {
	t.Parallel()
	const n = 160
	w := newWorkload(t)
	target := odootest.New(t, "19.0")
	p := w.begin(serving, "serve")
	defer func() { p.kill(t) }()
	w.connect(p.url)
	w.call.send("POST", "/api/v1/systems", map[string]any{"system_id": "new", "system_type": "odoo", "system_version": "19.0", "connection_config": map[string]any{
		"url": target.URL, "database": target.Database, "username": target.Username, "password": target.Password,
	}}, 201)
	var ids []int64
	for i := range n {
		name := fmt.Sprint("Partner ", i)
		if i%10 == 0 {
			name = "twin"
		}
		id, err := w.odoo.Create("res.partner", map[string]any{"name": name, "ref": "moved"})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	target.SetFault(odootest.Fault{Contains: "create", Latency: 3 * time.Millisecond})
	v := w.call.send("POST", "/api/v1/systems/odoo/migrate", map[string]any{
		"model": "res.partner", "fields": []string{"name", "ref"}, "target_system_id": "new", "record_ids": ids, "async": true,
	}, 202)
	id := v["operation_id"].(string)
	killed := 0
	for range 4 {
		// In the midst of a piece.
		op := w.follow(w.store, id, func(op store.Operation) bool { return strings.Contains(op.Cursor, `"sent":true`) || op.State.Final() })
		if op.State.Final() {
			break
		}
		wait := time.NewTimer(time.Duration(rand.IntN(150)) * time.Millisecond)
		<-wait.C
		p.kill(t)
		killed++
		p = w.begin(serving, "serve")
	}
	op := w.follow(w.store, id, func(op store.Operation) bool { return op.State.Final() })
	require.Equal(t, store.Succeeded, op.State, op.Error)
	found, err := target.Call("res.partner", "search_read", []any{[]any{"ref", "=", "moved"}}, []any{"name"})
	require.NoError(t, err)
	names := map[string]int{}
	for _, r := range found.([]any) {
		names[r.(map[string]any)["name"].(string)]++
	}
	assert.Len(t, found, n, "nothing is lost and nothing doubled")
	assert.Equal(t, n/10, names["twin"])
	notes, err := target.Call("ir.model.data", "search_count", []any{[]any{"module", "=", "__bridgecore__"}})
	require.NoError(t, err)
	assert.EqualValues(t, n, notes)
	t.Logf("%s: %d kills", w.store.Driver(), killed)
}

// TestWorkersShareTheWork has three workers over one PostgreSQL, one of which
// is killed.
func TestWorkersShareTheWork(t *testing.T) {
	t.Parallel()
	if os.Getenv(storetest.PostgresVariable) == "" {
		t.Skip("workers of their own need PostgreSQL: " + storetest.PostgresVariable)
	}
	const n, operations = 400, 6
	w := newWorkload(t, "WORKERS_IN_SERVER=false", "OPERATION_WORKERS=1")
	server := w.begin(serving, "serve")
	defer server.kill(t)
	w.connect(server.url)
	w.odoo.SetFault(odootest.Fault{Contains: "create", Latency: 30 * time.Millisecond})
	var workers []*killable
	for range 3 {
		workers = append(workers, w.begin(working, "worker"))
	}
	var ids []string
	for i := range operations {
		ids = append(ids, w.batch(fmt.Sprint("shared", i), n))
	}
	by := map[string]bool{}
	w.follow(w.store, ids[0], func(store.Operation) bool {
		for _, id := range ids {
			op, err := w.store.Operation(t.Context(), id)
			require.NoError(t, err)
			if worker, _, held := strings.Cut(op.Worker, "/"); held {
				by[worker] = true
			}
		}
		return len(by) == 3
	})
	workers[0].kill(t)
	for i, id := range ids {
		w.check(id, fmt.Sprint("shared", i), n)
	}
	for _, p := range workers[1:] {
		p.kill(t)
	}
	t.Logf("%d operations of %d items by %d workers, one of them killed", operations, n, len(by))
}

func TestTasksCommands(t *testing.T) {
	w := newWorkload(t, "WORKERS_IN_SERVER=false")
	server := serve(t, w.program)
	w.connect(server.url)
	id := w.batch("waits", 3)
	status, out, _ := w.run("", "tasks", "list", "--state=queued")
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, id)
	status, out, _ = w.run("", "tasks", "cancel", id)
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "cancelled "+id+"\n", out)
	status, _, errs := w.run("", "tasks", "cancel", id)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "has ended already")
	status, out, errs = w.run("", "tasks", "watch", id)
	assert.Equal(t, statusFailed, status, "it did not succeed")
	assert.Contains(t, out, "cancelled")
	assert.Contains(t, errs, "tasks show "+id)
	status, out, _ = w.run("", "tasks", "retry", id)
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "queued again "+id+"\n", out)
	server.cancel()
	assert.Equal(t, statusOK, <-server.ended)
	http.DefaultClient.CloseIdleConnections()

	// A server that works takes it up.
	w.environ = append(w.environ, "WORKERS_IN_SERVER=true")
	server = serve(t, w.program)
	status, out, errs = w.run("", "tasks", "watch", id)
	assert.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "succeeded 3 of 3 done, 0 failed")
	for language, want := range map[string]string{"fr": "3 sur 3 traités, 0 échec", "ar": "أُنجزت 3 من 3، دون إخفاق"} {
		for _, command := range []string{"watch", "show"} {
			status, out, errs = w.run("", "--lang", language, "tasks", command, id)
			assert.Equal(t, statusOK, status, errs)
			assert.Contains(t, out, want, command)
		}
	}
	status, out, _ = w.run("", "tasks", "show", id)
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, `{"total":3,"successful":3,"failed":0}`)
	status, _, errs = w.run("", "tasks", "show", "nothing")
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, `there is no operation "nothing"; bridgecore tasks list`)
	server.cancel()
	assert.Equal(t, statusOK, <-server.ended)
	http.DefaultClient.CloseIdleConnections()
	if w.store.Driver() == "sqlite" {
		status, _, errs = w.run("", "worker")
		assert.Equal(t, statusUsage, status)
		assert.Contains(t, errs, "need PostgreSQL")
	}
}
