package contact

import (
	"errors"
	"strings"

	"usher/input"
)

// ErrMobile is returned for text that is not a mainland mobile number.
var ErrMobile = errors.New("not a mobile number")

// Mobile is a mainland Chinese mobile number. The zero value means that there is none.
type Mobile struct{ hidden }

// mobileDigits is the length of a mainland mobile number without its country code.
const mobileDigits = 11

// ParseMobile reads a number as people type and paste it, see [input.Number]: eleven digits, optionally after +86, 0086 or 86. The
// canonical form is the eleven digits. It returns [ErrMobile] for everything else, in particular for lists: a provider's number
// field accepts a thousand numbers separated by commas.
func ParseMobile(s string) (Mobile, error) {
	digits, international, ok := input.Number(s)
	if !ok {
		return Mobile{}, ErrMobile
	}
	number, ok := mainland(digits, international)
	if !ok {
		return Mobile{}, ErrMobile
	}
	return Mobile{hidden{full: number, masked: number[:3] + "****" + number[7:]}}, nil
}

// mainland returns the eleven digits of a mainland mobile number, whose country code may lack the plus sign.
func mainland(digits string, international bool) (number string, ok bool) {
	number = digits
	if international || len(digits) == len("86")+mobileDigits {
		if number, ok = strings.CutPrefix(digits, "86"); !ok {
			return "", false
		}
	}
	return number, len(number) == mobileDigits && number[0] == '1' && number[1] >= '3'
}

// Prefix returns the first seven digits: the block of numbers of one carrier in one region. SMS pumping is visible there first.
func (m Mobile) Prefix() string {
	if m.IsZero() {
		return ""
	}
	return m.full[:7]
}
