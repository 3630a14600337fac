package tasks

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/queue"
)

func TestIssuedAt_travels_in_the_header(t *testing.T) {
	t.Parallel()
	written := time.UnixMilli(1_700_000_000_123)
	header := strconv.FormatInt(written.UnixMilli(), 10) // as the relay enqueues an old mail
	now := written.Add(90 * time.Second)
	ageOf := func(header string, now time.Time) (old time.Duration, known bool) {
		task := asynq.NewTaskWithHeaders(TypeSMSCode, nil, map[string]string{queue.HeaderIssuedAt: header})
		discard, metrics := slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry())
		err := Observe(discard, metrics)(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			old, known = age(ctx, now)
			return nil
		})).ProcessTask(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		return old, known
	}
	if got, known := ageOf(header, now); !known || got != 90*time.Second {
		t.Errorf("age = %v, %t", got, known)
	}
	if got, _ := ageOf(header, written.Add(-time.Hour)); got != 0 {
		t.Errorf("age by a clock that is behind = %v", got)
	}
	for _, header := range []string{"", "yesterday", "-1", "0"} {
		if _, known := ageOf(header, now); known {
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
