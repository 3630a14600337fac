package testkit

import (
	"sync"
	"testing"
	"time"
)

// Clock is a time that moves only when told to. It is safe for concurrent use; make it with [NewClock].
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at the given time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time that the clock stands at. Its method value fits a field `Now func() time.Time`.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, backwards when d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set puts the clock at the given time.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// pollInterval is short against a test's life and long against a look at a store.
const pollInterval = 5 * time.Millisecond

// Patience is the time for [Eventually] when nothing is said about how soon a condition must hold. It is long, because a busy
// machine must fail no test.
const Patience = 2 * time.Minute

// Eventually returns as soon as the condition holds, which is asked again and again in the caller's
// goroutine, and ends the test when it does not hold within the time. Be generous with that time: it is
// spent on failure only. The message says what was waited for.
func Eventually(t testing.TB, within time.Duration, condition func() bool, message string, args ...any) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: "+message, append([]any{within}, args...)...)
		}
		<-time.After(pollInterval)
	}
}
