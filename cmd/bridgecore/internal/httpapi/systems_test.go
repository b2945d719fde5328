package httpapi_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

const connectionConfig = `"connection_config":{"url":"https://odoo.example.com","database":"production","username":"admin","password":"canary-odoo"}`

func TestRegistrationsThatAreRefused(t *testing.T) {
	e := newEnv(t)
	for name, tc := range map[string]struct {
		body  string
		field string
	}{
		"nothing":            {`{}`, "system_id"},
		"no system_id":       {`{"system_type":"odoo","system_version":"17.0",` + connectionConfig + `}`, "system_id"},
		"spaces in it":       {`{"system_id":"a b","system_type":"odoo","system_version":"17.0",` + connectionConfig + `}`, "system_id"},
		"a path in it":       {`{"system_id":"../x","system_type":"odoo","system_version":"17.0",` + connectionConfig + `}`, "system_id"},
		"another type":       {`{"system_id":"a","system_type":"dynamics","system_version":"17.0",` + connectionConfig + `}`, "system_type"},
		"an old version":     {`{"system_id":"a","system_type":"odoo","system_version":"12.0",` + connectionConfig + `}`, "system_version"},
		"a number":           {`{"system_id":"a","system_type":"odoo","system_version":17,` + connectionConfig + `}`, "system_version"},
		"no connection":      {`{"system_id":"a","system_type":"odoo","system_version":"17.0"}`, "connection_config"},
		"unknown member":     {`{"system_id":"a","system_type":"odoo","system_version":"17.0","active":true,` + connectionConfig + `}`, "active"},
		"unknown inside":     {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"https://x.example","database":"d","username":"u","password":"canary","port":8069}}`, "connection_config.port"},
		"no url":             {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"database":"d","username":"u","password":"canary"}}`, "connection_config.url"},
		"empty url":          {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"","database":"d","username":"u","password":"canary"}}`, "connection_config.url"},
		"ftp":                {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"ftp://x.example","database":"d","username":"u","password":"canary"}}`, "connection_config.url"},
		"password in url":    {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"https://u:canary@x.example","database":"d","username":"u","password":"canary"}}`, "connection_config.url"},
		"cloud metadata":     {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"http://169.254.169.254/","database":"d","username":"u","password":"canary"}}`, "connection_config.url"},
		"no password":        {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"https://x.example","database":"d","username":"u"}}`, "connection_config.password"},
		"a list as password": {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"https://x.example","database":"d","username":"u","password":["canary"]}}`, "connection_config.password"},
		"unknown transport":  {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"https://x.example","database":"d","username":"u","password":"canary","transport":"soap"}}`, "connection_config.transport"},
		"timeout":            {`{"system_id":"a","system_type":"odoo","system_version":"17.0","connection_config":{"url":"https://x.example","database":"d","username":"u","password":"canary","timeout":0}}`, "connection_config.timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("admin", "POST", "/api/v1/systems", tc.body)
			a.t = t
			a.problem(422, "invalid_argument")
			assert.NotContains(t, string(a.body), "canary", "what was sent is not echoed")
			details := a.json()["error"].(map[string]any)["details"].([]any)
			found := false
			for _, d := range details {
				found = found || d.(map[string]any)["field"] == tc.field
			}
			assert.True(t, found, "%s is not named: %s", tc.field, a.body)
		})
	}
	assert.EqualValues(t, 0, e.send("admin", "GET", "/api/v1/systems", "").ok(200)["total"])
	assert.NotContains(t, e.log.String(), "canary-odoo")
	e.send("clerk", "POST", "/api/v1/systems", `{"system_id":"a","system_type":"odoo","system_version":"17.0",`+connectionConfig+`}`).problem(403, "permission_denied")
}

// Registering does not need the system: it may be down, or not there yet.
func TestRegistrationDialsNothing(t *testing.T) {
	e := newEnv(t)
	a := e.send("admin", "POST", "/api/v1/systems", `{"system_id":"a.b-c_D1","system_type":"odoo","system_version":"13.0",`+connectionConfig+`}`)
	v := a.ok(201)
	assert.Len(t, v, 6, "exactly the documented members")
	assert.Equal(t, "/api/v1/systems/a.b-c_D1", a.header.Get("Location"))
	assert.NotContains(t, string(a.body), "canary")
}

func TestChangesThatAreRefused(t *testing.T) {
	e := newEnv(t)
	e.send("admin", "POST", "/api/v1/systems", `{"system_id":"a","system_type":"odoo","system_version":"13.0",`+connectionConfig+`}`).ok(201)
	for name, tc := range map[string]struct{ method, body, field string }{
		"an unknown member":      {"PATCH", `{"nam":"x"}`, "nam"},
		"the id":                 {"PATCH", `{"system_id":"b"}`, "system_id"},
		"a bad version":          {"PATCH", `{"system_version":"20.0"}`, "system_version"},
		"a new url alone":        {"PATCH", `{"connection_config":{"url":"https://attacker.example"}}`, "connection_config.password"},
		"a bad url":              {"PATCH", `{"connection_config":{"url":"nowhere","password":"canary"}}`, "connection_config.url"},
		"no password left":       {"PATCH", `{"connection_config":{"password":""}}`, "connection_config.password"},
		"replace without config": {"PUT", `{"system_version":"17.0"}`, "connection_config"},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("admin", tc.method, "/api/v1/systems/a", tc.body)
			a.t = t
			a.problem(422, "invalid_argument")
			assert.Contains(t, string(a.body), `"field":"`+tc.field+`"`)
			assert.NotContains(t, string(a.body), "canary")
		})
	}
	e.send("admin", "PATCH", "/api/v1/systems/a", `{"connection_config":{"url":"https://new.example","password":"canary-2"}}`).ok(200)
	e.send("admin", "PATCH", "/api/v1/systems/none", `{"name":"x"}`).problem(404, "not_found")
}

// In production a system may not be in a private network, whatever its name
// resolves to, unless the operator allows it.
func TestPrivateNetworksAreRefusedInProduction(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	production := func(g netguard.Guard) option {
		return func(h *httpapi.Config, b *bridge.Config) {
			h.Guard, h.Environment = g, "production"
			b.Openers = systems.Openers(g, nil)
		}
	}
	e := newEnv(t, production(netguard.Guard{}))
	detail := e.send("admin", "POST", "/api/v1/systems", registration("main", odoo)).problem(422, "invalid_argument")
	assert.Contains(t, detail, "connection_config.url")
	assert.Contains(t, detail, "ALLOWED_PRIVATE_NETWORKS")

	// A name says nothing until it is dialled.
	named := newEnv(t, func(h *httpapi.Config, b *bridge.Config) {
		h.Guard = netguard.Guard{Private: true}            // as if it were public when it was registered
		b.Openers = systems.Openers(netguard.Guard{}, nil) // and private when it is dialled
	})
	named.register("admin", "main", odoo)
	a := named.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.partner"}`)
	assert.GreaterOrEqual(t, a.status, 400)
	assert.NotContains(t, string(a.body), "127.0.0.1")
	assert.Zero(t, odoo.TotalRequests(), "not one byte got there")

	allowed := newEnv(t, production(netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}))
	allowed.register("admin", "main", odoo)
	allowed.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.partner"}`).ok(200)
}
