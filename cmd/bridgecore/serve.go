package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

type serveCommand struct{}

func (serveCommand) Run(ctx context.Context, w world) error {
	c, err := w.config()
	if err != nil {
		return err
	}
	srv, err := w.assemble(ctx, c)
	if err != nil {
		return err
	}
	defer srv.close()
	if err := srv.firstUser(ctx); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("listen on port %d: %w", c.Port, err)
	}
	srv.log.Info("serving", "address", listener.Addr().String(), "environment", string(c.Environment), "version", version())
	return srv.serve(ctx, listener)
}

// assemble puts a server together for a process of its own, with secrets that
// are made where development has none.
func (w world) assemble(ctx context.Context, c *config.Config) (*server, error) {
	note, err := c.FillSecrets()
	if err != nil {
		return nil, err
	}
	log := newLog(w.stderr, c)
	if note != "" {
		log.Info(note)
	}
	return assemble(ctx, c, log)
}

// newLog writes text for people in development, otherwise JSON.
func newLog(w io.Writer, c *config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.Environment == config.Development {
		return slog.New(telemetry.Log(slog.NewTextHandler(w, options)))
	}
	return slog.New(telemetry.Log(slog.NewJSONHandler(w, options)))
}

// server is everything that serves requests, put together.
type server struct {
	config *config.Config
	log    *slog.Logger
	store  *store.Store
	vault  *vault.Vault
	auth   *auth.Auth
	cache  *cache.Cache
	keeper *systems.Keeper
	bridge *bridge.Bridge
	api    *httpapi.API
	shared *limit.Shared // what several servers count together; nil without Redis
	limits httpapi.Limits
	tasks  *task.Engine

	live     *live.Hub
	reports  *shelf.Shelf
	metrics  *telemetry.Metrics // nil for none
	audit    *audit.Log         // nil for none
	traces   *telemetry.Traces
	failures *telemetry.Failures
	last     []func() // what is sent when all else has ended

	patience patience
}

// patience is how long the server waits for clients: those that send nothing,
// or a byte now and then, must not hold connections for long.
type patience struct {
	header time.Duration // of a request, once its connection is open
	body   time.Duration // until the whole request is there
	idle   time.Duration // between requests
}

// mostHeader bounds a request's header, in bytes.
const mostHeader = 64 << 10

// assemble puts a server together. The secrets of c are filled.
func assemble(ctx context.Context, c *config.Config, log *slog.Logger) (*server, error) {
	return assembleWith(ctx, c, log, patience{10 * time.Second, time.Minute, 2 * time.Minute})
}

func assembleWith(ctx context.Context, c *config.Config, log *slog.Logger, p patience) (_ *server, err error) {
	s := &server{config: c, log: log, patience: p}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.vault, err = vault.New(c.EncryptionKey); err != nil {
		return nil, config.Errors{fmt.Errorf("ENCRYPTION_KEY: %w", err)}
	}
	if err = s.watch(ctx); err != nil {
		return nil, err
	}
	if s.store, err = openStore(ctx, c, s.query()); err != nil {
		return nil, err
	}
	var checkCache func(context.Context) error
	if s.cache, checkCache, err = openCache(c, log); err != nil {
		return nil, err
	}
	guard := netguard.Guard{Allowed: c.AllowedPrivateNetworks, Private: c.Environment == config.Development}
	own := mappings.New(standard.Set(), standard.Source)
	s.keeper = systems.NewKeeper(s.store, s.vault, log)
	if s.live, err = openLive(c, s.metrics, log); err != nil { //nolint:contextcheck // it lives longer than the start
		return nil, err
	}
	observers := bridge.Observers{s.live}
	var wrap func(http.RoundTripper) http.RoundTripper
	if s.metrics != nil {
		observers = append(observers, s.metrics)
	}
	if s.traces != nil {
		observers, wrap = append(observers, s.traces), s.traces.Transport
	}
	if c.AuditPolicy != config.AuditOff {
		s.audit = audit.New(audit.Config{ //nolint:contextcheck // entries are written though their callers left
			Store: s.store, Notify: httpapi.AuditNotice(s.live), Values: c.AuditValues, Key: s.vault.Derive("audit values"), BestEffort: c.AuditPolicy == config.AuditBestEffort, Log: log,
		})
		observers = append(observers, httpapi.Changes{Log: s.audit})
	}
	s.bridge, err = bridge.New(bridge.Config{ //nolint:contextcheck // it lives longer than the start
		Observer: observers,
		Source:   systems.Source(s.store, s.vault, own), Openers: systems.OpenersVia(guard, s.keeper, wrap), Lenses: systems.Lenses(), Mappings: own.Standard(),
		Cache: s.cache, RecordTTL: c.CacheTTL.Duration(), Logger: log,
		Keep:    s.store.Keep(),
		Breaker: breaker.Settings{Failures: c.FailureThreshold, Cooldown: c.RecoveryTimeout.Duration()},
	})
	if err != nil {
		return nil, err
	}
	s.live.Use(s.bridge)
	if s.shared, err = openShared(c, log); err != nil {
		return nil, err
	}
	s.auth = newAuth(s.store, c, s.shared)
	s.limits = openLimits(c, s.shared)
	if err := s.openTasks(ctx); err != nil {
		return nil, err
	}
	if s.reports, err = openReports(c, s.vault); err != nil {
		return nil, err
	}
	appVersion := c.AppVersion
	if appVersion == "" {
		appVersion = version()
	}
	s.api = httpapi.New(httpapi.Config{ //nolint:contextcheck // its handlers have the requests' contexts
		Store: s.store, Auth: s.auth, Vault: s.vault, Bridge: s.bridge, CheckCache: checkCache, Guard: guard, Mappings: own,
		Log: log, Name: c.AppName, Version: appVersion, Environment: string(c.Environment),
		Auditing: httpapi.Auditing{Log: s.audit, Reads: c.AuditReads},
		Live:     s.live,
		Metrics:  s.metrics, MetricsElsewhere: c.MetricsAddress != "",
		Traces: s.traces, Failures: s.failures,
		Limits: s.limits, TrustedProxies: c.TrustedProxies, Tasks: s.tasks, Settle: c.OperationSettle.Duration(), Passwords: policy(c),
		CORSOrigins: c.CORSOrigins, CORSCredentials: c.CORSCredentials, HSTS: c.HSTS.Duration(), MaxBody: c.MaxBodyBytes, BodyTimeout: p.body, Timeout: c.RequestTimeout.Duration(),
		Reports: s.reports, MaxUpload: c.MaxUploadBytes, TransferTimeout: c.TransferTimeout.Duration(), ExportTimeout: c.ExportTimeout.Duration(), ExportBackground: c.ExportBackgroundRows,
	})
	return s, nil
}

// watch opens what the server tells operators by.
func (s *server) watch(ctx context.Context) error {
	c := s.config
	if c.MetricsAddress != config.MetricsOff {
		s.metrics = telemetry.New(s.connected)
	}
	if address := c.TracesAddress(); address != "" {
		headers, err := c.TracesHeaders()
		if err != nil {
			return config.Errors{err}
		}
		s.traces, err = telemetry.NewTraces(ctx, telemetry.TracesConfig{
			Endpoint: address, Headers: headers, Sampler: c.TracesSampler, Ratio: c.TracesSamplerArg,
			Service: c.OTelService, Version: version(), Environment: string(c.Environment), Log: s.log,
		})
		if err != nil {
			return fmt.Errorf("prepare traces: %w", err)
		}
		s.sendLast(ctx, "send the last traces", s.traces.Close)
	}
	if c.SentryDSN.IsZero() {
		return nil
	}
	if strings.Contains(c.SentryDSN.Reveal(), "your-sentry-dsn") {
		s.log.Warn("SENTRY_DSN is the placeholder of the documents: nothing is reported")
		return nil
	}
	failures, err := telemetry.NewFailures(telemetry.FailuresConfig{
		DSN: c.SentryDSN.Reveal(), Environment: string(c.Environment), Release: "bridgecore@" + version(), Personal: c.SentryNames,
	})
	if err != nil {
		return config.Errors{err}
	}
	s.failures = failures
	s.sendLast(ctx, "send the last reports", failures.Close)
	return nil
}

// telling is how long the end waits for each collector to take what is left.
const telling = 5 * time.Second

// sendLast has something sent at the very end, though ctx will have ended.
func (s *server) sendLast(ctx context.Context, what string, send func(context.Context) error) {
	s.last = append(s.last, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), telling)
		defer cancel()
		s.report(what, send(ctx))
	})
}

// query tells of queries to the database whoever wants to know.
func (s *server) query() func(context.Context, string, time.Duration) {
	if s.metrics == nil && s.traces == nil {
		return nil
	}
	return func(ctx context.Context, operation string, took time.Duration) {
		if s.metrics != nil {
			s.metrics.Query(operation, took)
		}
		if s.traces != nil {
			s.traces.Query(ctx, operation, took)
		}
	}
}

func newAuth(s *store.Store, c *config.Config, shared *limit.Shared) *auth.Auth {
	ac := auth.Config{
		Key:             c.JWTSecretKey,
		AccessLifetime:  time.Duration(c.AccessTokenMinutes) * time.Minute,
		RefreshLifetime: time.Duration(c.RefreshTokenDays) * 24 * time.Hour,
	}
	if shared != nil {
		ac.Budgets = shared
	}
	return auth.New(s, ac)
}

// openCache keeps answers in the process, in front of Redis where there is
// one; check then asks whether it answers.
func openCache(c *config.Config, log *slog.Logger) (_ *cache.Cache, check func(context.Context) error, err error) {
	if c.RedisURL.IsZero() {
		return cache.New(cache.NewMemory(0)), nil, nil
	}
	redis, err := cache.NewRedis(cache.RedisConfig{URL: c.RedisURL.Reveal(), Prefix: "bridgecore:", Logger: log})
	if err != nil {
		return nil, nil, config.Errors{fmt.Errorf("REDIS_URL: %w", err)}
	}
	return cache.New(cache.NewTwoLevel(redis, cache.TwoLevelConfig{})), redis.Ping, nil
}

// openReports opens the directory where exports are kept, and one for temporary
// files where the system has none, as in an empty image.
func openReports(c *config.Config, keys *vault.Vault) (*shelf.Shelf, error) {
	dir := c.ReportsDir
	if dir == "" {
		dir = filepath.Join(c.DataDir, "reports")
	}
	reports, err := shelf.New(shelf.Config{Dir: dir, Key: keys.Derive("reports"), Life: c.ReportsLifetime.Duration(), Most: c.ReportsMaxBytes})
	if err != nil {
		return nil, config.Errors{fmt.Errorf("REPORTS_DIR: %w", err)}
	}
	if _, err := os.Stat(os.TempDir()); errors.Is(err, fs.ErrNotExist) {
		temporary, err := filepath.Abs(filepath.Join(c.DataDir, "tmp"))
		if err == nil {
			err = os.MkdirAll(temporary, 0o700)
		}
		if err == nil {
			err = os.Setenv("TMPDIR", temporary)
		}
		if err != nil {
			return nil, fmt.Errorf("make a directory for temporary files: %w", err)
		}
	}
	return reports, nil
}

// connected is asked at every scrape.
func (s *server) connected() map[string]int {
	if s.bridge == nil {
		return nil
	}
	return s.bridge.Connected()
}

// openShared lets several servers count requests and failed logins together,
// where there is a Redis.
func openShared(c *config.Config, log *slog.Logger) (*limit.Shared, error) {
	if c.RedisURL.IsZero() {
		return nil, nil //nolint:nilnil // none is needed
	}
	shared, err := limit.NewShared(limit.Redis{URL: c.RedisURL.Reveal(), Prefix: "bridgecore:limit:", Log: log})
	if err != nil {
		return nil, config.Errors{fmt.Errorf("REDIS_URL: %w", err)}
	}
	return shared, nil
}

// openLimits counts requests in the process, or together with other servers.
func openLimits(c *config.Config, shared *limit.Shared) httpapi.Limits {
	if !c.RateLimitEnabled {
		return httpapi.Limits{}
	}
	rates := limit.Documented().Over(limit.Rates{limit.Default: c.RateLimitPerMinute}).Over(c.RateLimits)
	if shared == nil {
		return httpapi.Limits{Limiter: limit.NewLocal(nil), Rates: rates}
	}
	return httpapi.Limits{Limiter: shared, Rates: rates}
}

// openLive starts the hub of live connections, which several servers share
// through Redis.
func openLive(c *config.Config, metrics *telemetry.Metrics, log *slog.Logger) (*live.Hub, error) {
	lc := live.Config{
		RedisURL: c.RedisURL.Reveal(), PollInterval: c.LivePollInterval.Duration(), MaxPerUser: c.LiveMaxSockets, Log: log,
	}
	if metrics != nil {
		lc.Metrics = metrics
	}
	hub, err := live.New(lc)
	if err != nil {
		return nil, config.Errors{fmt.Errorf("REDIS_URL: %w", err)}
	}
	return hub, nil
}

// firstUser makes the user that the configuration names for an empty database,
// or says how to make one.
func (s *server) firstUser(ctx context.Context) error {
	has, err := s.store.HasUsers(ctx)
	if err != nil || has {
		return err
	}
	if s.config.AdminPassword.IsZero() {
		s.log.Warn("nobody can log in yet; make the first user with: bridgecore user add admin --admin")
		return nil
	}
	u, password := store.User{Username: "admin", Role: store.Operator}, s.config.AdminPassword.Reveal()
	err = policy(s.config).Check(u.Username, password)
	if err == nil {
		err = addUser(ctx, s.store, "default", &u, password)
	}
	if err != nil {
		return config.Errors{fmt.Errorf("BRIDGECORE_ADMIN_PASSWORD: %s", message(err))}
	}
	s.log.Info("made the first user from BRIDGECORE_ADMIN_PASSWORD", "username", u.Username)
	return nil
}

// serve serves until ctx ends, then lets the requests under way finish.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	timeout := s.config.RequestTimeout.Duration()
	web := &http.Server{
		Handler:           s.api,
		ReadHeaderTimeout: s.patience.header,
		ReadTimeout:       s.patience.body,
		WriteTimeout:      timeout + 30*time.Second,
		IdleTimeout:       s.patience.idle,
		MaxHeaderBytes:    mostHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	stopMetrics, err := s.serveMetrics(ctx)
	if err != nil {
		return errors.Join(err, web.Close())
	}
	defer stopMetrics()
	stopWork, err := s.work(ctx)
	if err != nil {
		return errors.Join(err, web.Close())
	}
	defer stopWork()
	go s.sweep(ctx)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.log.Info("shutting down: requests under way may finish; interrupt again to end at once")
	s.api.Drain()
	if delay := s.config.ShutdownDelay.Duration(); delay > 0 {
		// Load balancers need a moment to see that /readyz says no.
		<-time.After(delay)
	}
	last, cancel := context.WithTimeout(context.Background(), timeout+5*time.Second)
	defer cancel()
	// Live connections are told where to go on; they would never end by
	// themselves.
	s.live.Drain(last)                         //nolint:contextcheck // ctx has ended: that is why
	if err := web.Shutdown(last); err != nil { //nolint:contextcheck // ctx has ended: that is why
		return fmt.Errorf("requests did not finish in time: %w", errors.Join(err, web.Close()))
	}
	return nil
}

// serveMetrics serves /metrics at an address of its own, if it has one, to the
// very end.
func (s *server) serveMetrics(ctx context.Context) (stop func(), err error) {
	address := s.config.MetricsAddress
	if address == "" || s.metrics == nil {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen at METRICS_ADDRESS: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	web := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(listener)
	}()
	s.log.Info("serving metrics", "address", listener.Addr().String())
	return func() {
		_ = web.Close()
		<-done
	}, nil
}

// sweep removes exports that have expired, every few minutes.
func (s *server) sweep(ctx context.Context) {
	often := time.NewTicker(5 * time.Minute)
	defer often.Stop()
	for {
		if n, err := s.reports.Sweep(); err != nil {
			s.report("remove expired exports", err)
		} else if n > 0 {
			s.log.Info("removed expired exports", "count", n)
		}
		select {
		case <-often.C:
		case <-ctx.Done():
			return
		}
	}
}

// close frees everything, the last opened first.
func (s *server) close() {
	if s.tasks != nil {
		s.tasks.Close()
	}
	if s.live != nil {
		s.report("close the live connections", s.live.Close())
	}
	if s.bridge != nil {
		s.report("close the systems' connections", s.bridge.Close())
	}
	s.keeper.Close()
	if s.cache != nil {
		s.report("close the cache", s.cache.Close())
	}
	if s.audit != nil {
		s.report("write the audit log", s.audit.Close())
	}
	if s.shared != nil {
		s.report("close the Redis of limits", s.shared.Close())
	}
	if s.store != nil {
		s.report("close the database", s.store.Close())
	}
	for _, send := range s.last {
		send()
	}
}

func (s *server) report(what string, err error) {
	if err != nil {
		s.log.Error("could not "+what, "error", err)
	}
}
