package odoo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// facts returns the folder of what real servers answered, and skips the test
// where there is none: a clone of the repository alone has none.
func facts(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "facts")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no recorded facts in ../shared/facts, nothing to compare with")
	}
	return dir
}

// recorded returns the schemas that a version's server answered.
func recorded(t *testing.T, dir string, version int) Schemas {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "odoo", versionName(version), "fields", "*.json"))
	require.NoError(t, err)
	all := Schemas{}
	for _, name := range files {
		model := strings.TrimSuffix(filepath.Base(name), ".json")
		if model == "_index" {
			continue
		}
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		var fields map[string]struct {
			Type          string
			Relation      string
			RelationField any `json:"relation_field"`
			Required      truth
			Readonly      truth
			Store         truth
			Searchable    truth
			Sortable      truth
			Translate     any
			Selection     any
		}
		require.NoError(t, json.Unmarshal(b, &fields), name)
		s := &adapter.Schema{Model: model, Fields: map[string]adapter.Field{}}
		for name, f := range fields {
			field := adapter.Field{
				Relation: f.Relation, Required: bool(f.Required), Readonly: bool(f.Readonly),
				Stored: bool(f.Store), Searchable: bool(f.Searchable),
				Sortable: bool(f.Sortable), Translate: f.Translate != nil && f.Translate != false,
			}
			field.Type, field.Native = fieldType(f.Type)
			field.Inverse, _ = f.RelationField.(string)
			options, _ := f.Selection.([]any)
			for _, o := range options {
				if pair, ok := o.([]any); ok {
					if key, ok := pair[0].(string); ok && !open(model, name) {
						field.Selection = append(field.Selection, adapter.Option{Value: key, Label: key})
					}
				}
			}
			s.Fields[name] = field
		}
		all[model] = s
	}
	return all
}

// truth is a boolean of fields_get, which some versions write as 1 or leave out.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == "1"
	return nil
}

// oldest is the first of the versions.
const oldest = schemas.First

func versionName(v int) string { return strings.TrimSuffix(Versions()[v-oldest], ".0") }

func TestSnapshotIsWhatServersAnswered(t *testing.T) {
	dir := facts(t)
	all := make([]Schemas, len(Versions()))
	for i := range all {
		all[i] = recorded(t, dir, oldest+i)
	}
	count := 0
	for i, version := range Versions() {
		got, ok := Snapshot(version)
		require.True(t, ok)
		assert.Equal(t, all[i].Models(), got.Models(), version)
		for model, want := range all[i] {
			assert.Equal(t, want.Fields, got[model].Fields, "%s in %s", model, version)
			count += len(want.Fields)
		}
	}
	t.Logf("%d fields compared", count)
	assert.Greater(t, count, 10_000)
}

func TestSnapshotOfUnknownVersion(t *testing.T) {
	for _, version := range []string{"", "12.0", "20.0", "16", "saas~16.1"} {
		_, ok := Snapshot(version)
		assert.False(t, ok, version)
	}
}

func TestSnapshotKnowsWhatChanged(t *testing.T) {
	old, _ := Snapshot("13.0")
	new, _ := Snapshot("19.0")
	assert.True(t, old["account.move"].Has("type"))
	assert.False(t, new["account.move"].Has("type"))
	assert.Equal(t, adapter.Many2Many, new["sale.order.line"].Fields["tax_ids"].Type)
	assert.Equal(t, "account.tax", new["sale.order.line"].Fields["tax_ids"].Relation)
	assert.Nil(t, new["stock.production.lot"])
	assert.Nil(t, new["uom.category"])
	assert.NotNil(t, new["stock.lot"])
	state := new["purchase.order"].Fields["state"]
	assert.False(t, slices.ContainsFunc(state.Selection, func(o adapter.Option) bool { return o.Value == "done" }))
}
