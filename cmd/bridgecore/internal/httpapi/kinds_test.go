package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

func registered(t *testing.T, id, kind, version string, connection map[string]any) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"system_id": id, "system_type": kind, "system_version": version, "connection_config": connection})
	require.NoError(t, err)
	return string(b)
}

// connections are one of each way to log in, with secrets that must never be
// seen again.
var connections = map[string]struct {
	kind    string
	members map[string]any
}{
	"crm":      {"salesforce", map[string]any{"url": "https://acme.my.salesforce.com", "client_id": "app", "client_secret": "canary-client-secret", "api_version": "62.0"}},
	"crm_user": {"salesforce", map[string]any{"url": "https://acme.my.salesforce.com", "client_id": "app", "refresh_token": "canary-refresh-token"}},
	"s4":       {"sap", map[string]any{"url": "https://s4.example.com", "username": "BRIDGE", "password": "canary-sap-password", "client": "100", "language": "EN"}},
	"s4_cloud": {"sap", map[string]any{"url": "https://s4.example.com", "token_url": "https://auth.example.com/token", "client_id": "c", "client_secret": "canary-sap-secret"}},
	"s4_token": {"sap", map[string]any{"url": "https://s4.example.com", "bearer_token": "canary-sap-token", "services": []any{map[string]any{"name": "ZMY_SRV", "version": "v2"}}}},
}

func TestSalesforceAndSAPAreRegistered(t *testing.T) {
	e := newEnv(t)
	var seen strings.Builder
	send := func(method, path, body string) answer {
		a := e.send("admin", method, path, body)
		seen.Write(a.body)
		return a
	}
	for id, c := range connections {
		v := send("POST", "/api/v1/systems", registered(t, id, c.kind, "", c.members)).ok(201)
		assert.Equal(t, c.kind, v["system_type"])
		path := "/api/v1/systems/" + id
		assert.Equal(t, c.kind, send("GET", path, "").ok(200)["system_type"])
		send("PATCH", path, `{"description":"changed","connection_config":{"timeout":5}}`).ok(200)
		// A new address without the secrets is refused, for every way to log in.
		send("PATCH", path, `{"connection_config":{"url":"https://evil.example"}}`).problem(422, "invalid_argument")
		send("PATCH", path, `{"connection_config":{"database":"d"}}`).problem(422, "invalid_argument")
		send("PATCH", path, `{"pinned_version":"13.0"}`).problem(422, "invalid_argument")
		send("PATCH", path, `{"system_version":"<>"}`).problem(422, "invalid_argument")
		b, err := json.Marshal(map[string]any{"name": "replaced", "connection_config": c.members})
		require.NoError(t, err)
		assert.Equal(t, "replaced", send("PUT", path, string(b)).ok(200)["name"])
	}
	send("GET", "/api/v1/systems", "").ok(200)
	assert.NotContains(t, seen.String(), "canary")
	assert.NotContains(t, e.log.String(), "canary")
}

func TestRegistrationsOfKindsThatAreRefused(t *testing.T) {
	e := newEnv(t)
	for name, tc := range map[string]struct {
		kind, version, field string
		members              map[string]any
	}{
		"no secret":         {"salesforce", "", "connection_config.client_secret", map[string]any{"url": "https://acme.my.salesforce.com", "client_id": "app"}},
		"a password":        {"salesforce", "", "connection_config.password", map[string]any{"url": "https://acme.my.salesforce.com", "client_id": "app", "password": "canary"}},
		"a database":        {"sap", "", "connection_config.database", map[string]any{"url": "https://s4.example.com", "database": "d"}},
		"nobody":            {"sap", "", "connection_config.username", map[string]any{"url": "https://s4.example.com"}},
		"a bad key":         {"salesforce", "", "connection_config.private_key", map[string]any{"url": "https://acme.my.salesforce.com", "client_id": "app", "username": "u", "private_key": "canary"}},
		"a version":         {"salesforce", "62", "system_version", connections["crm"].members},
		"odoo needs one":    {"odoo", "", "system_version", map[string]any{"url": "https://odoo.example.com", "database": "d", "username": "u", "password": "canary"}},
		"a list of names":   {"sap", "", "connection_config.services[0]", map[string]any{"url": "https://s4.example.com", "bearer_token": "canary", "services": []any{"ZMY_SRV"}}},
		"a service's path":  {"sap", "", "connection_config.services[0].path", map[string]any{"url": "https://s4.example.com", "bearer_token": "canary", "services": []any{map[string]any{"name": "A", "path": "//evil"}}}},
		"a member of it":    {"sap", "", "connection_config.services[0].url", map[string]any{"url": "https://s4.example.com", "bearer_token": "canary", "services": []any{map[string]any{"name": "A", "url": "x"}}}},
		"metadata of cloud": {"sap", "", "connection_config.token_url", map[string]any{"url": "https://s4.example.com", "token_url": "http://169.254.169.254/", "client_id": "c", "client_secret": "canary"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("admin", "POST", "/api/v1/systems", registered(t, "x", tc.kind, tc.version, tc.members))
			a.t = t
			a.problem(422, "invalid_argument")
			assert.Contains(t, string(a.body), `"field":"`+tc.field+`"`)
			assert.NotContains(t, string(a.body), "canary")
		})
	}
	assert.EqualValues(t, 0, e.send("admin", "GET", "/api/v1/systems", "").ok(200)["total"])
}

// Where tokens come from is dialled through the guard like everything else.
func TestTokensAreFetchedThroughTheGuard(t *testing.T) {
	e := newEnv(t, func(h *httpapi.Config, b *bridge.Config) {
		h.Guard = netguard.Guard{Private: true}
		b.Openers = systems.Openers(netguard.Guard{}, nil)
	})
	for id, c := range map[string]map[string]any{
		"crm": {"url": "http://127.0.0.1:1", "client_id": "app", "client_secret": "canary"},
		"s4":  {"url": "http://127.0.0.1:1", "token_url": "http://127.0.0.1:1/token", "client_id": "c", "client_secret": "canary"},
	} {
		kind := map[string]string{"crm": "salesforce", "s4": "sap"}[id]
		e.send("admin", "POST", "/api/v1/systems", registered(t, id, kind, "", c)).ok(201)
		detail := e.send("clerk", "POST", "/api/v1/systems/"+id+"/crud", `{"action":"read","model":"Account"}`).problem(422, "invalid_argument")
		assert.Contains(t, detail, "ALLOWED_PRIVATE_NETWORKS", id)
		assert.NotContains(t, detail, "127.0.0.1")
	}
}
