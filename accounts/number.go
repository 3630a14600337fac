package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
)

// A number passes from one person to another: carriers give out again what was given up. So a code alone does not
// open an account that was not seen for long and that its owner can open in another way. The new holder of the number
// makes a new account, which claims it; when the account before is not seen within [ClaimWindow], the number leaves it.

// ClaimWindow is how long an account that was not seen for long has to answer before its number leaves it.
const ClaimWindow = 7 * 24 * time.Hour

// ErrSecondProof means that a code is not enough: the account was not seen for so long that its number may belong to
// another person by now.
var ErrSecondProof = errors.New("account was not seen for long: a code does not open it")

// seenEvery is how exactly [Account.SeenAt] is known: writing each use would cost a write for each request.
const seenEvery = 24 * time.Hour

// lastSeen is when the account was used last, to a day.
func (a Account) lastSeen() time.Time {
	if a.SeenAt.IsZero() { // it is older than the column
		return a.UpdatedAt
	}
	return a.SeenAt
}

// outOfSight reports whether a code alone must not open the account. An account without a password and without a
// proved address has nothing but its number.
func (s *Service) outOfSight(account Account) bool {
	return s.Policy.NumberRecheck > 0 && s.Now().Sub(account.lastSeen()) >= s.Policy.NumberRecheck &&
		(account.PasswordHash != "" || !account.Email.IsZero())
}

// ofNumber returns the account that a right code for the number opens: the one that has the number, or else the one
// that claims it. It returns ErrSecondProof when there is only one that was not seen for long, and ErrNotFound.
// Whatever lets a code in goes through here.
func (s *Service) ofNumber(ctx context.Context, mobile contact.Mobile) (Account, error) {
	holder, held, err := s.find(ctx, Key{ByMobile, mobile.Reveal()})
	if err != nil || held && !s.outOfSight(holder) {
		return holder, err
	}
	claimer, claimed, err := s.find(ctx, Key{ByClaimedMobile, mobile.Reveal()})
	switch {
	case err != nil || claimed:
		return claimer, err
	case held:
		return Account{}, ErrSecondProof
	}
	return Account{}, ErrNotFound
}

// Seen notes that the account is in use, at most once in [seenEvery], and so ends a claim on its number. The caller's
// request does not depend on it: the next one tries again.
func (s *Service) Seen(ctx context.Context, account Account) {
	if s.Now().Sub(account.SeenAt) < seenEvery {
		return
	}
	if err := s.seen(ctx, account); err != nil {
		s.Logger.WarnContext(ctx, "use of account not noted", "error", err)
	}
}

func (s *Service) seen(ctx context.Context, account Account) error {
	var mail *Mail
	if !account.Mobile.IsZero() {
		claimer, claimed, err := s.find(ctx, Key{ByClaimedMobile, account.Mobile.Reveal()})
		if err != nil {
			return err
		}
		if claimed && !claimer.Email.IsZero() {
			mail = s.newNotice(MailClaimEnded, claimer.Email, MailFacts{Present: account.Mobile.String()}, Origin{})
		}
	}
	if err := s.Store.Seen(ctx, account, s.Now(), mail); err != nil {
		return err
	}
	s.enqueueAll(ctx, mail)
	return nil
}

// claimable returns the account that has the number if the number may be claimed, nil if no account has it, and else an
// *ExistsError. Only the owner of the number may come to know which. The zero number is no account's.
func (s *Service) claimable(ctx context.Context, mobile contact.Mobile) (*Account, error) {
	if mobile.IsZero() {
		return nil, nil
	}
	holder, held, err := s.find(ctx, Key{ByMobile, mobile.Reveal()})
	if err != nil {
		return nil, err
	}
	if held && !s.outOfSight(holder) {
		return nil, &ExistsError{FieldMobile}
	}
	claimed, err := s.Store.Exists(ctx, Key{ByClaimedMobile, mobile.Reveal()})
	switch {
	case err != nil:
		return nil, err
	case claimed:
		return nil, &ExistsError{FieldMobile}
	case !held:
		return nil, nil
	}
	return &holder, nil
}

// createClaiming files an account whose number another one has that was not seen for long, and tells that one's
// proved address. The mail's link sets another password there and ends the claim.
func (s *Service) createClaiming(ctx context.Context, account Account, mail *Mail, holder Account, origin Origin) (Account, error) {
	account.PendingMobile, account.PendingMobileAt, account.Mobile = account.Mobile, account.CreatedAt, contact.Mobile{}
	change := s.newChange(holder, NumberClaimed, ClaimWindow)
	s.tell(change, holder, holder.Email, MailNumberClaimed, origin, MailFacts{Former: holder.Mobile.String()})
	if err := s.Store.CreateClaiming(ctx, account, mail, holder, change); err != nil {
		return Account{}, err
	}
	s.enqueueAll(ctx, change.Mails...)
	return account, nil
}
