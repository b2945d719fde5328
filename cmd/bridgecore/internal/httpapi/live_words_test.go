package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// Who subscribes in universal words hears in universal words, from every kind
// of system and of whatever was written in either words.
func TestLiveUniversalWords(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	e.registerSalesforce("admin", "crm", salesforcetest.New(t))
	e.registerSAP("admin", "s4", saptest.New(t))
	for _, system := range []string{"odoo", "crm", "s4"} {
		t.Run(system, func(t *testing.T) {
			s := e.socket("clerk")
			v := s.subscribe(system, "contact", `,"use_universal_schema":true`)
			assert.Equal(t, "contact", v["model"])
			assert.Equal(t, "universal", v["vocabulary"])
			path := "/api/v1/systems/" + system + "/crud"
			id := e.send("admin", "POST", path, `{"action":"create","model":"contact","data":{"name":"Universal"},"use_universal_schema":true}`).ok(200)["result"].(map[string]any)["id"]
			v = s.until("model_update")
			assert.Equal(t, "contact", v["model"])
			assert.Equal(t, "universal", v["vocabulary"])
			assert.Equal(t, "create", v["operation"])
			assert.Equal(t, id, v["record_id"])
			data := v["data"].(map[string]any)
			assert.Equal(t, "Universal", data["name"])
			assert.Equal(t, id, data["id"])

			named := e.socket("clerk")
			named.subscribe(system, "contact", fmt.Sprintf(`,"use_universal_schema":true,"record_ids":[%s],"fields":["name"]`, jsonOf(t, id)))
			e.send("admin", "POST", path, fmt.Sprintf(`{"action":"update","model":"contact","record_id":%s,"data":{"name":"Renamed"},"use_universal_schema":true}`, jsonOf(t, id))).ok(200)
			assert.Equal(t, "Renamed", s.until("model_update")["data"].(map[string]any)["name"])
			assert.Equal(t, map[string]any{"id": id, "name": "Renamed"}, named.until("model_update")["data"])
			if system != "s4" { // it deletes no partners
				e.send("admin", "POST", path, fmt.Sprintf(`{"action":"delete","model":"contact","record_id":%s,"use_universal_schema":true}`, jsonOf(t, id))).ok(200)
				v = s.until("model_update")
				assert.Equal(t, "unlink", v["operation"])
				assert.Equal(t, id, v["record_id"])
			}

			for text, code := range map[string]string{
				`"model":"no_such","use_universal_schema":true`:                    "not_found",
				`"model":"contact","use_universal_schema":true,"fields":["city2"]`: "invalid_argument",
			} {
				s.say(fmt.Sprintf(`{"type":"subscribe_model","system_id":%q,%s}`, system, text))
				v := s.until("error")
				assert.Equal(t, code, v["code"], "%v", v)
				assert.Equal(t, "universal", v["vocabulary"])
			}
			s.say(fmt.Sprintf(`{"type":"unsubscribe_model","system_id":%q,"model":"contact","use_universal_schema":true}`, system))
			assert.Equal(t, "universal", s.until("unsubscribed")["vocabulary"])
		})
	}
}

// Both vocabularies side by side on one connection.
func TestLiveBothWords(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	s := e.socket("clerk")
	s.subscribe("main", "res.partner", "")
	s.subscribe("main", "contact", `,"use_universal_schema":true`)
	e.send("admin", "POST", "/api/v1/systems/main/odoo/write", `{"model":"res.partner","ids":[1],"values":{"city":"Petra"}}`).ok(200)
	heard := map[any]map[string]any{}
	for range 2 {
		v := s.until("model_update")
		heard[v["vocabulary"]] = v
	}
	s.quiet()
	assert.Equal(t, "res.partner", heard[nil]["model"])
	assert.Equal(t, "contact", heard["universal"]["model"])
	assert.Equal(t, heard[nil]["event_id"], heard["universal"]["event_id"])
	for _, v := range heard {
		assert.Equal(t, "Petra", v["data"].(map[string]any)["city"])
	}
	s.say(`{"type":"unsubscribe_model","system_id":"main","model":"contact","use_universal_schema":true}`)
	s.until("unsubscribed")
	e.send("admin", "POST", "/api/v1/systems/main/odoo/write", `{"model":"res.partner","ids":[1],"values":{"city":"Jerash"}}`).ok(200)
	assert.Nil(t, s.until("model_update")["vocabulary"])
	s.quiet()

	next, status, stop := e.stream("clerk", "/api/v1/events?models=main:contact:1&use_universal_schema=true")
	defer stop()
	require.Equal(t, 200, status)
	next()
	e.send("admin", "POST", "/api/v1/systems/main/odoo/write", `{"model":"res.partner","ids":[1],"values":{"city":"Aqaba"}}`).ok(200)
	_, kind, data := next()
	assert.Equal(t, "model_update", kind)
	assert.Contains(t, data, `"model":"contact","vocabulary":"universal"`)
	e.send("clerk", "GET", "/api/v1/events?models=main:contact:1&use_universal_schema=x", "").problem(422, "invalid_argument")
}

// Who is cut off and comes back has missed nothing of what others change: the
// model was followed meanwhile, or "resync" says that it was not.
func TestLiveComingBackToAFeed(t *testing.T) {
	for name, linger := range map[string]time.Duration{"followed meanwhile": time.Hour, "not followed meanwhile": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			odoo := agedOdoo(t)
			hub, err := live.New(live.Config{PollInterval: 20 * time.Millisecond, SweepInterval: 20 * time.Millisecond, Linger: linger})
			require.NoError(t, err)
			e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
			e.register("admin", "main", odoo)
			s := e.socket("clerk")
			// Whoever was told so misses nothing from then on.
			assert.Equal(t, true, s.subscribe("main", "res.partner", "")["external"])
			_, err = odoo.Create("res.partner", map[string]any{"name": "One"})
			require.NoError(t, err)
			last := s.until("model_update")["event_id"].(float64)
			require.NoError(t, s.conn.CloseNow())
			feeds := func() any { return e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["feeds"] }
			connected := func() any {
				return e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["active_connections"]
			}
			require.Eventually(t, func() bool { return connected() == 0.0 }, patience, 5*time.Millisecond)
			if linger == time.Hour {
				assert.EqualValues(t, 1, feeds())
			} else {
				require.Eventually(t, func() bool { return feeds() == 0.0 }, patience, 5*time.Millisecond)
			}
			two, err := odoo.Create("res.partner", map[string]any{"name": "Two"})
			require.NoError(t, err)
			s = e.socketAt("clerk", fmt.Sprintf("/api/v1/ws/%s?last_event_id=%.0f", e.idOf("clerk"), last))
			s.subscribe("main", "res.partner", "")
			v := s.hear()
			if linger != time.Hour {
				assert.Equal(t, "resync", v["type"], "%v", v)
				assert.Equal(t, "res.partner", v["model"])
				s.quiet()
				return
			}
			assert.EqualValues(t, two, v["record_id"], "%v", v)
			s.say(fmt.Sprintf(`{"type":"resume","last_event_id":%.0f}`, last))
			assert.Equal(t, "resumed", s.until("resumed")["type"])
			s.quiet()
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// What a connection is told is in its language: answers, refusals and why it
// ends.
func TestLiveInTheCallersLanguage(t *testing.T) {
	hub, err := live.New(live.Config{})
	require.NoError(t, err)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	n := 0
	for language, want := range map[string]struct{ subscribed, refused, missing, revoked, flood string }{
		"ar": {"تم الاشتراك في operations", "قناة audit تتطلب دور المدير", "channel: مفقود", "token_revoked: انتهت الجلسة", "رسالة في الثانية"},
		"fr": {"Abonné à operations", "le canal audit exige le rôle admin", "channel: est manquant", "token_revoked: ", "messages par seconde"},
	} {
		t.Run(language, func(t *testing.T) {
			n++
			name := fmt.Sprint("speaker", n)
			e.user(name, "acme", store.Plain)
			dial := func() *socket {
				conn, _, err := e.dial("/api/v1/ws/"+e.idOf(name), http.Header{"Authorization": {"Bearer " + e.tokens[name]}, "Accept-Language": {language}})
				require.NoError(t, err)
				return &socket{t, conn}
			}
			s := dial()
			s.say(`{"type":"subscribe","channel":"operations"}`)
			assert.Equal(t, want.subscribed, s.until("subscribed")["message"])
			s.say(`{"type":"subscribe","channel":"audit"}`)
			assert.Contains(t, s.until("error")["message"], want.refused)
			s.say(`{"type":"subscribe"}`)
			assert.Contains(t, s.until("error")["message"], want.missing)
			flood := dial()
			for range 1000 {
				if flood.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"ping"}`)) != nil {
					break
				}
			}
			assert.Contains(t, flood.closedWith(live.CodeFlood), want.flood)
			e.send(name, "POST", "/api/v1/auth/logout", "").ok(200)
			hub.Check(t.Context())
			reason := s.closedWith(live.CodeUnauthorized)
			assert.Contains(t, reason, want.revoked)
			assert.NotContains(t, reason, "log in")
		})
	}
}
