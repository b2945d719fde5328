package httpapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// checked is a server whose hub checks its sessions when the test says so, and
// whose tokens expire when the test says so.
func checked(t *testing.T) (e *env, check func(), pass func(time.Duration)) {
	t.Helper()
	hub, err := live.New(live.Config{CheckInterval: time.Hour})
	require.NoError(t, err)
	var mu sync.Mutex
	now := time.Now()
	e = newEnv(t, func(c *httpapi.Config, b *bridge.Config) {
		c.Live = hub
		c.Auth = auth.New(c.Store, auth.Config{Key: vault.NewSecret("canary-signing-key-0123456789abcdef"), Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}})
		b.Access = bridge.Access{"admin": {{Models: []string{"*"}, Methods: []string{"*"}}}, "user": {{Models: []string{"res.partner"}, Methods: []string{"*"}}}}
	})
	return e, func() { hub.Check(t.Context()) }, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
}

// change changes a user behind the API's back, as another server would.
func (e *env) change(user string, change func(*store.User)) {
	e.t.Helper()
	_, err := e.store.ChangeUser(e.t.Context(), store.AnyTenant, e.userID(user), "", func(u *store.User) error {
		change(u)
		return nil
	})
	require.NoError(e.t, err)
	e.auth.Changed()
}

// Whoever may not be here any longer is told why, and goes.
func TestLiveEndsWithTheRight(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*env)
		code   int
		reason string
	}{
		"the user is deactivated": {func(e *env) { e.change("clerk", func(u *store.User) { u.IsActive = false }) }, 4401, "token_revoked"},
		"the tenant is suspended": {func(e *env) { e.tenant("acme", func(t *store.Tenant) { t.Status = store.Suspended }) }, 4403, "tenant_suspended"},
		"the tenant is deleted":   {func(e *env) { e.tenant("acme", func(t *store.Tenant) { t.Status = store.Deleted }) }, 4403, "tenant_deleted"},
		"the session is ended":    {func(e *env) { e.send("clerk", "POST", "/api/v1/auth/logout", "").ok(200) }, 4401, "token_revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			e, check, _ := checked(t)
			s, rival := e.socket("clerk"), e.socket("rival")
			check()
			s.quiet()
			c.end(e)
			e.auth.Changed()
			check()
			assert.Contains(t, s.closedWith(c.code), c.reason)
			rival.quiet()
		})
	}
}

// What somebody may no longer hear ends, the rest goes on.
func TestLiveSubscriptionsEndWithTheGrant(t *testing.T) {
	e, check, _ := checked(t)
	e.register("admin", "one", odootest.New(t, "17.0"))
	e.register("admin", "two", odootest.New(t, "17.0"))
	s := e.socket("clerk")
	s.subscribe("one", "res.partner", "")
	s.subscribe("two", "res.partner", "")
	s.subscribe("two", "contact", `,"use_universal_schema":true`)
	e.grant("clerk", "one")
	check()
	for range 2 {
		v := s.hear()
		assert.Equal(t, "error", v["type"], "%v", v)
		assert.Equal(t, "not_found", v["code"])
		assert.Equal(t, "two", v["system_id"])
	}
	check()
	s.quiet()
	assert.Equal(t, map[string]any{"one:res.partner": 1.0}, e.send("clerk", "GET", "/api/v1/ws/stats", "").ok(200)["models"])

	// A role that may read less.
	e.user("deputy", "acme", store.Admin)
	admin := e.socket("admin")
	admin.subscribe("one", "res.country", "")
	admin.subscribe("one", "res.partner", "")
	admin.say(`{"type":"subscribe","channel":"audit"}`)
	admin.until("subscribed")
	e.change("admin", func(u *store.User) { u.Role = store.Plain })
	check()
	seen := []any{}
	for range 2 {
		v := admin.hear()
		assert.Equal(t, "permission_denied", v["code"], "%v", v)
		seen = append(seen, v["channel"], v["model"])
	}
	assert.ElementsMatch(t, []any{"audit", nil, nil, "res.country"}, seen)
	admin.quiet()
	assert.Equal(t, map[string]any{"one:res.partner": 1.0}, e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["models"])
}

// Systems of others, systems without a grant and systems that don't exist are
// answered alike, in either vocabulary.
func TestLiveForeignSystemsAreUnknown(t *testing.T) {
	e, _, _ := checked(t)
	e.register("admin", "granted", odootest.New(t, "17.0"))
	e.register("admin", "not-granted", odootest.New(t, "17.0"))
	e.register("rival", "foreign", odootest.New(t, "17.0"))
	e.grant("clerk", "granted")
	s := e.socket("clerk")
	for _, more := range []string{`"model":"res.partner"`, `"model":"res.partner","record_ids":[1],"fields":["nonsense"]`, `"model":"no.such.model"`, `"model":"contact","use_universal_schema":true`} {
		var answers []string
		for _, system := range []string{"not-granted", "foreign", "nothere"} {
			s.say(fmt.Sprintf(`{"type":"subscribe_model","system_id":%q,%s}`, system, more))
			answers = append(answers, strings.ReplaceAll(fmt.Sprint(s.hear()), system, "X"))
			s.say(fmt.Sprintf(`{"type":"unsubscribe_model","system_id":%q,%s}`, system, more))
			answers[len(answers)-1] += strings.ReplaceAll(fmt.Sprint(s.hear()), system, "X")
		}
		assert.Contains(t, answers[0], "not_found")
		assert.Equal(t, answers[0], answers[1])
		assert.Equal(t, answers[0], answers[2])
	}
}

// A fresh token, sent in time, carries the connection and its subscriptions on.
func TestLiveTakesAFreshToken(t *testing.T) {
	e, check, pass := checked(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	s, other := e.socket("clerk"), e.socket("admin")
	s.subscribe("main", "res.partner", "")
	other.subscribe("main", "res.partner", "")
	pass(20 * time.Minute)
	for first, code := range map[string]string{
		`{"type":"auth"}`:                                      "invalid_argument",
		`{"type":"auth","token":"x.y.z"}`:                      "unauthenticated",
		`{"type":"auth","token":"` + e.refresh["clerk"] + `"}`: "unauthenticated",
		`{"type":"auth","token":"` + e.tokens["rival"] + `"}`:  "permission_denied",
		`{"type":"auth","token":"` + e.tokens["admin"] + `"}`:  "permission_denied",
	} {
		s.say(first)
		v := s.hear()
		assert.Equal(t, code, v["code"], "%v", v)
		assert.NotContains(t, fmt.Sprint(v), e.tokens["admin"])
	}
	fresh, err := e.auth.Refresh(t.Context(), "Bearer "+e.refresh["clerk"], auth.Client{})
	require.NoError(t, err)
	s.say(`{"type":"auth","token":"` + fresh.AccessToken + `","request_id":7}`)
	v := s.hear()
	assert.Equal(t, "authenticated", v["type"], "%v", v)
	assert.EqualValues(t, 7, v["request_id"])
	e.tokens["clerk"] = fresh.AccessToken
	pass(11 * time.Minute) // the first tokens have expired
	check()
	assert.Contains(t, other.closedWith(4401), "token_expired")
	e.send("clerk", "POST", "/api/v1/systems/main/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"on"}}`).ok(200)
	assert.Equal(t, "model_update", s.hear()["type"], "what was subscribed to stays")
	pass(20 * time.Minute)
	check()
	assert.Contains(t, s.closedWith(4401), "token_expired")
}
