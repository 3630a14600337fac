package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/secrets"
	"usher/verify"
)

// tokenDecline is the kind of the tokens by which the owner of an address says that a registration was not theirs.
const tokenDecline = "decline"

// declinedFor is how long no mail asks for the proof of a declined address.
const declinedFor = 24 * time.Hour

// declineLife is how long the owner of the address has for it after the end of the mail's other link: people read
// mails the next day.
const declineLife = 24 * time.Hour

// DeclineToken returns what the link "this was not me" of a claimed activation carries; see [ActivationToken].
func DeclineToken(keys *secrets.Keys, mail ClaimedMail) (string, error) {
	return keys.SignToken(mail.Mail.KeyID, secrets.Token{
		Kind:      tokenDecline,
		Account:   mail.Account.ID,
		Address:   keys.Index(indexEmail, mail.Account.PendingEmail.Reveal()),
		ExpiresAt: mail.Mail.NotAfter.Add(declineLife),
	})
}

// Decline takes the address that the token was made for away from every account that waits with it, deletes those that
// had nothing else, and keeps the address from being asked again for a day. An account that has proved the address
// keeps it. It may be repeated. The errors are ErrLinkInvalid and ErrLinkExpired.
func (s *Service) Decline(ctx context.Context, text string) error {
	now := s.Now()
	token, err := s.Keys.ParseToken(text, now)
	switch {
	case errors.Is(err, secrets.ErrExpired) && token.Kind == tokenDecline:
		return ErrLinkExpired
	case err != nil || token.Kind != tokenDecline:
		return ErrLinkInvalid
	}
	if err := s.Store.Decline(ctx, token.Address, now.Add(declinedFor)); err != nil {
		return err
	}
	return s.Store.Release(ctx, token.Address, now)
}

// refuseDeclined returns a *verify.LimitError while the owner of the address wants no mails that ask for its proof.
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

// release takes an address that is proved away from those who wait with it. The proof stands whatever comes of that,
// and periodic work does what is left.
func (s *Service) release(ctx context.Context, address string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	if err := s.Store.Release(ctx, address, s.Now()); err != nil {
		s.Logger.WarnContext(ctx, "proved address not taken from other accounts that wait with it", "error", err)
	}
}

// ranOut reports whether the account waits for a proof that did not come in time.
func (s *Service) ranOut(account Account) bool {
	return account.Waiting() && !account.PendingEmailAt.IsZero() && account.PendingEmailAt.Before(s.unprovedBefore())
}

// unprovedBefore is the time before which proofs must have been asked for that have run out; zero: none has.
func (s *Service) unprovedBefore() time.Time {
	if s.Policy.UnprovedTTL <= 0 {
		return time.Time{}
	}
	return s.Now().Add(-s.Policy.UnprovedTTL)
}
