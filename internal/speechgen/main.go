// Command speechgen makes the recordings of package captcha/speech with espeak-ng (Debian package espeak-ng). It is run
// by hand, with the root of the repository as its folder:
//
//	go run ./internal/speechgen
//
// The program espeak-ng is under the GPL 3; what it says is not a copy of any part of it. See docs/dependencies.md.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"usher/captcha/speech"
)

// speaker is a voice of espeak-ng with its pitch (0 to 99) and speed (words a minute).
type speaker struct {
	voice        string
	pitch, speed int
}

// language is what the digits are called in it, and its speakers.
type language struct {
	name     string
	digits   [speech.Digits]string
	speakers []speaker
}

var languages = []language{
	{"zh", [speech.Digits]string{"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"}, []speaker{
		{"cmn", 45, 150},
		{"cmn+m3", 40, 140},
		{"cmn+m7", 50, 160},
		{"cmn+m2", 35, 150},
		{"cmn+f2", 55, 150},
		{"cmn+f4", 60, 140},
		{"cmn+f5", 50, 160},
		{"cmn+f3", 65, 150},
	}},
	{"en", [speech.Digits]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}, []speaker{
		{"en-us", 45, 140},
		{"en-gb-x-rp+m3", 40, 130},
		{"en-gb-scotland+m7", 50, 150},
		{"en-us+m2", 35, 140},
		{"en-us+f2", 55, 140},
		{"en-gb-x-rp+f4", 60, 130},
		{"en-029+f5", 50, 150},
		{"en-gb+f3", 65, 140},
	}},
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "speechgen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	for _, l := range languages {
		var file []byte
		for _, s := range l.speakers {
			for _, word := range l.digits {
				samples, err := say(ctx, s, word)
				if err != nil {
					return fmt.Errorf("%s: %q: %w", s.voice, word, err)
				}
				file = binary.BigEndian.AppendUint16(file, uint16(len(samples)))
				file = append(file, compress(samples)...)
			}
		}
		if err := os.WriteFile(filepath.Join("captcha", "speech", l.name+".ulaw"), file, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// say has a word spoken and returns it at the rate of package speech, without silence, equally loud as all others.
func say(ctx context.Context, s speaker, word string) ([]float32, error) {
	cmd := exec.CommandContext(ctx, "espeak-ng", "-v", s.voice, "-p", strconv.Itoa(s.pitch), "-s", strconv.Itoa(s.speed), "--stdout", word)
	wav, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run espeak-ng: %w", err)
	}
	at := bytes.Index(wav, []byte("data"))
	if at < 28 || len(wav) < at+8 {
		return nil, errors.New("espeak-ng wrote no WAV file")
	}
	rate, data := binary.LittleEndian.Uint32(wav[24:]), wav[at+8:]
	samples := make([]float64, len(data)/2)
	for i := range samples {
		samples[i] = float64(int16(binary.LittleEndian.Uint16(data[2*i:]))) / 32768
	}
	spoken := level(trim(downsample(samples, float64(rate)/speech.Rate)))
	if len(spoken) < speech.Rate/10 || len(spoken) > 2*speech.Rate {
		return nil, fmt.Errorf("got %d samples", len(spoken))
	}
	return spoken, nil
}

// downsample keeps every step-th sample, between samples where need be, after a low-pass filter: a sinc of 32 zero
// crossings under a Hann window.
func downsample(samples []float64, step float64) []float64 {
	out := make([]float64, int(float64(len(samples))/step))
	half := 16 * step
	for i := range out {
		middle := float64(i) * step
		for j := max(int(middle-half), 0); j < min(int(middle+half)+1, len(samples)); j++ {
			x := (float64(j) - middle) / step
			window := 0.5 + 0.5*math.Cos(math.Pi*x/16)
			out[i] += samples[j] * sinc(0.95*x) * 0.95 * window / step
		}
	}
	return out
}

// sinc is the impulse response of an ideal low-pass filter.
func sinc(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// trim cuts off what is quieter than a hundredth of the loudest at both ends.
func trim(samples []float64) []float64 {
	peak := 0.0
	for _, s := range samples {
		peak = max(peak, math.Abs(s))
	}
	first, last := 0, len(samples)-1
	for first < last && math.Abs(samples[first]) < peak/100 {
		first++
	}
	for last > first && math.Abs(samples[last]) < peak/100 {
		last--
	}
	return samples[first : last+1]
}

// level gives all recordings the same power, as far as none of their peaks is cut.
func level(samples []float64) []float32 {
	power, peak := 0.0, 0.0
	for _, s := range samples {
		power += s * s
		peak = max(peak, math.Abs(s))
	}
	gain := min(0.12/math.Sqrt(power/float64(len(samples))), 0.98/peak)
	out := make([]float32, len(samples))
	for i, s := range samples {
		out[i] = float32(s * gain)
	}
	return out
}

// compress encodes samples of -1 to 1 as μ-law (G.711), which package speech expands.
func compress(samples []float32) []byte {
	coded := make([]byte, len(samples))
	for i, s := range samples {
		value, sign := int32(s*32767), byte(0)
		if value < 0 {
			value, sign = -value, 0x80
		}
		value = min(value, 32635) + 0x84
		exponent := byte(7)
		for mask := int32(0x4000); value&mask == 0 && exponent > 0; mask >>= 1 {
			exponent--
		}
		coded[i] = ^(sign | exponent<<4 | byte(value>>(exponent+3))&0x0f)
	}
	return coded
}
