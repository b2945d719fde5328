package httpapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

// wanted are the endpoints of the documents.
var wanted = []string{
	"POST /api/v1/auth/login", "POST /api/v1/auth/refresh", "POST /api/v1/auth/logout", "GET /api/v1/auth/me",
	"PATCH /api/v1/auth/me", "POST /api/v1/auth/password", "GET /api/v1/auth/sessions", "DELETE /api/v1/auth/sessions", "DELETE /api/v1/auth/sessions/{session_id}",
	"GET /api/v1/admin/users", "POST /api/v1/admin/users", "GET /api/v1/admin/users/{user_id}", "PATCH /api/v1/admin/users/{user_id}",
	"DELETE /api/v1/admin/users/{user_id}", "POST /api/v1/admin/users/{user_id}/password", "GET /api/v1/admin/users/{user_id}/sessions",
	"DELETE /api/v1/admin/users/{user_id}/sessions", "DELETE /api/v1/admin/users/{user_id}/sessions/{session_id}",
	"GET /api/v1/admin/tenants", "POST /api/v1/admin/tenants", "GET /api/v1/admin/tenants/{tenant_id}", "PATCH /api/v1/admin/tenants/{tenant_id}",
	"DELETE /api/v1/admin/tenants/{tenant_id}", "GET /api/v1/admin/tenants/{tenant_id}/stats", "GET /api/v1/admin/tenants/{tenant_id}/health",
	"POST /api/v1/systems", "GET /api/v1/systems", "GET /api/v1/systems/{system_id}", "PUT /api/v1/systems/{system_id}",
	"PATCH /api/v1/systems/{system_id}", "DELETE /api/v1/systems/{system_id}",
	"GET /api/v1/systems/{system_id}/status", "GET /api/v1/systems/{system_id}/fields", "GET /api/v1/systems/{system_id}/changes",
	"POST /api/v1/batch/execute", "GET /api/v1/audit", "GET /api/v1/barcode/lookup", "POST /api/v1/barcode/scan", "GET /api/v1/barcode/search", "GET /api/v1/barcode/image",
	"POST /api/v1/systems/{system_id}/crud", "POST /api/v1/systems/{system_id}/odoo/{operation}",
	"POST /api/v1/systems/{system_id}/migrate", "POST /api/v1/systems/{system_id}/migrate/plan",
	"POST /api/v1/systems/{system_id}/migrate/coverage", "POST /api/v1/systems/{system_id}/migrate/diff", "GET /api/v1/migrations/packs",
	"POST /api/v1/sync", "GET /api/v1/sync/conflicts", "POST /api/v1/sync/conflicts/{conflict_id}",
	"GET /api/v1/mappings/models", "GET /api/v1/systems/{system_id}/mappings", "GET /api/v1/systems/{system_id}/mappings/{model}",
	"PUT /api/v1/systems/{system_id}/mappings/{model}", "DELETE /api/v1/systems/{system_id}/mappings/{model}",
	"GET /api/v1/systems/{system_id}/mappings/{model}/versions", "POST /api/v1/systems/{system_id}/mappings/{model}/preview",
	"GET /api/v1/systems/{system_id}/cache/stats", "DELETE /api/v1/systems/{system_id}/cache/clear",
	"POST /api/v1/files/upload", "GET /api/v1/files", "GET /api/v1/systems/{system_id}/files/{file_id}", "DELETE /api/v1/systems/{system_id}/files/{file_id}",
	"POST /api/v1/files/export", "POST /api/v1/files/report/{report}", "GET /api/v1/files/report/{report}", "GET /api/v1/files/download/{name}",
	"GET /api/v1/ws/stats", "GET /api/v1/ws/{user_id}", "GET /api/v1/events",
	"GET /api/v1/operations", "GET /api/v1/operations/{operation_id}", "POST /api/v1/operations/{operation_id}/cancel", "POST /api/v1/operations/{operation_id}/retry",
	"GET /api/v1/operations/{operation_id}/result", "GET /api/v1/operations/{operation_id}/events",
	"GET /health", "GET /livez", "GET /readyz",
}

// inBackground are the operations that may answer 202 too.
var inBackground = map[string]bool{"POST /api/v1/batch/execute": true, "POST /api/v1/systems/{system_id}/migrate": true, "POST /api/v1/files/export": true, "POST /api/v1/files/report/{report}": true, "GET /api/v1/files/report/{report}": true}

// pictures are the operations that answer with something else than JSON.
var pictures = map[string]string{
	"GET /api/v1/barcode/image":                       "image/png",
	"GET /api/v1/systems/{system_id}/files/{file_id}": "*/*",
	"GET /api/v1/files/download/{name}":               "*/*",
	"GET /api/v1/events":                              "text/event-stream",
	"GET /api/v1/operations/{operation_id}/events":    "text/event-stream",
	"GET /api/v1/operations/{operation_id}/result":    "application/pdf",
}

func TestTheDescriptionIsWhole(t *testing.T) {
	e := newEnv(t)
	a := e.send("", "GET", "/openapi.json", "")
	spec := a.ok(200)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.Equal(t, "3.1.0", spec["openapi"])

	var got []string
	for path, item := range spec["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			name := strings.ToUpper(method) + " " + path
			got = append(got, name)
			op := op.(map[string]any)
			assert.NotEmpty(t, op["summary"], name)
			assert.NotEmpty(t, op["description"], name)
			assert.NotEmpty(t, op["operationId"], name)
			responses := op["responses"].(map[string]any)
			success := 0
			for status, r := range responses {
				content, _ := r.(map[string]any)["content"].(map[string]any)
				if status == "304" {
					assert.Empty(t, content, name)
					continue
				}
				if status == "101" {
					success++
					continue
				}
				if status[0] == '2' {
					if status != "206" {
						success++
					}
					if want := pictures[name]; want != "" {
						assert.Contains(t, content, want, name)
						continue
					}
					assert.Contains(t, content, "application/json", name)
					continue
				}
				media, ok := content["application/problem+json"].(map[string]any)
				if name == "GET /readyz" && status == "503" {
					continue // tells what is not ready
				}
				if assert.True(t, ok, "%s %s", name, status) {
					assert.Equal(t, "#/components/schemas/Problem", media["schema"].(map[string]any)["$ref"], name)
				}
			}
			if inBackground[name] {
				assert.Contains(t, responses, "202", name)
				success--
			}
			assert.Equal(t, 1, success, name)
			for _, param := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				assert.Contains(t, string(marshal(t, op["parameters"])), `"name":"`+param[1]+`"`, name)
			}
			open := strings.HasPrefix(path, "/api/") && path != "/api/v1/auth/login"
			assert.Equal(t, open, len(op["security"].([]any)) > 0, name)
		}
	}
	assert.ElementsMatch(t, wanted, got)

	// Every reference leads somewhere.
	schemas := spec["components"].(map[string]any)["schemas"].(map[string]any)
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(a.body, -1) {
		assert.Contains(t, schemas, string(ref[1]))
	}
	for _, op := range bridge.Operations() {
		assert.Contains(t, string(a.body), "| "+op.Name+" |", "each operation is described")
	}
	for _, m := range []string{`"action":"create"`, `"Ahmed Al-Saudi"`, `"optimized":true`, `"use_universal_schema"`, `"application/yaml"`} {
		assert.Contains(t, string(a.body), m, "the documents' examples")
	}
	file := schemas["UploadRequest"].(map[string]any)["properties"].(map[string]any)["file"].(map[string]any)
	assert.Equal(t, "binary", file["format"])
	assert.NotContains(t, file, "contentEncoding", "in a form a file is sent as it is")
	assert.NotContains(t, string(a.body), "canary")
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// What is described is there, and nothing else: an unknown method of a known
// path is 405 and names the known ones.
func TestWhatIsDescribedIsThere(t *testing.T) {
	e := newEnv(t)
	for _, endpoint := range wanted {
		method, path, _ := strings.Cut(endpoint, " ")
		path = strings.NewReplacer("{system_id}", "main", "{operation}", "read", "{model}", "contact", "{file_id}", "1", "{report}", "sales", "{name}", "report-x.pdf", "{user_id}", "1", "{tenant_id}", "1", "{session_id}", "x").Replace(path)
		a := e.send("", method, path, "")
		assert.NotEqual(t, 405, a.status, endpoint)
		assert.NotContains(t, string(a.body), "nothing at this path", endpoint)
	}
}

func TestTheDocsWorkOffline(t *testing.T) {
	e := newEnv(t)
	for _, path := range []string{"/docs", "/docs/"} {
		a := e.send("", "GET", path, "")
		require.Equal(t, 200, a.status, path)
		page := string(a.body)
		assert.Contains(t, page, "/openapi.json")
		for _, ref := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			assert.False(t, strings.HasPrefix(ref[1], "http") || strings.HasPrefix(ref[1], "//"), "loads %s", ref[1])
			if strings.HasPrefix(ref[1], "/") {
				file := e.send("", "GET", ref[1], "")
				assert.Equal(t, 200, file.status, ref[1])
				assert.NotEmpty(t, file.body, ref[1])
			}
		}
	}
}

// beside are the routes that the description leaves out: it and its page, and
// what is for Prometheus.
var beside = []string{
	"GET /tasks", "GET /tasks/style.css", "POST /tasks/login", "POST /tasks/logout", "POST /tasks/operations/:operation_id/cancel", "POST /tasks/operations/:operation_id/retry", // a page for browsers
	"GET /openapi.json", "GET /openapi.yaml", "GET /openapi-3.0.json", "GET /openapi-3.0.yaml", "GET /docs", "GET /docs/*", "GET /metrics"}

func TestTheRouterAndTheDescriptionAgree(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	described := slices.Clone(beside)
	for path, item := range c.paths {
		for method := range item {
			described = append(described, strings.ToUpper(method)+" "+strings.NewReplacer("{", ":", "}", "").Replace(path))
		}
	}
	routes := newEnv(t, withMetrics(false)).api.Routes()
	assert.ElementsMatch(t, described, routes)
}

// Every operation is called by a name of its own that is one in programs too.
func TestNamesOfOperations(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	seen := map[string]bool{}
	for path, item := range c.paths {
		for method, op := range item {
			assert.Regexp(t, `^(login|logout|[a-z]+([A-Z][a-z]+)+)$`, op.OperationID, "%s %s", method, path)
			assert.False(t, seen[op.OperationID], op.OperationID)
			seen[op.OperationID] = true
		}
	}
}

// Every operation shows requests and answers, those that the tests play, and
// they are of the forms that it describes.
func TestEveryOperationShowsWhatThePlayedRequestsDo(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	var general struct {
		Components struct {
			Examples map[string]describedSample `json:"examples"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(newEnv(t).send("", "GET", "/openapi.json", "").body, &general))
	shown := 0
	show := func(name string, media describedMedia, steps ...string) {
		assert.NotEmpty(t, media.Examples, "%s has no example", name)
		schema, err := c.schema(append(steps, "schema")...)
		require.NoError(t, err, name)
		for title, sample := range media.Examples {
			value := sample.Value
			if ref, is := strings.CutPrefix(sample.Ref, "#/components/examples/"); is {
				value = general.Components.Examples[ref].Value
			} else {
				shown++
			}
			require.NotEmpty(t, value, "%s %s", name, title)
			assert.NotRegexp(t, `<\w+>"|"\{\w+\}"|canary`, strings.ReplaceAll(string(value), "<access token>", ""), "%s %s: give it a sample", name, title)
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
			require.NoError(t, err)
			assert.NoError(t, schema.Validate(v), "%s %s: %s", name, title, value)
		}
	}
	for path, item := range c.paths {
		for method, op := range item {
			name := method + " " + path
			if op.RequestBody != nil && op.RequestBody.Content["multipart/form-data"].Schema == nil {
				show(name, op.RequestBody.Content["application/json"], "paths", path, method, "requestBody", "content", "application/json")
			}
			for status, response := range op.Responses {
				for kind, media := range response.Content {
					if strings.HasSuffix(kind, "json") && kind != "application/x-ndjson" {
						show(name+" "+status, media, "paths", path, method, "responses", status, "content", kind)
					}
				}
			}
		}
	}
	played, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, shown, len(played), "nothing that is played is left out")
	source, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests []byte
	for _, file := range source {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		tests = append(tests, text...)
	}
	for _, file := range played {
		assert.Contains(t, string(tests), `"`+filepath.Dir(file)+`/*.json"`, "what is shown is played")
	}
}

func TestDescriptionsForOlderTools(t *testing.T) {
	e := newEnv(t)
	old := e.send("", "GET", "/openapi-3.0.json", "")
	spec := old.ok(200)
	assert.Equal(t, "3.0.3", spec["openapi"])
	assert.NotContains(t, string(old.body), `"null"`)
	assert.NotContains(t, string(old.body), `"identifier"`)
	assert.Contains(t, string(old.body), `"nullable":true`)
	for path, version := range map[string]string{"/openapi.yaml": "3.1.0", "/openapi-3.0.yaml": "3.0.3"} {
		a := e.send("", "GET", path, "")
		assert.Equal(t, 200, a.status)
		assert.Equal(t, "application/yaml", a.header.Get("Content-Type"))
		assert.Contains(t, string(a.body), "openapi: "+version)
		assert.Contains(t, string(a.body), "operationId: executeCrud")
	}
	_, err := httpapi.Description(httpapi.Config{}, "2.0", false)
	require.Error(t, err)
}

// What docs/clients.md calls is in the description.
func TestTheGuideToClients(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/clients.md")
	require.NoError(t, err)
	c, err := theContract()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, item := range c.paths {
		for _, op := range item {
			names[op.OperationID] = true
		}
	}
	paths := regexp.MustCompile(`"(/api/[^"]+)"`).FindAllSubmatch(text, -1)
	assert.NotEmpty(t, paths)
	for _, path := range paths {
		assert.Contains(t, c.paths, string(path[1]))
	}
	calls := regexp.MustCompile(`Api\(\)\.(\w+)\(`).FindAllSubmatch(text, -1)
	assert.NotEmpty(t, calls)
	for _, call := range calls {
		assert.Contains(t, names, string(call[1]))
	}
	for _, version := range []string{httpapi.OpenAPI31, httpapi.OpenAPI30} {
		assert.Contains(t, string(text), version)
	}
}
