package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
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
	note, err := c.FillSecrets()
	if err != nil {
		return err
	}
	log := newLog(w.stderr, c)
	if note != "" {
		log.Info(note)
	}
	srv, err := assemble(ctx, c, log)
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
	log.Info("serving", "address", listener.Addr().String(), "environment", string(c.Environment), "version", version())
	return srv.serve(ctx, listener)
}

// newLog writes text for people in development, otherwise JSON.
func newLog(w io.Writer, c *config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.Environment == config.Development {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
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
	limits httpapi.Limits

	metrics *telemetry.Metrics // nil for none
	audit   *audit.Log         // nil for none
}

// assemble puts a server together. The secrets of c are filled.
func assemble(ctx context.Context, c *config.Config, log *slog.Logger) (_ *server, err error) {
	s := &server{config: c, log: log}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.vault, err = vault.New(c.EncryptionKey); err != nil {
		return nil, config.Errors{fmt.Errorf("ENCRYPTION_KEY: %w", err)}
	}
	var measured func(string, time.Duration)
	if c.MetricsAddress != config.MetricsOff {
		s.metrics = telemetry.New(s.connected)
		measured = s.metrics.Query
	}
	if s.store, err = openStore(ctx, c, measured); err != nil {
		return nil, err
	}
	var checkCache func(context.Context) error
	if s.cache, checkCache, err = openCache(c, log); err != nil {
		return nil, err
	}
	guard := netguard.Guard{Allowed: c.AllowedPrivateNetworks, Private: c.Environment == config.Development}
	own := mappings.New(standard.Set(), standard.Source)
	s.keeper = systems.NewKeeper(s.store, s.vault, log)
	var observers bridge.Observers
	if s.metrics != nil {
		observers = append(observers, s.metrics)
	}
	if c.AuditPolicy != config.AuditOff {
		s.audit = audit.New(audit.Config{ //nolint:contextcheck // entries are written though their callers left
			Store: s.store, Values: c.AuditValues, Key: s.vault.Derive("audit values"), BestEffort: c.AuditPolicy == config.AuditBestEffort, Log: log,
		})
		observers = append(observers, httpapi.Changes{Log: s.audit})
	}
	s.bridge, err = bridge.New(bridge.Config{ //nolint:contextcheck // it lives longer than the start
		Observer: observers,
		Source:   systems.Source(s.store, s.vault, own), Openers: systems.Openers(guard, s.keeper), Lenses: systems.Lenses(), Mappings: own.Standard(),
		Cache: s.cache, RecordTTL: c.CacheTTL.Duration(), Logger: log,
		Breaker: breaker.Settings{Failures: c.FailureThreshold, Cooldown: c.RecoveryTimeout.Duration()},
	})
	if err != nil {
		return nil, err
	}
	s.auth = auth.New(s.store, auth.Config{
		Key:             c.JWTSecretKey,
		AccessLifetime:  time.Duration(c.AccessTokenMinutes) * time.Minute,
		RefreshLifetime: time.Duration(c.RefreshTokenDays) * 24 * time.Hour,
	})
	if s.limits, err = openLimits(c, log); err != nil {
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
		Metrics:  s.metrics, MetricsElsewhere: c.MetricsAddress != "",
		Limits: s.limits, TrustedProxies: c.TrustedProxies,
		CORSOrigins: c.CORSOrigins, MaxBody: c.MaxBodyBytes, Timeout: c.RequestTimeout.Duration(),
	})
	return s, nil
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

// connected is asked at every scrape.
func (s *server) connected() map[string]int {
	if s.bridge == nil {
		return nil
	}
	return s.bridge.Connected()
}

// openLimits counts requests in the process, or in Redis where there is one, so
// that several servers count together.
func openLimits(c *config.Config, log *slog.Logger) (httpapi.Limits, error) {
	if !c.RateLimitEnabled {
		return httpapi.Limits{}, nil
	}
	rates := limit.Documented().Over(limit.Rates{limit.Default: c.RateLimitPerMinute}).Over(c.RateLimits)
	if c.RedisURL.IsZero() {
		return httpapi.Limits{Limiter: limit.NewLocal(nil), Rates: rates}, nil
	}
	shared, err := limit.NewShared(c.RedisURL.Reveal(), "bridgecore:limit:", log)
	if err != nil {
		return httpapi.Limits{}, config.Errors{fmt.Errorf("REDIS_URL: %w", err)}
	}
	return httpapi.Limits{Limiter: shared, Rates: rates}, nil
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
	u := store.User{Username: "admin", Role: store.Admin}
	if err := addUser(ctx, s.store, "default", &u, s.config.AdminPassword.Reveal()); err != nil {
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
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      timeout + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	stopMetrics, err := s.serveMetrics(ctx)
	if err != nil {
		return errors.Join(err, web.Close())
	}
	defer stopMetrics()
	go s.forget(ctx)
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

// forget deletes audit entries that are older than they are kept, once a day.
func (s *server) forget(ctx context.Context) {
	days := s.config.AuditRetentionDays
	if s.audit == nil || days == 0 {
		return
	}
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		n, err := s.store.PurgeAudit(ctx, time.Now().AddDate(0, 0, -days))
		if err != nil && ctx.Err() == nil {
			s.report("delete old audit entries", err)
		} else if n > 0 {
			s.log.Info("deleted old audit entries", "count", n)
		}
		select {
		case <-daily.C:
		case <-ctx.Done():
			return
		}
	}
}

// close frees everything, the last opened first.
func (s *server) close() {
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
	if closer, ok := s.limits.Limiter.(io.Closer); ok {
		s.report("close the rate limits' Redis", closer.Close())
	}
	if s.store != nil {
		s.report("close the database", s.store.Close())
	}
}

func (s *server) report(what string, err error) {
	if err != nil {
		s.log.Error("could not "+what, "error", err)
	}
}
