package queue

import (
	"testing"
	"time"
)

// A worker that lives and is stuck must not keep a message, and one where it waits for a slot must not lose it.
func TestReaper_knows_a_stuck_worker_from_one_that_is_busy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		slots, held bool
		age         time.Duration
		want        bool
	}{
		{slots: true, held: true, age: reapAge},
		{slots: true, held: true, age: StuckAge - time.Second},
		{slots: true, held: true, age: StuckAge, want: true},
		{slots: true, held: false, age: reapAge, want: true},
		{slots: false, held: true, age: reapAge, want: true},
	} {
		reaper := &Reaper{Slots: test.slots}
		if got := reaper.isLost(test.held, test.age); got != test.want {
			t.Errorf("%+v: lost %v", test, got)
		}
	}
}

func TestPublish_costs_nothing_without_a_tracer(t *testing.T) { //nolint:paralleltest // counts allocations
	headers := map[string]string{HeaderRequestID: "request-1"}
	allocations := testing.AllocsPerRun(100, func() {
		_, end := publish(t.Context(), nil, "sms:code", headers)
		end(nil, nil)
	})
	if allocations != 0 || len(headers) != 1 {
		t.Errorf("%v allocations, headers %v", allocations, headers)
	}
}
