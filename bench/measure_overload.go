package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// overloadTimes is the multiple of the calm rate that the open loop requests.
	overloadTimes = 3

	// overloadRounds is how many times as long as a calm round the overload lasts: a real one lasts for a while.
	overloadRounds = 3

	// overloadRest is the pause in which delayed refusals end.
	overloadRest = 3 * time.Second
)

// countedCodes starts an API that counts every limit, without reaching it, and returns a load of codes that has warmed it up.
func (b *bench) countedCodes(ctx context.Context) (*server, load, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return nil, load{}, err
	}
	api, err := b.testbed.api(ctx, counted())
	if err != nil {
		return nil, load{}, err
	}
	l := b.codes(api.addr)
	l.busy = http.StatusServiceUnavailable
	if _, err := l.run(ctx); err != nil {
		api.stop()
		return nil, load{}, err
	}
	return api, l, nil
}

// overload requests more than the API can serve, with every limit counted. The generator runs on the same cores and
// needs more of them the more it requests: the rates are those of the API and its caller together. The processor time
// of a good answer, of all processes together, does not depend on other work on the machine.
func (b *bench) overload(ctx context.Context) error {
	api, l, err := b.countedCodes(ctx)
	if err != nil {
		return err
	}
	defer api.stop()
	r := overloadRows(b.size.crowd, b.size.retrying)
	for round := range b.rounds {
		if err := b.overloadRound(ctx, l, round+1, r); err != nil {
			return err
		}
	}
	for _, row := range r {
		b.report.add(*row)
	}
	return b.idleCrowd(ctx, api)
}

// overloadRows are the rows of the report in the order of [bench.overloadRound]'s figures.
func overloadRows(crowd, retrying int) []*row {
	named := func(what string, u unit, t target) *row {
		return &row{measure: "overload", what: what, unit: u, target: t}
	}
	open := fmt.Sprintf("open loop at %d × calm on %d connections", overloadTimes, crowd)
	again := fmt.Sprintf("%d clients that retry at once", retrying)
	return []*row{
		named("send-code in calm, limits counted, 64 connections", perSec, target{}),
		named(open+", good of calm", percent, least(70, "of the calm rate")),
		named(open+", answers but 202 and 503", percent, most(0.01)),
		named(open+", p99 of the admitted", millis, most(1000)),
		named(again+", good of calm", percent, least(70, "of the calm rate")),
		named(again+", p99 of the admitted", millis, most(1000)),
		named("processor time of a good answer, all processes, in calm", micros, target{}),
		named("… "+open, micros, target{}),
		named("… "+again, micros, target{}),
	}
}

// overloadRound measures calm, the open loop and the clients that retry, and adds a figure to each row of [overloadRows].
func (b *bench) overloadRound(ctx context.Context, l load, round int, rows []*row) error {
	run := func(l load) (o *outcome, each float64, err error) {
		before := cpuOf(os.Getpid()) // with all that it has started
		if o, err = l.run(ctx); err == nil {
			each = float64((cpuOf(os.Getpid()) - before).Microseconds()) / float64(max(o.done, 1))
		}
		return o, each, err
	}
	calm, calmly, err := run(l)
	if err != nil {
		return err
	}
	crowd := l
	crowd.conns, crowd.rate, crowd.duration, crowd.open = b.size.crowd, overloadTimes*calm.rate(), overloadRounds*b.duration, true
	flooded, amid, err := run(crowd)
	if err != nil {
		return err
	}
	if err := pause(ctx, overloadRest); err != nil {
		return err
	}
	again := l
	again.conns, again.duration, again.open = b.size.retrying, crowd.duration, true
	retried, among, err := run(again)
	if err != nil {
		return err
	}
	good := func(o *outcome) float64 { return float64(o.done) / crowd.duration.Seconds() } // refusals come until later
	others := 100 * float64(flooded.failed) / float64(flooded.done+flooded.busy+flooded.failed)
	for i, v := range []float64{
		calm.rate(), 100 * good(flooded) / calm.rate(), others, inMillis(flooded.quantile(99)),
		100 * good(retried) / calm.rate(), inMillis(retried.quantile(99)), calmly, amid, among,
	} {
		rows[i].add(ours, v)
	}
	b.sayf("  round %d: calm %.0f/s; asked %.0f/s: %.0f/s good, %.0f/s refused, p50 %v, p99 %v; %d that retry: %.0f/s good, %.0f/s refused, p99 %v; processors %.0f, %.0f, %.0f µs a good answer",
		round, calm.rate(), crowd.rate, good(flooded), float64(flooded.busy)/flooded.elapsed.Seconds(),
		flooded.quantile(50), flooded.quantile(99), again.conns, good(retried),
		float64(retried.busy)/retried.elapsed.Seconds(), retried.quantile(99), calmly, amid, among)
	return pause(ctx, overloadRest)
}

// idleCrowd opens as many idle connections as the API may have after one request on each, and times the next client.
func (b *bench) idleCrowd(ctx context.Context, api *server) error {
	before, _, err := memoryOf(api.Pid())
	if err != nil {
		return err
	}
	var crowd []net.Conn
	leave := func() {
		for _, conn := range crowd {
			_ = conn.Close()
		}
	}
	defer leave()
	request, answer := []byte("GET / HTTP/1.1\r\nHost: "+api.addr+"\r\n\r\n"), make([]byte, 4<<10)
	for range b.size.idle {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", api.addr)
		if err != nil {
			return fmt.Errorf("idle connection %d: %w", len(crowd)+1, err)
		}
		crowd = append(crowd, conn)
		_ = conn.SetDeadline(time.Now().Add(startLimit))
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if _, err := io.ReadAtLeast(conn, answer, 1); err != nil {
			return fmt.Errorf("idle connection %d is not answered: %w", len(crowd), err)
		}
	}
	next := row{measure: "overload", what: fmt.Sprintf("the next client beside %d idle connections", b.size.idle), unit: millis, target: most(500)}
	for range 3 {
		c := newClient(api.addr, time.Now().Add(startLimit))
		start := time.Now()
		status, err := c.do(codeRequest(b.numbers.next()))
		c.CloseIdleConnections()
		if err != nil || status != http.StatusAccepted {
			return errors.Join(err, fmt.Errorf("the next client is answered %d", status))
		}
		next.add(ours, inMillis(time.Since(start)))
	}
	crowded, _, err := memoryOf(api.Pid())
	if err != nil {
		return err
	}
	leave()
	var after float64
	err = until(ctx, 10*time.Second, func() (bool, error) {
		after, _, err = memoryOf(api.Pid())
		return after < (before+crowded)/2, err
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	b.report.add(next)
	memory := func(what string, u unit, v float64) {
		b.report.value(row{measure: "overload", what: "API, resident memory " + what, unit: u}, v)
	}
	memory("beside them", mebibytes, crowded/mib)
	memory("ten seconds after them", mebibytes, after/mib)
	memory("for one of them", octets, (crowded-before)/float64(b.size.idle))
	b.sayf("  %d idle connections: the next client waits %v ms; memory %.0f MiB before, %.0f beside them, %.0f when they have gone",
		b.size.idle, next.samples[ours], before/mib, crowded/mib, after/mib)
	return nil
}
