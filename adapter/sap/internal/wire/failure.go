package wire

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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

func errClosed(model string) error {
	return &adapter.Error{Code: adapter.Unavailable, Model: model, Message: "the connection to SAP is closed", NothingSent: true, Err: errors.New("sap: client is closed")}
}

// Closed is the error of a call after Close, nil before.
func (c *Conn) Closed(model string) error {
	if c.closed.Load() {
		return errClosed(model)
	}
	return nil
}

// notSent is the error of a call whose context ended before it was sent.
func notSent(err error, model string) error {
	e := &adapter.Error{Code: adapter.Canceled, Model: model, Message: "the call was cancelled", NothingSent: true, Err: err}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Code, e.Message, e.Temporary = adapter.Timeout, "there was no time left for the call", true
	}
	return e
}

// NotSent is the error of a call whose context has ended, nil while it lives.
func NotSent(ctx context.Context, model string) error {
	if err := ctx.Err(); err != nil {
		return notSent(err, model)
	}
	return nil
}

var errTooLarge = errors.New("answer too large")

// readBounded reads all of a body, if it is not larger than limit; otherwise
// as much, and errTooLarge.
func readBounded(r io.Reader, length, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if length > 0 {
		buf.Grow(int(min(length, limit, 4<<20)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		buf.Truncate(int(limit))
		return buf.Bytes(), errTooLarge
	}
	return buf.Bytes(), err
}

func tooLarge(limit int64, req Request) error {
	size := fmt.Sprintf("%d bytes", limit)
	if limit >= 1<<20 {
		size = fmt.Sprintf("%d MB", limit>>20)
	}
	if req.Changes {
		return &adapter.Error{Code: adapter.UnknownOutcome, Model: req.Model, Message: "the change was sent, and the answer is over " + size + ": it was not read", Err: errTooLarge}
	}
	return &adapter.Error{Code: adapter.InvalidArgument, Model: req.Model, Message: "the answer is over " + size + ": ask for fewer records or fields", Err: errTooLarge}
}

// failure sorts an error of the connection.
func failure(ctx context.Context, err error, sent bool, req Request) error {
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
	e := &adapter.Error{Code: adapter.Unavailable, Model: req.Model, NothingSent: !sent, Temporary: true, Err: err}
	switch {
	case sent && req.Changes:
		e.Code, e.Temporary = adapter.UnknownOutcome, false
		e.Message = "the change was sent, and the connection broke before the answer came: it may have happened"
		if cause != nil {
			e.Message = "the change was sent, and no answer came in time: it may have happened"
		}
	case errors.Is(cause, context.Canceled):
		e.Code, e.Message, e.Temporary = adapter.Canceled, "the call was canceled", false
	case cause != nil && sent:
		e.Code, e.Message = adapter.Timeout, "SAP did not answer in time"
	case cause != nil:
		e.Message = "no connection to SAP in time"
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
		return "SAP's host name can't be resolved: check the system's URL", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers at SAP's address and port: check the system's URL, and that the system runs", true
	case errors.As(err, &hostname):
		return "the TLS certificate is for another host: check the system's URL", false
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the TLS certificate has expired or is not valid yet", false
	case errors.As(err, &authority), errors.As(err, &verify):
		return "the TLS certificate is not trusted", false
	case errors.As(err, &record):
		return "there is no TLS at that address: begin the system's URL with http://, or use the TLS port", false
	case strings.Contains(text, "tls: "):
		return "no TLS connection could be agreed on", false
	case strings.Contains(text, "malformed HTTP"):
		return "what answers there does not speak HTTP: check the system's URL", false
	case sent:
		return "the connection to SAP broke before the answer was complete", true
	default:
		return "no connection to SAP", true
	}
}

// retryAfter reads the header, in seconds or as a date; at most an hour.
func (c *Conn) retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(c.now()).Round(time.Second)
	}
	return min(max(d, 0), time.Hour)
}
