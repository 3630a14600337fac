package tasks

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"usher/accounts"
)

// Outbox is where mails wait that were committed with an account.
type Outbox interface {
	// Due hands out mails whose task must be seen to: waiting since they were last enqueued olderThan ago,
	// or claimed by a worker whose lease has ended. No two callers get the same mail.
	Due(ctx context.Context, olderThan time.Duration, limit int) ([]accounts.DueMail, error)

	// Expire drops up to limit waiting mails whose link has ended, and returns how many.
	Expire(ctx context.Context, limit int) (int, error)
}

const (
	relayInterval = 2 * time.Second
	// relayAge is how long a mail may wait before the relay makes sure that its task is on the queue. That is
	// of no effect while the task is there, for a waiting mail keeps its task's id.
	relayAge   = 10 * time.Second
	relayBatch = 100
	// relayBatches bounds one sweep: behind a long queue every mail waits for its turn, not for the relay.
	relayBatches = 10
)

// Relay sweeps the outbox: mails that were committed while Redis was away, whose task was lost with
// Redis, or whose worker died. Any number of workers may run one.
type Relay struct {
	Outbox   Outbox
	Enqueuer *Enqueuer
	Logger   *slog.Logger
}

// Run sweeps every two seconds until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	ticker := time.NewTicker(relayInterval)
	defer ticker.Stop()
	for {
		r.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (r *Relay) sweep(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, 10*relayInterval)
	defer cancel()
	if err := r.enqueueDue(bounded); err != nil && ctx.Err() == nil {
		r.Logger.Warn("due mails not enqueued", "error", err)
	}
	dropped, err := r.Outbox.Expire(bounded, relayBatch)
	if err != nil && ctx.Err() == nil {
		r.Logger.Warn("expired mails not dropped", "error", err)
	}
	if dropped > 0 {
		r.Logger.Warn("mails expired unsent", "count", dropped)
	}
}

func (r *Relay) enqueueDue(ctx context.Context) error {
	// The outbox counts what it hands out as enqueued for relayAge, so it is not asked while nothing can be.
	if err := r.Enqueuer.Client.Ping(); err != nil {
		return fmt.Errorf("ping queue: %w", err)
	}
	for range relayBatches {
		due, err := r.Outbox.Due(ctx, relayAge, relayBatch)
		if err != nil {
			return err
		}
		for _, mail := range due {
			if err := r.Enqueuer.EnqueueDue(issuedAt(ctx, mail.CreatedAt), mail); err != nil {
				return err
			}
			r.Logger.Debug("mail seen to by the relay", "message_id", mail.ID, "request_id", mail.RequestID)
		}
		if len(due) < relayBatch {
			break
		}
	}
	return nil
}
