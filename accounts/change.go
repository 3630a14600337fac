package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
)

// UndoWindow is how long a change can be undone. As long, a contact that a change has brought neither resets the
// password nor undoes other changes.
const UndoWindow = 72 * time.Hour

// ErrRecentlyChanged means that the contact came with a change that can still be undone.
var ErrRecentlyChanged = errors.New("contact was changed recently")

// ChangeKind says what a change has changed.
type ChangeKind string

// The kinds of changes.
const (
	ChangedMobile   ChangeKind = "mobile"
	ChangedEmail    ChangeKind = "email"       // the new address is proved
	AskedForEmail   ChangeKind = "email_asked" // another address is pending
	ChangedPassword ChangeKind = "password"
	NumberClaimed   ChangeKind = "claim" // by a new account, see [ClaimWindow]
)

// Contacts are the proved number and address of an account. The times say when a change has brought them; zero means
// that they came with the account.
type Contacts struct {
	Mobile          contact.Mobile
	MobileChangedAt time.Time
	Email           contact.Email
	EmailChangedAt  time.Time
}

// Change is a change of an account that can be undone. The store records it in the transaction of the change, with the
// contacts that the account had before.
type Change struct {
	ID        string // UUID
	AccountID string
	Kind      ChangeKind
	At        time.Time
	EndsAt    time.Time // it cannot be undone from then on
	Before    Contacts  // filled in by the store
	Mails     []*Mail   // notices of the change; not read back
}

// settled reports whether a contact that a change has brought may reset the password and undo other changes: until
// then it may be an intruder's. No other place decides this.
func settled(changedAt, now time.Time) bool {
	return changedAt.IsZero() || now.Sub(changedAt) >= UndoWindow
}

// newChange returns a change that is made now.
func (s *Service) newChange(account Account, kind ChangeKind, window time.Duration) *Change {
	now := s.Now()
	return &Change{ID: newID(), AccountID: account.ID, Kind: kind, At: now, EndsAt: now.Add(window)}
}

// Origin is what the mails that a request causes say about it.
type Origin struct {
	Language  string // of the mails: zh or en; empty means zh
	Network   string // from which the request came, such as 203.0.113.0/24
	RequestID string
}

// notify adds a notice to the change, unless the address is zero. It contains the link that undoes the change if the
// address was the account's before the change and is settled.
func (s *Service) notify(change *Change, account Account, to contact.Email, purpose MailPurpose, origin Origin, facts MailFacts) {
	if to.IsZero() {
		return
	}
	mail := s.newNotice(purpose, to, facts, origin)
	if to == account.Email && settled(account.EmailChangedAt, change.At) {
		mail.Facts.Change, mail.NotAfter = change.ID, change.EndsAt.Truncate(time.Second)
	}
	change.Mails = append(change.Mails, mail)
}

// enqueueAll enqueues mails that were written together; nil is none. It is best effort: an acknowledged account must
// not depend on Redis, and the relay enqueues the mails that are left in the outbox.
func (s *Service) enqueueAll(ctx context.Context, mails ...*Mail) {
	for _, mail := range mails {
		if mail == nil {
			continue
		}
		if err := s.Mailer.EnqueueMail(ctx, *mail); err != nil {
			s.Logger.WarnContext(ctx, "mail not enqueued; the relay will enqueue it",
				"task_id", mail.ID, "purpose", mail.Purpose, "request_id", mail.RequestID, "error", err)
		}
	}
}
