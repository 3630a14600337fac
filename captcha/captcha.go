// Package captcha makes challenges that keep programs out: digits, letters or arithmetic as a picture, or spoken digits
// for people who cannot see it.
//
// A [Maker] stores nothing. The caller stores the answer under [NewID] for a while and compares it with [Match]. A captcha
// makes automation more expensive. It does not stop a solver made for this package, least of all one for recordings: what
// costs money after a captcha needs limits too.
//
// Answers come from crypto/rand. The distortion of a picture is not secret and comes from math/rand/v2.
package captcha

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"usher/captcha/challenge"
	"usher/captcha/speech"
	"usher/input"
)

// Kind is the content of the pictures. Recordings always speak digits, since letters sound too similar.
type Kind string

// The kinds. [Off] is for sites with another protection.
const (
	Digits  Kind = "digits"
	Letters Kind = "letters"
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
	speakers map[string]speaker // by language
}

// New fills in the defaults of config and loads the fonts. The error names every field that is wrong.
func New(config Config) (*Maker, error) {
	if mistakes := config.Validate(); len(mistakes) > 0 {
		errs := make([]error, len(mistakes))
		for i, mistake := range mistakes {
			errs[i] = mistake
		}
		return nil, fmt.Errorf("captcha: %w", errors.Join(errs...))
	}
	m := &Maker{config: config.withDefaults()}
	if !m.Enabled() {
		return m, nil
	}
	m.colors, _ = newPalettes(config.Background, config.Ink)
	var err error
	if m.fonts, err = loadFonts(); err != nil {
		return nil, fmt.Errorf("captcha: %w", err)
	}
	if m.speakers, err = loadSpeakers(); err != nil {
		return nil, fmt.Errorf("captcha: %w", err)
	}
	return m, nil
}

// Enabled is false for [Off].
func (m *Maker) Enabled() bool { return m.config.Kind != Off }

// Kind returns the content of the pictures.
func (m *Maker) Kind() Kind { return m.config.Kind }

// Make returns a new challenge of a price. A picture takes about 1.3 ms and 3 KB, a recording 2 ms and 100 KB. A recording
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

// Config configures a [Maker]. The zero value is valid: a zero field has the default named beside it.
type Config struct {
	Kind       Kind   // default Digits
	Length     int    // characters, 4 to 8, default 5, of Letters 4; Math has its own length, recordings have at least 6
	Width      int    // pixels, 80 to 480, at least 0.4 of the height for each character; default 160
	Height     int    // pixels, 40 to 160, default 60
	Noise      int    // 1 (weak) to 8 (hard to read), default 2; internal/captchabench measures it
	Background string // "#RRGGBB"; default a random pale colour
	Ink        string // "#RRGGBB", with a contrast of 4.5 to Background; default a random dark colour
	Language   string // of the recordings: zh or en; default the listener's, see [Maker.Make]

	// Fixed, unless it is empty, is the answer of every challenge: 1 to 8 ASCII letters or digits, of which recordings
	// speak the digits. It is for development and tests: it protects nothing.
	Fixed string
}

const maxLength = 8

func (c Config) withDefaults() Config {
	length := 5
	if c.Kind == Letters {
		length = 4
	}
	c.Kind, c.Length = cmp.Or(c.Kind, Digits), cmp.Or(c.Length, length)
	c.Width, c.Height, c.Noise = cmp.Or(c.Width, 160), cmp.Or(c.Height, 60), cmp.Or(c.Noise, 2)
	return c
}

// Mistake is one wrong field of a [Config].
type Mistake struct {
	Field   string // in lower case, such as "width"
	Problem string // the rest of a sentence that begins with the field: "must be 80 to 480, not 5"
}

// Error implements error.
func (m Mistake) Error() string { return m.Field + " " + m.Problem }

// Validate returns every mistake, and none for a Config that [New] accepts.
func (c Config) Validate() []Mistake {
	c = c.withDefaults()
	var mistakes []Mistake
	wrong := func(field, problem string, args ...any) {
		mistakes = append(mistakes, Mistake{field, fmt.Sprintf(problem, args...)})
	}
	between := func(field string, value, low, high int) {
		if value < low || value > high {
			wrong(field, "must be %d to %d, not %d", low, high, value)
		}
	}
	if !slices.Contains([]Kind{Digits, Letters, Math, Work, Off}, c.Kind) {
		wrong("kind", "must be digits, letters, math, pow or off, not %q", c.Kind)
	}
	if c.Language != "" && !slices.Contains(speech.Languages(), c.Language) {
		wrong("language", "must be zh or en, not %q", c.Language)
	}
	between("length", c.Length, 4, maxLength)
	between("width", c.Width, 80, 480)
	between("height", c.Height, 40, 160)
	between("noise", c.Noise, 1, 8)
	if need := c.characters() * c.Height * 2 / 5; len(mistakes) == 0 && c.Width < need {
		wrong("width", "must be at least %d for %d characters of this height", need, c.characters())
	}
	if len(c.Fixed) > maxLength || strings.Trim(c.Fixed, asciiAlphanumeric) != "" {
		wrong("fixed", "must be at most %d ASCII letters or digits", maxLength)
	}
	_, colors := newPalettes(c.Background, c.Ink)
	return append(mistakes, colors...)
}

// characters is the number of characters that a picture has room for; a longer fixed answer is drawn narrower.
func (c Config) characters() int {
	if c.Kind == Math {
		return len(mathSample)
	}
	return c.Length
}
