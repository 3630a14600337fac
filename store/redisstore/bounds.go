package redisstore

import (
	"context"
	"fmt"
	"time"

	"usher/providers"
)

// Bounds keeps the requests of all workers within the bounds of their providers. It is safe for concurrent use.
type Bounds struct{ store *Store }

var _ providers.Turnstile = (*Bounds)(nil)

// Bounds returns the part that keeps to the bounds of providers.
func (s *Store) Bounds() *Bounds { return &Bounds{s} }

// Enter implements [providers.Turnstile] in one round trip, whichever bounds there are.
func (b *Bounds) Enter(ctx context.Context, turn providers.Turn) (providers.Decision, time.Duration, error) {
	r, err := read(boundEnterScript.Run(ctx, b.store.client,
		[]string{b.store.space.slotsKey(turn.Provider), b.store.space.secondKey(turn.Provider)},
		turn.Name, b.store.now().UnixMilli(), turn.Until.UnixMilli(), turn.Bounds.Concurrent, turn.Bounds.PerSecond), 2)
	if err != nil {
		return "", 0, fmt.Errorf("look at bounds: %w", err)
	}
	return providers.Decision(r.text(0)), span(r.number(1)), nil
}

// Leave implements [providers.Turnstile] in one round trip.
func (b *Bounds) Leave(ctx context.Context, turn providers.Turn) error {
	if err := b.store.client.ZRem(ctx, b.store.space.slotsKey(turn.Provider), turn.Name).Err(); err != nil {
		return fmt.Errorf("give slot back: %w", err)
	}
	return nil
}
