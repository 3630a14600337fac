// Package input brings what people type or paste into the form in which it is read. A clipboard adds spaces of all
// kinds, marks that show nothing, full-width forms and typographic hyphens; a person adds what makes a number easy to
// read. Every function is idempotent. None is for passwords, in which everything counts.
package input

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Trim removes what shows nothing anywhere in a text, and white space of every kind at both ends.
func Trim(s string) string {
	if isPlain(s) { // nearly always
		return s
	}
	if strings.ContainsFunc(s, isInvisible) {
		s = strings.Map(func(r rune) rune {
			if isInvisible(r) {
				return -1
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}

// isPlain reports whether there is nothing to trim: printable ASCII without white space at its ends.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x7F || s[i] < ' ' {
			return false
		}
	}
	return s == "" || s[0] > ' ' && s[len(s)-1] > ' '
}

// isInvisible reports whether a character shows nothing and takes no room: byte order marks, marks of direction, zero
// width spaces and joiners, soft hyphens, variation selectors, and the placeholder of a pasted picture.
func isInvisible(r rune) bool {
	return r >= 0xAD && (r == 0xFFFC || unicode.Is(unicode.Variation_Selector, r) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r))
}

// Narrow is Trim, with the full-width forms of ASCII as ASCII, every hyphen, dash and minus sign as "-" and every kind
// of white space within a line as " ". Letters that only resemble ASCII stay as they are.
func Narrow(s string) string {
	s = Trim(s)
	if isPlain(s) {
		return s
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case isHyphen(r):
			return '-'
		case unicode.IsSpace(r) && !isLineBreak(r):
			return ' '
		}
		return r
	}, s))
}

func isHyphen(r rune) bool {
	const minus, modifierMinus, hyphenBullet = '\u2212', '\u02D7', '\u2043'
	return unicode.Is(unicode.Pd, r) || r == minus || r == modifierMinus || r == hyphenBullet
}

func isLineBreak(r rune) bool { return strings.ContainsRune("\n\v\f\r\u0085\u2028\u2029", r) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// WithoutScheme returns what a copied link of a scheme, such as "tel:", leads to, and anything else as it is.
func WithoutScheme(s, scheme string) string {
	if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
		return s[len(scheme):]
	}
	return s
}

// maxNumber bounds a phone number as it is typed, in characters.
const maxNumber = 64

// Number reads a phone number as people write it: digits with white space, hyphens, dots or parentheses between them.
// International says that the digits begin with a country code, since a plus sign or 00 stood in front. It reports
// false for anything else, above all for a list of numbers. It knows no country's rules.
func Number(s string) (digits string, international, ok bool) {
	s = WithoutScheme(Narrow(s), "tel:")
	if utf8.RuneCountInString(s) > maxNumber {
		return "", false, false
	}
	digits, international, ok = digitsOf(s)
	if rest, prefixed := strings.CutPrefix(digits, "00"); prefixed && !international {
		digits, international = rest, true
	}
	return digits, international, ok && digits != ""
}

// digitsOf reports false for a text that has more than digits, what stands between them, and a plus sign before them all.
func digitsOf(s string) (digits string, plus, ok bool) {
	var b strings.Builder
	behindDot := maxNumber // how many digits follow the last dot
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
			behindDot++
		case r == '+' && b.Len() == 0 && !plus:
			plus = true
		case r == '.' || r == '·':
			behindDot = 0
		case !strings.ContainsRune(" -()", r):
			return "", false, false
		}
	}
	return b.String(), plus, behindDot >= 3 // a spreadsheet's 13800138000.0 is a quantity
}

// Code reads a code of so many digits as it is typed, or out of the whole message that brought it: there it is the only
// run of so many digits. Text in which there is no such code comes back narrowed.
func Code(s string, length int) string {
	s = Narrow(s)
	bare := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, s)
	if strings.Trim(bare, "0123456789") == "" {
		return bare
	}
	if code := onlyRun(s, length); code != "" {
		return code
	}
	return s
}

// onlyRun returns the run of so many digits that a text has, or "" when there is none or several that differ. One that
// touches an ASCII letter is part of something else.
func onlyRun(s string, length int) string {
	found := ""
	for start := 0; start < len(s); {
		end := start
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if end == start {
			start++
			continue
		}
		apart := (start == 0 || !isASCIILetter(s[start-1])) && (end == len(s) || !isASCIILetter(s[end]))
		if run := s[start:end]; len(run) == length && apart {
			if found != "" && found != run {
				return ""
			}
			found = run
		}
		start = end
	}
	return found
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
