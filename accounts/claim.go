package accounts

import (
	"cmp"
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/verify"
)

// Carriers give a number that was given up to another person. So a code alone does not open an account that was not used
// for long and that its owner can open in another way. The new holder of the number registers a new account, which claims
// the number. If the old account is not used within [ClaimWindow], the number moves to the new one.

// ClaimWindow is how long the owner of an unused account can end a claim on its number by signing in.
const ClaimWindow = 7 * 24 * time.Hour

// ErrSecondProof means that a code is not enough: the account was unused for so long that its number or address may belong
// to another person now.
var ErrSecondProof = errors.New("account was unused for long: a code does not open it")

// seenInterval is the precision of [Account.SeenAt]: to record every use would cost a write for each request.
const seenInterval = 24 * time.Hour

// isDormant reports whether a code alone must not open the account. An account without a password and without a proved
// address has no other way in than its number. The owner of a blocked account cannot use it, and its number stays taken.
func (s *Service) isDormant(account Account) bool {
	return !account.Blocked() && s.unseen(account) && (account.HasPassword() || !account.Email.IsZero())
}

// unseen reports whether the account was not used for so long that its number may belong to another person.
func (s *Service) unseen(account Account) bool {
	lastSeen := cmp.Or(account.SeenAt, account.UpdatedAt) // an account may be older than the column
	return s.Policy.NumberRecheck > 0 && s.Now().Sub(lastSeen) >= s.Policy.NumberRecheck
}

// ofContact returns the account that a right code for the number or address opens, or ErrBlocked. Every use of a code to
// open an account calls it.
func (s *Service) ofContact(ctx context.Context, to verify.Recipient) (account Account, err error) {
	switch to := to.(type) {
	case contact.Mobile:
		account, err = s.ofNumber(ctx, to)
	case contact.Email:
		account, err = s.ofAddress(ctx, to)
	default:
		err = ErrNotFound
	}
	if err == nil && account.Blocked() {
		return Account{}, ErrBlocked
	}
	return account, err
}

// ofAddress returns the account that has proved the address, or else the newest one that waits for its proof and has
// nothing else. It returns ErrSecondProof for an account that was not used for long and has a number too: some mailboxes
// follow a number, and others are given to another person as well. Without a number a code is enough, because the
// address is the last way in for a person who has forgotten the password. Without an account it returns ErrNotFound.
func (s *Service) ofAddress(ctx context.Context, email contact.Email) (Account, error) {
	account, found, err := s.find(ctx, Key{ByEmail, email.Reveal()})
	switch {
	case err != nil:
		return Account{}, err
	case !found:
		return s.Store.FindWaiting(ctx, email)
	case account.Blocked(): // the caller says so
		return account, nil
	case s.unseen(account) && !account.Mobile.IsZero():
		return Account{}, ErrSecondProof
	}
	return account, nil
}

// ofNumber returns the account that a right code for the number opens: the one that has the number, or the one that
// claims it. It returns ErrSecondProof when there is only a dormant one, and ErrNotFound.
func (s *Service) ofNumber(ctx context.Context, mobile contact.Mobile) (Account, error) {
	holder, held, err := s.find(ctx, Key{ByMobile, mobile.Reveal()})
	if err != nil || held && !s.isDormant(holder) {
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

// Seen records that the account is in use, at most once in [seenInterval], and so ends a claim on its number. It is best
// effort: the next request tries again.
func (s *Service) Seen(ctx context.Context, account Account) {
	if s.Now().Sub(account.SeenAt) < seenInterval {
		return
	}
	if err := s.seen(ctx, account); err != nil {
		s.Logger.WarnContext(ctx, "use of account not recorded; its next request tries again", "error", err)
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

// claimable returns the account that has the number if the number may be claimed, nil if no account has it, and otherwise
// an *ExistsError. Only the owner of the number may learn which, unless the operator
// has decided otherwise ([Service.CheckUnregistered]). No account has the zero number.
func (s *Service) claimable(ctx context.Context, mobile contact.Mobile) (*Account, error) {
	if mobile.IsZero() {
		return nil, nil
	}
	holder, held, err := s.find(ctx, Key{ByMobile, mobile.Reveal()})
	if err != nil {
		return nil, err
	}
	if held && !s.isDormant(holder) {
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

// CheckUnregistered returns an *ExistsError when a registration with the number would be refused, with the right code too, and nil when
// it may succeed. The answer tells whether the number has an account.
func (s *Service) CheckUnregistered(ctx context.Context, mobile contact.Mobile) error {
	_, err := s.claimable(ctx, mobile)
	return err
}

// createClaiming creates an account that claims the number of a dormant one, and notifies the dormant one's proved
// address. The mail's link sets a new password there and ends the claim.
func (s *Service) createClaiming(ctx context.Context, account Account, mail *Mail, holder Account, origin Origin) (Account, error) {
	account.PendingMobile, account.PendingMobileAt, account.Mobile = account.Mobile, account.CreatedAt, contact.Mobile{}
	change := s.newChange(holder, NumberClaimed, ClaimWindow)
	s.notify(change, holder, holder.Email, MailNumberClaimed, origin, MailFacts{Former: holder.Mobile.String()})
	if err := s.Store.CreateClaiming(ctx, account, mail, holder, change); err != nil {
		return Account{}, err
	}
	s.enqueueAll(ctx, change.Mails...)
	return account, nil
}
