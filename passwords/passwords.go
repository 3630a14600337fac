// Package passwords hashes passwords with argon2id and compares them with hashes of ours and of Django. It bounds how
// many hashes are computed at once, and can compute them in worker processes, so that requests do not compete with
// them inside one Go runtime.
package passwords

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Errors of [Normalize].
var (
	ErrEmpty     = errors.New("password is empty")
	ErrTooLong   = errors.New("password is too long")
	ErrMalformed = errors.New("password is not valid text")
)

// maxLength bounds a password in code points, after NFKC. No password is ever truncated.
const maxLength = 128

// maxBytes bounds what is normalised; 128 code points of four bytes in their longest decomposition stay below it.
const maxBytes = 4096

// Normalize returns the password in NFKC, since keyboards differ in the code points that they send for the same
// characters. It returns [ErrEmpty], [ErrTooLong] or [ErrMalformed] for text that cannot be the password of any
// account. It sets no minimum length: imported passwords may be short.
func Normalize(s string) (string, error) {
	switch {
	case s == "":
		return "", ErrEmpty
	case len(s) > maxBytes:
		return "", ErrTooLong
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return "", ErrMalformed
	}
	s = norm.NFKC.String(s)
	if utf8.RuneCountInString(s) > maxLength {
		return "", ErrTooLong
	}
	return s, nil
}
