package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// ledger is the store, until it breaks.
type ledger struct {
	to     *store.Store
	broken atomic.Bool
}

func (l *ledger) AppendAudit(ctx context.Context, entries []*store.AuditEntry) error {
	if l.broken.Load() {
		return errors.New("disk full")
	}
	return l.to.AppendAudit(ctx, entries)
}

func withAudit(tb testing.TB, reads bool) (*ledger, option) {
	tb.Helper()
	led := &ledger{}
	return led, func(c *httpapi.Config, b *bridge.Config) {
		led.to = c.Store
		log := audit.New(audit.Config{Store: led, Log: c.Log})
		tb.Cleanup(func() { _ = log.Close() })
		c.Auditing = httpapi.Auditing{Log: log, Reads: reads}
		b.Observer = httpapi.Changes{Log: log}
	}
}

// trail reads the log through the API, the oldest first.
func (e *env) trail(user, query string) []map[string]any {
	e.t.Helper()
	var out []map[string]any
	for cursor := ""; ; {
		v := e.send(user, http.MethodGet, "/api/v1/audit?limit=3&"+query+cursor, "").ok(200)
		for _, item := range v["entries"].([]any) {
			out = append([]map[string]any{item.(map[string]any)}, out...)
		}
		next, more := v["next_cursor"].(string)
		if !more {
			return out
		}
		cursor = "&cursor=" + next
	}
}

func TestWhoDidWhat(t *testing.T) {
	_, audited := withAudit(t, false)
	e := newEnv(t, audited)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	do := func(user, path, body string) answer { return e.send(user, http.MethodPost, "/api/v1/"+path, body) }
	id := do("clerk", "systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"canary-value"}}`).ok(200)["result"].(map[string]any)["id"].(float64)
	do("clerk", "systems/odoo/odoo/search_read", `{"model":"res.partner","limit":1}`).ok(200)
	do("clerk", "systems/odoo/odoo/call_kw", `{"model":"res.partner","method":"write","args":[[1],{"name":"x","color":3}]}`).ok(200)
	assert.Equal(t, 404, do("clerk", "systems/odoo/crud", `{"action":"delete","model":"res.partner","record_id":999999}`).status)
	do("clerk", "batch/execute", `{"system_id":"odoo","operations":[{"action":"create","model":"res.partner","data":{"name":"a"}},{"action":"create","model":"res.partner","data":{"name":"b"}}]}`).ok(200)
	upsert := `{"action":"upsert","model":"res.partner","key":"external_id","key_value":"a.b","data":{"name":"canary-value"}}`
	for range 2 {
		do("clerk", "systems/odoo/crud", upsert).ok(200)
	}
	assert.Equal(t, 403, e.send("clerk", http.MethodGet, "/api/v1/audit", "").status)
	assert.Equal(t, 401, do("", "auth/login", `{"username":"Clerk","password":"canary-wrong"}`).status)

	trail := e.trail("admin", "")
	var got []string
	for _, x := range trail {
		model, _ := x["model"].(string)
		got = append(got, strings.TrimSpace(strings.Join([]string{x["user"].(string), x["action"].(string), model, x["outcome"].(string)}, " ")))
	}
	assert.Equal(t, []string{
		"admin registerSystem  ok",
		"clerk create res.partner ok",
		"clerk write res.partner ok",
		"clerk unlink res.partner not_found",
		"clerk batch  ok",
		"clerk upsert res.partner ok",
		"clerk upsert res.partner ok",
		"clerk listAuditEntries  permission_denied",
		"clerk login  invalid_credentials",
	}, got)
	create := trail[1]
	assert.Equal(t, []any{id}, create["record_ids"])
	assert.Equal(t, "odoo", create["system_id"])
	assert.Equal(t, "127.0.0.1", create["ip"])
	assert.NotEmpty(t, create["request_id"])
	change := create["details"].(map[string]any)["changes"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{"name": true}, change["fields"])
	assert.Len(t, trail[4]["details"].(map[string]any)["changes"], 1, "two creations that went out together")
	for i, operation := range []string{"create", "write"} {
		change := trail[5+i]["details"].(map[string]any)["changes"].([]any)[0].(map[string]any)
		assert.Equal(t, operation, change["operation"], "what the upsert did")
		assert.Equal(t, trail[5]["record_ids"], change["ids"])
	}
	all, err := json.Marshal(trail)
	require.NoError(t, err)
	assert.NotContains(t, string(all), "canary", "no value and no password is kept")

	assert.Len(t, e.trail("admin", "outcome=error"), 3)
	assert.Len(t, e.trail("admin", "user=clerk&action=create"), 1)
	assert.Empty(t, e.trail("rival", ""), "another tenant's log is its own")
	assert.Equal(t, 422, e.send("admin", http.MethodGet, "/api/v1/audit?cursor=x", "").status)
	assert.Equal(t, 422, e.send("admin", http.MethodGet, "/api/v1/audit?from=yesterday", "").status)
	tenants, err := e.store.AuditTenants(t.Context())
	require.NoError(t, err)
	for _, tenant := range tenants {
		_, err := e.store.VerifyAudit(t.Context(), tenant, nil)
		require.NoError(t, err)
	}
}

func TestReadsAreRecordedWhereWanted(t *testing.T) {
	_, audited := withAudit(t, true)
	e := newEnv(t, audited)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/odoo/search_read", `{"model":"res.partner","limit":1}`).ok(200)
	e.send("clerk", http.MethodGet, "/api/v1/systems/odoo/changes?model=res.partner&fields=name", "").ok(200)
	e.send("clerk", http.MethodGet, "/livez", "").ok(200)
	// The entry of a read is not waited for; that of a change comes after it.
	e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"x"}}`).ok(200)
	var got []string
	for _, x := range e.trail("admin", "user=clerk") {
		got = append(got, x["action"].(string))
	}
	assert.Equal(t, []string{"search_read", "followChanges", "create"}, got)
}

// A change that could not be recorded is not acknowledged, whatever was about
// to be answered.
func TestAChangeThatCantBeRecordedIsNotAcknowledged(t *testing.T) {
	led, audited := withAudit(t, false)
	e := newEnv(t, audited)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	led.broken.Store(true)
	for _, body := range []string{
		`{"action":"create","model":"res.partner","data":{"name":"x"}}`,
		`{"action":"create","model":"res.partner","data":{"name":"` + strings.Repeat("long", 1000) + `"}}`, // compressed
		`{"action":"delete","model":"res.partner","record_id":999999}`,
	} {
		a := e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", body)
		require.Equal(t, 500, a.status, string(a.body))
		assert.Equal(t, "not_recorded", a.json()["error"].(map[string]any)["code"])
		assert.NotContains(t, string(a.body), "disk full")
	}
	assert.Equal(t, 500, e.send("admin", http.MethodDelete, "/api/v1/systems/odoo", "").status)
	a := e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"read","model":"res.partner","limit":1}`)
	assert.NotEqual(t, 500, a.status, "reads go on")
}
