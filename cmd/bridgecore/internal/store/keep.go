package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// keptSet is a set of ids that a cursor of changes is too small for, by the hash
// of its content.
type keptSet struct {
	bun.BaseModel `bun:"table:kept_sets"`

	Tenant    string `bun:",pk"`
	System    string `bun:",pk"`
	Name      string `bun:",pk"`
	Content   []byte
	ExpiresAt time.Time
}

// Keep is the store as [bridge.Keep].
func (s *Store) Keep() bridge.Keep { return keeping{s} }

type keeping struct{ *Store }

// Put implements [bridge.Keep].
func (k keeping) Put(ctx context.Context, system bridge.SystemConfig, name string, content []byte) error {
	set := keptSet{Tenant: system.Tenant, System: system.ID, Name: name, Content: content, ExpiresAt: now().Add(bridge.KeepFor)}
	_, err := k.db.NewInsert().Model(&set).On("CONFLICT (tenant, system, name) DO UPDATE").Set("expires_at = EXCLUDED.expires_at").Exec(ctx)
	return err
}

// Get implements [bridge.Keep]. What was asked for is kept on, which is written
// once a day at most.
func (k keeping) Get(ctx context.Context, system bridge.SystemConfig, name string) ([]byte, error) {
	set := keptSet{Tenant: system.Tenant, System: system.ID, Name: name}
	err := k.db.NewSelect().Model(&set).WherePK().Scan(ctx)
	at := now()
	if errors.Is(err, sql.ErrNoRows) || err == nil && set.ExpiresAt.Before(at) {
		return nil, adapter.Errorf(adapter.NotFound, "nothing is kept under this name")
	}
	if err != nil {
		return nil, err
	}
	if fresh := at.Add(bridge.KeepFor); fresh.Sub(set.ExpiresAt) > 24*time.Hour {
		set.ExpiresAt = fresh
		if _, err := k.db.NewUpdate().Model(&set).Column("expires_at").WherePK().Exec(ctx); err != nil {
			return nil, err
		}
	}
	return set.Content, nil
}
