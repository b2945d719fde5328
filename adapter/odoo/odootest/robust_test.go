package odootest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// No method panics, whatever its arguments are; and one that fails leaves
// nothing behind.
func TestMethodsBearAnyArguments(t *testing.T) {
	for major := 13; major <= 19; major += 2 {
		t.Run(fmt.Sprintf("%d.0", major), func(t *testing.T) {
			s := New(t, fmt.Sprintf("%d.0", major))
			models := []string{"res.partner", "sale.order", "sale.order.line", "product.product", "product.template", "account.move", "stock.picking", "ir.attachment", "res.users", "res.company", "ir.model.data", "mail.message"}
			rapid.Check(t, func(rt *rapid.T) {
				model := rapid.SampledFrom(models).Draw(rt, "model")
				name := rapid.SampledFrom(s.db.methodNames(model)).Draw(rt, "method")
				m := s.db.find(model, name)
				args := rapid.SliceOfN(anyValue(s.db.get(model), 3), 0, 5).Draw(rt, "args")
				if rapid.IntRange(0, 3).Draw(rt, "plausible") > 0 {
					args = nil
					if m.record {
						args = []any{likely(s.db.get(model), "ids").Draw(rt, "ids")}
					}
				}
				kwargs := map[string]any{}
				for _, p := range m.parameters(major) {
					if p.required && args == nil || rapid.Bool().Draw(rt, "give") {
						kwargs[p.name] = likely(s.db.get(model), p.name).Draw(rt, p.name)
					}
				}
				if rapid.IntRange(0, 3).Draw(rt, "with context") == 0 {
					kwargs["context"] = map[string]any{"active_test": rapid.Bool().Draw(rt, "active_test"), "default_name": anyValue(s.db.get(model), 1).Draw(rt, "default")}
				}
				user := rapid.SampledFrom(s.accounts).Draw(rt, "user")
				r := request{user: user, model: model, method: name, args: args, kwargs: kwargs}
				if rapid.IntRange(0, 2).Draw(rt, "by name") == 0 {
					r.named, r.args, r.ids = true, nil, anyValue(s.db.get(model), 1).Draw(rt, "ids")
				}
				before := s.fingerprint()
				v, err := s.db.perform(r)
				if err != nil {
					if after := s.fingerprint(); after != before {
						rt.Fatalf("%v failed and left something behind:\n%s\n%s", err, before, after)
					}
					return
				}
				if _, err := decodeJSON(appendJSON(nil, v, true)); err != nil {
					rt.Fatalf("the answer is no JSON: %v", err)
				}
				_, _ = encodeXMLAnswer(v)
			})
		})
	}
}

// likely draws an argument that the parameter's name suggests, or any.
func likely(t *table, name string) *rapid.Generator[any] {
	var right *rapid.Generator[any]
	field := rapid.SampledFrom(t.names)
	stored := rapid.SampledFrom([]any{false, int64(1), int64(3), 2.5, "text", "2026-02-03", []any{[]any{int64(0), int64(0), map[string]any{"name": "n", "product_id": int64(2)}}}, []any{[]any{int64(5)}}, []any{int64(1), int64(2)}, []any{[]any{int64(2), int64(1)}}})
	values := rapid.Map(rapid.MapOfN(field, stored, 0, 4), func(m map[string]any) any {
		if len(m)%2 == 1 {
			m["name"] = "named"
		}
		return m
	})
	switch name {
	case "ids":
		right = rapid.Map(rapid.SliceOfN(rapid.Int64Range(1, 14), 0, 3), func(ids []int64) any { return listOf(ids) })
	case "domain", "args":
		right = rapid.Custom(func(rt *rapid.T) any {
			op := rapid.SampledFrom([]string{"=", "!=", "<", "in", "not in", "ilike", "=?", "child_of"}).Draw(rt, "op")
			return []any{[]any{field.Draw(rt, "field"), op, rapid.SampledFrom([]any{false, int64(7), "a", []any{int64(1), "x"}, []any{}, "2026-01-01"}).Draw(rt, "value")}}[:rapid.IntRange(0, 1).Draw(rt, "terms")]
		})
	case "fields", "field_names", "allfields", "fields_list", "groupby", "fields_to_export":
		right = rapid.Map(rapid.SliceOfN(rapid.SampledFrom(append(slices.Clone(t.names), "create_date:month", "create_date:week", "create_date:quarter", "amount_total:avg", "id:count_distinct")), 0, 4), func(list []string) any { return listOf(list) })
	case "aggregates":
		right = rapid.SampledFrom([]any{[]any{"__count"}, []any{"id:sum", "create_date:max"}, []any{"id:array_agg"}})
	case "specification", "fields_spec", "field_onchange":
		right = rapid.Map(rapid.SliceOfN(field, 0, 4), func(list []string) any {
			m := map[string]any{}
			for i, name := range list {
				m[name] = map[string]any{}
				if i%2 == 0 {
					m[name] = map[string]any{"fields": map[string]any{"display_name": map[string]any{}}, "limit": int64(i - 1), "order": "id desc"}
				}
			}
			return m
		})
	case "vals", "values", "vals_list", "default":
		right = values
	case "offset", "limit", "count_limit":
		right = rapid.SampledFrom([]any{int64(0), int64(2), int64(-1), int64(1) << 40, false, "3"})
	case "order", "orderby":
		right = rapid.Map(field, func(s string) any { return s + " desc" })
	case "views":
		right = rapid.SampledFrom([]any{[]any{[]any{false, "list"}, []any{false, "form"}}})
	case "data":
		right = rapid.SampledFrom([]any{[]any{[]any{"a", "b"}, []any{"c"}}})
	default:
		right = rapid.Map(field, func(s string) any { return s })
	}
	return rapid.Custom(func(rt *rapid.T) any {
		if rapid.IntRange(0, 6).Draw(rt, "odd") == 0 {
			return anyValue(t, 3).Draw(rt, "any")
		}
		return right.Draw(rt, "right")
	})
}

// anyValue draws arguments that look like the real ones, and like mistakes in
// them.
func anyValue(t *table, depth int) *rapid.Generator[any] {
	fields := append(slices.Clone(t.names[:min(len(t.names), 30)]), "name", "id", "partner_id", "order_line", "child_ids", "parent_id.name", "date_order:week", "amount_total:sum", "nope", "")
	scalar := rapid.OneOf(
		rapid.SampledFrom([]any{nil, true, false, int64(0), int64(1), int64(7), int64(-1), int64(99999999), int64(1) << 40, 1.5, "", "7", "name desc, id", "=", "in", "|", "&", "!", "ilike", "child_of", "read", "2026-01-02", "2026-01-02 03:04:05", "a%_\\", "ü", "aGk=", "out_invoice"}),
		rapid.Map(rapid.SampledFrom(fields), func(s string) any { return s }),
	)
	if depth == 0 {
		return scalar
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return anyValue(t, depth-1) })
	return rapid.OneOf(
		scalar,
		rapid.Map(rapid.SliceOfN(rapid.Int64Range(0, 20), 0, 3), func(ids []int64) any { return listOf(ids) }),
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(list []any) any { return list }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom(fields), inner, 0, 3), func(m map[string]any) any { return m }),
		rapid.Custom(func(rt *rapid.T) any {
			op := rapid.SampledFrom([]string{"=", "!=", "<", ">=", "in", "not in", "like", "not ilike", "=ilike", "=?", "child_of", "parent_of", "any", "not any", "=="}).Draw(rt, "op")
			return []any{[]any{rapid.SampledFrom(fields).Draw(rt, "field"), op, inner.Draw(rt, "value")}}
		}),
	)
}

// fingerprint sums up all records.
func (s *Server) fingerprint() string {
	var b strings.Builder
	for _, name := range s.db.modelNames() {
		t := s.db.models[name]
		if len(t.ids) == 0 || name == "ir.model.fields" {
			continue
		}
		writes := 0
		for _, id := range t.ids {
			writes += len(fmt.Sprint(t.rows[id]["write_date"], t.rows[id]["active"], t.rows[id]["state"], t.rows[id]["name"]))
		}
		fmt.Fprintf(&b, "%s:%d:%d ", name, len(t.ids), writes)
	}
	for name, t := range s.db.models {
		for field, index := range t.children {
			for parent, ids := range index {
				for _, id := range ids {
					if t.rows[id] == nil || t.rows[id][field] != parent {
						fmt.Fprintf(&b, "%s.%s of %d is not %d ", name, field, id, parent)
					}
				}
			}
		}
	}
	return b.String()
}
