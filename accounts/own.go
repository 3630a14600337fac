package accounts

import (
	"context"
	"errors"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// Changes of the own account. Each asks for the current password, so that a stolen session cannot take the account
// over; a reset asks for a code instead.

// ErrChanged means that the account was changed since the caller read it.
var ErrChanged = errors.New("account has changed meanwhile")

// PasswordError says that the current password is wrong, and in which field it was given.
type PasswordError struct{ Field Field }

// Error names the field.
func (e *PasswordError) Error() string { return string(e.Field) + " is wrong" }

// FieldPasswordCurrent is the current password where FieldPassword is the new one.
const FieldPasswordCurrent Field = "password_current"

// Unchanged is the problem of a new value that equals the current one.
const Unchanged Problem = "unchanged"

// confirm returns nil for the current password, a *PasswordError for another one, or an error of [Hasher].
func (s *Service) confirm(ctx context.Context, account Account, field Field, password string) error {
	if _, err := passwords.Normalize(password); err != nil { // no account has such a password
		return &PasswordError{field}
	}
	match, err := s.Passwords.Compare(ctx, password, account.PasswordHash, passwords.First)
	if err == nil && !match {
		err = &PasswordError{field}
	}
	return err
}

// PasswordChange is a request for another password.
type PasswordChange struct {
	Current        string `json:"password_current"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
	Origin         `json:"-"`
}

// ChangePassword replaces the password of the account, which ends its sessions, and notifies its proved address. It
// returns the changed account. The errors are FieldErrors, *PasswordError, [passwords.ErrBusy] and ErrChanged.
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
	return s.setPassword(ctx, account, password, r.Origin)
}

// Reset is a request for a new password, proved by a code.
type Reset struct {
	Mobile         contact.Mobile
	SMSCodeID      string
	SMSCode        string
	Password       string
	PasswordRepeat string
	Origin
}

// ResetPassword replaces the password of the number's account, which ends its sessions, and notifies its proved
// address. The errors are FieldErrors, those of [verify.Service] about the code, [passwords.ErrBusy] and ErrChanged; and
// only for the owner of the number ErrNotFound, ErrSecondProof, and ErrRecentlyChanged when a change brought the number
// within [UndoWindow]. Only success uses the code up, see [Service.withCode].
func (s *Service) ResetPassword(ctx context.Context, r Reset) error {
	errs := FieldErrors{}
	code := newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	password := newPassword(r.Password, r.PasswordRepeat, errs, r.Mobile.Reveal())
	if len(errs) > 0 {
		return errs
	}
	return s.withCode(ctx, r.Mobile, verify.ResetPassword, code, func() error {
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
		_, err = s.setPassword(ctx, account, password, r.Origin)
		return err
	})
}

// setPassword stores the hash of a normalised password and notifies the proved address.
func (s *Service) setPassword(ctx context.Context, account Account, password string, origin Origin) (Account, error) {
	hash, err := s.Passwords.Hash(ctx, password, passwords.First)
	if err != nil {
		return Account{}, err
	}
	change := s.newChange(account, ChangedPassword, UndoWindow)
	s.notify(change, account, account.Email, MailPasswordChanged, origin, MailFacts{})
	changed, err := s.Store.ChangePassword(ctx, account, hash, change)
	if err == nil {
		s.enqueueAll(ctx, change.Mails...)
	}
	return changed, err
}

// EmailChange is a request for another address.
type EmailChange struct {
	Email    contact.Email
	Password string // the current one
	Origin
}

// ChangeEmail sends an activation mail to another address, and a notice to the proved one. The proved address stays
// until the other one is proved: a mistyped address must not lock its owner out. It returns the changed account. The
// errors are FieldErrors, *PasswordError, [passwords.ErrBusy], *ExistsError, ErrChanged and, when the owner of the
// address has declined mails, a *verify.LimitError.
func (s *Service) ChangeEmail(ctx context.Context, account Account, r EmailChange) (Account, error) {
	errs := FieldErrors{}
	same, err := s.sameEmail(ctx, account, r.Email)
	if err != nil {
		return Account{}, err
	}
	if same {
		errs[FieldEmail] = Unchanged
	}
	if r.Password == "" {
		errs[FieldPassword] = Missing
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	if err := s.confirm(ctx, account, FieldPassword, r.Password); err != nil {
		return Account{}, err
	}
	if err := s.refuseEmail(ctx, r.Email); err != nil {
		return Account{}, err
	}
	link := s.newMail(MailActivation, s.Policy.ActivationTTL, r.Origin)
	link.Facts.Typed = true
	change := s.newChange(account, AskedForEmail, UndoWindow)
	s.notify(change, account, account.Email, MailEmailAsked, r.Origin,
		MailFacts{Former: account.Email.String(), Present: r.Email.String()})
	changed, err := s.Store.ChangeEmail(ctx, account, r.Email, link, change)
	if err == nil {
		s.enqueueAll(ctx, append(change.Mails, link)...)
	}
	return changed, err
}

// sameEmail reports whether the account has the address already. A pending one that has bounced may be typed again.
func (s *Service) sameEmail(ctx context.Context, account Account, email contact.Email) (bool, error) {
	if email != account.PendingEmail {
		return email == account.Email, nil
	}
	bounced, err := s.bounced(ctx, email)
	return !bounced, err
}

// MobileChange is a request for another number, proved by a code that was sent to it.
type MobileChange struct {
	Mobile    contact.Mobile
	SMSCodeID string
	SMSCode   string
	Password  string // the current one
	Origin
}

// ChangeMobile replaces the number of the account, which ends its sessions, and notifies its proved address. It returns
// the changed account. The errors are FieldErrors, those of [verify.Service] about the code, *ExistsError,
// *PasswordError, [passwords.ErrBusy] and ErrChanged. Only success uses the code up, see [Service.withCode].
func (s *Service) ChangeMobile(ctx context.Context, account Account, r MobileChange) (changed Account, err error) {
	errs := FieldErrors{}
	if r.Mobile == account.Mobile {
		errs[FieldMobile] = Unchanged
	}
	if r.Password == "" {
		errs[FieldPassword] = Missing
	}
	code := newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	if len(errs) > 0 {
		return Account{}, errs
	}
	err = s.withCode(ctx, r.Mobile, verify.ChangeMobile, code, func() error {
		changed, err = s.replaceMobile(ctx, account, r)
		return err
	})
	return changed, err
}

// replaceMobile makes the change after its code was right.
func (s *Service) replaceMobile(ctx context.Context, account Account, r MobileChange) (Account, error) {
	taken, err := s.MobileTaken(ctx, r.Mobile)
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
	s.notify(change, account, account.Email, MailMobileChanged, r.Origin,
		MailFacts{Former: account.Mobile.String(), Present: r.Mobile.String()})
	changed, err := s.Store.ChangeMobile(ctx, account, r.Mobile, change)
	if err == nil {
		s.enqueueAll(ctx, change.Mails...)
	}
	return changed, err
}
