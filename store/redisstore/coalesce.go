package redisstore

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
	// lanes is how many commands or batches are with Redis at once. It works on one at a time: a second one
	// is read or written meanwhile, and more of them only make smaller batches.
	lanes = 2

	// mostTogether bounds a batch, so that a lost connection spoils the answers of so many at most.
	mostTogether = 128

	// mostInOne is the longest pipeline that joins a batch. Longer ones are jobs of their own, with long answers.
	mostInOne = 16
)

// quick are the commands that may share a batch: they are short, and wait for nothing but their turn.
var quick = []string{"evalsha", "get", "getdel", "set", "publish"}

// Coalesce lets commands that come while others are under way wait for these, and then go to Redis in one
// pipeline. System calls are most of what a command costs, here and in Redis, and a batch shares them; a command
// that comes alone goes at once. Every command keeps its own answer and its own error. A context that ends takes
// a waiting command with it, but not one that has gone: its caller waits for the answer, at most for the
// client's own time-outs. Who waits as long as for a connection fails like one that found none.
//
// A batch is never repeated, for some of it may have been answered. Whose answer was lost asks again alone, as the
// client does for a single command.
//
// It must be the last hook of the client: it hands commands on past the hooks that come after it. On a cluster
// it does nothing, since a batch would wait for its slowest node.
func Coalesce(client redis.UniversalClient) {
	if server, ok := client.(*redis.Client); ok {
		server.AddHook(&coalescer{client: server, limit: server.Options().ReadTimeout})
	}
}

// coalescer is a hook. Whoever finds a free lane goes alone. The others queue up; who leaves a lane gives it
// to the first of them, which takes those behind it along.
type coalescer struct {
	client *redis.Client
	limit  time.Duration // of the wait for a turn: the client's own time-out

	mu       sync.Mutex
	busy     int     // lanes in use
	waiting  []*ride // who came first is first
	watching bool    // expire is to come
}

// ride is what one caller wants done.
type ride struct {
	cmds  []redis.Cmder
	since time.Time
	turn  chan []*ride // gets the batch that its caller is to send, or nil: somebody else has sent it, or it is late
	late  bool         // it has waited too long, and has not gone
}

// batched marks the context of a batch, which must not wait for itself.
type batched struct{}

// once is a command that the client does not repeat, nor a pipeline that holds it.
type once struct{ redis.Cmder }

// NoRetry tells the client so.
func (once) NoRetry() bool { return true }

// DialHook changes nothing.
func (*coalescer) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook sends a command, alone or with others.
func (c *coalescer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !slices.Contains(quick, cmd.Name()) {
			return next(ctx, cmd)
		}
		return c.do(ctx, []redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook does the same with a pipeline.
func (c *coalescer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	slow := func(cmd redis.Cmder) bool { return !slices.Contains(quick, cmd.Name()) }
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if ctx.Value(batched{}) != nil || len(cmds) > mostInOne || slices.ContainsFunc(cmds, slow) {
			return next(ctx, cmds)
		}
		return c.do(ctx, cmds, func() error { return next(ctx, cmds) })
	}
}

func (c *coalescer) do(ctx context.Context, cmds []redis.Cmder, alone func() error) error {
	c.mu.Lock()
	if c.busy < lanes {
		c.busy++
		c.mu.Unlock()
		defer c.leave()
		return alone()
	}
	r := &ride{cmds: cmds, since: time.Now(), turn: make(chan []*ride, 1)}
	c.waiting = append(c.waiting, r)
	if !c.watching {
		c.watching = true
		time.AfterFunc(c.limit, c.expire)
	}
	c.mu.Unlock()

	batch, err := c.await(ctx, r)
	if err != nil {
		return fail(cmds, err)
	}
	if batch != nil {
		c.send(batch)
	}
	if err = firstError(cmds); lost(err) && ctx.Err() == nil {
		return alone()
	}
	return err
}

// await returns the batch that the ride's caller is to send, or nil when it has been sent, or an error when it
// gives up waiting.
func (c *coalescer) await(ctx context.Context, r *ride) ([]*ride, error) {
	var batch []*ride
	select {
	case batch = <-r.turn:
	case <-ctx.Done():
		if c.giveUp(r) {
			return nil, ctx.Err()
		}
		batch = <-r.turn // it has gone in this moment
	}
	if r.late {
		return nil, os.ErrDeadlineExceeded
	}
	return batch, nil
}

// expire tells those who have waited too long, and comes again for the others. A timer for each ride would take longer
// than most of them wait.
func (c *coalescer) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, late := time.Now(), 0
	for ; late < len(c.waiting) && now.Sub(c.waiting[late].since) >= c.limit; late++ {
		c.waiting[late].late = true
		c.waiting[late].turn <- nil
	}
	c.waiting = slices.Delete(c.waiting, 0, late)
	if c.watching = len(c.waiting) > 0; c.watching {
		time.AfterFunc(c.limit-now.Sub(c.waiting[0].since), c.expire)
	}
}

// leave gives the lane to those who wait.
func (c *coalescer) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), mostTogether)
	if n == 0 {
		c.busy--
		return
	}
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	batch[0].turn <- batch
}

// giveUp takes a ride off the queue and reports whether it was still there.
func (c *coalescer) giveUp(r *ride) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, r)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// send executes a batch and tells all but the first, whose caller this is. The batch is nobody's in particular,
// so it has no context of theirs: the client's time-outs bound it.
func (c *coalescer) send(batch []*ride) {
	defer c.leave()
	defer func() {
		for _, r := range batch[1:] {
			r.turn <- nil
		}
	}()
	ctx := context.WithValue(context.Background(), batched{}, true)
	pipe := c.client.Pipeline()
	for _, r := range batch {
		for _, cmd := range r.cmds {
			cmd.SetErr(errUnanswered)
			_ = pipe.Process(ctx, once{cmd}) // only puts it on the pipeline
		}
	}
	_, err := pipe.Exec(ctx)
	if err == nil {
		return
	}
	for _, r := range batch {
		for _, cmd := range r.cmds {
			if errors.Is(cmd.Err(), errUnanswered) { // the batch failed before its turn came
				cmd.SetErr(err)
			}
		}
	}
}

// errUnanswered is the error of a command until its answer has been read, or the batch has failed.
var errUnanswered = errors.New("redis: no answer to a batch")

// lost reports whether the client would repeat a single command for its error: its connection broke, or the server
// is not the one that can help, or not yet. A server that was silent for all the time is not asked again.
func lost(err error) bool {
	if _, answered := errors.AsType[redis.Error](err); answered {
		return redis.IsReadOnlyError(err) || redis.IsLoadingError(err) || redis.IsMasterDownError(err)
	}
	if network, ok := errors.AsType[net.Error](err); ok {
		return !network.Timeout()
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func fail(cmds []redis.Cmder, err error) error {
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}

func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}
