package sandbox

import (
	"hash/maphash"
	"sync"
	"time"
)

// Limits are how many messages one number may get in a rolling minute, hour and 24 hours. Zero means the vendor's own limit, a
// negative number means no limit.
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

// newWindow counts over one window.
func newWindow(span time.Duration, permits int) *counter {
	if permits < 0 {
		return newCounter(Limits{-1, -1, -1})
	}
	return &counter{windows: []window{{span, permits}}, horizon: span, sent: map[string][]time.Time{}}
}

// take counts one message for each key. When a window is full it counts none and returns that window.
func (c *counter) take(now time.Time, keys ...string) (full window, ok bool) {
	return c.takeWithin(now, c.windows, keys...)
}

// takeWithin is take with other windows, none of them longer than those of the counter.
func (c *counter) takeWithin(now time.Time, windows []window, keys ...string) (full window, ok bool) {
	if len(windows) == 0 {
		return window{}, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		for _, w := range windows {
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

// makeRoom forgets keys at random when there are too many: a test with so many numbers does not test the limit of one.
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

// maxNonces bounds one generation of remembered nonces.
const maxNonces = 500_000

// A nonceCache remembers nonces and request ids for at least a span, in two generations. The older one is dropped as a whole, so
// that a flood needs no sweep and no unbounded memory. It keeps hashes only. It is safe for concurrent use.
type nonceCache struct {
	span time.Duration
	seed maphash.Seed

	mu         sync.Mutex
	young      map[uint64]struct{}
	old        map[uint64]struct{}
	youngSince time.Time
}

func newNonceCache(span time.Duration) *nonceCache {
	return &nonceCache{span: span, seed: maphash.MakeSeed(), young: map[uint64]struct{}{}}
}

// add remembers the key and reports whether it was new.
func (s *nonceCache) add(key string, now time.Time) bool {
	hash := maphash.String(s.seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.knows(hash) {
		return false
	}
	if len(s.young) >= maxNonces || now.Sub(s.youngSince) >= s.span {
		s.old, s.young, s.youngSince = s.young, map[uint64]struct{}{}, now
	}
	s.young[hash] = struct{}{}
	return true
}

// has reports whether key is remembered.
func (s *nonceCache) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knows(maphash.String(s.seed, key))
}

func (s *nonceCache) knows(hash uint64) bool {
	if _, ok := s.young[hash]; ok {
		return true
	}
	_, ok := s.old[hash]
	return ok
}
