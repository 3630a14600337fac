package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// Changes of the own account. Each asks for the current password, so that a stolen session cannot take the account
// over; a reset asks for a code instead. An account without a password was opened by a code, and a sign-in that was
// RecentSignIn ago at most takes the password's place.

// RecentSignIn is how long after a sign-in the owner of an account without a password may change it.
const RecentSignIn = 15 * time.Minute

// ErrSignInAgain means that the account has no password and that the sign-in is too long ago to take its place.
var ErrSignInAgain = errors.New("account has no password and was signed in to too long ago")

// ErrNamed means that the account has a user name, which cannot be changed.
var ErrNamed = errors.New("account has a user name")

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

// confirmOwner is confirm for a person who is signed in. Where the account has no password, it returns ErrSignInAgain
// unless the sign-in was recent.
func (s *Service) confirmOwner(ctx context.Context, account Account, field Field, password string, recent bool) error {
	switch {
	case account.HasPassword():
		return s.confirm(ctx, account, field, password)
	case !recent:
		return ErrSignInAgain
	}
	return nil
}

// SetUsername gives the account its user name, once. It returns the changed account. The errors are FieldErrors,
// *ExistsError, and ErrNamed when it has a name.
func (s *Service) SetUsername(ctx context.Context, account Account, text string) (Account, error) {
	name, problem := parseUsername(text)
	if problem != "" {
		return Account{}, FieldErrors{FieldUsername: problem}
	}
	if account.Username != "" {
		return Account{}, ErrNamed
	}
	if err := s.freeUsername(ctx, applicant{username: name}); err != nil {
		return Account{}, err
	}
	named, err := s.Store.SetUsername(ctx, account.ID, name.shown, s.Now())
	if errors.Is(err, ErrChanged) { // a request at the same time was faster
		err = ErrNamed
	}
	return named, err
}

// PasswordChange is a request for another password, or for the first one of an account without any.
type PasswordChange struct {
	Current        string `json:"password_current"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
	Recent         bool   `json:"-"` // the sign-in is not older than [RecentSignIn]
	Origin         `json:"-"`
}

// ChangePassword replaces the password of the account, which ends its sessions, and notifies its proved address. It
// returns the changed account. The errors are FieldErrors, *PasswordError, ErrSignInAgain, [passwords.ErrBusy] and
// ErrChanged.
func (s *Service) ChangePassword(ctx context.Context, account Account, r PasswordChange) (Account, error) {
	errs := FieldErrors{}
	if r.Current == "" && account.HasPassword() {
		errs[FieldPasswordCurrent] = Missing
	}
	password := s.Policy.newPassword(r.Password, r.PasswordRepeat, errs,
		account.Username, account.Mobile.Reveal(), account.Email.Reveal(), account.PendingEmail.Reveal())
	if current, _ := passwords.Normalize(r.Current); current == password && errs[FieldPassword] == "" {
		errs[FieldPassword] = Unchanged
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	if err := s.confirmOwner(ctx, account, FieldPasswordCurrent, r.Current, r.Recent); err != nil {
		return Account{}, err
	}
	return s.setPassword(ctx, account, password, r.Origin)
}

// Reset is a request for a new password, proved by a code that was sent to the number or address.
type Reset struct {
	To             verify.Recipient
	CodeID         string
	Code           string
	Password       string
	PasswordRepeat string
	Origin
}

// ResetPassword replaces the password of the contact's account, which ends its sessions, and notifies its proved address.
// An account that waits for the proof of the address is activated. The errors are FieldErrors, those of [verify.Service]
// about the code, [passwords.ErrBusy] and ErrChanged; and only for the owner of the contact ErrNotFound, ErrBlocked,
// ErrSecondProof, and ErrRecentlyChanged when a change brought the contact within [UndoWindow]. Only success uses the code up, see
// [Service.withCode].
func (s *Service) ResetPassword(ctx context.Context, r Reset) error {
	errs := FieldErrors{}
	code := newCode(r.To, r.CodeID, r.Code, errs)
	password := s.Policy.newPassword(r.Password, r.PasswordRepeat, errs, r.To.Reveal())
	if len(errs) > 0 {
		return errs
	}
	return s.withCode(ctx, r.To, verify.ResetPassword, code, func() error {
		account, err := s.ofContact(ctx, r.To)
		if err != nil {
			return err
		}
		if !settled(account.changedAt(r.To), s.Now()) {
			return ErrRecentlyChanged
		}
		if easyToGuess(password, account.Username, account.Mobile.Reveal(), account.Email.Reveal(), account.PendingEmail.Reveal()) {
			return FieldErrors{FieldPassword: TooCommon}
		}
		if account.Waiting() {
			return s.activateByCode(ctx, account, password)
		}
		_, err = s.setPassword(ctx, account, password, r.Origin)
		return err
	})
}

// changedAt returns when a change has brought the contact of the account.
func (a Account) changedAt(to verify.Recipient) time.Time {
	if to == a.Email {
		return a.EmailChangedAt
	}
	return a.MobileChangedAt
}

// activateByCode proves the address of an account that waits and has nothing else. As with the link in a mail, the
// account gets the password of the request: the person who registered it may not be the owner of the address.
func (s *Service) activateByCode(ctx context.Context, account Account, password string) error {
	hash, err := s.Passwords.Hash(ctx, password, passwords.First)
	if err != nil {
		return err
	}
	proved, err := s.Store.Activate(ctx, account, hash, s.Now(), nil)
	switch {
	case errors.Is(err, ErrNotFound): // the account was read before: a link has proved it, or replaced its generation
		return ErrChanged
	case err == nil:
		s.release(ctx, s.Keys.Index(indexEmail, proved.Email.Reveal()))
	}
	return err
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

// EmailChange is a request for another address, which a code proves, or else a link later.
type EmailChange struct {
	Email       contact.Email
	EmailCodeID string
	EmailCode   string
	Password    string // the current one
	Recent      bool   // see [PasswordChange]
	Origin
}

func (r EmailChange) byCode() bool { return r.EmailCodeID != "" || r.EmailCode != "" }

// ChangeEmail replaces the address of the account, which ends its sessions, and notifies both addresses when a code for
// the new one comes with the request. Otherwise it sends an activation mail to the new address, and a notice to the
// proved one, which stays until the other is proved: a mistyped address must not lock its owner out. It returns the
// changed account. The errors are FieldErrors, *PasswordError, ErrSignInAgain, [passwords.ErrBusy], *ExistsError, ErrChanged;
// those of [verify.Service] about the code, which only success uses up; and, without a code, when the owner of the address has
// declined mails, a *verify.LimitError.
func (s *Service) ChangeEmail(ctx context.Context, account Account, r EmailChange) (changed Account, err error) {
	errs := FieldErrors{}
	if account.HasPassword() {
		errs.require(FieldPassword, r.Password)
	}
	if r.byCode() {
		code := newCode(r.Email, r.EmailCodeID, r.EmailCode, errs)
		if r.Email == account.Email {
			errs[FieldEmail] = Unchanged
		}
		if len(errs) > 0 {
			return Account{}, errs
		}
		err = s.withCode(ctx, r.Email, verify.ChangeEmail, code, func() error {
			changed, err = s.replaceEmail(ctx, account, r)
			return err
		})
		return changed, err
	}
	same, err := s.sameEmail(ctx, account, r.Email)
	if err != nil {
		return Account{}, err
	}
	if same {
		errs[FieldEmail] = Unchanged
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	if err := s.confirmOwner(ctx, account, FieldPassword, r.Password, r.Recent); err != nil {
		return Account{}, err
	}
	return s.askForEmail(ctx, account, r)
}

// askForEmail makes the address the pending one after the password was right.
func (s *Service) askForEmail(ctx context.Context, account Account, r EmailChange) (Account, error) {
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

// replaceEmail makes the change after its code was right.
func (s *Service) replaceEmail(ctx context.Context, account Account, r EmailChange) (Account, error) {
	if err := s.refuseProved(ctx, r.Email); err != nil {
		return Account{}, err
	}
	if err := s.confirmOwner(ctx, account, FieldPassword, r.Password, r.Recent); err != nil {
		return Account{}, err
	}
	change := s.changeOfEmail(account, r.Email, r.Origin)
	changed, err := s.Store.ReplaceEmail(ctx, account, r.Email, change)
	if err == nil {
		s.release(ctx, s.Keys.Index(indexEmail, r.Email.Reveal()))
		s.enqueueAll(ctx, change.Mails...)
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
	Recent    bool   // see [PasswordChange]
	Origin
}

// ChangeMobile replaces the number of the account, which ends its sessions, and notifies its proved address. It returns
// the changed account. The errors are FieldErrors, those of [verify.Service] about the code, *ExistsError,
// *PasswordError, ErrSignInAgain, [passwords.ErrBusy] and ErrChanged. Only success uses the code up, see
// [Service.withCode].
func (s *Service) ChangeMobile(ctx context.Context, account Account, r MobileChange) (changed Account, err error) {
	errs := FieldErrors{}
	if r.Mobile == account.Mobile {
		errs[FieldMobile] = Unchanged
	}
	if account.HasPassword() {
		errs.require(FieldPassword, r.Password)
	}
	code := newCode(r.Mobile, r.SMSCodeID, r.SMSCode, errs)
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
	if err := s.confirmOwner(ctx, account, FieldPassword, r.Password, r.Recent); err != nil {
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
