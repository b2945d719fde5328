package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Worker is a process that does background operations, as it said of itself
// when it was last seen.
type Worker struct {
	bun.BaseModel `bun:"table:workers"`

	ID        string `bun:",pk"`
	Host      string
	Process   int64 // its number on the host
	Slots     int64 // slices that it does at the same time
	StartedAt time.Time
	SeenAt    time.Time
}

// SeeWorker notes that a worker is alive.
func (s *Store) SeeWorker(ctx context.Context, w Worker) error {
	w.StartedAt, w.SeenAt = w.StartedAt.UTC(), now()
	_, err := s.db.NewInsert().Model(&w).On("CONFLICT (id) DO UPDATE").Set("seen_at = EXCLUDED.seen_at").Exec(ctx)
	return err
}

// ForgetWorker takes a worker out that ends, and those that were not seen for
// longer than gone: they were killed.
func (s *Store) ForgetWorker(ctx context.Context, id string, gone time.Duration) error {
	_, err := s.db.NewDelete().Model((*Worker)(nil)).Where("id = ? OR seen_at < ?", id, now().Add(-gone)).Exec(ctx)
	return err
}

// Workers returns those that were seen within a time, the oldest first.
func (s *Store) Workers(ctx context.Context, within time.Duration) ([]Worker, error) {
	var list []Worker
	err := s.db.NewSelect().Model(&list).Where("seen_at >= ?", now().Add(-within)).Order("started_at", "id").Scan(ctx)
	return list, err
}

// FinishedOperation is what throughput is reckoned from.
type FinishedOperation struct {
	Kind       string
	State      OperationState
	CreatedAt  time.Time
	StartedAt  *time.Time
	FinishedAt time.Time
}

// mostFinished bounds how many of them are looked at.
const mostFinished = 10_000

// FinishedOperations are those that ended after a time, of one tenant unless
// that is 0; the last first, and no more than 10,000.
func (s *Store) FinishedOperations(ctx context.Context, tenantID int64, after time.Time) ([]FinishedOperation, error) {
	var list []FinishedOperation
	q := s.db.NewSelect().Model((*Operation)(nil)).Column("kind", "state", "created_at", "started_at", "finished_at").
		Where("finished_at >= ?", after.UTC()).Order("finished_at DESC").Limit(mostFinished)
	if tenantID != 0 {
		q = q.Where("tenant_id = ?", tenantID)
	}
	return list, q.Scan(ctx, &list)
}
