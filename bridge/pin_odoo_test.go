package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
	packs "github.com/bridgecore/bridgecore/migrate/odoo"
)

// lenses are those of a server of Odoo systems.
func lenses() map[string]bridge.Lens {
	return map[string]bridge.Lens{"odoo": {
		Pack: packs.Community(),
		Schema: func(version, model string) *adapter.Schema {
			all, _ := packs.Snapshot(version)
			return all[model]
		},
	}}
}

// pinned returns a system as version as sees it; "" is its own.
func pinned(tb testing.TB, dial odoo.Config, as string) *bridge.System {
	tb.Helper()
	kept := cache.New(cache.NewMemory(0))
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", PinnedVersion: as}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, dial)
		}},
		Cache: kept, Lenses: lenses(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(tb, err)
	tb.Cleanup(func() {
		assert.NoError(tb, b.Close())
		kept.Close()
	})
	sys, err := b.System(tb.Context(), bridge.Caller{Tenant: "acme", User: "sara"}, "main")
	require.NoError(tb, err)
	return sys
}

// call is one step of a script. In its body {name} stands for what an earlier
// step of that name gave.
type call struct{ name, op, body string }

// play makes the calls and returns their answers, as they are to be compared.
func play(tb testing.TB, sys *bridge.System, script []call) (answers map[string]string, warnings map[string][]adapter.Warning) {
	tb.Helper()
	answers, warnings = map[string]string{}, map[string][]adapter.Warning{}
	var known []string
	for _, c := range script {
		var r bridge.OperationRequest
		body := strings.NewReplacer(known...).Replace(c.body)
		require.NoError(tb, json.Unmarshal([]byte(body), &r), "%s: %s", c.name, body)
		a, err := sys.Operation(tb.Context(), c.op, r)
		if err != nil {
			answers[c.name] = "error: " + err.Error()
			known = append(known, "{"+c.name+"}", "false")
			continue
		}
		answers[c.name], warnings[c.name] = normal(tb, a.Result), a.Warnings
		known = append(known, "{"+c.name+"}", string(a.Result), "{"+c.name+"#}", strings.Trim(string(a.Result), "[]"))
	}
	return answers, warnings
}

// An app of 13.0: it knows no other words.
var app = []call{
	{"title", "create", `{"model":"res.partner.title","values":{"name":"Captain"}}`},
	{"partner", "create", `{"model":"res.partner","values":{"name":"Ada Byron","mobile":"+1 555 7001","phone":"+1 555 7002","title":{title},"comment":"first of all"}}`},
	{"partner read", "read", `{"model":"res.partner","ids":[{partner}],"fields":["name","mobile","phone","title","comment"]}`},
	{"partner by phone", "search", `{"model":"res.partner","domain":[["phone","=","+1 555 7002"]]}`},
	{"partner by mobile", "search", `{"model":"res.partner","domain":[["mobile","=","+1 555 7001"]]}`},
	{"partner written", "write", `{"model":"res.partner","ids":[{partner}],"values":{"mobile":"+1 555 7003","phone":"+1 555 7004"}}`},
	{"partner again", "read", `{"model":"res.partner","ids":[{partner}],"fields":["mobile","phone"]}`},

	{"mobile alone", "create", `{"model":"res.partner","values":{"name":"Grace","mobile":"+1 555 7005"}}`},
	{"mobile alone read", "read", `{"model":"res.partner","ids":[{mobile alone}],"fields":["name","mobile"]}`},
	{"mobile alone found", "search_count", `{"model":"res.partner","domain":[["mobile","=","+1 555 7005"]]}`},

	{"goods", "create", `{"model":"product.template","values":{"name":"Sextant","type":"product","list_price":90}}`},
	{"supply", "create", `{"model":"product.template","values":{"name":"Ink","type":"consu","list_price":3}}`},
	{"service", "create", `{"model":"product.template","values":{"name":"Lesson","type":"service","list_price":40}}`},
	{"product types", "search_read", `{"model":"product.template","domain":[["id","in",[{goods},{supply},{service}]]],"fields":["name","type","list_price"],"order":"list_price desc"}`},
	{"stored products", "search_read", `{"model":"product.template","domain":[["type","=","product"],["id","in",[{goods},{supply},{service}]]],"fields":["name"]}`},
	{"other products", "search_count", `{"model":"product.template","domain":[["type","!=","product"],["id","in",[{goods},{supply},{service}]]]}`},
	{"variants", "search", `{"model":"product.product","domain":[["product_tmpl_id","in",[{goods},{supply},{service}]]],"order":"id"}`},
	{"goods variant", "call_kw", `{"model":"product.product","method":"name_search","kwargs":{"name":"Sextant"}}`},
	{"type changed", "write", `{"model":"product.template","ids":[{supply}],"values":{"type":"product"}}`},
	{"type after", "read", `{"model":"product.template","ids":[{supply}],"fields":["type"]}`},

	{"units", "search_read", `{"model":"uom.uom","domain":[["name","=","Units"]],"fields":["name"]}`},
	{"unit", "search", `{"model":"uom.uom","domain":[["name","=","Units"]],"limit":1}`},
	{"tax", "search", `{"model":"account.tax","domain":[["name","=","15%"]],"limit":1}`},
	{"variant", "search", `{"model":"product.product","domain":[["product_tmpl_id","=",{goods}]],"limit":1}`},
	{"order", "create", `{"model":"sale.order","values":{"partner_id":{partner},"client_order_ref":"A-1","order_line":[[0,0,{"product_id":{variant#},"product_uom_qty":2,"price_unit":90,"product_uom":{unit#},"tax_id":[[6,0,{tax}]]}]]}}`},
	{"lines", "search_read", `{"model":"sale.order.line","domain":[["order_id","=",{order}]],"fields":["product_id","product_uom_qty","product_uom","tax_id","price_unit"]}`},
	{"lines by tax", "search_count", `{"model":"sale.order.line","domain":[["tax_id","in",{tax}],["order_id","=",{order}]]}`},
	{"lines by unit", "read_group", `{"model":"sale.order.line","domain":[["order_id","=",{order}]],"fields":["product_uom_qty:sum"],"groupby":["product_uom"]}`},
	{"lines through", "search_read", `{"model":"sale.order","domain":[["order_line.product_uom","=",{unit#}],["id","=",{order}]],"fields":["client_order_ref","partner_id.mobile"]}`},
	{"order specified", "web_read", `{"model":"sale.order","ids":[{order}],"specification":{"client_order_ref":{},"order_line":{"fields":{"product_uom":{},"tax_id":{},"product_uom_qty":{}}}}}`},
	{"order confirmed", "call_method", `{"model":"sale.order","ids":[{order}],"method":"action_confirm"}`},
	{"order state", "read", `{"model":"sale.order","ids":[{order}],"fields":["state"]}`},

	{"invoice", "create", `{"model":"account.move","values":{"type":"out_invoice","partner_id":{partner},"invoice_date":"2026-05-01"}}`},
	{"invoice read", "read", `{"model":"account.move","ids":[{invoice}],"fields":["type","state","partner_id","invoice_date"]}`},
	{"invoices by type", "search_count", `{"model":"account.move","domain":[["type","=","out_invoice"],["partner_id","=",{partner}]]}`},
	{"invoice by default", "create", `{"model":"account.move","values":{"partner_id":{partner}},"context":{"default_type":"in_invoice"}}`},
	{"invoice type", "read", `{"model":"account.move","ids":[{invoice by default}],"fields":["type"]}`},
	{"invoices grouped", "read_group", `{"model":"account.move","domain":[["partner_id","=",{partner}]],"fields":["partner_id"],"groupby":["type"],"orderby":"type"}`},

	{"moves", "search_read", `{"model":"stock.move","domain":[["product_id","in",{variant}]],"fields":["product_id","quantity_done","product_uom_qty","state"]}`},
	{"move", "search", `{"model":"stock.move","domain":[["product_id","in",{variant}]],"limit":1}`},
	{"lot", "create", `{"model":"stock.production.lot","values":{"name":"LOT-7","product_id":{variant#},"company_id":1}}`},
	{"lot read", "read", `{"model":"stock.production.lot","ids":[{lot}],"fields":["name","product_id"]}`},
	{"lot found", "search_count", `{"model":"stock.production.lot","domain":[["name","=","LOT-7"]]}`},
	{"lot renamed", "write", `{"model":"stock.production.lot","ids":[{lot}],"values":{"name":"LOT-8"}}`},
	{"lot after", "search_read", `{"model":"stock.production.lot","domain":[["name","=like","LOT-%"]],"fields":["name"]}`},

	{"line defaults", "default_get", `{"model":"account.move","fields":["type","state"],"context":{"default_type":"out_refund"}}`},
	{"partner fields", "fields_get", `{"model":"res.partner","allfields":["phone","comment"],"attributes":["type"]}`},
	{"product fields", "fields_get", `{"model":"product.template","allfields":["type"],"attributes":["type"]}`},
	{"line fields", "fields_get", `{"model":"sale.order.line","allfields":["product_uom","tax_id"],"attributes":["type","relation"]}`},
}

// an app of 19.0, in front of what is older.
var newer = []call{
	{"partner", "create", `{"model":"res.partner","values":{"name":"Ada Byron","phone":"+1 555 7002"}}`},
	{"partner read", "read", `{"model":"res.partner","ids":[{partner}],"fields":["name","phone"]}`},
	{"goods", "create", `{"model":"product.template","values":{"name":"Sextant","type":"consu","is_storable":true,"list_price":90}}`},
	{"supply", "create", `{"model":"product.template","values":{"name":"Ink","type":"consu","is_storable":false,"list_price":3}}`},
	{"product types", "search_read", `{"model":"product.template","domain":[["id","in",[{goods},{supply}]]],"fields":["name","type","is_storable"],"order":"list_price desc"}`},
	{"stored", "search_count", `{"model":"product.template","domain":[["is_storable","=",true],["id","in",[{goods},{supply}]]]}`},
	{"unit", "search", `{"model":"uom.uom","domain":[["name","=","Units"]],"limit":1}`},
	{"tax", "search", `{"model":"account.tax","domain":[["name","=","15%"]],"limit":1}`},
	{"variant", "search", `{"model":"product.product","domain":[["product_tmpl_id","=",{goods}]],"limit":1}`},
	{"order", "create", `{"model":"sale.order","values":{"partner_id":{partner},"order_line":[[0,0,{"product_id":{variant#},"product_uom_qty":2,"price_unit":90,"product_uom_id":{unit#},"tax_ids":[[6,0,{tax}]]}]]}}`},
	{"lines", "search_read", `{"model":"sale.order.line","domain":[["order_id","=",{order}],["tax_ids","in",{tax}]],"fields":["product_id","product_uom_qty","product_uom_id","tax_ids"]}`},
	{"groups", "formatted_read_group", `{"model":"sale.order.line","domain":[["order_id","=",{order}]],"groupby":["product_uom_id"],"aggregates":["__count","product_uom_qty:sum"]}`},
	{"order specified", "web_search_read", `{"model":"sale.order","domain":[["order_line.product_uom_id","in",{unit}],["id","=",{order}]],"specification":{"order_line":{"fields":{"product_uom_id":{},"tax_ids":{}}}}}`},
	{"invoice", "create", `{"model":"account.move","values":{"move_type":"out_invoice","partner_id":{partner}}}`},
	{"invoice read", "read", `{"model":"account.move","ids":[{invoice}],"fields":["move_type","state"]}`},
	{"lot", "create", `{"model":"stock.lot","values":{"name":"LOT-7","product_id":{variant#},"company_id":1}}`},
	{"lot read", "search_read", `{"model":"stock.lot","domain":[["name","=","LOT-7"]],"fields":["name","product_id"]}`},
	{"line fields", "fields_get", `{"model":"sale.order.line","allfields":["product_uom_id","tax_ids"],"attributes":["type","relation"]}`},
}

// differ lists what an app can't have from another version, by script and
// version, with what it gets instead. Everything else is the same.
var differ = map[string]map[string]string{
	"13.0 on 19.0": {
		// Titles of persons are gone, and with them their model.
		"title": "error: unsupported on res.partner.title: model res.partner.title does not exist after 18.0: its records can't be migrated to 19.0; titles of persons are gone",
		// A partner has one number. Where both were given it is the phone.
		"partner read":      `[{"comment":"first of all","id":32,"mobile":"+1 555 7002","name":"Ada Byron","phone":"+1 555 7002","title":false}]`,
		"partner by mobile": `[]`,
		"partner again":     `[{"id":32,"mobile":"+1 555 7004","phone":"+1 555 7004"}]`,
		"lines through":     `[{"client_order_ref":"A-1","id":13,"partner_id.mobile":"+1 555 7004"}]`,
	},
}

func TestAppsOfOtherVersions(t *testing.T) {
	for _, s := range []struct {
		as     string
		script []call
		on     []string
	}{
		{"13.0", app, []string{"15.0", "17.0", "19.0"}},
		{"19.0", newer, []string{"17.0", "15.0", "13.0"}},
	} {
		run := func(t *testing.T, version string) (map[string]string, map[string][]adapter.Warning) {
			t.Helper()
			srv := odootest.New(t, version)
			return play(t, pinned(t, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password}, s.as), s.script)
		}
		want, warnings := run(t, s.as)
		for name, answer := range want {
			assert.NotContains(t, answer, "error", name)
			assert.Empty(t, warnings[name], name)
		}
		for _, version := range s.on {
			name := s.as + " on " + version
			t.Run(name, func(t *testing.T) {
				got, _ := run(t, version)
				for _, c := range s.script {
					if other, ok := differ[name][c.name]; ok {
						assert.NotEqual(t, want[c.name], got[c.name], "%s need not differ any more", c.name)
						assert.Equal(t, other, got[c.name], c.name)
						continue
					}
					assert.Equal(t, want[c.name], got[c.name], c.name)
				}
			})
		}
	}
}

// normal writes an answer so that equal ones are the same text: members in
// order, domains in their normal form.
func normal(tb testing.TB, b []byte) string {
	tb.Helper()
	var v any
	require.NoError(tb, json.Unmarshal(b, &v), string(b))
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			for name, value := range v {
				v[name] = walk(value)
				if name == "__domain" {
					f, err := adapter.ParseDomain(value)
					require.NoError(tb, err)
					// Versions put a group's own condition first or last.
					terms := adapter.FormatDomain(adapter.Normalize(f))
					slices.SortFunc(terms, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
					v[name] = terms
				}
			}
		}
		return v
	}
	out, err := json.Marshal(walk(v))
	require.NoError(tb, err)
	return string(out)
}
