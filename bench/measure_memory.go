package main

import (
	"context"
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
	pair, err := b.both(ctx)
	if err != nil {
		return err
	}
	defer pair.stop()
	if err := pause(ctx, b.size.settle); err != nil {
		return err
	}
	before := b.usage(pair.other, pair.api)
	if err := pause(ctx, rests*b.size.settle); err != nil {
		return err
	}
	used := usage{}
	used.add(before, b.usage(pair.other, pair.api))
	idle, own, err := pair.memory()
	if err != nil {
		return err
	}
	peak, err := b.peak(ctx, pair)
	if err != nil {
		return err
	}
	for i, name := range []string{"API", "worker"} {
		share := 100 * used[name].Seconds() / (rests * b.size.settle).Seconds()
		b.sayf("  %s: idle %.1f MiB and %.1f %% of a core, loaded %.1f MiB", name, idle[i]/mib, share, peak[i]/mib)
		b.report.value(row{measure: "memory", what: name + ", resident when idle", unit: mebibytes, target: most([]float64{38, 28}[i])}, idle[i]/mib)
		b.report.value(row{measure: "memory", what: "… without the pages of the program's file", unit: mebibytes}, own[i]/mib)
		b.report.value(row{measure: "memory", what: name + ", resident at most under load", unit: mebibytes}, peak[i]/mib)
		b.report.value(row{measure: "memory", what: name + ", of one core when idle", unit: percent, target: most(1.5)}, share)
	}
	return nil
}

// memory is [memoryOf] of API and worker.
func (p *pair) memory() (resident, anonymous [2]float64, err error) {
	for i, s := range []*server{p.api, p.other} {
		if resident[i], anonymous[i], err = memoryOf(s.Pid()); err != nil {
			break
		}
	}
	return resident, anonymous, err
}

// peak returns the most memory that was seen while codes went through both.
func (b *bench) peak(ctx context.Context, p *pair) (highest [2]float64, err error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	group.Go(func() {
		for pause(watching, 50*time.Millisecond) == nil {
			now, _, err := p.memory()
			if err != nil {
				return
			}
			highest[0], highest[1] = max(highest[0], now[0]), max(highest[1], now[1])
		}
	})
	_, err = b.request(ctx, plainCodes(p.api.addr), b.size.sends)
	if err == nil {
		_, err = b.testbed.vendor.await(ctx, "aliyun", b.size.sends)
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
