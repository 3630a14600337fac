package tasks

import (
	"context"
	"log/slog"
	"time"

	"usher/accounts"
)

const (
	// changesInterval is how often claimed numbers are handed over and changes are forgotten.
	changesInterval = 10 * time.Minute
	changesTimeout  = 10 * time.Second // for one statement
	changesBatch    = 500
)

// ChangeStore is where changes of accounts and claims on numbers are kept; sqlstore.Accounts is one.
type ChangeStore interface {
	// HandOver ends claims from before the time: their numbers leave accounts that were not seen since.
	HandOver(ctx context.Context, before time.Time, limit int) (int, error)

	// DropEndedChanges deletes changes that cannot be undone any more.
	DropEndedChanges(ctx context.Context, at time.Time, limit int) (int, error)
}

// ChangesJob hands numbers over whose account did not answer, and forgets changes that cannot be undone any more.
func ChangesJob(store ChangeStore, now func() time.Time, logger *slog.Logger) Job {
	return Job{Name: "changes", Every: changesInterval, Run: func(ctx context.Context) error {
		err := changesInBatches(ctx, logger, "numbers handed over", func(ctx context.Context) (int, error) {
			return store.HandOver(ctx, now().Add(-accounts.ClaimWindow), changesBatch)
		})
		if err != nil {
			return err
		}
		return changesInBatches(ctx, logger, "changes forgotten", func(ctx context.Context) (int, error) {
			return store.DropEndedChanges(ctx, now(), changesBatch)
		})
	}}
}

// changesInBatches calls do until it has less than a whole batch to do.
func changesInBatches(ctx context.Context, logger *slog.Logger, what string, do func(context.Context) (int, error)) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, changesTimeout)
		n, err := do(bounded)
		cancel()
		if n > 0 {
			logger.InfoContext(ctx, "accounts tidied up", "what", what, "count", n)
		}
		if err != nil || n < changesBatch {
			return err
		}
	}
}
