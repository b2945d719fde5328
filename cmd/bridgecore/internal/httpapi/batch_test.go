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

// What a batch reads of an operation itself is not left to the body of the
// operation's own route, however it is written, and whatever that calls so.
func TestMembersThatAreTheBatchs(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	a := e.send("clerk", http.MethodPost, batchPath, `{"operations":[
		{"syste\u006d_id":"odoo","operation":null,"action":"read","model":"res.partner","record_id":1,"fields":["id"]},
		{"system_id":"odoo","operation":"","action":"read","model":"res.partner","record_id":1,"fields":["id"]},
		{"system_id":"odoo","opera\u0074ion":"search_count","model":"res.partner","domain":[["id","=",1]]}]}`).ok(200)
	assert.Equal(t, true, a["success"], "%v", a)
	for _, one := range a["results"].([]any) {
		assert.Equal(t, "odoo", one.(map[string]any)["system_id"])
	}
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

// BenchmarkBatch compares a batch of 100 creations with 100 requests; the aim is
// 10. x-faster is in time, x-cheaper in the processor's time, which other
// programs that run beside change less. The client only reads the answers:
// the tests' own, which holds each against the description, would be a seventh
// of what is measured.
func BenchmarkBatch(b *testing.B) {
	e := newEnv(b, quiet)
	e.register("admin", "odoo", startOdoo(b, "17.0"))
	shotAt := func(path, body string) *shot {
		return &shot{e.client, e.url + path, "Bearer " + e.tokens["admin"], body}
	}
	var ops []string
	var apart []*shot
	for i := range 100 {
		op := fmt.Sprintf(`{"action":"create","model":"res.partner","data":{"name":"c %d"}}`, i)
		ops = append(ops, op)
		apart = append(apart, shotAt("/api/v1/systems/odoo/crud", op))
	}
	together := shotAt(batchPath, `{"system_id":"odoo","operations":[`+strings.Join(ops, ",")+`]}`)
	require.Contains(b, string(together.fire(b)), `"success":true,"total":100,"successful":100`)
	var took, cost [2]time.Duration
	for b.Loop() {
		for i, shots := range [][]*shot{{together}, apart} {
			start, spent := time.Now(), processor(b)
			for _, s := range shots {
				s.fire(b)
			}
			took[i] += time.Since(start)
			cost[i] += processor(b) - spent
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-faster")
	b.ReportMetric(cost[1].Seconds()/cost[0].Seconds(), "x-cheaper")
	b.ReportMetric(0, "ns/op")
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
