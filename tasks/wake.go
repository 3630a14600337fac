package tasks

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Asynq looks at an empty queue at intervals. A short one keeps Redis and a core busy for nothing, a long one
// makes every code late. So word of a new task goes out with the task itself, on the same round trip, and the
// fetch loops of workers sleep until it comes. Word can get lost, with the connection or for lack of a
// permission; then a loop looks again after its own interval, and nothing but time is lost.

// wakeChannel is the Redis channel on which word of the queue's new tasks goes out.
func wakeChannel(queue string) string {
	namespace, _ := splitQueue(queue)
	return string(namespace) + ":wake:" + queue
}

// Asynq's scripts are told by the list of waiting tasks among their keys: it is the second key of the two that
// enqueuing has, and the first of the four that fetching has.
const pendingSuffix = "}:pending"

// scriptKey returns a key of a script call that has so many keys, or "".
func scriptKey(cmd redis.Cmder, keys, position int) string {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return ""
	}
	args := cmd.Args()
	if len(args) < 3+keys {
		return ""
	}
	if n, ok := args[2].(int); !ok || n != keys {
		return ""
	}
	key, _ := args[2+position].(string)
	return key
}

// queueOf returns the queue whose list of waiting tasks the key is.
func queueOf(key string) (string, bool) {
	queue, ok := strings.CutPrefix(key, "asynq:{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(queue, pendingSuffix)
}

// WakeHook sends word of every task that Asynq's client enqueues, on the task's own round trip. Add it to the
// Client that it names.
type WakeHook struct{ Client redis.UniversalClient }

// DialHook changes nothing.
func (WakeHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook adds word of the task to the command that enqueues it. What becomes of the word does not matter:
// the error is the command's own.
func (h WakeHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		queue, ok := queueOf(scriptKey(cmd, 2, 2))
		if !ok {
			return next(ctx, cmd)
		}
		pipe := h.Client.Pipeline()
		_ = pipe.Process(ctx, cmd)
		pipe.Publish(ctx, wakeChannel(queue), "")
		_, _ = pipe.Exec(ctx) // every command has its own error
		return cmd.Err()
	}
}

// ProcessPipelineHook changes nothing: Asynq's client enqueues with single commands.
func (WakeHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

const (
	// vainPause is how long a loop that was woken in vain does not listen, times the number of such wakings in
	// a row up to vainMost: of many workers that wake for one task all but one find nothing, and must not
	// keep Redis from its work.
	vainPause = time.Millisecond
	vainMost  = 10

	// errorPause is how long a loop leaves a Redis alone that is away or full: Asynq would try again at once,
	// tens of thousands of times a second.
	errorPause = 100 * time.Millisecond
)

// Bell lets the fetch loops of one queue in this process sleep while the queue is empty. Add it as a hook to
// the client of the queue's Asynq servers, whose TaskCheckInterval should be about a millisecond: the sleep
// takes place inside the fetch. It is safe for concurrent use; make it with [NewBell].
type Bell struct {
	queue   string
	idle    time.Duration // of one loop
	rung    chan struct{} // a token for each loop that is to look
	stopped chan struct{}
	stop    sync.Once
}

// NewBell returns the bell of a queue for so many loops. Without word one of them looks at the queue about once in
// idle; a loop that finds a task unannounced wakes the next one.
func NewBell(queue string, loops int, idle time.Duration) *Bell {
	return &Bell{queue: queue, idle: idle * time.Duration(loops), rung: make(chan struct{}, loops), stopped: make(chan struct{})}
}

// Ring wakes one sleeping loop.
func (b *Bell) Ring() {
	select {
	case b.rung <- struct{}{}:
	default: // enough loops are awake
	}
}

// Stop wakes all loops for good, so that their servers can end.
func (b *Bell) Stop() { b.stop.Do(func() { close(b.stopped) }) }

// DialHook changes nothing.
func (b *Bell) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook lets a fetch that finds nothing wait and then try once more.
func (b *Bell) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		queue, ok := queueOf(scriptKey(cmd, 4, 1))
		err := next(ctx, cmd)
		if !ok || queue != b.queue {
			return err
		}
		if err == nil { // there may be more that no word has announced
			b.Ring()
		}
		for vain := 0; errors.Is(err, redis.Nil) && b.wait(ctx, vain); vain++ {
			cmd.SetErr(nil)
			err = next(ctx, cmd)
		}
		if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "NOSCRIPT") {
			b.rest(ctx, errorPause)
		}
		return err
	}
}

// rest sleeps for the time, or until the bell is stopped, and reports whether it slept to the end.
func (b *Bell) rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.stopped:
	case <-ctx.Done():
	}
	return false
}

// wait sleeps until a new task's word comes, and reports whether it did.
func (b *Bell) wait(ctx context.Context, vain int) bool {
	if vain > 0 && !b.rest(ctx, time.Duration(min(vain, vainMost))*vainPause) {
		return false
	}
	// Give or take a quarter: of loops that look at fixed times the same one would get every task that no word
	// announces, and that may be one whose worker cannot use it.
	idle := time.NewTimer(b.idle*3/4 + jitter(b.idle/2))
	defer idle.Stop()
	select {
	case <-b.rung:
		return true
	case <-idle.C:
	case <-b.stopped:
	case <-ctx.Done():
	}
	return false
}

// ProcessPipelineHook changes nothing: Asynq fetches with single commands.
func (b *Bell) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Listen rings the bells of queues that get new tasks until ctx ends. A connection that breaks is made again.
func Listen(ctx context.Context, client redis.UniversalClient, bells ...*Bell) {
	byChannel := map[string]*Bell{}
	channels := make([]string, len(bells))
	for i, bell := range bells {
		channels[i] = wakeChannel(bell.queue)
		byChannel[channels[i]] = bell
	}
	subscription := client.Subscribe(ctx, channels...)
	defer func() { _ = subscription.Close() }()
	words := subscription.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case word, open := <-words:
			if !open {
				return
			}
			byChannel[word.Channel].Ring()
		}
	}
}
