//go:build nosqlite

package sqlstore

import (
	"context"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"usher/accounts"
)

// The images are built without SQLite: it is a fifth of a program that has no use for it beside PostgreSQL.

func openSQLite(string) (*DB, error) { return nil, ErrNoSQLite }

func emptyLog(context.Context, *DB) error { return ErrNoSQLite }

func migrationsOnSQLite() (database.Dialect, []goose.ProviderOption, error) {
	return "", nil, ErrNoSQLite
}

func isBusySQLite(error) bool { return false }

func takenOnSQLite(error) accounts.Field { return "" }
