package sandbox

import (
	"sync"
	"time"
)

// Limits are how many messages one number may get in a rolling minute, hour and 24 hours. A zero
// field means the vendor's own limit, a negative one means none.
type Limits struct {
	Minute, Hour, Day int
}

func (l Limits) or(defaults Limits) Limits {
	pick := func(own, other int) int {
		if own == 0 {
			return other
		}
		return own
	}
	return Limits{pick(l.Minute, defaults.Minute), pick(l.Hour, defaults.Hour), pick(l.Day, defaults.Day)}
}

// A window is one span with its limit.
type window struct {
	span    time.Duration
	permits int
}

// maxCounted bounds the keys that a counter remembers.
const maxCounted = 100_000

// A counter counts accepted messages per key over rolling windows.
type counter struct {
	windows []window // shortest first
	horizon time.Duration

	mu   sync.Mutex
	sent map[string][]time.Time
}

func newCounter(limits Limits) *counter {
	c := &counter{sent: map[string][]time.Time{}}
	all := []window{{time.Minute, limits.Minute}, {time.Hour, limits.Hour}, {24 * time.Hour, limits.Day}}
	for _, w := range all {
		if w.permits >= 0 {
			c.windows = append(c.windows, w)
			c.horizon = w.span
		}
	}
	return c
}

// take counts one message for each key, or none and returns the window that is full.
func (c *counter) take(now time.Time, keys ...string) (full window, ok bool) {
	if len(c.windows) == 0 {
		return window{}, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		for _, w := range c.windows {
			if countSince(c.sent[key], now.Add(-w.span)) >= w.permits {
				return w, false
			}
		}
	}
	for _, key := range keys {
		c.makeRoom()
		c.sent[key] = append(since(c.sent[key], now.Add(-c.horizon)), now)
	}
	return window{}, true
}

// makeRoom forgets keys at random when there are too many: with so many numbers in play, nobody is
// testing the limit of one.
func (c *counter) makeRoom() {
	if len(c.sent) < maxCounted {
		return
	}
	forget := maxCounted / 10
	for key := range c.sent {
		if forget == 0 {
			return
		}
		delete(c.sent, key)
		forget--
	}
}

func since(times []time.Time, start time.Time) []time.Time {
	for i, t := range times {
		if t.After(start) {
			return times[i:]
		}
	}
	return nil
}

func countSince(times []time.Time, start time.Time) int { return len(since(times, start)) }
