package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// mib is the unit of memory in the report.
const mib = 1 << 20

// rests is how many times the settling time is watched for processor time, which the system counts in hundredths of a
// second.
const rests = 4

// memory measures both programs before and during a load.
func (b *bench) memory(ctx context.Context) error {
	pair, err := b.both(ctx, 0)
	if err != nil {
		return err
	}
	defer pair.stop()
	if err := pause(ctx, b.size.settle); err != nil {
		return err
	}
	before := b.usage(pair.worker, pair.api)
	if err := pause(ctx, rests*b.size.settle); err != nil {
		return err
	}
	used := usage{}
	used.add(before, b.usage(pair.worker, pair.api))
	idle, err := pair.resident(residentOf)
	if err != nil {
		return err
	}
	own, err := pair.resident(anonymousOf)
	if err != nil {
		return err
	}
	peak, err := b.peak(ctx, pair)
	if err != nil {
		return err
	}
	for i, name := range []string{"API", "worker"} {
		quiet := row{measure: "memory", what: name + ", resident when idle", unit: mebibytes, target: most([]float64{38, 28}[i])}
		quiet.add(ours, idle[i]/mib)
		private := row{measure: "memory", what: "… without the pages of the program's file", unit: mebibytes}
		private.add(ours, own[i]/mib)
		busy := row{measure: "memory", what: name + ", resident at most under load", unit: mebibytes}
		busy.add(ours, peak[i]/mib)
		share := row{measure: "memory", what: name + ", of one core when idle", unit: percent, target: most(1.5)}
		share.add(ours, 100*used[name].Seconds()/(rests*b.size.settle).Seconds())
		b.sayf("  %s: idle %.1f MiB and %.1f %% of a core, loaded %.1f MiB", name, idle[i]/mib, share.samples[ours].median(), peak[i]/mib)
		for _, r := range []row{quiet, private, busy, share} {
			b.report.add(r)
		}
	}
	return nil
}

// resident returns the memory of API and worker in bytes, or a part of it.
func (p *pair) resident(of func(pid int) (float64, error)) ([2]float64, error) {
	api, err := of(p.api.Pid())
	worker, err2 := of(p.worker.Pid())
	return [2]float64{api, worker}, errors.Join(err, err2)
}

// peak returns the most memory that was seen while codes went through both.
func (b *bench) peak(ctx context.Context, p *pair) (highest [2]float64, err error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	group.Go(func() {
		for pause(watching, 50*time.Millisecond) == nil {
			now, err := p.resident(residentOf)
			if err != nil {
				return
			}
			highest[0], highest[1] = max(highest[0], now[0]), max(highest[1], now[1])
		}
	})
	_, err = b.issue(ctx, p.api.addr, b.size.sends)
	if err == nil {
		_, err = b.testbed.vendor.await(ctx, "aliyun", b.size.sends, drainLimit)
	}
	stop()
	group.Wait()
	return highest, err
}

// pause waits unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
