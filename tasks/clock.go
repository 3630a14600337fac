package tasks

import (
	"context"
	"errors"
	"time"

	"usher/messages"
)

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

// record returns the function, which gets the times of an outcome as all processes have them.
func (c Clock) record(
	record func(context.Context, messages.Claim, messages.Outcome) error,
) func(context.Context, messages.Claim, messages.Outcome) error {
	return func(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
		outcome.At = outcome.At.Add(c.offset())
		return record(ctx, claim, outcome)
	}
}
