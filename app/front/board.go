package front

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"
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
	queues := &queueLook{
		inspector: asynq.NewInspectorFromRedisClient(client), namespace: stores.Namespace, shards: a.settings.Config.SMSShards,
		busy: newBusy(),
	}
	sources := board.Sources{
		Probes:  a.ops.Look,
		Traffic: sqlstore.NewMessages(stores.SQL, time.Now).Traffic,
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
	return board.New(sources, time.Now)
}

// queueLook looks at the queues.
type queueLook struct {
	inspector *asynq.Inspector
	namespace tasks.Namespace
	shards    int
	busy      busy
}

func (q *queueLook) list(ctx context.Context) ([]vitals.Queue, error) {
	type result struct {
		queues []vitals.Queue
		err    error
	}
	found, err := lookOnce(ctx, q.busy, func() result {
		queues, err := q.look(ctx)
		return result{queues, err}
	})
	return found.queues, errors.Join(err, found.err)
}

// look counts the shards of a queue as one.
func (q *queueLook) look(ctx context.Context) ([]vitals.Queue, error) {
	known, err := q.inspector.Queues()
	if err != nil {
		return nil, err
	}
	var all []vitals.Queue
	for _, names := range [][]string{
		q.namespace.SMSQueues(q.shards), {q.namespace.Queue(tasks.QueueEmail)},
		{q.namespace.Queue(tasks.QueuePeriodic)}, {q.namespace.Queue(tasks.QueuePeriodicSMS)},
	} {
		sum := vitals.Queue{Name: tasks.PlainQueue(names[0]), Shards: len(names)}
		for _, name := range names {
			info, err := infoOf(ctx, q.inspector, known, name)
			if err != nil {
				return nil, err
			}
			sum.Pending += info.Pending
			sum.Active += info.Active
			sum.Scheduled += info.Scheduled
			sum.Retry += info.Retry
			sum.Archived += info.Archived
			sum.Oldest = max(sum.Oldest, info.Latency)
			sum.Paused = sum.Paused || info.Paused
		}
		all = append(all, sum)
	}
	return all, nil
}
