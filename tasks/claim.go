package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"usher/messages"
	"usher/providers"
	"usher/reasons"
	"usher/secrets"
)

const (
	// leaseMargin is how much longer a claim lasts than the time a provider gets to answer: the
	// outcome is recorded in it. With the default time-out of 8 s a killed worker's message can be claimed
	// again within 12 s.
	leaseMargin = 4 * time.Second

	// recordTimeout is how long the recording of an outcome is tried at least, and recordPause the wait
	// between two tries. It goes on when the task's context has ended: that an SMS was sent must be recorded.
	recordTimeout = 5 * time.Second
	recordPause   = 200 * time.Millisecond
)

// Attempts that ended before a provider was called.
var (
	errFrozen   = ourFault(providers.Temporary, reasons.Stalled, errors.New("the claim ran low before the provider was called"))
	errStopping = ourFault(providers.Temporary, reasons.Stopping, errors.New("the worker ends"))
)

// ourFault is an attempt for which no provider was asked.
func ourFault(kind providers.Kind, why reasons.Word, err error) error {
	return &providers.Error{Provider: "worker", Kind: kind, Code: string(why), Why: why, Err: err}
}

// whileClaimed calls a provider, with the rest of the claim as its deadline: when the claim runs out and another
// worker may send, this call has ended. It also ends when the worker must end; see [Stoppable].
func whileClaimed(
	ctx context.Context, claim messages.Claim, call func(context.Context) (providers.Receipt, error),
) (providers.Receipt, error) {
	ctx, cancel := context.WithDeadline(ctx, claim.LeaseUntil.Add(-leaseMargin))
	defer cancel()
	stop := shutdownOf(ctx).stop
	defer context.AfterFunc(stop, cancel)()
	switch {
	case stop.Err() != nil:
		return providers.Receipt{}, errStopping
	case ctx.Err() != nil:
		return providers.Receipt{}, errFrozen
	}
	return call(ctx)
}

// guard makes an attempt and turns a panic into an error; see [providers.Guard].
func guard(ctx context.Context, attempt func() (providers.Receipt, error)) (providers.Receipt, error) {
	return providers.Guard(func() *slog.Logger { return logger(ctx) }, "worker", attempt)
}

// refusedClaim turns the refusal of a claim into the task's end or its next attempt.
func refusedClaim(
	ctx context.Context, metrics *Metrics, channel messages.Channel, claim messages.Claim, err error,
) error {
	switch {
	case errors.Is(err, messages.ErrDropped):
		metrics.dropped(channel, claim.Reason)
		wait, _ := age(ctx, time.Now())
		finished(ctx, slog.LevelInfo, claim, channel, "outcome", string(messages.Dropped), "reason", claim.Reason, "wait", wait)
		return nil
	case errors.Is(err, messages.ErrBusy):
		return &retryAt{claim.LeaseUntil, err}
	case errors.Is(err, messages.ErrNotFound):
		return archived(err)
	case errors.Is(err, secrets.ErrUnknownKey):
		return unknownKey(err)
	default:
		return err // the store is unavailable: Asynq retries
	}
}

// foreignKept is how long after its end a code's task is left to workers that may have its key. It is not sent then, but
// its worker can still record that it was never sent.
const foreignKept = time.Hour

// foreignPause is the pause of a task that this worker cannot work and that is not urgent.
const foreignPause = time.Minute

// isForeign reports whether a task was sealed with a key that is not ours: by processes that have a newer key, or by
// another deployment, whose key may even have the id of one of ours.
func isForeign(err error) bool {
	return errors.Is(err, secrets.ErrUnknownKey) || errors.Is(err, secrets.ErrForged)
}

// leftToOthers leaves a task to workers that can open it: with short pauses until its end, which was over ago, and with long
// ones for some time after.
func leftToOthers(ctx context.Context, metrics *Metrics, err error, over time.Duration) error {
	if over >= foreignKept {
		return undecodable(err)
	}
	name, _ := asynq.GetQueueName(ctx)
	metrics.foreign(name)
	logger(ctx).Warn("task is of another deployment, or sealed with a key that this process lacks: left to other workers",
		"error", err, "see", "docs/runbooks/ForeignTasks.md")
	pause := keyPause
	if over > 0 {
		pause = foreignPause
	}
	return &retryAt{time.Now().Add(pause), err}
}

// mailKept is how long a mail's task is left to workers whose database may have the mail.
const mailKept = 24 * time.Hour

// unknownMail ends the run of a task whose mail is not in this database: it is another deployment's, or was deleted with
// its account.
func unknownMail(ctx context.Context, metrics *Metrics, err error, now time.Time) error {
	if old, known := age(ctx, now); !known || old >= mailKept {
		return archived(err)
	}
	name, _ := asynq.GetQueueName(ctx)
	metrics.foreign(name)
	logger(ctx).Warn("task's mail is not in this database: left to other workers",
		"see", "docs/runbooks/ForeignTasks.md")
	return &retryAt{time.Now().Add(foreignPause), err}
}

// keyPause is how long a message is left to workers that know its key. While keys are rotated, some do before
// others.
const keyPause = 2 * time.Second

func unknownKey(err error) error { return &retryAt{time.Now().Add(keyPause), err} }

// conclusion is an attempt that has ended and whose outcome is to be recorded.
type conclusion struct {
	claim   messages.Claim
	verdict verdict
	channel messages.Channel
	to      string // masked
	region  string // of the number; empty for mails
	began   time.Time
	record  func(context.Context, messages.Claim, messages.Outcome) error
	metrics *Metrics
	clock   Clock
}

// conclude records an outcome. When it is unresolved, the record only says which provider may have the message, and
// the claim is left to run out.
func conclude(ctx context.Context, c conclusion) error {
	o := c.verdict.outcome
	took := time.Since(c.began)
	wait, _ := age(ctx, o.At.Add(c.clock.offset()-took))
	fields := []any{"to", c.to, "provider", o.Provider, "outcome", string(o.State), "attempts", c.claim.Attempt, "wait", wait, "duration", took}
	if c.region != "" {
		fields = append(fields, "region", c.region)
	}
	if o.Reason != "" {
		fields = append(fields, "reason", o.Reason)
		if o.Code != o.Reason {
			fields = append(fields, "code", o.Code)
		}
	}
	c.metrics.sent(c.channel, o)
	o.At = o.At.Add(c.clock.offset())
	if err := c.write(ctx, o); err != nil {
		c.metrics.recordLost.WithLabelValues(string(c.channel)).Inc()
		logger(ctx).ErrorContext(ctx, "outcome not recorded", append(fields, "channel", c.channel, "provider_id", o.ProviderID, "error", err)...)
		return unrecorded(c.verdict, err)
	}
	if age, known := age(ctx, o.At); known && o.State == messages.Sent {
		c.metrics.accepts.WithLabelValues(string(c.channel), o.Provider).Observe(age.Seconds())
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("usher.state", string(o.State)),
			attribute.String("usher.provider", o.Provider), attribute.Int("usher.attempt", c.claim.Attempt))
	}
	c.log(ctx, o, fields)
	return c.verdict.err
}

// log writes the one line of a finished message. An attempt that is followed by another one is for debugging, unless an
// operator must act: a provider that fails has lines of its breaker, and the last line tells the number of attempts.
func (c conclusion) log(ctx context.Context, o messages.Outcome, fields []any) {
	level, ends := slog.LevelInfo, o.State != messages.Queued && o.State != messages.Sending
	if c.verdict.err != nil {
		level = slog.LevelWarn
	}
	if providers.KindOf(c.verdict.err) == providers.Misconfigured {
		level = slog.LevelError
		if reason, ok := reasons.Of(o.Reason); ok {
			fields = append(fields, "do", reason.Do)
		}
	}
	switch {
	case ends:
		finished(ctx, level, c.claim, c.channel, fields...)
	case level == slog.LevelError:
		logger(ctx).ErrorContext(ctx, "attempt failed until the account is corrected", append(fields, "channel", c.channel)...)
	default:
		logger(ctx).DebugContext(ctx, "attempt failed", append(fields, "channel", c.channel)...)
	}
}

// finished writes the line of a message whose outcome will not change any more, but for a delivery report.
func finished(ctx context.Context, level slog.Level, claim messages.Claim, channel messages.Channel, fields ...any) {
	o := observedRun(ctx)
	o.log.Log(ctx, level, "message finished", slices.Concat(o.about, []any{"id", claim.ID, "channel", channel}, fields)...)
}

// write tries until the claim runs out: no other worker sends the message before, so a store that is unavailable for
// some seconds causes no second send.
func (c conclusion) write(ctx context.Context, o messages.Outcome) error {
	until := c.claim.LeaseUntil
	if least := time.Now().Add(recordTimeout); until.Before(least) {
		until = least
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	var failure error // the store's own error, which a try that the deadline cuts off would replace by the context's
	for {
		err := c.record(ctx, c.claim, o)
		if err == nil || errors.Is(err, messages.ErrStale) {
			return err
		}
		if failure == nil || ctx.Err() == nil {
			failure = err
		}
		select {
		case <-ctx.Done():
			return failure
		case <-time.After(recordPause):
		}
	}
}

// unrecorded is the error of a run whose outcome could not be recorded. The task of an accepted message
// is archived, since another attempt would send it again; every other outcome goes on as judged.
func unrecorded(v verdict, err error) error {
	if v.err == nil {
		return archived(fmt.Errorf("sent, but not recorded: %w", err))
	}
	return fmt.Errorf("%w (and not recorded: %w)", v.err, err)
}

// Clock knows how far this machine's clock is off the time that all processes share. The zero value takes the machine's
// clock for right.
type Clock struct {
	Offset func() time.Duration // what the machine's clock lacks; negative where it is ahead
	Leapt  func() bool          // whether it is unknown at this moment
}

func (c Clock) offset() time.Duration {
	if c.Offset == nil {
		return 0
	}
	return c.Offset()
}

// now is the time that all processes share.
func (c Clock) now() time.Time { return time.Now().Add(c.offset()) }

// errClock is the end of a run on a machine whose clock has just been set. It is no attempt.
var errClock = errors.New("the machine's clock was set: nothing is claimed until it is compared with that of Redis")

// clockPause is longer than it takes to compare it.
const clockPause = 2 * time.Second

// known returns an error while the time is not known.
func (c Clock) known() error {
	if c.Leapt != nil && c.Leapt() {
		return &retryAt{time.Now().Add(clockPause), errClock}
	}
	return nil
}

// local turns the times of a claim into those of this machine, whose timers and deadlines go by its own clock.
func (c Clock) local(claim messages.Claim) messages.Claim {
	offset := c.offset()
	claim.LeaseUntil = claim.LeaseUntil.Add(-offset)
	if !claim.UnresolvedAt.IsZero() {
		claim.UnresolvedAt = claim.UnresolvedAt.Add(-offset)
	}
	return claim
}
