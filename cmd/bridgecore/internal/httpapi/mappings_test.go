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
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

const (
	mappingPath = "/api/v1/systems/main/mappings/contact"
	// ownMapping reads a universal field from another one of the system's.
	ownMapping = "mapping: contact\nsystem: odoo\nextends: true\nfields:\n  industry: {path: function}\n"
	yamlHeader = "application/yaml"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func (e *env) saveMapping(user, path, text string, headers ...string) answer {
	return e.send(user, "PUT", path, text, append([]string{"Content-Type", yamlHeader}, headers...)...)
}

// The same requests have the same answers on every kind of system, but for ids.
func TestOneVocabularyForThreeSystems(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo13", odootest.New(t, "13.0"))
	e.register("admin", "odoo19", odootest.New(t, "19.0"))
	e.registerSalesforce("admin", "crm", salesforcetest.New(t))
	e.registerSAP("admin", "s4", saptest.New(t))
	var want []any
	for _, id := range []string{"odoo13", "odoo19", "crm", "s4"} {
		t.Run(id, func(t *testing.T) {
			send := func(path, body string, args ...any) answer {
				a := e.send("clerk", "POST", "/api/v1/systems/"+id+path, fmt.Sprintf(body, args...))
				a.t = t
				return a
			}
			made := send("/crud", `{"action":"create","model":"contact","use_universal_schema":true,"data":{"name":"Tuwaiq 'Trading' \\ O\"N","is_company":true,"phone":"+966 11 123 4567","city":"Riyadh","country":"SA"}}`).ok(200)
			key, err := json.Marshal(made["result"].(map[string]any)["id"])
			require.NoError(t, err)
			const read = `"model":"contact","use_universal_schema":true,"domain":[["name","=","Tuwaiq 'Trading' \\ O\"N"],["country","=","SA"]],"fields":["name","is_company","phone","city","country"]`
			var got []any
			for range 2 { // the second time from the cache
				record := send("/crud", `{"action":"read",`+read+`}`).ok(200)["result"].([]any)
				require.Len(t, record, 1)
				delete(record[0].(map[string]any), "id")
				got = append(got, record[0])
			}
			found := send("/odoo/search_read", `{`+read+`}`).ok(200)["result"].([]any)
			require.Len(t, found, 1)
			delete(found[0].(map[string]any), "id")
			got = append(got, found[0], send("/odoo/search_count", `{"model":"contact","use_universal_schema":true,"domain":[["name","ilike","tuwaiq"]]}`).ok(200)["result"])

			send("/crud", `{"action":"update","model":"contact","use_universal_schema":true,"record_id":%s,"data":{"city":"Jeddah"}}`, key).ok(200)
			after := send("/odoo/read", `{"model":"contact","use_universal_schema":true,"ids":[%s],"fields":["city"]}`, key).ok(200)["result"].([]any)
			require.Len(t, after, 1)
			delete(after[0].(map[string]any), "id")
			got = append(got, after[0])

			fields := e.send("clerk", "GET", "/api/v1/systems/"+id+"/fields?model=contact&use_universal_schema=true", "").ok(200)["fields"].(map[string]any)
			assert.Equal(t, "char", fields["country"].(map[string]any)["type"])

			// What is wrong is said in the same words.
			assert.Contains(t, fmt.Sprint(send("/crud", `{"action":"read","model":"contact","use_universal_schema":true,"fields":["fone"]}`).ok(200)["warnings"]), "fone")
			assert.Contains(t, send("/crud", `{"action":"read","model":"contact","use_universal_schema":true,"unmapped":"refuse","fields":["fone"]}`).problem(422, "invalid_argument"), "fone")
			assert.Contains(t, send("/crud", `{"action":"read","model":"contact","use_universal_schema":true,"domain":[["fone","=",1]]}`).problem(422, "invalid_argument"), "fone")
			assert.Contains(t, send("/crud", `{"action":"create","model":"contact","use_universal_schema":true,"unmapped":"refuse","data":{"name":"x","fone":"1"}}`).problem(422, "invalid_argument"), "fone")
			send("/crud", `{"action":"read","model":"res.partner","use_universal_schema":true}`).problem(404, "not_found")
			send("/crud", `{"action":"read","model":"contact","unmapped":"drop"}`).problem(422, "invalid_argument")
			send("/crud", `{"action":"read","model":"contact","use_universal_schema":"yes"}`).problem(422, "invalid_argument")
			send("/odoo/search_read", `{"model":"contact","use_universal_schema":true,"unmapped":"x"}`).problem(422, "invalid_argument")

			if want == nil {
				want = got
			}
			assert.Equal(t, want, got)
			if id != "s4" { // SAP's business partners can't be deleted
				send("/crud", `{"action":"delete","model":"contact","use_universal_schema":true,"record_id":%s}`, key).ok(200)
			}
		})
	}
	a := e.send("clerk", "POST", "/api/v1/systems/odoo19/crud", `{"action":"read","model":"contact","use_universal_schema":true}`, "X-Odoo-Version", "13.0")
	assert.Contains(t, a.problem(422, "invalid_argument"), "X-Odoo-Version")
}

func TestAMappingOfOnesOwn(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	id, err := sim.Create("res.partner", map[string]any{"name": "Deco", "function": "K-17"})
	require.NoError(t, err)
	e.register("admin", "main", sim)
	industry := func() any {
		body := fmt.Sprintf(`{"action":"read","model":"contact","use_universal_schema":true,"domain":[["id","=",%d]],"fields":["industry"]}`, id)
		return e.send("clerk", "POST", "/api/v1/systems/main/crud", body).ok(200)["result"].([]any)[0].(map[string]any)["industry"]
	}
	assert.Nil(t, industry())
	standard := e.send("clerk", "GET", mappingPath, "")
	assert.Equal(t, `"0"`, standard.header.Get("ETag"))
	v := standard.ok(200)
	assert.Equal(t, "standard", v["source"])
	assert.Equal(t, "res.partner", v["system_model"])
	assert.Contains(t, v["mapping"], "system: odoo")
	assert.NotContains(t, v["mapping"], "system: sap")
	assert.Empty(t, e.send("clerk", "GET", mappingPath+"/versions", "").ok(200)["versions"])

	// It is used at once, and every save is a version.
	saved := e.saveMapping("admin", mappingPath, ownMapping, "If-None-Match", "*")
	v = saved.ok(200)
	assert.Equal(t, `"1"`, saved.header.Get("ETag"))
	assert.EqualValues(t, 1, v["version"])
	assert.Equal(t, "custom", v["source"])
	assert.Equal(t, "admin", v["updated_by"])
	assert.Equal(t, "K-17", industry())
	e.saveMapping("admin", mappingPath, ownMapping, "If-None-Match", "*").problem(412, "precondition_failed")
	e.saveMapping("admin", mappingPath, ownMapping, "If-Match", `"7"`).problem(412, "precondition_failed")
	second := strings.Replace(ownMapping, "path: function", "path: comment", 1)
	v = e.send("admin", "PUT", mappingPath, asJSON(t, map[string]any{"mapping": second, "version": 1, "note": "comments now"})).ok(200)
	assert.EqualValues(t, 2, v["version"])
	assert.Nil(t, industry())
	object := map[string]any{"mapping": "contact", "system": "odoo", "extends": true, "fields": map[string]any{"industry": "function"}}
	v = e.send("admin", "PUT", mappingPath, asJSON(t, map[string]any{"mapping": object}), "If-Match", "*").ok(200)
	assert.EqualValues(t, 3, v["version"])
	assert.Equal(t, "K-17", industry())

	got := e.send("clerk", "GET", mappingPath, "")
	assert.Equal(t, `"3"`, got.header.Get("ETag"))
	assert.JSONEq(t, asJSON(t, object), got.ok(200)["mapping"].(string))
	assert.Equal(t, second, e.send("clerk", "GET", mappingPath+"?version=2", "").ok(200)["mapping"])
	e.send("clerk", "GET", mappingPath+"?version=9", "").problem(404, "not_found")
	versions := e.send("clerk", "GET", mappingPath+"/versions?limit=2", "").ok(200)["versions"].([]any)
	require.Len(t, versions, 2)
	assert.Equal(t, "comments now", versions[1].(map[string]any)["note"])
	list := e.send("clerk", "GET", "/api/v1/systems/main/mappings", "").ok(200)
	sources := map[string]int{}
	for _, m := range list["mappings"].([]any) {
		sources[m.(map[string]any)["source"].(string)]++
	}
	assert.Equal(t, 1, sources["custom"])
	assert.Greater(t, sources["standard"], 5)

	// Deleting it brings the standard one back; its versions can still be read.
	e.send("clerk", "DELETE", mappingPath, "").problem(403, "permission_denied")
	e.send("admin", "DELETE", mappingPath, "", "If-Match", `"2"`).problem(412, "precondition_failed")
	assert.EqualValues(t, 4, e.send("admin", "DELETE", mappingPath, "", "If-Match", `"3"`).ok(200)["version"])
	assert.Nil(t, industry())
	e.send("admin", "DELETE", mappingPath, "").problem(404, "not_found")
	assert.Equal(t, "standard", e.send("clerk", "GET", mappingPath, "").ok(200)["source"])
	assert.Equal(t, true, e.send("clerk", "GET", mappingPath+"?version=4", "").ok(200)["deleted"])
	e.saveMapping("admin", mappingPath, ownMapping, "If-Match", "*").problem(412, "precondition_failed")
	assert.EqualValues(t, 5, e.saveMapping("admin", mappingPath, ownMapping, "If-Match", `"0"`).ok(200)["version"])
	e.saveMapping("clerk", mappingPath, ownMapping).problem(403, "permission_denied")
}

func TestMappingsThatAreRefused(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	e.register("admin", "main", sim)
	for name, tc := range map[string]struct {
		text   string
		detail []string
	}{
		"no YAML":            {"mapping: [", []string{"line 1"}},
		"nothing":            {"# only a comment\n", []string{"mapping: contact"}},
		"a model alone":      {"universal: contact\nextends: true\nfields: {x: char}\n", []string{"mapping: contact"}},
		"another model":      {strings.Replace(ownMapping, "contact", "product", 1), []string{"line 1", "product"}},
		"another system":     {strings.Replace(ownMapping, "odoo", "sap", 1), []string{"line 2", "sap"}},
		"an unknown key":     {ownMapping + "  city: {pathh: city}\n", []string{"line 6", "city", "pathh"}},
		"a wrong type":       {ownMapping + "  city: {path: city, scale: [1]}\n", []string{"line 6", "city"}},
		"an unknown field":   {ownMapping + "  town: city\n", []string{"line 6", "town"}},
		"a key twice":        {ownMapping + "  industry: city\n", []string{"industry"}},
		"an anchor":          {"mapping: contact\nsystem: odoo\nextends: true\nfields: &a\n  industry: ref\n", []string{"anchor"}},
		"not in the system":  {strings.Replace(ownMapping, "path: function", "path: x_no_such", 1), []string{"line 5", "industry", "x_no_such", "res.partner"}},
		"not along the way":  {strings.Replace(ownMapping, "path: function", "path: country_id.x_no_such", 1), []string{"line 5", "industry", "x_no_such", "res.country"}},
		"no such model":      {"mapping: contact\nsystem: odoo\nmodel: x.no.such\nfields: {name: name}\n", []string{"x.no.such"}},
		"a test that fails":  {ownMapping + "tests:\n  - name: the number\n    direction: to_universal\n    universal: {industry: A}\n    system: {function: B}\n", []string{"the number"}},
		"a version it isn't": {"mapping: contact\nsystem: odoo\nversions: 19.0\nmodel: res.partner\nextends: true\nfields: {vat: {path: x}}\n", []string{"versions", "17.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.saveMapping("admin", mappingPath, tc.text)
			a.t = t
			detail := a.problem(422, "invalid_argument")
			for _, want := range tc.detail {
				assert.Contains(t, detail, want)
			}
			assert.Contains(t, string(a.body), `"field":"mapping`)
		})
	}
	for name, tc := range map[string]struct{ contentType, body, ifMatch, detail string }{
		"nothing":           {"application/json", `{}`, "", "mapping: is missing"},
		"a list":            {"application/json", `{"mapping":[]}`, "", "mapping: must be YAML"},
		"a text of nothing": {"application/json", `{"mapping":"  "}`, "", "mapping: is missing"},
		"another member":    {"application/json", `{"mapping":"x","system":"odoo"}`, "", "system: there is no such member"},
		"a tag":             {yamlHeader, ownMapping, `7`, "If-Match"},
		"another tag":       {yamlHeader, ownMapping, `W/"x"`, "If-Match"},
		"below nothing":     {"application/json", `{"mapping":"x","version":-1}`, "", "version"},
		"two versions":      {"application/json", `{"mapping":"x","version":2}`, `"3"`, "version"},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("admin", "PUT", mappingPath, tc.body, "Content-Type", tc.contentType, "If-Match", tc.ifMatch)
			a.t = t
			assert.Contains(t, a.problem(422, "invalid_argument"), tc.detail)
		})
	}
	e.send("admin", "PUT", mappingPath, ownMapping, "Content-Type", "text/plain").problem(415, "unsupported_media_type")
	e.send("admin", "POST", "/api/v1/systems/main/crud", "a: b", "Content-Type", yamlHeader).problem(415, "unsupported_media_type")
	e.send("admin", "GET", "/api/v1/systems/main/mappings/no_such", "").problem(404, "not_found")
	e.send("admin", "GET", "/api/v1/systems/main/mappings/no_such/versions", "").problem(404, "not_found")
	e.send("admin", "GET", "/api/v1/systems/main/mappings/..%2fcontact", "").problem(404, "not_found")

	// Whether it suits the system can't be told while that does not answer.
	sim.Down()
	e.saveMapping("admin", mappingPath, ownMapping).problem(http.StatusServiceUnavailable, "unavailable")
	assert.Equal(t, "standard", e.send("clerk", "GET", mappingPath, "").ok(200)["source"], "nothing of all that was saved")
}

func TestPreview(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	id, err := sim.Create("res.partner", map[string]any{"name": "Deco", "function": "K-17"})
	require.NoError(t, err)
	e.register("admin", "main", sim)
	e.registerSalesforce("admin", "crm", salesforcetest.New(t))
	e.registerSAP("admin", "s4", saptest.New(t))
	preview := func(system, body string) answer {
		return e.send("clerk", "POST", "/api/v1/systems/"+system+"/mappings/contact/preview", body)
	}
	one := func(v map[string]any) map[string]any {
		require.Len(t, v["records"], 1)
		return v["records"].([]any)[0].(map[string]any)
	}

	// On live records, by a mapping that is not saved.
	v := preview("main", asJSON(t, map[string]any{"mapping": ownMapping, "record_ids": []int64{id}, "direction": "both"})).ok(200)
	r := one(v)
	assert.Equal(t, true, v["success"])
	assert.Equal(t, "K-17", r["universal"].(map[string]any)["industry"])
	assert.Equal(t, "K-17", r["system"].(map[string]any)["function"])
	assert.Equal(t, "Deco", r["written"].(map[string]any)["name"])
	assert.EqualValues(t, id, r["id"])
	v = preview("main", asJSON(t, map[string]any{"record_ids": []int64{id}})).ok(200)
	assert.Nil(t, one(v)["universal"].(map[string]any)["industry"], "by the one in use")
	v = preview("main", `{"domain":[["name","=","Deco"]]}`).ok(200)
	assert.EqualValues(t, id, one(v)["id"])
	for _, system := range []string{"main", "crm", "s4"} {
		v = preview(system, `{"limit":2}`).ok(200)
		assert.Len(t, v["records"], 2, system)
		first := v["records"].([]any)[0].(map[string]any)
		assert.NotEmpty(t, first["system"], system)
		assert.NotEmpty(t, first["universal"].(map[string]any)["name"], system)
	}

	// On a record in the request, both ways.
	r = one(preview("main", `{"record":{"id":5,"name":"X","function":"R"}}`).ok(200))
	assert.Equal(t, "X", r["universal"].(map[string]any)["name"])
	r = one(preview("main", `{"direction":"to_system","record":{"name":"X","country":"SA"}}`).ok(200))
	assert.Equal(t, "X", r["system"].(map[string]any)["name"])
	assert.NotNil(t, r["system"].(map[string]any)["country_id"], "looked up in the system")
	v = preview("main", `{"direction":"to_system","unmapped":"refuse","record":{"fone":"X"}}`).ok(200)
	assert.Equal(t, false, v["success"])
	assert.Contains(t, one(v)["error"], "fone")

	// A mapping that leads nowhere says so; one that is none is refused.
	v = preview("main", asJSON(t, map[string]any{"mapping": strings.Replace(ownMapping, "function", "x_no_such", 1), "limit": 1})).ok(200)
	assert.Contains(t, fmt.Sprint(v["findings"]), "x_no_such")
	e.send("clerk", "POST", mappingPath+"/preview", ownMapping, "Content-Type", yamlHeader).ok(200)
	for body, detail := range map[string]string{
		`{"mapping":"mapping: ["}`:                    "mapping: line 1",
		`{"direction":"sideways"}`:                    "direction",
		`{"direction":"to_system"}`:                   "record: is missing",
		`{"limit":51}`:                                "limit",
		`{"record":{},"record_ids":[1]}`:              "record",
		`{"record":[]}`:                               "record",
		`{"operation":"update"}`:                      "operation",
		`{"unmapped":"x"}`:                            "unmapped",
		`{"domain":[["fone","=",1]]}`:                 "fone",
		`{"domain":[["name","~",1]]}`:                 "domain",
		`{"direction":"to_system","record":{},"x":1}`: "x: there is no such member",
	} {
		assert.Contains(t, preview("main", body).problem(422, "invalid_argument"), detail, body)
	}
	// Nothing was written.
	count := e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", `{"model":"res.partner","domain":[["name","=","X"]]}`).ok(200)
	assert.EqualValues(t, 0, count["result"])
}

// Two tenants give their systems the same id, and each has a mapping of its own.
func TestNobodySeesAnotherTenantsMapping(t *testing.T) {
	sim := odootest.New(t, "17.0")
	id, err := sim.Create("res.partner", map[string]any{"name": "Deco", "function": "R", "comment": "C"})
	require.NoError(t, err)
	e := newEnv(t)
	e.register("admin", "main", sim)
	e.register("rival", "main", sim)
	e.register("admin", "ours", sim)
	e.saveMapping("admin", mappingPath, ownMapping).ok(200)
	read := func(user string) any {
		body := fmt.Sprintf(`{"action":"read","model":"contact","use_universal_schema":true,"domain":[["id","=",%d]],"fields":["industry"]}`, id)
		return e.send(user, "POST", "/api/v1/systems/main/crud", body).ok(200)["result"].([]any)[0].(map[string]any)["industry"]
	}
	for range 2 {
		assert.Equal(t, "R", read("clerk"))
		assert.Nil(t, read("rival"))
	}
	assert.Equal(t, "standard", e.send("rival", "GET", mappingPath, "").ok(200)["source"])
	assert.Empty(t, e.send("rival", "GET", mappingPath+"/versions", "").ok(200)["versions"])
	e.send("rival", "GET", mappingPath+"?version=1", "").problem(404, "not_found")
	e.send("rival", "DELETE", mappingPath, "").problem(404, "not_found")

	// If-Match of another tenant's version does not help.
	e.saveMapping("rival", mappingPath, ownMapping, "If-Match", `"1"`).problem(412, "precondition_failed")
	for _, try := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"GET", "/contact", ""}, {"GET", "/contact/versions", ""}, {"GET", "/contact?version=1", ""},
		{"POST", "/contact/preview", `{}`}, {"PUT", "/contact", `{"mapping":"x"}`}, {"DELETE", "/contact", ""},
	} {
		theirs := e.send("rival", try.method, "/api/v1/systems/ours/mappings"+try.path, try.body).problem(404, "not_found")
		missing := e.send("rival", try.method, "/api/v1/systems/nothere/mappings"+try.path, try.body).problem(404, "not_found")
		assert.Equal(t, strings.ReplaceAll(missing, "nothere", "ours"), theirs, try.method+try.path)
	}

	// A system that is registered anew under the same name has none of the old.
	e.send("admin", "DELETE", "/api/v1/systems/main", "").ok(200)
	e.register("admin", "main", sim)
	assert.Equal(t, "standard", e.send("clerk", "GET", mappingPath, "").ok(200)["source"])
	assert.Nil(t, read("clerk"))
}

func TestUniversalModelsAreListed(t *testing.T) {
	e := newEnv(t)
	e.send("", "GET", "/api/v1/mappings/models", "").problem(401, "token_missing")
	v := e.send("clerk", "GET", "/api/v1/mappings/models", "").ok(200)
	names := map[string]bool{}
	for _, m := range v["models"].([]any) {
		m := m.(map[string]any)
		names[m["name"].(string)] = true
		assert.NotEmpty(t, m["fields"])
	}
	for _, want := range []string{"contact", "product", "sale_order", "sale_order_line", "invoice", "inventory_move", "user"} {
		assert.True(t, names[want], want)
	}
	assert.NotEmpty(t, v["coverage"])
	assert.EqualValues(t, len(names), v["total"])
}

// A mapping was saved, and then what it leads to was taken from the system, or
// the program no longer knows its words: that is said, and nothing is dropped
// silently.
func TestASavedMappingThatNoLongerFits(t *testing.T) {
	e := newEnv(t)
	sim := odootest.New(t, "17.0")
	e.register("admin", "main", sim)
	sys, err := e.store.System(t.Context(), 1, "main")
	require.NoError(t, err)
	saved := func(model, text string) {
		require.NoError(t, e.store.SaveMapping(t.Context(), &store.Mapping{TenantID: 1, SystemRef: sys.ID, Model: model, Source: text, Author: "admin"}, store.AnyVersion))
		e.bridge.Forget("1", "main")
	}
	read := func(model, more string) answer {
		return e.send("clerk", "POST", "/api/v1/systems/main/crud", `{"action":"read","use_universal_schema":true,"limit":1,"model":"`+model+`"`+more+`}`)
	}
	saved("contact", strings.Replace(ownMapping, "function", "x_gone", 1))
	v := read("contact", `,"fields":["name","industry"]`).ok(200)
	assert.Contains(t, fmt.Sprint(v["warnings"]), "x_gone")
	record := v["result"].([]any)[0].(map[string]any)
	assert.Contains(t, record, "industry")
	assert.Nil(t, record["industry"])
	assert.Contains(t, fmt.Sprint(e.send("clerk", "POST", mappingPath+"/preview", `{"limit":1}`).ok(200)["findings"]), "x_gone")
	const create = `{"action":"create","model":"contact","use_universal_schema":true,"data":{"name":"x","industry":"y"}`
	assert.Contains(t, fmt.Sprint(e.send("clerk", "POST", "/api/v1/systems/main/crud", create+`}`).ok(200)["warnings"]), "x_gone")
	e.send("clerk", "POST", "/api/v1/systems/main/crud", create+`,"fallback":"off"}`).problem(422, "invalid_argument")

	saved("contact", strings.Replace(ownMapping, "path:", "paath:", 1))
	assert.Contains(t, read("contact", "").problem(501, "unsupported"), "paath")
	read("product", "").ok(200)
	e.send("clerk", "POST", "/api/v1/systems/main/crud", `{"action":"read","model":"res.partner","limit":1}`).ok(200)
	got := e.send("clerk", "GET", mappingPath, "").ok(200)
	assert.Equal(t, "custom", got["source"])
	assert.Empty(t, got["system_model"])
	e.saveMapping("admin", mappingPath, ownMapping).ok(200)
	read("contact", "").ok(200)
}
