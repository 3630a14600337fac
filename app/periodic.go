package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/queue"
	"usher/store/sqlstore"
	"usher/tasks"
)

// periodicConcurrency is how many jobs one worker does at the same time.
const periodicConcurrency = 2

// canaryWait is how long a canary's report is waited for; most come within seconds.
const canaryWait = 3 * time.Minute

// addPeriodic makes the queues of periodic work that this worker takes part in.
func (w *Worker) addPeriodic() error {
	for name, jobs := range map[string][]queue.Job{
		queue.Periodic: w.jobs(), queue.PeriodicSMS: w.smsJobs(),
	} {
		name = w.stores.Namespace.Queue(name)
		if len(jobs) == 0 {
			continue
		}
		if err := w.addQueue(name, 1, periodicConcurrency, nil); err != nil {
			return err
		}
		w.periodic = append(w.periodic, &queue.Scheduler{
			Queue: name, Jobs: jobs, Client: w.stores.Client, Leaders: w.stores.Redis.Leaders(), Logger: w.logger,
		})
	}
	return nil
}

// jobs are those that any worker can do.
func (w *Worker) jobs() []queue.Job {
	return slices.Concat(w.outcomes.Jobs(), []queue.Job{
		tasks.UnprovedJob(w.stores.Accounts, w.settings.Config.UnprovedTTL, w.stores.Clock.Now, w.logger),
		tasks.ChangesJob(w.stores.Accounts, w.stores.Clock.Now, w.logger),
		{Name: "spent", Every: pruneEvery, Run: w.pruneSpent},
		{Name: "traffic", Every: time.Minute, Run: func(ctx context.Context) error {
			_, err := sqlstore.NewMessages(w.stores.SQL, w.stores.Clock.Now).RollUp(ctx)
			return err
		}},
	})
}

// pruneEvery is how often notes of ended sessions and used codes that have run out are deleted.
const pruneEvery = time.Hour

func (w *Worker) pruneSpent(ctx context.Context) error {
	_, err := w.stores.Spent.Prune(ctx)
	return err
}

// smsJobs are those that need the SMS providers.
func (w *Worker) smsJobs() []queue.Job {
	var jobs []queue.Job
	if interval := w.settings.Config.ReportInterval; interval > 0 && len(w.puller.Sources) > 0 {
		jobs = append(jobs, queue.Job{Name: "reports", Every: interval.Round(time.Second), Run: w.puller.Pull})
	}
	if c := w.settings.Config; c.CanaryInterval > 0 && len(w.settings.SMS) > 0 {
		fates := prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_canary_total",
			Help: "Canary messages by provider and outcome: delivered, undelivered, refused, unreported, unsent.",
		}, []string{"provider", "outcome"})
		w.ops.Registry.MustRegister(fates)
		jobs = append(jobs, queue.Job{
			Name: "canary", Every: c.CanaryInterval,
			Run: func(ctx context.Context) error { return w.canary(ctx, fates) },
		})
	}
	return jobs
}

// canary sends a canary through the provider whose turn it is, which the time says to every worker alike.
func (w *Worker) canary(ctx context.Context, fates *prometheus.CounterVec) error {
	c, senders := w.settings.Config, w.router.senders()
	sender := senders[time.Now().UnixNano()/int64(c.CanaryInterval)%int64(len(senders))]
	bird := Canary{
		Sender: sender, To: w.settings.Canary, Store: w.stores.Redis, Keys: w.settings.Keys, Now: w.stores.Clock.Now,
		Tell: func(format string, args ...any) {
			w.logger.Debug("canary", "provider", sender.Name(), "detail", fmt.Sprintf(format, args...))
		},
	}
	fate, err := bird.Fly(ctx, c.SendTimeout, canaryWait)
	fates.WithLabelValues(sender.Name(), fate).Inc()
	if err != nil {
		return fmt.Errorf("canary through %s: %s: %w", sender.Name(), fate, err)
	}
	w.logger.Info("canary delivered", "provider", sender.Name(), "elapsed", since(bird.at))
	return nil
}
