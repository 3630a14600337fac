package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// load is a crowd of callers. It ends with its duration or its count, whichever comes first.
type load struct {
	addr     string
	conns    int
	duration time.Duration
	count    int     // 0 for no bound
	rate     float64 // requests a second in all; 0 for as many as are answered
	make     func(n int) []byte
	want     int                       // status of a good answer
	busy     int                       // status of an answer that is neither good nor bad, 0 for none
	sent     func(k int, at time.Time) // told of each request's start; may be nil
	next     func() int                // number for make
	open     bool                      // connects all callers before the clock starts
}

// outcome is what became of a load.
type outcome struct {
	done, failed int
	busy         int
	elapsed      time.Duration
	times        histogram // of good answers
	status       int       // of one bad answer, 0 for a broken connection
	err          error     // of one broken connection
}

func (o *outcome) rate() float64 { return float64(o.done) / o.elapsed.Seconds() }

// check returns an error when more than one request in two hundred went wrong: a figure of refusals would be
// worse than none.
func (o *outcome) check() error {
	switch {
	case o.done == 0 && o.failed == 0:
		return errors.New("no request was made")
	case o.failed*200 <= o.done:
		return nil
	case o.err != nil:
		return fmt.Errorf("%d of %d requests failed: %w", o.failed, o.done+o.failed, o.err)
	default:
		return fmt.Errorf("%d of %d requests got other answers, such as %d", o.failed, o.done+o.failed, o.status)
	}
}

// patience is how long answers may take after the last request was made.
const patience = 15 * time.Second

// run makes the requests. The rate is that from the first start to the last answer.
func (l load) run(ctx context.Context) (*outcome, error) {
	var ticket atomic.Int64
	outcomes := make([]outcome, l.conns)
	wires, err := l.wires()
	defer func() {
		for _, w := range wires {
			w.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	began := time.Now()
	var group sync.WaitGroup
	for i := range outcomes {
		group.Go(func() { l.call(ctx, wires[i], began, &ticket, &outcomes[i]) })
	}
	group.Wait()
	all := &outcome{elapsed: time.Since(began)}
	for i := range outcomes {
		o := &outcomes[i]
		all.done, all.failed, all.busy = all.done+o.done, all.failed+o.failed, all.busy+o.busy
		all.times.merge(&o.times)
		if o.failed > 0 {
			all.status, all.err = o.status, o.err
		}
	}
	return all, all.check()
}

// wires are the connections of the callers; they connect when they are first used, unless they are to be open before.
func (l load) wires() ([]*wire, error) {
	wires := make([]*wire, l.conns)
	until := time.Now().Add(l.duration + patience)
	for i := range wires {
		wires[i] = &wire{addr: l.addr, until: until}
		if !l.open {
			continue
		}
		if err := wires[i].dial(); err != nil {
			return wires, fmt.Errorf("connection %d of %d: %w", i+1, l.conns, err)
		}
	}
	return wires, nil
}

// call is one caller on one connection.
func (l load) call(ctx context.Context, w *wire, began time.Time, ticket *atomic.Int64, o *outcome) {
	for ctx.Err() == nil {
		k := int(ticket.Add(1)) - 1
		if l.count > 0 && k >= l.count || !l.await(ctx, began, k) {
			return
		}
		request := l.make(l.next())
		start := time.Now()
		if l.sent != nil {
			l.sent(k, start)
		}
		status, err := w.do(request)
		if err == nil && status == l.busy {
			o.busy++
			continue
		}
		if err != nil || status != l.want {
			o.failed++
			o.status, o.err = status, err
			continue
		}
		o.done++
		o.times.add(time.Since(start))
	}
}

// await waits for the k-th request's turn, and reports whether it comes.
func (l load) await(ctx context.Context, began time.Time, k int) bool {
	if l.rate == 0 {
		return true
	}
	timer := time.NewTimer(time.Until(began.Add(time.Duration(float64(k) / l.rate * float64(time.Second)))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
