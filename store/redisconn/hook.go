package redisconn

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// hook is a hook of go-redis that does the same around a single command and around a pipeline: next executes the commands.
type hook func(ctx context.Context, cmds []redis.Cmder, next func(context.Context) error) error

// DialHook implements [redis.Hook]. It changes nothing.
func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h(ctx, []redis.Cmder{cmd}, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h(ctx, cmds, func(ctx context.Context) error { return next(ctx, cmds) })
	}
}
