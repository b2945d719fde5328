package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

func TestPlanCommand(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run("", strings.Fields("plan --json --model=res.partner --from=13.0 --to=19.0")...)
	require.Equal(t, statusOK, status, errs)
	var plan struct {
		Success    bool     `json:"success"`
		Path       []string `json:"migration_path"`
		Complexity int      `json:"complexity"`
		Steps      []struct {
			From, To string
			Changes  map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &plan))
	assert.True(t, plan.Success)
	assert.Equal(t, []string{"13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0"}, plan.Path)
	assert.Equal(t, 6, plan.Complexity)
	assert.Equal(t, map[string]any{
		"removed_fields": []any{"customer", "supplier"}, "renamed_fields": []any{}, "warnings": []any{"customer field removed, use type field"},
	}, plan.Steps[0].Changes)

	status, out, _ = p.run("", strings.Fields("plan --pack=community --model=stock.production.lot --from=13.0 --to=19.0")...)
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, "model is now stock.lot")
}

func TestCoverageCommand(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run("", strings.Fields("coverage --model=res.partner --from=13.0 --to=19.0")...)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, "the new schema has no field phone_primary")
	assert.Contains(t, errs, "--pack community")

	// Against a file with what a server answered.
	old := p.file("old.json", `{"result":{"phone":{"type":"char","store":true},"id":{"type":"integer"}}}`)
	new := p.file("new.json", `{"phone_primary":{"type":"char","required":false},"id":{"type":"integer"}}`)
	status, out, errs = p.run("", "coverage", "--model=res.partner", "--from=13.0", "--to=19.0", "--source="+old, "--target="+new, "--json")
	assert.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, `"ok": true`)
	for _, text := range []string{"", "[]", "{}", `{"a":1}`, `{"a":{"type":""}}`} {
		status, _, errs = p.run("", "coverage", "--model=res.partner", "--from=13.0", "--to=19.0", "--source="+p.file("bad.json", text))
		assert.Equal(t, statusUsage, status, text)
		assert.Contains(t, errs, "fields_get")
	}
}

// A registered system tells its own schema.
func TestCoverageAgainstASystem(t *testing.T) {
	p := newProgram(t)
	odoo := odootest.New(t, "19.0")
	w := world{environ: p.environ, stderr: io.Discard}
	c, err := w.config()
	require.NoError(t, err)
	_, err = c.FillSecrets()
	require.NoError(t, err)
	srv, err := assemble(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	tenant, err := srv.store.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	sealed, err := srv.vault.Seal(systems.OdooConnection{URL: odoo.URL, Database: odoo.Database, Username: odoo.Username, Password: odoo.Password})
	require.NoError(t, err)
	require.NoError(t, srv.store.CreateSystem(t.Context(), &store.System{TenantID: tenant.ID, SystemID: "new", Kind: "odoo", Version: "19.0", IsActive: true, SealedConfig: sealed}))
	srv.close()

	args := strings.Fields("coverage --json --pack=community --model=res.partner --from=18.0 --to=19.0 --target=system:new --tenant=acme")
	status, out, errs := p.run("", args...)
	assert.Equal(t, statusFound, status, errs)
	assert.Contains(t, out, `"field": "mobile"`)
	status, _, errs = p.run("", append(args, "--source=system:nope")...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "nope")
	odoo.Close()
	status, _, errs = p.run("", args...)
	assert.Equal(t, statusFailed, status, "it does not answer")
	assert.NotContains(t, errs, odoo.Password)
}

func TestDiffCommand(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run(`{"id":7,"name":"x","phone":"1"}`+"\n"+`{"id":8}`, strings.Fields("diff "+crossing)...)
	assert.Equal(t, statusOK, status, errs)
	assert.Equal(t, "record 0 (id 7)\n  renamed  phone  \"1\"  ->  phone_primary  \"1\"\nrecord 1 (id 8): nothing changes\n", out)
	status, out, _ = p.run(`{"id":7,"phone":"1"}`+"\n"+`{"id":8,"id":9}`, strings.Fields("diff --json "+crossing)...)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, `{"id":7,"model":"res.partner","changes":[{"field":"phone","to":["phone_primary"],"fate":"renamed","before":"1","after":"1"}]}`)
	assert.Contains(t, out, `appears twice`)
	status, _, errs = p.run(`[{"id":7},`, strings.Fields("diff --input-format=json "+crossing)...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "ends in the middle")
}

const ownPack = `pack: own
from: "18.0"
to: "19.0"
source: our own change
models:
  res.partner:
    rules:
      - rename: {x_vip: x_is_vip}
    tests:
      - name: the flag
        up: {x_vip: true}
        gives: {x_is_vip: true}
`

func TestOwnPacks(t *testing.T) {
	p := newProgram(t)
	dir := t.TempDir()
	own := filepath.Join(dir, "own.yaml")
	require.NoError(t, os.WriteFile(own, []byte(ownPack), 0o600))

	status, out, errs := p.run(`{"id":1,"mobile":"2","x_vip":true}`, "migrate", "--pack="+own, "--model=res.partner", "--from=18.0", "--to=19.0")
	assert.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, `"x_is_vip":true`)
	assert.NotContains(t, out, "mobile", "it lies over the rules of community")
	status, out, _ = p.run(`{"id":1,"mobile":"2","x_vip":true}`, "migrate", "--pack="+dir, "--over=none", "--model=res.partner", "--from=18.0", "--to=19.0")
	assert.Equal(t, statusOK, status)
	assert.JSONEq(t, `{"id":1,"mobile":"2","x_is_vip":true}`, out)

	status, out, errs = p.run("", "test-rules", "-v", "--over=none", own)
	assert.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "1 tests, 1 passed")
	assert.Contains(t, out, "own.yaml:10: res.partner")
	require.NoError(t, os.WriteFile(own, []byte(strings.Replace(ownPack, "gives: {x_is_vip: true}", "gives: {x_is_vip: false}", 1)), 0o600))
	status, out, _ = p.run("", "test-rules", "--json", "--over=none", own)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, `"passed": false`)

	status, out, _ = p.run("", "lint", own)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, "own.yaml:8: unknown_field: ")
	assert.NotContains(t, out, "base.yaml", "what lies below is not looked over")
	status, out, _ = p.run("", "lint", "--ignore=unknown_field", own)
	assert.Equal(t, statusOK, status, out)
}

func TestPacksCommand(t *testing.T) {
	p := newProgram(t)
	status, out, _ := p.run("", "packs")
	assert.Equal(t, statusOK, status)
	assert.Regexp(t, `(?m)^documented +13.0 - 19.0 +3 `, out)
	assert.Regexp(t, `(?m)^community +13.0 - 19.0 `, out)
	status, out, _ = p.run("", "test-rules", "documented", "community")
	assert.Equal(t, statusOK, status, out)
	status, out, _ = p.run("", "packs", "--json")
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, `"name": "community"`)
}

// The statuses that the program ends with are documented where people look.
func TestStatusesAreDocumented(t *testing.T) {
	p := newProgram(t)
	status, out, _ := p.run("", "--help")
	assert.Equal(t, statusOK, status)
	words := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"0 all went well", "1 something failed", "2 called or configured wrongly", "3 done, and something was found"} {
		assert.Contains(t, words, want)
	}
}
