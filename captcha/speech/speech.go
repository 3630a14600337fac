// Package speech has recordings of spoken digits: several voices in Chinese and English, which internal/speechgen made
// with espeak-ng. Package captcha varies them for each challenge. internal/captchabench attacks it with them, as every
// reader of this repository can.
package speech

import (
	"embed"
	"encoding/binary"
	"fmt"
)

//go:embed zh.ulaw en.ulaw
var files embed.FS

// Rate is the sample rate of all recordings, in Hz.
const Rate = 8000

// Digits is the number of recordings of a voice: 0 to 9.
const Digits = 10

// Voice is one speaker: the samples of each digit, -1 to 1, without silence around them. They must not be changed.
type Voice [Digits][]float32

// Languages returns the languages of the recordings.
func Languages() []string { return []string{"zh", "en"} }

// Load decodes the voices of a language. It returns an error for a language that [Languages] does not name.
func Load(language string) ([]Voice, error) {
	data, err := files.ReadFile(language + ".ulaw")
	if err != nil {
		return nil, fmt.Errorf("speech: no recordings in %q", language)
	}
	var voices []Voice
	for len(data) > 0 {
		var voice Voice
		for digit := range voice {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("speech: recordings in %q are cut off", language)
			}
			size := int(binary.BigEndian.Uint16(data))
			voice[digit] = expand(data[2 : 2+size])
			data = data[2+size:]
		}
		voices = append(voices, voice)
	}
	return voices, nil
}

// expand decodes μ-law (G.711).
func expand(coded []byte) []float32 {
	samples := make([]float32, len(coded))
	for i, b := range coded {
		b = ^b
		value := ((int32(b&0x0f) << 3) + 0x84) << (b >> 4 & 7)
		value -= 0x84
		if b&0x80 != 0 {
			value = -value
		}
		samples[i] = float32(value) / 32768
	}
	return samples
}
