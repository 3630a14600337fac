package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/contact"
	"usher/events"
	"usher/messages"
	"usher/secrets"
	"usher/store"
)

// Mails is the outbox of mails, which gives each mail to one worker at a time. It is safe for concurrent use; make it with
// [NewMails].
type Mails struct {
	db       *DB
	accounts *Accounts
	now      func() time.Time
	claims   *batcher[claiming, mailRow]
	records  *batcher[recording, struct{}]
}

// NewMails returns the mails in db. The clocks of all workers must agree within a small part of a lease.
func NewMails(db *DB, keys *secrets.Keys, now func() time.Time) *Mails {
	m := &Mails{db: db, accounts: NewAccounts(db, keys), now: now}
	m.claims = newBatcher(m.claimMany)
	m.records = newBatcher(m.recordMany)
	return m
}

// free is the condition under which a worker may claim a message: it is queued, or the lease of its last claim is over. Its
// argument is the time.
const free = `(state = 'queued' or state = 'sending' and lease_until <= ?)`

// insertMails stores mails of the account as it is now; nil is no mail. They count as enqueued: the API enqueues them right
// after the commit, and the relay enqueues them again when they still wait some time later.
func (a *Accounts) insertMails(ctx context.Context, tx *sqlx.Tx, account accountRow, mails ...*accounts.Mail) error {
	for _, mail := range mails {
		if mail == nil {
			continue
		}
		purpose := cmp.Or(mail.Purpose, accounts.MailActivation)
		masked, sealed := account.EmailMasked, (*string)(nil)
		if purpose == accounts.MailActivation {
			masked = account.PendingEmailMasked
		}
		if !mail.To.IsZero() {
			box := a.keys.Seal(mail.To.Reveal(), sealTo+mail.ID)
			masked, sealed = mail.To.String(), &box
		}
		err := execTx(ctx, tx, `
			insert into messages (
				id, channel, purpose, language, account_id, to_masked, to_sealed, state, not_after, enqueued_at,
				generation, key_id, network, details, request_id, created_at, updated_at)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			mail.ID, messages.Email, purpose, mail.Language, account.ID, masked, sealed, messages.Queued,
			at(mail.NotAfter), at(mail.CreatedAt), account.ActivationGeneration, mail.KeyID,
			mail.Network, detailsOf(mail.Facts), mail.RequestID, at(mail.CreatedAt), at(mail.CreatedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// Claim gives the caller the exclusive right to send the mail once, until the lease is over, and returns the mail with its
// account as it is now. It returns [messages.ErrBusy] while another lease runs, whose end is in LeaseUntil, and
// [messages.ErrDropped] when the mail must not be sent, with the Reason: sent, failed, used, superseded, unproved, expired or
// missing.
func (m *Mails) Claim(ctx context.Context, id string, lease time.Duration) (accounts.ClaimedMail, error) {
	now := m.now()
	c := claiming{id: id, name: secrets.Random(8), now: at(now), until: at(now.Add(lease))}
	if m.db.dialect == onPostgres {
		if row := m.claims.do(ctx, c); row != nil {
			return m.keep(ctx, *row, c.now)
		}
	}
	return m.claimAlone(ctx, c)
}

// claimAlone claims a mail in a statement of its own, or finds out why it cannot be claimed.
func (m *Mails) claimAlone(ctx context.Context, c claiming) (accounts.ClaimedMail, error) {
	var row mailRow
	err := m.db.get(ctx, &row, `
		update messages
		set state = 'sending', attempt = attempt + 1, claim = ?, lease_until = ?, updated_at = ?,
			doubts = doubts + case state when 'sending' then 1 else 0 end
		where id = ? and channel = 'email' and not_after > ? and `+free+` and `+wanted+`
		returning `+mailColumns,
		c.name, c.until, c.now, c.id, c.now, c.now)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return m.refuse(ctx, c.id, c.now, c.name)
	case err != nil:
		return accounts.ClaimedMail{}, errors.Join(fmt.Errorf("claim mail: %w", err), m.unclaim(ctx, c.id, c.name))
	}
	return m.keep(ctx, row, c.now)
}

// keep returns the mail of a claim. When that fails it takes the claim back: nothing was sent, so the claim must not count as
// unresolved. Another worker may have a key that this one lacks, and an unavailable database becomes available again.
func (m *Mails) keep(ctx context.Context, row mailRow, now Stamp) (accounts.ClaimedMail, error) {
	claimed, err := m.claimed(ctx, row, now)
	if err != nil && !errors.Is(err, messages.ErrDropped) {
		err = errors.Join(err, m.unclaim(ctx, row.ID, row.ClaimName))
	}
	return claimed, err
}

// unclaimTimeout bounds taking a claim back, which may have to be done after the caller's own time is over.
const unclaimTimeout = 2 * time.Second

// unclaim takes back a claim that will not be used, as when its reply was lost: it does not count as unresolved, and the next
// worker does not wait for its end. The mail counts as enqueued now, because its task is queued for a retry.
func (m *Mails) unclaim(ctx context.Context, id, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unclaimTimeout)
	defer cancel()
	now := at(m.now())
	_, err := m.db.exec(ctx, `
		update messages set state = 'queued', lease_until = null, enqueued_at = ?, updated_at = ?
		where id = ? and channel = 'email' and state = 'sending' and claim = ?`,
		now, now, id, name)
	return store.Wrap("take claim back", err)
}

// claimed returns what a worker needs to send the mail that it has claimed.
func (m *Mails) claimed(ctx context.Context, row mailRow, now Stamp) (accounts.ClaimedMail, error) {
	account, err := m.account(ctx, row)
	if err != nil {
		return accounts.ClaimedMail{}, fmt.Errorf("claim mail: %w", err)
	}
	claimed := accounts.ClaimedMail{Claim: row.claim(), Mail: row.mail(), Account: account}
	if reason := row.obsolete(standingOf(account), now); reason != "" { // the account has changed since the claim
		claimed.Reason = reason
		return claimed, messages.ErrDropped
	}
	if claimed.Mail.To, err = unseal(m.accounts, row.ToSealed, sealTo+row.ID, contact.ParseEmail); err == nil {
		claimed.Bounced, err = m.bounced(ctx, claimed)
	}
	return claimed, err
}

// account returns the account of a mail, which may have been read with the mail.
func (m *Mails) account(ctx context.Context, row mailRow) (accounts.Account, error) {
	if row.account != nil {
		return m.accounts.found("find account", *row.account, nil)
	}
	return m.accounts.Find(ctx, accounts.Key{By: accounts.ByID, Value: row.AccountID})
}

// refuse finds out why a mail could not be claimed, and closes the mail when that will never change. A claim with the caller's
// name is the caller's own: database/sql repeats a statement whose connection was closed.
func (m *Mails) refuse(ctx context.Context, id string, now Stamp, name string) (accounts.ClaimedMail, error) {
	refused := accounts.ClaimedMail{Claim: messages.Claim{ID: id, Reason: "missing"}}
	var row mailRow
	err := m.db.get(ctx, &row, "select "+mailColumns+" from messages where id = ? and "+ofMail, id)
	if errors.Is(err, sql.ErrNoRows) {
		return refused, messages.ErrDropped
	}
	if err != nil {
		return refused, fmt.Errorf("read mail: %w", err)
	}
	refused.Claim, refused.Mail = row.claim(), row.mail()
	if row.State != messages.Queued && row.State != messages.Sending {
		refused.Reason = row.closed()
		return refused, messages.ErrDropped
	}
	if row.State == messages.Sending && row.ClaimName == name {
		return m.keep(ctx, row, now)
	}
	if row.State == messages.Sending && row.LeaseUntil.After(now.Time) {
		return refused, messages.ErrBusy
	}
	account, err := m.accounts.Find(ctx, accounts.Key{By: accounts.ByID, Value: row.AccountID})
	if err != nil {
		return refused, fmt.Errorf("read mail: %w", err)
	}
	refused.Reason = row.obsolete(standingOf(account), now)
	if refused.Reason == "" { // it was freed after the claim was refused: the caller tries again
		refused.LeaseUntil = now.Time
		return refused, messages.ErrBusy
	}
	_, err = m.db.exec(ctx, `
		update messages set state = 'dropped', reason = ?, lease_until = null, updated_at = ?
		where id = ? and `+free,
		refused.Reason, now, id, now)
	if err != nil {
		return refused, fmt.Errorf("drop mail: %w", err)
	}
	return refused, messages.ErrDropped
}

// Record stores the outcome of a claim, or returns [messages.ErrStale] when another worker has claimed the mail meanwhile. A
// mail that is to be tried again counts as enqueued at the outcome's time, because its task is queued for a retry. Sending
// keeps the claim: the outcome is unknown.
func (m *Mails) Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
	r := recording{claim: claim, outcome: outcome}
	switch outcome.State {
	case messages.Sent:
		r.accepted = at(outcome.At)
	case messages.Queued:
		r.enqueued = at(outcome.At)
	case messages.Failed, messages.Sending:
	default:
		return fmt.Errorf("record mail: an attempt does not end as %s", outcome.State)
	}
	if outcome.State == messages.Failed {
		return m.recordFailed(ctx, r)
	}
	if m.db.dialect == onPostgres && m.records.do(ctx, r) != nil {
		return nil
	}
	return m.recordAlone(ctx, r)
}

// recordFailed records that a mail will never be sent, and writes the event of it in the same transaction.
func (m *Mails) recordFailed(ctx context.Context, r recording) error {
	err := m.db.inTx(ctx, func(tx *sqlx.Tx) error {
		var mail struct {
			Account string `db:"account_id"`
			Purpose string `db:"purpose"`
			To      string `db:"to_masked"`
			Reason  string `db:"reason"`
		}
		query, args := r.statement()
		err := tx.GetContext(ctx, &mail, tx.Rebind(query+" returning account_id, purpose, to_masked, reason"), args...)
		if err != nil {
			return err
		}
		return tellUndelivered(ctx, tx, []undelivered{{account: mail.Account, at: r.outcome.At, MessageData: events.MessageData{
			MessageID: r.claim.ID, Channel: string(messages.Email), Purpose: mail.Purpose, To: mail.To,
			State: string(messages.Failed), Reason: mail.Reason,
		}}})
	})
	if errors.Is(err, sql.ErrNoRows) {
		return messages.ErrStale
	}
	return store.Wrap("record mail", err)
}

// vendorCause is the condition under which the last refusal of a message came from a provider: a later refusal of our own does
// not replace it, see [messages.Outcome.Own].
var vendorCause = `(messages.provider_code <> '' and messages.provider_code not like 'own$_%' escape '$' and messages.provider not in ('` +
	strings.Join(messages.OwnProviders(), "', '") + `'))`

// statement returns the statement that records one outcome.
func (r recording) statement() (query string, args []any) {
	query = `
		update messages
		set state = ?, lease_until = case ? when 'sending' then lease_until end, accepted_at = ?, enqueued_at = coalesce(?, enqueued_at),
			provider = case when ? and ` + vendorCause + ` then provider else coalesce(nullif(?, ''), provider) end, provider_id = ?,
			provider_code = case when ? and ` + vendorCause + ` then provider_code else ? end,
			reason = case when ? and ` + vendorCause + ` then reason else ? end, updated_at = ?
		where id = ? and channel = 'email' and attempt = ?
			and (state = 'sending' or state = ? and updated_at = ?)`
	return query, []any{
		r.outcome.State, r.outcome.State, r.accepted, r.enqueued,
		r.outcome.Own(), r.outcome.Provider, r.outcome.ProviderID, r.outcome.Own(), r.outcome.Code,
		r.outcome.Own(), r.outcome.Reason, at(r.outcome.At),
		r.claim.ID, r.claim.Attempt, r.outcome.State, at(r.outcome.At),
	}
}

// recordAlone records an outcome in a statement of its own.
func (m *Mails) recordAlone(ctx context.Context, r recording) error {
	query, args := r.statement()
	changed, err := m.db.exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("record mail: %w", err)
	}
	if changed == 0 {
		return messages.ErrStale
	}
	return nil
}
