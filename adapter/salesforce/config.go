package salesforce

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// The ways to log in that [Config] can name.
const (
	AuthAuto              = ""                   // by the fields that are set
	AuthClientCredentials = "client_credentials" // ClientID and ClientSecret
	AuthJWTBearer         = "jwt_bearer"         // ClientID, Username and PrivateKey
	AuthRefreshToken      = "refresh_token"      // ClientID and RefreshToken, ClientSecret if the app asks for it
)

// The defaults of [Config].
const (
	DefaultTimeout     = time.Minute
	DefaultMaxConns    = 16
	DefaultMaxResponse = 64 << 20 // bytes
	DefaultPageSize    = 500
	// MaxPageSize bounds a page whatever a query asks, as Salesforce does: a
	// larger limit is read in several pages.
	MaxPageSize = 2000
	// DefaultBulkThreshold is from how many records on the Bulk API pays: its
	// jobs wait in a queue before they run.
	DefaultBulkThreshold = 10_000
	// DefaultBulkTimeout bounds the wait for one job of the Bulk API.
	DefaultBulkTimeout = 15 * time.Minute
	// DefaultMaxAttachment is the size in bytes of the largest file that is
	// sent, unless the Config says.
	DefaultMaxAttachment = 64 << 20
	// DefaultSlowAt and DefaultStopAt are percentages of the organization's
	// daily API requests, see Config.
	DefaultSlowAt = 90
	DefaultStopAt = 99
)

// Config says how to reach a Salesforce organization. URL, ClientID and what
// one of the ways to log in needs are required; everything else has a default.
// It never shows its secrets: not printed, not logged, not as JSON.
//
// There is no login by password: Salesforce has withdrawn it for connected
// apps, and it would tie the system to a person's password.
type Config struct {
	// URL is the organization's My Domain address, such as
	// "https://acme.my.salesforce.com". Nothing follows the host but, behind a
	// proxy, a path.
	URL string

	// Auth is one of the Auth constants; "" chooses by the fields that are
	// set: a RefreshToken, else a PrivateKey, else a ClientSecret.
	Auth string
	// ClientID and ClientSecret are the consumer key and secret of the
	// connected app (or external client app).
	ClientID     string
	ClientSecret string
	// Username is the user to log in as with a JWT.
	Username string
	// PrivateKey signs the JWT: an RSA key in PEM (PKCS #1 or PKCS #8) whose
	// certificate was uploaded to the connected app.
	PrivateKey string
	// RefreshToken is one that the user gave to the connected app. Where the
	// app rotates refresh tokens, the new one is kept in memory and given to
	// OnRefreshToken.
	RefreshToken string
	// OnRefreshToken, if set, is called with a refresh token that replaced the
	// last, so that it can be stored. It must not block.
	OnRefreshToken func(refreshToken string)
	// TokenURL is where tokens come from; "" means /services/oauth2/token of
	// the URL.
	TokenURL string
	// Audience is the "aud" of the JWT; "" means https://login.salesforce.com,
	// or https://test.salesforce.com for the URL of a sandbox.
	Audience string

	// APIVersion is the version of the REST API, such as "62.0"; "" takes the
	// newest that both the organization and the adapter know.
	APIVersion string

	Timeout     time.Duration // of one call; 0 means DefaultTimeout
	MaxConns    int           // connections at once; 0 means DefaultMaxConns
	MaxResponse int64         // bytes of one answer, unpacked; 0 means DefaultMaxResponse
	PageSize    int           // records of a page when a query sets no limit; 0 means DefaultPageSize, MaxPageSize is the most
	// MaxAttachment bounds the files that Attach sends, in bytes; 0 means
	// DefaultMaxAttachment.
	MaxAttachment int64

	// BulkThreshold is from how many records on CreateEach and Stream use the
	// Bulk API 2.0; 0 means DefaultBulkThreshold, a negative number never.
	BulkThreshold int
	// BulkTimeout bounds the wait for one job, over and above the context;
	// 0 means DefaultBulkTimeout.
	BulkTimeout time.Duration

	// SlowAt and StopAt are percentages of the daily API requests of the
	// organization, as the Sforce-Limit-Info header reports them: from SlowAt
	// on calls are spaced out more and more, from StopAt on they are refused
	// with ErrRateLimited before they are sent, so that other programs of the
	// organization keep what is left. 0 means the default, a number above 100
	// never.
	SlowAt, StopAt int

	// Control, if set, sees each address before it is dialled, after name
	// resolution, and can refuse it: see net.Dialer.Control. It is asked for
	// the token endpoint too.
	Control func(network, address string, c syscall.RawConn) error
	// WrapTransport, if set, is given what sends the requests and returns what
	// is to be used in its place, such as one that counts or traces them. It
	// sends those for tokens too.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	TLS           *tls.Config
}

// apiVersion is the form of Config.APIVersion.
var apiVersion = regexp.MustCompile(`^[1-9][0-9]{1,2}\.0$`)

func wrongField(field, format string, args ...any) error {
	e := adapter.Errorf(adapter.InvalidArgument, field+": "+format, args...)
	e.Field, e.NothingSent = field, true
	return e
}

// check returns an error that names the first field that is wrong.
func (c *Config) check() error {
	if err := checkURL("url", c.URL); err != nil {
		return err
	}
	if c.TokenURL != "" {
		if err := checkURL("token_url", c.TokenURL); err != nil {
			return err
		}
	}
	if err := c.checkAuth(); err != nil {
		return err
	}
	if c.APIVersion != "" && !apiVersion.MatchString(c.APIVersion) {
		return wrongField("api_version", "%q is no version; it must read like 62.0, or be left out", c.APIVersion)
	}
	for _, n := range [...]struct {
		field string
		value int64
	}{
		{"timeout", int64(c.Timeout)}, {"max_conns", int64(c.MaxConns)}, {"max_response", c.MaxResponse},
		{"max_attachment", c.MaxAttachment}, {"bulk_timeout", int64(c.BulkTimeout)},
		{"slow_at", int64(c.SlowAt)}, {"stop_at", int64(c.StopAt)},
	} {
		if n.value < 0 {
			return wrongField(n.field, "is negative")
		}
	}
	if c.PageSize < 0 || c.PageSize > MaxPageSize {
		return wrongField("page_size", "must be from 0 to %d", MaxPageSize)
	}
	return nil
}

func checkURL(field, raw string) error {
	if raw == "" {
		return wrongField(field, "is missing; give the My Domain address of the organization, such as https://acme.my.salesforce.com")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		// The text of a parse error repeats the URL, which may hold a password.
		return wrongField(field, "is not a URL; it must read like https://acme.my.salesforce.com")
	case u.Scheme != "http" && u.Scheme != "https":
		return wrongField(field, "must begin with https:// or http://")
	case u.Hostname() == "":
		return wrongField(field, "names no host")
	case u.User != nil:
		return wrongField(field, "must hold no user name or password; use the fields for them")
	case u.RawQuery != "" || u.Fragment != "":
		return wrongField(field, "must end with the path; leave out what follows ? or #")
	}
	return nil
}

// auth is the way to log in.
func (c *Config) auth() string {
	switch {
	case c.Auth != AuthAuto:
		return c.Auth
	case c.RefreshToken != "":
		return AuthRefreshToken
	case c.PrivateKey != "":
		return AuthJWTBearer
	default:
		return AuthClientCredentials
	}
}

func (c *Config) checkAuth() error {
	if c.ClientID == "" {
		return wrongField("client_id", "is missing; give the consumer key of the connected app")
	}
	switch c.auth() {
	case AuthClientCredentials:
		if c.ClientSecret == "" {
			return wrongField("client_secret", "is missing; give the consumer secret, or a private key or a refresh token")
		}
	case AuthJWTBearer:
		if c.Username == "" {
			return wrongField("username", "is missing; a JWT names the user to log in as")
		}
		if c.PrivateKey == "" {
			return wrongField("private_key", "is missing; give the RSA key, in PEM, of the certificate in the connected app")
		}
		if _, err := parsePrivateKey(c.PrivateKey); err != nil {
			return err
		}
	case AuthRefreshToken:
		if c.RefreshToken == "" {
			return wrongField("refresh_token", "is missing")
		}
	default:
		return wrongField("auth", "%q is unknown; use client_credentials, jwt_bearer or refresh_token, or leave it out", c.Auth)
	}
	return nil
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	setInt := func(p *int, value int) {
		if *p == 0 {
			*p = value
		}
	}
	setInt(&c.MaxConns, DefaultMaxConns)
	setInt(&c.PageSize, DefaultPageSize)
	setInt(&c.BulkThreshold, DefaultBulkThreshold)
	setInt(&c.SlowAt, DefaultSlowAt)
	setInt(&c.StopAt, DefaultStopAt)
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.BulkTimeout == 0 {
		c.BulkTimeout = DefaultBulkTimeout
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = DefaultMaxResponse
	}
	if c.MaxAttachment == 0 {
		c.MaxAttachment = DefaultMaxAttachment
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if c.TokenURL == "" {
		c.TokenURL = c.URL + "/services/oauth2/token"
	}
	if c.Audience == "" {
		c.Audience = "https://login.salesforce.com"
		if u, err := url.Parse(c.URL); err == nil && strings.HasSuffix(u.Hostname(), ".sandbox.my.salesforce.com") {
			c.Audience = "https://test.salesforce.com"
		}
	}
	return c
}

// redacted is what a Config shows of itself.
type redacted struct {
	URL          string `json:"url"`
	Auth         string `json:"auth,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	Username     string `json:"username,omitempty"`
	PrivateKey   string `json:"private_key,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	APIVersion   string `json:"api_version,omitempty"`
}

func (c Config) redact() redacted {
	hide := func(s string) string {
		if s == "" {
			return ""
		}
		return "[redacted]"
	}
	return redacted{
		URL: publicURL(c.URL), Auth: c.auth(), ClientID: c.ClientID, ClientSecret: hide(c.ClientSecret),
		Username: c.Username, PrivateKey: hide(c.PrivateKey), RefreshToken: hide(c.RefreshToken), APIVersion: c.APIVersion,
	}
}

// String describes the configuration without its secrets.
func (c Config) String() string {
	r := c.redact()
	parts := []string{"url=" + r.URL}
	for _, p := range [...][2]string{
		{"auth", r.Auth}, {"client_id", r.ClientID}, {"client_secret", r.ClientSecret}, {"username", r.Username},
		{"private_key", r.PrivateKey}, {"refresh_token", r.RefreshToken}, {"api_version", r.APIVersion},
	} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return "salesforce.Config{" + strings.Join(parts, " ") + "}"
}

// GoString is String, so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// Format prints the description for every verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue gives log/slog the description.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes the description; secrets are replaced.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.redact()) }

// publicURL is a URL without what may be secret in it.
func publicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
