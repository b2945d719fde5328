package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

type revokedSession struct {
	bun.BaseModel `bun:"table:revoked_sessions"`

	SessionID string `bun:",pk"`
	ExpiresAt time.Time
}

// RevokeSession ends a session until expires, when its last token has expired
// by itself, and forgets those that expired before now.
func (s *Store) RevokeSession(ctx context.Context, sessionID string, expires time.Time) error {
	if _, err := s.db.NewDelete().Model((*revokedSession)(nil)).Where("expires_at < ?", now()).Exec(ctx); err != nil {
		return err
	}
	_, err := s.db.NewInsert().Model(&revokedSession{SessionID: sessionID, ExpiresAt: expires.UTC()}).
		On("CONFLICT (session_id) DO NOTHING").Exec(ctx)
	return err
}

// SessionRevoked reports whether a session was ended.
func (s *Store) SessionRevoked(ctx context.Context, sessionID string) (bool, error) {
	return s.db.NewSelect().Model((*revokedSession)(nil)).Where("session_id = ?", sessionID).Exists(ctx)
}
