package tasks

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
)

type stopKey struct{}

// ending is how a worker ends: drain first, then stop.
type ending struct{ drain, stop context.Context }

// Stoppable is the middleware that lets a worker end in good order. From the moment that drain ends, which is when the
// worker is told to end, no message waits for a place to be sent from. From the moment that stop ends no attempt
// begins, a message that is claimed but not yet with its provider is given back, and a call under way is given
// up: the message is known to be in doubt, and its claim is kept. Asynq itself ends a task's context only after it
// has put the task back, when nothing can be recorded any more.
func Stoppable(drain, stop context.Context) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			if stop.Err() != nil {
				return &retryAt{time.Now(), errStopping}
			}
			return next.ProcessTask(context.WithValue(ctx, stopKey{}, ending{drain, stop}), task)
		})
	}
}

// stopOf returns the context that [Stoppable] was given.
func stopOf(ctx context.Context) context.Context {
	if e, ok := ctx.Value(stopKey{}).(ending); ok {
		return e.stop
	}
	return context.Background()
}

// drainOf returns the other one.
func drainOf(ctx context.Context) context.Context {
	if e, ok := ctx.Value(stopKey{}).(ending); ok {
		return e.drain
	}
	return context.Background()
}
