package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ownMappings = `mapping: contact
system: odoo
extends: true
fields:
  industry: {path: function}
tests:
  - name: the industry
    direction: to_universal
    universal: {industry: A}
    system: {function: A}
    version: "17.0"
`

func TestMappingsCommand(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run("", "mappings")
	require.Equal(t, statusOK, status, errs)
	for _, want := range []string{"contact", "sale_order", "odoo", "salesforce", "sap"} {
		assert.Contains(t, out, want)
	}
	status, out, errs = p.run("", "mappings", "--json")
	require.Equal(t, statusOK, status, errs)
	assert.True(t, json.Valid([]byte(out)))
	assert.Contains(t, out, "contact")

	status, _, errs = p.run("", "mappings", p.file("own.yaml", ownMappings))
	assert.Equal(t, statusOK, status, errs)
	status, _, errs = p.run("", "mappings", p.file("own.yaml", ownPack))
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "holds no mappings")
}

// What lint looks at is told by what a file holds.
func TestLintTellsMappingsFromRules(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run("", "lint", p.file("own.yaml", strings.Replace(ownMappings, "path: function", "path: x_no_such", 1)))
	assert.Equal(t, statusFound, status, errs)
	assert.Contains(t, out, "own.yaml:5:")
	assert.Contains(t, out, "x_no_such")
	assert.NotContains(t, out, "contact.yaml", "what lies below is not looked over")
	status, out, errs = p.run("", "lint", "--json", p.file("own.yaml", strings.Replace(ownMappings, "path: function", "path: x_no_such", 1)))
	assert.Equal(t, statusFound, status, errs)
	assert.True(t, json.Valid([]byte(out)), out)

	status, _, errs = p.run("", "lint", p.file("own.yaml", strings.Replace(ownMappings, "path: function", "pathh: ref", 1)))
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "own.yaml:5")
	assert.Contains(t, errs, "pathh")

	// Both in one call, but not in one folder.
	dir := t.TempDir()
	rules, mapped := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "mapped.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(ownPack), 0o600))
	require.NoError(t, os.WriteFile(mapped, []byte(strings.Replace(ownMappings, "path: function", "path: x_no_such", 1)), 0o600))
	status, out, errs = p.run("", "lint", rules, mapped)
	assert.Equal(t, statusFound, status, errs)
	assert.Contains(t, out, "rules.yaml:8: unknown_field")
	assert.Contains(t, out, "mapped.yaml:5:")
	status, _, errs = p.run("", "lint", dir)
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "folders of their own")
}

func TestTestMappingsCommand(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run("", "test-mappings")
	assert.Equal(t, statusOK, status, out+errs)
	assert.Regexp(t, `[1-9]\d* tests, [1-9]\d* passed`, out)
	own := p.file("own.yaml", ownMappings)
	status, out, errs = p.run("", "test-mappings", "-v", own)
	assert.Equal(t, statusOK, status, out+errs)
	assert.Contains(t, out, "own.yaml:7")
	assert.Contains(t, out, "1 tests, 1 passed")
	status, out, _ = p.run("", "test-mappings", "--json", p.file("own.yaml", strings.Replace(ownMappings, "{function: A}", "{function: B}", 1)))
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, `"passed": false`)
	untested, _, _ := strings.Cut(ownMappings, "tests:")
	status, _, errs = p.run("", "test-mappings", p.file("own.yaml", untested))
	assert.Equal(t, statusFound, status)
	assert.Contains(t, errs, "no tests")
	status, _, errs = p.run("", "test-mappings", "community")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "test-rules")
	status, _, _ = p.run("", "test-mappings", "nothere.yaml")
	assert.Equal(t, statusUsage, status)
}

func TestMapCommand(t *testing.T) {
	p := newProgram(t)
	flags := strings.Fields("map --system=odoo --version=17.0 --model=contact")
	mapped := func(stdin string, more ...string) (int, string, string) {
		return p.run(stdin, append(flags, more...)...)
	}

	status, out, errs := mapped(`{"name":"Deco","city":"Riyadh","is_company":true}`)
	require.Equal(t, statusOK, status, errs)
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &record))
	assert.Equal(t, "Deco", record["name"])
	assert.Equal(t, "Riyadh", record["city"])
	assert.Contains(t, errs, "contact of odoo 17.0, from universal words: 1 records, 1 mapped, 0 refused")

	status, out, errs = mapped(`{"id":7,"name":"Deco","city":false,"country_id":{"id":192,"code":"SA"}}`+"\n\n"+`{"id":8,"name":"X"}`, "--to-universal")
	require.Equal(t, statusOK, status, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	record = nil
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &record))
	assert.Equal(t, "Deco", record["name"])
	assert.Equal(t, "SA", record["country"])
	assert.Nil(t, record["city"], "empty is null")
	assert.EqualValues(t, 7, record["id"])

	// Keys are looked up in a file.
	lookup := p.file("lookup.json", `{"res.country":[{"id":192,"code":"SA"}]}`)
	status, out, errs = mapped(`{"name":"Deco","country":"SA"}`, "--lookup="+lookup)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, `"country_id":192`)
	status, _, errs = mapped(`{"name":"Deco","country":"XX"}`, "--lookup="+lookup)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "XX")

	// A mapping of one's own, and files.
	in, to := p.file("in.csv", "id,name,function\n7,Deco,K-17\n"), filepath.Join(t.TempDir(), "out.json")
	status, _, errs = p.run("", append(flags, "--to-universal", "--mappings="+p.file("own.yaml", ownMappings), "--in="+in, "--out="+to)...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, contentOf(t, to), `"industry":"K-17"`)

	// Fields without counterpart.
	status, out, errs = mapped(`{"name":"Deco","fone":"1"}`)
	assert.Equal(t, statusOK, status, errs)
	assert.NotContains(t, out, "fone")
	assert.Contains(t, errs, "fone", "it is said")
	status, out, _ = mapped(`{"name":"Deco","fone":"1"}`+"\n"+`{"name":"Y"}`, "--unmapped=refuse", "--on-error=collect", "--json")
	assert.Equal(t, statusFound, status)
	assert.Equal(t, 1, strings.Count(out, "\n"))
	status, out, errs = mapped(`{"name":"A"}`+"\n"+`{"name":`+"\n"+`{"name":"D"}`, "--unmapped=refuse")
	assert.Equal(t, statusFailed, status)
	assert.Equal(t, 1, strings.Count(out, "\n"), "the records before it")
	assert.Contains(t, errs, "record 1")

	for name, args := range map[string][]string{
		"kind":     {"map", "--system=dynamics", "--model=contact"},
		"model":    {"map", "--system=odoo", "--version=17.0", "--model=contakt"},
		"version":  {"map", "--system=odoo", "--version=9.0", "--model=contact"},
		"update":   {"map", "--system=odoo", "--version=17.0", "--model=contact", "--update", "--to-universal"},
		"lookup":   {"map", "--system=odoo", "--version=17.0", "--model=contact", "--lookup=" + in},
		"mappings": {"map", "--system=odoo", "--version=17.0", "--model=contact", "--mappings=" + p.file("own.yaml", ownPack)},
		"in":       {"map", "--system=odoo", "--version=17.0", "--model=contact", "--in=nothere"},
		"the same": {"map", "--system=odoo", "--version=17.0", "--model=contact", "--in=" + in, "--out=" + in},
		"no model": {"map", "--system=odoo"},
	} {
		status, _, errs := p.run("", args...)
		assert.Equal(t, statusUsage, status, "%s: %s", name, errs)
	}
	assert.Contains(t, contentOf(t, in), "Deco", "the input was not touched")
}

// A mapping made of a record and back again gives the record.
func TestMapThereAndBack(t *testing.T) {
	p := newProgram(t)
	const record = `{"name":"Deco Addict","is_company":true,"phone":"+966 11 123 4567","city":"Riyadh","zip":"11564"}`
	for _, system := range [][]string{{"odoo", "13.0"}, {"odoo", "19.0"}, {"salesforce", ""}, {"sap", ""}} {
		flags := []string{"map", "--system=" + system[0], "--version=" + system[1], "--model=contact"}
		status, own, errs := p.run(record, flags...)
		require.Equal(t, statusOK, status, errs)
		status, back, errs := p.run(own, append(flags, "--to-universal")...)
		require.Equal(t, statusOK, status, errs)
		var want, got map[string]any
		require.NoError(t, json.Unmarshal([]byte(record), &want))
		require.NoError(t, json.Unmarshal([]byte(back), &got))
		for _, field := range []string{"phone", "city", "zip"} {
			assert.Equal(t, want[field], got[field], "%v %s", system, field)
		}
	}
}
