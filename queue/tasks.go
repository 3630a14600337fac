package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// SetKey is the set of the names of all queues that were ever used.
const SetKey = "asynq:queues"

// Key is a key of a queue, as Asynq's own package base makes it, such as its list "pending". The braces make Redis Cluster keep
// all keys of a queue in one slot.
func Key(queue, part string) string { return "asynq:{" + queue + "}:" + part }

func pendingKey(queue string) string { return Key(queue, "pending") }
func activeKey(queue string) string  { return Key(queue, "active") }
func leaseKey(queue string) string   { return Key(queue, "lease") }
func taskKey(queue, id string) string {
	return Key(queue, "t:"+id)
}

// queueOf returns the queue whose key this is, when the key is its part.
func queueOf(key, part string) (queue string, ok bool) {
	rest, ok := strings.CutPrefix(key, "asynq:{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "}:"+part)
}

// MessageID returns the id of the message that a task of this id sends; suffixes follow it after a colon.
func MessageID(task string) string { id, _, _ := strings.Cut(task, ":"); return id }

// RequeueID names the task that replaces a lost one. While that exists, also while it waits for its next attempt, the lost task
// is not requeued a second time; when the replacement is lost itself, it has a replacement of its own.
func RequeueID(task string) string { return task + ":again" }

// Find returns a task, or nil when neither it nor its queue exists.
func Find(inspector *asynq.Inspector, queue, id string) (*asynq.TaskInfo, error) {
	info, err := inspector.GetTaskInfo(queue, id)
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return nil, nil //nolint:nilnil // a task that is gone is a usual answer
	}
	return info, err
}

// isUndecodable reports whether the inspector has read a task and cannot decode it. Asynq 0.26 says so by a code in the
// error's text alone; an answer of Redis that was lost, refused or late has another one.
func isUndecodable(err error) bool {
	return err != nil && strings.Contains(err.Error(), "INTERNAL_ERROR: ")
}

// PendingTask is a task that waits on its queue. Its type is empty when it was fetched or deleted meanwhile, or does not decode.
type PendingTask struct {
	ID, Type string
	Payload  []byte
}

// Oldest returns up to n of the oldest pending tasks, the oldest first, and the time by the clock of Redis.
func Oldest(ctx context.Context, client redis.UniversalClient, queue string, n int) ([]PendingTask, time.Time, error) {
	var clock *redis.TimeCmd
	var oldest *redis.StringSliceCmd
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock, oldest = p.Time(ctx), p.LRange(ctx, pendingKey(queue), int64(-n), -1)
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	ids := oldest.Val()
	slices.Reverse(ids)
	texts := make([]*redis.StringCmd, len(ids))
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			texts[i] = p.HGet(ctx, taskKey(queue, id), "msg")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, time.Time{}, err
	}
	found := make([]PendingTask, len(ids))
	for i, id := range ids {
		found[i] = parse(id, texts[i].Val())
	}
	return found, clock.Val(), nil
}

// parse reads type and payload in a task as Asynq stores it: the first two fields of a protobuf message, each a tag, a
// length and its bytes.
func parse(id, text string) PendingTask {
	task, rest := PendingTask{ID: id}, []byte(text)
	for _, tag := range []byte{0x0a, 0x12} {
		if len(rest) == 0 || rest[0] != tag {
			return PendingTask{ID: id}
		}
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) { //nolint:gosec // Uvarint reads no more bytes than there are
			return PendingTask{ID: id}
		}
		field := rest[1+n : 1+n+int(size)] //nolint:gosec // not longer than the rest
		rest = rest[1+n+int(size):]        //nolint:gosec // the same
		if tag == 0x0a {
			task.Type = string(field)
		} else {
			task.Payload = field
		}
	}
	return task
}

// RemovePending deletes those of the tasks that are still pending, and returns their ids: a worker may have fetched the others.
func RemovePending(ctx context.Context, client redis.UniversalClient, queue string, ids []string) ([]string, error) {
	keys, args := []string{pendingKey(queue)}, make([]any, len(ids))
	for i, id := range ids {
		keys, args[i] = append(keys, taskKey(queue, id)), id
	}
	return removeScript.Run(ctx, client, keys, args...).StringSlice()
}

// removeScript deletes pending tasks. They are the oldest, which are at the end of the list.
//
//	KEYS[1] -> list of pending tasks   KEYS[2…] -> tasks
//	ARGV[…] -> their ids
//
// Returns the ids of those that were pending.
var removeScript = redis.NewScript(`
local removed = {}
for i, id in ipairs(ARGV) do
  if redis.call('LREM', KEYS[1], -1, id) == 1 then
    redis.call('DEL', KEYS[i + 1])
    removed[#removed + 1] = id
  end
end
return removed
`)

// Jitter returns a random duration up to d: what many processes do at intervals must not fall together.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(d) + 1)) //nolint:gosec // spreads load, guards nothing
}

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
