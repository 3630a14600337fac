package front

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/store/sqlstore"
	"usher/tasks"
)

// backlogTimeout bounds what a look at the metrics waits for the stores. What did not answer in time is absent.
const backlogTimeout = time.Second

// backlog shows what waits to be sent, as it is whenever the metrics are read. It is a matter of the API: it
// must be seen above all when no worker is there.
type backlog struct {
	client redis.UniversalClient
	queues []string // with their namespace
	mails  *sqlstore.Mails
	now    func() time.Time

	tasks, wait, paused, unsent, age *prometheus.Desc
}

func newBacklog(stores *app.Stores, shards int) *backlog {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &backlog{
		client: stores.Client,
		queues: stores.Namespace.Queues(shards),
		mails:  stores.Mails, now: stores.Clock.Now,
		tasks: desc("usher_queue_tasks", "Tasks on a queue by state: pending, active, scheduled, retry, archived.",
			"queue", "state"),
		wait: desc("usher_queue_wait_seconds", "Time for which the oldest pending task of a queue has waited; 0 when none waits.",
			"queue"),
		paused: desc("usher_queue_paused", "1 where a queue was paused in the dashboard, else 0.", "queue"),
		unsent: desc("usher_outbox_mails", "Mails in the outbox that are still to be sent."),
		age:    desc("usher_outbox_age_seconds", "Time since the oldest of them was written; 0 when there are none."),
	}
}

// Describe implements [prometheus.Collector].
func (b *backlog) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.tasks, b.wait, b.paused, b.unsent, b.age} {
		descriptions <- d
	}
}

// Collect implements [prometheus.Collector].
func (b *backlog) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	for _, metric := range append(b.outbox(ctx), b.lookAt(ctx)...) {
		metrics <- metric
	}
}

func (b *backlog) outbox(ctx context.Context) []prometheus.Metric {
	count, oldest, err := b.mails.Backlog(ctx)
	if err != nil {
		return nil
	}
	age := 0.0
	if count > 0 {
		age = max(b.now().Sub(oldest), 0).Seconds()
	}
	return []prometheus.Metric{
		prometheus.MustNewConstMetric(b.unsent, prometheus.GaugeValue, float64(count)),
		prometheus.MustNewConstMetric(b.age, prometheus.GaugeValue, age),
	}
}

func (b *backlog) lookAt(ctx context.Context) []prometheus.Metric {
	looks, err := tasks.LookAtQueues(ctx, b.client, b.queues, b.now())
	if err != nil {
		return nil
	}
	var all []prometheus.Metric
	for queue, look := range looks {
		plain := tasks.PlainQueue(queue)
		for state, n := range map[string]int{
			"pending": look.Pending, "active": look.Active, "scheduled": look.Scheduled,
			"retry": look.Retry, "archived": look.Archived,
		} {
			all = append(all, prometheus.MustNewConstMetric(b.tasks, prometheus.GaugeValue, float64(n), plain, state))
		}
		all = append(all, prometheus.MustNewConstMetric(b.wait, prometheus.GaugeValue, look.Oldest.Seconds(), plain))
		paused := 0.0
		if look.Paused {
			paused = 1
		}
		all = append(all, prometheus.MustNewConstMetric(b.paused, prometheus.GaugeValue, paused, plain))
	}
	return all
}
