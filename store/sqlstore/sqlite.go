//go:build !nosqlite

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
	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver" // registers "sqlite3"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"usher/accounts"
)

// openSQLite opens one connection: SQLite takes one writer at a time anyway, and waiting in the pool
// honours the context where waiting for the file's lock does not.
func openSQLite(path string) (*DB, error) {
	query := url.Values{
		"_pragma": {
			"busy_timeout(5000)", // milliseconds, for other processes; first, since the next one waits by it
			"journal_mode(wal)",
			"synchronous(full)", // a commit is on the disk before it is acknowledged; the driver's own choice in WAL is normal
			"foreign_keys(1)",
			"secure_delete(on)", // a deleted row is overwritten; "fast" would leave whole pages that became free
		},
		"_txlock":  {"immediate"},       // a transaction that reads first cannot fail to write later
		"_timefmt": {"unixepoch_micro"}, // compares and sorts; see Stamp
	}
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &DB{sqlx: sqlx.NewDb(db, "sqlite3"), dialect: onSQLite, prepared: &sync.Map{}}, nil
}

// emptyLog moves all that is in the write-ahead log into the file and truncates the log, which still has what rows were before they
// were deleted. It does less while another process reads, and is then repeated by the next caller.
func emptyLog(ctx context.Context, db *DB) error {
	_, err := db.sqlx.ExecContext(ctx, "pragma wal_checkpoint(truncate)")
	return err
}

// migrationsOnSQLite makes goose read its table of versions through [versions].
func migrationsOnSQLite() (database.Dialect, []goose.ProviderOption, error) {
	store, err := database.NewStore(database.DialectSQLite3, goose.DefaultTablename)
	if err != nil {
		return "", nil, err
	}
	return goose.DialectCustom, []goose.ProviderOption{goose.WithStore(versions{store})}, nil
}

// versions is goose's own store, except that it reads the time of a migration, which goose writes as text: the driver
// is told above that times are integers, and would refuse to make a time of that text.
type versions struct{ database.Store }

// GetMigration implements [database.Store].
func (v versions) GetMigration(
	ctx context.Context, db database.DBTxConn, version int64,
) (*database.GetMigrationResult, error) {
	var seconds int64
	var result database.GetMigrationResult
	err := db.QueryRowContext(ctx, "select unixepoch(tstamp), is_applied from "+goose.DefaultTablename+
		" where version_id = ? order by tstamp desc limit 1", version).Scan(&seconds, &result.IsApplied)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %d", database.ErrVersionNotFound, version)
	}
	if err != nil {
		return nil, fmt.Errorf("read migration %d: %w", version, err)
	}
	result.Timestamp = time.Unix(seconds, 0).UTC()
	return &result, nil
}

// isBusySQLite reports whether another process had the file for too long, or the caller's time was over meanwhile: the
// driver interrupts a statement whose context ends.
func isBusySQLite(err error) bool {
	return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED) || errors.Is(err, sqlite3.INTERRUPT)
}

// takenOnSQLite is [takenField] for SQLite, which has no constraint name to offer, only a text that ends in
// table.column (code).
func takenOnSQLite(err error) accounts.Field {
	if !errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) {
		return ""
	}
	for column, field := range map[string]accounts.Field{
		"accounts.username_key":       accounts.FieldUsername,
		"accounts.mobile_key":         accounts.FieldMobile,
		"accounts.email_key":          accounts.FieldEmail,
		"accounts.pending_mobile_key": accounts.FieldMobile,
	} {
		if strings.Contains(err.Error(), column) {
			return field
		}
	}
	return ""
}
