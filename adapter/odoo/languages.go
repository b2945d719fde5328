package odoo

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
)

var _ adapter.Linguist = (*Client)(nil)

// Languages implements [adapter.Linguist]: those that the database has
// installed and not archived. 18.0 and later refuse calls in another one.
func (c *Client) Languages(ctx context.Context) ([]string, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	var rows []struct {
		Code text `json:"code"`
	}
	ctx = adapter.WithScope(ctx, adapter.Scope{})
	err := c.fetch(ctx, &rows, "res.lang", "search_read", nil, map[string]any{"domain": []any{}, "fields": []any{"code"}})
	if err != nil {
		return nil, err
	}
	codes := make([]string, len(rows))
	for i, row := range rows {
		codes[i] = string(row.Code)
	}
	return codes, nil
}
