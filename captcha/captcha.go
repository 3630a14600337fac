// Package captcha asks a challenge only a person should pass: digits, letters or arithmetic as a picture, or spoken
// digits for those who cannot see it.
//
// A [Maker] draws; it keeps nothing. The caller stores the answer under [NewID] for a while and compares with [Match].
// A captcha raises the price of a robot, it does not stop one made for this package, and least of all in sound: whoever
// sends something that costs money after a captcha needs limits too.
//
// Answers come from crypto/rand. How a picture is bent and speckled does not have to be secret and comes from math/rand/v2.
package captcha

import (
	"errors"
	"fmt"

	"usher/captcha/challenge"
)

// Kind says what the picture shows.
type Kind string

// The kinds of challenge. [Off] is for sites where something else keeps robots out.
const (
	Digits  Kind = "digits"
	Letters Kind = "letters"
	Math    Kind = "math"
	Work    Kind = "pow" // a proof of work; digits for those whose browser cannot do it
	Off     Kind = "off"
)

type (
	// Medium says which sense a challenge is made for.
	Medium = challenge.Medium
	// Price says how much work it is.
	Price = challenge.Price
	// Asked is what is kept of it.
	Asked = challenge.Asked
)

// The media and prices. Every kind has both media; the audio of every kind speaks digits, since letters sound too much
// alike.
const (
	Image  = challenge.Image
	Audio  = challenge.Audio
	Normal = challenge.Normal
	High   = challenge.High
)

// ErrOff is returned by [Maker.Make] when the kind is [Off].
var ErrOff = errors.New("captcha is off")

// Challenge is what one person gets, and the answer that person must not get.
type Challenge struct {
	Asked        // what to keep; its answer is secret, never to be logged
	Media []byte // a whole PNG or WAV file
	MIME  string // "image/png" or "audio/wav"
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

// Enabled reports whether a challenge is to be asked at all; it is false for [Off].
func (m *Maker) Enabled() bool { return m.config.Kind != Off }

// Kind is what the pictures show.
func (m *Maker) Kind() Kind { return m.config.Kind }

// Make returns a fresh challenge of a price. A picture takes about 1.3 ms and weighs 3 KB, a recording 2 ms and 100 KB.
// A recording speaks the listener's language unless the maker has one of its own; without either it is Chinese.
// Make fails with [ErrOff] when the maker is not enabled, and for a medium that does not exist.
func (m *Maker) Make(medium Medium, price Price, language string) (Challenge, error) {
	if !m.Enabled() {
		return Challenge{}, ErrOff
	}
	switch medium {
	case Image:
		q := m.question(price)
		picture, err := m.draw(q.text, m.width(price))
		return Challenge{Asked: Asked{Medium: medium, Price: price, Answer: q.answer}, Media: picture, MIME: "image/png"}, err
	case Audio:
		language = m.spokenLanguage(language)
		q := m.spokenQuestion(price, language)
		recording := m.speakers[language].speak(q.text)
		return Challenge{Asked: Asked{Medium: medium, Price: price, Answer: q.answer}, Media: recording, MIME: "audio/wav"}, nil
	default:
		return Challenge{}, fmt.Errorf("captcha: no medium %q", medium)
	}
}
