package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

const batchPath = "/api/v1/batch/execute"

func TestBatchesThatAreWrong(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	op := `{"action":"read","model":"res.partner","limit":1}`
	many := strings.TrimSuffix(strings.Repeat(op+",", 1001), ",")
	for name, c := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"no operations":      {`{"system_id":"odoo"}`, 422, "operations"},
		"none":               {`{"system_id":"odoo","operations":[]}`, 422, "operations"},
		"too many":           {`{"system_id":"odoo","operations":[` + many + `]}`, 422, "operations"},
		"no system":          {`{"operations":[` + op + `]}`, 422, "operations[0].system_id"},
		"foreign system":     {`{"system_id":"nowhere","operations":[` + op + `]}`, 404, "operations[0]"},
		"a text":             {`{"system_id":"odoo","operations":["x"]}`, 422, "operations[0]"},
		"an unknown member":  {`{"system_id":"odoo","operations":[{"action":"read","model":"res.partner","limits":1}]}`, 422, "operations[0].limits"},
		"both":               {`{"system_id":"odoo","operations":[{"action":"read","operation":"read","model":"res.partner"}]}`, 422, "operations[0].operation"},
		"neither":            {`{"system_id":"odoo","operations":[{"model":"res.partner"}]}`, 422, "operations[0].action"},
		"no data":            {`{"system_id":"odoo","operations":[` + op + `,{"action":"create","model":"res.partner"}]}`, 422, "operations[1].data"},
		"a member that is":   {`{"system_id":"odoo","atomic":true,"operations":[` + op + `]}`, 422, "atomic"},
		"an operation's own": {`{"system_id":"odoo","operations":[{"operation":"search_read","model":"res.partner","record_id":1}]}`, 422, "operations[0].record_id"},
	} {
		a := e.send("admin", http.MethodPost, batchPath, c.body)
		require.Equal(t, c.status, a.status, "%s: %s", name, a.body)
		if c.field != "" {
			details := a.json()["error"].(map[string]any)["details"].([]any)
			require.NotEmpty(t, details, name)
			assert.Equal(t, c.field, details[0].(map[string]any)["field"], name)
		}
	}
	assert.Equal(t, 401, e.send("", http.MethodPost, batchPath, `{}`).status)
}

func TestBatchOverSystemsOfOneTenantAlone(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "one", odootest.New(t, "17.0"))
	e.register("admin", "two", odootest.New(t, "19.0"))
	a := e.send("clerk", http.MethodPost, batchPath, `{"system_id":"one","operations":[
		{"action":"create","model":"res.partner","data":{"name":"in one"}},
		{"system_id":"two","action":"create","model":"res.partner","data":{"name":"in two"}},
		{"system_id":"two","action":"read","model":"res.partner","domain":[["name","like","in "]],"fields":["name"]}]}`).ok(200)
	assert.Equal(t, true, a["success"])
	results := a["results"].([]any)
	assert.Equal(t, "two", results[1].(map[string]any)["system_id"])
	assert.NotContains(t, results[0], "system_id")
	read := results[2].(map[string]any)["data"].([]any)
	require.Len(t, read, 1)
	assert.Equal(t, "in two", read[0].(map[string]any)["name"])

	got := e.send("rival", http.MethodPost, batchPath, `{"system_id":"one","operations":[{"action":"read","model":"res.partner"}]}`)
	assert.Equal(t, 404, got.status, "another tenant's system is not there")
}

// BenchmarkBatch compares a batch of 100 creations with 100 requests.
func BenchmarkBatch(b *testing.B) {
	e := newEnv(b)
	odoo, err := odootest.Start(odootest.Config{Version: "17.0"})
	require.NoError(b, err)
	b.Cleanup(odoo.Close)
	e.register("admin", "odoo", odoo)
	var ops []string
	for i := range 100 {
		ops = append(ops, fmt.Sprintf(`{"action":"create","model":"res.partner","data":{"name":"c %d"}}`, i))
	}
	batch := `{"system_id":"odoo","operations":[` + strings.Join(ops, ",") + `]}`
	e.send("admin", http.MethodPost, batchPath, batch).ok(200)
	together, apart := 0.0, 0.0
	for b.Loop() {
		together += timed(func() { e.send("admin", http.MethodPost, batchPath, batch).ok(200) })
		apart += timed(func() {
			for _, op := range ops {
				e.send("admin", http.MethodPost, "/api/v1/systems/odoo/crud", op).ok(200)
			}
		})
	}
	b.ReportMetric(apart/together, "x-faster")
}

func timed(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}

// One batch in universal words makes the same in three kinds of systems, with
// one bad record that hinders nothing.
func TestBatchInUniversalWords(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	e.registerSalesforce("admin", "crm", salesforcetest.New(t))
	e.registerSAP("admin", "s4", saptest.New(t))
	for _, id := range []string{"odoo", "crm", "s4"} {
		v := e.send("clerk", http.MethodPost, batchPath, `{"system_id":"`+id+`","use_universal_schema":true,"operations":[
			{"action":"create","model":"contact","data":{"name":"Batch One","is_company":true,"country":"SA","city":"Riyadh"}},
			{"action":"create","model":"contact","data":{"name":"Batch Bad","is_company":true,"country":"NOWHERE"}},
			{"action":"create","model":"contact","data":{"name":"Batch Two","is_company":true,"country":"SA","city":"Jeddah"}},
			{"action":"read","model":"contact","domain":[["name","in",["Batch One","Batch Two","Batch Bad"]]],"fields":["name","city","country"],"order":"name"},
			{"operation":"search_count","model":"contact","domain":[["name","=","Batch One"]]}]}`).ok(200)
		assert.EqualValues(t, 4, v["successful"], "%s: %v", id, v)
		assert.EqualValues(t, 1, v["failed"], id)
		results := v["results"].([]any)
		assert.Equal(t, false, results[1].(map[string]any)["success"], id)
		var got []string
		for _, r := range results[3].(map[string]any)["data"].([]any) {
			r := r.(map[string]any)
			got = append(got, fmt.Sprint(r["name"], " in ", r["city"], ", ", r["country"]))
		}
		assert.Equal(t, []string{"Batch One in Riyadh, SA", "Batch Two in Jeddah, SA"}, got, id)
		assert.EqualValues(t, 1, results[4].(map[string]any)["data"], id)
	}
	a := e.send("clerk", http.MethodPost, batchPath, `{"system_id":"odoo","use_universal_schema":true,"operations":[{"action":"create","model":"res.partner","data":{"name":"x"}}]}`).ok(200)
	assert.EqualValues(t, 1, a["failed"], "a system's model is none of the universal ones")
}
