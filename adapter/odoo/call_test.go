package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// wire writes a call as "method args kwargs".
func wire(t *testing.T, c rpc.Call) string {
	t.Helper()
	args, kwargs := c.Args, c.Kwargs
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	return fmt.Sprintf("%s %s %s", c.Method, asJSON(t, args), asJSON(t, kwargs))
}

// What a call becomes on each version, and what its answer.
func TestCallByVersion(t *testing.T) {
	const spec = `{"name":{},"country_id":{"fields":{"display_name":{},"code":{}}}}`
	for _, tc := range []struct {
		name         string
		first, last  int // versions
		model        string
		method       string
		args, kwargs string
		answers      map[string]string // by method
		sent         []string
		want         string
	}{
		{"name_get", 13, 17, "res.partner", "name_get", `[[1]]`, `{}`,
			map[string]string{"name_get": `[[1, "A"]]`}, []string{`name_get [[1]] {}`}, `[[1,"A"]]`},
		{"name_get", 18, 19, "res.partner", "name_get", `[[1]]`, `{}`,
			map[string]string{"read": `[{"id":1,"display_name":"A"}]`}, []string{`read [[1]] {"fields":["display_name"]}`}, `[[1,"A"]]`},
		{"copy of an id", 13, 17, "res.partner", "copy", `[7]`, `{"default":{"country_id":[5,"x"]}}`,
			map[string]string{"copy": `8`}, []string{`copy [[7]] {"default":{"country_id":5}}`}, `8`},
		{"copy of an id", 18, 19, "res.partner", "copy", `[[7]]`, `{}`,
			map[string]string{"copy": `[8]`}, []string{`copy [[7]] {}`}, `8`},
		{"copy of several", 18, 19, "res.partner", "copy", `[[7,9]]`, `{}`,
			map[string]string{"copy": `[8,10]`}, []string{`copy [[7,9]] {}`}, `[8,10]`},
		{"exists", 13, 18, "res.partner", "exists", `[[7,9]]`, `{}`,
			map[string]string{"exists": `[7]`}, []string{`exists [[7,9]] {}`}, `[7]`},
		{"exists", 19, 19, "res.partner", "exists", `[[7,9]]`, `{}`,
			map[string]string{"search": `[7]`}, []string{`search [[["id","in",[7,9]]]] {"context":{"active_test":false}}`}, `[7]`},

		{"search that counts", 13, 16, "res.partner", "search", `[[]]`, `{"count":true}`,
			map[string]string{"search": `42`}, []string{`search [[]] {"count":true}`}, `42`},
		{"search that counts", 17, 19, "res.partner", "search", `[[]]`, `{"count":true}`,
			map[string]string{"search_count": `42`}, []string{`search_count [[]] {}`}, `42`},
		{"search that does not", 17, 19, "res.partner", "search", `[[]]`, `{"count":false,"limit":3}`,
			map[string]string{"search": `[1]`}, []string{`search [[]] {"limit":3}`}, `[1]`},
		{"search by the name of old", 17, 19, "res.partner", "search", `[]`, `{"args":[["name","=","x"]]}`,
			map[string]string{"search": `[1]`}, []string{`search [[["name","=","x"]]] {}`}, `[1]`},
		{"search_count with a limit", 13, 15, "res.partner", "search_count", `[[]]`, `{"limit":3}`,
			map[string]string{"search_count": `42`}, []string{`search_count [[]] {}`}, `3`},
		{"search_count with a limit", 16, 19, "res.partner", "search_count", `[[]]`, `{"limit":3}`,
			map[string]string{"search_count": `3`}, []string{`search_count [[]] {"limit":3}`}, `3`},
		{"search_read", 13, 19, "res.partner", "search_read", `[[["country_id","=",null]],["name"]]`, `{"limit":2,"order":"name desc"}`,
			map[string]string{"search_read": `[{"id": 1, "name": "A"}]`}, []string{`search_read [[["country_id","=",false]]] {"fields":["name"],"limit":2,"order":"name desc"}`}, `[{"id": 1, "name": "A"}]`},
		{"search_read without names", 13, 14, "res.partner", "search_read", `[]`, `{"domain":[],"fields":["country_id"],"load":"","limit":1}`,
			map[string]string{"search": `[1]`, "read": `[{"id":1,"country_id":5}]`}, []string{`search [[]] {"limit":1}`, `read [[1]] {"fields":["country_id"],"load":""}`}, `[{"id":1,"country_id":5}]`},
		{"search_read without names", 15, 19, "res.partner", "search_read", `[]`, `{"domain":[],"fields":["country_id"],"load":"","limit":1}`,
			map[string]string{"search_read": `[{"id":1,"country_id":5}]`}, []string{`search_read [[]] {"fields":["country_id"],"limit":1,"load":""}`}, `[{"id":1,"country_id":5}]`},
		{"name_search", 13, 19, "res.partner", "name_search", `["a"]`, `{"args":[["active","=",true]],"limit":5}`,
			map[string]string{"name_search": `[]`}, []string{`name_search ["a",[["active","=",true]]] {"limit":5}`}, `[]`},
		{"name_search by the new name", 13, 19, "res.partner", "name_search", `[]`, `{"name":"a","domain":[]}`,
			map[string]string{"name_search": `[]`}, []string{`name_search ["a",[]] {}`}, `[]`},

		{"create one", 13, 18, "res.partner", "create", `[{"name":"x","country_id":[5,"y"]}]`, `{}`,
			map[string]string{"create": `7`}, []string{`create [{"country_id":5,"name":"x"}] {}`}, `7`},
		{"create one over JSON-2", 19, 19, "res.partner", "create", `[]`, `{"vals_list":{"name":"x"}}`,
			map[string]string{"create": `[7]`}, []string{`create [{"name":"x"}] {}`}, `7`},
		{"create a list of one", 13, 19, "res.partner", "create", `[[{"name":"x"}]]`, `{}`,
			map[string]string{"create": `[7]`}, []string{`create [[{"name":"x"}]] {}`}, `[7]`},
		{"write", 13, 19, "res.partner", "write", `[[7],{"country_id":[5,"x"]}]`, `{}`,
			map[string]string{"write": `true`}, []string{`write [[7],{"country_id":5}] {}`}, `true`},
		{"write by names", 13, 19, "res.partner", "write", `[]`, `{"ids":7,"vals":{"phone":null}}`,
			map[string]string{"write": `true`}, []string{`write [[7],{"phone":false}] {}`}, `true`},
		{"message_post", 13, 18, "res.partner", "message_post", `[[7]]`, `{"body":"hi"}`,
			map[string]string{"message_post": `9`}, []string{`message_post [[7]] {"body":"hi"}`}, `9`},
		{"message_post", 19, 19, "res.partner", "message_post", `[[7]]`, `{"body":"hi"}`,
			map[string]string{"message_post": `[9]`}, []string{`message_post [[7]] {"body":"hi"}`}, `9`},

		{"web_read", 13, 16, "res.partner", "web_read", `[[1,2]]`, `{"specification":` + spec + `}`,
			map[string]string{
				"res.partner.read": `[{"id":1,"name":"A","country_id":[5,"Y"]},{"id":2,"name":"B","country_id":false}]`,
				"res.country.read": `[{"id":5,"code":"YY"}]`,
			},
			[]string{`read [[1,2]] {"fields":["country_id","name"]}`, `read [[5]] {"fields":["code"]}`},
			`[{"country_id":{"code":"YY","display_name":"Y","id":5},"id":1,"name":"A"},{"country_id":false,"id":2,"name":"B"}]`},
		{"web_read", 17, 19, "res.partner", "web_read", `[[1]]`, `{"specification":` + spec + `}`,
			map[string]string{"web_read": `[{"id": 1}]`}, []string{`web_read [[1]] {"specification":{"country_id":{"fields":{"code":{},"display_name":{}}},"name":{}}}`}, `[{"id": 1}]`},
		{"web_read of bare relations", 13, 16, "res.partner", "web_read", `[[1]]`, `{"specification":{"country_id":{},"category_id":{},"child_ids":{"fields":{"name":{}},"limit":1,"order":"name"}}}`,
			map[string]string{"read": `[{"id":1,"country_id":[5,"Y"],"category_id":[3],"child_ids":[8,9],"name":"N"}]`, "search": `[9,8]`},
			[]string{`read [[1]] {"fields":["category_id","child_ids","country_id"]}`, `search [[["id","in",[8,9]]]] {"order":"name"}`, `read [[9]] {"fields":["name"]}`},
			`[{"category_id":[3],"child_ids":[{"id":9},{"id":8}],"country_id":5,"id":1}]`},
		{"web_read of names only needs no second read", 13, 16, "res.partner", "web_read", `[[1]]`, `{"specification":{"country_id":{"fields":{"display_name":{}}}}}`,
			map[string]string{"read": `[{"id":1,"country_id":[5,"Y"]}]`}, []string{`read [[1]] {"fields":["country_id"]}`}, `[{"country_id":{"display_name":"Y","id":5},"id":1}]`},
		{"web_search_read by specification", 13, 15, "res.partner", "web_search_read", `[]`, `{"domain":[],"specification":{"name":{}},"limit":1,"count_limit":9}`,
			map[string]string{"search_read": `[{"id":1,"name":"A"}]`, "search_count": `42`},
			[]string{`search_read [[]] {"fields":["name"],"limit":1}`, `search_count [[]] {}`}, `{"length":9,"records":[{"id":1,"name":"A"}]}`},
		{"web_search_read by fields", 17, 19, "res.partner", "web_search_read", `[[],["name"]]`, `{"limit":1,"offset":4}`,
			map[string]string{"search_read": `[{"id":1,"name":"A"}]`, "search_count": `42`},
			[]string{`search_read [[]] {"fields":["name"],"limit":1,"offset":4}`, `search_count [[]] {}`}, `{"length":42,"records":[{"id":1,"name":"A"}]}`},
		{"web_search_read of the last page", 13, 16, "res.partner", "web_search_read", `[[],["name"]]`, `{"limit":2,"offset":4}`,
			map[string]string{"search_read": `[{"id":1,"name":"A"}]`},
			[]string{`search_read [[]] {"fields":["name"],"limit":2,"offset":4}`}, `{"length":5,"records":[{"id":1,"name":"A"}]}`},
		{"web_search_read of nothing", 13, 16, "res.partner", "web_search_read", `[[],["name"]]`, `{"limit":2,"offset":4}`,
			map[string]string{"search_read": `[]`}, []string{`search_read [[]] {"fields":["name"],"limit":2,"offset":4}`}, `{"length":0,"records":[]}`},
		{"web_search_read by specification", 17, 19, "res.partner", "web_search_read", `[[],{"name":{}}]`, `{}`,
			map[string]string{"web_search_read": `{"length":0,"records":[]}`}, []string{`web_search_read [[]] {"specification":{"name":{}}}`}, `{"length":0,"records":[]}`},
		{"web_search_read renames", 19, 19, "sale.order", "web_search_read", `[]`, `{"specification":{"order_line":{"fields":{"tax_id":{}}}}}`,
			map[string]string{"web_search_read": `{"length":1,"records":[{"id":1,"order_line":[{"id":2,"tax_ids":[3]}]}]}`},
			[]string{`web_search_read [[]] {"specification":{"order_line":{"fields":{"tax_ids":{}}}}}`}, `{"length":1,"records":[{"id":1,"order_line":[{"id":2,"tax_id":[3]}]}]}`},
		{"web_save creates", 13, 16, "res.partner", "web_save", `[[],{"name":"x"}]`, `{"specification":{"name":{}}}`,
			map[string]string{"create": `7`, "read": `[{"id":7,"name":"x"}]`},
			[]string{`create [{"name":"x"}] {}`, `read [[7]] {"context":{"bin_size":true},"fields":["name"]}`}, `[{"id":7,"name":"x"}]`},
		{"web_save writes", 13, 16, "res.partner", "web_save", `[[7],{"name":"x"}]`, `{"specification":{"name":{}}}`,
			map[string]string{"write": `true`, "read": `[{"id":7,"name":"x"}]`},
			[]string{`write [[7],{"name":"x"}] {}`, `read [[7]] {"context":{"bin_size":true},"fields":["name"]}`}, `[{"id":7,"name":"x"}]`},
		{"web_save", 17, 19, "res.partner", "web_save", `[[7],{"name":"x"}]`, `{"specification":{"name":{}}}`,
			map[string]string{"web_save": `[{"id":7,"name":"x"}]`}, []string{`web_save [[7],{"name":"x"}] {"specification":{"name":{}}}`}, `[{"id":7,"name":"x"}]`},

		{"formatted_read_group", 19, 19, "sale.order", "formatted_read_group", `[]`, `{"groupby":["state"],"aggregates":["__count"]}`,
			map[string]string{"formatted_read_group": `[]`}, []string{`formatted_read_group [[]] {"aggregates":["__count"],"groupby":["state"]}`}, `[]`},
		{"formatted_read_group", 16, 18, "sale.order", "formatted_read_group", `[[]]`, `{"groupby":["date_order:month","partner_id"],"aggregates":["amount_total:sum","__count","amount_total:avg"],"order":"amount_total:sum desc","limit":9}`,
			map[string]string{"read_group": `[{"__count":3,"aggregate_0":15.0,"aggregate_2":5.0,"date_order:month":"February 2025","partner_id":[9,"Nine"],"__range":{"date_order:month":{"from":"2025-02-01 00:00:00","to":"2025-03-01 00:00:00"}},"__domain":[]}]`},
			[]string{`read_group [[],["aggregate_0:sum(amount_total)","aggregate_2:avg(amount_total)"],["date_order:month","partner_id"]] {"lazy":false,"limit":9,"orderby":"aggregate_0 desc"}`},
			`[{"__count":3,"__extra_domain":["\u0026","\u0026",["date_order",">=","2025-02-01 00:00:00"],["date_order","<","2025-03-01 00:00:00"],["partner_id","=",9]],"amount_total:avg":5.0,"amount_total:sum":15.0,"date_order:month":["2025-02-01 00:00:00","February 2025"],"partner_id":[9,"Nine"]}]`},
		{"formatted_read_group", 13, 14, "sale.order", "formatted_read_group", `[]`, `{"groupby":["date_order:month"],"aggregates":["__count"]}`,
			map[string]string{"read_group": `[{"__count":3,"id":3,"date_order:month":"February 2025","__domain":["&",["date_order",">=","2025-02-01 00:00:00"],["date_order","<","2025-03-01 00:00:00"]]},{"__count":1,"date_order:month":false,"__domain":[["date_order","=",false]]}]`},
			[]string{`read_group [[],["id:count"],["date_order:month"]] {"lazy":false}`},
			`[{"__count":3,"__extra_domain":["&",["date_order",">=","2025-02-01 00:00:00"],["date_order","<","2025-03-01 00:00:00"]],"date_order:month":["2025-02-01 00:00:00","February 2025"]},{"__count":1,"__extra_domain":[["date_order","=",false]],"date_order:month":false}]`},
		{"read_group", 13, 19, "sale.order", "read_group", `[[],["amount_total"],["state"]]`, `{"lazy":false}`,
			map[string]string{"read_group": `[]`}, []string{`read_group [[],["amount_total"],["state"]] {"lazy":false}`}, `[]`},

		{"has_access", 13, 17, "res.partner", "has_access", `[[7],"write"]`, `{}`,
			map[string]string{"check_access_rights": `true`, "check_access_rule": `null`}, []string{`check_access_rights ["write"] {}`, `check_access_rule [[7],"write"] {}`}, `true`},
		{"has_access to the model", 13, 17, "res.partner", "has_access", `["write"]`, `{}`,
			map[string]string{"check_access_rights": `true`}, []string{`check_access_rights ["write"] {}`}, `true`},
		{"has_access refused", 13, 17, "res.partner", "has_access", `["write"]`, `{}`,
			map[string]string{"check_access_rights": `denied`}, []string{`check_access_rights ["write"] {}`}, `false`},
		{"has_access", 18, 19, "res.partner", "has_access", `["write"]`, `{}`,
			map[string]string{"has_access": `true`}, []string{`has_access [[],"write"] {}`}, `true`},
		{"check_access", 19, 19, "res.partner", "check_access", `["write"]`, `{}`,
			map[string]string{"has_access": `true`}, []string{`has_access [[],"write"] {}`}, `null`},
		{"check_access_rights", 13, 19, "res.partner", "check_access_rights", `["read"]`, `{"raise_exception":false}`,
			map[string]string{"check_access_rights": `false`}, []string{`check_access_rights ["read"] {"raise_exception":false}`}, `false`},
		{"has_group", 13, 17, "res.users", "has_group", `["base.group_user"]`, `{}`,
			map[string]string{"has_group": `true`}, []string{`has_group ["base.group_user"] {}`}, `true`},
		{"has_group of oneself", 13, 17, "res.users", "has_group", `[[2],"base.group_user"]`, `{}`,
			map[string]string{"has_group": `true`}, []string{`has_group ["base.group_user"] {}`}, `true`},
		{"has_group", 18, 19, "res.users", "has_group", `["base.group_user"]`, `{}`,
			map[string]string{"has_group": `true`}, []string{`has_group [[2],"base.group_user"] {}`}, `true`},

		{"xmlid_to_res_id", 13, 14, "ir.model.data", "xmlid_to_res_id", `["base.main_company"]`, `{}`,
			map[string]string{"xmlid_to_res_id": `1`}, []string{`xmlid_to_res_id ["base.main_company"] {}`}, `1`},
		{"xmlid_to_res_id", 15, 19, "ir.model.data", "xmlid_to_res_id", `["base.main_company"]`, `{}`,
			map[string]string{"check_object_reference": `["res.company",1]`}, []string{`check_object_reference ["base","main_company"] {}`}, `1`},
		{"xmlid_to_res_model_res_id", 15, 19, "ir.model.data", "xmlid_to_res_model_res_id", `["base.main_company"]`, `{}`,
			map[string]string{"check_object_reference": `["res.company",1]`}, []string{`check_object_reference ["base","main_company"] {}`}, `["res.company",1]`},
		{"get_object_reference", 15, 19, "ir.model.data", "get_object_reference", `["base","main_company"]`, `{}`,
			map[string]string{"check_object_reference": `["res.company",1]`}, []string{`check_object_reference ["base","main_company"] {}`}, `["res.company",1]`},

		{"get_view", 13, 15, "res.partner", "get_view", `[]`, `{"view_type":"list"}`,
			map[string]string{"fields_view_get": `{"arch":"<tree/>","fields":{"name":{"type":"char"},"child_ids":{"type":"one2many","relation":"res.partner","views":{"form":{"fields":{"phone":{}}}}}},"view_id":9,"model":"res.partner","name":"x"}`},
			[]string{`fields_view_get [] {"view_type":"tree"}`}, `{"arch":"<tree/>","id":9,"model":"res.partner","models":{"res.partner":["child_ids","name","phone"]}}`},
		{"get_view", 16, 17, "res.partner", "get_view", `[9,"list"]`, `{}`,
			map[string]string{"get_view": `{}`}, []string{`get_view [] {"view_id":9,"view_type":"tree"}`}, `{}`},
		{"get_view", 18, 19, "res.partner", "get_view", `[9,"tree"]`, `{}`,
			map[string]string{"get_view": `{}`}, []string{`get_view [] {"view_id":9,"view_type":"list"}`}, `{}`},
		{"get_views", 18, 19, "res.partner", "get_views", `[[[false,"tree"]]]`, `{}`,
			map[string]string{"get_views": `{"views":{"list":{"arch":"x"}},"models":{}}`}, []string{`get_views [[[false,"list"]]] {}`}, `{"models":{},"views":{"tree":{"arch":"x"}}}`},
		{"get_views", 13, 15, "res.partner", "get_views", `[[[false,"form"]]]`, `{}`,
			map[string]string{"load_views": `{"fields_views":{"form":{"arch":"x","fields":{"name":{}},"view_id":9,"model":"res.partner"}},"fields":{}}`},
			[]string{`load_views [[[false,"form"]]] {}`}, `*`},
		{"load_views", 18, 19, "res.partner", "load_views", `[[[false,"form"]]]`, `{}`,
			map[string]string{"get_views": `{"views":{"form":{"arch":"x","id":9}},"models":{"res.partner":{"fields":{"name":{"type":"char"}}}}}`},
			[]string{`get_views [[[false,"form"]]] {}`}, `{"fields":{"name":{"type":"char"}},"fields_views":{"form":{"arch":"x","fields":{"name":{"type":"char"}},"id":9,"type":"form","view_id":9}}}`},
		{"fields_view_get", 13, 15, "res.partner", "fields_view_get", `[]`, `{"view_type":"list"}`,
			map[string]string{"fields_view_get": `{}`}, []string{`fields_view_get [] {"view_type":"tree"}`}, `{}`},

		{"any other method", 13, 19, "sale.order", "action_confirm", `[[5]]`, `{"x":1}`,
			map[string]string{"action_confirm": `{"a": 1.50}`}, []string{`action_confirm [[5]] {"x":1}`}, `{"a": 1.50}`},
		{"any other method, ids by name", 13, 19, "sale.order", "action_confirm", `[]`, `{"ids":[5]}`,
			map[string]string{"action_confirm": `true`}, []string{`action_confirm [[5]] {}`}, `true`},
	} {
		for major := tc.first; major <= tc.last; major++ {
			t.Run(fmt.Sprintf("%s/%d", tc.name, major), func(t *testing.T) {
				client, conn := connect(major)
				conn.answer = func(call rpc.Call) (any, error) {
					a, ok := tc.answers[call.Model+"."+call.Method]
					if !ok {
						a, ok = tc.answers[call.Method]
					}
					switch {
					case !ok:
						return nil, errors.New("unexpected " + call.Model + "." + call.Method)
					case a == "denied":
						return nil, &adapter.Error{Code: adapter.PermissionDenied, Message: "no"}
					}
					return json.RawMessage(a), nil
				}
				got, err := client.Call(t.Context(), adapter.Call{Model: tc.model, Method: tc.method, Args: list(t, tc.args), Kwargs: object(t, tc.kwargs)})
				require.NoError(t, err)
				var sent []string
				for _, call := range conn.sent() {
					sent = append(sent, wire(t, call))
				}
				assert.Equal(t, tc.sent, sent)
				if tc.want == "*" {
					assert.True(t, json.Valid(got))
					return
				}
				assert.JSONEq(t, tc.want, string(got))
			})
		}
	}
}

func TestCallPassesBytesThrough(t *testing.T) {
	client, conn := connect(17)
	raw := json.RawMessage(`[{"id": 1, "name": "é", "list_price": 10.10, "n": 1e3}]`)
	conn.answer = func(rpc.Call) (any, error) { return raw, nil }
	got, err := client.Call(t.Context(), adapter.Call{Model: "product.template", Method: "search_read", Kwargs: map[string]any{"fields": []string{"name", "list_price"}}})
	require.NoError(t, err)
	assert.Equal(t, string(raw), string(got))
}

func TestCallRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		major int
		call  adapter.Call
		code  adapter.Code
		field string
	}{
		{"private", 17, adapter.Call{Model: "res.partner", Method: "_write"}, adapter.PermissionDenied, "method"},
		{"no method", 17, adapter.Call{Model: "res.partner"}, adapter.InvalidArgument, "method"},
		{"a path for a method", 17, adapter.Call{Model: "res.partner", Method: "read/../x"}, adapter.InvalidArgument, "method"},
		{"a path for a model", 17, adapter.Call{Model: "res/partner", Method: "read"}, adapter.InvalidArgument, "model"},
		{"argument twice", 17, adapter.Call{Model: "res.partner", Method: "search", Args: []any{[]any{}}, Kwargs: map[string]any{"domain": []any{}}}, adapter.InvalidArgument, "domain"},
		{"argument missing", 17, adapter.Call{Model: "res.partner", Method: "read"}, adapter.InvalidArgument, "ids"},
		{"too many arguments", 17, adapter.Call{Model: "res.partner", Method: "unlink", Args: []any{[]any{1}, 2}}, adapter.InvalidArgument, "args"},
		{"ids that are none", 17, adapter.Call{Model: "res.partner", Method: "unlink", Args: []any{"x"}}, adapter.InvalidArgument, "ids"},
		{"bad domain", 17, adapter.Call{Model: "res.partner", Method: "search", Args: []any{[]any{"|"}}}, adapter.InvalidArgument, "*"},
		{"domain that is text", 17, adapter.Call{Model: "res.partner", Method: "search", Args: []any{"[('a','=',1)]"}}, adapter.InvalidArgument, "*"},
		{"values that are text", 17, adapter.Call{Model: "res.partner", Method: "create", Args: []any{"x"}}, adapter.InvalidArgument, "values"},
		{"list of values to write", 17, adapter.Call{Model: "res.partner", Method: "write", Args: []any{1, []any{}}}, adapter.InvalidArgument, "values"},
		{"fields that are text", 17, adapter.Call{Model: "res.partner", Method: "read", Args: []any{1, "name"}}, adapter.InvalidArgument, "fields"},
		{"context that is text", 17, adapter.Call{Model: "res.partner", Method: "read", Args: []any{1}, Kwargs: map[string]any{"context": "x"}}, adapter.InvalidArgument, "context"},
		{"negative limit", 16, adapter.Call{Model: "res.partner", Method: "web_search_read", Kwargs: map[string]any{"fields": []any{"name"}, "limit": -1}}, adapter.InvalidArgument, "limit"},
		{"specification that is a list", 16, adapter.Call{Model: "res.partner", Method: "web_read", Args: []any{1}, Kwargs: map[string]any{"specification": []any{}}}, adapter.InvalidArgument, "specification"},
		{"fields of a text", 16, adapter.Call{Model: "res.partner", Method: "web_read", Args: []any{1}, Kwargs: map[string]any{"specification": map[string]any{"name": map[string]any{"fields": map[string]any{}}}}}, adapter.InvalidArgument, "specification"},
		{"unknown field in a specification", 17, adapter.Call{Model: "res.partner", Method: "web_read", Args: []any{1}, Kwargs: map[string]any{"specification": map[string]any{"nosuch": map[string]any{}}}}, adapter.InvalidArgument, "nosuch"},
		{"copies before 18", 17, adapter.Call{Model: "res.partner", Method: "copy", Args: []any{[]any{1, 2}}}, adapter.Unsupported, "ids"},
		{"having before 19", 18, adapter.Call{Model: "res.partner", Method: "formatted_read_group", Kwargs: map[string]any{"having": []any{[]any{"__count", ">", 1}}}}, adapter.Unsupported, "having"},
		{"having as it was written", 18, adapter.Call{Model: "res.partner", Method: "formatted_read_group", Kwargs: map[string]any{"having": json.RawMessage(`[["__count", ">", 1]]`)}}, adapter.Unsupported, "having"},
		{"groups of another user before 18", 17, adapter.Call{Model: "res.users", Method: "has_group", Args: []any{[]any{7}, "base.group_user"}}, adapter.Unsupported, "ids"},
		{"external id without a module", 17, adapter.Call{Model: "ir.model.data", Method: "xmlid_to_res_id", Args: []any{"main"}}, adapter.InvalidArgument, "xmlid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, conn := connect(tc.major)
			_, err := client.Call(t.Context(), tc.call)
			e := fault(t, err)
			assert.Equal(t, tc.code, e.Code, e.Message)
			if tc.field != "*" {
				assert.Equal(t, tc.field, e.Field, e.Message)
			}
			assert.NotEmpty(t, e.Message)
			assert.Empty(t, conn.sent(), "nothing may be sent")
		})
	}
}

func TestCheckAccessRefused(t *testing.T) {
	client, conn := connect(19)
	conn.answer = func(rpc.Call) (any, error) { return false, nil }
	_, err := client.Call(t.Context(), adapter.Call{Model: "res.partner", Method: "check_access", Args: []any{"write"}})
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)
}

func TestXMLIDNotFound(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(rpc.Call) (any, error) {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Message: "No such external ID", Native: "builtins.ValueError"}
	}
	call := adapter.Call{Model: "ir.model.data", Method: "xmlid_to_res_id", Args: []any{"base.nosuch"}}
	got, err := client.Call(t.Context(), call)
	require.NoError(t, err)
	assert.Equal(t, "false", string(got))
	call.Kwargs = map[string]any{"raise_if_not_found": true}
	_, err = client.Call(t.Context(), call)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}

func TestScopeTravelsInTheContext(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(call rpc.Call) (any, error) {
		if call.Method == "search" {
			return json.RawMessage(`[1]`), nil
		}
		return json.RawMessage(`[]`), nil
	}
	ctx := adapter.WithScope(t.Context(), adapter.Scope{
		Language: "ar_001", Timezone: "Asia/Riyadh", Companies: []int64{3, 1},
		Values: map[string]any{"active_test": false, "tz": "UTC"},
	})
	const scope = `{"lang":"ar_001","tz":"UTC","allowed_company_ids":[3,1],"active_test":false}`
	id := []adapter.ID{adapter.IntID(1)}
	for name, call := range map[string]func() error{
		"Query":      func() error { _, err := client.Query(ctx, adapter.Query{Model: "res.partner"}); return err },
		"SearchIDs":  func() error { _, err := client.SearchIDs(ctx, adapter.Query{Model: "res.partner"}); return err },
		"Read":       func() error { _, err := client.Read(ctx, "res.partner", id, nil); return err },
		"NameSearch": func() error { _, err := client.NameSearch(ctx, "res.partner", "a", nil, 1); return err },
		"Update":     func() error { return client.Update(ctx, "res.partner", id, adapter.Record{"name": "x"}) },
		"Delete":     func() error { return client.Delete(ctx, "res.partner", id) },
		"Call": func() error {
			_, err := client.Call(ctx, adapter.Call{Model: "res.partner", Method: "read", Args: []any{1}})
			return err
		},
		"any Call": func() error {
			_, err := client.Call(ctx, adapter.Call{Model: "res.partner", Method: "do_it", Args: []any{1}})
			return err
		},
	} {
		require.NoError(t, call(), name)
		assert.JSONEq(t, scope, asJSON(t, conn.last(t).Kwargs["context"]), name)
	}
	_, err := client.Call(ctx, adapter.Call{Model: "res.partner", Method: "read", Args: []any{1}, Kwargs: map[string]any{"context": map[string]any{"lang": "fr_FR", "x": 1}}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"lang":"fr_FR","tz":"UTC","allowed_company_ids":[3,1],"active_test":false,"x":1}`, asJSON(t, conn.last(t).Kwargs["context"]), "what the call says itself wins")

	// Schemas are the same for everybody, and so is the call for them.
	for _, call := range conn.calls {
		if call.Method == "fields_get" {
			assert.NotContains(t, call.Kwargs, "context")
		}
	}
	_, err = client.Call(t.Context(), adapter.Call{Model: "res.partner", Method: "read", Args: []any{1}, Kwargs: map[string]any{"context": nil}})
	require.NoError(t, err)
	assert.NotContains(t, conn.last(t).Kwargs, "context")
}

func TestWhatChangesSomething(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(rpc.Call) (any, error) { return json.RawMessage(`[]`), nil }
	for method, changes := range map[string]bool{
		"search_read": false, "read": false, "fields_get": false, "name_search": false, "onchange": false,
		"web_search_read": false, "read_group": false, "get_views": false, "has_group": false,
		"create": true, "write": true, "unlink": true, "copy": true, "web_save": true, "name_create": true,
		"action_confirm": true, "message_post": true, "export_data": true, "read_and_delete": true,
	} {
		assert.Equal(t, !changes, ReadOnly(method), method)
		if method == "export_data" || method == "action_confirm" || method == "read_and_delete" {
			_, err := client.Call(t.Context(), adapter.Call{Model: "res.partner", Method: method})
			require.NoError(t, err)
			assert.Equal(t, changes, conn.last(t).Changes, method)
		}
	}
	_, err := client.Query(t.Context(), adapter.Query{Model: "res.partner"})
	require.NoError(t, err)
	assert.False(t, conn.last(t).Changes)
	_ = client.Update(t.Context(), "res.partner", []adapter.ID{adapter.IntID(1)}, adapter.Record{"name": "x"})
	assert.True(t, conn.last(t).Changes)
}

func TestAfterClose(t *testing.T) {
	client, conn := connect(17)
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	n := len(conn.calls)
	for name, err := range map[string]error{
		"Query":  second(client.Query(t.Context(), adapter.Query{Model: "res.partner"})),
		"Schema": second(client.Schema(t.Context(), "res.partner")),
		"Create": second(client.Create(t.Context(), "res.partner", nil)),
		"Delete": client.Delete(t.Context(), "res.partner", []adapter.ID{adapter.IntID(1)}),
		"Call":   second(client.Call(t.Context(), adapter.Call{Model: "res.partner", Method: "x"})),
		"Ping":   client.Ping(t.Context()),
	} {
		assert.ErrorIs(t, err, adapter.ErrUnavailable, name)
	}
	assert.Len(t, conn.calls, n)
}

func second[T any](_ T, err error) error { return err }

func TestContextThatEnded(t *testing.T) {
	client, conn := connect(17)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Query(ctx, adapter.Query{Model: "res.partner"})
	assert.ErrorIs(t, err, adapter.ErrCanceled)
	assert.ErrorIs(t, err, context.Canceled)
	err = client.Delete(ctx, "res.partner", []adapter.ID{adapter.IntID(1)})
	assert.ErrorIs(t, err, adapter.ErrCanceled)
	assert.True(t, fault(t, err).NothingSent)
	assert.Empty(t, conn.calls)
}
