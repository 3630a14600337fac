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
)

// Kind says what the picture shows.
type Kind string

// The kinds of challenge. [Off] is for sites where something else keeps robots out.
const (
	Digits  Kind = "digits"
	Letters Kind = "letters"
	Math    Kind = "math"
	Off     Kind = "off"
)

// Medium says which sense a challenge is made for.
type Medium string

// The media. Every kind has both; the audio of every kind speaks digits, since letters sound too much alike.
const (
	Image Medium = "image"
	Audio Medium = "audio"
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
	config Config
	colors palettes
	fonts  []typeface
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
		return Challenge{Asked: Asked{medium, price, q.answer}, Media: picture, MIME: "image/png"}, err
	case Audio:
		q := m.spokenQuestion(price)
		recording, err := speak(q.text, m.spokenLanguage(language))
		return Challenge{Asked: Asked{medium, price, q.answer}, Media: recording, MIME: "audio/wav"}, err
	default:
		return Challenge{}, fmt.Errorf("captcha: no medium %q", medium)
	}
}
