package captcha

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usher/captcha/speech"
)

// Config configures a [Maker]. The zero value is valid: a zero field has the default named beside it.
type Config struct {
	Kind       Kind   // default Digits
	Length     int    // characters, 4 to 8, default 5, of Letters 4; Math and Words have their own, recordings at least 6
	Width      int    // pixels, 80 to 480, at least 0.4 of the height for each character; default 160, of Words 200
	Height     int    // pixels, 40 to 160, default 60
	Noise      int    // 1 (weak) to 8 (hard to read), default 2, of Words 4; internal/captchabench measures it
	Background string // "#RRGGBB"; default a random pale colour
	Ink        string // "#RRGGBB", with a contrast of 4.5 to Background; default a random dark colour
	Language   string // of the recordings: zh or en; default the listener's, see [Maker.Make]

	Font     string // path of a TrueType or OpenType file of at most 32 MiB; default Go's own bold fonts
	FontSize int    // pixels, 0.4 to 0.9 of the height, less where a character has no room; default fits the height
	Rotation *int   // degrees, 0 to 45, that a character is turned at most to either side; default 10
	Words    string // path of a file with a word a line, of at most 8 MiB; default our own list

	// Fixed, unless it is empty, is the answer of every challenge: 1 to 8 ASCII letters or digits, of which recordings
	// speak the digits. It is for development and tests: it protects nothing.
	Fixed string
}

const (
	maxLength       = 8
	maxRotation     = 45
	defaultRotation = 10
)

func (c Config) withDefaults() Config {
	length, width, noise := 5, 160, 2
	switch c.Kind {
	case Letters:
		length = 4
	case Words: // a solver that reads half of the letters knows the word, so that there is more noise
		width, noise = 200, 4
	default:
	}
	c.Kind, c.Length = cmp.Or(c.Kind, Digits), cmp.Or(c.Length, length)
	c.Width, c.Height, c.Noise = cmp.Or(c.Width, width), cmp.Or(c.Height, 60), cmp.Or(c.Noise, noise)
	if c.Rotation == nil {
		c.Rotation = new(defaultRotation)
	}
	return c
}

// Mistake is one wrong field of a [Config].
type Mistake struct {
	Field   string // in lower case with underscores, such as "font_size"
	Problem string // the rest of a sentence that begins with the field: "must be 80 to 480, not 5"
}

// Error implements error.
func (m Mistake) Error() string { return m.Field + " " + m.Problem }

// Validate returns every mistake, and none for a Config that [New] accepts. It reads the files.
func (c Config) Validate() []Mistake {
	_, mistakes := c.withDefaults().load()
	return mistakes
}

// load returns a maker without recordings, or every mistake.
func (c Config) load() (*Maker, []Mistake) {
	mistakes := c.checkNumbers()
	wrong := func(field, problem string, args ...any) {
		mistakes = append(mistakes, Mistake{field, fmt.Sprintf(problem, args...)})
	}
	kinds := []Kind{Digits, Letters, Words, Math, Work, Off}
	isKind := slices.Contains(kinds, c.Kind)
	if !isKind {
		wrong("kind", "must be digits, letters, words, math, pow or off, not %q", c.Kind)
	}
	if c.Language != "" && !slices.Contains(speech.Languages(), c.Language) {
		wrong("language", "must be zh or en, not %q", c.Language)
	}
	isFixed := len(c.Fixed) <= maxLength && strings.Trim(c.Fixed, asciiAlphanumeric) == ""
	if !isFixed {
		wrong("fixed", "must be at most %d ASCII letters or digits", maxLength)
	}
	m := &Maker{config: c}
	var colors []Mistake
	m.colors, colors = newPalettes(c.Background, c.Ink)
	mistakes = append(mistakes, colors...)
	if !isKind || !isFixed || c.Kind == Off {
		return m, mistakes
	}
	var err error
	if m.fonts, err = loadFonts(c.Font, c.alphabet()); err != nil {
		wrong("font", "%v", err)
	}
	if c.Kind == Words {
		if m.words, err = loadWords(c.Words); err != nil {
			wrong("words", "%v", err)
		}
	}
	return m, mistakes
}

func (c Config) checkNumbers() []Mistake {
	var mistakes []Mistake
	between := func(field string, value, low, high int) {
		if value < low || value > high {
			mistakes = append(mistakes, Mistake{field, fmt.Sprintf("must be %d to %d, not %d", low, high, value)})
		}
	}
	between("length", c.Length, 4, maxLength)
	between("width", c.Width, 80, 480)
	between("height", c.Height, 40, 160)
	between("noise", c.Noise, 1, 8)
	between("rotation", *c.Rotation, 0, maxRotation)
	if len(mistakes) > 0 {
		return mistakes // the others depend on the size
	}
	if need := c.characters() * c.Height * 2 / 5; c.Width < need {
		problem := fmt.Sprintf("must be at least %d for %d characters of this height", need, c.characters())
		mistakes = append(mistakes, Mistake{"width", problem})
	}
	if c.FontSize != 0 {
		between("font_size", c.FontSize, c.Height*2/5, c.Height*9/10)
	}
	return mistakes
}

// characters is the number of characters that a picture has room for; a longer fixed answer is drawn narrower.
func (c Config) characters() int {
	switch c.Kind {
	case Math:
		return len(mathSample)
	case Words:
		return maxWord
	default:
		return c.Length
	}
}

// alphabet has every character that is drawn. The first one is as high as most of them.
func (c Config) alphabet() string {
	switch c.Kind {
	case Letters:
		return imageLetters + c.Fixed
	case Words:
		return alphabetUpper + c.Fixed
	case Math:
		return imageDigits + mathSigns + c.Fixed
	default:
		return imageDigits + c.Fixed
	}
}

// join makes one error of mistakes.
func join(mistakes []Mistake) error {
	errs := make([]error, len(mistakes))
	for i, mistake := range mistakes {
		errs[i] = mistake
	}
	return errors.Join(errs...)
}
