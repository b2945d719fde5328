package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

// call is what the server knows about one request beside the request. It is
// the request's context and the writer of its answer too.
type call struct {
	deadlined
	http.ResponseWriter

	requestID string
	remote    string // the address at the other end, without the port
	start     time.Time
	identity  *auth.Identity // nil before the token was checked
	span      trace.Span
	route     string // the template of the path, "" where none matched
	err       error  // for the log
	code      string // of the problem that is answered, "" for none

	auditing Auditing
	request  *http.Request
	note     *note // what the audit log will say, nil for nothing
	recorded bool
	mute     bool // the answer was replaced: what is written of the old one goes nowhere

	ended  time.Duration // when it became a live connection, after start; 0 for not
	status int
	bytes  int64
	begun  bool
	header [2]string // the values of X-Request-Id and X-Response-Time
	limits [5]string // those of limitHeaders
	// goodUntil is when an answer that is kept under an idempotency key is worth
	// nothing any more; zero for as long as all are kept.
	goodUntil time.Time
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// Value gives the call to those who have its context alone.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.deadlined.Value(key)
}

// deadlined is a context with a deadline whose timer is set when somebody
// first waits for it: an answer from the cache needs none.
type deadlined struct {
	parent context.Context
	at     time.Time

	once  sync.Once
	timed atomic.Pointer[timed] // nil until then
}

type timed struct {
	context.Context
	cancel context.CancelFunc
}

// over is what a context is whose request ended before anybody waited.
var over = func() *timed {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &timed{ctx, cancel}
}()

// Deadline is the earlier one of the parent's and its own.
func (d *deadlined) Deadline() (time.Time, bool) {
	if at, ok := d.parent.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// extend gives a request more time. It must come before anybody waits for it.
func (c *call) extend(d time.Duration) {
	c.at = c.start.Add(d)
	control := http.NewResponseController(c.ResponseWriter)
	// Where there is no connection, as in tests of handlers, there is no
	// deadline either.
	_ = control.SetReadDeadline(c.at)
	_ = control.SetWriteDeadline(c.at.Add(30 * time.Second))
}

func (d *deadlined) timer() *timed {
	d.once.Do(func() {
		ctx, cancel := context.WithDeadline(d.parent, d.at)
		d.timed.Store(&timed{ctx, cancel})
	})
	return d.timed.Load()
}

// Done sets the timer.
func (d *deadlined) Done() <-chan struct{} { return d.timer().Done() }

// Err sets the timer too, so that it agrees with Done.
func (d *deadlined) Err() error { return d.timer().Err() }

// Value asks the context with the timer once there is one: package context
// finds by it that it need not watch Done.
func (d *deadlined) Value(key any) any {
	if t := d.timed.Load(); t != nil && t != over {
		return t.Value(key)
	}
	return d.parent.Value(key)
}

// end frees the timer and wakes up whoever still waits.
func (d *deadlined) end() {
	d.once.Do(func() { d.timed.Store(over) })
	d.timed.Load().cancel()
}

// Unwrap is for http.ResponseController.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// WriteHeader adds the headers that every answer has.
func (c *call) WriteHeader(status int) {
	if c.begun {
		return
	}
	if status >= 200 {
		c.begun = true
		if !c.record(status) {
			c.replace(notRecorded())
			return
		}
	}
	c.status = status
	var b [24]byte
	ms := float64(time.Since(c.start)) / float64(time.Millisecond)
	c.header[1] = string(append(strconv.AppendFloat(b[:0], ms, 'f', 2, 64), "ms"...))
	c.Header()["X-Response-Time"] = c.header[1:2:2]
	c.ResponseWriter.WriteHeader(status)
}

// replace answers with a problem in place of what was about to be answered.
func (c *call) replace(p *Problem) {
	c.mute, c.status, c.code = true, p.Status, p.Info.Code
	p.Instance, p.Info.RequestID = c.request.URL.EscapedPath(), c.requestID
	body, _ := json.Marshal(p) // texts and numbers
	h := c.Header()
	for _, name := range [...]string{"Content-Encoding", "Etag", "Vary"} {
		h.Del(name)
	}
	h.Set("Content-Type", p.ContentType(""))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.ResponseWriter.WriteHeader(p.Status)
	if c.request.Method != http.MethodHead {
		n, _ := c.ResponseWriter.Write(body)
		c.bytes += int64(n)
	}
}

// Write is the answer's body.
func (c *call) Write(b []byte) (int, error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.mute {
		return len(b), nil
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// upgraded says that the answer is a live connection from now on, which lasts
// as long as it likes.
func (c *call) upgraded() {
	c.begun, c.ended = true, time.Since(c.start)
}

// took is how long the answer took; of a live connection, until it began.
func (c *call) took() time.Duration {
	if c.ended > 0 {
		return c.ended
	}
	return time.Since(c.start)
}

// frame surrounds every request: it gives it an id and a deadline, catches
// panics, and writes a line to the log.
type frame struct {
	next    http.Handler
	timeout time.Duration
	log     *slog.Logger
	trusted []netip.Prefix // proxies
	metrics *telemetry.Metrics
	audit   Auditing
	// What follows may be nil.
	traces   *telemetry.Traces
	failures *telemetry.Failures
	manners  []header // that every answer has, unless its handler says otherwise
}

func (f *frame) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{ResponseWriter: w, requestID: requestID(r), remote: remoteOf(r, f.trusted), start: time.Now(), auditing: f.audit, request: r}
	c.parent, c.span = f.traces.Serve(r)
	c.at = c.start.Add(f.timeout)
	defer c.end()
	c.header[0] = c.requestID
	h := w.Header()
	h["X-Request-Id"] = c.header[0:1:1]
	for _, m := range f.manners {
		h[m.name] = m.value
	}
	r = r.WithContext(c) //nolint:contextcheck // it inherits r's
	if r.Method == http.MethodHead {
		// The same as GET; net/http leaves the body out.
		r.Method = http.MethodGet
	}
	defer f.logged(c, r)
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(cause) //nolint:forbidigo // net/http's own way to break an answer off
		}
		begun := c.begun
		p := statusProblem(http.StatusInternalServerError)
		p.cause = caught(cause)
		writeProblem(c, r, p)
		if begun {
			// The answer is broken off: close the connection, so that the
			// client does not take it for whole.
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's own way to break an answer off
		}
	}()
	f.next.ServeHTTP(c, r)
	if !c.begun {
		c.WriteHeader(http.StatusOK) //nolint:contextcheck // a change is recorded though its caller left
	}
}

func (f *frame) logged(c *call, r *http.Request) {
	c.recordRead() //nolint:contextcheck // an entry is written though its caller left
	method := c.request.Method
	if f.metrics != nil {
		f.metrics.Request(method, c.route, c.status, c.took())
	}
	telemetry.Served(c.span, c.request, c.route, c.status, c.code)
	if f.failures != nil && c.failed() {
		f.failures.Report(c, c.failure()) //nolint:contextcheck // it is the request's
	}
	level := slog.LevelInfo
	switch {
	case c.status == http.StatusInternalServerError:
		level = slog.LevelError
	case c.status > http.StatusNotImplemented: // a system's failure, not ours
		level = slog.LevelWarn
	case c.route == "/livez" || c.route == "/readyz" || c.route == "/health":
		level = slog.LevelDebug
	}
	ctx := r.Context()
	if !f.log.Enabled(ctx, level) {
		return
	}
	attrs := [10]slog.Attr{
		slog.String("request_id", c.requestID),
		slog.String("method", method),
		slog.String("route", c.route),
		slog.String("path", r.URL.EscapedPath()),
		slog.Int("status", c.status),
		slog.Int64("bytes", c.bytes),
		slog.Duration("took", time.Since(c.start)),
		slog.String("remote", c.remote),
	}
	n := 8
	if c.identity != nil {
		attrs[n] = slog.Int64("user", c.identity.UserID)
		n++
	}
	if c.err != nil {
		attrs[n] = slog.Any("error", explain(c.err))
		n++
	}
	f.log.LogAttrs(ctx, level, "request", attrs[:n]...)
}

// thrown is a panic as an error.
type thrown struct {
	cause any
	stack []byte
	at    []uintptr
}

// caught is what was thrown, for the goroutine that recovers.
func caught(cause any) *thrown {
	at := make([]uintptr, 64)
	return &thrown{cause, debug.Stack(), at[:runtime.Callers(3, at)]}
}

func (t *thrown) Error() string { return fmt.Sprintf("panic: %v\n%s", t.cause, t.stack) }

// StackTrace is where it was thrown, for whoever reports it.
func (t *thrown) StackTrace() []uintptr { return t.at }

// failed reports whether the server did something wrong by itself. A panic may
// come when the answer has long begun; a system that failed by itself has a
// name of its own for that.
func (c *call) failed() bool {
	if _, ok := errors.AsType[*thrown](c.err); ok {
		return true
	}
	e, ok := errors.AsType[*adapter.Error](c.err)
	return c.status == http.StatusInternalServerError && (!ok || e.Native == "")
}

// failure is what there is to report of a request that failed by the server's
// own fault.
func (c *call) failure() telemetry.Failure {
	what := telemetry.Failure{Err: c.err, Request: c.request, Route: c.route, RequestID: c.requestID, Status: c.status, Code: c.code}
	if t, ok := errors.AsType[*thrown](c.err); ok {
		what.Err, what.Panic = t, t.cause
	}
	if what.Err == nil {
		what.Err = errors.New(c.code)
	}
	if c.identity != nil {
		what.User, what.Tenant, what.Username = c.identity.UserID, c.identity.TenantID, c.identity.Username
	}
	return what
}

// explain gives the whole chain of an error: messages for callers leave the
// native error out.
func explain(err error) string {
	text := err.Error()
	for range 8 {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		next := u.Unwrap()
		if next == nil {
			break
		}
		if s := next.Error(); !strings.Contains(text, s) {
			text += ": " + s
		}
		err = next
	}
	const most = 4096
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text
}

func init() { uuid.EnableRandPool() }

// requestID takes the client's X-Request-ID if it is a plain word, so that a
// request can be followed across servers, and makes one otherwise.
func requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && plainWord(given[0]) {
		return given[0]
	}
	return uuid.NewString()
}

func plainWord(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}
