package main

import (
	"math/rand/v2"
	"testing"

	"usher/captcha/speech"
)

// plain says digits as they are recorded, with gaps, and each a little faster or slower: what the solvers must solve.
func plain(t *testing.T, language, digits string) []float64 {
	t.Helper()
	voices, err := speech.Load(language)
	if err != nil {
		t.Fatal(err)
	}
	said := make([]float64, speech.Rate/3)
	for i := range len(digits) {
		recording := voices[rand.IntN(len(voices))][digits[i]-'0']
		said = append(said, resample(recording, 0.9+0.2*rand.Float64())...)
		said = append(said, make([]float64, speech.Rate/4)...)
	}
	for i := range said {
		said[i] += rand.NormFloat64() * 0.002
	}
	return said
}

// The challenges must be hard, not the solvers broken: what is not varied falls to them, as the spoken captchas of a
// public library did.
func Test_solvers_solve_recordings_that_are_not_varied(t *testing.T) {
	t.Parallel()
	for _, language := range speech.Languages() {
		all, err := solvers(language)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			t.Run(language+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				right := 0
				const rounds, answer = 5, "402857"
				for range rounds {
					got := s.solve(s.templates, spectrum(plain(t, language, answer)), len(answer))
					for i := range got {
						if got[i] == answer[i] {
							right++
						}
					}
				}
				if right < rounds*len(answer)*8/10 {
					t.Errorf("got %d of %d digits right", right, rounds*len(answer))
				}
			})
		}
	}
}
