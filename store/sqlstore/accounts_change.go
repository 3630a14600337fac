package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/contact"
)

var _ accounts.Changes = (*Accounts)(nil)

// ChangePassword implements accounts.Changes.
func (a *Accounts) ChangePassword(
	ctx context.Context, was accounts.Account, hash string, when time.Time, notice *accounts.Mail,
) (accounts.Account, error) {
	return a.change(ctx, "change password", change{
		was: was, at: when, mails: []*accounts.Mail{notice},
		set:  "password_hash = ?, session_generation = session_generation + 1",
		args: []any{hash},
	})
}

// ChangeEmail implements accounts.Changes.
func (a *Accounts) ChangeEmail(
	ctx context.Context, was accounts.Account, email contact.Email, when time.Time, mails ...*accounts.Mail,
) (accounts.Account, error) {
	key, sealed, err := a.hide(indexEmail, email.Reveal(), sealEmail+was.ID)
	if err != nil {
		return accounts.Account{}, err
	}
	return a.change(ctx, "change email", change{
		was: was, at: when, mails: mails,
		set: `pending_email_key = ?, pending_email_sealed = ?, pending_email_masked = ?, pending_email_at = ?,
			activation_generation = activation_generation + 1`,
		args: []any{key, sealed, email.String(), at(when)},
	})
}

// ChangeMobile implements accounts.Changes.
func (a *Accounts) ChangeMobile(
	ctx context.Context, was accounts.Account, mobile contact.Mobile, when time.Time,
) (accounts.Account, error) {
	key, sealed, err := a.hide(indexMobile, mobile.Reveal(), sealMobile+was.ID)
	if err != nil {
		return accounts.Account{}, err
	}
	return a.change(ctx, "change mobile", change{
		was: was, at: when,
		set:  "mobile_key = ?, mobile_sealed = ?, mobile_masked = ?",
		args: []any{key, sealed, mobile.String()},
	})
}

// change is an update of one account: what is set to which arguments, and the mails that go with it.
type change struct {
	was   accounts.Account
	at    time.Time
	set   string
	args  []any
	mails []*accounts.Mail
}

// change makes the update if the account is still in the generations that the caller has seen, and files
// the mails, in one transaction.
func (a *Accounts) change(ctx context.Context, operation string, c change) (accounts.Account, error) {
	var row accountRow
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		args := append(c.args, at(c.at), c.was.ID, c.was.SessionGeneration, c.was.ActivationGeneration)
		err := tx.GetContext(ctx, &row, tx.Rebind(`
			update accounts
			set `+c.set+`, updated_at = ?
			where id = ? and session_generation = ? and activation_generation = ?
			returning `+accountColumns),
			args...)
		if err != nil {
			return err
		}
		for _, mail := range c.mails {
			if err := a.insertMail(ctx, tx, mail, row); err != nil {
				return err
			}
		}
		return nil
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
