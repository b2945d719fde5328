// Package storetest opens databases for tests.
package storetest

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// PostgresVariable names the PostgreSQL database that tests may use; each
// test makes a schema of its own in it. Without it they use SQLite.
const PostgresVariable = "BRIDGECORE_TEST_POSTGRES_URL"

// Options return a fresh, empty database: in PostgreSQL where PostgresVariable
// is set, otherwise a SQLite file.
func Options(t testing.TB) store.Options {
	t.Helper()
	if base := os.Getenv(PostgresVariable); base != "" {
		return Postgres(t, base)
	}
	return SQLite(t)
}

// Open opens a fresh, empty database for the time of the test.
func Open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), Options(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// SQLite returns a fresh file.
func SQLite(t testing.TB) store.Options {
	t.Helper()
	return store.Options{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "test ?.db")}
}

// Postgres returns a fresh schema of the database.
func Postgres(t testing.TB, base string) store.Options {
	t.Helper()
	schema := "test_" + strings.ToLower(rand.Text())
	db, err := sql.Open("pgx", base)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = db.Exec("DROP SCHEMA " + schema + " CASCADE")
		_ = db.Close()
	})
	u, err := url.Parse(base)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return store.Options{Driver: "postgres", DSN: u.String(), MaxOpen: 5}
}
