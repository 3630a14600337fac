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
	MobileOnly Registration = "mobile" // a number; an address may come along
	EmailOnly  Registration = "email"  // an address; a number may come along
	Both       Registration = "both"
)

// Policy is what an operator decides about accounts.
type Policy struct {
	Registration  Registration
	ActivationTTL time.Duration // life of an activation link
	NumberRecheck time.Duration // a code alone does not open an account that was not seen for so long; 0: it always does
	UnprovedTTL   time.Duration // how long an account waits for the proof of its address; zero: for ever
}

// CodeSpender uses codes up and gives them back; [verify.Service] is one.
type CodeSpender interface {
	// Spend uses up the code that has this id when the digits are right.
	Spend(ctx context.Context, mobile contact.Mobile, purpose verify.Purpose, codeID, code string) error

	// Restore makes a spent code usable again, after a later step has failed.
	Restore(ctx context.Context, id string) error
}

// Mailer puts the task of a filed mail on the queue.
type Mailer interface {
	// EnqueueMail may fail without harm: the mail is in the outbox, and the relay finds it there.
	EnqueueMail(ctx context.Context, mail Mail) error
}

// Service registers, activates and signs in. All fields are needed; it is safe for concurrent use.
type Service struct {
	Store     Store
	Codes     CodeSpender
	Mailer    Mailer
	Passwords Hasher
	Keys      *secrets.Keys
	Policy    Policy
	Now       func() time.Time
	Logger    *slog.Logger
}

// afterwards bounds what is still done for a request that has failed or gone away.
const afterwards = 3 * time.Second

// UsernameTaken reports whether an account has this user name in any spelling that looks the same.
// It returns FieldErrors when no account could have it.
func (s *Service) UsernameTaken(ctx context.Context, username string) (bool, error) {
	name, problem := parseUsername(username)
	if problem != "" {
		return false, FieldErrors{FieldUsername: problem}
	}
	holder, err := s.holder(ctx, name)
	return holder != nil && !s.ranOut(*holder), err
}

// holder returns the account that has the user name, or nil. Most names that are asked for are free.
func (s *Service) holder(ctx context.Context, name username) (*Account, error) {
	key := Key{ByUsername, name.canonical}
	taken, err := s.Store.Exists(ctx, key)
	if err != nil || !taken {
		return nil, err
	}
	account, found, err := s.find(ctx, key)
	if err != nil || !found {
		return nil, err
	}
	return &account, nil
}

// MobileTaken reports whether an account has this number.
func (s *Service) MobileTaken(ctx context.Context, mobile contact.Mobile) (bool, error) {
	return s.Store.Exists(ctx, Key{ByMobile, mobile.Reveal()})
}

// find is Store.Find with "there is none" as an answer instead of an error.
func (s *Service) find(ctx context.Context, key Key) (account Account, found bool, err error) {
	account, err = s.Store.Find(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return Account{}, false, nil
	}
	return account, err == nil, err
}

// withCode spends a code and does the work that it was asked for; the code is given back when the work fails. All
// that asks the store about other accounts, or hashes a password, belongs in the work: with a made-up code nothing
// is told of anybody, and no core is kept busy.
func (s *Service) withCode(
	ctx context.Context, mobile contact.Mobile, purpose verify.Purpose, code smsCode, work func() error,
) error {
	if err := s.Codes.Spend(ctx, mobile, purpose, code.id, code.digits); err != nil {
		return err
	}
	if err := work(); err != nil {
		s.restore(ctx, code.id)
		return err
	}
	return nil
}

// restore gives a code back although the request may have been given up meanwhile.
func (s *Service) restore(ctx context.Context, codeID string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	if err := s.Codes.Restore(ctx, codeID); err != nil {
		s.Logger.WarnContext(ctx, "code not restored", "code_id", codeID, "error", err)
	}
}

// enqueue is best effort: an acknowledged account must not depend on Redis, and the relay sweeps what
// stays behind.
func (s *Service) enqueue(ctx context.Context, mail Mail) {
	if err := s.Mailer.EnqueueMail(ctx, mail); err != nil {
		s.Logger.WarnContext(ctx, "mail left to the relay",
			"task_id", mail.ID, "purpose", mail.Purpose, "request_id", mail.RequestID, "error", err)
	}
}
