// Package rpc calls methods of Odoo servers, 13.0 and later, over whichever
// of their interfaces is open: JSON-2, JSON-RPC, a web session, or XML-RPC.
//
// The four behave alike: a call is a model, a method and its arguments, an
// answer is JSON, and an error is an [*adapter.Error] whose code does not
// depend on the way the call took (see fault.go for the little that XML-RPC
// can't tell).
package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

// Call is one call of a method of a model.
type Call struct {
	Model  string
	Method string
	// Args are positional arguments; for a method of records the first is the
	// list of ids. Kwargs are named ones; "context" may be among them. Values
	// are whatever encoding/json can write.
	Args   []any
	Kwargs map[string]any
	// Changes says that the call may change something, so that a lost answer
	// is an unknown outcome rather than something to repeat.
	Changes bool
}

// Conn is a connection to one database as one user. It is safe for concurrent
// use.
type Conn struct {
	cfg     Config
	wire    *wire
	way     way
	version Version
	uid     atomic.Int64
	closed  atomic.Bool
	key     [sha256.Size]byte // of the credentials, for refusals
	logins  chan struct{}     // holds one token: who has it logs in
}

// way is a transport: one way to log in and to call.
type way interface {
	name() string
	// login proves the credentials and returns the user's id. Credentials that
	// were refused are Unauthenticated, a database that isn't there is NotFound
	// with the field "database".
	login(ctx context.Context) (int64, error)
	// call makes the call for the user of the given id. Unauthenticated means
	// that the server refused the credentials, or that a method of the model
	// said so for reasons of its own.
	call(ctx context.Context, uid int64, c Call) (json.RawMessage, error)
	// ping asks for as little as possible.
	ping(ctx context.Context) error
}

// Dial connects: it asks for the server's version, chooses a transport and
// logs in. The server's refusal of the credentials is ErrUnauthenticated and
// is remembered for a minute, so that further attempts with the same ones
// don't run into Odoo's own, longer lock; an unknown database is ErrNotFound
// with the field "database".
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w, err := newWire(cfg)
	if err != nil {
		return nil, err
	}
	c := &Conn{cfg: cfg, wire: w, key: credentialKey(w.base, cfg), logins: make(chan struct{}, 1)}
	c.logins <- struct{}{}
	if err := refused.check(c.key, w.now()); err != nil {
		return nil, err
	}
	if err := c.choose(ctx); err != nil {
		w.transport.CloseIdleConnections()
		return nil, asConfigError(err)
	}
	return c, nil
}

// asConfigError makes an error that the configuration caused the caller's.
func asConfigError(err error) error {
	if e, ok := errors.AsType[*adapter.Error](err); ok && e.Code == adapter.Unavailable && e.Field == "url" {
		own := *e
		own.Code = adapter.InvalidArgument
		return &own
	}
	return err
}

// Version returns the server's version.
func (c *Conn) Version() Version { return c.version }

// Transport returns the name of the transport in use, one of the constants.
func (c *Conn) Transport() string { return c.way.name() }

// UID returns the id of the connected user.
func (c *Conn) UID() int64 { return c.uid.Load() }

// Clock returns the server's time now, as its last answer was dated, and
// whether one was.
func (c *Conn) Clock() (time.Time, bool) { return c.wire.clock.Clock() }

// Base returns the server's address as it is used, without a trailing slash.
func (c *Conn) Base() string { return c.wire.base }

// Ping checks that the server answers, at little cost.
func (c *Conn) Ping(ctx context.Context) error {
	if c.closed.Load() {
		return errClosed()
	}
	return c.way.ping(ctx)
}

// Close releases the idle connections. Calls after it fail with
// ErrUnavailable; calls under way end as they would.
func (c *Conn) Close() error {
	c.closed.Store(true)
	c.wire.transport.CloseIdleConnections()
	return nil
}

func errClosed() error {
	return &adapter.Error{Code: adapter.Unavailable, Message: "the connection is closed", NothingSent: true}
}

var (
	modelName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$`)
	methodName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Call calls a method and returns its result as JSON, numbers as Odoo wrote
// them, and null for a method that returns nothing.
func (c *Conn) Call(ctx context.Context, call Call) (json.RawMessage, error) {
	if c.closed.Load() {
		return nil, errClosed()
	}
	if err := call.check(); err != nil {
		return nil, err
	}
	if err := refused.check(c.key, c.wire.now()); err != nil {
		return nil, err
	}
	result, err := c.way.call(ctx, c.uid.Load(), call)
	if gone, ok := errors.AsType[*sessionEnded](err); ok {
		if err = c.renew(ctx, gone.generation); err == nil {
			result, err = c.way.call(ctx, c.uid.Load(), call)
		}
		if errors.As(err, &gone) {
			return nil, &adapter.Error{Code: adapter.Unavailable, Model: call.Model, Message: "Odoo forgets the session as soon as it is made", Err: gone.err}
		}
	}
	if err == nil {
		return result, nil
	}
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return nil, err
	}
	if e.Model == "" {
		e.Model = call.Model
	}
	if e.Code == adapter.Unauthenticated {
		return nil, c.settle(ctx, e)
	}
	return nil, err
}

// check refuses what could not be sent, or would be refused for sure.
func (call Call) check() error {
	var e *adapter.Error
	switch {
	case !modelName.MatchString(call.Model):
		e = adapter.Errorf(adapter.InvalidArgument, "%q is no name of a model", shorten(call.Model, 80))
		e.Field = "model"
	case !methodName.MatchString(call.Method):
		e = adapter.Errorf(adapter.InvalidArgument, "%q is no name of a method", shorten(call.Method, 80))
		e.Field = "method"
	case strings.HasPrefix(call.Method, "_"):
		e = adapter.Errorf(adapter.PermissionDenied, "private methods such as %q can't be called", shorten(call.Method, 80))
		e.Field, e.Model = "method", call.Model
	case !isText(call.Args) || !isText(call.Kwargs):
		// encoding/json would replace what it can't write.
		e = adapter.Errorf(adapter.InvalidArgument, "an argument holds text that is not UTF-8")
		e.Model = call.Model
	default:
		return nil
	}
	e.NothingSent = true
	return e
}

// isText reports whether all strings in a value are UTF-8, as far as it is
// made of the types that JSON decodes to.
func isText(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, item := range v {
			if !isText(item) {
				return false
			}
		}
	case map[string]any:
		for k, item := range v {
			if !utf8.ValidString(k) || !isText(item) {
				return false
			}
		}
	case adapter.Record:
		return isText(map[string]any(v))
	}
	return true
}

// settle finds out what an AccessDenied meant: that the credentials are no
// longer good, or that the method itself denied something (Odoo raises the
// same exception for both, for example when the old password in
// change_password is wrong).
func (c *Conn) settle(ctx context.Context, denied *adapter.Error) error {
	if err := c.login(ctx); err != nil {
		return err
	}
	e := *denied
	e.Code = adapter.PermissionDenied
	return &e
}

// renew logs in again after a session ended. Of all the callers that notice
// one does it.
func (c *Conn) renew(ctx context.Context, generation int) error {
	return c.alone(ctx, func() error {
		if s, ok := c.way.(*session); ok && s.since() != generation {
			return nil
		}
		return c.loginVia(ctx, c.way)
	})
}

// login logs in, one caller at a time, and remembers a refusal.
func (c *Conn) login(ctx context.Context) error {
	return c.alone(ctx, func() error { return c.loginVia(ctx, c.way) })
}

// alone runs login when nobody else logs in.
func (c *Conn) alone(ctx context.Context, login func() error) error {
	select {
	case <-c.logins:
		defer func() { c.logins <- struct{}{} }()
	case <-ctx.Done():
		return c.wire.failure(ctx, ctx.Err(), false, false)
	}
	if err := refused.check(c.key, c.wire.now()); err != nil {
		return err
	}
	return login()
}

func (c *Conn) loginVia(ctx context.Context, w way) error {
	uid, err := w.login(ctx)
	if err != nil {
		if e, ok := errors.AsType[*adapter.Error](err); ok && e.Code == adapter.Unauthenticated {
			refused.remember(c.key, c.wire.now())
		}
		return err
	}
	c.uid.Store(uid)
	return nil
}

// cooldown is how long refused credentials are not tried again. Odoo itself
// locks an address out for a minute after some failures, and from 13 to 15
// answers even the right password with "wrong" in that time.
const cooldown = time.Minute

// refused remembers refused credentials for the whole process, because a
// failed Dial leaves no Conn behind that could.
var refused refusals

type refusals struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

func credentialKey(base string, cfg Config) [sha256.Size]byte {
	parts, _ := json.Marshal([]string{base, cfg.Database, cfg.Username, cfg.Password, cfg.APIKey, cfg.Transport})
	return sha256.Sum256(parts)
}

func (r *refusals) remember(key [sha256.Size]byte, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[[sha256.Size]byte]time.Time{}
	}
	for k, t := range r.until {
		if !now.Before(t) {
			delete(r.until, k)
		}
	}
	r.until[key] = now.Add(cooldown)
}

// check returns the remembered refusal, if there is one.
func (r *refusals) check(key [sha256.Size]byte, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.until[key].Sub(now)
	if left <= 0 {
		return nil
	}
	return &adapter.Error{
		Code: adapter.Unauthenticated, NothingSent: true, RetryAfter: left.Round(time.Second),
		Message: "Odoo refused these credentials a moment ago; they are tried again after a pause",
	}
}

// errCredentials is what every transport's login returns when Odoo refuses.
func errCredentials(native error) error {
	return &adapter.Error{
		Code: adapter.Unauthenticated, Native: "odoo.exceptions.AccessDenied", Err: native,
		Message: "Odoo refused the username, the password or the API key",
	}
}

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
