package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"usher/secrets"
)

// resealBatch is how many rows one transaction changes: few enough that no other transaction waits long for their locks.
const resealBatch = 200

// maxNamed bounds the rows that are named as left behind.
const maxNamed = 20

// Resealed is the result of a run over the tables.
type Resealed struct {
	Changed int      // rows that were changed
	Left    int      // rows that could not be changed
	Named   []string // the first of the rows left, each with table, id and reason, and nothing private
}

func (r *Resealed) leave(column sealedColumn, row sealedRow, reason string) {
	r.Left++
	if len(r.Named) < maxNamed {
		r.Named = append(r.Named, fmt.Sprintf("%s %s: %s", column.table, row.ID, reason))
	}
}

// Reseal seals with the first key every number and address that another key has sealed. It may run beside all other programs,
// may be interrupted and started again, and leaves a row alone that was changed since it was read. Rows that no configured key
// opens are left. It calls progress, unless nil, with the number of rows changed so far.
func (s *Seals) Reseal(ctx context.Context, progress func(changed int)) (Resealed, error) {
	var result Resealed
	prefix := s.keys.SigningID() + "."
	for _, column := range sealedColumns {
		// A value that begins with the first key's id is done. substr compares upper and lower case on both databases.
		condition := "substr(" + column.name + ", 1, ?) <> ? and id > ?"
		err := s.walk(ctx, column, condition, []any{len(prefix), prefix}, func(tx *sqlx.Tx, row sealedRow) error {
			plain, err := s.keys.Open(row.Sealed, column.context+row.Owner)
			if err != nil {
				result.leave(column, row, unopened(row, err))
				return nil
			}
			sealed, err := s.keys.Seal(plain, column.context+row.Owner)
			if err != nil {
				return err
			}
			n, err := changed(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.name+" = ? where id = ? and "+column.name+" = ?"),
				sealed, row.ID, row.Sealed))
			result.Changed += n
			return err
		}, func() { tellProgress(progress, result) })
		if err != nil {
			return result, fmt.Errorf("reseal: %w", err)
		}
	}
	return result, nil
}

// Reindex hashes every number and address with the key that indexes. No other program may write accounts meanwhile: with
// another key it could store a number a second time. Reindex may be interrupted and started again. Rows that no configured key
// opens are left, and so are a number and an address that another account has already.
func (s *Seals) Reindex(ctx context.Context, progress func(changed int)) (Resealed, error) {
	var result Resealed
	for _, column := range sealedColumns {
		if column.index == "" {
			continue
		}
		err := s.walk(ctx, column, "id > ?", nil, func(tx *sqlx.Tx, row sealedRow) error {
			plain, err := s.keys.Open(row.Sealed, column.context+row.Owner)
			if err != nil {
				result.leave(column, row, unopened(row, err))
				return nil
			}
			hash := s.keys.Index(column.kind, plain)
			if hash == row.Index {
				return nil
			}
			// In a column that is not unique the same hash may be there already.
			n, err := changed(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.index+" = ? where id = ? and "+column.name+" = ?"+
					" and not exists (select 1 from "+column.table+" where ? and "+column.index+" = ?)"),
				hash, row.ID, row.Sealed, column.unique, hash))
			result.Changed += n
			if err == nil && n == 0 {
				result.leave(column, row, "another account has the same "+column.kind+", or it has just been changed")
			}
			return err
		}, func() { tellProgress(progress, result) })
		if err != nil {
			return result, fmt.Errorf("reindex: %w", err)
		}
	}
	return result, nil
}

// walk calls do for each row that meets the condition, in one transaction for each batch, and calls done after each batch. The
// condition's last argument is the id behind which it continues.
func (s *Seals) walk(
	ctx context.Context, column sealedColumn, condition string, args []any,
	do func(*sqlx.Tx, sealedRow) error, done func(),
) error {
	for last := ""; ; done() {
		rows, err := s.read(ctx, column, condition, "id", resealBatch, append(slices.Clip(args), last)...)
		if err != nil || len(rows) == 0 {
			return err
		}
		last = rows[len(rows)-1].ID
		err = s.db.inTxOnce(ctx, func(tx *sqlx.Tx) error {
			for _, row := range rows {
				if err := do(tx, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

func unopened(row sealedRow, err error) string {
	if errors.Is(err, secrets.ErrUnknownKey) {
		return "sealed with the unknown key " + secrets.SealedBy(row.Sealed)
	}
	return err.Error()
}

// changed returns the number of rows that a statement has changed.
func changed(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	rows, err := result.RowsAffected()
	return int(rows), err
}

func tellProgress(progress func(int), result Resealed) {
	if progress != nil {
		progress(result.Changed)
	}
}
