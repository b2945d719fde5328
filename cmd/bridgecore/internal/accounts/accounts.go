// Package accounts manages tenants and their users: who may change what, and
// which changes are good ones. An operator manages every tenant and its users,
// an admin the users of the own tenant. Whatever is of another tenant does not
// exist for an admin.
package accounts

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// Actor is who makes a change.
type Actor struct {
	UserID   int64
	TenantID int64
	Role     store.Role
}

// Console is who runs the program's own commands: whoever may do that can
// change the database anyhow.
var Console = Actor{Role: store.Operator}

// Accounts makes the changes. Store and Hash are required.
type Accounts struct {
	Store  *store.Store
	Policy auth.Policy
	Hash   func(ctx context.Context, password string) (string, error)
	// Changed is called after changes that tokens depend on; nil for nobody.
	Changed func()
}

// reach is the tenant whose users the actor manages.
func (a Actor) reach() int64 {
	if a.Role == store.Operator {
		return store.AnyTenant
	}
	return a.TenantID
}

// needs refuses an actor who is less than role.
func (a Actor) needs(role store.Role) error {
	if a.Role.Includes(role) {
		return nil
	}
	return adapter.Errorf(adapter.PermissionDenied, "this needs the role %s", role)
}

// manages refuses users who may more than the actor.
func (a Actor) manages(u *store.User) error {
	if a.Role.Includes(u.Role) {
		return nil
	}
	return adapter.Errorf(adapter.PermissionDenied, "only an operator may change an operator")
}

func (s *Accounts) changed() {
	if s.Changed != nil {
		s.Changed()
	}
}

// User returns a user whom the actor manages, with the tenant.
func (s *Accounts) User(ctx context.Context, by Actor, id int64) (store.User, error) {
	if err := by.needs(store.Admin); err != nil {
		return store.User{}, err
	}
	u, err := s.Store.User(ctx, id)
	if err == nil && by.reach() != store.AnyTenant && u.TenantID != by.TenantID {
		return store.User{}, adapter.Errorf(adapter.NotFound, "there is no such user")
	}
	return u, err
}

// Users lists the users whom the actor manages.
func (s *Accounts) Users(ctx context.Context, by Actor, f store.UserFilter) ([]store.User, error) {
	if err := by.needs(store.Admin); err != nil {
		return nil, err
	}
	if reach := by.reach(); reach != store.AnyTenant {
		if f.TenantID != 0 && f.TenantID != reach {
			return []store.User{}, nil // like a tenant that does not exist
		}
		f.TenantID = reach
	}
	return s.Store.ListUsers(ctx, f)
}

// AddUser adds an active user. A user without a tenant is of the actor's.
func (s *Accounts) AddUser(ctx context.Context, by Actor, u store.User, password string) (store.User, error) {
	if u.TenantID == 0 {
		u.TenantID = by.TenantID
	}
	if _, err := s.Tenant(ctx, by, u.TenantID); err != nil {
		if adapter.CodeOf(err) == adapter.NotFound {
			return u, wrong("tenant_id", "there is no such tenant")
		}
		return u, err
	}
	u.Username = strings.ToLower(strings.TrimSpace(u.Username))
	u.IsActive = true
	if err := s.check(ctx, by, &u); err != nil {
		return u, err
	}
	var err error
	if u.PasswordHash, err = s.hash(ctx, u.Username, password); err != nil {
		return u, err
	}
	err = s.Store.CreateUser(ctx, &u)
	return u, err
}

func (s *Accounts) hash(ctx context.Context, username, password string) (string, error) {
	if err := s.Policy.Check(username, password); err != nil {
		return "", err
	}
	return s.Hash(ctx, password)
}

// UserChange is what to change of a user; nil leaves it.
type UserChange struct {
	Email    *string
	FullName *string
	Language *string
	Role     *store.Role
	IsActive *bool // false ends the sessions too
	Granted  *store.Granted
}

// lay makes the change.
func (c *UserChange) lay(u *store.User) {
	set(&u.Email, c.Email)
	set(&u.FullName, c.FullName)
	set(&u.Language, c.Language)
	set(&u.Role, c.Role)
	set(&u.Granted, c.Granted)
	if c.IsActive != nil {
		if u.IsActive && !*c.IsActive {
			u.SessionGeneration++
		}
		u.IsActive = *c.IsActive
	}
}

func set[T any](target, value *T) {
	if value != nil {
		*target = *value
	}
}

// ChangeUser changes a user whom the actor manages.
func (s *Accounts) ChangeUser(ctx context.Context, by Actor, id int64, c UserChange) (store.User, error) {
	before, err := s.User(ctx, by, id)
	if err != nil {
		return before, err
	}
	after := before
	c.lay(&after)
	if after.Role.Includes(store.Admin) && c.Granted == nil {
		c.Granted = new(store.Granted) // admins use all systems
		after.Granted = nil
	}
	if err := s.check(ctx, by, &after); err != nil {
		return before, err
	}
	defer s.changed()
	return s.Store.ChangeUser(ctx, by.reach(), id, "", func(u *store.User) error {
		if err := by.manages(u); err != nil {
			return err
		}
		c.lay(u)
		return nil
	})
}

// ChangeProfile changes what users may change of themselves.
func (s *Accounts) ChangeProfile(ctx context.Context, userID int64, c UserChange) (store.User, error) {
	c = UserChange{Email: c.Email, FullName: c.FullName, Language: c.Language}
	var u store.User
	c.lay(&u)
	if err := checkProfile(&u); err != nil {
		return u, err
	}
	defer s.changed()
	return s.Store.ChangeUser(ctx, store.AnyTenant, userID, "", func(u *store.User) error {
		c.lay(u)
		return nil
	})
}

// RemoveUser deletes a user whom the actor manages; the sessions end.
func (s *Accounts) RemoveUser(ctx context.Context, by Actor, id int64) (store.User, error) {
	if err := by.needs(store.Admin); err != nil {
		return store.User{}, err
	}
	defer s.changed()
	return s.Store.DeleteUser(ctx, by.reach(), id, by.manages)
}

// ResetPassword gives a user whom the actor manages a new password, and ends
// the user's sessions.
func (s *Accounts) ResetPassword(ctx context.Context, by Actor, id int64, password string) (store.User, error) {
	u, err := s.User(ctx, by, id)
	if err != nil {
		return u, err
	}
	if err := by.manages(&u); err != nil {
		return u, err
	}
	return s.setPassword(ctx, &u, "", password)
}

// OwnPassword gives somebody whose old password was confirmed a new one. All
// tokens from before are refused from now on; the session of that id stays in
// the list.
func (s *Accounts) OwnPassword(ctx context.Context, userID int64, sessionID, password string) (store.User, error) {
	u, err := s.Store.User(ctx, userID)
	if err != nil {
		return u, err
	}
	return s.setPassword(ctx, &u, sessionID, password)
}

func (s *Accounts) setPassword(ctx context.Context, u *store.User, keep, password string) (store.User, error) {
	hash, err := s.hash(ctx, u.Username, password)
	if err != nil {
		return *u, err
	}
	defer s.changed()
	return s.Store.ChangeUser(ctx, u.TenantID, u.ID, keep, func(u *store.User) error {
		u.PasswordHash = hash
		u.SessionGeneration++
		return nil
	})
}

// EndSessions ends all sessions of a user whom the actor manages.
func (s *Accounts) EndSessions(ctx context.Context, by Actor, id int64) (store.User, error) {
	if err := by.needs(store.Admin); err != nil {
		return store.User{}, err
	}
	defer s.changed()
	return s.Store.ChangeUser(ctx, by.reach(), id, "", func(u *store.User) error {
		u.SessionGeneration++
		return by.manages(u)
	})
}

// check refuses a user that can't be.
func (s *Accounts) check(ctx context.Context, by Actor, u *store.User) error {
	if err := checkProfile(u); err != nil {
		return err
	}
	switch {
	case u.Username == "" || len(u.Username) > 255 || strings.ContainsFunc(u.Username, unicode.IsControl):
		return wrong("username", "must have 1 to 255 bytes, and no control characters")
	case !slices.Contains(store.Roles, u.Role):
		return wrong("role", "must be one of %s", words(store.Roles))
	case !by.Role.Includes(u.Role):
		return adapter.Errorf(adapter.PermissionDenied, "only an operator may make somebody an operator")
	case u.Granted == nil:
		return nil
	case u.Role.Includes(store.Admin):
		return wrong("systems", "can't be given: an %s uses all systems of the tenant", u.Role)
	}
	list, err := s.Store.Systems(ctx, u.TenantID)
	if err != nil {
		return err
	}
	for _, id := range u.Granted {
		if !slices.ContainsFunc(list, func(sys store.System) bool { return sys.SystemID == id }) {
			return wrong("systems", "the user's tenant has no system %q", id)
		}
	}
	return nil
}

func checkProfile(u *store.User) error {
	if u.Email != "" {
		if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > 255 {
			return wrong("email", "is no email address such as sara@example.com")
		}
	}
	switch {
	case len(u.FullName) > 255 || strings.ContainsFunc(u.FullName, unicode.IsControl):
		return wrong("full_name", "may have 255 bytes at most, and no control characters")
	case u.Language != "" && !slices.Contains(i18n.Languages, u.Language):
		return wrong("language", "must be one of %s, or empty for none in particular", words(i18n.Languages))
	}
	return nil
}

func wrong(field, format string, args ...any) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: field, Message: field + ": " + fmt.Sprintf(format, args...)}
}

// words lists names.
func words[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// Manages asks whether the actor may change a user.
func (s *Accounts) Manages(ctx context.Context, by Actor, id int64) error {
	u, err := s.User(ctx, by, id)
	if err != nil {
		return err
	}
	return by.manages(&u)
}
