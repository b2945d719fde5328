package main

import (
	"context"
	"errors"
	"time"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
)

type workerCommand struct{}

// Run does background operations until ctx ends.
func (workerCommand) Run(ctx context.Context, w world) error {
	c, err := w.config()
	if err != nil {
		return err
	}
	db, err := config.ParseDatabaseURL(c.DatabaseURL, c.DataDir)
	if err != nil {
		return err
	}
	if db.Driver == "sqlite" {
		return config.Errors{errors.New("DATABASE_URL: workers of their own need PostgreSQL; over SQLite \"bridgecore serve\" does the work itself")}
	}
	s, err := w.assemble(ctx, c)
	if err != nil {
		return err
	}
	defer s.close()
	stopMetrics, err := s.serveMetrics(ctx)
	if err != nil {
		return err
	}
	defer stopMetrics()
	if err := s.tasks.Start(ctx); err != nil {
		return err
	}
	s.log.Info("working", "version", version(), "workers", c.OperationWorkers)
	<-ctx.Done()
	s.log.Info("shutting down: the pieces under way may finish; interrupt again to end at once")
	s.stopTasks() //nolint:contextcheck // ctx has ended: that is why
	return nil
}

// openTasks puts the engine for background operations together.
func (s *server) openTasks(ctx context.Context) (err error) {
	c := s.config
	db, err := config.ParseDatabaseURL(c.DatabaseURL, c.DataDir)
	if err != nil {
		return err
	}
	s.tasks, err = task.New(ctx, task.Config{
		Publisher: httpapi.Progress{Hub: s.live},
		Store:     s.store, DSN: db.DSN.Reveal(), Workers: c.OperationWorkers, Log: s.log,
		Retention: time.Duration(c.OperationRetentionHours) * time.Hour, Periodic: s.periodic(),
	})
	if err == nil && s.metrics != nil {
		s.metrics.Operations(s.countOperations) //nolint:contextcheck // a scrape has no context to give
	}
	return err
}

func (s *server) countOperations() (map[telemetry.OperationGroup]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, err := s.store.CountOperations(ctx, 0)
	groups := map[telemetry.OperationGroup]int64{}
	for _, n := range list {
		groups[telemetry.OperationGroup{Kind: n.Kind, State: string(n.State)}] = n.Count
	}
	return groups, err
}

// work does background operations in the server, unless that is for others.
func (s *server) work(ctx context.Context) (stop func(), err error) {
	if !s.config.WorkersInServer {
		return func() {}, nil
	}
	err = s.tasks.Start(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	// Where the end came while they were starting, requests may finish still.
	return s.stopTasks, nil
}

func (s *server) stopTasks() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s.report("hand background operations back", s.tasks.Stop(ctx))
}

// periodic is what comes round by itself.
func (s *server) periodic() []task.Periodic {
	const day = 24 * time.Hour
	list := []task.Periodic{
		{Name: "expire-results", Every: time.Hour, Run: s.expire},
		{Name: "refresh-systems", Every: 30 * time.Minute, Run: s.refresh},
		{Name: "cache-statistics", Every: 5 * time.Minute, Run: s.countCache},
	}
	if s.config.AuditPolicy != config.AuditOff && s.config.AuditRetentionDays > 0 {
		list = append(list, task.Periodic{Name: "purge-audit", Every: day, At: 2 * time.Hour, Run: s.forget})
	}
	return list
}

// forget deletes audit entries that are older than they are kept.
func (s *server) forget(ctx context.Context) error {
	n, err := s.store.PurgeAudit(ctx, time.Now().AddDate(0, 0, -s.config.AuditRetentionDays))
	if n > 0 {
		s.log.Info("deleted old audit entries", "count", n)
	}
	return err
}

// expire deletes finished operations and idempotency keys whose time is over.
func (s *server) expire(ctx context.Context) error {
	n, err := s.store.PurgeExpired(ctx)
	if n > 0 {
		s.log.Info("deleted expired operations and idempotency keys", "count", n)
	}
	return err
}

// refresh asks every connected system whether it is there, so that its breaker
// and its connection know before a caller does.
func (s *server) refresh(ctx context.Context) error {
	list, err := s.store.ActiveSystems(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		row := list[i]
		sys, err := s.bridge.System(ctx, bridge.Caller{Tenant: systems.Tenant(row.TenantID), User: "bridgecore"}, row.SystemID)
		if err != nil {
			s.log.Warn("a system can't be reached", "system", row.SystemID, "tenant", row.TenantID, "error", err)
			continue
		}
		health := sys.Health(ctx)
		if !health.Healthy {
			s.log.Warn("a system does not answer", "system", row.SystemID, "tenant", row.TenantID, "code", health.Code)
		}
	}
	return nil
}

// countCache tells the subscribers of the channel cache, and the metrics, what is
// kept of the systems. The keys are those of all servers that share a cache; hits and misses
// are this process's.
func (s *server) countCache(ctx context.Context) error {
	list, err := s.store.ActiveSystems(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tenant := systems.Tenant(list[i].TenantID)
		stats := s.cache.Stats(ctx, tenant, list[i].SystemID)
		s.live.CacheCounted(tenant, list[i].SystemID, stats)
		if s.metrics != nil {
			s.metrics.CacheCounted(tenant, list[i].SystemID, stats.TotalKeys)
		}
	}
	return nil
}
