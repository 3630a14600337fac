package testkit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// shortestSecret is the length below which a find means nothing.
const shortestSecret = 4

// FindSecrets searches for each secret as it is and in the forms it takes in logs, stores and on the wire:
// hexadecimal, base64 in both alphabets and wherever in the encoded text it begins, URL-escaped and
// JSON-escaped. It returns a line for every form that it found, which names the secret by its position
// alone, and nil when there is none. A secret of less than four bytes yields a line too, for it cannot be
// looked for.
//
// A secret of less than eight digits, such as a code, does not count inside a longer number or a long
// hexadecimal word: times and ids hold every six digits sooner or later.
func FindSecrets(haystack []byte, secrets ...string) []string {
	var found []string
	lower := bytes.ToLower(haystack)
	for i, secret := range secrets {
		if len(secret) < shortestSecret {
			found = append(found, fmt.Sprintf("secret %d is too short to be looked for", i))
			continue
		}
		for _, form := range formsOf(secret) {
			text, needle := haystack, []byte(form.text)
			if form.foldCase {
				text, needle = lower, bytes.ToLower(needle)
			}
			if at := index(text, needle); at >= 0 {
				found = append(found, fmt.Sprintf("secret %d %s at byte %d", i, form.name, at))
			}
		}
	}
	return found
}

// credentialForms are credentials that a search recognizes without knowing them.
var credentialForms = map[string]*regexp.Regexp{
	"a JSON Web Token":                  regexp.MustCompile(`eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*`),
	"a token of a session":              regexp.MustCompile(`\busr_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}\b`),
	"a key of an app":                   regexp.MustCompile(`\busk_[0-9A-Za-z_]{32,}`),
	"a secret that signs HTTP requests": regexp.MustCompile(`\bwhs(ec|k)_[0-9A-Za-z+/]{16,}`),
	"a private key on P-256":            regexp.MustCompile(`M[IG]{1,2}\w{0,3}AgEAMBMGByqGSM49AgEGCCqGSM49AwEH`), // the beginning of its PKCS #8
}

// FindCredentials returns a line for each kind of credential that a text has, with its position and not the credential itself.
func FindCredentials(haystack []byte) []string {
	var found []string
	for name, form := range credentialForms {
		if at := form.FindIndex(haystack); at != nil {
			found = append(found, fmt.Sprintf("%s at byte %d", name, at[0]))
		}
	}
	slices.Sort(found)
	return found
}

// secretForm is one spelling of a secret.
type secretForm struct {
	name, text string
	foldCase   bool
}

// formsOf returns the spellings of a secret that logs, stores and the wire may have.
func formsOf(secret string) []secretForm {
	forms := []secretForm{
		{name: "as it is", text: secret},
		{name: "in hexadecimal", text: hex.EncodeToString([]byte(secret)), foldCase: true},
	}
	for _, text := range base64Forms(secret) {
		forms = append(forms, secretForm{name: "in base64", text: text})
	}
	add := func(name, text string) {
		if text != secret {
			forms = append(forms, secretForm{name: name, text: text, foldCase: true})
		}
	}
	add("escaped for a URL query", url.QueryEscape(secret))
	add("escaped for a URL path", url.PathEscape(secret))
	add("with every byte escaped for a URL", percentEscape(secret))
	add("escaped for JSON", jsonEscape(secret, false))
	add("escaped for JSON in HTML", jsonEscape(secret, true))
	add("escaped for JSON in ASCII", asciiEscape(jsonEscape(secret, false)))
	add("with everything escaped for JSON", utf16Escape(secret))
	return forms
}

// base64Forms returns the characters that every encoding of a text with the secret in it contains: three
// alignments, without the characters at the ends whose bits belong to the neighbours too.
func base64Forms(secret string) []string {
	var forms []string
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		first, last := (shift*8+5)/6, len(padded)*8/6
		std := base64.RawStdEncoding.EncodeToString(padded)[first:last]
		forms = append(forms, std)
		if url := base64.RawURLEncoding.EncodeToString(padded)[first:last]; url != std {
			forms = append(forms, url)
		}
	}
	return forms
}

// percentEscape escapes every byte, as some clients do.
func percentEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

func jsonEscape(s string, html bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(html)
	if err := encoder.Encode(s); err != nil {
		return s // no string fails to encode
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

// asciiEscape writes what is beyond ASCII as other languages' JSON encoders do.
func asciiEscape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteString(utf16Escape(string(r)))
		}
	}
	return b.String()
}

// utf16Escape writes every UTF-16 unit as \uXXXX.
func utf16Escape(s string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, unit)
	}
	return b.String()
}

// index returns where the needle is in the text, or -1.
func index(text, needle []byte) int {
	short := len(needle) < 8 && !bytes.ContainsFunc(needle, func(r rune) bool { return r < '0' || r > '9' })
	for from := 0; ; {
		at := bytes.Index(text[from:], needle)
		if at < 0 {
			return -1
		}
		at += from
		if !short || !insideLonger(text, at, at+len(needle)) {
			return at
		}
		from = at + 1
	}
}

// longWord is the length of a hexadecimal word that is surely an id and not a sentence's end before a code.
const longWord = 16

// insideLonger tells whether text[from:to] is a part of a longer number or of a long hexadecimal word.
func insideLonger(text []byte, from, to int) bool {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	if from > 0 && isDigit(text[from-1]) || to < len(text) && isDigit(text[to]) {
		return true
	}
	isHex := func(c byte) bool {
		return isDigit(c) || c == '-' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	}
	for from > 0 && isHex(text[from-1]) {
		from--
	}
	for to < len(text) && isHex(text[to]) {
		to++
	}
	return to-from >= longWord
}
