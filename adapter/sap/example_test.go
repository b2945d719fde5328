package sap_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

// Ask for products as for the records of any system.
func Example() {
	srv := saptest.NewServer(saptest.Config{}) // in earnest, a system
	defer srv.Close()
	ctx := context.Background()
	client, err := sap.Dial(ctx, sap.Config{URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: "100", Language: "EN"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	page, err := client.Query(ctx, adapter.Query{
		Model:  "API_PRODUCT_SRV.A_Product",
		Filter: adapter.Cond{Field: "ProductType", Op: adapter.NotEqual, Value: "'; DROP"},
		Fields: []string{"ProductType", "BaseUnit"},
		Limit:  1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(page.Records), page.Truncated)
	// Output: 1 true
}

// A change goes through only if the record still is as it was read.
func ExampleClient_UpdateIf() {
	srv := saptest.NewServer(saptest.Config{})
	defer srv.Close()
	ctx := context.Background()
	client, err := sap.Dial(ctx, sap.Config{
		URL: srv.URL, TokenURL: srv.TokenURL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret,
		Services: []sap.Service{{Name: "ZSAMPLE_SRV"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	id, err := client.Create(ctx, "Samples", adapter.Record{
		"Name":  "Azure",
		"Lines": []any{map[string]any{"LineNo": 10, "Text": "first"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tag, err := client.ETag(ctx, "Samples", id)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"Blue", "Green"} {
		err := client.UpdateIf(ctx, "Samples", id, tag, adapter.Record{"Name": name})
		fmt.Println(name, err == nil, errors.Is(err, adapter.ErrPreconditionFailed))
	}
	records, err := client.Read(ctx, "Samples", []adapter.ID{id}, []string{"Name", "Lines.Text"})
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := records[0]["Lines"].([]any)
	fmt.Println(records[0]["Name"], lines[0].(map[string]any)["Text"])
	// Output:
	// Blue true false
	// Green false true
	// Blue first
}
