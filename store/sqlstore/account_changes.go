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
	"usher/contact"
	"usher/events"
	"usher/store"
)

// contactsRow is the contacts of an account as they are stored, in accounts and in account_changes. They are sealed for the
// account in both tables, so that they can be moved without opening them.
type contactsRow struct {
	MobileKey       *string `db:"mobile_key"`
	MobileSealed    *string `db:"mobile_sealed"`
	MobileMasked    string  `db:"mobile_masked"`
	MobileChangedAt Stamp   `db:"mobile_changed_at"`
	EmailKey        *string `db:"email_key"`
	EmailSealed     *string `db:"email_sealed"`
	EmailMasked     string  `db:"email_masked"`
	EmailChangedAt  Stamp   `db:"email_changed_at"`
}

const contactColumns = `mobile_key, mobile_sealed, mobile_masked, mobile_changed_at,
	email_key, email_sealed, email_masked, email_changed_at`

type changeRow struct {
	ID        string              `db:"id"`
	AccountID string              `db:"account_id"`
	Kind      accounts.ChangeKind `db:"kind"`
	ChangedAt Stamp               `db:"changed_at"`
	EndsAt    Stamp               `db:"ends_at"`
	contactsRow
}

const changeColumns = "id, account_id, kind, changed_at, ends_at, " + contactColumns

// lock locks an account's row until the transaction ends, or returns sql.ErrNoRows.
func (a *Accounts) lock(ctx context.Context, tx *sqlx.Tx, id string) error {
	var locked string
	return tx.GetContext(ctx, &locked, tx.Rebind("select id from accounts where id = ? "+a.db.dialect.forUpdate()), id)
}

// storeChange stores a change with the account's present contacts, and locks the account's row, so that the transaction
// changes the account as it was stored. Nil is no change.
func (a *Accounts) storeChange(ctx context.Context, tx *sqlx.Tx, change *accounts.Change) error {
	if change == nil {
		return nil
	}
	if err := a.lock(ctx, tx, change.AccountID); err != nil {
		return err
	}
	return execTx(ctx, tx, `
		insert into account_changes (`+changeColumns+`)
		select cast(? as text), id, cast(? as text), cast(? as timestamptz), cast(? as timestamptz), `+contactColumns+`
		from accounts where id = ?`,
		change.ID, change.Kind, at(change.At), at(change.EndsAt), change.AccountID)
}

// FindChange implements accounts.Store.
func (a *Accounts) FindChange(ctx context.Context, id string, when time.Time) (accounts.Change, error) {
	var row changeRow
	err := a.db.get(ctx, &row, "select "+changeColumns+" from account_changes where id = ? and ends_at > ?", id, at(when))
	if err != nil {
		return accounts.Change{}, accountError("find change", err)
	}
	return a.changeOf(row)
}

// ChangesFrom implements accounts.Store.
func (a *Accounts) ChangesFrom(ctx context.Context, mobile contact.Mobile, when time.Time) ([]accounts.Change, error) {
	var rows []changeRow
	err := a.db.list(ctx, &rows, "select "+changeColumns+` from account_changes
		where mobile_key = ? and ends_at > ? order by changed_at, id`,
		a.keys.Index(indexMobile, mobile.Reveal()), at(when))
	if err != nil {
		return nil, fmt.Errorf("find changes: %w", err)
	}
	changes := make([]accounts.Change, 0, len(rows))
	for _, row := range rows {
		change, err := a.changeOf(row)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// changeOf converts a row, and opens the contacts in it.
func (a *Accounts) changeOf(row changeRow) (accounts.Change, error) {
	change := accounts.Change{
		ID: row.ID, AccountID: row.AccountID, Kind: row.Kind, At: row.ChangedAt.Time, EndsAt: row.EndsAt.Time,
		Before: accounts.Contacts{MobileChangedAt: row.MobileChangedAt.Time, EmailChangedAt: row.EmailChangedAt.Time},
	}
	var err error
	change.Before.Mobile, err = unseal(a, row.MobileSealed, sealMobile+row.AccountID, contact.ParseMobile)
	if err == nil {
		change.Before.Email, err = unseal(a, row.EmailSealed, sealEmail+row.AccountID, contact.ParseEmail)
	}
	return change, store.Wrap("open contacts of change", err)
}

// undoTries bounds how often an undo checks again which contacts are still free.
const undoTries = 3

// Undo implements accounts.Store.
func (a *Accounts) Undo(
	ctx context.Context, change accounts.Change, hash string, when time.Time, mails []*accounts.Mail,
) (accounts.Undone, error) {
	for try := 1; ; try++ {
		undone, err := a.undo(ctx, change, hash, when, mails)
		switch {
		case takenField(err) != "" && try < undoTries: // another account has just proved a contact
		case errors.Is(err, sql.ErrNoRows):
			return accounts.Undone{}, accounts.ErrNotFound
		case err != nil:
			return accounts.Undone{}, fmt.Errorf("undo change: %w", err)
		default:
			return undone, nil
		}
	}
}

// undo is one try of [Accounts.Undo]. It locks the account first, so that parallel undos of one change run one after the other
// and the second finds nothing.
func (a *Accounts) undo(
	ctx context.Context, change accounts.Change, hash string, when time.Time, mails []*accounts.Mail,
) (undone accounts.Undone, err error) {
	var row accountRow
	err = a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := a.lock(ctx, tx, change.AccountID); err != nil {
			return err
		}
		if err := takeBack(ctx, tx, change.AccountID, when); err != nil {
			return err
		}
		var before contactsRow
		err := tx.GetContext(ctx, &before, tx.Rebind("select "+contactColumns+` from account_changes
			where id = ? and account_id = ? and ends_at > ?`), change.ID, change.AccountID, at(when))
		if err != nil {
			return err
		}
		if undone.Lost, err = a.dropLost(ctx, tx, change.AccountID, &before); err != nil {
			return err
		}
		if row, err = a.restore(ctx, tx, change.AccountID, before, hash, when); err != nil {
			return err
		}
		err = execTx(ctx, tx, "delete from account_changes where account_id = ? and changed_at >= ?", change.AccountID, at(change.At))
		if err != nil {
			return err
		}
		if _, err := a.endClaims(ctx, tx, before.MobileKey); err != nil {
			return err
		}
		n := noted(audit.ChangeUndone, accounts.FieldMobile, accounts.FieldEmail, accounts.FieldPassword)
		if err := record(ctx, tx, row.UpdatedAt, n, row.ID); err != nil {
			return err
		}
		facts := []fact{contactChanged(accounts.FieldMobile, accounts.FieldEmail), {event: events.AccountPasswordChanged}}
		if err := tell(ctx, tx, row, row.UpdatedAt, facts...); err != nil {
			return err
		}
		return a.insertMails(ctx, tx, row, mails...)
	})
	if err != nil {
		return accounts.Undone{}, err
	}
	undone.Account, err = a.account(row)
	return undone, err
}

// takeBack takes a requested deletion back: an intruder may have asked for it.
func takeBack(ctx context.Context, tx *sqlx.Tx, id string, when time.Time) error {
	var kept []string
	err := tx.SelectContext(ctx, &kept, tx.Rebind("update accounts set delete_at = null where id = ? and delete_at is not null returning id"), id)
	if err != nil {
		return err
	}
	return record(ctx, tx, at(when), noted(audit.DeletionTakenBack), kept...)
}

// dropLost removes those of the contacts that another account has by now, and returns their fields.
func (a *Accounts) dropLost(ctx context.Context, tx *sqlx.Tx, id string, before *contactsRow) ([]accounts.Field, error) {
	var taken struct {
		Mobile bool `db:"mobile"`
		Email  bool `db:"email"`
	}
	err := tx.GetContext(ctx, &taken, tx.Rebind(`select
		exists (select 1 from accounts where mobile_key = ? and id <> ?) as mobile,
		exists (select 1 from accounts where email_key = ? and id <> ?) as email`),
		before.MobileKey, id, before.EmailKey, id) // no account has a missing key: null equals nothing
	var lost []accounts.Field
	if taken.Mobile {
		lost = append(lost, accounts.FieldMobile)
		before.MobileKey, before.MobileSealed, before.MobileMasked, before.MobileChangedAt = nil, nil, "", Stamp{}
	}
	if taken.Email {
		lost = append(lost, accounts.FieldEmail)
		before.EmailKey, before.EmailSealed, before.EmailMasked, before.EmailChangedAt = nil, nil, "", Stamp{}
	}
	return lost, err
}

// restore sets the account's contacts and password.
func (a *Accounts) restore(
	ctx context.Context, tx *sqlx.Tx, id string, before contactsRow, hash string, when time.Time,
) (row accountRow, err error) {
	err = tx.GetContext(ctx, &row, tx.Rebind(`
		update accounts
		set mobile_key = ?, mobile_sealed = ?, mobile_masked = ?, mobile_changed_at = ?,
			email_key = ?, email_sealed = ?, email_masked = ?, email_changed_at = ?, email_active = ?, `+clearPending+`,
			password_hash = ?, session_generation = session_generation + 1,
			activation_generation = activation_generation + 1, seen_at = ?, updated_at = ?
		where id = ?
		returning `+withEndpoints),
		before.MobileKey, before.MobileSealed, before.MobileMasked, before.MobileChangedAt,
		before.EmailKey, before.EmailSealed, before.EmailMasked, before.EmailChangedAt, before.EmailKey != nil,
		hash, at(when), at(when), id)
	return row, err
}

// DropEndedChanges deletes changes that cannot be undone any more, and returns their number.
func (a *Accounts) DropEndedChanges(ctx context.Context, when time.Time) (int, error) {
	dropped, err := a.db.prune(ctx, pruning{"account_changes", "ends_at", "true"}, when)
	return dropped, store.Wrap("drop ended changes", err)
}
