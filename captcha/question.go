package captcha

import (
	"crypto/rand"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"usher/captcha/challenge"
	"usher/captcha/speech"
)

const (
	// Without 0 and 1: in some fonts an outlined 0 looks like an 8 behind a line, and a 1 like a line.
	imageDigits = "23456789"
	// Only letters that stay readable when bent and crossed out, and that look like no digit.
	imageLetters = "ACEFHKMPRTWXY"
	// Spoken digits are easier to distinguish than drawn ones, also for machines.
	minSpoken         = 6
	mathSample        = "88+8=?"
	mathSigns         = "+-=?"
	asciiAlphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

const chinese = "zh"

// spokenDigits leaves out digits that sound like another one in noise: in Chinese one (yī) like seven (qī) and nine (jiǔ)
// like six (liù), in English nine like five.
var spokenDigits = map[string]string{chinese: "02345678", "en": "012345678"}

// question is the text that is drawn or spoken, and the right answer.
type question struct{ text, answer string }

func (m *Maker) question(price challenge.Price) question {
	switch {
	case m.config.Fixed != "":
		return question{m.config.Fixed, m.config.Fixed}
	case m.config.Kind == Math:
		return arithmetic(price)
	case m.config.Kind == Words:
		return m.wordsOf(price)
	case m.config.Kind == Letters:
		return verbatim(m.config.Length+extra(price), imageLetters)
	default:
		return verbatim(m.config.Length+extra(price), imageDigits)
	}
}

// width gives each character the same room at both prices.
func (m *Maker) width(price challenge.Price) int {
	usual, more := m.config.characters(), extra(price)
	if m.config.Kind == Words && price == challenge.High {
		more = len(" ") + maxWord
	}
	return m.config.Width * (usual + more) / usual
}

// wordsOf asks for a random word, at the high price for two. Of 1,259 words one is guessed once in 1,259 tries (10.3 bits),
// two once in 1.6 million; five digits once in 33,000. [Match] ignores the blank and the case.
func (m *Maker) wordsOf(price challenge.Price) question {
	text := m.words[randomBelow(len(m.words))]
	if price == challenge.High {
		text += " " + m.words[randomBelow(len(m.words))]
	}
	return question{text, text}
}

func (m *Maker) spokenQuestion(price challenge.Price, language string) question {
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
		digits = "0" // a recording needs at least one digit
	}
	return question{digits, fixed}
}

// spokenLanguage is the maker's own language, or else the listener's if there are voices for it.
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

// arithmetic adds a digit to a number of two digits, or subtracts it. Products have too few answers, unevenly distributed:
// to guess the most probable one would pay. That of a sum is right in less than 2 % of the cases. At the high price both
// numbers have three digits: nine characters, which the width allows for.
func arithmetic(price challenge.Price) question {
	digits := [2]int{2, 1}
	if price == challenge.High {
		digits = [2]int{3, 3}
	}
	left, right := verbatim(digits[0], imageDigits).text, verbatim(digits[1], imageDigits).text
	a, _ := strconv.Atoi(left) // digits are numbers
	b, _ := strconv.Atoi(right)
	if randomBelow(2) == 0 {
		return question{left + "+" + right + "=?", strconv.Itoa(a + b)}
	}
	return question{left + "-" + right + "=?", strconv.Itoa(a - b)}
}

// randomBelow returns a uniform random number from 0 to n-1.
func randomBelow(n int) int {
	// The reader does not fail since Go 1.24, and n is positive: the length of a constant.
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err)
	}
	return int(v.Int64())
}

// highExtra is the number of additional characters at the high price. Each makes guessing eight times harder, and a
// solver that reads every second character right reads three more in one of eight challenges.
const highExtra = 3

// extra is the number of additional characters of a price.
func extra(p challenge.Price) int {
	if p == challenge.High {
		return highExtra
	}
	return 0
}
