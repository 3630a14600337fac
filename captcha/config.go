package captcha

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usher/captcha/speech"
)

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
