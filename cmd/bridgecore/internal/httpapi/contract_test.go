package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

// contract is the description, to hold answers against.
type contract struct {
	compiler *jsonschema.Compiler
	paths    map[string]map[string]describedOperation

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
}

type describedOperation struct {
	OperationID string `json:"operationId"`
	RequestBody *struct {
		Content map[string]describedMedia `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]describedMedia `json:"content"`
	} `json:"responses"`
}

type describedMedia struct {
	Schema   json.RawMessage            `json:"schema"`
	Examples map[string]describedSample `json:"examples"`
}

type describedSample struct {
	Ref   string          `json:"$ref"`
	Value json.RawMessage `json:"value"`
}

var theContract = sync.OnceValues(func() (*contract, error) {
	text, err := httpapi.Description(httpapi.Config{Version: "test"}, httpapi.OpenAPI31, false)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := &contract{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("api.json", doc); err != nil {
		return nil, err
	}
	var spec struct {
		Paths map[string]map[string]describedOperation `json:"paths"`
	}
	err = json.Unmarshal(text, &spec)
	c.paths = spec.Paths
	return c, err
})

// find returns the path of the description that a request is for.
func (c *contract) find(target string) string {
	target, _, _ = strings.Cut(target, "?")
	asked := strings.Split(target, "/")
	best := ""
	for path := range c.paths {
		parts := strings.Split(path, "/")
		fits := len(parts) == len(asked)
		for i := 0; fits && i < len(parts); i++ {
			fits = parts[i] == asked[i] || parts[i][:min(1, len(parts[i]))] == "{" && asked[i] != ""
		}
		if fits && (best == "" || strings.Count(path, "{") < strings.Count(best, "{")) {
			best = path
		}
	}
	return best
}

// schema compiles the schema at a place of the description.
func (c *contract) schema(steps ...string) (*jsonschema.Schema, error) {
	escaped := make([]string, len(steps))
	for i, s := range steps {
		escaped[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
	}
	at := "api.json#/" + strings.Join(escaped, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.schemas[at]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(at)
	c.schemas[at] = s
	return s, err
}

// holds checks that the description has an answer to a request: its status, its
// type and its form.
func (c *contract) holds(tb testing.TB, method, target string, status int, contentType string, body []byte) {
	tb.Helper()
	path := c.find(target)
	verb := strings.ToLower(method)
	op, known := c.paths[path][verb]
	if !known {
		return
	}
	name := method + " " + path + " " + strconv.Itoa(status)
	response, known := op.Responses[strconv.Itoa(status)]
	if !assert.True(tb, known, "%s is not described: %s", name, body) {
		return
	}
	if len(response.Content) == 0 || response.Content["*/*"].Schema != nil {
		return
	}
	kind, _, _ := strings.Cut(contentType, ";")
	if _, known := response.Content[kind]; !assert.True(tb, known, "%s: the type %q is not described", name, kind) {
		return
	}
	if !strings.HasSuffix(kind, "json") || kind == "application/x-ndjson" {
		return
	}
	schema, err := c.schema("paths", path, verb, "responses", strconv.Itoa(status), "content", kind, "schema")
	require.NoError(tb, err, name)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(tb, err, name)
	assert.NoError(tb, schema.Validate(value), "%s: %s", name, body)
}

// check holds an answer of the server against the description.
func (e *env) check(req *http.Request, a answer) {
	e.t.Helper()
	c, err := theContract()
	require.NoError(e.t, err)
	if req.Method != http.MethodHead && req.Method != http.MethodOptions {
		c.holds(e.t, req.Method, req.URL.EscapedPath(), a.status, a.header.Get("Content-Type"), a.body)
	}
}
