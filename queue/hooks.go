package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// CommandHook is a hook of go-redis around single commands, safe for concurrent use if the function is. Dialling and pipelines stay as they are: Asynq sends every
// command alone.
type CommandHook func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error

// DialHook implements [redis.Hook].
func (CommandHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (CommandHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (h CommandHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h(ctx, cmd, next) }
}

// AckHook lets Asynq acknowledge a task after a short outage of Redis. Asynq 0.26 retries a failed acknowledgement with the
// task's own context, which it has cancelled by then (processor.go), so that every retry fails and the task runs again a minute
// later. The hook lets such a command go on until the context's own deadline. Add it to the client of an Asynq server only:
// elsewhere a cancelled context means what it says.
func AckHook() redis.Hook {
	return CommandHook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		if deadline, ok := ctx.Deadline(); ok && errors.Is(ctx.Err(), context.Canceled) && time.Now().Before(deadline) {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
			defer cancel()
		}
		return next(ctx, cmd)
	})
}

// ClockHook gives Asynq's scripts the time that all processes share: offset is what the machine's own clock lacks. Asynq takes
// the time from each machine: one that is ten minutes ahead would take every other worker's leases for ended, and forward every
// retry at once; the leases of one that is behind would end before they begin. Add it to the clients of Asynq's servers and
// clients.
func ClockHook(offset func() time.Duration) redis.Hook {
	return CommandHook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		// Two readings of one clock differ by some nanoseconds.
		if by := offset().Round(time.Millisecond); by != 0 { // a script that is sent again in full is another command, with arguments of its own
			correct(cmd, by)
		}
		return next(ctx, cmd)
	})
}

// timed are the scripts of Asynq 0.26 that are given times: how many keys each has, which part of a queue one of these is, and
// the positions of times among the arguments after the keys. Enqueuing is in nanoseconds, the others are in seconds.
var timed = []struct {
	keys, position int
	part           string
	seconds, nanos []int
}{
	{keys: 2, position: 2, part: "pending", nanos: []int{2}},                      // enqueue; see also forward
	{keys: 3, position: 3, part: "pending", nanos: []int{3}},                      // enqueue a unique task
	{keys: 4, position: 4, part: "lease", seconds: []int{0}},                      // dequeue: end of the lease
	{keys: 2, position: 1, part: "scheduled", seconds: []int{0}, nanos: []int{2}}, // forward: now
	{keys: 2, position: 1, part: "retry", seconds: []int{0}, nanos: []int{2}},     // forward: now
	{keys: 1, position: 1, part: "lease", seconds: []int{0}},                      // ended leases: since when
	{keys: 8, position: 4, part: "retry", seconds: []int{2}},                      // retry: when
}

func correct(cmd redis.Cmder, offset time.Duration) {
	args := cmd.Args()
	if cmd.Name() == "zadd" { // leases are prolonged by a plain command
		prolong(args, offset)
		return
	}
	for _, row := range slices.Backward(timed) { // forward before enqueue, whose second key is the same
		if _, ok := queueOf(scriptKey(cmd, row.keys, row.position), row.part); !ok {
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

// prolong corrects the ends of leases, which are numbers among the arguments.
func prolong(args []any, offset time.Duration) {
	key, _ := args[min(1, len(args)-1)].(string)
	if _, ok := queueOf(key, "lease"); !ok {
		return
	}
	for i, arg := range args {
		if end, ok := arg.(float64); ok {
			args[i] = end + float64(offset/time.Second)
		}
	}
}

// scriptKey returns the key at a position, from 1, of a script call that has so many keys, or "". Asynq's scripts are told
// apart by that: enqueuing has the list of pending tasks as the second of two keys, fetching has it as the first of four.
func scriptKey(cmd redis.Cmder, keys, position int) string {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return ""
	}
	args := cmd.Args()
	if len(args) < 3+keys {
		return ""
	}
	if n, ok := args[2].(int); !ok || n != keys {
		return ""
	}
	key, _ := args[2+position].(string)
	return key
}
