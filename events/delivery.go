package events

import (
	"errors"
	"time"

	"usher/webhooks"
)

// States of a delivery, which is one event on its way to one endpoint.
const (
	Waiting = "waiting" // for its next attempt
	Queued  = "queued"  // its task is on the queue
	Sending = "sending" // a worker has claimed it
	Done    = "done"
	Failed  = "failed" // given up; it can be replayed
)

// Delivery is one event on its way to one endpoint, as operators see it.
type Delivery struct {
	EventID, EndpointID string
	State               string
	Attempts            int
	NextAt              time.Time // of a waiting one
	Result              Result    // of the last attempt; empty without one
	Status              int       // of its HTTP answer
	UpdatedAt           time.Time
}

// Due is a delivery that needs a task on the queue.
type Due struct {
	ID       string // of the delivery
	Enqueues int    // tasks of it so far, this one included: part of the task's id
}

// Claimed is a delivery that the caller alone may send, until the lease ends.
type Claimed struct {
	ID         string
	Attempt    int // number of the claim
	LeaseUntil time.Time

	EventID    string
	Type       Type
	Body       []byte
	EndpointID string
	URL        string
	Keys       webhooks.Keys

	Failed    int       // attempts that count
	CreatedAt time.Time // of the delivery
	NextAt    time.Time // when this attempt was due
	Failures  int       // of the endpoint, in a row
	Failing   bool      // the endpoint has failed since its last success
}

// Errors of claims and records.
var (
	// ErrTaken means that the delivery is not to be sent by this task: it was delivered, another task has it, or its endpoint gets
	// nothing now.
	ErrTaken = errors.New("delivery is not to be sent now")
	// ErrStale means that the claim ended before its outcome was recorded.
	ErrStale = errors.New("delivery was claimed again")
	// ErrNotFound means that there is no such endpoint or event.
	ErrNotFound = errors.New("not found")
)

// After is what follows from an attempt for its delivery.
type After struct {
	State  string
	Failed int       // attempts that count
	NextAt time.Time // of a waiting one
}

// unsealablePause is the pause of a delivery whose secret this worker cannot open: another worker may have the key.
const unsealablePause = time.Minute

// After returns what follows from the answer.
func (c Claimed) After(answer Answer, now time.Time) After {
	switch answer.Result { //nolint:exhaustive // all others are failures that are tried again
	case Delivered:
		return After{Done, c.Failed, now}
	case Gone:
		return After{Failed, c.Failed + 1, now}
	case Interrupted:
		return After{Waiting, c.Failed, now}
	case Unsealable:
		return After{Waiting, c.Failed, now.Add(unsealablePause)}
	}
	at, again := Next(c.Failed+1, c.CreatedAt, now)
	if !again {
		return After{Failed, c.Failed + 1, now}
	}
	if asked := now.Add(min(answer.RetryAfter, MaxRetryAfter)); asked.After(at) {
		at = asked
	}
	return After{Waiting, c.Failed + 1, at}
}
