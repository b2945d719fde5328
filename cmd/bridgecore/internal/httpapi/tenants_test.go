package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type verb struct {
	name, method, path, body string
	needs                    store.Role
}

// status is that of success.
func (v verb) status() int {
	if strings.Contains(v.body, `"async":true`) {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// verbs are all requests about one system. needs is the role that may make
// them.
var verbs = []verb{
	{"get", "GET", "", "", store.Plain},
	{"status", "GET", "/status", "", store.Plain},
	{"fields", "GET", "/fields?model=res.partner", "", store.Plain},
	{"read", "POST", "/crud", `{"action":"read","model":"res.partner","fields":["name"],"order":"id","limit":3}`, store.Plain},
	{"create", "POST", "/crud", `{"action":"create","model":"res.partner","data":{"name":"X"}}`, store.Plain},
	{"update", "POST", "/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}}`, store.Plain},
	{"read one", "POST", "/crud", `{"action":"read","model":"res.partner","record_id":1,"fields":["name"],"etag":true}`, store.Plain},
	{"update if there", "POST", "/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"},"if_match":"*"}`, store.Plain},
	{"search_read", "POST", "/odoo/search_read", `{"model":"res.partner","fields":["name"],"order":"id","limit":3}`, store.Plain},
	{"call_kw", "POST", "/odoo/call_kw", `{"model":"res.partner","method":"search_count","args":[[]]}`, store.Plain},
	{"write", "POST", "/odoo/write", `{"model":"res.partner","ids":[1],"values":{"ref":"y"}}`, store.Plain},
	{"universal read", "POST", "/crud", `{"action":"read","model":"contact","fields":["name"],"order":"id","limit":3,"use_universal_schema":true}`, store.Plain},
	{"universal search", "POST", "/odoo/search", `{"model":"contact","use_universal_schema":true}`, store.Plain},
	{"universal fields", "GET", "/fields?model=contact&use_universal_schema=true", "", store.Plain},
	{"mappings", "GET", "/mappings", "", store.Plain},
	{"mapping", "GET", "/mappings/contact", "", store.Plain},
	{"mapping versions", "GET", "/mappings/contact/versions", "", store.Plain},
	{"mapping preview", "POST", "/mappings/contact/preview", `{"limit":2}`, store.Plain},
	{"save mapping", "PUT", "/mappings/contact", `{"mapping":"mapping: contact\nsystem: odoo\nextends: true\nfields: {industry: {path: function}}\n"}`, store.Admin},
	{"migrate", "POST", "/migrate", `{"model":"res.partner","to_version":"19.0","record_ids":[1]}`, store.Plain},
	{"migrate in the background", "POST", "/migrate", `{"model":"res.partner","to_version":"19.0","record_ids":[1],"async":true}`, store.Plain},
	{"cache stats", "GET", "/cache/stats", "", store.Plain},
	{"cache clear", "DELETE", "/cache/clear", "", store.Admin},
	{"change", "PATCH", "", `{"description":"changed"}`, store.Admin},
	{"delete", "DELETE", "", "", store.Admin},
}

// Every user asks every thing of a system of every tenant.
func TestNobodySeesAnotherTenantsSystem(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	owner := map[string]string{"admin": "acme", "clerk": "acme", "rival": "rivals"}
	isAdmin := map[string]bool{"admin": true, "rival": true}
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks)
	for _, verb := range verbs {
		for _, object := range []string{"acme", "rivals"} {
			id := object + "-" + strings.ReplaceAll(verb.name, " ", "-")
			e.register(map[string]string{"acme": "admin", "rivals": "rival"}[object], id, odoo)
			for _, user := range []string{"", "clerk", "rival", "admin"} {
				if object == "rivals" && user == "rival" {
					continue // comes last, below: it may delete
				}
				t.Run(fmt.Sprintf("%s %s of %s", user, verb.name, object), func(t *testing.T) {
					a := e.send(user, verb.method, "/api/v1/systems/"+id+verb.path, verb.body)
					a.t = t
					switch {
					case user == "":
						a.problem(401, "token_missing")
					case verb.needs == store.Admin && !isAdmin[user]:
						a.problem(403, "permission_denied")
					case owner[user] != object:
						got := a.problem(404, "not_found")
						missing := e.send(user, verb.method, "/api/v1/systems/nothere"+verb.path, verb.body)
						assert.Equal(t, strings.ReplaceAll(missing.problem(404, "not_found"), "nothere", id), got, "exactly like one that does not exist")
					default:
						a.ok(verb.status())
					}
				})
			}
			if object == "rivals" {
				a := e.send("rival", verb.method, "/api/v1/systems/"+id+verb.path, verb.body)
				a.ok(verb.status())
			}
		}
	}
	for user, want := range map[string]int{"admin": len(verbs) - 1, "clerk": len(verbs) - 1, "rival": len(verbs) - 1} {
		v := e.send(user, "GET", "/api/v1/systems", "").ok(200)
		assert.EqualValues(t, want, v["total"], user)
		for _, s := range v["systems"].([]any) {
			assert.True(t, strings.HasPrefix(s.(map[string]any)["system_id"].(string), owner[user]), "%s sees %v", user, s)
		}
	}
}

// Two tenants give their systems the same id. What one reads, writes, keeps
// and clears is never the other's.
func TestTwoTenantsWithTheSameSystemID(t *testing.T) {
	ours, theirs := odootest.New(t, "17.0"), odootest.New(t, "17.0")
	mine, err := ours.Create("res.partner", map[string]any{"name": "Partner of acme", "ref": "secret"})
	require.NoError(t, err)
	yours, err := theirs.Create("res.partner", map[string]any{"name": "Partner of rivals", "ref": "secret"})
	require.NoError(t, err)
	require.Equal(t, mine, yours, "even the records' ids are the same")

	e := newEnv(t)
	e.register("admin", "main", ours)
	e.register("rival", "main", theirs)
	names := func(user, path, body string) string {
		a := e.send(user, "POST", "/api/v1/systems/main"+path, body)
		require.Equal(t, 200, a.status, string(a.body))
		return string(a.body)
	}
	for range 2 { // the second time from the cache
		for path, body := range map[string]string{
			"/crud":             `{"action":"read","model":"res.partner","domain":[["ref","=","secret"]],"fields":["name"]}`,
			"/odoo/search_read": `{"model":"res.partner","domain":[["ref","=","secret"]],"fields":["name"]}`,
			"/odoo/read":        fmt.Sprintf(`{"model":"res.partner","ids":[%d],"fields":["name"]}`, mine),
			"/odoo/name_search": `{"model":"res.partner","name":"Partner of"}`,
		} {
			for user, want := range map[string]string{"admin": "acme", "clerk": "acme", "rival": "rivals"} {
				got := names(user, path, body)
				assert.Contains(t, got, "Partner of "+want, "%s %s", user, path)
				assert.Equal(t, 1, strings.Count(got, "Partner of"), "%s %s", user, path)
			}
		}
	}

	// A write of one does not touch the other, nor what is kept for it.
	read := `{"model":"res.partner","domain":[["ref","=","secret"]],"fields":["name"]}`
	names("rival", "/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":%d,"data":{"name":"Renamed by rivals"}}`, yours))
	assert.Contains(t, names("admin", "/odoo/search_read", read), `"cached":true`)
	assert.Contains(t, names("admin", "/odoo/search_read", read), "Partner of acme")
	got := names("rival", "/odoo/search_read", read)
	assert.Contains(t, got, "Renamed by rivals")
	assert.Contains(t, got, `"cached":false`)

	// Nor does clearing the cache, or deleting the system.
	e.send("rival", "DELETE", "/api/v1/systems/main/cache/clear", "").ok(200)
	assert.Contains(t, names("admin", "/odoo/search_read", read), `"cached":true`)
	statsOf := func(user string) map[string]any {
		return e.send(user, "GET", "/api/v1/systems/main/cache/stats", "").ok(200)["cache_stats"].(map[string]any)
	}
	assert.NotEqual(t, statsOf("admin"), statsOf("rival"))
	e.send("rival", "DELETE", "/api/v1/systems/main", "").ok(200)
	e.send("rival", "POST", "/api/v1/systems/main/odoo/search_read", read).problem(404, "not_found")
	assert.Contains(t, names("admin", "/odoo/search_read", read), "Partner of acme")

	// Registered anew, with another system behind it: nothing of the old one.
	e.register("rival", "main", odootest.New(t, "19.0"))
	assert.NotContains(t, names("rival", "/odoo/search_read", read), "Partner of")
}

func TestANewPasswordOfASystemIsUsedAtOnce(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	count := `{"model":"res.partner"}`
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", count).ok(200)
	e.send("admin", "PATCH", "/api/v1/systems/main", `{"connection_config":{"password":"canary-wrong"}}`).ok(200)
	detail := e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", count).problem(502, "unauthenticated")
	assert.NotContains(t, detail, "canary")
	right, err := json.Marshal(map[string]any{"connection_config": map[string]string{"password": odoo.Password}})
	require.NoError(t, err)
	e.send("admin", "PATCH", "/api/v1/systems/main", string(right)).ok(200)
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", count).ok(200)

	e.send("admin", "PATCH", "/api/v1/systems/main", `{"is_active":false}`).ok(200)
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", count).problem(403, "permission_denied")
	e.send("clerk", "GET", "/api/v1/systems/main/status", "").problem(403, "permission_denied")
	assert.Equal(t, false, e.send("clerk", "GET", "/api/v1/systems/main", "").ok(200)["is_active"])
	e.send("admin", "PATCH", "/api/v1/systems/main", `{"is_active":true}`).ok(200)
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", count).ok(200)
}
