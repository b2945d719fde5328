// Package odootest shows how to test a program of one's own against simulated
// Odoo servers: see the test beside it. The program is Confirm.
package odootest

import (
	"context"
	"errors"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
)

// ErrTryLater says that Odoo could not be reached and nothing was changed.
var ErrTryLater = errors.New("the shop is closed for a moment; nothing was ordered")

// Confirm orders one piece of a product for a customer and returns the order's
// state.
func Confirm(ctx context.Context, client *odoo.Client, customer, product adapter.ID) (string, error) {
	order, err := client.Create(ctx, "sale.order", adapter.Record{
		"partner_id": customer,
		"order_line": []any{[]any{0, 0, adapter.Record{"product_id": product, "product_uom_qty": 1}}},
	})
	switch {
	case errors.Is(err, adapter.ErrUnknownOutcome):
		return "", fmt.Errorf("look for the order before you order again: %w", err)
	case adapter.Retryable(err, true):
		return "", ErrTryLater
	case err != nil:
		return "", err
	}
	if _, err := client.Call(ctx, adapter.Call{Model: "sale.order", Method: "action_confirm", Args: []any{[]adapter.ID{order}}}); err != nil {
		return "", err
	}
	records, err := client.Read(ctx, "sale.order", []adapter.ID{order}, []string{"state"})
	if err != nil || len(records) == 0 {
		return "", err
	}
	return records[0].String("state"), nil
}
