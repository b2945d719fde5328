package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	packs "github.com/bridgecore/bridgecore/migrate/odoo"
)

// Pin a version: a program that was written for Odoo 13.0 goes on in front of
// 19.0, where a product that is kept in stock is of type "consu".
func ExampleSystem_As() {
	srv := odootest.NewServer(odootest.Config{Version: "19.0"})
	defer srv.Close()
	ctx := context.Background()
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo"}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password})
		}},
		Lenses: map[string]bridge.Lens{"odoo": {Pack: packs.Community()}},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	sys, err := b.System(ctx, bridge.Caller{Tenant: "acme", User: "sara"}, "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	old, err := sys.As("13.0")
	if err != nil {
		fmt.Println(err)
		return
	}

	if _, err = old.Create(ctx, "product.template", adapter.Record{"name": "Sextant", "type": "product"}); err != nil {
		fmt.Println(err)
		return
	}
	stored := json.RawMessage(`[["type", "=", "product"], ["name", "=", "Sextant"]]`)
	answer, err := old.Operation(ctx, "search_count", bridge.OperationRequest{Model: "product.template", Domain: stored})
	fmt.Println(string(answer.Result), err)
	_, err = old.Operation(ctx, "search", bridge.OperationRequest{Model: "res.partner", Domain: json.RawMessage(`[["title", "=", 1]]`)})
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// invalid_argument on res.partner: field "title": it was removed in version 19.0; titles of persons are gone
}
