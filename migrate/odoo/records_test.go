package odoo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// tally counts what became of a model's records over a pair of versions.
type tally struct{ records, refused, residues int }

// Every demo record crosses every pair of versions: the new record has only
// fields and selection keys that a real server of the new version knows, and
// relations in the form that it takes; the old record comes back as it was.
func TestDemoRecordsCrossAllPairs(t *testing.T) {
	dir := facts(t)
	all := demo(t, dir)
	modules := absentModules()
	pairs, crossed := 0, 0
	for from := range Versions() {
		for to := from + 1; to < len(Versions()); to++ {
			pairs++
			old, new := Versions()[from], Versions()[to]
			target, _ := Snapshot(new)
			for _, model := range slices.Sorted(maps.Keys(all[from])) {
				what := fmt.Sprintf("%s, %s to %s", model, old, new)
				plan, err := Community().Compile(model, old, new)
				var removed *migrate.RemovedError
				if errors.As(err, &removed) {
					continue
				}
				require.NoError(t, err, what)
				schema := target[plan.ToModel()]
				writable, err := Community().CompileWith(model, old, new, migrate.Options{Target: schema})
				require.NoError(t, err, what)
				var n tally
				for _, r := range all[from][model] {
					n.records++
					crossed++
					got, err := plan.Up(t.Context(), r)
					if err != nil {
						n.refused++
						assert.NoError(t, err, what)
						continue
					}
					if got.Residue != nil {
						n.residues++
					}
					back, err := plan.Down(t.Context(), got.Record, whole(got.Residue))
					if assert.NoError(t, err, what) && !assert.Equal(t, r, back.Record, what) {
						break
					}
					if schema == nil {
						continue
					}
					for f := range got.Record {
						if !schema.Has(f) && !modules[model+"."+f] {
							assert.Fail(t, "no such field", "%s: %s", what, f)
						}
					}
					w, err := writable.Up(t.Context(), r)
					if !assert.NoError(t, err, what) {
						continue
					}
					suits(t, what, schema, w.Record)
					back, err = writable.Down(t.Context(), w.Record, whole(w.Residue))
					if assert.NoError(t, err, what) && !assert.Equal(t, r, back.Record, what) {
						break
					}
				}
				t.Logf("%-60s %5d records %5d refused %5d with residue", what, n.records, n.refused, n.residues)
				if t.Failed() && testing.Short() {
					return
				}
			}
		}
	}
	assert.Equal(t, 21, pairs)
	t.Logf("%d records over %d pairs", crossed, pairs)
}

// whole is a residue to go down with: none was needed where there is none.
func whole(r *migrate.Residue) *migrate.Residue {
	if r == nil {
		return &migrate.Residue{}
	}
	return r
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
