package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"usher/config"
	"usher/queue"
	"usher/store/redisstore"
)

// Both stores are tried for all that the service does with them, now and then and not at each question, since that takes
// some sixty commands. In between readiness asks little.
const (
	tryEvery = 15 * time.Second
	tryAgain = 2 * time.Second // after a try that found something
	tryTime  = 10 * time.Second

	// askEvery bounds how often a store is asked whether it is there: many may ask for health at once.
	askEvery = 500 * time.Millisecond
)

// trials tries what the service does with its stores until it is stopped, and keeps what it found. It is safe for
// concurrent use.
type trials struct {
	stores *Stores
	logger *slog.Logger
	stop   context.CancelFunc
	ended  chan struct{} // gets two words

	mu    sync.Mutex
	found found
}

// found is what a try of the stores found; nil where all is well.
type found struct {
	redis    error // what Redis refuses, or whose it is
	warning  error // what the service works without
	database error
	paused   []string // queues
}

// newTrials tries the stores once. A Redis that another deployment uses with other keys is an error; whatever else is
// found may pass, and is logged.
func newTrials(ctx context.Context, stores *Stores, logger *slog.Logger) (*trials, error) {
	t := &trials{stores: stores, logger: logger, ended: make(chan struct{}, 2)}
	t.measure(ctx)
	t.try(ctx)
	if err := foreign(t.look().redis); err != nil {
		return nil, err
	}
	ctx, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	go t.run(ctx)
	go t.keepTime(ctx)
	return t, nil
}

// foreign returns what to change where another deployment uses the namespace, or nil.
func foreign(err error) error {
	other, ok := errors.AsType[*redisstore.ForeignError](err)
	if !ok {
		return nil
	}
	return config.Mistakes{{Variable: config.Prefix + "NAMESPACE", Text: other.Error() + ": set " + config.Prefix +
		"NAMESPACE to a name of this deployment's own, or " + config.Prefix + "SECRET_KEYS to the keys of the other one if both " +
		"are one; where the keys were replaced on purpose see docs/keys.md"}}
}

func (t *trials) close() {
	t.stop()
	<-t.ended
	<-t.ended
}

func (t *trials) run(ctx context.Context) {
	defer func() { t.ended <- struct{}{} }()
	for {
		pause := tryEvery
		if f := t.look(); f.redis != nil || f.database != nil {
			pause = tryAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			t.try(ctx)
		}
	}
}

// The machine's clock is compared with that of Redis now and then, and at once when it was set.
const (
	measureEvery = 10 * time.Second
	measureLook  = time.Second
)

// keepTime compares clocks until ctx ends.
func (t *trials) keepTime(ctx context.Context) {
	defer func() { t.ended <- struct{}{} }()
	ticker := time.NewTicker(measureLook)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if t.stores.Clock.Leapt() || time.Since(last) >= measureEvery {
				t.measure(ctx)
				last = time.Now()
			}
		}
	}
}

// measure compares clocks. While Redis is away the clock goes on by itself; where TIME is refused it is the machine's own.
func (t *trials) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.stores.patience)
	defer cancel()
	was := t.stores.Clock.Ahead()
	_ = t.stores.Clock.Measure(ctx)
	if is := t.stores.Clock.Ahead(); is.Abs() >= clockWarn && (is-was).Abs() >= clockWarn {
		t.logger.Warn("clocks differ", "detail", clockSentence(is))
	}
}

// look returns what was found last.
func (t *trials) look() found {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.found
}

// try tries both stores at the same time, and logs what is new.
func (t *trials) try(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	var now found
	var both sync.WaitGroup
	both.Go(func() { now.warning, now.redis = t.stores.tryRedis(ctx) })
	both.Go(func() { now.paused = t.stores.pausedQueues(ctx) })
	both.Go(func() { now.database = t.stores.SQL.ProbeWrite(ctx) })
	both.Wait()
	if ctx.Err() != nil && now.redis == nil && now.database == nil {
		return // stopped half-way
	}
	t.mu.Lock()
	before := t.found
	t.found = now
	t.mu.Unlock()
	if isNews(before.redis, now.redis) {
		t.logger.Warn("redis is of no use for now", advice(now.redis)...)
	}
	if isNews(before.warning, now.warning) {
		t.logger.Warn("redis refuses what this process works without", advice(now.warning)...)
	}
	if len(now.paused) > 0 && !slices.Equal(before.paused, now.paused) {
		t.logger.Warn("queues are paused: their messages wait", "queues", now.paused, "see", "/queues")
	}
	if isNews(before.database, now.database) {
		t.logger.Warn("the database refuses what this process needs", advice(now.database)...)
	}
}

func isNews(before, now error) bool {
	return now != nil && (before == nil || before.Error() != now.Error())
}

func advice(err error) []any { return []any{"error", err, "to_do", todo(err), "see", "admin doctor"} }

// tryRedis tries all that the service does with Redis, and says whose keys are used there.
func (s *Stores) tryRedis(ctx context.Context) (warning, err error) {
	if warning, err = s.Redis.ProbeAll(ctx); err != nil {
		return warning, err
	}
	return warning, s.Redis.Claim(ctx)
}

// pausedQueues returns the deployment's queues that were paused in the dashboard, or by Asynq's command. A Redis that does
// not answer has none.
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

// asked is a question whose answer is kept for a moment, and which one asks at a time.
type asked struct {
	ask      func(context.Context) error
	patience time.Duration

	slot chan struct{} // who holds it may use the others
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
		// The one who asks may go away; others wait for the answer.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.patience)
		defer cancel()
		a.err, a.at = a.ask(bounded), time.Now()
	}
	return a.err
}
