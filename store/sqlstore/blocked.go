package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

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

// setBlocked makes the assignments, unless the account is in the wanted state already.
func (a *Accounts) setBlocked(
	ctx context.Context, operation, id string, told events.Type, action audit.Action, set string, args ...any,
) (accounts.Account, error) {
	row, err := a.update(ctx, writing{facts: []fact{{event: told}}, note: noted(action)}, "set "+set, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return a.Find(ctx, accounts.Key{By: accounts.ByID, Value: id})
	}
	return a.found(operation, row, err)
}
