package app

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"usher/queue"
	"usher/store/sqlstore"
	"usher/tasks"
)

// jobs are those that any worker can do.
func (w *Worker) jobs() []queue.Job {
	stores, now := w.stores, w.stores.Clock.Now
	return append(w.outcomes.Jobs(),
		tasks.UnprovedJob(stores.Accounts, w.settings.Config.UnprovedTTL, now, w.logger),
		tasks.ChangesJob(stores.Accounts, now, w.logger),
		tasks.ErasedJob(stores.eraser(w.settings.Keys, w.logger), w.logger),
		tasks.EventsJob(stores.Events, w.logger),
		queue.Job{Name: "spent", Every: time.Hour, Run: func(ctx context.Context) error { // ended sessions and used codes
			_, err := stores.Spent.Prune(ctx)
			return err
		}},
		queue.Job{Name: "bounced", Every: time.Hour, Run: func(ctx context.Context) error { // addresses that may get mails again
			_, err := stores.Mails.PruneBounced(ctx)
			return err
		}},
		queue.Job{Name: "audit", Every: time.Hour, Run: func(ctx context.Context) error {
			_, err := sqlstore.NewAudit(stores.SQL, now).Prune(ctx, w.settings.Config.AuditRetention)
			return err
		}},
		queue.Job{Name: "traffic", Every: time.Minute, Run: func(ctx context.Context) error {
			_, err := sqlstore.NewMessages(stores.SQL, now).RollUp(ctx)
			return err
		}})
}

// smsJobs are those that need the SMS providers.
func (w *Worker) smsJobs() []queue.Job {
	if len(w.settings.SMS) == 0 {
		return nil
	}
	var jobs []queue.Job
	if interval := w.settings.Config.ReportInterval; interval > 0 && len(w.router.pullers()) > 0 {
		jobs = append(jobs, queue.Job{Name: "reports", Every: interval.Round(time.Second), Run: func(ctx context.Context) error {
			return w.puller.Pull(ctx, w.router.pullers()...)
		}})
	}
	if w.settings.Config.CanaryInterval > 0 {
		jobs = append(jobs, w.canaryJob())
	}
	return jobs
}

// canaryJob sends a canary through one provider after the other. The time decides which, so that all workers agree.
func (w *Worker) canaryJob() queue.Job {
	c := w.settings.Config
	outcomes := promauto.With(w.ops.Registry).NewCounterVec(prometheus.CounterOpts{
		Name: "usher_canary_total",
		Help: "Canary messages by provider and outcome: delivered, undelivered, refused, unreported, unsent.",
	}, []string{"provider", "outcome"})
	return queue.Job{Name: "canary", Every: c.CanaryInterval, Run: func(ctx context.Context) error {
		senders := w.router.senders()
		sender := senders[time.Now().UnixNano()/int64(c.CanaryInterval)%int64(len(senders))]
		canary := Canary{
			Sender: sender, To: w.settings.Canary, Store: w.stores.Redis, Keys: w.settings.Keys, Now: w.stores.Clock.Now, Product: w.settings.Brand.OwnName("zh"),
			Tell: func(format string, args ...any) {
				w.logger.Debug("canary", "provider", sender.Name(), "detail", fmt.Sprintf(format, args...))
			},
		}
		outcome, err := canary.Send(ctx, c.SendTimeout, canaryWait)
		outcomes.WithLabelValues(sender.Name(), outcome).Inc()
		if err != nil {
			return fmt.Errorf("canary through %s: %s: %w", sender.Name(), outcome, err)
		}
		w.logger.Info("canary delivered", "provider", sender.Name(), "elapsed", since(canary.at))
		return nil
	}}
}
