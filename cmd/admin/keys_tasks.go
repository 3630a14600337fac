package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"usher/queue"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	taskPage  = 500
	taskPages = 20 // of each state of each queue
)

// countTasks counts the tasks of codes that have not ended by the key that they need. It looks at a bounded number
// of them; partial says that there are more.
func countTasks(ctx context.Context, client redis.UniversalClient, namespace queue.Namespace) (byKey map[string]int, partial bool, err error) {
	inspector := asynq.NewInspectorFromRedisClient(client)
	known, err := inspector.Queues()
	if err != nil {
		return nil, false, fmt.Errorf("list queues: %w", err)
	}
	byKey = map[string]int{}
	for _, queue := range namespace.SMSQueues(queue.MaxSMSShards) {
		if !slices.Contains(known, queue) {
			continue
		}
		for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
			inspector.ListPendingTasks, inspector.ListActiveTasks, inspector.ListScheduledTasks,
			inspector.ListRetryTasks, inspector.ListArchivedTasks,
		} {
			more, err := countPages(ctx, byKey, func(page int) ([]*asynq.TaskInfo, error) {
				return list(queue, asynq.PageSize(taskPage), asynq.Page(page))
			})
			if err != nil {
				return nil, false, fmt.Errorf("list tasks of %s: %w", queue, err)
			}
			partial = partial || more
		}
	}
	return byKey, partial, nil
}

func countPages(ctx context.Context, byKey map[string]int, list func(page int) ([]*asynq.TaskInfo, error)) (more bool, err error) {
	for page := 1; page <= taskPages; page++ {
		found, err := list(page)
		if errors.Is(err, asynq.ErrQueueNotFound) {
			return false, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return false, err
		}
		for _, task := range found {
			var payload struct {
				KeyID     string `json:"key_id"`
				ExpiresAt int64  `json:"expires_at"`
			}
			// What does not decode is nobody's code, and what has ended is not sent any more.
			if json.Unmarshal(task.Payload, &payload) == nil && payload.KeyID != "" && time.Now().Unix() < payload.ExpiresAt {
				byKey[payload.KeyID]++
			}
		}
		if len(found) < taskPage {
			return false, nil
		}
	}
	return true, nil
}
