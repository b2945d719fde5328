package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"
)

// humaEcho lets huma register its operations with echo v5.
type humaEcho struct{ echo *echo.Echo }

func (a humaEcho) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.echo.ServeHTTP(w, r) }

func (a humaEcho) Handle(op *huma.Operation, handler func(huma.Context)) {
	a.echo.Add(op.Method, echoPath(op.Path), func(c *echo.Context) error {
		handler(&humaContext{op: op, c: c})
		return nil
	})
}

// echoPath writes OpenAPI's {param} as echo's :param.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// humaContext is one request, as huma sees it.
type humaContext struct {
	op     *huma.Operation
	c      *echo.Context
	status int
}

var _ huma.Context = (*humaContext)(nil)

func (h *humaContext) Operation() *huma.Operation   { return h.op }
func (h *humaContext) Context() context.Context     { return h.c.Request().Context() }
func (h *humaContext) TLS() *tls.ConnectionState    { return h.c.Request().TLS }
func (h *humaContext) Method() string               { return h.c.Request().Method }
func (h *humaContext) Host() string                 { return h.c.Request().Host }
func (h *humaContext) RemoteAddr() string           { return h.c.Request().RemoteAddr }
func (h *humaContext) URL() url.URL                 { return *h.c.Request().URL }
func (h *humaContext) Param(name string) string     { return h.c.Param(name) }
func (h *humaContext) Query(name string) string     { return h.c.QueryParam(name) }
func (h *humaContext) Header(name string) string    { return h.c.Request().Header.Get(name) }
func (h *humaContext) BodyReader() io.Reader        { return h.c.Request().Body }
func (h *humaContext) BodyWriter() io.Writer        { return h.c.Response() }
func (h *humaContext) Status() int                  { return h.status }
func (h *humaContext) SetHeader(name, value string) { h.c.Response().Header().Set(name, value) }

func (h *humaContext) AppendHeader(name, value string) {
	h.c.Response().Header().Add(name, value)
}

func (h *humaContext) SetStatus(code int) {
	h.status = code
	h.c.Response().WriteHeader(code)
}

func (h *humaContext) EachHeader(f func(name, value string)) {
	for name, values := range h.c.Request().Header {
		for _, value := range values {
			f(name, value)
		}
	}
}

func (h *humaContext) GetMultipartForm() (*multipart.Form, error) {
	return nil, errors.New("no operation takes a form")
}

func (h *humaContext) SetReadDeadline(deadline time.Time) error {
	return http.NewResponseController(h.c.Response()).SetReadDeadline(deadline)
}

func (h *humaContext) Version() huma.ProtoVersion {
	r := h.c.Request()
	return huma.ProtoVersion{Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor}
}
