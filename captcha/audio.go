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

// slow is the number of samples (4 ms) after which slowly changing values are computed again.
const slow = 32

// resampled plays a recording faster by a factor, and higher with it: pitch and formants move together, as in a smaller
// throat. They also glide, by up to the given share.
func resampled(recording []float32, factor, glide float64) []float64 {
	out := make([]float64, 0, int(float64(len(recording))/factor)+1)
	phase, step := between(0, 2*math.Pi), 2*math.Pi*between(0.5, 1.5)/float64(len(recording))
	for at, speed := 0.0, 0.0; at < float64(len(recording)-1); at += speed {
		if len(out)%slow == 0 {
			speed = factor * (1 + glide*math.Sin(phase+step*at))
		}
		whole := int(at)
		a, b := float64(recording[whole]), float64(recording[whole+1])
		out = append(out, a+(b-a)*(at-float64(whole)))
	}
	return out
}

// stretch makes samples longer by a factor and keeps their pitch (WSOLA): it joins overlapping pieces, each from where it
// best continues the previous one. Some parts become longer than others, up to the given bend.
func stretch(samples []float64, factor, bend float64) []float64 {
	const piece, search = 240, 60 // 30 ms hold three periods of a low voice; ± 7.5 ms find the same phase
	out := make([]float64, int(float64(len(samples))*factor)+piece)
	from, phase := 0, between(0, 2*math.Pi)
	bent := func(x float64) float64 { return x + bend*(math.Sin(phase+2*math.Pi*x)-math.Sin(phase))/(2*math.Pi) }
	for at := 0; at+piece <= len(out); at += piece / 2 {
		wanted := int(bent(float64(at)/float64(len(out))) * float64(len(samples)))
		if at > 0 {
			from = nearest(samples, from+piece/2, wanted, piece, search)
		}
		if from+piece > len(samples) {
			break
		}
		for i := range piece {
			out[at+i] += samples[from+i] * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/piece))
		}
	}
	return out
}

// nearest returns the start of the piece, around a position, that is most similar to the one at next.
func nearest(samples []float64, next, around, piece, search int) int {
	best, found := math.Inf(-1), around
	for from := max(around-search, 0); from <= around+search && from+piece <= len(samples); from += 2 {
		likeness := 0.0
		for i := 0; i < piece && next+i < len(samples); i += 2 {
			likeness += samples[from+i] * samples[next+i]
		}
		if likeness > best {
			best, found = likeness, from
		}
	}
	return found
}

// swell changes the loudness slowly.
func swell(samples []float64) []float64 {
	gain, swing := db(between(-2, 2)), between(0, 0.3)
	phase, step := between(0, 2*math.Pi), 2*math.Pi*between(1, 4)/speech.Rate
	now := gain
	for i := range samples {
		if i%slow == 0 {
			now = gain * (1 + swing*math.Sin(phase+step*float64(i)))
		}
		samples[i] *= now
	}
	return samples
}

// echo adds the reflections of a small room.
func echo(samples []float64) []float64 {
	for range 3 {
		delay, gain := rand.IntN(speech.Rate/12)+speech.Rate/100, between(0.1, 0.3)
		for i := len(samples) - 1; i >= delay; i-- {
			samples[i] += gain * samples[i-delay]
		}
	}
	return samples
}

// tilt imitates a microphone: one peak and one dip of a few decibels somewhere in the range of speech.
func tilt(samples []float64) []float64 {
	for _, gain := range []float64{between(3, 8), between(-8, -3)} {
		samples = peaking(samples, between(300, 3000), gain)
	}
	return samples
}

// peaking changes the loudness around a frequency by a gain in decibels. The formulas are from Robert Bristow-Johnson's
// "Audio EQ Cookbook".
func peaking(samples []float64, frequency, gain float64) []float64 {
	a, w := math.Pow(10, gain/40), 2*math.Pi*frequency/speech.Rate
	alpha, cos := math.Sin(w)/2, math.Cos(w)
	b0, b1, b2 := 1+alpha*a, -2*cos, 1-alpha*a
	a0, a1, a2 := 1+alpha/a, -2*cos, 1-alpha/a
	var x1, x2, y1, y2 float64
	for i, x := range samples {
		y := (b0*x + b1*x1 + b2*x2 - a1*y1 - a2*y2) / a0
		x1, x2, y1, y2 = x, x1, y, y1
		samples[i] = y
	}
	return samples
}

// noise returns a hiss that is louder at low frequencies.
func noise(length int) []float64 {
	out, last := make([]float64, length), 0.0
	for i := range out {
		last = 0.7*last + rand.NormFloat64()*0.7
		out[i] = last
	}
	return out
}

func silence(low, high float64) []float64 {
	return make([]float64, int(between(low, high)*speech.Rate))
}

func mix(into, from []float64, gain float64) {
	for i := range into {
		into[i] += from[i] * gain
	}
}

func db(decibels float64) float64 { return math.Pow(10, decibels/20) }
