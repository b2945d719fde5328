package httpapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

func TestASession(t *testing.T) {
	e := newEnv(t)
	e.user("Sara", "acme", store.Plain)
	v := e.send("", "POST", "/api/v1/auth/login", `{"username":"sara","password":"`+password+`"}`).ok(200)
	assert.Len(t, v, 4)
	assert.Equal(t, "bearer", v["token_type"])
	assert.EqualValues(t, 1800, v["expires_in"])
	access, refresh := "Bearer "+v["access_token"].(string), "Bearer "+v["refresh_token"].(string)

	me := e.send("", "GET", "/api/v1/auth/me", "", "Authorization", access).ok(200)
	assert.Equal(t, "sara", me["username"])
	assert.Equal(t, "user", me["role"])
	assert.Equal(t, false, me["is_superuser"])

	e.send("", "GET", "/api/v1/auth/me", "", "Authorization", refresh).problem(401, "token_wrong_type")
	e.send("", "POST", "/api/v1/systems/x/odoo/read", `{}`, "Authorization", refresh).problem(401, "token_wrong_type")
	e.send("", "POST", "/api/v1/auth/refresh", "", "Authorization", access).problem(401, "token_wrong_type")
	e.send("", "POST", "/api/v1/auth/refresh", "").problem(401, "token_missing")

	// The app's client sends {} along.
	v = e.send("", "POST", "/api/v1/auth/refresh", "{}", "Authorization", refresh).ok(200)
	assert.Len(t, v, 3)
	fresh := "Bearer " + v["access_token"].(string)
	e.send("", "GET", "/api/v1/auth/me", "", "Authorization", fresh).ok(200)
	e.send("", "POST", "/api/v1/auth/refresh", "", "Authorization", refresh).ok(200)

	assert.Empty(t, e.send("", "POST", "/api/v1/auth/logout", "{}", "Authorization", fresh).ok(200))
	for _, token := range []string{access, fresh} {
		e.send("", "GET", "/api/v1/auth/me", "", "Authorization", token).problem(401, "token_revoked")
	}
	e.send("", "POST", "/api/v1/auth/refresh", "", "Authorization", refresh).problem(401, "token_revoked")
	e.send("clerk", "GET", "/api/v1/auth/me", "").ok(200)
}

func TestLoginIsThrottled(t *testing.T) {
	e := newEnv(t)
	for range 5 {
		e.send("", "POST", "/api/v1/auth/login", `{"username":"admin","password":"wrong-password"}`).problem(401, "invalid_credentials")
	}
	// Another address in a header is nobody's word.
	a := e.send("", "POST", "/api/v1/auth/login", `{"username":"ADMIN","password":"`+password+`"}`, "X-Forwarded-For", "192.0.2.9", "X-Real-IP", "192.0.2.9")
	a.problem(429, "rate_limited")
	assert.NotEmpty(t, a.header.Get("Retry-After"))
	e.send("", "POST", "/api/v1/auth/login", `{"username":"clerk","password":"`+password+`"}`).ok(200)
}
