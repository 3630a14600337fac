package accounts

import (
	"time"

	"github.com/google/uuid"

	"usher/contact"
	"usher/messages"
)

// ClaimedMail is a mail of the outbox that its worker may send now, with what is needed to write it.
// The account is read at the claim, so a mail that names no address of its own goes to the one that is
// stored then: an activation to the address that waits for its proof, a notice to the proved one.
type ClaimedMail struct {
	messages.Claim
	Mail    Mail
	Account Account
}

// Recipient returns the address the mail goes to: its own, or else one of the account's.
func (m ClaimedMail) Recipient() contact.Email {
	if !m.Mail.To.IsZero() {
		return m.Mail.To
	}
	if m.Mail.Purpose == MailActivation || m.Mail.Purpose == "" {
		return m.Account.PendingEmail
	}
	return m.Account.Email
}

// DueMail is a mail of the outbox whose task must be put on the queue (again).
type DueMail struct {
	Mail
	// Enqueues counts the workers that died with this mail in their hands; it is part of the task's id, so
	// that a new task can be made while a dead worker's one still holds the old id.
	Enqueues int
}

// noticeLife is how long a notice is worth sending: a mail server that is away over night does not keep
// the owner from hearing of a change.
const noticeLife = 24 * time.Hour

// newMail returns a mail that is to be filed now. It ends on a whole second, as its link does.
func (s *Service) newMail(purpose MailPurpose, life time.Duration, origin Origin) *Mail {
	now := s.Now()
	return &Mail{
		ID:        uuid.Must(uuid.NewV7()).String(), // the system's random source does not fail
		Purpose:   purpose,
		Language:  origin.Language,
		KeyID:     s.Keys.SigningID(),
		NotAfter:  now.Add(life).Truncate(time.Second),
		CreatedAt: now,
		Network:   origin.Network,
		RequestID: origin.RequestID,
	}
}

// newNotice returns a mail that tells the address of a change: not the account's address at the claim, or the next
// change would silence the notice.
func (s *Service) newNotice(purpose MailPurpose, to contact.Email, facts MailFacts, origin Origin) *Mail {
	mail := s.newMail(purpose, noticeLife, origin)
	mail.To, mail.Facts = to, facts
	return mail
}
