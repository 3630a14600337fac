package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Asynq asks an empty queue for tasks at intervals. A short interval keeps Redis and a core busy for nothing, a long one makes
// every code late. So a notification of a new task is published with the task itself, on the same round trip, and the fetch
// loops of workers sleep until it comes. A notification can get lost, with the connection or for lack of a permission; then
// a loop asks again after its own interval, and nothing but time is lost.

// channelOf is the Redis channel on which new tasks of the queue are notified. It says "wake", as in the first
// release, so that workers and APIs of different releases understand each other.
func channelOf(queue string) string {
	namespace, _ := split(queue)
	return string(namespace) + ":wake:" + queue
}

const (
	// vainPause is how long a loop that was notified of a task that another loop has taken does not listen, times the number of such notifications in
	// a row up to vainMost: of many workers that are notified of one task all but one find nothing, and must not
	// load Redis.
	vainPause = time.Millisecond
	vainMost  = 10

	// errorPause is the pause after a fetch that failed, as when Redis is unavailable or full: Asynq would try again at once,
	// tens of thousands of times a second.
	errorPause = 100 * time.Millisecond
)

// Waiter lets the fetch loops of one queue in this process sleep while the queue is empty. Add its hook to the client of
// the queue's Asynq servers, whose TaskCheckInterval should be about a millisecond: the loops sleep inside the fetch. It is
// safe for concurrent use; make it with [NewWaiter].
type Waiter struct {
	queue    string
	idle     time.Duration // of one loop
	notified chan struct{} // a token for each loop that is to fetch
	stopped  chan struct{}
	stop     sync.Once
}

// NewWaiter returns the waiter of a queue for so many loops. Without notifications one of them asks for tasks about once in
// idle; a loop that finds a task notifies the next one.
func NewWaiter(queue string, loops int, idle time.Duration) *Waiter {
	return &Waiter{queue: queue, idle: idle * time.Duration(loops), notified: make(chan struct{}, loops), stopped: make(chan struct{})}
}

// Notify lets one sleeping loop fetch.
func (w *Waiter) Notify() {
	select {
	case w.notified <- struct{}{}:
	default: // enough loops are awake
	}
}

// Stop ends the sleep of all loops for good, so that their servers can end.
func (w *Waiter) Stop() { w.stop.Do(func() { close(w.stopped) }) }

// Hook lets a fetch that finds nothing wait and then try once more.
func (w *Waiter) Hook() redis.Hook {
	return CommandHook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		queue, ok := queueOf(scriptKey(cmd, 4, 1), "pending")
		err := next(ctx, cmd)
		if !ok || queue != w.queue {
			return err
		}
		if err == nil { // there may be more tasks, of which no notification came
			w.Notify()
		}
		for vain := 0; errors.Is(err, redis.Nil) && w.wait(ctx, vain); vain++ {
			cmd.SetErr(nil)
			err = next(ctx, cmd)
		}
		if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "NOSCRIPT") {
			w.rest(ctx, errorPause)
		}
		return err
	})
}

// rest sleeps for the time, or until the waiter is stopped, and reports whether it slept to the end.
func (w *Waiter) rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.stopped:
	case <-ctx.Done():
	}
	return false
}

// wait sleeps until a notification comes, and reports whether it did. After the idle time Asynq itself fetches again.
func (w *Waiter) wait(ctx context.Context, vain int) bool {
	if vain > 0 && !w.rest(ctx, time.Duration(min(vain, vainMost))*vainPause) {
		return false
	}
	// Give or take a quarter: of loops that fetch at fixed times the same one would get every task without a
	// notification, and that may be one whose worker cannot use it.
	idle := time.NewTimer(w.idle*3/4 + Jitter(w.idle/2))
	defer idle.Stop()
	select {
	case <-w.notified:
		return true
	case <-idle.C:
	case <-w.stopped:
	case <-ctx.Done():
	}
	return false
}

// Listen passes notifications of new tasks on to the waiters until ctx ends. A connection that breaks is made again.
func Listen(ctx context.Context, client redis.UniversalClient, waiters ...*Waiter) {
	byChannel := map[string]*Waiter{}
	channels := make([]string, len(waiters))
	for i, waiter := range waiters {
		channels[i] = channelOf(waiter.queue)
		byChannel[channels[i]] = waiter
	}
	subscription := client.Subscribe(ctx, channels...)
	defer func() { _ = subscription.Close() }()
	notifications := subscription.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case notification, open := <-notifications:
			if !open {
				return
			}
			byChannel[notification.Channel].Notify()
		}
	}
}
