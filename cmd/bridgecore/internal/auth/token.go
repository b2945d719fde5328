package auth

import (
	"errors"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

const (
	issuer   = "bridgecore"
	audience = "bridgecore-api"
)

// Kind is what a token is good for.
type Kind string

// The kinds of tokens.
const (
	Access  Kind = "access"
	Refresh Kind = "refresh"
)

// TokenError is why a token is not accepted. It is the only failure that a
// client mends by logging in or refreshing.
type TokenError struct {
	Code    string // "token_missing", "token_invalid", "token_expired", "token_revoked", "token_wrong_type"
	Message string
}

func (e *TokenError) Error() string { return e.Message }

// The reasons to refuse a token.
var (
	ErrTokenMissing = &TokenError{"token_missing", "this request needs a token: send the header Authorization: Bearer <access token>"}
	ErrTokenInvalid = &TokenError{"token_invalid", "the token is not valid"}
	ErrTokenExpired = &TokenError{"token_expired", "the token has expired"}
	ErrTokenRevoked = &TokenError{"token_revoked", "the session of this token has ended; log in again"}
	ErrWantAccess   = &TokenError{"token_wrong_type", "a refresh token is no access token; send the access token"}
	ErrWantRefresh  = &TokenError{"token_wrong_type", "an access token is no refresh token; send the refresh token"}
)

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Kind       Kind   `json:"type"`
	UserType   string `json:"user_type"`
	TenantID   string `json:"tenant_id"`
	SessionID  string `json:"sid"`
	Generation int64  `json:"gen"`
}

// tokens makes and reads JSON Web Tokens, signed with HS256.
type tokens struct {
	key             vault.Secret
	access, refresh time.Duration
	now             func() time.Time
	parser          *jwt.Parser
}

func newTokens(key vault.Secret, access, refresh time.Duration, now func() time.Time) *tokens {
	return &tokens{key, access, refresh, now, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithTimeFunc(now),
	)}
}

func (t *tokens) lifetime(kind Kind) time.Duration {
	if kind == Refresh {
		return t.refresh
	}
	return t.access
}

func (t *tokens) issue(kind Kind, u *store.User, sessionID string) (string, error) {
	now := t.now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuer,
			Audience:  jwt.ClaimStrings{audience},
			Subject:   strconv.FormatInt(u.ID, 10),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(t.lifetime(kind))),
			ID:        uuid.NewString(),
		},
		Kind:       kind,
		UserType:   "tenant",
		TenantID:   strconv.FormatInt(u.TenantID, 10),
		SessionID:  sessionID,
		Generation: u.SessionGeneration,
	}).SignedString([]byte(t.key.Reveal()))
}

// read verifies a token and returns what it says, or a *TokenError.
func (t *tokens) read(want Kind, token string) (*claims, error) {
	if len(token) > 4096 {
		return nil, ErrTokenInvalid
	}
	var c claims
	_, err := t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return []byte(t.key.Reveal()), nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, ErrTokenExpired
	case err != nil || c.SessionID == "" || c.Subject == "":
		return nil, ErrTokenInvalid
	case c.Kind == want:
		return &c, nil
	case want == Access:
		return nil, ErrWantAccess
	default:
		return nil, ErrWantRefresh
	}
}
