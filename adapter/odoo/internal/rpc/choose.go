package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// choose finds the version and a transport, and logs in.
func (c *Conn) choose(ctx context.Context) error {
	v, err := c.wire.probe(ctx, c.cfg.Transport)
	if err != nil {
		// JSON-2 has no word for the version; where nothing else is let
		// through, that it answers is all there is to know.
		if c.cfg.APIKey == "" || c.cfg.Transport != "" && c.cfg.Transport != JSON2 || !closed(err) {
			return err
		}
		c.way, c.version = c.newWay(JSON2), Version{Major: 19, Series: "19.0", Full: "19.0"}
		if loginErr := c.loginVia(ctx, c.way); !closed(loginErr) {
			return loginErr
		}
		return err
	}
	c.version = v
	candidates, err := c.cfg.candidates(v)
	if err != nil {
		return err
	}
	var firstErr error
	for _, name := range candidates {
		c.way = c.newWay(name)
		err := c.loginVia(ctx, c.way)
		if err == nil || !closed(err) {
			return err
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return firstErr
}

// candidates are the transports to try, the best first.
func (cfg Config) candidates(v Version) ([]string, error) {
	if cfg.APIKey != "" && cfg.Password == "" && v.Major < 14 {
		return nil, configError("api_key", "Odoo %s knows no API keys: use a password", v.Series)
	}
	if cfg.Transport == JSON2 && v.Major < 19 {
		return nil, &adapter.Error{Code: adapter.Unsupported, Field: "transport", Message: "Odoo " + v.Series + " has no JSON-2, which came with 19.0: use another transport"}
	}
	if cfg.Transport != "" {
		return []string{cfg.Transport}, nil
	}
	var names []string
	if cfg.APIKey != "" && v.Major >= 19 {
		names = append(names, JSON2)
	}
	if cfg.Username != "" {
		names = append(names, JSONRPC)
		if cfg.Password != "" {
			names = append(names, Session)
		}
		names = append(names, XMLRPC)
	}
	if names == nil {
		return nil, configError("username", "Odoo %s needs the username that the API key belongs to", v.Series)
	}
	return names, nil
}

func (c *Conn) newWay(name string) way {
	cfg := c.cfg
	switch name {
	case JSON2:
		return &jsonTwo{wire: c.wire, db: cfg.Database, key: cfg.APIKey}
	case Session:
		return &session{wire: c.wire, db: cfg.Database, user: cfg.Username, password: cfg.Password}
	case XMLRPC:
		return &xmlRPC{wire: c.wire, db: cfg.Database, user: cfg.Username, secret: cfg.secret(c.version)}
	default:
		return &jsonrpc{wire: c.wire, db: cfg.Database, user: cfg.Username, secret: cfg.secret(c.version)}
	}
}

// secret is the password of RPC: the API key from 14.0 on, when there is one.
func (cfg Config) secret(v Version) string {
	if cfg.APIKey != "" && (v.Major >= 14 || cfg.Password == "") {
		return cfg.APIKey
	}
	return cfg.Password
}

// closed reports whether an error leaves hope for another way: this one is
// blocked, or what answers on it is not Odoo.
func closed(err error) bool {
	if blocked(err) {
		return true
	}
	e, ok := errors.AsType[*adapter.Error](err)
	return ok && e.Code == adapter.Unavailable && e.Field == "url"
}

// probe asks for the version over one interface.
type probe struct {
	transport string // the one that it shares its interface with
	ask       func(context.Context, *wire) (json.RawMessage, error)
}

var probes = []probe{
	{Session, func(ctx context.Context, w *wire) (json.RawMessage, error) {
		return w.jsonRPC(ctx, jsonRPCRequest{path: "/web/webclient/version_info", params: map[string]any{}, limit: smallAnswer})
	}},
	{JSON2, func(ctx context.Context, w *wire) (json.RawMessage, error) {
		a, err := w.send(ctx, request{get: true, path: "/web/version", limit: smallAnswer})
		if err != nil {
			return nil, err
		}
		return decodeJSON2(a, Call{})
	}},
	{JSONRPC, func(ctx context.Context, w *wire) (json.RawMessage, error) {
		return w.service(ctx, "common", "version")
	}},
	{XMLRPC, func(ctx context.Context, w *wire) (json.RawMessage, error) {
		return w.xmlRPC(ctx, xmlCommon, Call{}, "version")
	}},
}

// probe asks for the version, first over the interface that is going to be
// used, if that is known. Its error is the first one, or a redirect, which
// says most about what is wrong.
func (w *wire) probe(ctx context.Context, transport string) (Version, error) {
	order := slices.Clone(probes)
	if i := slices.IndexFunc(order, func(p probe) bool { return p.transport == transport }); i > 0 {
		first := order[i]
		order = slices.Insert(slices.Delete(order, i, i+1), 0, first)
	}
	var worst error
	for _, p := range order {
		result, err := p.ask(ctx, w)
		var v Version
		if err == nil {
			v, err = parseVersion(result)
		}
		if err == nil || !closed(err) {
			return v, err
		}
		if worst == nil || redirected(err) && !redirected(worst) {
			worst = err
		}
	}
	return Version{}, worst
}

func redirected(err error) bool {
	h, ok := errors.AsType[*httpError](err)
	return ok && h.location != ""
}
