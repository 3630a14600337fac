package captcha

import (
	"crypto/rand"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"usher/captcha/speech"
)

const (
	// Drop 0 and 1: in some fonts an outlined 0 is an 8 behind a line, and a 1 is a line.
	imageDigits = "23456789"
	// Keep only letters that survive being bent and crossed out and that no digit resembles.
	imageLetters = "ACEFHKMPRTWXY"
	// Spoken digits are easier to tell apart than drawn ones, for machines too.
	minSpoken         = 6
	mathSample        = "88+8=?"
	asciiAlphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

const chinese = "zh"

// spokenDigits leaves out what is easily taken for another digit over noise: one (yī) for seven (qī) and nine (jiǔ) for
// six (liù) in Chinese, nine for five in English.
var spokenDigits = map[string]string{chinese: "02345678", "en": "012345678"}

// question is the text that is drawn or spoken, and what is right to answer.
type question struct{ text, answer string }

func (m *Maker) question(price Price) question {
	switch {
	case m.config.Fixed != "":
		return question{m.config.Fixed, m.config.Fixed}
	case m.config.Kind == Math:
		return arithmetic(price)
	case m.config.Kind == Letters:
		return verbatim(m.config.Length+extra(price), imageLetters)
	default:
		return verbatim(m.config.Length+extra(price), imageDigits)
	}
}

// width gives the characters of a dear picture the room that those of a normal one have.
func (m *Maker) width(price Price) int {
	usual := m.config.characters()
	return m.config.Width * (usual + extra(price)) / usual
}

func (m *Maker) spokenQuestion(price Price, language string) question {
	fixed := m.config.Fixed
	if fixed == "" {
		return verbatim(max(m.config.Length, minSpoken)+extra(price), spokenDigits[language])
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, fixed)
	if digits == "" {
		digits = "0" // there is something to hear even so
	}
	return question{digits, fixed}
}

// spokenLanguage chooses between the maker's own language and the listener's.
func (m *Maker) spokenLanguage(listener string) string {
	switch {
	case m.config.Language != "":
		return m.config.Language
	case slices.Contains(speech.Languages(), listener):
		return listener
	default:
		return chinese
	}
}

func verbatim(length int, alphabet string) question {
	text := make([]byte, length)
	for i := range text {
		text[i] = alphabet[randomBelow(len(alphabet))]
	}
	return question{string(text), string(text)}
}

// arithmetic adds to or subtracts from a number of two digits. Products are left out: their answers are so few and
// uneven that the likeliest one is worth guessing. A sum's likeliest answer is right less than twice in a hundred times.
// A dear one has three and three digits: nine characters, as the width allows.
func arithmetic(price Price) question {
	digits := [2]int{2, 1}
	if price == High {
		digits = [2]int{3, 3}
	}
	left, right := verbatim(digits[0], imageDigits).text, verbatim(digits[1], imageDigits).text
	a, errA := strconv.Atoi(left)
	b, errB := strconv.Atoi(right)
	if err := errors.Join(errA, errB); err != nil {
		panic(err) // digits are numbers
	}
	if randomBelow(2) == 0 {
		return question{left + "+" + right + "=?", strconv.Itoa(a + b)}
	}
	return question{left + "-" + right + "=?", strconv.Itoa(a - b)}
}

// randomBelow returns an even choice of 0 to n-1.
func randomBelow(n int) int {
	// The reader never fails since Go 1.24, and n is a positive constant's length.
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err)
	}
	return int(v.Int64())
}
