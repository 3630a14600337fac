package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// Register makes an account. It returns FieldErrors, what [verify.Service] says about the code, *ExistsError,
// ErrRegistered, passwords.ErrBusy, or a *verify.LimitError when the owner of the address has declined mails. The code comes before
// the look-ups and the hash, see [Service.withCode]; the caller has checked a captcha when no number is given.
func (s *Service) Register(ctx context.Context, request SignUp) (Account, error) {
	a, err := request.parse(s.Policy.Registration)
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

// A request that comes second waits for the first one, which may still hash its password.
const (
	secondLooks = 10
	secondPause = 200 * time.Millisecond
)

// justRegistered is how old the account of a first request can be: no code lives longer.
const justRegistered = 30 * time.Minute

// registeredBefore returns ErrRegistered to a request whose right code another one has used to register the number, and
// used when the other one has made no account. Only the owner of the number comes here.
func (s *Service) registeredBefore(ctx context.Context, mobile contact.Mobile, used error) error {
	for look := range secondLooks {
		if look > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(secondPause):
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

// CheckSignUp returns FieldErrors for what is wrong with the form of a request to register, before anything is spent.
func (s *Service) CheckSignUp(request SignUp) error {
	_, err := request.parse(s.Policy.Registration)
	return err
}

// create writes the account of an applicant whose code or captcha is right.
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
	account, mail, err := s.newAccount(a, hash)
	if err != nil {
		return Account{}, err
	}
	if holder != nil {
		account, err = s.createClaiming(ctx, account, mail, *holder, a.origin)
	} else {
		err = s.Store.Create(ctx, account, mail)
	}
	if err != nil {
		return Account{}, err
	}
	if mail != nil {
		s.enqueue(ctx, *mail)
	}
	return account, nil
}

// refuseTaken spares us the hash; the store's unique columns decide races.
func (s *Service) refuseTaken(ctx context.Context, a applicant) error {
	if err := s.freeUsername(ctx, a.username); err != nil {
		return err
	}
	if a.email.IsZero() {
		return nil
	}
	return s.refuseEmail(ctx, a.email)
}

// refuseEmail returns an *ExistsError for an address that an account has proved, and a *verify.LimitError while its
// owner wants no mails that ask for its proof.
func (s *Service) refuseEmail(ctx context.Context, email contact.Email) error {
	taken, err := s.Store.Exists(ctx, Key{ByEmail, email.Reveal()})
	if err != nil {
		return err
	}
	if taken {
		return &ExistsError{FieldEmail}
	}
	return s.refuseDeclined(ctx, email)
}

// freeUsername deletes an account that has the user name and waits for a proof that did not come in time. It returns
// an *ExistsError for any other account.
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

// newAccount is active when a number is proved; an address alone has to be activated first.
func (s *Service) newAccount(a applicant, hash string) (Account, *Mail, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Account{}, nil, fmt.Errorf("make account id: %w", err)
	}
	now := s.Now()
	account := Account{
		ID:                   id.String(),
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
		return account, nil, nil
	}
	account.PendingEmailAt = now
	return account, s.newMail(MailActivation, s.Policy.ActivationTTL, a.origin), nil
}

// CreateSuperuser makes an active account with neither number nor address, for the command line. It
// returns FieldErrors or *ExistsError.
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
	account, _, err := s.newAccount(applicant{username: parsed}, hash)
	if err != nil {
		return Account{}, err
	}
	account.Active, account.Superuser = true, true
	if err := s.Store.Create(ctx, account, nil); err != nil {
		return Account{}, err
	}
	return account, nil
}
