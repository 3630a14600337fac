package sqlstore

import (
	"context"
	"fmt"
	"time"
)

// Now tells the database server's time. SQLite has no server: its time is ours.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	if db.dialect != onPostgres {
		return time.Now(), nil
	}
	var now time.Time
	if err := db.get(ctx, &now, "select clock_timestamp()"); err != nil {
		return time.Time{}, fmt.Errorf("ask for the database's time: %w", err)
	}
	return now, nil
}

// Writable returns an error where the database answers and takes no writes, and closes the connections that lead to it.
func (db *DB) Writable(ctx context.Context) error {
	if db.dialect != onPostgres {
		return nil
	}
	// A standby refuses the statement, not the row.
	_, err := db.exec(ctx, "update spent set until = until where id = ''")
	if err != nil {
		return fmt.Errorf("try to write: %w", err)
	}
	return nil
}
