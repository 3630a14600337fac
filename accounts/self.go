package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
)

// What a signed-in person changes about the own account. Every change asks for the current password, so that
// a session in the wrong hands cannot take the account over.

// Changes replaces parts of an account. Each method finds the account as it was when the caller looked at
// it, by its generations of sessions and of activation links; when somebody has changed the password or the
// address since, it returns ErrChanged. When a unique column is taken it returns an *ExistsError. Whatever the
// error, nothing is written, no mail either. The times are those of the account's UpdatedAt.
type Changes interface {
	// ChangePassword replaces the hash, starts a new generation of sessions and files the notice unless it
	// is nil.
	ChangePassword(ctx context.Context, was Account, hash string, at time.Time, notice *Mail) (Account, error)

	// ChangeEmail lets the address wait for its proof, in place of one that waited before, starts a new
	// generation of activation links and files the mails.
	ChangeEmail(ctx context.Context, was Account, email contact.Email, at time.Time, mails ...*Mail) (Account, error)

	// ChangeMobile replaces the number by one that is proved.
	ChangeMobile(ctx context.Context, was Account, mobile contact.Mobile, at time.Time) (Account, error)
}

// ErrChanged says that the account is no longer what the caller has looked at.
var ErrChanged = errors.New("account has changed meanwhile")

// PasswordError says that the current password is not right, and which field was to hold it.
type PasswordError struct{ Field Field }

// Error names the field.
func (e *PasswordError) Error() string { return string(e.Field) + " is wrong" }

// FieldPasswordCurrent holds the current password where FieldPassword holds the next one.
const FieldPasswordCurrent Field = "password_current"

// Unchanged is the problem of a new value that is the present one.
const Unchanged Problem = "unchanged"

// confirm returns nil for the current password, a *PasswordError for another one, or what [Hasher.Compare]
// returns.
func (s *Service) confirm(ctx context.Context, account Account, field Field, password string) error {
	if _, problem := normalPassword(password); problem != "" { // no account has it
		return &PasswordError{field}
	}
	match, err := s.Passwords.Compare(ctx, password, account.PasswordHash, First)
	if err == nil && !match {
		err = &PasswordError{field}
	}
	return err
}
