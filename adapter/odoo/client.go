package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// conn is a logged-in connection: *rpc.Conn, or a test's own.
type conn interface {
	Call(ctx context.Context, call rpc.Call) (json.RawMessage, error)
	Version() rpc.Version
	Transport() string
	UID() int64
	Ping(ctx context.Context) error
	Close() error
}

var _ conn = (*rpc.Conn)(nil)

// Client is one connected Odoo database. It is safe for concurrent use.
type Client struct {
	conn    conn
	info    adapter.Info
	version Version
	config  Config // without secrets
	schemas *schemaCache
	closed  atomic.Bool
}

var (
	_ adapter.Adapter      = (*Client)(nil)
	_ adapter.Counter      = (*Client)(nil)
	_ adapter.IDSearcher   = (*Client)(nil)
	_ adapter.Reader       = (*Client)(nil)
	_ adapter.NameSearcher = (*Client)(nil)
	_ adapter.Caller       = (*Client)(nil)
	_ adapter.BatchCreator = (*Client)(nil)
	_ adapter.Attacher     = (*Client)(nil)
	_ adapter.Conditional  = (*Client)(nil)
	_ adapter.Upserter     = (*Client)(nil)
	_ adapter.Pinger       = (*Client)(nil)
	_ adapter.Clocked      = (*Client)(nil)
)

// Version is the version of an Odoo server.
type Version struct {
	Major  int    // 17
	Minor  int    // 0
	Series string // "17.0", "saas~17.4"
	Full   string // as the server writes it: "17.0-20240709"
}

// String returns the series.
func (v Version) String() string { return v.Series }

// Dial connects to the database that config describes: it finds out the
// server's version, chooses a transport and logs in. The context bounds Dial
// alone, not the Client's later calls.
//
// A wrong config is ErrInvalidArgument whose Field names what is wrong, a
// refused login ErrUnauthenticated, a server that can't be reached
// ErrUnavailable, and a version before 13.0 ErrUnsupported.
func Dial(ctx context.Context, config Config) (*Client, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	conn, err := rpc.Dial(ctx, rpc.Config{
		URL:         config.URL,
		Database:    config.Database,
		Username:    config.Username,
		Password:    config.Password,
		APIKey:      config.APIKey,
		Transport:   config.Transport,
		Timeout:     config.Timeout,
		MaxConns:    config.MaxConns,
		MaxResponse: config.MaxResponse,
		Control:     config.Control,
		Wrap:        config.WrapTransport,
		TLS:         config.TLS,
	})
	if err != nil {
		return nil, err
	}
	client := newClient(conn, config)
	if client.version.Major < oldest {
		_ = conn.Close()
		return nil, adapter.Errorf(adapter.Unsupported, "Odoo %s is too old; 13.0 and later are supported", client.version)
	}
	return client, nil
}

// oldest is the first version whose behaviour the adapter knows. Later ones
// than it knows are taken for the newest it does.
const (
	oldest = 13
	newest = 19
)

func newClient(conn conn, config Config) *Client {
	config.Password, config.APIKey = "", ""
	if config.PageSize == 0 {
		config.PageSize = DefaultPageSize
	}
	if config.MaxAttachment == 0 {
		config.MaxAttachment = DefaultMaxAttachment
	}
	v := conn.Version()
	c := &Client{
		conn:    conn,
		config:  config,
		version: Version{Major: v.Major, Minor: v.Minor, Series: v.Series, Full: v.Full},
	}
	c.info = adapter.Info{
		Kind:      "odoo",
		Version:   c.version.String(),
		Build:     v.Full,
		Transport: conn.Transport(),
		URL:       publicURL(config.URL),
		Database:  config.Database,
	}
	if uid := conn.UID(); uid > 0 {
		c.info.UserID = adapter.IntID(uid)
	}
	c.schemas = newSchemaCache(c.loadSchema)
	return c
}

// Info implements [adapter.Adapter].
func (c *Client) Info() adapter.Info { return c.info }

// Version returns the server's version.
func (c *Client) Version() Version { return c.version }

// known is the version whose data apply: the server's own, or the newest that
// there are data for.
func (c *Client) known() int { return min(c.version.Major, newest) }

// Ping checks that the server answers and still accepts the login.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	return c.conn.Ping(ctx)
}

// Clock implements [adapter.Clocked] by the Date of the server's answers.
func (c *Client) Clock() (now time.Time, ok bool) {
	if known, is := c.conn.(interface{ Clock() (time.Time, bool) }); is {
		return known.Clock()
	}
	return time.Time{}, false
}

// Close releases the connections. Calls under way fail.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.conn.Close()
}

// ready is the error of a call that can't be made: the client is closed, or
// its caller is gone.
func (c *Client) ready(ctx context.Context) error {
	if c.closed.Load() {
		return errClosed()
	}
	if err := ctx.Err(); err != nil {
		return contextError(err)
	}
	return nil
}

func errClosed() error {
	return &adapter.Error{Code: adapter.Unavailable, Message: "the connection to Odoo is closed", NothingSent: true, Err: errors.New("odoo: client is closed")}
}

// invoke makes one call for the context's scope. kwargs may be nil and is not
// changed; a "context" in it wins over the scope, entry by entry.
func (c *Client) invoke(ctx context.Context, model, method string, args []any, kwargs map[string]any) (json.RawMessage, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	merged, err := mergeContext(adapter.ScopeFrom(ctx), kwargs["context"])
	if err != nil {
		return nil, err
	}
	if merged != nil || kwargs["context"] != nil {
		named := make(map[string]any, len(kwargs)+1)
		maps.Copy(named, kwargs)
		delete(named, "context")
		if merged != nil {
			named["context"] = merged
		}
		kwargs = named
	}
	return c.conn.Call(ctx, rpc.Call{
		Model: model, Method: method, Args: args, Kwargs: kwargs, Changes: !readsOnly(method),
	})
}

// fetch is invoke with the answer decoded into target, number literals kept.
func (c *Client) fetch(ctx context.Context, target any, model, method string, args []any, kwargs map[string]any) error {
	raw, err := c.invoke(ctx, model, method, args, kwargs)
	if err != nil {
		return err
	}
	return c.decode(raw, target, model, method)
}

func (c *Client) decode(raw json.RawMessage, target any, model, method string) error {
	if err := adapter.DecodeJSON(raw, target); err != nil {
		return &adapter.Error{
			Code: adapter.Internal, Model: model,
			Message: "Odoo's answer to " + method + " has an unexpected form",
			Err:     fmt.Errorf("odoo: answer to %s.%s: %w", model, method, err),
		}
	}
	return nil
}

// contextError is the error of a call whose context ended before it was sent.
func contextError(err error) error {
	e := &adapter.Error{Code: adapter.Canceled, Message: "the call was cancelled", NothingSent: true, Err: err}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Code, e.Message, e.Temporary = adapter.Timeout, "there was no time left for the call", true
	}
	return e
}

// mergeContext makes Odoo's context of a scope and a call's own. It is nil
// where there is nothing to say.
func mergeContext(s adapter.Scope, own any) (map[string]any, error) {
	merged := make(map[string]any, 3+len(s.Values))
	if s.Language != "" {
		merged["lang"] = s.Language
	}
	if s.Timezone != "" {
		merged["tz"] = s.Timezone
	}
	if len(s.Companies) > 0 {
		merged["allowed_company_ids"] = s.Companies
	}
	maps.Copy(merged, s.Values)
	switch own := own.(type) {
	case nil:
	case bool:
		if own {
			return nil, badContext(own)
		}
	case map[string]any:
		maps.Copy(merged, own)
	case json.RawMessage:
		var m map[string]any
		if err := adapter.DecodeJSON(own, &m); err != nil {
			return nil, badContext(own)
		}
		maps.Copy(merged, m)
	default:
		return nil, badContext(own)
	}
	if len(merged) == 0 {
		return nil, nil
	}
	return merged, nil
}

func badContext(v any) error {
	e := adapter.Errorf(adapter.InvalidArgument, "context must be an object such as {\"lang\": \"en_US\"}, not %s", kindOf(v))
	e.Field = "context"
	return e
}

// schemaTimeout bounds the load of a schema, which no single caller's context
// does, since callers share it.
const schemaTimeout = time.Minute
