// Package captcha makes challenges that keep programs out: digits, letters, words or arithmetic as a picture, or spoken digits
// for people who cannot see it.
//
// A [Maker] stores nothing. The caller stores the answer under [NewID] for a while and compares it with [Match]. A captcha
// makes automation more expensive. It does not stop a solver made for this package, least of all one for recordings: what
// costs money after a captcha needs limits too.
//
// Answers come from crypto/rand. The distortion of a picture is not secret and comes from math/rand/v2.
package captcha

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"usher/captcha/challenge"
	"usher/input"
)

// Kind is the content of the pictures. Recordings always speak digits, since letters sound too similar.
type Kind string

// The kinds. [Off] is for sites with another protection.
const (
	Digits  Kind = "digits"
	Letters Kind = "letters"
	Words   Kind = "words" // an English word; at the high price two
	Math    Kind = "math"
	Work    Kind = "pow" // a proof of work; digits for browsers that cannot compute it
	Off     Kind = "off"
)

// ErrOff is returned by [Maker.Make] when the kind is [Off].
var ErrOff = errors.New("captcha is off")

// Challenge is what the client gets, and the answer that it must not get.
type Challenge struct {
	challenge.Asked        // to store; its answer is secret and must not be logged
	Media           []byte // a whole PNG or WAV file
	MIME            string // "image/png" or "audio/wav"
}

// Maker makes challenges. It is safe for concurrent use.
type Maker struct {
	config   Config
	colors   palettes
	fonts    []typeface
	words    []string           // of [Words]
	speakers map[string]speaker // by language
}

// New fills in the defaults of config and reads the fonts. The error names every field that is wrong.
func New(config Config) (*Maker, error) {
	m, mistakes := config.withDefaults().load()
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("captcha: %w", join(mistakes))
	}
	if !m.Enabled() {
		return m, nil
	}
	var err error
	if m.speakers, err = loadSpeakers(); err != nil {
		return nil, fmt.Errorf("captcha: %w", err)
	}
	return m, nil
}

// Enabled is false for [Off].
func (m *Maker) Enabled() bool { return m.config.Kind != Off }

// Kind returns the content of the pictures.
func (m *Maker) Kind() Kind { return m.config.Kind }

// Make returns a new challenge of a price. A picture takes about 1 ms and 2 KB, a recording 2 ms and 100 KB. A recording
// speaks the maker's language, or else the listener's, or else Chinese. Make returns [ErrOff] when the maker is not
// enabled, and an error for an unknown medium.
func (m *Maker) Make(medium challenge.Medium, price challenge.Price, language string) (Challenge, error) {
	if !m.Enabled() {
		return Challenge{}, ErrOff
	}
	switch medium {
	case challenge.Image:
		q := m.question(price)
		picture, err := m.draw(q.text, m.width(price))
		return Challenge{Asked: challenge.Asked{Medium: medium, Price: price, Answer: q.answer}, Media: picture, MIME: "image/png"}, err
	case challenge.Audio:
		language = m.spokenLanguage(language)
		q := m.spokenQuestion(price, language)
		recording := m.speakers[language].speak(q.text)
		return Challenge{Asked: challenge.Asked{Medium: medium, Price: price, Answer: q.answer}, Media: recording, MIME: "audio/wav"}, nil
	default:
		return Challenge{}, fmt.Errorf("captcha: no medium %q", medium)
	}
}

// idLength is the length of rand.Text: 26 characters of base32, 130 bits.
const idLength = 26

// maxGiven bounds an answer in bytes; eight full-width digits with spaces need a quarter of it.
const maxGiven = 256

// Match reports whether given is the stored answer. It ignores what input methods and users of screen readers add or
// change: full-width forms, letter case, spaces, hyphens and invisible marks. An empty answer matches nothing, not even
// itself. The time does not depend on where the two first differ.
func Match(stored, given string) bool {
	if len(stored) > maxGiven || len(given) > maxGiven {
		return false
	}
	want, got := normalise(stored), normalise(given)
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}

// normalise keeps a leading minus: the answer to a sum may be negative.
func normalise(s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(input.Narrow(norm.NFKC.String(s))), ""))
	if s == "" {
		return ""
	}
	return s[:1] + strings.ReplaceAll(s[1:], "-", "")
}

// NewID returns an id for a challenge that cannot be guessed and can be part of a URL's path.
func NewID() string { return rand.Text() }

// ValidID reports whether s has the form of [NewID], so that no other text becomes part of a store's key.
func ValidID(s string) bool {
	return len(s) == idLength && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
