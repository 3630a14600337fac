package accounts

import (
	"cmp"
	"errors"
	"time"

	"github.com/google/uuid"

	"usher/contact"
	"usher/messages"
	"usher/secrets"
	"usher/verify"
)

// MailPurpose says what a mail is about.
type MailPurpose string

// The mails. The empty purpose means MailActivation.
const (
	MailActivation      MailPurpose = "activation"       // proves an address; contains a link
	MailPasswordChanged MailPurpose = "password_changed" // to the owner, at the address proved by then
	MailMobileChanged   MailPurpose = "mobile_changed"   // likewise
	MailEmailAsked      MailPurpose = "email_asked"      // to the proved address: another one is pending
	MailEmailChanged    MailPurpose = "email_changed"    // to the addresses before and after the change
	MailChangeUndone    MailPurpose = "change_undone"    // likewise
	MailNumberClaimed   MailPurpose = "number_claimed"   // to an account that was not used for long
	MailClaimEnded      MailPurpose = "claim_ended"      // to the account that claimed a number
	MailDeletionAsked   MailPurpose = "deletion_asked"   // to the proved address: the account will be erased
)

// Mail is a mail of an account as the outbox keeps it: written in the transaction of the change that causes it.
type Mail struct {
	ID        string // UUID; also names the task on the queue
	Purpose   MailPurpose
	Language  string        // zh or en; empty means zh
	To        contact.Email // its address; zero means the account's at the claim
	KeyID     string        // key that signs the link, so that every attempt sends the same one
	NotAfter  time.Time     // end of the link: the mail is useless after it
	CreatedAt time.Time
	Network   string    // of the request; empty: unknown
	Facts     MailFacts // what a notice says
	RequestID string
}

// MailFacts is what a notice says, and how an activation mail came about. Numbers and addresses are masked.
type MailFacts struct {
	Former  string `json:"former,omitempty"`  // before the change
	Present string `json:"present,omitempty"` // after it
	Change  string `json:"change,omitempty"`  // id of the change that the mail's link undoes; empty: there is no link
	Until   int64  `json:"until,omitempty"`   // Unix time at which a requested deletion is carried out
	Typed   bool   `json:"typed,omitempty"`   // the address was just typed, at a registration or a change: a bounce before counts no more
}

// ClaimedMail is a mail of the outbox that its worker may send now, with what is needed to write it. The account is
// read at the claim: a mail without an address of its own goes to the account's address at that time, which is the
// pending one for an activation and the proved one for a notice.
type ClaimedMail struct {
	messages.Claim
	Mail    Mail
	Account Account
	Bounced bool // there is no such mailbox, see [BounceKept]: it must not be sent
}

// Recipient returns the address that the mail goes to.
func (m ClaimedMail) Recipient() contact.Email {
	if m.Mail.Purpose == MailActivation || m.Mail.Purpose == "" {
		return cmp.Or(m.Mail.To, m.Account.PendingEmail)
	}
	return cmp.Or(m.Mail.To, m.Account.Email)
}

// DueMail is a mail of the outbox that needs a task on the queue.
type DueMail struct {
	Mail
	// Enqueues counts the workers that died with this mail. It is part of the task's id, so that a new task can be made
	// while the task of a dead worker still has the old id.
	Enqueues int
}

// noticeLife is how long a notice is worth sending: long enough for a mail server that is unavailable over night.
const noticeLife = 24 * time.Hour

// newMail returns a mail that is written now. It ends on a whole second, as its link does.
func (s *Service) newMail(purpose MailPurpose, life time.Duration, origin Origin) *Mail {
	now := s.Now()
	return &Mail{
		ID:        newID(),
		Purpose:   purpose,
		Language:  origin.Language,
		KeyID:     s.Keys.SigningID(),
		NotAfter:  now.Add(life).Truncate(time.Second),
		CreatedAt: now,
		Network:   origin.Network,
		RequestID: origin.RequestID,
	}
}

// newNotice returns a mail about a change. It has an address of its own: at the account's address at the claim, the
// next change would silence the notice.
func (s *Service) newNotice(purpose MailPurpose, to contact.Email, facts MailFacts, origin Origin) *Mail {
	mail := s.newMail(purpose, noticeLife, origin)
	mail.To, mail.Facts = to, facts
	return mail
}

// newID returns a UUID whose order is that of time. The system's random source does not fail.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// The kinds of the links in mails. They keep a link of one kind from being used as another.
const (
	linkActivate = "" // older links have no kind
	linkDecline  = "decline"
	linkUndo     = "undo"
)

// declineLife is how long a link that declines an activation works after the end of the mail's other link: people read
// mails the next day.
const declineLife = 24 * time.Hour

// indexEmail is the kind under which addresses are hashed into tokens.
const indexEmail = "email"

// ActivationToken returns the token of the link that proves an address. Like the other two tokens it is derived from
// stored facts alone, so that every attempt to send the mail contains the same link. They return secrets.ErrUnknownKey
// when the key that should sign it was removed.
func ActivationToken(keys *secrets.Keys, mail ClaimedMail) (string, error) {
	return keys.SignToken(mail.Mail.KeyID, secrets.Token{
		Kind:       linkActivate,
		Account:    mail.Account.ID,
		Generation: mail.Account.ActivationGeneration,
		Address:    keys.Index(indexEmail, mail.Account.PendingEmail.Reveal()),
		ExpiresAt:  mail.Mail.NotAfter,
	})
}

// DeclineToken returns the token of the link "this was not me" of an activation mail.
func DeclineToken(keys *secrets.Keys, mail ClaimedMail) (string, error) {
	return keys.SignToken(mail.Mail.KeyID, secrets.Token{
		Kind:      linkDecline,
		Account:   mail.Account.ID,
		Address:   keys.Index(indexEmail, mail.Account.PendingEmail.Reveal()),
		ExpiresAt: mail.Mail.NotAfter.Add(declineLife),
	})
}

// UndoToken returns the token of the link that undoes the change of a notice.
func UndoToken(keys *secrets.Keys, mail ClaimedMail) (string, error) {
	return keys.SignToken(mail.Mail.KeyID, secrets.Token{
		Kind:      linkUndo,
		Account:   mail.Account.ID,
		Address:   mail.Mail.Facts.Change,
		ExpiresAt: mail.Mail.NotAfter,
	})
}

// parseLink returns the token of a link of this kind, and whether it has expired. It returns ErrLinkInvalid for any
// other text.
func (s *Service) parseLink(text, kind string) (token secrets.Token, expired bool, err error) {
	token, err = s.Keys.ParseToken(text, s.Now())
	expired = errors.Is(err, secrets.ErrExpired)
	if err != nil && !expired || token.Kind != kind {
		return secrets.Token{}, false, ErrLinkInvalid
	}
	return token, expired, nil
}

// LinkAccount returns the id of the account that a link of ours was made for, even if it has expired, or "" for any
// other text. It asks no store.
func (s *Service) LinkAccount(text string) string {
	token, err := s.Keys.ParseToken(text, s.Now())
	if err != nil && !errors.Is(err, secrets.ErrExpired) || token.Kind == verify.LinkKind { // a code has no account
		return ""
	}
	return token.Account
}
