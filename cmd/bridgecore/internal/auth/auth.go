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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// ErrBadCredentials means an unknown user, a wrong password or a user who may
// not log in: the answer does not tell which.
var ErrBadCredentials = errors.New("the user name or the password is wrong")

// recheck is how long a verified token is believed without asking the store
// again. It bounds how long a logout in another process of the same
// installation, or a changed user, goes unnoticed here.
const recheck = 10 * time.Second

// Identity is who calls. It is immutable.
type Identity struct {
	UserID    int64
	TenantID  int64
	Username  string
	Role      store.Role
	SessionID string
	// Limits are the tenant's own requests a minute, by class.
	Limits limit.Rates
}

// IsAdmin reports whether the caller may change the tenant's systems.
func (id *Identity) IsAdmin() bool { return id.Role == store.Admin }

// Users is what auth needs of the store.
type Users interface {
	User(ctx context.Context, id int64) (store.User, error)
	UserByName(ctx context.Context, username string) (store.User, error)
	RevokeSession(ctx context.Context, sessionID string, expires time.Time) error
	SessionRevoked(ctx context.Context, sessionID string) (bool, error)
}

// Config says how sessions behave.
type Config struct {
	Key             vault.Secret     // signs tokens
	AccessLifetime  time.Duration    // of access tokens; 0 for 30 minutes
	RefreshLifetime time.Duration    // of refresh tokens; 0 for 7 days
	Now             func() time.Time // nil for time.Now
}

// Auth checks credentials and tokens. It is safe for concurrent use.
type Auth struct {
	users     Users
	passwords *Passwords
	tokens    *tokens
	throttle  *throttle
	now       func() time.Time
	verified  *otter.Cache[string, *verifiedToken]
	revoked   sync.Map // session id -> time.Time until which to remember
}

// verifiedToken is an access token that was found good.
type verifiedToken struct {
	identity Identity
	expires  int64        // unix nanoseconds
	checked  atomic.Int64 // when the store was last asked, unix nanoseconds
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
		throttle:  newThrottle(c.Now),
		now:       c.Now,
		verified:  otter.Must(&otter.Options[string, *verifiedToken]{MaximumSize: 20_000}),
	}
}

// Login opens a session. It fails with ErrBadCredentials, and with
// adapter.ErrRateLimited after too many failures of the same user or address.
func (a *Auth) Login(ctx context.Context, username, password, address string) (Grant, error) {
	username = strings.ToLower(strings.TrimSpace(username))
	if len(username) > 255 {
		username = "" // nobody's
	}
	success, err := a.throttle.attempt(username, address)
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
	return a.Open(user)
}

// Open opens a session for a user who needs no password: one that the program
// has just made.
func (a *Auth) Open(user store.User) (Grant, error) {
	sessionID := uuid.NewString()
	access, err := a.tokens.issue(Access, &user, sessionID)
	if err != nil {
		return Grant{}, err
	}
	refresh, err := a.tokens.issue(Refresh, &user, sessionID)
	return Grant{access, refresh, a.tokens.access}, err
}

// Refresh yields a new access token for a refresh token, or a *TokenError.
func (a *Auth) Refresh(ctx context.Context, authorization string) (Grant, error) {
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
	access, err := a.tokens.issue(Access, &user, c.SessionID)
	return Grant{AccessToken: access, ExpiresIn: a.tokens.access}, err
}

// Identify returns whose access token an Authorization header carries, or a
// *TokenError. A token that was seen before costs a look into a map.
func (a *Auth) Identify(ctx context.Context, authorization string) (*Identity, error) {
	token, err := bearer(authorization)
	if err != nil {
		return nil, err
	}
	now := a.now().UnixNano()
	v, known := a.verified.GetIfPresent(token)
	if known {
		if now >= v.expires {
			a.verified.Invalidate(token)
			return nil, ErrTokenExpired
		}
		if _, ended := a.revoked.Load(v.identity.SessionID); ended {
			return nil, ErrTokenRevoked
		}
		if now-v.checked.Load() < int64(recheck) {
			return &v.identity, nil
		}
	}
	c, err := a.tokens.read(Access, token)
	if err != nil {
		return nil, err
	}
	user, err := a.live(ctx, c)
	if err != nil {
		a.verified.Invalidate(token)
		return nil, err
	}
	v = &verifiedToken{
		identity: Identity{UserID: user.ID, TenantID: user.TenantID, Username: user.Username, Role: user.Role, SessionID: c.SessionID},
		expires:  c.ExpiresAt.UnixNano(),
	}
	v.checked.Store(now)
	a.verified.Set(token, v)
	return &v.identity, nil
}

// live returns the user of a token if the session has not ended.
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
	return user, nil
}

// Logout ends the caller's session: none of its tokens is accepted any more,
// here at once and in other processes within ten seconds.
func (a *Auth) Logout(ctx context.Context, id *Identity) error {
	now := a.now()
	// The session's last token has expired by then.
	until := now.Add(max(a.tokens.refresh, a.tokens.access) + time.Minute)
	if err := a.users.RevokeSession(ctx, id.SessionID, until); err != nil {
		return err
	}
	a.revoked.Range(func(session, t any) bool {
		if t.(time.Time).Before(now) {
			a.revoked.Delete(session)
		}
		return true
	})
	a.revoked.Store(id.SessionID, until)
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
