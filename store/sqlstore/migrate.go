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
	// PostgreSQL holds a lock around it all. SQLite has none that outlives a transaction: a process
	// that came second fails on the step that the other one has just made, and goes on behind it.
	for range len(provider.ListSources()) + 1 {
		if _, err = provider.Up(ctx); err == nil || db.dialect == onPostgres || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
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
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(db.usernames(), db.seen())}
	if db.dialect == onPostgres {
		// Tried every second, for a minute: longer than any migration should take.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return nil, fmt.Errorf("make migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(database.Dialect(db.dialect), db.sqlx.DB, files, options...)
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	return provider, nil
}
