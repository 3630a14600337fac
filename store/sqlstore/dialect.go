package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3/database"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"usher/accounts"
)

// dialect is one of the two databases; its text is the name that goose has for it.
type dialect database.Dialect

const (
	onPostgres = dialect(database.DialectPostgres)
	onSQLite   = dialect(database.DialectSQLite3)
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
	return &DB{sqlx.NewDb(db, "sqlite3"), onSQLite}, nil
}

// skipLocked makes parallel relays take different rows. SQLite has one writer and needs no such thing.
func (d dialect) skipLocked() string {
	if d == onPostgres {
		return "for update skip locked"
	}
	return ""
}

// tableExists asks whether there is a table of a name, without an error when there is none.
func (d dialect) tableExists() string {
	if d == onPostgres {
		return "select to_regclass(?) is not null"
	}
	return "select exists (select 1 from sqlite_master where type = 'table' and name = ?)"
}

// takenField returns the field whose unique column refused a row, or "" for every other error.
func takenField(err error) accounts.Field {
	var pqErr *pq.Error
	var sqliteErr *sqlite.Error
	switch {
	case errors.As(err, &pqErr) && pqErr.Code == pqerror.UniqueViolation:
		return map[string]accounts.Field{
			"accounts_username": accounts.FieldUsername,
			"accounts_mobile":   accounts.FieldMobile,
			"accounts_email":    accounts.FieldEmail,
		}[pqErr.Constraint]
	case errors.As(err, &sqliteErr) && sqliteErr.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		// SQLite has no constraint name to offer, only a text that ends in table.column (code).
		for column, field := range map[string]accounts.Field{
			"accounts.username_key": accounts.FieldUsername,
			"accounts.mobile_key":   accounts.FieldMobile,
			"accounts.email_key":    accounts.FieldEmail,
		} {
			if strings.Contains(sqliteErr.Error(), column) {
				return field
			}
		}
	}
	return ""
}
