package accounts

import (
	"context"
	"errors"
	"slices"
	"unicode/utf8"

	"usher/passwords"
	"usher/passwords/common"
)

// minPassword is the shortest password that a person may choose, in code points after NFKC.
const minPassword = 8

// Hasher hashes passwords; [passwords.Hasher] is the one in use. Both methods return [passwords.ErrBusy] when the
// hasher has no free slot in time, and the context's error when it ended first.
type Hasher interface {
	// Hash returns the hash of a normalised password.
	Hash(ctx context.Context, password string, priority passwords.Priority) (string, error)

	// Compare reports whether the hash was made from the password as it was typed. It takes the same time for an
	// empty hash, which matches no password.
	Compare(ctx context.Context, password, hash string, priority passwords.Priority) (bool, error)
}

// rehash stores our own hash of a password that has just matched an imported one. It is best effort: the next sign-in
// tries again.
func (s *Service) rehash(ctx context.Context, account *Account, normal string) {
	hash, err := s.Passwords.Hash(ctx, normal, passwords.First)
	if err == nil {
		err = s.Store.Rehash(ctx, account.ID, account.PasswordHash, hash)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "imported password hash not replaced; the next sign-in tries again",
			"account_id", account.ID, "error", err)
		return
	}
	account.PasswordHash = hash
}

// newPassword checks a password that a person chose, also against what is known of them, and returns its normal form.
// It adds problems to errs. A repetition must be the same, also where none is asked.
func (p Policy) newPassword(password, repeat string, errs FieldErrors, known ...string) string {
	normal, err := passwords.Normalize(password)
	switch {
	case errors.Is(err, passwords.ErrEmpty):
		errs[FieldPassword] = Missing
	case errors.Is(err, passwords.ErrTooLong):
		errs[FieldPassword] = TooLong
	case err != nil:
		errs[FieldPassword] = Malformed
	case utf8.RuneCountInString(normal) < minPassword:
		errs[FieldPassword] = TooShort
	case easyToGuess(normal, known...):
		errs[FieldPassword] = TooCommon
	}
	switch repeated, _ := passwords.Normalize(repeat); {
	case repeat == "":
		if p.Asked.PasswordRepeat {
			errs[FieldPasswordRepeat] = Missing
		}
	case repeat != password && (repeated == "" || repeated != normal):
		errs[FieldPasswordRepeat] = Different
	}
	return normal
}

// easyToGuess reports whether the password is a common one, or the person's own name, number or address.
func easyToGuess(password string, known ...string) bool {
	folded := fold(password)
	return common.Has(folded) || slices.ContainsFunc(known, func(text string) bool {
		return text != "" && folded == fold(text)
	})
}
