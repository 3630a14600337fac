package prove_test

import (
	"fmt"
	"testing"
)

func TestRow04_1000_guesses_are_five_comparisons(t *testing.T) {
	t.Parallel()
	const guesses, allowed = 1000, 5
	r := newRow(t, 4, "parallel guesses at one code, the right one among them")
	f := newFleet(t, nil)
	random, rounds := chance(4), size(3, 100)
	most, successes := 0, 0
	for round := range rounds {
		mobile := number(int64(round))
		id := f.people[0].AskCode(mobile, "register")
		code := f.people[0].ReadCode(mobile, 1)
		place := random.IntN(guesses / (1 + round%3*20)) // anywhere, or early enough to be compared sometimes
		got := f.crowd(t, guesses, "/v1/sms-codes/check", func(i int) map[string]any {
			guess := fmt.Sprintf("%06d", i)
			switch {
			case i == place:
				guess = code
			case guess == code:
				guess = fmt.Sprintf("%06d", guesses)
			}
			return map[string]any{"mobile": mobile, "purpose": "register", "sms_code_id": id, "code": guess}
		})
		right := got["200 0 right"]
		compared := got["200 0"] + right
		if compared != allowed || got["422 4205"] != guesses-allowed {
			t.Errorf("answers %v, want %d compared and else refused", got, allowed)
		}
		most, successes = max(most, compared), max(successes, right)
	}
	r.tried("%d rounds of %d", rounds, guesses)
	r.atMost("comparisons", most, allowed)
	r.atMost("successes", successes, 1)
}
