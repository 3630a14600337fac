package limits_test

import (
	"math"
	"testing"

	"usher/limits"
)

// One lucky guess a year: a million over 365 is 2,739 guesses a day, of which strangers have the first ones of the codes
// that the budget grants them.
func TestWithCodeLength_makes_one_lucky_guess_a_year(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yuan   float64 // at a tenth of a yuan a code
		digits int
		wrong  int
		lucky  float64
	}{
		"a small site":                       {100, 6, 2739 - 800, 1},
		"five digits":                        {10, 5, 273 - 80, 1},
		"a budget that leaves a tenth":       {308.1, 6, 2739 - 2465, 1},
		"a budget too large for six digits":  {1000, 6, 273, 3.02},
		"a budget too large for four digits": {100, 4, 2, 29.3},
		"no budget":                          {0, 6, 2739 - 1369, math.Inf(1)},
	} {
		set := limits.Defaults().WithBudget(test.yuan, 0.1).WithCodeLength(test.digits)
		if got := set[limits.CodeWrongAll]; got.Count != test.wrong {
			t.Errorf("%s: %d wrong codes a day, want %d", name, got.Count, test.wrong)
		}
		if got := set.LuckyGuesses(test.digits); got != test.lucky && math.Abs(got-test.lucky) > 0.01*test.lucky {
			t.Errorf("%s: %v lucky guesses a year, want %v", name, got, test.lucky)
		}
	}
	off, err := limits.Defaults().WithBudget(100, 0.1).WithCodeLength(6).Parse("code_wrong_all=off")
	if err != nil || !math.IsInf(off.LuckyGuesses(6), 1) {
		t.Errorf("without the limit there is no bound: %v, %v", off.LuckyGuesses(6), err)
	}
}
