package passwords

import (
	"context"
	"time"
)

// Occupy takes every slot of the hasher until release is called. None may be in use.
func (h *Hasher) Occupy() (release func()) {
	for range h.workers {
		_, _ = h.slots.acquire(context.Background(), First)
	}
	return func() {
		for _, w := range h.workers {
			h.slots.release(w)
		}
	}
}

// Acquire waits for a slot of the hasher, as a hash does.
func (h *Hasher) Acquire(ctx context.Context, priority Priority) (release func(), err error) {
	w, err := h.slots.acquire(ctx, priority)
	return func() { h.slots.release(w) }, err
}

// Slots returns how many slots of the hasher are free.
func (h *Hasher) Slots() int { return len(h.slots.free) }

// Processes returns the ids of the processes that the hasher has started and not ended.
func (h *Hasher) Processes() []int {
	var ids []int
	for _, w := range h.workers {
		w.mu.Lock()
		if w.process != nil {
			ids = append(ids, w.process.cmd.Process.Pid)
		}
		w.mu.Unlock()
	}
	return ids
}

// Idle does what happens after a minute without a hash.
func (h *Hasher) Idle() {
	for _, w := range h.workers {
		w.mu.Lock()
		if w.process != nil {
			w.retire.Reset(0)
		}
		w.mu.Unlock()
	}
}

// TaskLimit is how long a process may take for one hash.
const TaskLimit = taskLimit

// FixFloor sets the floor as if it had been measured.
func (h *Hasher) FixFloor(floor time.Duration) { h.floor.Store(int64(floor)) }

// AwaitFloor waits as a refusal does whose hash took so long.
func (h *Hasher) AwaitFloor(ctx context.Context, took time.Duration) { h.awaitFloor(ctx, took) }
