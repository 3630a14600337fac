package providers

import "context"

// Bounds is how much may be asked of a provider. The zero value sets no bound.
type Bounds struct {
	PerSecond  int // messages in any second by all workers together; 0 for no bound
	Concurrent int // requests at the same time by one worker; 0 for no bound
}

// Bounded is what an [SMSSender] may be able to do: say what bounds its settings give it.
type Bounded interface {
	Bounds() Bounds
}

// Rate counts the messages of all workers.
type Rate interface {
	// Take reports whether one more message may go to the provider in this second, and counts it.
	Take(ctx context.Context, provider string, perSecond int) (bool, error)
}
