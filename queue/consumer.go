package queue

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Consumer takes tasks off one queue. An Asynq server has one fetch loop and alternates between its queues, so no two queues
// share a server, and a busy queue has several. Make it with [NewConsumer].
type Consumer struct {
	Queue  string
	Waiter *Waiter

	client  redis.UniversalClient
	servers []*asynq.Server
}

// ConsumerSettings say how a [Consumer] works.
type ConsumerSettings struct {
	Queue       string
	Loops       int           // that fetch; each is a server of its own
	Concurrency int           // tasks at the same time, all loops together
	Idle        time.Duration // between two fetches of an empty queue, when no notification comes
	Grace       time.Duration // for tasks in flight when the worker ends
	Offset      func() time.Duration
	RetryDelay  asynq.RetryDelayFunc
	IsFailure   func(error) bool // whether an error makes the pauses grow
	Logger      *slog.Logger
}

const (
	// fetchPause is what Asynq waits after a fetch that found nothing, beyond the sleep of the [Waiter].
	fetchPause = time.Millisecond

	// forwardPause is how often tasks that are due again are put back on their queue. One server of each queue in a process
	// does that; the others, which end with it, do it rarely.
	forwardPause  = time.Second
	forwardRarely = time.Minute
)

// NewConsumer makes the servers of a queue and adds their hooks to the client, which must be theirs alone.
func NewConsumer(client redis.UniversalClient, s ConsumerSettings) *Consumer {
	loops := min(s.Loops, s.Concurrency)
	c := &Consumer{Queue: s.Queue, Waiter: NewWaiter(s.Queue, loops, s.Idle), client: client}
	client.AddHook(ClockHook(s.Offset))
	client.AddHook(AckHook())
	client.AddHook(c.Waiter.Hook())
	forward := forwardPause
	for i := range loops {
		c.servers = append(c.servers, asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency:              (s.Concurrency + i) / loops, // all of them together have what was asked for
			Queues:                   map[string]int{s.Queue: 1},
			TaskCheckInterval:        fetchPause,
			DelayedTaskCheckInterval: forward,
			RetryDelayFunc:           s.RetryDelay,
			IsFailure:                s.IsFailure,
			ShutdownTimeout:          s.Grace,
			Logger:                   Logger{s.Logger.With("queue", s.Queue)},
		}))
		forward = forwardRarely
	}
	return c
}

// Start fetches tasks from now on and has the handler work them.
func (c *Consumer) Start(handler asynq.Handler) error {
	handler = growStack(handler)
	for _, server := range c.servers {
		if err := server.Start(handler); err != nil {
			return fmt.Errorf("start queue %s: %w", c.Queue, err)
		}
	}
	return nil
}

// Drain stops fetching at once, so that other workers take what comes from now on.
func (c *Consumer) Drain() {
	c.Waiter.Stop()
	for _, server := range c.servers {
		server.Stop()
	}
}

// Shutdown waits for the tasks in flight, for the grace time at most.
func (c *Consumer) Shutdown() {
	var group sync.WaitGroup
	for _, server := range c.servers {
		group.Go(server.Shutdown)
	}
	group.Wait()
}

// Close closes the client.
func (c *Consumer) Close() error { return c.client.Close() }

// Logger lets Asynq log through slog. Its texts name queues and errors, never payloads.
type Logger struct{ Log *slog.Logger }

// Debug implements [asynq.Logger].
func (l Logger) Debug(args ...any) { l.Log.Debug("asynq", "detail", fmt.Sprint(args...)) }

// Info implements [asynq.Logger]. What Asynq tells of its start and end is of use to developers only.
func (l Logger) Info(args ...any) { l.Log.Debug("asynq", "detail", fmt.Sprint(args...)) }

// Warn implements [asynq.Logger].
func (l Logger) Warn(args ...any) { l.Log.Warn("asynq", "detail", fmt.Sprint(args...)) }

// Error implements [asynq.Logger]. It leaves out what a scheduler says at its end of a client that it does not own.
func (l Logger) Error(args ...any) {
	if text := fmt.Sprint(args...); !strings.Contains(text, "redis connection is shared") {
		l.Log.Error("asynq", "detail", text)
	}
}

// Fatal implements [asynq.Logger]. It does not end the process, as Asynq expects: only main does that.
func (l Logger) Fatal(args ...any) { l.Log.Error("asynq", "detail", fmt.Sprint(args...)) }
