package tasks_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"usher/tasks"
)

// eraser notes how long the work on a batch may take.
type eraser struct{ due, rest time.Duration }

func (e *eraser) EraseDue(ctx context.Context, _ int) (int, error) {
	deadline, _ := ctx.Deadline()
	e.due = time.Until(deadline)
	return 0, nil
}

func (e *eraser) ForgetErased(ctx context.Context, _ int) (int, error) {
	deadline, _ := ctx.Deadline()
	e.rest = time.Until(deadline)
	return 0, nil
}

// A scan of a large Redis takes longer than statements may: without time for it nothing would ever be forgotten.
func TestErasedJob_has_time_for_a_scan_of_Redis(t *testing.T) {
	t.Parallel()
	var e eraser
	job := tasks.ErasedJob(&e, slog.New(slog.DiscardHandler))
	if err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e.due > 10*time.Second || e.rest < 3*time.Minute || e.rest > job.Every/2 {
		t.Errorf("%v to erase accounts and %v for the rest of them, every %v", e.due, e.rest, job.Every)
	}
}
