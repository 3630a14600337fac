package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"usher/accounts"
	"usher/queue"
)

// Outbox keeps mails that were committed with an account until they are sent.
type Outbox interface {
	// Due returns mails whose task must be checked: those that a worker claimed whose lease has ended, and
	// those that wait. A waiting mail is due again when it has waited since the last check for as long as it had
	// before, but never sooner than soonest and always after latest. No two callers get the same mail.
	Due(ctx context.Context, soonest, latest time.Duration, limit int) ([]accounts.DueMail, error)

	// Expire drops up to limit waiting mails whose link has ended, and returns how many.
	Expire(ctx context.Context, limit int) (int, error)
}

const (
	relayInterval = 2 * time.Second
	// relayAge is how long a mail may wait before the relay makes sure that its task is on the queue. That has
	// no effect while the task is there, since a waiting mail keeps its task's id.
	relayAge = 10 * time.Second
	// relayLatest bounds the time between two checks of a mail, which grows with the mail's age: behind a slow mail
	// server thousands wait whose tasks are all there. So late is a single lost task found.
	relayLatest = 5 * time.Minute
	relayBatch  = 100
	// relayMark is the lifetime of the mark whose absence shows that Redis was emptied. One early sweep a day does no harm.
	relayMark = 24 * time.Hour
	// relayBatches bounds one sweep: behind a long queue mails wait for a worker, not for the relay.
	relayBatches = 10
)

// Relay enqueues mails of the outbox that have no live task: mails that were committed while Redis was unavailable, whose task
// was lost with Redis, or whose worker died. Any number of workers may run one.
type Relay struct {
	Outbox   Outbox
	Enqueuer *Enqueuer
	Logger   *slog.Logger

	// Locks keeps a mark that is lost with the tasks when Redis is emptied. Then every waiting mail is checked soon,
	// however old it is. Nil: that is not noticed.
	Locks Locks

	// Inspector finds tasks that were archived although their mail waits. Nil: they stay there.
	Inspector *asynq.Inspector

	hurry bool // Redis was emptied, and not all mails have been checked since
}

// Run sweeps every two seconds until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	r.sweep(ctx)
	queue.Every(ctx, relayInterval, r.sweep)
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
	// The outbox counts the mails that it returns as enqueued for relayAge, so it is not asked while none can be.
	if err := r.ping(ctx); err != nil {
		return fmt.Errorf("ping queue: %w", err)
	}
	latest := relayLatest
	if r.hurry {
		latest = relayAge
	}
	for range relayBatches {
		due, err := r.Outbox.Due(ctx, relayAge, latest, relayBatch)
		if err != nil {
			return err
		}
		for _, mail := range due {
			existed, err := r.Enqueuer.enqueueDue(ctx, mail, mail.CreatedAt)
			if err == nil && existed {
				err = r.revive(mail)
			}
			if err != nil {
				return err
			}
			r.Logger.Debug("mail re-enqueued by the relay", "message_id", mail.ID, "request_id", mail.RequestID)
		}
		if len(due) < relayBatch {
			r.hurry = false
			break
		}
	}
	return nil
}

// revive requeues the archived task of a waiting mail: an operator archived it, or its handler panicked.
// A mail that has failed has a row that does not wait.
func (r *Relay) revive(mail accounts.DueMail) error {
	if r.Inspector == nil {
		return nil
	}
	in, id := r.Enqueuer.Namespace.Queue(queue.Email), MailTaskID(mail.ID, mail.Enqueues)
	info, err := queue.Find(r.Inspector, in, id)
	switch {
	case err != nil:
		return fmt.Errorf("find task of mail: %w", err)
	case info == nil, info.State != asynq.TaskStateArchived: // it has just ended, or is live
		return nil
	}
	if err := r.Inspector.RunTask(in, id); err != nil && !errors.Is(err, asynq.ErrTaskNotFound) {
		return fmt.Errorf("run archived task of mail: %w", err)
	}
	r.Logger.Warn("archived task of a waiting mail requeued", "message_id", mail.ID, "task_id", id, "request_id", mail.RequestID)
	return nil
}

func (r *Relay) ping(ctx context.Context) error {
	if r.Locks == nil {
		return r.Enqueuer.Client.Ping()
	}
	emptied, err := r.Locks.TryLock(ctx, "relay mark", relayMark)
	r.hurry = r.hurry || emptied
	return err
}
