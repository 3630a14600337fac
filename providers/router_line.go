package providers

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// breakerFailures in a row open a breaker: enough that one lost answer does not, few enough that a
	// vendor that is away costs few people their patience.
	breakerFailures = 5

	// breakerPause is how long an open breaker spares its provider before it is tried.
	breakerPause = 30 * time.Second

	// probeTimeout bounds a trial without a message.
	probeTimeout = 5 * time.Second

	// stallAfter is how long a request waits for its answer before it counts as stalled. Vendors answer in
	// tenths of a second.
	stallAfter = 2 * time.Second
)

// route is one provider with what stands before it: breaker, bounds and weight.
type route struct {
	sender  SMSSender
	prober  Prober // tries the provider after its breaker was open; nil: a message must
	breaker *gobreaker.CircuitBreaker[Receipt]
	bounds  Bounds
	slots   chan struct{} // what this worker may have of the bound of requests at the same time: all; nil: no bound

	misconfigured bool                  // what the last answer said; guarded by the breaker
	cause         atomic.Pointer[Error] // the last answer that counted as a failure
	probing       atomic.Bool
	weight        atomic.Uint64 // bits of a float64
	accepted      atomic.Int64  // messages that the scores do not have yet
	stalled       atomic.Int64  // requests that have waited for stallAfter and still wait
	spent         atomic.Int64  // Unix nanoseconds until which the bound per second lets nothing pass
}

func newRoute(sender SMSSender, logger *slog.Logger) *route {
	l := &route{sender: sender, prober: proberOf(sender)}
	trials := uint32(1)
	if l.prober != nil {
		trials = 2 // the probe, and then one message
	}
	l.weight.Store(math.Float64bits(1))
	if bounded, ok := sender.(Bounded); ok {
		l.bounds = bounded.Bounds()
		if l.bounds.Concurrent > 0 {
			l.slots = make(chan struct{}, l.bounds.Concurrent)
		}
	}
	l.breaker = gobreaker.NewCircuitBreaker[Receipt](gobreaker.Settings{
		Name:         sender.Name(),
		MaxRequests:  trials,
		Timeout:      breakerPause,
		IsExcluded:   excluded,
		IsSuccessful: l.works,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return l.misconfigured || counts.ConsecutiveFailures >= breakerFailures
		},
		OnStateChange: func(name string, from, to gobreaker.State) {
			logger.Warn("breaker of provider changed", "provider", name, "from", stateName(from), "to", stateName(to))
		},
	})
	return l
}

// excluded tells what says nothing about the provider: it was not asked, or we were told to stop.
func excluded(err error) bool {
	_, own := errors.AsType[*gateError](err)
	return own || errors.Is(err, context.Canceled)
}

// works reports whether the provider does its work: a refusal that is about the number or the content is
// part of it. The breaker calls it before it decides whether to open.
func (p *route) works(err error) bool {
	if err == nil {
		return true
	}
	kind := KindOf(err)
	p.misconfigured = kind == Misconfigured
	if kind == RateLimited || kind == Rejected {
		return true
	}
	if refused, ok := errors.AsType[*Error](err); ok {
		p.cause.Store(refused)
	}
	return false
}

// hangs reports whether the provider takes requests and answers none. Its breaker cannot know before they
// time out, so meanwhile other providers are asked first, where there are any.
func (p *route) hangs() bool { return p.stalled.Load() >= breakerFailures }

// well reports whether the provider has answered its last request as it should.
func (p *route) well() bool {
	return p.breaker.State() == gobreaker.StateClosed && p.breaker.Counts().ConsecutiveFailures == 0 && !p.hangs()
}

// resting reports whether the pause of an open breaker is over and nothing has tried the provider since.
func (p *route) resting() bool {
	return p.breaker.State() == gobreaker.StateHalfOpen && p.breaker.Counts().ConsecutiveSuccesses == 0
}

// probe tries a resting provider in the backga. When it takes messages again, the next one is let through.
func (p *route) probe(logger *slog.Logger) {
	if p.prober == nil || !p.resting() || !p.probing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer p.probing.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		_, err := p.breaker.Execute(func() (Receipt, error) {
			return Guard(logger, p.sender.Name(), func() (Receipt, error) { return Receipt{}, p.prober.Probe(ctx) })
		})
		logger.Info("provider tried without a message", "provider", p.sender.Name(), "error", err)
	}()
}

// doubted says why other providers are asked first, or "".
func (p *route) doubted() Decision {
	switch {
	case p.hangs():
		return Stalled
	case p.prober == nil && p.resting():
		return BreakerOpen
	}
	return ""
}

// gateError is a provider that was not asked.
type gateError struct {
	decision Decision
	cause    *Error // what the provider had answered before; nil: nothing of interest
}

func (e *gateError) Error() string {
	text := "not asked: " + string(e.decision)
	if e.cause != nil {
		text += " after " + e.cause.Error()
	}
	return text
}

// Cause returns the vendor's own answer behind a refusal of ours: what had opened the breaker that a message met. It
// is nil for what is no refusal of ours, or has no such cause.
func Cause(err error) *Error {
	if gate, ok := errors.AsType[*gateError](err); ok {
		return gate.cause
	}
	return nil
}

// gated is a refusal of our own: surely not sent.
func (p *route) gated(decision Decision) error {
	gate := &gateError{decision: decision}
	if decision == BreakerOpen {
		gate.cause = p.cause.Load()
	}
	return &Error{Provider: p.sender.Name(), Kind: Temporary, Code: decision.OwnCode(), Err: gate}
}

// send asks the provider, unless something of our own stands in the way.
func (p *route) send(ctx context.Context, r *Router, sms SMS) (Receipt, error) {
	if p.prober != nil && p.resting() {
		p.probe(r.Logger)
		return Receipt{}, p.gated(BreakerOpen)
	}
	receipt, err := p.breaker.Execute(func() (Receipt, error) {
		leave, refused := p.enter(ctx, r)
		if refused != "" {
			return Receipt{}, p.gated(refused)
		}
		defer leave()
		defer p.watch()()
		return Guard(r.Logger, p.sender.Name(), func() (Receipt, error) { return p.sender.SendSMS(ctx, sms) })
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return Receipt{}, p.gated(BreakerOpen)
	}
	if err == nil {
		p.accepted.Add(1)
	}
	return receipt, err
}

// watch counts a request as stalled from stallAfter on until the returned function is called.
func (p *route) watch() (answered func()) {
	timer := time.AfterFunc(stallAfter, func() { p.stalled.Add(1) })
	return func() {
		if !timer.Stop() {
			p.stalled.Add(-1)
		}
	}
}

// The states of a breaker, as metrics name them.
const (
	BreakerIsClosed   = "closed"
	BreakerIsHalfOpen = "half_open"
	BreakerIsOpen     = "open"
)

func stateName(state gobreaker.State) string {
	switch state {
	case gobreaker.StateOpen:
		return BreakerIsOpen
	case gobreaker.StateHalfOpen:
		return BreakerIsHalfOpen
	case gobreaker.StateClosed:
		return BreakerIsClosed
	default:
		return BreakerIsClosed
	}
}

// Breakers returns the state of every provider's breaker, by its name.
func (r *Router) Breakers() map[string]string {
	states := map[string]string{}
	for _, l := range r.open() {
		states[l.sender.Name()] = stateName(l.breaker.State())
	}
	return states
}
