package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"usher/accounts"
	"usher/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// ErrSchemaOld means that this program needs tables or columns that do not exist yet.
var ErrSchemaOld = errors.New("database schema is older than this program: run `go run ./cmd/admin migrate up`")

// Migration is one step of the schema.
type Migration struct {
	Name      string    // of the file
	AppliedAt time.Time // zero when it is still to be applied
}

// Migrate brings the schema up to date. Several processes may call it at once.
func Migrate(ctx context.Context, db *DB) error {
	provider, err := db.migrations()
	if err != nil {
		return err
	}
	if db.dialect == onPostgres {
		err = db.alone(ctx, func() error { _, err := provider.Up(ctx); return err })
	} else {
		// SQLite has no lock that outlives a transaction: a second process fails on the migration that the first one has
		// just applied, and continues after it.
		for range len(provider.ListSources()) + 1 {
			if _, err = provider.Up(ctx); err == nil || ctx.Err() != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", asOutage(err))
	}
	return nil
}

// migrateWait is how long to wait for another process that migrates: longer than any migration should take.
const migrateWait = time.Minute

// alone calls do while no other process does. Its lock is the one of goose, but belongs to an open transaction: a lock of a
// session would stay with a pooler's connection. The transaction does nothing else.
func (db *DB) alone(ctx context.Context, do func() error) error {
	tx, err := db.sqlx.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "set local idle_in_transaction_session_timeout = 0"); err != nil {
		return err
	}
	until := time.Now().Add(migrateWait)
	for mine := false; ; {
		err := tx.QueryRowContext(ctx, "select pg_try_advisory_xact_lock($1)", lock.DefaultLockID).Scan(&mine)
		switch {
		case err != nil:
			return err
		case mine:
			return do()
		case time.Now().After(until):
			return errors.New("another process has been migrating for a minute")
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Status lists every migration that this program knows, the oldest first.
func Status(ctx context.Context, db *DB) ([]Migration, error) {
	provider, err := db.migrations()
	if err != nil {
		return nil, err
	}
	statuses, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	list := make([]Migration, 0, len(statuses))
	for _, status := range statuses {
		name := cmp.Or(status.Source.Path, goMigrations[status.Source.Version]) // goose has no name for a step in Go
		list = append(list, Migration{name, status.AppliedAt})
	}
	return list, nil
}

// CheckSchema returns nil when the schema is that of this program or of a newer one, since migrations keep the previous version
// of the program working, and otherwise ErrSchemaOld. It changes nothing, not even in an empty database.
func CheckSchema(ctx context.Context, db *DB) error {
	provider, err := db.migrations()
	if err != nil {
		return err
	}
	var exists bool
	if err := db.get(ctx, &exists, db.dialect.tableExists(), goose.DefaultTablename); err != nil {
		return fmt.Errorf("look for schema version: %w", err)
	}
	if !exists {
		return ErrSchemaOld
	}
	var current int64
	if err := db.get(ctx, &current, "select coalesce(max(version_id), 0) from "+goose.DefaultTablename); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	sources := provider.ListSources()
	if current < sources[len(sources)-1].Version {
		return ErrSchemaOld
	}
	return nil
}

// migrations returns the migrations of this program. The global registry of goose is not used, because tests run in parallel.
func (db *DB) migrations() (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	dialect, options := database.Dialect(db.dialect), []goose.ProviderOption(nil)
	if db.dialect == onSQLite {
		if dialect, options, err = migrationsOnSQLite(); err != nil {
			return nil, fmt.Errorf("open migrations: %w", err)
		}
	}
	options = append(options, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(db.usernames(), db.seen(), db.ownerlessMails()))
	provider, err := goose.NewProvider(dialect, db.sqlx.DB, files, options...)
	return provider, store.Wrap("open migrations", err)
}

// goMigrations are the names of the migrations that cannot be written in SQL for both databases, by their versions.
var goMigrations = map[int64]string{7: "0007_usernames.go", 10: "0010_seen.go", 17: "0017_mail_codes.go"}

// usernamesAtOnce is how many accounts the migration reads at a time.
const usernamesAtOnce = 1000

// usernames returns the migration that gives names outside ASCII the key of this version, which is the same for names that look
// alike; see [accounts.CanonicalUsername]. Where two accounts have such names already, the second keeps its old key: its owner
// signs in by number or address.
func (db *DB) usernames() *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		after := ""
		for {
			names, last, err := db.usernamesAfter(ctx, tx, after)
			if err != nil {
				return err
			}
			if last == "" {
				return nil
			}
			for _, id := range slices.Sorted(maps.Keys(names)) { // of names that look alike the first gets the key
				key := names[id]
				_, err := tx.ExecContext(ctx, db.sqlx.Rebind(`
					update accounts set username_key = ?
					where id = ? and not exists (select 1 from accounts where username_key = ?)`), key, id, key)
				if err != nil {
					return fmt.Errorf("write key of user name: %w", err)
				}
			}
			after = last
		}
	}
	return goose.NewGoMigration(7, &goose.GoFunc{RunTx: up}, nil)
}

// usernamesAfter returns the new keys of the next accounts, by their ids, and the id after which to continue; it is empty when
// there are no more accounts.
func (db *DB) usernamesAfter(ctx context.Context, tx *sql.Tx, after string) (keys map[string]string, last string, err error) {
	rows, err := tx.QueryContext(ctx, db.sqlx.Rebind(`
		select id, username, username_key from accounts where id > ? order by id limit ?`), after, usernamesAtOnce)
	if err != nil {
		return nil, "", fmt.Errorf("read user names: %w", err)
	}
	defer rows.Close()
	keys = map[string]string{}
	for rows.Next() {
		var name, key string
		if err := rows.Scan(&last, &name, &key); err != nil {
			return nil, "", fmt.Errorf("read user names: %w", err)
		}
		if _, canonical, ok := accounts.CanonicalUsername(name); ok && canonical != key {
			keys[last] = canonical
		}
	}
	return keys, last, rows.Err()
}

// seen returns the migration that marks every account as seen now. It is unknown when the accounts of an older version were used
// last, and those that are used every day must still be opened by a code.
func (db *DB) seen() *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, db.sqlx.Rebind("update accounts set seen_at = ? where seen_at is null"), at(time.Now()))
		return store.Wrap("mark accounts as seen", err)
	}
	return goose.NewGoMigration(10, &goose.GoFunc{RunTx: up}, nil)
}
