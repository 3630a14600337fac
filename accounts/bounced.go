package accounts

import (
	"context"
	"time"

	"usher/contact"
)

// BounceKept is how long no mail goes to an address after a mail server said that there is no such mailbox. Each further mail
// would harm our reputation there. Typing the address again, at a registration or a change, ends it earlier.
const BounceKept = 30 * 24 * time.Hour

// Bounced reports whether mails to an address that bounced at a time are held back now. The zero time means that none bounced.
func Bounced(at, now time.Time) bool { return !at.IsZero() && now.Sub(at) < BounceKept }

// bounced reports whether mails to the address are held back. Only the account's own session may learn it: of an address that
// anyone asks for, it would show that mails were sent there before.
func (s *Service) bounced(ctx context.Context, email contact.Email) (bool, error) {
	at, err := s.Store.BouncedAt(ctx, email)
	return Bounced(at, s.Now()), err
}
