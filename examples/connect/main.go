// Connect reads a few partners of any Odoo, 13.0 to 19.0, whatever transport
// it allows:
//
//	ODOO_URL=https://odoo.example.com ODOO_DATABASE=production \
//	ODOO_USERNAME=admin ODOO_PASSWORD=secret go run ./examples/connect
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
)

func main() {
	err := run(context.Background(), os.Stdout, odoo.Config{
		URL:      os.Getenv("ODOO_URL"),
		Database: os.Getenv("ODOO_DATABASE"),
		Username: os.Getenv("ODOO_USERNAME"),
		Password: os.Getenv("ODOO_PASSWORD"),
		APIKey:   os.Getenv("ODOO_API_KEY"), // in place of the password; opens JSON-2 on 19.0
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, config odoo.Config) error {
	client, err := odoo.Dial(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	info := client.Info()
	fmt.Fprintf(out, "Odoo %s over %s\n", info.Version, info.Transport)

	companies, err := adapter.ParseDomainJSON([]byte(`[["is_company", "=", true]]`))
	if err != nil {
		return err
	}
	// A field that this version of Odoo lacks does not fail the call: it is
	// replaced or left out, and a warning says so.
	ctx, warnings := adapter.WithWarnings(ctx)
	page, err := client.Query(ctx, adapter.Query{
		Model:  "res.partner",
		Filter: companies,
		Fields: []string{"name", "email", "mobile", "country_id"},
		Order:  []adapter.Order{{Field: "name"}},
		Limit:  5,
	})
	if err != nil {
		return err
	}
	for _, partner := range page.Records {
		// Odoo says false for an empty value of any type. The accessors read
		// it as empty and never panic.
		fmt.Fprintf(out, "%s: %s, %s\n", partner.ID(), partner.String("name"), partner.String("country_id"))
	}
	for _, w := range warnings.List() {
		fmt.Fprintln(out, "note:", w.Message)
	}
	return nil
}
