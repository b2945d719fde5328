package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// wire sends HTTP requests to one server and sorts what can go wrong below
// Odoo's own protocols.
type wire struct {
	// No http.Client: it would follow redirects, or fail on those that it
	// can't read.
	transport *http.Transport
	sender    http.RoundTripper // the transport, or what was wrapped around it
	base      string            // without a trailing slash
	timeout   time.Duration
	limit     int64
	agent     string
	now       func() time.Time
	clock     adapter.AnswerClock
}

func newWire(cfg Config) (*wire, error) {
	base, err := baseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{}
	if cfg.TLS != nil {
		conf = cfg.TLS.Clone()
	}
	if conf.MinVersion == 0 {
		conf.MinVersion = tls.VersionTLS12
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, Control: cfg.Control}
	w := &wire{
		// No proxy: Control must see the address that is really dialled.
		transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSClientConfig:     conf,
			TLSHandshakeTimeout: 15 * time.Second,
			MaxConnsPerHost:     cfg.MaxConns,
			MaxIdleConnsPerHost: cfg.MaxConns,
			// Shorter than the keep-alive of common proxies: a write on a
			// connection that just went stale is an unknown outcome.
			IdleConnTimeout:       30 * time.Second,
			ExpectContinueTimeout: time.Second,
			// HTTP/1.1 alone: Odoo speaks nothing newer, and what was
			// written before a failure can be told for sure.
			TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxResponseHeaderBytes: 1 << 20,
		},
		base:    base,
		timeout: cfg.Timeout,
		limit:   cfg.MaxResponse,
		agent:   cfg.UserAgent,
		now:     time.Now,
	}
	w.sender = w.transport
	if cfg.Wrap != nil {
		w.sender = cfg.Wrap(w.transport)
	}
	return w, nil
}

// request is one HTTP request to the server.
type request struct {
	get         bool // otherwise POST
	path        string
	contentType string
	header      [][2]string
	body        []byte
	changes     bool  // it may change something: a lost answer is an unknown outcome
	limit       int64 // bytes of the answer, 0 for the wire's
}

// smallAnswer bounds the answers to probes and logins, in bytes.
const smallAnswer = 4 << 20

// pageSize is how much of a web page is worth reading, in bytes.
const pageSize = 64 << 10

// answer is a complete HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// page reports whether the answer is a web page, or anything else that can't
// be JSON or XML-RPC.
func (a *answer) page() bool {
	body := bytes.TrimLeft(a.body, " \t\r\n")
	lower := bytes.ToLower(body[:min(len(body), 16)])
	return bytes.HasPrefix(lower, []byte("<!doctype")) || bytes.HasPrefix(lower, []byte("<html"))
}

// send makes a request and reads the whole answer.
func (w *wire) send(ctx context.Context, req request) (*answer, error) {
	var a *answer
	err := w.exchange(ctx, req, func(resp *http.Response, body io.Reader) error {
		var buf bytes.Buffer
		if resp.ContentLength > 0 {
			buf.Grow(int(min(resp.ContentLength, 4<<20)) + bytes.MinRead)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			body = io.LimitReader(body, pageSize)
		}
		if _, err := buf.ReadFrom(body); err != nil {
			return err
		}
		a = &answer{resp.StatusCode, resp.Header, buf.Bytes()}
		return nil
	})
	return a, err
}

// exchange makes a request and hands the answer to read, whose body is
// bounded. Redirects, overload and failures of the connection are errors
// before or instead of what read returns.
func (w *wire) exchange(ctx context.Context, req request, read func(*http.Response, io.Reader) error) error {
	t := &tracing{}
	callCtx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	method := http.MethodPost
	if req.get {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(callCtx, t.hooks()), method, w.base+req.path, bytes.NewReader(req.body))
	if err != nil {
		return &adapter.Error{Code: adapter.InvalidArgument, Message: "the call can't be addressed", NothingSent: true, Err: err}
	}
	r.Header.Set("User-Agent", w.agent)
	if req.contentType != "" {
		r.Header.Set("Content-Type", req.contentType)
	}
	for _, h := range req.header {
		r.Header.Set(h[0], h[1])
	}
	resp, err := w.sender.RoundTrip(r)
	if err != nil {
		return w.failure(callCtx, err, t.sent.Load(), req.changes)
	}
	defer resp.Body.Close()
	w.clock.Note(resp.Header)
	if err := w.statusError(resp, req); err != nil {
		return err
	}
	limit := req.limit
	if limit == 0 {
		limit = w.limit
	}
	if resp.ContentLength > limit {
		return tooLarge(limit, req.changes)
	}
	body := &boundedBody{r: resp.Body, left: limit}
	err = read(resp, body)
	switch {
	case errors.Is(body.err, errTooLarge):
		return tooLarge(limit, req.changes)
	case body.err != nil:
		return w.failure(callCtx, body.err, true, req.changes)
	}
	return err
}

var errTooLarge = errors.New("answer too large")

// boundedBody reads at most left bytes and remembers how reading failed.
type boundedBody struct {
	r    io.Reader
	left int64
	err  error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left < int64(len(p)) {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), errTooLarge
	}
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func tooLarge(limit int64, changes bool) error {
	size := fmt.Sprintf("%d bytes", limit)
	if limit >= 1<<20 {
		size = fmt.Sprintf("%d MB", limit>>20)
	}
	if changes {
		return &adapter.Error{Code: adapter.UnknownOutcome, Message: "the change was sent, and the answer is over " + size + ": it was not read", Err: errTooLarge}
	}
	return &adapter.Error{Code: adapter.InvalidArgument, Message: "the answer is over " + size + ": ask for fewer records or fields", Err: errTooLarge}
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

// httpError is the native error of an HTTP answer that is not Odoo's.
type httpError struct {
	status   int
	location string
	page     string // the beginning of the body
}

func (e *httpError) Error() string {
	s := fmt.Sprintf("HTTP status %d", e.status)
	if e.location != "" {
		s += " to " + e.location
	}
	if e.page != "" {
		s += ": " + e.page
	}
	return s
}

// blocked reports whether err says that this way into the server is closed
// while others may be open.
func blocked(err error) bool {
	var h *httpError
	if !errors.As(err, &h) {
		return false
	}
	switch h.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// statusError sorts the answers that no protocol of Odoo's gives.
func (w *wire) statusError(resp *http.Response, req request) error {
	native := &httpError{status: resp.StatusCode}
	switch s := resp.StatusCode; {
	case s >= 300 && s < 400:
		native.location = resp.Header.Get("Location")
		e := adapter.Errorf(adapter.Unavailable, "%s", redirectAdvice(w.base, native.location))
		e.Field, e.Err = "url", native
		return e
	case s == http.StatusTooManyRequests:
		return &adapter.Error{
			Code: adapter.RateLimited, Message: "the server asks for fewer calls", Temporary: true,
			RetryAfter: w.retryAfter(resp.Header), Err: native,
		}
	case s == http.StatusServiceUnavailable:
		return &adapter.Error{
			Code: adapter.Unavailable, Message: "the server is not available at the moment", Temporary: true,
			RetryAfter: w.retryAfter(resp.Header), Err: native,
		}
	case s == http.StatusBadGateway || s == http.StatusGatewayTimeout:
		if req.changes {
			return &adapter.Error{Code: adapter.UnknownOutcome, Message: "the proxy before the server lost the answer to a change: it may have happened", Err: native}
		}
		return &adapter.Error{
			Code: adapter.Unavailable, Message: "the proxy before the server can't reach it", Temporary: true,
			RetryAfter: w.retryAfter(resp.Header), Err: native,
		}
	case s == http.StatusRequestEntityTooLarge:
		return &adapter.Error{Code: adapter.InvalidArgument, Message: "the server refuses a request of this size: send less at a time", Err: native}
	}
	return nil
}

// redirectAdvice says what to do about a redirect, without naming addresses.
func redirectAdvice(base, location string) string {
	from, err1 := url.Parse(base)
	to, err2 := url.Parse(location)
	if err1 != nil || err2 != nil || location == "" {
		return "the server redirects, which is not followed: set the system's URL to the final address"
	}
	to = from.ResolveReference(to)
	switch {
	case strings.HasSuffix(to.Path, "/web/login") || strings.HasSuffix(to.Path, "/web/database/selector"):
		return "the server sends us to its login page: it has no such interface, or the database must be named"
	case from.Scheme == "http" && to.Scheme == "https":
		return "the server redirects from http to https, which is not followed: begin the system's URL with https://"
	case from.Host != to.Host:
		return "the server redirects to another host, which is not followed: set the system's URL to that host"
	default:
		return "the server redirects to another path, which is not followed: set the system's URL to the address under which Odoo is served, without /web or /odoo"
	}
}

// retryAfter reads the header, in seconds or as a date; at most an hour.
func (w *wire) retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(w.now()).Round(time.Second)
	}
	return min(max(d, 0), time.Hour)
}

// failure sorts an error of the connection.
func (w *wire) failure(ctx context.Context, err error, sent, changes bool) error {
	// An error that was made for callers, by Config.Control, stands.
	if own, ok := errors.AsType[*adapter.Error](err); ok {
		e := *own
		e.NothingSent = !sent
		return &e
	}
	cause := ctx.Err()
	if cause == nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			cause = context.DeadlineExceeded
		}
	}
	// The context's own error stays reachable for errors.Is.
	if cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	e := &adapter.Error{Code: adapter.Unavailable, NothingSent: !sent, Temporary: true, Err: err}
	switch {
	case sent && changes:
		e.Code, e.Temporary = adapter.UnknownOutcome, false
		e.Message = "the change was sent, and the connection broke before the answer came: it may have happened"
		if cause != nil {
			e.Message = "the change was sent, and no answer came in time: it may have happened"
		}
	case errors.Is(cause, context.Canceled):
		e.Code, e.Message, e.Temporary = adapter.Canceled, "the call was canceled", false
	case cause != nil && sent:
		e.Code, e.Message = adapter.Timeout, "the server did not answer in time"
	case cause != nil:
		e.Message = "no connection to the server in time"
	default:
		e.Message, e.Temporary = connectionAdvice(err, sent)
	}
	return e
}

// connectionAdvice words a failure of the connection for callers, and tells
// whether another attempt may fare better.
func connectionAdvice(err error, sent bool) (message string, temporary bool) {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	// crypto/tls and net/http have no types for some of their errors; their
	// texts are the same everywhere.
	switch text := err.Error(); {
	case errors.As(err, &dns):
		return "the server's name can't be resolved: check the system's URL", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers at the server's address and port: check the system's URL, and that the server runs", true
	case errors.As(err, &hostname):
		return "the server's TLS certificate is for another host: check the system's URL", false
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's TLS certificate has expired or is not valid yet", false
	case errors.As(err, &authority), errors.As(err, &verify):
		return "the server's TLS certificate is not trusted", false
	case errors.As(err, &record):
		return "the server does not speak TLS there: begin the system's URL with http://, or use its TLS port", false
	case strings.Contains(text, "protocol version not supported"), strings.Contains(text, "unsupported protocol version"):
		return "the server offers only TLS versions older than 1.2, which are not safe: upgrade its TLS", false
	case strings.Contains(text, "tls: "):
		return "no TLS connection to the server could be agreed on", false
	case strings.Contains(text, "malformed HTTP"):
		return "what answers there does not speak HTTP: check the system's URL", false
	case sent:
		return "the connection to the server broke before the answer was complete", true
	default:
		return "no connection to the server", true
	}
}
