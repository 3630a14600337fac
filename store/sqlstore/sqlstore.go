// Package sqlstore keeps accounts and messages in PostgreSQL, or in SQLite for the embedded default.
//
// Both databases get the same statements, written with ? for arguments; dialect.go has the differences. Numbers and addresses
// are stored sealed and hashed, see package secrets.
package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/store"
)

// Errors of [Open]. They do not quote the URL, which contains a password.
var (
	// ErrURL is returned for a database URL of another form.
	ErrURL = errors.New("database URL: want postgres://user:password@host/name or sqlite:path")
	// ErrSSLMode is returned for the URL of another machine that does not say whether the connection is encrypted: the
	// driver's default differs between its versions.
	ErrSSLMode = errors.New("database URL: for a host other than this machine add sslmode=verify-full (encrypted, and the " +
		"server's certificate is checked), sslmode=require (encrypted only), or sslmode=disable (in clear text, on a network of your own)")
	// ErrPooler is returned by [Open] behind a pooler that gives each transaction another connection, unless
	// [Settings.Transactions] is set: prepared statements would be missing on that connection.
	ErrPooler = errors.New("database URL leads to a pooler that gives each transaction another connection, where prepared " +
		"statements are lost: set USHER_DATABASE_POOLER=transaction, or have the pooler pool sessions")
	// ErrNoSQLite is returned for sqlite:path by programs built with the tag nosqlite, as those of the
	// images are.
	ErrNoSQLite = errors.New("database URL: this program was built without SQLite (build tag nosqlite): " +
		"want postgres://user:password@host/name")
)

// Defaults of [Settings]. Statements take about a millisecond. A server allows a hundred connections by default, which several
// processes share.
const (
	DefaultConnections = 16
	DefaultTimeout     = 1200 * time.Millisecond
)

const (
	// slowTimeout bounds statements of the background and of operators.
	slowTimeout = 15 * time.Second

	connLifetime = 30 * time.Minute // so that a failover or a changed address is followed
	connIdle     = 5 * time.Minute
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	sqlx     *sqlx.DB
	dialect  dialect
	prepared *sync.Map     // statement -> *sqlx.Stmt; nil where statements are not prepared
	timeout  time.Duration // of a statement or transaction; 0: the caller's context alone bounds it
	watch    *store.Watch
}

// Settings are what a URL does not say. Apart from Watch they concern PostgreSQL only. The zero value has the defaults.
type Settings struct {
	Connections int // at most, at least 2; 0 is DefaultConnections

	// Timeout bounds connecting, and a statement or transaction together with the wait for a free connection; 0 is
	// DefaultTimeout. Statements of the background and of operators have fifteen seconds, migrations as long as their
	// context.
	Timeout time.Duration

	// Transactions says that a pooler gives each transaction another connection: statements are not prepared.
	Transactions bool
	Watch        *store.Watch // logs when an outage of the database begins and ends; may be nil
}

// Open connects to postgres://… or sqlite:path, and fails at once when the database cannot be reached. [Migrate] creates the
// tables.
func Open(ctx context.Context, databaseURL string, s Settings) (*DB, error) {
	db, err := openDialect(databaseURL, s)
	if err != nil {
		return nil, err
	}
	if err = db.Ping(ctx); err == nil && db.dialect == onPostgres && db.prepared != nil {
		err = db.checkPooler(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open %s: %w", db.dialect, err)
	}
	return db, nil
}

// CheckURL reads the URL as [Open] will, without connecting.
func CheckURL(databaseURL string) error {
	db, err := openDialect(databaseURL, Settings{})
	if err != nil {
		return err
	}
	return db.Close()
}

// openDialect reads the URL and prepares the pool, without connecting.
func openDialect(databaseURL string, s Settings) (*DB, error) {
	if path, found := strings.CutPrefix(databaseURL, "sqlite:"); found && path != "" {
		db, err := openSQLite(path)
		if err == nil {
			db.watch = s.Watch
		}
		return db, err
	}
	hosts, err := readURL(databaseURL)
	if err != nil {
		return nil, err
	}
	timeout := cmp.Or(s.Timeout, DefaultTimeout)
	connector, err := newConnector(hosts, timeout)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	pool := sql.OpenDB(connector)
	connections := max(cmp.Or(s.Connections, DefaultConnections), 2)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(connLifetime)
	pool.SetConnMaxIdleTime(connIdle)
	db := &DB{sqlx: sqlx.NewDb(pool, "postgres"), dialect: onPostgres, timeout: timeout, watch: s.Watch}
	if !s.Transactions {
		db.prepared = &sync.Map{}
	}
	return db, nil
}

// Unwrap returns the pool itself, for tools that read the tables.
func (db *DB) Unwrap() *sqlx.DB { return db.sqlx }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	return db.note(ctx, db.sqlx.PingContext(ctx))
}

// Close waits for running statements and closes every connection.
func (db *DB) Close() error { return db.sqlx.Close() }

// slowly returns the same database with a longer time-out, for statements that no person waits for.
func (db *DB) slowly() *DB {
	slow := *db
	if slow.timeout > 0 {
		slow.timeout = max(slow.timeout, slowTimeout)
	}
	return &slow
}

// bounded returns a context for one statement or transaction, with the wait for a connection.
func (db *DB) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, bounded := ctx.Deadline(); db.timeout == 0 || bounded && time.Until(deadline) <= db.timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, db.timeout)
}

// get reads one row into dest; sql.ErrNoRows means that there is none.
func (db *DB) get(ctx context.Context, dest any, query string, args ...any) error {
	return db.run(ctx, query, func(ctx context.Context, stmt *sqlx.Stmt) error {
		if stmt == nil {
			return db.sqlx.GetContext(ctx, dest, db.sqlx.Rebind(query), args...)
		}
		return stmt.GetContext(ctx, dest, args...)
	})
}

// list reads all rows into dest, a pointer to a slice.
func (db *DB) list(ctx context.Context, dest any, query string, args ...any) error {
	return db.run(ctx, query, func(ctx context.Context, stmt *sqlx.Stmt) error {
		if stmt == nil {
			return db.sqlx.SelectContext(ctx, dest, db.sqlx.Rebind(query), args...)
		}
		return stmt.SelectContext(ctx, dest, args...)
	})
}

// listOnce is list for a statement whose text differs from call to call, so that it is not prepared.
func (db *DB) listOnce(ctx context.Context, dest any, query string, args ...any) error {
	return db.call(ctx, func(ctx context.Context) error {
		return db.sqlx.SelectContext(ctx, dest, db.sqlx.Rebind(query), args...)
	})
}

// exec returns the number of rows that the statement has changed.
func (db *DB) exec(ctx context.Context, query string, args ...any) (changed int, err error) {
	err = db.run(ctx, query, func(ctx context.Context, stmt *sqlx.Stmt) error {
		if stmt == nil {
			changed, err = changedBy(db.sqlx.ExecContext(ctx, db.sqlx.Rebind(query), args...))
		} else {
			changed, err = changedBy(stmt.ExecContext(ctx, args...))
		}
		return err
	})
	return changed, err
}

// changedBy returns the number of rows that a statement has changed.
func changedBy(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	rows, err := result.RowsAffected()
	return int(rows), err
}

// call calls do within the time of one statement or transaction, and does nothing when the caller's time is nearly over. It
// returns the error of do as an outage if it is one.
func (db *DB) call(ctx context.Context, do func(context.Context) error) error {
	if err := store.TimeLeft(ctx); err != nil {
		return err
	}
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	return db.note(ctx, do(ctx))
}

// run calls do with the prepared statement, or with nil where statements are not prepared, and repeats it where the table of
// faults says so.
func (db *DB) run(ctx context.Context, query string, do func(context.Context, *sqlx.Stmt) error) error {
	return db.call(ctx, func(ctx context.Context) error {
		stmt, err := db.prepare(ctx, query)
		if err != nil {
			return err
		}
		err = do(ctx, stmt)
		if err != nil && reactionTo(err) == repeat && store.TimeLeft(ctx) == nil {
			err = do(ctx, stmt)
		}
		return err
	})
}

// prepare makes the server parse and plan a statement once on each connection, which takes longer than finding a row. The
// statements are constants of this package, so their number is bounded.
func (db *DB) prepare(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if db.prepared == nil {
		return nil, nil
	}
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

// inTx commits what do has done unless it returns an error. Where the table of faults says so it calls do once more after the
// database has rolled everything back: do must then reset the results that it leaves to its caller.
func (db *DB) inTx(ctx context.Context, do func(tx *sqlx.Tx) error) error {
	return db.call(ctx, func(ctx context.Context) error {
		err := db.tryTx(ctx, do)
		if err != nil && reactionTo(err) != giveUp && store.TimeLeft(ctx) == nil {
			err = db.tryTx(ctx, do)
		}
		return err
	})
}

// inTxOnce is inTx for a do that must not be called twice.
func (db *DB) inTxOnce(ctx context.Context, do func(tx *sqlx.Tx) error) error {
	return db.call(ctx, func(ctx context.Context) error { return db.tryTx(ctx, do) })
}

// execTx executes a statement of a transaction.
func execTx(ctx context.Context, tx *sqlx.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, tx.Rebind(query), args...)
	return err
}

// tryTx runs one transaction. Its error has not been converted to an outage yet.
func (db *DB) tryTx(ctx context.Context, do func(tx *sqlx.Tx) error) error {
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
