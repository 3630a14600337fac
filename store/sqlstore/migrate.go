package sqlstore

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Errors of [CheckSchema].
var (
	// ErrSchemaOld means that this program needs tables or columns that are not there yet.
	ErrSchemaOld = errors.New("database schema is older than this program: run `go run ./cmd/admin migrate up`")
	// ErrSchemaNew means that a newer program has migrated. Migrations keep the program before them
	// running, so this is worth a line in the log and no more.
	ErrSchemaNew = errors.New("database schema is newer than this program")
)

// Migration is one step of the schema.
type Migration struct {
	Name      string    // the file's
	AppliedAt time.Time // zero when it is still to be applied
}

// Migrate brings the schema up to date. Several processes may do so at once.
func Migrate(ctx context.Context, db *DB) error {
	provider, err := db.migrations()
	if err != nil {
		return err
	}
	if db.dialect == onPostgres {
		err = db.alone(ctx, func() error { _, err := provider.Up(ctx); return err })
	} else {
		// SQLite has no lock that outlives a transaction: a process that came second fails on the step that the other
		// one has just made, and goes on behind it.
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

// migrateWait is how long another process that migrates is waited for: longer than any migration should take.
const migrateWait = time.Minute

// alone does something while no other process does it. The lock is that of goose, but belongs to an open transaction: one
// that belongs to a session would stay with a pooler's connection. Nothing else happens in that transaction.
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

// CheckSchema returns nil when the schema is the one of this program, ErrSchemaOld or ErrSchemaNew when
// it is not. It changes nothing, not even in an empty database.
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
	switch newest := sources[len(sources)-1].Version; {
	case current < newest:
		return ErrSchemaOld
	case current > newest:
		return ErrSchemaNew
	}
	return nil
}

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
	options = append(options, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(db.usernames(), db.seen()))
	provider, err := goose.NewProvider(dialect, db.sqlx.DB, files, options...)
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	return provider, nil
}
