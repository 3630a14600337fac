package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// startUp measures from the start of a process until it answers that it is ready.
func (b *bench) startUp(ctx context.Context) error {
	timed := func(start starter) rate {
		return func(ctx context.Context) (float64, error) {
			p, err := start(ctx)
			if err != nil {
				return 0, err
			}
			p.stop()
			return inMillis(p.readyAt.Sub(p.started)), nil
		}
	}
	api := row{measure: "startup", what: "API, start to ready", unit: millis, target: most(300)}
	worker := row{measure: "startup", what: "worker, start to ready", unit: millis, target: most(300)}
	err := b.inTurns(ctx, b.size.starts,
		turn{"API", ours, timed(b.testbed.apiOf(nil)), []*row{&api}},
		turn{"worker", ours, timed(b.testbed.workerOf("sms,email", nil)), []*row{&worker}})
	if err == nil {
		b.report.add(api, worker)
	}
	return err
}

// inMillis is a duration in the unit of the report's rows.
func inMillis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// idleRate is the requests a second on an idle system.
const idleRate = 10

// latency measures from the moment when a caller begins to send until the vendor has the request. Both use
// the same clock.
func (b *bench) latency(ctx context.Context) error {
	var idle [2]sample // p50 and p95
	for _, rate := range b.size.rates {
		name, t := fmt.Sprintf("at %d/s", rate), target{}
		if rate == 0 {
			name = "idle"
		}
		if rate == 0 || rate == 500 {
			t = most(10)
		}
		found, err := b.clickRows(ctx, name, max(rate, idleRate), t, nil)
		if err != nil {
			return err
		}
		if rate == 0 {
			idle = found
		}
	}
	name := fmt.Sprintf("beside %d look-ups and %d registrations a second", lookUpsBeside, registrationsBeside)
	_, err := b.clickRows(ctx, name, idleRate, atMostTimes(3), &idle)
	return err
}

// clickRows reports the p50 and the p95 at one rate and returns them. With those of the idle system the clicks are beside
// other work, and compared with them.
func (b *bench) clickRows(ctx context.Context, name string, rate int, t target, idle *[2]sample) (found [2]sample, err error) {
	for round := range b.rounds {
		times, err := b.clicks(ctx, rate, idle != nil)
		if err != nil {
			return found, err
		}
		p50, p95 := times[len(times)/2], times[len(times)*95/100]
		found[0], found[1] = append(found[0], inMillis(p50)), append(found[1], inMillis(p95))
		b.sayf("  round %d, %s: p50 %v, p95 %v of %d", round+1, name, p50, p95, len(times))
	}
	for i, quantile := range []string{"p50", "p95"} {
		r := row{measure: "latency", what: "click to vendor " + name + ", " + quantile, unit: millis, samples: [sides]sample{ours: found[i]}}
		if i == 1 {
			r.target = t
		}
		if idle != nil {
			r.floor, r.samples[theFloor] = "idle", idle[i]
		}
		b.report.add(r)
	}
	return found, nil
}

// The other work a second that clicks are measured beside.
const (
	lookUpsBeside       = 2_000
	registrationsBeside = 20
)

// beside looks names up and registers people until stop is called, which returns what failed.
func (b *bench) beside(ctx context.Context, api string) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	all := load{addr: api, conns: 64, duration: timeFor(0), next: b.numbers.next}
	lookUps, registrations := all, all
	lookUps.rate, lookUps.want = lookUpsBeside, http.StatusOK
	lookUps.make = func(n int) request { return get("/v1/usernames/" + usernameOf(n)) }
	registrations.rate, registrations.want, registrations.busy = registrationsBeside, http.StatusCreated, http.StatusServiceUnavailable
	registrations.make = registration
	var group errgroup.Group
	for name, l := range map[string]load{"look-ups": lookUps, "registrations": registrations} {
		group.Go(func() error {
			o, err := l.run(ctx)
			if o != nil {
				b.sayf("  beside: %.0f %s a second, %d refused", o.rate(), name, o.busy)
			}
			return err
		})
	}
	return func() error { cancel(); return group.Wait() }
}

// clicks returns the sorted times of one round.
func (b *bench) clicks(ctx context.Context, rate int, busy bool) (_ []time.Duration, err error) {
	pair, err := b.both(ctx)
	if err != nil {
		return nil, err
	}
	defer pair.stop()
	l := b.codes(pair.api.addr)
	l.duration, l.rate = max(b.duration, time.Second), float64(rate)
	if rate == idleRate {
		l.duration *= 3 // a p95 needs more clicks
	}
	l.count = int(l.duration.Seconds() * l.rate)
	warm := l
	warm.count = 64
	warm.rate = 0
	if _, err := warm.run(ctx); err != nil {
		return nil, err
	}
	if _, err := b.testbed.vendor.await(ctx, "aliyun", warm.count); err != nil {
		return nil, err
	}
	if busy {
		l.busy = http.StatusServiceUnavailable
		stop := b.beside(ctx, pair.api.addr)
		defer func() { err = errors.Join(err, stop()) }()
	}
	clicked := &clicks{at: map[string]time.Time{}}
	l.make = clicked.stamp(l.make)
	l.duration += patience // the rate may not be reached
	o, err := l.run(ctx)
	if err != nil {
		return nil, err
	}
	if o.rate() < 0.9*l.rate {
		b.sayf("  only %.0f/s were reached", o.rate())
	}
	if _, err := b.testbed.vendor.await(ctx, "aliyun", warm.count+o.done); err != nil {
		return nil, err
	}
	arrivals, err := b.testbed.vendor.arrivals(ctx)
	if err != nil {
		return nil, err
	}
	return clicked.until(arrivals, o.busy)
}

// clicks has the start of each number's request.
type clicks struct {
	mu sync.Mutex
	at map[string]time.Time
}

// stamp notes the time when a request is about to be sent.
func (c *clicks) stamp(build func(n int) request) func(n int) request {
	return func(n int) request {
		made := build(n)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at[mobileOf(n)] = time.Now()
		return made
	}
}

// until returns how long each number's message took, sorted, but for those of so many refused requests.
func (c *clicks) until(arrivals map[string]time.Time, refused int) ([]time.Duration, error) {
	var times []time.Duration
	for mobile, at := range c.at {
		if received, found := arrivals[mobile]; found {
			times = append(times, received.Sub(at))
		}
	}
	if len(times) < (len(c.at)-refused)*99/100 || len(times) == 0 {
		return nil, fmt.Errorf("the vendor has %d of %d messages", len(times), len(c.at))
	}
	slices.Sort(times)
	return times, nil
}
