package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// browser shows the page /tasks, as far as that is told by headers.
type browser struct {
	*env
	cookies map[string]string
}

type shown struct {
	status int
	header http.Header
	body   string
}

// visit sends a request as a browser does that is on a page of the server.
func (b *browser) visit(method, path string, form url.Values, headers ...string) shown {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.url)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	for _, c := range res.Cookies() {
		assert.True(b.t, c.HttpOnly, c.Name)
		assert.Equal(b.t, http.SameSiteStrictMode, c.SameSite, c.Name)
		assert.Equal(b.t, "/tasks", c.Path, c.Name)
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	return shown{res.StatusCode, res.Header, string(text)}
}

// browse logs in on the page.
func (e *env) browse(user string) *browser {
	e.t.Helper()
	b := &browser{e, map[string]string{}}
	got := b.visit("POST", "/tasks/login", url.Values{"username": {user}, "password": {password}})
	require.Equal(e.t, http.StatusSeeOther, got.status, got.body)
	require.Equal(e.t, "/tasks", got.header.Get("Location"))
	return b
}

var sealed = regexp.MustCompile(`name="seal" value="([^"]+)"`)

func (b *browser) seal() string {
	b.t.Helper()
	m := sealed.FindStringSubmatch(b.visit("GET", "/tasks", nil).body)
	require.NotNil(b.t, m)
	return m[1]
}

func TestTheTasksPageIsForAdmins(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.user("watcher", "acme", store.Viewer)
	e.user("boss", "acme", store.Operator)
	start()
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	ours := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(2)+`]}`)
	e.ended("clerk", ours, "succeeded")

	nobody := &browser{e, map[string]string{}}
	got := nobody.visit("GET", "/tasks", nil)
	assert.Equal(t, 200, got.status)
	assert.Contains(t, got.body, `action="/tasks/login"`)
	assert.NotContains(t, got.body, ours)
	for _, user := range []string{"clerk", "watcher"} {
		got := nobody.visit("POST", "/tasks/login", url.Values{"username": {user}, "password": {password}})
		assert.Equal(t, 403, got.status, user)
		assert.Empty(t, nobody.cookies, user)
		// Nor with a token that is good elsewhere.
		sly := &browser{e, map[string]string{"bridgecore_tasks": e.tokens[user]}}
		got = sly.visit("GET", "/tasks", nil)
		assert.Equal(t, 403, got.status, user)
		assert.NotContains(t, got.body, ours)
		sly.cookies["bridgecore_tasks"] = e.tokens[user]
		assert.Equal(t, 403, sly.visit("POST", "/tasks/operations/"+ours+"/retry", url.Values{"seal": {"x"}}).status, user)
	}
	got = nobody.visit("POST", "/tasks/login", url.Values{"username": {"admin"}, "password": {"canary-wrong"}})
	assert.Equal(t, 401, got.status)
	assert.NotContains(t, got.body, "canary")

	admin, boss, rival := e.browse("admin"), e.browse("boss"), e.browse("rival")
	got = admin.visit("GET", "/tasks", nil)
	assert.Contains(t, got.body, ours)
	assert.Contains(t, got.body, "acme")
	assert.Contains(t, got.body, `http-equiv="refresh"`)
	assert.NotContains(t, admin.visit("GET", "/tasks?still=1", nil).body, `http-equiv="refresh"`)
	policy := got.header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	assert.NotContains(t, policy, "unsafe")
	assert.NotContains(t, got.body, "<script")
	assert.NotContains(t, got.body, " style=")
	got = boss.visit("GET", "/tasks", nil)
	assert.Contains(t, got.body, ours)
	assert.Contains(t, got.body, "all tenants")
	got = rival.visit("GET", "/tasks", nil)
	assert.Equal(t, 200, got.status)
	assert.NotContains(t, got.body, ours)
	got = rival.visit("POST", "/tasks/operations/"+ours+"/cancel", url.Values{"seal": {rival.seal()}})
	assert.Equal(t, 404, got.status)
	assert.Contains(t, got.body, "there is no such operation")
	got = admin.visit("POST", "/tasks/operations/"+ours+"/cancel", url.Values{"seal": {admin.seal()}, "back": {"/tasks?state=failed&x=y"}})
	assert.Equal(t, 409, got.status, "it has ended")
	assert.Contains(t, got.body, "has ended already")

	assert.Contains(t, admin.visit("GET", "/tasks?lang=ar", nil).body, `dir="rtl"`)
	assert.Contains(t, admin.visit("GET", "/tasks", nil).body, `lang="ar"`, "it is remembered")
}

func TestCancelAndRetryOnTheTasksPage(t *testing.T) {
	tasks, _ := withTasks(t, nil) // nobody works
	e := newEnv(t, tasks)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	id := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(2)+`]}`)
	state := func() any { return e.send("clerk", "GET", "/api/v1/operations/"+id, "").ok(200)["state"] }
	admin := e.browse("admin")
	seal := admin.seal()
	cancel := "/tasks/operations/" + id + "/cancel"
	for name, refused := range map[string]shown{
		"no seal":              admin.visit("POST", cancel, url.Values{}),
		"a wrong seal":         admin.visit("POST", cancel, url.Values{"seal": {seal[1:] + "A"}}),
		"another page":         admin.visit("POST", cancel, url.Values{"seal": {seal}}, "Origin", "https://evil.example"),
		"a page without name":  admin.visit("POST", cancel, url.Values{"seal": {seal}}, "Origin", "null"),
		"another site":         admin.visit("POST", cancel, url.Values{"seal": {seal}}, "Sec-Fetch-Site", "cross-site"),
		"another's seal":       admin.visit("POST", cancel, url.Values{"seal": {e.browse("admin").seal()}}),
		"login from elsewhere": admin.visit("POST", "/tasks/login", url.Values{"username": {"admin"}, "password": {password}}, "Origin", "https://evil.example"),
	} {
		assert.Equal(t, 403, refused.status, name)
	}
	assert.Equal(t, 415, admin.visit("POST", cancel, url.Values{"seal": {seal}}, "Content-Type", "text/plain").status)
	assert.Equal(t, 405, admin.visit("GET", cancel, nil).status)
	nobody := &browser{e, map[string]string{}}
	assert.Equal(t, 303, nobody.visit("POST", cancel, url.Values{"seal": {seal}}).status)
	assert.Equal(t, "queued", state())

	got := admin.visit("POST", cancel, url.Values{"seal": {seal}, "back": {"//evil.example/?state=queued&kind=batch"}})
	assert.Equal(t, 303, got.status, got.body)
	assert.Equal(t, "/tasks?kind=batch&state=queued", got.header.Get("Location"))
	assert.Equal(t, "cancelled", state())
	assert.Equal(t, 303, admin.visit("POST", "/tasks/operations/"+id+"/retry", url.Values{"seal": {seal}}).status)
	assert.Equal(t, "queued", state())

	// Whoever logs out, and whose role or password changes, sees nothing more.
	was := admin.cookies["bridgecore_tasks"]
	assert.Equal(t, 303, admin.visit("POST", "/tasks/logout", url.Values{"seal": {seal}}).status)
	assert.Empty(t, admin.cookies)
	again := &browser{e, map[string]string{"bridgecore_tasks": was}}
	got = again.visit("GET", "/tasks", nil)
	assert.Equal(t, 401, got.status)
	assert.NotContains(t, got.body, id)
	assert.Empty(t, again.cookies, "it is of no more use")

	e.user("second", "acme", store.Admin)
	other := e.browse("admin")
	u, err := e.store.UserByName(t.Context(), "admin")
	require.NoError(t, err)
	_, err = e.store.ChangeUser(t.Context(), u.TenantID, u.ID, "", func(u *store.User) error { u.Role = store.Plain; return nil })
	require.NoError(t, err)
	e.auth.Changed()
	assert.Equal(t, 403, other.visit("GET", "/tasks", nil).status)
}

// What users say is shown, and nothing else.
func TestTheTasksPageShowsTextsAsTexts(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	evil := `<img src=x onerror=alert(1)>"'` // in a name, a system and a message
	e.user(evil, "acme", store.Plain)
	start()
	e.register("admin", "main", odootest.New(t, "17.0"))
	id := e.started(evil, exportPath, `{"system_id":"main","model":"res.partner","format":"csv","async":true,"fields":["name","<script>alert(1)</script>"]}`)
	e.ended(evil, id, "failed")
	id = e.started(evil, exportPath, `{"system_id":"main","model":"res.partner","format":"csv","async":true,"fields":["name"],"title":"<script>alert(2)</script>"}`)
	e.ended(evil, id, "succeeded")
	admin := e.browse("admin")
	for _, page := range []string{"/tasks", "/tasks?kind=" + url.QueryEscape(evil), "/tasks?before=" + url.QueryEscape(evil), "/tasks?state=" + url.QueryEscape(evil), "/tasks?lang=" + url.QueryEscape(evil)} {
		got := admin.visit("GET", page, nil)
		assert.Equal(t, 200, got.status, page)
		assert.NotContains(t, got.body, "<img", page)
		assert.NotContains(t, got.body, "<script", page)
	}
	assert.Contains(t, admin.visit("GET", "/tasks", nil).body, "&lt;img src=x onerror=alert(1)&gt;")
	got := (&browser{e, map[string]string{}}).visit("POST", "/tasks/login", url.Values{"username": {evil}, "password": {"x"}})
	assert.NotContains(t, got.body, "<img")
}

func TestTheTasksPageInPages(t *testing.T) {
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	var ids []string
	for range 60 {
		ids = append(ids, e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(1)+`]}`))
	}
	e.send("clerk", "POST", "/api/v1/operations/"+ids[3]+"/cancel", "").ok(200)
	admin := e.browse("admin")
	first := admin.visit("GET", "/tasks", nil).body
	assert.Contains(t, first, ids[59])
	assert.NotContains(t, first, ids[9])
	older := regexp.MustCompile(`href="(/tasks\?before=[^"]+)"`).FindStringSubmatch(first)
	require.NotNil(t, older)
	second := admin.visit("GET", older[1], nil).body
	assert.Contains(t, second, `title="`+ids[9]+`"`)
	assert.NotContains(t, second, `title="`+ids[10]+`"`)
	only := admin.visit("GET", "/tasks?state=cancelled", nil).body
	assert.Contains(t, only, ids[3])
	assert.NotContains(t, only, ids[4])
	assert.Contains(t, only, `Cancelled <b>1</b>`)
	assert.Contains(t, only, `Waiting <b>59</b>`)
	assert.Equal(t, 1, strings.Count(admin.visit("GET", "/tasks?kind=nothing", nil).body, "<td colspan=\"7\""))
}

func TestLoginsOnTheTasksPageAreLimited(t *testing.T) {
	e := newEnv(t, withLimits(limit.Rates{limit.Auth: 2, limit.Default: 0}))
	b := &browser{e, map[string]string{}}
	var last shown
	for i := range 3 {
		last = b.visit("POST", "/tasks/login", url.Values{"username": {fmt.Sprint("u", i)}, "password": {"x"}})
	}
	assert.Equal(t, 429, last.status)
	assert.NotEmpty(t, last.header.Get("Retry-After"))
}
