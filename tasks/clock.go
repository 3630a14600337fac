package tasks

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

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

// ClockHook gives Asynq's scripts the time that all processes share. Asynq takes it from each machine: one that is ten
// minutes ahead would take every other worker's leases for over, and forward every retry at once; the leases of one that is
// behind would be over before they begin. Add it to the clients of Asynq's servers and clients.
type ClockHook struct{ Clock Clock }

// DialHook changes nothing.
func (ClockHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook corrects the times among a command's arguments. A script that is sent again in full is another command with
// arguments of its own.
func (h ClockHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if offset := h.Clock.offset(); offset != 0 {
			correct(cmd, offset)
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook changes nothing: Asynq's scripts go alone.
func (ClockHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// timed are the scripts of Asynq 0.26 that are given times: how many keys each has, what one of these ends with, and the
// positions of times among the arguments behind the keys. Enqueuing is in nanoseconds, the others are in seconds.
var timed = []struct {
	keys, position int
	suffix         string
	seconds, nanos []int
}{
	{keys: 2, position: 2, suffix: "}:pending", nanos: []int{2}},                      // enqueue; see also forward
	{keys: 3, position: 3, suffix: "}:pending", nanos: []int{3}},                      // enqueue a unique task
	{keys: 4, position: 4, suffix: "}:lease", seconds: []int{0}},                      // dequeue: end of the lease
	{keys: 2, position: 1, suffix: "}:scheduled", seconds: []int{0}, nanos: []int{2}}, // forward: now
	{keys: 2, position: 1, suffix: "}:retry", seconds: []int{0}, nanos: []int{2}},     // forward: now
	{keys: 1, position: 1, suffix: "}:lease", seconds: []int{0}},                      // leases that are over: since when
	{keys: 8, position: 4, suffix: "}:retry", seconds: []int{2}},                      // retry: when
}

func correct(cmd redis.Cmder, offset time.Duration) {
	args := cmd.Args()
	if cmd.Name() == "zadd" { // leases are prolonged by a plain command
		prolong(args, offset)
		return
	}
	for _, row := range slices.Backward(timed) { // forward before enqueue, whose second key is the same
		key := scriptKey(cmd, row.keys, row.position)
		if !strings.HasPrefix(key, "asynq:{") || !strings.HasSuffix(key, row.suffix) {
			continue
		}
		own := args[3+row.keys:]
		for _, at := range row.seconds {
			add(own, at, int64(offset/time.Second))
		}
		for _, at := range row.nanos {
			add(own, at, int64(offset))
		}
		return
	}
}

func add(args []any, at int, n int64) {
	if at < len(args) {
		if old, ok := args[at].(int64); ok {
			args[at] = old + n
		}
	}
}

// prolong corrects the ends of leases, which stand among the arguments as numbers.
func prolong(args []any, offset time.Duration) {
	key, _ := args[min(1, len(args)-1)].(string)
	if !strings.HasPrefix(key, "asynq:{") || !strings.HasSuffix(key, "}:lease") {
		return
	}
	for i, arg := range args {
		if end, ok := arg.(float64); ok {
			args[i] = end + float64(offset/time.Second)
		}
	}
}
