package sap

import (
	"context"
	"net/http"

	"github.com/bridgecore/bridgecore/adapter"
)

var _ adapter.Adder = (*Client)(nil)

// Add implements [adapter.Adder]: a record is created under the one that it
// belongs to, as SAP wants it for most that have one:
// POST A_SalesOrder('1')/to_Item. What is nested in it is created with it.
func (c *Client) Add(ctx context.Context, model string, id adapter.ID, relation string, values adapter.Record) (adapter.ID, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return adapter.ID{}, err
	}
	if err := m.addressable("added to"); err != nil {
		return adapter.ID{}, err
	}
	nav := m.typ.Nav(relation)
	if nav == nil {
		return adapter.ID{}, m.unknown(relation, relation)
	}
	next := m.follow(nav)
	if next == nil || !nav.Many {
		return adapter.ID{}, m.unsupported(relation, "%s does not lead to many records that one could be added to", quote(relation))
	}
	k, err := m.parseID(id)
	if err != nil {
		return adapter.ID{}, err
	}
	path, err := m.path(k)
	if err != nil {
		return adapter.ID{}, err
	}
	converted, err := writing{m: next, create: true}.values(values)
	if err != nil {
		return adapter.ID{}, err
	}
	body, err := next.marshal(converted)
	if err != nil {
		return adapter.ID{}, err
	}
	req := next.request(ctx, http.MethodPost, path+"/"+relation, "")
	req.Header.Set("Content-Type", next.contentType())
	req.Body = body
	resp, err := next.do(ctx, req)
	if err != nil {
		return adapter.ID{}, err
	}
	return next.created(ctx, resp)
}
