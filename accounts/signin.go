package accounts

import (
	"context"
	"errors"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// SignIn returns the account that has this user name, number or address and this password. It returns ErrCredentials
// for every mistake, after the same work, and, only to a person who knows the password, ErrBlocked, and ErrNotActive with
// the account. The priority is that of the comparison: [passwords.First] for a network that the login was used from before.
func (s *Service) SignIn(ctx context.Context, login, password string, priority passwords.Priority) (Account, error) {
	normal, err := passwords.Normalize(password)
	if err != nil { // no account has such a password, so the quick answer tells nothing about any
		return Account{}, ErrCredentials
	}
	var account Account
	if key := s.loginKey(login); key.Value != "" {
		if account, _, err = s.find(ctx, key); err != nil {
			return Account{}, err
		}
	}
	match, err := s.Passwords.Compare(ctx, password, account.PasswordHash, priority)
	switch {
	case err != nil:
		return Account{}, err
	case !match:
		return Account{}, ErrCredentials
	case account.Blocked():
		return Account{}, ErrBlocked
	case !account.Active:
		return account, ErrNotActive
	}
	if passwords.IsImported(account.PasswordHash) {
		s.rehash(ctx, &account, normal)
	}
	if err := s.takeBack(ctx, account); err != nil {
		return Account{}, err
	}
	s.Seen(ctx, account)
	return account, nil
}

// loginKey decides which kind of login a text is; see [CanonicalUsername] for why the kinds never overlap. Its value is
// empty when no account can have the login.
func (s *Service) loginKey(login string) Key {
	if email, err := contact.ParseEmail(login); err == nil {
		return Key{ByEmail, email.Reveal()}
	}
	if mobile, err := s.Policy.Regions.ParseAny(login); err == nil {
		return Key{ByMobile, mobile.Reveal()}
	}
	_, canonical, _ := CanonicalUsername(login)
	return Key{ByUsername, canonical}
}

// SignInByCode returns the account that a code sent to its number or address opens, see [Service.ofContact], and makes one
// for a contact without an account where [Policy].SignInCreates says so. The errors are those of [verify.Service] about the
// code and, only for the owner of the contact, ErrNotFound, ErrNotActive, ErrBlocked, ErrSecondProof when a code is not enough,
// FieldErrors when the account to be made was not agreed to, and those of [FirstSignIn]. The last three do not use the
// code up.
func (s *Service) SignInByCode(
	ctx context.Context, to verify.Recipient, codeID, code string, first FirstSignIn,
) (account Account, created bool, err error) {
	if err := s.Codes.Spend(ctx, to, verify.Login, codeID, code); err != nil {
		return Account{}, false, err
	}
	// After the code: without one, the time of the answer must not show whether the contact has an account.
	account, err = s.ofContact(ctx, to)
	if errors.Is(err, ErrNotFound) {
		a, ok := s.Policy.newcomer(to)
		if !ok {
			return Account{}, false, err
		}
		account, created, err = s.createBySignIn(ctx, a, first)
	}
	switch {
	case err != nil:
		s.restore(ctx, codeID)
		return Account{}, false, err
	case !account.Active:
		return Account{}, false, ErrNotActive
	}
	if err := s.takeBack(ctx, account); err != nil {
		s.restore(ctx, codeID)
		return Account{}, false, err
	}
	s.Seen(ctx, account)
	return account, created, nil
}
