package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/store"
)

// Each transaction here locks the row of the account that has a number before the row of the account that claims it, so that
// transactions do not deadlock.

// clearClaim removes an account's claim on a number.
const clearClaim = "pending_mobile_key = null, pending_mobile_sealed = null, pending_mobile_masked = '', pending_mobile_at = null"

// Seen implements accounts.Store.
func (a *Accounts) Seen(ctx context.Context, account accounts.Account, when time.Time, mail *accounts.Mail) error {
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		var key *string
		err := tx.GetContext(ctx, &key, tx.Rebind("update accounts set seen_at = ? where id = ? returning mobile_key"), at(when), account.ID)
		if err != nil {
			return err
		}
		if err := execTx(ctx, tx, "delete from account_changes where account_id = ? and kind = ?", account.ID, accounts.NumberClaimed); err != nil {
			return err
		}
		claimer, err := a.endClaims(ctx, tx, key)
		if err != nil || claimer == nil {
			return err
		}
		return a.insertMails(ctx, tx, *claimer, mail)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return store.Wrap("store use of account", err)
}

// endClaims ends the claim on a number and returns the account that claimed it, or nil when there is no number or no claim.
func (a *Accounts) endClaims(ctx context.Context, tx *sqlx.Tx, mobileKey *string) (*accountRow, error) {
	if mobileKey == nil {
		return nil, nil
	}
	var row accountRow
	err := tx.GetContext(ctx, &row, tx.Rebind("update accounts set "+clearClaim+
		" where pending_mobile_key = ? returning "+accountColumns), *mobileKey)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &row, err
}

// errSeen means that the holder of a number has been used, or has changed, since the caller read it.
var errSeen = errors.New("the holder of the number was seen")

// CreateClaiming implements accounts.Store.
func (a *Accounts) CreateClaiming(
	ctx context.Context, account accounts.Account, mail *accounts.Mail, holder accounts.Account, change *accounts.Change,
) error {
	row, err := a.row(account)
	if err != nil {
		return fmt.Errorf("create claiming account: %w", err)
	}
	err = a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := a.storeChange(ctx, tx, change); err != nil {
			return err
		}
		var held accountRow
		if err := tx.GetContext(ctx, &held, tx.Rebind("select "+accountColumns+" from accounts where id = ?"), holder.ID); err != nil {
			return err
		}
		if held.MobileKey == nil || *held.MobileKey != *row.PendingMobileKey || !held.SeenAt.Equal(at(holder.SeenAt).Time) {
			return errSeen
		}
		if err := a.insert(ctx, tx, &row, account.Consents()); err != nil {
			return err
		}
		if err := a.insertMails(ctx, tx, row, mail); err != nil {
			return err
		}
		if err := record(ctx, tx, row.CreatedAt, noted(audit.NumberClaimed, accounts.FieldMobile), held.ID); err != nil {
			return err
		}
		return a.insertMails(ctx, tx, held, change.Mails...)
	})
	if errors.Is(err, errSeen) || errors.Is(err, sql.ErrNoRows) {
		return &accounts.ExistsError{Field: accounts.FieldMobile}
	}
	return accountError("create claiming account", err)
}

// HandOver moves numbers that were claimed before the time to the accounts that claim them, unless the present holder has been
// used since the claim or is blocked. It returns how many claims have ended, at most the limit.
func (a *Accounts) HandOver(ctx context.Context, before time.Time, limit int) (int, error) {
	var claims []struct {
		ID  string `db:"id"`
		Key string `db:"pending_mobile_key"`
		At  Stamp  `db:"pending_mobile_at"`
	}
	err := a.db.slowly().list(ctx, &claims, `select id, pending_mobile_key, pending_mobile_at from accounts
		where pending_mobile_at <= ? order by pending_mobile_at limit ?`, at(before), limit)
	if err != nil {
		return 0, fmt.Errorf("find claims: %w", err)
	}
	for i, claim := range claims {
		err := a.db.inTx(ctx, func(tx *sqlx.Tx) error { return handOver(ctx, tx, claim.ID, claim.Key, claim.At) })
		if err != nil {
			return i, fmt.Errorf("hand number over: %w", err)
		}
	}
	return len(claims), nil
}

// handOver ends one claim.
func handOver(ctx context.Context, tx *sqlx.Tx, claimer, mobileKey string, claimedAt Stamp) error {
	for _, step := range []struct {
		statement string
		args      []any
	}{
		{`set mobile_key = null, mobile_sealed = null, mobile_masked = '', mobile_changed_at = null
			where mobile_key = ? and (seen_at is null or seen_at <= ?) and blocked_at is null`, []any{mobileKey, claimedAt}},
		{`set mobile_key = pending_mobile_key, mobile_sealed = pending_mobile_sealed, mobile_masked = pending_mobile_masked
			where id = ? and pending_mobile_key = ?
				and not exists (select 1 from accounts as held where held.mobile_key = ?)`, []any{claimer, mobileKey, mobileKey}},
	} {
		var row accountRow
		err := tx.GetContext(ctx, &row, tx.Rebind("update accounts "+step.statement+" returning "+withEndpoints), step.args...)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		now := at(time.Now())
		if err := record(ctx, tx, now, noted(audit.ContactChanged, accounts.FieldMobile), row.ID); err != nil {
			return err
		}
		if err := tell(ctx, tx, row, now, contactChanged(accounts.FieldMobile)); err != nil {
			return err
		}
	}
	return execTx(ctx, tx, "update accounts set "+clearClaim+" where id = ? and pending_mobile_key = ?", claimer, mobileKey)
}
