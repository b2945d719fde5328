// Package config reads what the server is told by environment variables and
// a .env file, and says everything that is wrong with it at once.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/telemetry"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// Config is the server's configuration, by the environment names in the tags.
// A variable that is set but empty counts as not set.
type Config struct {
	AppName     string      `env:"APP_NAME" envDefault:"BridgeCore API"`
	AppVersion  string      `env:"APP_VERSION"` // "" for the version that was built
	Environment Environment `env:"ENVIRONMENT" envDefault:"development"`
	Debug       bool        `env:"DEBUG" envDefault:"false"` // logs at level debug
	LogLevel    slog.Level  `env:"LOG_LEVEL" envDefault:"info"`

	Host string `env:"HOST" envDefault:"0.0.0.0"`
	Port int    `env:"PORT" envDefault:"8000"` // 0 takes a free port

	// DataDir holds the SQLite file and, in development, generated secrets.
	DataDir string `env:"BRIDGECORE_DATA_DIR" envDefault:"data"`
	// DatabaseURL is postgresql://..., or sqlite:///file, or empty for
	// bridgecore.db in DataDir.
	DatabaseURL   vault.Secret `env:"DATABASE_URL"`
	DBPoolSize    int          `env:"DB_POOL_SIZE" envDefault:"20"`
	DBMaxOverflow int          `env:"DB_MAX_OVERFLOW" envDefault:"10"`
	RedisURL      vault.Secret `env:"REDIS_URL"`                  // empty: the cache is in the process
	CacheTTL      Seconds      `env:"CACHE_TTL" envDefault:"300"` // of reads; fields_get and name_search have their own

	SecretKey     vault.Secret `env:"SECRET_KEY"`     // signs tokens where JWT_SECRET_KEY is empty
	JWTSecretKey  vault.Secret `env:"JWT_SECRET_KEY"` // signs tokens
	EncryptionKey vault.Secret `env:"ENCRYPTION_KEY"` // Fernet keys, the newest first, separated by commas
	JWTAlgorithm  string       `env:"JWT_ALGORITHM" envDefault:"HS256"`

	AccessTokenMinutes int `env:"ACCESS_TOKEN_EXPIRE_MINUTES" envDefault:"30"`
	RefreshTokenDays   int `env:"REFRESH_TOKEN_EXPIRE_DAYS" envDefault:"7"`

	// PasswordMinLength is what new passwords need, in characters.
	PasswordMinLength int `env:"PASSWORD_MIN_LENGTH" envDefault:"12"`

	// AuditPolicy says whether a change is acknowledged that could not be
	// recorded; off records nothing.
	AuditPolicy        AuditPolicy  `env:"AUDIT_POLICY" envDefault:"required"`
	AuditReads         bool         `env:"AUDIT_READS" envDefault:"false"`        // what changes nothing too
	AuditValues        audit.Values `env:"AUDIT_VALUES" envDefault:"names"`       // names or hashes: what is kept of values
	AuditRetentionDays int          `env:"AUDIT_RETENTION_DAYS" envDefault:"365"` // 0 keeps entries for ever

	// MetricsAddress is an address of their own for /metrics, such as
	// 127.0.0.1:9464; "" serves them with everything else, "off" nowhere.
	MetricsAddress string `env:"METRICS_ADDRESS"`

	// OTLPEndpoint is a collector that takes OTLP over HTTP, such as
	// http://localhost:4318, or the whole address for traces; "" for no traces.
	// These are OpenTelemetry's standard variables.
	OTLPEndpoint       string       `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPTracesEndpoint string       `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
	OTLPHeaders        vault.Secret `env:"OTEL_EXPORTER_OTLP_HEADERS"` // name=value, separated by commas
	OTelService        string       `env:"OTEL_SERVICE_NAME" envDefault:"bridgecore"`
	TracesSampler      string       `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on"`
	TracesSamplerArg   string       `env:"OTEL_TRACES_SAMPLER_ARG"` // of traceidratio: from 0 to 1

	SentryDSN vault.Secret `env:"SENTRY_DSN"` // where failures of the server are reported; empty for nowhere
	// SentryNames tells the names of users, and not their ids alone.
	SentryNames bool `env:"SENTRY_SEND_USERNAMES" envDefault:"false"`

	// RateLimits are requests a minute by class, over the documented ones;
	// RateLimitPerMinute is for what belongs to no class.
	RateLimitEnabled   bool        `env:"RATE_LIMIT_ENABLED" envDefault:"true"`
	RateLimitPerMinute int         `env:"RATE_LIMIT_PER_MINUTE" envDefault:"60"`
	RateLimits         limit.Rates `env:"RATE_LIMITS"`
	// TrustedProxies are proxies whose X-Forwarded-For is believed.
	TrustedProxies Prefixes `env:"TRUSTED_PROXIES"`

	CORSOrigins List `env:"CORS_ORIGINS"` // a JSON list, or separated by commas; "*" for any
	// CORSCredentials lets pages of those origins send cookies and certificates,
	// which this server does not use and a proxy before it may.
	CORSCredentials bool `env:"CORS_ALLOW_CREDENTIALS" envDefault:"false"`
	// HSTS is for how long browsers are told to use TLS alone, where TLS ends
	// before this server; 0 for not.
	HSTS Seconds `env:"HSTS_MAX_AGE" envDefault:"0"`

	// LivePollInterval is how often systems are asked for changes that others
	// made, where somebody subscribed to them; 0 turns that off.
	LivePollInterval Seconds `env:"LIVE_POLL_INTERVAL" envDefault:"5"`
	// LiveMaxSockets are live connections of one user.
	LiveMaxSockets int `env:"LIVE_MAX_SOCKETS_PER_USER" envDefault:"20"`

	// AllowedPrivateNetworks are address ranges that connected systems may be
	// in although they are private, loopback or link-local.
	AllowedPrivateNetworks Prefixes `env:"ALLOWED_PRIVATE_NETWORKS"`

	MaxBodyBytes   int64   `env:"MAX_BODY_BYTES" envDefault:"1048576"`
	RequestTimeout Seconds `env:"REQUEST_TIMEOUT" envDefault:"60"` // for one request, upstream calls included
	// MaxUploadBytes bounds the files that are attached to records; one may take
	// as long as TransferTimeout to be sent or fetched.
	MaxUploadBytes  int64   `env:"MAX_UPLOAD_BYTES" envDefault:"26214400"`
	TransferTimeout Seconds `env:"TRANSFER_TIMEOUT" envDefault:"300"`
	// Exports are kept in ReportsDir, "" for reports in DataDir, for
	// ReportsLifetime. Servers that share it serve each other's.
	ReportsDir      string  `env:"REPORTS_DIR"`
	ReportsLifetime Seconds `env:"REPORTS_LIFETIME" envDefault:"3600"`
	ReportsMaxBytes int64   `env:"REPORTS_MAX_BYTES" envDefault:"10737418240"` // of all, and of each user's a quarter; 0 for no bound
	ExportTimeout   Seconds `env:"EXPORT_TIMEOUT" envDefault:"600"`            // for one export
	// ExportBackgroundRows is the number of rows above which an export is made
	// in the background, unless its caller says otherwise; 0 is never.
	ExportBackgroundRows int     `env:"EXPORT_BACKGROUND_ROWS" envDefault:"50000"`
	ShutdownDelay        Seconds `env:"SHUTDOWN_DELAY" envDefault:"0"` // between saying not ready and refusing connections

	// A system's circuit breaker opens after so many failures in a row, and
	// lets one call through again after so many seconds.
	FailureThreshold int     `env:"FAILURE_THRESHOLD" envDefault:"5"`
	RecoveryTimeout  Seconds `env:"RECOVERY_TIMEOUT" envDefault:"60"`

	// WorkersInServer lets serve do background operations itself; without it
	// that is for "bridgecore worker", which needs PostgreSQL.
	WorkersInServer bool `env:"WORKERS_IN_SERVER" envDefault:"true"`
	// OperationWorkers is how many operations a process does at the same time.
	OperationWorkers int `env:"OPERATION_WORKERS" envDefault:"4"`
	// OperationRetentionHours is how long a finished operation is kept.
	OperationRetentionHours int `env:"OPERATION_RETENTION_HOURS" envDefault:"72"`
	// OperationSettle is how long what was sent to a system by a process that
	// was killed may still arrive there.
	OperationSettle Seconds `env:"OPERATION_SETTLE_SECONDS" envDefault:"30"`

	// AdminPassword is the password of the user "admin" that serve creates in
	// an empty database.
	AdminPassword vault.Secret `env:"BRIDGECORE_ADMIN_PASSWORD"`
}

// AuditPolicy is what becomes of changes that can't be recorded.
type AuditPolicy string

// The policies.
const (
	AuditRequired   AuditPolicy = "required"    // they are not acknowledged
	AuditBestEffort AuditPolicy = "best_effort" // they are, and the log says so
	AuditOff        AuditPolicy = "off"         // nothing is recorded
)

// MetricsOff is the METRICS_ADDRESS of a server without metrics.
const MetricsOff = "off"

// Environment is where the server runs. Everything but development must bring
// its own secrets and keep out of private networks.
type Environment string

// The environments.
const (
	Development Environment = "development"
	Staging     Environment = "staging"
	Production  Environment = "production"
)

// UnmarshalText accepts the three names.
func (e *Environment) UnmarshalText(text []byte) error {
	switch v := Environment(strings.ToLower(string(text))); v {
	case Development, Staging, Production:
		*e = v
		return nil
	}
	return fmt.Errorf("must be development, staging or production, not %q", text)
}

// Seconds is a duration written as a whole number of seconds.
type Seconds time.Duration

// Duration returns the duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// UnmarshalText reads a number of seconds.
func (s *Seconds) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text) + "s")
	if err != nil || d < 0 || strings.Trim(string(text), "0123456789") != "" {
		return fmt.Errorf("must be a whole number of seconds, not %q", text)
	}
	*s = Seconds(d)
	return nil
}

// List is a list of words.
type List []string

// UnmarshalText reads a JSON list or words separated by commas.
func (l *List) UnmarshalText(text []byte) error {
	words := strings.TrimSpace(string(text))
	*l = nil
	if strings.HasPrefix(words, "[") {
		if err := json.Unmarshal([]byte(words), (*[]string)(l)); err != nil {
			return errors.New(`must be a JSON list like ["https://app.example.com"] or words separated by commas`)
		}
		return nil
	}
	for word := range strings.SplitSeq(words, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

// Prefixes is a list of address ranges.
type Prefixes []netip.Prefix

// UnmarshalText reads CIDR ranges or single addresses separated by commas.
func (p *Prefixes) UnmarshalText(text []byte) error {
	var words List
	if err := words.UnmarshalText(text); err != nil {
		return err
	}
	*p = nil
	for _, word := range words {
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			addr, addrErr := netip.ParseAddr(word)
			if addrErr != nil {
				return fmt.Errorf("%q is no address range; write them like 10.0.0.0/8", word)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// Errors is everything that is wrong with a configuration, one error for each
// thing, in the order of the variables.
type Errors []error

// Error lists the errors, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = "  " + err.Error()
	}
	return "the configuration is not usable:\n" + strings.Join(lines, "\n")
}

// Unwrap returns the errors.
func (e Errors) Unwrap() []error { return e }

// Load reads the configuration from environ ("NAME=value", as os.Environ gives
// it) and the file dotenv, whose values give way to environ's and which need
// not exist. It checks everything but the presence of secrets, which
// FillSecrets does. The error is an Errors; it names variables and never shows
// the value of a secret.
func Load(environ []string, dotenv string) (*Config, error) {
	vars, err := readDotenv(dotenv)
	if err != nil {
		return nil, Errors{err}
	}
	for name, value := range env.ToMap(environ) {
		if value != "" {
			vars[name] = value
		}
	}
	c := &Config{}
	var errs Errors
	if err := env.ParseWithOptions(c, env.Options{Environment: vars}); err != nil {
		errs = append(errs, named(err)...)
	}
	for _, err := range c.check() {
		// What could not be read holds its zero value: say one thing of it.
		name, _, _ := strings.Cut(err.Error(), ":")
		if !slices.ContainsFunc(errs, func(e error) bool { return strings.HasPrefix(e.Error(), name+":") }) {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	if c.Debug {
		c.LogLevel = slog.LevelDebug
	}
	return c, nil
}

// named turns the errors of package env, which name Go fields, into errors
// that name variables.
func named(err error) Errors {
	names := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		names[f.Name], _, _ = strings.Cut(f.Tag.Get("env"), ",")
	}
	list := []error{err}
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		list = all.Errors
	}
	var errs Errors
	for _, err := range list {
		if p, ok := errors.AsType[env.ParseError](err); ok {
			err = fmt.Errorf("%s: %w", names[p.Name], p.Err)
			if e, isNumber := errors.AsType[*strconv.NumError](p.Err); isNumber {
				want := "a whole number"
				if e.Func == "ParseBool" {
					want = "true or false"
				}
				err = fmt.Errorf("%s: must be %s, not %q", names[p.Name], want, e.Num)
			}
		}
		errs = append(errs, err)
	}
	return errs
}

func (c *Config) check() Errors {
	var errs Errors
	add := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	add(c.Port >= 0 && c.Port < 1<<16, "PORT: must be between 0 and 65535, not %d", c.Port)
	add(c.DBPoolSize > 0, "DB_POOL_SIZE: must be at least 1, not %d", c.DBPoolSize)
	add(c.DBMaxOverflow >= 0, "DB_MAX_OVERFLOW: must not be negative")
	add(c.AccessTokenMinutes > 0 && c.AccessTokenMinutes <= 24*60, "ACCESS_TOKEN_EXPIRE_MINUTES: must be between 1 and 1440, not %d", c.AccessTokenMinutes)
	add(c.RefreshTokenDays > 0 && c.RefreshTokenDays <= 365, "REFRESH_TOKEN_EXPIRE_DAYS: must be between 1 and 365, not %d", c.RefreshTokenDays)
	add(c.PasswordMinLength >= 8 && c.PasswordMinLength <= 128, "PASSWORD_MIN_LENGTH: must be between 8 and 128, not %d", c.PasswordMinLength)
	add(c.MaxBodyBytes >= 1024, "MAX_BODY_BYTES: must be at least 1024, not %d", c.MaxBodyBytes)
	add(c.RequestTimeout.Duration() >= time.Second, "REQUEST_TIMEOUT: must be at least 1 second")
	add(c.MaxUploadBytes >= 1024 && c.MaxUploadBytes <= 64<<20, "MAX_UPLOAD_BYTES: must be between 1024 and 67108864, not %d", c.MaxUploadBytes)
	add(c.TransferTimeout.Duration() >= time.Second, "TRANSFER_TIMEOUT: must be at least 1 second")
	add(c.ExportTimeout.Duration() >= time.Second, "EXPORT_TIMEOUT: must be at least 1 second")
	add(c.ExportBackgroundRows >= 0, "EXPORT_BACKGROUND_ROWS: must not be negative; 0 never makes an export in the background by itself")
	add(c.ReportsMaxBytes >= 0, "REPORTS_MAX_BYTES: must not be negative; 0 is no bound")
	add(c.ReportsLifetime.Duration() >= time.Minute, "REPORTS_LIFETIME: must be at least 60 seconds")
	add(c.FailureThreshold > 0, "FAILURE_THRESHOLD: must be at least 1, not %d", c.FailureThreshold)
	add(slices.Contains([]AuditPolicy{AuditRequired, AuditBestEffort, AuditOff}, c.AuditPolicy), "AUDIT_POLICY: must be required, best_effort or off, not %q", c.AuditPolicy)
	add(c.AuditValues == audit.Names || c.AuditValues == audit.Hashes, "AUDIT_VALUES: must be names or hashes, not %q", c.AuditValues)
	add(c.AuditRetentionDays >= 0, "AUDIT_RETENTION_DAYS: must not be negative; 0 keeps entries for ever")
	add(c.OperationWorkers > 0 && c.OperationWorkers <= 100, "OPERATION_WORKERS: must be between 1 and 100, not %d", c.OperationWorkers)
	add(c.OperationRetentionHours > 0, "OPERATION_RETENTION_HOURS: must be at least 1, not %d", c.OperationRetentionHours)
	add(c.OperationSettle > 0, "OPERATION_SETTLE_SECONDS: must be at least 1 second")
	if c.MetricsAddress != "" && c.MetricsAddress != MetricsOff {
		_, _, err := net.SplitHostPort(c.MetricsAddress)
		add(err == nil, "METRICS_ADDRESS: must read like 127.0.0.1:9464, or be off")
	}
	add(c.LiveMaxSockets > 0, "LIVE_MAX_SOCKETS_PER_USER: must be at least 1, not %d", c.LiveMaxSockets)
	add(c.RateLimitPerMinute >= 0, "RATE_LIMIT_PER_MINUTE: must not be negative; 0 is no limit")
	add(c.CacheTTL > 0, "CACHE_TTL: must be at least 1 second")
	add(c.RecoveryTimeout > 0, "RECOVERY_TIMEOUT: must be at least 1 second")
	add(c.JWTAlgorithm == "HS256", "JWT_ALGORITHM: only HS256 is supported, not %q", c.JWTAlgorithm)
	if _, err := ParseDatabaseURL(c.DatabaseURL, c.DataDir); err != nil {
		errs = append(errs, err)
	}
	if !c.RedisURL.IsZero() {
		u, err := url.Parse(c.RedisURL.Reveal())
		add(err == nil && (u.Scheme == "redis" || u.Scheme == "rediss" || u.Scheme == "unix"), "REDIS_URL: must read like redis://:password@host:6379/0")
	}
	for _, origin := range c.CORSOrigins {
		u, err := url.Parse(origin)
		add(origin == "*" || err == nil && u.Scheme != "" && u.Host != "" && u.Path == "", "CORS_ORIGINS: %q is no origin; write scheme and host like https://app.example.com", origin)
	}
	add(!c.CORSCredentials || !slices.Contains(c.CORSOrigins, "*"), "CORS_ALLOW_CREDENTIALS: can't be true for any origin (*): every page on the internet could act as its reader; list the origins in CORS_ORIGINS")
	c.checkTelemetry(add)
	if !c.EncryptionKey.IsZero() {
		if _, err := vault.New(c.EncryptionKey); err != nil {
			errs = append(errs, fmt.Errorf("ENCRYPTION_KEY: %w", err))
		}
	}
	return errs
}

func (c *Config) checkTelemetry(add func(ok bool, format string, args ...any)) {
	for _, v := range [][2]string{{"OTEL_EXPORTER_OTLP_ENDPOINT", c.OTLPEndpoint}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.OTLPTracesEndpoint}} {
		u, err := url.Parse(v[1])
		add(v[1] == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil,
			"%s: must be an address like http://localhost:4318; secrets go into OTEL_EXPORTER_OTLP_HEADERS", v[0])
	}
	_, err := c.TracesHeaders()
	add(err == nil, "%w", err)
	_, err = telemetry.SamplerOf(c.TracesSampler, c.TracesSamplerArg)
	add(err == nil, "%w", err)
	if !c.SentryDSN.IsZero() {
		add(telemetry.CheckDSN(c.SentryDSN.Reveal()) == nil, "SENTRY_DSN: must read like https://key@sentry.example.com/1")
	}
}

// TracesAddress is where traces are sent, "" for nowhere.
func (c *Config) TracesAddress() string {
	if c.OTLPTracesEndpoint != "" || c.OTLPEndpoint == "" {
		return c.OTLPTracesEndpoint
	}
	return strings.TrimRight(c.OTLPEndpoint, "/") + "/v1/traces"
}

// TracesHeaders are sent along with traces.
func (c *Config) TracesHeaders() (map[string]string, error) {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(c.OTLPHeaders.Reveal(), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: must read like name=value,other=value")
		}
		headers[name] = value
	}
	return headers, nil
}

// Database says where the server's own data is.
type Database struct {
	Driver string       // "sqlite" or "postgres"
	DSN    vault.Secret // a file path for sqlite, a URL for postgres
}

// ParseDatabaseURL reads a DATABASE_URL: postgresql:// and postgres://, with
// or without a Python driver's name after a plus, and sqlite:///file. Empty
// means bridgecore.db in dataDir. The error does not show the URL.
func ParseDatabaseURL(raw vault.Secret, dataDir string) (Database, error) {
	text := raw.Reveal()
	if text == "" {
		return Database{"sqlite", vault.NewSecret(filepath.Join(dataDir, "bridgecore.db"))}, nil
	}
	wrong := errors.New("DATABASE_URL: must read like postgresql://user:password@host:5432/database or sqlite:///path/to/file.db")
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return Database{}, wrong
	}
	// SQLAlchemy writes the driver into the scheme: postgresql+asyncpg.
	scheme, _, _ = strings.Cut(scheme, "+")
	switch scheme {
	case "postgresql", "postgres":
		u, err := url.Parse("postgres://" + rest)
		if err != nil || u.Path == "" || u.Path == "/" {
			return Database{}, wrong
		}
		return Database{"postgres", vault.NewSecret(u.String())}, nil
	case "sqlite":
		// sqlite:///relative.db and sqlite:////absolute.db.
		path, found := strings.CutPrefix(rest, "/")
		if !found || path == "" {
			return Database{}, wrong
		}
		return Database{"sqlite", vault.NewSecret(path)}, nil
	}
	return Database{}, wrong
}
