package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

func withLenses(_ *httpapi.Config, c *bridge.Config) { c.Lenses = systems.Lenses() }

// An app of 13.0 says so in a header, and is answered in its own words.
func TestTheHeaderPinsAVersion(t *testing.T) {
	e := newEnv(t, withLenses)
	odoo := odootest.New(t, "19.0")
	e.register("admin", "main", odoo)
	const crud, op = "/api/v1/systems/main/crud", "/api/v1/systems/main/odoo/"
	as13 := func(path, body string) answer { return e.send("admin", "POST", path, body, "X-Odoo-Version", "13.0") }

	made := as13(crud, `{"action":"create","model":"product.template","data":{"name":"Sextant","type":"product"}}`)
	id := made.ok(200)["result"].(map[string]any)["id"]
	assert.Equal(t, "13.0", made.header.Get("X-Odoo-Version"))
	assert.Equal(t, "product", made.json()["result"].(map[string]any)["type"], "the values that were sent")

	read := fmt.Sprintf(`{"action":"read","model":"product.template","domain":[["id","=",%v],["type","=","product"]],"fields":["name","type"]}`, id)
	got := as13(crud, read)
	assert.Equal(t, []any{map[string]any{"id": id, "name": "Sextant", "type": "product"}}, got.ok(200)["result"])
	assert.NotEmpty(t, got.json()["warnings"])
	own := e.send("admin", "POST", crud, fmt.Sprintf(`{"action":"read","model":"product.template","domain":[["id","=",%v]],"fields":["type","is_storable"]}`, id))
	assert.Equal(t, []any{map[string]any{"id": id, "type": "consu", "is_storable": true}}, own.ok(200)["result"])
	assert.Empty(t, own.header.Get("X-Odoo-Version"), "the system's own words")

	count := `{"model":"sale.order.line","domain":[["product_uom","!=",false]]}`
	assert.False(t, as13(op+"search_count", count).ok(200)["cached"].(bool))
	again := as13(op+"search_count", count)
	assert.True(t, again.ok(200)["cached"].(bool))
	assert.Equal(t, "13.0", again.header.Get("X-Odoo-Version"))
	assert.Equal(t, "17.0", e.send("admin", "POST", op+"search_count", count, "X-Odoo-Version", "17.0").header.Get("X-Odoo-Version"))

	// What can't be translated is refused with the reason.
	detail := as13(op+"search", `{"model":"res.partner","domain":[["title","=",1]]}`).problem(422, "invalid_argument")
	assert.Contains(t, detail, "title")
	assert.Contains(t, detail, "removed in version 19.0")
	as13(op+"read", `{"model":"res.partner","ids":[1],"fields":["title"],"fallback":"off"}`).problem(422, "invalid_argument")
	empty := as13(op+"read", `{"model":"res.partner","ids":[1],"fields":["title"]}`).ok(200)
	assert.Equal(t, []any{map[string]any{"id": 1.0, "title": false}}, empty["result"])
	detail = as13(op+"get_view", `{"model":"res.partner"}`).problem(501, "unsupported")
	assert.Contains(t, detail, "get_view")

	for _, version := range []string{"12.0", "13", "saas~1", "\"><script>"} {
		detail := e.send("admin", "POST", crud, read, "X-Odoo-Version", version).problem(422, "invalid_argument")
		assert.Contains(t, detail, "X-Odoo-Version")
		assert.Contains(t, detail, "13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0")
	}
	spec := string(e.send("", "GET", "/openapi.json", "").body)
	assert.Contains(t, spec, `"X-Odoo-Version"`)
}

// A system is registered for an app of 13.0: nothing else need say so.
func TestASystemIsPinnedWhenItIsRegistered(t *testing.T) {
	e := newEnv(t, withLenses)
	odoo := odootest.New(t, "19.0")
	const path = "/api/v1/systems/main"
	body := fmt.Sprintf(`{"system_id":"main","system_type":"odoo","system_version":"19.0","pinned_version":%%q,"connection_config":{"url":%q,"database":%q,"username":%q,"password":%q}}`,
		odoo.URL, odoo.Database, odoo.Username, odoo.Password)
	e.send("admin", "POST", "/api/v1/systems", fmt.Sprintf(body, "12.0")).problem(422, "invalid_argument")
	e.send("admin", "POST", "/api/v1/systems", fmt.Sprintf(body, "13.0")).ok(201)
	assert.Equal(t, "13.0", e.send("admin", "GET", path, "").ok(200)["pinned_version"])

	count := `{"model":"sale.order.line","domain":[["product_uom","!=",false]],"fallback":"off"}`
	pinned := e.send("admin", "POST", path+"/odoo/search_count", count)
	pinned.ok(200)
	assert.Equal(t, "13.0", pinned.header.Get("X-Odoo-Version"))

	e.send("admin", "PATCH", path, `{"pinned_version":""}`).ok(200)
	e.send("admin", "POST", path+"/odoo/search_count", count).problem(422, "invalid_argument")
	assert.NotContains(t, e.send("admin", "GET", path, "").ok(200), "pinned_version")
}

// A server without rules says so.
func TestWithoutLensesNoVersionIsPinned(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	e.send("admin", "POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.partner"}`, "X-Odoo-Version", "13.0").problem(501, "unsupported")
}
