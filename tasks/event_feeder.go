package tasks

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/queue"
)

const (
	// feedBusy and feedIdle are the pauses between two looks at what is due, after a look that has found something and after one
	// that has not.
	feedBusy = 100 * time.Millisecond
	feedIdle = 400 * time.Millisecond

	takeBackInterval = time.Second

	// feedTogether is how many tasks are enqueued at the same time. Redis may sync each write, which takes as long for many as for
	// one.
	feedTogether = 16

	// feedLead is the time after which another worker replaces a feeder that died.
	feedLead    = 2 * time.Second
	feedTimeout = 10 * time.Second

	// firstWindow is how many deliveries an endpoint gets before it has answered any.
	firstWindow = 4

	feederName = "events"
)

// EventLeaders elects one feeder of all workers.
type EventLeaders interface {
	Lead(ctx context.Context, name, caller string, ttl time.Duration) (bool, error)
	Resign(ctx context.Context, name, caller string) error
}

// EventFeeder enqueues deliveries that are due. The database is the source of truth: a delivery whose task is lost is fed again.
// Any number of workers may run one; one of them feeds.
//
// An endpoint has only so many tasks at a time, so that a slow one does not fill the queue or all slots of the workers: twice as
// many as it has finished since the last look, and one while it fails.
type EventFeeder struct {
	Events   EventStore
	Enqueuer *Enqueuer
	Leaders  EventLeaders
	Most     int // tasks of an endpoint at a time
	Logger   *slog.Logger

	id      string
	open    map[string]int // by endpoint: tasks after the last look
	healed  time.Time      // when deliveries were last taken back
	failing bool
}

// Run feeds whenever this worker leads, until ctx ends.
func (f *EventFeeder) Run(ctx context.Context) {
	f.id, f.open = rand.Text(), map[string]int{}
	defer f.resign(context.WithoutCancel(ctx))
	for pause := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		fed, err := f.feed(ctx)
		pause = feedIdle
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !f.failing:
			f.failing = true
			f.Logger.Warn("due events not enqueued; they wait in the database", "error", err)
		case err == nil:
			f.failing = false
			if fed > 0 {
				pause = feedBusy
			}
		}
	}
}

func (f *EventFeeder) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, feedLead)
	defer cancel()
	if err := f.Leaders.Resign(ctx, feederName, f.id); err != nil {
		f.Logger.Debug("feeder of events not handed over", "error", err)
	}
}

// feed looks once, and returns how many tasks it has enqueued.
func (f *EventFeeder) feed(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	leads, err := f.Leaders.Lead(ctx, feederName, f.id, feedLead)
	if err != nil || !leads {
		return 0, err
	}
	if now := time.Now(); now.Sub(f.healed) >= takeBackInterval {
		if err := f.Events.TakeBack(ctx); err != nil {
			return 0, err
		}
		f.healed = now
	}
	due, err := f.Events.Feed(ctx, f.window)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(feedTogether)
	for _, one := range due { // what is not enqueued after an error is taken back after a while
		group.Go(func() error { return f.Enqueuer.enqueueEvent(ctx, one) })
	}
	return len(due), errors.Join(err, group.Wait())
}

// window returns how many more tasks an endpoint gets.
func (f *EventFeeder) window(endpoint string, open int, failing bool) int {
	finished := max(f.open[endpoint]-open, 0)
	size := min(max(2*finished, firstWindow), f.Most)
	if failing {
		size = 1
	}
	more := max(size-open, 0)
	f.open[endpoint] = open + more
	return more
}

// EventKeeper gives up and deletes old deliveries.
type EventKeeper interface {
	Expire(ctx context.Context) (int, error)
	Prune(ctx context.Context) (int, error)
}

// EventsJob gives up deliveries that are too old, as those of disabled endpoints, and deletes old events.
func EventsJob(keeper EventKeeper, logger *slog.Logger) queue.Job {
	return queue.Job{Name: "events", Every: time.Hour, Run: func(ctx context.Context) error {
		expired, err := keeper.Expire(ctx)
		logCleaned(ctx, logger, "deliveries of events given up", expired)
		if err != nil {
			return err
		}
		pruned, err := keeper.Prune(ctx)
		logCleaned(ctx, logger, "old events deleted", pruned)
		return err
	}}
}
