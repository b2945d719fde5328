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
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// people adds an operator, boss, of a tenant of its own, and guest, who only
// reads, to the users of an env.
func (e *env) people() {
	e.t.Helper()
	e.user("boss", "house", store.Operator)
	e.user("guest", "acme", store.Viewer)
}

// userID is the number of a user.
func (e *env) userID(name string) int64 {
	e.t.Helper()
	u, err := e.store.UserByName(e.t.Context(), name)
	require.NoError(e.t, err)
	return u.ID
}

// tenantID is the number of a tenant.
func (e *env) tenantID(name string) int64 {
	e.t.Helper()
	tenant, err := e.store.TenantByName(e.t.Context(), name)
	require.NoError(e.t, err)
	return tenant.ID
}

// grant lets a user use systems alone.
func (e *env) grant(user string, systems ...string) {
	e.t.Helper()
	_, err := e.store.ChangeUser(e.t.Context(), store.AnyTenant, e.userID(user), "", func(u *store.User) error {
		u.Granted = append(store.Granted{}, systems...)
		return nil
	})
	require.NoError(e.t, err)
	e.auth.Changed()
}

// tenant changes a tenant behind the API's back.
func (e *env) tenant(name string, change func(*store.Tenant)) {
	e.t.Helper()
	_, err := e.store.ChangeTenant(e.t.Context(), e.tenantID(name), func(t *store.Tenant) error {
		change(t)
		return nil
	})
	require.NoError(e.t, err)
	e.auth.Changed()
}

// Every operation of the description refuses everybody whose token, session or
// tenant is not in order, in the same way.
func TestEveryOperationRefusesWhoIsNotInOrder(t *testing.T) {
	e := newEnv(t)
	e.people()
	statuses := []struct {
		name   string
		change func(*store.Tenant)
		status int
		code   string
	}{
		{"trial", func(t *store.Tenant) { t.Status, t.TrialEndsAt = store.Trial, time.Now().Add(-time.Second) }, http.StatusPaymentRequired, "tenant_trial_expired"},
		{"suspended", func(t *store.Tenant) { t.Status = store.Suspended }, http.StatusForbidden, "tenant_suspended"},
		{"deleted", func(t *store.Tenant) { t.Status = store.Deleted }, http.StatusGone, "tenant_deleted"},
	}
	for _, s := range statuses {
		e.user("user-of-"+s.name, s.name, store.Operator)
		e.tenant(s.name, s.change)
	}
	e.user("gone", "acme", store.Admin)
	_, err := e.store.ChangeUser(t.Context(), store.AnyTenant, e.userID("gone"), "", func(u *store.User) error {
		u.IsActive = false
		return nil
	})
	require.NoError(t, err)

	n := 0
	for _, d := range e.allOperations() {
		if !d.secured || d.id == "openSocket" {
			continue // a socket is refused in ways of its own
		}
		n++
		path, body := d.request(t, nil)
		send := func(user string, headers ...string) answer {
			if d.form {
				headers = append(headers, "Content-Type", "multipart/form-data; boundary=x")
			}
			return e.send(user, d.method, path, body, headers...)
		}
		send("").problem(401, "token_missing")
		send("", "Authorization", "Bearer "+e.refresh["boss"]).problem(401, "token_wrong_type")
		send("", "Authorization", "Bearer x.y.z").problem(401, "token_invalid")
		send("gone").problem(401, "token_revoked")
		for _, s := range statuses {
			detail := send("user-of-"+s.name).problem(s.status, s.code)
			assert.Equal(t, s.name == "suspended", strings.Contains(strings.ToLower(detail), "suspend"), "clients look for the word")
		}
	}
	assert.Greater(t, n, 40)
}

// The statuses hold for logins and refreshes too, for those who know the
// password alone, and end when the tenant's does.
func TestAClosedTenantsLogin(t *testing.T) {
	e := newEnv(t)
	login := func(password string) answer {
		return e.send("", "POST", "/api/v1/auth/login", `{"username":"rival","password":"`+password+`"}`)
	}
	refresh := func() answer {
		return e.send("", "POST", "/api/v1/auth/refresh", "", "Authorization", "Bearer "+e.refresh["rival"])
	}
	for _, tc := range []struct {
		status store.TenantStatus
		ends   time.Duration
		want   int
		code   string
	}{
		{store.Active, 0, 200, ""},
		{store.Trial, time.Hour, 200, ""},
		{store.Trial, -time.Hour, 402, "tenant_trial_expired"},
		{store.Suspended, 0, 403, "tenant_suspended"},
		{store.Deleted, 0, 410, "tenant_deleted"},
		{store.Active, 0, 200, ""},
	} {
		e.tenant("rivals", func(t *store.Tenant) {
			t.Status, t.TrialEndsAt = tc.status, time.Time{}
			if tc.ends != 0 {
				t.TrialEndsAt = time.Now().Add(tc.ends)
			}
		})
		for _, a := range []answer{login(password), refresh(), e.send("rival", "GET", "/api/v1/auth/me", "")} {
			if tc.want == 200 {
				a.ok(200)
			} else {
				a.problem(tc.want, tc.code)
			}
		}
		e.send("clerk", "GET", "/api/v1/auth/me", "").ok(200)
		if tc.want != 200 {
			login("wrong-password-1").problem(401, "invalid_credentials")
		}
	}
}

// An operation that takes a system takes one that the caller was not granted
// for one that does not exist. Whatever is added to the API is tried too.
func TestUngrantedSystemsDoNotExist(t *testing.T) {
	e := newEnv(t)
	e.people()
	odoo := odootest.New(t, "17.0")
	e.register("admin", "granted", odoo)
	e.register("admin", "secret", odoo)
	for _, user := range []string{"clerk", "guest"} {
		e.grant(user, "granted")
		tried := 0
		for _, d := range e.allOperations() {
			for _, member := range []string{"system_id", "source_system_id", "target_system_id"} {
				if !strings.Contains(d.path, "{"+member+"}") && !d.bodyHas(member) && !hasParameter(&d, member) {
					continue
				}
				tried++
				ask := func(id string) (int, string) {
					values := map[string]any{"system_id": "granted", "model": "contact", "record_ids": []any{1}, member: id}
					if strings.Contains(d.path, "/sync") {
						values = map[string]any{"source_system_id": "granted", "target_system_id": "granted", "model": "contact", member: id}
					}
					if strings.Contains(d.path, "/fields") || strings.Contains(d.path, "/migrate") {
						values["model"] = "res.partner"
					}
					path, body := d.request(t, values)
					a := e.send(user, d.method, path, body)
					return a.status, withoutIDs(t, a, id)
				}
				status, got := ask("secret")
				missing, want := ask("missing")
				assert.Equal(t, missing, status, "%s %s", d.method, d.path)
				assert.Equal(t, want, got, "%s %s", d.method, d.path)
				if d.admin {
					assert.Equal(t, 403, status, "%s %s", d.method, d.path)
					continue
				}
				writes := user == "guest" && status == 403
				assert.True(t, status == 404 || writes, "%s %s with %s: %d %s", d.method, d.path, member, status, got)
				if _, body := ask("granted"); !writes {
					assert.NotContains(t, body, "there is no system", "%s %s: the request gets as far as to the system", d.method, d.path)
				}
			}
		}
		assert.Greater(t, tried, 15)
		v := e.send(user, "GET", "/api/v1/systems", "").ok(200)
		assert.EqualValues(t, 1, v["total"])
		assert.Equal(t, "granted", v["systems"].([]any)[0].(map[string]any)["system_id"])
	}

	// In a batch, in every item.
	e.send("clerk", "POST", "/api/v1/batch/execute", `{"system_id":"granted","operations":[{"action":"read","model":"res.partner"},{"system_id":"secret","action":"read","model":"res.partner"}]}`).
		problem(404, "not_found")

	// None at all, and all again.
	e.grant("clerk")
	assert.EqualValues(t, 0, e.send("clerk", "GET", "/api/v1/systems", "").ok(200)["total"])
}

func TestAdminsGrantSystems(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "granted", odootest.New(t, "17.0"))
	e.register("admin", "secret", odootest.New(t, "17.0"))
	path := fmt.Sprintf("/api/v1/admin/users/%d", e.userID("clerk"))
	e.send("admin", "PATCH", path, `{"systems":["secret"]}`).ok(200)
	e.send("clerk", "GET", "/api/v1/systems/granted", "").problem(404, "not_found")
	e.send("clerk", "GET", "/api/v1/systems/secret", "").ok(200)
	e.send("admin", "PATCH", path, `{"systems":["nothere"]}`).problem(422, "invalid_argument")
	e.send("admin", "PATCH", path, `{"systems":["secret"],"all_systems":true}`).problem(422, "invalid_argument")

	// A system that is registered anew under its name is another one.
	e.send("admin", "DELETE", "/api/v1/systems/secret", "").ok(200)
	e.register("admin", "secret", odootest.New(t, "17.0"))
	e.auth.Changed()
	e.send("clerk", "GET", "/api/v1/systems/secret", "").problem(404, "not_found")
	assert.Equal(t, true, e.send("admin", "PATCH", path, `{"all_systems":true}`).ok(200)["all_systems"])
	e.send("clerk", "GET", "/api/v1/systems/secret", "").ok(200)
}

func hasParameter(d *described, name string) bool {
	for _, p := range list(d.op["parameters"]) {
		if p.(map[string]any)["name"] == name {
			return true
		}
	}
	return false
}

// withoutIDs is an answer without what differs from request to request.
func withoutIDs(t *testing.T, a answer, id string) string {
	t.Helper()
	if !strings.Contains(a.header.Get("Content-Type"), "json") {
		return string(a.body)
	}
	return strings.ReplaceAll(masked(t, a.body), id, "<system>")
}

// viewersMay are the operations, other than GET, that somebody who only reads
// may use: they change nothing, or the own account.
var viewersMay = map[string]bool{
	"login": true, "refreshToken": true, "logout": true, "changeMe": true, "changePassword": true, "endMySession": true, "endMyOtherSessions": true,
	"scanBarcode": true, "migratePlan": true, "migrateCoverage": true, "migrateDiff": true, "previewMapping": true,
	// These look at what is asked for, see below.
	"executeCrud": true, "callOdooOperation": true, "executeBatch": true, "migrateRecords": true,
	// These make files of the caller's own.
	"exportRecords": true, "createReport": true,
}

func TestViewersChangeNothing(t *testing.T) {
	e := newEnv(t)
	e.people()
	odoo := odootest.New(t, "17.0")
	e.register("admin", "odoo_main", odoo)
	e.register("admin", "other", odootest.New(t, "17.0"))
	for _, d := range e.allOperations() {
		if d.method == http.MethodGet || viewersMay[d.id] {
			continue
		}
		path, body := d.request(t, map[string]any{"system_id": "odoo_main"})
		var headers []string
		if d.form {
			headers = []string{"Content-Type", "multipart/form-data; boundary=x"}
		}
		e.send("guest", d.method, path, body, headers...).problem(403, "permission_denied")
	}
	const crud, odooPath = "/api/v1/systems/odoo_main/crud", "/api/v1/systems/odoo_main/odoo/"
	for _, w := range []struct{ path, body string }{
		{crud, `{"action":"create","model":"res.partner","data":{"name":"x"}}`},
		{crud, `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}}`},
		{crud, `{"action":"delete","model":"res.partner","record_id":1}`},
		{crud, `{"action":"upsert","model":"res.partner","key":"external_id","key_value":"a.b","data":{"name":"x"}}`},
		{crud, `{"action":"upsert","model":"contact","use_universal_schema":true,"key":"external_id","key_value":"a.b","data":{"name":"x"}}`},
		{crud, `{"action":"create","model":"contact","use_universal_schema":true,"data":{"name":"x"}}`},
		{crud, `{"action":"delete","model":"contact","use_universal_schema":true,"record_id":1}`},
		{odooPath + "create", `{"model":"res.partner","values":{"name":"x"}}`},
		{odooPath + "write", `{"model":"res.partner","ids":[1],"values":{"ref":"x"}}`},
		{odooPath + "unlink", `{"model":"res.partner","ids":[1]}`},
		{odooPath + "copy", `{"model":"res.partner","ids":[1]}`},
		{odooPath + "name_create", `{"model":"res.partner","name":"x"}`},
		{odooPath + "web_save", `{"model":"res.partner","ids":[1],"values":{"ref":"x"},"specification":{}}`},
		{odooPath + "call_kw", `{"model":"res.partner","method":"write","args":[[1],{"ref":"x"}]}`},
		{odooPath + "call_kw", `{"model":"res.partner","method":"write","args":[[1],{"ref":"x"}],"kwargs":{"strange":1}}`},
		{odooPath + "call_kw", `{"model":"sale.order","method":"action_confirm","args":[[1]]}`},
		{odooPath + "call_method", `{"model":"sale.order","ids":[1],"method":"action_confirm"}`},
		{odooPath + "write", `{"model":"contact","use_universal_schema":true,"ids":[1],"values":{"name":"x"}}`},
		{"/api/v1/systems/odoo_main/migrate", `{"model":"res.partner","from_version":"17.0","to_version":"17.0","pack":"community","record_ids":[1],"target_system_id":"other"}`},
	} {
		detail := e.send("guest", "POST", w.path, w.body).problem(403, "permission_denied")
		assert.Contains(t, detail, "admin", "it says who can change it: %s", w.body)
	}
	pinned := e.send("guest", "POST", odooPath+"write", `{"model":"res.partner","ids":[1],"values":{"ref":"x"}}`, "X-Odoo-Version", "13.0")
	assert.Contains(t, []int{403, 501}, pinned.status, "not in the words of another version either")

	v := e.send("guest", "POST", "/api/v1/batch/execute", `{"system_id":"odoo_main","operations":[
		{"action":"read","model":"res.partner","limit":1},{"action":"create","model":"res.partner","data":{"name":"x"}},
		{"action":"create","model":"res.partner","data":{"name":"y"}},{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"x"}},
		{"operation":"call_kw","model":"res.partner","method":"unlink","args":[[1]]},
		{"action":"upsert","model":"res.partner","key":"external_id","key_value":"a.b","data":{"name":"x"}},
		{"action":"create","model":"contact","use_universal_schema":true,"data":{"name":"x"}}]}`).ok(200)
	for i, r := range v["results"].([]any) {
		r := r.(map[string]any)
		if i == 0 {
			assert.Equal(t, true, r["success"])
			continue
		}
		assert.Equal(t, "permission_denied", r["error"].(map[string]any)["code"], "operation %d", i)
	}
	for _, w := range []struct{ path, body string }{
		{crud, `{"action":"read","model":"res.partner","fields":["name"],"limit":1}`},
		{crud, `{"action":"read","model":"contact","use_universal_schema":true,"fields":["name"],"limit":1}`},
		{odooPath + "search_read", `{"model":"res.partner","fields":["name"],"limit":1}`},
		{odooPath + "call_kw", `{"model":"res.partner","method":"search_count","args":[[]]}`},
		{"/api/v1/systems/odoo_main/migrate", `{"model":"res.partner","from_version":"13.0","to_version":"14.0","record_ids":[1]}`},
	} {
		e.send("guest", "POST", w.path, w.body).ok(200)
	}
	e.send("guest", "GET", "/api/v1/systems/odoo_main/changes?model=res.partner&fields=name&initial=true", "").ok(200)
	changed := e.send("guest", "POST", odooPath+"search_count", `{"model":"res.partner","domain":["|",["ref","=","x"],["name","in",["x","y"]]]}`).ok(200)
	assert.EqualValues(t, 0, changed["result"], "nothing was written")
}

// What the tenant's rules don't allow is refused by every way to a system, with
// the native model and who can change it.
func TestWhatARoleMayCall(t *testing.T) {
	e := newEnv(t)
	e.people()
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	tenant := fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("acme"))
	e.send("admin", "PATCH", tenant, `{"access":{"user":["product.*","sale.order:read","sale.order:action_confirm","res.partner:create"]}}`).ok(200)

	const crud, odooPath = "/api/v1/systems/odoo_main/crud", "/api/v1/systems/odoo_main/odoo/"
	type ask struct{ method, path, body string }
	allowed := []ask{
		{"POST", crud, `{"action":"read","model":"sale.order","fields":["name"]}`},
		{"POST", crud, `{"action":"create","model":"res.partner","data":{"name":"x"}}`},
		{"POST", crud, `{"action":"create","model":"contact","use_universal_schema":true,"data":{"name":"x"}}`},
		{"POST", odooPath + "search_read", `{"model":"product.product","fields":["name"],"limit":1}`},
		{"POST", odooPath + "call_kw", `{"model":"sale.order","method":"search_count","args":[[]]}`},
		{"GET", "/api/v1/systems/odoo_main/fields?model=sale.order", ""},
		{"GET", "/api/v1/barcode/search?q=a&system_id=odoo_main", ""},
	}
	denied := []ask{
		{"POST", crud, `{"action":"read","model":"res.partner","fields":["name"]}`},
		{"POST", crud, `{"action":"read","model":"sale.order","fields":["partner_id.email"]}`},
		{"POST", crud, `{"action":"update","model":"sale.order","record_id":1,"data":{"note":"x"}}`},
		{"POST", crud, `{"action":"read","model":"contact","use_universal_schema":true,"fields":["name"]}`},
		{"POST", crud, `{"action":"update","model":"contact","use_universal_schema":true,"record_id":1,"data":{"name":"x"}}`},
		{"POST", odooPath + "search_read", `{"model":"res.partner","fields":["name"],"limit":1}`},
		{"POST", odooPath + "web_read", `{"model":"sale.order","ids":[1],"specification":{"partner_id":{"fields":{"email":{}}}}}`},
		{"POST", odooPath + "call_kw", `{"model":"res.partner","method":"search_read","args":[[]]}`},
		{"POST", odooPath + "call_kw", `{"model":"sale.order","method":"unlink","args":[[1]]}`},
		{"POST", odooPath + "call_method", `{"model":"sale.order","ids":[1],"method":"action_cancel"}`},
		{"GET", "/api/v1/systems/odoo_main/fields?model=res.partner", ""},
		{"GET", "/api/v1/systems/odoo_main/fields?model=contact&use_universal_schema=true", ""},
		{"POST", "/api/v1/systems/odoo_main/migrate", `{"model":"res.partner","from_version":"13.0","to_version":"14.0","record_ids":[1]}`},
		{"POST", "/api/v1/systems/odoo_main/mappings/contact/preview", `{"limit":1}`},
	}
	for _, a := range allowed {
		got := e.send("clerk", a.method, a.path, a.body)
		assert.Equal(t, 200, got.status, "%s %s: %s", a.path, a.body, got.body)
	}
	for _, a := range denied {
		detail := e.send("clerk", a.method, a.path, a.body).problem(403, "permission_denied")
		assert.Regexp(t, `(res\.partner|sale\.order|specification)`, detail, "it names the system's own model: %s", a.body)
		assert.Contains(t, detail, "admin", "and who can change it")
		assert.NotEqual(t, 403, e.send("admin", a.method, a.path, a.body).status, "other roles are not bound: %s", a.body)
	}
	v := e.send("clerk", "POST", "/api/v1/batch/execute", `{"system_id":"odoo_main","operations":[{"action":"read","model":"sale.order","limit":1},{"action":"read","model":"res.partner"},{"operation":"read","model":"res.partner","ids":[1]}]}`).ok(200)
	for i, want := range []bool{true, false, false} {
		assert.Equal(t, want, v["results"].([]any)[i].(map[string]any)["success"], "operation %d", i)
	}
	// A barcode leads to products and no further.
	e.send("admin", "PATCH", tenant, `{"access":{"user":["sale.order"]}}`).ok(200)
	e.send("clerk", "GET", "/api/v1/barcode/search?q=a&system_id=odoo_main", "").problem(403, "permission_denied")
	e.send("clerk", "GET", "/api/v1/barcode/lookup?barcode=123456&system_id=odoo_main", "").problem(403, "permission_denied")
	e.send("admin", "PATCH", tenant, `{"access":{"user":[]}}`).ok(200)
	e.send("clerk", "POST", crud, `{"action":"read","model":"sale.order"}`).problem(403, "permission_denied")
	e.send("admin", "PATCH", tenant, `{"access":{}}`).ok(200)
	e.send("clerk", "POST", crud, `{"action":"read","model":"sale.order"}`).ok(200)
	// Nothing was kept for clerk that he was not allowed.
	for _, bad := range []string{`{"user":["["]}`, `{"admin":["*"]}`, `{"boss":["*"]}`, `{"user":["a b"]}`, `{"user":[""]}`} {
		e.send("admin", "PATCH", tenant, `{"access":`+bad+`}`).problem(422, "invalid_argument")
	}
}

// What the cache keeps for one caller is not given to another whose rules don't
// allow it.
func TestTheCacheKnowsNoWayAroundTheRules(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	read := `{"model":"sale.order","fields":["name","partner_id"],"limit":1}`
	ask := func(user string) map[string]any {
		return e.send(user, "POST", "/api/v1/systems/main/odoo/search_read", read).ok(200)
	}
	ask("admin")
	assert.Contains(t, ask("admin")["result"].([]any)[0], "partner_id.email", "read along")
	e.tenant("acme", func(t *store.Tenant) { t.Access = map[string][]string{"user": {"sale.order"}} })
	assert.NotContains(t, ask("clerk")["result"].([]any)[0], "partner_id.email")
	e.tenant("acme", func(t *store.Tenant) { t.Access = map[string][]string{"user": {"res.partner"}} })
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_read", read).problem(403, "permission_denied")
}

func TestATenantsOwnLimits(t *testing.T) {
	e := newEnv(t, withLimits(limit.Rates{limit.Default: 1000, limit.Read: 100}))
	e.people()
	e.register("admin", "main", odootest.New(t, "17.0"))
	limitOf := func(user string) string {
		return e.send(user, "POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.partner"}`).header.Get("X-RateLimit-Limit")
	}
	assert.Equal(t, "100", limitOf("clerk"))
	tenant := fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("acme"))
	e.send("boss", "PATCH", tenant, `{"limits":{"read":2}}`).ok(200)
	assert.Equal(t, "2", limitOf("clerk"), "at once, without a new token")
	limitOf("clerk")
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.partner"}`).problem(429, "rate_limited")
	assert.Equal(t, "2", limitOf("admin"), "each user has as many")
	assert.Equal(t, "100", limitOf("rival"), "other tenants have the server's")
	e.send("boss", "PATCH", tenant, `{"limits":{"read":0}}`).ok(200)
	assert.Empty(t, limitOf("clerk"), "0 is no limit")
	e.send("boss", "PATCH", tenant, `{"limits":{}}`).ok(200)
	assert.Equal(t, "100", limitOf("admin"))
	for _, bad := range []string{`{"reads":1}`, `{"read":-1}`, `{"read":1000001}`, `{"read":1.5}`} {
		e.send("boss", "PATCH", tenant, `{"limits":`+bad+`}`).problem(422, "invalid_argument")
	}
	e.send("admin", "PATCH", tenant, `{"limits":{"read":100000}}`).problem(403, "permission_denied")
}

func TestTheUsersLanguage(t *testing.T) {
	e := newEnv(t)
	missing := func(headers ...string) string {
		return e.send("clerk", "GET", "/api/v1/systems/none", "", headers...).problem(404, "not_found")
	}
	wrongly := func(headers ...string) string { // found by huma, not by a handler
		return e.send("clerk", "PATCH", "/api/v1/auth/me", `{"strange":1}`, headers...).problem(422, "invalid_argument")
	}
	assert.True(t, strings.HasPrefix(missing(), "there is no system"))
	assert.Equal(t, "fr", e.send("clerk", "PATCH", "/api/v1/auth/me", `{"language":"fr"}`).ok(200)["language"])
	for _, ask := range []func(...string) string{missing, wrongly} {
		fr, ar := ask(), ask("Accept-Language", "ar")
		assert.Regexp(t, `^(Cet|La requête)`, fr)
		assert.NotEqual(t, fr, ar, "what the request says comes first")
		assert.Equal(t, fr, ask("Accept-Language", "de"), "a language that the server does not speak says nothing")
		assert.NotContains(t, ask("Accept-Language", "en"), "é")
	}
	a := e.send("clerk", "GET", "/api/v1/systems/none?lang=ar", "", "Accept-Language", "en")
	assert.Equal(t, "ar", a.header.Get("Content-Language"), "and ?lang= before all")
	e.send("clerk", "PATCH", "/api/v1/auth/me", `{"language":"de"}`).problem(422, "invalid_argument")
	assert.Empty(t, e.send("clerk", "PATCH", "/api/v1/auth/me", `{"language":""}`).ok(200)["language"])
	assert.True(t, strings.HasPrefix(missing(), "there is no system"))
}

func TestFiguresAndHealthOfATenant(t *testing.T) {
	e := newEnv(t)
	e.people()
	odoo := odootest.New(t, "17.0")
	e.register("admin", "one", odoo)
	e.register("admin", "two", odootest.New(t, "19.0"))
	e.register("admin", "off", odoo)
	e.send("admin", "PATCH", "/api/v1/systems/off", `{"is_active":false}`).ok(200)
	path := fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("acme"))
	stats := func(user string) map[string]any { return e.send(user, "GET", path+"/stats", "").ok(200) }
	assert.EqualValues(t, 0, stats("admin")["total_requests"])
	for range 2 {
		e.send("clerk", "POST", "/api/v1/systems/one/odoo/create", `{"model":"res.partner","values":{"name":"x"}}`).ok(200)
	}
	e.send("clerk", "POST", "/api/v1/systems/two/odoo/unlink", `{"model":"res.partner","ids":[999999]}`)
	got := stats("boss")
	want := map[string]any{"total_requests": 3.0, "successful_requests": 2.0, "failed_requests": 1.0, "active_connections": 0.0, "users": 3.0, "systems": 3.0, "sessions": 0.0}
	for name, v := range want {
		assert.Equal(t, v, got[name], name)
	}
	assert.Positive(t, got["avg_response_time"])
	other := e.send("boss", "GET", fmt.Sprintf("/api/v1/admin/tenants/%d/stats", e.tenantID("rivals")), "").ok(200)
	assert.EqualValues(t, 0, other["total_requests"])

	health := func(user string) map[string]any { return e.send(user, "GET", path+"/health", "").ok(200) }
	v := health("admin")
	assert.Equal(t, true, v["healthy"])
	require.Len(t, v["systems"], 2, "what is shut off is not asked")
	odoo.Close()
	v = health("boss")
	assert.Equal(t, false, v["healthy"])
	one, two := v["systems"].([]any)[0].(map[string]any), v["systems"].([]any)[1].(map[string]any)
	assert.Equal(t, false, one["healthy"])
	assert.Equal(t, "unavailable", one["code"])
	assert.NotContains(t, one["message"], odoo.URL)
	assert.Equal(t, true, two["healthy"])
}
