// Package store keeps the server's own data: tenants, users, connected
// systems with their mappings, and revoked sessions, in SQLite or PostgreSQL by
// the same code.
//
// Errors that a caller can act on are of package adapter: ErrNotFound,
// ErrAlreadyExists, ErrConflict. Everything else is the database's own.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bridgecore/bridgecore/adapter"
)

//go:embed migrations
var migrations embed.FS

// Options say where the data is and how many connections may be open.
type Options struct {
	Driver  string // "sqlite" or "postgres"
	DSN     string // a file path, or a URL
	MaxIdle int    // connections kept open; 0 for 20
	MaxOpen int    // connections open at once; 0 for 30
	// OnQuery is told of every query: select, insert, update, delete or other.
	// May be nil.
	OnQuery func(ctx context.Context, operation string, took time.Duration)
	// Clock is this machine's; nil is time.Now. Tests have one that is wrong.
	Clock func() time.Time
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db    *bun.DB
	clock func() time.Time
}

// Open connects, brings the schema up to date and returns the store. Several
// servers may open one PostgreSQL database at the same time. The error does not
// show the DSN.
func Open(ctx context.Context, o Options) (*Store, error) {
	var (
		db  *bun.DB
		err error
	)
	switch o.Driver {
	case "sqlite":
		db, err = openSQLite(o.DSN)
	case "postgres":
		db, err = openPostgres(o)
	default:
		return nil, fmt.Errorf("unknown database driver %q", o.Driver)
	}
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("connect to the %s database: %w", o.Driver, err)
	}
	if err := migrate(ctx, db.DB, o.Driver); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("bring the database schema up to date: %w", err)
	}
	if o.OnQuery != nil {
		db = db.WithQueryHook(queryHook{o.OnQuery})
	}
	s := &Store{db, time.Now}
	if o.Clock != nil {
		s.clock = o.Clock
	}
	return s, nil
}

// queryHook tells how long queries take.
type queryHook struct {
	tell func(ctx context.Context, operation string, took time.Duration)
}

// BeforeQuery does nothing: bun notes the time.
func (queryHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery tells.
func (h queryHook) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	operation := strings.ToLower(e.Operation())
	switch operation {
	case "select", "insert", "update", "delete":
	default:
		operation = "other"
	}
	h.tell(ctx, operation, time.Since(e.StartTime))
}

func openSQLite(path string) (*bun.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	// The file holds password hashes: create it for its owner alone.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	_ = f.Close()
	options := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
		// A transaction that begins as a reader can't wait for a writer later.
		"_txlock": {"immediate"},
	}
	// A path is escaped, so that one with a "?" is still a path.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.New("open the database file: bad path")
	}
	return bun.NewDB(db, printable{sqlitedialect.New()}), nil
}

func openPostgres(o Options) (*bun.DB, error) {
	c, err := pgx.ParseConfig(o.DSN)
	if err != nil {
		return nil, errors.New("open the PostgreSQL database: bad DATABASE_URL")
	}
	// bun writes the values into the queries, so hardly one comes twice:
	// preparing each would take a round trip, and keep it for nothing.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*c)
	db.SetMaxIdleConns(or(o.MaxIdle, 20))
	db.SetMaxOpenConns(or(o.MaxOpen, 30))
	db.SetConnMaxIdleTime(5 * time.Minute)
	return bun.NewDB(db, printable{pgdialect.New()}), nil
}

func or(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}

// Locker lets servers that start at once over one PostgreSQL database make its
// tables one after the other. It looks every second whether it is its turn.
func Locker() (lock.SessionLocker, error) {
	return lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
}

func migrate(ctx context.Context, db *sql.DB, driver string) error {
	files, err := fs.Sub(migrations, "migrations/"+driver)
	if err != nil {
		return err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{}
	if driver == "postgres" {
		dialect = goose.DialectPostgres
		locker, err := Locker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// Close closes the connections.
func (s *Store) Close() error { return s.db.Close() }

// isUniqueViolation reports whether a unique value is taken, in the words of
// either database.
func isUniqueViolation(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// found turns "no rows" into ErrNotFound with a message for callers.
func found(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return adapter.Errorf(adapter.NotFound, format, args...)
	}
	return err
}

// Clock is this machine's time, by which nothing is decided that several
// machines have to agree on.
func (s *Store) Clock() time.Time { return s.clock().UTC() }

// Now is the time by the database's clock, which is the same for all servers
// and workers however wrong their own are. SQLite has this machine's.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if s.Driver() == "sqlite" {
		return s.clock().UTC().Truncate(time.Microsecond), nil
	}
	var at time.Time
	err := s.db.NewSelect().ColumnExpr("clock_timestamp()").Scan(ctx, &at)
	return at.UTC(), err
}

// after is the time by the database's clock some time from now, as SQL.
func (s *Store) after(d time.Duration) schema.QueryWithArgs {
	if s.Driver() == "sqlite" {
		return bun.SafeQuery("?", s.clock().Add(d).UTC().Truncate(time.Microsecond))
	}
	return bun.SafeQuery("clock_timestamp() + ? * INTERVAL '1 microsecond'", d.Microseconds())
}

// now is the time of writing, as precise as both databases keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
