package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
)

// Mapping is one version of a mapping that a tenant made for a universal model
// on one of its systems. Nothing of it is ever changed: every save is a new
// version, and a deletion is one too.
type Mapping struct {
	bun.BaseModel `bun:"table:mappings"`

	ID        int64 `bun:",pk,autoincrement"` // raised by every save, across models
	TenantID  int64
	SystemRef int64  // System.ID
	Model     string // universal
	Version   int64  // from 1, by system and model
	Source    string // as it was written; "" when Deleted
	Deleted   bool
	Note      string // why, for people
	Author    string // the user's name
	CreatedAt time.Time
}

const (
	noMapping        = "there is no mapping of one's own for %q"
	noMappingVersion = "the mapping for %q has no version %d"
	// saveTries bounds how often a save that names no version goes after
	// another one that was made at the same time.
	saveTries = 10
)

// AnyVersion lets [Store.SaveMapping] follow whatever version there is.
const AnyVersion int64 = -1

// SaveMapping adds a version, and fills in ID, Version and CreatedAt. After is
// the version that it must follow: 0 where there must be none, or none that is
// not deleted. Another one is ErrPreconditionFailed. Deleting what is not there
// is ErrNotFound.
func (s *Store) SaveMapping(ctx context.Context, m *Mapping, after int64) error {
	for try := 1; ; try++ {
		err := s.saveMapping(ctx, m, after)
		if !isUniqueViolation(err) {
			return err
		}
		if after != AnyVersion {
			return &adapter.Error{Code: adapter.PreconditionFailed, Model: m.Model, Message: "somebody else saved this mapping at the same time; read it again and repeat the change", Err: err}
		}
		if try == saveTries {
			return &adapter.Error{Code: adapter.Conflict, Model: m.Model, Message: "many save this mapping at the same time; try again", Temporary: true, Err: err}
		}
	}
}

func (s *Store) saveMapping(ctx context.Context, m *Mapping, after int64) error {
	last, err := s.lastMapping(ctx, m.TenantID, m.SystemRef, m.Model)
	if err != nil {
		return err
	}
	at := last.Version
	if last.Deleted {
		at = 0
	}
	if m.Deleted && at == 0 {
		return adapter.Errorf(adapter.NotFound, noMapping, m.Model)
	}
	if after != AnyVersion && after != at {
		e := adapter.Errorf(adapter.PreconditionFailed, "the mapping is at version %d, not %d: read it again and repeat the change", at, after)
		if at == 0 {
			e.Message = "there is no mapping of one's own yet, or it was deleted"
		} else if after == 0 {
			e.Message = "there is a mapping of one's own already"
		}
		e.Model = m.Model
		return e
	}
	next := *m
	next.ID, next.Version, next.CreatedAt = 0, last.Version+1, now()
	if _, err := s.db.NewInsert().Model(&next).Exec(ctx); err != nil {
		return err
	}
	*m = next
	return nil
}

// lastMapping is the newest version, deleted or not; the zero value if there is
// none.
func (s *Store) lastMapping(ctx context.Context, tenantID, systemRef int64, model string) (Mapping, error) {
	var m Mapping
	err := s.db.NewSelect().Model(&m).
		Where("tenant_id = ? AND system_ref = ? AND model = ?", tenantID, systemRef, model).
		Order("version DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Mapping{}, nil
	}
	return m, err
}

// Mapping returns the newest version. One that was deleted is ErrNotFound, as
// one that never was.
func (s *Store) Mapping(ctx context.Context, tenantID, systemRef int64, model string) (Mapping, error) {
	m, err := s.lastMapping(ctx, tenantID, systemRef, model)
	if err == nil && (m.ID == 0 || m.Deleted) {
		return Mapping{}, adapter.Errorf(adapter.NotFound, noMapping, model)
	}
	return m, err
}

// MappingVersion returns one version.
func (s *Store) MappingVersion(ctx context.Context, tenantID, systemRef int64, model string, version int64) (Mapping, error) {
	var m Mapping
	err := s.db.NewSelect().Model(&m).
		Where("tenant_id = ? AND system_ref = ? AND model = ? AND version = ?", tenantID, systemRef, model, version).Scan(ctx)
	return m, found(err, noMappingVersion, model, version)
}

// MappingVersions returns at most limit versions older than before, the newest
// first, without their sources; before 0 begins at the newest. None at all is
// ErrNotFound.
func (s *Store) MappingVersions(ctx context.Context, tenantID, systemRef int64, model string, before, limit int64) ([]Mapping, error) {
	var list []Mapping
	q := s.db.NewSelect().Model(&list).ExcludeColumn("source").
		Where("tenant_id = ? AND system_ref = ? AND model = ?", tenantID, systemRef, model)
	if before > 0 {
		q = q.Where("version < ?", before)
	}
	err := q.Order("version DESC").Limit(limit).Scan(ctx)
	if err == nil && len(list) == 0 && before == 0 {
		return nil, adapter.Errorf(adapter.NotFound, noMapping, model)
	}
	return list, err
}

// Mappings returns the newest version of every mapping of a system that is not
// deleted, by model.
func (s *Store) Mappings(ctx context.Context, tenantID, systemRef int64) ([]Mapping, error) {
	var list []Mapping
	newest := s.db.NewSelect().Model((*Mapping)(nil)).ColumnExpr("MAX(id)").
		Where("tenant_id = ? AND system_ref = ?", tenantID, systemRef).Group("model")
	err := s.db.NewSelect().Model(&list).Where("id IN (?)", newest).Where("NOT deleted").Order("model").Scan(ctx)
	return list, err
}

// MappingRevision is a number that is raised whenever a mapping of the system
// is saved or deleted; 0 where none ever was.
func (s *Store) MappingRevision(ctx context.Context, tenantID, systemRef int64) (int64, error) {
	var n int64
	err := s.db.NewSelect().Model((*Mapping)(nil)).ColumnExpr("COALESCE(MAX(id), 0)").
		Where("tenant_id = ? AND system_ref = ?", tenantID, systemRef).Scan(ctx, &n)
	return n, err
}
