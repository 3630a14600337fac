package accounts

import (
	"context"

	"usher/passwords"
)

// PasswordChange is a request for another password.
type PasswordChange struct {
	Current        string
	Password       string
	PasswordRepeat string
	Origin
}

// ChangePassword replaces the password of the account, which ends its sessions, and has a mail tell its
// proved address. It returns the account as it is then, or FieldErrors, *PasswordError, passwords.ErrBusy or
// ErrChanged.
func (s *Service) ChangePassword(ctx context.Context, account Account, r PasswordChange) (Account, error) {
	errs := FieldErrors{}
	if r.Current == "" {
		errs[FieldPasswordCurrent] = Missing
	}
	password := newPassword(r.Password, r.PasswordRepeat, errs,
		account.Username, account.Mobile.Reveal(), account.Email.Reveal(), account.PendingEmail.Reveal())
	if current, _ := passwords.Normalize(r.Current); current == password && errs[FieldPassword] == "" {
		errs[FieldPassword] = Unchanged
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	if err := s.confirm(ctx, account, FieldPasswordCurrent, r.Current); err != nil {
		return Account{}, err
	}
	hash, err := s.Passwords.Hash(ctx, password, passwords.First)
	if err != nil {
		return Account{}, err
	}
	return s.setPassword(ctx, account, hash, r.Origin)
}
