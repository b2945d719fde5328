package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Conn is a connection to one system as one user. It is safe for concurrent
// use.
type Conn struct {
	cfg Config
	// No http.Client: it would follow redirects, and keep cookies apart from
	// the token that belongs to them.
	transport *http.Transport
	sender    http.RoundTripper // the transport, or what was wrapped around it
	base      *url.URL
	session   session
	tokens    tokens
	closed    atomic.Bool
	now       func() time.Time
	clock     adapter.AnswerClock
}

// New makes a connection. It does no I/O.
func New(cfg Config) (*Conn, error) {
	base, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "url", Message: "url: is not a URL"}
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		conf = cfg.TLS.Clone()
		conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, Control: cfg.Control}
	c := &Conn{
		cfg: cfg, base: base, now: time.Now,
		// No proxy: Control must see the address that is really dialled.
		transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSClientConfig:     conf,
			TLSHandshakeTimeout: 15 * time.Second,
			MaxConnsPerHost:     cfg.MaxConns,
			MaxIdleConnsPerHost: cfg.MaxConns,
			// Shorter than the keep-alive of common proxies: a write on a
			// connection that just went stale is an unknown outcome.
			IdleConnTimeout: 30 * time.Second,
			// HTTP/1.1 alone, so that what was written before a failure can be
			// told for sure.
			TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxResponseHeaderBytes: 1 << 20,
		},
	}
	c.sender = c.transport
	if cfg.Wrap != nil {
		c.sender = cfg.Wrap(c.transport)
	}
	c.tokens.init(c)
	return c, nil
}

// Clock returns the system's time now, as its last answer was dated, and
// whether any was.
func (c *Conn) Clock() (now time.Time, ok bool) { return c.clock.Clock() }

// Close releases the idle connections. Calls after it fail with
// ErrUnavailable.
func (c *Conn) Close() error {
	c.closed.Store(true)
	c.transport.CloseIdleConnections()
	return nil
}

// Request is one request to a service.
type Request struct {
	Method string
	// Service is the path of the service below the base, which CSRF tokens
	// are fetched from.
	Service string
	// Path follows the service's path, percent-encoded: "/A_Product('1')".
	Path string
	// Query is the encoded query without the parameters of SAP's own.
	Query  string
	Header http.Header
	Body   []byte

	// Model is what errors are about.
	Model string
	// Language wins over the connection's.
	Language string
	// Changes says that the request may change something: it needs a CSRF
	// token, and a lost answer is an unknown outcome.
	Changes bool
	// Token says that a CSRF token is needed although nothing is changed, as
	// for a batch of reads.
	Token bool
	// Limit bounds the answer in bytes; 0 means the connection's.
	Limit int64
	// Stream hands the body over unread. The caller closes it.
	Stream bool
}

// Response is the answer to a request.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Stream is the body of an answer to a request that asked for it.
	Stream io.ReadCloser
}

// Do makes a request. An answer of 400 and above is an error.
func (c *Conn) Do(ctx context.Context, req Request) (*Response, error) {
	resp, err := c.send(ctx, req)
	if err != nil {
		return nil, err
	}
	if resp.Status >= 300 {
		return nil, c.refusal(resp, req)
	}
	return resp, nil
}

// send makes a request as often as it takes to have it heard: again with a new
// access token, a new CSRF token or a new session, each at most once. All
// three are refused before the request is looked at, so that even a change may
// be sent again.
func (c *Conn) send(ctx context.Context, req Request) (*Response, error) {
	if c.closed.Load() {
		return nil, errClosed(req.Model)
	}
	var newToken, newSession, newState bool
	for {
		if err := ctx.Err(); err != nil {
			return nil, notSent(err, req.Model)
		}
		var csrf string
		var state *state
		var err error
		if req.Changes || req.Token {
			if state, err = c.session.get(ctx, c, req); err != nil {
				return nil, unsent(err)
			}
			csrf = state.token
		} else {
			state = c.session.current()
		}
		grant, err := c.tokens.get(ctx)
		if err != nil {
			return nil, unsent(err)
		}
		resp, err := c.exchange(ctx, req, state, csrf, grant)
		if err != nil {
			return nil, err
		}
		again := false
		switch {
		case resp.Status == http.StatusUnauthorized && !newToken && c.tokens.renewable():
			newToken, again = true, true
			c.tokens.drop(grant)
		case tokenRequired(resp) && !newSession && (req.Changes || req.Token):
			newSession, again = true, true
			c.session.drop(state)
		case sessionGone(resp) && !newState:
			newState, again = true, true
			c.session.drop(state)
		}
		if !again {
			return resp, nil
		}
	}
}

// tokenRequired reports whether the CSRF token was refused.
func tokenRequired(r *Response) bool {
	return r.Status == http.StatusForbidden && strings.EqualFold(r.Header.Get("X-Csrf-Token"), "required")
}

// sessionGone reports whether the session that a cookie named has ended.
func sessionGone(r *Response) bool {
	return r.Status >= 400 && strings.EqualFold(r.Header.Get("Sap-Err-Id"), "ICMENOSESSION")
}

// exchange makes the request once.
func (c *Conn) exchange(ctx context.Context, req Request, state *state, csrf, grant string) (*Response, error) {
	t := &tracing{}
	callCtx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	r, err := c.request(httptrace.WithClientTrace(callCtx, t.hooks()), req, state, csrf, grant)
	if err != nil {
		cancel()
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: req.Model, Message: "the call can't be addressed", NothingSent: true, Err: err}
	}
	resp, err := c.sender.RoundTrip(r)
	if err != nil {
		err = failure(callCtx, err, t.sent.Load(), req)
		cancel()
		return nil, err
	}
	c.clock.Note(resp.Header)
	c.session.keep(state, resp.Cookies(), c.now())
	out := &Response{Status: resp.StatusCode, Header: resp.Header}
	if req.Stream && resp.StatusCode < 300 {
		out.Stream = &streamed{ReadCloser: resp.Body, cancel: cancel, conn: c, ctx: callCtx, req: req}
		return out, nil
	}
	defer cancel()
	defer resp.Body.Close()
	limit := req.Limit
	if limit == 0 {
		limit = c.cfg.MaxResponse
	}
	if resp.StatusCode >= 300 {
		limit = min(limit, maxError)
	}
	out.Body, err = readBounded(resp.Body, resp.ContentLength, limit)
	switch {
	case errors.Is(err, errTooLarge) && resp.StatusCode >= 300:
		// What is there of an error will do.
	case errors.Is(err, errTooLarge):
		return nil, tooLarge(limit, req)
	case err != nil && resp.StatusCode < 300:
		return nil, failure(callCtx, err, true, req)
	}
	return out, nil
}

// maxError bounds the answers that are errors, in bytes.
const maxError = 1 << 20

// streamed is a body that its reader closes.
type streamed struct {
	io.ReadCloser
	cancel context.CancelFunc
	conn   *Conn
	ctx    context.Context
	req    Request
}

func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = failure(s.ctx, err, true, s.req)
	}
	return n, err
}

func (s *streamed) Close() error {
	defer s.cancel()
	return s.ReadCloser.Close()
}

// request makes the HTTP request.
func (c *Conn) request(ctx context.Context, req Request, state *state, csrf, grant string) (*http.Request, error) {
	target := *c.base
	raw := c.base.EscapedPath() + req.Service + req.Path
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, err
	}
	target.Path, target.RawPath, target.RawQuery = path, raw, c.query(req)
	var body io.Reader
	if req.Body != nil {
		body = bytes.NewReader(req.Body)
	}
	r, err := http.NewRequestWithContext(ctx, req.Method, target.String(), body)
	if err != nil {
		return nil, err
	}
	for name, values := range req.Header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", "BridgeCore")
	if language := c.language(req); language != "" {
		r.Header.Set("Accept-Language", language)
	}
	c.authorize(r, grant)
	if csrf != "" {
		r.Header.Set("X-Csrf-Token", csrf)
	}
	if cookies := state.header(c.base.Scheme); cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	return r, nil
}

func (c *Conn) language(req Request) string {
	if req.Language != "" {
		return req.Language
	}
	return c.cfg.Language
}

// query adds SAP's own parameters.
func (c *Conn) query(req Request) string {
	q := req.Query
	add := func(name, value string) {
		if value == "" || strings.Contains("&"+q, "&"+name+"=") {
			return
		}
		if q != "" {
			q += "&"
		}
		q += name + "=" + url.QueryEscape(value)
	}
	add("sap-client", c.cfg.Client)
	add("sap-language", c.language(req))
	return q
}

func (c *Conn) authorize(r *http.Request, grant string) {
	switch c.cfg.Auth {
	case Basic:
		r.SetBasicAuth(c.cfg.Username, c.cfg.Password)
	default:
		r.Header.Set("Authorization", "Bearer "+grant)
	}
}

// tracing notes how far a request got.
type tracing struct {
	sent atomic.Bool // the server may have seen some of it
}

func (t *tracing) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// A connection that was taken from the pool and turned out dead before
		// anything was written starts over.
		GetConn:      func(string) { t.sent.Store(false) },
		WroteHeaders: func() { t.sent.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { t.sent.Store(true) },
	}
}
