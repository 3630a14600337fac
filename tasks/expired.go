package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"usher/messages"
	"usher/queue"
)

const (
	// A sweep inspects so many of the oldest tasks first, and so many at a time while at least half are expired.
	expiredFirst = 32
	expiredNext  = 1000
	// expiredMost bounds what is taken off a queue before the outcomes are recorded.
	expiredMost = 50_000
	// expiredLanes is how many outcomes are recorded at the same time.
	expiredLanes = 16
	// expiredGrace is added to a code's end, which a payload has in whole seconds; clocks differ a little.
	expiredGrace = 3 * time.Second
	// expiredTimeout bounds one step of a sweep.
	expiredTimeout = 10 * time.Second
)

// Expired takes codes that ended while they were queued off their queue, many at a time: after an outage new codes wait behind
// tens of thousands of useless ones, and to fetch, open and claim each of them takes seconds. When a code ends is read in its
// payload and compared with the clock of Redis. Each outcome is recorded and counted as a handler does; the outcomes that a
// killed worker did not record are closed in SQL a minute later, like every code without news.
//
// Any number of workers may run one. Make it with [NewExpired].
type Expired struct {
	Client  redis.UniversalClient // Asynq's Redis
	Claims  CodeClaims
	Metrics *Metrics
	Logger  *slog.Logger

	found map[string]chan struct{} // by queue
}

// NewExpired returns one for these queues.
func NewExpired(client redis.UniversalClient, claims CodeClaims, metrics *Metrics, logger *slog.Logger, queues []string) *Expired {
	e := &Expired{Client: client, Claims: claims, Metrics: metrics, Logger: logger, found: map[string]chan struct{}{}}
	for _, queue := range queues {
		e.found[queue] = make(chan struct{}, 1)
	}
	return e
}

// Found starts a sweep of the queue: a task of it had ended, and there may be others behind it. It does not block, and does
// nothing for a nil Expired.
func (e *Expired) Found(queue string) {
	if e == nil {
		return
	}
	select {
	case e.found[queue] <- struct{}{}:
	default: // requested already, or not a queue of this worker
	}
}

// foundBy is Found for a code whose claim was refused because it had ended.
func (e *Expired) foundBy(ctx context.Context, refused error, code codeTask, clock Clock) {
	if errors.Is(refused, messages.ErrDropped) && clock.now().Unix() >= code.ExpiresAt {
		name, _ := asynq.GetQueueName(ctx)
		e.Found(name)
	}
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
					e.Logger.Warn("expired codes not removed from the queue", "queue", queue, "error", err)
				}
			}
		})
	}
	_ = group.Wait()
}

func (e *Expired) sweep(ctx context.Context, name string) error {
	var removed []string
	var err error
	for size := expiredFirst; len(removed) < expiredMost; size = expiredNext {
		var inspected int
		var ended, gone []string
		if inspected, ended, err = e.inspect(ctx, name, size); err != nil || len(ended) == 0 {
			break
		}
		if gone, err = e.remove(ctx, name, ended); err != nil {
			break
		}
		removed = append(removed, gone...)
		if 2*len(ended) < inspected {
			break
		}
	}
	if len(removed) > 0 {
		e.Logger.Info("expired codes removed from the queue", "queue", name, "count", len(removed))
	}
	return errors.Join(err, e.record(ctx, channelOf(name), removed))
}

func (e *Expired) remove(ctx context.Context, name string, ids []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, expiredTimeout)
	defer cancel()
	return queue.RemovePending(ctx, e.Client, name, ids)
}

// inspect reads so many of the oldest pending tasks, and returns how many there are and which of them have ended, the
// oldest first.
func (e *Expired) inspect(ctx context.Context, name string, size int) (inspected int, ended []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, expiredTimeout)
	defer cancel()
	oldest, now, err := queue.Oldest(ctx, e.Client, name, size)
	if err != nil {
		return 0, nil, err
	}
	for _, task := range oldest {
		if end, ok := endOf(task); ok && end.Add(expiredGrace).Before(now) {
			ended = append(ended, task.ID)
		}
	}
	return len(oldest), ended, nil
}

// endOf returns when the code of a task ends. A task of another type or form is left to its handler.
func endOf(task queue.PendingTask) (time.Time, bool) {
	var payload codeTask
	if task.Type != TypeSMSCode && task.Type != TypeEmailCode || json.Unmarshal(task.Payload, &payload) != nil || payload.validate() != nil {
		return time.Time{}, false
	}
	return time.Unix(payload.ExpiresAt, 0), true
}

// record lets the store see that the codes have ended: a claim says so, and closes them.
func (e *Expired) record(ctx context.Context, channel messages.Channel, ids []string) error {
	var group errgroup.Group
	group.SetLimit(expiredLanes)
	for _, id := range ids {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, expiredTimeout)
			defer cancel()
			claim, err := e.Claims.Claim(ctx, queue.MessageID(id), time.Second)
			if !errors.Is(err, messages.ErrDropped) {
				return err
			}
			e.Metrics.dropped(channel, claim.Reason)
			return nil
		})
	}
	return group.Wait()
}

// channelOf returns the channel of a queue of messages.
func channelOf(name string) messages.Channel {
	if queue.Plain(name) == queue.Email {
		return messages.Email
	}
	return messages.SMS
}
