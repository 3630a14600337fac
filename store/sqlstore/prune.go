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
	for {
		to, more, err := db.pruneUntil(ctx, p, from, after)
		if err != nil {
			return deleted, err
		}
		n, err := db.pruneBetween(ctx, p, from, to, more)
		deleted += n
		if err != nil || !more {
			return deleted, err
		}
		from = to
	}
}

// pruneUntil returns the time at which a batch that begins at a time ends, and whether rows are left behind it.
func (db *DB) pruneUntil(ctx context.Context, p pruning, from, before stamp) (to stamp, more bool, err error) {
	err = db.slowly().get(ctx, &to, fmt.Sprintf("select %[2]s from %[1]s where %[2]s >= ? and %[2]s < ? and %[3]s order by %[2]s limit 1 offset %[4]d",
		p.table, p.column, p.condition, pruneBatch), from, before)
	if errors.Is(err, sql.ErrNoRows) {
		return before, false, nil
	}
	return to, err == nil, err
}

// pruneBetween deletes the rows from one time to another, including the latter when more rows follow.
func (db *DB) pruneBetween(ctx context.Context, p pruning, from, to stamp, including bool) (int, error) {
	ends := "<"
	if including { // rows of one time are deleted together
		ends = "<="
	}
	return db.slowly().exec(ctx, fmt.Sprintf("delete from %[1]s where %[2]s >= ? and %[2]s %[4]s ? and %[3]s",
		p.table, p.column, p.condition, ends), from, to)
}
