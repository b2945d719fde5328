package rpc

import "context"

// choose finds the version and a transport, and logs in.
func (c *Conn) choose(ctx context.Context) error {
	v, err := c.wire.probe(ctx)
	if err != nil {
		return err
	}
	c.version = v
	c.way = &jsonrpc{wire: c.wire, db: c.cfg.Database, user: c.cfg.Username, secret: c.cfg.secret(v)}
	return c.loginVia(ctx, c.way)
}

// secret is the password of RPC: the API key from 14.0 on, when there is one.
func (cfg Config) secret(v Version) string {
	if cfg.APIKey != "" && (v.Major >= 14 || cfg.Password == "") {
		return cfg.APIKey
	}
	return cfg.Password
}

// probe asks for the version.
func (w *wire) probe(ctx context.Context) (Version, error) {
	result, err := w.jsonRPC(ctx, jsonRPCRequest{path: "/web/webclient/version_info", params: map[string]any{}, limit: smallAnswer})
	if err != nil {
		return Version{}, err
	}
	return parseVersion(result)
}
