package main

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

const want = `contact {"city":"Riyadh","country":"SA","name":"O'Brien \u0026 \"Söhne\"","phone":"+966 11 123","street":"King Fahd Rd","zip":"11564"}
product {"default_code":"DESK-OAK","name":"Oak desk"}
sale_order {"amount_untaxed":318,"customer_reference":"PO-4711","date_order":"2026-03-14T00:00:00Z","order_lines":[{"quantity":2,"subtotal":21,"unit_price":10.5},{"quantity":3,"subtotal":297,"unit_price":99}]}
a second change with the same tag was refused
sale_order {"amount_untaxed":318,"customer_reference":"PO-4712","date_order":"2026-03-14T00:00:00Z","order_lines":[{"quantity":2,"subtotal":21,"unit_price":10.5},{"quantity":3,"subtotal":297,"unit_price":99}]}
orders left: 0
`

func onOdoo(name string, c odoo.Config) system {
	return system{name: name, kind: "odoo", dial: func(ctx context.Context) (adapter.Adapter, error) { return odoo.Dial(ctx, c) }}
}

// The answers are the same text on all systems.
func TestRun(t *testing.T) {
	var systems []system
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		srv := odootest.New(t, version)
		systems = append(systems, onOdoo("odoo "+version, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password}))
	}
	systems = append(systems, others(t)...)
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, systems...), "%s", &out)
	saw := strings.Split(out.String(), "== ")[1:]
	require.Len(t, saw, len(systems))
	for i, text := range saw {
		name, text, _ := strings.Cut(text, "\n")
		assert.Equal(t, systems[i].name, name)
		assert.Equal(t, want, text, name)
	}
}

func TestRunOnARealOdoo(t *testing.T) {
	c := odoo.Config{
		URL: os.Getenv("BRIDGECORE_ODOO_URL"), Database: os.Getenv("BRIDGECORE_ODOO_DATABASE"),
		Username: os.Getenv("BRIDGECORE_ODOO_USERNAME"), Password: os.Getenv("BRIDGECORE_ODOO_PASSWORD"),
	}
	if c.URL == "" {
		t.Skip("SKIPPED: no real Odoo. Set BRIDGECORE_ODOO_URL, _DATABASE, _USERNAME and _PASSWORD to test against one.")
	}
	tidy(t, c)
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, onOdoo("real", c)), "%s", &out)
	assert.Equal(t, "== real\n"+want, out.String())
	tidy(t, c)
}

// tidy removes what an earlier run left.
func tidy(t *testing.T, c odoo.Config) {
	t.Helper()
	client, err := odoo.Dial(t.Context(), c)
	require.NoError(t, err)
	defer func() { assert.NoError(t, client.Close()) }()
	for model, left := range map[string]adapter.Cond{"res.partner": is("name", `O'Brien & "Söhne"`), "product.product": is("default_code", "DESK-OAK")} {
		ids, err := client.SearchIDs(t.Context(), adapter.Query{Model: model, Filter: left})
		require.NoError(t, err)
		require.NoError(t, client.Delete(t.Context(), model, ids))
	}
}

// others are the systems that are no Odoo.
func others(t *testing.T) []system {
	t.Helper()
	erp := saptest.New(t)
	// Salesforce tells changes apart by the second: in this one each look at
	// the clock takes a second.
	var looks atomic.Int64
	start := time.Now()
	org := salesforcetest.NewServer(salesforcetest.Config{Now: func() time.Time {
		return start.Add(time.Duration(looks.Add(1)) * time.Second)
	}})
	t.Cleanup(org.Close)
	return []system{
		{name: "sap", kind: "sap", dial: func(ctx context.Context) (adapter.Adapter, error) {
			return sap.Dial(ctx, sap.Config{URL: erp.URL, Username: erp.Username, Password: erp.Password, Client: erp.Client})
		}},
		{name: "salesforce", kind: "salesforce", dial: func(ctx context.Context) (adapter.Adapter, error) {
			return salesforce.Dial(ctx, salesforce.Config{URL: org.URL, ClientID: org.ClientID, ClientSecret: org.ClientSecret})
		}},
	}
}
