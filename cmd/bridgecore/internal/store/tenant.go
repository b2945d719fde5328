package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
)

// TenantStatus says whether the users of a tenant may use the server.
type TenantStatus string

// The statuses.
const (
	Active    TenantStatus = "active"
	Trial     TenantStatus = "trial" // active until TrialEndsAt
	Suspended TenantStatus = "suspended"
	Deleted   TenantStatus = "deleted" // what belongs to it is kept
)

// TenantStatuses are all statuses.
var TenantStatuses = []TenantStatus{Active, Trial, Suspended, Deleted}

// Tenant is a customer of the server: its users share its systems, and see
// nothing of another tenant's.
type Tenant struct {
	bun.BaseModel `bun:"table:tenants"`

	ID          int64 `bun:",pk,autoincrement"`
	Name        string
	Status      TenantStatus
	TrialEndsAt time.Time `bun:",nullzero"` // zero for a trial without an end
	// Limits are requests a minute by class that hold for its users in place of
	// the server's own.
	Limits map[string]int
	// Access lists by role what may be called, as patterns of models and
	// methods. A role that is not in it may call everything.
	Access    map[string][]string
	CreatedAt time.Time
	UpdatedAt time.Time
}

func (t *Tenant) fill() {
	if t.Status == "" {
		t.Status = Active
	}
	if t.Limits == nil {
		t.Limits = map[string]int{}
	}
	if t.Access == nil {
		t.Access = map[string][]string{}
	}
	t.TrialEndsAt = t.TrialEndsAt.UTC().Truncate(time.Microsecond)
}

const noTenant = "there is no such tenant"

var errTenantName = &adapter.Error{Code: adapter.AlreadyExists, Field: "name", Message: "there is already a tenant with this name"}

// CreateTenant adds a tenant and fills in ID and the times. A name that is
// taken is ErrAlreadyExists.
func (s *Store) CreateTenant(ctx context.Context, t *Tenant) error {
	t.CreatedAt = now()
	t.UpdatedAt = t.CreatedAt
	t.fill()
	_, err := s.db.NewInsert().Model(t).Exec(ctx)
	if isUniqueViolation(err) {
		return errTenantName
	}
	return err
}

// EnsureTenant returns the tenant of that name, and makes it if there is none.
func (s *Store) EnsureTenant(ctx context.Context, name string) (Tenant, error) {
	t := Tenant{Name: name, CreatedAt: now()}
	t.UpdatedAt = t.CreatedAt
	t.fill()
	if _, err := s.db.NewInsert().Model(&t).On("CONFLICT (name) DO NOTHING").Returning("NULL").Exec(ctx); err != nil {
		return Tenant{}, err
	}
	return s.TenantByName(ctx, name)
}

// Tenant returns a tenant by id.
func (s *Store) Tenant(ctx context.Context, id int64) (Tenant, error) {
	var t Tenant
	err := s.db.NewSelect().Model(&t).Where("id = ?", id).Scan(ctx)
	return t, found(err, noTenant)
}

// TenantByName returns a tenant by name.
func (s *Store) TenantByName(ctx context.Context, name string) (Tenant, error) {
	var t Tenant
	err := s.db.NewSelect().Model(&t).Where("name = ?", name).Scan(ctx)
	return t, found(err, "there is no tenant %q", name)
}

// Tenants returns all tenants by name.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) {
	var list []Tenant
	err := s.db.NewSelect().Model(&list).Order("name").Scan(ctx)
	return list, err
}

// TenantFilter selects tenants. Members that are zero select nothing out.
type TenantFilter struct {
	Status TenantStatus
	Text   string // that the name contains, in any case
	After  int64  // tenants with a greater ID
	Limit  int    // at most; 0 is 100
}

// ListTenants returns tenants by ID.
func (s *Store) ListTenants(ctx context.Context, f TenantFilter) ([]Tenant, error) {
	var list []Tenant
	q := s.db.NewSelect().Model(&list).Where("id > ?", f.After).Order("id").Limit(int64(or(f.Limit, 100)))
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	if f.Text != "" {
		q = q.Where(`lower(name) LIKE ? ESCAPE '\'`, containing(f.Text))
	}
	err := q.Scan(ctx)
	return list, err
}

// containing is the pattern of texts that contain one, in lower case.
func containing(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(text)) + "%"
}

// ChangeTenant reads a tenant, lets change alter it, and writes it. Nobody else
// changes it meanwhile.
func (s *Store) ChangeTenant(ctx context.Context, id int64, change func(*Tenant) error) (Tenant, error) {
	var t Tenant
	err := s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if err := s.locked(tx.NewSelect().Model(&t)).Where("id = ?", id).Scan(ctx); err != nil {
			return found(err, noTenant)
		}
		if err := change(&t); err != nil {
			return err
		}
		t.UpdatedAt = now()
		t.fill()
		_, err := tx.NewUpdate().Model(&t).Column("name", "status", "trial_ends_at", "limits", "access", "updated_at").WherePK().Exec(ctx)
		if isUniqueViolation(err) {
			return errTenantName
		}
		return err
	})
	return t, err
}

// locked keeps others from changing what is selected until the transaction
// ends. SQLite's transactions exclude each other as they are.
func (s *Store) locked(q *bun.SelectQuery) *bun.SelectQuery {
	if s.db.Dialect().Name().String() == "pg" {
		return q.For("UPDATE")
	}
	return q
}

// TenantCounts is how much a tenant has.
type TenantCounts struct{ Users, Systems, Sessions int }

// TenantCounts counts what a tenant has.
func (s *Store) TenantCounts(ctx context.Context, id int64) (TenantCounts, error) {
	var c TenantCounts
	users, err := s.db.NewSelect().Model((*User)(nil)).Where("tenant_id = ?", id).Count(ctx)
	if err != nil {
		return c, err
	}
	systems, err := s.db.NewSelect().Model((*System)(nil)).Where("tenant_id = ?", id).Count(ctx)
	if err != nil {
		return c, err
	}
	sessions, err := s.db.NewSelect().Model((*Session)(nil)).Where("expires_at > ?", now()).
		Where("user_id IN (SELECT id FROM users WHERE tenant_id = ?)", id).Count(ctx)
	return TenantCounts{int(users), int(systems), int(sessions)}, err
}
