package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

const password = "canary-user-password"

// env is a whole server over a fresh database, with three users: admin and
// clerk of the tenant acme, and rival, the admin of another tenant.
type env struct {
	t      testing.TB
	url    string
	api    *httpapi.API
	store  *store.Store
	auth   *auth.Auth
	bridge *bridge.Bridge
	// bridgeConfig is what the bridge was made with.
	bridgeConfig bridge.Config
	log          *buffer
	tokens       map[string]string // by user
	refresh      map[string]string
	client       *http.Client
}

// databases are where the stores of envs are, by the store.
var databases sync.Map

// buffer is a log that tests can read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// option changes what an env is made of.
type option func(*httpapi.Config, *bridge.Config)

func newEnv(tb testing.TB, options ...option) *env {
	tb.Helper()
	where := storetest.Options(tb)
	s, err := store.Open(tb.Context(), where)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	databases.Store(s, where)
	tb.Cleanup(func() { databases.Delete(s) })
	key, err := vault.GenerateKey()
	require.NoError(tb, err)
	keys, err := vault.New(vault.NewSecret(key))
	require.NoError(tb, err)
	logs := &buffer{}
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	kept := newCache(tb)
	guard := netguard.Guard{Private: true}
	own := mappings.New(standard.Set(), standard.Source)
	bc := bridge.Config{Source: systems.Source(s, keys, own), Openers: systems.Openers(guard, nil), Mappings: own.Standard(), Cache: kept, Logger: log, Breaker: breaker.Settings{}}
	hc := httpapi.Config{Store: s, Vault: keys, Guard: guard, Mappings: own, Log: log, Name: "BridgeCore API", Version: "test", Environment: "development"}
	reports, err := shelf.New(shelf.Config{Dir: tb.TempDir(), Key: []byte("canary-reports-key"), Life: time.Hour})
	require.NoError(tb, err)
	hc.Reports = reports
	hc.Auth = auth.New(s, auth.Config{Key: vault.NewSecret("canary-signing-key-0123456789abcdef")})
	for _, o := range options {
		o(&hc, &bc)
	}
	if hc.Live == nil {
		hc.Live, err = live.New(live.Config{Log: log})
		require.NoError(tb, err)
	}
	bc.Observer = observing(bc.Observer, hc.Live)
	b, err := bridge.New(bc)
	require.NoError(tb, err)
	hc.Live.Use(b)
	hc.Bridge = b
	e := &env{t: tb, store: s, auth: hc.Auth, bridge: b, bridgeConfig: bc, log: logs, tokens: map[string]string{}, refresh: map[string]string{}}
	e.api = httpapi.New(hc)
	srv := httptest.NewServer(e.api)
	e.url = srv.URL
	e.client = srv.Client()
	tb.Cleanup(func() {
		_ = hc.Live.Close()
		srv.Close()
		_ = b.Close()
		_ = kept.Close()
	})
	e.user("admin", "acme", store.Admin)
	e.user("clerk", "acme", store.Plain)
	e.user("rival", "rivals", store.Admin)
	return e
}

// second is another server over the same database, with a hub of its own.
func (e *env) second(hub *live.Hub) *env {
	e.t.Helper()
	c := e.api.Config
	bc := e.bridgeConfig
	bc.Observer = hub
	b, err := bridge.New(bc)
	require.NoError(e.t, err)
	hub.Use(b)
	c.Bridge, c.Live = b, hub
	other := *e
	other.api, other.bridge = httpapi.New(c), b
	srv := httptest.NewServer(other.api)
	other.url, other.client = srv.URL, srv.Client()
	e.t.Cleanup(func() {
		_ = hub.Close()
		srv.Close()
		_ = b.Close()
	})
	return &other
}

// observing adds the hub to whoever else observes.
func observing(o bridge.Observer, hub *live.Hub) bridge.Observer {
	if o == nil {
		return hub
	}
	return bridge.Observers{o, hub}
}

func newCache(tb testing.TB) *cache.Cache {
	tb.Helper()
	url := os.Getenv("BRIDGECORE_TEST_REDIS_URL")
	if url == "" {
		return cache.New(cache.NewMemory(0))
	}
	redis, err := cache.NewRedis(cache.RedisConfig{URL: url, Prefix: "test:" + rand.Text() + ":"})
	require.NoError(tb, err)
	return cache.New(cache.NewTwoLevel(redis, cache.TwoLevelConfig{}))
}

var hashOnce = sync.OnceValues(func() (string, error) {
	return auth.NewPasswords().Hash(context.Background(), password)
})

// user adds a user and logs in.
func (e *env) user(name, tenant string, role store.Role) {
	e.t.Helper()
	ctx := e.t.Context()
	made, err := e.store.EnsureTenant(ctx, tenant)
	require.NoError(e.t, err)
	hash, err := hashOnce()
	require.NoError(e.t, err)
	u := store.User{TenantID: made.ID, Username: name, Email: name + "@example.com", FullName: strings.ToUpper(name[:1]) + name[1:], PasswordHash: hash, Role: role, IsActive: true}
	require.NoError(e.t, e.store.CreateUser(ctx, &u))
	g, err := e.auth.Open(u)
	require.NoError(e.t, err)
	e.tokens[name], e.refresh[name] = g.AccessToken, g.RefreshToken
}

// answer is what the server said.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// send sends a request as a user; "" sends no token.
func (e *env) send(user, method, path, body string, headers ...string) answer {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, strings.NewReader(body))
	require.NoError(e.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		token, known := e.tokens[user]
		require.True(e.t, known, user)
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return e.do(req)
}

func (e *env) do(req *http.Request) answer {
	e.t.Helper()
	res, err := e.client.Do(req)
	require.NoError(e.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(e.t, err)
	a := answer{e.t, res.StatusCode, res.Header, b}
	e.check(req, a)
	return a
}

// json decodes the body.
func (a answer) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	require.NoError(a.t, json.Unmarshal(a.body, &v), string(a.body))
	return v
}

// ok checks the status and decodes the body.
func (a answer) ok(status int) map[string]any {
	a.t.Helper()
	require.Equal(a.t, status, a.status, string(a.body))
	return a.json()
}

// problem checks that the answer is a whole error body of the status and the
// code, and returns its detail.
func (a answer) problem(status int, code string) string {
	a.t.Helper()
	require.Equal(a.t, status, a.status, string(a.body))
	assert.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"))
	v := a.json()
	detail, ok := v["detail"].(string)
	assert.True(a.t, ok && detail != "", "detail is a text: %s", a.body)
	assert.Equal(a.t, detail, v["message"])
	assert.Equal(a.t, false, v["success"])
	assert.EqualValues(a.t, status, v["status"])
	assert.Equal(a.t, "urn:bridgecore:error:"+code, v["type"])
	assert.NotEmpty(a.t, v["title"])
	assert.NotEmpty(a.t, v["instance"])
	info, ok := v["error"].(map[string]any)
	require.True(a.t, ok, string(a.body))
	assert.Equal(a.t, code, info["code"])
	assert.Equal(a.t, detail, info["message"])
	assert.NotEmpty(a.t, info["type"])
	assert.Equal(a.t, a.header.Get("X-Request-ID"), info["request_id"])
	assert.NotEmpty(a.t, info["request_id"])
	_, isList := info["details"].([]any)
	assert.True(a.t, isList, "details is a list: %s", a.body)
	assert.Len(a.t, info, 5)
	return detail
}

// register registers a simulated Odoo under an id, as a user.
func (e *env) register(user, id string, odoo *odootest.Server) {
	e.t.Helper()
	e.send(user, "POST", "/api/v1/systems", registration(id, odoo)).ok(http.StatusCreated)
}

func registration(id string, odoo *odootest.Server) string {
	b, err := json.Marshal(map[string]any{
		"system_id": id, "system_type": "odoo", "system_version": odoo.Version, "name": "Odoo Production", "description": "Main Odoo instance",
		"connection_config": map[string]any{"url": odoo.URL, "database": odoo.Database, "username": odoo.Username, "password": odoo.Password},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}
