package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// registerSalesforce and registerSAP register a simulated system under an id,
// as a user.
func (e *env) registerSalesforce(user, id string, s *salesforcetest.Server) {
	e.t.Helper()
	e.send(user, "POST", "/api/v1/systems", fmt.Sprintf(
		`{"system_id":%q,"system_type":"salesforce","connection_config":{"url":%q,"client_id":%q,"client_secret":%q}}`, id, s.URL, s.ClientID, s.ClientSecret),
	).ok(http.StatusCreated)
}

func (e *env) registerSAP(user, id string, s *saptest.Server) {
	e.t.Helper()
	e.send(user, "POST", "/api/v1/systems", fmt.Sprintf(
		`{"system_id":%q,"system_type":"sap","system_version":"S/4HANA 2023","connection_config":{"url":%q,"username":%q,"password":%q,"client":%q}}`,
		id, s.URL, s.Username, s.Password, s.Client),
	).ok(http.StatusCreated)
}

// In their own words, Salesforce and SAP are systems like any other.
func TestSalesforceAndSAPInTheirOwnWords(t *testing.T) {
	e := newEnv(t)
	e.registerSalesforce("admin", "crm", salesforcetest.New(t))
	e.registerSAP("admin", "s4", saptest.New(t))
	for _, tc := range []struct {
		id, kind, version, model, idField, field, value, changed, create string
	}{
		{"crm", "salesforce", "62.0", "Account", "Id", "Name", "Tuwaiq", "Tuwaiq Trading", `{"Name":"Tuwaiq"}`},
		{
			"s4", "sap", "S/4HANA 2023", "API_BUSINESS_PARTNER.A_BusinessPartner", "id", "OrganizationBPName1", "Tuwaiq", "Tuwaiq Trading",
			`{"BusinessPartnerCategory":"2","BusinessPartnerGrouping":"BP02","OrganizationBPName1":"Tuwaiq"}`,
		},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			send := func(user, method, path, body string) answer {
				a := e.send(user, method, "/api/v1/systems/"+tc.id+path, body)
				a.t = t
				return a
			}
			crud := func(body string, args ...any) map[string]any {
				return send("clerk", "POST", "/crud", fmt.Sprintf(body, args...)).ok(200)
			}
			status := send("clerk", "GET", "/status", "").ok(200)
			assert.Equal(t, tc.kind, status["system_type"])
			assert.Equal(t, tc.version, status["version"])
			assert.Equal(t, true, status["health"].(map[string]any)["healthy"])
			assert.Equal(t, "closed", status["circuit_breaker"].(map[string]any)["state"])

			fields := send("clerk", "GET", "/fields?model="+tc.model, "").ok(200)["fields"].(map[string]any)
			assert.Equal(t, "char", fields[tc.field].(map[string]any)["type"])
			assert.Equal(t, true, send("clerk", "GET", "/fields?model="+tc.model, "").ok(200)["cached"])
			send("clerk", "GET", "/fields?model=No_Such", "").problem(404, "not_found")

			id := crud(`{"action":"create","model":%q,"data":%s}`, tc.model, tc.create)["result"].(map[string]any)["id"]
			read := fmt.Sprintf(`{"action":"read","model":%q,"domain":[[%q,"=",%q]],"fields":[%q]}`, tc.model, tc.idField, id, tc.field)
			for range 2 { // the second time from the cache
				assert.Equal(t, tc.value, crud("%s", read)["result"].([]any)[0].(map[string]any)[tc.field])
			}
			assert.NotZero(t, send("clerk", "GET", "/cache/stats", "").ok(200)["cache_stats"].(map[string]any)["total_hits"])
			crud(`{"action":"update","model":%q,"record_id":%q,"data":{%q:%q}}`, tc.model, id, tc.field, tc.changed)
			assert.Equal(t, tc.changed, crud("%s", read)["result"].([]any)[0].(map[string]any)[tc.field], "nothing stale")
			send("admin", "DELETE", "/cache/clear", "").ok(200)

			send("clerk", "POST", "/crud", fmt.Sprintf(`{"action":"read","model":%q,"fields":["fone"]}`, tc.model)).problem(422, "invalid_argument")
			send("clerk", "POST", "/crud", fmt.Sprintf(`{"action":"update","model":%q,"record_id":"nothere","data":{%q:"x"}}`, tc.model, tc.field)).problem(404, "not_found")
			assert.GreaterOrEqual(t, send("clerk", "POST", "/odoo/search_read", fmt.Sprintf(`{"model":%q}`, tc.model)).status, 404, "those are Odoo's")
			send("rival", "GET", "/status", "").problem(404, "not_found")
		})
	}
	assert.NotContains(t, e.log.String(), "Welcome1")
}

// Nothing that is secret shows up, whatever Salesforce and SAP do.
func TestSecretsOfSalesforceAndSAPStaySecret(t *testing.T) {
	org, err := salesforcetest.Start(salesforcetest.Config{Apps: []salesforcetest.App{{ClientID: "app", ClientSecret: "canary-app-secret"}}})
	require.NoError(t, err)
	t.Cleanup(org.Close)
	s4, err := saptest.Start(saptest.Config{Username: "BRIDGE", Password: "canary-sap-password", ClientID: "c", ClientSecret: "canary-client-secret"})
	require.NoError(t, err)
	t.Cleanup(s4.Close)
	e := newEnv(t)
	var seen strings.Builder
	send := func(user, method, path, body string) answer {
		a := e.send(user, method, "/api/v1/systems"+path, body)
		seen.Write(a.body)
		return a
	}
	for id, tc := range map[string]struct {
		kind, model, secret string
		right               map[string]any
	}{
		"crm":      {"salesforce", "Account", "client_secret", map[string]any{"url": org.URL, "client_id": "app", "client_secret": "canary-app-secret"}},
		"crm_user": {"salesforce", "Account", "refresh_token", map[string]any{"url": org.URL, "client_id": org.ClientID, "client_secret": org.ClientSecret, "refresh_token": org.RefreshToken}},
		"s4":       {"sap", "API_PRODUCT_SRV.A_Product", "password", map[string]any{"url": s4.URL, "username": "BRIDGE", "password": "canary-sap-password"}},
		"s4_cloud": {"sap", "API_PRODUCT_SRV.A_Product", "client_secret", map[string]any{"url": s4.URL, "token_url": s4.TokenURL, "client_id": "c", "client_secret": "canary-client-secret"}},
		"s4_token": {"sap", "API_PRODUCT_SRV.A_Product", "bearer_token", map[string]any{"url": s4.URL, "bearer_token": s4.BearerToken}},
	} {
		send("admin", "POST", "", registered(t, id, tc.kind, "", tc.right)).ok(201)
		send("admin", "POST", "", registered(t, id, tc.kind, "", tc.right)).problem(409, "already_exists")
		read := fmt.Sprintf(`{"action":"read","model":%q,"limit":1}`, tc.model)
		assert.Len(t, send("clerk", "POST", "/"+id+"/crud", read).ok(200)["result"], 1, id)

		send("admin", "PATCH", "/"+id, fmt.Sprintf(`{"connection_config":{%q:"canary-wrong"}}`, tc.secret)).ok(200)
		detail := send("clerk", "POST", "/"+id+"/crud", read).problem(502, "unauthenticated")
		assert.NotContains(t, detail, "127.0.0.1", id)
		health := send("clerk", "GET", "/"+id+"/status", "").ok(200)["health"].(map[string]any)
		assert.Equal(t, "unauthenticated", health["code"], id)
		send("admin", "GET", "/"+id, "").ok(200)
	}
	org.Close()
	s4.Close()
	for _, id := range []string{"crm", "s4", "s4_cloud"} {
		send("clerk", "POST", "/"+id+"/crud", `{"action":"read","model":"Account"}`)
		send("clerk", "GET", "/"+id+"/status", "").ok(200)
	}
	for where, text := range map[string]string{"answers": seen.String(), "log": e.log.String()} {
		for _, secret := range []string{"canary", org.ClientSecret, org.RefreshToken, s4.BearerToken} {
			assert.NotContains(t, text, secret, where)
		}
	}
}

// An org that rotates refresh tokens takes each one once. The server goes on
// after a new start, since it stored what it got.
func TestARotatedRefreshTokenIsKept(t *testing.T) {
	org, err := salesforcetest.Start(salesforcetest.Config{RotateRefreshTokens: true})
	require.NoError(t, err)
	t.Cleanup(org.Close)
	var keeper *systems.Keeper
	e := newEnv(t, func(h *httpapi.Config, b *bridge.Config) {
		keeper = systems.NewKeeper(h.Store, h.Vault, h.Log)
		b.Openers = systems.Openers(netguard.Guard{Private: true}, keeper)
	})
	e.send("admin", "POST", "/api/v1/systems", registered(t, "crm", "salesforce", "", map[string]any{
		"url": org.URL, "client_id": org.ClientID, "client_secret": org.ClientSecret, "refresh_token": org.RefreshToken,
	})).ok(201)
	for range 3 {
		e.send("clerk", "POST", "/api/v1/systems/crm/crud", `{"action":"read","model":"Account","fields":["Name"],"limit":1}`).ok(200)
		keeper.Close()              // all is stored
		e.bridge.Forget("1", "crm") // as a new start does
	}
	assert.NotContains(t, e.log.String(), "could not be stored")
}
