package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/secrets"
)

// errUndone ends a transaction whose work is not to stay.
var errUndone = errors.New("undone on purpose")

// probedTables are those that the service writes, each with a column of theirs.
var probedTables = map[string]string{
	"accounts": "id", "messages": "id", "account_changes": "id", "declined_emails": "until", "spent": "id", "traffic": "quarter",
}

// ProbeWrite writes a row and takes it back, and asks for the right to change every table of the service. A standby, a
// full disk and a user who may only read refuse that. Nothing stays.
func (db *DB) ProbeWrite(ctx context.Context) error {
	// The driver begins every transaction as one that writes; what stands alone follows the server's default.
	if _, err := db.exec(ctx, "delete from spent where 1 = 0"); err != nil {
		return fmt.Errorf("the database refuses to change spent: %w", err)
	}
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, tx.Rebind(insertSpent), "probe/"+secrets.Random(9), at(time.Now())); err != nil {
			return fmt.Errorf("the database refuses a new row: %w", err)
		}
		// All in one trip: the database's own words name the table.
		var changes strings.Builder
		for table, column := range probedTables {
			fmt.Fprintf(&changes, "update %[1]s set %[2]s = %[2]s where 1 = 0; delete from %[1]s where 1 = 0; ", table, column)
		}
		if _, err := tx.ExecContext(ctx, changes.String()); err != nil {
			return fmt.Errorf("the database refuses to change a table: %w", err)
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}
