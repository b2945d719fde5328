package standard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
	"github.com/bridgecore/bridgecore/mapping"
)

// demo is the recorded demo data of a version of Odoo. It follows relations as
// the bridge does on a system that can't, and finds records as its Lookup does.
type demo struct {
	t      *testing.T
	dir    string
	major  int
	models map[string]map[string]adapter.Record // by model and id
}

func newDemo(t *testing.T, dir string, major int) *demo {
	t.Helper()
	return &demo{t: t, dir: dir, major: major, models: map[string]map[string]adapter.Record{}}
}

// records are those of a model by id; nil where none were recorded.
func (d *demo) records(model string) map[string]adapter.Record {
	if list, ok := d.models[model]; ok {
		return list
	}
	d.models[model] = nil
	f, err := os.Open(filepath.Join(d.dir, strconv.Itoa(d.major), "records", model+".ndjson"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	list := map[string]adapter.Record{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		r, err := adapter.DecodeRecord(lines.Bytes())
		require.NoError(d.t, err)
		list[r.ID().String()] = r
	}
	require.NoError(d.t, lines.Err())
	d.models[model] = list
	return list
}

// read gives a record the fields of the paths, as a query would have.
func (d *demo) read(model string, r adapter.Record, paths []string) adapter.Record {
	fields := schemas.Fields(model, d.major)
	out := adapter.Record{"id": r["id"]}
	deeper := map[string][]string{}
	for _, path := range paths {
		name, rest, nested := strings.Cut(path, ".")
		if nested {
			deeper[name] = append(deeper[name], rest)
		} else if v, ok := r[name]; ok {
			out[name] = v
		}
	}
	for name, rest := range deeper {
		f := fields[name]
		switch v := r[name].(type) {
		case []any:
			if ref, ok := adapter.RefOf(v); ok && f.Type == "many2one" {
				out[name] = d.related(f.Relation, ref, rest)
				continue
			}
			list := []any{}
			for _, id := range r.IDs(name) {
				list = append(list, d.related(f.Relation, adapter.Ref{ID: id}, rest))
			}
			out[name] = list
		default:
			out[name] = v // false
		}
	}
	return out
}

func (d *demo) related(model string, ref adapter.Ref, paths []string) map[string]any {
	r, ok := d.records(model)[ref.ID.String()]
	if !ok {
		r = adapter.Record{"id": json.Number(ref.ID.String())}
	}
	out := d.read(model, r, paths)
	if ref.Name != "" {
		out["display_name"] = ref.Name
	}
	return out
}

// FindID finds the record of a model that a filter matches.
func (d *demo) FindID(_ context.Context, model string, f adapter.Filter) (adapter.ID, error) {
	for _, r := range d.records(model) {
		flat := adapter.Record{}
		for _, path := range adapter.Fields(f) {
			var v any = map[string]any(d.read(model, r, []string{path}))
			for name := range strings.SplitSeq(path, ".") {
				inner, _ := v.(map[string]any)
				if inner == nil {
					v = nil
					break
				}
				v = inner[name]
			}
			flat[path] = v
		}
		if ok, err := adapter.Match(f, flat, adapter.MatchOptions{}); err != nil || ok {
			return r.ID(), err
		}
	}
	return adapter.ID{}, nil
}

// Value returns a field of a record.
func (d *demo) Value(_ context.Context, model string, id adapter.ID, name string) (any, error) {
	return d.records(model)[id.String()][name], nil
}

// Every demo record that real servers gave reads in the universal vocabulary,
// and what is written of it again is what was read.
func TestDemoRecordsOfRealServers(t *testing.T) {
	dir := recordings(t)
	for major := schemas.First; major <= schemas.Last; major++ {
		if _, err := os.Stat(filepath.Join(dir, strconv.Itoa(major), "records")); err != nil {
			t.Logf("SKIPPED: no recorded demo records of %d.0", major)
			continue
		}
		d := newDemo(t, dir, major)
		for _, model := range Set().Models() {
			t.Run(fmt.Sprintf("%s of %d", model.Name, major), func(t *testing.T) { throughUniversal(t, d, model) })
		}
	}
}

func throughUniversal(t *testing.T, d *demo, model mapping.Model) {
	t.Helper()
	ctx := mapping.WithLookup(t.Context(), d)
	plan, err := Set().Compile("odoo", fmt.Sprintf("%d.0", d.major), model.Name, mapping.Options{})
	require.NoError(t, err)
	paths, _, err := plan.Fields(nil)
	require.NoError(t, err)
	raw := d.records(plan.SystemModel())
	if len(raw) == 0 {
		t.Skipf("SKIPPED: no demo records of %s were recorded", plan.SystemModel())
	}
	count := 0
	for _, id := range slices.Sorted(maps.Keys(raw)) {
		r := raw[id]
		base := d.read(plan.SystemModel(), r, adapter.Fields(plan.Base()))
		if ok, err := adapter.Match(plan.Base(), flat(base), adapter.MatchOptions{}); err == nil && !ok {
			continue
		}
		count++
		read := d.read(plan.SystemModel(), r, paths)
		u, notes, err := plan.ToUniversal(ctx, read, nil)
		require.NoError(t, err, "%s %s", plan.SystemModel(), id)
		for _, n := range notes {
			assert.NotEqual(t, adapter.WarnUntranslated, n.Code, "%s %s: %v", plan.SystemModel(), id, n)
		}
		assert.Equal(t, r.ID(), u.ID())
		checkShapes(t, model, u)
		if plan.ReadOnly() == "" {
			checkWritten(ctx, t, d, plan, r, u)
		}
	}
	t.Logf("%d records", count)
}

// flat gives the fields of related records the paths that filters have for them.
func flat(r adapter.Record) adapter.Record {
	out := adapter.Record{}
	for name, v := range r {
		out[name] = v
		if inner, ok := v.(map[string]any); ok {
			for k, w := range inner {
				out[name+"."+k] = w
			}
		}
	}
	return out
}

// checkShapes holds universal values against the types of their fields.
func checkShapes(t *testing.T, model mapping.Model, u adapter.Record) {
	t.Helper()
	for name, v := range u {
		f, ok := model.Fields[name]
		if name == "id" {
			continue
		}
		if !assert.True(t, ok, "%s has no %s", model.Name, name) || v == nil {
			continue
		}
		what := fmt.Sprintf("%s.%s: %v", model.Name, name, v)
		switch f.Type {
		case mapping.Char, mapping.Text, mapping.HTML:
			assert.IsType(t, "", v, what)
		case mapping.Selection:
			assert.Contains(t, f.Values, v, what)
		case mapping.Boolean:
			assert.IsType(t, true, v, what)
		case mapping.Integer, mapping.Float, mapping.Monetary, mapping.Ref:
			assert.IsType(t, json.Number(""), v, what)
		case mapping.Date:
			_, err := time.Parse(time.DateOnly, fmt.Sprint(v))
			assert.NoError(t, err, what)
		case mapping.DateTime:
			_, err := time.Parse(time.RFC3339, fmt.Sprint(v))
			assert.NoError(t, err, what)
		case mapping.Lines:
			lines, _ := Set().Model(f.Relation)
			for _, item := range v.([]any) {
				checkShapes(t, lines, adapter.Record(item.(map[string]any)))
			}
		default:
			assert.IsType(t, []any{}, v, what)
		}
	}
}

// checkWritten writes a universal record and compares with what it came from.
func checkWritten(ctx context.Context, t *testing.T, d *demo, plan *mapping.Plan, r, u adapter.Record) {
	t.Helper()
	in := maps.Clone(u)
	delete(in, "id")
	fields := plan.Schema().Fields
	for name, v := range in {
		if fields[name].Readonly || v == nil {
			delete(in, name)
		}
		lines, isLines := v.([]any)
		if _, of := plan.Lines(name); of && isLines && len(lines) > 0 {
			delete(in, name) // lines are compared as records of their own
		}
	}
	if state, ok := r.Ref("state_id"); ok {
		// Some demo partners have a state of another country than their own.
		country, _ := r.Ref("country_id")
		if its, _ := d.records("res.country.state")[state.ID.String()].Ref("country_id"); its.ID != country.ID {
			delete(in, "state")
		}
	}
	values, err := plan.Create(ctx, in)
	if !assert.NoError(t, err, "%s %v", plan.SystemModel(), r.ID()) {
		return
	}
	assert.Empty(t, values.Notes)
	schema := schemas.Fields(plan.SystemModel(), d.major)
	for name, got := range values.Record {
		want := r[name]
		f, known := schema[name]
		if !assert.True(t, known, "%s has no %s", plan.SystemModel(), name) || f.Type == "html" || !f.Stored && want == nil {
			continue
		}
		if ref, ok := adapter.RefOf(want); ok && f.Type == "many2one" {
			want = json.Number(ref.ID.String())
		}
		if _, recorded := r[name]; !recorded && name == "name" {
			continue
		}
		if s, ok := got.(string); ok && f.Type == "char" {
			got, want = strings.Join(strings.Fields(s), " "), strings.Join(strings.Fields(fmt.Sprint(want)), " ")
		}
		assert.Equal(t, want, got, "%s.%s of %v", plan.SystemModel(), name, r.ID())
	}
}
