// Migratepin calls an Odoo of any version in the words of 13.0:
//
//	ODOO_URL=... ODOO_DATABASE=... ODOO_USERNAME=... ODOO_PASSWORD=... \
//	go run ./examples/migratepin
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/bridge"
	rules "github.com/bridgecore/bridgecore/migrate/odoo"
)

func main() {
	err := run(context.Background(), os.Stdout, odoo.Config{
		URL:      os.Getenv("ODOO_URL"),
		Database: os.Getenv("ODOO_DATABASE"),
		Username: os.Getenv("ODOO_USERNAME"),
		Password: os.Getenv("ODOO_PASSWORD"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, config odoo.Config) error {
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo"}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			client, err := odoo.Dial(ctx, config)
			if err != nil {
				return nil, err
			}
			return client, nil
		}},
		Lenses: map[string]bridge.Lens{"odoo": {Pack: rules.Community()}},
	})
	if err != nil {
		return err
	}
	defer b.Close()
	sys, err := b.System(ctx, bridge.Caller{Tenant: "acme", User: "sara"}, "main")
	if err != nil {
		return err
	}
	pinned, err := sys.As("13.0")
	if err != nil {
		return err
	}
	// The taxes and the unit of an order's line had other names in 13.0.
	answer, err := pinned.Read(ctx, bridge.Reading{
		Query:  adapter.Query{Model: "sale.order.line", Fields: []string{"name", "tax_id", "product_uom"}, Limit: 3},
		Domain: json.RawMessage(`[["product_uom", "!=", false]]`),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", answer.Result)
	return err
}
