package redisconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lanes is how many commands or batches are under way to Redis at the same time. Redis executes one at a time while
	// the next is read or written; more lanes only make smaller batches.
	lanes = 2

	// maxBatch bounds the callers in a batch, so that a broken connection loses the replies of at most so many.
	maxBatch = 128

	// maxJoin is the longest pipeline that joins a batch. Longer ones have long replies, which would delay the others.
	maxJoin = 16
)

// quick are the commands that may share a batch: they are short and never block.
var quick = []string{"evalsha", "get", "getdel", "set", "publish"}

// Batch makes the client send commands that arrive while others are under way in one pipeline. System calls are most of
// what a command costs, in this process and in Redis, and a batch shares them. A command that arrives alone is sent at
// once. Each command keeps its own reply and its own error. A context that ends removes a waiting command, but not one
// that was sent: its caller waits for the reply, at most for the client's own time-outs. A command that has waited as
// long as for a connection fails like one that found none.
//
// A batch is never repeated, because parts of it may have been executed. A command whose reply was lost is repeated
// alone, as the client does for a single command.
//
// Batch must be called after all other hooks were added: it passes commands by the hooks that come after it. On a
// cluster it does nothing, since a batch would wait for its slowest node.
func Batch(client redis.UniversalClient) {
	if server, ok := client.(*redis.Client); ok {
		b := &batcher{client: server, limit: server.Options().ReadTimeout}
		server.AddHook(hook(b.process))
	}
}

// batcher executes commands for a hook. A caller that finds a free lane sends alone. The others queue up, first in, first out; a caller that
// leaves its lane gives it to the first waiter, which sends a batch for the waiters behind it as well.
type batcher struct {
	client *redis.Client
	limit  time.Duration // of the wait for a lane: the client's own time-out

	mu       sync.Mutex
	busy     int // lanes in use
	waiting  []*waiter
	expiring bool // a timer will call expire
}

// waiter is what one caller wants executed.
type waiter struct {
	cmds  []redis.Cmder
	since time.Time
	ready chan []*waiter // receives the batch that this caller is to send, or nil when another has sent it or it is late
	late  bool           // it has waited too long and was not sent
}

// inBatch marks the context of a batch, which must not wait for itself.
type inBatch struct{}

// noRetry is a command that the client does not repeat, nor a pipeline that contains it.
type noRetry struct{ redis.Cmder }

// NoRetry implements what the client asks each command for.
func (noRetry) NoRetry() bool { return true }

// process sends commands, alone or with others.
func (b *batcher) process(ctx context.Context, cmds []redis.Cmder, next func(context.Context) error) error {
	slow := func(cmd redis.Cmder) bool { return !slices.Contains(quick, cmd.Name()) }
	if ctx.Value(inBatch{}) != nil || len(cmds) > maxJoin || slices.ContainsFunc(cmds, slow) {
		return next(ctx)
	}
	return b.do(ctx, cmds, func() error { return next(ctx) })
}

// do sends commands alone when a lane is free, and otherwise waits for a batch. alone sends them past the batcher.
func (b *batcher) do(ctx context.Context, cmds []redis.Cmder, alone func() error) error {
	b.mu.Lock()
	if b.busy < lanes {
		b.busy++
		b.mu.Unlock()
		defer b.leave()
		return alone()
	}
	w := &waiter{cmds: cmds, since: time.Now(), ready: make(chan []*waiter, 1)}
	b.waiting = append(b.waiting, w)
	if !b.expiring {
		b.expiring = true
		time.AfterFunc(b.limit, b.expire)
	}
	b.mu.Unlock()

	batch, err := b.await(ctx, w)
	if err != nil {
		return fail(cmds, err)
	}
	if batch != nil {
		b.send(batch)
	}
	if err = firstError(cmds); isLost(err) && ctx.Err() == nil {
		return alone()
	}
	return err
}

// await returns the batch that the waiter's caller is to send, or nil when it has been sent, or an error when the wait
// ended without.
func (b *batcher) await(ctx context.Context, w *waiter) ([]*waiter, error) {
	var batch []*waiter
	select {
	case batch = <-w.ready:
	case <-ctx.Done():
		if b.giveUp(w) {
			return nil, ctx.Err()
		}
		batch = <-w.ready // it was taken into a batch at this moment
	}
	if w.late {
		return nil, os.ErrDeadlineExceeded
	}
	return batch, nil
}

// expire ends the wait of those that have waited too long, and starts a timer for the others. A timer for each waiter
// would cost more than most of them wait.
func (b *batcher) expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, late := time.Now(), 0
	for ; late < len(b.waiting) && now.Sub(b.waiting[late].since) >= b.limit; late++ {
		b.waiting[late].late = true
		b.waiting[late].ready <- nil
	}
	b.waiting = slices.Delete(b.waiting, 0, late)
	if b.expiring = len(b.waiting) > 0; b.expiring {
		time.AfterFunc(b.limit-now.Sub(b.waiting[0].since), b.expire)
	}
}

// leave gives the lane to the waiters.
func (b *batcher) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.waiting), maxBatch)
	if n == 0 {
		b.busy--
		return
	}
	batch := slices.Clone(b.waiting[:n])
	b.waiting = slices.Delete(b.waiting, 0, n)
	batch[0].ready <- batch
}

// giveUp removes a waiter from the queue and reports whether it was still there.
func (b *batcher) giveUp(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return true
}

// send executes a batch and releases all waiters but the first, whose caller this is. A batch belongs to several
// callers, so it has no context of any of them: the client's time-outs bound it.
func (b *batcher) send(batch []*waiter) {
	defer b.leave()
	defer func() {
		for _, w := range batch[1:] {
			w.ready <- nil
		}
	}()
	ctx := context.WithValue(context.Background(), inBatch{}, true)
	pipe := b.client.Pipeline()
	for _, w := range batch {
		for _, cmd := range w.cmds {
			cmd.SetErr(errNoReply)
			_ = pipe.Process(ctx, noRetry{cmd}) // only puts it on the pipeline
		}
	}
	_, err := pipe.Exec(ctx)
	if err == nil {
		return
	}
	for _, w := range batch {
		for _, cmd := range w.cmds {
			if errors.Is(cmd.Err(), errNoReply) { // the batch failed before its reply was read
				cmd.SetErr(err)
			}
		}
	}
}

// errNoReply is the error of a command until its reply has been read or the batch has failed.
var errNoReply = errors.New("redis: no reply to a batch")

// isLost reports whether the client would repeat a single command for this error: its connection broke, or the server is
// not the primary, or not ready yet. After a time-out nothing is repeated.
func isLost(err error) bool {
	if _, replied := errors.AsType[redis.Error](err); replied {
		return redis.IsReadOnlyError(err) || redis.IsLoadingError(err) || redis.IsMasterDownError(err)
	}
	if network, ok := errors.AsType[net.Error](err); ok {
		return !network.Timeout()
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// fail sets the error on all commands, because callers of a pipeline read it from there, and returns it.
func fail(cmds []redis.Cmder, err error) error {
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}

// firstError returns the first error of the commands, as the client does for a pipeline.
func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}
