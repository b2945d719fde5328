package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

// withTasks gives an env an engine for background operations, which start lets
// work.
func withTasks(tb testing.TB, change func(*task.Config)) (_ option, start func()) {
	tb.Helper()
	var engine *task.Engine
	return func(hc *httpapi.Config, bc *bridge.Config) {
			where, known := databases.Load(hc.Store)
			require.True(tb, known)
			c := task.Config{Store: hc.Store, DSN: where.(store.Options).DSN, Log: hc.Log, Backoff: time.Millisecond}
			if change != nil {
				change(&c)
			}
			var err error
			engine, err = task.New(tb.Context(), c)
			require.NoError(tb, err)
			hc.Tasks = engine
			bc.Breaker = breaker.Settings{Failures: 1000}
		}, func() {
			require.NoError(tb, engine.Start(tb.Context()))
			tb.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				assert.NoError(tb, engine.Stop(ctx))
				engine.Close()
			})
		}
}

// event is a server-sent one.
type event struct {
	id, name string
	data     map[string]any
}

// follow reads the events of an operation until see says that it has seen
// enough, or the stream ends.
func (e *env) follow(user, id, last string, see func(event) bool) []event {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, e.url+"/api/v1/operations/"+id+"/events", nil)
	require.NoError(e.t, err)
	req.Header.Set("Authorization", "Bearer "+e.tokens[user])
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := e.client.Do(req)
	require.NoError(e.t, err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(res.Body)
		require.Equal(e.t, http.StatusOK, res.StatusCode, string(b))
	}
	require.Equal(e.t, "text/event-stream", res.Header.Get("Content-Type"))
	var all []event
	var now event
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "id":
			now.id = value
		case "event":
			now.name = value
		case "data":
			require.NoError(e.t, json.Unmarshal([]byte(value), &now.data))
			all = append(all, now)
			if see != nil && see(now) {
				return all
			}
			now = event{}
		}
	}
	return all
}

// started starts an operation and returns its id.
func (e *env) started(user, path, body string, headers ...string) string {
	e.t.Helper()
	a := e.send(user, http.MethodPost, path, body, headers...)
	v := a.ok(http.StatusAccepted)
	id, _ := v["operation_id"].(string)
	require.NotEmpty(e.t, id)
	assert.Equal(e.t, "/api/v1/operations/"+id, v["status_url"])
	assert.Equal(e.t, v["status_url"], a.header.Get("Location"))
	return id
}

// ended follows an operation to its end and checks which that is.
func (e *env) ended(user, id, state string) map[string]any {
	e.t.Helper()
	all := e.follow(user, id, "", nil)
	require.NotEmpty(e.t, all)
	last := all[len(all)-1]
	require.Equal(e.t, state, last.name, "%v", last.data)
	return last.data
}

func creations(n int, also ...string) string {
	ops := append([]string{}, also...)
	for i := range n {
		ops = append(ops, fmt.Sprintf(`{"action":"create","model":"res.partner","data":{"name":"Partner %d","ref":"batch"}}`, i))
	}
	return strings.Join(ops, ",")
}

func batched(t *testing.T, odoo *odootest.Server) int {
	t.Helper()
	n, err := odoo.Call("res.partner", "search_count", []any{[]any{"ref", "=", "batch"}})
	require.NoError(t, err)
	return int(n.(int64))
}

// A batch in the background has the results that it has otherwise.
func TestABatchInTheBackground(t *testing.T) {
	const mixed = `{"action":"create","model":"res.partner","data":{"no_such_field":1}},{"action":"read","model":"res.partner","fields":["name"],"order":"id","limit":2},` +
		`{"operation":"search_count","model":"res.partner","domain":[["id","<",3]]},{"action":"delete","model":"res.partner","record_id":999999}`
	results := map[bool]map[string]any{}
	for _, async := range []bool{false, true} {
		tasks, start := withTasks(t, nil)
		odoo := odootest.New(t, "17.0")
		var log *audit.Log
		e := newEnv(t, tasks, func(hc *httpapi.Config, bc *bridge.Config) {
			log = audit.New(audit.Config{Store: hc.Store})
			hc.Auditing.Log = log
			bc.Observer = httpapi.Changes{Log: log}
		})
		t.Cleanup(func() { _ = log.Close() })
		start()
		e.register("admin", "odoo", odoo)
		body := fmt.Sprintf(`{"system_id":"odoo","async":%t,"operations":[%s]}`, async, creations(120, mixed))
		if !async {
			results[async] = e.send("clerk", "POST", batchPath, body).ok(200)
			continue
		}
		id := e.started("clerk", batchPath, body, "Idempotency-Key", "once")
		assert.Equal(t, id, e.started("clerk", batchPath, body, "Idempotency-Key", "once"), "the same request is the same operation")
		end := e.ended("clerk", id, "succeeded")
		assert.EqualValues(t, 124, end["progress"].(map[string]any)["done"])
		assert.EqualValues(t, 100, end["progress"].(map[string]any)["percent"])
		a := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "")
		results[async] = a.ok(200)
		assert.Equal(t, `attachment; filename="batch-`+id+`.json"`, a.header.Get("Content-Disposition"))
		assert.Equal(t, 120, batched(t, odoo))

		entries := e.send("admin", "GET", "/api/v1/audit?action=batch&user=clerk", "").ok(200)["entries"].([]any)
		changed := 0
		for _, entry := range entries {
			changed += len(entry.(map[string]any)["record_ids"].([]any))
			changes, _ := entry.(map[string]any)["details"].(map[string]any)["changes"].([]any)
			for _, c := range changes {
				changed += len(c.(map[string]any)["ids"].([]any))
			}
		}
		assert.Equal(t, 120, changed, "every record is in the audit log")
	}
	for _, v := range results {
		for _, item := range v["results"].([]any) {
			if e, ok := item.(map[string]any)["error"].(map[string]any); ok {
				delete(e, "request_id")
			}
		}
	}
	assert.Equal(t, results[false], results[true])
}

func TestOperationsAreTheirOwners(t *testing.T) {
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(2)+`]}`)
	byAdmin := e.started("admin", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(2)+`]}`)
	for _, verb := range []string{"GET ", "GET /result", "GET /events", "POST /cancel", "POST /retry"} {
		method, path, _ := strings.Cut(verb, " ")
		missing := e.send("rival", method, "/api/v1/operations/nothere"+path, "")
		want := missing.problem(404, "not_found")
		assert.Equal(t, want, e.send("rival", method, "/api/v1/operations/"+id+path, "").problem(404, "not_found"), "%s of another tenant", verb)
		assert.Equal(t, want, e.send("clerk", method, "/api/v1/operations/"+byAdmin+path, "").problem(404, "not_found"), "%s of another user", verb)
		assert.Equal(t, 401, e.send("", method, "/api/v1/operations/"+id+path, "").status)
	}
	count := func(user, query string) int {
		return len(e.send(user, "GET", "/api/v1/operations"+query, "").ok(200)["operations"].([]any))
	}
	assert.Equal(t, 0, count("rival", ""))
	assert.Equal(t, 1, count("clerk", ""))
	assert.Equal(t, 2, count("admin", ""))
	assert.Equal(t, 0, count("admin", "?state=running"))
	assert.Equal(t, 0, count("admin", "?kind=migrate"))
	page := e.send("admin", "GET", "/api/v1/operations?limit=1", "").ok(200)
	assert.Equal(t, byAdmin, page["operations"].([]any)[0].(map[string]any)["operation_id"], "the newest first")
	page = e.send("admin", "GET", "/api/v1/operations?limit=1&cursor="+page["next_cursor"].(string), "").ok(200)
	assert.Equal(t, id, page["operations"].([]any)[0].(map[string]any)["operation_id"])
	assert.Nil(t, page["next_cursor"])
	e.send("admin", "POST", "/api/v1/operations/"+id+"/cancel", "").ok(200)
	e.send("admin", "POST", "/api/v1/operations/"+id+"/cancel", "").problem(409, "conflict")
}

func TestABatchIsRefusedBeforeItStarts(t *testing.T) {
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks, func(hc *httpapi.Config, _ *bridge.Config) { hc.MaxBody = 8 << 20 })
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	e.send("clerk", "POST", batchPath, `{"system_id":"odoo","async":true,"operations":[{"action":"read"}]}`).problem(422, "invalid_argument")
	e.send("clerk", "POST", batchPath, `{"system_id":"nowhere","async":true,"operations":[`+creations(1)+`]}`).problem(404, "not_found")
	e.send("clerk", "POST", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(10_001)+`]}`).problem(422, "invalid_argument")
	e.send("clerk", "POST", "/api/v1/systems/odoo/migrate", `{"model":"res.partner","to_version":"99.0","record_ids":[1],"async":true}`).problem(422, "invalid_argument")
	assert.Empty(t, e.send("admin", "GET", "/api/v1/operations", "").ok(200)["operations"])
	e = newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	e.send("clerk", "POST", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(1)+`]}`).problem(501, "unsupported")
}

// An operation that runs ends soon after it is cancelled, and what was done is
// told.
func TestCancelWhileRunning(t *testing.T) {
	tasks, start := withTasks(t, nil)
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, tasks)
	start()
	e.register("admin", "odoo", odoo)
	odoo.SetFault(odootest.Fault{Contains: "create", Latency: 100 * time.Millisecond})
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(1000)+`]}`)
	var cancel sync.Once
	var asked, ended time.Time
	all := e.follow("clerk", id, "", func(v event) bool {
		if v.data["progress"].(map[string]any)["done"].(float64) > 0 {
			cancel.Do(func() {
				asked = time.Now()
				e.send("clerk", "POST", "/api/v1/operations/"+id+"/cancel", "").ok(200)
			})
		}
		return false
	})
	ended = time.Now()
	assert.Equal(t, "cancelled", all[len(all)-1].name)
	t.Logf("cancelled after %v", ended.Sub(asked))
	result := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").ok(200)
	assert.Equal(t, 1000.0, result["total"])
	assert.Equal(t, result["total"], result["successful"].(float64)+result["failed"].(float64)+result["skipped"].(float64))
	assert.Positive(t, result["skipped"])
	made := batched(t, odoo)
	assert.LessOrEqual(t, result["successful"], float64(made))

	// Tried again, it does the rest.
	odoo.SetFault()
	before := result["failed"].(float64)
	e.send("clerk", "POST", "/api/v1/operations/"+id+"/retry", "").ok(200)
	e.ended("clerk", id, "succeeded")
	result = e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").ok(200)
	assert.EqualValues(t, 1000-before, result["successful"])
	if before == 0 {
		assert.Equal(t, 1000, batched(t, odoo))
	}
}

func TestTheSystemGoesAwayAndComesBack(t *testing.T) {
	tasks, start := withTasks(t, func(c *task.Config) { c.MaxAttempts = 1000; c.Backoff = 20 * time.Millisecond })
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, tasks)
	start()
	e.register("admin", "odoo", odoo)
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(200)+`]}`)
	down, up := false, false
	all := e.follow("clerk", id, "", func(v event) bool {
		switch done := v.data["progress"].(map[string]any)["done"].(float64); {
		case !down && done > 0:
			down = true
			odoo.Down()
		case down && !up && v.data["error"] != nil:
			up = true
			assert.Equal(t, "queued", v.data["state"], "it waits")
			assert.NotNil(t, v.data["next_attempt_at"])
			require.NoError(t, odoo.Up())
		}
		return false
	})
	assert.Equal(t, "succeeded", all[len(all)-1].name)
	result := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").ok(200)
	// What was on its way when the connection was cut has an unknown outcome.
	unknown := 0
	for _, item := range result["results"].([]any) {
		if info, bad := item.(map[string]any)["error"].(map[string]any); bad {
			assert.Equal(t, "unknown_outcome", info["code"])
			unknown++
		}
	}
	assert.EqualValues(t, 200-unknown, result["successful"])
	made := batched(t, odoo)
	assert.GreaterOrEqual(t, made, 200-unknown)
	assert.LessOrEqual(t, made, 200)
	if up {
		t.Log("the outage was seen")
	}
}

// A system that stays away ends the operation as failed, and a retry does the
// rest.
func TestFailureAndRetry(t *testing.T) {
	tasks, start := withTasks(t, func(c *task.Config) { c.MaxAttempts = 2 })
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, tasks)
	e.register("admin", "odoo", odoo)
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(60)+`]}`)
	odoo.Down()
	start()
	end := e.ended("clerk", id, "failed")
	assert.Equal(t, "unavailable", end["error"].(map[string]any)["code"])
	assert.NotEmpty(t, end["error"].(map[string]any)["request_id"])
	assert.NotContains(t, fmt.Sprint(end["error"]), strings.TrimPrefix(odoo.URL, "http://"))
	require.NoError(t, odoo.Up())
	e.send("clerk", "POST", "/api/v1/operations/"+id+"/retry", "").ok(200)
	e.ended("clerk", id, "succeeded")
	assert.Equal(t, 60, batched(t, odoo))
}

func TestTheUserWasDeactivatedMeanwhile(t *testing.T) {
	tasks, start := withTasks(t, nil)
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, tasks)
	e.register("admin", "odoo", odoo)
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(30)+`]}`)
	_, err := e.store.SQL().ExecContext(t.Context(), "UPDATE users SET is_active = false WHERE username = 'clerk'")
	require.NoError(t, err)
	start()
	end := e.ended("admin", id, "failed")
	assert.Equal(t, "permission_denied", end["error"].(map[string]any)["code"])
	assert.Zero(t, batched(t, odoo))
}

// A client whose connection broke goes on after the last event it had.
func TestEventsAfterABrokenConnection(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(300)+`]}`)
	first := e.follow("clerk", id, "", func(event) bool { return true })
	require.Len(t, first, 1)
	assert.Equal(t, "queued", first[0].data["state"])
	start()
	seen := first[0].id
	done := -1.0
	for rounds := 0; ; rounds++ {
		got := e.follow("clerk", id, seen, func(event) bool { return true }) // breaks off after each
		require.NotEmpty(t, got)
		assert.NotEqual(t, seen, got[0].id, "nothing comes twice")
		seen = got[0].id
		now := got[0].data["progress"].(map[string]any)["done"].(float64)
		assert.GreaterOrEqual(t, now, done)
		done = now
		if got[0].name != "progress" {
			assert.Equal(t, "succeeded", got[0].name)
			break
		}
	}
	// The end is told again to whoever comes back after it.
	got := e.follow("clerk", id, seen, nil)
	require.Len(t, got, 1)
	assert.Equal(t, "succeeded", got[0].name)
}

// Whoever may see an operation no more hears no more of it.
func TestEventsEndWithTheRight(t *testing.T) {
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.user("deputy", "acme", store.Admin)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	for name, end := range map[string]func(){
		"no admin any more":  func() { e.change("deputy", func(u *store.User) { u.Role = store.Plain }) },
		"no user any more":   func() { e.change("deputy", func(u *store.User) { u.IsActive = false }) },
		"of a closed tenant": func() { e.tenant("acme", func(t *store.Tenant) { t.Status = store.Suspended }) },
	} {
		t.Run(name, func(t *testing.T) {
			e.change("deputy", func(u *store.User) { u.Role, u.IsActive = store.Admin, true })
			e.tenant("acme", func(t *store.Tenant) { t.Status = store.Active })
			id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(2)+`]}`)
			got := e.follow("deputy", id, "", func(ev event) bool {
				if ev.name == "progress" {
					end()
					assert.NoError(t, e.store.CancelOperation(t.Context(), id, time.Hour))
				}
				return false
			})
			assert.Len(t, got, 1, "of the cancellation nothing is told")
		})
	}
}

func TestAMigrationInTheBackground(t *testing.T) {
	results := map[bool]map[string]any{}
	for _, async := range []bool{false, true} {
		tasks, start := withTasks(t, nil)
		old, target := odootest.New(t, "17.0"), odootest.New(t, "19.0")
		e := newEnv(t, tasks)
		start()
		e.register("admin", "old", old)
		e.register("admin", "new", target)
		var ids []string
		var first int64
		for i := range 70 {
			id, err := old.Create("res.partner", map[string]any{"name": fmt.Sprint("Partner ", i), "ref": "batch"})
			require.NoError(t, err)
			switch i {
			case 0:
				first = id
			case 69: // the first one's parent comes last
				_, err := old.Call("res.partner", "write", []any{first}, map[string]any{"parent_id": id})
				require.NoError(t, err)
			}
			ids = append(ids, strconv.FormatInt(id, 10))
		}
		ids = append(ids, "999999")
		body := fmt.Sprintf(`{"model":"res.partner","fields":["name","ref","parent_id"],"target_system_id":"new","record_ids":[%s],"async":%t}`, strings.Join(ids, ","), async)
		if !async {
			results[async] = e.send("clerk", "POST", "/api/v1/systems/old/migrate", body).ok(200)
			continue
		}
		for range 2 {
			id := e.started("clerk", "/api/v1/systems/old/migrate", body)
			e.ended("clerk", id, "succeeded")
			result := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").ok(200)
			if results[async] == nil {
				results[async] = result
			} else {
				assert.EqualValues(t, 70, result["updated"], "the second time nothing is new")
			}
			assert.Equal(t, 70, batched(t, target))
			children, err := target.Call("res.partner", "search_count", []any{[]any{"ref", "=", "batch"}, []any{"parent_id.name", "=", "Partner 69"}})
			require.NoError(t, err)
			assert.EqualValues(t, 1, children, "a reference to a record of a later step")
		}
	}
	assert.Equal(t, results[false], results[true])
}

func TestDocumentedOperations(t *testing.T) {
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	play(t, e, "testdata/tasks/*.json")
}
