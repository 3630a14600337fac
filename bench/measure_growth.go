package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// depth has the figures with a queue of some length.
type depth struct{ send, drain, memory, task sample }

// join adds the figures of another run with the same length.
func (d *depth) join(more depth) {
	d.send, d.drain = append(d.send, more.send...), append(d.drain, more.drain...)
	d.memory, d.task = append(d.memory, more.memory...), append(d.task, more.task...)
}

// growth measures what is kept of each code, session, account and message, and whether much of it makes anything slower.
func (b *bench) growth(ctx context.Context) error {
	if err := b.longQueue(ctx); err != nil {
		return err
	}
	return b.populated(ctx)
}

// longQueue compares a long queue with a short one, which is measured before and after it: filling the long one may take
// minutes, in which the load of the machine may change.
func (b *bench) longQueue(ctx context.Context) error {
	var found [2]depth
	for _, i := range []int{0, 1, 0} {
		now, err := b.withQueued(ctx, b.size.depths[i])
		if err != nil {
			return err
		}
		found[i].join(now)
		b.sayf("  %d queued: send %.0f/s, drain %.0f/s, %.0f B each", b.size.depths[i],
			now.send.median(), now.drain.median(), now.memory.median())
	}
	short, long := found[0], found[1]
	with := fmt.Sprintf(" with %d queued", b.size.depths[1])
	compare := func(what string, u unit, long, short sample, t target) {
		b.report.add(row{
			measure: "growth", what: what + with, unit: u, target: t,
			floor: fmt.Sprintf("the same with %d queued", b.size.depths[0]), samples: [sides]sample{long, short},
		})
	}
	compare("send-code, 64 connections,", perSec, long.send, short.send, ofFloor(0.95))
	compare("queue of codes, vendor answers at once,", perSec, long.drain, short.drain, ofFloor(0.95))
	compare("Redis for one queued code", octets, long.memory, short.memory, most(1300))
	compare("Redis for its task alone", octets, long.task, short.task, target{})
	return nil
}

// withQueued fills the queue and measures how fast it grows and shrinks then.
func (b *bench) withQueued(ctx context.Context, length int) (d depth, err error) {
	if err := b.testbed.clear(ctx); err != nil {
		return d, err
	}
	if err := pause(ctx, time.Second); err != nil { // Redis frees what it was told to forget
		return d, err
	}
	empty, err := b.usedMemory(ctx)
	if err != nil {
		return d, err
	}
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return d, err
	}
	defer api.stop()
	if _, err := b.issue(ctx, api.addr, length); err != nil {
		return d, err
	}
	used, err := b.usedMemory(ctx)
	if err != nil {
		return d, err
	}
	d.memory = sample{(used - empty) / float64(length)}
	if d.task, err = b.taskMemory(ctx); err != nil {
		return d, err
	}
	some := b.size.depths[0] / 2 // sent and drained in each round
	for range b.rounds {
		l := b.codes(api.addr)
		l.duration, l.count = drainLimit, some
		o, err := l.run(ctx)
		if err != nil {
			return d, err
		}
		d.send = append(d.send, o.rate())
	}
	api.stop()
	for range b.rounds {
		rate, err := b.drainSome(ctx, some)
		if err != nil {
			return d, err
		}
		d.drain = append(d.drain, rate)
	}
	return d, nil
}

// pendingKey is Asynq's list of waiting codes.
const pendingKey = "asynq:{sms}:pending"

// taskMemory returns the bytes of the newest tasks, without their entries in the list.
func (b *bench) taskMemory(ctx context.Context) (sample, error) {
	ids, err := b.testbed.client.LRange(ctx, pendingKey, 0, 4).Result()
	if err != nil {
		return nil, err
	}
	var all sample
	for _, id := range ids {
		used, err := b.testbed.client.MemoryUsage(ctx, "asynq:{sms}:t:"+id).Result()
		if err != nil {
			return nil, err
		}
		all = append(all, float64(used))
	}
	return all, nil
}

// drainSome lets a worker send so many codes, or a few more.
func (b *bench) drainSome(ctx context.Context, count int) (float64, error) {
	if err := b.testbed.vendor.clear(ctx); err != nil {
		return 0, err
	}
	worker, err := b.testbed.worker(ctx, "sms", nil)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	tally, err := b.testbed.vendor.await(ctx, "aliyun", count, drainLimit)
	return perSecond(tally), err
}

// usedMemory is what Redis counts as used, its own buffers included.
func (b *bench) usedMemory(ctx context.Context) (float64, error) {
	info, err := b.testbed.client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		var used float64
		if _, err := fmt.Sscanf(line, "used_memory:%f", &used); err == nil {
			return used, nil
		}
	}
	return 0, errors.New("INFO memory has no used_memory")
}
