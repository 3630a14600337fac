package contact

import (
	"errors"
	"strings"

	"usher/input"
)

// ErrMobile is returned for text that is not exactly one mobile number.
var ErrMobile = errors.New("not a mobile number")

// Mobile is one mobile number. The zero value means that there is none.
//
// Its canonical form is E.164, such as +85251234567, except that a mainland number is written as its eleven digits: keys, keyed
// hashes, tasks and rows had that form before there were numbers of other regions.
type Mobile struct {
	hidden
	region string
}

// Mainland is the region whose numbers have eleven digits and no country code.
const Mainland = "CN"

// mainlandCode and mobileDigits are the country code of a mainland number, and the length of the number without it.
const (
	mainlandCode = "86"
	mobileDigits = 11
)

// ParseMobile reads a number of any region as people type and paste it, see [input.Number]. A number without a plus sign or 00
// belongs to the mainland, and may begin with 86. It returns [ErrMobile] for everything that cannot be one mobile number, in
// particular for lists: a provider's number field accepts a thousand numbers separated by commas.
//
// It is for numbers of our own, which are in their canonical form. [Regions.Parse] reads what people enter.
func ParseMobile(s string) (Mobile, error) { return parseMobile(s, Mainland) }

// parseMobile reads a number that belongs to the region unless a country code is marked by a plus sign or 00.
func parseMobile(s, region string) (Mobile, error) {
	digits, international, ok := input.Number(s)
	if !ok {
		return Mobile{}, ErrMobile
	}
	if international {
		if number, isMainland := strings.CutPrefix(digits, mainlandCode); isMainland {
			return newMainland(number)
		}
		return parseAbroad("+"+digits, "")
	}
	if region != Mainland {
		return parseAbroad(digits, region)
	}
	if len(digits) == len(mainlandCode)+mobileDigits {
		digits = strings.TrimPrefix(digits, mainlandCode)
	}
	return newMainland(digits)
}

// newMainland returns the mobile number of eleven digits. It accepts more prefixes than carriers use today: they get new ones.
func newMainland(digits string) (Mobile, error) {
	if len(digits) != mobileDigits || digits[0] != '1' || digits[1] < '3' {
		return Mobile{}, ErrMobile
	}
	return Mobile{hidden{full: digits, masked: masked(digits, mobileDigits)}, Mainland}, nil
}

// Region returns the region of the number as an ISO 3166 code such as "CN" or "HK"; it is empty for the zero value.
func (m Mobile) Region() string { return m.region }

// E164 returns the number with its plus sign and country code, or "" for the zero value. As [Mobile.Reveal], it must not be put
// into a log, an error or an answer.
func (m Mobile) E164() string { return E164(m.full) }

// E164 returns the canonical form of a number with its plus sign and country code: +8613800138000 for 13800138000. Numbers of other
// regions have both already. The text is not checked.
func E164(mobile string) string {
	if mobile == "" || mobile[0] == '+' {
		return mobile
	}
	return "+" + mainlandCode + mobile
}

// suffixDigits is the number of last digits that [Mobile.Prefix] leaves out: ten thousand numbers share a prefix.
const suffixDigits = 4

// Prefix returns the canonical form without its last four digits: mostly a block of numbers of one carrier in one region. SMS
// pumping is visible there first.
func (m Mobile) Prefix() string { return m.full[:max(0, len(m.full)-suffixDigits)] }

// masked replaces four of a number's last eight digits, or the first four of a shorter number. The country code stays, which is
// what precedes the given number of national digits.
func masked(number string, national int) string {
	shown := min(4, max(0, national-4))
	end := len(number) - shown
	return number[:end-min(4, national)] + "****" + number[end:]
}
