package httpapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

const migratePath = "/api/v1/systems/odoo_main/migrate"

// migrating is a server with a simulated Odoo 13.0 and 19.0 that has the
// documented records.
func migrating(t *testing.T) *env {
	t.Helper()
	e := newEnv(t)
	old, new := odootest.New(t, "13.0"), odootest.New(t, "19.0")
	e.register("admin", "odoo_main", old)
	e.register("admin", "odoo_new", new)
	for {
		id, err := old.Create("res.partner", map[string]any{"name": "Ahmed Al-Saudi", "phone": "+966501234567"})
		require.NoError(t, err)
		if id >= 125 {
			return e
		}
	}
}

// TestDocumentedMigration plays requests and answers in order, as
// TestDocumentedRequests does, between two versions.
func TestDocumentedMigration(t *testing.T) {
	play(t, migrating(t), "testdata/migrate/*.json")
}

// The documented request has exactly the documented answer.
func TestTheDocumentedAnswerToTheLetter(t *testing.T) {
	e := migrating(t)
	a := e.send("clerk", "POST", migratePath, `{"model":"res.partner","from_version":"13.0","to_version":"19.0","record_ids":[123,124,125]}`)
	require.Equal(t, 200, a.status, string(a.body))
	assert.Equal(t, []string{`{"success":true,"migration_path":["13.0","14.0","15.0","16.0","17.0","18.0","19.0"],"migrated":3,"errors":[]}`, ""}, strings.Split(string(a.body), "\n"))
}

func TestBadMigrations(t *testing.T) {
	e := migrating(t)
	for name, tc := range map[string]struct {
		path, body   string
		status       int
		code, detail string
	}{
		"no model":        {"", `{"record_ids":[123]}`, 422, "invalid_argument", "model: is missing"},
		"no ids":          {"", `{"model":"res.partner","to_version":"19.0"}`, 422, "invalid_argument", "record_ids"},
		"empty ids":       {"", `{"model":"res.partner","to_version":"19.0","record_ids":[]}`, 422, "invalid_argument", "record_ids"},
		"no version":      {"", `{"model":"res.partner","record_ids":[123]}`, 422, "invalid_argument", "to_version"},
		"unknown version": {"", `{"model":"res.partner","to_version":"99.0","record_ids":[123]}`, 422, "invalid_argument", `"99.0" is unknown`},
		"downgrade":       {"", `{"model":"res.partner","from_version":"19.0","to_version":"13.0","record_ids":[123]}`, 422, "invalid_argument", "downgrade"},
		"unknown pack":    {"", `{"model":"res.partner","to_version":"19.0","record_ids":[123],"pack":"nope"}`, 422, "invalid_argument", "pack"},
		"unknown member":  {"", `{"model":"res.partner","to_version":"19.0","record_ids":[123],"from":"13.0"}`, 422, "invalid_argument", "from"},
		"unknown model":   {"", `{"model":"no.such","to_version":"19.0","record_ids":[123]}`, 404, "not_found", "no.such"},
		"unknown target":  {"", `{"model":"res.partner","to_version":"19.0","record_ids":[123],"target_system_id":"nope"}`, 404, "not_found", "nope"},
		"on_error":        {"", `{"model":"res.partner","to_version":"19.0","record_ids":[123],"on_error":"x"}`, 422, "invalid_argument", "on_error"},
		"documented, written": {"", `{"model":"res.partner","record_ids":[123],"target_system_id":"odoo_new","pack":"documented"}`, 422, "invalid_argument",
			`phone_primary`},
		"a model that is gone": {"/plan", `{"model":"uom.category","to_version":"19.0","pack":"community"}`, 501, "unsupported", "uom.category"},
		"plan of no version":   {"/plan", `{"model":"res.partner"}`, 422, "invalid_argument", "to_version"},
		"coverage of a model":  {"/coverage", `{"model":"x.y","to_version":"19.0"}`, 404, "not_found", "x.y"},
		"diff without ids":     {"/diff", `{"model":"res.partner","to_version":"19.0"}`, 422, "invalid_argument", "record_ids"},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.send("clerk", "POST", migratePath+tc.path, tc.body)
			a.t = t
			assert.Contains(t, a.problem(tc.status, tc.code), tc.detail)
		})
	}
	e.send("rival", "POST", migratePath, `{"model":"res.partner","to_version":"19.0","record_ids":[123]}`).problem(404, "not_found")
	detail := e.send("clerk", "POST", migratePath, `{"model":"res.partner","record_ids":[123],"target_system_id":"odoo_new","pack":"documented"}`).problem(422, "invalid_argument")
	assert.Contains(t, detail, `take pack "community"`)
}

// A repeated request changes what the first one made.
func TestMigrationIsIdempotent(t *testing.T) {
	e := migrating(t)
	const request = `{"model":"res.partner","record_ids":[123,124,125],"target_system_id":"odoo_new","include_records":true}`
	first := e.send("clerk", "POST", migratePath, request).ok(200)
	assert.EqualValues(t, 3, first["created"], "%v", first)
	assert.NotContains(t, first, "updated")
	second := e.send("clerk", "POST", migratePath, request).ok(200)
	assert.EqualValues(t, 3, second["updated"])
	assert.NotContains(t, second, "created")
	ids := func(v map[string]any) (out []any) {
		for _, r := range v["records"].([]any) {
			out = append(out, r.(map[string]any)["id"])
		}
		return out
	}
	assert.Equal(t, ids(first), ids(second))
}
