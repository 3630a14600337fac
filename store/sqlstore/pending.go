package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/contact"
	"usher/store"
)

// This file is about addresses that wait for their proof, and about accounts that have no other contact.

const (
	// isWaiting is the condition of accounts.Account.Waiting.
	isWaiting = "not active and mobile_key is null and email_key is null and pending_email_key is not null"

	// isUnproved is the condition that an account waits, is not blocked, and its proof was requested before a time, which is its
	// argument.
	isUnproved = "blocked_at is null and pending_email_at < ? and " + isWaiting

	// clearPending removes the address that waits for its proof.
	clearPending = `pending_email_key = null, pending_email_sealed = null, pending_email_masked = '', pending_email_at = null`
)

const (
	// pendingBatch is how many accounts one transaction changes: few enough that no other transaction waits long for their locks.
	pendingBatch = 200

	// releaseBatches bounds the work of one request for an address that many accounts wait with. A periodic task does the
	// rest.
	releaseBatches = 10
)

// FindWaiting returns the newest of the accounts that wait for the proof of the address and have no other contact.
func (a *Accounts) FindWaiting(ctx context.Context, email contact.Email) (accounts.Account, error) {
	var row accountRow
	err := a.db.get(ctx, &row, "select "+accountColumns+" from accounts where pending_email_key = ? and "+isWaiting+
		" order by created_at desc, id desc limit 1", a.keys.Index(indexEmail, email.Reveal()))
	return a.found("find waiting account", row, err)
}

// Release implements accounts.Store. Accounts that another transaction has locked are skipped: it releases them, or they are
// losing a race for the proof.
func (a *Accounts) Release(ctx context.Context, address string, when time.Time) error {
	for range releaseBatches {
		n, err := a.dropPending(ctx, when, unproved{"pending_email_key = ?", []any{address}, pendingBatch, false})
		if err != nil {
			return fmt.Errorf("release address: %w", err)
		}
		if n < pendingBatch {
			break
		}
	}
	return nil
}

// Decline implements accounts.Store. The later end stays.
func (a *Accounts) Decline(ctx context.Context, address string, until time.Time) error {
	_, err := a.db.exec(ctx, `
		insert into declined_emails (email_key, until) values (?, ?)
		on conflict (email_key) do update set until = excluded.until where excluded.until > declined_emails.until`,
		address, at(until))
	return store.Wrap("decline address", err)
}

// DeclinedUntil implements accounts.Store.
func (a *Accounts) DeclinedUntil(ctx context.Context, address string) (time.Time, error) {
	var until Stamp
	err := a.db.get(ctx, &until, "select until from declined_emails where email_key = ?", address)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return until.Time, store.Wrap("find declined address", err)
}

// RemoveUnproved implements accounts.Store.
func (a *Accounts) RemoveUnproved(ctx context.Context, id string, before time.Time) error {
	_, err := a.dropPending(ctx, time.Now(), unproved{"id = ? and " + isUnproved, []any{id, at(before)}, 1, false})
	return store.Wrap("remove unproved account", err)
}

// DropUnproved removes the unproved addresses of up to limit accounts: those whose proof was requested before a time, those that
// another account has proved, and those that their owner has declined. Accounts without another contact are deleted with their
// mails. It returns the number of accounts that it has changed. Calls may run in parallel.
func (a *Accounts) DropUnproved(ctx context.Context, now, before time.Time, limit int) (int, error) {
	if err := a.forgetDeclined(ctx, now); err != nil {
		return 0, err
	}
	changed := 0
	for _, c := range []struct {
		condition string
		args      []any
	}{
		{"pending_email_at < ?", []any{at(before)}},
		// A process may have ended before it released the address after a proof or a refusal.
		{`exists (select 1 from accounts as owner where owner.email_key = accounts.pending_email_key and owner.email_active)`, nil},
		{`exists (select 1 from declined_emails where declined_emails.email_key = accounts.pending_email_key)`, nil},
	} {
		n, err := a.dropPending(ctx, now, unproved{c.condition, c.args, limit - changed, true})
		if err != nil {
			return changed, fmt.Errorf("drop unproved addresses: %w", err)
		}
		if changed += n; changed >= limit {
			break
		}
	}
	return changed, nil
}

// forgetDeclined deletes expired refusals. It also moves unproved addresses that an older version has stored in the columns that
// are now for proved ones.
func (a *Accounts) forgetDeclined(ctx context.Context, now time.Time) error {
	if _, err := a.db.slowly().exec(ctx, "delete from declined_emails where until <= ?", at(now)); err != nil {
		return fmt.Errorf("delete declined addresses: %w", err)
	}
	_, err := a.db.slowly().exec(ctx, `
		update accounts
		set pending_email_key = email_key, pending_email_sealed = email_sealed, pending_email_masked = email_masked,
			pending_email_at = updated_at, email_key = null, email_sealed = null, email_masked = ''
		where email_key is not null and not email_active`)
	return store.Wrap("move unproved addresses", err)
}

// unproved selects accounts whose unproved address is removed.
type unproved struct {
	condition string
	args      []any
	limit     int
	hold      bool // the names of deleted accounts stay taken for a while
}

// dropPending removes the unproved address from accounts that are selected and not blocked, in one transaction. Accounts without
// another contact are erased.
func (a *Accounts) dropPending(ctx context.Context, now time.Time, u unproved) (int, error) {
	var rows []struct {
		accountRow
		Waiting bool `db:"waiting"`
	}
	err := a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error {
		rows = rows[:0]
		err := tx.SelectContext(ctx, &rows, tx.Rebind("select "+withEndpoints+", "+isWaiting+" as waiting from accounts"+
			" where pending_email_key is not null and blocked_at is null and "+u.condition+" order by id limit ? "+a.db.dialect.skipLocked()),
			append(slices.Clip(u.args), u.limit)...)
		if err != nil {
			return err
		}
		var others []string
		for _, row := range rows {
			if !row.Waiting {
				others = append(others, row.ID)
				continue
			}
			if _, err := a.erase(ctx, tx, row.accountRow, now, u.hold); err != nil {
				return err
			}
		}
		return errors.Join(
			record(ctx, tx, at(now), noted(audit.ContactRemoved, accounts.FieldEmail), others...),
			execIn(ctx, tx, "update accounts set "+clearPending+", updated_at = ? where id in (?)", others, at(now)))
	})
	return len(rows), err
}

// execIn runs a statement whose last argument is a list of ids. It does nothing for none.
func execIn(ctx context.Context, tx *sqlx.Tx, statement string, ids []string, args ...any) error {
	if len(ids) == 0 {
		return nil
	}
	query, args, err := sqlx.In(statement, append(args, ids)...)
	if err != nil {
		return err
	}
	return execTx(ctx, tx, query, args...)
}
