// Package input normalises text that people type or paste. A clipboard adds spaces of all kinds, invisible marks, full-width forms
// and typographic hyphens; people add separators to make a number easy to read. Every function is idempotent. None may be used
// for passwords, in which every character counts.
package input

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Trim removes invisible characters everywhere in a text, and white space of every kind at both ends.
func Trim(s string) string {
	if isPlain(s) { // the usual case
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

// isInvisible reports whether a character is invisible and has no width: byte order marks, marks of direction, zero width spaces
// and joiners, soft hyphens, variation selectors, and the placeholder of a pasted picture.
func isInvisible(r rune) bool {
	return r >= 0xAD && (r == 0xFFFC || unicode.Is(unicode.Variation_Selector, r) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r))
}

// Narrow is [Trim], and converts full-width forms of ASCII to ASCII, every hyphen, dash and minus sign to "-", and every kind of
// white space within a line to " ". Letters that only resemble ASCII stay as they are.
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

func isDigit[T byte | rune](c T) bool { return c >= '0' && c <= '9' }

// WithoutScheme removes a scheme, such as "tel:", from the beginning of a copied link. Other text stays as it is.
func WithoutScheme(s, scheme string) string {
	if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
		return s[len(scheme):]
	}
	return s
}

// maxNumber bounds the text of a phone number, in characters.
const maxNumber = 64

// Number reads a phone number as people write it: digits with white space, hyphens, dots or parentheses between them.
// International says that the digits begin with a country code, because a plus sign or 00 preceded them. ok is false for
// anything else, in particular for a list of numbers. The rules of a country are not checked.
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

// digitsOf returns the digits of a text, and whether a plus sign precedes them. ok is false for a text with other characters than
// these and separators.
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
	return b.String(), plus, behindDot >= 3 // 13800138000.0 from a spreadsheet is a quantity
}

// Code reads a code of the given number of digits, as it is typed or in the whole text of its message, where it is the only run of
// that many digits. Text without such a code is returned as [Narrow] returns it.
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

// LetterCode reads a code of that many of the given capital letters and digits, without regard to case, as it is typed or in the
// whole text of its message, where it is the only word of these. Text without such a code is returned as [Narrow] returns it. A code
// of digits alone is read too, whatever the characters.
func LetterCode(s string, length int, characters string) string {
	s = Narrow(s)
	isCode := func(word string) bool {
		return len(word) == length && (strings.Trim(word, characters) == "" || strings.Trim(word, "0123456789") == "")
	}
	bare := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
	if isCode(bare) {
		return bare
	}
	found := ""
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !isDigit(r) && !isASCIILetter(r) }) {
		word = strings.ToUpper(word)
		if !isCode(word) || word == found {
			continue
		}
		if found != "" {
			return s
		}
		found = word
	}
	return cmp.Or(found, s)
}

// onlyRun returns the run of that many digits in a text, or "" when there is none or several that differ. A run next to an ASCII
// letter does not count, because it is part of a word.
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

func isASCIILetter[T byte | rune](c T) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
