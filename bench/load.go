package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// load is a number of callers that send requests at the same time. It ends with its duration or its count,
// whichever comes first.
type load struct {
	addr     string
	conns    int
	duration time.Duration
	count    int     // 0 for no bound
	rate     float64 // requests a second in all; 0 for as many as are answered
	planned  bool    // times count from the planned starts: a request that waits for a free caller waits for the server
	make     func(n int) request
	want     int        // status of a good answer
	good     string     // text in its body; empty for any
	busy     int        // status of an answer that is neither good nor bad, 0 for none
	next     func() int // number for make
	open     bool       // connects all callers before the clock starts
}

// outcome is the result of a load.
type outcome struct {
	mu           sync.Mutex
	done, failed int
	busy         int
	refused      int // answers without the text of a good one
	refusal      string
	elapsed      time.Duration
	times        *hdrhistogram.Histogram // of good answers, in microseconds
	status       int                     // of one bad answer, 0 for a broken connection
	err          error                   // of one broken connection
}

// rate is good answers a second.
func (o *outcome) rate() float64 { return float64(o.done) / o.elapsed.Seconds() }

// refusals returns the share of refusals in all answers but failures, in per cent.
func (o *outcome) refusals() float64 {
	return 100 * float64(o.refused) / float64(max(o.refused+o.done, 1))
}

// quantile returns the time that the given percentage of good answers did not exceed, exact to one per cent.
func (o *outcome) quantile(percent float64) time.Duration {
	return time.Duration(o.times.ValueAtQuantile(percent)) * time.Microsecond
}

// check returns an error when more than one request in two hundred failed: a figure of refusals would be
// worse than none.
func (o *outcome) check() error {
	switch {
	case o.done == 0 && o.refused > 0:
		return fmt.Errorf("all %d answers were refusals: %.200s", o.refused, o.refusal)
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

// add counts one answer.
func (o *outcome) add(l *load, took time.Duration, status int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var refused refusal
	switch {
	case errors.As(err, &refused):
		o.refused++
		o.refusal = refused.body
	case err == nil && status == l.want:
		o.done++
		_ = o.times.RecordValue(took.Microseconds()) // no answer takes longer than the histogram's largest value
	case err == nil && status == l.busy:
		o.busy++
	default:
		o.failed++
		o.status, o.err = status, err
	}
}

// patience is how long answers may take after the last request was made.
const patience = 30 * time.Second

// run makes the requests. The rate is that from the first start to the last answer.
func (l load) run(ctx context.Context) (*outcome, error) {
	senders := make([]sender, l.conns)
	for i := range senders {
		c := newClient(l.addr, time.Now().Add(l.duration+patience))
		c.good = l.good
		defer c.CloseIdleConnections()
		senders[i] = c.do
		if !l.open {
			continue
		}
		if err := c.open(ctx); err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, l.conns, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	o := l.drive(ctx, senders)
	return o, o.check()
}

// sender sends a request and returns the status of the answer.
type sender func(request) (status int, err error)

// drive has one caller for each sender.
func (l load) drive(ctx context.Context, senders []sender) *outcome {
	var ticket atomic.Int64
	o := &outcome{times: hdrhistogram.New(1, time.Hour.Microseconds(), 2)}
	began := time.Now()
	var group sync.WaitGroup
	for _, send := range senders {
		group.Go(func() { l.call(ctx, send, began, &ticket, o) })
	}
	group.Wait()
	o.elapsed = time.Since(began)
	return o
}

// call is one caller.
func (l load) call(ctx context.Context, send sender, began time.Time, ticket *atomic.Int64, o *outcome) {
	for ctx.Err() == nil {
		k := int(ticket.Add(1)) - 1
		if l.count > 0 && k >= l.count {
			return
		}
		plan := began
		if l.rate > 0 {
			plan = began.Add(time.Duration(float64(k) / l.rate * float64(time.Second)))
			if pause(ctx, time.Until(plan)) != nil {
				return
			}
		}
		r := l.make(l.next())
		start := time.Now()
		if l.planned {
			start = plan
		}
		status, err := send(r)
		o.add(&l, time.Since(start), status, err)
	}
}
