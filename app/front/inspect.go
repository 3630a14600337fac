package front

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/app"
	"usher/board"
	"usher/events"
	"usher/limits"
	"usher/queue"
	"usher/store/redisconn"
	"usher/store/sqlstore"
	"usher/vitals"
)

// inspector reads what waits in the stores and what is left of limits, for the metrics and the operators' page. The API
// does this, since the figures matter most when no worker runs.
type inspector struct {
	stores *app.Stores
	limits limits.Set
	shards int
}

// outbox counts the mails to be sent.
func (i inspector) outbox(ctx context.Context) (vitals.Backlog, error) {
	count, oldest, err := i.stores.Mails.Backlog(ctx)
	if count == 0 {
		oldest = time.Time{}
	}
	return vitals.Backlog{Count: count, Oldest: oldest}, err
}

// outcomes counts the outcomes of SMS that are not in the database yet.
func (i inspector) outcomes(ctx context.Context) (vitals.Backlog, error) {
	count, oldest, err := i.stores.Redis.Outcomes().Backlog(ctx)
	return vitals.Backlog{Count: count, Oldest: oldest}, err
}

// disablings are the reasons why an endpoint is disabled, as the operators' page calls them.
var disablings = map[string]vitals.Disabling{
	events.DisabledByOperator: vitals.ByOperator, events.DisabledByAnswer: vitals.ByAnswer, events.DisabledByFailures: vitals.ByFailures,
}

// events is what waits for the endpoints of the team's own services.
func (i inspector) events(ctx context.Context) (vitals.Events, error) {
	endpoints, err := i.stores.Events.Endpoints(ctx)
	if err != nil || len(endpoints) == 0 {
		return vitals.Events{}, err
	}
	backlog, err := i.stores.Events.Backlog(ctx)
	found := vitals.Events{Waiting: backlog.Waiting, Behind: backlog.Behind}
	for _, e := range endpoints {
		found.Endpoints = append(found.Endpoints, vitals.Endpoint{
			ID: e.ID, FailingSince: e.FailingSince, DisabledAt: e.DisabledAt, Disabled: disablings[e.Reason],
		})
	}
	return found, err
}

// left is what all processes together may still spend of a limit that counts all requests together.
func (i inspector) left(ctx context.Context, limit limits.Limit) (int, error) {
	return i.stores.Redis.Gate().Left(ctx, limits.Spend{Limit: limit, Subject: limits.Everybody})
}

// queues returns the state of every queue, with the shards of codes as one.
func (i inspector) queues(ctx context.Context) ([]vitals.Queue, error) {
	namespace := i.stores.Namespace
	found, err := queue.Inspect(ctx, i.stores.Client, namespace.Queues(i.shards), i.stores.Clock.Now())
	if err != nil {
		return nil, err
	}
	codes := vitals.Queue{Name: queue.SMS}
	for _, shard := range namespace.SMSQueues(i.shards) {
		codes.Oldest, codes.Paused = max(codes.Oldest, found[shard].Oldest), codes.Paused || found[shard].Paused
		codes.Archived += found[shard].Archived
	}
	all := []vitals.Queue{codes}
	for _, name := range []string{queue.Email, queue.Periodic, queue.PeriodicSMS} {
		q := found[namespace.Queue(name)]
		all = append(all, vitals.Queue{Name: name, Oldest: q.Oldest, Paused: q.Paused, Archived: q.Archived})
	}
	return all, nil
}

// memory is that of Redis; of a cluster, of its fullest node.
func (i inspector) memory(ctx context.Context) (found vitals.Memory, err error) {
	nodes, err := redisconn.InspectAll(ctx, i.stores.Client)
	for _, node := range nodes {
		if node.Most > 0 && (found.Most == 0 || float64(node.Used)/float64(node.Most) > float64(found.Used)/float64(found.Most)) {
			found = vitals.Memory{Used: node.Used, Most: node.Most}
		}
	}
	return found, err
}

// board makes the operators' page.
func (i inspector) board(probes func(context.Context) map[string]error, p *pulse, rotating vitals.Rotating, price float64) (*board.Board, error) {
	sources := board.Sources{
		Probes:   probes,
		Traffic:  sqlstore.NewMessages(i.stores.SQL, i.stores.Clock.Now).Traffic,
		Workers:  i.stores.Redis.Workers().List,
		Queues:   i.queues,
		Outbox:   i.outbox,
		Outcomes: i.outcomes,
		Events:   i.events,
		Memory:   i.memory,
		JobsRan:  i.stores.Redis.Leaders().LastRuns,
		Process:  p.process,
		Rotating: rotating,
	}
	if budget := i.limits[limits.SMSBudgetDay]; !budget.Off() {
		sources.Budget = func(ctx context.Context) (vitals.Budget, error) {
			left, err := i.left(ctx, budget)
			return vitals.Budget{Count: budget.Count, Left: left, Price: price}, err
		}
	}
	return board.New(sources, i.stores.Clock.Now)
}

// metricsTimeout bounds how long a scrape waits for the stores.
const metricsTimeout = time.Second

// Describe implements [prometheus.Collector]. It describes nothing, since a store that does not answer in time has no
// metrics in that scrape.
func (inspector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector]. It reads the stores at every scrape.
func (i inspector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	gauge := func(name, help string, value float64, labels prometheus.Labels) {
		metrics <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, labels), prometheus.GaugeValue, value)
	}
	now := i.stores.Clock.Now()
	if mails, err := i.outbox(ctx); err == nil {
		gauge("usher_outbox_mails", "Mails in the outbox that are to be sent.", float64(mails.Count), nil)
		gauge("usher_outbox_age_seconds", "Age of the oldest mail in the outbox; 0 when it is empty.", mails.Age(now).Seconds(), nil)
	}
	if outcomes, err := i.outcomes(ctx); err == nil {
		gauge("usher_outcomes_waiting", "Outcomes of SMS in Redis that are not in the database yet.", float64(outcomes.Count), nil)
		gauge("usher_outcomes_lag_seconds", "Age of the oldest outcome that is not in the database yet; 0 when there is none.",
			outcomes.Age(now).Seconds(), nil)
	}
	for _, limit := range i.limits.Totals() {
		labels := prometheus.Labels{"limit": string(limit.Name)}
		gauge("usher_limits_allowed", "What all requests together may spend of a limit in its period.", float64(limit.Count), labels)
		if n, err := i.left(ctx, limit); err == nil {
			gauge("usher_limits_left", "What is left of the limit.", float64(n), labels)
		}
	}
	queues, err := queue.Inspect(ctx, i.stores.Client, i.stores.Namespace.Queues(i.shards), now)
	if err != nil {
		return
	}
	for name, q := range queues {
		name = queue.Plain(name)
		for state, n := range map[string]int{
			"pending": q.Pending, "active": q.Active, "scheduled": q.Scheduled, "retry": q.Retry, "archived": q.Archived,
		} {
			gauge("usher_queue_tasks", "Tasks on a queue by state: pending, active, scheduled, retry, archived.",
				float64(n), prometheus.Labels{"queue": name, "state": state})
		}
		labels, paused := prometheus.Labels{"queue": name}, 0.0
		if q.Paused {
			paused = 1
		}
		gauge("usher_queue_wait_seconds", "Time that the oldest pending task of a queue has waited; 0 when there is none.", q.Oldest.Seconds(), labels)
		gauge("usher_queue_paused", "1 while a queue is paused, else 0.", paused, labels)
	}
}
