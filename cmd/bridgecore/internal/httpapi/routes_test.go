package httpapi_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// described is one operation of the OpenAPI description, with a request that
// fits it: whatever is added to the API is in the tests that go over all.
type described struct {
	id, method, path string
	secured          bool // needs an access token
	admin            bool // needs the role admin or operator
	form             bool // takes a form, not JSON
	spec             map[string]any
	op               map[string]any
}

// allOperations are those of the description, by path and method.
func (e *env) allOperations() []described {
	e.t.Helper()
	spec := e.send("", "GET", "/openapi.json", "").ok(200)
	var out []described
	paths := spec["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			op := item[method].(map[string]any)
			text, _ := op["description"].(string)
			d := described{
				id: op["operationId"].(string), method: strings.ToUpper(method), path: path, spec: spec, op: op,
				admin: strings.Contains(text, "Needs the role admin.") || strings.Contains(text, "Needs the role operator."),
			}
			if body, ok := op["requestBody"].(map[string]any); ok {
				_, d.form = body["content"].(map[string]any)["multipart/form-data"]
			}
			for _, s := range list(op["security"]) {
				_, d.secured = s.(map[string]any)["accessToken"]
			}
			out = append(out, d)
		}
	}
	require.NotEmpty(e.t, out)
	return out
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// request is the path and the body of a request in which values replace those
// of the description, by name.
func (d *described) request(t *testing.T, values map[string]any) (path, body string) {
	t.Helper()
	path = d.path
	query := []string{}
	for _, p := range list(d.op["parameters"]) {
		p := p.(map[string]any)
		name := p["name"].(string)
		value, given := values[name]
		if !given {
			value = d.sample(p["schema"], values)
			if example, ok := p["example"]; ok {
				value = example
			}
		}
		text := textOf(value)
		switch {
		case p["in"] == "path":
			path = strings.ReplaceAll(path, "{"+name+"}", text)
		case p["in"] == "query" && (given || p["required"] == true):
			query = append(query, name+"="+text)
		}
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	media := d.media()
	if media == nil {
		return path, ""
	}
	sample := d.sample(media["schema"], values)
	if examples, ok := media["examples"].(map[string]any); ok {
		first := slices.Sorted(maps.Keys(examples))[0]
		sample = maps.Clone(examples[first].(map[string]any)["value"].(map[string]any))
		for name := range d.properties(media["schema"]) {
			if value, given := values[name]; given {
				sample.(map[string]any)[name] = value
			}
		}
	}
	b, err := json.Marshal(sample)
	require.NoError(t, err)
	return path, string(b)
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// bodyHas reports whether the body has a member.
func (d *described) bodyHas(name string) bool {
	media := d.media()
	if media == nil {
		return false
	}
	_, has := d.properties(media["schema"])[name]
	return has
}

// media describes the body in JSON; nil for none.
func (d *described) media() map[string]any {
	request, _ := d.op["requestBody"].(map[string]any)
	content, _ := request["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	return media
}

func (d *described) resolve(schema any) map[string]any {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		return d.spec["components"].(map[string]any)["schemas"].(map[string]any)[name].(map[string]any)
	}
	return s
}

func (d *described) properties(schema any) map[string]any {
	p, _ := d.resolve(schema)["properties"].(map[string]any)
	return p
}

// sample is a value that fits a schema.
func (d *described) sample(schema any, values map[string]any) any {
	s := d.resolve(schema)
	if examples := list(s["examples"]); len(examples) > 0 {
		return examples[0]
	}
	if choices := list(s["enum"]); len(choices) > 0 {
		return choices[len(choices)-1]
	}
	if least, ok := s["minimum"]; ok {
		return least
	}
	switch kind := s["type"].(type) {
	case string:
		return d.sampleOf(kind, s, values)
	case []any:
		return d.sampleOf(kind[0].(string), s, values)
	}
	return 1
}

func (d *described) sampleOf(kind string, s, values map[string]any) any {
	switch kind {
	case "string":
		if s["format"] == "date-time" {
			return "2026-12-31T00:00:00Z"
		}
		return "x"
	case "boolean":
		return false
	case "array":
		return []any{d.sample(s["items"], values)}
	case "object":
		out := map[string]any{}
		for name, p := range d.properties(s) {
			value, given := values[name]
			switch {
			case given:
				out[name] = value
			case slices.Contains(list(s["required"]), any(name)):
				out[name] = d.sample(p, values)
			}
		}
		return out
	}
	return 1
}
