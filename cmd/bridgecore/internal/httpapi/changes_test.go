package httpapi_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// What is wrong with a request for changes is said of the parameter that it is
// wrong in.
func TestChangesSayWhatIsWrong(t *testing.T) {
	e := newEnv(t)
	e.people()
	odoo := odootest.New(t, "17.0")
	e.register("admin", "odoo_main", odoo)
	e.register("admin", "other", odootest.New(t, "17.0"))
	const path = "/api/v1/systems/odoo_main/changes?"
	get := func(path string) answer { return e.send("clerk", "GET", path, "") }
	begin := func(query string) string { return url.QueryEscape(get(path + query).ok(200)["next"].(string)) }
	partners := begin("model=res.partner&fields=name")
	for query, want := range map[string]struct {
		field, code string
		status      int
	}{
		"model=res.partner&limit=-1":                                {"limit", "invalid_argument", 422},
		"model=res.partner&limit=0":                                 {"limit", "invalid_argument", 422},
		"model=res.partner&limit=1001":                              {"limit", "invalid_argument", 422},
		"model=res.partner&limit=abc":                               {"limit", "invalid_argument", 422},
		"model=res.partner&initial=perhaps":                         {"initial", "invalid_argument", 422},
		"model=res.partner&fields=name,nope":                        {"nope", "invalid_argument", 422},
		"model=res.partner&fields=nope&initial=true":                {"nope", "invalid_argument", 422},
		"fields=name":                                               {"model", "invalid_argument", 422},
		"model=":                                                    {"model", "invalid_argument", 422},
		"model=no.such.model":                                       {"", "not_found", 404},
		"model=nope&use_universal_schema=true":                      {"model", "not_found", 404},
		"model=res.partner&since=garbage!":                          {"since", "invalid_argument", 422},
		"model=res.partner&since=" + partners[:len(partners)-3]:     {"since", "invalid_argument", 422},
		"model=product.product&since=" + partners:                   {"since", "invalid_argument", 422},
		"model=contact&use_universal_schema=true&since=" + partners: {"since", "invalid_argument", 422},
	} {
		a := get(path + query)
		a.problem(want.status, want.code)
		details := a.json()["error"].(map[string]any)["details"].([]any)
		if want.field == "" {
			continue
		}
		require.NotEmpty(t, details, query)
		assert.Contains(t, details[0].(map[string]any)["field"], want.field, query)
	}
	get("/api/v1/systems/other/changes?model=res.partner&since="+partners).problem(422, "invalid_argument")
	e.send("rival", "POST", "/api/v1/systems/odoo_main/crud", `{"action":"upsert","model":"res.partner","key":"external_id","key_value":"a.b","data":{"name":"x"}}`).problem(404, "not_found")
	e.send("rival", "GET", path+"model=res.partner&since="+partners, "").problem(404, "not_found")

	// initial counts at the beginning alone, so that one loop may send it always.
	v := get(path + "model=res.partner&fields=name&initial=true&since=" + partners).ok(200)
	assert.Equal(t, false, v["more"])
	a := get(path + "model=res.partner&fields=name&since=" + partners)
	a.ok(200)
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
}
