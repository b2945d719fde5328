// Package httpapi is the server's face: it decodes requests, calls bridge, auth
// and store, and encodes the answers. It holds no rule of its own about what a
// system may be asked.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// Config is what the API works with. Store, Auth, Vault, Bridge and Mappings
// are required.
type Config struct {
	Store  *store.Store
	Auth   *auth.Auth
	Vault  *vault.Vault
	Bridge *bridge.Bridge
	Guard  netguard.Guard
	// Mappings are the standard ones, and how to check tenants' own.
	Mappings *mappings.Mappings
	// CheckCache asks whether the cache's server answers; nil if it has none.
	CheckCache func(context.Context) error

	Log         *slog.Logger // nil for slog.Default
	Name        string       // of the service, as /health tells it
	Version     string       // of the program
	Environment string       // as /health tells it

	// Auditing says what is recorded of requests.
	Auditing Auditing
	// Metrics count what is served; nil for none. They are served at /metrics
	// unless MetricsElsewhere.
	Metrics          *telemetry.Metrics
	MetricsElsewhere bool
	// Traces follow requests, Failures report what the server did wrong; nil
	// for neither.
	Traces   *telemetry.Traces
	Failures *telemetry.Failures
	// Passwords says which new passwords are good enough.
	Passwords auth.Policy
	// Live tells those who are connected what happens; nil serves no live
	// connections.
	Live      *live.Hub
	LiveTimes LiveTimes
	// Limits bound what each caller may ask for.
	Limits Limits
	// Tasks do what is asked for with "async": true; nil refuses that.
	Tasks *task.Engine
	// Settle is how long after a server was killed what it had sent to a system
	// may still arrive there; 0 is half a minute.
	Settle time.Duration
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	CORSOrigins []string // "*" for any; none turns CORS off
	// CORSCredentials lets pages of those origins send cookies; not with "*".
	CORSCredentials bool
	HSTS            time.Duration // for how long browsers are told to use TLS alone; 0 for not
	MaxBody         int64         // bytes of a request's body; 0 for 1 MiB
	BodyTimeout     time.Duration // for a body to arrive; 0 for a minute
	Timeout         time.Duration // for one request; 0 for a minute

	// Reports keeps what is exported until it is fetched; without it exports
	// are refused.
	Reports         *shelf.Shelf
	MaxUpload       int64         // bytes of a file; 0 for 25 MiB
	TransferTimeout time.Duration // for sending or fetching one file; 0 for five minutes
	ExportTimeout   time.Duration // for one export; 0 for ten minutes
	// ExportBackground is the number of rows above which an export is made in
	// the background, unless its caller says otherwise; 0 for never.
	ExportBackground int
}

// API serves the HTTP API.
type API struct {
	Config
	handler  http.Handler
	echo     *echo.Echo
	huma     huma.API
	draining atomic.Bool
	yaml     map[string]bool          // methods and paths whose bodies may be YAML
	forms    map[string]bool          // those whose bodies are forms with a file
	timeouts map[string]time.Duration // those that may take longer than Timeout
	exports  chan struct{}            // one for each export under way
	accounts *accounts.Accounts
}

// New returns the API.
func New(c Config) *API {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = time.Minute
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if c.Settle == 0 {
		c.Settle = bridge.DefaultCallTimeout
	}
	setDefaults(&c)
	a := &API{
		Config: c, yaml: map[string]bool{}, forms: map[string]bool{}, timeouts: map[string]time.Duration{},
		exports: make(chan struct{}, exportsAtOnce),
	}
	a.accounts = &accounts.Accounts{Store: c.Store, Policy: c.Passwords, Hash: c.Auth.Hash, Changed: c.Auth.Changed}
	a.echo = echo.NewWithConfig(echo.Config{
		Logger: c.Log,
		Router: echo.NewRouter(echo.RouterConfig{UnescapePathParamValues: true, OptionsMethodHandler: options}),
		HTTPErrorHandler: func(c *echo.Context, err error) {
			withHead(c.Response().Header())
			writeProblem(c.Response(), c.Request(), problemOf(err))
		},
	})
	a.echo.Use(a.noteRoute)
	if len(c.CORSOrigins) > 0 {
		a.echo.Use(middleware.CORSWithConfig(middleware.CORSConfig{
			// OPTIONS that is no preflight is for the router.
			Skipper: func(c *echo.Context) bool {
				return c.Request().Method == http.MethodOptions && c.Request().Header.Get("Access-Control-Request-Method") == ""
			},
			AllowOrigins:  c.CORSOrigins,
			AllowHeaders:  []string{"Authorization", "Content-Type", "Accept", "X-Request-ID", versionHeader, idempotencyHeader, "If-Match", "If-None-Match", "Range", "If-Range"},
			ExposeHeaders: []string{"X-Request-ID", "X-Response-Time", "Retry-After", "Location", "ETag", "Content-Disposition", "Content-Range", "Accept-Ranges", versionHeader, replayedHeader, "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"},
			MaxAge:        3600,
			// Never with "*", which the configuration refuses.
			AllowCredentials: c.CORSCredentials,
		}))
	}
	a.echo.Use(a.checkBody, tagged, a.idempotent)
	a.huma = huma.NewAPI(a.spec(), humaEcho{a.echo})
	a.registerAuth()
	a.registerOwn()
	a.registerUsers()
	a.registerTenants()
	a.registerSystems()
	a.registerStatus()
	a.registerCRUD()
	a.registerChanges()
	a.registerBatch()
	a.registerOperations()
	a.registerBarcode()
	a.registerMigrate()
	a.registerSync()
	a.registerTasks()
	a.registerMappings()
	a.registerFiles()
	a.registerExports()
	a.registerCache()
	a.registerAudit()
	a.registerLive()
	a.registerHealth()
	a.registerMetrics()
	a.registerDocs()
	a.registerMonitor()
	a.finishSchemas()
	a.illustrate()

	compressed, err := gzhttp.NewWrapper(gzhttp.MinSize(1000), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) //nolint:forbidigo // the options are constant
	}
	a.handler = &frame{
		next: uncompressed(a.echo, compressed(a.echo)), timeout: c.Timeout, log: c.Log, trusted: c.TrustedProxies, metrics: c.Metrics, audit: c.Auditing,
		traces: c.Traces, failures: c.Failures, manners: manners(c.HSTS),
	}
	return a
}

func setDefaults(c *Config) {
	if c.MaxUpload == 0 {
		c.MaxUpload = 25 << 20
	}
	if c.TransferTimeout == 0 {
		c.TransferTimeout = 5 * time.Minute
	}
	if c.ExportTimeout == 0 {
		c.ExportTimeout = 10 * time.Minute
	}
	// Never less than any other request has.
	c.TransferTimeout, c.ExportTimeout = max(c.TransferTimeout, c.Timeout), max(c.ExportTimeout, c.Timeout)
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.handler.ServeHTTP(w, withoutToken(r))
}

// Drain makes /readyz answer 503, so that no new work is sent here, while
// everything is still served.
func (a *API) Drain() { a.draining.Store(true) }

// Spec returns the OpenAPI description.
func (a *API) Spec() *huma.OpenAPI { return a.huma.OpenAPI() }

// route describes one operation for huma and OpenAPI.
type route struct {
	id, method, path, tag, summary, description string

	status   int    // of success; 0 for 200
	open     bool   // needs no access token
	security string // the scheme to document; "" for the access token
	admin    bool   // needs the role admin
	operator bool   // needs the role operator
	own      bool   // changes nothing but what is the caller's: viewers may too
	mixed    bool   // changes something or not, as the body says: bridge looks after viewers
	errors   []int  // statuses of errors, besides those that every operation has
	// class is how the operation is limited; "" for limit.Default, none for not
	// at all.
	class limit.Class
	reads bool // a POST that changes nothing
	// carries says that it carries data out of the house: it is recorded like a
	// change, whatever is recorded of reads.
	carries bool
	timeout time.Duration // 0 for Config.Timeout
}

// changes reports whether the operation may change something, by its method.
func (r *route) changes() bool { return r.method != http.MethodGet && !r.reads }

// key is what the operation is known under before it is met.
func (r *route) key() string { return r.method + " " + echoPath(r.path) }

// permits refuses callers whose role is not enough.
func (r *route) permits(id *auth.Identity) error {
	switch {
	case r.operator && !id.IsOperator():
		return adapter.Errorf(adapter.PermissionDenied, "this needs the role operator")
	case id.ReadsOnly() && r.changes() && !r.own && !r.mixed:
		return adapter.Errorf(adapter.PermissionDenied, "your role only reads; an admin can give you another one")
	}
	return nil
}

// none is the class of what is not limited: probes and the API's own
// description.
const none limit.Class = "none"

// operation returns what huma wants to know about the route.
func (a *API) operation(r route) huma.Operation {
	if r.timeout > a.Timeout {
		a.timeouts[r.key()] = r.timeout
	}
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Tags: []string{r.tag},
		Summary: r.summary, Description: r.description,
		DefaultStatus: r.status,
		// huma refuses a body of exactly the limit.
		MaxBodyBytes:    a.MaxBody + 1,
		BodyReadTimeout: a.BodyTimeout,
		Errors:          append([]int{http.StatusInternalServerError}, r.errors...),
	}
	if r.method == http.MethodGet && strings.HasPrefix(r.path, apiPrefix) {
		op.Responses = map[string]*huma.Response{"304": unchanged}
	}
	if r.changes() && !r.open {
		op.Parameters = append(op.Parameters, keyParameter())
		op.Errors = append(op.Errors, http.StatusConflict, http.StatusUnprocessableEntity)
	}
	if !r.open {
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusGone)
		op.Security = []map[string][]string{{"accessToken": {}}}
		op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
			c := ctx.(*humaContext).c
			err := a.identify(c, r.admin)
			if err == nil {
				err = r.permits(callFrom(c.Request().Context()).identity)
			}
			if err != nil {
				writeProblem(c.Response(), c.Request(), problemOf(err))
				return
			}
			next(ctx)
		})
	}
	if changes := r.changes() || r.carries; changes || r.class != none && !r.open {
		op.Middlewares = append(huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			c := ctx.(*humaContext).c
			callFrom(c.Request().Context()).noted(r.id, changes).systemID = c.Param("system_id")
			next(ctx)
		}}, op.Middlewares...)
	}
	class := r.class
	if class == "" {
		class = limit.Default
	}
	if class != none {
		op.Errors = append(op.Errors, http.StatusTooManyRequests)
		op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
			c := ctx.(*humaContext).c
			if err := a.limited(callFrom(c.Request().Context()), class); err != nil {
				writeProblem(c.Response(), c.Request(), problemOf(err))
				return
			}
			next(ctx)
		})
	}
	if r.open {
		op.Security = []map[string][]string{}
	}
	if r.security != "" {
		op.Security = []map[string][]string{{r.security: {}}}
	}
	if r.admin {
		op.Errors = append(op.Errors, http.StatusForbidden)
		op.Description += " Needs the role admin."
	}
	if r.operator {
		op.Description += " Needs the role operator."
	}
	slices.Sort(op.Errors)
	op.Errors = slices.Compact(op.Errors)
	return op
}

func register[I, O any](a *API, r route, handler func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, a.operation(r), saying(handler))
}

// saying makes the problems that a handler returns whole: huma answers with them
// as they are.
func saying[I, O any](handler func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if errors.As(err, new(*Problem)) {
			err = problemOf(err).of(callFrom(ctx))
		}
		return out, err
	}
}

// raw registers an operation whose handler reads the request and writes the
// answer by itself. It is described apart, see document.
func (a *API) raw(r route, handler echo.HandlerFunc) huma.Operation {
	a.echo.Add(r.method, echoPath(r.path), func(c *echo.Context) error {
		if err := a.identify(c, r.admin); err != nil {
			return err
		}
		call := callFrom(c.Request().Context())
		if err := r.permits(call.identity); err != nil {
			return err
		}
		call.noted(r.id, r.changes() || r.carries).systemID = c.Param("system_id")
		if err := a.limited(call, r.class); err != nil {
			return err
		}
		return handler(c)
	})
	return a.operation(r)
}

// identify finds out who calls and keeps it with the request.
func (a *API) identify(c *echo.Context, admin bool) error {
	r := c.Request()
	id, err := a.Auth.Identify(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	callFrom(r.Context()).identity = id
	if admin && !id.IsAdmin() {
		return adapter.Errorf(adapter.PermissionDenied, "this needs the role admin")
	}
	return nil
}

// noteRoute notes the template of the path, and gives what takes longer the
// time for it.
func (a *API) noteRoute(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		call := callFrom(c.Request().Context())
		call.route = c.Path()
		if d := a.timeoutOf(c); d > a.Timeout {
			call.extend(d)
		}
		return next(c)
	}
}

// timeoutOf is how long a request may take.
func (a *API) timeoutOf(c *echo.Context) time.Duration {
	method := c.Request().Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return max(a.Timeout, a.timeouts[method+" "+c.Path()])
}

// checkBody refuses a body that is not called JSON, or YAML where that is
// taken, or says that it is too
// large, before reading it. One that does not say is cut off where it is read.
func (a *API) checkBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		r := c.Request()
		if a.forms[r.Method+" "+c.Path()] {
			return a.checkForm(c, next)
		}
		if isMonitor(r) {
			return next(c) // its forms are those of a page
		}
		if r.ContentLength > a.MaxBody {
			// The rest of it isn't worth reading.
			c.Response().Header().Set("Connection", "close")
			return tooLarge(a.MaxBody)
		}
		if r.ContentLength != 0 {
			switch kind := r.Header.Get("Content-Type"); {
			case isYAML(kind) && a.yaml[r.Method+" "+c.Path()]:
			case isJSON(kind):
				r.Header["Content-Type"] = jsonType
			default:
				return statusProblem(http.StatusUnsupportedMediaType)
			}
		}
		return next(c)
	}
}

// formRoom is how much a form may have beside its file.
const formRoom = 64 << 10

// checkForm is checkBody for a form with a file.
func (a *API) checkForm(c *echo.Context, next echo.HandlerFunc) error {
	r := c.Request()
	if r.ContentLength > a.MaxUpload+formRoom {
		c.Response().Header().Set("Connection", "close")
		return fileTooLarge(a.MaxUpload)
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		return newProblem(http.StatusUnsupportedMediaType, "", "send the file in a form, as multipart/form-data")
	}
	return next(c)
}

var jsonType = []string{"application/json"}

// registerMetrics serves the metrics to Prometheus, which wants no JSON and no
// token: keep the path from the outside, or give it an address of its own.
func (a *API) registerMetrics() {
	if a.Metrics == nil || a.MetricsElsewhere {
		return
	}
	page := a.Metrics.Handler()
	a.echo.GET("/metrics", func(c *echo.Context) error {
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	})
}

// remoteHost is the address of whoever is at the other end of the connection,
// without the port.
func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// isJSON reports whether a body may be read as JSON. curl -d calls a body a
// form unless told otherwise; the documented examples rely on it.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json") || kind == "application/x-www-form-urlencoded"
}

var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if err := strictJSON(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}
