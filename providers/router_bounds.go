package providers

import (
	"context"
	"crypto/rand"
	"time"
)

const (
	// slotMargin is how much longer a slot lasts than its request may take. A dead worker's slots come free
	// so soon after its requests have ended.
	slotMargin = 2 * time.Second

	// slotMost is how long a slot lasts for a caller without a deadline.
	slotMost = time.Minute

	// leaveTimeout bounds giving a slot back: the message's outcome waits to be recorded.
	leaveTimeout = time.Second

	// waitMost is how long a message waits for a bound that nobody else can take it aa. It keeps its place
	// among what the worker does at the same time, so that a crowd waits on the queue and not in Redis.
	waitMost = 2 * time.Second

	// waitPause is how long it waits between two looks at the bound.
	waitPause = 20 * time.Millisecond
)

// enter takes what the provider's bounds ask for, in at most one round trip and none without bounds. When the
// turnstile cannot be asked the message goes: the vendor has limits of its own and refuses what is too much,
// while a message that is kept back helps nobody. Then this worker still keeps to the bound of requests at the
// same time by itself.
func (p *route) enter(ctx context.Context, r *Router) (leave func(), refused Decision) {
	release := func() {}
	if p.slots != nil {
		select {
		case p.slots <- struct{}{}:
			release = func() { <-p.slots }
		default:
			return nil, Busy
		}
	}
	if r.Slots == nil || p.bounds == (Bounds{}) {
		return release, ""
	}
	if time.Now().UnixNano() < p.spent.Load() {
		release()
		return nil, RateSpent
	}
	slot := Slot{Provider: p.sender.Name(), Name: rand.Text(), Bounds: p.bounds, Until: slotEnd(ctx)}
	refused, wait, err := r.Slots.Acquire(ctx, slot)
	switch {
	case err != nil:
		r.count(slot.Provider, Unbounded)
		r.Logger.Warn("bounds of provider not looked at", "provider", slot.Provider, "error", err)
	case refused != "":
		release()
		if refused == RateSpent {
			p.spent.Store(time.Now().Add(wait).UnixNano())
		}
		return nil, refused
	}
	if p.bounds.Concurrent <= 0 {
		return release, ""
	}
	return func() {
		defer release()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		if err := r.Slots.Release(ctx, slot); err != nil {
			r.Logger.Warn("slot of provider not given back", "provider", slot.Provider, "error", err)
		}
	}, ""
}

func slotEnd(ctx context.Context) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(slotMost)
	}
	return end.Add(slotMargin)
}

// waitEnd is until when a message waits for a bound: not beyond its life, and the provider needs the greater
// part of the time that the attempt has.
func (a *attempt) waitEnd(ctx context.Context) time.Time {
	now := time.Now()
	most := waitMost
	if a.sms.TTL > 0 {
		most = min(most, a.sms.TTL)
	}
	if end, ok := ctx.Deadline(); ok {
		most = min(most, end.Sub(now)/4)
	}
	return now.Add(most)
}

// pause waits between two looks and reports whether there is time for another.
func pause(ctx context.Context, until time.Time) bool {
	if !time.Now().Add(waitPause).Before(until) {
		return false
	}
	timer := time.NewTimer(waitPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
