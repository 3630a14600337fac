package tasks

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Waiting knows which messages nobody is sending although they may still be sent.
type Waiting interface {
	// Waiting returns those of the messages that could be claimed now: they are queued, or the lease of their
	// claim is over.
	Waiting(ctx context.Context, ids []string) ([]string, error)
}

const (
	reapInterval = time.Second
	// reapAge is how long a task may be active before it is looked at. A worker claims its message within
	// milliseconds and works it in seconds, so a task that is older and whose message waits has lost its
	// worker, unless tasks of its queue wait for their turn. Together with the lease of a claim it bounds how late a
	// killed worker's message is.
	reapAge = 3 * time.Second
	// renewed is how much a task's lease has left at least while its worker lives: Asynq gives 30 s and renews them
	// every five, or a little later.
	renewed = 23 * time.Second
	// stuckAge is when a message that waits is put back although its worker lives: no turn takes so long to come.
	stuckAge = 40 * time.Second
	// reapMost bounds one look at the list of active tasks.
	reapMost = 10_000
)

// Reaper puts messages back on a queue whose worker is dead or frozen. Asynq does so as well, but only one
// to two minutes after the fact, which is too late for a code; it never recovers an active task without a
// lease; a name without a task stays active for ever; and one task that does not decode keeps it from recovering all others. The old task stays with
// Asynq: when it is recovered in the end, its claim is refused.
//
// Any number of workers may run one: a message is put back under a name made of its lost task's, which exists
// once.
type Reaper struct {
	Queue   string
	Client  redis.UniversalClient // Asynq's Redis
	Waiting Waiting
	Metrics *Metrics
	Logger  *slog.Logger
	Clock   Clock

	// Turns says that tasks may wait for their turn before they claim their messages, as mails do: then only a lease
	// that is not renewed tells of a dead worker, after seven seconds.
	Turns bool

	seen map[string]time.Time // task id -> when it was first seen active
}

// Run reaps every second until ctx ends.
func (r *Reaper) Run(ctx context.Context) {
	r.seen = map[string]time.Time{}
	ticker := time.NewTicker(reapInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := r.reap(ctx, now); err != nil && ctx.Err() == nil {
				r.Logger.Warn("active tasks not looked at", "queue", r.Queue, "error", err)
			}
		}
	}
}

// The names of Asynq's keys, as its own package base makes them.
func activeKey(queue string) string   { return "asynq:{" + queue + "}:active" }
func leaseKey(queue string) string    { return "asynq:{" + queue + "}:lease" }
func taskKey(queue, id string) string { return "asynq:{" + queue + "}:t:" + id }
func messageID(taskID string) string  { id, _, _ := strings.Cut(taskID, ":"); return id }

// againID names the task that takes the place of one. While that exists, waiting for its next attempt too, the lost
// one is not put back once more; when it is lost itself, it has a place of its own.
func againID(task string) string { return task + ":again" }

func (r *Reaper) reap(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 5*reapInterval)
	defer cancel()
	active, err := r.Client.LRange(ctx, activeKey(r.Queue), 0, reapMost-1).Result()
	if err != nil {
		return err
	}
	old := r.oldOnes(active, now)
	if len(old) == 0 {
		return nil
	}
	held, err := r.lease(ctx, old, now.Add(r.Clock.offset()))
	if err != nil {
		return err
	}
	ids := make([]string, len(old))
	for i, task := range old {
		ids[i] = messageID(task)
	}
	waiting, err := r.Waiting.Waiting(ctx, ids)
	if err != nil {
		return err
	}
	waits := make(map[string]bool, len(waiting))
	for _, id := range waiting {
		waits[id] = true
	}
	for _, task := range old {
		lost := waits[messageID(task)] && r.isLost(held[task], now.Sub(r.seen[task]))
		if err := r.look(ctx, task, lost); err != nil {
			return err
		}
	}
	return nil
}

// isLost tells of a task whose message waits whether its worker is dead, or stuck with it.
func (r *Reaper) isLost(held bool, age time.Duration) bool {
	return !r.Turns || !held || age >= stuckAge
}

// oldOnes notes which tasks are active and returns those that have been for reapAge.
func (r *Reaper) oldOnes(active []string, now time.Time) []string {
	seen := make(map[string]time.Time, len(active))
	var old []string
	for _, task := range active {
		first, known := r.seen[task]
		if !known {
			first = now
		}
		seen[task] = first
		if now.Sub(first) >= reapAge {
			old = append(old, task)
		}
	}
	r.seen = seen
	return old
}

// lease gives a task without one a lease that is over, so that Asynq recovers it like any other. It returns the tasks
// whose leases are being renewed.
func (r *Reaper) lease(ctx context.Context, tasks []string, now time.Time) (held map[string]bool, err error) {
	scores, err := r.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, task := range tasks {
			p.ZScore(ctx, leaseKey(r.Queue), task)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	held = make(map[string]bool, len(tasks))
	for i, score := range scores {
		if end, ok := score.(*redis.FloatCmd); ok && !errors.Is(score.Err(), redis.Nil) {
			held[tasks[i]] = end.Val() >= float64(now.Add(renewed).Unix())
			continue
		}
		// Only while it is active: a task that ended in this moment needs no lease.
		added, err := leaseScript.Run(ctx, r.Client, []string{activeKey(r.Queue), leaseKey(r.Queue)},
			tasks[i], now.Add(-time.Minute).Unix()).Int()
		if err != nil {
			return nil, err
		}
		if added == 1 {
			r.Metrics.reaped(r.Queue, "leaseless")
			r.Logger.Warn("active task without a lease given one", "queue", r.Queue, "task_id", tasks[i])
		}
	}
	return held, nil
}

// look takes care of one task that has been active for long, and puts the message of a lost one back.
func (r *Reaper) look(ctx context.Context, task string, lost bool) error {
	inspector := asynq.NewInspectorFromRedisClient(r.Client)
	info, err := inspector.GetTaskInfo(r.Queue, task)
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return r.forget(ctx, task)
	case err != nil && spoilt(err):
		return r.bury(ctx, task)
	case err != nil:
		return err
	case info.Type == "": // a hash without a message, as Asynq leaves one when it fetches a name without a task
		return r.forget(ctx, task)
	case !lost:
		return nil
	}
	again := asynq.NewTaskWithHeaders(info.Type, info.Payload, info.Headers)
	client := asynq.NewClientFromRedisClient(r.Client)
	_, err = client.EnqueueContext(ctx, again, asynq.Queue(r.Queue), asynq.TaskID(againID(task)),
		asynq.MaxRetry(maxRetry), asynq.Timeout(handlerTimeout))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil // put back already, by this reaper or another
	}
	if err != nil {
		return err
	}
	r.Metrics.reaped(r.Queue, "abandoned")
	r.Logger.Warn("message of a dead worker put back", "queue", r.Queue, "task_id", task,
		"request_id", info.Headers[HeaderRequestID])
	return nil
}

// spoilt reports whether the inspector has read the task and can make nothing of it. It says so by a code in its
// text alone; an answer of Redis that was lost, refused or late has another one.
func spoilt(err error) bool { return strings.Contains(err.Error(), "INTERNAL_ERROR: ") }

// bury takes a task that nobody can read out of Asynq's way. Its bytes stay under a name of their own for
// a week, for whoever wants to know what it was.
func (r *Reaper) bury(ctx context.Context, task string) error {
	removed, err := buryScript.Run(ctx, r.Client,
		[]string{activeKey(r.Queue), leaseKey(r.Queue), taskKey(r.Queue, task), taskKey(r.Queue, task) + ":buried"},
		task, int64((7 * 24 * time.Hour).Seconds())).Int()
	if err != nil || removed == 0 { // 0: another reaper was first
		return err
	}
	r.Metrics.reaped(r.Queue, "undecodable")
	r.Logger.Error("active task that does not decode buried", "queue", r.Queue, "task_id", task)
	return nil
}

// forget takes a name off the active list that has no task. Such a name is left when the task was deleted by hand or
// evicted while it was pending. Asynq recovers only what has a message, so the name would count as active for ever. A
// task that has just ended is not on the list any more.
func (r *Reaper) forget(ctx context.Context, task string) error {
	removed, err := forgetScript.Run(ctx, r.Client,
		[]string{activeKey(r.Queue), leaseKey(r.Queue), taskKey(r.Queue, task)}, task).Int()
	if err != nil || removed == 0 {
		return err
	}
	r.Metrics.reaped(r.Queue, "taskless")
	r.Logger.Warn("active task that does not exist taken off the list", "queue", r.Queue, "task_id", task)
	return nil
}

// forgetScript takes a name off the list of active tasks, unless its task has a message.
//
//	KEYS[1] -> active list   KEYS[2] -> leases   KEYS[3] -> task
//	ARGV[1] -> task id
//
// Returns the number of list entries removed.
var forgetScript = redis.NewScript(`
if redis.call('HEXISTS', KEYS[3], 'msg') == 1 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
local removed = redis.call('LREM', KEYS[1], 0, ARGV[1])
if removed > 0 then redis.call('DEL', KEYS[3]) end
return removed
`)

// leaseScript gives an active task a lease unless it has one.
//
//	KEYS[1] -> active list   KEYS[2] -> leases
//	ARGV[1] -> task id       ARGV[2] -> end of the lease in Unix seconds
//
// Returns 1 when it did, 0 otherwise.
var leaseScript = redis.NewScript(`
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 0 end
return redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
`)

// buryScript moves an active task out of the way.
//
//	KEYS[1] -> active list   KEYS[2] -> leases   KEYS[3] -> task   KEYS[4] -> where its bytes stay
//	ARGV[1] -> task id       ARGV[2] -> for how many seconds
//
// Returns the number of list entries removed.
var buryScript = redis.NewScript(`
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('RENAME', KEYS[3], KEYS[4])
  redis.call('EXPIRE', KEYS[4], ARGV[2])
end
return redis.call('LREM', KEYS[1], 0, ARGV[1])
`)
