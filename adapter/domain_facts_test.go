package adapter_test

import (
	"bufio"
	"bytes"
	"encoding/json"
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
)

// odooFacts is where the answers of real Odoo servers are recorded, beside the
// repository; a fresh clone has none.
func odooFacts(t *testing.T) string {
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
	facts := filepath.Join(filepath.Dir(dir), "shared", "facts", "odoo")
	if _, err := os.Stat(facts); err != nil {
		t.Skipf("SKIPPED: the recorded answers of real Odoo servers are not there: %v", err)
	}
	return facts
}

// TestDomainsThatRealOdooTookAreRead holds the parser against every recorded
// request with a domain: what some version answered must be read, and what all
// versions refused for its form must not.
func TestDomainsThatRealOdooTookAreRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(odooFacts(t), "*", "wire", "*", "*.http"))
	require.NoError(t, err)
	taken, malformed := 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		domain, refused, ok := recordedDomain(b)
		if !ok {
			continue
		}
		_, err = adapter.ParseDomain(domain)
		name, _ := strings.CutSuffix(filepath.Base(file), ".http")
		switch {
		case strings.HasPrefix(name, "bad_domain"):
			malformed++
			assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "%s: %v", file, domain)
		case !refused:
			taken++
			assert.NoError(t, err, "%s: %v", file, domain)
		}
	}
	t.Logf("%d domains that were answered are read, %d malformed ones refused", taken, malformed)
	assert.Greater(t, taken, 500)
	assert.Greater(t, malformed, 50)
}

// recordedDomain finds the domain in a recorded call over JSON, and whether the
// call was refused.
func recordedDomain(transcript []byte) (domain any, refused, ok bool) {
	request, response, found := bytes.Cut(transcript, []byte("\n<<<"))
	if !found {
		return nil, false, false
	}
	_, body, _ := bytes.Cut(request, []byte(">>>\n"))
	var call map[string]any
	if adapter.DecodeJSON(bytes.TrimSpace(body), &call) != nil {
		return nil, false, false
	}
	refused = bytes.Contains(response, []byte(`"error": {`)) || !bytes.HasPrefix(response, []byte(" HTTP/1.1 200"))
	if domain, ok := call["domain"]; ok {
		return domain, refused, true
	}
	params, _ := call["params"].(map[string]any)
	args, _ := params["args"].([]any)
	method, _ := params["method"].(string)
	if params["service"] == "object" && len(args) > 5 {
		method, _ = args[4].(string)
		args, _ = args[5].([]any)
	}
	kwargs, _ := params["kwargs"].(map[string]any)
	if domain, ok := kwargs["domain"]; ok {
		return domain, refused, true
	}
	switch method {
	case "search", "search_count", "search_read", "read_group", "web_search_read", "web_read_group", "formatted_read_group":
		if len(args) > 0 {
			return args[0], refused, true
		}
	}
	return nil, false, false
}

// odooTables resolves relations over the recorded demo records of a version.
type odooTables struct {
	dir     string
	schemas map[string]*adapter.Schema
	tables  map[string][]adapter.Record
	byID    map[string]map[adapter.ID]adapter.Record
}

func (o *odooTables) load(t *testing.T, model string) []adapter.Record {
	t.Helper()
	var native map[string]struct{ Type, Relation string }
	b, err := os.ReadFile(filepath.Join(o.dir, "fields", model+".json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &native))
	schema := &adapter.Schema{Model: model, Fields: map[string]adapter.Field{}}
	for name, f := range native {
		schema.Fields[name] = adapter.Field{Type: adapter.FieldType(f.Type), Relation: f.Relation}
	}
	o.schemas[model] = schema
	f, err := os.Open(filepath.Join(o.dir, "records", model+".ndjson"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	o.byID[model] = map[adapter.ID]adapter.Record{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		r, err := adapter.DecodeRecord(lines.Bytes())
		require.NoError(t, err)
		o.tables[model] = append(o.tables[model], r)
		o.byID[model][r.ID()] = r
	}
	require.NoError(t, lines.Err())
	return o.tables[model]
}

func (o *odooTables) Schema(model string) (*adapter.Schema, error) {
	if s, ok := o.schemas[model]; ok {
		return s, nil
	}
	return nil, adapter.Errorf(adapter.NotFound, "no model %s", model)
}

func (o *odooTables) Read(model string, ids []adapter.ID) ([]adapter.Record, error) {
	var found []adapter.Record
	for _, id := range ids {
		if r, ok := o.byID[model][id]; ok {
			found = append(found, r)
		}
	}
	return found, nil
}

func (o *odooTables) Related(model string, r adapter.Record, field string) ([]adapter.Record, error) {
	f := o.schemas[model].Fields[field]
	ids := r.IDs(field)
	if f.Type == adapter.Many2One {
		ids = nil
		if ref, ok := r.Ref(field); ok {
			ids = []adapter.ID{ref.ID}
		}
	}
	return o.Read(f.Relation, ids)
}

func (o *odooTables) ParentField(model string) string {
	if model == "stock.location" {
		return "location_id"
	}
	return "parent_id"
}

// TestMatchAgreesWithWhatOdooComputed holds Match against fields that Odoo
// itself computes from relations: the inverse of a many-to-one, the path of a
// hierarchy, the company that a contact belongs to.
func TestMatchAgreesWithWhatOdooComputed(t *testing.T) {
	facts := odooFacts(t)
	for _, version := range []string{"13", "15", "17", "19"} {
		t.Run(version, func(t *testing.T) {
			o := &odooTables{dir: filepath.Join(facts, version), schemas: map[string]*adapter.Schema{}, tables: map[string][]adapter.Record{}, byID: map[string]map[adapter.ID]adapter.Record{}}
			checks := 0
			find := func(model, domain string) []string {
				t.Helper()
				m, err := adapter.NewMatcher(filter(t, domain), adapter.MatchOptions{Model: model, Resolver: o})
				require.NoError(t, err, domain)
				var ids []string
				for _, r := range o.tables[model] {
					ok, err := m.Match(r)
					require.NoError(t, err, domain)
					if ok {
						ids = append(ids, r.ID().String())
					}
				}
				slices.Sort(ids)
				checks++
				return ids
			}
			known := func(model string, ids []adapter.ID) []string {
				var texts []string
				for _, id := range ids {
					if _, ok := o.byID[model][id]; ok { // archived ones were not recorded
						texts = append(texts, id.String())
					}
				}
				slices.Sort(texts)
				return texts
			}

			for _, model := range []string{"product.category", "stock.location"} {
				rows := o.load(t, model)
				require.NotEmpty(t, rows)
				for _, r := range rows {
					var below, above []string
					for _, other := range rows {
						path := "/" + other.String("parent_path")
						if strings.Contains(path, "/"+r.ID().String()+"/") {
							below = append(below, other.ID().String())
						}
						if strings.Contains("/"+r.String("parent_path"), "/"+other.ID().String()+"/") {
							above = append(above, other.ID().String())
						}
					}
					slices.Sort(below)
					slices.Sort(above)
					assert.Equal(t, below, find(model, fmt.Sprintf(`[["id","child_of",%s]]`, r.ID())), "%s %s", model, r.ID())
					assert.Equal(t, above, find(model, fmt.Sprintf(`[["id","parent_of",[%s]]]`, r.ID())), "%s %s", model, r.ID())
				}
			}
			for _, inverse := range []struct{ model, list, lines, back string }{
				{"res.partner", "child_ids", "res.partner", "parent_id"},
				{"sale.order", "order_line", "sale.order.line", "order_id"},
				{"product.category", "child_id", "product.category", "parent_id"},
			} {
				for _, model := range []string{inverse.model, inverse.lines} {
					if o.tables[model] == nil {
						o.load(t, model)
					}
				}
				for _, r := range o.tables[inverse.model] {
					want := known(inverse.lines, r.IDs(inverse.list))
					got := find(inverse.lines, fmt.Sprintf(`[[%q,"=",%s]]`, inverse.back, r.ID()))
					assert.Equal(t, want, got, "%s of %s %s", inverse.list, inverse.model, r.ID())
					assert.Equal(t, got, find(inverse.lines, fmt.Sprintf(`[[%q,"any",[["id","in",[%s]]]]]`, inverse.back, r.ID())))
				}
				all := find(inverse.lines, `[]`)
				with, without := find(inverse.lines, fmt.Sprintf(`[[%q,"!=",false]]`, inverse.back)), find(inverse.lines, fmt.Sprintf(`[[%q,"=",false]]`, inverse.back))
				both := append(slices.Clone(with), without...)
				slices.Sort(both)
				assert.Equal(t, all, both)
			}
			// Totals that Odoo summed up from the lines.
			for _, r := range o.tables["sale.order"] {
				untaxed := r.String("amount_untaxed")
				assert.Equal(t, []string{r.ID().String()},
					find("sale.order", fmt.Sprintf(`[["id","=",%s],["amount_untaxed","=",%s],["amount_untaxed","<=",%s],["date_order","=",%q],["partner_id","=",%q]]`,
						r.ID(), untaxed, untaxed, r.String("date_order"), r.String("partner_id"))))
			}
			t.Logf("%d filters over %v", checks, slices.Sorted(maps.Keys(o.tables)))
		})
	}
}
