package tasks

import (
	"context"
	"log/slog"
	"time"

	"usher/accounts"
	"usher/queue"
)

const (
	// changesInterval is how often claimed numbers are handed over and changes are forgotten.
	changesInterval = 10 * time.Minute
	changesTimeout  = 10 * time.Second // for one batch
	changesBatch    = 500
)

// ChangeStore is where changes of accounts and claims on numbers are kept; sqlstore.Accounts is one.
type ChangeStore interface {
	// HandOver ends claims from before the time: their numbers leave accounts that were not seen since.
	HandOver(ctx context.Context, before time.Time, limit int) (int, error)

	// DropEndedChanges deletes changes that cannot be undone any more.
	DropEndedChanges(ctx context.Context, at time.Time) (int, error)
}

// ChangesJob hands numbers over whose account did not answer, and forgets changes that cannot be undone any more.
func ChangesJob(store ChangeStore, now func() time.Time, logger *slog.Logger) queue.Job {
	return queue.Job{Name: "changes", Every: changesInterval, Run: func(ctx context.Context) error {
		if err := handOver(ctx, store, now, logger); err != nil {
			return err
		}
		n, err := store.DropEndedChanges(ctx, now())
		changesTidied(ctx, logger, "changes forgotten", n)
		return err
	}}
}

// handOver ends claims until there is less than a whole batch of them.
func handOver(ctx context.Context, store ChangeStore, now func() time.Time, logger *slog.Logger) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, changesTimeout)
		n, err := store.HandOver(bounded, now().Add(-accounts.ClaimWindow), changesBatch)
		cancel()
		changesTidied(ctx, logger, "numbers handed over", n)
		if err != nil || n < changesBatch {
			return err
		}
	}
}

func changesTidied(ctx context.Context, logger *slog.Logger, what string, n int) {
	if n > 0 {
		logger.InfoContext(ctx, "accounts tidied up", "what", what, "count", n)
	}
}
