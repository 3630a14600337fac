package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
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
