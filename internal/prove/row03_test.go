package prove_test

import (
	"fmt"
	"testing"
)

func TestRow03_1000_sends_to_one_number_are_one_SMS(t *testing.T) {
	t.Parallel()
	const sends = 1000
	r := newRow(t, 3, "parallel sends to one number through two API processes")
	f := newFleet(t, nil)
	rounds, arrived := size(3, 100), 0
	for round := range rounds {
		mobile := number(int64(round))
		got := f.crowd(t, sends, "/v1/sms-codes", func(i int) map[string]any {
			purpose := []string{"register", "login", "reset_password"}[i%3]
			return map[string]any{"mobile": mobile, "purpose": purpose}
		})
		if got["202 0"] != 1 || got["429 4206"] != sends-1 {
			t.Errorf("answers %v, want one 202 and else 429", got)
		}
		// When a later code has arrived, so has everything that was queued before it.
		last := fmt.Sprintf("139%08d", round)
		f.people[0].AskCode(last, "register")
		f.people[0].ReadCode(last, 1)
		f.people[0].ReadCode(mobile, 1)
		arrived += len(f.people[0].Inbox(mobile))
	}
	r.tried("%d rounds of %d", rounds, sends)
	r.exactly("SMS", arrived, rounds)
}
