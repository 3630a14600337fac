//go:build !nosqlite

package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"usher/accounts"
)

// openSQLite opens one connection: SQLite takes one writer at a time anyway, and waiting in the pool
// honours the context where waiting for the file's lock does not.
func openSQLite(path string) (*DB, error) {
	query := url.Values{
		"_busy_timeout":        {"5000"}, // milliseconds, for other processes
		"_journal_mode":        {"WAL"},
		"_foreign_keys":        {"1"},
		"_txlock":              {"immediate"},  // a transaction that reads first cannot fail to write later
		"_time_integer_format": {"unix_micro"}, // compares and sorts; see stamp
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &DB{sqlx: sqlx.NewDb(db, "sqlite3"), dialect: onSQLite, prepared: &sync.Map{}}, nil
}

// isBusySQLite reports whether another process had the file for too long.
func isBusySQLite(err error) bool {
	refused, ok := errors.AsType[*sqlite.Error](err)
	return ok && (refused.Code()&0xff == sqlite3.SQLITE_BUSY || refused.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// takenOnSQLite is [takenField] for SQLite, which has no constraint name to offer, only a text that ends in
// table.column (code).
func takenOnSQLite(err error) accounts.Field {
	var refused *sqlite.Error
	if !errors.As(err, &refused) || refused.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return ""
	}
	for column, field := range map[string]accounts.Field{
		"accounts.username_key":       accounts.FieldUsername,
		"accounts.mobile_key":         accounts.FieldMobile,
		"accounts.email_key":          accounts.FieldEmail,
		"accounts.pending_mobile_key": accounts.FieldMobile,
	} {
		if strings.Contains(refused.Error(), column) {
			return field
		}
	}
	return ""
}
