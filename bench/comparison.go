package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// side is one of the compared implementations.
type side int

// The sides, in the order of the report. A peer is another implementation, which the command line names.
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
}

// comparison sends the same requests to all sides, in turns.
type comparison struct {
	name, what string
	callers    [sides]caller
	levels     []int // connections
	count      int   // requests in one round of one side; 0 for no bound
	from       func() int
	floor      string // what the floor is
	target     target // with the most connections
}

// peer is the same endpoint of another implementation.
type peer struct{ url, method, body, media string }

// caller returns the zero value for a peer that was not named. Any status below 400 is a good answer to the
// first request and has to be that of all others.
func (p *peer) caller() (caller, error) {
	if p == nil || p.url == "" {
		return caller{}, nil
	}
	// Braces are no part of an address, so the placeholders are filled in behind the host only.
	u, err := url.Parse(fillIn(p.url, 0))
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return caller{}, fmt.Errorf("want http://host:port/…, got %q", p.url)
	}
	path := p.url[len("http://")+len(u.Host):]
	c := caller{addr: u.Host, make: func(n int) request {
		if p.body == "" {
			return request{method: p.method, path: fillIn(path, n)}
		}
		return request{method: p.method, path: fillIn(path, n), media: p.media, body: fillIn(p.body, n)}
	}}
	asking := newClient(c.addr, time.Now().Add(patience))
	defer asking.CloseIdleConnections()
	if c.want, err = asking.do(c.make(0)); err != nil || c.want >= 400 {
		return caller{}, fmt.Errorf("the peer answers %d: %w", c.want, err)
	}
	return c, nil
}

// compare runs the comparison and reports one row for each number of connections.
func (b *bench) compare(ctx context.Context, c comparison) error {
	if err := b.warmUp(ctx, c); err != nil {
		return err
	}
	for _, conns := range c.levels {
		r := row{measure: c.name, what: c.what + ", " + connections(conns), unit: perSec, floor: c.floor}
		if conns == c.levels[len(c.levels)-1] {
			r.target = c.target
		}
		for round := range b.rounds {
			for s := range sides {
				if c.callers[s].addr == "" {
					continue
				}
				o, err := b.load(c, s, conns).run(ctx)
				if err != nil {
					return fmt.Errorf("%s: %w", s, err)
				}
				r.add(s, o.rate())
				r.times[s].add(o)
				b.sayf("  round %d, %d connections, %s: %.0f/s, p50 %v, p99 %v",
					round+1, conns, s, o.rate(), o.quantile(50), o.quantile(99))
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
		l := b.load(c, s, c.levels[len(c.levels)-1])
		l.duration = min(l.duration/4, time.Second)
		if _, err := l.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// load is the load of one side with so many connections.
func (b *bench) load(c comparison, s side, conns int) load {
	next := b.numbers.next
	if c.from != nil {
		next = c.from
	}
	return load{
		addr: c.callers[s].addr, conns: conns, duration: b.duration, count: c.count,
		make: c.callers[s].make, want: c.callers[s].want, next: next,
	}
}
