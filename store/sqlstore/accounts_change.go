package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/contact"
)

// ChangePassword implements accounts.Store.
func (a *Accounts) ChangePassword(
	ctx context.Context, was accounts.Account, hash string, kept *accounts.Change,
) (accounts.Account, error) {
	return a.change(ctx, "change password", change{
		was: was, kept: kept, mails: kept.Mails,
		set:  "password_hash = ?, " + endSessions,
		args: []any{hash},
	})
}

// ChangeEmail implements accounts.Store.
func (a *Accounts) ChangeEmail(
	ctx context.Context, was accounts.Account, email contact.Email, link *accounts.Mail, kept *accounts.Change,
) (accounts.Account, error) {
	key, sealed, err := a.hide(indexEmail, email.Reveal(), sealEmail+was.ID)
	if err != nil {
		return accounts.Account{}, err
	}
	return a.change(ctx, "change email", change{
		was: was, kept: kept, mails: append([]*accounts.Mail{link}, kept.Mails...),
		set: `pending_email_key = ?, pending_email_sealed = ?, pending_email_masked = ?, pending_email_at = ?,
			email_changed_at = case when email_key is null then ? else email_changed_at end,
			activation_generation = activation_generation + 1`,
		args: []any{key, sealed, email.String(), at(kept.At), at(kept.At)},
	})
}

// ChangeMobile implements accounts.Store.
func (a *Accounts) ChangeMobile(
	ctx context.Context, was accounts.Account, mobile contact.Mobile, kept *accounts.Change,
) (accounts.Account, error) {
	key, sealed, err := a.hide(indexMobile, mobile.Reveal(), sealMobile+was.ID)
	if err != nil {
		return accounts.Account{}, err
	}
	return a.change(ctx, "change mobile", change{
		was: was, kept: kept, mails: kept.Mails,
		set:  "mobile_key = ?, mobile_sealed = ?, mobile_masked = ?, mobile_changed_at = ?, " + clearClaim + ", " + endSessions,
		args: []any{key, sealed, mobile.String(), at(kept.At)},
	})
}

// endSessions makes the sessions of an account be of the past.
const endSessions = "session_generation = session_generation + 1"

// change is an update of one account: what is set to which arguments, what is kept to undo it, and the mails that go
// with it.
type change struct {
	was   accounts.Account
	kept  *accounts.Change
	set   string
	args  []any
	mails []*accounts.Mail
}

// change makes the update if the account is still in the generations that the caller has seen, keeps what was before
// and files the mails, in one transaction.
func (a *Accounts) change(ctx context.Context, operation string, c change) (accounts.Account, error) {
	var row accountRow
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := a.fileChange(ctx, tx, c.kept); err != nil {
			return err
		}
		args := append(c.args, at(c.kept.At), c.was.ID, c.was.SessionGeneration, c.was.ActivationGeneration)
		err := tx.GetContext(ctx, &row, tx.Rebind(`
			update accounts
			set `+c.set+`, updated_at = ?
			where id = ? and session_generation = ? and activation_generation = ?
			returning `+accountColumns),
			args...)
		if err != nil {
			return err
		}
		return a.fileMails(ctx, tx, row, c.mails...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrChanged
	}
	if field := takenField(err); field != "" {
		return accounts.Account{}, &accounts.ExistsError{Field: field}
	}
	if err != nil {
		return accounts.Account{}, fmt.Errorf("%s: %w", operation, err)
	}
	return a.account(row)
}
