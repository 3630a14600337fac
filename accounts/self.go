package accounts

import (
	"context"
	"errors"

	"usher/passwords"
)

// What a signed-in person changes about the own account. Every change asks for the current password, so that
// a session in the wrong hands cannot take the account over.

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

// confirm returns nil for the current password, a *PasswordError for another one, or what [Hasher]
// returns.
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
