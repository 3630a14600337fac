package accounts

import "context"

// Occupy takes every slot of the hasher until release is called. None may be in use.
func (h *Hasher) Occupy() (release func()) {
	for range h.places {
		_, _ = h.queue.acquire(context.Background(), First)
	}
	return func() {
		for _, place := range h.places {
			h.queue.release(place)
		}
	}
}

// Turn waits for a slot of the hasher, as a hash does.
func (h *Hasher) Turn(ctx context.Context, priority Priority) (release func(), err error) {
	place, err := h.queue.acquire(ctx, priority)
	return func() { h.queue.release(place) }, err
}

// Slots returns how many passwords the hasher works on at once.
func (h *Hasher) Slots() int { return len(h.queue.free) }

// Processes returns the ids of the processes that the hasher has started and not ended.
func (h *Hasher) Processes() []int {
	var ids []int
	for _, place := range h.places {
		place.mu.Lock()
		if place.process != nil {
			ids = append(ids, place.process.cmd.Process.Pid)
		}
		place.mu.Unlock()
	}
	return ids
}

// Idle does what comes after a minute without a hash.
func (h *Hasher) Idle() {
	for _, place := range h.places {
		place.mu.Lock()
		if place.process != nil {
			place.retire.Reset(0)
		}
		place.mu.Unlock()
	}
}

// DjangoHash reports whether the text is a hash of Django that sign-in takes.
func DjangoHash(text string) bool {
	_, ok := parseDjango(text)
	return ok
}

// HashLimit is how long a process may take for one hash.
const HashLimit = hashLimit
