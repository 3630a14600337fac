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
	want int                                               // status of a good answer
	good string                                            // text in the body of a good answer; empty where the status alone tells
	seed func(ctx context.Context, first, count int) error // stores what the requests of so many numbers need; may be nil
}

// comparison sends the same requests to all sides, in turns.
type comparison struct {
	name, what string
	callers    [sides]caller
	levels     []int  // connections
	count      int    // requests in one round of one side; 0 for no bound
	busy       int    // status of an answer that is neither good nor bad
	floor      string // what the floor is
	peer       string // what the peer is
	target     target // with the most connections
}

// rate measures one figure, which is a rate but for a few rows.
type rate func(ctx context.Context) (float64, error)

// turn measures one side of some rows in each round.
type turn struct {
	name    string // for the progress
	side    side
	measure rate
	rows    []*row
}

// inTurns runs every turn once in each round, and adds the figures to their rows.
func (b *bench) inTurns(ctx context.Context, rounds int, turns ...turn) error {
	for round := range rounds {
		for _, t := range turns {
			v, err := t.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			for _, r := range t.rows {
				r.add(t.side, v)
			}
			b.sayf("  round %d, %s: %s %s", round+1, t.name, figure(v), t.rows[0].unit)
		}
	}
	return nil
}

// takeTurns is [bench.inTurns] for the rounds of the run, and reports every row once, those of the first turn first.
func (b *bench) takeTurns(ctx context.Context, turns ...turn) error {
	if err := b.inTurns(ctx, b.rounds, turns...); err != nil {
		return err
	}
	reported := map[*row]bool{}
	for _, t := range turns {
		for _, r := range t.rows {
			if !reported[r] {
				b.report.add(*r)
			}
			reported[r] = true
		}
	}
	return nil
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
		if err := b.takeTurns(ctx, b.sidesOf(c, conns, &r)...); err != nil {
			return err
		}
	}
	return nil
}

// sidesOf are the turns of all sides that have a caller. They add the durations of requests to the row, too.
func (b *bench) sidesOf(c comparison, conns int, r *row) (all []turn) {
	for s := range sides {
		if c.callers[s].addr == "" {
			continue
		}
		all = append(all, turn{s.String(), s, func(ctx context.Context) (float64, error) {
			o, err := b.runSide(ctx, c, s, conns, b.duration)
			if err != nil {
				return 0, err
			}
			r.times[s].add(o)
			if s == thePeer {
				r.refused = append(r.refused, o.refusals())
			}
			b.sayf("  %s, %s: p50 %v, p99 %v, %d refused, %d got 503", s, connections(conns), o.quantile(50), o.quantile(99), o.refused, o.busy)
			return o.rate(), nil
		}, []*row{r}})
	}
	return all
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
	from := c.callers[s]
	l := load{
		addr: from.addr, conns: conns, duration: duration, count: c.count,
		make: from.make, want: from.want, good: from.good, busy: c.busy, next: b.numbers.next,
	}
	if from.seed != nil {
		if l.count == 0 {
			l.count = int(duration.Seconds()*seedsPerSecond) + conns
		}
		var first int
		first, l.next = b.numbers.block(l.count)
		if err := from.seed(ctx, first, l.count); err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
	}
	return l.run(ctx)
}
