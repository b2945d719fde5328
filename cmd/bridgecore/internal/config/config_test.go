package config_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

const strongKey = "6f1d0e52f6f84d7cb1b54a7ddcae0f52a7b0c4b1"

func dotenv(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDefaultsNeedNothing(t *testing.T) {
	c, err := config.Load(nil, "")
	require.NoError(t, err)
	assert.Equal(t, config.Development, c.Environment)
	assert.Equal(t, 8000, c.Port)
	assert.Equal(t, 300*time.Second, c.CacheTTL.Duration())
	assert.Equal(t, 30, c.AccessTokenMinutes)
	assert.Equal(t, 7, c.RefreshTokenDays)
	db, err := config.ParseDatabaseURL(c.DatabaseURL, c.DataDir)
	require.NoError(t, err)
	assert.Equal(t, "sqlite", db.Driver)
	assert.Equal(t, filepath.Join("data", "bridgecore.db"), db.DSN.Reveal())
}

// The file as the documentation of the Python server shows it.
func TestTheDocumentedFileIsRead(t *testing.T) {
	path := dotenv(t, `# App Settings
APP_NAME="BridgeCore API"
APP_VERSION="1.0.0"
ENVIRONMENT="development"  # development, staging, production
DEBUG=true

HOST="0.0.0.0"
PORT=8000
DATABASE_URL="postgresql://user:password@localhost:5432/bridgecore"
REDIS_URL="redis://localhost:6379/0"
CACHE_TTL=300  # seconds
SECRET_KEY="your-secret-key-here"  # Generate with: openssl rand -hex 32
JWT_ALGORITHM="HS256"
ACCESS_TOKEN_EXPIRE_MINUTES=30
REFRESH_TOKEN_EXPIRE_DAYS=7
RATE_LIMIT_ENABLED=true
SENTRY_DSN="https://your-sentry-dsn@sentry.io/project-id"
CELERY_BROKER_URL="redis://localhost:6379/1"
CORS_ORIGINS=["http://localhost:3000", "https://yourapp.com"]
export LOG_LEVEL='warn'
EMPTY=
`)
	c, err := config.Load([]string{"PORT=9000", "HOST="}, path)
	require.NoError(t, err)
	assert.Equal(t, 9000, c.Port, "the environment wins over the file")
	assert.Equal(t, "0.0.0.0", c.Host, "an empty variable counts as not set")
	assert.Equal(t, config.List{"http://localhost:3000", "https://yourapp.com"}, c.CORSOrigins)
	assert.Equal(t, slog.LevelDebug, c.LogLevel, "DEBUG lowers the level")
	assert.Equal(t, "your-secret-key-here", c.SecretKey.Reveal())
	db, err := config.ParseDatabaseURL(c.DatabaseURL, c.DataDir)
	require.NoError(t, err)
	assert.Equal(t, "postgres://user:password@localhost:5432/bridgecore", db.DSN.Reveal())
}

func TestAllErrorsAtOnceAndNoSecretInThem(t *testing.T) {
	_, err := config.Load([]string{
		"ENVIRONMENT=prod", "PORT=eighty", "CACHE_TTL=5m", "JWT_ALGORITHM=none",
		"DATABASE_URL=mysql://root:canary-db@h/db", "REDIS_URL=http://:canary-redis@h",
		"CORS_ORIGINS=[oops", "ALLOWED_PRIVATE_NETWORKS=10.0.0.0/99", "ENCRYPTION_KEY=canary-key",
		"ACCESS_TOKEN_EXPIRE_MINUTES=0", "MAX_BODY_BYTES=1", "DEBUG=perhaps",
	}, "")
	var errs config.Errors
	require.ErrorAs(t, err, &errs)
	assert.Len(t, errs, 12, err)
	for _, name := range []string{"ENVIRONMENT", "PORT", "CACHE_TTL", "JWT_ALGORITHM", "DATABASE_URL", "REDIS_URL", "CORS_ORIGINS", "ALLOWED_PRIVATE_NETWORKS", "ENCRYPTION_KEY", "ACCESS_TOKEN_EXPIRE_MINUTES", "MAX_BODY_BYTES", "DEBUG"} {
		assert.Contains(t, err.Error(), "\n  "+name+": ")
	}
	assert.NotContains(t, err.Error(), "canary")
}

func TestWatchingIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		want    string
	}{
		"credentials for any origin": {[]string{"CORS_ORIGINS=*", "CORS_ALLOW_CREDENTIALS=true"}, "CORS_ALLOW_CREDENTIALS: can't be true for any origin (*)"},
		"among others":               {[]string{"CORS_ORIGINS=https://app.example.com,*", "CORS_ALLOW_CREDENTIALS=true"}, "CORS_ALLOW_CREDENTIALS: "},
		"no collector":               {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: must be an address"},
		"a secret in the address":    {[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://u:canary@h/v1/traces"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "},
		"headers":                    {[]string{"OTEL_EXPORTER_OTLP_HEADERS=canary"}, "OTEL_EXPORTER_OTLP_HEADERS: must read like"},
		"a sampler":                  {[]string{"OTEL_TRACES_SAMPLER=sometimes"}, "OTEL_TRACES_SAMPLER: must be one of always_on"},
		"a part":                     {[]string{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=10%"}, "OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1"},
		"a large part":               {[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=1.5"}, "OTEL_TRACES_SAMPLER_ARG: "},
		"Sentry":                     {[]string{"SENTRY_DSN=canary"}, "SENTRY_DSN: must read like"},
		"time in words":              {[]string{"HSTS_MAX_AGE=1y"}, "HSTS_MAX_AGE: "},
	} {
		_, err := config.Load(c.environ, "")
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), c.want, name)
		assert.NotContains(t, err.Error(), "canary", name)
	}
	c, err := config.Load([]string{
		"CORS_ORIGINS=https://app.example.com", "CORS_ALLOW_CREDENTIALS=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318/",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20x, team=mobile", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.1",
	}, "")
	require.NoError(t, err)
	assert.Equal(t, "http://collector:4318/v1/traces", c.TracesAddress())
	headers, err := c.TracesHeaders()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"authorization": "Bearer x", "team": "mobile"}, headers)
	c, err = config.Load([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://b/x"}, "")
	require.NoError(t, err)
	assert.Equal(t, "http://b/x", c.TracesAddress())
	c, err = config.Load(nil, "")
	require.NoError(t, err)
	assert.Empty(t, c.TracesAddress(), "off unless told")
}

func TestABadLineIsNamedByItsNumber(t *testing.T) {
	for _, line := range []string{"canary", `A="canary`, `A="x" canary`, "B C=canary"} {
		_, err := config.Load(nil, dotenv(t, "X=1\n"+line+"\n"))
		require.Error(t, err, line)
		assert.Contains(t, err.Error(), "line 2")
		assert.NotContains(t, err.Error(), "canary")
	}
}

func TestListsAndNetworks(t *testing.T) {
	c, err := config.Load([]string{"CORS_ORIGINS=http://a.example, http://b.example:8080", "ALLOWED_PRIVATE_NETWORKS=10.1.2.3/8,192.168.1.5"}, "")
	require.NoError(t, err)
	assert.Equal(t, config.List{"http://a.example", "http://b.example:8080"}, c.CORSOrigins)
	assert.Equal(t, config.Prefixes{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.5/32")}, c.AllowedPrivateNetworks)
}

func TestDatabaseURLs(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://u:p@h/d":                       "postgres postgres://u:p@h/d",
		"postgresql+asyncpg://u:p@h:1/d?sslmode=x": "postgres postgres://u:p@h:1/d?sslmode=x",
		"postgresql+psycopg2://u:p%40@h/d":         "postgres postgres://u:p%40@h/d",
		"sqlite:///rel.db":                         "sqlite rel.db",
		"sqlite:////abs/x.db":                      "sqlite /abs/x.db",
		"sqlite+aiosqlite:///rel.db":               "sqlite rel.db",
		"mysql://h/d":                              "",
		"postgres://u:p@h":                         "",
		"sqlite://":                                "",
		"postgres":                                 "",
	} {
		db, err := config.ParseDatabaseURL(vault.NewSecret(raw), "data")
		if want == "" {
			assert.Error(t, err, raw)
			continue
		}
		require.NoError(t, err, raw)
		assert.Equal(t, want, db.Driver+" "+db.DSN.Reveal())
	}
}

func TestProductionRefusesWeakSecrets(t *testing.T) {
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		env  []string
		want []string
	}{
		"none":         {nil, []string{"SECRET_KEY: must be set", "ENCRYPTION_KEY: must be set"}},
		"default":      {[]string{"SECRET_KEY=your-secret-key-here", "ENCRYPTION_KEY=" + key}, []string{"SECRET_KEY: is a placeholder"}},
		"long default": {[]string{"SECRET_KEY=please-change-me-please-change-me-0123456789", "ENCRYPTION_KEY=" + key}, []string{"placeholder"}},
		"short":        {[]string{"JWT_SECRET_KEY=6f1d0e52", "ENCRYPTION_KEY=" + key}, []string{"JWT_SECRET_KEY: is too short"}},
		"uniform":      {[]string{"SECRET_KEY=" + strings.Repeat("ab", 20), "ENCRYPTION_KEY=" + key}, []string{"uniform"}},
		"no key":       {[]string{"SECRET_KEY=" + strongKey}, []string{"ENCRYPTION_KEY: must be set"}},
		"good":         {[]string{"SECRET_KEY=" + strongKey, "ENCRYPTION_KEY=" + key}, nil},
	} {
		for _, where := range []string{"production", "staging"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				dir := t.TempDir()
				c, err := config.Load(append(tc.env, "ENVIRONMENT="+where, "BRIDGECORE_DATA_DIR="+dir), "")
				require.NoError(t, err)
				_, err = c.FillSecrets()
				if tc.want == nil {
					require.NoError(t, err)
					assert.Equal(t, strongKey, c.JWTSecretKey.Reveal())
				} else {
					require.Error(t, err)
					for _, want := range tc.want {
						assert.Contains(t, err.Error(), want)
					}
				}
				files, err := os.ReadDir(dir)
				require.NoError(t, err)
				assert.Empty(t, files, "nothing is generated outside development")
			})
		}
	}
}

func TestDevelopmentGeneratesAndKeepsSecrets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	load := func() (*config.Config, string) {
		c, err := config.Load([]string{"BRIDGECORE_DATA_DIR=" + dir}, "")
		require.NoError(t, err)
		note, err := c.FillSecrets()
		require.NoError(t, err)
		return c, note
	}
	first, note := load()
	assert.Contains(t, note, "secrets.env")
	second, again := load()
	assert.Empty(t, again)
	assert.Equal(t, first.JWTSecretKey.Reveal(), second.JWTSecretKey.Reveal())
	assert.Equal(t, first.EncryptionKey.Reveal(), second.EncryptionKey.Reveal())
	assert.GreaterOrEqual(t, len(first.JWTSecretKey.Reveal()), 32)
	_, err := vault.New(first.EncryptionKey)
	require.NoError(t, err)

	info, err := os.Stat(filepath.Join(dir, "secrets.env"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func FuzzDotenv(f *testing.F) {
	f.Add("A=1\nexport B=\"x # y\" # z\nC='q'\n")
	f.Add("A=\"\\n\\\"\"")
	f.Add("=\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// Whatever the file holds: a configuration or an Errors, no panic.
		if _, err := config.Load(nil, path); err != nil {
			var errs config.Errors
			require.ErrorAs(t, err, &errs)
		}
	})
}
