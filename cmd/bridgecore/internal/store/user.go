package store

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
)

// Tenant is a customer of the server: its users share its systems, and see
// nothing of another tenant's.
type Tenant struct {
	bun.BaseModel `bun:"table:tenants"`

	ID        int64 `bun:",pk,autoincrement"`
	Name      string
	CreatedAt time.Time
}

// Role is what a user may do within the tenant.
type Role string

// The roles.
const (
	Admin Role = "admin" // registers and changes systems, clears caches
	Plain Role = "user"  // uses them
)

// User is somebody who can log in. User names are unique across tenants,
// because a login names no tenant, and don't depend on case.
type User struct {
	bun.BaseModel `bun:"table:users"`

	ID           int64 `bun:",pk,autoincrement"`
	TenantID     int64
	Username     string
	Email        string
	FullName     string
	PasswordHash string
	Role         Role
	IsActive     bool
	// SessionGeneration is carried by every token; a new password raises it,
	// which ends all sessions before.
	SessionGeneration int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// EnsureTenant returns the tenant of that name, and makes it if there is none.
func (s *Store) EnsureTenant(ctx context.Context, name string) (Tenant, error) {
	t := Tenant{Name: name, CreatedAt: now()}
	if _, err := s.db.NewInsert().Model(&t).On("CONFLICT (name) DO NOTHING").Returning("NULL").Exec(ctx); err != nil {
		return Tenant{}, err
	}
	t = Tenant{}
	err := s.db.NewSelect().Model(&t).Where("name = ?", name).Scan(ctx)
	return t, err
}

// Tenants returns all tenants by name.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) {
	var list []Tenant
	err := s.db.NewSelect().Model(&list).Order("name").Scan(ctx)
	return list, err
}

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
	err := s.db.NewSelect().Model(&u).Where("id = ?", id).Scan(ctx)
	return u, found(err, "there is no such user")
}

// UserByName returns a user by name, in whatever case.
func (s *Store) UserByName(ctx context.Context, username string) (User, error) {
	var u User
	err := s.db.NewSelect().Model(&u).Where("username = ?", strings.ToLower(username)).Scan(ctx)
	return u, found(err, "there is no such user")
}

// Users returns all users by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var list []User
	err := s.db.NewSelect().Model(&list).Order("username").Scan(ctx)
	return list, err
}

// HasUsers reports whether anybody can log in.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	return s.db.NewSelect().Model((*User)(nil)).Exists(ctx)
}

// SetPassword replaces a user's password hash and ends the user's sessions.
func (s *Store) SetPassword(ctx context.Context, username, hash string) error {
	res, err := s.db.NewUpdate().Model((*User)(nil)).
		Set("password_hash = ?", hash).
		Set("session_generation = session_generation + 1").
		Set("updated_at = ?", now()).
		Where("username = ?", strings.ToLower(username)).Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return adapter.Errorf(adapter.NotFound, "there is no user %q", username)
	}
	return nil
}
