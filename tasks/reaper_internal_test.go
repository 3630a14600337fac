package tasks

import (
	"testing"
	"time"
)

// A worker that lives and is stuck must not keep a message, and one where it waits for its turn must not lose it.
func TestReaper_knows_a_stuck_worker_from_one_that_is_busy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		turns, held bool
		age         time.Duration
		want        bool
	}{
		{turns: true, held: true, age: reapAge},
		{turns: true, held: true, age: placeWait + sendMost},
		{turns: true, held: true, age: stuckAge, want: true},
		{turns: true, held: false, age: reapAge, want: true},
		{turns: false, held: true, age: reapAge, want: true},
	} {
		reaper := &Reaper{Turns: test.turns}
		if got := reaper.isLost(test.held, test.age); got != test.want {
			t.Errorf("%+v: lost %v", test, got)
		}
	}
}

// sendMost is how long it takes at most from a place to an outcome by default.
const sendMost = 8*time.Second + leaseMargin + recordTimeout
