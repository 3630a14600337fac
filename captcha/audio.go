package captcha

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"usher/captcha/speech"
)

// wavHeader is the length of a WAV file's header in bytes.
const wavHeader = 44

// speaker says digits, each time differently.
type speaker struct{ voices []speech.Voice }

func loadSpeakers() (map[string]speaker, error) {
	speakers := make(map[string]speaker)
	for _, language := range speech.Languages() {
		voices, err := speech.Load(language)
		if err != nil {
			return nil, err
		}
		speakers[language] = speaker{voices}
	}
	return speakers, nil
}

// speak returns a WAV file (8 kHz, 8 bit, mono) that says digits, which must be ASCII digits, at least one.
//
// The recordings of package speech are public, and easy to recognise unchanged. So each digit has a random voice, pitch
// and speed; other voices murmur under and between the digits, unintelligibly; and the sum is filtered, with an echo, over
// noise. docs/development.md has the results of solvers.
func (s speaker) speak(digits string) []byte {
	said := make([]float64, 0, len(digits)*speech.Rate)
	said = append(said, silence(0.3, 0.9)...)
	for i := range len(digits) {
		said = append(said, s.digit(int(digits[i]-'0'))...)
		said = append(said, silence(0.25, 0.6)...)
	}
	said = append(said, silence(0.1, 0.5)...)
	murmur := s.murmur(len(said))
	mix(said, murmur, db(-murmurBelow))
	said = echo(said)
	mix(said, noise(len(said)), db(-noiseBelow)*loudness)
	said = tilt(said)
	return wav(said)
}

// Decibels by which the rest is quieter than the digits, and the loudness of the recordings of package speech.
const (
	murmurBelow = 7.0
	noiseBelow  = 16.0
	loudness    = 0.12
)

// digit returns a digit in a random voice, pitch and speed.
func (s speaker) digit(d int) []float64 {
	recording := s.voices[rand.IntN(len(s.voices))][d]
	pitch, length := between(0.82, 1.22), between(0.85, 1.3)
	return swell(stretch(resampled(recording, pitch, 0.06), pitch*length, 0.4))
}

// murmur returns unintelligible voices: pieces of recordings, backwards, several at once.
func (s speaker) murmur(length int) []float64 {
	out := make([]float64, length)
	for range murmurVoices {
		for at := rand.IntN(speech.Rate / 2); at < length; {
			recording := swell(resampled(s.voices[rand.IntN(len(s.voices))][rand.IntN(speech.Digits)], between(0.8, 1.25), 0.06))
			from := rand.IntN(len(recording) / 2)
			piece := recording[from : from+len(recording)/2]
			for i := range piece {
				if at+i < length {
					out[at+i] += piece[len(piece)-1-i] / math.Sqrt(murmurVoices)
				}
			}
			at += len(piece) + rand.IntN(speech.Rate/8)
		}
	}
	return out
}

const murmurVoices = 3

// wav returns samples as a file, as loud as possible without clipping.
func wav(samples []float64) []byte {
	peak := 1e-9
	for _, s := range samples {
		peak = max(peak, math.Abs(s))
	}
	file := make([]byte, wavHeader, wavHeader+len(samples))
	copy(file, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	binary.LittleEndian.PutUint32(file[4:], uint32(wavHeader-8+len(samples))) //nolint:gosec // seconds of sound
	binary.LittleEndian.PutUint32(file[24:], speech.Rate)
	binary.LittleEndian.PutUint32(file[28:], speech.Rate)
	binary.LittleEndian.PutUint16(file[32:], 1)
	binary.LittleEndian.PutUint16(file[34:], 8)
	copy(file[36:], "data")
	binary.LittleEndian.PutUint32(file[40:], uint32(len(samples))) //nolint:gosec // seconds of sound
	for _, s := range samples {
		file = append(file, byte(128+math.Round(s/peak*126)))
	}
	return file
}
