package tasks

import (
	"context"
	"log/slog"
	"time"
	"usher/queue"
)

// UnprovedStore is where addresses wait for their proof.
type UnprovedStore interface {
	// DropUnproved takes away the addresses of up to limit accounts whose proof was asked for before a time, or which
	// another account has proved or their owner has declined, and deletes accounts that have nothing else. It
	// returns how many accounts it has changed.
	DropUnproved(ctx context.Context, now, before time.Time, limit int) (int, error)
}

const (
	unprovedEvery = 10 * time.Minute
	unprovedBatch = 200
	// unprovedBatches bounds one run; the next one goes on.
	unprovedBatches = 100
)

// Unproved frees what waits for a proof that did not come in time.
type Unproved struct {
	Store  UnprovedStore
	TTL    time.Duration // how long a proof is waited for
	Now    func() time.Time
	Logger *slog.Logger
}

// Jobs is the work for [queue.Scheduler].
func (u *Unproved) Jobs() []queue.Job {
	return []queue.Job{{Name: "unproved", Every: unprovedEvery, Run: u.Drop}}
}

// Drop does the work once.
func (u *Unproved) Drop(ctx context.Context) error {
	total := 0
	defer func() {
		if total > 0 {
			u.Logger.InfoContext(ctx, "unproved addresses dropped", "accounts", total)
		}
	}()
	for range unprovedBatches {
		now := u.Now()
		n, err := u.Store.DropUnproved(ctx, now, now.Add(-u.TTL), unprovedBatch)
		total += n
		if err != nil || n < unprovedBatch {
			return err
		}
	}
	return nil
}
