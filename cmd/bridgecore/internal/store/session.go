package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"
)

// Session is a login that has not ended. It is for people to look at: whether a
// token is good is a matter of RevokeSession and of its user.
type Session struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID          string `bun:",pk"`
	UserID      int64
	User        *User  `bun:"rel:belongs-to,join:user_id=id"` // of lists
	Agent       string // what the client called itself
	Address     string
	CreatedAt   time.Time
	RefreshedAt time.Time // when it last got an access token
	ExpiresAt   time.Time // when its refresh token does
}

// OpenSession records a login, and forgets sessions that have expired.
func (s *Store) OpenSession(ctx context.Context, session *Session) error {
	at := now()
	session.CreatedAt, session.RefreshedAt, session.ExpiresAt = at, at, session.ExpiresAt.UTC()
	return s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*Session)(nil)).Where("expires_at < ?", at).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model((*User)(nil)).Set("last_login_at = ?", at).Where("id = ?", session.UserID).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(session).Exec(ctx)
		return err
	})
}

// TouchSession records that a session got an access token. One that was opened
// without a record has one from now on.
func (s *Store) TouchSession(ctx context.Context, session *Session) error {
	at := now()
	session.CreatedAt, session.RefreshedAt, session.ExpiresAt = at, at, session.ExpiresAt.UTC()
	_, err := s.db.NewInsert().Model(session).
		On("CONFLICT (id) DO UPDATE").Set("refreshed_at = EXCLUDED.refreshed_at, agent = EXCLUDED.agent, address = EXCLUDED.address").Exec(ctx)
	return err
}

// Sessions returns the sessions of a user, the newest first.
func (s *Store) Sessions(ctx context.Context, userID int64) ([]Session, error) {
	var list []Session
	err := s.db.NewSelect().Model(&list).Where("user_id = ? AND expires_at > ?", userID, now()).Order("created_at DESC", "id").Scan(ctx)
	return list, err
}

// AllSessions returns the sessions of a tenant, or of AnyTenant, with their
// users, the newest first.
func (s *Store) AllSessions(ctx context.Context, tenantID int64) ([]Session, error) {
	var list []Session
	q := s.db.NewSelect().Model(&list).Relation("User").Where("s.expires_at > ?", now()).Order("s.created_at DESC", "s.id")
	if tenantID != AnyTenant {
		q = q.Where(`"user".tenant_id = ?`, tenantID)
	}
	err := q.Scan(ctx)
	return list, err
}

// Session returns a session of a user.
func (s *Store) Session(ctx context.Context, userID int64, id string) (Session, error) {
	var one Session
	err := s.db.NewSelect().Model(&one).Where("user_id = ? AND id = ? AND expires_at > ?", userID, id, now()).Scan(ctx)
	return one, found(err, "there is no such session")
}

type revokedSession struct {
	bun.BaseModel `bun:"table:revoked_sessions"`

	SessionID string `bun:",pk"`
	ExpiresAt time.Time
}

// RevokeSession ends a session until expires, when its last token has expired
// by itself, and forgets those that expired before now.
func (s *Store) RevokeSession(ctx context.Context, sessionID string, expires time.Time) error {
	return s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*revokedSession)(nil)).Where("expires_at < ?", now()).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*Session)(nil)).Where("id = ?", sessionID).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&revokedSession{SessionID: sessionID, ExpiresAt: expires.UTC()}).
			On("CONFLICT (session_id) DO NOTHING").Exec(ctx)
		return err
	})
}

// SessionRevoked reports whether a session was ended.
func (s *Store) SessionRevoked(ctx context.Context, sessionID string) (bool, error) {
	return s.db.NewSelect().Model((*revokedSession)(nil)).Where("session_id = ?", sessionID).Exists(ctx)
}

// SessionByID returns a session of whichever user.
func (s *Store) SessionByID(ctx context.Context, id string) (Session, error) {
	var one Session
	err := s.db.NewSelect().Model(&one).Relation("User").Where("s.id = ? AND s.expires_at > ?", id, now()).Scan(ctx)
	return one, found(err, "there is no session %q", id)
}
