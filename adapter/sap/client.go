// Package sap is the adapter to SAP systems that publish OData services, of
// OData v2 and v4 alike.
package sap

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
)

// Client is one connected SAP system. It is safe for concurrent use.
type Client struct {
	config Config
	info   adapter.Info
}

// Dial connects to the system that config describes.
func Dial(_ context.Context, config Config) (*Client, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	return nil, adapter.Errorf(adapter.Unsupported, "the connection to SAP is not built yet")
}

// Info implements [adapter.Adapter].
func (c *Client) Info() adapter.Info { return c.info }
