package redisstore

import (
	"context"
	"fmt"
	"time"

	"usher/providers"
)

// Bounds keeps the requests of all workers within the bounds of their providers. It is safe for concurrent use.
type Bounds struct{ store *Store }

var _ providers.Slots = (*Bounds)(nil)

// Bounds returns the part that keeps to the bounds of providers.
func (s *Store) Bounds() *Bounds { return &Bounds{s} }

// Acquire implements [providers.Slots] in one round trip, whichever bounds there are.
func (b *Bounds) Acquire(ctx context.Context, slot providers.Slot) (providers.Decision, time.Duration, error) {
	r, err := read(boundEnterScript.Run(ctx, b.store.client,
		[]string{b.store.space.slotsKey(slot.Provider), b.store.space.secondKey(slot.Provider)},
		slot.Name, b.store.now().UnixMilli(), slot.Until.UnixMilli(), slot.Bounds.Concurrent, slot.Bounds.PerSecond), 2)
	if err != nil {
		return "", 0, fmt.Errorf("acquire slot: %w", err)
	}
	return providers.Decision(r.text(0)), span(r.number(1)), nil
}

// Release implements [providers.Slots] in one round trip.
func (b *Bounds) Release(ctx context.Context, slot providers.Slot) error {
	if err := b.store.client.ZRem(ctx, b.store.space.slotsKey(slot.Provider), slot.Name).Err(); err != nil {
		return fmt.Errorf("release slot: %w", err)
	}
	return nil
}
