package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// pruneBatch bounds one statement, so that none locks many rows for long: it takes 10 to 50 ms.
const pruneBatch = 5000

// pruning selects the rows to be deleted: those of a table whose time, in an indexed column, is over and that meet the condition.
type pruning struct{ table, column, condition string }

// prune deletes batch after batch and returns the number of deleted rows, also when it fails between two batches. Each batch
// begins at the time at which the last one ended: a statement that searched for the oldest rows again would read the index
// entries of all rows deleted before, for as long as an old transaction may still see them.
func (db *DB) prune(ctx context.Context, p pruning, now time.Time) (int, error) {
	deleted := 0
	from, after := at(time.Unix(0, 0)), at(now.Add(time.Microsecond)) // a column holds microseconds
	for slow := db.slowly(); ; {
		to, ends := Stamp{}, "<=" // rows of one time are deleted together
		err := slow.get(ctx, &to, fmt.Sprintf("select %[2]s from %[1]s where %[2]s >= ? and %[2]s < ? and %[3]s order by %[2]s limit 1 offset %[4]d",
			p.table, p.column, p.condition, pruneBatch), from, after)
		last := errors.Is(err, sql.ErrNoRows)
		if last {
			to, ends = after, "<"
		} else if err != nil {
			return deleted, err
		}
		n, err := slow.exec(ctx, fmt.Sprintf("delete from %[1]s where %[2]s >= ? and %[2]s %[4]s ? and %[3]s",
			p.table, p.column, p.condition, ends), from, to)
		deleted += n
		if err != nil || last {
			return deleted, err
		}
		from = to
	}
}
