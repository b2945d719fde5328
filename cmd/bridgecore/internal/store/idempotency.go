package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// KeptAnswer is a request that was made under an Idempotency-Key, and its
// answer once there is one.
type KeptAnswer struct {
	bun.BaseModel `bun:"table:idempotency_keys"`

	UserID      int64  `bun:",pk"`
	Key         string `bun:",pk"`
	Fingerprint string // of the request: another one under the same key is a mistake
	Done        bool
	Status      int
	Headers     string // JSON
	Body        string
	CreatedAt   time.Time
	ExpiresAt   time.Time
	// Age is how long ago the key was claimed, by the database's clock. ClaimKey
	// fills it in where the key is taken.
	Age time.Duration `bun:"-"`
}

// ClaimKey reserves a key for a request. Where the key is taken, it returns
// what it was taken for, and false. It is kept for life, by the database's
// clock.
func (s *Store) ClaimKey(ctx context.Context, k KeptAnswer, life time.Duration) (KeptAnswer, bool, error) {
	at, err := s.Now(ctx)
	if err != nil {
		return k, false, err
	}
	if _, err := s.db.NewDelete().Model((*KeptAnswer)(nil)).Where("expires_at < ?", at).Exec(ctx); err != nil {
		return k, false, err
	}
	k.CreatedAt, k.ExpiresAt = at, at.Add(life)
	res, err := s.db.NewInsert().Model(&k).On("CONFLICT (user_id, key) DO NOTHING").Exec(ctx)
	if err != nil {
		return k, false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return k, err == nil, err
	}
	taken := KeptAnswer{UserID: k.UserID, Key: k.Key}
	err = s.db.NewSelect().Model(&taken).WherePK().Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		// Given back meanwhile: the next try gets it.
		return KeptAnswer{Fingerprint: k.Fingerprint}, false, nil
	}
	taken.Age = at.Sub(taken.CreatedAt)
	return taken, false, err
}

// KeepAnswer stores the answer to the request that claimed a key, until
// ExpiresAt.
func (s *Store) KeepAnswer(ctx context.Context, k KeptAnswer) error {
	k.Done, k.ExpiresAt = true, k.ExpiresAt.UTC()
	_, err := s.db.NewUpdate().Model(&k).Column("done", "status", "headers", "body", "expires_at").WherePK().Exec(ctx)
	return err
}

// ReleaseKey gives a key back: what was asked for was not done.
func (s *Store) ReleaseKey(ctx context.Context, userID int64, key string) error {
	_, err := s.db.NewDelete().Model(&KeptAnswer{UserID: userID, Key: key}).WherePK().Exec(ctx)
	return err
}

// AnswerKept returns what is kept under a key.
func (s *Store) AnswerKept(ctx context.Context, userID int64, key string) (KeptAnswer, error) {
	k := KeptAnswer{UserID: userID, Key: key}
	err := s.db.NewSelect().Model(&k).WherePK().Scan(ctx)
	return k, err
}
