package salesforce

import (
	"context"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// SetMaxURI bounds the addresses that a client uses.
func SetMaxURI(c *Client, n int) { c.uri = n }

// ChangeCursor is a cursor of the changes since a time.
func ChangeCursor(model string, since time.Time) string {
	return (&window{from: since}).cursor(&object{Name: model})
}

// Where renders a filter as a WHERE clause.
func Where(ctx context.Context, c *Client, model string, f adapter.Filter) (string, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return "", err
	}
	compiled, err := c.filter(ctx, o, f)
	if err != nil {
		return "", err
	}
	return compiled.where.where(), nil
}
