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

// Turn is one request that asks to go to its provider.
type Turn struct {
	Provider string
	Name     string // no other request's
	Bounds   Bounds
	Until    time.Time // when its slot comes free although nobody gave it back: the worker has died
}

// Turnstile keeps the requests of all workers within the bounds of their providers.
type Turnstile interface {
	// Enter takes a slot and counts the message, as far as the turn's bounds ask for it: both, or neither
	// and then it says which bound is reached, [RateSpent] or [Busy], and how long until a message may pass
	// again, 0 when nobody can know. An empty decision lets the request pass. A turn that enters again has
	// its slot already.
	Enter(ctx context.Context, turn Turn) (refused Decision, wait time.Duration, err error)

	// Leave gives the turn's slot back. Leaving without a slot does no harm.
	Leave(ctx context.Context, turn Turn) error
}
