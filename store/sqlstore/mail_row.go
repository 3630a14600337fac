package sqlstore

import (
	"encoding/json"

	"usher/accounts"
	"usher/messages"
)

// sealTo is the context in which the address of a mail is sealed.
const sealTo = "messages.to/"

const mailColumns = `id, account_id, purpose, language, to_sealed, state, reason, attempt, claim, lease_until, doubts, not_after, enqueues,
	generation, key_id, network, details, request_id, created_at`

// mailRow is the part of a row of messages that the outbox uses. The column doubts counts unresolved claims: stored words stay.
type mailRow struct {
	Message

	ToSealed   *string `db:"to_sealed"`
	ClaimName  string  `db:"claim"`
	Generation int     `db:"generation"`
	KeyID      string  `db:"key_id"`
	Network    string  `db:"network"`
	Details    string  `db:"details"`

	account *accountRow // nil when it was not read with the mail
}

// mail returns the mail without its own address: only the worker that sends the mail opens that.
func (r mailRow) mail() accounts.Mail {
	return accounts.Mail{
		ID:        r.ID,
		Purpose:   accounts.MailPurpose(r.Purpose),
		Language:  r.Language,
		KeyID:     r.KeyID,
		NotAfter:  r.NotAfter.Time,
		CreatedAt: r.CreatedAt.Time,
		Network:   r.Network,
		Facts:     r.facts(),
		RequestID: r.RequestID,
	}
}

// detailsOf returns the stored form of a notice's facts; the empty text is none.
func detailsOf(facts accounts.MailFacts) string {
	if facts == (accounts.MailFacts{}) {
		return ""
	}
	text, _ := json.Marshal(facts) // strings and a number always have a form
	return string(text)
}

// facts reads what [detailsOf] wrote; facts that a newer version added are ignored.
func (r mailRow) facts() (facts accounts.MailFacts) {
	_ = json.Unmarshal([]byte(r.Details), &facts)
	return facts
}

// claim returns the claim that the row has now.
func (r mailRow) claim() messages.Claim {
	return messages.Claim{ID: r.ID, Attempt: r.Attempt, LeaseUntil: r.LeaseUntil.Time, UnresolvedClaims: r.UnresolvedClaims}
}

// closed returns the reason why a mail that is not to be sent any more must not be sent again.
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

// wanted is the condition under which a mail is still useful, apart from its end: a link that still works, or a notice with an
// address of its own or a proved address of the account.
const wanted = `exists (select 1 from accounts where accounts.id = messages.account_id and ` + needed + `)`

// needed is [wanted] for statements that join the mail's account.
const needed = `case
		when messages.purpose = 'activation' then
			accounts.pending_email_key is not null and accounts.activation_generation = messages.generation
		else messages.to_sealed is not null or accounts.email_active
	end`

// standing is the part of an account that [wanted] depends on.
type standing struct {
	Proved     bool `db:"proved"`  // it has a proved address
	Pending    bool `db:"pending"` // an address waits for its proof
	Generation int  `db:"activation_generation"`
}

// standingOf returns the same as the columns of a [standing], for an account that was read already.
func standingOf(a accounts.Account) standing {
	return standing{!a.Email.IsZero(), !a.PendingEmail.IsZero(), a.ActivationGeneration}
}

// obsolete returns the reason why the mail is not useful any more, or "": it is [wanted] with a reason.
func (r mailRow) obsolete(account standing, now Stamp) string {
	link := r.Purpose == string(accounts.MailActivation)
	switch {
	case link && account.Proved && !account.Pending && account.Generation == r.Generation:
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
