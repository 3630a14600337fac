package captcha

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"

	"golang.org/x/text/unicode/norm"

	"usher/input"
)

// idLength is the length of what rand.Text returns: 26 characters of base32, 130 bits.
const idLength = 26

// maxGiven bounds, in bytes, what is looked at; eight full-width digits with spaces need a quarter of it.
const maxGiven = 256

// Match reports whether given answers the challenge whose answer is stored. It forgives what an input method or a screen
// reader's user may do: full-width forms, letter case, spaces, hyphens and marks that show nothing anywhere. An empty answer matches nothing, not even itself.
// It takes the same time wherever the two first differ.
func Match(stored, given string) bool {
	if len(stored) > maxGiven || len(given) > maxGiven {
		return false
	}
	want, got := normalise(stored), normalise(given)
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}

// normalise keeps a sign in front: the answer to a sum may be below zero.
func normalise(s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(input.Narrow(norm.NFKC.String(s))), ""))
	if s == "" {
		return ""
	}
	return s[:1] + strings.ReplaceAll(s[1:], "-", "")
}

// NewID returns a name for a challenge that cannot be guessed, fit for a URL's path.
func NewID() string { return rand.Text() }

// ValidID reports whether s has the form that [NewID] gives, so that nothing else becomes part of a store's key.
func ValidID(s string) bool {
	return len(s) == idLength && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
