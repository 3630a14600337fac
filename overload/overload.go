// Package overload decides whether a process takes a request on now, lets it wait for a moment, or refuses it before
// it has cost anything: no trip to a store, no unit of a limit.
//
// A [Gate] is made for each class of requests, so that one class cannot keep another out.
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

// Bounds of a gate: requests of its class that are worked on at the same time. Least and Most are the same for a gate
// that does not adapt; else the limit moves between them with the measured time of the work.
type Bounds struct {
	Least, Most int
	Waiting     int // requests that may wait besides; each has a connection, and about 20 kB
}

const (
	// A request waits at least and at most so long for its turn. A crowd that can be served in half a second is not
	// refused. The time differs, so that those who came together are not refused together.
	waitLeast = 500 * time.Millisecond
	waitMost  = 700 * time.Millisecond

	// lateAfter is the wait of the first in the queue from which on the last one goes first.
	lateAfter = 300 * time.Millisecond

	// holdMost is how long a refusal is held back when as many wait as may; with fewer it is sooner. A refusal costs
	// nearly half of the work, most of it in HTTP and the kernel: clients that come again at once would take
	// the processor from those that are served.
	holdMost = 2 * time.Second

	// logPause is the time between two lines about refusals of one class.
	logPause = time.Second
)

// The limiter compares the recent times of the work with those of the last seconds. It looks at them in short windows,
// because a crowd comes within a second, and remembers a minute of them, so that a crowd does not become the usual case.
const (
	windowLeast    = 100 * time.Millisecond
	windowMost     = time.Second
	windowSamples  = 50
	baselineAge    = 600 // windows
	correlationAge = 30
	quantile       = 0.9
)

// Refused is the error of a request that is not taken on.
type Refused struct {
	// RetryAfter is when to come again. It differs from request to request, so that those refused together do not
	// come back together.
	RetryAfter time.Duration

	// Far says that so many wait already that this one did not: its connection is better closed, for the client may
	// reach another process with the next one.
	Far bool
}

// Error says what happened.
func (*Refused) Error() string { return "more requests than this process can serve in time" }

// Gate admits requests of one class. Of those that wait the first one goes first, until it has waited for long: when there
// are more than can be served the last one does, so that some are served at once and the others are refused, instead of
// all being served late. It is safe for concurrent use;
// make it with [New].
type Gate struct {
	class      string
	logger     *slog.Logger
	limiter    adaptivelimiter.AdaptiveLimiter[any]
	maxWaiting int

	admitted atomic.Uint64
	refused  atomic.Uint64

	mu       sync.Mutex
	waiting  list.List // of *waiter, the last to come at the back
	held     int       // requests whose refusal is held back
	unlogged int       // refusals since the last line; a line is to come when it is not 0
}

// waiter is a request that waits.
type waiter struct {
	permit chan adaptivelimiter.Permit // gets one permit, when it has been taken off the list
	place  *list.Element
	since  time.Time
}

// New makes a gate that begins with the least bound.
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

// Pass is the permission to work on one request. One of its methods is called once, when the work is done; calls after
// the first do nothing. It is for one goroutine.
type Pass struct {
	gate   *Gate
	permit adaptivelimiter.Permit
}

// Done ends the work, whose time counts for the limit.
func (p *Pass) Done() {
	if p.permit != nil {
		p.permit.Record()
		p.permit = nil
		p.gate.next()
	}
}

// Drop ends work whose time says nothing, such as that of a request that was refused for its form.
func (p *Pass) Drop() {
	if p.permit != nil {
		p.permit.Drop()
		p.permit = nil
		p.gate.next()
	}
}

// Enter returns a pass, at once or after a short wait, or a [*Refused] error, or that of the context when it ended first.
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

// await is Enter for a request that found no place.
func (g *Gate) await(ctx context.Context) (adaptivelimiter.Permit, error) {
	w := &waiter{permit: make(chan adaptivelimiter.Permit, 1), since: time.Now()}
	g.mu.Lock()
	if g.waiting.Len()+g.held >= g.maxWaiting {
		g.mu.Unlock()
		return nil, g.refuse(true)
	}
	w.place = g.waiting.PushBack(w)
	g.mu.Unlock()
	g.next() // a place may have become free before the request was on the list

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
		return <-w.permit, nil // it got its place in this moment
	}
	if err == nil {
		err = g.hold(ctx, timer)
	}
	if err != nil {
		return nil, err
	}
	return nil, g.refuse(false)
}

// hold keeps a request that is to be refused for a while.
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

// giveUp takes a waiter off the list and reports whether it was still there.
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

// next gives the free places to those that wait.
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

// between returns another time for each request.
func between(least, most time.Duration) time.Duration {
	return least + rand.N(most-least) //nolint:gosec // spreads load, and keeps no secret
}

// log writes one line about all refusals since the one before: a line for each would cost more than the refusal.
func (g *Gate) log() {
	g.mu.Lock()
	refused := g.unlogged
	g.unlogged = 0
	g.mu.Unlock()
	s := g.Stats()
	g.logger.Warn("requests refused: more than this process can serve in time",
		"class", g.class, "refused", refused, "in_flight", s.InFlight, "limit", s.Limit, "waiting", s.Waiting)
}

// Stats are what a gate has done and how it stands.
type Stats struct {
	Admitted, Refused        uint64 // since the start
	InFlight, Limit, Waiting int
}

// Stats returns the figures of this moment; they may be a request apart from each other.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	waiting := g.waiting.Len() + g.held
	g.mu.Unlock()
	return Stats{
		Admitted: g.admitted.Load(), Refused: g.refused.Load(),
		InFlight: g.limiter.Inflight(), Limit: g.limiter.Limit(), Waiting: waiting,
	}
}
