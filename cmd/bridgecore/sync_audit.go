package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/recordsync"
)

// syncAudit records a run in the audit log of the server whose systems it works
// on. nil records nothing.
type syncAudit struct {
	store      *store.Store
	tenant     int64
	bestEffort bool
	began      time.Time
}

// syncRecord is what the log says of a run, beside what every entry has.
type syncRecord struct {
	Command       string            `json:"command"` // which process it was
	Source        string            `json:"source"`
	Target        string            `json:"target"`
	Bidirectional bool              `json:"bidirectional,omitempty"`
	DryRun        bool              `json:"dry_run,omitempty"`
	Resolved      map[string]string `json:"resolved,omitempty"`
	Models        []syncedModel     `json:"models"`
	Error         string            `json:"error,omitempty"`
}

type syncedModel struct {
	Model string `json:"model"`
	recordsync.Sums
	Refused int `json:"refused_records"`
	Open    int `json:"open_conflicts"`
}

// audit opens the server's audit log, if one of the systems is the server's. What
// writes nothing is recorded where reads are.
func (c syncCommand) audit(ctx context.Context, w world, e *ends) (*syncAudit, error) {
	if addressed(c.Source) && addressed(c.Target) {
		return nil, nil //nolint:nilnil // the server has no part in it
	}
	conf, s, err := w.configured(ctx)
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, func() { _ = s.Close() })
	if conf.AuditPolicy == config.AuditOff || c.DryRun && !conf.AuditReads {
		return nil, nil //nolint:nilnil // as it is configured
	}
	t, err := s.EnsureTenant(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &syncAudit{s, t.ID, conf.AuditPolicy == config.AuditBestEffort, time.Now()}, nil
}

// record writes the entry of a run that has ended, by itself or not.
func (a *syncAudit) record(ctx context.Context, w world, c *syncCommand, holder string, account *syncAccount, err error) error {
	if a == nil {
		return nil
	}
	entry := &store.AuditEntry{
		TenantID: a.tenant, Username: "bridgecore sync", Action: "sync", SystemID: account.Source, RecordIDs: "[]",
		Outcome: "ok", Status: http.StatusOK, DurationUS: time.Since(a.began).Microseconds(), Agent: holder,
	}
	if len(c.Models) == 1 {
		entry.Model = c.Models[0]
	}
	said := syncRecord{
		Command: holder, Source: account.Source, Target: account.Target, Bidirectional: c.Bidirectional, DryRun: c.DryRun,
		Resolved: maps.Clone(c.Resolve), Models: []syncedModel{},
	}
	for _, m := range account.Models {
		said.Models = append(said.Models, syncedModel{m.Model, m.Sums, len(m.Refused), len(m.Open)})
	}
	if err != nil {
		entry.Outcome, entry.Status, said.Error = string(adapter.CodeOf(err)), http.StatusInternalServerError, message(err)
		if ctx.Err() != nil {
			entry.Outcome, said.Error = string(adapter.Canceled), "interrupted"
		}
	}
	details, err := json.Marshal(said)
	if err == nil {
		entry.Details = string(details)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		err = a.store.AppendAudit(last, []*store.AuditEntry{entry})
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("what was done is not in the audit log, which could not be written: %w", err)
	if a.bestEffort {
		_, err = fmt.Fprintln(w.stderr, "warning:", err)
	}
	return err
}
