package providers

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"usher/contact"
)

const (
	// breakerFailures in a row open a breaker. One lost answer must not open it, and a vendor that is unavailable must not
	// delay many messages.
	breakerFailures = 5

	// breakerPause is how long an open breaker asks its provider nothing.
	breakerPause = 30 * time.Second

	// probeTimeout bounds a probe, which needs no message.
	probeTimeout = 5 * time.Second

	// stallAfter is how long a request waits for its answer before it counts as stalled. Vendors answer in tenths of a
	// second.
	stallAfter = 2 * time.Second
)

// route is one provider with its breaker, bounds and weights.
type route struct {
	sender  SMSSender
	prober  Prober // tries the provider after its breaker was open; nil: a message must
	breaker *gobreaker.CircuitBreaker[Receipt]
	bounds  Bounds
	slots   chan struct{} // this worker's own bound of concurrent requests, the same number; nil: no bound

	traffic map[contact.Carrier]*traffic // to every carrier; the map does not change

	misconfigured bool                  // the kind of the last answer; guarded by the breaker
	cause         atomic.Pointer[Error] // the last answer that counted as a failure
	openedAt      atomic.Int64          // Unix milliseconds since which the breaker is not closed; 0: it is
	probing       atomic.Bool
	stalled       atomic.Int64 // requests without an answer after stallAfter
	spent         atomic.Int64 // Unix nanoseconds until which the bound per second is reached, or the vendor wants no requests
}

func newRoute(sender SMSSender, logger *slog.Logger) *route {
	rt := &route{sender: sender, traffic: newTraffic()}
	rt.prober, _ = capability[Prober](sender)
	trials := uint32(1)
	if rt.prober != nil {
		trials = 2 // the probe, and then one message
	}
	if bounded, ok := capability[Bounded](sender); ok {
		rt.bounds = bounded.Bounds()
		if rt.bounds.Concurrent > 0 {
			rt.slots = make(chan struct{}, rt.bounds.Concurrent)
		}
	}
	rt.breaker = gobreaker.NewCircuitBreaker[Receipt](gobreaker.Settings{
		Name:         sender.Name(),
		MaxRequests:  trials,
		Timeout:      breakerPause,
		IsExcluded:   excluded,
		IsSuccessful: rt.succeeded,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return rt.misconfigured || counts.ConsecutiveFailures >= breakerFailures
		},
		OnStateChange: func(name string, from, to gobreaker.State) {
			logger.Warn("breaker of provider changed", "provider", name, "from", stateName(from), "to", stateName(to))
			switch {
			case to == gobreaker.StateClosed:
				rt.openedAt.Store(0)
			case from == gobreaker.StateClosed:
				rt.openedAt.Store(time.Now().UnixMilli())
			}
		},
	})
	return rt
}

// The states of a breaker, as metrics name them.
const (
	BreakerIsClosed   = "closed"
	BreakerIsHalfOpen = "half_open"
	BreakerIsOpen     = "open"
)

func stateName(state gobreaker.State) string { return strings.ReplaceAll(state.String(), "-", "_") }

// excluded reports whether an error says nothing about the provider: it was not asked, or the caller gave up.
func excluded(err error) bool {
	_, own := errors.AsType[*notAskedError](err)
	return own || errors.Is(err, context.Canceled)
}

// succeeded reports whether a send counts as a success of the provider: so does a refusal that is about the number or the
// content. The breaker calls it before it decides whether to open.
func (rt *route) succeeded(err error) bool {
	if err == nil {
		return true
	}
	kind := KindOf(err)
	rt.misconfigured = kind == Misconfigured
	if kind == RateLimited || kind == Rejected {
		return true
	}
	if refused, ok := errors.AsType[*Error](err); ok {
		rt.cause.Store(refused)
	}
	return false
}

// hangs reports whether the provider takes requests and does not answer. The breaker learns it only when they time out;
// until then other providers are asked first, where there are any.
func (rt *route) hangs() bool { return rt.stalled.Load() >= breakerFailures }

// well reports whether the provider has answered its last request as it should.
func (rt *route) well() bool {
	return rt.breaker.State() == gobreaker.StateClosed && rt.breaker.Counts().ConsecutiveFailures == 0 && !rt.hangs()
}

// untried reports whether the pause of an open breaker is over and no request has tried the provider since.
func (rt *route) untried() bool {
	return rt.breaker.State() == gobreaker.StateHalfOpen && rt.breaker.Counts().ConsecutiveSuccesses == 0
}

// demotion says why other providers are asked first, or "".
func (rt *route) demotion() Decision {
	switch {
	case rt.hangs():
		return Stalled
	case rt.prober == nil && rt.untried():
		return BreakerOpen
	}
	return ""
}

// probe tries a provider in the background whose breaker was open. When it accepts messages again, the next message passes.
func (rt *route) probe(logger *slog.Logger) {
	if rt.prober == nil || !rt.untried() || !rt.probing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer rt.probing.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		_, err := rt.breaker.Execute(func() (Receipt, error) {
			return Guard(func() *slog.Logger { return logger }, rt.sender.Name(), func() (Receipt, error) { return Receipt{}, rt.prober.Probe(ctx) })
		})
		logger.Info("provider tried without a message", "provider", rt.sender.Name(), "error", err)
	}()
}

// notAskedError is the cause of an error about a provider that was not asked.
type notAskedError struct {
	decision Decision
	cause    *Error // the provider's earlier answer; nil: none of interest
}

func (e *notAskedError) Error() string {
	text := "not asked: " + string(e.decision)
	if e.cause != nil {
		text += " after " + e.cause.Error()
	}
	return text
}

// Cause returns the vendor's own answer behind a refusal of ours: the one that had opened the breaker. It is nil when err is
// no refusal of ours or has no such cause.
func Cause(err error) *Error {
	if refusal, ok := errors.AsType[*notAskedError](err); ok {
		return refusal.cause
	}
	return nil
}

// notAsked is a refusal of our own: certainly not sent.
func (rt *route) notAsked(decision Decision) error {
	refusal := &notAskedError{decision: decision}
	if decision == BreakerOpen {
		refusal.cause = rt.cause.Load()
	}
	return &Error{Provider: rt.sender.Name(), Kind: Temporary, Code: decision.OwnCode(), Err: refusal}
}

// NotServed is a refusal of a sender that did not ask its vendor, because the vendor does not serve the region of the number.
// The router goes on to the next provider, and no breaker counts it.
func NotServed(provider string) *Error {
	return &Error{Provider: provider, Kind: Temporary, Code: Unserved.OwnCode(), Err: &notAskedError{decision: Unserved}}
}

// send asks the provider, unless its breaker is open or a bound is reached.
func (rt *route) send(ctx context.Context, r *Router, sms SMS) (Receipt, error) {
	if rt.prober != nil && rt.untried() {
		rt.probe(r.Logger)
		return Receipt{}, rt.notAsked(BreakerOpen)
	}
	receipt, err := rt.breaker.Execute(func() (Receipt, error) {
		release, refused := rt.acquire(ctx, r)
		if refused != "" {
			return Receipt{}, rt.notAsked(refused)
		}
		defer release()
		defer rt.watch()()
		return Guard(func() *slog.Logger { return r.Logger }, rt.sender.Name(), func() (Receipt, error) { return rt.sender.SendSMS(ctx, sms) })
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return Receipt{}, rt.notAsked(BreakerOpen)
	}
	if err == nil {
		rt.traffic[sms.To.Carrier()].accepted.Add(1)
	}
	rt.heed(err)
	return receipt, err
}

// heed keeps the pause that a vendor asked for, as far as a code's life allows: its bound counts as reached until then.
func (rt *route) heed(err error) {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == Temporary && e.RetryAfter > 0 {
		rt.spent.Store(time.Now().Add(min(e.RetryAfter, breakerPause)).UnixNano())
	}
}

// watch counts a request as stalled after stallAfter until the returned function is called.
func (rt *route) watch() (answered func()) {
	timer := time.AfterFunc(stallAfter, func() { rt.stalled.Add(1) })
	return func() {
		if !timer.Stop() {
			rt.stalled.Add(-1)
		}
	}
}

const (
	// slotMargin is how much longer a slot lasts than its request may take: the slots of a dead worker are freed so soon
	// after its requests have ended.
	slotMargin = 2 * time.Second

	// maxSlot is how long a slot lasts for a caller without a deadline.
	maxSlot = time.Minute

	// releaseTimeout bounds the release of a slot, since the message's outcome is recorded after it.
	releaseTimeout = time.Second
)

// acquire takes what the provider's bounds ask for, in at most one round trip and in none without bounds. When [Slots] fail
// the message is sent all the same: the vendor has limits of its own and refuses what exceeds them, while a message that
// waits reaches its receiver late or never. This worker's own bound of concurrent requests still holds then.
func (rt *route) acquire(ctx context.Context, r *Router) (release func(), refused Decision) {
	releaseOwn := func() {}
	if time.Now().UnixNano() < rt.spent.Load() {
		return nil, RateSpent
	}
	if rt.slots != nil {
		select {
		case rt.slots <- struct{}{}:
			releaseOwn = func() { <-rt.slots }
		default:
			return nil, Busy
		}
	}
	if r.Slots == nil || rt.bounds == (Bounds{}) {
		return releaseOwn, ""
	}
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(maxSlot)
	}
	slot := Slot{Provider: rt.sender.Name(), Name: rand.Text(), Bounds: rt.bounds, Until: end.Add(slotMargin)}
	refused, wait, err := r.Slots.Acquire(ctx, slot)
	switch {
	case err != nil:
		r.count(slot.Provider, Unbounded)
		r.Logger.Warn("bounds of provider not checked", "provider", slot.Provider, "error", err)
	case refused != "":
		releaseOwn()
		if refused == RateSpent {
			rt.spent.Store(time.Now().Add(wait).UnixNano())
		}
		return nil, refused
	}
	if rt.bounds.Concurrent <= 0 {
		return releaseOwn, ""
	}
	return func() {
		defer releaseOwn()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		if err := r.Slots.Release(ctx, slot); err != nil {
			r.Logger.Warn("slot of provider not released: it is freed when its time ends", "provider", slot.Provider, "error", err)
		}
	}, ""
}
