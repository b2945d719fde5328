// Bridge puts a cache and a circuit breaker in front of an Odoo, in a program
// that runs no server:
//
//	ODOO_URL=... ODOO_DATABASE=... ODOO_USERNAME=... ODOO_PASSWORD=... go run ./examples/bridge
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
)

func main() {
	err := run(context.Background(), os.Stdout, odoo.Config{
		URL: os.Getenv("ODOO_URL"), Database: os.Getenv("ODOO_DATABASE"),
		Username: os.Getenv("ODOO_USERNAME"), Password: os.Getenv("ODOO_PASSWORD"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, config odoo.Config) error {
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", Connection: config}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, s bridge.SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, s.Connection.(odoo.Config))
		}},
		Cache: cache.New(cache.NewMemory(0)),
	})
	if err != nil {
		return err
	}
	defer b.Close()

	system, err := b.System(ctx, bridge.Caller{Tenant: "acme", User: "sara"}, "main")
	if err != nil {
		return err
	}
	for range 2 { // the second answer comes from the cache
		answer, err := system.Operation(ctx, "search_count", bridge.OperationRequest{Model: "res.partner"})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "partners: %s, cached: %t\n", answer.Result, answer.Cached)
	}
	partner, err := system.Create(ctx, "res.partner", adapter.Record{"name": "Sara"})
	if err != nil {
		return err
	}
	answer, err := system.Operation(ctx, "search_count", bridge.OperationRequest{Model: "res.partner"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "partners: %s, cached: %t, since the write\n", answer.Result, answer.Cached)
	if err := system.Delete(ctx, "res.partner", []adapter.ID{partner.ID()}); err != nil {
		return err
	}
	status := system.Status(ctx)
	fmt.Fprintf(out, "Odoo %s, breaker %s, %d calls\n", status.Version, status.Breaker.State, status.Pool.TotalRequests)
	return nil
}
