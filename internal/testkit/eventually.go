package testkit

import (
	"testing"
	"time"
)

// pollInterval is short against a test's life and long against a look at a store.
const pollInterval = 5 * time.Millisecond

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
