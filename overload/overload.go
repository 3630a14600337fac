// Package overload decides whether a process admits a request now, lets it wait for a moment, or refuses it before it has
// cost anything: no round trip to a store, no unit of a limit.
//
// Each class of requests has a [Gate] of its own, so that one class cannot keep another out.
package overload

import (
	"container/list"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Bounds of the simultaneous requests of a gate. When Least and Most are equal the gate does not adapt; otherwise its
// limit moves between them with the measured time of the work.
type Bounds struct {
	Least, Most int
	Waiting     int // further requests that may wait; each needs a connection and about 20 kB
}

const (
	// A request waits for a random time between these before it is refused. A crowd that can be served in half a second
	// is not refused. The time is random so that requests that came together are not refused together.
	waitLeast = 500 * time.Millisecond
	waitMost  = 700 * time.Millisecond

	// lateAfter is the wait of the first request in the queue after which the last one is admitted first.
	lateAfter = 300 * time.Millisecond

	// holdMost is the longest delay of a refusal, when the queue is full; with fewer waiting requests it is shorter. A
	// refusal costs nearly half as much as the work, most of it in HTTP and the kernel: clients that retry immediately
	// would take the processor from requests that are served.
	holdMost = 2 * time.Second

	// logPause is the time between two lines about refusals of one class.
	logPause = time.Second
)

// The limiter compares recent times of the work with a baseline. Its windows are short, because a crowd comes within a
// second; its baseline spans at least a minute of them, so that a crowd does not become the baseline.
const (
	windowLeast    = 100 * time.Millisecond
	windowMost     = time.Second
	windowSamples  = 50
	baselineAge    = 600 // windows
	correlationAge = 30
	quantile       = 0.9
)

// Refused is the error of a request that is not admitted.
type Refused struct {
	// RetryAfter is the time until the client should retry. It is random, so that clients refused together do not come
	// back together.
	RetryAfter time.Duration

	// Far means that the queue was full. The connection should be closed then: with a new one the client may reach
	// another process.
	Far bool
}

// Error implements error.
func (*Refused) Error() string { return "more requests than this process can serve in time" }

// Gate admits requests of one class. Waiting requests are admitted first in, first out, until the first one has waited
// long: then the last one is admitted first, so that under overload some requests are served at once and the others are
// refused, instead of all being served late. It is safe for concurrent use; make it with [New].
type Gate struct {
	class      string
	logger     *slog.Logger
	limiter    adaptivelimiter.AdaptiveLimiter[any]
	maxWaiting int

	admitted atomic.Uint64
	refused  atomic.Uint64

	mu       sync.Mutex
	waiting  list.List // of *waiter, the last to come at the back
	held     int       // requests whose refusal is delayed
	unlogged int       // refusals since the last log line; while it is not 0 a timer for the next line runs
}

// waiter is a request that waits.
type waiter struct {
	permit chan adaptivelimiter.Permit // gets one permit after the waiter was removed from the list
	place  *list.Element               // nil when it is not on the list
	since  time.Time
}

// New makes a gate whose limit starts at bounds.Least.
func New(class string, bounds Bounds, logger *slog.Logger) *Gate {
	least, most := uint(max(bounds.Least, 1)), uint(max(bounds.Most, bounds.Least, 1))
	return &Gate{
		class: class, logger: logger, maxWaiting: bounds.Waiting,
		limiter: adaptivelimiter.NewBuilder[any]().
			WithLimits(least, most, least).
			WithRecentWindow(windowLeast, windowMost, windowSamples).
			WithRecentQuantile(quantile).
			WithBaselineWindow(baselineAge).
			WithCorrelationWindow(correlationAge).
			Build(),
	}
}

// Pass is the permission to work on one request. The caller must call one of its methods when the work ends; further calls
// do nothing. It is not safe for concurrent use.
type Pass struct {
	gate   *Gate
	permit adaptivelimiter.Permit
}

// Done ends the work, whose time counts for the limit.
func (p *Pass) Done() { p.end(adaptivelimiter.Permit.Record) }

// Drop ends work whose time does not count, such as that of a malformed request.
func (p *Pass) Drop() { p.end(adaptivelimiter.Permit.Drop) }

func (p *Pass) end(how func(adaptivelimiter.Permit)) {
	if p.permit != nil {
		how(p.permit)
		p.permit = nil
		p.gate.next()
	}
}

// Enter returns a pass, immediately or after a short wait. The errors are a [*Refused], and the context's when it ended
// first.
func (g *Gate) Enter(ctx context.Context) (*Pass, error) {
	permit, ok := g.limiter.TryAcquirePermit()
	if !ok {
		var err error
		if permit, err = g.await(ctx); err != nil {
			return nil, err
		}
	}
	g.admitted.Add(1)
	return &Pass{g, permit}, nil
}

// await is Enter for a request that has to wait.
func (g *Gate) await(ctx context.Context) (adaptivelimiter.Permit, error) {
	w := &waiter{permit: make(chan adaptivelimiter.Permit, 1), since: time.Now()}
	g.mu.Lock()
	if g.waiting.Len()+g.held >= g.maxWaiting {
		g.mu.Unlock()
		return nil, g.refuse(true)
	}
	w.place = g.waiting.PushBack(w)
	g.mu.Unlock()
	g.next() // a permit may have become free before the request was on the list

	timer := time.NewTimer(between(waitLeast, waitMost))
	defer timer.Stop()
	var err error
	select {
	case permit := <-w.permit:
		return permit, nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !g.giveUp(w) {
		return <-w.permit, nil // next has just handed it a permit
	}
	if err == nil {
		err = g.hold(ctx, timer)
	}
	if err != nil {
		return nil, err
	}
	return nil, g.refuse(false)
}

// hold delays a refusal.
func (g *Gate) hold(ctx context.Context, timer *time.Timer) error {
	g.mu.Lock()
	g.held++
	full := float64(g.waiting.Len()+g.held) / float64(g.maxWaiting)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.held--
		g.mu.Unlock()
	}()
	timer.Reset(time.Duration(min(full, 1) * float64(between(holdMost/2, holdMost))))
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveUp removes a waiter from the list and reports whether it was still there.
func (g *Gate) giveUp(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.place == nil {
		return false
	}
	g.waiting.Remove(w.place)
	w.place = nil
	return true
}

// next hands free permits to waiting requests.
func (g *Gate) next() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.waiting.Len() > 0 {
		permit, ok := g.limiter.TryAcquirePermit()
		if !ok {
			return
		}
		w := g.waiting.Front().Value.(*waiter)
		if time.Since(w.since) > lateAfter {
			w = g.waiting.Back().Value.(*waiter)
		}
		g.waiting.Remove(w.place)
		w.place = nil
		w.permit <- permit
	}
}

func (g *Gate) refuse(far bool) error {
	g.refused.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unlogged == 0 {
		time.AfterFunc(logPause, g.log)
	}
	g.unlogged++
	latest := 3 * time.Second
	if far {
		latest = 9 * time.Second
	}
	return &Refused{RetryAfter: between(time.Second, latest), Far: far}
}

// between returns a random time.
func between(least, most time.Duration) time.Duration {
	return least + rand.N(most-least) //nolint:gosec // spreads load, and keeps no secret
}

// log writes one line about all refusals since the last line: a line for each would cost more than the refusal.
func (g *Gate) log() {
	g.mu.Lock()
	refused := g.unlogged
	g.unlogged = 0
	g.mu.Unlock()
	s := g.Stats()
	g.logger.Warn("requests refused: more than this process can serve in time; see runbook Overloaded",
		"class", g.class, "refused", refused, "in_flight", s.InFlight, "limit", s.Limit, "waiting", s.Waiting)
}

// Stats are the figures of a gate.
type Stats struct {
	Admitted, Refused        uint64 // since the start
	InFlight, Limit, Waiting int
}

// Stats returns the current figures. They are read one after the other, so they may differ by a request.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	waiting := g.waiting.Len() + g.held
	g.mu.Unlock()
	return Stats{
		Admitted: g.admitted.Load(), Refused: g.refused.Load(),
		InFlight: g.limiter.Inflight(), Limit: g.limiter.Limit(), Waiting: waiting,
	}
}
