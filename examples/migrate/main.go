// Migrate carries one record to another version and back: by the documented
// rules, by what Odoo really changed, and by rules of one's own on top.
//
//	go run ./examples/migrate
package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
	"github.com/bridgecore/bridgecore/migrate/odoo"
)

//go:embed own.yaml
var ownFiles embed.FS

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer) error {
	own, err := migrate.Load(ownFiles)
	if err != nil {
		return err
	}
	layered, err := migrate.Layer(odoo.Community(), own)
	if err != nil {
		return err
	}
	for _, pack := range []*migrate.Pack{odoo.Documented(), odoo.Community(), layered} {
		plan, err := pack.Compile("res.partner", "13.0", "19.0")
		if err != nil {
			return err
		}
		old := adapter.Record{"name": "Ahmed Al-Saudi", "customer": true, "mobile": "+966501234567", "x_vip": true}
		up, err := plan.Up(ctx, old)
		if err != nil {
			return err
		}
		// The residue is what the new version can't hold; with it the way back
		// is exact.
		back, err := plan.Down(ctx, up.Record, up.Residue)
		if err != nil {
			return err
		}
		for _, step := range []struct {
			name   string
			record adapter.Record
		}{{"19.0", up.Record}, {"13.0", back.Record}} {
			b, err := json.Marshal(step.record)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s %s %s\n", pack.Name, step.name, b); err != nil {
				return err
			}
		}
	}
	return nil
}
