package sap

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// Client is one connected SAP system. It is safe for concurrent use.
type Client struct {
	conn     *wire.Conn
	config   Config // without secrets
	info     adapter.Info
	services []*service
	byName   map[string]*service
}

var (
	_ adapter.Adapter      = (*Client)(nil)
	_ adapter.Counter      = (*Client)(nil)
	_ adapter.IDSearcher   = (*Client)(nil)
	_ adapter.Reader       = (*Client)(nil)
	_ adapter.NameSearcher = (*Client)(nil)
	_ adapter.Caller       = (*Client)(nil)
	_ adapter.BatchCreator = (*Client)(nil)
	_ adapter.EachCreator  = (*Client)(nil)
	_ adapter.Streamer     = (*Client)(nil)
	_ adapter.Nester       = (*Client)(nil)
	_ adapter.Conditional  = (*Client)(nil)
	_ adapter.Upserter     = (*Client)(nil)
	_ adapter.ChangeFeeder = (*Client)(nil)
	_ adapter.Dater        = (*Client)(nil)
	_ adapter.Clocked      = (*Client)(nil)
	_ adapter.Attacher     = (*Client)(nil)
	_ adapter.Pinger       = (*Client)(nil)
)

// Dial connects to the system that config describes: it asks the first of the
// services that is there whether it takes the credentials. The context bounds
// Dial alone, not the Client's later calls.
//
// A wrong config is ErrInvalidArgument whose Field names what is wrong, refused
// credentials are ErrUnauthenticated, and a system that can't be reached is
// ErrUnavailable. If none of the services is there, it is ErrNotFound.
func Dial(ctx context.Context, config Config) (*Client, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	if err := c.Ping(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func newClient(config Config) (*Client, error) {
	config = config.withDefaults()
	conn, err := wire.New(wire.Config{
		URL: config.URL, Auth: config.auth(), Username: config.Username, Password: config.Password,
		TokenURL: config.TokenURL, ClientID: config.ClientID, ClientSecret: config.ClientSecret,
		Scopes: config.Scopes, BearerToken: config.BearerToken, Client: config.Client, Language: config.Language,
		Timeout: config.Timeout, MaxConns: config.MaxConns, MaxResponse: config.MaxResponse,
		Control: config.Control, Wrap: config.WrapTransport, TLS: config.TLS,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, byName: map[string]*service{}}
	c.info = adapter.Info{Kind: "sap", Version: config.Version, Transport: "odata", URL: publicURL(config.URL), Database: config.Client}
	config.Auth = config.auth()
	config.Password, config.ClientSecret, config.BearerToken = "", "", ""
	c.config = config
	for _, s := range config.Services {
		own := newService(c, s)
		c.services = append(c.services, own)
		c.byName[s.Name] = own
	}
	return c, nil
}

func (c Config) withDefaults() Config {
	c.URL = strings.TrimRight(c.URL, "/")
	if c.Services == nil {
		c.Services = DefaultServices()
	}
	services := make([]Service, len(c.Services))
	for i, s := range c.Services {
		if s.Path == "" {
			s.Path = defaultPath(s.Name)
		}
		s.Path = strings.TrimRight(s.Path, "/")
		services[i] = s
	}
	c.Services = services
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxConns == 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = DefaultMaxResponse
	}
	if c.PageSize == 0 {
		c.PageSize = DefaultPageSize
	}
	if c.MaxURL == 0 {
		c.MaxURL = DefaultMaxURL
	}
	if c.MaxAttachment == 0 {
		c.MaxAttachment = DefaultMaxAttachment
	}
	return c
}

// Info implements [adapter.Adapter].
func (c *Client) Info() adapter.Info { return c.info }

// Nests implements [adapter.Nester].
func (c *Client) Nests() {}

// Close releases the connections. Calls under way end as they would.
func (c *Client) Close() error { return c.conn.Close() }

// Ping checks that the system answers and still accepts the credentials. A
// service that is not activated, or not for this user, does not fail it while
// another is.
func (c *Client) Ping(ctx context.Context) error {
	var first error
	for _, s := range c.services {
		_, err := c.conn.Do(ctx, wire.Request{
			Method: "GET", Service: s.path, Path: "/", Language: language(ctx), Header: accept(jsonPlain), Limit: 4 << 20,
		})
		if err == nil {
			return nil
		}
		e, ok := errors.AsType[*adapter.Error](err)
		if !ok || e.Code != adapter.NotFound && e.Code != adapter.PermissionDenied {
			return err
		}
		if first == nil {
			own := *e
			own.Message = "service " + s.name + ": " + e.Message
			first = &own
		}
	}
	return first
}

// Clock implements [adapter.Clocked] by the Date of the system's answers.
func (c *Client) Clock() (now time.Time, ok bool) { return c.conn.Clock() }

// language is the one that the caller's scope asks for, as SAP writes it.
func language(ctx context.Context) string {
	code := adapter.ScopeFrom(ctx).Language
	if !sapLanguage.MatchString(code) {
		return ""
	}
	if strings.EqualFold(code, "zh_TW") {
		return "ZF"
	}
	// "fr_FR" and "ar_001" are Odoo's; SAP knows the first part.
	code, _, _ = strings.Cut(code, "_")
	return strings.ToUpper(code)
}

// ready is the error of a call that can't be made: the client is closed, or
// its caller is gone.
func (c *Client) ready(ctx context.Context, model string) error {
	if err := c.conn.Closed(model); err != nil {
		return err
	}
	return wire.NotSent(ctx, model)
}
