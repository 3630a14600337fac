package queue

import (
	"context"
	"errors"
	"testing"
	"unsafe"

	"github.com/hibiken/asynq"
)

// deep needs most of the stack that a handler has.
//
//go:noinline
func deep(i int) byte {
	var room [8 << 10]byte
	return room[i]
}

// TestGrowStack_leaves_room_for_the_handler compares where a variable is before and after a deep call: a stack that grows moves. The
// garbage collector may halve the stack in between, so that one of some tasks proves it.
func TestGrowStack_leaves_room_for_the_handler(t *testing.T) {
	t.Parallel()
	stays := false
	handler := growStack(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		var here byte
		before := uintptr(unsafe.Pointer(&here))
		deep(int(here))
		stays = before == uintptr(unsafe.Pointer(&here))
		return nil
	}))
	for range 20 {
		done := make(chan error)
		go func() { done <- handler.ProcessTask(t.Context(), nil) }()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if stays {
			return
		}
	}
	t.Error("the stack grew during each of 20 tasks")
}

func TestGrowStack_calls_the_handler(t *testing.T) {
	t.Parallel()
	type key struct{}
	failed, task, ctx := errors.New("failed"), asynq.NewTask("type", nil), context.WithValue(t.Context(), key{}, "value")
	handler := growStack(asynq.HandlerFunc(func(got context.Context, gotTask *asynq.Task) error {
		if got != ctx || gotTask != task {
			t.Error("the handler got another context or task")
		}
		return failed
	}))
	if err := handler.ProcessTask(ctx, task); !errors.Is(err, failed) {
		t.Errorf("got %v, want the handler's error", err)
	}
}
