package salesforce

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// wire sends requests to one organization: each with the shared access token,
// at the pace that the organization's limits allow. It sorts what goes wrong.
type wire struct {
	transport *http.Transport
	sender    http.RoundTripper // the transport, or what was wrapped around it
	base      string
	timeout   time.Duration
	limit     int64 // bytes of an answer that is read as a whole
	session   *session
	pace      *pace
	clock     adapter.AnswerClock
	closed    atomic.Bool
}

func newWire(c *Config) *wire {
	conf := &tls.Config{}
	if c.TLS != nil {
		conf = c.TLS.Clone()
	}
	if conf.MinVersion == 0 {
		conf.MinVersion = tls.VersionTLS12
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, Control: c.Control}
	w := &wire{
		// No proxy: Control must see the address that is really dialled.
		transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSClientConfig:       conf,
			TLSHandshakeTimeout:   15 * time.Second,
			MaxConnsPerHost:       c.MaxConns,
			MaxIdleConnsPerHost:   c.MaxConns,
			IdleConnTimeout:       30 * time.Second,
			ExpectContinueTimeout: time.Second,
			// HTTP/1.1 alone, where what was written before a failure can be
			// told for sure.
			TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxResponseHeaderBytes: 1 << 20,
		},
		base:    c.URL,
		timeout: c.Timeout,
		limit:   c.MaxResponse,
		pace:    newPace(c.SlowAt, c.StopAt),
	}
	w.sender = w.transport
	if c.WrapTransport != nil {
		w.sender = c.WrapTransport(w.transport)
	}
	w.session = newSession(c, w.sender)
	return w
}

func (w *wire) close() {
	w.closed.Store(true)
	w.transport.CloseIdleConnections()
}

// request is one request to the organization.
type request struct {
	method string // GET if empty
	path   string // with its query, from the host on
	header map[string]string
	json   any // the body, if any
	// body makes the body, if it is not JSON, with its length or -1. It is
	// called again where the request has to be sent again, and then may refuse.
	body        func() (io.Reader, int64, error)
	contentType string
	model       string // for errors
	changes     bool   // it may change something: a lost answer is an unknown outcome
	open        bool   // without an access token
	accept      string // of the answer; JSON if empty
}

// answer is a complete answer of a status below 300, or of one of those that
// are no errors: 300, 304.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// decode reads the answer into target, number literals kept.
func (a *answer) decode(target any, model, what string) error {
	if err := adapter.DecodeJSON(a.body, target); err != nil {
		return &adapter.Error{
			Code: adapter.Internal, Model: model, Message: "Salesforce's answer to " + what + " has an unexpected form",
			Err: fmt.Errorf("salesforce: answer to %s: %w", what, err),
		}
	}
	return nil
}

// send makes a request and reads the whole answer.
func (w *wire) send(ctx context.Context, req request) (*answer, error) {
	callCtx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	resp, err := w.roundTrip(callCtx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := readAll(resp.Body, w.limit)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, tooLarge(w.limit, req.changes)
	case err != nil:
		return nil, withModel(transportError(callCtx, err, true, req.changes), req.model)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// stream makes a request and returns the answer's body as it comes. The
// timeout bounds each pause between its parts rather than the whole. The
// caller closes it.
func (w *wire) stream(ctx context.Context, req request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(w.timeout, func() { cancel(context.DeadlineExceeded) })
	resp, err := w.roundTrip(ctx, req)
	if err != nil {
		timer.Stop()
		cancel(nil)
		return nil, err
	}
	resp.Body = &patientBody{body: resp.Body, ctx: ctx, timer: timer, cancel: cancel, timeout: w.timeout, model: req.model}
	return resp, nil
}

// patientBody is a body whose reader has the whole timeout for each part.
type patientBody struct {
	body    io.ReadCloser
	ctx     context.Context
	timer   *time.Timer
	cancel  context.CancelCauseFunc
	timeout time.Duration
	model   string
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.timeout)
	n, err := b.body.Read(p)
	b.timer.Stop() // what the caller does in between is not the server's time
	if err != nil && !errors.Is(err, io.EOF) {
		err = withModel(transportError(b.ctx, err, true, false), b.model)
	}
	return n, err
}

func (b *patientBody) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.body.Close()
}

// roundTrip sends a request, twice if the access token has ended meanwhile,
// and returns an answer that is no error.
func (w *wire) roundTrip(ctx context.Context, req request) (*http.Response, error) {
	for again := false; ; again = true {
		if w.closed.Load() {
			return nil, errClosed()
		}
		if err := w.pace.ready(ctx); err != nil {
			return nil, err
		}
		token, serial := "", 0
		if !req.open {
			var err error
			if token, serial, err = w.session.current(ctx); err != nil {
				return nil, err
			}
		}
		resp, err := w.once(ctx, req, token)
		if err == nil {
			return resp, nil
		}
		if again || req.open || !sessionEnded(err) {
			return nil, withModel(err, req.model)
		}
		// The request was refused before anything was done with it, so that
		// even a change may be sent again.
		if err := w.session.renew(ctx, serial); err != nil {
			return nil, err
		}
	}
}

func (w *wire) once(ctx context.Context, req request, token string) (*http.Response, error) {
	method := req.method
	if method == "" {
		method = http.MethodGet
	}
	body, length, err := req.content()
	if err != nil {
		return nil, err
	}
	t := &tracing{}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, t.hooks()), method, w.base+req.path, body)
	if err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Message: "the call can't be addressed", NothingSent: true}
	}
	r.ContentLength = length
	req.setHeader(r.Header, token)
	resp, err := w.sender.RoundTrip(r)
	if err != nil {
		return nil, transportError(ctx, err, t.sent.Load(), req.changes)
	}
	w.pace.note(resp.Header)
	w.clock.Note(resp.Header)
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified || resp.StatusCode == http.StatusMultipleChoices {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := readAll(resp.Body, errorSize)
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, transportError(ctx, err, true, req.changes)
	}
	return nil, statusError(resp, text, req.changes)
}

// errorSize is how much of an error is worth reading, in bytes.
const errorSize = 1 << 20

func (req *request) content() (io.Reader, int64, error) {
	switch {
	case req.body != nil:
		return req.body()
	case req.json != nil:
		b, err := json.Marshal(req.json)
		if err != nil {
			return nil, 0, &adapter.Error{Code: adapter.InvalidArgument, Model: req.model, NothingSent: true, Err: err, Message: "a value can't be written as JSON"}
		}
		return bytes.NewReader(b), int64(len(b)), nil
	}
	return nil, 0, nil
}

func (req *request) setHeader(h http.Header, token string) {
	h.Set("User-Agent", "bridgecore")
	h.Set("Accept", "application/json")
	if req.accept != "" {
		h.Set("Accept", req.accept)
	}
	switch {
	case req.contentType != "":
		h.Set("Content-Type", req.contentType)
	case req.json != nil:
		h.Set("Content-Type", "application/json")
	}
	for name, value := range req.header {
		h.Set(name, value)
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
}

var errTooLarge = errors.New("answer too large")

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return b[:limit], errTooLarge
	}
	return b, err
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

// transportError sorts an error of the connection.
func transportError(ctx context.Context, err error, sent, changes bool) error {
	// An error that was made for callers, by Config.Control or by a body,
	// stands.
	if own, ok := errors.AsType[*adapter.Error](err); ok {
		e := *own
		e.NothingSent = !sent
		return &e
	}
	cause := context.Cause(ctx)
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
	case cause != nil:
		e.Code, e.Message = adapter.Timeout, "Salesforce did not answer in time"
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
	switch {
	case errors.As(err, &dns):
		return "the name of the Salesforce host can't be resolved: check the My Domain address", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers at the address and port: check the URL", true
	case errors.As(err, &hostname):
		return "the TLS certificate is for another host: check the URL", false
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the TLS certificate has expired or is not valid yet", false
	case errors.As(err, &authority), errors.As(err, &verify):
		return "the TLS certificate is not trusted", false
	case errors.As(err, &record):
		return "what answers there does not speak TLS: begin the URL with http://, or use its TLS port", false
	case strings.Contains(err.Error(), "malformed HTTP"):
		return "what answers there does not speak HTTP: check the URL", false
	case sent:
		return "the connection broke before the answer was complete", true
	default:
		return "no connection to Salesforce", true
	}
}

// retryAfter reads the header, in seconds or as a date; at most an hour.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = time.Until(at).Round(time.Second)
	}
	return min(max(d, 0), time.Hour)
}

// notSent says of an error that nothing was sent.
func notSent(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.NothingSent {
		return err
	}
	own := *e
	own.NothingSent = true
	return &own
}

// withModel names the model in an error that names none.
func withModel(err error, model string) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Model != "" || model == "" {
		return err
	}
	own := *e
	own.Model = model
	return &own
}

func errClosed() error {
	return &adapter.Error{Code: adapter.Unavailable, Message: "the connection to Salesforce is closed", NothingSent: true, Err: errors.New("salesforce: client is closed")}
}

// clip shortens a text and makes it one line.
func clip(s string, most int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

func quote(s string) string { return strconv.Quote(clip(s, 80)) }
