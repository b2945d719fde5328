package httpapi_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/bridge"
)

// wanted are the endpoints of the documents.
var wanted = []string{
	"POST /api/v1/auth/login", "POST /api/v1/auth/refresh", "POST /api/v1/auth/logout", "GET /api/v1/auth/me",
	"POST /api/v1/systems", "GET /api/v1/systems", "GET /api/v1/systems/{system_id}", "PUT /api/v1/systems/{system_id}",
	"PATCH /api/v1/systems/{system_id}", "DELETE /api/v1/systems/{system_id}",
	"GET /api/v1/systems/{system_id}/status", "GET /api/v1/systems/{system_id}/fields",
	"POST /api/v1/batch/execute", "GET /api/v1/audit", "GET /api/v1/barcode/lookup", "POST /api/v1/barcode/scan", "GET /api/v1/barcode/search", "GET /api/v1/barcode/image",
	"POST /api/v1/systems/{system_id}/crud", "POST /api/v1/systems/{system_id}/odoo/{operation}",
	"POST /api/v1/systems/{system_id}/migrate", "POST /api/v1/systems/{system_id}/migrate/plan",
	"POST /api/v1/systems/{system_id}/migrate/coverage", "POST /api/v1/systems/{system_id}/migrate/diff", "GET /api/v1/migrations/packs",
	"GET /api/v1/mappings/models", "GET /api/v1/systems/{system_id}/mappings", "GET /api/v1/systems/{system_id}/mappings/{model}",
	"PUT /api/v1/systems/{system_id}/mappings/{model}", "DELETE /api/v1/systems/{system_id}/mappings/{model}",
	"GET /api/v1/systems/{system_id}/mappings/{model}/versions", "POST /api/v1/systems/{system_id}/mappings/{model}/preview",
	"GET /api/v1/systems/{system_id}/cache/stats", "DELETE /api/v1/systems/{system_id}/cache/clear",
	"GET /health", "GET /livez", "GET /readyz",
}

// pictures are the operations that answer with something else than JSON.
var pictures = map[string]string{"GET /api/v1/barcode/image": "image/png"}

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
				if status[0] == '2' {
					success++
					if want := pictures[name]; want != "" {
						assert.Contains(t, content, want, name)
						continue
					}
					assert.Contains(t, content, "application/json", name)
					continue
				}
				media, ok := content["application/problem+json"].(map[string]any)
				if assert.True(t, ok, "%s %s", name, status) && status != "503" {
					assert.Equal(t, "#/components/schemas/Problem", media["schema"].(map[string]any)["$ref"], name)
				}
			}
			assert.Equal(t, 1, success, name)
			for _, param := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				assert.Contains(t, string(marshal(t, op["parameters"])), `"name":"`+param[1]+`"`, name)
			}
			open := strings.HasPrefix(path, "/api/") && path != "/api/v1/auth/login"
			assert.Equal(t, open, op["security"] != nil, name)
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
		path = strings.NewReplacer("{system_id}", "main", "{operation}", "read", "{model}", "contact").Replace(path)
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
