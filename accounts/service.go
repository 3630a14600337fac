package accounts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"usher/contact"
	"usher/secrets"
	"usher/verify"
)

// Registration says what a sign-up must prove.
type Registration string

// The kinds of registration. A given number always needs its code, whatever the kind.
const (
	Either     Registration = "either" // a number, an address, or both
	MobileOnly Registration = "mobile" // a number; an address is optional
	EmailOnly  Registration = "email"  // an address; a number is optional
	Both       Registration = "both"
)

// Asked says which fields a sign-up must have beside the contacts that [Registration] demands. A field that is not asked may
// still be given, and is checked then.
type Asked struct {
	Username bool
	Password bool // without one, a code must prove a contact at once: the account has no other way in
	// PasswordRepeat applies wherever a person chooses a password. It is for forms that cannot show what was typed.
	PasswordRepeat bool
	// Email shows a field for an address in the form of a number. No sign-up must fill it in.
	Email bool
}

// Policy is what an operator decides about accounts.
type Policy struct {
	Registration  Registration
	Asked         Asked
	ActivationTTL time.Duration // life of an activation link
	NumberRecheck time.Duration // a code alone does not open an account unused for as long; 0: it always does
	UnprovedTTL   time.Duration // how long an account waits for the proof of its address; 0: for ever
	Regions       contact.Regions
	SignInCreates bool          // signing in with a right code for an unknown contact makes the account
	DeleteGrace   time.Duration // how long the owner can take a deletion back; 0: not at all

	// TermsVersion and PrivacyVersion are those of the texts that people agree to; empty: people are not asked for a new one.
	TermsVersion, PrivacyVersion string
}

// CodeSpender uses codes up and gives them back; [verify.Service] is one.
type CodeSpender interface {
	// Spend uses up the code that has this id when the digits are right.
	Spend(ctx context.Context, to verify.Recipient, purpose verify.Purpose, codeID, code string) error

	// Restore makes a spent code usable again, after a later step has failed.
	Restore(ctx context.Context, id string) error
}

// Mailer enqueues the task of a mail that is in the outbox.
type Mailer interface {
	// EnqueueMail may fail without harm: the relay finds the mail in the outbox.
	EnqueueMail(ctx context.Context, mail Mail) error
}

// Service registers, activates, signs in and erases. All fields are needed; it is safe for concurrent use.
type Service struct {
	Store     Store
	Codes     CodeSpender
	Mailer    Mailer
	Remains   Remains // to erase accounts
	Passwords Hasher
	Keys      *secrets.Keys
	Policy    Policy
	Now       func() time.Time
	Logger    *slog.Logger
}

// cleanupTimeout bounds the work that follows a request which has failed or was cancelled.
const cleanupTimeout = 3 * time.Second

// UsernameTaken reports whether an account has this user name in any spelling that looks the same. It returns
// FieldErrors for a name that no account can have.
func (s *Service) UsernameTaken(ctx context.Context, username string) (bool, error) {
	name, problem := parseUsername(username)
	if problem != "" {
		return false, FieldErrors{FieldUsername: problem}
	}
	return s.Store.NameTaken(ctx, name.canonical, s.unprovedBefore())
}

// holder reports whether the user name is taken, and by which account; it is nil for a name that an erased account had until
// lately. Most names that people register are free, so it asks for existence first, which is cheaper.
func (s *Service) holder(ctx context.Context, name username) (taken bool, holder *Account, err error) {
	key := Key{ByUsername, name.canonical}
	taken, err = s.Store.Exists(ctx, key)
	if err != nil || !taken {
		return false, nil, err
	}
	account, found, err := s.find(ctx, key)
	if err != nil || !found {
		return err == nil, nil, err
	}
	return true, &account, nil
}

// MobileTaken reports whether an account has this number.
func (s *Service) MobileTaken(ctx context.Context, mobile contact.Mobile) (bool, error) {
	return s.Store.Exists(ctx, Key{ByMobile, mobile.Reveal()})
}

// find is [Store].Find that returns false instead of ErrNotFound.
func (s *Service) find(ctx context.Context, key Key) (account Account, found bool, err error) {
	account, err = s.Store.Find(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return Account{}, false, nil
	}
	return account, err == nil, err
}

// sentCode is a code as it was typed, and the id of the code that was sent.
type sentCode struct{ id, text string }

// newCode adds to errs what is missing of a code for a number or address.
func newCode(to verify.Recipient, id, text string, errs FieldErrors) sentCode {
	fieldID, field := FieldSMSCodeID, FieldSMSCode
	if _, byMail := to.(contact.Email); byMail {
		fieldID, field = FieldEmailCodeID, FieldEmailCode
	}
	errs.require(fieldID, id)
	errs.require(field, text)
	return sentCode{id, text}
}

// withCode spends a code and does the work that it was issued for. When the work fails it restores the code. Everything
// that asks the store about other accounts, or hashes a password, belongs in the work: a made-up code must neither
// learn about accounts nor keep a core busy.
func (s *Service) withCode(
	ctx context.Context, to verify.Recipient, purpose verify.Purpose, code sentCode, work func() error,
) error {
	if err := s.Codes.Spend(ctx, to, purpose, code.id, code.text); err != nil {
		return err
	}
	if err := work(); err != nil {
		s.restore(ctx, code.id)
		return err
	}
	return nil
}

// restore makes a code usable again, even if the request was cancelled meanwhile.
func (s *Service) restore(ctx context.Context, codeID string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := s.Codes.Restore(ctx, codeID); err != nil {
		s.Logger.WarnContext(ctx, "code not restored; the person must ask for another one", "code_id", codeID, "error", err)
	}
}
