package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// syncing has two systems of different versions, and records in the first.
func syncing(t *testing.T) (*env, *odootest.Server, *odootest.Server) {
	t.Helper()
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks, withLenses)
	start()
	old := odootest.NewServer(odootest.Config{Version: "17.0", NoDemo: true})
	new := odootest.NewServer(odootest.Config{Version: "19.0", NoDemo: true})
	t.Cleanup(old.Close)
	t.Cleanup(new.Close)
	e.register("admin", "odoo_main", old)
	e.register("admin", "odoo_backup", new)
	var parent any
	for i := range 30 {
		values := map[string]any{"name": fmt.Sprint("Synced ", i), "email": fmt.Sprint("s", i, "@example.com"), "ref": "sync"}
		if parent != nil {
			values["parent_id"] = parent
		}
		id, err := old.Create("res.partner", values)
		require.NoError(t, err)
		if i == 0 {
			parent = id
		}
	}
	return e, old, new
}

const syncBody = `{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","fields":["name","email","phone","ref","parent_id"],"filter":[["ref","=","sync"]],"words":"pinned","version":"17.0","page_size":8%s}`

func (e *env) synced(also string) map[string]any {
	e.t.Helper()
	id := e.started("clerk", "/api/v1/sync", fmt.Sprintf(syncBody, also))
	end := e.ended("clerk", id, "succeeded")
	v := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").ok(200)
	for name, count := range end["result"].(map[string]any) {
		assert.Equal(e.t, v[name], count, "%s of the operation and of its result", name)
	}
	assert.Equal(e.t, v["total"], end["progress"].(map[string]any)["done"])
	return v
}

func TestSync(t *testing.T) {
	e, _, new := syncing(t)
	v := e.synced(`,"dry_run":true`)
	assert.EqualValues(t, 30, v["created"], "a dry run says what would be: %v", v)
	n, err := new.Call("res.partner", "search_count", []any{[]any{"name", "like", "Synced"}})
	require.NoError(t, err)
	assert.EqualValues(t, 0, n)

	v = e.synced("")
	assert.Equal(t, true, v["success"])
	assert.EqualValues(t, 30, v["created"])
	assert.EqualValues(t, 0, v["errors"])
	assert.EqualValues(t, 30, v["total"])
	assert.Len(t, v["records"], 30)
	n, err = new.Call("res.partner", "search_count", []any{[]any{"parent_id.name", "=", "Synced 0"}})
	require.NoError(t, err)
	assert.EqualValues(t, 29, n, "parents are the target's own records")

	v = e.synced("")
	assert.EqualValues(t, 0, v["created"], "nothing is left to do")
	assert.EqualValues(t, 0, v["updated"])

	v = e.synced(`,"bidirectional":true`)
	assert.EqualValues(t, 30, v["total"], "each is counted once, however often it was looked at")
	assert.EqualValues(t, 30, v["unchanged"])
}

func TestSyncConflictsWaitForAChoice(t *testing.T) {
	e, old, new := syncing(t)
	e.synced(`,"bidirectional":true,"conflicts":"manual"`)
	for _, s := range []*odootest.Server{old, new} {
		ids, err := s.Call("res.partner", "search", []any{[]any{"name", "=", "Synced 3"}})
		require.NoError(t, err)
		_, err = s.Call("res.partner", "write", ids, map[string]any{"phone": "of " + s.Version})
		require.NoError(t, err)
	}
	v := e.synced(`,"bidirectional":true,"conflicts":"manual"`)
	assert.EqualValues(t, 1, v["conflicts"], "%v", v)
	const pair = "?source_system_id=odoo_main&target_system_id=odoo_backup&model=res.partner&words=pinned&version=17.0"
	list := e.send("clerk", "GET", "/api/v1/sync/conflicts"+pair, "").ok(200)["conflicts"].([]any)
	require.Len(t, list, 1)
	conflict := list[0].(map[string]any)
	assert.Equal(t, "fields", conflict["kind"])
	path := fmt.Sprintf("/api/v1/sync/conflicts/%v", conflict["conflict_id"])
	const named = `{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","words":"pinned","version":"17.0","choice":%q}`
	e.send("clerk", "POST", path, fmt.Sprintf(named, "nobody")).problem(422, "invalid_argument")
	e.send("rival", "POST", path, fmt.Sprintf(named, "target")).problem(404, "not_found")
	// It has values of the records, and is a change of them to come. A universal
	// model is judged by what the systems call it.
	others := []string{"&model=contact&words=universal", "&model=res.partner&words=own"}
	for rule, want := range map[string][2]int{"sale.order": {403, 403}, "res.partner:read": {200, 403}, "res.partner:write": {403, 403}} {
		e.tenant("acme", func(t *store.Tenant) { t.Access = map[string][]string{"user": {rule}} })
		assert.Equal(t, want[0], e.send("clerk", "GET", "/api/v1/sync/conflicts"+pair, "").status, "list with %s", rule)
		for _, other := range others {
			assert.Equal(t, want[0], e.send("clerk", "GET", "/api/v1/sync/conflicts?source_system_id=odoo_main&target_system_id=odoo_backup"+other, "").status, "%s with %s", other, rule)
		}
		assert.Equal(t, want[1], e.send("clerk", "POST", path, fmt.Sprintf(named, "target")).status, "choose with %s", rule)
	}
	e.tenant("acme", func(t *store.Tenant) { t.Access = map[string][]string{"user": {"res.partner"}} })
	e.send("clerk", "POST", path, fmt.Sprintf(named, "target")).ok(200)
	e.tenant("acme", func(t *store.Tenant) { t.Access = nil })
	v = e.synced(`,"bidirectional":true,"conflicts":"manual"`)
	assert.EqualValues(t, 1, v["reverse"].(map[string]any)["updated"], "%v", v)
	n, err := old.Call("res.partner", "search_count", []any{[]any{"phone", "=", "of 19.0"}})
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestTwoSyncsOfOnePair(t *testing.T) {
	e, _, new := syncing(t)
	new.SetFault(odootest.Fault{Contains: "create", Latency: 2 * time.Second})
	id := e.started("clerk", "/api/v1/sync", fmt.Sprintf(syncBody, ""))
	e.send("clerk", "POST", "/api/v1/sync", fmt.Sprintf(syncBody, "")).problem(409, "conflict")
	e.send("clerk", "POST", "/api/v1/operations/"+id+"/cancel", "{}").ok(200)
	new.SetFault()
}

func TestBadSyncs(t *testing.T) {
	e, _, _ := syncing(t)
	for name, tc := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"itself":           {`{"source_system_id":"odoo_main","target_system_id":"odoo_main","model":"res.partner"}`, 422, "invalid_argument"},
		"unknown system":   {`{"source_system_id":"odoo_main","target_system_id":"nope","model":"res.partner"}`, 404, "not_found"},
		"unknown field":    {`{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","fields":["nam"]}`, 422, "invalid_argument"},
		"unknown model":    {`{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"no.such"}`, 404, "not_found"},
		"lines":            {`{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","fields":["child_ids"]}`, 422, "invalid_argument"},
		"pinned to none":   {`{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","words":"pinned"}`, 422, "invalid_argument"},
		"broken filter":    {`{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","filter":[["x"]]}`, 422, "invalid_argument"},
		"of somebody else": {`{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","unknown":1}`, 422, "invalid_argument"},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("clerk", "POST", "/api/v1/sync", tc.body)
			a.t = t
			a.problem(tc.status, tc.code)
		})
	}
	e.send("rival", "POST", "/api/v1/sync", fmt.Sprintf(syncBody, "")).problem(404, "not_found")
}

func TestDocumentedSync(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	start()
	main, backup := odootest.New(t, "17.0"), odootest.New(t, "17.0")
	e.register("admin", "odoo_main", main)
	e.register("admin", "odoo_backup", backup)
	run := func() {
		id := e.started("clerk", "/api/v1/sync", `{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","fields":["name","phone"],"filter":[["ref","=","sync"]],"bidirectional":true,"conflicts":"manual"}`)
		e.ended("clerk", id, "succeeded")
	}
	for _, s := range []*odootest.Server{main, backup} {
		_, err := s.Create("res.partner", map[string]any{"name": "Azure Interior", "ref": "sync"})
		require.NoError(t, err)
	}
	// They met as two records that have the same name.
	id := e.started("clerk", "/api/v1/sync", `{"source_system_id":"odoo_main","target_system_id":"odoo_backup","model":"res.partner","fields":["name","phone"],"filter":[["ref","=","sync"]],"match":["name"],"bidirectional":true,"conflicts":"manual"}`)
	e.ended("clerk", id, "succeeded")
	for i, s := range []*odootest.Server{main, backup} {
		ids, err := s.Call("res.partner", "search", []any{[]any{"ref", "=", "sync"}})
		require.NoError(t, err)
		_, err = s.Call("res.partner", "write", ids, map[string]any{"phone": []string{"+966 11 111 1111", "+966 12 222 2222"}[i]})
		require.NoError(t, err)
	}
	run()
	list := e.send("clerk", "GET", "/api/v1/sync/conflicts?source_system_id=odoo_main&target_system_id=odoo_backup&model=res.partner", "").ok(200)["conflicts"].([]any)
	require.Len(t, list, 1)
	play(t, e, "testdata/sync/*.json", "{conflict}", fmt.Sprint(list[0].(map[string]any)["conflict_id"]))
}
