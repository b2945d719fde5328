package standard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// kindOf says which kinds of field can hold a universal type.
var kindOf = map[string][]string{
	"char": {"text", "selection", "date", "datetime", "id"}, "text": {"text"}, "html": {"html"}, "selection": {"selection", "text", "boolean"}, "integer": {"number"}, "float": {"number"}, "monetary": {"number"},
	"boolean": {"boolean", "text", "selection"}, "date": {"date", "datetime"}, "datetime": {"date", "datetime"}, "ref": {"one", "text", "id"}, "refs": {"many"}, "lines": {"many"}, "list": {"text"}, "binary": {"binary"},
}

// Each mapping of Odoo names what each version has.
func TestOdooFieldsExist(t *testing.T) {
	for major := schemas.First; major <= schemas.Last; major++ {
		t.Run(strconv.Itoa(major), func(t *testing.T) { checkAll(t, "odoo", major, odooFields(major)) })
	}
}

func TestOdooFieldsExistOnRealServers(t *testing.T) {
	dir := recordings(t)
	for major := schemas.First; major <= schemas.Last; major++ {
		t.Run(strconv.Itoa(major), func(t *testing.T) { checkAll(t, "odoo", major, recordedFields(t, dir, major)) })
	}
}

func TestSAPFieldsExist(t *testing.T) { checkAll(t, "sap", 0, sapFields(t)) }

func TestSalesforceFieldsExist(t *testing.T) { checkAll(t, "salesforce", 0, salesforceFields(t)) }

// throughParent are keys that SAP's metadata calls not creatable, because new
// lines are posted to the navigation property of the whole.
var throughParent = map[string]bool{"sale_order_line.yaml: sale_order_line of sap.order_id": true}

func checkAll(t *testing.T, kind string, major int, sys system) {
	t.Helper()
	universal := map[string]document{}
	docs := documents(t)
	for _, d := range docs {
		if d.Universal != "" {
			universal[d.Universal] = d
		}
	}
	seen := map[string]bool{}
	for _, d := range docs {
		if d.System != kind || !within(d.Versions, max(major, 0)) && major > 0 {
			continue
		}
		assert.False(t, seen[d.Mapping], "%s is mapped twice", d.Mapping)
		seen[d.Mapping] = true
		if d.Unsupported != "" {
			continue
		}
		checkMapping(t, d, universal[d.Mapping], major, sys)
	}
	for name := range universal {
		assert.True(t, seen[name], "%s has no mapping of %s", kind, name)
	}
}

func checkMapping(t *testing.T, d, model document, major int, sys system) {
	t.Helper()
	where := fmt.Sprintf("%s: %s of %s", d.file, d.Mapping, d.System)
	require.NotNil(t, sys(d.Model), "%s: nothing is known of %s", where, d.Model)
	for _, cond := range d.Where {
		_, err := sys.walk(d.Model, cond[0].(string))
		assert.NoError(t, err, "%s: where", where)
	}
	for i := 0; i+1 < len(d.Set.Content); i += 2 {
		f, err := sys.walk(d.Model, d.Set.Content[i].Value)
		assert.NoError(t, err, "%s: set", where)
		assert.False(t, f.noCreate, "%s: set: %s can't be given to new records", where, d.Set.Content[i].Value)
	}
	for name := range d.Fields {
		assert.Contains(t, model.Fields, name, where)
	}
	for name, n := range model.Fields {
		own, ok := d.Fields[name]
		if !assert.True(t, ok, "%s: %s is neither mapped nor said to be unsupported", where, name) {
			continue
		}
		var typ string
		if n.Kind == yaml.ScalarNode {
			typ = n.Value
		} else {
			var f struct{ Type string }
			require.NoError(t, n.Decode(&f))
			typ = f.Type
		}
		found := false
		for _, r := range rules(t, own) {
			if major == 0 || r.has(major) {
				found = true
				checkRule(t, where+"."+name, d, typ, r, sys)
				break
			}
		}
		assert.True(t, found, "%s: %s has no rule for %d", where, name, major)
	}
}

func checkRule(t *testing.T, where string, d document, typ string, r rule, sys system) {
	t.Helper()
	if r.Unsupported != "" || !r.Constant.IsZero() || !r.Compute.IsZero() {
		return
	}
	for _, path := range r.reads() {
		f, err := sys.walk(d.Model, path)
		if !assert.NoError(t, err, where) {
			return
		}
		checkKind(t, where, typ, r, f)
	}
	if d.ReadOnly == "" {
		for _, path := range r.writes() {
			f, err := sys.walk(d.Model, path)
			if assert.NoError(t, err, where) {
				assert.False(t, f.noCreate && !throughParent[where], "%s: %s can't be given to new records: read_only", where, path)
				assert.False(t, f.noUpdate && !r.CreateOnly && !strings.Contains(path, "["), "%s: %s can't be changed: create_only", where, path)
			}
		}
	}
	if r.Lookup != nil {
		_, err := sys.walk(r.Lookup.Model, r.Lookup.By)
		assert.NoError(t, err, where)
		for path := range r.Lookup.With {
			_, err := sys.walk(r.Lookup.Model, path)
			assert.NoError(t, err, where)
		}
		for path := range r.Lookup.Where {
			_, err := sys.walk(r.Lookup.Model, path)
			assert.NoError(t, err, where)
		}
	}
	if r.Lines != "" {
		f, err := sys.walk(d.Model, r.Path)
		require.NoError(t, err, where)
		_, err = sys.walk(f.relation, r.Inverse)
		assert.NoError(t, err, "%s: inverse", where)
	}
	checkSelection(t, where, typ, d, r, sys)
}

func checkKind(t *testing.T, where, typ string, r rule, f field) {
	t.Helper()
	if r.Table != nil {
		return
	}
	if r.As == "name" {
		assert.Equal(t, "one", f.kind, "%s: as: name is for references", where)
		return
	}
	if r.As == "text" {
		assert.Equal(t, "text", f.kind, where)
		return
	}
	if typ == "text" {
		assert.Equal(t, f.kind == "html", r.As == "html", "%s: as: html is for HTML, and HTML needs it", where)
		if f.kind == "html" {
			return
		}
	}
	assert.Contains(t, kindOf[typ], f.kind, "%s: a %s can't be a %s", where, typ, f.kind)
	if typ == "datetime" && f.kind == "date" {
		assert.Equal(t, "date", r.As, "%s: a date in the system", where)
	}
}

// The system's side of a value map names what the selection has, all of it
// unless the mapping lets others pass.
func checkSelection(t *testing.T, where, typ string, d document, r rule, sys system) {
	t.Helper()
	if r.Table != nil {
		for i, path := range r.Table.Paths {
			var column []any
			for _, row := range systemValues(t, r.Table.Values) {
				require.Len(t, row, len(r.Table.Paths), where)
				column = append(column, row[i])
			}
			compareSelection(t, where, d, sys, path, texts(column), true)
		}
		return
	}
	if r.Path == "" || strings.HasSuffix(r.Path, "country_id.code") {
		return
	}
	var values []any
	for _, row := range systemValues(t, r.Values) {
		values = append(values, row...)
	}
	if r.Values.IsZero() && typ != "selection" {
		return
	}
	compareSelection(t, where, d, sys, r.Path, texts(values), r.Unknown == "" && !r.Values.IsZero())
}

func compareSelection(t *testing.T, where string, d document, sys system, path string, values []string, whole bool) {
	t.Helper()
	f, err := sys.walk(d.Model, path)
	if err != nil || len(f.selection) == 0 || f.kind != "selection" {
		return
	}
	assert.Subset(t, f.selection, values, "%s: %s", where, path)
	for _, key := range f.selection {
		if whole {
			assert.True(t, slices.Contains(values, key), "%s: %s may be %q, which has no universal value", where, path, key)
		}
	}
}
