package schemas

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write data/fields from the recorded fields_get answers")

// facts finds the recorded answers of real servers beside the repository.
func facts(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "no go.mod above the test")
		dir = parent
	}
	dir = filepath.Join(dir, "..", "shared", "facts", "odoo")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no recorded answers of real Odoo servers at ../shared/facts/odoo; nothing was compared")
	}
	return dir
}

// truth is a value that Python would call true or false: some answers hold 1,
// or the name of a function.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	*t = truth(!slices.Contains([]string{"false", "0", "null", `""`}, string(b)))
	return nil
}

// recorded reads the fields that a version's fields_get gave for each model.
func recorded(t *testing.T, dir string, major int) map[string]map[string]Field {
	t.Helper()
	models := map[string]map[string]Field{}
	names, err := filepath.Glob(filepath.Join(dir, strconv.Itoa(major), "fields", "*.json"))
	require.NoError(t, err)
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".json")
		if base == "_index" {
			continue
		}
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		var raw map[string]struct {
			Type          string
			Relation      string
			RelationField string `json:"relation_field"`
			Required      truth
			Readonly      truth
			Store         truth
			Searchable    truth
			Sortable      truth
			Translate     truth
			Selection     [][]any
		}
		require.NoError(t, json.Unmarshal(b, &raw), name)
		fields := map[string]Field{}
		for field, r := range raw {
			f := Field{Type: r.Type, Relation: r.Relation, Inverse: r.RelationField, Required: bool(r.Required), Readonly: bool(r.Readonly), Stored: bool(r.Store), Searchable: bool(r.Searchable), Sortable: bool(r.Sortable), Translate: bool(r.Translate)}
			if field != "tz" { // time zones are the operating system's
				for _, option := range r.Selection {
					if key, ok := option[0].(string); ok && key != "" {
						f.Selection = append(f.Selection, key)
					}
				}
			}
			fields[field] = f
		}
		models[base] = fields
	}
	return models
}

func TestFieldsAgreeWithRecordedAnswers(t *testing.T) {
	dir := facts(t)
	all := map[int]map[string]map[string]Field{}
	for v := First; v <= Last; v++ {
		all[v] = recorded(t, dir, v)
	}
	if *update {
		write(t, all)
		return
	}
	count := 0
	for v := First; v <= Last; v++ {
		for model, fields := range all[v] {
			name, ok := ModelName(model, v)
			assert.True(t, ok, "%s in %d", model, v)
			assert.Equal(t, model, name)
			assert.Equal(t, fields, Fields(model, v), "%s in %d", model, v)
			count += len(fields)
		}
		for _, model := range Models() {
			name, ok := ModelName(model, v)
			if _, inFacts := all[v][name]; ok && !inFacts {
				assert.Contains(t, byHand(), model, "%d has no recorded %s", v, name)
			}
		}
	}
	t.Logf("%d fields compared", count)
}

func byHand() []string {
	var models []string
	for _, row := range rows("data/byhand.tsv") {
		if !slices.Contains(models, row[0]) {
			models = append(models, row[0])
		}
	}
	return models
}

// What was written by hand holds against the stored fields of recorded records.
func TestFieldsByHandAgreeWithRecordedRecords(t *testing.T) {
	dir := facts(t)
	compared := 0
	for _, v := range []int{13, 15, 17, 19} {
		for _, model := range byHand() {
			b, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(v), "records", model+".ndjson"))
			if err != nil {
				continue
			}
			line, _, _ := bytes.Cut(b, []byte("\n"))
			var record map[string]any
			require.NoError(t, json.Unmarshal(line, &record))
			for field, f := range Fields(model, v) {
				if f.Stored {
					compared++
					assert.Contains(t, record, field, "%s in %d", model, v)
				}
			}
		}
	}
	assert.Positive(t, compared)
}

// A counterpart replaces its field at the version that the data say, with the
// same type and relation.
func TestCounterpartsAgreeWithRecordedAnswers(t *testing.T) {
	dir := facts(t)
	all := map[int]map[string]map[string]Field{}
	for v := First; v <= Last; v++ {
		all[v] = recorded(t, dir, v)
	}
	for model, list := range load().counterparts {
		for _, c := range list {
			before, after := all[c.since-1][model], all[c.since][model]
			what := model + "." + c.old + " -> " + c.new + " in " + strconv.Itoa(c.since)
			old, ok := before[c.old]
			assert.True(t, ok, what)
			renamed, ok := after[c.new]
			assert.True(t, ok, what)
			if model == "product.template" || model == "product.product" {
				assert.Subset(t, renamed.Selection, old.Selection, what) // type lives on beside detailed_type
				continue
			}
			assert.NotContains(t, after, c.old, what)
			if !c.oneWay {
				assert.NotContains(t, before, c.new, what)
			}
			assert.Equal(t, old.Type, renamed.Type, what)
			assert.Equal(t, old.Relation, renamed.Relation, what)
			assert.Subset(t, renamed.Selection, old.Selection, what)
		}
	}
}

func write(t *testing.T, all map[int]map[string]map[string]Field) {
	t.Helper()
	type run struct {
		field    Field
		versions []int
	}
	models := map[string]map[string][]run{}
	for v := First; v <= Last; v++ {
		for model, fields := range all[v] {
			model = canonical(model)
			if models[model] == nil {
				models[model] = map[string][]run{}
			}
			for name, f := range fields {
				runs := models[model][name]
				i := slices.IndexFunc(runs, func(r run) bool { return assert.ObjectsAreEqual(r.field, f) })
				if i < 0 {
					models[model][name] = append(runs, run{f, []int{v}})
				} else {
					runs[i].versions = append(runs[i].versions, v)
				}
			}
		}
	}
	require.NoError(t, os.MkdirAll("data/fields", 0o755))
	for model, fields := range models {
		var lines []string
		for name, runs := range fields {
			for _, r := range runs {
				lines = append(lines, r.field.row(name, formatVersions(r.versions)))
			}
		}
		slices.Sort(lines)
		require.NoError(t, os.WriteFile(filepath.Join("data/fields", model+".tsv"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
}

func TestCounterpart(t *testing.T) {
	for _, c := range []struct {
		model, field string
		major        int
		want         string
	}{
		{"account.move", "type", 13, "type"},
		{"account.move", "type", 19, "move_type"},
		{"account.move", "move_type", 13, "type"},
		{"sale.order.line", "product_uom", 19, "product_uom_id"},
		{"sale.order.line", "tax_ids", 18, "tax_id"},
		{"account.payment", "communication", 19, "memo"}, // through ref
		{"account.payment", "memo", 13, "communication"},
		{"res.partner", "mobile", 19, "phone"},
		{"res.partner", "mobile", 18, "mobile"},
		{"stock.picking", "move_ids", 15, "move_lines"},
		{"product.template", "detailed_type", 14, "type"},
		{"product.template", "detailed_type", 18, ""},
		{"res.partner", "nope", 17, ""},
		{"nope", "name", 17, ""},
		{"res.partner", "name", 12, ""},
		{"res.partner", "title", 19, ""},
	} {
		got, ok := Counterpart(c.model, c.field, c.major)
		assert.Equal(t, c.want, got, "%s.%s in %d", c.model, c.field, c.major)
		assert.Equal(t, c.want != "", ok)
	}
}

func TestModelName(t *testing.T) {
	for _, c := range []struct {
		model string
		major int
		want  string
		ok    bool
	}{
		{"stock.lot", 15, "stock.production.lot", true},
		{"stock.production.lot", 16, "stock.lot", true},
		{"mail.channel.partner", 16, "mail.channel.member", true},
		{"discuss.channel", 13, "mail.channel", true},
		{"res.partner", 13, "res.partner", true},
		{"product.packaging", 19, "product.packaging", false},
		{"loyalty.program", 13, "loyalty.program", false},
		{"x_custom", 17, "x_custom", false},
		{"res.partner", 20, "res.partner", false},
	} {
		got, ok := ModelName(c.model, c.major)
		assert.Equal(t, c.want, got, "%s in %d", c.model, c.major)
		assert.Equal(t, c.ok, ok, "%s in %d", c.model, c.major)
	}
}

func TestKnown(t *testing.T) {
	assert.Equal(t, []int{13, 14, 15, 16, 17, 18}, Known("res.partner", "mobile"))
	assert.Equal(t, []int{16, 17, 18, 19}, Known("stock.picking", "move_ids"))
	assert.Equal(t, Known("stock.lot", "name"), Known("stock.production.lot", "name"))
	assert.Empty(t, Known("res.partner", "nope"))
	assert.Empty(t, Known("nope", "name"))
	assert.Nil(t, Fields("res.partner", 12))
	assert.Nil(t, Fields("product.packaging", 19))
	assert.True(t, Fields("res.partner", 17)["name"].Stored)
}

func TestComplete(t *testing.T) {
	assert.True(t, Complete("res.partner"))
	assert.True(t, Complete("stock.production.lot"), "by any name")
	assert.False(t, Complete("account.account"), "written by hand")
	assert.False(t, Complete("nope"))
}

func TestLabel(t *testing.T) {
	assert.Equal(t, "Partner", Label("partner_id"))
	assert.Equal(t, "Order Line", Label("order_line"))
	assert.Equal(t, "Id", Label("id"))
	assert.Equal(t, "_", Label("_"))
}

func TestVersionsRoundTrip(t *testing.T) {
	for _, s := range []string{"13", "13-19", "13,15-16,19"} {
		assert.Equal(t, s, formatVersions(parseVersions(s)))
	}
}
