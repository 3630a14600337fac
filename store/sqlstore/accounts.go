package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/contact"
	"usher/events"
	"usher/secrets"
	"usher/store"
)

// Accounts implements accounts.Store. It is safe for concurrent use; make it with [NewAccounts].
type Accounts struct {
	db   *DB
	keys *secrets.Keys
}

var _ accounts.Store = (*Accounts)(nil)

// NewAccounts returns the accounts in db. The keys hash and seal numbers and addresses.
func NewAccounts(db *DB, keys *secrets.Keys) *Accounts { return &Accounts{db, keys} }

// insertAccount has an argument for each column of an [accountRow].
var insertAccount = "insert into accounts (" + accountColumns + ") values (" + named(accountColumns) + ")"

// named returns the named arguments of a list of columns.
func named(columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = ":" + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

// Create stores the account and its mail in one transaction. Of parallel calls with the same name, number or proved address
// one succeeds, and the others return an *accounts.ExistsError.
func (a *Accounts) Create(ctx context.Context, account accounts.Account, mail *accounts.Mail) error {
	row, err := a.row(account)
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	err = a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := a.insert(ctx, tx, &row, account.Consents()); err != nil {
			return err
		}
		return a.insertMails(ctx, tx, row, mail)
	})
	return accountError("create account", err)
}

// insert writes a new account, its consents, its record in the audit and its event.
func (a *Accounts) insert(ctx context.Context, tx *sqlx.Tx, row *accountRow, consents []accounts.Consent) error {
	query, args, err := tx.BindNamed(insertAccount+" returning "+anyEndpoint, *row)
	if err != nil {
		return err
	}
	if err := tx.GetContext(ctx, &row.HasEndpoints, query, args...); err != nil {
		return err
	}
	if err := insertConsents(ctx, tx, row.ID, consents); err != nil {
		return err
	}
	if err := record(ctx, tx, row.CreatedAt, noted(audit.AccountCreated), row.ID); err != nil {
		return err
	}
	return tell(ctx, tx, *row, row.CreatedAt, fact{event: events.AccountCreated})
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

// Exists implements accounts.Store.
func (a *Accounts) Exists(ctx context.Context, key accounts.Key) (bool, error) {
	condition, value, err := a.where(key)
	if err != nil {
		return false, err
	}
	query, args := "select exists (select 1 from accounts where "+condition+")", []any{value}
	if key.By == accounts.ByUsername {
		query += " or " + isHeld
		args = append(args, a.keys.Index(indexUsername, key.Value))
	}
	var exists bool
	err = a.db.get(ctx, &exists, query, args...)
	return exists, store.Wrap("find account", err)
}

// NameTaken implements accounts.Store. "is not true" keeps the names of accounts without a time, for which the condition is null.
func (a *Accounts) NameTaken(ctx context.Context, name string, before time.Time) (bool, error) {
	var taken bool
	err := a.db.get(ctx, &taken, "select exists (select 1 from accounts where username_key = ? and ("+isUnproved+") is not true) or "+isHeld,
		name, at(before), a.keys.Index(indexUsername, name))
	return taken, store.Wrap("find user name", err)
}

// Activate implements accounts.Store. It proves the address in one statement: of several accounts that wait with the same
// address, the unique column of proved addresses lets one win.
func (a *Accounts) Activate(
	ctx context.Context, was accounts.Account, hash string, when time.Time, kept *accounts.Change,
) (accounts.Account, error) {
	set, changedAt := "", Stamp{}
	var mails []*accounts.Mail
	if kept != nil || hash != "" {
		set = ", " + endSessions
	}
	if kept != nil {
		changedAt, mails = at(kept.At), kept.Mails
	}
	facts, n := []fact{contactChanged(accounts.FieldEmail)}, noted(audit.ContactChanged, accounts.FieldEmail)
	if hash != "" {
		facts, n.fields = append(facts, fact{event: events.AccountPasswordChanged}), append(n.fields, accounts.FieldPassword)
	}
	// Where the statement finds the account, it is as active as the caller has read: only an activation makes an account active, and
	// that removes the pending address.
	if !was.Active {
		facts, n.action = []fact{{event: events.AccountActivated}}, audit.AccountActivated
	}
	row, err := a.update(ctx, writing{kept: kept, mails: mails, facts: facts, note: n}, `
		set email_key = pending_email_key, email_sealed = pending_email_sealed, email_masked = pending_email_masked,
			email_changed_at = coalesce(?, email_changed_at), email_active = true, active = true, updated_at = ?,
			password_hash = coalesce(nullif(?, ''), password_hash), `+clearPending+set+`
		where id = ? and activation_generation = ? and pending_email_key is not null`,
		changedAt, at(when), hash, was.ID, was.ActivationGeneration)
	return a.found("activate account", row, err)
}

// RenewActivation stores another mail of the same generation. Mails of older generations, which are about another address,
// are dropped when a worker claims them.
func (a *Accounts) RenewActivation(ctx context.Context, id string, mail accounts.Mail) error {
	_, err := a.update(ctx, writing{mails: []*accounts.Mail{&mail}, note: noted(audit.ActivationSent)}, `
		set updated_at = ?, pending_email_at = case when pending_email_at is null then pending_email_at else ? end
		where id = ? and pending_email_key is not null`,
		at(mail.CreatedAt), at(mail.CreatedAt), id)
	return accountError("renew activation", err)
}

// where returns the condition for a key, and the condition's argument.
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

// found converts the result of a statement to an account.
func (a *Accounts) found(operation string, row accountRow, err error) (accounts.Account, error) {
	if err != nil {
		return accounts.Account{}, accountError(operation, err)
	}
	account, err := a.account(row)
	return account, accountError(operation, err)
}

// accountError converts the error of a statement: a missing row to accounts.ErrNotFound, and a value that another account has
// to an *accounts.ExistsError. It returns nil for nil.
func accountError(operation string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.ErrNotFound
	}
	if field := takenField(err); field != "" {
		return &accounts.ExistsError{Field: field}
	}
	return store.Wrap(operation, err)
}

// ChangePassword implements accounts.Store.
func (a *Accounts) ChangePassword(
	ctx context.Context, was accounts.Account, hash string, kept *accounts.Change,
) (accounts.Account, error) {
	w := writing{
		kept: kept, facts: []fact{{event: events.AccountPasswordChanged}}, note: noted(audit.PasswordChanged, accounts.FieldPassword),
	}
	return a.change(ctx, "change password", was, w, "password_hash = ?, "+endSessions, hash)
}

// SetUsername implements accounts.Store.
func (a *Accounts) SetUsername(ctx context.Context, id, name string, when time.Time) (accounts.Account, error) {
	key, err := usernameKey(id, name)
	if err != nil {
		return accounts.Account{}, fmt.Errorf("set user name: %w", err)
	}
	row, err := a.update(ctx, writing{note: noted(audit.UsernameSet, accounts.FieldUsername)}, `
		set username = ?, username_key = ?, updated_at = ?
		where id = ? and username = ''`,
		name, key, at(when), id)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrChanged
	}
	return a.found("set user name", row, err)
}

// ChangeEmail implements accounts.Store.
func (a *Accounts) ChangeEmail(
	ctx context.Context, was accounts.Account, email contact.Email, link *accounts.Mail, kept *accounts.Change,
) (accounts.Account, error) {
	key, sealed := a.hide(indexEmail, email.Reveal(), sealEmail+was.ID)
	w := writing{kept: kept, mails: []*accounts.Mail{link}, note: noted(audit.ContactRequested, accounts.FieldEmail)}
	return a.change(ctx, "change email", was, w,
		`pending_email_key = ?, pending_email_sealed = ?, pending_email_masked = ?, pending_email_at = ?,
			email_changed_at = case when email_key is null then ? else email_changed_at end,
			activation_generation = activation_generation + 1`,
		key, sealed, email.String(), at(kept.At), at(kept.At))
}

// ReplaceEmail implements accounts.Store.
func (a *Accounts) ReplaceEmail(
	ctx context.Context, was accounts.Account, email contact.Email, kept *accounts.Change,
) (accounts.Account, error) {
	key, sealed := a.hide(indexEmail, email.Reveal(), sealEmail+was.ID)
	return a.change(ctx, "replace email", was, proving(kept, accounts.FieldEmail),
		"email_key = ?, email_sealed = ?, email_masked = ?, email_changed_at = ?, email_active = true, "+clearPending+`,
			activation_generation = activation_generation + 1, `+endSessions,
		key, sealed, email.String(), at(kept.At))
}

// CorrectEmail implements accounts.Store.
func (a *Accounts) CorrectEmail(
	ctx context.Context, was accounts.Account, email contact.Email, link accounts.Mail,
) (accounts.Account, error) {
	key, sealed := a.hide(indexEmail, email.Reveal(), sealEmail+was.ID)
	row, err := a.update(ctx, writing{mails: []*accounts.Mail{&link}, note: noted(audit.ContactRequested, accounts.FieldEmail)}, `
		set pending_email_key = ?, pending_email_sealed = ?, pending_email_masked = ?,
			pending_email_at = case when pending_email_at is null then pending_email_at else ? end,
			activation_generation = activation_generation + 1, updated_at = ?
		where id = ? and session_generation = ? and activation_generation = ? and pending_email_key is not null and `+isWaiting,
		key, sealed, email.String(), at(link.CreatedAt), at(link.CreatedAt),
		was.ID, was.SessionGeneration, was.ActivationGeneration)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrChanged
	}
	return a.found("correct email", row, err)
}

// ChangeMobile implements accounts.Store.
func (a *Accounts) ChangeMobile(
	ctx context.Context, was accounts.Account, mobile contact.Mobile, kept *accounts.Change,
) (accounts.Account, error) {
	key, sealed := a.hide(indexMobile, mobile.Reveal(), sealMobile+was.ID)
	return a.change(ctx, "change mobile", was, proving(kept, accounts.FieldMobile),
		"mobile_key = ?, mobile_sealed = ?, mobile_masked = ?, mobile_changed_at = ?, "+clearClaim+", "+endSessions,
		key, sealed, mobile.String(), at(kept.At))
}

// endSessions ends all sessions of an account: each belongs to a generation.
const endSessions = "session_generation = session_generation + 1"

// writing is what a transaction writes beside the change of an account's row.
type writing struct {
	kept  *accounts.Change // the previous contacts, to undo the change; may be nil
	mails []*accounts.Mail // any may be nil
	facts []fact           // that events tell

	consents    []accounts.Consent
	consentsOf  string            // id of the account whose consents change; empty: they do not
	withdrawn   accounts.Document // whose consents end; empty: of none
	withdrawnAt Stamp
	note        note // for the audit

	permit func(context.Context, *sqlx.Tx, accountRow) error // may refuse the change; nil: it is permitted
}

// proving is what belongs to a change that brings another proved contact.
func proving(kept *accounts.Change, field accounts.Field) writing {
	return writing{kept: kept, facts: []fact{contactChanged(field)}, note: noted(audit.ContactChanged, field)}
}

// change makes the assignments of set if the account is still in the generations that the caller has read, keeps the previous
// contacts to undo the change, and stores the mails of the change after those of w, in one transaction.
func (a *Accounts) change(
	ctx context.Context, operation string, was accounts.Account, w writing, set string, args ...any,
) (accounts.Account, error) {
	args = append(args, at(w.kept.At), was.ID, was.SessionGeneration, was.ActivationGeneration)
	w.mails = append(w.mails, w.kept.Mails...)
	row, err := a.update(ctx, w, `
		set `+set+`, updated_at = ?
		where id = ? and session_generation = ? and activation_generation = ?`,
		args...)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrChanged
	}
	return a.found(operation, row, err)
}

// update changes one account as the statement after "update accounts" says, or returns sql.ErrNoRows, and writes what belongs to
// the change, in one transaction. The statement sets updated_at, which is also the time of the record in the audit and of the events.
func (a *Accounts) update(ctx context.Context, w writing, statement string, args ...any) (row accountRow, err error) {
	err = a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := errors.Join(a.storeChange(ctx, tx, w.kept), keepEarlierConsent(ctx, tx, w.consentsOf)); err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &row, tx.Rebind("update accounts "+statement+" returning "+withEndpoints), args...); err != nil {
			return err
		}
		if w.permit != nil {
			if err := w.permit(ctx, tx, row); err != nil {
				return err
			}
		}
		if err := errors.Join(insertConsents(ctx, tx, row.ID, w.consents), withdraw(ctx, tx, row.ID, w)); err != nil {
			return err
		}
		if err := record(ctx, tx, row.UpdatedAt, w.note, row.ID); err != nil {
			return err
		}
		if err := tell(ctx, tx, row, row.UpdatedAt, w.facts...); err != nil {
			return err
		}
		return a.insertMails(ctx, tx, row, w.mails...)
	})
	return row, err
}

var _ accounts.ImportStore = (*Accounts)(nil)

// createBatch is how many accounts one statement stores: SQLite takes 32,766 variables.
const createBatch = 500

// CreateAll implements [accounts.ImportStore]. A statement for many accounts takes as long as a few calls of [Accounts.Create].
func (a *Accounts) CreateAll(ctx context.Context, list []accounts.Account, keep bool) (map[string]bool, error) {
	rows := make([]accountRow, 0, len(list))
	for _, account := range list {
		row, err := a.row(account)
		if err != nil {
			return nil, fmt.Errorf("create accounts: %w", err)
		}
		rows = append(rows, row)
	}
	var ids []string
	err := a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error {
		ids = ids[:0]
		for batch := range slices.Chunk(rows, createBatch) {
			query, args, err := sqlx.Named(insertAccount+" on conflict do nothing returning id", batch)
			if err != nil {
				return err
			}
			var created []string
			if err := tx.SelectContext(ctx, &created, tx.Rebind(query), args...); err != nil {
				return err
			}
			ids = append(ids, created...)
		}
		if !keep {
			return errRollback
		}
		return record(ctx, tx, at(time.Now()), noted(audit.AccountsImported), "")
	})
	if err != nil && !errors.Is(err, errRollback) {
		return nil, fmt.Errorf("create accounts: %w", err)
	}
	created := make(map[string]bool, len(ids))
	for _, id := range ids {
		created[id] = true
	}
	return created, nil
}

// Rehash replaces the hash unless it is no longer the old one. The time of the last change stays, because the password is the
// same.
func (a *Accounts) Rehash(ctx context.Context, id, old, hash string) error {
	_, err := a.db.exec(ctx, "update accounts set password_hash = ? where id = ? and password_hash = ?", hash, id, old)
	return store.Wrap("rehash password", err)
}

// ImportedHashes returns up to n hashes of passwords that were imported from another system. An index of these alone makes it
// fast, also when there are none.
func (a *Accounts) ImportedHashes(ctx context.Context, n int) ([]string, error) {
	var hashes []string
	err := a.db.list(ctx, &hashes, `
		select password_hash from accounts
		where password_hash > '' and substr(password_hash, 1, 1) <> '$'
		order by id limit ?`, n)
	return hashes, store.Wrap("find imported hashes", err)
}
