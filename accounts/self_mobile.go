package accounts

import (
	"context"

	"usher/contact"
	"usher/verify"
)

// MobileChange is a request for another number, proved by a code that was sent to it.
type MobileChange struct {
	Mobile    contact.Mobile
	SMSCodeID string
	SMSCode   string
	Password  string // the current one
	Origin
}

// ChangeMobile replaces the number of the account, which ends its sessions, and has a mail tell its proved address.
// It returns the account as it is then, or FieldErrors, what
// [verify.Service] says about the code, *ExistsError, *PasswordError, passwords.ErrBusy or ErrChanged. Only
// success costs the code, see [Service.withCode].
func (s *Service) ChangeMobile(ctx context.Context, account Account, r MobileChange) (Account, error) {
	errs := r.problems(account)
	code := newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	if len(errs) > 0 {
		return Account{}, errs
	}
	var changed Account
	err := s.withCode(ctx, r.Mobile, verify.ChangeMobile, code, func() (err error) {
		changed, err = s.replaceMobile(ctx, account, r)
		return err
	})
	return changed, err
}

// replaceMobile does what the owner of the new number asked for.
func (s *Service) replaceMobile(ctx context.Context, account Account, r MobileChange) (Account, error) {
	taken, err := s.Store.Exists(ctx, Key{ByMobile, r.Mobile.Reveal()})
	if err != nil {
		return Account{}, err
	}
	if taken {
		return Account{}, &ExistsError{FieldMobile}
	}
	if err := s.confirm(ctx, account, FieldPassword, r.Password); err != nil {
		return Account{}, err
	}
	change := s.newChange(account, ChangedMobile, UndoWindow)
	s.tell(change, account, account.Email, MailMobileChanged, r.Origin,
		MailFacts{Former: account.Mobile.String(), Present: r.Mobile.String()})
	changed, err := s.Store.ChangeMobile(ctx, account, r.Mobile, change)
	if err != nil {
		return Account{}, err
	}
	s.enqueueAll(ctx, change.Mails...)
	return changed, nil
}

func (r MobileChange) problems(account Account) FieldErrors {
	errs := FieldErrors{}
	if r.Mobile == account.Mobile {
		errs[FieldMobile] = Unchanged
	}
	if r.Password == "" {
		errs[FieldPassword] = Missing
	}
	return errs
}
