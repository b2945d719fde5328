// Package storetest opens databases for tests.
package storetest

import (
	"context"
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
func Options(tb testing.TB) store.Options {
	tb.Helper()
	if base := os.Getenv(PostgresVariable); base != "" {
		return Postgres(tb, base)
	}
	return SQLite(tb)
}

// Open opens a fresh, empty database for the time of the test.
func Open(tb testing.TB) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), Options(tb))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// SQLite returns a fresh file.
func SQLite(tb testing.TB) store.Options {
	tb.Helper()
	return store.Options{Driver: "sqlite", DSN: filepath.Join(tb.TempDir(), "test ?.db")}
}

// Postgres returns a fresh schema of the database.
func Postgres(tb testing.TB, base string) store.Options {
	tb.Helper()
	schema := "test_" + strings.ToLower(rand.Text())
	db, err := sql.Open("pgx", base)
	require.NoError(tb, err)
	_, err = db.ExecContext(tb.Context(), "CREATE SCHEMA "+schema)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		_, _ = db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		_ = db.Close()
	})
	u, err := url.Parse(base)
	require.NoError(tb, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return store.Options{Driver: "postgres", DSN: u.String(), MaxOpen: 5}
}
