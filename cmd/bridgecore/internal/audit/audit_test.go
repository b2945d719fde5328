package audit_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// ledger counts transactions; while held it lets none end.
type ledger struct {
	mu      sync.Mutex
	entries []*store.AuditEntry
	batches int
	err     error
	hold    chan struct{}
}

func (l *ledger) AppendAudit(_ context.Context, entries []*store.AuditEntry) error {
	if l.hold != nil {
		<-l.hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches++
	if l.err != nil {
		return l.err
	}
	l.entries = append(l.entries, entries...)
	return nil
}

func TestEntriesThatWaitAreWrittenTogether(t *testing.T) {
	led := &ledger{hold: make(chan struct{})}
	log := audit.New(audit.Config{Store: led})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { assert.NoError(t, log.Append(context.Background(), &store.AuditEntry{Action: "write"})) })
	}
	close(led.hold)
	wg.Wait()
	assert.Len(t, led.entries, 100)
	assert.LessOrEqual(t, led.batches, 100)
	require.NoError(t, log.Close())
}

func TestAppendReturnsWhenItIsDurable(t *testing.T) {
	led := &ledger{hold: make(chan struct{})}
	log := audit.New(audit.Config{Store: led})
	done := make(chan error, 1)
	go func() { done <- log.Append(context.Background(), &store.AuditEntry{Action: "write"}) }()
	select {
	case <-done:
		t.Fatal("it returned before the entry was written")
	case led.hold <- struct{}{}:
	}
	require.NoError(t, <-done)
	assert.Len(t, led.entries, 1)
	require.NoError(t, log.Close())
}

func TestAFailureIsSaidUnlessForgiven(t *testing.T) {
	broken := errors.New("disk full")
	for _, forgiving := range []bool{false, true} {
		log := audit.New(audit.Config{Store: &ledger{err: broken}, BestEffort: forgiving})
		err := log.Append(t.Context(), &store.AuditEntry{Action: "write"})
		if forgiving {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, broken)
		}
		log.Add(&store.AuditEntry{Action: "read"})
		require.NoError(t, log.Close())
		if !forgiving {
			assert.ErrorIs(t, log.Append(t.Context(), &store.AuditEntry{}), audit.ErrClosed)
		}
	}
}

func TestACallerWhoLeavesIsRecorded(t *testing.T) {
	led := &ledger{hold: make(chan struct{})}
	log := audit.New(audit.Config{Store: led})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Append(ctx, &store.AuditEntry{Action: "write"}) }()
	led.hold <- struct{}{} // it is being written
	cancel()
	<-done
	close(led.hold)
	require.NoError(t, log.Close())
	assert.Len(t, led.entries, 1)
}

func TestCloseWritesWhatWaits(t *testing.T) {
	s := storetest.Open(t)
	log := audit.New(audit.Config{Store: s})
	for range 1000 {
		log.Add(&store.AuditEntry{TenantID: 1, Action: "read", Outcome: "ok"})
	}
	require.NoError(t, log.Close())
	head, err := s.VerifyAudit(t.Context(), 1, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1000, head.Entries)
}

func TestValuesAreNotKept(t *testing.T) {
	values := map[string]any{"name": "Ahmed", "password": "hunter2"}
	log := audit.New(audit.Config{Store: &ledger{}})
	assert.Equal(t, map[string]any{"name": true, "password": true}, log.Describe(values))
	require.NoError(t, log.Close())

	log = audit.New(audit.Config{Store: &ledger{}, Values: audit.Hashes, Key: []byte("k")})
	got := log.Describe(values)
	assert.Equal(t, audit.Hash([]byte("k"), "name", "Ahmed"), got["name"], "to be found again with the key")
	assert.NotEqual(t, audit.Hash([]byte("other"), "name", "Ahmed"), got["name"])
	assert.NotEqual(t, audit.Hash([]byte("k"), "nick", "Ahmed"), got["name"], "equal values of two fields don't show")
	assert.NotContains(t, got["password"], "hunter2")
	require.NoError(t, log.Close())
}

// BenchmarkAppend prints how many entries one transaction carries when many
// wait.
func BenchmarkAppend(b *testing.B) {
	s := storetest.Open(b)
	log := audit.New(audit.Config{Store: s})
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = log.Append(context.Background(), &store.AuditEntry{TenantID: 1, Action: "write", Outcome: "ok"})
		}
	})
	b.StopTimer()
	_ = log.Close()
}
