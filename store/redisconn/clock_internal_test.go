package redisconn

import (
	"testing"
	"time"
)

// NTP sets a machine's clock, or the machine sleeps: its clock moves against what has passed for the process. The time
// told goes on as before, and the clock says that it must be measured.
func TestClock_continues_when_the_machine_s_clock_is_set(t *testing.T) {
	t.Parallel()
	wall, passed := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC), time.Duration(0)
	clock := &Clock{
		local: func() time.Time { return wall }, passed: func() time.Duration { return passed },
		base: wall, ahead: time.Minute, measured: true,
	}
	first := clock.Now()
	if !first.Equal(wall.Add(-time.Minute)) || clock.Ahead() != time.Minute {
		t.Fatalf("told %v, ahead %v", first, clock.Ahead())
	}
	wall, passed = wall.Add(5*time.Second), 5*time.Second
	if clock.Leapt() {
		t.Error("five seconds that pass are taken for a leap")
	}
	for _, set := range []time.Duration{10 * time.Minute, -20 * time.Minute} {
		wall = wall.Add(set)
		if now := clock.Now(); !now.Equal(first.Add(5 * time.Second)) {
			t.Errorf("set by %v: told %v", set, now)
		}
		if !clock.Leapt() {
			t.Errorf("set by %v: not noticed", set)
		}
	}
}
