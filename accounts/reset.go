package accounts

import (
	"context"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// Reset is a request for a new password, proved by a code.
type Reset struct {
	Mobile         contact.Mobile
	SMSCodeID      string
	SMSCode        string
	Password       string
	PasswordRepeat string
	Origin
}

// ResetPassword replaces the password of the number's account, which ends its sessions, and has a mail
// tell its proved address. It returns FieldErrors, what [verify.Service] says about the code, passwords.ErrBusy,
// ErrChanged, and only to the owner of the number ErrNotFound, ErrSecondProof, and ErrRecentlyChanged for a number
// that a change has just brought. Only success costs the code, see [Service.withCode].
func (s *Service) ResetPassword(ctx context.Context, r Reset) error {
	errs := FieldErrors{}
	code := newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	password := newPassword(r.Password, r.PasswordRepeat, errs, r.Mobile.Reveal())
	if len(errs) > 0 {
		return errs
	}
	return s.withCode(ctx, r.Mobile, verify.ResetPassword, code, func() error {
		return s.replacePassword(ctx, r, password)
	})
}

// replacePassword does what the owner of the number asked for.
func (s *Service) replacePassword(ctx context.Context, r Reset, password string) error {
	account, err := s.ofNumber(ctx, r.Mobile)
	if err != nil {
		return err
	}
	if !settled(account.MobileChangedAt, s.Now()) {
		return ErrRecentlyChanged
	}
	if easyToGuess(password, account.Username, account.Email.Reveal(), account.PendingEmail.Reveal()) {
		return FieldErrors{FieldPassword: TooCommon}
	}
	hash, err := s.Passwords.Hash(ctx, password, passwords.First)
	if err != nil {
		return err
	}
	_, err = s.setPassword(ctx, account, hash, r.Origin)
	return err
}

// setPassword files the new hash and tells the proved address.
func (s *Service) setPassword(ctx context.Context, account Account, hash string, origin Origin) (Account, error) {
	change := s.newChange(account, ChangedPassword, UndoWindow)
	s.tell(change, account, account.Email, MailPasswordChanged, origin, MailFacts{})
	changed, err := s.Store.ChangePassword(ctx, account, hash, change)
	if err != nil {
		return Account{}, err
	}
	s.enqueueAll(ctx, change.Mails...)
	return changed, nil
}
