package tasks

import (
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
)

// The queues, one for each channel, so that each channel's workers are scaled alone.
const (
	QueueSMS   = "sms"
	QueueEmail = "email"
)

// HeaderRequestID carries the id of the HTTP request through the queue, so that one search of the logs
// tells a sign-up's story.
const HeaderRequestID = "request_id"

// maxRetry is far above what a message's lifetime allows, a day of a mail with a try a minute: the lifetime
// ends the attempts, not the count. A task that Asynq takes for crashed spends a retry as well, and one that
// ran out of them would lie in the archive and keep its mail's id taken.
const maxRetry = 10_000

// RetryDelay is the pause before a task's next attempt: the time a [retryAt] error asks for, else 1 s
// doubled with each retry up to a minute, give or take a quarter so that a crowd does not come back at once.
func RetryDelay(retried int, err error, _ *asynq.Task) time.Duration {
	if at, ok := askedFor(err); ok {
		return max(time.Until(at), 0) + jitter(200*time.Millisecond)
	}
	delay := min(time.Second<<min(retried, 6), time.Minute)
	return delay*3/4 + jitter(delay/2)
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(d) + 1)) //nolint:gosec // spreads load, guards nothing
}
