package tasks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/tasks"
)

// changeStore has so many claims and changes to end.
type changeStore struct {
	claims, changes int
	before, at      time.Time
	fail            error
}

func (s *changeStore) HandOver(_ context.Context, before time.Time, limit int) (int, error) {
	s.before = before
	return take(&s.claims, limit), s.fail
}

func (s *changeStore) DropEndedChanges(_ context.Context, at time.Time) (int, error) {
	s.at = at
	return take(&s.changes, s.changes), nil
}

func take(from *int, limit int) int {
	n := min(*from, limit)
	*from -= n
	return n
}

func TestChangesJob_ends_all_that_is_over(t *testing.T) {
	t.Parallel()
	logger, _ := testkit.Logger(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	store := &changeStore{claims: 1, changes: 1200}
	job := tasks.ChangesJob(store, func() time.Time { return now }, logger)
	if err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if store.claims != 0 || store.changes != 0 {
		t.Errorf("%d claims and %d changes are left", store.claims, store.changes)
	}
	if !store.at.Equal(now) || !store.before.Equal(now.Add(-accounts.ClaimWindow)) {
		t.Errorf("changes were ended as of %v, claims of before %v", store.at, store.before)
	}
	store.fail = errors.New("away")
	if err := job.Run(t.Context()); !errors.Is(err, store.fail) {
		t.Errorf("Run = %v, want the store's error", err)
	}
}
