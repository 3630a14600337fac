package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/secrets"
	"usher/store"
)

// errRollback ends a transaction that must not be committed.
var errRollback = errors.New("rolled back on purpose")

// probedTables are the tables that the service writes, each with one of its columns.
var probedTables = map[string]string{
	"accounts": "id", "messages": "id", "account_changes": "id", "declined_emails": "until", "spent": "id", "traffic": "quarter",
	"bounced_emails": "bounced_at", "apps": "id", "app_keys": "id",
	"audit": "id", "endpoints": "id", "events": "id", "deliveries": "id", "erased_accounts": "id", "consents": "id",
}

// ProbeWrite inserts a row and rolls it back, and tests the right to change every table of the service. A standby, a full disk
// and a user with read access only refuse that. Nothing is left behind.
func (db *DB) ProbeWrite(ctx context.Context) error {
	// The driver begins each transaction as one that writes; a single statement follows the server's default.
	if _, err := db.exec(ctx, "delete from spent where 1 = 0"); err != nil {
		return fmt.Errorf("the database refuses to change spent: %w", err)
	}
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := execTx(ctx, tx, insertSpent, "probe/"+secrets.Random(9), at(time.Now())); err != nil {
			return fmt.Errorf("the database refuses a new row: %w", err)
		}
		// All in one round trip: the database's own words name the table.
		var changes strings.Builder
		for table, column := range probedTables {
			fmt.Fprintf(&changes, "update %[1]s set %[2]s = %[2]s where 1 = 0; delete from %[1]s where 1 = 0; ", table, column)
		}
		if _, err := tx.ExecContext(ctx, changes.String()); err != nil {
			return fmt.Errorf("the database refuses to change a table: %w", err)
		}
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// Now returns the time of the database server. SQLite runs inside the process and has the machine's time.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	if db.dialect != onPostgres {
		return time.Now(), nil
	}
	var now time.Time
	err := db.get(ctx, &now, "select clock_timestamp()")
	return now, store.Wrap("ask for the database's time", err)
}

// Writable returns an error when the database answers but accepts no writes, and closes the connections to it.
func (db *DB) Writable(ctx context.Context) error {
	if db.dialect != onPostgres {
		return nil
	}
	// A standby refuses the statement, not the row.
	_, err := db.exec(ctx, "update spent set until = until where id = ''")
	return store.Wrap("try to write", err)
}
