package odoo_test

import (
	"context"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// Connect to a database, whatever its version, and read from it.
func Example() {
	srv := odootest.NewServer(odootest.Config{Version: "17.0"})
	defer srv.Close()

	ctx := context.Background()
	client, err := odoo.Dial(ctx, odoo.Config{
		URL:      srv.URL,
		Database: srv.Database,
		Username: srv.Username,
		Password: srv.Password,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	filter, err := adapter.ParseDomainJSON([]byte(`[["code", "in", ["DE", "BR"]]]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for country, err := range adapter.All(ctx, client, adapter.Query{
		Model:  "res.country",
		Filter: filter,
		Fields: []string{"name", "code"},
		Order:  []adapter.Order{{Field: "name"}},
	}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(country.String("code"), country.String("name"))
	}
	// Output:
	// BR Brazil
	// DE Germany
}

// One program for all versions: names of fields that changed are replaced,
// with a warning, and values are sent as Odoo means them.
func ExampleClient_Create() {
	srv := odootest.NewServer(odootest.Config{Version: "19.0"})
	defer srv.Close()
	ctx, warnings := adapter.WithWarnings(context.Background())
	client, err := odoo.Dial(ctx, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	_, err = client.Create(ctx, "res.partner", adapter.Record{
		"name":   "Azure Interior",
		"mobile": "+49 30 1234", // phone, since 19.0
		"date":   "2025-03-01",  // gone since 18.0
		"ref":    nil,           // false, to Odoo
		"child_ids": []any{ // one command; its values are converted too
			[]any{0, 0, adapter.Record{"name": "Joy", "country_id": adapter.Ref{ID: adapter.IntID(3)}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range warnings.List() {
		fmt.Printf("%s %s %q\n", w.Code, w.Field, w.Used)
	}
	// Output:
	// field_dropped date ""
	// field_replaced mobile "phone"
}

// Methods answer in one form on every version.
func ExampleClient_Call() {
	ctx := context.Background()
	for _, version := range []string{"13.0", "19.0"} {
		srv := odootest.NewServer(odootest.Config{Version: version})
		client, err := odoo.Dial(ctx, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password})
		if err != nil {
			fmt.Println(err)
			return
		}
		// Gone since 18.0.
		names, err := client.Call(ctx, adapter.Call{Model: "res.country", Method: "name_get", Args: []any{[]int{5}}})
		if err != nil {
			fmt.Println(err)
			return
		}
		// New in 17.0.
		records, err := client.Call(ctx, adapter.Call{Model: "res.country", Method: "web_read", Args: []any{[]int{5}}, Kwargs: map[string]any{
			"specification": map[string]any{"code": map[string]any{}},
		}})
		if err != nil {
			fmt.Println(err)
			return
		}
		var pairs [][]any
		var read []adapter.Record
		_ = adapter.DecodeJSON(names, &pairs)
		_ = adapter.DecodeJSON(records, &read)
		fmt.Println(version, pairs, read[0]["code"])
		_ = client.Close()
		srv.Close()
	}
	// Output:
	// 13.0 [[5 Germany]] DE
	// 19.0 [[5 Germany]] DE
}
