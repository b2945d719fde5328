// Package httpapi is the server's face: it decodes requests, calls bridge, auth
// and store, and encodes the answers. It holds no rule of its own about what a
// system may be asked.
package httpapi

import (
	"context"
	"encoding/json"
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
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
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
	// Limits bound what each caller may ask for.
	Limits Limits
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	CORSOrigins []string      // "*" for any; none turns CORS off
	MaxBody     int64         // bytes of a request's body; 0 for 1 MiB
	Timeout     time.Duration // for one request; 0 for a minute
}

// API serves the HTTP API.
type API struct {
	Config
	handler  http.Handler
	echo     *echo.Echo
	huma     huma.API
	draining atomic.Bool
	yaml     map[string]bool // methods and paths whose bodies may be YAML
}

// New returns the API.
func New(c Config) *API {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	a := &API{Config: c, yaml: map[string]bool{}}
	a.echo = echo.NewWithConfig(echo.Config{
		Logger: c.Log,
		Router: echo.NewRouter(echo.RouterConfig{AutoHandleHEAD: true, UnescapePathParamValues: true}),
		HTTPErrorHandler: func(c *echo.Context, err error) {
			writeProblem(c.Response(), c.Request(), problemOf(err))
		},
	})
	a.echo.Use(noteRoute, a.checkBody)
	if len(c.CORSOrigins) > 0 {
		a.echo.Use(middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOrigins:  c.CORSOrigins,
			AllowHeaders:  []string{"Authorization", "Content-Type", "Accept", "X-Request-ID", versionHeader, idempotencyHeader, "If-Match", "If-None-Match"},
			ExposeHeaders: []string{"X-Request-ID", "X-Response-Time", "Retry-After", "Location", "ETag", versionHeader, replayedHeader, "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"},
			MaxAge:        3600,
		}))
	}
	a.echo.Use(a.idempotent)
	a.huma = huma.NewAPI(a.spec(), humaEcho{a.echo})
	a.registerAuth()
	a.registerSystems()
	a.registerStatus()
	a.registerCRUD()
	a.registerBatch()
	a.registerOperations()
	a.registerBarcode()
	a.registerMigrate()
	a.registerMappings()
	a.registerCache()
	a.registerAudit()
	a.registerHealth()
	a.registerMetrics()
	a.registerDocs()

	compressed, err := gzhttp.NewWrapper(gzhttp.MinSize(1000), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) //nolint:forbidigo // the options are constant
	}
	a.handler = &frame{next: compressed(a.echo), timeout: c.Timeout, log: c.Log, trusted: c.TrustedProxies, metrics: c.Metrics, audit: c.Auditing}
	return a
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

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
	errors   []int  // statuses of errors, besides those that every operation has
	// class is how the operation is limited; "" for limit.Default, none for not
	// at all.
	class limit.Class
	reads bool // a POST that changes nothing
}

// changes reports whether the operation may change something, by its method.
func (r *route) changes() bool { return r.method != http.MethodGet && !r.reads }

// none is the class of what is not limited: probes and the API's own
// description.
const none limit.Class = "none"

// operation returns what huma wants to know about the route.
func (a *API) operation(r route) huma.Operation {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Tags: []string{r.tag},
		Summary: r.summary, Description: r.description,
		DefaultStatus: r.status,
		// huma refuses a body of exactly the limit.
		MaxBodyBytes:    a.MaxBody + 1,
		BodyReadTimeout: 30 * time.Second,
		Errors:          append([]int{http.StatusInternalServerError}, r.errors...),
	}
	if !r.open {
		op.Errors = append(op.Errors, http.StatusUnauthorized)
		op.Security = []map[string][]string{{"accessToken": {}}}
		op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
			c := ctx.(*humaContext).c
			if err := a.identify(c, r.admin); err != nil {
				writeProblem(c.Response(), c.Request(), problemOf(err))
				return
			}
			next(ctx)
		})
	}
	if changes := r.changes(); changes || r.class != none && !r.open {
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
	if r.security != "" {
		op.Security = []map[string][]string{{r.security: {}}}
	}
	if r.admin {
		op.Errors = append(op.Errors, http.StatusForbidden)
		op.Description += " Needs the role admin."
	}
	slices.Sort(op.Errors)
	op.Errors = slices.Compact(op.Errors)
	return op
}

func register[I, O any](a *API, r route, handler func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, a.operation(r), handler)
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

func noteRoute(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		callFrom(c.Request().Context()).route = c.Path()
		return next(c)
	}
}

// checkBody refuses a body that is not called JSON, or YAML where that is
// taken, or says that it is too
// large, before reading it. One that does not say is cut off where it is read.
func (a *API) checkBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		r := c.Request()
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

var jsonType = []string{"application/json"}

// spec is the part of the OpenAPI description that is about all operations.
func (a *API) spec() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "BridgeCore API",
				Version: a.Version,
				Description: "One face on Odoo 13.0 to 19.0, Salesforce and SAP. Log in, register a system, then read and write its records with " +
					"`/crud` or call it with `/odoo/{operation}`: in its own words, or with `use_universal_schema` in words that are the same for all. Every error has the same body, of type `application/problem+json`.",
				License: &huma.License{Name: "MIT", Identifier: "MIT"},
			},
			Components: &huma.Components{
				Schemas: newRegistry(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"accessToken":  {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access token of a login or a refresh."},
					"refreshToken": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The refresh token of a login."},
				},
			},
			Tags: []*huma.Tag{
				{Name: "Authentication", Description: "Sessions and tokens."},
				{Name: "Systems", Description: "Connected systems of the caller's tenant."},
				{Name: "Records", Description: "Create, read, update and delete records of any model."},
				{Name: "Odoo", Description: "Odoo's own operations, the same for every version."},
				{Name: "Mappings", Description: "Universal models, and how each system has them."},
				{Name: "Migration", Description: "Records carried from one version to another."},
				{Name: "Barcodes", Description: "Products, packagings, lots and locations by what a scanner reads; labels."},
				{Name: "Audit", Description: "Who did what."},
				{Name: "Cache", Description: "What is kept of a system's answers."},
				{Name: "Health", Description: "For load balancers and people."},
			},
		},
		// huma looks application/problem+json up as "json".
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
	}
}

// registerDocs serves the description and its page, both from the program
// itself.
func (a *API) registerDocs() {
	spec, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic(err) //nolint:forbidigo // the same at every start
	}
	a.echo.GET("/openapi.json", func(c *echo.Context) error {
		return c.Blob(http.StatusOK, "application/json", spec)
	})
	page := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "BridgeCore API", SwaggerJSON: "/openapi.json", BasePath: "/docs",
		SettingsUI: map[string]string{"persistAuthorization": "true", "tryItOutEnabled": "true", "validatorUrl": "null"},
	})
	serve := func(c *echo.Context) error {
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	a.echo.GET("/docs", serve)
	a.echo.GET("/docs/*", serve)
}

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
