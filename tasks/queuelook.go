package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// QueueLook is what waits on one queue. A queue that was never used is the zero look.
type QueueLook struct {
	Pending, Active, Scheduled, Retry, Archived int

	Oldest time.Duration // how long the oldest pending task has waited
	Paused bool
}

// LookAtQueues counts what waits on queues now, in two round trips for all of them. Asynq's own inspector also asks for
// the memory that they take, with MEMORY, which managed Redis may refuse, and knows no context.
func LookAtQueues(ctx context.Context, client redis.UniversalClient, queues []string, now time.Time) (map[string]QueueLook, error) {
	type answers struct {
		pending, active, scheduled, retry, archived, paused *redis.IntCmd
		oldest                                              *redis.StringCmd
	}
	asked := make([]answers, len(queues))
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, queue := range queues {
			asked[i] = answers{
				pending: pipe.LLen(ctx, queueKey(queue, "pending")), active: pipe.LLen(ctx, activeKey(queue)),
				scheduled: pipe.ZCard(ctx, queueKey(queue, "scheduled")), retry: pipe.ZCard(ctx, queueKey(queue, "retry")),
				archived: pipe.ZCard(ctx, queueKey(queue, "archived")), paused: pipe.Exists(ctx, queueKey(queue, "paused")),
				oldest: pipe.LIndex(ctx, queueKey(queue, "pending"), -1),
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look at queues: %w", err)
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
		return nil, fmt.Errorf("look at oldest tasks: %w", err)
	}
	found := make(map[string]QueueLook, len(queues))
	for i, queue := range queues {
		a := asked[i]
		look := QueueLook{
			Pending: int(a.pending.Val()), Active: int(a.active.Val()), Scheduled: int(a.scheduled.Val()),
			Retry: int(a.retry.Val()), Archived: int(a.archived.Val()), Paused: a.paused.Val() > 0,
		}
		if cmd := since[queue]; cmd != nil {
			if ns, err := strconv.ParseInt(cmd.Val(), 10, 64); err == nil { // it may have been fetched meanwhile
				look.Oldest = max(now.Sub(time.Unix(0, ns)), 0)
			}
		}
		found[queue] = look
	}
	return found, nil
}

// IsPaused reports whether a queue is paused.
func IsPaused(ctx context.Context, client redis.UniversalClient, queue string) (bool, error) {
	n, err := client.Exists(ctx, queueKey(queue, "paused")).Result()
	return n > 0, err
}

func queueKey(queue, part string) string { return "asynq:{" + queue + "}:" + part }
