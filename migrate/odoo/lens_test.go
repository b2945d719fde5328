package odoo

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// What a caller of an old version may read from a newer server is a field that
// the newer server has, for every stored field of every common model and every
// pair of versions; or the lens says that it has no counterpart.
func TestLensAsksForFieldsThatServersHave(t *testing.T) {
	modules := absentModules()
	asked, refused, unsearched := 0, 0, 0
	for from := range Versions() {
		for to := from + 1; to < len(Versions()); to++ {
			old, _ := Snapshot(Versions()[from])
			new, _ := Snapshot(Versions()[to])
			for _, model := range old.Models() {
				lens, err := Community().Lens(model, Versions()[from], Versions()[to], migrate.LensOptions{})
				if model == "uom.category" && Versions()[to] == "19.0" {
					assert.Error(t, err)
					continue
				}
				require.NoError(t, err)
				schema := new[lens.Model()]
				if schema == nil {
					assert.Equal(t, "product.uom", lens.Model(), "%s in %s", model, Versions()[to])
					continue
				}
				for name, f := range old[model].Fields {
					if !f.Stored {
						continue
					}
					asked++
					fields, _, err := lens.Fields([]string{name})
					if err != nil {
						refused++
						continue
					}
					for _, got := range fields {
						assert.True(t, schema.Has(got) || modules[model+"."+got], "%s.%s of %s is read from %s, which %s lacks", model, name, Versions()[from], got, Versions()[to])
					}
					if _, _, err := lens.Filter(adapter.Cond{Field: name, Op: adapter.Equal, Value: false}); err != nil {
						unsearched++
					}
				}
			}
		}
	}
	t.Logf("%d fields asked for, %d without counterpart, %d that can be read and not searched", asked, refused, unsearched)
	assert.Less(t, refused, asked/10)
	assert.Less(t, unsearched, asked/500)
}

// Calls in the words of 13.0 as 19.0 understands them.
func TestCallsOf13On19(t *testing.T) {
	for _, c := range []struct {
		model, onServer string
		fields, read    []string
		filter          adapter.Filter
		asks            string
	}{
		{
			"res.partner", "res.partner",
			[]string{"name", "mobile"}, []string{"name", "phone"},
			adapter.Cond{Field: "mobile", Op: adapter.ILike, Value: "555"}, `[["phone","ilike","555"]]`,
		},
		{
			"product.template", "product.template",
			[]string{"name", "type"}, []string{"name", "type", "is_storable"},
			adapter.Cond{Field: "type", Op: adapter.Equal, Value: "product"}, `["&",["type","=","consu"],["is_storable","=",true]]`,
		},
		{
			"product.product", "product.product",
			[]string{"type"}, []string{"type", "is_storable"},
			adapter.Cond{Field: "type", Op: adapter.Equal, Value: "service"}, `["&",["type","=","service"],["is_storable","=",false]]`,
		},
		{
			"sale.order.line", "sale.order.line",
			[]string{"tax_id", "product_uom"}, []string{"tax_ids", "product_uom_id"},
			adapter.Cond{Field: "product_uom", Op: adapter.Equal, Value: 1}, `[["product_uom_id","=",1]]`,
		},
		{
			"sale.order", "sale.order",
			[]string{"state"}, []string{"state", "locked"},
			adapter.Cond{Field: "state", Op: adapter.Equal, Value: "done"}, `["&",["state","=","sale"],["locked","=",true]]`,
		},
		{
			"account.move", "account.move",
			[]string{"type", "invoice_payment_state"}, []string{"move_type", "payment_state"},
			adapter.Cond{Field: "type", Op: adapter.In, Value: []any{"out_invoice", "out_refund"}}, `[["move_type","in",["out_invoice","out_refund"]]]`,
		},
		{
			"account.move.line", "account.move.line",
			[]string{"account_internal_type", "tag_ids"}, []string{"account_type", "tax_tag_ids"},
			adapter.Cond{Field: "account_internal_type", Op: adapter.Equal, Value: "receivable"}, `[["account_type","=","asset_receivable"]]`,
		},
		{
			"stock.move", "stock.move",
			[]string{"quantity_done"}, []string{"quantity"},
			adapter.Cond{Field: "quantity_done", Op: adapter.Greater, Value: 0}, `[["quantity",">",0]]`,
		},
		{
			"stock.picking", "stock.picking",
			[]string{"move_lines"}, []string{"move_ids"},
			adapter.Cond{Field: "priority", Op: adapter.Equal, Value: "2"}, `[["priority","=","1"]]`,
		},
		{
			"stock.production.lot", "stock.lot",
			[]string{"name", "product_id"}, []string{"name", "product_id"},
			adapter.Cond{Field: "name", Op: adapter.Equal, Value: "L1"}, `[["name","=","L1"]]`,
		},
		{
			"mail.channel", "discuss.channel",
			[]string{"name"}, []string{"name"},
			adapter.Cond{Field: "name", Op: adapter.Equal, Value: "general"}, `[["name","=","general"]]`,
		},
		{
			"ir.attachment", "ir.attachment",
			[]string{"res_model"}, []string{"res_model"},
			adapter.Cond{Field: "res_model", Op: adapter.Equal, Value: "stock.production.lot"}, `[["res_model","=","stock.lot"]]`,
		},
	} {
		lens, err := Community().Lens(c.model, "13.0", "19.0", migrate.LensOptions{})
		require.NoError(t, err, c.model)
		assert.Equal(t, c.onServer, lens.Model())
		fields, _, err := lens.Fields(c.fields)
		require.NoError(t, err, c.model)
		assert.ElementsMatch(t, c.read, fields, c.model)
		got, _, err := lens.Filter(c.filter)
		if !assert.NoError(t, err, c.model) {
			continue
		}
		want, err := adapter.ParseDomainJSON([]byte(c.asks))
		require.NoError(t, err)
		wantJSON, err := json.Marshal(adapter.FormatDomain(want))
		require.NoError(t, err)
		gotJSON, err := json.Marshal(adapter.FormatDomain(once(got)))
		require.NoError(t, err)
		assert.JSONEq(t, string(wantJSON), string(gotJSON), c.model)
	}
}

// once leaves out conditions that a conjunction repeats: two fields of an old
// version may become the same ones.
func once(f adapter.Filter) adapter.Filter {
	all, ok := f.(adapter.And)
	if !ok {
		return f
	}
	var out adapter.And
	for _, part := range all {
		if nested, ok := once(part).(adapter.And); ok {
			for _, p := range nested {
				if !contains(out, p) {
					out = append(out, p)
				}
			}
		} else if !contains(out, part) {
			out = append(out, part)
		}
	}
	return out
}

func contains(list adapter.And, f adapter.Filter) bool {
	return slices.ContainsFunc(list, func(o adapter.Filter) bool { return reflect.DeepEqual(o, f) })
}

// Values in the words of 13.0 as 19.0 takes them, and answers the other way.
func TestValuesOf13On19(t *testing.T) {
	for _, c := range []struct{ model, old, new, back string }{
		{"product.template", `{"name": "Desk", "type": "product"}`, `{"name": "Desk", "type": "consu", "is_storable": true}`, `{"name": "Desk", "type": "product"}`},
		{"sale.order", `{"state": "done"}`, `{"state": "sale", "locked": true}`, `{"state": "done"}`},
		{"sale.order.line", `{"product_uom": 3}`, `{"product_uom_id": 3}`, `{"product_uom": 3}`},
		{"account.move", `{"type": "out_invoice"}`, `{"move_type": "out_invoice"}`, `{"type": "out_invoice"}`},
		{"stock.move", `{"quantity_done": 2}`, `{"quantity": 2}`, `{"quantity_done": 2}`},
		{"res.partner", `{"name": "Ann"}`, `{"name": "Ann"}`, `{"name": "Ann"}`},
	} {
		lens, err := Community().Lens(c.model, "13.0", "19.0", migrate.LensOptions{})
		require.NoError(t, err)
		var old, new, back adapter.Record
		require.NoError(t, adapter.DecodeJSON([]byte(c.old), &old))
		require.NoError(t, adapter.DecodeJSON([]byte(c.new), &new))
		require.NoError(t, adapter.DecodeJSON([]byte(c.back), &back))
		got, _, err := lens.Values(t.Context(), old)
		require.NoError(t, err, c.model)
		assert.Equal(t, new, got, c.model)
		var asked []string
		for f := range old {
			asked = append(asked, f)
		}
		answer, _, err := lens.Record(t.Context(), new, asked)
		require.NoError(t, err, c.model)
		assert.Equal(t, back, answer, c.model)
	}
}
