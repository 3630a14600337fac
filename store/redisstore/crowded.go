package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

// crowded makes a full connection pool look like what it is to callers that do not know the client: a
// time-out of the network.
type crowded struct{}

// DialHook changes nothing.
func (crowded) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook turns the error of a single command; the client sets it on the command.
func (crowded) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return timedOut(next(ctx, cmd))
	}
}

// ProcessPipelineHook turns the errors of all commands on a pipeline.
func (crowded) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := timedOut(next(ctx, cmds))
		for _, cmd := range cmds {
			if cmd.Err() != nil {
				cmd.SetErr(timedOut(cmd.Err()))
			}
		}
		return err
	}
}

func timedOut(err error) error {
	if errors.Is(err, redis.ErrPoolTimeout) {
		return fmt.Errorf("%w: %w", os.ErrDeadlineExceeded, err)
	}
	return err
}
