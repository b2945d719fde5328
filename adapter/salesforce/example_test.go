package salesforce_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// connect logs in to a simulated organization, as to any other.
func connect(srv *salesforcetest.Server) (*salesforce.Client, error) {
	return salesforce.Dial(context.Background(), salesforce.Config{
		URL:          srv.URL,
		ClientID:     srv.ClientID,
		ClientSecret: srv.ClientSecret,
	})
}

// Connect to an organization, write a record with others nested in it, and
// read it back along its relationships.
func Example() {
	srv := salesforcetest.NewServer(salesforcetest.Config{NoDemo: true})
	defer srv.Close()
	client, err := connect(srv)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	ctx := context.Background()
	id, err := client.Create(ctx, "Account", adapter.Record{
		"Name":     "Azure Interior",
		"Contacts": []any{map[string]any{"LastName": "Freeman"}, map[string]any{"LastName": "Fletcher"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for contact, err := range adapter.All(ctx, client, adapter.Query{
		Model:  "Contact",
		Filter: adapter.Cond{Field: "AccountId", Op: adapter.Equal, Value: id},
		Fields: []string{"LastName", "Account.Name"},
		Order:  []adapter.Order{{Field: "LastName"}},
	}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(contact.String("LastName"), contact["Account"])
	}
	// Output:
	// Fletcher map[Name:Azure Interior]
	// Freeman map[Name:Azure Interior]
}

// Of many records, those that Salesforce refuses don't hinder the others.
func ExampleClient_CreateEach() {
	srv := salesforcetest.NewServer(salesforcetest.Config{NoDemo: true})
	defer srv.Close()
	client, err := connect(srv)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	_, err = client.CreateEach(context.Background(), "Lead", []adapter.Record{
		{"LastName": "Ada", "Company": "Engines"},
		{"LastName": "Nobody"},
		{"LastName": "Grace", "Company": "Compilers"},
	})
	var partial *adapter.PartialError
	if errors.As(err, &partial) {
		for i, err := range partial.Failed {
			fmt.Println(i, err)
		}
	}
	// Output:
	// 1 invalid_argument on Lead: Required fields are missing: [Company]
}

// A record by a key of one's own: created the first time, changed the second.
func ExampleClient_Upsert() {
	srv := salesforcetest.NewServer(salesforcetest.Config{NoDemo: true})
	defer srv.Close()
	client, err := connect(srv)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	for _, name := range []string{"Azure", "Azure Interior"} {
		_, created, err := client.Upsert(context.Background(), "Account", "External_Id__c", "C-7", adapter.Record{"Name": name})
		fmt.Println(created, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}
