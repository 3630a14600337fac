package accounts

import (
	"context"
	"errors"

	"usher/contact"
	"usher/verify"
)

// FirstSignIn is what a sign-in by code needs where it makes the account, see [Policy].SignInCreates.
type FirstSignIn struct {
	Agree bool // to the terms
	Origin

	// Admit is called before the account is made; its error refuses that. It counts the new account in the limits of
	// registrations, which a sign-in to an account must not use up. It is called only after a right code: before, a
	// refusal would show that the contact has no account.
	Admit func() error
}

// newcomer returns the owner of a contact that a right code has proved, and whether a sign-in may make the account: only
// where a registration needs no other contact.
func (p Policy) newcomer(to verify.Recipient) (applicant, bool) {
	switch to := to.(type) {
	case contact.Mobile:
		a := applicant{mobile: to, proofs: []proof{{to: to, by: ByMobile, field: FieldMobile}}}
		return a, p.SignInCreates && (p.Registration == Either || p.Registration == MobileOnly)
	case contact.Email:
		a := applicant{email: to, proofs: []proof{{to: to, by: ByEmail, field: FieldEmail}}}
		return a, p.SignInCreates && (p.Registration == Either || p.Registration == EmailOnly)
	}
	return applicant{}, false
}

// createBySignIn makes the account of a newcomer, without user name and password. Of parallel first sign-ins one makes the
// account, and the others sign in to it: created is false then.
func (s *Service) createBySignIn(ctx context.Context, a applicant, first FirstSignIn) (account Account, created bool, err error) {
	if !first.Agree {
		return Account{}, false, FieldErrors{FieldAgree: MustBeAgreed}
	}
	if err := first.Admit(); err != nil {
		return Account{}, false, err
	}
	a.origin = first.Origin
	account, _ = s.newAccount(a, "")
	err = s.Store.Create(ctx, account, nil)
	if _, taken := errors.AsType[*ExistsError](err); taken {
		account, err = s.ofContact(ctx, a.proofs[0].to)
		return account, false, err
	}
	if err == nil && a.provesEmail() {
		s.release(ctx, s.Keys.Index(indexEmail, a.email.Reveal()))
	}
	return account, err == nil, err
}
