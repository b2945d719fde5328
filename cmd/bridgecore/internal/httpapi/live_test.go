package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// patience is how long tests wait for what must come.
const patience = 20 * time.Second

// socket is a client of the WebSocket.
type socket struct {
	t    testing.TB
	conn *websocket.Conn
}

// idOf is the id of a user.
func (e *env) idOf(user string) string {
	e.t.Helper()
	return fmt.Sprint(e.send(user, "GET", "/api/v1/auth/me", "").ok(200)["id"])
}

// dial connects to the path of a user; header may be nil.
func (e *env) dial(path string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(e.url, "http")+path, &websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols, HTTPClient: e.client})
}

// socket connects as a user.
func (e *env) socket(user string) *socket {
	e.t.Helper()
	return e.socketAt(user, "/api/v1/ws/"+e.idOf(user))
}

func (e *env) socketAt(user, path string) *socket {
	e.t.Helper()
	conn, _, err := e.dial(path, http.Header{"Authorization": {"Bearer " + e.tokens[user]}})
	require.NoError(e.t, err)
	e.t.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{e.t, conn}
}

func (s *socket) say(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(s.t, s.conn.Write(ctx, websocket.MessageText, []byte(text)))
}

func (s *socket) next() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, text, err := s.conn.Read(ctx)
	return text, err
}

// hear is the next message.
func (s *socket) hear() map[string]any {
	s.t.Helper()
	text, err := s.next()
	require.NoError(s.t, err)
	var v map[string]any
	require.NoError(s.t, json.Unmarshal(text, &v), string(text))
	return v
}

// until is the next message of a type; others before it are skipped.
func (s *socket) until(kind string) map[string]any {
	s.t.Helper()
	for {
		if v := s.hear(); v["type"] == kind {
			return v
		}
	}
}

// quiet checks that nothing was sent but the answer to a ping.
func (s *socket) quiet() {
	s.t.Helper()
	s.say(`{"type":"ping"}`)
	assert.Equal(s.t, "pong", s.hear()["type"])
}

// closedWith reads until the connection is closed and checks why.
func (s *socket) closedWith(code int) string {
	s.t.Helper()
	for {
		_, err := s.next()
		if err == nil {
			continue
		}
		var closed websocket.CloseError
		require.ErrorAs(s.t, err, &closed)
		assert.EqualValues(s.t, code, closed.Code, closed.Reason)
		return closed.Reason
	}
}

func (s *socket) subscribe(system, model, more string) map[string]any {
	s.t.Helper()
	s.say(fmt.Sprintf(`{"type":"subscribe_model","system_id":%q,"model":%q%s}`, system, model, more))
	for {
		v := s.hear()
		if v["type"] != "notification" {
			require.Equal(s.t, "subscribed", v["type"], "%v", v)
			return v
		}
	}
}

// step is one thing that happens in a documented dialogue.
type step struct {
	Send    json.RawMessage   `json:"send,omitempty"`    // by the client, over the socket
	Request json.RawMessage   `json:"request,omitempty"` // [user, method, path, body] over HTTP meanwhile
	Receive []json.RawMessage `json:"receive"`           // what the client gets
}

var eventNumber = regexp.MustCompile(`("(last_)?event_id": )\d{13}`)

// TestLiveDialogue plays the documented messages over a real socket.
func TestLiveDialogue(t *testing.T) {
	hub, err := live.New(live.Config{})
	require.NoError(t, err)
	e := newEnv(t, audited(hub), func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	e.send("admin", "GET", "/api/v1/systems/odoo_main/status", "").ok(200)
	s := e.socket("admin")
	const file = "testdata/dialogue.json"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var steps []step
	require.NoError(t, json.Unmarshal(text, &steps))
	for i := range steps {
		x := &steps[i]
		if x.Send != nil {
			s.say(string(x.Send))
		}
		if x.Request != nil {
			var r [4]json.RawMessage
			require.NoError(t, json.Unmarshal(x.Request, &r))
			var words [3]string
			for n := range words {
				require.NoError(t, json.Unmarshal(r[n], &words[n]))
			}
			a := e.send(words[0], words[1], words[2], string(r[3]))
			require.Equal(t, 200, a.status, string(a.body))
		}
		got := []json.RawMessage{}
		for range x.Receive {
			text, err := s.next()
			require.NoError(t, err)
			got = append(got, json.RawMessage(eventNumber.ReplaceAllString(masked(t, text), `${1}"<number>"`)))
		}
		if *update {
			x.Receive = got
			continue
		}
		for n, want := range x.Receive {
			assert.JSONEq(t, string(want), string(got[n]), "step %d", i)
		}
	}
	s.quiet()
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		require.NoError(t, enc.Encode(steps))
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	}
}

// audited makes a server that records, and tells a hub of it.
func audited(hub *live.Hub) option {
	return func(c *httpapi.Config, b *bridge.Config) {
		log := audit.New(audit.Config{Store: c.Store, Notify: httpapi.AuditNotice(hub)})
		c.Auditing = httpapi.Auditing{Log: log}
		b.Observer = httpapi.Changes{Log: log}
	}
}

func TestLiveConnectionsNeedAToken(t *testing.T) {
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.LiveTimes.Auth = patience })
	token, id := e.tokens["clerk"], e.idOf("clerk")
	path := "/api/v1/ws/" + id
	good := map[string]func() (*websocket.Conn, *http.Response, error){
		"header": func() (*websocket.Conn, *http.Response, error) {
			return e.dial(path, http.Header{"Authorization": {"Bearer " + token}})
		},
		"query":       func() (*websocket.Conn, *http.Response, error) { return e.dial(path+"?access_token="+token, nil) },
		"subprotocol": func() (*websocket.Conn, *http.Response, error) { return e.dial(path, nil, "bearer", token) },
	}
	for name, dial := range good {
		t.Run(name, func(t *testing.T) {
			conn, _, err := dial()
			require.NoError(t, err)
			s := &socket{t, conn}
			s.quiet()
			require.NoError(t, conn.Close(1000, ""))
		})
	}
	t.Run("first message", func(t *testing.T) {
		conn, _, err := e.dial(path, nil)
		require.NoError(t, err)
		s := &socket{t, conn}
		s.say(`{"type":"auth","token":"` + token + `"}`)
		s.quiet()
	})
	refused := map[string]struct {
		first string
		code  int
	}{
		"no token":        {`{"type":"subscribe","channel":"cache"}`, 4401},
		"garbage":         {`{{{`, 4401},
		"a bad token":     {`{"type":"auth","token":"x.y.z"}`, 4401},
		"a refresh token": {`{"type":"auth","token":"` + e.refresh["clerk"] + `"}`, 4401},
		"somebody else":   {`{"type":"auth","token":"` + e.tokens["admin"] + `"}`, 4403},
	}
	for name, r := range refused {
		t.Run(name, func(t *testing.T) {
			conn, _, err := e.dial(path, nil)
			require.NoError(t, err)
			s := &socket{t, conn}
			s.say(r.first)
			assert.NotEmpty(t, s.closedWith(r.code))
		})
	}
	statuses := map[string]struct {
		path, token string
		status      int
	}{
		"somebody else's id": {"/api/v1/ws/" + e.idOf("admin"), token, 403},
		"an id of nobody":    {"/api/v1/ws/99999", token, 403},
		"no number":          {"/api/v1/ws/me", token, 403},
		"a refresh token":    {path, e.refresh["clerk"], 401},
		"garbage":            {path, "x", 401},
		"a bad number":       {path + "?last_event_id=x", token, 422},
	}
	for name, s := range statuses {
		t.Run("handshake with "+name, func(t *testing.T) {
			_, res, err := e.dial(s.path, http.Header{"Authorization": {"Bearer " + s.token}})
			require.Error(t, err)
			require.NotNil(t, res)
			assert.Equal(t, s.status, res.StatusCode)
		})
	}
	e.send("clerk", "GET", path, "").problem(426, "bad_request")
	e.send("clerk", "GET", path, "", "Upgrade", "websocket").problem(400, "bad_request")
	assert.NotContains(t, e.log.String(), token, "the token is in no log")
	assert.Contains(t, e.log.String(), `"status":101`)
}

// A socket whose client says nothing is closed.
func TestLiveConnectionsThatSayNothing(t *testing.T) {
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.LiveTimes.Auth = time.Millisecond })
	conn, _, err := e.dial("/api/v1/ws/1", nil)
	require.NoError(t, err)
	s := &socket{t, conn}
	assert.Contains(t, s.closedWith(4401), "token_missing")
}

func TestLiveOrigins(t *testing.T) {
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.CORSOrigins = []string{"https://app.example.com"} })
	path := "/api/v1/ws/" + e.idOf("clerk")
	for origin, allowed := range map[string]bool{"": true, "https://app.example.com": true, e.url: true, "https://evil.example.com": false, "null": false, "https://app.example.com.evil.com": false} {
		header := http.Header{"Authorization": {"Bearer " + e.tokens["clerk"]}}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, res, err := e.dial(path, header)
		if allowed {
			require.NoError(t, err, origin)
			_ = conn.CloseNow()
			continue
		}
		require.Error(t, err, origin)
		assert.Equal(t, 403, res.StatusCode, origin)
	}
}

// What happens in one tenant is heard in no other, though everything has the
// same name.
func TestLiveTenantsHearNothingOfEachOther(t *testing.T) {
	ours, theirs := odootest.New(t, "17.0"), odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", ours)
	e.register("rival", "main", theirs)
	e.register("admin", "only-ours", ours)
	rival, clerk := e.socket("rival"), e.socket("clerk")
	for _, s := range []*socket{rival, clerk} {
		for _, channel := range []string{"system_status", "operations", "cache"} {
			s.say(fmt.Sprintf(`{"type":"subscribe","channel":%q}`, channel))
			s.until("subscribed")
		}
		s.subscribe("main", "res.partner", "")
	}
	rival.drainTo()
	clerk.drainTo()
	// A system of another tenant is one that does not exist.
	ask := func(s *socket, system string) map[string]any {
		s.say(fmt.Sprintf(`{"type":"subscribe_model","system_id":%q,"model":"res.partner"}`, system))
		v := s.until("error")
		delete(v, "system_id")
		v["message"] = strings.ReplaceAll(v["message"].(string), system, "X")
		return v
	}
	assert.Equal(t, ask(rival, "nothere"), ask(rival, "only-ours"))

	id := e.send("admin", "POST", "/api/v1/systems/main/crud", `{"action":"create","model":"res.partner","data":{"name":"Secret"}}`).ok(200)["result"].(map[string]any)["id"]
	e.send("admin", "DELETE", "/api/v1/systems/main/cache/clear", "").ok(200)
	got := clerk.until("model_update")
	assert.Equal(t, id, got["record_id"])
	rival.quiet()
	e.send("rival", "POST", "/api/v1/systems/main/crud", `{"action":"create","model":"res.partner","data":{"name":"Theirs"}}`).ok(200)
	assert.Equal(t, "Theirs", rival.until("model_update")["data"].(map[string]any)["name"])

	stats := e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)
	assert.EqualValues(t, 1, stats["active_connections"])
	assert.EqualValues(t, 1, stats["channels"].(map[string]any)["cache"])
	assert.Equal(t, map[string]any{"main:res.partner": 1.0}, stats["models"])
	assert.Equal(t, map[string]any{"main:res.partner": 1.0}, e.send("rival", "GET", "/api/v1/ws/stats", "").ok(200)["models"])
	e.send("", "GET", "/api/v1/ws/stats", "").problem(401, "token_missing")
}

// drainTo skips what was sent until now.
func (s *socket) drainTo() {
	s.t.Helper()
	s.say(`{"type":"ping"}`)
	s.until("pong")
}

// Only what a role may read is told, and only admins hear of the audit log.
func TestLiveRoles(t *testing.T) {
	hub, err := live.New(live.Config{})
	require.NoError(t, err)
	e := newEnv(t, audited(hub), func(c *httpapi.Config, b *bridge.Config) {
		c.Live = hub
		b.Access = bridge.Access{"admin": {{Models: []string{"*"}, Methods: []string{"*"}}}, "user": {{Models: []string{"res.partner"}, Methods: []string{"*"}}}}
	})
	e.register("admin", "main", odootest.New(t, "17.0"))
	clerk := e.socket("clerk")
	clerk.say(`{"type":"subscribe","channel":"audit"}`)
	assert.Equal(t, "permission_denied", clerk.hear()["code"])
	clerk.say(`{"type":"subscribe_model","system_id":"main","model":"res.country"}`)
	assert.Equal(t, "permission_denied", clerk.hear()["code"])
	clerk.subscribe("main", "res.partner", "")
	admin := e.socket("admin")
	admin.say(`{"type":"subscribe","channel":"audit"}`)
	admin.until("subscribed")
	e.send("clerk", "POST", "/api/v1/systems/main/crud", `{"action":"update","model":"res.partner","record_id":1,"data":{"ref":"canary-value"}}`).ok(200)
	v := admin.until("notification")
	assert.Equal(t, "clerk", v["data"].(map[string]any)["user"])
	assert.NotContains(t, fmt.Sprint(v), "canary-value", "the audit log keeps no values")
	assert.Equal(t, map[string]any{"ref": "canary-value"}, clerk.until("model_update")["data"])
}

// What somebody wrote, others get as they read it; fields and methods too.
func TestLiveDataIsWhatTheSubscriberReads(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	writer, reader, named := e.socket("admin"), e.socket("clerk"), e.socket("clerk")
	writer.subscribe("main", "res.partner", "")
	reader.subscribe("main", "res.partner", "")
	named.subscribe("main", "res.partner", `,"fields":["name","email"]`)
	e.send("admin", "POST", "/api/v1/systems/main/odoo/write", `{"model":"res.partner","ids":[1],"values":{"ref":"r1"}}`).ok(200)
	assert.Equal(t, map[string]any{"ref": "r1"}, writer.until("model_update")["data"], "what was written")
	assert.Equal(t, map[string]any{"id": 1.0, "ref": "r1"}, reader.until("model_update")["data"], "what is read")
	data := named.until("model_update")["data"].(map[string]any)
	assert.Len(t, data, 3)
	assert.Contains(t, data, "email")

	// A batch tells of each record, in order and with a number of its own.
	e.send("admin", "POST", "/api/v1/systems/main/odoo/create", `{"model":"res.partner","values":[{"name":"A"},{"name":"B"}]}`).ok(200)
	first, second := reader.until("model_update"), reader.until("model_update")
	assert.Equal(t, "create", first["operation"])
	assert.Equal(t, "A", first["data"].(map[string]any)["name"])
	assert.Equal(t, "B", second["data"].(map[string]any)["name"])
	assert.Equal(t, first["event_id"].(float64)+1, second["event_id"])

	reader.say(`{"type":"subscribe_model","system_id":"main","model":"res.partner","fields":["nonsense"]}`)
	assert.Contains(t, reader.until("error")["message"], `no field "nonsense"`)
	reader.say(`{"type":"subscribe_model","system_id":"main","model":"no.such.model"}`)
	assert.Equal(t, "not_found", reader.until("error")["code"])
}

func TestLiveBadClients(t *testing.T) {
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.LiveTimes.Write = 2 * time.Second })
	e.register("admin", "main", odootest.New(t, "17.0"))
	t.Run("garbage", func(t *testing.T) {
		s := e.socket("clerk")
		for _, text := range []string{"", "null", "[]", "1", `"x"`, "{", "{}", `{"type":1}`, `{"type":"nonsense"}`, `{"type":"subscribe"}`, `{"type":"subscribe","channel":"other"}`,
			`{"type":"subscribe_model"}`, `{"type":"subscribe_model","system_id":"main","model":"res.partner","record_ids":"x"}`,
			`{"type":"subscribe_model","system_id":"main","model":"res.partner","record_ids":[null]}`,
			`{"type":"subscribe_model","system_id":"main","model":"../x"}`, `{"type":"resume"}`, `{"type":"auth","token":"x"}`, "\xff\xfe"} {
			require.NoError(t, s.conn.Write(t.Context(), websocket.MessageBinary, []byte(text)))
			if text != "\xff\xfe" && text != "" {
				s.say(text)
				v := s.hear()
				assert.Equal(t, "error", v["type"], text)
				assert.NotEmpty(t, v["message"], text)
			}
			v := s.hear()
			assert.Equal(t, "error", v["type"], text)
		}
		s.quiet()
		require.NoError(t, s.conn.Close(1000, ""))
	})
	t.Run("a flood", func(t *testing.T) {
		s := e.socket("clerk")
		for range 1000 {
			if s.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"ping"}`)) != nil {
				break
			}
		}
		s.closedWith(live.CodeFlood)
	})
	t.Run("a huge frame", func(t *testing.T) {
		s := e.socket("clerk")
		go func() {
			_ = s.conn.Write(context.Background(), websocket.MessageText, bytes.Repeat([]byte("x"), 100<<20))
		}()
		_, err := s.next()
		require.Error(t, err)
		if code := websocket.CloseStatus(err); code != -1 {
			assert.Equal(t, websocket.StatusMessageTooBig, code)
		}
	})
	t.Run("one that never reads", func(t *testing.T) {
		connected := func() any { return e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["active_connections"] }
		require.Eventually(t, func() bool { return connected() == 0.0 }, patience, 5*time.Millisecond)
		lazy, eager := e.socket("clerk"), e.socket("clerk")
		lazy.subscribe("main", "res.partner", "")
		eager.subscribe("main", "res.partner", "")
		long := strings.Repeat("x", 20_000)
		n := 0
		for ; n < 2_000; n++ {
			e.send("clerk", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":1,"data":{"comment":"%s%d"}}`, long, n)).ok(200)
			eager.until("model_update")
			if connected() == 1.0 {
				break
			}
		}
		assert.Less(t, n, 2_000, "it was dropped")
		eager.quiet()
	})
	assert.NotContains(t, e.log.String(), "panic")
}

func TestLiveEndsWithTheToken(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	hub, err := live.New(live.Config{CheckInterval: time.Hour})
	require.NoError(t, err)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) {
		c.Live = hub
		c.Auth = auth.New(c.Store, auth.Config{Key: vault.NewSecret("canary-signing-key-0123456789abcdef"), Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}})
	})
	admin, clerk := e.socket("admin"), e.socket("clerk")
	hub.Check(t.Context())
	admin.quiet()
	clerk.quiet()
	e.send("clerk", "POST", "/api/v1/auth/logout", "").ok(200)
	hub.Check(t.Context())
	assert.Contains(t, clerk.closedWith(4401), "token_revoked")
	admin.quiet()
	mu.Lock()
	now = now.Add(31 * time.Minute)
	mu.Unlock()
	hub.Check(t.Context())
	assert.Contains(t, admin.closedWith(4401), "token_expired")
}

func TestLiveReplay(t *testing.T) {
	hub, err := live.New(live.Config{Keep: 10})
	require.NoError(t, err)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	e.register("admin", "main", odootest.New(t, "17.0"))
	write := func(ref string) {
		e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":1,"data":{"ref":%q}}`, ref)).ok(200)
	}
	path := "/api/v1/ws/" + e.idOf("admin")
	s := e.socket("admin")
	s.subscribe("main", "res.partner", "")
	write("1")
	last := s.until("model_update")["event_id"].(float64)
	require.NoError(t, s.conn.Close(1000, ""))
	write("2")
	write("3")

	ref := func(v map[string]any) any { return v["data"].(map[string]any)["ref"] }
	t.Run("by the address", func(t *testing.T) {
		s := e.socketAt("admin", fmt.Sprintf("%s?last_event_id=%.0f", path, last))
		s.subscribe("main", "res.partner", "")
		assert.Equal(t, "2", ref(s.hear()))
		assert.Equal(t, "3", ref(s.hear()))
		s.quiet()
	})
	t.Run("by a message, with what came meanwhile once", func(t *testing.T) {
		s := e.socket("admin")
		s.subscribe("main", "res.partner", "")
		write("4")
		assert.Equal(t, "4", ref(s.hear()))
		s.say(fmt.Sprintf(`{"type":"resume","last_event_id":%.0f}`, last))
		assert.Equal(t, "2", ref(s.hear()))
		assert.Equal(t, "3", ref(s.hear()))
		v := s.hear()
		assert.Equal(t, "resumed", v["type"])
		assert.EqualValues(t, 2, v["replayed"])
		s.say(fmt.Sprintf(`{"type":"resume","last_event_id":%.0f}`, last))
		assert.Equal(t, "resumed", s.hear()["type"], "what was replayed is not replayed again")
	})
	t.Run("of too long ago", func(t *testing.T) {
		for n := range 10 {
			write(fmt.Sprint("x", n))
		}
		s := e.socketAt("admin", fmt.Sprintf("%s?last_event_id=%.0f", path, last))
		s.subscribe("main", "res.partner", "")
		assert.Equal(t, "resync", s.hear()["type"])
		for _, number := range []string{"5", "99999999999999"} {
			s.say(`{"type":"resume","last_event_id":` + number + `}`)
			assert.Equal(t, "resync", s.hear()["type"])
			assert.Equal(t, "resumed", s.hear()["type"])
		}
	})
	t.Run("a server that goes away says where to go on", func(t *testing.T) {
		s := e.socket("admin")
		s.subscribe("main", "res.partner", "")
		write("z")
		n := s.hear()["event_id"].(float64)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		go hub.Drain(ctx)
		assert.Contains(t, s.closedWith(1001), fmt.Sprintf("last_event_id=%.0f", n))
		conn, _, err := e.dial(path, http.Header{"Authorization": {"Bearer " + e.tokens["admin"]}})
		require.NoError(t, err)
		(&socket{t, conn}).closedWith(1001)
	})
}

func TestLiveLimits(t *testing.T) {
	hub, err := live.New(live.Config{MaxPerUser: 2, MaxSubscriptions: 3, MaxRecords: 2})
	require.NoError(t, err)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	e.register("admin", "main", odootest.New(t, "17.0"))
	a, b := e.socket("clerk"), e.socket("clerk")
	a.quiet()
	b.quiet()
	e.socket("clerk").closedWith(live.CodeTooMany)
	e.send("clerk", "GET", "/api/v1/events?channels=cache", "").problem(429, "rate_limited")
	require.NoError(t, b.conn.Close(1000, ""))
	for _, c := range []string{"system_status", "operations", "cache"} {
		a.say(fmt.Sprintf(`{"type":"subscribe","channel":%q}`, c))
		a.until("subscribed")
	}
	a.say(`{"type":"subscribe_model","system_id":"main","model":"res.partner"}`)
	assert.Contains(t, a.until("error")["message"], "at most 3 subscriptions")
	a.say(`{"type":"unsubscribe","channel":"cache"}`)
	a.until("unsubscribed")
	a.say(`{"type":"subscribe_model","system_id":"main","model":"res.partner","record_ids":[1,2,3]}`)
	assert.Contains(t, a.until("error")["message"], "at most 2")
	a.subscribe("main", "res.partner", `,"record_ids":[1,2]`)
	a.say(`{"type":"subscribe_model","system_id":"main","model":"res.partner","record_ids":[3]}`)
	assert.Contains(t, a.until("error")["message"], "at most 2")
}

// stream reads server-sent events.
func (e *env) stream(user, path string) (next func() (id, kind, data string), status int, stop func()) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+path, nil)
	require.NoError(e.t, err)
	req.Header.Set("Authorization", "Bearer "+e.tokens[user])
	res, err := e.client.Do(req)
	require.NoError(e.t, err)
	lines := bufio.NewScanner(res.Body)
	next = func() (id, kind, data string) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				data = value
			case "":
				if data != "" {
					return id, kind, data
				}
			}
		}
		return "", "end", ""
	}
	return next, res.StatusCode, func() { cancel(); _ = res.Body.Close() }
}

func TestLiveEventStream(t *testing.T) {
	const timeout = 2 * time.Second // of other answers; streams outlive it
	hub, err := live.New(live.Config{})
	require.NoError(t, err)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) {
		c.Live = hub
		c.Timeout = timeout
		c.LiveTimes.Ping = 50 * time.Millisecond
	})
	e.register("admin", "main", odootest.New(t, "17.0"))
	e.send("clerk", "GET", "/api/v1/events", "").problem(422, "invalid_argument")
	e.send("clerk", "GET", "/api/v1/events?models=x", "").problem(422, "invalid_argument")
	e.send("clerk", "GET", "/api/v1/events?channels=nonsense", "").problem(422, "invalid_argument")
	e.send("clerk", "GET", "/api/v1/events?channels=audit", "").problem(403, "permission_denied")
	e.send("rival", "GET", "/api/v1/events?models=main:res.partner", "").problem(404, "not_found")
	e.send("", "GET", "/api/v1/events?channels=cache", "").problem(401, "token_missing")

	next, status, stop := e.stream("clerk", "/api/v1/events?channels=operations&models=main:res.partner:1%7C2")
	require.Equal(t, 200, status)
	_, _, data := next()
	assert.Contains(t, data, `"subscribed"`)
	_, _, data = next()
	assert.Contains(t, data, `"subscribed"`)
	write := func(id int) {
		e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":%d,"data":{"ref":"x"}}`, id)).ok(200)
	}
	me := e.send("clerk", "GET", "/api/v1/auth/me", "").ok(200)
	for began := time.Now(); time.Since(began) < timeout; {
		hub.OperationProgress(fmt.Sprint(me["tenant_id"]), fmt.Sprint(me["id"]), live.Progress{OperationID: "long"})
		_, _, data = next()
		require.Contains(t, data, `"operation_id":"long"`)
	}
	write(3)
	write(2)
	id, kind, data := next()
	assert.Equal(t, "model_update", kind)
	assert.Contains(t, data, `"record_id":2,`)
	hub.OperationProgress(fmt.Sprint(me["tenant_id"]), "0", live.Progress{OperationID: "others"})
	hub.OperationProgress(fmt.Sprint(me["tenant_id"]), fmt.Sprint(me["id"]), live.Progress{OperationID: "batch_123", Progress: 50, Status: "running", Message: "Processing record 500 of 1000"})
	_, kind, data = next()
	assert.Equal(t, "notification", kind, data)
	assert.Contains(t, data, `"data":{"operation_id":"batch_123","progress":50,"status":"running","message":"Processing record 500 of 1000"}`)
	stop()
	write(1)
	next, _, stop = e.stream("clerk", "/api/v1/events?models=main:res.partner:1&last_event_id="+id)
	defer stop()
	_, _, data = next()
	assert.Contains(t, data, `"subscribed"`)
	_, _, data = next()
	assert.Contains(t, data, `"record_id":1,`, "what was missed")
	e.send("clerk", "POST", "/api/v1/auth/logout", "").ok(200)
	hub.Check(t.Context())
	_, kind, data = next()
	assert.Equal(t, "close", kind)
	assert.Contains(t, data, "4401")
}

// A stream whose reader falls behind ends, and says why to one that reads on;
// one that never reads is cut off. Those beside them hear everything.
func TestLiveSlowEventStreams(t *testing.T) {
	const events, size = 600, 32 << 10 // more than a connection takes in unread
	for name, reads := range map[string]bool{"reads on later": true, "never reads": false} {
		t.Run(name, func(t *testing.T) {
			hub, err := live.New(live.Config{Queue: 50})
			require.NoError(t, err)
			e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) {
				c.Live = hub
				c.LiveTimes.Write = time.Minute
				if !reads {
					// Long enough for who reads, on a machine that is busy.
					c.LiveTimes.Write = 2 * time.Second
				}
			})
			me := e.send("clerk", "GET", "/api/v1/auth/me", "").ok(200)
			const path = "/api/v1/events?channels=operations"
			slow, _, leave := e.stream("clerk", path)
			defer leave()
			eager, _, stop := e.stream("clerk", path)
			defer stop()
			_, _, data := eager()
			require.Contains(t, data, `"subscribed"`)
			long := strings.Repeat("x", size)
			for n := range events {
				hub.OperationProgress(fmt.Sprint(me["tenant_id"]), fmt.Sprint(me["id"]), live.Progress{OperationID: fmt.Sprint("at ", n, "."), Message: long})
				_, _, data := eager()
				require.Contains(t, data, fmt.Sprintf(`"at %d."`, n))
			}
			if !reads {
				connected := func() bool {
					return e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["active_connections"] == 1.0
				}
				require.Eventually(t, connected, patience, 5*time.Millisecond)
				return
			}
			_, _, data = slow()
			require.Contains(t, data, `"subscribed"`)
			n := 0
			for {
				id, kind, data := slow()
				if kind == "close" {
					assert.Contains(t, data, "4408")
					assert.Contains(t, data, "too slowly")
					assert.Contains(t, data, "last_event_id=")
					break
				}
				require.Contains(t, data, fmt.Sprintf(`"at %d."`, n), id)
				n++
			}
			assert.Less(t, n, events)
		})
	}
}

// Who comes back in the midst of a change of several records hears of the rest
// of those that it follows, and of no others.
func TestLiveReplayOfAPart(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	s := e.socket("clerk")
	s.subscribe("main", "res.partner", "")
	write := func(ids, ref string) {
		e.send("admin", "POST", "/api/v1/systems/main/odoo/write", fmt.Sprintf(`{"model":"res.partner","ids":%s,"values":{"ref":%q}}`, ids, ref)).ok(200)
	}
	write("[1,2,3]", "many")
	first := s.until("model_update")
	require.EqualValues(t, 1, first["record_id"])
	write("[1]", "one")
	path := fmt.Sprintf("/api/v1/ws/%s?last_event_id=%.0f", e.idOf("clerk"), first["event_id"])
	for _, tc := range []struct {
		ids  string
		want []any
	}{{"[1]", []any{1.0}}, {"[1,3]", []any{3.0, 1.0}}} {
		s := e.socketAt("clerk", path)
		s.subscribe("main", "res.partner", `,"record_ids":`+tc.ids)
		for _, id := range tc.want {
			assert.Equal(t, id, s.until("model_update")["record_id"])
		}
		s.quiet()
	}
}

// What others change in the system is heard, deletions too; our own changes
// are heard once.
func TestLiveChangesMadeInTheSystem(t *testing.T) {
	odoo := agedOdoo(t)
	hub, err := live.New(live.Config{PollInterval: 20 * time.Millisecond, SweepInterval: 20 * time.Millisecond})
	require.NoError(t, err)
	e := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	e.register("admin", "main", odoo)
	s, quiet := e.socket("clerk"), e.socket("clerk")
	assert.Equal(t, true, s.subscribe("main", "res.partner", "")["external"])
	assert.Equal(t, false, quiet.subscribe("main", "res.country", `,"external":false`)["external"])
	assert.EqualValues(t, 1, e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["feeds"])
	// The feed begins with its first poll.
	require.Eventually(t, func() bool { return hub.Following("1", "main", "res.partner") }, patience, 5*time.Millisecond)

	id, err := odoo.Create("res.partner", map[string]any{"name": "From outside"})
	require.NoError(t, err)
	v := s.until("model_update")
	assert.Equal(t, "create", v["operation"])
	assert.EqualValues(t, id, v["record_id"])
	assert.Equal(t, "From outside", v["data"].(map[string]any)["name"], "as the subscriber reads it")
	_, err = odoo.Call("res.partner", "write", []any{id}, map[string]any{"name": "Changed outside"})
	require.NoError(t, err)
	v = s.until("model_update")
	assert.Equal(t, "write", v["operation"])
	assert.Equal(t, "Changed outside", v["data"].(map[string]any)["name"])
	e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":%d,"data":{"ref":"ours"}}`, id)).ok(200)
	v = s.until("model_update")
	assert.Equal(t, "ours", v["data"].(map[string]any)["ref"])
	_, err = odoo.Call("res.partner", "unlink", []any{id})
	require.NoError(t, err)
	v = s.until("model_update")
	assert.Equal(t, "unlink", v["operation"], "and our own write is not told again")

	s.say(`{"type":"unsubscribe_model","system_id":"main","model":"res.partner"}`)
	s.until("unsubscribed")
	assert.EqualValues(t, 0, e.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["feeds"], "the last one stops it")
}

// A system that is lost and comes back is told.
func TestLiveSystemStatus(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	s := e.socket("clerk")
	s.say(`{"type":"subscribe","channel":"system_status"}`)
	s.until("subscribed")
	status := func() string {
		v := s.until("notification")["data"].(map[string]any)
		assert.Equal(t, "main", v["system_id"])
		return fmt.Sprint(v["status"])
	}
	e.send("clerk", "GET", "/api/v1/systems/main/status", "").ok(200)
	assert.Equal(t, "connected", status())
	odoo.Down()
	for range 8 {
		e.send("clerk", "GET", "/api/v1/systems/main/status", "").ok(200)
	}
	assert.Equal(t, "disconnected", status())
	v := s.until("notification")["data"].(map[string]any)
	assert.Equal(t, "open", v["circuit_breaker"])
}

// Two servers with one Redis are one: a write through one is heard at the
// other, under the same number, and a client may come back to either.
func TestLiveAcrossServers(t *testing.T) {
	url, mini := os.Getenv("BRIDGECORE_TEST_REDIS_URL"), (*miniredis.Miniredis)(nil)
	if url == "" {
		mini = miniredis.RunT(t)
		url = "redis://" + mini.Addr()
	}
	prefix := fmt.Sprintf("test:%d:", time.Now().UnixNano())
	odoo := odootest.New(t, "17.0")
	var first *env
	make := func() *env {
		hub, err := live.New(live.Config{RedisURL: url, Prefix: prefix})
		require.NoError(t, err)
		if first == nil {
			first = newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
			return first
		}
		return first.second(hub)
	}
	a := make()
	a.register("admin", "main", odoo)
	b := make()
	onA, onB := a.socket("admin"), b.socket("clerk")
	onA.subscribe("main", "res.partner", "")
	onB.subscribe("main", "res.partner", "")
	write := func(e *env, ref string) {
		e.send("admin", "POST", "/api/v1/systems/main/crud", fmt.Sprintf(`{"action":"update","model":"res.partner","record_id":1,"data":{"ref":%q}}`, ref)).ok(200)
	}
	ref := func(v map[string]any) any { return v["data"].(map[string]any)["ref"] }
	write(a, "through a")
	began := time.Now()
	gotB := onB.until("model_update")
	t.Logf("a write through one server was heard at the other %s after its answer", time.Since(began))
	gotA := onA.until("model_update")
	assert.Equal(t, "through a", ref(gotB))
	assert.Equal(t, gotA["event_id"], gotB["event_id"])
	write(b, "through b")
	assert.Equal(t, "through b", ref(onA.until("model_update")))
	last := onB.until("model_update")["event_id"].(float64)

	// Coming back to another server, which had no such tenant before.
	require.NoError(t, onB.conn.Close(1000, ""))
	write(a, "missed")
	c := make()
	again := c.socketAt("clerk", fmt.Sprintf("/api/v1/ws/%s?last_event_id=%.0f", c.idOf("clerk"), last))
	again.subscribe("main", "res.partner", "")
	assert.Equal(t, "missed", ref(again.hear()))
	stats := c.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)
	assert.Equal(t, true, stats["shared"])
	assert.Equal(t, false, stats["degraded"])

	if mini == nil {
		return
	}
	// Redis goes away: writes go on, and are heard on their own server; when it
	// is back, everybody is told to read again.
	mini.Close()
	onA.drainTo()
	write(a, "alone")
	v := onA.until("model_update")
	assert.Equal(t, "alone", ref(v))
	assert.NotContains(t, v, "event_id", "nobody numbers it")
	assert.Equal(t, true, a.send("admin", "GET", "/api/v1/ws/stats", "").ok(200)["degraded"])
	require.NoError(t, mini.Restart())
	assert.Equal(t, "resync", again.until("resync")["type"])
	write(c, "together")
	for {
		if v := onA.until("model_update"); ref(v) == "together" {
			assert.Contains(t, v, "event_id")
			break
		}
	}
}

// Two servers follow one model: a change that others make is heard at both,
// once; when the one that told is gone, the other tells.
func TestLiveChangesMadeInTheSystemAcrossServers(t *testing.T) {
	url := os.Getenv("BRIDGECORE_TEST_REDIS_URL")
	if url == "" {
		url = "redis://" + miniredis.RunT(t).Addr()
	}
	prefix := fmt.Sprintf("test:%d:", time.Now().UnixNano())
	newHub := func() *live.Hub {
		hub, err := live.New(live.Config{RedisURL: url, Prefix: prefix, PollInterval: 20 * time.Millisecond, SweepInterval: 20 * time.Millisecond})
		require.NoError(t, err)
		return hub
	}
	odoo := agedOdoo(t)
	hubA, hubB := newHub(), newHub()
	a := newEnv(t, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hubA })
	b := a.second(hubB)
	a.register("admin", "main", odoo)
	onA, onB := a.socket("clerk"), b.socket("clerk")
	onA.subscribe("main", "res.partner", "")
	onB.subscribe("main", "res.partner", "")
	for _, hub := range []*live.Hub{hubA, hubB} {
		require.Eventually(t, func() bool { return hub.Following("1", "main", "res.partner") }, patience, 5*time.Millisecond)
	}
	for n := range 3 {
		id, err := odoo.Create("res.partner", map[string]any{"name": fmt.Sprint("Outside ", n)})
		require.NoError(t, err)
		for _, s := range []*socket{onA, onB} {
			v := s.hear()
			require.Equal(t, "model_update", v["type"], "%v", v)
			assert.EqualValues(t, id, v["record_id"], "once, and nothing else")
			assert.Equal(t, "create", v["operation"])
		}
	}
	onA.say(`{"type":"unsubscribe_model","system_id":"main","model":"res.partner"}`)
	onA.until("unsubscribed")
	id, err := odoo.Create("res.partner", map[string]any{"name": "After"})
	require.NoError(t, err)
	assert.EqualValues(t, id, onB.until("model_update")["record_id"])
}

// agedOdoo is a simulated Odoo whose demo data were made an hour ago.
func agedOdoo(t *testing.T) *odootest.Server {
	t.Helper()
	var age atomic.Int64
	age.Store(int64(time.Hour))
	odoo := odootest.NewServer(odootest.Config{Version: "17.0", Now: func() time.Time { return time.Now().Add(-time.Duration(age.Load())) }})
	t.Cleanup(odoo.Close)
	age.Store(0)
	return odoo
}

// Who was granted some systems alone hears of those alone.
func TestLiveOfGrantedSystemsAlone(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "granted", odootest.New(t, "17.0"))
	e.register("admin", "secret", odootest.New(t, "17.0"))
	e.grant("clerk", "granted")
	s := e.socket("clerk")
	s.say(`{"type":"subscribe","channel":"cache"}`)
	assert.Equal(t, "subscribed", s.hear()["type"])
	s.say(`{"type":"subscribe_model","system_id":"secret","model":"res.partner"}`)
	refused := s.hear()
	s.say(`{"type":"subscribe_model","system_id":"nothere","model":"res.partner"}`)
	missing := s.hear()
	assert.Equal(t, "error", refused["type"])
	assert.Equal(t, strings.ReplaceAll(fmt.Sprint(missing), "nothere", "secret"), fmt.Sprint(refused), "exactly like one that does not exist")

	s.subscribe("granted", "res.partner", "")
	for _, system := range []string{"secret", "granted"} {
		e.send("admin", "DELETE", "/api/v1/systems/"+system+"/cache/clear", "").ok(200)
		e.send("admin", "POST", "/api/v1/systems/"+system+"/crud", `{"action":"create","model":"res.partner","data":{"name":"X"}}`).ok(200)
	}
	for {
		v := s.hear()
		assert.NotContains(t, fmt.Sprint(v), "secret")
		if v["type"] == "model_update" {
			assert.Equal(t, "granted", v["system_id"])
			break
		}
	}
}

// The progress of an operation comes to who started it, and to nobody else.
func TestLiveProgress(t *testing.T) {
	hub, err := live.New(live.Config{})
	require.NoError(t, err)
	tasks, start := withTasks(t, func(c *task.Config) { c.Publisher = httpapi.Progress{Hub: hub} })
	e := newEnv(t, tasks, func(c *httpapi.Config, _ *bridge.Config) { c.Live = hub })
	start()
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	mine, others := e.socket("clerk"), e.socket("admin")
	for _, s := range []*socket{mine, others} {
		s.say(`{"type":"subscribe","channel":"operations"}`)
		assert.Equal(t, "subscribed", s.hear()["type"])
	}
	item := `{"action":"create","model":"res.partner","data":{"name":"X"}}`
	started := e.send("clerk", "POST", "/api/v1/batch/execute", `{"system_id":"odoo_main","async":true,"operations":[`+strings.Repeat(item+",", 99)+item+`]}`).ok(http.StatusAccepted)
	last := -1.0
	for {
		v := mine.until("notification")
		data := v["data"].(map[string]any)
		assert.Equal(t, "operations", v["channel"])
		assert.Equal(t, started["operation_id"], data["operation_id"])
		progress := data["progress"].(float64)
		assert.GreaterOrEqual(t, progress, last)
		if last = progress; data["status"] == "succeeded" {
			assert.EqualValues(t, 100, progress)
			break
		}
	}
	others.quiet()
}
