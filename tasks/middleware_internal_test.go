package tasks

import (
	"strconv"
	"testing"
	"time"

	"usher/queue"
)

func TestIssuedAt_travels_in_the_header(t *testing.T) {
	t.Parallel()
	written := time.UnixMilli(1_700_000_000_123)
	header := strconv.FormatInt(written.UnixMilli(), 10) // as the relay enqueues an old mail
	now := written.Add(90 * time.Second)
	if got, known := age(readIssued(t.Context(), header), now); !known || got != 90*time.Second {
		t.Errorf("age = %v, %t", got, known)
	}
	if got, _ := age(readIssued(t.Context(), header), written.Add(-time.Hour)); got != 0 {
		t.Errorf("age by a clock that is behind = %v", got)
	}
	for _, header := range []string{"", "yesterday", "-1", "0"} {
		if _, known := age(readIssued(t.Context(), header), now); known {
			t.Errorf("the header %q says an age", header)
		}
	}
}

// The reaper requeues a message after StuckAge even when its worker lives. A mail that waits for a slot as long as it may, and
// then for its provider and its store, must have ended before.
func TestReaper_does_not_take_a_busy_worker_for_a_stuck_one(t *testing.T) {
	t.Parallel()
	const defaultSendTimeout = 8 * time.Second
	if longest := slotWait + defaultSendTimeout + leaseMargin + recordTimeout; longest >= queue.StuckAge {
		t.Errorf("a mail may take %v, and the reaper waits %v", longest, queue.StuckAge)
	}
}
