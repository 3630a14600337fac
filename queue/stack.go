package queue

import (
	"context"

	"github.com/hibiken/asynq"
)

// handlerFrame is, in bytes, what makes a stack of 16 KiB: a handler's calls need more than 8 KiB and less than that.
const handlerFrame = 10 << 10

// growStack is the middleware that makes room on the stack before the handler is called. Asynq starts a goroutine for each task.
// Its stack begins with 2 KiB and moves to one of twice the size whenever it is full: three times on the way to a provider's
// connection, which took a tenth of a busy worker's processor time. It moves once instead, while there is little to move.
// Goroutines that stay for the next task were measured as well, and saved no more.
func growStack(next asynq.Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		useStack(0)
		return next.ProcessTask(ctx, task)
	})
}

// useStack has a large frame and does nothing with it. Inlined, the frame would be its caller's, which stays.
//
//go:noinline
func useStack(i int) byte {
	var room [handlerFrame]byte
	return room[i]
}
