package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/transfer"
)

func TestTransfer(t *testing.T) {
	a, b := odootest.New(t, "16.0"), odootest.New(t, "19.0")
	tag, err := a.Create("res.partner.category", map[string]any{"name": "Only here"})
	require.NoError(t, err)
	_, err = a.Create("res.partner", map[string]any{"name": "Tagged", "category_id": []any{[]any{6, 0, []any{tag}}}})
	require.NoError(t, err)
	address := func(s *odootest.Server) string {
		return strings.Replace(s.URL, "://", "://"+s.Username+"@", 1) + "/" + s.Database
	}
	p := newProgram(t, "TRANSFER_FROM_PASSWORD="+a.Password, "TRANSFER_TO_PASSWORD="+b.Password)
	dir := t.TempDir()
	args := func(more ...string) []string {
		return append([]string{"transfer", "--from", address(a), "--to", address(b), "--models=res.partner,sale.order", "--delivered=create", "--state", filepath.Join(dir, "state.json")}, more...)
	}
	status, out, errs := p.run("", args("--dry-run")...)
	assert.Equal(t, statusFound, status, "a tag has no counterpart: %s", errs)
	assert.Contains(t, out, "no counterpart: res.partner.category")
	assert.Contains(t, out, "Nothing was written")
	assert.NoFileExists(t, filepath.Join(dir, "state.json"))

	status, _, errs = p.run("", args()...)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, errs, "--unmatched=leave")
	assert.NotContains(t, errs, a.Password)

	status, out, errs = p.run("", args("--unmatched=leave", "--json")...)
	require.Equal(t, statusOK, status, errs)
	var report transfer.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.Positive(t, report.Writes)
	status, out, errs = p.run("", args("--unmatched=leave")...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "calls that wrote: 0\n")

	// While one is under way no second one begins, whatever its state is; one
	// that only looks does.
	busy := transferCommand{State: filepath.Join(dir, "another.json")}
	pair := strings.TrimPrefix(a.URL, "http://") + "/" + a.Database + " to " + strings.TrimPrefix(b.URL, "http://") + "/" + b.Database
	release, err := busy.hold(pair)
	require.NoError(t, err)
	status, _, errs = p.run("", args("--unmatched=leave")...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "another transfer "+pair+" is under way (process ")
	assert.Contains(t, errs, "wait for its end")
	status, _, errs = p.run("", args("--unmatched=leave", "--verify")...)
	assert.NotEqual(t, statusFailed, status, errs)
	release()
	status, _, errs = p.run("", args("--unmatched=leave")...)
	assert.Equal(t, statusOK, status, errs)

	refused := newProgram(t, "TRANSFER_FROM_PASSWORD=wrong", "TRANSFER_TO_PASSWORD="+b.Password)
	status, _, errs = refused.run("", args("--dry-run")...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "--from, "+strings.TrimPrefix(a.URL, "http://"), "it is said whose password it is")

	for name, wrong := range map[string][]string{
		"TRANSFER_FROM_PASSWORD":    {"--from", "http://u:secret@x/d"},
		"must read like":            {"--from", "http://x"},
		"two things":                {"--dry-run", "--verify"},
		"--map":                     {"--map=a=b"},
		"no such record":            {"--map=res.partner.category:1=99999"},
		"no model no.such":          {"--models=no.such"},
		"has a field nosuch":        {"--leave-out=nosuch"},
		"should they change places": {"--from", address(b), "--to", address(a), "--state", filepath.Join(dir, "back.json")},
		"odoo13 is no address":      {"--from", "odoo13"},
		"are the same system":       {"--from", address(b)},
		"holds no state of a trans": {"--state", p.file("s.json", "{}")},
	} {
		status, _, errs := p.run("", args(wrong...)...)
		assert.Equal(t, statusUsage, status, name)
		assert.Contains(t, errs, name)
		assert.NotContains(t, errs, "secret")
	}
}
