package front

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/board"
	"usher/limits"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/vitals"
)

// newBoard makes the operators' page. Its looks at the queues go through a client of their own.
func (a *API) newBoard(stores *app.Stores, client redis.UniversalClient) (*board.Board, error) {
	queues := &queueLook{client: client, now: stores.Clock.Now, namespace: stores.Namespace, shards: a.settings.Config.SMSShards}
	sources := board.Sources{
		Probes:  a.ops.Look,
		Traffic: sqlstore.NewMessages(stores.SQL, stores.Clock.Now).Traffic,
		Workers: stores.Redis.Workers().List,
		Queues:  queues.list,
		Outbox: func(ctx context.Context) (vitals.Backlog, error) {
			count, oldest, err := stores.Mails.Backlog(ctx)
			return vitals.Backlog{Count: count, Oldest: oldest}, err
		},
		Outcomes: func(ctx context.Context) (vitals.Backlog, error) {
			count, oldest, err := stores.Redis.Outcomes().Waiting(ctx)
			return vitals.Backlog{Count: count, Oldest: oldest}, err
		},
	}
	budget := limits.Spend{Limit: a.settings.Limits[limits.SMSBudgetDay], Subject: limits.Everybody}
	if !budget.Limit.Off() {
		sources.Budget = func(ctx context.Context) (vitals.Budget, error) {
			left, err := stores.Redis.Limiter().Left(ctx, budget)
			return vitals.Budget{Count: budget.Limit.Count, Left: left, Price: a.settings.Config.SMSPriceYuan}, err
		}
	}
	return board.New(sources, stores.Clock.Now)
}

// queueLook looks at the queues.
type queueLook struct {
	now       func() time.Time
	client    redis.UniversalClient
	namespace tasks.Namespace
	shards    int
}

// list counts the shards of a queue as one.
func (q *queueLook) list(ctx context.Context) ([]vitals.Queue, error) {
	groups := [][]string{
		q.namespace.SMSQueues(q.shards),
		{q.namespace.Queue(tasks.QueueEmail)},
		{q.namespace.Queue(tasks.QueuePeriodic)},
		{q.namespace.Queue(tasks.QueuePeriodicSMS)},
	}
	looks, err := tasks.LookAtQueues(ctx, q.client, slices.Concat(groups...), q.now())
	if err != nil {
		return nil, err
	}
	var all []vitals.Queue
	for _, names := range groups {
		sum := vitals.Queue{Name: tasks.PlainQueue(names[0]), Shards: len(names)}
		for _, name := range names {
			look := looks[name]
			sum.Pending += look.Pending
			sum.Active += look.Active
			sum.Scheduled += look.Scheduled
			sum.Retry += look.Retry
			sum.Archived += look.Archived
			sum.Oldest = max(sum.Oldest, look.Oldest)
			sum.Paused = sum.Paused || look.Paused
		}
		all = append(all, sum)
	}
	return all, nil
}
