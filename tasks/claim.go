package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"usher/messages"
	"usher/providers"
	"usher/reasons"
	"usher/secrets"
)

const (
	// leaseMargin is how much longer a claim lasts than the time a provider gets to answer: for the
	// outcome to be recorded in. With the default time-out of 8 s a killed worker's message is free
	// again within 12 s.
	leaseMargin = 4 * time.Second

	// recordTimeout is how long the recording of an outcome is tried at least, and recordPause the wait
	// between two tries. It goes on when the task's context has ended: an SMS that went out must be known
	// to have gone out.
	recordTimeout = 5 * time.Second
	recordPause   = 200 * time.Millisecond
)

// codeStopping is the code of attempts that a worker gave up because it ends.
const codeStopping = string(reasons.Stopping)

// Attempts that ended before a provider was called.
var (
	errFrozen   = ourFault(providers.Temporary, reasons.Stalled, errors.New("the claim ran low before the provider was called"))
	errStopping = ourFault(providers.Temporary, reasons.Stopping, errors.New("the worker ends"))
)

// ourFault is an attempt for which no provider was asked.
func ourFault(kind providers.Kind, why reasons.Word, err error) error {
	return &providers.Error{Provider: "worker", Kind: kind, Code: string(why), Why: why, Err: err}
}

// whileClaimed calls a provider and gives it what is left of its time: when the claim runs out and the next
// worker may send, this call has ended. So it has when the worker must end; see [Stoppable].
func whileClaimed(
	ctx context.Context, claim messages.Claim, call func(context.Context) (providers.Receipt, error),
) (providers.Receipt, error) {
	ctx, cancel := context.WithDeadline(ctx, claim.LeaseUntil.Add(-leaseMargin))
	defer cancel()
	stop := stopOf(ctx)
	defer context.AfterFunc(stop, cancel)()
	switch {
	case stop.Err() != nil:
		return providers.Receipt{}, errStopping
	case ctx.Err() != nil:
		return providers.Receipt{}, errFrozen
	}
	return call(ctx)
}

// refusedClaim turns the refusal of a claim into the task's end or its next attempt.
func refusedClaim(
	ctx context.Context, metrics *Metrics, channel messages.Channel, claim messages.Claim, err error,
) error {
	switch {
	case errors.Is(err, messages.ErrDropped):
		metrics.dropped(channel, claim.Reason)
		logger(ctx).Info("message dropped", "channel", channel, "reason", claim.Reason)
		return nil
	case errors.Is(err, messages.ErrBusy):
		return &retryAt{claim.LeaseUntil, err}
	case errors.Is(err, messages.ErrNotFound):
		return archived(err)
	case errors.Is(err, secrets.ErrUnknownKey):
		return unknownKey(err)
	default:
		return err // the store is away: Asynq tries again
	}
}

// foreignKept is how long after its end a code's task is left to workers that may have its key. It is of no use then;
// its worker may still note that it was never sent.
const foreignKept = time.Hour

// foreignPause is the pause of a task that this worker cannot work and that does not hurry.
const foreignPause = time.Minute

// isForeign reports whether a task was sealed with a key that is not ours: by processes that have a newer key, or by
// another deployment, whose key may even have the id of one of ours.
func isForeign(err error) bool {
	return errors.Is(err, secrets.ErrUnknownKey) || errors.Is(err, secrets.ErrForged)
}

// leftToOthers leaves a task to workers that can open it, with a short pause until its end, which was over ago, and long
// ones for some time after.
func leftToOthers(ctx context.Context, metrics *Metrics, err error, over time.Duration) error {
	if over >= foreignKept {
		return undecodable(err)
	}
	queue, _ := asynq.GetQueueName(ctx)
	metrics.foreign(queue)
	logger(ctx).Warn("task of another deployment, or sealed with a key that this process lacks, is left to other workers",
		"error", err, "see", "docs/runbooks/UsherForeignTasks.md")
	pause := keyPause
	if over > 0 {
		pause = foreignPause
	}
	return &retryAt{time.Now().Add(pause), err}
}

// mailKept is how long a mail's task is left to workers whose database may have the mail.
const mailKept = 24 * time.Hour

// unknownMail is the run of a task whose mail is not in this database: it is another deployment's, or was deleted with
// its account.
func unknownMail(ctx context.Context, metrics *Metrics, err error, now time.Time) error {
	if old, known := age(ctx, now); !known || old >= mailKept {
		return archived(err)
	}
	queue, _ := asynq.GetQueueName(ctx)
	metrics.foreign(queue)
	logger(ctx).Warn("task of a mail that this database does not have is left to other workers",
		"see", "docs/runbooks/UsherForeignTasks.md")
	return &retryAt{time.Now().Add(foreignPause), err}
}

// keyPause is how long a message is left to workers that know its key. While keys are rotated, some do before
// others.
const keyPause = 2 * time.Second

func unknownKey(err error) error { return &retryAt{time.Now().Add(keyPause), err} }

// conclusion is an attempt that has ended and is to be written down.
type conclusion struct {
	claim   messages.Claim
	verdict verdict
	channel messages.Channel
	to      string // masked
	record  func(context.Context, messages.Claim, messages.Outcome) error
	metrics *Metrics
}

// conclude records an outcome. When the message may be on its way, the record notes only who may have it, and
// the claim is left to run out.
func conclude(ctx context.Context, c conclusion) error {
	o := c.verdict.outcome
	fields := []any{
		"channel", c.channel, "to", c.to, "state", o.State, "provider", o.Provider, "attempt", c.claim.Attempt,
	}
	if o.Reason != "" {
		fields = append(fields, "code", o.Code, "reason", o.Reason)
	}
	c.metrics.sent(c.channel, o)
	if err := c.write(ctx); err != nil {
		c.metrics.unrecorded(c.channel)
		logger(ctx).ErrorContext(ctx, "outcome not recorded", append(fields, "provider_id", o.ProviderID, "error", err)...)
		return unrecorded(c.verdict, err)
	}
	level := slog.LevelInfo
	if c.verdict.err != nil {
		level = slog.LevelWarn
	}
	if providers.KindOf(c.verdict.err) == providers.Misconfigured {
		level = slog.LevelError
		if reason, ok := reasons.Of(o.Reason); ok {
			fields = append(fields, "do", reason.Do)
		}
	}
	logger(ctx).Log(ctx, level, "message attempted", fields...)
	return c.verdict.err
}

// write tries until the claim runs out: nobody else sends the message before, so a store that is away for
// some seconds makes none go out twice.
func (c conclusion) write(ctx context.Context) error {
	until := c.claim.LeaseUntil
	if least := time.Now().Add(recordTimeout); until.Before(least) {
		until = least
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	for {
		err := c.record(ctx, c.claim, c.verdict.outcome)
		if err == nil || errors.Is(err, messages.ErrStale) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(recordPause):
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// unrecorded says what follows when the store did not take an outcome. A message that was surely accepted
// goes to the archive, for another attempt would send it again; everything else goes on as judged.
func unrecorded(v verdict, err error) error {
	if v.err == nil {
		return archived(fmt.Errorf("sent, but not recorded: %w", err))
	}
	return fmt.Errorf("%w (and not recorded: %w)", v.err, err)
}
