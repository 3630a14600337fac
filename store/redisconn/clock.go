package redisconn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// leap is how far the machine's clock may deviate from the time that passed before it counts as having been set, or the
// machine as having slept.
const leap = 2 * time.Second

// Clock tells the time of Redis, which all processes of a deployment share: times that one process writes and another
// compares come from it. Between two measurements it advances by itself, whatever happens to the machine's clock. Before
// the first measurement it tells the machine's time. It is safe for concurrent use; make it with [NewClock].
type Clock struct {
	client redis.UniversalClient
	local  func() time.Time     // the machine's clock
	passed func() time.Duration // since some moment, by the monotonic clock

	mu       sync.Mutex
	base     time.Time     // local, at the last measurement
	at       time.Duration // passed, at the last measurement
	ahead    time.Duration // of the local clock against Redis, at the last measurement
	measured bool
}

// NewClock returns a clock that is not measured yet. local is the machine's clock, [time.Now] outside tests.
func NewClock(client redis.UniversalClient, local func() time.Time) *Clock {
	start := time.Now()
	return &Clock{client: client, local: local, passed: func() time.Duration { return time.Since(start) }}
}

// clockKey decides which node of a cluster tells the time: always the same one.
const clockKey = "{clock}"

// Measure compares the machine's clock with that of Redis. It corrects only what the answer proves, so clocks that agree
// to within a round trip stay as they are. When Redis refuses TIME, the clock stays as it was.
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

// Now returns the time of Redis.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.measured {
		return c.local()
	}
	return c.base.Add(c.passed() - c.at - c.ahead)
}

// Offset returns what must be added to the machine's clock to get the time of Redis: negative where it is ahead.
func (c *Clock) Offset() time.Duration { return c.Now().Round(0).Sub(c.local().Round(0)) }

// Ahead returns how far the machine's clock is ahead of Redis: negative where it is behind, 0 before the first measurement.
func (c *Clock) Ahead() time.Duration { return -c.Offset() }

// Leapt reports whether the machine's clock was set since the last measurement, or the machine has slept: then the clock
// must be measured again.
func (c *Clock) Leapt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.measured && (c.local().Round(0).Sub(c.base)-(c.passed()-c.at)).Abs() > leap
}
