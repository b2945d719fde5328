package rpc_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// versionAnswer is what a server of the series says about itself.
func versionAnswer(major string) string {
	return `{"jsonrpc": "2.0", "id": null, "result": {"server_version": "` + major + `.0", "server_version_info": [` + major + `, 0, 0, "final", 0, ""], "server_serie": "` + major + `.0", "protocol_version": 1}}`
}

// jsonRPCBody reads the params of a request in Odoo's JSON-RPC.
func jsonRPCBody(tb testing.TB, r *http.Request) (params struct {
	Service, Method string
	Args            []any
}) {
	tb.Helper()
	var body struct {
		JSONRPC, Method string
		Params          json.RawMessage
	}
	require.NoError(tb, json.NewDecoder(r.Body).Decode(&body))
	require.Equal(tb, "2.0", body.JSONRPC)
	require.NoError(tb, json.Unmarshal(body.Params, &params))
	return params
}

func TestJSONRPCCall(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /web/webclient/version_info", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(versionAnswer("17")))
	})
	mux.HandleFunc("POST /jsonrpc", func(w http.ResponseWriter, r *http.Request) {
		p := jsonRPCBody(t, r)
		switch p.Service + "." + p.Method {
		case "common.authenticate":
			assert.Equal(t, []any{"shop", "ada", "secret", map[string]any{}}, p.Args)
			w.Write([]byte(`{"jsonrpc": "2.0", "id": 1, "result": 7}`))
		case "object.execute_kw":
			assert.Equal(t, []any{"shop", 7.0, "secret", "res.partner", "read", []any{[]any{5.0}}, map[string]any{"fields": []any{"name"}}}, p.Args)
			w.Write([]byte(`{"jsonrpc": "2.0", "id": 2, "result": [{"id": 5, "credit": 10.50}]}`))
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	c, err := rpc.Dial(context.Background(), rpc.Config{URL: server.URL + "/web#action=1", Database: "shop", Username: "ada", Password: "secret"})
	require.NoError(t, err)
	defer c.Close()
	require.EqualValues(t, 7, c.UID())
	require.Equal(t, "17.0", c.Version().Series)
	got, err := c.Call(context.Background(), rpc.Call{
		Model: "res.partner", Method: "read",
		Args: []any{[]adapter.ID{adapter.IntID(5)}}, Kwargs: map[string]any{"fields": json.RawMessage(`["name"]`)},
	})
	require.NoError(t, err)
	require.Equal(t, `[{"id": 5, "credit": 10.50}]`, string(got))
}
