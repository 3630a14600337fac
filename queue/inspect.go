package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Snapshot counts the tasks of one queue. A queue that was never used has the zero snapshot.
type Snapshot struct {
	Pending, Active, Scheduled, Retry, Archived int

	Oldest time.Duration // how long the oldest pending task has waited
	Paused bool
}

// Inspect takes snapshots of queues, in two round trips for all of them. Asynq's own inspector, and with it the collector of
// asynq/x/metrics, also asks for the memory that they take, with MEMORY, which managed Redis may refuse and which costs a scan
// of each queue; it knows no context and no namespace.
func Inspect(ctx context.Context, client redis.UniversalClient, queues []string, now time.Time) (map[string]Snapshot, error) {
	type answers struct {
		pending, active, scheduled, retry, archived, paused *redis.IntCmd
		oldest                                              *redis.StringCmd
	}
	asked := make([]answers, len(queues))
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, queue := range queues {
			asked[i] = answers{
				pending: pipe.LLen(ctx, pendingKey(queue)), active: pipe.LLen(ctx, activeKey(queue)),
				scheduled: pipe.ZCard(ctx, Key(queue, "scheduled")), retry: pipe.ZCard(ctx, Key(queue, "retry")),
				archived: pipe.ZCard(ctx, Key(queue, "archived")), paused: pipe.Exists(ctx, Key(queue, "paused")),
				oldest: pipe.LIndex(ctx, pendingKey(queue), -1),
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("inspect queues: %w", err)
	}
	since := map[string]*redis.StringCmd{}
	if _, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, queue := range queues {
			if id := asked[i].oldest.Val(); id != "" {
				since[queue] = pipe.HGet(ctx, taskKey(queue, id), "pending_since")
			}
		}
		return nil
	}); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("inspect oldest tasks: %w", err)
	}
	found := make(map[string]Snapshot, len(queues))
	for i, queue := range queues {
		a := asked[i]
		snapshot := Snapshot{
			Pending: int(a.pending.Val()), Active: int(a.active.Val()), Scheduled: int(a.scheduled.Val()),
			Retry: int(a.retry.Val()), Archived: int(a.archived.Val()), Paused: a.paused.Val() > 0,
		}
		if cmd := since[queue]; cmd != nil {
			if ns, err := strconv.ParseInt(cmd.Val(), 10, 64); err == nil { // else it was fetched meanwhile
				snapshot.Oldest = max(now.Sub(time.Unix(0, ns)), 0)
			}
		}
		found[queue] = snapshot
	}
	return found, nil
}

// IsPaused reports whether a queue is paused.
func IsPaused(ctx context.Context, client redis.UniversalClient, queue string) (bool, error) {
	n, err := client.Exists(ctx, Key(queue, "paused")).Result()
	return n > 0, err
}
