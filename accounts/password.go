package accounts

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a password in code points, after NFKC. None is ever cut short.
const (
	minPassword = 8
	maxPassword = 128
)

// maxPasswordBytes bounds what is normalised; 128 code points of four bytes in their longest
// decomposition stay below it.
const maxPasswordBytes = 4096

//go:embed common_passwords.txt
var commonList string

// commonPasswords holds the folded passwords that every guessing program tries first.
var commonPasswords = sync.OnceValue(func() map[string]bool {
	list := strings.Fields(commonList)
	set := make(map[string]bool, len(list))
	for _, password := range list {
		set[password] = true
	}
	return set
})

// normalPassword returns the password in NFKC, since keyboards differ in what they send for the same
// signs. It returns a problem for text that no account can have as its password; short ones may have
// been imported.
func normalPassword(s string) (string, Problem) {
	switch {
	case s == "":
		return "", Missing
	case len(s) > maxPasswordBytes:
		return "", TooLong
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return "", Malformed
	}
	s = norm.NFKC.String(s)
	if utf8.RuneCountInString(s) > maxPassword {
		return "", TooLong
	}
	return s, ""
}

// newPassword checks a password that somebody chose, beside what is known of them, and returns its
// normal form. Problems go to errs.
func newPassword(password, repeat string, errs FieldErrors, known ...string) string {
	normal, problem := normalPassword(password)
	switch {
	case problem != "":
	case utf8.RuneCountInString(normal) < minPassword:
		problem = TooShort
	case easyToGuess(normal, known):
		problem = TooCommon
	}
	if problem != "" {
		errs[FieldPassword] = problem
	}
	switch repeated, _ := normalPassword(repeat); {
	case repeat == "":
		errs[FieldPasswordRepeat] = Missing
	case repeat != password && (repeated == "" || repeated != normal):
		errs[FieldPasswordRepeat] = Different
	}
	return normal
}

// easyToGuess reports whether the password is on the list or is the person's name, number or address.
func easyToGuess(password string, known []string) bool {
	folded := fold(password)
	if commonPasswords()[folded] {
		return true
	}
	for _, text := range known {
		if text != "" && folded == fold(text) {
			return true
		}
	}
	return false
}
