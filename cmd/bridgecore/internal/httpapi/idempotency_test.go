package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

func partners(e *env, name string) int {
	e.t.Helper()
	v := e.send("admin", http.MethodPost, "/api/v1/systems/odoo/odoo/call_kw", `{"model":"res.partner","method":"search_count","args":[[["name","=","`+name+`"]]],"context":{"x":"`+rapidText()+`"}}`).ok(200)
	return int(v["result"].(float64))
}

// rapidText is another text each time, so that nothing is answered from the
// cache.
var texts atomic.Int64

func rapidText() string { return time.Unix(texts.Add(1), 0).String() }

func TestARequestWithAKeyHappensOnce(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	crud := func(user, key, name string) answer {
		return e.send(user, http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"`+name+`"}}`, "Idempotency-Key", key)
	}
	first := crud("clerk", "key-1", "once")
	require.Equal(t, 200, first.status)
	assert.Empty(t, first.header.Get("Idempotent-Replayed"))
	again := crud("clerk", "key-1", "once")
	assert.Equal(t, 200, again.status)
	assert.Equal(t, string(first.body), string(again.body), "the same answer, to the byte")
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	assert.Equal(t, first.header.Get("Content-Type"), again.header.Get("Content-Type"))
	assert.Equal(t, 1, partners(e, "once"))

	assert.Equal(t, 422, crud("clerk", "key-1", "another").status, "another payload")
	assert.Equal(t, 0, partners(e, "another"))
	assert.Equal(t, 200, crud("admin", "key-1", "once").status, "another user's key is another")
	assert.Equal(t, 2, partners(e, "once"))
	assert.Equal(t, 422, crud("clerk", "bad key", "x").status)
	assert.Equal(t, 422, crud("clerk", strings.Repeat("k", 256), "x").status)

	// A refusal by the system is an answer too.
	refused := func() answer {
		return e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"delete","model":"res.partner","record_id":999999}`, "Idempotency-Key", "key-2")
	}
	assert.Equal(t, 404, refused().status)
	a := refused()
	assert.Equal(t, 404, a.status)
	assert.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
	assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
}

func TestManyAtOnceWithOneKey(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	var wg sync.WaitGroup
	var ok, busy atomic.Int64
	for range 10 {
		wg.Go(func() {
			a := e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"race"}}`, "Idempotency-Key", "race")
			switch a.status {
			case 200:
				ok.Add(1)
			case 409:
				busy.Add(1)
				assert.NotEmpty(t, a.header.Get("Retry-After"))
			default:
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	assert.Positive(t, ok.Load())
	assert.EqualValues(t, 10, ok.Load()+busy.Load())
	assert.Equal(t, 1, partners(e, "race"))
}

// What did not happen may be tried again under the same key.
func TestAKeyIsGivenBackWhereNothingHappened(t *testing.T) {
	sim := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "odoo", sim)
	create := func() int {
		return e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"later"}}`, "Idempotency-Key", "later").status
	}
	e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/odoo/search_count", `{"model":"res.partner"}`).ok(200)
	sim.SetFault(odootest.Fault{Status: 503})
	assert.Equal(t, 503, create())
	sim.SetFault()
	assert.Equal(t, 200, create())
	assert.Equal(t, 1, partners(e, "later"))
}

// A server that died while it worked leaves a key behind that tells so.
func TestAKeyOfARequestThatWasBrokenOff(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	id := int64(e.send("clerk", http.MethodGet, "/api/v1/auth/me", "").ok(200)["id"].(float64))
	_, ours, err := e.store.ClaimKey(context.Background(), store.KeptAnswer{UserID: id, Key: "dead", Fingerprint: "f"}, time.Hour)
	require.NoError(t, err)
	require.True(t, ours)
	a := e.send("clerk", http.MethodPost, "/api/v1/systems/odoo/crud", `{"action":"create","model":"res.partner","data":{"name":"x"}}`, "Idempotency-Key", "dead")
	assert.Equal(t, 422, a.status, "another request")
	_, ours, err = e.store.ClaimKey(context.Background(), store.KeptAnswer{UserID: id, Key: "dead", Fingerprint: "f"}, time.Hour)
	require.NoError(t, err)
	assert.False(t, ours)
	_, ours, err = e.store.ClaimKey(context.Background(), store.KeptAnswer{UserID: id, Key: "old", Fingerprint: "f"}, -time.Hour)
	require.NoError(t, err)
	require.True(t, ours)
	_, ours, err = e.store.ClaimKey(context.Background(), store.KeptAnswer{UserID: id, Key: "old", Fingerprint: "f"}, time.Hour)
	require.NoError(t, err)
	assert.True(t, ours, "keys expire")
}
