package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
)

// System is a connected system of a tenant. Its SystemID is unique within the
// tenant alone.
type System struct {
	bun.BaseModel `bun:"table:systems"`

	ID           int64 `bun:",pk,autoincrement"`
	TenantID     int64
	SystemID     string
	Kind         string `bun:"system_type"`
	Version      string `bun:"system_version"`
	Pinned       string `bun:"pinned_version"` // the version that callers speak unless they say otherwise; "" for the system's own
	Name         string
	Description  string
	IsActive     bool
	SealedConfig string // the connection's configuration, encrypted by vault
	Revision     int64  // raised by every change
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

const noSystem = "there is no system %q"

// CreateSystem adds a system and fills in ID, Revision and the times. A
// SystemID that the tenant has already is ErrAlreadyExists.
func (s *Store) CreateSystem(ctx context.Context, sys *System) error {
	sys.CreatedAt, sys.Revision = now(), 1
	sys.UpdatedAt = sys.CreatedAt
	_, err := s.db.NewInsert().Model(sys).Exec(ctx)
	if isUniqueViolation(err) {
		return &adapter.Error{Code: adapter.AlreadyExists, Field: "system_id", Message: "there is already a system with this system_id", Err: err}
	}
	return err
}

// Systems returns the tenant's systems by SystemID.
func (s *Store) Systems(ctx context.Context, tenantID int64) ([]System, error) {
	var list []System
	err := s.db.NewSelect().Model(&list).Where("tenant_id = ?", tenantID).Order("system_id").Scan(ctx)
	return list, err
}

// System returns the tenant's system; another tenant's is ErrNotFound like a
// missing one.
func (s *Store) System(ctx context.Context, tenantID int64, systemID string) (System, error) {
	var sys System
	err := s.db.NewSelect().Model(&sys).Where("tenant_id = ? AND system_id = ?", tenantID, systemID).Scan(ctx)
	return sys, found(err, noSystem, systemID)
}

// UpdateSystem writes the changeable members of a system that was read
// before, and raises Revision. One that was changed meanwhile is ErrConflict.
func (s *Store) UpdateSystem(ctx context.Context, sys *System) error {
	updated := *sys
	updated.Revision++
	updated.UpdatedAt = now()
	res, err := s.db.NewUpdate().Model(&updated).
		Column("system_version", "pinned_version", "name", "description", "is_active", "sealed_config", "revision", "updated_at").
		Where("id = ? AND tenant_id = ? AND revision = ?", sys.ID, sys.TenantID, sys.Revision).Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return adapter.Errorf(adapter.Conflict, "somebody else changed or deleted the system at the same time; read it again and repeat the change")
	}
	*sys = updated
	return nil
}

// Reseal replaces the encrypted configuration of a system that was read before
// by one that means the same: Revision stays. One that was changed meanwhile
// keeps its own.
func (s *Store) Reseal(ctx context.Context, sys *System, sealed string) error {
	_, err := s.db.NewUpdate().Model((*System)(nil)).Set("sealed_config = ?", sealed).
		Where("id = ? AND tenant_id = ? AND sealed_config = ?", sys.ID, sys.TenantID, sys.SealedConfig).Exec(ctx)
	return err
}

// DeleteSystem removes the tenant's system, and takes it from the users who
// were granted it: another one under the same SystemID is not theirs.
func (s *Store) DeleteSystem(ctx context.Context, tenantID int64, systemID string) error {
	return s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*System)(nil)).Where("tenant_id = ? AND system_id = ?", tenantID, systemID).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return adapter.Errorf(adapter.NotFound, noSystem, systemID)
		}
		var users []User
		if err := s.locked(tx.NewSelect().Model(&users)).Where("u.tenant_id = ? AND u.granted <> ''", tenantID).Order("u.id").Scan(ctx); err != nil {
			return err
		}
		for i := range users {
			left := slices.DeleteFunc(slices.Clone(users[i].Granted), func(id string) bool { return id == systemID })
			if len(left) == len(users[i].Granted) {
				continue
			}
			users[i].Granted = left
			if _, err := tx.NewUpdate().Model(&users[i]).Column("granted").WherePK().Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}
