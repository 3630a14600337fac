package redisstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// leap is how far the machine's clock may move against the time that passed before it counts as set anew, or the machine
// as having slept.
const leap = 2 * time.Second

// Clock tells the time of Redis, which all processes of a deployment share: times that one process writes and another
// compares come from it. It goes on by itself between two measurements, whatever is done to the machine's clock. Until
// it is first measured it tells the machine's time. It is safe for concurrent use; make it with [NewClock].
type Clock struct {
	client redis.UniversalClient
	local  func() time.Time     // what the machine's clock says
	passed func() time.Duration // what has passed since some moment, whatever is done to the machine's clock

	mu       sync.Mutex
	base     time.Time     // local, at the last measurement
	at       time.Duration // passed, then
	ahead    time.Duration // of the local clock against Redis then
	measured bool
}

// NewClock returns a clock that is not measured yet. local is the machine's clock, [time.Now] outside tests.
func NewClock(client redis.UniversalClient, local func() time.Time) *Clock {
	start := time.Now()
	return &Clock{client: client, local: local, passed: func() time.Duration { return time.Since(start) }}
}

// clockKey is what decides which node of a cluster tells the time: always the same one.
const clockKey = "{clock}"

// Measure compares the machine's clock with that of Redis. What it corrects later is only what the answer proves, so
// clocks that agree to within a round trip stay as they are. A Redis that refuses TIME leaves the clock as it was.
func (c *Clock) Measure(ctx context.Context) error {
	node := redis.Cmdable(c.client)
	if cluster, ok := c.client.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, clockKey)
		if err != nil {
			return fmt.Errorf("find the node that tells the time: %w", err)
		}
		node = master
	}
	asked := c.local()
	theirs, err := node.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	answered := c.local()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.at, c.measured = answered.Round(0), c.passed(), true
	c.ahead = -Skew(theirs, asked.Round(0), answered.Round(0))
	return nil
}

// Now is the time of Redis.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.measured {
		return c.local()
	}
	return c.base.Add(c.passed() - c.at - c.ahead)
}

// Offset is what the machine's clock lacks to be that of Redis: negative where it is ahead.
func (c *Clock) Offset() time.Duration { return c.Now().Round(0).Sub(c.local().Round(0)) }

// Ahead is how far the machine's clock is ahead of Redis; negative where it is behind, 0 where nothing is known.
func (c *Clock) Ahead() time.Duration { return -c.Offset() }

// Leapt reports whether the machine's clock was set since the last measurement, or the machine has slept: then no process
// knows what time it is until it is measured again.
func (c *Clock) Leapt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.measured && (c.local().Round(0).Sub(c.base)-(c.passed()-c.at)).Abs() > leap
}
