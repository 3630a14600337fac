package tasks_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/tasks"
)

// waitingRoom says how many accounts each call drops, and notes what it was asked.
type waitingRoom struct {
	drops  []int
	fails  error
	before []time.Time
}

func (w *waitingRoom) DropUnproved(_ context.Context, _, before time.Time, limit int) (int, error) {
	w.before = append(w.before, before)
	if w.fails != nil {
		return 1, w.fails
	}
	n := min(w.drops[0], limit)
	if w.drops[0] -= n; w.drops[0] == 0 && len(w.drops) > 1 {
		w.drops = w.drops[1:]
	}
	return n, nil
}

func TestUnprovedJob_goes_on_until_nothing_is_left(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	logger, log := testkit.Logger(t)
	room := &waitingRoom{drops: []int{450}}
	job := tasks.UnprovedJob(room, 24*time.Hour, clock.Now, logger)
	if err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	day := clock.Now().Add(-24 * time.Hour)
	if want := []time.Time{day, day, day}; !slices.Equal(room.before, want) || room.drops[0] != 0 {
		t.Errorf("asked for what was before %v, %d are left; want %v and none", room.before, room.drops[0], want)
	}
	if found := testkit.FindSecrets(log.Bytes(), `"count":450`); found == nil {
		t.Errorf("the log does not say how many: %s", log)
	}
	if job.Every < time.Minute || job.Run(t.Context()) != nil {
		t.Errorf("job = %+v", job)
	}
}

func TestUnprovedJob_is_bounded_and_passes_errors_on(t *testing.T) {
	t.Parallel()
	logger, _ := testkit.Logger(t)
	endless := &waitingRoom{drops: []int{1 << 30}}
	if err := tasks.UnprovedJob(endless, time.Hour, time.Now, logger).Run(t.Context()); err != nil || len(endless.before) != 100 {
		t.Errorf("run = %v after %d batches, want 100", err, len(endless.before))
	}
	unavailable := errors.New("database is unavailable")
	job := tasks.UnprovedJob(&waitingRoom{fails: unavailable}, time.Hour, time.Now, logger)
	if err := job.Run(t.Context()); !errors.Is(err, unavailable) {
		t.Errorf("run = %v, want the store's error", err)
	}
}
