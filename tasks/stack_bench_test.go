package tasks_test

import (
	"context"
	"testing"

	"github.com/hibiken/asynq"

	"usher/tasks"
)

// deep needs about as much stack as a handler, in frames of its calls' usual size.
//
//go:noinline
func deep(calls int) byte {
	var frame [256]byte
	frame[calls] = byte(calls)
	if calls > 0 {
		frame[0] = deep(calls - 1)
	}
	return frame[0] + frame[calls]
}

func BenchmarkGrowStack(b *testing.B) {
	handler := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { deep(40); return nil })
	for name, h := range map[string]asynq.Handler{"little by little": handler, "at once": tasks.GrowStack(handler)} {
		b.Run(name, func(b *testing.B) {
			ended := make(chan bool)
			for b.Loop() {
				go func() { ended <- h.ProcessTask(b.Context(), nil) == nil }()
				<-ended
			}
		})
	}
}
