package accounts

import (
	"context"
	"time"

	"usher/contact"
	"usher/verify"
)

// A pending address has no proof yet. Any number of accounts may have the same one; the first proof decides.

// declinedTTL is how long no mail asks for the proof of a declined address.
const declinedTTL = 24 * time.Hour

// Decline removes the address that the link was made for from every account that has it pending, deletes those that had
// nothing else, and lets no mail ask for its proof for a day. An account that has proved the address keeps it. It may be
// repeated. The errors are ErrLinkInvalid and ErrLinkExpired.
func (s *Service) Decline(ctx context.Context, text string) error {
	token, expired, err := s.parseLink(text, linkDecline)
	switch {
	case err != nil:
		return err
	case expired:
		return ErrLinkExpired
	}
	now := s.Now()
	if err := s.Store.Decline(ctx, token.Address, now.Add(declinedTTL)); err != nil {
		return err
	}
	return s.Store.Release(ctx, token.Address, now)
}

// refuseEmail returns an *ExistsError for an address that an account has proved, and a *verify.LimitError while its
// owner declines mails that ask for its proof.
func (s *Service) refuseEmail(ctx context.Context, email contact.Email) error {
	if err := s.refuseProved(ctx, email); err != nil {
		return err
	}
	return s.refuseDeclined(ctx, email)
}

// refuseProved is the first half of refuseEmail.
func (s *Service) refuseProved(ctx context.Context, email contact.Email) error {
	taken, err := s.Store.Exists(ctx, Key{ByEmail, email.Reveal()})
	if err == nil && taken {
		err = &ExistsError{FieldEmail}
	}
	return err
}

// refuseDeclined is the second half of refuseEmail.
func (s *Service) refuseDeclined(ctx context.Context, email contact.Email) error {
	until, err := s.Store.DeclinedUntil(ctx, s.Keys.Index(indexEmail, email.Reveal()))
	if err != nil {
		return err
	}
	if wait := until.Sub(s.Now()); wait > 0 {
		return &verify.LimitError{Name: "declined_email", RetryAfter: wait}
	}
	return nil
}

// release removes a proved address from the accounts that have it pending. The proof is valid even if this fails; the
// worker's periodic work removes the rest.
func (s *Service) release(ctx context.Context, address string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := s.Store.Release(ctx, address, s.Now()); err != nil {
		s.Logger.WarnContext(ctx, "proved address not removed from accounts that have it pending; a worker will do it", "error", err)
	}
}

// ranOut reports whether the account waits for a proof that did not come in time, and its name is free again. A blocked one
// keeps its name.
func (s *Service) ranOut(account Account) bool {
	return !account.Blocked() && account.Waiting() && !account.PendingEmailAt.IsZero() && account.PendingEmailAt.Before(s.unprovedBefore())
}

// unprovedBefore is the time before which the proof was asked for of an expired account whose name is free again; zero: no
// account expires. A worker erases such accounts [HoldName] before, so this counts only where none runs.
func (s *Service) unprovedBefore() time.Time {
	if s.Policy.UnprovedTTL <= 0 {
		return time.Time{}
	}
	return s.Now().Add(-s.Policy.UnprovedTTL - HoldName)
}
