package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotent-Replayed"
	// keyLife is how long an answer is kept under its key.
	keyLife = 24 * time.Hour
	// maxKept is the largest answer that is kept.
	maxKept = 4 << 20
)

func keyParameter() *huma.Param {
	most := 255
	return &huma.Param{
		Name: idempotencyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most}, Example: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
		Description: "The same request again under the same key is not done again: it gets the first one's answer.",
	}
}

// idempotent makes a request that carries an Idempotency-Key happen once: the
// same request again gets the first one's answer. A key belongs to its user.
func (a *API) idempotent(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		r := c.Request()
		key := r.Header.Get(idempotencyHeader)
		if key == "" || r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions || strings.HasPrefix(c.Path(), "/api/v1/auth/") {
			return next(c)
		}
		if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return invalid(idempotencyHeader, "must be 1 to 255 visible characters of ASCII, such as a UUID")
		}
		if a.forms[r.Method+" "+c.Path()] {
			return next(c) // its handler reads the form first, see onlyOnce
		}
		if err := a.identify(c, false); err != nil {
			return err
		}
		body, err := a.readBody(r)
		if err != nil {
			return err
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return a.onlyOnce(c, fingerprint(r, body), next)
	}
}

// onlyOnce runs a request, which is told apart from others by its print, unless
// its key says that it ran before. Without a key it always runs.
func (a *API) onlyOnce(c *echo.Context, print string, next echo.HandlerFunc) error {
	r := c.Request()
	key := r.Header.Get(idempotencyHeader)
	if key == "" {
		return next(c)
	}
	claim := store.KeptAnswer{UserID: callFrom(r.Context()).identity.UserID, Key: key, Fingerprint: print}
	kept, ours, err := a.Store.ClaimKey(r.Context(), claim, keyLife)
	if err != nil {
		return err
	}
	if !ours {
		return a.replay(c, kept, claim.Fingerprint)
	}
	return a.once(c, next, kept)
}

// fingerprint tells requests apart.
func fingerprint(r *http.Request, body []byte) string {
	h := sha256.New()
	for _, s := range []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get(versionHeader), r.Header.Get("If-Match"), r.Header.Get("If-None-Match")} {
		_, _ = io.WriteString(h, s)
		h.Write([]byte{0})
	}
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// replay answers a request whose key is taken.
func (a *API) replay(c *echo.Context, kept store.KeptAnswer, asked string) error {
	switch {
	case kept.Fingerprint != asked:
		return invalid(idempotencyHeader, "was used for another request; take a new key for each")
	case !kept.Done && kept.Age > a.timeoutOf(c)+time.Minute:
		return &adapter.Error{
			Code: adapter.UnknownOutcome, Field: idempotencyHeader,
			Message: "the first request with this key was broken off: it may have happened; look before you repeat it under a new key",
		}
	case !kept.Done:
		p := newProblem(http.StatusConflict, "", "the first request with this key is still being worked on")
		p.retryAfter(time.Second)
		return p
	}
	h := c.Response().Header()
	var headers http.Header
	if json.Unmarshal([]byte(kept.Headers), &headers) == nil {
		for name, values := range headers {
			h[name] = values
		}
	}
	h.Set(replayedHeader, "true")
	if n := callFrom(c.Request().Context()).note; n != nil {
		n.changes = false
	}
	c.Response().WriteHeader(kept.Status)
	_, _ = io.WriteString(c.Response(), kept.Body)
	return nil
}

// once runs the request and keeps its answer.
func (a *API) once(c *echo.Context, next echo.HandlerFunc, claim store.KeptAnswer) error {
	plain := c.Response()
	rec := &recorder{ResponseWriter: plain}
	c.SetResponse(rec)
	finished := false
	defer func() {
		c.SetResponse(plain)
		if !finished {
			// A panic: nobody knows what happened. The key stays taken.
			return
		}
	}()
	err := next(c)
	if err != nil {
		writeProblem(c.Response(), c.Request(), problemOf(err))
	}
	finished = true
	// The client may have left; the answer is kept all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), 10*time.Second)
	defer cancel()
	if rec.tryAgain() || rec.body.Len() > maxKept {
		if err := a.Store.ReleaseKey(ctx, claim.UserID, claim.Key); err != nil {
			a.Log.Error("an idempotency key was not given back", "error", err)
		}
		return nil
	}
	headers := http.Header{}
	for _, name := range [...]string{"Content-Type", "Location", "Retry-After", "Www-Authenticate", "Etag", http.CanonicalHeaderKey(versionHeader)} {
		if v := rec.Header()[name]; v != nil {
			headers[name] = v
		}
	}
	if until := callFrom(ctx).goodUntil; !until.IsZero() && until.Before(claim.ExpiresAt) {
		// Then the same request is done again.
		claim.ExpiresAt = until
	}
	text, _ := json.Marshal(headers) // texts
	claim.Status, claim.Headers, claim.Body = rec.status, string(text), rec.body.String()
	if err := a.Store.KeepAnswer(ctx, claim); err != nil {
		a.Log.Error("the answer to a request with an idempotency key was not kept", "error", err)
	}
	return nil
}

// recorder passes an answer on and remembers it.
type recorder struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.body.Len() <= maxKept {
		r.body.Write(b)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// tryAgain reports whether the answer means that nothing was done and the same
// request may go better: it is not to be kept.
func (r *recorder) tryAgain() bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusGone, http.StatusTooManyRequests, http.StatusServiceUnavailable,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusConflict:
		return true
	}
	return false
}
