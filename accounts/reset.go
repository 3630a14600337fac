package accounts

import (
	"context"

	"usher/contact"
	"usher/verify"
)

// Reset is a request for a new password, proved by a code.
type Reset struct {
	Mobile         contact.Mobile
	SMSCodeID      string
	SMSCode        string
	Password       string
	PasswordRepeat string
	Language       string // of the mail that tells the owner: zh or en
	RequestID      string
}

// ResetPassword replaces the password of the number's account, which ends its sessions, and has a mail
// tell its proved address. It returns FieldErrors, what [verify.Service] says about the code, ErrPasswordBusy,
// and ErrNotFound only to the owner of the number. Only success costs the code, see [Service.withCode].
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
	account, err := s.Store.Find(ctx, Key{ByMobile, r.Mobile.Reveal()})
	if err != nil {
		return err
	}
	if easyToGuess(password, []string{account.Username, account.Email.Reveal(), account.PendingEmail.Reveal()}) {
		return FieldErrors{FieldPassword: TooCommon}
	}
	hash, err := s.Passwords.Hash(ctx, password, First)
	if err != nil {
		return err
	}
	return s.setPassword(ctx, account, hash, r.Language, r.RequestID)
}

// setPassword files the new hash, with a mail to the owner where an address is proved.
func (s *Service) setPassword(ctx context.Context, account Account, hash, language, requestID string) error {
	var mail *Mail
	if !account.Email.IsZero() {
		// To the address of this moment: whoever changes it next must not silence the notice.
		mail = s.newNotice(MailPasswordChanged, language, requestID)
		mail.To = account.Email
	}
	if err := s.Store.SetPassword(ctx, account.ID, hash, s.Now(), mail); err != nil {
		return err
	}
	if mail != nil {
		s.enqueue(ctx, *mail)
	}
	return nil
}
