package captcha

import (
	"math"
	"testing"

	"usher/captcha/speech"
)

func power(samples []float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s * s / float64(len(samples))
	}
	return sum
}

// A person has to understand the digits: in the mean they are clearly louder than all that lies over them.
func Test_digits_are_louder_than_murmur_and_noise(t *testing.T) {
	t.Parallel()
	speakers, err := loadSpeakers()
	if err != nil {
		t.Fatal(err)
	}
	for language, s := range speakers {
		digits, rest, n := 0.0, 0.0, 0
		for range 20 {
			for d := range speech.Digits {
				said := s.digit(d)
				over := s.murmur(len(said))
				for i := range over {
					over[i] *= db(-murmurBelow)
				}
				mix(over, noise(len(over)), db(-noiseBelow)*loudness)
				digits, rest, n = digits+power(said), rest+power(over), n+1
			}
		}
		if ratio := 10 * math.Log10(digits/rest); ratio < 4 || ratio > 12 {
			t.Errorf("%s: digits are %.1f dB above the rest in %d", language, ratio, n)
		} else {
			t.Logf("%s: %.1f dB", language, ratio)
		}
	}
}

// Stretching keeps what is said: the length follows, the power stays.
func Test_stretch_keeps_loudness(t *testing.T) {
	t.Parallel()
	voices, err := speech.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	recording := resampled(voices[0][8], 1, 0)
	for _, factor := range []float64{0.7, 1, 1.5} {
		out := stretch(recording, factor, 0.3)
		if got := float64(len(out)) / float64(len(recording)); math.Abs(got-factor) > 0.1 {
			t.Errorf("%v: got %.2f times the length", factor, got)
		}
		if got := power(out) / power(recording); got < 0.5 || got > 1.5 {
			t.Errorf("%v: got %.2f times the power", factor, got)
		}
	}
}
