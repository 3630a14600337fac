package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"usher/messages"
)

const (
	// A sweep looks at so many of the oldest tasks first, and at so many at a time while at least half are expired.
	expiredFirst = 32
	expiredNext  = 1000
	// expiredMost bounds what is taken off a queue before the outcomes are recorded.
	expiredMost = 50_000
	// expiredLanes is how many outcomes are recorded at the same time.
	expiredLanes = 16
	// expiredGrace is added to a code's end: a payload has it in whole seconds, and clocks differ a little.
	expiredGrace = 3 * time.Second
	// expiredTimeout bounds one step of a sweep.
	expiredTimeout = 10 * time.Second
)

// Expired takes codes that ended on their queue off it, many at a time: after an outage people wait behind tens of
// thousands that are of no use to anybody, and to fetch, open and claim each takes seconds. What ended is read in the
// payload and judged by the clock of Redis. Each outcome is recorded and counted as a handler does; those that a
// dying worker did not record are closed in SQL a minute later, like every code whose end came unnoticed.
//
// Any number of workers may run one. Make it with [NewExpired].
type Expired struct {
	Client  redis.UniversalClient // Asynq's Redis
	Claims  SMSClaims
	Metrics *Metrics
	Logger  *slog.Logger

	found map[string]chan struct{} // by queue
}

// NewExpired returns one for these queues.
func NewExpired(client redis.UniversalClient, claims SMSClaims, metrics *Metrics, logger *slog.Logger, queues []string) *Expired {
	e := &Expired{Client: client, Claims: claims, Metrics: metrics, Logger: logger, found: map[string]chan struct{}{}}
	for _, queue := range queues {
		e.found[queue] = make(chan struct{}, 1)
	}
	return e
}

// Found tells that a task of the queue had ended: there may be others behind it. It does not block, and does nothing
// for a nil Expired.
func (e *Expired) Found(queue string) {
	if e == nil {
		return
	}
	select {
	case e.found[queue] <- struct{}{}:
	default: // told already, or not a queue of ours
	}
}

// foundBy tells of the task that is being worked.
func (e *Expired) foundBy(ctx context.Context) {
	queue, _ := asynq.GetQueueName(ctx)
	e.Found(queue)
}

// Run sweeps each queue when something expired is found on it, until ctx ends.
func (e *Expired) Run(ctx context.Context) {
	var group errgroup.Group
	for queue, found := range e.found {
		group.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-found:
				}
				if err := e.sweep(ctx, queue); err != nil && ctx.Err() == nil {
					e.Logger.Warn("expired codes not taken off the queue", "queue", queue, "error", err)
				}
			}
		})
	}
	_ = group.Wait()
}

func (e *Expired) sweep(ctx context.Context, queue string) error {
	var removed []string
	var err error
	for size := expiredFirst; len(removed) < expiredMost; size = expiredNext {
		var looked int
		var over, gone []string
		if looked, over, err = e.look(ctx, queue, size); err != nil || len(over) == 0 {
			break
		}
		if gone, err = e.remove(ctx, queue, over); err != nil {
			break
		}
		removed = append(removed, gone...)
		if 2*len(over) < looked {
			break
		}
	}
	if len(removed) > 0 {
		e.Logger.Info("expired codes taken off the queue", "queue", queue, "count", len(removed))
	}
	return errors.Join(err, e.record(ctx, removed))
}

// look reads so many of the oldest pending tasks, and returns how many there are and which of them have ended, the
// oldest first.
func (e *Expired) look(ctx context.Context, queue string, size int) (looked int, over []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, expiredTimeout)
	defer cancel()
	var clock *redis.TimeCmd
	var oldest *redis.StringSliceCmd
	_, err = e.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock, oldest = p.Time(ctx), p.LRange(ctx, pendingKey(queue), int64(-size), -1)
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	ids := oldest.Val()
	slices.Reverse(ids)
	texts := make([]*redis.StringCmd, len(ids))
	_, err = e.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			texts[i] = p.HGet(ctx, taskKey(queue, id), "msg")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // nil: fetched or deleted meanwhile
		return 0, nil, err
	}
	for i, text := range texts {
		if end, ok := endOf(text.Val()); ok && end.Add(expiredGrace).Before(clock.Val()) {
			over = append(over, ids[i])
		}
	}
	return len(ids), over, nil
}

// endOf reads in a task as Asynq stores it when the code ends. Asynq's form begins with the type and the payload; a
// task of another type or form is left to its handler.
func endOf(task string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(task, "\x0a"+string(rune(len(TypeSMSCode)))+TypeSMSCode+"\x12")
	start := strings.IndexByte(rest, '{')
	if !ok || start < 0 {
		return time.Time{}, false
	}
	var payload smsCode
	if json.NewDecoder(strings.NewReader(rest[start:])).Decode(&payload) != nil || payload.validate() != nil {
		return time.Time{}, false
	}
	return time.Unix(payload.ExpiresAt, 0), true
}

func pendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

// remove takes those of the tasks off the queue that no worker has fetched meanwhile, and returns them.
func (e *Expired) remove(ctx context.Context, queue string, ids []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, expiredTimeout)
	defer cancel()
	keys, args := []string{pendingKey(queue)}, make([]any, len(ids))
	for i, id := range ids {
		keys, args[i] = append(keys, taskKey(queue, id)), id
	}
	return expiredScript.Run(ctx, e.Client, keys, args...).StringSlice()
}

// expiredScript deletes pending tasks. They are the oldest, which are the last of the list.
//
//	KEYS[1] -> pending list   KEYS[2…] -> tasks
//	ARGV[…] -> their ids
//
// Returns the ids of those that were pending.
var expiredScript = redis.NewScript(`
local removed = {}
for i, id in ipairs(ARGV) do
  if redis.call('LREM', KEYS[1], -1, id) == 1 then
    redis.call('DEL', KEYS[i + 1])
    removed[#removed + 1] = id
  end
end
return removed
`)

// record lets the store see that the codes have ended: a claim says so, and closes them.
func (e *Expired) record(ctx context.Context, ids []string) error {
	var group errgroup.Group
	group.SetLimit(expiredLanes)
	for _, id := range ids {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, expiredTimeout)
			defer cancel()
			claim, err := e.Claims.Claim(ctx, messageID(id), time.Second)
			if !errors.Is(err, messages.ErrDropped) {
				return err
			}
			e.Metrics.dropped(messages.SMS, claim.Reason)
			return nil
		})
	}
	return group.Wait()
}
