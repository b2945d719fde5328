// Sync keeps the companies of two Odoo servers of different versions the same:
//
//	FROM_URL=... FROM_DATABASE=... FROM_USERNAME=... FROM_PASSWORD=... \
//	TO_URL=... TO_DATABASE=... TO_USERNAME=... TO_PASSWORD=... \
//	go run ./examples/sync
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/bridge"
	rules "github.com/bridgecore/bridgecore/migrate/odoo"
	"github.com/bridgecore/bridgecore/recordsync"
)

func main() {
	if err := run(context.Background(), os.Stdout, server("FROM"), server("TO")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func server(prefix string) odoo.Config {
	return odoo.Config{
		URL:      os.Getenv(prefix + "_URL"),
		Database: os.Getenv(prefix + "_DATABASE"),
		Username: os.Getenv(prefix + "_USERNAME"),
		Password: os.Getenv(prefix + "_PASSWORD"),
	}
}

func run(ctx context.Context, w io.Writer, from, to odoo.Config) error {
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(
			bridge.SystemConfig{Tenant: "acme", ID: "from", Kind: "odoo", Connection: from},
			bridge.SystemConfig{Tenant: "acme", ID: "to", Kind: "odoo", Connection: to},
		),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
			client, err := odoo.Dial(ctx, c.Connection.(odoo.Config))
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
	caller := bridge.Caller{Tenant: "acme", User: "sara"}
	source, err := b.System(ctx, caller, "from")
	if err != nil {
		return err
	}
	target, err := b.System(ctx, caller, "to")
	if err != nil {
		return err
	}
	pair := recordsync.Pair{
		Source: source, Target: target, Links: recordsync.NewMemory(),
		Words: recordsync.Pinned, Version: "17.0",
		Model: "res.partner", Fields: []string{"name", "email", "phone", "street", "city"},
		Filter: adapter.Cond{Field: "is_company", Op: adapter.Equal, Value: true},
		Match:  []string{"email"}, Bidirectional: true, Policy: recordsync.Newest,
	}
	// The second run finds nothing to do.
	for range 2 {
		sums, err := pair.Run(ctx, func(o recordsync.Outcome) {
			if o.Action != recordsync.Unchanged {
				_, _ = fmt.Fprintln(w, o)
			}
		})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%d looked at, %d written\n", sums.Total, sums.Wrote()); err != nil {
			return err
		}
	}
	return nil
}
