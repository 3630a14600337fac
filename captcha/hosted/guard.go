package hosted

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Bounds of questions to a vendor. People wait for the answer with their form sent.
const (
	patience = 2 * time.Second
	atOnce   = 64

	breakerFailures = 3 // in a row; then the vendor is not asked for breakerPause
	breakerPause    = 15 * time.Second
)

// Guard asks a vendor within bounds: 2 seconds for an answer, 64 questions at once, and after three failures in a row none for
// 15 seconds, so that requests do not wait for a vendor that is unavailable. It is safe for concurrent use.
type Guard struct {
	Widget Widget

	vendor  Verifier
	breaker *gobreaker.CircuitBreaker[bool]
	slots   chan struct{}
	logger  *slog.Logger
}

// NewGuard guards a vendor.
func NewGuard(vendor Verifier, widget Widget, logger *slog.Logger) *Guard {
	g := &Guard{Widget: widget, vendor: vendor, slots: make(chan struct{}, atOnce), logger: logger}
	g.breaker = gobreaker.NewCircuitBreaker[bool](gobreaker.Settings{
		Name:        widget.Vendor,
		MaxRequests: 1,
		Timeout:     breakerPause,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= breakerFailures },
		// The client decides about an unclear answer: with it, one client could take the vendor away from all others.
		IsExcluded: func(err error) bool { return errors.Is(err, ErrUnclear) || errors.Is(err, context.Canceled) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			logger.Warn("breaker of captcha vendor changed; while it is open, our own captchas are shown",
				"vendor", name, "from", from.String(), "to", to.String())
		},
	})
	return g
}

// Ready reports whether the vendor's challenge should be shown. After the pause of an open breaker it is true again: the next
// answer decides.
func (g *Guard) Ready() bool { return g.breaker.State() != gobreaker.StateOpen }

// ID is that of [Verifier].
func (g *Guard) ID(token string) (string, bool) { return g.vendor.ID(token) }

// Verify asks the vendor. The error wraps [ErrAway], [ErrMisconfigured] or [ErrUnclear], or is that of the caller's context.
func (g *Guard) Verify(ctx context.Context, token string, addr netip.Addr) (ok bool, err error) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	default:
		return false, fmt.Errorf("%w: %d questions are waiting for answers", ErrAway, atOnce)
	}
	ok, err = g.breaker.Execute(func() (bool, error) {
		asking, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ok, _, err := g.vendor.Verify(asking, token, addr)
		if err != nil && ctx.Err() != nil { // the client has gone; that is no fault of the vendor
			return false, context.Canceled
		}
		return ok, err
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return false, fmt.Errorf("%w: %w", ErrAway, err)
	case errors.Is(err, ErrMisconfigured):
		g.logger.ErrorContext(ctx, "captcha vendor refuses our account; check its settings", "vendor", g.Widget.Vendor, "error", err)
	case errors.Is(err, ErrAway):
		g.logger.WarnContext(ctx, "captcha vendor is unavailable", "vendor", g.Widget.Vendor, "error", err)
	}
	return ok, err
}
