// Package sqlstore keeps accounts and messages in PostgreSQL, or in SQLite for the embedded default.
//
// Both databases get the same statements, written with ? for arguments; what differs between them is in
// dialect.go. Numbers and addresses are stored sealed and hashed, see package secrets.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver called postgres
)

// Errors of [Open]. They do not quote the URL, for its password.
var (
	// ErrURL is returned for a database URL of another form.
	ErrURL = errors.New("database URL: want postgres://user:password@host/name or sqlite:path")
	// ErrNoSQLite is returned for sqlite:path by programs built with the tag nosqlite, as those of the
	// images are.
	ErrNoSQLite = errors.New("database URL: this program was built without SQLite (build tag nosqlite): " +
		"want postgres://user:password@host/name")
)

// Sizes of the pool on PostgreSQL. Statements take a millisecond or so; a server has a hundred
// connections by default, which several processes share.
const (
	maxConns     = 16
	connLifetime = 30 * time.Minute // follows a failover or a changed address
	connIdle     = 5 * time.Minute
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	sqlx     *sqlx.DB
	dialect  dialect
	prepared sync.Map // statement -> *sqlx.Stmt
}

// Open connects to postgres://… or sqlite:path and fails at once when the database cannot be reached.
// The tables are made by [Migrate].
func Open(ctx context.Context, databaseURL string) (*DB, error) {
	db, err := openDialect(databaseURL)
	if err != nil {
		return nil, err
	}
	if err := db.Ping(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open %s: %w", db.dialect, err)
	}
	return db, nil
}

// CheckURL reads the URL as [Open] will, without connecting.
func CheckURL(databaseURL string) error {
	db, err := openDialect(databaseURL)
	if err != nil {
		return err
	}
	return db.Close()
}

func openDialect(databaseURL string) (*DB, error) {
	if path, found := strings.CutPrefix(databaseURL, "sqlite:"); found && path != "" {
		return openSQLite(path)
	}
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, ErrURL
	}
	return openPostgres(u)
}

// openPostgres adds what a URL should say but seldom does.
func openPostgres(u *url.URL) (*DB, error) {
	query := u.Query()
	for name, value := range map[string]string{
		"binary_parameters": "yes", // half the round trips
		"connect_timeout":   "5",   // seconds
	} {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	db, err := sql.Open("postgres", u.String())
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxLifetime(connLifetime)
	db.SetConnMaxIdleTime(connIdle)
	return &DB{sqlx: sqlx.NewDb(db, "postgres"), dialect: onPostgres}, nil
}

// Unwrap returns the pool itself, for tools that look at the tables.
func (db *DB) Unwrap() *sqlx.DB { return db.sqlx }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.sqlx.PingContext(ctx) }

// Close waits for running statements and closes every connection.
func (db *DB) Close() error { return db.sqlx.Close() }

// get reads one row into dest; sql.ErrNoRows means that there is none.
func (db *DB) get(ctx context.Context, dest any, query string, args ...any) error {
	stmt, err := db.prepare(ctx, query)
	if err != nil {
		return err
	}
	return stmt.GetContext(ctx, dest, args...)
}

// list reads all rows into dest, a pointer to a slice.
func (db *DB) list(ctx context.Context, dest any, query string, args ...any) error {
	stmt, err := db.prepare(ctx, query)
	if err != nil {
		return err
	}
	return stmt.SelectContext(ctx, dest, args...)
}

// exec returns the number of rows that the statement has changed.
func (db *DB) exec(ctx context.Context, query string, args ...any) (int, error) {
	stmt, err := db.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	rows, err := result.RowsAffected()
	return int(rows), err
}

// prepare has a statement read and planned once on each connection: that takes longer than to find a row. The
// statements are the constants of this package, so that there is a bound to how many are kept.
func (db *DB) prepare(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if known, ok := db.prepared.Load(query); ok {
		return known.(*sqlx.Stmt), nil
	}
	stmt, err := db.sqlx.PreparexContext(ctx, db.sqlx.Rebind(query))
	if err != nil {
		return nil, err
	}
	known, raced := db.prepared.LoadOrStore(query, stmt)
	if raced {
		_ = stmt.Close()
	}
	return known.(*sqlx.Stmt), nil
}

// inTx commits what do has done unless it returns an error.
func (db *DB) inTx(ctx context.Context, do func(tx *sqlx.Tx) error) error {
	tx, err := db.sqlx.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
