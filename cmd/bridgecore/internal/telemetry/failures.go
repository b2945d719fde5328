package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/otel/trace"
)

// FailuresConfig says where failures are reported to.
type FailuresConfig struct {
	DSN         string
	Environment string
	Release     string
	// Personal tells the names of users too, not their ids alone.
	Personal bool
}

// Failures reports to Sentry what went wrong in the server itself: panics, and
// errors that nobody foresaw. What a system refuses or a client asks wrongly is
// none of it.
//
// A report has what led to the failure and nothing that was asked for: no body,
// no query, no header but those of reportedHeaders, no value of a path.
type Failures struct {
	client   *sentry.Client
	personal bool
}

// Failure is what is known of one.
type Failure struct {
	Err       error
	Panic     any // what was thrown, nil for an error; Err has the method StackTrace then
	Request   *http.Request
	Route     string // the template of the path
	RequestID string
	Status    int
	Code      string

	User, Tenant int64 // 0 where nobody is logged in
	Username     string
}

// reportedHeaders are the headers of a request that say something of a failure
// and nothing of a secret.
var reportedHeaders = []string{"Accept", "Accept-Language", "Content-Length", "Content-Type", "User-Agent", "X-Odoo-Version"}

// NewFailures reports to the project of the DSN. The error does not show it.
func NewFailures(c FailuresConfig) (*Failures, error) {
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: c.DSN, Environment: c.Environment, Release: c.Release,
		// The list of modules says no more than the release.
		Integrations: func(all []sentry.Integration) []sentry.Integration {
			var some []sentry.Integration
			for _, i := range all {
				if i.Name() != "Modules" {
					some = append(some, i)
				}
			}
			return some
		},
	})
	if err != nil {
		return nil, errors.New("SENTRY_DSN: must read like https://key@sentry.example.com/1")
	}
	return &Failures{client, c.Personal}, nil
}

// CheckDSN checks the form of a DSN.
func CheckDSN(dsn string) error {
	_, err := sentry.NewDsn(dsn)
	return err
}

// Close sends what is left, as long as ctx lasts.
func (f *Failures) Close(ctx context.Context) error {
	if !f.client.FlushWithContext(ctx) {
		return errors.New("not all reports to Sentry were sent in time")
	}
	f.client.Close()
	return nil
}

// Report reports a failure. It does not wait until it is sent. A nil Failures
// reports none.
func (f *Failures) Report(ctx context.Context, what Failure) {
	if f == nil {
		return
	}
	f.client.CaptureEvent(f.event(ctx, what), nil, nil)
}

func (f *Failures) event(ctx context.Context, what Failure) *sentry.Event {
	e := sentry.NewEvent()
	e.Level, e.Timestamp = sentry.LevelError, time.Now()
	r := what.Request
	e.Transaction = r.Method + " " + what.Route
	e.Tags = map[string]string{
		"request_id": what.RequestID, "route": what.Route, "method": r.Method, "status": strconv.Itoa(what.Status), "code": what.Code,
	}
	e.Request = &sentry.Request{Method: r.Method, URL: what.Route, Headers: map[string]string{}}
	for _, name := range reportedHeaders {
		if v := r.Header.Get(name); v != "" {
			e.Request.Headers[name] = scrub(v)
		}
	}
	if what.User != 0 {
		e.User.ID = strconv.FormatInt(what.User, 10)
		e.Tags["tenant"] = strconv.FormatInt(what.Tenant, 10)
		if f.personal {
			e.User.Username = what.Username
		}
	}
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		e.Contexts = map[string]sentry.Context{"trace": {"trace_id": c.TraceID().String(), "span_id": c.SpanID().String()}}
		e.Tags["trace_id"] = c.TraceID().String()
	}
	e.Exception = []sentry.Exception{what.exception()}
	return e
}

func (what *Failure) exception() sentry.Exception {
	handled := what.Panic == nil
	x := sentry.Exception{
		Type: "panic", Module: "bridgecore", Stacktrace: sentry.ExtractStacktrace(what.Err),
		Mechanism: &sentry.Mechanism{Type: "http", Handled: &handled},
	}
	if handled {
		x.Type, x.Value = typeOf(what.Err), scrub(fmt.Sprint(what.Err))
	} else {
		x.Value = scrub(fmt.Sprint(what.Panic))
	}
	return x
}

// typeOf is the type of the innermost error: the outer ones only add words.
func typeOf(err error) string {
	for err != nil {
		next := errors.Unwrap(err)
		if next == nil {
			return reflect.TypeOf(err).String()
		}
		err = next
	}
	return "error"
}

// secretive are texts that look like secrets or like people, in the messages of
// errors that others wrote.
var secretive = []struct {
	like *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w.~+/=-]+`), "$1 [removed]"},
	{regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]+`), "[removed]"},
	{regexp.MustCompile(`(?i)\b([a-z]+://)[^/\s"'@]+@`), "$1[removed]@"},
	{regexp.MustCompile(`(?i)([\w-]*(?:passw|secret|token|api_?key|authorization|cookie|session)[\w-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&}]+)`), "$1[removed]"},
	{regexp.MustCompile(`(https?://[^\s"'?#]+)[?#][^\s"']*`), "$1?[removed]"},
	{regexp.MustCompile(`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`), "[removed]"},
	// PostgreSQL quotes the values that it refuses.
	{regexp.MustCompile(`\)=\([^)]*\)`), ")=([removed])"},
}

// mostReported bounds a message, in bytes.
const mostReported = 1024

func scrub(text string) string {
	for _, s := range secretive {
		text = s.like.ReplaceAllString(text, s.with)
	}
	if len(text) > mostReported {
		text = strings.ToValidUTF8(text[:mostReported], "") + "..."
	}
	return text
}
