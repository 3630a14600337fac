package tasks

import (
	"context"
	"time"
)

// Turns gives one of several workers the turn.
type Turns interface {
	// Turn gives one of several callers the turn to do something, for the given time.
	Turn(ctx context.Context, name string, ttl time.Duration) (bool, error)
}
