// Stream writes a whole model as JSON lines, however large it is, in constant
// memory:
//
//	ODOO_URL=... ODOO_DATABASE=... ODOO_USERNAME=... ODOO_PASSWORD=... \
//	go run ./examples/stream res.partner name email > partners.ndjson
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: stream MODEL [FIELD ...]")
		os.Exit(2)
	}
	config := odoo.Config{
		URL:      os.Getenv("ODOO_URL"),
		Database: os.Getenv("ODOO_DATABASE"),
		Username: os.Getenv("ODOO_USERNAME"),
		Password: os.Getenv("ODOO_PASSWORD"),
	}
	if err := stream(context.Background(), config, adapter.Query{Model: os.Args[1], Fields: os.Args[2:]}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func stream(ctx context.Context, config odoo.Config, q adapter.Query) error {
	client, err := odoo.Dial(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	return run(ctx, os.Stdout, client, q)
}

// run works with any adapter. All reads page by page, by id, so that records
// created or deleted meanwhile neither repeat nor hide others.
func run(ctx context.Context, w io.Writer, a adapter.Adapter, q adapter.Query) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for record, err := range adapter.All(ctx, a, q) {
		if err != nil {
			return err
		}
		if err := enc.Encode(record); err != nil {
			return err
		}
	}
	return out.Flush()
}
