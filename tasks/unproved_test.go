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

func TestUnproved_goes_on_until_nothing_is_left(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	logger, log := testkit.Logger(t)
	room := &waitingRoom{drops: []int{450}}
	u := &tasks.Unproved{Store: room, TTL: 24 * time.Hour, Now: clock.Now, Logger: logger}
	if err := u.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	day := clock.Now().Add(-24 * time.Hour)
	if want := []time.Time{day, day, day}; !slices.Equal(room.before, want) || room.drops[0] != 0 {
		t.Errorf("asked for what was before %v, %d are left; want %v and none", room.before, room.drops[0], want)
	}
	if found := testkit.FindSecrets(log.Bytes(), `"accounts":450`); found == nil {
		t.Errorf("the log does not say how many: %s", log)
	}
	if jobs := u.Jobs(); len(jobs) != 1 || jobs[0].Every < time.Minute || jobs[0].Run(t.Context()) != nil {
		t.Errorf("jobs = %+v", jobs)
	}
}

func TestUnproved_is_bounded_and_passes_errors_on(t *testing.T) {
	t.Parallel()
	logger, _ := testkit.Logger(t)
	endless := &waitingRoom{drops: []int{1 << 30}}
	u := &tasks.Unproved{Store: endless, TTL: time.Hour, Now: time.Now, Logger: logger}
	if err := u.Drop(t.Context()); err != nil || len(endless.before) != 100 {
		t.Errorf("Drop = %v after %d batches, want 100", err, len(endless.before))
	}
	away := errors.New("database is away")
	u.Store = &waitingRoom{fails: away}
	if err := u.Drop(t.Context()); !errors.Is(err, away) {
		t.Errorf("Drop = %v, want the store's error", err)
	}
}
