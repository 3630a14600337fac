package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"usher/captcha"
	"usher/captcha/challenge"
	"usher/captcha/speech"
)

// template is what a solver compares with: a digit of a voice, as recorded or with its pitch and speed changed.
type template struct {
	digit int
	frames
}

// solver finds digits in a recording with the recordings that the challenges are made of.
type solver struct {
	name      string
	templates []template

	// solve returns the digits that fit best, of which there are count; empty when it finds fewer.
	solve func(templates []template, challenge frames, count int) string
}

// pitches and speeds are the changes that the solvers try; the challenges' own are between them.
var (
	pitches = []float64{0.84, 1, 1.19}
	speeds  = []float64{0.75, 0.9, 1.08, 1.3}
)

// solvers returns the two kinds of matching that solve the spoken captchas of public libraries: the nearest recording
// to each word that loudness shows, and cross-correlation of spectrograms.
func solvers(language string) ([]solver, error) {
	voices, err := speech.Load(language)
	if err != nil {
		return nil, err
	}
	nearest := solver{name: "nearest recording", solve: byWord}
	correlation := solver{name: "cross-correlation", solve: bySliding}
	for _, voice := range voices {
		for digit, recording := range voice {
			if strings.ContainsRune(neverSaid[language], rune('0'+digit)) {
				continue
			}
			for _, pitch := range pitches {
				changed := spectrum(resample(recording, pitch))
				nearest.templates = append(nearest.templates, template{digit, changed.trimmed().of(wordLength)})
				for _, speed := range speeds {
					of := int(float64(len(changed)) * speed * pitch)
					correlation.templates = append(correlation.templates, template{digit, changed.of(of)})
				}
			}
		}
	}
	return []solver{nearest, correlation}, nil
}

// neverSaid are the digits that captcha leaves out, since people mistake them for others.
var neverSaid = map[string]string{"zh": "19", "en": "9"}

// wordLength is how many frames words are brought to before they are compared as a whole.
const wordLength = 24

// resample plays samples so much faster, and higher.
func resample(samples []float32, factor float64) []float64 {
	out := make([]float64, int(float64(len(samples)-1)/factor))
	for i := range out {
		whole, part := math.Modf(float64(i) * factor)
		a, b := float64(samples[int(whole)]), float64(samples[int(whole)+1])
		out[i] = a + (b-a)*part
	}
	return out
}

// of returns the frames stretched or pressed to a number of them.
func (f frames) of(count int) frames {
	out := make(frames, count)
	for i := range out {
		out[i] = f[i*len(f)/count]
	}
	return out
}

// trimmed leaves out what is silent at both ends.
func (f frames) trimmed() frames {
	first, last := 0, len(f)
	for first < last-1 && slices.Max(f[first]) < depth {
		first++
	}
	for last > first+1 && slices.Max(f[last-1]) < depth {
		last--
	}
	return f[first:last]
}

// found is the digit that fits best of those that end at a frame.
type found struct {
	cost         float64 // a frame
	begin, digit int
}

// bySliding lays the templates on every place of the challenge, and takes those that fit best together.
func bySliding(templates []template, challenge frames, count int) string {
	best := make([]found, len(challenge))
	for i := range best {
		best[i].cost = math.Inf(1)
	}
	for _, t := range templates {
		for i, cost := range correlate(challenge, t) {
			if cost < best[i].cost {
				best[i] = found{cost, i - len(t.frames) + 1, t.digit}
			}
		}
	}
	return cheapest(best, skipping(challenge, best), count)
}

// byWord compares each word that loudness shows with all templates.
func byWord(templates []template, challenge frames, count int) string {
	words := challenge.words(count)
	digits := make([]byte, len(words))
	for i, w := range words {
		word, lowest := challenge[w.begin:w.end].of(wordLength), math.Inf(1)
		for _, t := range templates {
			if cost := correlate(word, t)[wordLength-1]; cost < lowest {
				digits[i], lowest = byte('0'+t.digit), cost
			}
		}
	}
	return string(digits)
}

// span is a range of frames, without its end.
type span struct{ begin, end int }

// words cuts a recording where it is quieter than a threshold; of the thresholds that give count words it takes the
// lowest. It is nil when none does.
func (f frames) words(count int) []span {
	const shortest, gap = 8, 6
	loudness := make([]float64, len(f))
	for i := range f {
		for j := max(i-2, 0); j <= min(i+2, len(f)-1); j++ {
			for _, power := range f[j] {
				loudness[i] += power
			}
		}
	}
	lowest, loudest := slices.Min(loudness), slices.Max(loudness)
	for step := range 40 {
		threshold := lowest + (loudest-lowest)*(0.1+0.02*float64(step))
		var words []span
		for i, l := range loudness {
			switch last := len(words) - 1; {
			case l < threshold:
			case last >= 0 && i-words[last].end <= gap:
				words[last].end = i + 1
			default:
				words = append(words, span{i, i + 1})
			}
		}
		words = slices.DeleteFunc(words, func(w span) bool { return w.end-w.begin < shortest })
		if len(words) == count {
			return words
		}
	}
	return nil
}

// skipping is what it costs to take each frame for no part of a digit: nothing where it is quiet, and more than a
// digit that fits where it is loud.
func skipping(challenge frames, best []found) []float64 {
	var costs []float64
	for _, b := range best {
		if !math.IsInf(b.cost, 1) {
			costs = append(costs, b.cost)
		}
	}
	skip := make([]float64, len(challenge))
	if len(costs) == 0 {
		return skip
	}
	slices.Sort(costs)
	for i, frame := range challenge {
		loud := min(max(slices.Max(frame)/depth-1, 0), 1)
		skip[i] = loud * costs[len(costs)/2]
	}
	return skip
}

// cheapest chooses count digits that do not overlap, at the lowest cost of all frames together.
func cheapest(best []found, skip []float64, count int) string {
	type way struct {
		cost float64
		end  int // of the last digit; -1 for none
	}
	ways := make([][]way, count+1)
	for n := range ways {
		ways[n] = make([]way, len(best)+1)
		ways[n][0] = way{math.Inf(1), -1}
		if n == 0 {
			ways[n][0].cost = 0
		}
		for i, b := range best {
			ways[n][i+1] = way{ways[n][i].cost + skip[i], ways[n][i].end}
			if n == 0 {
				continue
			}
			if total := ways[n-1][b.begin].cost + b.cost*float64(i-b.begin+1); total < ways[n][i+1].cost {
				ways[n][i+1] = way{total, i}
			}
		}
	}
	digits := make([]byte, count)
	for n, i := count, len(best); n > 0; n-- {
		end := ways[n][i].end
		if end < 0 {
			return ""
		}
		digits[n-1], i = byte('0'+best[end].digit), best[end].begin
	}
	return string(digits)
}

// correlate slides the template over the challenge. It returns for each frame that the template ends at 1 minus the
// correlation of the two patches.
func correlate(challenge frames, t template) []float64 {
	rows := len(t.frames)
	cost := make([]float64, len(challenge))
	mean, norm := moments(t.frames)
	for i := range challenge {
		if i-rows+1 < 0 {
			cost[i] = math.Inf(1)
			continue
		}
		patch := challenge[i-rows+1 : i+1]
		patchMean, patchNorm := moments(patch)
		product := 0.0
		for row := range patch {
			for b, value := range t.frames[row] {
				product += (value - mean) * (patch[row][b] - patchMean)
			}
		}
		cost[i] = 1 - product/(norm*patchNorm+1e-9)
	}
	return cost
}

// moments returns the mean of all values, and the norm of what differs from it.
func moments(f frames) (mean, norm float64) {
	count, squares := 0.0, 0.0
	for _, frame := range f {
		for _, value := range frame {
			mean, squares, count = mean+value, squares+value*value, count+1
		}
	}
	mean /= count
	return mean, math.Sqrt(max(squares-count*mean*mean, 0))
}

// heard is how many recordings, and how many of their digits, a solver got right.
type heard struct {
	name                  string
	solved, digits, asked atomic.Int64
}

// measureAudio makes count recordings and has each solver answer all of them.
func measureAudio(maker *captcha.Maker, language string, count int) ([]*heard, error) {
	all, err := solvers(language)
	if err != nil {
		return nil, err
	}
	results := make([]*heard, len(all))
	for i, s := range all {
		results[i] = &heard{name: s.name}
	}
	errs := make([]error, count)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = listen(maker, language, all, results)
		})
	}
	group.Wait()
	return results, errors.Join(errs...)
}

// listen makes one recording, has every solver answer it and counts what they got right.
func listen(maker *captcha.Maker, language string, all []solver, results []*heard) error {
	challenge, err := maker.Make(challenge.Audio, challenge.Normal, language)
	if err != nil {
		return err
	}
	samples, err := readWAV(challenge.Media)
	if err != nil {
		return err
	}
	spectrogram := spectrum(samples)
	for i, s := range all {
		answer := s.solve(s.templates, spectrogram, len(challenge.Answer))
		if answer == challenge.Answer {
			results[i].solved.Add(1)
		}
		results[i].asked.Add(int64(len(challenge.Answer)))
		for at := range answer {
			if answer[at] == challenge.Answer[at] {
				results[i].digits.Add(1)
			}
		}
	}
	return nil
}

// readWAV returns the samples of a WAV file of 8 bits.
func readWAV(wav []byte) ([]float64, error) {
	const header = 44
	if len(wav) < header || string(wav[:4]) != "RIFF" || binary.LittleEndian.Uint16(wav[34:]) != 8 {
		return nil, fmt.Errorf("no WAV file of 8 bits in %d bytes", len(wav))
	}
	samples := make([]float64, len(wav)-header)
	for i, b := range wav[header:] {
		samples[i] = (float64(b) - 128) / 128
	}
	return samples, nil
}
