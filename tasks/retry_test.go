package tasks_test

import (
	"errors"
	"testing"
	"time"

	"usher/tasks"
)

func TestRetryDelay_doubles_up_to_a_minute_and_spreads_a_crowd(t *testing.T) {
	t.Parallel()
	for retried, want := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 6: time.Minute, 7: time.Minute, 1 << 40: time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			got := tasks.RetryDelay(retried, errors.New("refused"), nil)
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
