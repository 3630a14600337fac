package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/secrets"
)

// Accounts implements accounts.Store. It is safe for concurrent use; make it with [NewAccounts].
type Accounts struct {
	db   *DB
	keys *secrets.Keys
}

var _ accounts.Store = (*Accounts)(nil)

// NewAccounts returns the accounts in db. The keys hash and seal numbers and addresses.
func NewAccounts(db *DB, keys *secrets.Keys) *Accounts { return &Accounts{db, keys} }

const insertAccount = `
	insert into accounts (
		id, username, username_key, mobile_key, mobile_sealed, mobile_masked,
		email_key, email_sealed, email_masked,
		pending_email_key, pending_email_sealed, pending_email_masked, pending_email_at,
		password_hash, active, email_active, superuser,
		activation_generation, session_generation,
		pending_mobile_key, pending_mobile_sealed, pending_mobile_masked, pending_mobile_at, seen_at, created_at, updated_at)
	values (
		:id, :username, :username_key, :mobile_key, :mobile_sealed, :mobile_masked,
		:email_key, :email_sealed, :email_masked,
		:pending_email_key, :pending_email_sealed, :pending_email_masked, :pending_email_at,
		:password_hash, :active, :email_active, :superuser,
		:activation_generation, :session_generation,
		:pending_mobile_key, :pending_mobile_sealed, :pending_mobile_masked, :pending_mobile_at, :seen_at, :created_at, :updated_at)`

// Create files the account and its mail in one transaction. Of parallel calls with the same name, number or
// proved address one succeeds, the others get an *accounts.ExistsError.
func (a *Accounts) Create(ctx context.Context, account accounts.Account, mail *accounts.Mail) error {
	row, err := a.row(account)
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	err = a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.NamedExecContext(ctx, insertAccount, row); err != nil {
			return err
		}
		return a.insertMail(ctx, tx, mail, row)
	})
	if field := takenField(err); field != "" {
		return &accounts.ExistsError{Field: field}
	}
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	return nil
}

// Find returns the account, or accounts.ErrNotFound.
func (a *Accounts) Find(ctx context.Context, key accounts.Key) (accounts.Account, error) {
	condition, value, err := a.where(key)
	if err != nil {
		return accounts.Account{}, err
	}
	var row accountRow
	err = a.db.get(ctx, &row, "select "+accountColumns+" from accounts where "+condition, value)
	return a.found("find account", row, err)
}

// Exists reports whether there is such an account.
func (a *Accounts) Exists(ctx context.Context, key accounts.Key) (bool, error) {
	condition, value, err := a.where(key)
	if err != nil {
		return false, err
	}
	var exists bool
	err = a.db.get(ctx, &exists, "select exists (select 1 from accounts where "+condition+")", value)
	if err != nil {
		return false, fmt.Errorf("look for account: %w", err)
	}
	return exists, nil
}

// Activate proves the address in one statement: of accounts that wait with the same address the unique column of
// proved ones lets one win.
func (a *Accounts) Activate(
	ctx context.Context, id string, generation int, hash string, when time.Time, kept *accounts.Change,
) (accounts.Account, error) {
	set, changedAt := "", stamp{}
	var mails []*accounts.Mail
	if kept != nil || hash != "" {
		set = ", " + endSessions
	}
	if kept != nil {
		changedAt, mails = at(kept.At), kept.Mails
	}
	var row accountRow
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := a.fileChange(ctx, tx, kept); err != nil {
			return err
		}
		err := tx.GetContext(ctx, &row, tx.Rebind(`
			update accounts
			set email_key = pending_email_key, email_sealed = pending_email_sealed, email_masked = pending_email_masked,
				email_changed_at = coalesce(?, email_changed_at), email_active = true, active = true, updated_at = ?,
				password_hash = coalesce(nullif(?, ''), password_hash), `+clearPending+set+`
			where id = ? and activation_generation = ? and pending_email_key is not null
			returning `+accountColumns),
			changedAt, at(when), hash, id, generation)
		if err != nil {
			return err
		}
		return a.fileMails(ctx, tx, row, mails...)
	})
	if field := takenField(err); field != "" {
		return accounts.Account{}, &accounts.ExistsError{Field: field}
	}
	return a.found("activate account", row, err)
}

// RenewActivation counts the generation up and files its mail in one transaction. Mails of older
// generations are dropped when a worker claims them.
func (a *Accounts) RenewActivation(ctx context.Context, id string, mail accounts.Mail) error {
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		var row accountRow
		err := tx.GetContext(ctx, &row, tx.Rebind(`
			update accounts
			set activation_generation = activation_generation + 1, updated_at = ?,
				pending_email_at = case when pending_email_at is null then pending_email_at else ? end
			where id = ? and pending_email_key is not null
			returning `+accountColumns),
			at(mail.CreatedAt), at(mail.CreatedAt), id)
		if err != nil {
			return err
		}
		return a.insertMail(ctx, tx, &mail, row)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("renew activation: %w", err)
	}
	return nil
}

// where returns the condition of a key and its argument.
func (a *Accounts) where(key accounts.Key) (condition, value string, err error) {
	switch key.By {
	case accounts.ByID:
		return "id = ?", key.Value, nil
	case accounts.ByUsername:
		return "username_key = ?", key.Value, nil
	case accounts.ByMobile:
		return "mobile_key = ?", a.keys.Index(indexMobile, key.Value), nil
	case accounts.ByClaimedMobile:
		return "pending_mobile_key = ?", a.keys.Index(indexMobile, key.Value), nil
	case accounts.ByEmail:
		return "email_key = ? and email_active", a.keys.Index(indexEmail, key.Value), nil
	}
	return "", "", fmt.Errorf("no account column %q", key.By)
}

// found turns what a statement returned into an account.
func (a *Accounts) found(operation string, row accountRow, err error) (accounts.Account, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrNotFound
	}
	if err != nil {
		return accounts.Account{}, fmt.Errorf("%s: %w", operation, err)
	}
	account, err := a.account(row)
	if err != nil {
		return accounts.Account{}, fmt.Errorf("%s: %w", operation, err)
	}
	return account, nil
}
