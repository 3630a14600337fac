package providers

import (
	"context"
	"time"
)

// Bounds is how much may be asked of a provider by all workers together. The zero value sets no bound.
type Bounds struct {
	PerSecond  int // messages in any second; 0 for no bound
	Concurrent int // requests at the same time; 0 for no bound
}

// Bounded is what an [SMSSender] may be able to do: say what bounds its settings give it.
type Bounded interface {
	Bounds() Bounds
}

// Slot is the right to make one request to a provider. It asks for a place within the provider's bounds.
type Slot struct {
	Provider string
	Name     string // unique to the request
	Bounds   Bounds
	Until    time.Time // when the slot is freed although it was not released, because the worker has died
}

// Slots keeps the requests of all workers within the bounds of their providers. Implementations are safe for
// concurrent use.
type Slots interface {
	// Acquire takes a slot and counts the message, as far as the slot's bounds ask for it: both or neither. When a
	// bound is reached it returns which one, [RateSpent] or [Busy], and how long until a message may pass again, 0 when
	// that cannot be known. An empty decision lets the request pass. Acquiring a slot again succeeds: the request
	// already has it.
	Acquire(ctx context.Context, slot Slot) (refused Decision, wait time.Duration, err error)

	// Release frees the slot. Releasing a slot that was not acquired has no effect.
	Release(ctx context.Context, slot Slot) error
}
