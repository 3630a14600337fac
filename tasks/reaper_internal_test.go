package tasks

import (
	"testing"
	"time"
)

// A worker that lives and is stuck must not keep a message, and one where it waits for its turn must not lose it.
func TestReaper_knows_a_stuck_worker_from_one_that_is_busy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		held bool
		age  time.Duration
		want bool
	}{
		{held: true, age: reapAge},
		{held: true, age: placeWait + sendMost},
		{held: true, age: stuckAge, want: true},
		{held: false, age: reapAge, want: true},
	} {
		if got := isLost(test.held, test.age); got != test.want {
			t.Errorf("lost after %v, held %v: %v", test.age, test.held, got)
		}
	}
}

// sendMost is how long it takes at most from a place to an outcome by default.
const sendMost = 8*time.Second + leaseMargin + recordTimeout
