package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// SignUp is a request to register as it was received, without any check.
type SignUp struct {
	Username       string `json:"username"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
	Agree          bool   `json:"agree"`
	Mobile         string `json:"mobile"`
	SMSCodeID      string `json:"sms_code_id"`
	SMSCode        string `json:"sms_code"`
	Email          string `json:"email"`
	Origin         `json:"-"`
}

// applicant is a sign-up in which everything is valid.
type applicant struct {
	username username
	password string
	mobile   contact.Mobile
	code     smsCode
	email    contact.Email
	origin   Origin
}

// smsCode is a code as it was typed, and the id of the code that was sent.
type smsCode struct{ id, digits string }

// newSMSCode adds to errs what is missing of a code.
func newSMSCode(id, digits string, errs FieldErrors) smsCode {
	if id == "" {
		errs[FieldSMSCodeID] = Missing
	}
	if digits == "" {
		errs[FieldSMSCode] = Missing
	}
	return smsCode{id, digits}
}

// parse returns all mistakes at once: people should not have to correct one field after the other.
func (r SignUp) parse(policy Policy) (applicant, error) {
	errs := FieldErrors{}
	a := applicant{origin: r.Origin}
	if !r.Agree {
		errs[FieldAgree] = MustBeAgreed
	}
	var problem Problem
	if a.username, problem = parseUsername(r.Username); problem != "" {
		errs[FieldUsername] = problem
	}
	r.parseContacts(&a, policy.Regions, errs)
	r.demand(policy.Registration, errs)
	a.password = newPassword(r.Password, r.PasswordRepeat, errs,
		a.username.canonical, a.mobile.Reveal(), a.email.Reveal())
	if len(errs) > 0 {
		return applicant{}, errs
	}
	return a, nil
}

func (r SignUp) parseContacts(a *applicant, regions contact.Regions, errs FieldErrors) {
	if r.Mobile == "" && r.SMSCode != "" { // the caller asks for no captcha where a code is given
		errs[FieldMobile] = Missing
	}
	if r.Mobile != "" {
		mobile, err := regions.Parse(r.Mobile)
		if err != nil {
			errs[FieldMobile] = MobileProblem(regions, err)
		}
		a.mobile = mobile
		a.code = newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	}
	if r.Email != "" {
		email, err := contact.ParseEmail(r.Email)
		if err != nil {
			errs[FieldEmail] = Malformed
		}
		a.email = email
	}
}

// demand refuses a sign-up without the contacts that this kind of registration proves.
func (r SignUp) demand(registration Registration, errs FieldErrors) {
	neither := r.Mobile == "" && r.Email == "" // wrong for every kind
	if r.Mobile == "" && (neither && registration != EmailOnly || registration == MobileOnly || registration == Both) {
		errs[FieldMobile] = Missing
		if registration == MobileOnly || registration == Both {
			newSMSCode(r.SMSCodeID, r.SMSCode, errs)
		}
	}
	if r.Email == "" && (neither && registration != MobileOnly || registration == EmailOnly || registration == Both) {
		errs[FieldEmail] = Missing
	}
}

// Register makes an account. The errors are FieldErrors, those of [verify.Service] about the code, *ExistsError,
// ErrRegistered, [passwords.ErrBusy] and, when the owner of the address has declined mails, a *verify.LimitError. The
// code is checked before the look-ups and the hash, see [Service.withCode]. Without a number the caller has checked a
// captcha.
func (s *Service) Register(ctx context.Context, request SignUp) (Account, error) {
	a, err := request.parse(s.Policy)
	if err != nil {
		return Account{}, err
	}
	if a.mobile.IsZero() {
		return s.create(ctx, a, passwords.Later)
	}
	var account Account
	err = s.withCode(ctx, a.mobile, verify.Register, a.code, func() error {
		account, err = s.create(ctx, a, passwords.First)
		return err
	})
	if errors.Is(err, verify.ErrUsed) {
		return Account{}, s.registeredBefore(ctx, a.mobile, err)
	}
	return account, err
}

// A repeated request waits for the first one, which may still hash its password.
const (
	repeatTries = 10
	repeatPause = 200 * time.Millisecond
)

// justRegistered is the greatest age of a first request's account: no code lives longer.
const justRegistered = 30 * time.Minute

// registeredBefore returns ErrRegistered when another request has registered the number with the same right code, and
// used when that request has made no account. Only the owner of the number gets this far.
func (s *Service) registeredBefore(ctx context.Context, mobile contact.Mobile, used error) error {
	for try := range repeatTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(repeatPause):
			}
		}
		for _, by := range []By{ByMobile, ByClaimedMobile} {
			account, found, err := s.find(ctx, Key{by, mobile.Reveal()})
			switch {
			case err != nil:
				return err
			case found && s.Now().Sub(account.CreatedAt) < justRegistered:
				return ErrRegistered
			}
		}
	}
	return used
}

// CheckSignUp returns FieldErrors for mistakes in the form of a request to register, before anything is spent.
func (s *Service) CheckSignUp(request SignUp) error {
	_, err := request.parse(s.Policy)
	return err
}

// create writes the account of an applicant whose code or captcha was right.
func (s *Service) create(ctx context.Context, a applicant, priority passwords.Priority) (Account, error) {
	if err := s.refuseTaken(ctx, a); err != nil {
		return Account{}, err
	}
	holder, err := s.claimable(ctx, a.mobile)
	if err != nil {
		return Account{}, err
	}
	hash, err := s.Passwords.Hash(ctx, a.password, priority)
	if err != nil {
		return Account{}, err
	}
	account, mail := s.newAccount(a, hash)
	if holder != nil {
		account, err = s.createClaiming(ctx, account, mail, *holder, a.origin)
	} else {
		err = s.Store.Create(ctx, account, mail)
	}
	if err != nil {
		return Account{}, err
	}
	s.enqueueAll(ctx, mail)
	return account, nil
}

// refuseTaken saves the hash of a refused request; the store's unique columns decide races.
func (s *Service) refuseTaken(ctx context.Context, a applicant) error {
	if err := s.freeUsername(ctx, a.username); err != nil {
		return err
	}
	if a.email.IsZero() {
		return nil
	}
	return s.refuseEmail(ctx, a.email)
}

// freeUsername deletes an account of this user name that waits for a proof that did not come in time. It returns an
// *ExistsError for any other account.
func (s *Service) freeUsername(ctx context.Context, name username) error {
	holder, err := s.holder(ctx, name)
	switch {
	case err != nil || holder == nil:
		return err
	case !s.ranOut(*holder):
		return &ExistsError{FieldUsername}
	}
	return s.Store.RemoveUnproved(ctx, holder.ID, s.unprovedBefore())
}

// newAccount returns an account and its activation mail, if any. It is active when its number is proved.
func (s *Service) newAccount(a applicant, hash string) (Account, *Mail) {
	now := s.Now()
	account := Account{
		ID:                   newID(),
		Username:             a.username.shown,
		Mobile:               a.mobile,
		PendingEmail:         a.email,
		PasswordHash:         hash,
		Active:               !a.mobile.IsZero(),
		ActivationGeneration: 1,
		SessionGeneration:    1,
		SeenAt:               now,
		CreatedAt:            now,
		UpdatedAt:            now,
	}
	if a.email.IsZero() {
		return account, nil
	}
	account.PendingEmailAt = now
	mail := s.newMail(MailActivation, s.Policy.ActivationTTL, a.origin)
	mail.Facts.Typed = true
	return account, mail
}

// CreateSuperuser makes an active account with neither number nor address, for the command line. It returns FieldErrors
// or an *ExistsError.
func (s *Service) CreateSuperuser(ctx context.Context, name, password string) (Account, error) {
	errs := FieldErrors{}
	parsed, problem := parseUsername(name)
	if problem != "" {
		errs[FieldUsername] = problem
	}
	normal := newPassword(password, password, errs, parsed.canonical)
	if len(errs) > 0 {
		return Account{}, errs
	}
	hash, err := s.Passwords.Hash(ctx, normal, passwords.First)
	if err != nil {
		return Account{}, err
	}
	account, _ := s.newAccount(applicant{username: parsed}, hash)
	account.Active, account.Superuser = true, true
	if err := s.Store.Create(ctx, account, nil); err != nil {
		return Account{}, err
	}
	return account, nil
}
