// Universal makes a contact, a product and an order in whatever systems it is
// given, with the same calls for Odoo, SAP and Salesforce:
//
//	ODOO_URL=... ODOO_DATABASE=... ODOO_USERNAME=... ODOO_PASSWORD=... go run ./examples/universal
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

func main() {
	err := run(context.Background(), os.Stdout, system{
		name: "main", kind: "odoo",
		dial: func(ctx context.Context) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{
				URL: os.Getenv("ODOO_URL"), Database: os.Getenv("ODOO_DATABASE"),
				Username: os.Getenv("ODOO_USERNAME"), Password: os.Getenv("ODOO_PASSWORD"),
			})
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// system is one to make an order in.
type system struct {
	name, kind string
	dial       func(context.Context) (adapter.Adapter, error)
}

// run makes the journey through each system and prints what it saw there.
func run(ctx context.Context, out io.Writer, systems ...system) error {
	configs := make([]bridge.SystemConfig, len(systems))
	openers := map[string]bridge.Opener{}
	for i, s := range systems {
		configs[i] = bridge.SystemConfig{Tenant: "acme", ID: s.name, Kind: s.kind, Connection: s.dial}
		openers[s.kind] = func(ctx context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
			return c.Connection.(func(context.Context) (adapter.Adapter, error))(ctx)
		}
	}
	kept := cache.New(cache.NewMemory(0))
	defer kept.Close()
	b, err := bridge.New(bridge.Config{Source: bridge.Static(configs...), Openers: openers, Cache: kept, Mappings: standard.Set()})
	if err != nil {
		return err
	}
	defer b.Close()
	for _, s := range systems {
		own, err := b.System(ctx, bridge.Caller{Tenant: "acme", User: "sara"}, s.name)
		if err != nil {
			return err
		}
		universal, err := own.Universal(bridge.UniversalOptions{})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "== %s\n", s.name)
		if err := journey(ctx, out, universal); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// journey is the same for every system. Nothing in it says which one it is.
func journey(ctx context.Context, out io.Writer, sys *bridge.System) error {
	contact, err := sys.Create(ctx, "contact", adapter.Record{
		"name": `O'Brien & "Söhne"`, "phone": "+966 11 123", "street": "King Fahd Rd", "city": "Riyadh", "zip": "11564", "country": "SA",
	})
	if err != nil {
		return err
	}
	product, err := sys.Create(ctx, "product", adapter.Record{"name": "Oak desk", "default_code": "DESK-OAK"})
	if err != nil {
		return err
	}
	line := func(quantity, price float64) map[string]any {
		return map[string]any{"product_id": product.ID(), "quantity": quantity, "unit_price": price}
	}
	order, err := sys.Create(ctx, "sale_order", adapter.Record{
		"partner_id": contact.ID(), "date_order": "2026-03-14T00:00:00Z", "customer_reference": "PO-4711",
		"order_lines": []any{line(2, 10.5), line(3, 99)},
	})
	if err != nil {
		return err
	}
	err = show(ctx, out, sys, "contact", adapter.And{is("name", contact["name"]), is("country", "SA")}, "name", "phone", "street", "city", "zip", "country")
	if err != nil {
		return err
	}
	if err := show(ctx, out, sys, "product", is("default_code", "DESK-OAK"), "name", "default_code"); err != nil {
		return err
	}
	if err := showOrder(ctx, out, sys, contact.ID(), "PO-4711"); err != nil {
		return err
	}

	// Whoever changes what somebody else has changed meanwhile is told so.
	tag, err := sys.ETag(ctx, "sale_order", order.ID())
	if err != nil {
		return err
	}
	if err := sys.UpdateIf(ctx, "sale_order", order.ID(), tag, adapter.Record{"customer_reference": "PO-4712"}); err != nil {
		return err
	}
	err = sys.UpdateIf(ctx, "sale_order", order.ID(), tag, adapter.Record{"customer_reference": "PO-4713"})
	if !errors.Is(err, adapter.ErrPreconditionFailed) {
		return fmt.Errorf("a stale tag was taken: %w", err)
	}
	fmt.Fprintln(out, "a second change with the same tag was refused")
	if err := showOrder(ctx, out, sys, contact.ID(), "PO-4712"); err != nil {
		return err
	}

	if err := sys.Delete(ctx, "sale_order", []adapter.ID{order.ID()}); err != nil {
		return err
	}
	left, err := sys.Count(ctx, "sale_order", is("partner_id", contact.ID().Value()))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "orders left: %d\n", left)
	return nil
}

func is(field string, value any) adapter.Cond {
	return adapter.Cond{Field: field, Op: adapter.Equal, Value: value}
}

// showOrder reads an order back by what it holds, with its lines.
func showOrder(ctx context.Context, out io.Writer, sys *bridge.System, contact adapter.ID, reference string) error {
	filter := adapter.And{is("partner_id", contact.Value()), is("customer_reference", reference)}
	return show(ctx, out, sys, "sale_order", filter, "customer_reference", "date_order", "amount_untaxed",
		"order_lines.quantity", "order_lines.unit_price", "order_lines.subtotal")
}

// show prints fields of the records that a filter fits, their ids left out:
// they alone differ from system to system.
func show(ctx context.Context, out io.Writer, sys *bridge.System, model string, filter adapter.Filter, fields ...string) error {
	answer, err := sys.Read(ctx, bridge.Reading{Query: adapter.Query{Model: model, Fields: fields, Filter: filter}})
	if err != nil {
		return err
	}
	for _, w := range answer.Warnings {
		slog.WarnContext(ctx, w.Message, "model", w.Model, "field", w.Field)
	}
	records, err := answer.Records()
	if err != nil {
		return err
	}
	for _, r := range records {
		b, err := json.Marshal(withoutIDs(map[string]any(r)))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s\n", model, b)
	}
	return nil
}

// withoutIDs takes ids away, and writes numbers alike: 2, 2.0 and 2.000 are
// what three systems write for the same.
func withoutIDs(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if name != "id" {
				out[name] = withoutIDs(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withoutIDs(item)
		}
		return out
	case json.Number:
		f, _ := v.Float64()
		return f
	}
	return v
}
