// Package auth says who is calling: it checks passwords, issues and verifies
// tokens, and ends sessions.
//
// A login opens a session and yields an access token and a refresh token. The
// refresh token stays good for its whole life; refreshing yields a new access
// token of the same session. Logging out ends the session, and with it both
// kinds of tokens; so does a new password, for all sessions of the user.
package auth

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// ErrBadCredentials means an unknown user, a wrong password or a user who may
// not log in: the answer does not tell which.
var ErrBadCredentials = errors.New("the user name or the password is wrong")

// recheck is how long a verified token is believed without asking the store
// again. It bounds how long a logout in another process of the same
// installation, or a changed user or tenant, goes unnoticed here.
const recheck = 10 * time.Second

// Identity is who calls. It is immutable.
type Identity struct {
	UserID    int64
	TenantID  int64
	Username  string
	Role      store.Role
	SessionID string
	Language  string // the user's own, "" for none in particular
	// Limits are the tenant's own requests a minute, by class.
	Limits limit.Rates
	// Rules are what the tenant lets the role call, nil for everything.
	Rules   []bridge.Rule
	granted store.Granted
}

// IsAdmin reports whether the caller may change the tenant's systems.
func (id *Identity) IsAdmin() bool { return id.Role.Includes(store.Admin) }

// IsOperator reports whether the caller manages the tenants of the installation.
func (id *Identity) IsOperator() bool { return id.Role == store.Operator }

// ReadsOnly reports whether the caller may change nothing.
func (id *Identity) ReadsOnly() bool { return !id.Role.Includes(store.Plain) }

// MayUse reports whether the caller may use a system of the tenant.
func (id *Identity) MayUse(systemID string) bool {
	return id.granted == nil || id.IsAdmin() || slices.Contains(id.granted, systemID)
}

// Of is who a user is apart from any session, for what is done later in the
// user's name. It fails where a request of the user would.
func (a *Auth) Of(u *store.User) (*Identity, error) {
	if !u.IsActive {
		return nil, ErrTokenRevoked
	}
	if err := a.open(u.Tenant); err != nil {
		return nil, err
	}
	id, err := identityOf(u, "")
	return &id, err
}

// identityOf is the identity of a user with the tenant.
func identityOf(u *store.User, sessionID string) (Identity, error) {
	id := Identity{
		UserID: u.ID, TenantID: u.TenantID, Username: u.Username, Role: u.Role, SessionID: sessionID,
		Language: u.Language, granted: u.Granted,
	}
	if len(u.Tenant.Limits) > 0 {
		id.Limits = make(limit.Rates, len(u.Tenant.Limits))
		for class, n := range u.Tenant.Limits {
			id.Limits[limit.Class(class)] = n
		}
	}
	patterns, bound := u.Tenant.Access[string(u.Role)]
	if !bound {
		return id, nil
	}
	id.Rules = make([]bridge.Rule, len(patterns))
	for i, text := range patterns {
		var err error
		if id.Rules[i], err = bridge.ParseRule(text); err != nil {
			return id, err
		}
	}
	return id, nil
}

// TenantError is why the users of a tenant may not use the server. Neither a
// login nor a refresh mends it.
type TenantError struct {
	Code    string // "tenant_trial_expired", "tenant_suspended", "tenant_deleted"
	Message string
}

func (e *TenantError) Error() string { return e.Message }

// The reasons to refuse a tenant.
var (
	ErrTrialExpired    = &TenantError{"tenant_trial_expired", "the trial period of this account is over; ask the operator of this server to activate the account"}
	ErrTenantSuspended = &TenantError{"tenant_suspended", "this account is suspended; ask the operator of this server why"}
	ErrTenantDeleted   = &TenantError{"tenant_deleted", "this account was deleted"}
)

// open returns why the tenant's users may not use the server, if they may not.
func (a *Auth) open(t *store.Tenant) error {
	switch {
	case t.Status == store.Deleted:
		return ErrTenantDeleted
	case t.Status == store.Suspended:
		return ErrTenantSuspended
	case t.Status == store.Trial && !t.TrialEndsAt.IsZero() && !a.now().Before(t.TrialEndsAt):
		return ErrTrialExpired
	}
	return nil
}

// Client is where a request came from.
type Client struct {
	Address string
	Agent   string // what the client calls itself, 255 bytes at most
}

// Users is what auth needs of the store. User and UserByName give the tenant
// along.
type Users interface {
	User(ctx context.Context, id int64) (store.User, error)
	UserByName(ctx context.Context, username string) (store.User, error)
	OpenSession(ctx context.Context, s *store.Session) error
	TouchSession(ctx context.Context, s *store.Session) error
	RevokeSession(ctx context.Context, sessionID string, expires time.Time) error
	SessionRevoked(ctx context.Context, sessionID string) (bool, error)
}

// Config says how sessions behave.
type Config struct {
	Key             vault.Secret     // signs tokens
	AccessLifetime  time.Duration    // of access tokens; 0 for 30 minutes
	RefreshLifetime time.Duration    // of refresh tokens; 0 for 7 days
	Now             func() time.Time // nil for time.Now
	// Budgets count failed logins for several servers together. While they can't,
	// and where there are none, this process counts its own alone.
	Budgets Budgets
}

// Budgets is what auth needs to count together with other servers; see
// [limit.Shared].
type Budgets interface {
	// Spend takes one use of each budget, or of none where one of them is spent,
	// and returns how long to wait then; giveBack undoes it. ok false means that
	// nothing was counted.
	Spend(ctx context.Context, claims ...limit.Claim) (giveBack func(context.Context), wait time.Duration, ok bool)
}

// Auth checks credentials and tokens. It is safe for concurrent use.
type Auth struct {
	users     Users
	passwords *Passwords
	tokens    *tokens
	throttle  *throttle
	now       func() time.Time
	verified  *otter.Cache[string, *verifiedToken]
	changes   atomic.Int64 // how often Changed was called
	revoked   sync.Map     // session id -> time.Time until which to remember
}

// verifiedToken is an access token that was found good, or to be of a tenant
// that may not use the server.
type verifiedToken struct {
	identity Identity
	closed   *TenantError // why the tenant may not use the server; nil if it may
	expires  int64        // unix nanoseconds
	checked  int64        // when the store was last asked, unix nanoseconds
	changes  int64        // how often Changed had been called by then
}

// Grant is what a login or a refresh yields.
type Grant struct {
	AccessToken  string
	RefreshToken string // "" after a refresh: the one that was sent stays good
	ExpiresIn    time.Duration
}

// New returns an Auth over the users.
func New(users Users, c Config) *Auth {
	if c.AccessLifetime == 0 {
		c.AccessLifetime = 30 * time.Minute
	}
	if c.RefreshLifetime == 0 {
		c.RefreshLifetime = 7 * 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Auth{
		users:     users,
		passwords: NewPasswords(),
		tokens:    newTokens(c.Key, c.AccessLifetime, c.RefreshLifetime, c.Now),
		throttle:  newThrottle(c.Now, c.Budgets, []byte(c.Key.Reveal())),
		now:       c.Now,
		verified:  otter.Must(&otter.Options[string, *verifiedToken]{MaximumSize: 20_000}),
	}
}

// Login opens a session. It fails with ErrBadCredentials, with
// adapter.ErrRateLimited after too many failures of the same user or address,
// and with a *TenantError, which only somebody with the right password learns.
func (a *Auth) Login(ctx context.Context, username, password string, from Client) (Grant, error) {
	username = strings.ToLower(strings.TrimSpace(username))
	if len(username) > 255 {
		username = "" // nobody's
	}
	success, err := a.throttle.attempt(ctx, username, from.Address)
	if err != nil {
		return Grant{}, err
	}
	user, err := a.users.UserByName(ctx, username)
	if err != nil && !errors.Is(err, adapter.ErrNotFound) {
		return Grant{}, err
	}
	ok, err := a.passwords.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return Grant{}, err
	}
	if !ok || !user.IsActive {
		return Grant{}, ErrBadCredentials
	}
	success()
	if err := a.open(user.Tenant); err != nil {
		return Grant{}, err
	}
	s := store.Session{ID: uuid.NewString(), UserID: user.ID, Agent: from.Agent, Address: from.Address, ExpiresAt: a.now().Add(a.tokens.refresh)}
	if err := a.users.OpenSession(ctx, &s); err != nil {
		return Grant{}, err
	}
	return a.grant(&user, s.ID)
}

// Confirm checks the password of somebody who has logged in. It fails as Login
// does, and counts as one.
func (a *Auth) Confirm(ctx context.Context, user *store.User, password string, from Client) error {
	success, err := a.throttle.attempt(ctx, user.Username, from.Address)
	if err != nil {
		return err
	}
	ok, err := a.passwords.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return err
	}
	if !ok {
		return ErrBadCredentials
	}
	success()
	return nil
}

// Open opens a session for a user who needs no password: one that the program
// has just made. It is in no list of sessions until it is refreshed.
func (a *Auth) Open(user store.User) (Grant, error) { return a.grant(&user, uuid.NewString()) }

// Renew yields new tokens of a session whose user has got another
// SessionGeneration.
func (a *Auth) Renew(user store.User, sessionID string) (Grant, error) {
	return a.grant(&user, sessionID)
}

func (a *Auth) grant(user *store.User, sessionID string) (Grant, error) {
	access, err := a.tokens.issue(Access, user, sessionID)
	if err != nil {
		return Grant{}, err
	}
	refresh, err := a.tokens.issue(Refresh, user, sessionID)
	return Grant{access, refresh, a.tokens.access}, err
}

// Refresh yields a new access token for a refresh token, or a *TokenError or
// *TenantError.
func (a *Auth) Refresh(ctx context.Context, authorization string, from Client) (Grant, error) {
	token, err := bearer(authorization)
	if err != nil {
		return Grant{}, err
	}
	c, err := a.tokens.read(Refresh, token)
	if err != nil {
		return Grant{}, err
	}
	user, err := a.live(ctx, c)
	if err != nil {
		return Grant{}, err
	}
	s := store.Session{ID: c.SessionID, UserID: user.ID, Agent: from.Agent, Address: from.Address, ExpiresAt: c.ExpiresAt.Time}
	if err := a.users.TouchSession(ctx, &s); err != nil {
		return Grant{}, err
	}
	access, err := a.tokens.issue(Access, &user, c.SessionID)
	return Grant{AccessToken: access, ExpiresIn: a.tokens.access}, err
}

// Identify returns whose access token an Authorization header carries, or a
// *TokenError or *TenantError. A token that was seen before costs a look into a
// map.
func (a *Auth) Identify(ctx context.Context, authorization string) (*Identity, error) {
	token, err := bearer(authorization)
	if err != nil {
		return nil, err
	}
	now, changes := a.now().UnixNano(), a.changes.Load()
	v, known := a.verified.GetIfPresent(token)
	if known {
		if now >= v.expires {
			a.verified.Invalidate(token)
			return nil, ErrTokenExpired
		}
		if _, ended := a.revoked.Load(v.identity.SessionID); ended {
			return nil, ErrTokenRevoked
		}
		if now-v.checked < int64(recheck) && v.changes == changes {
			if v.closed != nil {
				return nil, v.closed
			}
			return &v.identity, nil
		}
	}
	c, err := a.tokens.read(Access, token)
	if err != nil {
		return nil, err
	}
	v = &verifiedToken{expires: c.ExpiresAt.UnixNano(), checked: now, changes: changes}
	user, err := a.live(ctx, c)
	if closed, ok := errors.AsType[*TenantError](err); ok {
		v.identity.SessionID, v.closed = c.SessionID, closed
		a.verified.Set(token, v)
		return nil, closed
	}
	if err != nil {
		a.verified.Invalidate(token)
		return nil, err
	}
	if v.identity, err = identityOf(&user, c.SessionID); err != nil {
		return nil, err
	}
	a.verified.Set(token, v)
	return &v.identity, nil
}

// Changed tells that users or tenants are not what they were: every token is
// checked anew when it next comes.
func (a *Auth) Changed() { a.changes.Add(1) }

// live returns the user of a token, with the tenant, if the session has not
// ended and the tenant may use the server.
func (a *Auth) live(ctx context.Context, c *claims) (store.User, error) {
	if _, ended := a.revoked.Load(c.SessionID); ended {
		return store.User{}, ErrTokenRevoked
	}
	ended, err := a.users.SessionRevoked(ctx, c.SessionID)
	if err != nil {
		return store.User{}, err
	}
	if ended {
		return store.User{}, ErrTokenRevoked
	}
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil {
		return store.User{}, ErrTokenInvalid
	}
	user, err := a.users.User(ctx, id)
	switch {
	case errors.Is(err, adapter.ErrNotFound):
		return store.User{}, ErrTokenRevoked
	case err != nil:
		return store.User{}, err
	case !user.IsActive || user.SessionGeneration != c.Generation || strconv.FormatInt(user.TenantID, 10) != c.TenantID:
		return store.User{}, ErrTokenRevoked
	}
	return user, a.open(user.Tenant)
}

// Logout ends the caller's session: none of its tokens is accepted any more,
// here at once and in other processes within ten seconds.
func (a *Auth) Logout(ctx context.Context, id *Identity) error {
	return a.EndSession(ctx, id.SessionID)
}

// EndSession ends a session as Logout does.
func (a *Auth) EndSession(ctx context.Context, sessionID string) error {
	now := a.now()
	// The session's last token has expired by then.
	until := now.Add(max(a.tokens.refresh, a.tokens.access) + time.Minute)
	if err := a.users.RevokeSession(ctx, sessionID, until); err != nil {
		return err
	}
	a.revoked.Range(func(session, t any) bool {
		if t.(time.Time).Before(now) {
			a.revoked.Delete(session)
		}
		return true
	})
	a.revoked.Store(sessionID, until)
	return nil
}

// Hash hashes a new password.
func (a *Auth) Hash(ctx context.Context, password string) (string, error) {
	return a.passwords.Hash(ctx, password)
}

func bearer(authorization string) (string, error) {
	if authorization == "" {
		return "", ErrTokenMissing
	}
	const scheme = "bearer "
	if len(authorization) <= len(scheme) || !strings.EqualFold(authorization[:len(scheme)], scheme) {
		return "", ErrTokenMissing
	}
	return authorization[len(scheme):], nil
}
