package sqlstore

import (
	"context"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/messages"
)

// purposeActivation is the purpose of every mail so far.
const purposeActivation = "activation"

const mailColumns = `id, account_id, state, reason, attempt, lease_until, not_after, enqueues,
	generation, key_id, request_id, created_at`

// mailRow is a row of messages as far as the outbox cares.
type mailRow struct {
	ID         string         `db:"id"`
	AccountID  string         `db:"account_id"`
	State      messages.State `db:"state"`
	Reason     string         `db:"reason"`
	Attempt    int            `db:"attempt"`
	LeaseUntil stamp          `db:"lease_until"`
	NotAfter   stamp          `db:"not_after"`
	Enqueues   int            `db:"enqueues"`
	Generation int            `db:"generation"`
	KeyID      string         `db:"key_id"`
	RequestID  string         `db:"request_id"`
	CreatedAt  stamp          `db:"created_at"`
}

// insertMail files the mail of the account's present generation. It counts as enqueued: the API does that
// right after the commit, and the relay looks after it when it is still waiting some time later.
func insertMail(ctx context.Context, tx *sqlx.Tx, mail accounts.Mail, account accountRow) error {
	_, err := tx.ExecContext(ctx, tx.Rebind(`
		insert into messages (
			id, channel, purpose, account_id, to_masked, state, not_after, enqueued_at, generation, key_id,
			request_id, created_at, updated_at)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
		mail.ID, messages.Email, purposeActivation, account.ID, account.EmailMasked, messages.Queued,
		at(mail.NotAfter), at(mail.CreatedAt), account.ActivationGeneration, mail.KeyID,
		mail.RequestID, at(mail.CreatedAt), at(mail.CreatedAt))
	return err
}

func (r mailRow) mail() accounts.Mail {
	return accounts.Mail{
		ID:        r.ID,
		KeyID:     r.KeyID,
		NotAfter:  r.NotAfter.Time,
		CreatedAt: r.CreatedAt.Time,
		RequestID: r.RequestID,
	}
}

func (r mailRow) claim() messages.Claim {
	return messages.Claim{ID: r.ID, Attempt: r.Attempt, LeaseUntil: r.LeaseUntil.Time}
}

// open reports whether the mail is still to be sent.
func (r mailRow) open() bool {
	return r.State == messages.Queued || r.State == messages.Sending
}

// closed says why a mail that is not open is not to be sent again.
func (r mailRow) closed() string {
	switch r.State {
	case messages.Dropped:
		return r.Reason
	case messages.Failed:
		return string(messages.Failed)
	default:
		return string(messages.Sent)
	}
}

// obsolete says why nobody needs the mail any more, or "".
func (r mailRow) obsolete(account accounts.Account, now stamp) string {
	switch {
	case account.EmailActive:
		return "used"
	case account.ActivationGeneration != r.Generation:
		return "superseded"
	case !r.NotAfter.After(now.Time):
		return "expired"
	}
	return ""
}
