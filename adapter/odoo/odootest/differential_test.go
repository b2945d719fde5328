package odootest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
)

// The simulator evaluates domains by itself. Here package adapter's filters
// judge the same records: the two were written apart and must agree.
func TestDomainsAgreeWithAdapterFilters(t *testing.T) {
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		t.Run(version, func(t *testing.T) {
			s := New(t, version)
			world := newWorld(t, s)
			rapid.Check(t, func(rt *rapid.T) {
				model := rapid.SampledFrom([]string{"res.partner", "sale.order", "product.product"}).Draw(rt, "model")
				domain := drawDomain(rt, model)
				found, err := s.db.perform(request{user: s.accounts[0], model: model, method: "search", args: []any{plainGo(domain)}, kwargs: map[string]any{"order": "id", "context": map[string]any{"active_test": false}}})
				if err != nil {
					rt.Fatalf("the simulator refuses %v: %v", domain, err)
				}
				filter, err := adapter.ParseDomain(domain)
				if err != nil {
					rt.Fatalf("package adapter refuses %v: %v", domain, err)
				}
				var matched []int64
				for _, r := range world.records[model] {
					ok, err := adapter.Match(filter, r, adapter.MatchOptions{Model: model, Resolver: world})
					if err != nil {
						rt.Fatalf("match %v: %v", domain, err)
					}
					if ok {
						matched = append(matched, r.Int("id"))
					}
				}
				if ids, _ := found.([]int64); !slices.Equal(ids, matched) {
					rt.Fatalf("%s %v:\nsimulator %v\nadapter   %v", model, domain, ids, matched)
				}
			})
		})
	}
}

// drawDomain draws a domain that every version understands.
func drawDomain(t *rapid.T, model string) []any {
	conditions := map[string][]func(*rapid.T) []any{
		"res.partner": {
			text2("name", "o", "Blue Harbor Foods", "النور", "%o%", "b_ue", "O'Neill <Tools> \"Pro\""), text2("email", "example", "@", "x"), text2("parent_id.name", "Blue Harbor Foods", "a"),
			number2("color", 0, 1), number2("id", 3, 7, 12, 40), flag("is_company"), flag("active"), relation("parent_id", 7, 10, 13), relation("country_id", 1, 2, 5), relation("category_id", 1, 2),
			text2("country_id.code", "SA", "us", "A"), text2("child_ids.name", "Ana Kowalski", "e"), tree("id", 7, 10), tree("parent_id", 7),
		},
		"sale.order": {
			text2("name", "S0000", "S00003", "1"), text2("state", "draft", "sale"), number2("amount_total", 0, 100, 480.5, 1000), relation("partner_id", 7, 10), text2("partner_id.name", "blue", "Qamar Medical"),
			moment("date_order", "2026-03-05 09:30:00", "2026-03-05", "2026-05-01", "2020-01-01 00:00:00"), number2("order_line.product_uom_qty", 1, 2, 3), relation("order_line", 1, 4),
		},
		"product.product": {
			text2("name", "Desk", "desk", "مكتب"), text2("default_code", "DSK", "CHR-100", "-"), number2("list_price", 4.25, 100, 480), number2("weight", 0, 1.5), relation("categ_id", 2, 3), flag("sale_ok"),
		},
	}[model]
	var domain []any
	var draw func(depth int) []any
	draw = func(depth int) []any {
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case depth < 3 && kind == 0:
			return append([]any{"!"}, draw(depth+1)...)
		case depth < 3 && kind <= 2:
			op := rapid.SampledFrom([]string{"&", "|"}).Draw(t, "op")
			return append(append([]any{op}, draw(depth+1)...), draw(depth+1)...)
		}
		return []any{rapid.SampledFrom(conditions).Draw(t, "condition")(t)}
	}
	for range rapid.IntRange(0, 3).Draw(t, "terms") {
		domain = append(domain, draw(0)...)
	}
	return domain
}

func text2(field string, values ...string) func(*rapid.T) []any {
	return func(t *rapid.T) []any {
		op := rapid.SampledFrom([]string{"=", "!=", "like", "not like", "ilike", "not ilike", "=like", "=ilike", "in", "not in", "=?", "empty", "set"}).Draw(t, "operator")
		v := rapid.SampledFrom(values).Draw(t, "value")
		switch op {
		case "empty":
			return []any{field, "=", false}
		case "set":
			return []any{field, "!=", false}
		case "in", "not in":
			list := []any{v}
			for _, other := range rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, "more") {
				list = append(list, other)
			}
			return []any{field, op, list}
		}
		return []any{field, op, v}
	}
}

func number2(field string, values ...float64) func(*rapid.T) []any {
	return func(t *rapid.T) []any {
		op := rapid.SampledFrom([]string{"=", "!=", "<", "<=", ">", ">=", "in", "not in"}).Draw(t, "operator")
		v := rapid.SampledFrom(values).Draw(t, "value")
		var n any = v
		if v == float64(int64(v)) {
			n = int64(v)
		}
		if op == "in" || op == "not in" {
			return []any{field, op, []any{n}}
		}
		return []any{field, op, n}
	}
}

func flag(field string) func(*rapid.T) []any {
	return func(t *rapid.T) []any {
		return []any{field, rapid.SampledFrom([]string{"=", "!="}).Draw(t, "operator"), rapid.Bool().Draw(t, "value")}
	}
}

func relation(field string, ids ...int64) func(*rapid.T) []any {
	return func(t *rapid.T) []any {
		id := rapid.SampledFrom(ids).Draw(t, "id")
		switch op := rapid.SampledFrom([]string{"=", "!=", "in", "not in", "empty", "set"}).Draw(t, "operator"); op {
		case "empty":
			return []any{field, "=", false}
		case "set":
			return []any{field, "!=", false}
		case "in", "not in":
			return []any{field, op, []any{id, int64(99999)}}
		default:
			return []any{field, op, id}
		}
	}
}

func tree(field string, ids ...int64) func(*rapid.T) []any {
	return func(t *rapid.T) []any {
		return []any{field, rapid.SampledFrom([]string{"child_of", "parent_of"}).Draw(t, "operator"), rapid.SampledFrom(ids).Draw(t, "id")}
	}
}

func moment(field string, values ...string) func(*rapid.T) []any {
	return func(t *rapid.T) []any {
		return []any{field, rapid.SampledFrom([]string{"<", "<=", ">", ">=", "=", "!="}).Draw(t, "operator"), rapid.SampledFrom(values).Draw(t, "value")}
	}
}

// world answers package adapter's questions from the simulator's records.
type world struct {
	s       *Server
	schemas map[string]*adapter.Schema
	records map[string][]adapter.Record
}

func newWorld(t *testing.T, s *Server) *world {
	t.Helper()
	w := &world{s: s, schemas: map[string]*adapter.Schema{}, records: map[string][]adapter.Record{}}
	for _, model := range []string{"res.partner", "res.country", "res.partner.category", "sale.order", "sale.order.line", "product.product", "product.category"} {
		w.schemas[model] = &adapter.Schema{Model: model, Fields: map[string]adapter.Field{}}
		table := s.db.get(model)
		for name, f := range table.fields {
			w.schemas[model].Fields[name] = adapter.Field{Type: adapter.FieldType(f.Type), Relation: f.Relation, Inverse: f.Inverse, Stored: f.Stored, Searchable: f.Searchable}
		}
		e := &env{database: s.db, depth: 1, context: map[string]any{"active_test": false}}
		list, err := e.read(table, table.ids, nil, readOptions{})
		require.NoError(t, err)
		for _, r := range list {
			record, err := adapter.DecodeRecord(appendJSON(nil, r, false))
			require.NoError(t, err)
			w.records[model] = append(w.records[model], record)
		}
	}
	return w
}

func (w *world) Schema(model string) (*adapter.Schema, error) {
	if s := w.schemas[model]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("no schema of %s", model)
}

func (w *world) Related(model string, r adapter.Record, field string) ([]adapter.Record, error) {
	f := w.schemas[model].Fields[field]
	var ids []adapter.ID
	if ref, ok := r.Ref(field); ok && f.Type == adapter.Many2One {
		ids = []adapter.ID{ref.ID}
	} else {
		ids = r.IDs(field)
	}
	return w.Read(f.Relation, ids)
}

func (w *world) Read(model string, ids []adapter.ID) ([]adapter.Record, error) {
	var found []adapter.Record
	for _, id := range ids {
		for _, r := range w.records[model] {
			if r.ID() == id {
				found = append(found, r)
			}
		}
	}
	return found, nil
}

func (w *world) ParentField(model string) string { return parentFields[model] }
