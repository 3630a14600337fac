package accounts

import (
	"context"

	"usher/contact"
	"usher/verify"
)

// Reset is a request for a new password, proved by a code.
type Reset struct {
	Mobile         contact.Mobile
	SMSCode        string
	Password       string
	PasswordRepeat string
}

// ResetPassword replaces the password of the number's account, which ends its sessions. It returns
// FieldErrors, ErrPasswordBusy, or what [verify.Service] says about the code; ErrNotFound only to the
// owner of the number. A refusal for any other reason does not cost the code.
func (s *Service) ResetPassword(ctx context.Context, r Reset) error {
	errs := FieldErrors{}
	if r.SMSCode == "" {
		errs[FieldSMSCode] = Missing
	} else if len(r.SMSCode) > maxSMSCode {
		errs[FieldSMSCode] = TooLong
	}
	password := newPassword(r.Password, r.PasswordRepeat, errs, r.Mobile.Reveal())
	if len(errs) > 0 {
		return errs
	}
	// A number without an account is looked up, hashed for and asked for its code like any other.
	account, found, err := s.find(ctx, Key{ByMobile, r.Mobile.Reveal()})
	if err != nil {
		return err
	}
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	codeID, err := s.Codes.Spend(ctx, r.Mobile, verify.ResetPassword, r.SMSCode)
	if err != nil {
		return err
	}
	switch {
	case !found:
		err = ErrNotFound
	case easyToGuess(password, []string{account.Username, account.Email.Reveal()}):
		err = FieldErrors{FieldPassword: TooCommon}
	default:
		err = s.Store.SetPassword(ctx, account.ID, hash, s.Now())
	}
	if err != nil {
		s.restore(ctx, codeID)
	}
	return err
}
