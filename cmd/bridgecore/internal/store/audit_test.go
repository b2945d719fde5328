package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

func entry(tenant int64, action string) *store.AuditEntry {
	return &store.AuditEntry{
		TenantID: tenant, UserID: 7, Username: "ahmed", Action: action, SystemID: "odoo_main", Model: "res.partner",
		RecordIDs: "[1,2]", Outcome: "ok", Status: 200, DurationUS: 1234, RequestID: "r", Address: "192.0.2.1", Agent: "test", Details: `{"a":"é"}`,
	}
}

// forge opens the database past the store, as somebody might who wants to
// change what was.
func forge(t *testing.T, o store.Options, query string, args ...any) {
	t.Helper()
	driver, dsn := "pgx", o.DSN
	if o.Driver == "sqlite" {
		driver, dsn = "sqlite", "file:"+(&url.URL{Path: o.DSN}).EscapedPath()
	}
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	res, err := db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err)
	n, err := res.RowsAffected()
	require.NoError(t, err)
	require.Positive(t, n, query)
}

func auditStore(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAuditIsAChain(t *testing.T) {
	o := storetest.Options(t)
	s, ctx := auditStore(t, o), t.Context()
	require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(2, "a"), entry(1, "a"), entry(2, "b")}))
	require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(2, "c")}))

	list, err := s.Audit(ctx, 2, store.AuditFilter{})
	require.NoError(t, err)
	var got []string
	for _, e := range list {
		got = append(got, fmt.Sprint(e.Seq, e.Action))
	}
	assert.Equal(t, []string{"3c", "2b", "1a"}, got, "the newest first, one tenant's alone")
	assert.WithinDuration(t, time.Now(), list[0].At, time.Minute)

	head, err := s.VerifyAudit(ctx, 2, nil)
	require.NoError(t, err)
	assert.Equal(t, store.AuditHead{Entries: 3, Seq: 3, Hash: list[0].Hash}, head)
	noted := map[int64]string{head.Seq: head.Hash}
	require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(2, "d")}))
	_, err = s.VerifyAudit(ctx, 2, noted)
	require.NoError(t, err)
	head, err = s.VerifyAudit(ctx, 99, nil)
	require.NoError(t, err)
	assert.Zero(t, head)
}

func TestForgedAuditIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		query string
		want  string
	}{
		"changed":       {"UPDATE audit_log SET username = 'somebody else' WHERE tenant_id = 1 AND seq = 3", "entry 3: it was changed"},
		"moved in time": {"UPDATE audit_log SET status = 500 WHERE tenant_id = 1 AND seq = 1", "entry 1: it was changed"},
		"deleted":       {"DELETE FROM audit_log WHERE tenant_id = 1 AND seq = 2", "entry 2: it is missing"},
		"cut off":       {"DELETE FROM audit_log WHERE tenant_id = 1 AND seq >= 4", "entry 4: it is missing, and so is everything after it"},
		"renumbered":    {"UPDATE audit_log SET seq = 9 WHERE tenant_id = 1 AND seq = 5", "entry 5: it is missing"},
		"another's":     {"UPDATE audit_log SET tenant_id = 1, seq = 6 WHERE tenant_id = 2", "entry 6: it was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := storetest.Options(t)
			s, ctx := auditStore(t, o), t.Context()
			for i := range 5 {
				require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(1, strconv.Itoa(i))}))
			}
			require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(2, "x")}))
			forge(t, o, c.query)
			_, err := s.VerifyAudit(ctx, 1, nil)
			var broken *store.BrokenChainError
			require.ErrorAs(t, err, &broken)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// Whoever can write the database can make a whole new chain; a noted head
// tells.
func TestANewChainIsFoundByANotedHead(t *testing.T) {
	o := storetest.Options(t)
	s, ctx := auditStore(t, o), t.Context()
	require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(1, "a"), entry(1, "b")}))
	head, err := s.VerifyAudit(ctx, 1, nil)
	require.NoError(t, err)
	forge(t, o, "DELETE FROM audit_log")
	forge(t, o, "DELETE FROM audit_chains")
	require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(1, "a"), entry(1, "forged")}))
	_, err = s.VerifyAudit(ctx, 1, nil)
	require.NoError(t, err, "it holds together")
	_, err = s.VerifyAudit(ctx, 1, map[int64]string{head.Seq: head.Hash})
	assert.ErrorContains(t, err, "another one than was noted")
}

func TestAuditFilters(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10 {
		e := entry(1, []string{"create", "write"}[i%2])
		e.At = at.AddDate(0, 0, i)
		e.UserID = int64(i % 3)
		e.Outcome = []string{"ok", "ok", "not_found"}[i%3]
		require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{e}))
	}
	for name, c := range map[string]struct {
		f    store.AuditFilter
		want []int64
	}{
		"all":     {store.AuditFilter{}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"limit":   {store.AuditFilter{Limit: 2}, []int64{10, 9}},
		"page":    {store.AuditFilter{Limit: 2, Before: 9}, []int64{8, 7}},
		"action":  {store.AuditFilter{Action: "create"}, []int64{9, 7, 5, 3, 1}},
		"errors":  {store.AuditFilter{Outcome: "error"}, []int64{9, 6, 3}},
		"outcome": {store.AuditFilter{Outcome: "not_found", Action: "create"}, []int64{9, 3}},
		"user":    {store.AuditFilter{UserID: 1}, []int64{8, 5, 2}},
		"time":    {store.AuditFilter{From: at.AddDate(0, 0, 3), To: at.AddDate(0, 0, 5)}, []int64{5, 4}},
		"none":    {store.AuditFilter{Model: "' OR 1=1 --"}, nil},
	} {
		list, err := s.Audit(ctx, 1, c.f)
		require.NoError(t, err)
		var got []int64
		for _, e := range list {
			got = append(got, e.Seq)
		}
		assert.Equal(t, c.want, got, name)
	}
}

func TestOldAuditGoesAndTheRestHolds(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 6 {
		e := entry(1, "a")
		e.At = at.AddDate(0, 0, i)
		require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{e, {TenantID: 2, At: e.At, Action: "b", Outcome: "ok"}}))
	}
	n, err := s.PurgeAudit(ctx, at.AddDate(0, 0, 4))
	require.NoError(t, err)
	assert.EqualValues(t, 8, n)
	head, err := s.VerifyAudit(ctx, 1, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 2, head.Entries)
	n, err = s.PurgeAudit(ctx, at.AddDate(0, 0, 4))
	require.NoError(t, err)
	assert.Zero(t, n)
	_, err = s.PurgeAudit(ctx, at.AddDate(1, 0, 0))
	require.NoError(t, err)
	require.NoError(t, s.AppendAudit(ctx, []*store.AuditEntry{entry(1, "after")}))
	head, err = s.VerifyAudit(ctx, 1, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, head.Entries)
	assert.EqualValues(t, 7, head.Seq, "the numbers go on")
}

func TestManyWritersMakeOneChain(t *testing.T) {
	o := storetest.Options(t)
	s := auditStore(t, o)
	other := s
	if o.Driver == "postgres" {
		other = auditStore(t, o) // another server
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for range 10 {
				who := s
				if i%2 == 1 {
					who = other
				}
				if err := who.AppendAudit(context.Background(), []*store.AuditEntry{entry(1, "a"), entry(2, "b"), entry(1, "c")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for tenant, want := range map[int64]int64{1: 200, 2: 100} {
		head, err := s.VerifyAudit(t.Context(), tenant, nil)
		require.NoError(t, err)
		assert.Equal(t, want, head.Entries)
	}
}
