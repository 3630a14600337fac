package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/messages"
)

// sealTo is the context in which the address of a mail is sealed.
const sealTo = "messages.to/"

const mailColumns = `id, account_id, purpose, language, to_sealed, state, reason, attempt, claim, lease_until, doubts, not_after, enqueues,
	generation, key_id, network, details, request_id, created_at`

// mailRow is a row of messages as far as the outbox cares.
type mailRow struct {
	ID               string               `db:"id"`
	AccountID        string               `db:"account_id"`
	Purpose          accounts.MailPurpose `db:"purpose"`
	Language         string               `db:"language"`
	ToSealed         *string              `db:"to_sealed"`
	State            messages.State       `db:"state"`
	Reason           string               `db:"reason"`
	Attempt          int                  `db:"attempt"`
	ClaimName        string               `db:"claim"`
	LeaseUntil       stamp                `db:"lease_until"`
	UnresolvedClaims int                  `db:"doubts"`
	NotAfter         stamp                `db:"not_after"`
	Enqueues         int                  `db:"enqueues"`
	Generation       int                  `db:"generation"`
	KeyID            string               `db:"key_id"`
	Network          string               `db:"network"`
	Details          string               `db:"details"`
	RequestID        string               `db:"request_id"`
	CreatedAt        stamp                `db:"created_at"`

	account *accountRow // nil: not read with it
}

// insertMail files a mail of the account as it is now; nil is none. It counts as enqueued: the API does
// that right after the commit, and the relay looks after it when it is still waiting some time later.
func (a *Accounts) insertMail(ctx context.Context, tx *sqlx.Tx, mail *accounts.Mail, account accountRow) error {
	if mail == nil {
		return nil
	}
	purpose := cmp.Or(mail.Purpose, accounts.MailActivation)
	masked, sealed := account.EmailMasked, (*string)(nil)
	if purpose == accounts.MailActivation {
		masked = account.PendingEmailMasked
	}
	if !mail.To.IsZero() {
		box, err := a.keys.Seal(mail.To.Reveal(), sealTo+mail.ID)
		if err != nil {
			return fmt.Errorf("seal address of mail: %w", err)
		}
		masked, sealed = mail.To.String(), &box
	}
	_, err := tx.ExecContext(ctx, tx.Rebind(`
		insert into messages (
			id, channel, purpose, language, account_id, to_masked, to_sealed, state, not_after, enqueued_at,
			generation, key_id, network, details, request_id, created_at, updated_at)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
		mail.ID, messages.Email, purpose, mail.Language, account.ID, masked, sealed, messages.Queued,
		at(mail.NotAfter), at(mail.CreatedAt), account.ActivationGeneration, mail.KeyID,
		mail.Network, detailsOf(mail.Facts), mail.RequestID, at(mail.CreatedAt), at(mail.CreatedAt))
	return err
}

// mail leaves the address of its own sealed: only the worker that sends the mail needs it.
func (r mailRow) mail() accounts.Mail {
	return accounts.Mail{
		ID:        r.ID,
		Purpose:   r.Purpose,
		Language:  r.Language,
		KeyID:     r.KeyID,
		NotAfter:  r.NotAfter.Time,
		CreatedAt: r.CreatedAt.Time,
		Network:   r.Network,
		Facts:     r.facts(),
		RequestID: r.RequestID,
	}
}

// detailsOf is what a notice tells, as it is stored; the empty text is nothing.
func detailsOf(facts accounts.MailFacts) string {
	if facts == (accounts.MailFacts{}) {
		return ""
	}
	text, _ := json.Marshal(facts) // strings and a number always have a form
	return string(text)
}

// facts reads what [detailsOf] wrote; what a newer version added is left out.
func (r mailRow) facts() (facts accounts.MailFacts) {
	_ = json.Unmarshal([]byte(r.Details), &facts)
	return facts
}

func (r mailRow) claim() messages.Claim {
	return messages.Claim{ID: r.ID, Attempt: r.Attempt, LeaseUntil: r.LeaseUntil.Time, UnresolvedClaims: r.UnresolvedClaims}
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

// wanted is the condition under which somebody needs a mail, but for its end: a link that still works, or
// a notice with an address that is its own or the account's proved one.
const wanted = `exists (select 1 from accounts where accounts.id = messages.account_id and ` + needed + `)`

// needed is [wanted] where the mail's account is at hand.
const needed = `case
		when messages.purpose = 'activation' then
			accounts.pending_email_key is not null and accounts.activation_generation = messages.generation
		else messages.to_sealed is not null or accounts.email_active
	end`

// standing is what [wanted] asks of an account.
type standing struct {
	Proved     bool `db:"proved"`  // it has a proved address
	Pending    bool `db:"pending"` // an address waits for its proof
	Generation int  `db:"activation_generation"`
}

func standingOf(a accounts.Account) standing {
	return standing{!a.Email.IsZero(), !a.PendingEmail.IsZero(), a.ActivationGeneration}
}

// obsolete says why nobody needs the mail any more, or "": what [wanted] says, with the reason.
func (r mailRow) obsolete(account standing, now stamp) string {
	link := r.Purpose == accounts.MailActivation
	switch {
	case link && account.Proved && !account.Pending:
		return "used"
	case link && (!account.Pending || account.Generation != r.Generation):
		return "superseded"
	case !link && r.ToSealed == nil && !account.Proved:
		return "unproved"
	case !r.NotAfter.After(now.Time):
		return "expired"
	}
	return ""
}
