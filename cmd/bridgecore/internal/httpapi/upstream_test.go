package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

const (
	crud = "/api/v1/systems/main/crud"
	odoo = "/api/v1/systems/main/odoo/"
)

// Requests that are wrong, about a system that is there.
func TestBadRequests(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	for name, tc := range map[string]struct {
		path, body   string
		status       int
		code, detail string
	}{
		"no action":               {crud, `{"model":"res.partner"}`, 422, "invalid_argument", "action: is missing"},
		"unknown action":          {crud, `{"action":"destroy","model":"res.partner"}`, 422, "invalid_argument", `action: "destroy" is none of create, delete, read, update`},
		"no model":                {crud, `{"action":"read"}`, 422, "invalid_argument", "model: is missing"},
		"unknown member":          {crud, `{"action":"read","model":"res.partner","domains":[]}`, 422, "invalid_argument", "domains: there is no such member; did you mean domain?"},
		"member of another":       {crud, `{"action":"delete","model":"res.partner","record_id":1,"data":{}}`, 422, "invalid_argument", `data: delete takes no "data"`},
		"no data":                 {crud, `{"action":"create","model":"res.partner"}`, 422, "invalid_argument", "data: is missing"},
		"null data":               {crud, `{"action":"create","model":"res.partner","data":null}`, 422, "invalid_argument", "data: is missing"},
		"data is a list":          {crud, `{"action":"create","model":"res.partner","data":[]}`, 422, "invalid_argument", "data: must be an object"},
		"no record_id":            {crud, `{"action":"update","model":"res.partner","data":{"name":"x"}}`, 422, "invalid_argument", "record_id: is missing"},
		"a fraction as id":        {crud, `{"action":"delete","model":"res.partner","record_id":1.5}`, 422, "invalid_argument", "record_id"},
		"limit is a text":         {crud, `{"action":"read","model":"res.partner","limit":"ten"}`, 422, "invalid_argument", "limit: must be a whole number"},
		"negative limit":          {crud, `{"action":"read","model":"res.partner","limit":-1}`, 422, "invalid_argument", "limit"},
		"negative offset":         {crud, `{"action":"read","model":"res.partner","offset":-1}`, 422, "invalid_argument", "offset"},
		"fields is a number":      {crud, `{"action":"read","model":"res.partner","fields":5}`, 422, "invalid_argument", "fields"},
		"unknown field":           {crud, `{"action":"read","model":"res.partner","fields":["fone"]}`, 422, "invalid_argument", "Invalid field 'fone' on model 'res.partner'"},
		"unknown field to write":  {crud, `{"action":"create","model":"res.partner","data":{"name":"x","fone":"1"}}`, 422, "invalid_argument", "fone"},
		"unknown field to search": {crud, `{"action":"read","model":"res.partner","domain":[["fone","=","1"]]}`, 422, "invalid_argument", "fone"},
		"unknown order":           {crud, `{"action":"read","model":"res.partner","order":"fone"}`, 422, "invalid_argument", "fone"},
		"bad order":               {crud, `{"action":"read","model":"res.partner","order":"name; drop"}`, 422, "invalid_argument", "order"},
		"unknown model":           {crud, `{"action":"read","model":"no.such"}`, 404, "not_found", "no.such"},
		"bad model":               {crud, `{"action":"read","model":"a b"}`, 422, "invalid_argument", "model"},
		"missing record":          {crud, `{"action":"update","model":"res.partner","record_id":999999,"data":{"name":"x"}}`, 404, "not_found", ""},
		"bad domain":              {crud, `{"action":"read","model":"res.partner","domain":["|",["a","=",1]]}`, 422, "invalid_argument", "position 0"},
		"domain is an object":     {crud, `{"action":"read","model":"res.partner","domain":{}}`, 422, "invalid_argument", "domain"},
		"unknown operator":        {crud, `{"action":"read","model":"res.partner","domain":[["name","~","x"]]}`, 422, "invalid_argument", "domain[0]"},
		"context is a list":       {crud, `{"action":"delete","model":"res.partner","record_id":1,"context":[]}`, 422, "invalid_argument", "context"},
		"unknown format":          {crud, `{"action":"read","model":"res.partner","format":"xml"}`, 422, "invalid_argument", "format"},
		"unknown fallback":        {crud, `{"action":"delete","model":"res.partner","record_id":1,"fallback":"all"}`, 422, "invalid_argument", "fallback"},
		"unknown operation":       {odoo + "fly", `{"model":"res.partner"}`, 422, "invalid_argument", `no operation "fly"`},
		"not of the operation":    {odoo + "search_count", `{"model":"res.partner","fields":["name"]}`, 422, "invalid_argument", "fields"},
		"private method":          {odoo + "call_kw", `{"model":"res.partner","method":"_write","args":[[1],{}]}`, 403, "permission_denied", "underscore"},
		"private, other spelling": {odoo + "call_method", `{"model":"res.partner","method":"__init__"}`, 403, "permission_denied", ""},
		"unknown method":          {odoo + "call_kw", `{"model":"res.partner","method":"no_such_method","args":[]}`, 404, "not_found", "no_such_method"},
		"ids are words":           {odoo + "read", `{"model":"res.partner","ids":["x"]}`, 422, "invalid_argument", ""},
		"args is an object":       {odoo + "call_kw", `{"model":"res.partner","method":"read","args":{}}`, 422, "invalid_argument", "args"},
		"business rule":           {odoo + "create", `{"model":"res.users","values":{"login":"x"}}`, 422, "invalid_argument", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("clerk", "POST", tc.path, tc.body)
			a.t = t
			assert.Contains(t, a.problem(tc.status, tc.code), tc.detail)
			assert.NotContains(t, string(a.body), "Traceback")
			assert.NotContains(t, string(a.body), "127.0.0.1")
		})
	}
}

func TestLimitsSayWhenTheyCut(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	for i := range 210 {
		_, err := sim.Create("res.partner", map[string]any{"name": "P" + strconv.Itoa(i), "ref": "many"})
		require.NoError(t, err)
	}
	e.register("admin", "main", sim)
	for _, tc := range []struct {
		path, limit string
		most        int
	}{
		{"search_read", "", 200}, {"search_read", `"limit":1000000,`, 200}, {"search_read", `"limit":0,`, 200},
		{crud, "", 80}, {crud, `"limit":0,`, 80},
	} {
		path, action := odoo+tc.path, ""
		if tc.path == crud {
			path, action = crud, `"action":"read",`
		}
		cursor, read := "", 0
		for {
			v := e.send("clerk", "POST", path, `{`+action+tc.limit+cursor+`"model":"res.partner","domain":[["ref","=","many"]],"fields":["name"],"order":"id"}`).ok(200)
			read += len(v["result"].([]any))
			if _, cut := v["truncated"]; !cut {
				assert.NotContains(t, v, "next_cursor")
				break
			}
			assert.Len(t, v["result"], tc.most)
			assert.Equal(t, true, v["truncated"])
			assert.EqualValues(t, tc.most, v["limit"])
			cursor = `"cursor":"` + v["next_cursor"].(string) + `",`
		}
		assert.Equal(t, 210, read, "%+v", tc)
	}
	v := e.send("clerk", "POST", crud, `{"action":"read","model":"res.partner","domain":[["ref","=","many"]],"fields":["name"],"limit":5}`).ok(200)
	assert.Len(t, v["result"], 5)
	assert.Len(t, v, 2, "a limit of the caller's own is no cut: success and result alone")
	v = e.send("clerk", "POST", crud, `{"action":"read","model":"res.partner","domain":[["ref","=","many"]],"fields":["name"],"limit":5,"cursor":""}`).ok(200)
	assert.NotEmpty(t, v["next_cursor"], "unless they page by cursor")
}

func TestFormats(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	id, err := sim.Create("res.partner", map[string]any{"name": "Plain", "mobile": "+1 555 0199"})
	require.NoError(t, err)
	e.register("admin", "main", sim)
	read := func(more string) map[string]any {
		v := e.send("clerk", "POST", crud, `{"action":"read","model":"res.partner","domain":[["id","=",`+strconv.FormatInt(id, 10)+`]],"fields":["name","phone","create_date"]`+more+`}`).ok(200)
		record := v["result"].([]any)[0].(map[string]any)
		record["warnings"] = v["warnings"]
		return record
	}
	native := read("")
	assert.Equal(t, false, native["phone"])
	assert.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:`, native["create_date"])
	plain := read(`,"format":"plain"`)
	assert.Nil(t, plain["phone"])
	assert.Regexp(t, `^\d{4}-\d\d-\d\dT.*Z$`, plain["create_date"])
	filled := read(`,"fill_empty":true`)
	assert.Equal(t, "+1 555 0199", filled["phone"])
	assert.Contains(t, string(marshal(t, filled["warnings"])), "value_filled")
	nested := read(`,"expand":"nested"`)
	assert.Equal(t, "Plain", nested["name"])

	v := e.send("clerk", "GET", "/api/v1/systems/main/fields?model=res.partner", "").ok(200)
	assert.Equal(t, "char", v["fields"].(map[string]any)["name"].(map[string]any)["type"])
	assert.Equal(t, false, v["cached"])
	v = e.send("clerk", "GET", "/api/v1/systems/main/fields?model=res.partner", "").ok(200)
	assert.Equal(t, true, v["cached"])
	e.send("clerk", "GET", "/api/v1/systems/main/fields", "").problem(422, "invalid_argument")
	e.send("clerk", "GET", "/api/v1/systems/main/fields?model=no.such", "").problem(404, "not_found")
}

// A system that misbehaves in every way: a clear error of the right status.
func TestASystemThatMisbehaves(t *testing.T) {
	sim := odootest.New(t, "17.0")
	quick := func(_ *httpapi.Config, b *bridge.Config) {
		b.CallTimeout = 300 * time.Millisecond
		b.Retries = -1
		b.Breaker = breaker.Settings{Failures: 1000}
	}
	for name, tc := range map[string]struct {
		fault       odootest.Fault
		read, write int // statuses
		readCode    string
		writeCode   string
	}{
		"hangs":       {odootest.Fault{Hang: true}, 504, 502, "timeout", "unknown_outcome"},
		"resets":      {odootest.Fault{Reset: true}, 503, 502, "unavailable", "unknown_outcome"},
		"cut answers": {odootest.Fault{Cut: true}, 503, 502, "unavailable", "unknown_outcome"},
		"HTML":        {odootest.Fault{Body: "<html><body>Welcome to nginx, canary</body></html>", ContentType: "text/html"}, 503, 0, "unavailable", ""},
		"garbage":     {odootest.Fault{Garbage: true}, 503, 502, "unavailable", "unknown_outcome"},
		"bad gateway": {odootest.Fault{Status: 502}, 503, 0, "unavailable", ""},
		"busy":        {odootest.Fault{Status: 429, RetryAfter: 7 * time.Second}, 429, 429, "rate_limited", "rate_limited"},
		"maintenance": {odootest.Fault{Status: 503, RetryAfter: 7 * time.Second}, 503, 503, "unavailable", "unavailable"},
		"endless":     {odootest.Fault{Endless: true}, 0, 0, "", ""},
		"a redirect":  {odootest.Fault{Redirect: "http://169.254.169.254/latest/meta-data"}, 503, 0, "unavailable", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, quick)
			e.register("admin", "main", sim)
			sim.SetFault()
			// Connected, which a busy machine may not manage in so little time.
			for range 20 {
				if e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner"}`).status == 200 {
					break
				}
			}
			sim.SetFault(tc.fault)
			defer sim.SetFault()
			check := func(a answer, status int, code string) {
				a.t = t
				if status == 0 { // too large or too late, whichever comes first
					assert.GreaterOrEqual(t, a.status, 422, string(a.body))
					assert.NotEqual(t, 500, a.status, string(a.body))
					status, code = a.status, a.json()["error"].(map[string]any)["code"].(string)
				}
				detail := a.problem(status, code)
				for _, secret := range []string{"127.0.0.1", "169.254", "canary", sim.Password + "\"", "goroutine", "html>"} {
					assert.NotContains(t, detail, secret)
				}
				if status == 429 || status == 503 {
					assert.NotEmpty(t, a.header.Get("Retry-After"))
				}
				if code == "unknown_outcome" {
					assert.Regexp(t, "may have|was sent", detail, "it says that the change may have happened")
				}
			}
			check(e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner","domain":[["id",">",1]]}`), tc.read, tc.readCode)
			check(e.send("clerk", "POST", crud, `{"action":"create","model":"res.partner","data":{"name":"x"}}`), tc.write, tc.writeCode)
		})
	}
}

func TestASystemThatRefusesUs(t *testing.T) {
	sim := odootest.New(t, "17.0")
	e := newEnv(t)
	for name, tc := range map[string]struct {
		config string
		status int
		code   string
	}{
		"wrong password":  {`"database":"odoo17","username":"admin","password":"canary-wrong"`, 502, "unauthenticated"},
		"unknown user":    {`"database":"odoo17","username":"nobody","password":"canary-wrong"`, 502, "unauthenticated"},
		"wrong database":  {`"database":"nowhere","username":"admin","password":"canary-wrong"`, 0, ""},
		"nobody is there": {`"database":"odoo17","username":"admin","password":"canary-wrong"`, 503, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			url := sim.URL
			if name == "nobody is there" {
				gone := odootest.New(t, "17.0")
				url = gone.URL
				gone.Close()
			}
			id := strings.ReplaceAll(name, " ", "_")
			e.send("admin", "POST", "/api/v1/systems", `{"system_id":"`+id+`","system_type":"odoo","system_version":"17.0","connection_config":{"url":"`+url+`",`+tc.config+`}}`).ok(201)
			a := e.send("clerk", "POST", "/api/v1/systems/"+id+"/odoo/search_count", `{"model":"res.partner"}`)
			a.t = t
			require.NotEqual(t, http.StatusUnauthorized, a.status, "401 is for our tokens alone")
			if tc.status == 0 {
				tc.status, tc.code = a.status, a.json()["error"].(map[string]any)["code"].(string)
				assert.Contains(t, []int{404, 422, 502}, a.status, string(a.body))
			}
			detail := a.problem(tc.status, tc.code)
			assert.NotContains(t, detail, "canary")
			assert.NotContains(t, detail, "127.0.0.1")

			v := e.send("clerk", "GET", "/api/v1/systems/"+id+"/status", "").ok(200)
			assert.Equal(t, false, v["connected"])
			health := v["health"].(map[string]any)
			assert.Equal(t, false, health["healthy"])
			assert.Equal(t, tc.code, health["code"])
			assert.NotContains(t, health["message"], "127.0.0.1")
			assert.Equal(t, "17.0", v["version"], "what its owner says")
		})
	}
}

func TestRightsOfTheOdooUser(t *testing.T) {
	sim := odootest.New(t, "17.0")
	e := newEnv(t)
	e.send("admin", "POST", "/api/v1/systems", `{"system_id":"main","system_type":"odoo","system_version":"17.0","connection_config":{"url":"`+sim.URL+`","database":"odoo17","username":"limited","password":"limited"}}`).ok(201)
	e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner"}`).ok(200)
	e.send("clerk", "POST", crud, `{"action":"create","model":"product.template","data":{"name":"x"}}`).problem(403, "permission_denied")
}

// Nothing that is secret shows up in an answer or in the log.
func TestSecretsStaySecret(t *testing.T) {
	sim, err := odootest.Start(odootest.Config{Version: "17.0", Users: []odootest.User{{Login: "admin", Password: "canary-odoo-password", APIKey: "canary-api-key"}}})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	_, audited := withAudit(t, true)
	e := newEnv(t, withMetrics(false), audited)
	var answers strings.Builder
	note := func(a answer) answer {
		answers.Write(a.body)
		for name, values := range a.header {
			answers.WriteString(name + strings.Join(values, " "))
		}
		return a
	}
	note(e.send("admin", "POST", "/api/v1/systems", registration("main", sim))).ok(201)
	note(e.send("admin", "POST", "/api/v1/systems", registration("main", sim))).problem(409, "already_exists")
	note(e.send("admin", "POST", "/api/v1/systems", strings.Replace(registration("x", sim), `"odoo"`, `"nope"`, 1)))
	note(e.send("admin", "POST", "/api/v1/systems", strings.Replace(registration("x", sim), `"password":"`, `"passwort":"`, 1)))
	note(e.send("admin", "POST", "/api/v1/systems", registration("x", sim)+"}"))
	for _, path := range []string{"", "/main", "/main/status", "/main/fields?model=res.users", "/main/cache/stats"} {
		note(e.send("admin", "GET", "/api/v1/systems"+path, "")).ok(200)
	}
	note(e.send("clerk", "POST", odoo+"search_read", `{"model":"res.users","fields":["login"]}`)).ok(200)
	note(e.send("", "POST", "/api/v1/auth/login", `{"username":"admin","password":"canary-wrong"}`)).problem(401, "invalid_credentials")
	note(e.send("", "POST", "/api/v1/auth/login", `{"username":"admin","password":"canary-wrong","x":1}`)).problem(422, "invalid_argument")
	note(e.send("", "POST", "/api/v1/auth/login", `{"username":["canary"],"password":{"a":"canary-wrong"}}`)).problem(422, "invalid_argument")
	note(e.send("", "POST", "/api/v1/auth/login", `{"password":"canary-wrong`)).problem(400, "malformed_json")
	note(e.send("", "GET", "/api/v1/auth/me", "", "Authorization", "Bearer canary-token")).problem(401, "token_invalid")
	sim.SetFault(odootest.Fault{Reset: true})
	note(e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner"}`)).problem(503, "unavailable")
	sim.SetFault(odootest.Fault{Status: 500, Body: "canary in a page"})
	note(e.send("clerk", "POST", crud, `{"action":"create","model":"res.partner","data":{"name":"x"}}`))
	sim.Close()
	note(e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner"}`))
	note(e.send("clerk", "GET", "/api/v1/systems/main/status", ""))

	systems, err := e.store.Systems(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, systems, 1)
	trail, err := json.Marshal(e.trail("admin", ""))
	require.NoError(t, err)
	assert.Contains(t, string(trail), "invalid_argument", "the refused registrations are recorded")
	page := string(e.send("", "GET", "/metrics", "").body)
	assert.Contains(t, page, "http_requests_total")
	for where, text := range map[string]string{
		"answers": answers.String(), "log": e.log.String(), "database": systems[0].SealedConfig, "audit log": string(trail), "metrics": page,
	} {
		assert.NotContains(t, text, "canary", where)
		assert.NotContains(t, text, "argon2id", where)
		if where != "answers" {
			assert.NotContains(t, text, "eyJhbGciOi", where)
		}
	}
	assert.Contains(t, e.log.String(), "connection", "failures are logged with their cause")
}

func TestAPanicIsAnError(t *testing.T) {
	e := newEnv(t, func(_ *httpapi.Config, b *bridge.Config) {
		b.Source = bridge.SourceFunc(func(context.Context, string, string) (bridge.SystemConfig, error) { panic("canary") })
	})
	detail := e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner"}`).problem(500, "internal")
	assert.NotContains(t, detail, "canary")
	assert.Contains(t, e.log.String(), "panic: canary", "the log has the cause")
	e.send("clerk", "GET", "/api/v1/systems/main/status", "").problem(500, "internal")
}

func TestEveryCodeHasAStatus(t *testing.T) {
	codes := map[adapter.Code]int{
		adapter.InvalidArgument: 422, adapter.Unauthenticated: 502, adapter.PermissionDenied: 403, adapter.NotFound: 404,
		adapter.Conflict: 409, adapter.AlreadyExists: 409, adapter.PreconditionFailed: 412, adapter.RateLimited: 429,
		adapter.Unavailable: 503, adapter.Timeout: 504, adapter.Unsupported: 501, adapter.UnknownOutcome: 502, adapter.Internal: 500,
	}
	for code, status := range codes {
		e := newEnv(t, func(_ *httpapi.Config, b *bridge.Config) {
			b.Source = bridge.SourceFunc(func(context.Context, string, string) (bridge.SystemConfig, error) {
				return bridge.SystemConfig{}, &adapter.Error{Code: code, Message: "as told", RetryAfter: 1500 * time.Millisecond}
			})
		})
		a := e.send("clerk", "POST", odoo+"search_count", `{"model":"res.partner"}`)
		if code == adapter.NotFound {
			a.problem(404, "not_found")
			continue
		}
		assert.Equal(t, "as told", a.problem(status, string(code)))
		assert.Equal(t, "2", a.header.Get("Retry-After"), "rounded up")
	}
}
