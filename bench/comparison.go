package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// side is one of the compared implementations.
type side int

// The sides, in the order of the report. A peer is another implementation.
const (
	ours side = iota
	theFloor
	thePeer
	sides
)

func (s side) String() string { return [sides]string{"ours", "floor", "peer"}[s] }

// caller is the address and the requests of one side. The zero value gets no requests.
type caller struct {
	addr string
	make func(n int) request
	want int
	needs
}

// needs are what requests of some implementations need besides.
type needs struct {
	good string                                            // text in the body of a good answer; empty where the status alone tells
	seed func(ctx context.Context, first, count int) error // stores what the requests of so many numbers need; may be nil
}

// comparison sends the same requests to all sides, in turns.
type comparison struct {
	name, what string
	callers    [sides]caller
	levels     []int // connections
	count      int   // requests in one round of one side; 0 for no bound
	busy       int   // status of an answer that is neither good nor bad
	from       func() int
	floor      string // what the floor is
	peer       string // what the peer is
	target     target // with the most connections
}

// compare runs the comparison and reports one row for each number of connections.
func (b *bench) compare(ctx context.Context, c comparison) error {
	if err := b.warmUp(ctx, c); err != nil {
		return err
	}
	for _, conns := range c.levels {
		r := row{measure: c.name, what: c.what + ", " + connections(conns), unit: perSec, floor: c.floor, peer: c.peer}
		if conns == c.levels[len(c.levels)-1] {
			r.target = c.target
		}
		for round := range b.rounds {
			for s := range sides {
				if c.callers[s].addr == "" {
					continue
				}
				o, err := b.runSide(ctx, c, s, conns, b.duration)
				if err != nil {
					return fmt.Errorf("%s: %w", s, err)
				}
				r.add(s, o.rate())
				r.times[s].add(o)
				if s == thePeer {
					r.refused = append(r.refused, o.refusals())
				}
				b.sayf("  round %d, %d connections, %s: %.0f/s, p50 %v, p99 %v, %d refused",
					round+1, conns, s, o.rate(), o.quantile(50), o.quantile(99), o.refused)
			}
		}
		b.report.add(r)
	}
	return nil
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return strconv.Itoa(n) + " connections"
}

// warmUp makes every side open its connections and fill its caches.
func (b *bench) warmUp(ctx context.Context, c comparison) error {
	for s := range sides {
		if c.callers[s].addr == "" {
			continue
		}
		if _, err := b.runSide(ctx, c, s, c.levels[len(c.levels)-1], min(b.duration/4, time.Second)); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// seedsPerSecond is more than any side answers.
const seedsPerSecond = 10_000

// runSide is one round of one side with so many connections.
func (b *bench) runSide(ctx context.Context, c comparison, s side, conns int, duration time.Duration) (*outcome, error) {
	l := b.load(c, s, conns)
	l.duration = duration
	if seed := c.callers[s].seed; seed != nil {
		if l.count == 0 {
			l.count = int(duration.Seconds()*seedsPerSecond) + conns
		}
		var first int
		first, l.next = b.numbers.block(l.count)
		if err := seed(ctx, first, l.count); err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
	}
	return l.run(ctx)
}

// load is the load of one side with so many connections.
func (b *bench) load(c comparison, s side, conns int) load {
	next := b.numbers.next
	if c.from != nil {
		next = c.from
	}
	from := c.callers[s]
	return load{
		addr: from.addr, conns: conns, duration: b.duration, count: c.count,
		make: from.make, want: from.want, good: from.good, busy: c.busy, next: next,
	}
}
