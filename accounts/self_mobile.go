package accounts

import (
	"context"

	"usher/contact"
	"usher/verify"
)

// MobileChange is a request for another number, proved by a code that was sent to it.
type MobileChange struct {
	Mobile   contact.Mobile
	SMSCode  string
	Password string // the current one
}

// ChangeMobile replaces the number of the account. It returns the account as it is then, or FieldErrors,
// *PasswordError, ErrPasswordBusy, *ExistsError, ErrChanged, or what [verify.Service] says about the code. The
// code is the last thing that is asked and is given back when the number could not be written.
func (s *Service) ChangeMobile(ctx context.Context, account Account, r MobileChange) (Account, error) {
	if errs := r.problems(account); len(errs) > 0 {
		return Account{}, errs
	}
	if err := s.confirm(ctx, account, FieldPassword, r.Password); err != nil {
		return Account{}, err
	}
	taken, err := s.Store.Exists(ctx, Key{ByMobile, r.Mobile.Reveal()})
	if err != nil {
		return Account{}, err
	}
	if taken {
		return Account{}, &ExistsError{FieldMobile}
	}
	codeID, err := s.Codes.Spend(ctx, r.Mobile, verify.ChangeMobile, r.SMSCode)
	if err != nil {
		return Account{}, err
	}
	changed, err := s.Changes.ChangeMobile(ctx, account, r.Mobile, s.Now())
	if err != nil {
		s.restore(ctx, codeID)
		return Account{}, err
	}
	return changed, nil
}

func (r MobileChange) problems(account Account) FieldErrors {
	errs := FieldErrors{}
	if r.Mobile == account.Mobile {
		errs[FieldMobile] = Unchanged
	}
	switch {
	case r.SMSCode == "":
		errs[FieldSMSCode] = Missing
	case len(r.SMSCode) > maxSMSCode:
		errs[FieldSMSCode] = TooLong
	}
	if r.Password == "" {
		errs[FieldPassword] = Missing
	}
	return errs
}
