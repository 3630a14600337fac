package captcha_test

import (
	"encoding/binary"
	"math"
	"strconv"
	"testing"

	"usher/captcha"
)

const sampleRate = 8000

// samples checks the RIFF header of an 8-bit mono WAV file and returns its sound.
func samples(t *testing.T, challenge captcha.Challenge) []byte {
	t.Helper()
	wav := challenge.Media
	if challenge.MIME != "audio/wav" || len(wav) < 44 {
		t.Fatalf("got MIME %q and %d bytes", challenge.MIME, len(wav))
	}
	if string(wav[:4]) != "RIFF" || string(wav[8:16]) != "WAVEfmt " || string(wav[36:40]) != "data" {
		t.Fatalf("not a WAV file: %q", wav[:44])
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(wav[at:])) }
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(wav[at:])) }
	if got := u32(4); got != len(wav)-8 {
		t.Errorf("RIFF size is %d, want %d", got, len(wav)-8)
	}
	if pcm, channels, rate, bits := u16(20), u16(22), u32(24), u16(34); pcm != 1 || channels != 1 || rate != sampleRate || bits != 8 {
		t.Errorf("got format %d, %d channels, %d Hz, %d bits", pcm, channels, rate, bits)
	}
	size := u32(40)
	if size > len(wav)-44 {
		t.Fatalf("data size is %d of %d", size, len(wav)-44)
	}
	return wav[44 : 44+size]
}

// loudness returns the mean deviation from silence in each hundredth of a second.
func loudness(sound []byte) []float64 {
	const window = sampleRate / 100
	levels := make([]float64, len(sound)/window)
	for i := range levels {
		for _, v := range sound[i*window : (i+1)*window] {
			levels[i] += math.Abs(float64(v)-128) / window
		}
	}
	return levels
}

// words cuts sound where it is quiet for 0.4 seconds, and leaves out the first, the beeps that call attention,
// and the last, the beep that ends.
func words(sound []byte) [][]byte {
	const window, quiet, pause = sampleRate / 100, 10, 40
	var cut [][]byte
	start, silent := -1, 0
	for i, level := range append(loudness(sound), make([]float64, pause)...) {
		switch {
		case level > quiet:
			if start < 0 {
				start = i
			}
			silent = 0
		case start >= 0:
			if silent++; silent == pause {
				cut = append(cut, sound[start*window:min((i+1-pause)*window, len(sound))])
				start = -1
			}
		}
	}
	if len(cut) < 3 {
		return nil
	}
	return cut[1 : len(cut)-1]
}

// features describes a word independently of its speed: loudness and pitch in each of its 24 parts.
func features(word []byte) []float64 {
	const parts = 24
	var out []float64
	for i := range parts {
		part := word[i*len(word)/parts : (i+1)*len(word)/parts]
		energy, crossings := 0.0, 0.0
		for j, v := range part {
			energy += math.Abs(float64(v) - 128)
			if j > 0 && (v >= 128) != (part[j-1] >= 128) {
				crossings++
			}
		}
		out = append(out, math.Log1p(energy/float64(len(part))), 8*crossings/float64(len(part)))
	}
	return out
}

func TestMaker_Make_recordings_are_WAV_files_that_say_the_answer_in_a_language(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"zh", "en", "ja", "ru", "de"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			var known [10][][]float64
			for digit := range known {
				maker := newMaker(t, captcha.Config{Fixed: strconv.Itoa(digit), Language: language})
				for range 5 {
					// A language that is set is spoken to everybody.
					for _, word := range words(samples(t, makeIn(t, maker, captcha.Audio, "en"))) {
						known[digit] = append(known[digit], features(word))
					}
				}
			}
			maker := newMaker(t, captcha.Config{})
			right, total := 0, 0
			for range 10 {
				challenge := makeIn(t, maker, captcha.Audio, language)
				sound := samples(t, challenge)
				if seconds := len(sound) / sampleRate; seconds < 2 || seconds > 30 {
					t.Errorf("takes %d s", seconds)
				}
				heard := words(sound)
				for i := range min(len(heard), len(challenge.Answer)) {
					if recognise(known, features(heard[i])) == int(challenge.Answer[i]-'0') {
						right++
					}
				}
				total += len(challenge.Answer)
			}
			if right*10 < total*6 { // chance would be a tenth
				t.Errorf("%d of %d digits sound like those of the answer", right, total)
			}
		})
	}
}

// recognise returns the digit with the known sound that is most like the one heard.
func recognise(known [10][][]float64, heard []float64) int {
	best, nearest := -1, math.Inf(1)
	for digit, sounds := range known {
		for _, sound := range sounds {
			distance := 0.0
			for i, v := range sound {
				distance += (v - heard[i]) * (v - heard[i])
			}
			if distance < nearest {
				best, nearest = digit, distance
			}
		}
	}
	return best
}
