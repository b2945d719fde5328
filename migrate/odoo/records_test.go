package odoo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// demo returns the recorded demo records of a version, by model. Versions
// without a recording get the migrated records of the version before.
func demo(t *testing.T, dir string) []map[string][]adapter.Record {
	t.Helper()
	all := make([]map[string][]adapter.Record, len(Versions()))
	for i, version := range Versions() {
		all[i] = map[string][]adapter.Record{}
		files, err := filepath.Glob(filepath.Join(dir, "odoo", versionName(oldest+i), "records", "*.ndjson"))
		require.NoError(t, err)
		for _, name := range files {
			model := strings.TrimSuffix(filepath.Base(name), ".ndjson")
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			lines := bufio.NewScanner(bytes.NewReader(b))
			lines.Buffer(nil, 64<<20)
			for lines.Scan() {
				var r adapter.Record
				dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
				dec.UseNumber()
				require.NoError(t, dec.Decode(&r), name)
				all[i][model] = append(all[i][model], r)
			}
			require.NoError(t, lines.Err())
		}
		if len(files) > 0 || i == 0 {
			continue
		}
		for model, records := range all[i-1] {
			plan, err := Community().Compile(model, Versions()[i-1], version)
			if err != nil {
				continue
			}
			for _, r := range records {
				got, err := plan.Up(t.Context(), r)
				require.NoError(t, err)
				all[i][got.Model] = append(all[i][got.Model], got.Record)
			}
		}
	}
	return all
}

// absentModules are the fields that a recorded server lacks because of the
// modules it has, not because of its version: hop/model/field.
func absentModules() map[string]bool {
	fields := map[string]bool{}
	for _, s := range Community().Skipped {
		if strings.HasPrefix(s.Reason, "module:") {
			for _, ref := range s.Refs {
				parts := strings.Split(ref, "/")
				fields[parts[1]+"."+parts[2]] = true
			}
		}
	}
	return fields
}

// Every demo record crosses every pair of versions: the new record has only
// fields and selection keys that a real server of the new version knows, and
// relations in the form that it takes; the old record comes back as it was; and
// the report accounts for every field.
func TestDemoRecordsCrossAllPairs(t *testing.T) {
	dir := facts(t)
	all := demo(t, dir)
	modules := absentModules()
	pairs, crossed := 0, int64(0)
	gone := map[string]bool{}
	for from := range Versions() {
		for to := from + 1; to < len(Versions()); to++ {
			pairs++
			old, new := Versions()[from], Versions()[to]
			target, _ := Snapshot(new)
			var sum struct{ models, records, refused, persons, residues, removed int64 }
			for _, model := range slices.Sorted(maps.Keys(all[from])) {
				what := fmt.Sprintf("%s, %s to %s", model, old, new)
				plan, err := Community().Compile(model, old, new)
				var removed *migrate.RemovedError
				if errors.As(err, &removed) {
					gone[model] = true
					sum.removed += int64(len(all[from][model]))
					continue
				}
				require.NoError(t, err, what)
				schema := target[plan.ToModel()]
				if schema != nil {
					// Without the schema's help the rules leave nothing behind.
					for _, r := range all[from][model] {
						got, err := plan.Up(t.Context(), r)
						require.NoError(t, err, what)
						for f := range got.Record {
							if !schema.Has(f) && !modules[model+"."+f] {
								assert.Fail(t, "no such field", "%s: %s", what, f)
							}
						}
					}
					plan, err = Community().CompileWith(model, old, new, migrate.Options{Target: schema})
					require.NoError(t, err, what)
				}
				if schema != nil {
					// The rules alone account for all fields, too.
					rules, err := Community().Compile(model, old, new)
					require.NoError(t, err, what)
					cross(t, what+", no schema", rules, nil, all[from][model])
				}
				report := cross(t, what, plan, schema, all[from][model])
				sum.models++
				sum.records += report.Records
				sum.refused += report.Failed
				sum.persons += report.Persons
				sum.residues += report.Residues
				crossed += report.Records
				t.Logf("%-58s %5d records %5d refused %5d for a person %5d with residue", what, report.Records, report.Failed, report.Persons, report.Residues)
				assert.Zero(t, report.Failed, what)
			}
			t.Logf("PAIR %s to %s: %d models, %d records, %d refused, %d for a person, %d with residue; %d records of removed models",
				old, new, sum.models, sum.records, sum.refused, sum.persons, sum.residues, sum.removed)
		}
	}
	assert.Equal(t, 21, pairs)
	assert.Equal(t, []string{"account.account.type", "res.partner.title", "uom.category"}, slices.Sorted(maps.Keys(gone)))
	t.Logf("%d records over %d pairs", crossed, pairs)
}

// cross runs a model's records through a plan and back.
func cross(t *testing.T, what string, plan *migrate.Plan, schema *adapter.Schema, records []adapter.Record) *migrate.Report {
	t.Helper()
	fields := map[string]int64{}
	source := func(yield func(adapter.Record, error) bool) {
		for _, r := range records {
			for f := range r {
				fields[f]++
			}
			if !yield(r, nil) {
				return
			}
		}
	}
	i := 0
	report, err := migrate.Run(t.Context(), source, func(got migrate.Result) error {
		if schema != nil {
			suits(t, what, schema, got.Record)
		}
		back, err := plan.Down(t.Context(), got.Record, got.Residue)
		if assert.NoError(t, err, what) && !reflect.DeepEqual(records[i], back.Record) {
			assert.Equal(t, records[i], back.Record, what)
		}
		i++
		return nil
	}, plan, migrate.RunOptions{})
	require.NoError(t, err, what)
	counted := map[string]int64{}
	for _, f := range report.Fields {
		if f.Field != "" && f.Fate != migrate.NeedsPerson {
			counted[f.Field] += f.Count
		}
	}
	assert.Equal(t, fields, counted, "%s: every field is in the report once, by its old name", what)
	return report
}

// suits checks a record to be written against a schema.
func suits(t *testing.T, what string, s *adapter.Schema, r adapter.Record) {
	t.Helper()
	for name, v := range r {
		f, ok := s.Fields[name]
		if !assert.True(t, ok, "%s: %s is not in the schema", what, name) {
			continue
		}
		if v == nil || v == false {
			continue
		}
		switch f.Type {
		case adapter.Selection:
			if len(f.Selection) > 0 {
				assert.True(t, slices.ContainsFunc(f.Selection, func(o adapter.Option) bool { return o.Value == v }), "%s: %s has no key %v", what, name, v)
			}
		case adapter.Many2One:
			_, isID := v.(json.Number)
			assert.True(t, isID, "%s: %s is %v, not an id", what, name, v)
		case adapter.One2Many, adapter.Many2Many:
			b, _ := json.Marshal(v)
			assert.True(t, bytes.HasPrefix(b, []byte("[[6,0,[")), "%s: %s is %s, not a command", what, name, b)
		}
	}
}

// records looks values up among demo records of one version.
type records map[string][]adapter.Record

func (all records) Lookup(_ context.Context, model string, id adapter.ID, field string) (any, bool, error) {
	for _, r := range all[model] {
		if got, ok := adapter.IDOf(r["id"]); ok && got == id {
			v, there := r[field]
			return v, there, nil
		}
	}
	return nil, false, nil
}

// With a lookup the vendors' lines take the purchase unit of their products,
// and nobody is asked.
func TestVendorsTakeTheUnitOfPurchase(t *testing.T) {
	dir := facts(t)
	all := demo(t, dir)
	old := all[slices.Index(Versions(), "18.0")]
	plan, err := Community().CompileWith("product.supplierinfo", "18.0", "19.0", migrate.Options{Lookup: records(old)})
	require.NoError(t, err)
	units := 0
	for _, r := range old["product.supplierinfo"] {
		got, err := plan.Up(t.Context(), r)
		require.NoError(t, err)
		tmpl, ok := r.Ref("product_tmpl_id")
		require.True(t, ok)
		want, found, err := records(old).Lookup(t.Context(), "product.template", tmpl.ID, "uom_po_id")
		require.NoError(t, err)
		require.True(t, found)
		assert.Equal(t, want, got.Record["product_uom_id"])
		units++
	}
	assert.Positive(t, units)
}
