package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/events"
)

// Block implements accounts.Store.
func (a *Accounts) Block(ctx context.Context, id string, when time.Time) (accounts.Account, error) {
	return a.setBlocked(ctx, "block account", id, events.AccountBlocked, audit.AccountBlocked, "blocked_at = ?, updated_at = ?, "+endSessions+" where id = ? and blocked_at is null",
		at(when), at(when), id)
}

// Unblock implements accounts.Store.
func (a *Accounts) Unblock(ctx context.Context, id string, when time.Time) (accounts.Account, error) {
	return a.setBlocked(ctx, "unblock account", id, events.AccountUnblocked, audit.AccountUnblocked, "blocked_at = null, updated_at = ? where id = ? and blocked_at is not null",
		at(when), id)
}

// EndAllSessions implements accounts.Store.
func (a *Accounts) EndAllSessions(ctx context.Context, id string, when time.Time) (accounts.Account, error) {
	row, err := a.update(ctx, writing{note: noted(audit.SessionsEnded)}, "set updated_at = ?, "+endSessions+" where id = ?", at(when), id)
	return a.found("end sessions", row, err)
}

// superuserLock is the number of PostgreSQL's advisory lock under which superusers remove superusers, one after the other.
const superuserLock = 5_553_485_201

// keepsSuperuser returns accounts.ErrProtected when a superuser removes the last superuser that can sign in and stays. Two who remove
// each other at once would both see the other one: the second waits here for the end of the first one's transaction.
func (a *Accounts) keepsSuperuser(ctx context.Context, tx *sqlx.Tx, row accountRow) error {
	if !row.Superuser || audit.CauseOf(ctx).Kind != audit.Superuser {
		return nil
	}
	if a.db.dialect == onPostgres { // SQLite has one writer
		if err := execTx(ctx, tx, "select pg_advisory_xact_lock(?)", superuserLock); err != nil {
			return err
		}
	}
	var other bool
	err := tx.GetContext(ctx, &other, tx.Rebind(otherSuperuser), row.ID)
	if err == nil && !other {
		err = accounts.ErrProtected
	}
	return err
}

// setBlocked makes the assignments, unless the account is in the wanted state already.
func (a *Accounts) setBlocked(
	ctx context.Context, operation, id string, told events.Type, action audit.Action, set string, args ...any,
) (accounts.Account, error) {
	w := writing{facts: []fact{{event: told}}, note: noted(action)}
	if action == audit.AccountBlocked {
		w.permit = a.keepsSuperuser
	}
	row, err := a.update(ctx, w, "set "+set, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return a.Find(ctx, accounts.Key{By: accounts.ByID, Value: id})
	}
	return a.found(operation, row, err)
}
