package odoo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// rewriteDomain is what becomes of a domain on a version.
func rewriteDomain(t *testing.T, client *Client, model, domain string) (string, error) {
	t.Helper()
	f, err := adapter.ParseDomainJSON([]byte(domain))
	require.NoError(t, err)
	out, err := client.domain(t.Context(), model, f)
	if err != nil {
		return "", err
	}
	return asJSON(t, out), nil
}

func TestDomain(t *testing.T) {
	for _, tc := range []struct {
		name       string
		major      int
		model      string
		in, want   string
		subquery   string // the domain of a search on the way
		subcontext string
	}{
		{"empty", 17, "res.partner", `[]`, `[]`, "", ""},
		{"as it is", 17, "res.partner", `["|",["name","ilike","a"],["active","=",false]]`, `["|",["name","ilike","a"],["active","=",false]]`, "", ""},
		{"null", 17, "res.partner", `[["country_id","=",null]]`, `[["country_id","=",false]]`, "", ""},
		{"pair", 17, "res.partner", `[["country_id","=",[5,"x"]]]`, `[["country_id","in",[5]]]`, "", ""},
		{"null in a list", 17, "res.partner", `[["country_id","in",[5,null]]]`, `[["country_id","in",[5,false]]]`, "", ""},
		{"scalar in", 17, "res.partner", `[["id","in",5]]`, `[["id","in",[5]]]`, "", ""},
		{"ids alone", 17, "res.partner", `[["category_id","child_of",[1,2]]]`, `[["category_id","child_of",[1,2]]]`, "", ""},
		{"text on a many2one", 17, "res.partner", `[["country_id","ilike","a"]]`, `[["country_id","ilike","a"]]`, "", ""},

		{"time with Z", 19, "sale.order", `[["date_order",">=","2025-03-01T10:00:00Z"]]`, `[["date_order",">=","2025-03-01 10:00:00"]]`, "", ""},
		{"time with an offset", 13, "sale.order", `[["date_order","<","2025-03-01T10:00:00+03:00"]]`, `[["date_order","<","2025-03-01 07:00:00"]]`, "", ""},
		{"times in a list", 17, "sale.order", `[["date_order","in",["2025-03-01T10:00:00Z",false]]]`, `[["date_order","in",["2025-03-01 10:00:00",false]]]`, "", ""},
		{"time behind a path", 17, "sale.order.line", `[["order_id.date_order",">","2025-03-01T10:00:00Z"]]`, `[["order_id.date_order",">","2025-03-01 10:00:00"]]`, "", ""},
		{"date of a time", 17, "sale.order", `[["validity_date","=","2025-03-01T10:00:00Z"]]`, `[["validity_date","=","2025-03-01"]]`, "", ""},
		{"a time in a text stays", 17, "res.partner", `[["name","=","2025-03-01T10:00:00Z"]]`, `[["name","=","2025-03-01T10:00:00Z"]]`, "", ""},
		{"a pattern on a time stays", 17, "sale.order", `[["date_order","=like","2025-03%"]]`, `[["date_order","=like","2025-03%"]]`, "", ""},
		{"relative date on 19", 19, "sale.order", `[["date_order",">","-1d"]]`, `[["date_order",">","-1d"]]`, "", ""},
		{"date part on 18", 18, "sale.order", `[["date_order.month_number","=",3]]`, `[["date_order.month_number","=",3]]`, "", ""},

		{"renamed", 19, "sale.order.line", `[["tax_id","in",[1]]]`, `[["tax_ids","in",[1]]]`, "", ""},
		{"renamed later", 16, "sale.order", `[["order_line.tax_ids","=",1]]`, `[["order_line.tax_id","=",1]]`, "", ""},
		{"renamed inside any", 19, "sale.order", `[["order_line","any",[["product_uom","=",1]]]]`, `[["order_line","any",[["product_uom_id","=",1]]]]`, "", ""},

		{"any on 17", 17, "sale.order", `[["order_line","any",[["price_unit",">",1],["product_uom_qty",">",2]]]]`, `[["order_line","any",[["price_unit",">",1],["product_uom_qty",">",2]]]]`, "", ""},
		{"any, one condition", 16, "sale.order", `[["order_line","any",[["price_unit",">",1]]]]`, `[["order_line.price_unit",">",1]]`, "", ""},
		{"any, or", 16, "sale.order", `[["order_line","any",["|",["price_unit",">",1],["product_uom_qty",">",2]]]]`, `["|",["order_line.price_unit",">",1],["order_line.product_uom_qty",">",2]]`, "", ""},
		{"any, and, of one record", 16, "sale.order", `[["partner_id","any",[["name","=","a"],["country_id.code","=","US"]]]]`, `[["partner_id.name","=","a"],["partner_id.country_id.code","=","US"]]`, "", ""},
		{"any, and, of many records", 16, "sale.order", `[["order_line","any",[["price_unit",">",1],["product_uom_qty",">",2]]]]`, `[["order_line","in",[7,9]]]`, `[["price_unit",">",1],["product_uom_qty",">",2]]`, ""},
		{"any, and, of one of many", 16, "sale.order", `[["order_line.product_id","any",[["name","=","a"],["active","=",true]]]]`, `[["order_line.product_id","in",[7,9]]]`, `[["name","=","a"],["active","=",true]]`, `{"active_test":false}`},
		{"any of none", 16, "sale.order", `[["order_line","any",[]]]`, `[["order_line","!=",false]]`, "", ""},
		{"any, not", 16, "sale.order", `[["partner_id","any",["!",["name","=","a"]]]]`, `[["partner_id","in",[7,9]]]`, `["!",["name","=","a"]]`, `{"active_test":false}`},
		{"not any", 16, "sale.order", `[["partner_id","not any",[["name","=","a"]]]]`, `[["partner_id","not in",[7,9]]]`, `[["name","=","a"]]`, `{"active_test":false}`},
		{"any in any", 13, "sale.order", `[["partner_id","any",[["country_id","any",[["code","=","US"]]]]]]`, `[["partner_id.country_id.code","=","US"]]`, "", ""},

		{"not =like on 19", 19, "res.partner", `[["name","not =like","a%"]]`, `[["name","not =like","a%"]]`, "", ""},
		{"not =like", 17, "res.partner", `[["name","not =like","a%"]]`, `["|",["name","=",false],"!",["name","=like","a%"]]`, "", ""},
		{"not =ilike behind a path", 17, "res.partner", `[["country_id.name","not =ilike","a%"]]`, `[["country_id","any",["|",["name","=",false],"!",["name","=ilike","a%"]]]]`, "", ""},
		{"not =ilike behind a path, before any", 16, "res.partner", `[["country_id.name","not =ilike","a%"]]`, `[["country_id","in",[7,9]]]`, `["|",["name","=",false],"!",["name","=ilike","a%"]]`, `{"active_test":false}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, conn := connect(tc.major)
			conn.answer = func(call rpc.Call) (any, error) {
				assert.Equal(t, "search", call.Method)
				return []int{7, 9}, nil
			}
			got, err := rewriteDomain(t, client, tc.model, tc.in)
			require.NoError(t, err)
			assert.JSONEq(t, tc.want, got)
			if tc.subquery == "" {
				assert.Empty(t, conn.sent())
				return
			}
			assert.JSONEq(t, "["+tc.subquery+"]", asJSON(t, conn.last(t).Args))
			if tc.subcontext != "" {
				assert.JSONEq(t, tc.subcontext, asJSON(t, conn.last(t).Kwargs["context"]))
			} else {
				assert.NotContains(t, conn.last(t).Kwargs, "context")
			}
		})
	}
}

func TestDomainGoValues(t *testing.T) {
	client, _ := connect(17)
	when := time.Date(2025, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3*3600))
	out, err := client.domain(t.Context(), "sale.order", adapter.And{
		adapter.Cond{Field: "date_order", Op: adapter.Less, Value: when},
		adapter.Cond{Field: "partner_id", Op: adapter.Equal, Value: adapter.Ref{ID: adapter.IntID(5)}},
		adapter.Cond{Field: "partner_id", Op: adapter.In, Value: []adapter.ID{adapter.IntID(5)}},
		adapter.Cond{Field: "id", Op: adapter.NotIn, Value: []int{1, 2}},
		adapter.Cond{Field: "partner_id.country_id", Op: adapter.In, Value: []any{[]any{5, "x"}, 7, map[string]any{"id": 8}}},
		adapter.Cond{Field: "partner_id.country_id", Op: adapter.Equal, Value: []any{5, "x"}},
	})
	require.NoError(t, err)
	assert.JSONEq(t, `[["date_order","<","2025-03-01 10:00:00"],["partner_id","=",5],["partner_id","in",[5]],["id","not in",[1,2]],["partner_id.country_id","in",[5,7,8]],["partner_id.country_id","=",5]]`, asJSON(t, out))
}

func TestDomainRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		major int
		in    string
		code  adapter.Code
		hint  string
	}{
		{"unknown", 17, `[["namee","=",1]]`, adapter.InvalidArgument, "did you mean 'name'"},
		{"unknown behind a path", 17, `[["partner_id.namee","=",1]]`, adapter.InvalidArgument, "'namee' on model 'res.partner'"},
		{"gone, and not left out", 19, `[["partner_id.title","=",1]]`, adapter.InvalidArgument, "can't be left out"},
		{"through what is no relation", 17, `[["name.x","=",1]]`, adapter.InvalidArgument, "no relation"},
		{"any of what is no relation", 17, `[["name","any",[]]]`, adapter.InvalidArgument, "no relation"},
		{"date part before 18", 17, `[["date_order.month_number","=",3]]`, adapter.Unsupported, "needs Odoo 18.0; this is 17.0"},
		{"relative date before 19", 18, `[["date_order",">","-1d"]]`, adapter.Unsupported, "needs Odoo 19.0; this is 18.0"},
		{"today before 19", 18, `[["date_order",">","today"]]`, adapter.Unsupported, "needs Odoo 19.0"},
		{"no date", 18, `[["date_order",">","2025-13-45"]]`, adapter.InvalidArgument, "no datetime"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, conn := connect(tc.major)
			_, err := rewriteDomain(t, client, "sale.order", tc.in)
			e := fault(t, err)
			assert.Equal(t, tc.code, e.Code)
			assert.Contains(t, e.Message, tc.hint)
			assert.NotEmpty(t, e.Field)
			assert.Empty(t, conn.sent())
		})
	}
	t.Run("any of too many", func(t *testing.T) {
		client, conn := connect(16)
		conn.answer = func(rpc.Call) (any, error) { return make([]int, subqueryMost+1), nil }
		_, err := rewriteDomain(t, client, "sale.order", `[["order_line","not any",[]]]`)
		assert.ErrorIs(t, err, adapter.ErrUnsupported)
	})
	t.Run("nested too deep", func(t *testing.T) {
		client, _ := connect(17)
		var f adapter.Filter = adapter.Cond{Field: "name", Op: adapter.Equal, Value: "x"}
		for range filterDepth + 10 {
			f = adapter.Not{Part: f}
		}
		_, err := client.domain(t.Context(), "res.partner", f)
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	})
}

func TestOrders(t *testing.T) {
	client, _ := connect(19)
	for _, tc := range []struct{ model, in, want, refused string }{
		{"sale.order", "name desc, id", "name desc, id", ""},
		{"sale.order.line", "product_uom", "product_uom_id", ""},
		{"sale.order", "partner_id.name", "", "partner_id.name"},
		{"sale.order", "nosuch", "", "nosuch"},
		{"res.partner", "title", "", "title"},
		{"product.product", "qty_available", "", "qty_available"},
	} {
		orders, err := adapter.ParseOrder(tc.in)
		require.NoError(t, err)
		got, err := client.orders(t.Context(), tc.model, orders)
		if tc.refused != "" {
			e := fault(t, err)
			assert.Equal(t, adapter.InvalidArgument, e.Code)
			assert.Equal(t, tc.refused, e.Field)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, tc.want, got)
	}
}
