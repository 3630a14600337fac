package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"usher/config"
	"usher/queue"
	"usher/store/redisstore"
)

// Both stores are probed for every operation that the service needs at intervals and not at each request for readiness, since
// that takes some sixty commands. In between readiness only asks whether they answer.
const (
	probeEvery = 15 * time.Second
	probeAgain = 2 * time.Second // after a probe that found a fault
	probeTime  = 10 * time.Second

	// askEvery bounds how often a store is asked whether it answers: many clients may ask for readiness at once.
	askEvery = 500 * time.Millisecond
)

// prober probes the stores, and compares the machine's clock with that of Redis, until it is stopped. It keeps the latest
// findings. It is safe for concurrent use.
type prober struct {
	stores *Stores
	logger *slog.Logger
	stop   context.CancelFunc
	loops  sync.WaitGroup

	mu    sync.Mutex
	found findings
}

// findings are the faults that a probe of the stores found; nil where there is none.
type findings struct {
	redis    error // an operation that Redis refuses, or the deployment whose Redis it is
	warning  error // an operation that the service works without
	database error
	paused   []string // queues
}

// newProber probes the stores once. A Redis that another deployment uses with other keys is an error; every other fault
// is logged, since it may pass.
func newProber(ctx context.Context, stores *Stores, logger *slog.Logger) (*prober, error) {
	p := &prober{stores: stores, logger: logger}
	p.compareClocks(ctx)
	p.probe(ctx)
	if err := foreign(p.latest().redis); err != nil {
		return nil, err
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.loops.Go(func() { p.run(ctx) })
	p.loops.Go(func() { p.keepTime(ctx) })
	return p, nil
}

// foreign returns what to change where another deployment uses the namespace, or nil.
func foreign(err error) error {
	other, ok := errors.AsType[*redisstore.ForeignError](err)
	if !ok {
		return nil
	}
	return config.Wrong("NAMESPACE", fmt.Errorf("%w: set USHER_NAMESPACE to a name of this deployment's own, or USHER_SECRET_KEYS to "+
		"the keys of the other one if both are one; where the keys were replaced on purpose see docs/keys.md", other))
}

func (p *prober) close() {
	p.stop()
	p.loops.Wait()
}

// run probes the stores until ctx ends.
func (p *prober) run(ctx context.Context) {
	last := time.Now()
	queue.Every(ctx, probeAgain, func(ctx context.Context) {
		f := p.latest()
		if f.redis != nil || f.database != nil || time.Since(last) >= probeEvery {
			p.probe(ctx)
			last = time.Now()
		}
	})
}

// The machine's clock is compared with that of Redis at intervals, and at once when it was set.
const (
	compareEvery = 10 * time.Second
	checkEvery   = time.Second // whether it was set
)

// keepTime compares clocks until ctx ends.
func (p *prober) keepTime(ctx context.Context) {
	last := time.Now()
	queue.Every(ctx, checkEvery, func(ctx context.Context) {
		if p.stores.Clock.Leapt() || time.Since(last) >= compareEvery {
			p.compareClocks(ctx)
			last = time.Now()
		}
	})
}

// compareClocks measures the offset. While Redis is unavailable the clock keeps the last one; where TIME is refused it is the
// machine's own.
func (p *prober) compareClocks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.stores.patience)
	defer cancel()
	was := p.stores.Clock.Ahead()
	_ = p.stores.Clock.Measure(ctx)
	if is := p.stores.Clock.Ahead(); is.Abs() >= clockWarn && (is-was).Abs() >= clockWarn {
		p.logger.Warn("clocks differ", "detail", clockSentence(is))
	}
}

// latest returns the latest findings.
func (p *prober) latest() findings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found
}

// probe probes both stores at the same time, and logs new findings.
func (p *prober) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var now findings
	var both sync.WaitGroup
	both.Go(func() { now.warning, now.redis = p.stores.probeRedis(ctx) })
	both.Go(func() { now.paused = p.stores.pausedQueues(ctx) })
	both.Go(func() { now.database = p.stores.SQL.ProbeWrite(ctx) })
	both.Wait()
	if ctx.Err() != nil && now.redis == nil && now.database == nil {
		return // stopped half-way
	}
	p.mu.Lock()
	before := p.found
	p.found = now
	p.mu.Unlock()
	if isNews(before.redis, now.redis) {
		p.logger.Warn("redis cannot be used", advice(now.redis)...)
	}
	if isNews(before.warning, now.warning) {
		p.logger.Warn("redis refuses operations that this process works without", advice(now.warning)...)
	}
	if len(now.paused) > 0 && !slices.Equal(before.paused, now.paused) {
		p.logger.Warn("queues are paused: their messages wait", "queues", now.paused, "see", "/queues")
	}
	if isNews(before.database, now.database) {
		p.logger.Warn("the database refuses operations that this process needs", advice(now.database)...)
	}
}

func isNews(before, now error) bool {
	return now != nil && (before == nil || before.Error() != now.Error())
}

func advice(err error) []any { return []any{"error", err, "to_do", todo(err), "see", "admin doctor"} }

// probeRedis probes every operation that the service needs of Redis, and claims the namespace for this deployment's keys.
func (s *Stores) probeRedis(ctx context.Context) (warning, err error) {
	if warning, err = s.Redis.ProbeAll(ctx); err != nil {
		return warning, err
	}
	return warning, s.Redis.Claim(ctx)
}

// pausedQueues returns the deployment's queues that were paused in the dashboard, or by Asynq's command; none when Redis does
// not answer.
func (s *Stores) pausedQueues(ctx context.Context) []string {
	snapshots, err := queue.Inspect(ctx, s.Client, s.Namespace.Queues(s.shards), s.Clock.Now())
	if err != nil {
		return nil
	}
	var paused []string
	for name, snapshot := range snapshots {
		if snapshot.Paused {
			paused = append(paused, name)
		}
	}
	slices.Sort(paused)
	return paused
}

// asked is a question whose answer is kept for a moment, and which one caller asks at a time.
type asked struct {
	ask      func(context.Context) error
	patience time.Duration

	slot chan struct{} // guards the fields below; a channel, since a caller may give up
	at   time.Time
	err  error
}

func newAsked(patience time.Duration, ask func(context.Context) error) *asked {
	return &asked{ask: ask, patience: patience, slot: make(chan struct{}, 1)}
}

// answer asks, unless that was done a moment ago.
func (a *asked) answer(ctx context.Context) error {
	select {
	case a.slot <- struct{}{}:
		defer func() { <-a.slot }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if time.Since(a.at) >= askEvery {
		// The caller that asks may give up; others wait for the answer.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.patience)
		defer cancel()
		a.err, a.at = a.ask(bounded), time.Now()
	}
	return a.err
}
