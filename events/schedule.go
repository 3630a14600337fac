package events

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// pauses are those before the second attempt and the following ones: the example of the specification.
var pauses = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour,
	24 * time.Hour,
}

const (
	// Life is how long a delivery is tried. It ends the attempts of an endpoint that was paused between them.
	Life = 5 * 24 * time.Hour

	// Patience is how long an endpoint may fail without a single success before it is disabled.
	Patience = 5 * 24 * time.Hour

	// Kept is how long events stay, so that they can be shown and replayed.
	Kept = 30 * 24 * time.Hour

	// SecretOverlap is how long the former secret of an endpoint signs beside the new one.
	SecretOverlap = 24 * time.Hour
)

// Next returns when a delivery is to be tried again, which has failed so many times, and false when it is not. The pauses are up to
// a tenth longer at random, so that deliveries that failed together do not come back together.
func Next(failed int, createdAt, now time.Time) (at time.Time, again bool) {
	if failed < 1 || failed > len(pauses) {
		return time.Time{}, false
	}
	pause := pauses[failed-1]
	at = now.Add(pause + rand.N(pause/10)) //nolint:gosec // spreads load, guards nothing
	return at, at.Before(createdAt.Add(Life))
}

// Result says in one word how an attempt ended. Metrics and tables show it.
type Result string

// The results.
const (
	Delivered   Result = "delivered"    // 2xx
	Redirect    Result = "redirect"     // 3xx: redirects are not followed
	Gone        Result = "gone"         // 410: the endpoint wants no more events
	SlowDown    Result = "slow_down"    // 429, 502, 504
	Refused     Result = "refused"      // any other 4xx
	ServerError Result = "server_error" // any other answer
	Timeout     Result = "timeout"
	Unreachable Result = "unreachable" // no connection, or it broke before there was an answer
	BadTLS      Result = "tls"         // the certificate is not valid
	Forbidden   Result = "forbidden"   // the name leads to an address that events must not go to
	Interrupted Result = "interrupted" // the worker ended, or lost its claim
	Expired     Result = "expired"     // not delivered within its life
	Unsealable  Result = "unsealable"  // the secret is sealed with a key that the worker lacks
)

// Answer is what an attempt brought.
type Answer struct {
	Result     Result
	Status     int           // of HTTP; 0 without an answer
	RetryAfter time.Duration // that the endpoint asked for; 0 when it did not
}

// Judge returns the result that a status means.
func Judge(status int) Result {
	switch {
	case status >= 200 && status < 300:
		return Delivered
	case status >= 300 && status < 400:
		return Redirect
	case status == http.StatusGone:
		return Gone
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return SlowDown
	case status >= 400 && status < 500:
		return Refused
	default:
		return ServerError
	}
}

const (
	// slowPause is the pause of an endpoint that wants to get less and does not say for how long.
	slowPause = 30 * time.Second

	// MaxRetryAfter bounds what an endpoint may ask for: an answer with a wrong date must not end all deliveries.
	MaxRetryAfter = time.Hour

	// breakerAfter is the number of failures in a row after which the endpoint gets nothing for a pause, which doubles up to
	// breakerMost.
	breakerAfter = 3
	breakerFirst = time.Second
	breakerMost  = time.Minute
)

// Pause returns for how long an endpoint gets nothing after an attempt, the last of so many failures in a row. It spares an
// endpoint that does not work; the pauses of each delivery are those of [Next].
func (a Answer) Pause(failures int) time.Duration {
	var pause time.Duration
	if failures >= breakerAfter {
		pause = min(breakerFirst<<min(failures-breakerAfter, 10), breakerMost)
	}
	switch {
	case a.RetryAfter > 0:
		pause = max(pause, min(a.RetryAfter, MaxRetryAfter))
	case a.Result == SlowDown:
		pause = max(pause, slowPause)
	}
	return pause
}

// Counts reports whether an attempt says something about the endpoint.
func (r Result) Counts() bool { return r != Interrupted && r != Unsealable }
