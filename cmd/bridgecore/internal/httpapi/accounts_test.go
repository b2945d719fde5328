package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

const newPassword = "correct horse battery"

// Every user tries everything on the users of every tenant.
func TestUsersMatrix(t *testing.T) {
	verbs := []struct{ name, method, path, body string }{
		{"get", "GET", "", ""},
		{"change", "PATCH", "", `{"full_name":"Changed"}`},
		{"demote", "PATCH", "", `{"role":"viewer"}`},
		{"lock out", "PATCH", "", `{"is_active":false}`},
		{"password", "POST", "/password", `{"password":"` + newPassword + `"}`},
		{"sessions", "GET", "/sessions", ""},
		{"end sessions", "DELETE", "/sessions", ""},
		{"end session", "DELETE", "/sessions/nothere", ""},
		{"delete", "DELETE", "", ""},
	}
	e := newEnv(t)
	e.people()
	e.user("second", "house", store.Operator) // so that nobody is the last one
	isAdmin := map[string]bool{"admin": true, "rival": true, "boss": true}
	for _, verb := range verbs {
		for _, object := range []struct {
			tenant string
			role   store.Role
		}{{"acme", store.Plain}, {"acme", store.Operator}, {"rivals", store.Viewer}} {
			for _, user := range []string{"", "guest", "clerk", "rival", "admin", "boss"} {
				name := strings.ReplaceAll(fmt.Sprintf("%s-%s-%s-%s", verb.name, object.tenant, object.role, user), " ", "-")
				t.Run(name, func(t *testing.T) {
					e.user(name, object.tenant, object.role)
					id := e.userID(name)
					send := func(id int64) answer {
						a := e.send(user, verb.method, fmt.Sprintf("/api/v1/admin/users/%d%s", id, verb.path), verb.body)
						a.t = t
						return a
					}
					a := send(id)
					own := map[string]string{"rival": "rivals", "admin": "acme"}[user]
					switch {
					case user == "":
						a.problem(401, "token_missing")
					case !isAdmin[user]:
						a.problem(403, "permission_denied")
					case user != "boss" && own != object.tenant:
						assert.Equal(t, withoutIDs(t, send(99999999), "/99999999"), withoutIDs(t, a, fmt.Sprint("/", id)), "exactly like one that does not exist")
						a.problem(404, "not_found")
					case user != "boss" && object.role == store.Operator && verb.method != "GET":
						assert.Contains(t, a.problem(403, "permission_denied"), "operator")
					case verb.name == "end session":
						a.problem(404, "not_found")
					default:
						a.ok(200)
						return
					}
					u, err := e.store.User(t.Context(), id)
					require.NoError(t, err, "nothing became of it")
					assert.Equal(t, object.role, u.Role)
					assert.True(t, u.IsActive)
					assert.Zero(t, u.SessionGeneration)
				})
			}
		}
	}
}

// Every user tries everything on every tenant.
func TestTenantsMatrix(t *testing.T) {
	const (
		anyAdmin = iota // of the own tenant
		operators
	)
	verbs := []struct {
		name, method, path, body string
		needs                    int
	}{
		{"get", "GET", "", "", anyAdmin},
		{"stats", "GET", "/stats", "", anyAdmin},
		{"health", "GET", "/health", "", anyAdmin},
		{"access", "PATCH", "", `{"access":{"viewer":["res.*"]}}`, anyAdmin},
		{"rename", "PATCH", "", `{"name":"renamed"}`, operators},
		{"limits", "PATCH", "", `{"limits":{"read":5000}}`, operators},
		{"suspend", "PATCH", "", `{"status":"suspended"}`, operators},
		{"both", "PATCH", "", `{"access":{},"status":"active"}`, operators},
		{"activate", "PATCH", "", `{"status":"active"}`, operators},
		{"delete", "DELETE", "", "", operators},
	}
	e := newEnv(t)
	e.people()
	for _, object := range []string{"acme", "rivals"} {
		for _, verb := range verbs {
			for _, user := range []string{"", "guest", "clerk", "admin", "rival", "boss"} {
				t.Run(fmt.Sprintf("%s %s %s", user, verb.name, object), func(t *testing.T) {
					send := func(id int64) answer {
						a := e.send(user, verb.method, fmt.Sprintf("/api/v1/admin/tenants/%d%s", id, verb.path), verb.body)
						a.t = t
						return a
					}
					before, err := e.store.TenantByName(t.Context(), object)
					require.NoError(t, err)
					a := send(before.ID)
					isAdmin := user == "admin" || user == "rival" || user == "boss"
					owns := user == "admin" && object == "acme" || user == "rival" && object == "rivals"
					switch {
					case user == "":
						a.problem(401, "token_missing")
					case !isAdmin, verb.name == "delete" && user != "boss":
						a.problem(403, "permission_denied")
					case user != "boss" && !owns:
						assert.Equal(t, withoutIDs(t, send(99999999), "s/99999999"), withoutIDs(t, a, fmt.Sprint("s/", before.ID)), "exactly like one that does not exist")
						a.problem(404, "not_found")
					case user != "boss" && verb.needs == operators:
						a.problem(403, "permission_denied")
					default:
						a.ok(200)
						_, err := e.store.ChangeTenant(t.Context(), before.ID, func(t *store.Tenant) error {
							*t = before
							return nil
						})
						require.NoError(t, err)
						e.auth.Changed()
						return
					}
					after, err := e.store.Tenant(t.Context(), before.ID)
					require.NoError(t, err)
					assert.Equal(t, before, after, "nothing became of it")
				})
			}
		}
	}
	for _, user := range []string{"guest", "clerk", "admin"} {
		e.send(user, "GET", "/api/v1/admin/tenants", "").problem(403, "permission_denied")
		e.send(user, "POST", "/api/v1/admin/tenants", `{"name":"mine"}`).problem(403, "permission_denied")
	}
}

// Nobody becomes more than whoever made it so.
func TestNobodyRises(t *testing.T) {
	e := newEnv(t)
	e.people()
	user := func(name string) string { return fmt.Sprintf("/api/v1/admin/users/%d", e.userID(name)) }
	add := func(as, role, more string) answer {
		return e.send(as, "POST", "/api/v1/admin/users", fmt.Sprintf(`{"username":"new-%s-%s","password":%q,"role":%q%s}`, as, role, newPassword, role, more))
	}
	add("admin", "operator", "").problem(403, "permission_denied")
	e.send("admin", "PATCH", user("admin"), `{"role":"operator"}`).problem(403, "permission_denied")
	e.send("admin", "PATCH", user("clerk"), `{"role":"operator"}`).problem(403, "permission_denied")
	e.send("clerk", "PATCH", user("clerk"), `{"role":"admin"}`).problem(403, "permission_denied")
	e.send("clerk", "PATCH", "/api/v1/auth/me", `{"role":"admin"}`).problem(422, "invalid_argument")
	e.send("clerk", "PATCH", "/api/v1/auth/me", `{"tenant_id":"2"}`).problem(422, "invalid_argument")
	e.send("admin", "PATCH", user("clerk"), `{"tenant_id":"2"}`).problem(422, "invalid_argument")
	e.send("admin", "PATCH", user("clerk"), `{"role":"king"}`).problem(422, "invalid_argument")
	// Into another tenant.
	rivals := strconv.FormatInt(e.tenantID("rivals"), 10)
	foreign := add("admin", "user", `,"tenant_id":"`+rivals+`"`)
	foreign.problem(422, "invalid_argument")
	missing := add("admin", "user", `,"tenant_id":"99999"`)
	assert.Equal(t, withoutIDs(t, missing, "99999"), withoutIDs(t, foreign, rivals))
	assert.Empty(t, e.send("admin", "GET", "/api/v1/admin/users?tenant_id="+rivals, "").ok(200)["users"])
	for _, u := range e.send("admin", "GET", "/api/v1/admin/users", "").ok(200)["users"].([]any) {
		assert.Equal(t, strconv.FormatInt(e.tenantID("acme"), 10), u.(map[string]any)["tenant_id"])
	}
	assert.Equal(t, rivals, add("boss", "admin", `,"tenant_id":"`+rivals+`"`).ok(201)["tenant_id"])
	assert.Equal(t, "operator", add("boss", "operator", "").ok(201)["role"])
	assert.Equal(t, "user", e.send("admin", "POST", "/api/v1/admin/users", `{"username":"Nour","password":"`+newPassword+`"}`).ok(201)["role"])
	// A demoted admin is one no more, at once.
	add("admin", "admin", "").ok(201)
	e.send("admin", "PATCH", user("admin"), `{"role":"user"}`).ok(200)
	e.send("admin", "GET", "/api/v1/admin/users", "").problem(403, "permission_denied")
}

func TestTheLastOneStays(t *testing.T) {
	e := newEnv(t)
	e.people()
	user := func(name string) string { return fmt.Sprintf("/api/v1/admin/users/%d", e.userID(name)) }
	for _, as := range []struct{ who, whom string }{{"admin", "admin"}, {"boss", "admin"}, {"boss", "boss"}} {
		for _, body := range []string{`{"role":"user"}`, `{"is_active":false}`} {
			e.send(as.who, "PATCH", user(as.whom), body).problem(409, "conflict")
		}
		e.send(as.who, "DELETE", user(as.whom), "").problem(409, "conflict")
	}
	e.user("second", "acme", store.Admin)
	e.user("spare", "house", store.Admin)
	e.send("admin", "PATCH", user("second"), `{"is_active":false}`).ok(200)
	e.send("admin", "DELETE", user("admin"), "").problem(409, "conflict")
	e.send("boss", "PATCH", user("boss"), `{"role":"admin"}`).problem(409, "conflict") // the house would have an admin; the installation no operator
	e.send("admin", "PATCH", user("second"), `{"is_active":true}`).ok(200)
	// At the same time, one of both at most.
	var wait sync.WaitGroup
	codes := make([]int, 2)
	for i, name := range []string{"admin", "second"} {
		e.user("helper"+name, "acme", store.Plain)
		path := user(name)
		wait.Go(func() { codes[i] = e.send("boss", "PATCH", path, `{"role":"user"}`).status })
	}
	wait.Wait()
	assert.ElementsMatch(t, []int{200, 409}, codes)

	// Nor does an operator lock himself out with his tenant.
	house := fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("house"))
	for _, status := range []string{"suspended", "deleted", "trial"} {
		e.send("boss", "PATCH", house, `{"status":"`+status+`","trial_ends_at":"2020-01-01T00:00:00Z"}`).problem(409, "conflict")
	}
	e.send("boss", "DELETE", house, "").problem(409, "conflict")
	e.send("boss", "PATCH", house, `{"name":"home"}`).ok(200)
}

// login logs in over HTTP and returns the tokens.
func (e *env) login(user, password string, headers ...string) (access, refresh string) {
	e.t.Helper()
	v := e.send("", "POST", "/api/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password), headers...).ok(200)
	return "Bearer " + v["access_token"].(string), "Bearer " + v["refresh_token"].(string)
}

func (e *env) as(token, method, path, body string, headers ...string) answer {
	e.t.Helper()
	return e.send("", method, path, body, append(headers, "Authorization", token)...)
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	e := newEnv(t)
	e.people()
	phone, phoneRefresh := e.login("clerk", password, "User-Agent", "phone/1.0 \xff")
	desk, deskRefresh := e.login("clerk", password, "User-Agent", strings.Repeat("desk", 100))
	sessions := func(token string) []any {
		v := e.as(token, "GET", "/api/v1/auth/sessions", "").ok(200)
		assert.EqualValues(t, len(v["sessions"].([]any)), v["total"])
		return v["sessions"].([]any)
	}
	got := sessions(phone)
	require.Len(t, got, 2)
	ids, current := map[string]string{}, []string{}
	for _, s := range got {
		s := s.(map[string]any)
		kind := s["user_agent"].(string)[:4]
		ids[kind] = s["id"].(string)
		if s["current"] == true {
			current = append(current, kind)
		}
		assert.Equal(t, "127.0.0.1", s["ip"])
		assert.LessOrEqual(t, len(s["user_agent"].(string)), 255)
		assert.NotEmpty(t, s["created_at"])
		assert.NotEmpty(t, s["expires_at"])
	}
	assert.Equal(t, []string{"phon"}, current)
	e.as(phoneRefresh, "POST", "/api/v1/auth/refresh", "", "User-Agent", "phone/2.0").ok(200)
	for _, s := range sessions(phone) {
		if s := s.(map[string]any); s["current"] == true {
			assert.Equal(t, "phone/2.0", s["user_agent"], "a refresh says what it is now")
		}
	}

	// Another's session does not exist.
	rival, _ := e.login("rival", password)
	rivalID := sessions(rival)[0].(map[string]any)["id"].(string)
	foreign := e.as(phone, "DELETE", "/api/v1/auth/sessions/"+rivalID, "")
	foreign.problem(404, "not_found")
	const nobodys = "0b6f7c1e-6f0e-4f0e-9d0f-3d3a3b5b8c11"
	assert.Equal(t, withoutIDs(t, e.as(phone, "DELETE", "/api/v1/auth/sessions/"+nobodys, ""), nobodys), withoutIDs(t, foreign, rivalID))
	e.send("admin", "DELETE", fmt.Sprintf("/api/v1/admin/users/%d/sessions/%s", e.userID("clerk"), rivalID), "").problem(404, "not_found")
	e.as(rival, "GET", "/api/v1/auth/me", "").ok(200)

	e.as(phone, "DELETE", "/api/v1/auth/sessions/"+ids["desk"], "").ok(200)
	e.as(desk, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.as(deskRefresh, "POST", "/api/v1/auth/refresh", "").problem(401, "token_revoked")
	require.Len(t, sessions(phone), 1)

	a, _ := e.login("clerk", password)
	b, _ := e.login("clerk", password)
	assert.EqualValues(t, 2, e.as(phone, "DELETE", "/api/v1/auth/sessions", "").ok(200)["ended"])
	e.as(a, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.as(b, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.as(phone, "GET", "/api/v1/auth/me", "").ok(200)

	path := fmt.Sprintf("/api/v1/admin/users/%d/sessions", e.userID("clerk"))
	v := e.send("admin", "GET", path, "").ok(200)
	require.EqualValues(t, 1, v["total"])
	assert.Equal(t, false, v["sessions"].([]any)[0].(map[string]any)["current"], "it is not the admin's")
	e.send("admin", "DELETE", path+"/"+ids["phon"], "").ok(200)
	e.as(phone, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	a, _ = e.login("clerk", password)
	e.send("admin", "DELETE", path, "").ok(200)
	e.as(a, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.send("clerk", "GET", "/api/v1/auth/me", "").problem(401, "token_revoked") // one without a record too

	// A logout ends it as well.
	a, _ = e.login("clerk", password)
	e.as(a, "POST", "/api/v1/auth/logout", "").ok(200)
	assert.EqualValues(t, 0, e.send("admin", "GET", path, "").ok(200)["total"])
}

func TestOnesOwnPassword(t *testing.T) {
	e := newEnv(t)
	here, _ := e.login("clerk", password)
	there, thereRefresh := e.login("clerk", password)
	change := func(token, old, fresh string) answer {
		b, err := json.Marshal(map[string]string{"current_password": old, "new_password": fresh})
		require.NoError(t, err)
		return e.as(token, "POST", "/api/v1/auth/password", string(b))
	}
	assert.Contains(t, change(here, "canary-wrong-one", newPassword).problem(422, "invalid_argument"), "current_password")
	for bad, why := range map[string]string{"short": "12 characters", "clerk-and-clerk": "user name", "password12345": "tried first", password: "the one that you have"} {
		detail := change(here, password, bad).problem(422, "invalid_argument")
		assert.Contains(t, detail, "new_password")
		assert.Contains(t, detail, why)
		assert.NotContains(t, detail, bad)
	}
	v := change(here, password, newPassword).ok(200)
	fresh, freshRefresh := "Bearer "+v["access_token"].(string), "Bearer "+v["refresh_token"].(string)
	for _, token := range []string{here, there} {
		e.as(token, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	}
	e.as(thereRefresh, "POST", "/api/v1/auth/refresh", "").problem(401, "token_revoked")
	e.as(fresh, "GET", "/api/v1/auth/me", "").ok(200)
	e.as(freshRefresh, "POST", "/api/v1/auth/refresh", "").ok(200)
	list := e.as(fresh, "GET", "/api/v1/auth/sessions", "").ok(200)
	require.EqualValues(t, 1, list["total"])
	assert.Equal(t, true, list["sessions"].([]any)[0].(map[string]any)["current"], "the session goes on")
	e.send("", "POST", "/api/v1/auth/login", `{"username":"clerk","password":"`+password+`"}`).problem(401, "invalid_credentials")
	e.login("clerk", newPassword)

	// Guessing the old one is a failed login.
	for range 3 {
		change(fresh, "canary-wrong-one", "another good password").problem(422, "invalid_argument")
	}
	change(fresh, "canary-wrong-one", "another good password").problem(429, "rate_limited")
	assert.NotContains(t, e.log.String(), "canary-wrong-one")
}

func TestAdminsResetPasswords(t *testing.T) {
	e := newEnv(t)
	path := fmt.Sprintf("/api/v1/admin/users/%d/password", e.userID("clerk"))
	detail := e.send("admin", "POST", path, `{"password":"password12345"}`).problem(422, "invalid_argument")
	assert.Contains(t, detail, "tried first")
	e.send("clerk", "GET", "/api/v1/auth/me", "").ok(200)
	e.send("admin", "POST", path, `{"password":"`+newPassword+`"}`).ok(200)
	e.send("clerk", "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.login("clerk", newPassword)

	clerk := fmt.Sprintf("/api/v1/admin/users/%d", e.userID("clerk"))
	token, refresh := e.login("clerk", newPassword)
	e.send("admin", "PATCH", clerk, `{"is_active":false}`).ok(200)
	e.as(token, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.as(refresh, "POST", "/api/v1/auth/refresh", "").problem(401, "token_revoked")
	e.send("", "POST", "/api/v1/auth/login", `{"username":"clerk","password":"`+newPassword+`"}`).problem(401, "invalid_credentials")
	e.send("admin", "PATCH", clerk, `{"is_active":true}`).ok(200)
	e.as(token, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked") // what was ended stays so
	token, _ = e.login("clerk", newPassword)
	e.send("admin", "DELETE", clerk, "").ok(200)
	e.as(token, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked")
	e.send("admin", "GET", clerk, "").problem(404, "not_found")
	e.send("admin", "POST", "/api/v1/admin/users", `{"username":"clerk","password":"`+newPassword+`"}`).ok(201)
	e.as(token, "GET", "/api/v1/auth/me", "").problem(401, "token_revoked") // and another user of the name is another one
}

func TestListsAreGivenInPages(t *testing.T) {
	e := newEnv(t)
	e.people()
	for i := range 5 {
		e.user(fmt.Sprintf("many_%d", i), "acme", store.Plain)
		_, err := e.store.EnsureTenant(t.Context(), fmt.Sprintf("Tenant 100%% %d", i))
		require.NoError(t, err)
	}
	all := func(path, member string) []string {
		var names []string
		for cursor := ""; ; {
			v := e.send("boss", "GET", path+cursor, "").ok(200)
			items := v[member].([]any)
			assert.LessOrEqual(t, len(items), 2)
			for _, item := range items {
				name, ok := item.(map[string]any)["username"].(string)
				if !ok {
					name = item.(map[string]any)["name"].(string)
				}
				names = append(names, name)
			}
			next, more := v["next_cursor"].(string)
			if !more {
				return names
			}
			cursor = "&cursor=" + next
		}
	}
	assert.Equal(t, []string{"many_0", "many_1", "many_2", "many_3", "many_4"}, all("/api/v1/admin/users?limit=2&q=MANY_", "users"))
	assert.Equal(t, []string{"guest"}, all("/api/v1/admin/users?limit=2&role=viewer", "users"))
	assert.Len(t, all("/api/v1/admin/tenants?limit=2&q=100%25", "tenants"), 5)
	assert.Empty(t, all("/api/v1/admin/tenants?limit=2&q=a%25e", "tenants"), "% is no wildcard")
	assert.Empty(t, all("/api/v1/admin/tenants?limit=2&status=deleted", "tenants"))
	assert.Empty(t, all("/api/v1/admin/users?limit=2&q=%00%0a%ff_x", "users"))
	for _, query := range []string{"cursor=x", "cursor=-1", "limit=0", "limit=501", "role=king", "tenant_id=x"} {
		e.send("boss", "GET", "/api/v1/admin/users?"+query, "").problem(422, "invalid_argument")
	}
}

func TestWrongAccounts(t *testing.T) {
	e := newEnv(t)
	e.people()
	user := func(more string) string { return `{"username":"new","password":"` + newPassword + `"` + more + `}` }
	for body, want := range map[string]struct {
		status int
		field  string
	}{
		`{"password":"` + newPassword + `"}`:                                {422, "username"},
		`{"username":"new"}`:                                                {422, "password"},
		`{"username":"  ","password":"` + newPassword + `"}`:                {422, "username"},
		"{\"username\":\"a\\u0000b\",\"password\":\"" + newPassword + "\"}": {422, "username"},
		`{"username":"CLERK","password":"` + newPassword + `"}`:             {409, ""},
		`{"username":"new","password":"new-new-new-new"}`:                   {422, "password"},
		user(`,"email":"nowhere"`):                                          {422, "email"},
		user(`,"email":"A <a@b.c>"`):                                        {422, "email"},
		user(`,"full_name":"a\u0007"`):                                      {422, "full_name"},
		user(`,"language":"de"`):                                            {422, "language"},
		user(`,"role":"king"`):                                              {422, "role"},
		user(`,"systems":["none"]`):                                         {422, "systems"},
		user(`,"systems":[],"role":"admin"`):                                {422, "systems"},
		user(`,"password_hash":"x"`):                                        {422, "password_hash"},
		user(`,"is_superuser":true`):                                        {422, "is_superuser"},
	} {
		a := e.send("admin", "POST", "/api/v1/admin/users", body)
		detail := a.problem(want.status, map[int]string{409: "already_exists", 422: "invalid_argument"}[want.status])
		assert.Contains(t, detail, want.field, body)
		assert.NotContains(t, string(a.body), newPassword)
	}
	for body, want := range map[string]string{
		`{}`:                                  "name",
		`{"name":" "}`:                        "name",
		`{"name":"x","status":"trial"}`:       "trial_ends_at",
		`{"name":"x","status":"deleted"}`:     "status",
		`{"name":"x","trial_ends_at":"soon"}`: "trial_ends_at",
		`{"name":"x","trial_ends_at":"2030-01-01T00:00:00Z"}`: "trial_ends_at",
		`{"name":"x","limits":{"all":1}}`:                     "limits",
		`{"name":"x","access":{"viewer":["["]}}`:              "access",
	} {
		assert.Contains(t, e.send("boss", "POST", "/api/v1/admin/tenants", body).problem(422, "invalid_argument"), want, body)
	}
	e.send("boss", "POST", "/api/v1/admin/tenants", `{"name":"acme"}`).problem(409, "already_exists")
	e.send("boss", "PATCH", fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("rivals")), `{"name":"acme"}`).problem(409, "already_exists")
}

// A second server of the installation notices what the first one changed.
func TestAnotherServerNotices(t *testing.T) {
	e := newEnv(t)
	e.people()
	other := auth.New(e.store, auth.Config{Key: vault.NewSecret("canary-signing-key-0123456789abcdef")})
	header := "Bearer " + e.tokens["rival"]
	_, err := other.Identify(t.Context(), header)
	require.NoError(t, err)
	e.send("boss", "PATCH", fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("rivals")), `{"status":"suspended"}`).ok(200)
	e.send("rival", "GET", "/api/v1/auth/me", "").problem(403, "tenant_suspended")
	_, err = other.Refresh(t.Context(), "Bearer "+e.refresh["rival"], auth.Client{})
	assert.Equal(t, auth.ErrTenantSuspended, err, "a refresh asks every time; a known token is asked about after ten seconds, see package auth")
}

func TestAccountsAreAudited(t *testing.T) {
	_, audited := withAudit(t, false)
	e := newEnv(t, audited)
	e.people()
	clerk := fmt.Sprintf("/api/v1/admin/users/%d", e.userID("clerk"))
	e.send("admin", "PATCH", clerk, `{"full_name":"canary-name"}`).ok(200)
	e.send("clerk", "PATCH", clerk, `{"role":"admin"}`).problem(403, "permission_denied")
	e.send("admin", "POST", clerk+"/password", `{"password":"canary-new-password"}`).ok(200)
	e.send("boss", "PATCH", fmt.Sprintf("/api/v1/admin/tenants/%d", e.tenantID("rivals")), `{"status":"suspended"}`).ok(200)
	var got []string
	for _, x := range append(e.trail("admin", ""), e.trail("boss", "")...) {
		details, err := json.Marshal(x["details"])
		require.NoError(t, err)
		model, _ := x["model"].(string)
		got = append(got, fmt.Sprintf("%s %s %s %v %s", x["user"], x["action"], model, x["outcome"], details))
		assert.NotContains(t, string(details), "canary")
	}
	id, rivals := e.userID("clerk"), e.tenantID("rivals")
	assert.Equal(t, []string{
		fmt.Sprintf(`admin changeUser user ok {"changes":[{"fields":{"full_name":true},"ids":[%d],"model":"user","operation":"changeUser","system":""}]}`, id),
		`clerk changeUser  permission_denied {}`,
		`admin resetPassword user ok {}`,
		fmt.Sprintf(`boss changeTenant tenant ok {"changes":[{"fields":{"status":true},"ids":[%d],"model":"tenant","operation":"changeTenant","system":""}]}`, rivals),
	}, got)
}
