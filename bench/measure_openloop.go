package main

import (
	"context"
	"fmt"
	"time"
)

// step is one load of the open loop, with a figure for each round.
type step struct {
	load                 float64 // share of what the closed loop reaches
	asked, good, refused sample  // a second
	times                timing  // of good answers, from their requests' planned starts
}

// loads are the steps of the open loop; the last one is an overload.
func loads() []float64 { return []float64{0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5} }

const (
	// kneeP99 is the latency of the slowest per cent up to which a load counts as served well.
	kneeP99 = 100 * time.Millisecond

	// calmLoad is the load before and after the overload, whose latency must come back.
	calmLoad = 0.5

	// window is how long the latency is watched for one figure of the recovery.
	window = 250 * time.Millisecond

	// recoveryLimit bounds the recovery.
	recoveryLimit = 30 * time.Second
)

// openLoop requests codes at constant rates, whether the ones before are answered or not, with every limit counted. The
// generator shares the cores, so its own delays are part of the latencies.
func (b *bench) openLoop(ctx context.Context) error {
	api, l, err := b.countedCodes(ctx)
	if err != nil {
		return err
	}
	defer api.stop()
	curve := make([]step, len(loads()))
	for i, share := range loads() {
		curve[i].load = share
	}
	what := "open loop of send-code, limits counted"
	reached := row{measure: "openloop", what: "closed loop of send-code, limits counted, the better of 64 and 512 connections", unit: perSec}
	recovered := row{
		measure: "openloop", what: fmt.Sprintf("%s: from the end of %.1f × saturation until the p99 at %.1f is as before", what, loads()[len(loads())-1], calmLoad),
		unit: millis, target: most(2000),
	}
	knees := row{measure: "openloop", what: what + ": highest load with a p99 of at most 100 ms", unit: percent, target: least(90, "of saturation")}
	for round := range b.rounds {
		saturation, err := b.saturation(ctx, l)
		if err != nil {
			return err
		}
		reached.add(ours, saturation)
		took, err := b.climb(ctx, l, saturation, curve)
		if err != nil {
			return err
		}
		recovered.add(ours, inMillis(took))
		b.sayf("  round %d: saturation %.0f/s, recovered after %v", round+1, saturation, took)
	}
	knees.add(ours, 100*knee(curve))
	b.report.curve = curve
	b.report.add(reached, knees, recovered)
	return nil
}

// saturation is the most good answers a second of a closed loop, in which each caller waits for its answer.
func (b *bench) saturation(ctx context.Context, l load) (most float64, err error) {
	for _, l.conns = range []int{64, 512} {
		o, err := l.run(ctx)
		if err != nil {
			return 0, err
		}
		most = max(most, o.rate())
	}
	return most, nil
}

// climb adds a round to each step of the curve, and returns how long the recovery from the last one took.
func (b *bench) climb(ctx context.Context, l load, saturation float64, curve []step) (time.Duration, error) {
	calm := l.arriving(calmLoad*saturation, window)
	var before time.Duration
	for range max(int(b.duration/window), 4) {
		o, err := calm.run(ctx)
		if err != nil {
			return 0, err
		}
		before = max(before, o.quantile(99))
	}
	for i := range curve {
		s := &curve[i]
		arriving := l.arriving(s.load*saturation, b.duration)
		arriving.conns, arriving.open = b.size.crowd, true
		o, err := arriving.run(ctx)
		if err != nil {
			return 0, err
		}
		s.add(o, arriving.rate, b.duration)
		b.sayf("  %.2f of saturation: asked %.0f/s, %d good, %d refused in %v, p50 %v, p99 %v, p99.9 %v", s.load, arriving.rate,
			o.done, o.busy, o.elapsed.Round(time.Millisecond), o.quantile(50), o.quantile(99), o.quantile(99.9))
	}
	ended := time.Now()
	for time.Since(ended) < recoveryLimit {
		took := time.Since(ended)
		o, err := calm.run(ctx)
		if err != nil {
			return 0, err
		}
		if o.busy == 0 && o.quantile(99) <= before {
			return took, nil
		}
	}
	return recoveryLimit, nil
}

// arriving is the same load as an open loop: so many requests a second are made for a while, and all of them are answered.
func (l load) arriving(rate float64, during time.Duration) load {
	l.planned, l.rate, l.count, l.duration = true, rate, max(int(rate*during.Seconds()), 1), during+patience
	return l
}

// add adds a round, whose requests were planned for the given time. Answers may come later: a backlog is not a rate that
// was kept up.
func (s *step) add(o *outcome, asked float64, during time.Duration) {
	seconds := max(o.elapsed, during).Seconds()
	s.asked = append(s.asked, asked)
	s.good = append(s.good, float64(o.done)/seconds)
	s.refused = append(s.refused, float64(o.busy)/seconds)
	s.times.add(o)
}

// knee is the highest load up to which every load was served well, by the medians of the rounds; 0 when none was.
func knee(curve []step) (highest float64) {
	for _, s := range curve {
		if s.times.p99.median() > inMillis(kneeP99) || s.refused.median() > 0 {
			break
		}
		highest = s.load
	}
	return highest
}
