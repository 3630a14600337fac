package contact

import (
	"errors"
	"strings"
)

// ErrMobile is returned for text that is not a mainland mobile number.
var ErrMobile = errors.New("not a mobile number")

// Mobile is a mainland Chinese mobile number. The zero value means that there is none.
type Mobile struct{ hidden }

// mobileDigits is the length of a mainland mobile number without its country code.
const mobileDigits = 11

// ParseMobile reads a number as people type it: eleven digits, with +86, 0086 or 86 in front,
// single spaces or hyphens between groups. The canonical form is the bare eleven digits.
// It returns ErrMobile for everything else, above all for lists: a provider's number field takes
// a thousand numbers separated by commas.
func ParseMobile(s string) (Mobile, error) {
	digits, ok := digitsOf(s)
	if !ok {
		return Mobile{}, ErrMobile
	}
	number := digits
	switch {
	case strings.HasPrefix(s, "+"):
		number, ok = strings.CutPrefix(digits, "86")
	case len(digits) == len("0086")+mobileDigits:
		number, ok = strings.CutPrefix(digits, "0086")
	case len(digits) == len("86")+mobileDigits:
		number, ok = strings.CutPrefix(digits, "86")
	}
	if !ok || len(number) != mobileDigits || number[0] != '1' || number[1] < '3' {
		return Mobile{}, ErrMobile
	}
	return Mobile{hidden{full: number, masked: number[:3] + "****" + number[7:]}}, nil
}

// digitsOf returns the digits of a typed number, or false when there is more in it than a plus sign in
// front and single blanks or hyphens between groups.
func digitsOf(s string) (string, bool) {
	const longest = len("+86") + 2*mobileDigits
	if len(s) > longest {
		return "", false
	}
	digits := make([]byte, 0, longest)
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			digits = append(digits, c)
		case c == '+' && i == 0:
		case (c == ' ' || c == '-') && i > 0 && i < len(s)-1 && isDigit(s[i-1]):
		default:
			return "", false
		}
	}
	return string(digits), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Prefix returns the first seven digits: the block that one carrier hands out in one region, in
// which SMS pumping shows up first.
func (m Mobile) Prefix() string {
	if m.IsZero() {
		return ""
	}
	return m.full[:7]
}
