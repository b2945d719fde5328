package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// conditioned is a server with a system of each kind.
func conditioned(t *testing.T) *env {
	t.Helper()
	// A clock that never gives the same second twice: Salesforce knows changes
	// by the second.
	var ticks atomic.Int64
	start := time.Now()
	org, err := salesforcetest.Start(salesforcetest.Config{Now: func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * time.Second) }})
	require.NoError(t, err)
	t.Cleanup(org.Close)
	s4 := saptest.New(t)
	e := newEnv(t, func(_ *httpapi.Config, b *bridge.Config) { b.Lenses = systems.Lenses() })
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	e.register("admin", "old", odootest.New(t, "13.0"))
	e.send("admin", "POST", "/api/v1/systems", registered(t, "crm", "salesforce", "", map[string]any{
		"url": org.URL, "client_id": org.ClientID, "client_secret": org.ClientSecret,
	})).ok(201)
	e.send("admin", "POST", "/api/v1/systems", registered(t, "s4", "sap", "", map[string]any{
		"url": s4.URL, "username": s4.Username, "password": s4.Password,
	})).ok(201)
	return e
}

// asked is a request of /crud for a model on a system.
type asked struct {
	e             *env
	system, words string // what is said in every request
	field         string // one to change
	headers       []string
}

func (a asked) crud(action, members string, headers ...string) answer {
	return a.e.send("clerk", "POST", "/api/v1/systems/"+a.system+"/crud", `{"action":"`+action+`",`+a.words+members+`}`, append(headers, a.headers...)...)
}

// read reads the record and returns the value of the field and the tag.
func (a asked) read(t *testing.T, id string) (string, string) {
	t.Helper()
	res := a.crud("read", `,"record_id":`+id+`,"fields":["`+a.field+`"],"etag":true`)
	require.Equal(t, 200, res.status, string(res.body))
	v := res.json()
	records := v["result"].([]any)
	require.Len(t, records, 1)
	tag, _ := v["etag"].(string)
	require.NotEmpty(t, tag, string(res.body))
	require.Equal(t, `"`+tag+`"`, res.header.Get("ETag"))
	value, _ := records[0].(map[string]any)[a.field].(string)
	return value, tag
}

func TestUpdatesOnACondition(t *testing.T) {
	e := conditioned(t)
	const contact = `"model":"contact","use_universal_schema":true`
	for name, a := range map[string]asked{
		"odoo":            {e, "odoo", `"model":"res.partner"`, "name", nil},
		"odoo of 13":      {e, "old", `"model":"res.partner"`, "name", nil},
		"odoo, pinned":    {e, "odoo", `"model":"res.partner"`, "name", []string{"X-Odoo-Version", "13.0"}},
		"odoo, universal": {e, "odoo", contact, "name", nil},
		"salesforce":      {e, "crm", contact, "name", nil},
		"sap":             {e, "s4", contact, "name", nil},
	} {
		t.Run(name, func(t *testing.T) {
			made := a.crud("create", `,"data":{"name":"first"}`)
			require.Equal(t, 200, made.status, string(made.body))
			raw, err := json.Marshal(made.json()["result"].(map[string]any)["id"])
			require.NoError(t, err)
			id := string(raw)
			set := func(value string) string { return `,"record_id":` + id + `,"data":{"` + a.field + `":"` + value + `"}` }

			value, tag := a.read(t, id)
			assert.Equal(t, "first", value)
			_, kept := a.read(t, id)
			assert.Equal(t, tag, kept)
			same := a.crud("read", `,"record_id":`+id+`,"fields":["`+a.field+`"],"etag":true`, "If-None-Match", `"`+tag+`"`)
			assert.Equal(t, 304, same.status)

			require.Equal(t, 200, a.crud("update", set("second"), "If-Match", `"`+tag+`"`).status)
			detail := a.crud("update", set("lost"), "If-Match", `"`+tag+`"`).problem(412, "precondition_failed")
			assert.Contains(t, detail, "changed")
			if a.system != "s4" { // whose business partners are not deleted
				a.crud("delete", `,"record_id":`+id+`,"if_match":"`+tag+`"`).problem(412, "precondition_failed")
			}

			value, next := a.read(t, id)
			assert.Equal(t, "second", value)
			assert.NotEqual(t, tag, next)
			require.Equal(t, 200, a.crud("update", set("third")+`,"if_match":"`+next+`"`).status)
			_, next = a.read(t, id)
			require.Equal(t, 200, a.crud("update", set("fourth"), "If-Match", `W/"`+next+`"`).status, "a proxy that compresses makes tags weak")
			require.Equal(t, 200, a.crud("update", set("fifth"), "If-Match", "*").status)
			value, next = a.read(t, id)
			assert.Equal(t, "fifth", value)
			if a.system == "s4" {
				return
			}
			require.Equal(t, 200, a.crud("delete", `,"record_id":`+id, "If-Match", `"`+next+`"`).status)
			a.crud("update", set("gone"), "If-Match", "*").problem(412, "precondition_failed")
			gone := a.crud("read", `,"record_id":`+id+`,"etag":true`).ok(200)
			assert.Empty(t, gone["result"])
			assert.Nil(t, gone["etag"])
		})
	}
}

// The same by Odoo's own operations.
func TestOperationsOnACondition(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	e.register("admin", "main", sim)
	for name, c := range map[string]struct{ model, extra string }{"own words": {"res.partner", ""}, "universal": {"contact", `,"use_universal_schema":true`}} {
		t.Run(name, func(t *testing.T) {
			id, err := sim.Create("res.partner", map[string]any{"name": "first"})
			require.NoError(t, err)
			call := func(operation, members string, headers ...string) answer {
				return e.send("clerk", "POST", "/api/v1/systems/main/odoo/"+operation, fmt.Sprintf(`{"model":%q,"ids":[%d]%s%s}`, c.model, id, c.extra, members), headers...)
			}
			read := func() (string, string) {
				v := call("read", `,"fields":["name"],"etag":true`).ok(200)
				return v["result"].([]any)[0].(map[string]any)["name"].(string), v["etag"].(string)
			}
			_, tag := read()
			_, err = sim.Call("res.partner", "write", []any{id}, map[string]any{"name": "by somebody else"})
			require.NoError(t, err)
			call("write", `,"values":{"name":"lost"}`, "If-Match", `"`+tag+`"`).problem(412, "precondition_failed")
			value, tag := read()
			assert.Equal(t, "by somebody else", value, "what was kept is looked at again after a refusal")
			assert.Equal(t, map[string]any{"result": true, "cached": false}, call("write", `,"values":{"name":"second"},"if_match":"`+tag+`"`).ok(200))
			value, tag = read()
			assert.Equal(t, "second", value)
			call("unlink", "", "If-Match", `"x.eA"`).problem(412, "precondition_failed")
			call("unlink", `,"if_match":"`+tag+`"`).ok(200)
			call("unlink", "", "If-Match", "*").problem(412, "precondition_failed")
		})
	}
	// An archived record is read by its id.
	id, err := sim.Create("res.partner", map[string]any{"name": "archived", "active": false})
	require.NoError(t, err)
	for _, model := range []string{`"model":"res.partner"`, `"model":"contact","use_universal_schema":true`} {
		v := e.send("clerk", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"read",%s,"record_id":%d,"fields":["name"]}`, model, id)).ok(200)
		assert.Len(t, v["result"], 1)
	}
}

func TestConditionsThatAreWrong(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	const good = `"1f.eHl6"`
	for name, c := range map[string]struct{ path, body, header, field string }{
		"no tag":              {"/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}}`, `"abc"`, "If-Match"},
		"a tag of a list":     {"/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}}`, `W/"9c5f2a8e51b0d3c7"`, "If-Match"},
		"two":                 {"/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}}`, `"1f.eHl6", "2f.eHl6"`, "If-Match"},
		"a member":            {"/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"},"if_match":"abc"}`, "", "if_match"},
		"two words":           {"/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"},"if_match":"2f.eHl6"}`, good, "If-Match"},
		"of a create":         {"/crud", `{"action":"create","model":"res.partner","data":{"name":"x"}}`, good, "If-Match"},
		"of a read":           {"/crud", `{"action":"read","model":"res.partner"}`, good, "If-Match"},
		"a member of a read":  {"/crud", `{"action":"read","model":"res.partner","if_match":"1f.eHl6"}`, "", "if_match"},
		"a tag of many":       {"/crud", `{"action":"read","model":"res.partner","etag":true}`, "", "etag"},
		"an id and a domain":  {"/crud", `{"action":"read","model":"res.partner","record_id":1,"domain":[["id","=",2]]}`, "", "domain"},
		"an id and an offset": {"/crud", `{"action":"read","model":"res.partner","record_id":1,"offset":1}`, "", "offset"},
		"several":             {"/odoo/write", `{"model":"res.partner","ids":[1,2],"values":{"ref":"x"}}`, good, "if_match"},
		"another operation":   {"/odoo/copy", `{"model":"res.partner","ids":[1]}`, good, "if_match"},
		"a generic call":      {"/odoo/call_kw", `{"model":"res.partner","method":"write","args":[[1],{"ref":"x"}]}`, good, "if_match"},
		"a tag of a search":   {"/odoo/search_read", `{"model":"res.partner","etag":true}`, "", "etag"},
		"a tag of several":    {"/odoo/read", `{"model":"res.partner","ids":[1,2],"etag":true}`, "", "etag"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{"If-Match", c.header}
		}
		a := e.send("clerk", "POST", "/api/v1/systems/main"+c.path, c.body, headers...)
		require.Equal(t, 422, a.status, "%s: %s", name, a.body)
		assert.Contains(t, string(a.body), `"field":"`+c.field+`"`, name)
	}
	v := e.send("clerk", "POST", "/api/v1/systems/main/crud", `{"action":"read","model":"res.partner","record_id":1,"fields":["ref"]}`).ok(200)
	assert.Equal(t, false, v["result"].([]any)[0].(map[string]any)["ref"], "nothing was written")
	assert.Nil(t, v["etag"], "not asked for, not paid for")
	// A foreign system is missing, whatever the condition.
	e.send("rival", "POST", "/api/v1/systems/main/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}}`, "If-Match", "*").problem(404, "not_found")
}

func TestConditionsInABatch(t *testing.T) {
	e := conditioned(t)
	e.send("clerk", "POST", batchPath, `{"system_id":"odoo","operations":[{"action":"read","model":"res.partner"}]}`, "If-Match", "*").problem(422, "invalid_argument")
	read := e.send("clerk", "POST", batchPath, `{"operations":[
		{"system_id":"odoo","action":"read","model":"res.partner","record_id":1,"fields":["name"],"etag":true},
		{"system_id":"odoo","operation":"read","model":"res.partner","ids":[3],"fields":["name"],"etag":true}]}`).ok(200)
	tags := []string{}
	for _, r := range read["results"].([]any) {
		tag, _ := r.(map[string]any)["etag"].(string)
		require.NotEmpty(t, tag)
		tags = append(tags, tag)
	}
	body := strings.NewReplacer("{0}", tags[0], "{1}", tags[1]).Replace(`{"system_id":"odoo","operations":[
		{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"a"},"if_match":"{0}"},
		{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"b"},"if_match":"{0}"},
		{"operation":"write","model":"res.partner","ids":[3],"values":{"ref":"c"},"if_match":"{1}"},
		{"operation":"write","model":"res.partner","ids":[3],"values":{"ref":"d"},"if_match":"{1}"},
		{"action":"delete","model":"res.partner","record_id":1,"if_match":"{0}"}]}`)
	v := e.send("clerk", "POST", batchPath, body).ok(200)
	assert.EqualValues(t, 2, v["successful"])
	for i, r := range v["results"].([]any) {
		r := r.(map[string]any)
		if i == 0 || i == 2 {
			assert.Equal(t, true, r["success"], i)
			continue
		}
		assert.Equal(t, "precondition_failed", r["error"].(map[string]any)["code"], i)
	}
	e.send("clerk", "POST", batchPath, `{"system_id":"odoo","operations":[{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"a"},"if_match":"x"}]}`).problem(422, "invalid_argument")
}
