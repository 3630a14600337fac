package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

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
	var found [2][]row
	for _, i := range []int{0, 1, 0} {
		now, err := b.withQueued(ctx, b.size.depths[i])
		if err != nil {
			return err
		}
		for k := range found[i] {
			now[k].samples[ours] = append(found[i][k].samples[ours], now[k].samples[ours]...)
		}
		found[i] = now
	}
	b.reportGrowth(fmt.Sprintf(" with %d queued", b.size.depths[1]), fmt.Sprintf("the same with %d queued", b.size.depths[0]), found[1], found[0])
	return nil
}

// reportGrowth reports the rows of a measure with many of something, each beside that with few.
func (b *bench) reportGrowth(with, few string, rows, before []row) {
	for i, r := range rows {
		r.measure, r.what = "growth", r.what+with
		r.floor, r.samples[theFloor] = few, before[i].samples[ours]
		b.report.add(r)
		b.sayf("  %s: %s, %s %s", r.what, r.samples[ours].text(r.unit), few, r.samples[theFloor].text(r.unit))
	}
}

// withQueued fills the queue and measures how fast it grows and shrinks then.
func (b *bench) withQueued(ctx context.Context, length int) ([]row, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, time.Second); err != nil { // Redis frees what it was told to forget
		return nil, err
	}
	empty, err := b.usedMemory(ctx)
	if err != nil {
		return nil, err
	}
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer api.stop()
	if _, err := b.request(ctx, plainCodes(api.addr), length); err != nil {
		return nil, err
	}
	used, err := b.usedMemory(ctx)
	if err != nil {
		return nil, err
	}
	task, err := b.taskMemory(ctx)
	if err != nil {
		return nil, err
	}
	send := row{what: "send-code, 64 connections,", unit: perSec, target: ofFloor(0.95)}
	drain := row{what: "queue of codes, vendor answers at once,", unit: perSec, target: ofFloor(0.95)}
	code := row{what: "Redis for one queued code", unit: octets, target: most(1300), samples: [sides]sample{{(used - empty) / float64(length)}}}
	some := b.codeQueue("aliyun", b.size.depths[0]/2, usage{}) // sent and drained in each round
	name := fmt.Sprintf("%d queued, ", length)
	err = b.inTurns(ctx, b.rounds, turn{name + "send", ours, func(ctx context.Context) (float64, error) {
		l := b.codes(api.addr)
		l.duration, l.count = timeFor(some.count), some.count
		o, err := l.run(ctx)
		if err != nil {
			return 0, err
		}
		return o.rate(), nil
	}, []*row{&send}})
	if err != nil {
		return nil, err
	}
	api.stop()
	err = b.inTurns(ctx, b.rounds, turn{name + "drain", ours, func(ctx context.Context) (float64, error) {
		if err := b.testbed.vendor.clear(ctx); err != nil {
			return 0, err
		}
		return b.work(ctx, some) // a few more, until the worker has stopped
	}, []*row{&drain}})
	return []row{send, drain, code, {what: "Redis for its task alone", unit: octets, samples: [sides]sample{task}}}, err
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

// usedMemory is what Redis counts as used, its own buffers included.
func (b *bench) usedMemory(ctx context.Context) (float64, error) {
	used, err := b.testbed.info(ctx, "memory", "used_memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(used, 64)
}
