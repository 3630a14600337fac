package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Messages knows which messages no worker is sending although they may still be sent.
type Messages interface {
	// Unclaimed returns those of the messages that could be claimed now: they are queued, or the lease of their
	// claim has ended.
	Unclaimed(ctx context.Context, ids []string) ([]string, error)
}

// StuckAge is when an unclaimed message is requeued although its worker lives: from the wait for a slot to the outcome must
// take less.
const StuckAge = 40 * time.Second

const (
	reapInterval = time.Second
	// reapAge is how long a task must be active before it is inspected. A worker claims its message within
	// milliseconds and works it in seconds, so an older task whose message is unclaimed has lost its
	// worker, unless tasks of its queue wait for a slot. Together with the lease of a claim it bounds how late a
	// killed worker's message is.
	reapAge = 3 * time.Second
	// renewed is what a task's lease has left at least while its worker lives: Asynq gives 30 s and renews them
	// every five, or a little later.
	renewed = 23 * time.Second
	// reapMost bounds how many active tasks are read at once.
	reapMost = 10_000
	// buriedFor is how long the bytes of an undecodable task are kept, for operators.
	buriedFor = 7 * 24 * time.Hour
)

// Reaper requeues messages whose worker is dead or frozen. Asynq does so as well, but only one to two minutes after the fact,
// which is too late for a code. It never recovers an active task without a lease (hibiken/asynq#1144); an id without a task
// stays active for ever; and one task that does not decode keeps it from recovering all others. The lost task stays with
// Asynq: when it is recovered in the end, its claim is refused.
//
// Any number of workers may run one: the new task has an id made of the lost one's, which exists once.
type Reaper struct {
	Queue    string
	Client   redis.UniversalClient // Asynq's Redis
	Messages Messages
	Count    func(queue, reason string) // counts what was healed
	Logger   *slog.Logger
	Offset   func() time.Duration // see [ClockHook]; nil: none

	// Slots says that tasks may wait for a slot before they claim their messages, as mails do: then only a lease
	// that is not renewed tells that the worker is dead, after seven seconds.
	Slots bool

	seen map[string]time.Time // task id -> when it was first seen active
}

// Run reaps every second until ctx ends.
func (r *Reaper) Run(ctx context.Context) {
	r.seen = map[string]time.Time{}
	Every(ctx, reapInterval, func(ctx context.Context) {
		if err := r.reap(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.Logger.Warn("active tasks not inspected", "queue", r.Queue, "error", err)
		}
	})
}

func (r *Reaper) reap(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 5*reapInterval)
	defer cancel()
	active, err := r.Client.LRange(ctx, activeKey(r.Queue), 0, reapMost-1).Result()
	if err != nil {
		return err
	}
	old := r.activeOver(active, now)
	if len(old) == 0 {
		return nil
	}
	shared := now
	if r.Offset != nil {
		shared = now.Add(r.Offset())
	}
	held, err := r.lease(ctx, old, shared)
	if err != nil {
		return err
	}
	ids := make([]string, len(old))
	for i, task := range old {
		ids[i] = MessageID(task)
	}
	unclaimed, err := r.Messages.Unclaimed(ctx, ids)
	if err != nil {
		return err
	}
	isUnclaimed := make(map[string]bool, len(unclaimed))
	for _, id := range unclaimed {
		isUnclaimed[id] = true
	}
	for _, task := range old {
		lost := isUnclaimed[MessageID(task)] && r.isLost(held[task], now.Sub(r.seen[task]))
		if err := r.heal(ctx, task, lost); err != nil {
			return err
		}
	}
	return nil
}

// isLost reports whether the worker of a task whose message is unclaimed is dead, or stuck with it.
func (r *Reaper) isLost(held bool, age time.Duration) bool {
	return !r.Slots || !held || age >= StuckAge
}

// activeOver notes which tasks are active and returns those that have been for reapAge.
func (r *Reaper) activeOver(active []string, now time.Time) []string {
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

// lease gives a task without a lease one that has ended, so that Asynq recovers it like any other. It returns the tasks
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
			r.Count(r.Queue, "leaseless")
			r.Logger.Warn("active task had no lease and was given one", "queue", r.Queue, "task_id", tasks[i])
		}
	}
	return held, nil
}

// heal takes care of one task that has been active for long, and requeues the message of a lost one.
func (r *Reaper) heal(ctx context.Context, task string, lost bool) error {
	info, err := Find(asynq.NewInspectorFromRedisClient(r.Client), r.Queue, task)
	switch {
	case isUndecodable(err):
		return r.bury(ctx, task)
	case err != nil:
		return err
	case info == nil, info.Type == "": // or a hash without a message, as Asynq leaves one when it fetches an id without a task
		return r.forget(ctx, task)
	case !lost:
		return nil
	}
	requeued := asynq.NewTaskWithHeaders(info.Type, info.Payload, info.Headers)
	client := asynq.NewClientFromRedisClient(r.Client)
	_, err = client.EnqueueContext(ctx, requeued, Options(r.Queue, RequeueID(task))...)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil // requeued already, by this reaper or another
	}
	if err != nil {
		return err
	}
	r.Count(r.Queue, "abandoned")
	r.Logger.Warn("message of a dead worker requeued", "queue", r.Queue, "task_id", task,
		"request_id", info.Headers[HeaderRequestID])
	return nil
}

// bury takes an undecodable task out of Asynq's way. Its bytes stay under a key of their own for a while.
func (r *Reaper) bury(ctx context.Context, task string) error {
	removed, err := buryScript.Run(ctx, r.Client,
		[]string{activeKey(r.Queue), leaseKey(r.Queue), taskKey(r.Queue, task), taskKey(r.Queue, task) + ":buried"},
		task, int64(buriedFor.Seconds())).Int()
	if err != nil || removed == 0 { // 0: another reaper was first
		return err
	}
	r.Count(r.Queue, "undecodable")
	r.Logger.Error("active task does not decode: moved aside, its bytes are kept for a week", "queue", r.Queue, "task_id", task)
	return nil
}

// forget takes an id off the active list that has no task. Such an id is left when the task was deleted by hand or
// evicted while it was pending. Asynq recovers only what has a message, so the id would count as active for ever. A
// task that has just ended is not on the list any more.
func (r *Reaper) forget(ctx context.Context, task string) error {
	removed, err := forgetScript.Run(ctx, r.Client,
		[]string{activeKey(r.Queue), leaseKey(r.Queue), taskKey(r.Queue, task)}, task).Int()
	if err != nil || removed == 0 {
		return err
	}
	r.Count(r.Queue, "taskless")
	r.Logger.Warn("active task does not exist: its id was taken off the list", "queue", r.Queue, "task_id", task)
	return nil
}

// forgetScript takes an id off the list of active tasks, unless its task has a message.
//
//	KEYS[1] -> list of active tasks   KEYS[2] -> leases   KEYS[3] -> task
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
//	KEYS[1] -> list of active tasks   KEYS[2] -> leases
//	ARGV[1] -> task id       ARGV[2] -> end of the lease in Unix seconds
//
// Returns 1 when it did, 0 otherwise.
var leaseScript = redis.NewScript(`
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 0 end
return redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
`)

// buryScript moves an active task out of the way.
//
//	KEYS[1] -> list of active tasks   KEYS[2] -> leases   KEYS[3] -> task   KEYS[4] -> where its bytes stay
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
