package sqlstore

import (
	"context"
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

// leave counts a row that cannot be changed, and names it when it is among the first.
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
		err := s.walk(ctx, column, condition, []any{len(prefix), prefix}, &result, progress, func(tx *sqlx.Tx, row sealedRow, plain string) (int, error) {
			return changedBy(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.name+" = ? where id = ? and "+column.name+" = ?"),
				s.keys.Seal(plain, column.context+row.Owner), row.ID, row.Sealed))
		})
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
		err := s.walk(ctx, column, "id > ?", nil, &result, progress, func(tx *sqlx.Tx, row sealedRow, plain string) (int, error) {
			hash := s.keys.Index(column.kind, plain)
			if hash == row.Index {
				return 0, nil
			}
			// In a column that is not unique the same hash may be there already.
			n, err := changedBy(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.index+" = ? where id = ? and "+column.name+" = ?"+
					" and not exists (select 1 from "+column.table+" where ? and "+column.index+" = ?)"),
				hash, row.ID, row.Sealed, column.unique, hash))
			if err == nil && n == 0 {
				result.leave(column, row, "another account has the same "+column.kind+", or it has just been changed")
			}
			return n, err
		})
		if err != nil {
			return result, fmt.Errorf("reindex: %w", err)
		}
	}
	return result, nil
}

// walk opens each value that meets the condition and calls do with it, in one transaction for each batch. The condition's last
// argument is the id behind which a batch begins. Values that no key opens are left. walk adds to the result the number of rows
// that do has changed, and calls progress, unless nil, after each batch.
func (s *Seals) walk(
	ctx context.Context, column sealedColumn, condition string, args []any, result *Resealed, progress func(changed int),
	do func(tx *sqlx.Tx, row sealedRow, plain string) (changed int, err error),
) error {
	for last := ""; ; {
		rows, err := s.read(ctx, column, condition, "id", resealBatch, append(slices.Clip(args), last)...)
		if err != nil || len(rows) == 0 {
			return err
		}
		last = rows[len(rows)-1].ID
		err = s.db.inTxOnce(ctx, func(tx *sqlx.Tx) error {
			for _, row := range rows {
				plain, err := s.keys.Open(row.Sealed, column.context+row.Owner)
				if err != nil {
					result.leave(column, row, unopened(row, err))
					continue
				}
				n, err := do(tx, row, plain)
				if result.Changed += n; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if progress != nil {
			progress(result.Changed)
		}
	}
}

// unopened returns the reason why a value could not be opened.
func unopened(row sealedRow, err error) string {
	if errors.Is(err, secrets.ErrUnknownKey) {
		return "sealed with the unknown key " + secrets.SealedBy(row.Sealed)
	}
	return err.Error()
}
