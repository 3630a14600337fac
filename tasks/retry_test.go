package tasks_test

import (
	"errors"
	"testing"
	"time"

	"usher/providers"
	"usher/reasons"
	"usher/tasks"
)

func TestRetryDelay_doubles_up_to_a_minute_and_spreads_a_crowd(t *testing.T) {
	t.Parallel()
	testPauses(t, &providers.Error{Provider: "smtp", Kind: providers.Temporary, Code: "451"}, map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 6: time.Minute, 7: time.Minute, 1 << 40: time.Minute,
	})
}

// What broke down may be back any moment, and a promise says how soon all is well then.
func TestRetryDelay_stays_short_while_nobody_answers(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("no route to host"), &providers.Error{Provider: "smtp", Kind: providers.Temporary}} {
		testPauses(t, err, map[int]time.Duration{
			0: time.Second, 1: 2 * time.Second, 3: 8 * time.Second, 4: 8 * time.Second, 1 << 40: 8 * time.Second,
		})
	}
}

// A mail server that refuses us is asked again seldom: an operator has to mend it.
func TestRetryDelay_is_long_where_a_mail_server_refuses_us(t *testing.T) {
	t.Parallel()
	testPauses(t, &providers.Error{Provider: "smtp", Kind: providers.Misconfigured, Code: "553-5.7.1", Why: reasons.SenderRefused}, map[int]time.Duration{
		0: 15 * time.Second, 1: 30 * time.Second, 4: 4 * time.Minute, 5: 5 * time.Minute, 1 << 40: 5 * time.Minute,
	})
	// A code of an SMS lives for minutes: its pauses stay short.
	testPauses(t, &providers.Error{Provider: "aliyun", Kind: providers.Misconfigured, Code: "isv.AMOUNT_NOT_ENOUGH"}, map[int]time.Duration{
		0: time.Second, 1 << 40: time.Minute,
	})
}

func testPauses(t *testing.T, err error, pauses map[int]time.Duration) {
	t.Helper()
	for retried, want := range pauses {
		seen := map[time.Duration]bool{}
		for range 100 {
			got := tasks.RetryDelay(retried, err, nil)
			seen[got] = true
			if got < want*3/4 || got > want*5/4 {
				t.Fatalf("retry %d comes after %v, want about %v", retried, got, want)
			}
		}
		if len(seen) < 50 {
			t.Errorf("100 tasks come back at %d times only", len(seen))
		}
	}
}
