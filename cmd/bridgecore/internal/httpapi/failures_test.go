package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

// ingest is where Sentry's reports arrive.
type ingest struct {
	*httptest.Server
	mu  sync.Mutex
	all []string
}

func newIngest(t *testing.T) *ingest {
	t.Helper()
	i := &ingest{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.all = append(i.all, string(b))
	}))
	t.Cleanup(i.Close)
	return i
}

// events are the reports that arrived.
func (i *ingest) events(t *testing.T) []map[string]any {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	var events []map[string]any
	for _, envelope := range i.all {
		for line := range strings.SplitSeq(envelope, "\n") {
			var v map[string]any
			if json.Unmarshal([]byte(line), &v) == nil && v["exception"] != nil {
				events = append(events, v)
			}
		}
	}
	return events
}

// faulty panics or fails where a system is looked up.
func faulty(t *testing.T, i *ingest, personal bool, fault func(id string) error) (*env, *telemetry.Failures) {
	t.Helper()
	f, err := telemetry.NewFailures(telemetry.FailuresConfig{
		DSN: strings.Replace(i.URL, "http://", "http://canary-dsn-key@", 1) + "/1", Environment: "test", Release: "test", Personal: personal,
	})
	require.NoError(t, err)
	e := newEnv(t, func(hc *httpapi.Config, bc *bridge.Config) {
		hc.Failures = f
		source := bc.Source
		bc.Source = bridge.SourceFunc(func(ctx context.Context, tenant, id string) (bridge.SystemConfig, error) {
			if err := fault(id); err != nil {
				return bridge.SystemConfig{}, err
			}
			return source.System(ctx, tenant, id)
		})
	})
	return e, f
}

func TestFailuresAreReported(t *testing.T) {
	i := newIngest(t)
	e, f := faulty(t, i, false, func(id string) error {
		switch id {
		case "panics":
			panic("it broke: password=canary-in-a-panic token: canary-token, see https://u:canary-url@host/x?key=canary-query of ahmed@example.com")
		case "fails":
			return fmt.Errorf("lookup: %w", errors.New(`pq: Key (email)=(canary-email) exists; Authorization: Bearer canary-bearer`))
		}
		return nil
	})
	headers := []string{"Cookie", "session=canary-cookie", "X-Api-Key", "canary-header", "User-Agent", "app/2.1", "X-Request-ID", "the-request"}
	const body = `{"model":"res.partner","domain":[["name","=","canary-body"]]}`
	for _, id := range []string{"panics", "fails"} {
		e.send("clerk", "POST", "/api/v1/systems/"+id+"/odoo/search_read?token=canary-query", body, headers...).problem(500, "internal")
	}
	// What a client does wrong and what a system refuses is no failure of ours.
	sim := odootest.New(t, "17.0")
	e.register("admin", "main", sim)
	e.send("clerk", "POST", "/api/v1/systems/none/odoo/search_read", body).problem(404, "not_found")
	e.send("", "POST", "/api/v1/systems/main/odoo/search_read", body).problem(401, "token_missing")
	e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_read", `{"model":"res.partner","fields":["no_such_field_at_all"],"fallback":"off"}`).problem(422, "invalid_argument")
	sim.SetFault(odootest.Fault{Contains: "search_count", Body: `{"jsonrpc":"2.0","id":1,"error":{"code":200,"message":"Odoo Server Error","data":{"name":"acme.Weird","message":"canary-odoo","arguments":["canary-odoo"],"debug":"Traceback"}}}`, ContentType: "application/json"})
	assert.Equal(t, 500, e.send("clerk", "POST", "/api/v1/systems/main/odoo/search_count", body).status, "Odoo's own failure")
	sim.SetFault()
	sim.Close()
	assert.Equal(t, 503, e.send("clerk", "POST", "/api/v1/systems/main/odoo/search", body).status)
	require.NoError(t, f.Close(t.Context()))

	events := i.events(t)
	require.Len(t, events, 2)
	for n, event := range events {
		assert.Equal(t, "POST /api/v1/systems/:system_id/odoo/:operation", event["transaction"])
		assert.Equal(t, map[string]any{"id": "2"}, event["user"])
		tags := event["tags"].(map[string]any)
		assert.Equal(t, "the-request", tags["request_id"])
		assert.Equal(t, "internal", tags["code"])
		assert.Equal(t, "1", tags["tenant"])
		request := event["request"].(map[string]any)
		assert.Equal(t, "/api/v1/systems/:system_id/odoo/:operation", request["url"])
		assert.Equal(t, "app/2.1", request["headers"].(map[string]any)["User-Agent"])
		assert.Empty(t, request["data"])
		exception := event["exception"].([]any)[0].(map[string]any)
		if n == 0 {
			assert.Equal(t, "panic", exception["type"])
			assert.Contains(t, exception["value"], "it broke")
			frames, err := json.Marshal(exception["stacktrace"])
			require.NoError(t, err)
			assert.Contains(t, string(frames), "faulty", "where it was thrown")
			assert.Contains(t, string(frames), "runOperation")
		} else {
			assert.Equal(t, "*errors.errorString", exception["type"])
			assert.Contains(t, exception["value"], "lookup: pq: Key")
		}
	}
	all := strings.Join(i.all, "\n")
	// The public key of the DSN is how Sentry knows the project.
	all = strings.ReplaceAll(all, "canary-dsn-key", "")
	assert.NotContains(t, all, "canary")
	for _, secret := range []string{e.tokens["clerk"], "clerk", "ahmed", "example.com", sim.Password, "panics", "Authorization\":"} {
		assert.NotContains(t, all, secret)
	}
	assert.NotContains(t, e.log.String(), "canary-dsn-key")
}

func TestFailuresTellNamesWhereThatIsWanted(t *testing.T) {
	i := newIngest(t)
	e, f := faulty(t, i, true, func(string) error { return errors.New("broken") })
	e.send("clerk", "POST", "/api/v1/systems/x/odoo/search_read", `{"model":"res.partner"}`).problem(500, "internal")
	require.NoError(t, f.Close(t.Context()))
	events := i.events(t)
	require.Len(t, events, 1)
	assert.Equal(t, map[string]any{"id": "2", "username": "clerk"}, events[0]["user"])
}

// An ingest that is away costs no request anything.
func TestAnIngestThatIsAway(t *testing.T) {
	i := newIngest(t)
	e, f := faulty(t, i, false, func(string) error { return errors.New("broken") })
	i.Close()
	e.send("clerk", "POST", "/api/v1/systems/x/odoo/search_read", `{"model":"res.partner"}`).problem(500, "internal")
	_ = f.Close(t.Context())
}
