package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
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

// arabic installs Arabic in a simulated Odoo, with a product that has a name in
// it.
func arabic(t *testing.T, version string) (odoo *odootest.Server, product int64) {
	t.Helper()
	odoo = odootest.New(t, version)
	_, err := odoo.Create("res.lang", map[string]any{"name": "Arabic", "code": "ar_001", "iso_code": "ar", "active": true})
	require.NoError(t, err)
	product, err = odoo.Create("product.template", map[string]any{"name": "Office Chair"})
	require.NoError(t, err)
	return odoo, product
}

// Records are in the language that the request asks for, where the system has
// it, and nobody else is given them in it.
func TestRecordsInTheCallersLanguage(t *testing.T) {
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		t.Run(version, func(t *testing.T) {
			odoo, product := arabic(t, version)
			e := newEnv(t)
			e.register("admin", "odoo", odoo)
			send := func(path, body string, headers ...string) string {
				t.Helper()
				a := e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/"+path, body, headers...)
				return fmt.Sprint(a.ok(http.StatusOK))
			}
			in := func(languages string) []string { return []string{"Accept-Language", languages} }
			read := fmt.Sprintf(`{"model":"product.template","ids":[%d],"fields":["name"]}`, product)
			send("odoo/write", fmt.Sprintf(`{"model":"product.template","ids":[%d],"values":{"name":"كرسي مكتب"},"context":{"lang":"ar_001"}}`, product))
			for range 2 { // the second time from the cache
				assert.Contains(t, send("odoo/read", read), "Office Chair")
				assert.Contains(t, send("odoo/read", read, in("ar-SA, en;q=0.5")...), "كرسي مكتب")
				assert.Contains(t, send("odoo/read?lang=ar", read, in("en")...), "كرسي مكتب")
				assert.Contains(t, send("odoo/read", read, in("en-US,en;q=0.9")...), "Office Chair")
				assert.Contains(t, send("odoo/read", read, in("fr, *;q=0.1")...), "Office Chair", "one that is not installed is not asked for")
				assert.Contains(t, send("odoo/read", read, in("fr, ar;q=0.1")...), "كرسي مكتب", "the next one is")
			}
			crud := fmt.Sprintf(`{"action":"read","model":"product.template","domain":[["id","=",%d]],"fields":["name"]}`, product)
			assert.Contains(t, send("crud", crud, in("ar")...), "كرسي مكتب")
			assert.Contains(t, send("crud", strings.TrimSuffix(crud, "}")+`,"context":{"lang":"en_US"}}`, in("ar")...), "Office Chair", "the request's own context wins")
			e.send("clerk", http.MethodPatch, "/api/v1/auth/me", `{"language":"ar"}`).ok(http.StatusOK)
			assert.Contains(t, send("odoo/read", read), "كرسي مكتب", "a user's own language, where the request names none")
			assert.Contains(t, send("odoo/read", read, in("en")...), "Office Chair")
			e.send("clerk", http.MethodPatch, "/api/v1/auth/me", `{"language":""}`).ok(http.StatusOK)
			universal := fmt.Sprintf(`{"action":"read","model":"contact","domain":[["id","=",%d]],"fields":["name"],"use_universal_schema":true}`, 1)
			send("crud", universal, in("ar")...)
			before := odoo.Calls()["res.lang.search_read"]
			assert.LessOrEqual(t, before, 1, "the languages are read once")
		})
	}
}

// A language that was there a moment ago and a user who may not see which there
// are break no call.
func TestALanguageThatIsGone(t *testing.T) {
	odoo, product := arabic(t, "19.0")
	e := newEnv(t)
	e.register("admin", "odoo", odoo)
	read := func(fields string) answer {
		return e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/odoo/read", fmt.Sprintf(`{"model":"product.template","ids":[%d],"fields":[%s]}`, product, fields), "Accept-Language", "ar")
	}
	read(`"name"`).ok(200)
	ids, err := odoo.Call("res.lang", "search", []any{[]any{"code", "=", "ar_001"}})
	require.NoError(t, err)
	_, err = odoo.Call("res.lang", "write", ids, map[string]any{"active": false})
	require.NoError(t, err)
	read(`"name","id"`).ok(200)
	assert.Equal(t, 2, odoo.Calls()["res.lang.search_read"], "it was looked up again")
	read(`"list_price"`).ok(200)

	blind := odootest.New(t, "19.0")
	blind.SetFault(odootest.Fault{Contains: "res.lang", ContentType: "application/json", Body: `{"jsonrpc":"2.0","id":null,"error":{"code":200,"message":"Odoo Server Error",` +
		`"data":{"name":"odoo.exceptions.AccessError","debug":"","message":"You are not allowed to access 'Languages' (res.lang) records.","arguments":[],"context":{}}}}`})
	e.register("admin", "blind", blind)
	for range 3 { // in no language
		e.send("clerk", http.MethodPost, "/api/v1/systems/blind/odoo/search_count", `{"model":"res.partner"}`, "Accept-Language", "ar").ok(200)
	}
}

func TestSAPIsAskedInTheCallersLanguage(t *testing.T) {
	s4 := saptest.New(t)
	e := newEnv(t)
	e.send("admin", http.MethodPost, "/api/v1/systems", fmt.Sprintf(`{"system_id":"s4","system_type":"sap","connection_config":{"url":%q,"username":%q,"password":%q}}`, s4.URL, s4.Username, s4.Password)).ok(201)
	order := func(headers ...string) string {
		a := e.send("clerk", http.MethodPost, "/api/v1/systems/s4/crud", `{"action":"create","model":"API_SALES_ORDER_SRV.A_SalesOrder","data":{"SalesOrderType":"ZZ"}}`, headers...)
		return a.problem(422, "invalid_argument")
	}
	assert.Contains(t, order(), "is not defined")
	assert.Contains(t, order("Accept-Language", "de-DE"), "ist nicht definiert")
	assert.Contains(t, order("Accept-Language", "tlh"), "is not defined")
}

// What is wrong with a member is said in the caller's language, whoever found
// it: the schemas, the decoder, the scanner, or a handler.
func TestDetailsInTheCallersLanguage(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	for name, c := range map[string]struct{ method, path, body, field, ar, fr string }{
		"required":          {"POST", "/api/v1/barcode/scan", `{"barcode":"1"}`, "system_id", "مفقود", "est manquant"},
		"query":             {"GET", "/api/v1/barcode/lookup?system_id=odoo", "", "barcode", "مفقود", "est manquant"},
		"unknown":           {"POST", "/api/v1/auth/login", `{"username":"a","password":"b","c":1}`, "c", "لا يوجد عنصر بهذا الاسم", "il n’y a pas de membre de ce nom"},
		"near":              {"POST", "/api/v1/systems/odoo/crud", `{"action":"read","model":"res.partner","feilds":[]}`, "feilds", "هل تقصد fields؟", "vouliez-vous dire fields ?"},
		"type":              {"POST", "/api/v1/systems/odoo/crud", `{"action":"read","model":5}`, "model", "يجب أن يكون نصًا وليس عددًا", "doit être un texte, et non un nombre"},
		"type of a schema":  {"POST", "/api/v1/auth/login", `{"username":5,"password":"b"}`, "username", "يجب أن يكون نصًا", "doit être un texte"},
		"number":            {"GET", "/api/v1/barcode/search?q=a&system_id=odoo&limit=x", "", "limit", "ليس عددًا صحيحًا", "n’est pas un nombre entier"},
		"range":             {"GET", "/api/v1/barcode/search?q=a&system_id=odoo&limit=500", "", "limit", "يجب ألا يزيد على 100", "ne doit pas être supérieur à 100"},
		"length":            {"POST", "/api/v1/auth/login", `{"username":"","password":"b"}`, "username", "يجب ألا يقل طوله عن 1", "sa longueur doit être d’au moins 1"},
		"enum":              {"POST", "/api/v1/barcode/scan", `{"barcode":"1","system_id":"odoo","action":"x"}`, "action", "إحدى القيم: lookup, inventory_check", "une des valeurs : lookup, inventory_check"},
		"action":            {"POST", "/api/v1/systems/odoo/crud", `{"action":"drop","model":"res.partner"}`, "action", "ليست من القيم", "aucune des valeurs"},
		"needed":            {"POST", "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner"}`, "data", "تحتاجه العملية create", "create en a besoin"},
		"not taken":         {"POST", "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{},"limit":1}`, "limit", "العملية create لا تقبل", "create ne prend pas « limit »"},
		"in a batch":        {"POST", "/api/v1/batch/execute", `{"system_id":"odoo","operations":[{"action":"create","model":"res.partner"}]}`, "operations[0].data", "تحتاجه العملية create", "create en a besoin"},
		"items":             {"POST", "/api/v1/systems/odoo/migrate/diff", `{"model":"res.partner","record_ids":[]}`, "record_ids", "يجب ألا يقل عدد العناصر عن 1", "au moins 1 éléments"},
		"no system":         {"GET", "/api/v1/systems/nowhere", "", "", `لا يوجد نظام "nowhere"`, "pas de système « nowhere »"},
		"malformed":         {"POST", "/api/v1/auth/login", `{"username" 5}`, "", "يجب أن تكون هنا نقطتان رأسيتان عند البايت 12", "un deux-points est attendu, à l’octet 12"},
		"malformed, decode": {"POST", "/api/v1/systems/odoo/crud", `{"model":"a","model":"b"}`, "", `مذكور مرتين`, "est donné deux fois"},
	} {
		t.Run(name, func(t *testing.T) {
			for language, want := range map[string]string{"ar": c.ar, "fr": c.fr} {
				a := e.send("clerk", c.method, c.path, c.body, "Accept-Language", language)
				a.t = t
				info := a.json()["error"].(map[string]any)
				assert.Contains(t, info["message"], want)
				if c.field != "" {
					detail := info["details"].([]any)[0].(map[string]any)
					assert.Equal(t, c.field, detail["field"])
					assert.Contains(t, detail["message"], want)
				}
			}
		})
	}
}

// How many more mistakes there are takes every form that Arabic has.
func TestCountsOfMistakes(t *testing.T) {
	e := newEnv(t)
	members := func(n int) string {
		body := map[string]any{"username": "a", "password": "b"}
		for i := range n {
			body[fmt.Sprint("x", i)] = 1
		}
		return asJSON(t, body)
	}
	for n, want := range map[int]string{2: "وخطأ آخر", 3: "وخطآن آخران", 4: "و3 أخطاء أخرى", 12: "و11 خطأً آخر", 101: "و100 خطأ آخر"} {
		v := e.send("", "POST", "/api/v1/auth/login", members(n), "Accept-Language", "ar").json()
		assert.Contains(t, v["message"], want, "%d mistakes", n)
	}
	v := e.send("", "POST", "/api/v1/auth/login", members(3), "Accept-Language", "fr").json()
	assert.Contains(t, v["message"], "(et 2 autres, voir details)")
}

func TestSuccessInTheCallersLanguage(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "odoo", odoo)
	id, err := odoo.Create("res.partner", map[string]any{"name": "A"})
	require.NoError(t, err)
	v := e.send("clerk", "POST", "/api/v1/systems/odoo/crud?lang=ar", fmt.Sprintf(`{"action":"delete","model":"res.partner","record_id":%d}`, id)).ok(200)
	assert.Equal(t, "تم حذف السجل بنجاح", v["message"])
	v = e.send("clerk", "POST", "/api/v1/batch/execute?lang=fr", fmt.Sprintf(`{"system_id":"odoo","operations":[{"action":"delete","model":"res.partner","record_id":%d}]}`, id)).ok(200)
	failed := v["results"].([]any)[0].(map[string]any)["error"].(map[string]any)
	assert.Contains(t, failed["message"], "n’existe pas ou a été supprimé")
}

// How far an operation is, and why it failed, is told in the language of each
// reader: not in that of whoever started it, nor of the worker.
func TestProgressInTheReadersLanguage(t *testing.T) {
	hub, err := live.New(live.Config{})
	require.NoError(t, err)
	tasks, start := withTasks(t, func(c *task.Config) { c.Publisher = httpapi.Progress{Hub: hub} })
	e := newEnv(t, tasks, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	start()
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	sockets := map[string]*socket{}
	for _, language := range []string{"ar", "fr", "en"} {
		conn, _, err := e.dial("/api/v1/ws/"+e.idOf("clerk"), http.Header{"Authorization": {"Bearer " + e.tokens["clerk"]}, "Accept-Language": {language}})
		require.NoError(t, err)
		defer func() { _ = conn.CloseNow() }()
		sockets[language] = &socket{t, conn}
		sockets[language].say(`{"type":"subscribe","channel":"operations"}`)
		sockets[language].until("subscribed")
	}
	bad := `{"action":"create","model":"res.partner","data":{"no_such_field":1}}`
	batch := e.started("clerk", batchPath, `{"system_id":"odoo","async":true,"operations":[`+creations(10, bad)+`]}`, "Accept-Language", "fr")
	e.ended("clerk", batch, "succeeded")
	export := e.started("clerk", exportPath, `{"system_id":"odoo","model":"res.partner","format":"csv","async":true,"fields":["no_such_field"]}`)
	e.ended("clerk", export, "failed")

	admin := e.browse("admin")
	for language, want := range map[string]struct{ batch, failed string }{
		"en": {"11 of 11 done, 1 failed", ""},
		"fr": {"11 sur 11 traités, 1 échec", i18n.For("fr").T("error_invalid_argument") + ": "},
		"ar": {"أُنجز 11 من 11، إخفاق واحد", i18n.For("ar").T("error_invalid_argument") + ": "},
	} {
		progress := func(v map[string]any) any { return v["progress"].(map[string]any)["message"] }
		assert.Equal(t, want.batch, progress(e.send("admin", "GET", "/api/v1/operations/"+batch, "", "Accept-Language", language).ok(200)))
		list := e.send("clerk", "GET", "/api/v1/operations?kind=batch&lang="+language, "", "Accept-Language", "de").ok(200)["operations"].([]any)
		assert.Equal(t, want.batch, progress(list[0].(map[string]any)))
		problem := e.send("clerk", "GET", "/api/v1/operations/"+export, "", "Accept-Language", language).ok(200)["error"].(map[string]any)
		assert.True(t, strings.HasPrefix(problem["message"].(string), want.failed), problem["message"])
		assert.Contains(t, problem["message"], "no_such_field")
		assert.Equal(t, "invalid_argument", problem["code"])
		said := ""
		for said != "succeeded" {
			data := sockets[language].until("notification")["data"].(map[string]any)
			if said = data["status"].(string); said == "succeeded" {
				assert.Equal(t, want.batch, data["message"])
			}
		}
		assert.Contains(t, admin.visit("GET", "/tasks?lang="+language, nil).body, want.batch)

		// The user's own language, where the request names none.
		e.send("clerk", "PATCH", "/api/v1/auth/me", `{"language":"`+language+`"}`).ok(200)
		assert.Equal(t, want.batch, progress(e.ended("clerk", batch, "succeeded")))
		assert.Equal(t, want.batch, progress(e.send("clerk", "GET", "/api/v1/operations/"+batch, "").ok(200)))
	}
}
