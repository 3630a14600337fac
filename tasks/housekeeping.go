package tasks

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"usher/accounts"
	"usher/queue"
)

const (
	housekeepingEvery   = 10 * time.Minute
	housekeepingTimeout = 10 * time.Second // for one batch
	changesBatch        = 500
	unprovedBatch       = 200
	// unprovedBatches bounds one run; the next one goes on.
	unprovedBatches = 100
)

// ChangeStore is where changes of accounts and claims on numbers are kept; sqlstore.Accounts is one.
type ChangeStore interface {
	// HandOver ends claims from before the time: their numbers leave accounts that were not seen since.
	HandOver(ctx context.Context, before time.Time, limit int) (int, error)

	// DropEndedChanges deletes changes that cannot be undone any more.
	DropEndedChanges(ctx context.Context, at time.Time) (int, error)
}

// ChangesJob hands numbers over whose account did not answer, and deletes changes that cannot be undone any more.
func ChangesJob(store ChangeStore, now func() time.Time, logger *slog.Logger) queue.Job {
	return queue.Job{Name: "changes", Every: housekeepingEvery, Run: func(ctx context.Context) error {
		n, err := inBatches(ctx, changesBatch, 0, func(ctx context.Context) (int, error) {
			return store.HandOver(ctx, now().Add(-accounts.ClaimWindow), changesBatch)
		})
		logCleaned(ctx, logger, "numbers handed over", n)
		if err != nil {
			return err
		}
		n, err = store.DropEndedChanges(ctx, now())
		logCleaned(ctx, logger, "ended changes deleted", n)
		return err
	}}
}

// UnprovedStore is where addresses wait for their proof.
type UnprovedStore interface {
	// DropUnproved removes the addresses of up to limit accounts whose proof was asked for before a time, or which
	// another account has proved or their owner has declined, and deletes accounts that have nothing else. It
	// returns how many accounts it has changed.
	DropUnproved(ctx context.Context, now, before time.Time, limit int) (int, error)
}

// UnprovedJob removes addresses whose proof did not come within the TTL.
func UnprovedJob(store UnprovedStore, ttl time.Duration, now func() time.Time, logger *slog.Logger) queue.Job {
	return queue.Job{Name: "unproved", Every: housekeepingEvery, Run: func(ctx context.Context) error {
		n, err := inBatches(ctx, unprovedBatch, unprovedBatches, func(ctx context.Context) (int, error) {
			return store.DropUnproved(ctx, now(), now().Add(-ttl), unprovedBatch)
		})
		logCleaned(ctx, logger, "unproved addresses removed", n)
		return err
	}}
}

const (
	// erasedBatch bounds the accounts whose rest is deleted with one scan of Redis.
	erasedBatch = 200
	// erasedTimeout is for one such batch: of three million keys the scan alone takes 5 to 20 s.
	erasedTimeout = 4 * time.Minute
	// dueBatch bounds the accounts that are erased within one time-out.
	dueBatch = 20
)

// Eraser erases accounts; [accounts.Service] is one.
type Eraser interface {
	// EraseDue erases accounts whose owners have requested it and whose grace is over.
	EraseDue(ctx context.Context, limit int) (int, error)

	// ForgetErased deletes what is left of erased accounts, and frees their names.
	ForgetErased(ctx context.Context, limit int) (int, error)
}

// ErasedJob erases accounts that are due, and deletes what is left of those that were erased.
func ErasedJob(eraser Eraser, logger *slog.Logger) queue.Job {
	return queue.Job{Name: "erased", Every: housekeepingEvery, Run: func(ctx context.Context) error {
		n, err := inBatches(ctx, dueBatch, unprovedBatches, func(ctx context.Context) (int, error) {
			return eraser.EraseDue(ctx, dueBatch)
		})
		logCleaned(ctx, logger, "accounts erased at their owners' request", n)
		n, restErr := inBatchesOf(ctx, erasedTimeout, erasedBatch, unprovedBatches, func(ctx context.Context) (int, error) {
			return eraser.ForgetErased(ctx, erasedBatch)
		})
		logCleaned(ctx, logger, "remains of erased accounts deleted", n)
		return errors.Join(err, restErr)
	}}
}

// inBatches repeats work until a batch is smaller than size, so that no statement locks many rows for long; most bounds the
// batches, and 0 does not. It returns how many were worked in all, also with an error.
func inBatches(ctx context.Context, size, most int, work func(context.Context) (int, error)) (total int, err error) {
	return inBatchesOf(ctx, housekeepingTimeout, size, most, work)
}

// inBatchesOf is inBatches with another time-out for a batch.
func inBatchesOf(
	ctx context.Context, timeout time.Duration, size, most int, work func(context.Context) (int, error),
) (total int, err error) {
	for batches := 1; ; batches++ {
		bounded, cancel := context.WithTimeout(ctx, timeout)
		n, err := work(bounded)
		cancel()
		total += n
		if err != nil || n < size || batches == most {
			return total, err
		}
	}
}

func logCleaned(ctx context.Context, logger *slog.Logger, what string, n int) {
	if n > 0 {
		logger.InfoContext(ctx, "housekeeping", "what", what, "count", n)
	}
}
