package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// scanPage is how many keys Redis scans between two commands of other clients.
const scanPage = 1000

// RemoveMessages deletes the tasks of the namespace whose messages are meant, in any state but active: a task that is running
// ends by itself. It scans all keys of Redis page by page.
func RemoveMessages(ctx context.Context, client redis.UniversalClient, n Namespace, meant func(message string) bool) error {
	inspector := asynq.NewInspectorFromRedisClient(client)
	remove := func(ctx context.Context, node redis.Cmdable) error {
		tasks := node.Scan(ctx, 0, Key("*", "t:*"), scanPage).Iterator()
		for tasks.Next(ctx) {
			rest, _ := strings.CutPrefix(tasks.Val(), "asynq:{")
			queue, id, ok := strings.Cut(rest, "}:t:")
			if !ok || !n.Owns(queue) || !meant(MessageID(id)) {
				continue
			}
			if err := removeTask(inspector, queue, id); err != nil {
				return err
			}
		}
		return tasks.Err()
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return remove(ctx, node) })
	}
	return remove(ctx, client)
}

// removeTask deletes a task that is not running.
func removeTask(inspector *asynq.Inspector, queue, id string) error {
	info, err := Find(inspector, queue, id)
	if err != nil || info == nil || info.State == asynq.TaskStateActive {
		return err
	}
	err = inspector.DeleteTask(queue, id)
	if info, again := Find(inspector, queue, id); again == nil && (info == nil || info.State == asynq.TaskStateActive) {
		return nil // it ended or began meanwhile
	}
	if err != nil && !errors.Is(err, asynq.ErrTaskNotFound) {
		return fmt.Errorf("delete task: %w", err)
	}
	return nil
}
