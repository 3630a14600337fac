package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"usher/store"
)

// checkPooler returns ErrPooler when a prepared statement is lost between two transactions of one connection. Behind a pooler,
// two of our connections may share one of the database's: then one of them keeps that one in a transaction, and the statement
// that the other has prepared on it must still exist.
func (db *DB) checkPooler(ctx context.Context) error {
	ctx, cancel := db.slowly().bounded(ctx)
	defer cancel()
	one, err := db.sqlx.Conn(ctx)
	if err != nil {
		return db.note(ctx, err)
	}
	defer func() { _ = one.Close() }()
	prepared, err := one.PrepareContext(ctx, "select pg_backend_pid()")
	if err != nil {
		return db.note(ctx, err)
	}
	defer func() { _ = prepared.Close() }()
	backend, err := scanPid(prepared.QueryRowContext(ctx))
	if err != nil {
		return poolerError(db.note(ctx, err))
	}
	// A pooler that rotates its connections shows another server process at the next query.
	for range 4 {
		if next, err := scanPid(prepared.QueryRowContext(ctx)); err != nil {
			return poolerError(db.note(ctx, err))
		} else if next != backend {
			return ErrPooler
		}
	}
	another, err := db.sqlx.Conn(ctx)
	if err != nil {
		return db.note(ctx, err)
	}
	defer func() { _ = another.Close() }()
	tx, err := another.BeginTx(ctx, nil)
	if err != nil {
		return db.note(ctx, err)
	}
	defer func() { _ = tx.Rollback() }()
	held, err := scanPid(tx.QueryRowContext(ctx, "select pg_backend_pid()"))
	if err != nil {
		return db.note(ctx, err)
	}
	if held != backend { // each of our connections has its own
		return nil
	}
	asking, enough := db.bounded(ctx)
	defer enough()
	if _, err := scanPid(prepared.QueryRowContext(asking)); err != nil {
		return ErrPooler // also when the pooler has no second connection
	}
	return nil
}

// poolerError returns ErrPooler for errors that only a pooler causes.
func poolerError(err error) error {
	if o := store.AsOutage(err); o != nil && o.Reason == pooled {
		return ErrPooler
	}
	return err
}

// scanPid reads the process id of the database's server process, which identifies a connection of the database.
func scanPid(row *sql.Row) (pid int, err error) {
	if err = row.Scan(&pid); errors.Is(err, sql.ErrNoRows) {
		err = errors.New("the server does not tell its process id")
	}
	return pid, err
}
