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

// resealBatch is how many rows one transaction changes: few enough that nobody waits for their locks.
const resealBatch = 200

// maxNamed bounds the rows that are named as left behind.
const maxNamed = 20

// Resealed is what a run over the tables has done.
type Resealed struct {
	Changed int
	Left    int      // that could not be changed
	Named   []string // the first of those left, each with the reason: table, id and key, nothing private
}

func (r *Resealed) leave(column sealedColumn, row sealedRow, reason string) {
	r.Left++
	if len(r.Named) < maxNamed {
		r.Named = append(r.Named, fmt.Sprintf("%s %s: %s", column.table, row.ID, reason))
	}
}

// Reseal seals every number and address under the first key that another key has sealed. It may run while
// everything else does, may be broken off and begun again, and changes no row that somebody else has changed
// since it was read. Rows that no configured key opens are left. told, unless nil, hears how many rows are done.
func (s *Seals) Reseal(ctx context.Context, told func(changed int)) (Resealed, error) {
	var result Resealed
	prefix := s.keys.SigningID() + "."
	for _, column := range sealedColumns {
		// What begins with the first key's id is done; the comparison minds upper and lower case everywhere.
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
		}, func() { tell(told, result) })
		if err != nil {
			return result, fmt.Errorf("reseal: %w", err)
		}
	}
	return result, nil
}

// Reindex hashes every number and address with the key that indexes. Nobody else may write accounts meanwhile:
// one who hashes with another key could file a number a second time. It may be broken off and begun again. Rows
// that no configured key opens are left, and so is a number or an address that another account has already.
func (s *Seals) Reindex(ctx context.Context, told func(changed int)) (Resealed, error) {
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
			// Of a column that is not unique nothing is in the way.
			n, err := changed(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.index+" = ? where id = ? and "+column.name+" = ?"+
					" and not exists (select 1 from "+column.table+" where ? and "+column.index+" = ?)"),
				hash, row.ID, row.Sealed, column.unique, hash))
			result.Changed += n
			if err == nil && n == 0 {
				result.leave(column, row, "another account has the same "+column.kind+", or it has just been changed")
			}
			return err
		}, func() { tell(told, result) })
		if err != nil {
			return result, fmt.Errorf("reindex: %w", err)
		}
	}
	return result, nil
}

// walk does something with each row that meets the condition, whose last argument is the id before it, in
// transactions of a batch, and calls done after each of them.
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

// changed is how many rows a statement has changed.
func changed(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	rows, err := result.RowsAffected()
	return int(rows), err
}

func tell(told func(int), result Resealed) {
	if told != nil {
		told(result.Changed)
	}
}
