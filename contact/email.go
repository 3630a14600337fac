package contact

import (
	"errors"
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"usher/input"
)

// ErrEmail is returned for text that is not exactly one usable email address.
var ErrEmail = errors.New("not an email address")

// maxEmail is the longest address that fits an SMTP path (RFC 5321, 4.5.3.1.3).
const maxEmail = 254

// Email is one email address. The zero value means that there is none.
type Email struct{ hidden }

// ParseEmail reads one bare address. The canonical form is lower case with the domain in Punycode: no provider in use distinguishes
// local parts by case, and two accounts must not share one mailbox. Characters that a clipboard adds are removed, and full-width
// forms of an input method are read as ASCII, see [input.Narrow]. It returns [ErrEmail] for display names, lists, quoted or
// non-ASCII local parts (QQ and 163 offer no SMTPUTF8, so such a mail cannot be sent), domains without a dot, and control
// characters.
func ParseEmail(s string) (Email, error) {
	s = input.WithoutScheme(input.Narrow(s), "mailto:")
	if s == "" || utf8.RuneCountInString(s) > maxEmail || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00<>\"(), ;") {
		return Email{}, ErrEmail
	}
	local, domain, found := strings.Cut(s, "@")
	// "=?" begins an encoded word: a mail reader might show an address that the mail is not sent to.
	if !found || local == "" || len(local) > 64 || !isASCII(local) || strings.HasPrefix(local, "=?") {
		return Email{}, ErrEmail
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || !strings.Contains(domain, ".") {
		return Email{}, ErrEmail
	}
	address := strings.ToLower(local + "@" + domain)
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || len(address) > maxEmail {
		return Email{}, ErrEmail
	}
	// The first letter and the domain are enough for the owner to recognise it.
	return Email{hidden{full: address, masked: address[:1] + "***" + address[strings.LastIndexByte(address, '@'):]}}, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
