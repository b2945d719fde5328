package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

func TestErrorsInTheCallersLanguage(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	message := func(path, body string, headers ...string) (string, string) {
		a := e.send("clerk", http.MethodPost, path, body, headers...)
		v := a.json()
		assert.Equal(t, v["detail"], v["message"])
		return v["message"].(string), a.header.Get("Content-Language")
	}
	const odoo = "/api/v1/systems/odoo/odoo/search_read"
	got, lang := message(odoo, `{"model":"res.partner","fields":["no_such_field"]}`, "Accept-Language", "ar-SA, en;q=0.5")
	assert.Equal(t, "ar", lang)
	assert.Contains(t, got, i18n.For("ar").T("error_invalid_argument"))
	assert.Contains(t, got, "Invalid field 'no_such_field'", "what apps look for stays")
	got, _ = message("/api/v1/systems/nowhere/odoo/search_read?lang=fr", `{"model":"res.partner"}`)
	assert.Contains(t, got, i18n.For("fr").T("error_not_found"))
	got, lang = message(odoo, `{"model":"res.partner","fields":["no_such_field"]}`, "Accept-Language", "de")
	assert.Empty(t, lang)
	assert.NotContains(t, got, ":  ")
	v := e.send("", http.MethodPost, "/api/v1/auth/login", `{"username":"x","password":"y"}`, "Accept-Language", "ar").json()
	assert.Equal(t, i18n.For("ar").T("error_invalid_credentials"), v["message"])
	v = e.send("", http.MethodGet, "/api/v1/auth/me", "", "Accept-Language", "fr").json()
	assert.Equal(t, i18n.For("fr").T("error_token_missing"), v["message"])
}
