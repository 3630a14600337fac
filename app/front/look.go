package front

import (
	"context"
	"errors"
	"slices"

	"github.com/hibiken/asynq"
)

var errLooking = errors.New("an earlier look at the queues has not come back")

// busy holds a token while somebody looks. Asynq's inspector takes no context, so a look is left alone when it
// takes too long, and nobody looks again before it has come back.
type busy chan struct{}

func newBusy() busy { return make(busy, 1) }

// lookOnce returns what look finds, or an error when another look is under way or ctx ends first.
func lookOnce[T any](ctx context.Context, b busy, look func() T) (found T, err error) {
	select {
	case b <- struct{}{}:
	default:
		return found, errLooking
	}
	done := make(chan T, 1)
	go func() {
		defer func() { <-b }()
		done <- look()
	}()
	select {
	case found = <-done:
		return found, nil
	case <-ctx.Done():
		return found, ctx.Err()
	}
}

// infoOf returns what there is to know of a queue, given the names of those that were ever used. Another one is
// empty: the inspector's error for it cannot be told from others.
func infoOf(ctx context.Context, inspector *asynq.Inspector, used []string, name string) (*asynq.QueueInfo, error) {
	if !slices.Contains(used, name) {
		return &asynq.QueueInfo{}, nil
	}
	info, err := inspector.GetQueueInfo(name)
	return info, errors.Join(err, ctx.Err())
}
