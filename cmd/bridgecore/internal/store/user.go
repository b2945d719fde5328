package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
)

// Role is what a user may do. Each includes what the later ones may.
type Role string

// The roles.
const (
	Operator Role = "operator" // manages the tenants of the installation, and the users of all
	Admin    Role = "admin"    // registers systems and manages users, within the tenant
	Plain    Role = "user"     // uses the tenant's systems
	Viewer   Role = "viewer"   // reads from them
)

// Roles are all roles, the one that may most first.
var Roles = []Role{Operator, Admin, Plain, Viewer}

// Includes reports whether somebody of the role may do what other may.
func (r Role) Includes(other Role) bool {
	at := slices.Index(Roles, r)
	return at >= 0 && at <= slices.Index(Roles, other)
}

// Granted are the systems, by SystemID, that a user may use. nil are all of the
// tenant.
type Granted []string

// Value is a JSON list, "" for all.
func (g Granted) Value() (driver.Value, error) {
	if g == nil {
		return "", nil
	}
	b, err := json.Marshal([]string(g))
	return string(b), err
}

// Scan reads what Value writes.
func (g *Granted) Scan(src any) error {
	var text string
	switch src := src.(type) {
	case string:
		text = src
	case []byte:
		text = string(src)
	default:
		return fmt.Errorf("the granted systems of a user are a %T", src)
	}
	*g = nil
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), (*[]string)(g))
}

// User is somebody who can log in. User names are unique across tenants,
// because a login names no tenant, and don't depend on case.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID           int64 `bun:",pk,autoincrement"`
	TenantID     int64
	Tenant       *Tenant `bun:"rel:belongs-to,join:tenant_id=id"` // of users that were read one by one
	Username     string
	Email        string
	FullName     string
	PasswordHash string
	Role         Role
	IsActive     bool
	Language     string  // "" for none in particular
	Granted      Granted // of no meaning for admins, who use all systems
	// SessionGeneration is carried by every token; a new password raises it,
	// which ends all sessions before.
	SessionGeneration int64
	LastLoginAt       time.Time `bun:",nullzero"`
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

const noUser = "there is no such user"

// CreateUser adds a user and fills in ID and the times. A name that is taken
// is ErrAlreadyExists.
func (s *Store) CreateUser(ctx context.Context, u *User) error {
	u.Username = strings.ToLower(u.Username)
	u.CreatedAt = now()
	u.UpdatedAt = u.CreatedAt
	_, err := s.db.NewInsert().Model(u).Exec(ctx)
	if isUniqueViolation(err) {
		return &adapter.Error{Code: adapter.AlreadyExists, Field: "username", Message: "the user name is taken", Err: err}
	}
	return err
}

// User returns a user by id.
func (s *Store) User(ctx context.Context, id int64) (User, error) {
	var u User
	err := s.db.NewSelect().Model(&u).Relation("Tenant").Where("u.id = ?", id).Scan(ctx)
	return u, found(err, noUser)
}

// UserByName returns a user by name, in whatever case.
func (s *Store) UserByName(ctx context.Context, username string) (User, error) {
	var u User
	err := s.db.NewSelect().Model(&u).Relation("Tenant").Where("u.username = ?", strings.ToLower(username)).Scan(ctx)
	return u, found(err, noUser)
}

// Users returns all users by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var list []User
	err := s.db.NewSelect().Model(&list).Order("username").Scan(ctx)
	return list, err
}

// UserFilter selects users. Members that are zero select nothing out.
type UserFilter struct {
	TenantID int64
	Role     Role
	Text     string // that the name, the full name or the email contains, in any case
	After    int64  // users with a greater ID
	Limit    int    // at most; 0 is 100
}

// ListUsers returns users by ID.
func (s *Store) ListUsers(ctx context.Context, f UserFilter) ([]User, error) {
	var list []User
	q := s.db.NewSelect().Model(&list).Where("id > ?", f.After).Order("id").Limit(int64(or(f.Limit, 100)))
	if f.TenantID != 0 {
		q = q.Where("tenant_id = ?", f.TenantID)
	}
	if f.Role != "" {
		q = q.Where("role = ?", f.Role)
	}
	if f.Text != "" {
		text := containing(f.Text)
		q = q.Where(`(username LIKE ? ESCAPE '\' OR lower(full_name) LIKE ? ESCAPE '\' OR lower(email) LIKE ? ESCAPE '\')`, text, text, text)
	}
	err := q.Scan(ctx)
	return list, err
}

// HasUsers reports whether anybody can log in.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	return s.db.NewSelect().Model((*User)(nil)).Exists(ctx)
}

// AnyTenant stands for whatever tenant a user is of.
const AnyTenant int64 = 0

// ChangeUser reads a user of a tenant, lets change alter it, and writes it.
// It is ErrConflict where the tenant would be left without an admin, or the
// installation without an operator. A raised SessionGeneration ends the
// sessions of the user, apart from keep.
func (s *Store) ChangeUser(ctx context.Context, tenantID, id int64, keep string, change func(*User) error) (User, error) {
	var u User
	err := s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if err := s.lockUser(ctx, tx, tenantID, id, &u); err != nil {
			return err
		}
		before := u
		if err := change(&u); err != nil {
			return err
		}
		u.UpdatedAt = now()
		if _, err := tx.NewUpdate().Model(&u).
			Column("email", "full_name", "password_hash", "role", "is_active", "language", "granted", "session_generation", "updated_at").
			WherePK().Exec(ctx); err != nil {
			return err
		}
		if u.SessionGeneration != before.SessionGeneration {
			if _, err := tx.NewDelete().Model((*Session)(nil)).Where("user_id = ? AND id <> ?", id, keep).Exec(ctx); err != nil {
				return err
			}
		}
		return stillLed(ctx, tx, &before)
	})
	return u, err
}

// DeleteUser removes a user of a tenant with the sessions, unless the tenant
// would be left without an admin or the installation without an operator: that
// is ErrConflict. check may refuse it.
func (s *Store) DeleteUser(ctx context.Context, tenantID, id int64, check func(*User) error) (User, error) {
	var u User
	err := s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if err := s.lockUser(ctx, tx, tenantID, id, &u); err != nil {
			return err
		}
		if err := check(&u); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model(&u).WherePK().Exec(ctx); err != nil {
			return err
		}
		return stillLed(ctx, tx, &u)
	})
	return u, err
}

// lockUser reads a user. Of those who lead, nobody else changes any until the
// transaction ends: two admins must not remove each other at the same time.
func (s *Store) lockUser(ctx context.Context, tx bun.Tx, tenantID, id int64, u *User) error {
	q := tx.NewSelect().Model(u).Where("u.id = ?", id)
	if tenantID != AnyTenant {
		q = q.Where("u.tenant_id = ?", tenantID)
	}
	if err := q.Scan(ctx); err != nil {
		return found(err, noUser)
	}
	var leaders []User
	if err := s.locked(tx.NewSelect().Model(&leaders).Column("id")).
		Where("u.id = ? OR u.role = ? OR u.tenant_id = ? AND u.role = ?", id, Operator, u.TenantID, Admin).Order("u.id").Scan(ctx); err != nil {
		return err
	}
	*u = User{}
	err := tx.NewSelect().Model(u).Where("u.id = ?", id).Scan(ctx)
	return found(err, noUser)
}

// stillLed refuses to take the last one away who leads.
func stillLed(ctx context.Context, tx bun.Tx, before *User) error {
	if !before.IsActive || !before.Role.Includes(Admin) {
		return nil
	}
	active := func() *bun.SelectQuery { return tx.NewSelect().Model((*User)(nil)).Where("is_active") }
	led, err := active().Where("tenant_id = ? AND role IN (?)", before.TenantID, bun.List([]Role{Admin, Operator})).Exists(ctx)
	if err != nil {
		return err
	}
	if !led {
		return adapter.Errorf(adapter.Conflict, "this is the tenant's last active admin; make somebody else an admin first")
	}
	if before.Role != Operator {
		return nil
	}
	led, err = active().Where("role = ?", Operator).Exists(ctx)
	if err == nil && !led {
		return adapter.Errorf(adapter.Conflict, "this is the last active operator; make somebody else an operator first")
	}
	return err
}
