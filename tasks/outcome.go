package tasks

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"usher/messages"
	"usher/providers"
	"usher/queue"
	"usher/reasons"
)

// retryAt is an error that says when the task is worth another attempt.
type retryAt struct {
	at  time.Time
	err error
}

func (e *retryAt) Error() string { return e.err.Error() }

func (e *retryAt) Unwrap() error { return e.err }

func askedFor(err error) (time.Time, bool) {
	if r, ok := errors.AsType[*retryAt](err); ok {
		return r.at, true
	}
	return time.Time{}, false
}

// verdict is what follows from an attempt: what is recorded, and what Asynq is told.
type verdict struct {
	outcome messages.Outcome // Sending: the claim is left to run out
	err     error            // nil ends the task
}

// errForeign replaces errors that are no [providers.Error]: their texts may quote numbers.
var errForeign = reasons.New(reasons.Unclassified, "unclassified error")

// ownPause is the pause after an attempt that this service itself prevented, by its code. No vendor was called, and the
// obstacle may be gone any moment, so the pause does not grow.
func ownPause(code string) (pause time.Duration, ok bool) {
	switch code {
	case string(reasons.Stopping):
		return 0, true // another worker can have it now
	case providers.Busy.OwnCode(), providers.RateSpent.OwnCode():
		return 100 * time.Millisecond, true
	case providers.BreakerOpen.OwnCode():
		return 5 * time.Second, true
	}
	return 0, false
}

// IsFailure tells Asynq which errors make the pauses of [RetryDelay] grow: those that name no time themselves.
func IsFailure(err error) bool {
	_, ok := askedFor(err)
	return !ok
}

// The longest pauses. A server that answers "not now" is asked again in a minute. A server that does not answer, a store as
// much as a mail server, may be back any moment, and people wait: together with a claim's lease the shorter pause lets all
// be well again within a quarter of a minute.
const (
	longestPause = time.Minute
	absencePause = 8 * time.Second
)

// The pauses of a mail that the server refuses because of our settings while it accepts others: an operator has to correct them.
const (
	firstMendPause   = 15 * time.Second
	longestMendPause = 5 * time.Minute
)

// RetryDelay is the pause before a task's next attempt: until the time that a [retryAt] error asks for, else 1 s (15 s where a
// mail server refuses us), doubled with each retry up to the longest pause, give or take a quarter so that a crowd does not
// come back at once.
func RetryDelay(retried int, err error, _ *asynq.Task) time.Duration {
	if at, ok := askedFor(err); ok {
		return max(time.Until(at), 0) + queue.Jitter(200*time.Millisecond)
	}
	shortest, longest := time.Second, absencePause
	if answer, ok := errors.AsType[*providers.Error](err); ok {
		reason, _ := reasons.Of(string(answer.Reason()))
		switch {
		case answer.Kind == providers.Misconfigured && reason.Effect == reasons.Counts:
			shortest, longest = firstMendPause, longestMendPause
		case answer.Code != "":
			longest = longestPause
		}
	}
	delay := min(shortest<<min(retried, 6), longest)
	return delay*3/4 + queue.Jitter(delay/2)
}

// judge turns a provider's answer into a verdict: the only place where a [providers.Kind] decides.
func judge(claim messages.Claim, receipt providers.Receipt, err error, now time.Time) verdict {
	if err == nil {
		return verdict{outcome: messages.Outcome{
			State: messages.Sent, Provider: receipt.Provider, ProviderID: receipt.ID, At: now,
		}}
	}
	refused, ok := errors.AsType[*providers.Error](err)
	if !ok {
		refused = &providers.Error{Provider: "worker", Kind: providers.Unknown, Err: errForeign}
	}
	why := string(refused.Reason())
	outcome := messages.Outcome{
		State: messages.Failed, Provider: refused.Provider, Code: cmp.Or(refused.Code, why), Reason: why, At: now,
	}
	if cause := providers.Cause(refused); cause != nil { // the cause to correct, not the open breaker
		why = string(cause.Reason())
		outcome.Provider, outcome.Code, outcome.Reason = cause.Provider, cmp.Or(cause.Code, why), why
	}
	switch refused.Kind {
	case providers.Temporary, providers.Misconfigured:
		// Surely not sent. A misconfigured account may be corrected, or its breaker closed, in time.
		outcome.State = messages.Queued
		if pause, ok := ownPause(refused.Code); ok {
			return verdict{outcome, &retryAt{now.Add(pause), refused}}
		}
		return verdict{outcome, refused}
	case providers.Unknown:
		if claim.MaySend() {
			// The claim is kept until its lease ends: by then the first request has long ended too. The next claim sends
			// once more, or only asks for the outcome.
			outcome.State = messages.Sending
			return verdict{outcome, &retryAt{claim.LeaseUntil, refused}}
		}
	case providers.RateLimited, providers.Rejected:
	}
	return verdict{outcome, archived(refused)}
}

// errPayload marks tasks for which a retry is of no use.
var errPayload = errors.New("payload does not decode")

// undecodable ends a task whose payload cannot be used.
func undecodable(err error) error { return archived(fmt.Errorf("%w: %w", errPayload, err)) }

// archived ends a task at once and keeps it in the archive, where operators see its error.
func archived(err error) error { return fmt.Errorf("%w: %w", err, asynq.SkipRetry) }
