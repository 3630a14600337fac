package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/events"
	"usher/messages"
)

// This file writes events in the transactions of what they tell.

// anyEndpoint is the condition that some endpoint gets events.
const anyEndpoint = "exists (select 1 from endpoints where disabled_at is null)"

// withEndpoints are the columns that a statement returns which changes an account. That an endpoint exists is asked in the same
// statement, so that a team without endpoints pays no round trip for events.
const withEndpoints = accountColumns + ", " + anyEndpoint + " as has_endpoints"

// wantsType is the condition that an endpoint gets events of a type. Its argument is that of [typeIn].
const wantsType = "disabled_at is null and (types = ',' or types like ?)"

// typeIn finds a type in the column types.
func typeIn(typ events.Type) string { return "%," + string(typ) + ",%" }

// fact is what an event tells about an account.
type fact struct {
	event   events.Type
	changed []accounts.Field // contacts
}

// contactChanged is the fact that an account's proved contact is another one, or none.
func contactChanged(fields ...accounts.Field) fact {
	return fact{events.AccountContactChanged, fields}
}

// tell writes the events about an account as it is in the row, which the transaction has just changed and has locked.
func tell(ctx context.Context, tx *sqlx.Tx, row accountRow, when Stamp, facts ...fact) error {
	if !row.HasEndpoints {
		return nil
	}
	for _, f := range facts {
		seq, err := nextSeq(ctx, tx, row.ID, f.event)
		if errors.Is(err, sql.ErrNoRows) { // no endpoint wants it
			continue
		}
		if err != nil {
			return err
		}
		body, err := events.Body(f.event, when.Time, row.eventData(f, seq))
		if err != nil {
			return err
		}
		e := events.Event{ID: events.NewID(), Type: f.event, AccountID: row.ID, Seq: seq, Body: body, CreatedAt: when.Time}
		if err := insertEvent(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// nextSeq counts an event of the account, or returns sql.ErrNoRows when no endpoint wants it. The row is locked, so events are
// numbered in the order of their transactions.
func nextSeq(ctx context.Context, tx *sqlx.Tx, id string, typ events.Type) (seq int64, err error) {
	err = tx.GetContext(ctx, &seq, tx.Rebind(`
		update accounts set event_seq = event_seq + 1
		where id = ? and exists (select 1 from endpoints where `+wantsType+`)
		returning event_seq`), id, typeIn(typ))
	return seq, err
}

// eventData returns the data of an event about the account.
func (r accountRow) eventData(f fact, seq int64) events.AccountData {
	data := events.AccountData{AccountID: r.ID, Seq: seq}
	if f.event == events.AccountDeleted {
		return data
	}
	data.Active = &r.Active
	if r.MobileKey != nil {
		data.Mobile = r.MobileMasked
	}
	if r.EmailKey != nil && r.EmailActive {
		data.Email = r.EmailMasked
	}
	for _, field := range f.changed {
		data.Changed = append(data.Changed, string(field))
	}
	return data
}

// insertEvent writes an event and a delivery for each endpoint that wants it. An event that exists is not written again.
func insertEvent(ctx context.Context, tx *sqlx.Tx, e events.Event) error {
	created := at(e.CreatedAt)
	n, err := changedBy(tx.ExecContext(ctx, tx.Rebind(`
		insert into events (id, type, account_id, seq, body, created_at) values (?, ?, ?, ?, ?, ?)
		on conflict (id) do nothing`), e.ID, e.Type, e.AccountID, e.Seq, string(e.Body), created))
	if err != nil || n == 0 {
		return err
	}
	return execTx(ctx, tx, `
		insert into deliveries (id, event_id, endpoint_id, state, next_at, created_at, updated_at)
		select cast(? as text) || '.' || id, cast(? as text), id, 'waiting', cast(? as timestamptz), cast(? as timestamptz),
			cast(? as timestamptz)
		from endpoints where `+wantsType, e.ID, e.ID, created, created, created, typeIn(e.Type))
}

// isWanted reports whether an endpoint gets events of the type.
func isWanted(ctx context.Context, tx *sqlx.Tx, typ events.Type) (wanted bool, err error) {
	err = tx.GetContext(ctx, &wanted, tx.Rebind("select exists (select 1 from endpoints where "+wantsType+")"), typeIn(typ))
	return wanted, err
}

// isUndelivered reports whether a message has ended without reaching the person. A dropped message is none: the person did not
// wait for it any more.
func isUndelivered(state messages.State) bool {
	return state == messages.Failed || state == messages.Undelivered
}

// undelivered is a message that did not reach the person.
type undelivered struct {
	events.MessageData

	account string // empty for a code
	at      time.Time
}

// tellUndelivered writes the events of messages whose outcomes the transaction has just stored, unless a later outcome is there
// already. Each message has one event at most, however often its outcome is stored.
func tellUndelivered(ctx context.Context, tx *sqlx.Tx, list []undelivered) error {
	if len(list) == 0 {
		return nil
	}
	wanted, err := isWanted(ctx, tx, events.MessageUndelivered)
	if err != nil || !wanted {
		return err
	}
	for _, m := range list {
		var stands bool
		err := tx.GetContext(ctx, &stands, tx.Rebind("select exists (select 1 from messages where id = ? and state = ?)"), m.MessageID, m.State)
		if err != nil {
			return err
		}
		if !stands {
			continue
		}
		body, err := events.Body(events.MessageUndelivered, m.at, m.MessageData)
		if err != nil {
			return fmt.Errorf("message %s: %w", m.MessageID, err)
		}
		err = insertEvent(ctx, tx, events.Event{
			ID: events.IDOf("undelivered", m.MessageID), Type: events.MessageUndelivered, AccountID: m.account, Body: body, CreatedAt: m.at,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// approval is a verification of an app whose right code was entered.
type approval struct {
	events.VerificationData

	at time.Time
}

// tellApproved writes the events of verifications. Each has one at most.
func tellApproved(ctx context.Context, tx *sqlx.Tx, list []approval) error {
	if len(list) == 0 {
		return nil
	}
	wanted, err := isWanted(ctx, tx, events.VerificationApproved)
	if err != nil || !wanted {
		return err
	}
	for _, v := range list {
		body, err := events.Body(events.VerificationApproved, v.at, v.VerificationData)
		if err != nil {
			return fmt.Errorf("verification %s: %w", v.VerificationID, err)
		}
		err = insertEvent(ctx, tx, events.Event{
			ID: events.IDOf("approved", v.VerificationID), Type: events.VerificationApproved, Body: body, CreatedAt: v.at,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
