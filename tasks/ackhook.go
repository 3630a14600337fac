package tasks

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// AckHook lets Asynq acknowledge a task after a short absence of Redis. Asynq 0.26 retries a failed
// acknowledgement with the task's own context, which it has cancelled by then, so that every retry fails
// and the task runs again a minute later. The hook carries such a command on, up to the context's own
// deadline. Add it to the client of an Asynq server only: elsewhere a cancelled context means what it says.
type AckHook struct{}

// DialHook changes nothing.
func (AckHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook carries on a command whose context was cancelled before its deadline.
func (AckHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if deadline, ok := ctx.Deadline(); ok && errors.Is(ctx.Err(), context.Canceled) && time.Now().Before(deadline) {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
			defer cancel()
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook changes nothing: Asynq acknowledges with single commands.
func (AckHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
