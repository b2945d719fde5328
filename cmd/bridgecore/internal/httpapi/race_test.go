package httpapi_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

var races = flag.Int("races", 3, "rounds of what two servers are asked for at the same time")

// apart is another server over the same database, with connections and an
// engine of its own.
func (e *env) apart() *env {
	e.t.Helper()
	c, bc := e.api.Config, e.bridgeConfig
	where, known := databases.Load(c.Store)
	require.True(e.t, known)
	s, err := store.Open(e.t.Context(), where.(store.Options))
	require.NoError(e.t, err)
	e.t.Cleanup(func() { _ = s.Close() })
	hub, err := live.New(live.Config{Log: slog.New(slog.DiscardHandler)})
	require.NoError(e.t, err)
	bc.Observer = hub
	b, err := bridge.New(bc)
	require.NoError(e.t, err)
	hub.Use(b)
	engine, err := task.New(e.t.Context(), task.Config{Store: s, DSN: where.(store.Options).DSN, Log: c.Log, Backoff: time.Millisecond})
	require.NoError(e.t, err)
	c.Store, c.Bridge, c.Live, c.Tasks = s, b, hub, engine
	other := *e
	other.store, other.api, other.bridge = s, httpapi.New(c), b
	if s.Driver() == "postgres" { // over SQLite there is one process
		require.NoError(e.t, engine.Start(e.t.Context()))
	}
	srv := httptest.NewServer(other.api)
	other.url, other.client = srv.URL, srv.Client()
	e.t.Cleanup(func() {
		_ = hub.Close()
		srv.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(e.t, engine.Stop(ctx))
		engine.Close()
		_ = b.Close()
	})
	return &other
}

// both sends the same request to both servers at the same time.
func both(a, b *env, user, path, body string, headers ...string) [2]answer {
	var got [2]answer
	var group sync.WaitGroup
	start := make(chan struct{})
	for i, e := range []*env{a, b} {
		group.Go(func() {
			<-start
			got[i] = e.send(user, http.MethodPost, path, body, headers...)
		})
	}
	close(start)
	group.Wait()
	return got
}

// Two servers get one request with one key at the same time: there is one
// operation, and what it does is done once.
func TestTwoServersGetOneKey(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	start()
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	other := e.apart()
	for round := range *races {
		name := fmt.Sprint("raced ", round)
		body := `{"system_id":"odoo","async":true,"operations":[{"model":"res.partner","action":"create","data":{"name":"` + name + `"}}]}`
		key := []string{"Idempotency-Key", "race-" + strconv.Itoa(round)}
		ids := map[string]bool{}
		for _, a := range both(e, other, "clerk", "/api/v1/batch/execute", body, key...) {
			if a.status == http.StatusConflict {
				assert.NotEmpty(t, a.header.Get("Retry-After"), "the other is at it")
				continue
			}
			ids[a.ok(http.StatusAccepted)["operation_id"].(string)] = true
		}
		// Afterwards both say the same.
		for _, a := range both(e, other, "clerk", "/api/v1/batch/execute", body, key...) {
			assert.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
			ids[a.ok(http.StatusAccepted)["operation_id"].(string)] = true
		}
		require.Len(t, ids, 1, "one operation")
		for id := range ids {
			e.ended("clerk", id, "succeeded")
		}
		assert.Equal(t, 1, partners(e, name), "done once")
	}
	list := e.send("clerk", "GET", "/api/v1/operations?kind=batch", "").ok(200)["operations"].([]any)
	assert.Len(t, list, *races)
}

// Two servers are asked to synchronise one pair at the same time: one begins, and
// the other says which operation has it.
func TestTwoServersSynchroniseOnePair(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks, withLenses)
	old, new := odootest.New(t, "17.0"), odootest.New(t, "19.0")
	e.register("admin", "odoo_main", old)
	e.register("admin", "odoo_backup", new)
	for i := range 5 {
		_, err := old.Create("res.partner", map[string]any{"name": fmt.Sprint("Synced ", i), "ref": "sync"})
		require.NoError(t, err)
	}
	other := e.apart()
	if e.store.Driver() == "postgres" {
		// Nobody is to work on what is started before it is cancelled.
		require.NoError(t, other.api.Tasks.Stop(t.Context()))
	}
	for round := range *races + 1 {
		started := ""
		var refused []answer
		for _, a := range both(e, other, "clerk", "/api/v1/sync", fmt.Sprintf(syncBody, "")) {
			if a.status == http.StatusConflict {
				refused = append(refused, a)
				continue
			}
			started = a.ok(http.StatusAccepted)["operation_id"].(string)
		}
		require.Len(t, refused, 1)
		assert.Contains(t, refused[0].problem(http.StatusConflict, "conflict"), "operation "+started)
		if round < *races {
			e.send("clerk", "POST", "/api/v1/operations/"+started+"/cancel", "{}").ok(200)
			continue
		}
		start()
		e.ended("clerk", started, "succeeded")
	}
	n, err := new.Call("res.partner", "search_count", []any{[]any{"name", "like", "Synced"}})
	require.NoError(t, err)
	assert.EqualValues(t, 5, n)
}

// Two migrations of the same records at the same time leave each record once.
func TestTwoMigrationsOfTheSameRecords(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	start()
	old, target := odootest.New(t, "17.0"), odootest.New(t, "19.0")
	e.register("admin", "old", old)
	e.register("admin", "new", target)
	other := e.apart()
	for round := range *races {
		var ids []string
		for i := range 30 {
			id, err := old.Create("res.partner", map[string]any{"name": fmt.Sprint("Moved ", round, ".", i), "ref": "batch"})
			require.NoError(t, err)
			ids = append(ids, strconv.FormatInt(id, 10))
		}
		// Slow notes are what two are likely to meet at.
		target.SetFault(odootest.Fault{Contains: "__bridgecore__", Latency: 2 * time.Millisecond})
		body := fmt.Sprintf(`{"model":"res.partner","fields":["name","ref"],"target_system_id":"new","record_ids":[%s],"async":true}`, strings.Join(ids, ","))
		created := 0
		for _, a := range both(e, other, "clerk", "/api/v1/systems/old/migrate", body) {
			id := a.ok(http.StatusAccepted)["operation_id"].(string)
			e.ended("clerk", id, "succeeded")
			result := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").ok(200)
			assert.Empty(t, result["errors"], "%v", result["errors"])
			n, _ := result["created"].(float64)
			created += int(n)
		}
		assert.Equal(t, 30*(round+1), batched(t, target), "each once")
		assert.Equal(t, 30, created)
	}
}
