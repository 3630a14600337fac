package tasks

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"usher/providers"
	"usher/reasons"
)

// The queues, one for each channel, so that each channel's workers are scaled alone.
const (
	QueueSMS   = "sms"
	QueueEmail = "email"
)

// Namespace is the name of one deployment among those that share a Redis. The zero value and "usher" are the deployment
// whose queues have the plain names; those of any other begin with its namespace and a dot.
type Namespace string

// defaultNamespace is that of a deployment with plain names.
const defaultNamespace = "usher"

func (n Namespace) isDefault() bool { return n == "" || n == defaultNamespace }

// Queue returns the name that a queue such as [QueueSMS] has in Asynq.
func (n Namespace) Queue(plain string) string {
	if n.isDefault() {
		return plain
	}
	return string(n) + "." + plain
}

// SMSQueues returns the names of the queues that codes are spread over: the first is always that of [QueueSMS], so that
// what was queued before there were shards is worked as well.
func (n Namespace) SMSQueues(shards int) []string {
	queues := []string{n.Queue(QueueSMS)}
	for i := 1; i < shards; i++ {
		queues = append(queues, n.Queue(smsQueue(i)))
	}
	return queues
}

// Queues returns the names of all queues that a deployment with so many shards may have, those of codes first.
func (n Namespace) Queues(shards int) []string {
	return append(n.SMSQueues(shards), n.Queue(QueueEmail), n.Queue(QueuePeriodic), n.Queue(QueuePeriodicSMS))
}

// Owns reports whether a queue in Asynq is one of the namespace's.
func (n Namespace) Owns(queue string) bool {
	namespace, _ := splitQueue(queue)
	return n == namespace || n.isDefault() && namespace.isDefault()
}

// PlainQueue returns a queue's name without its namespace, as metrics and pages show it.
func PlainQueue(queue string) string {
	_, plain := splitQueue(queue)
	return plain
}

// splitQueue takes a queue's name apart. No namespace and no plain name has a dot.
func splitQueue(queue string) (namespace Namespace, plain string) {
	before, after, found := strings.Cut(queue, ".")
	if !found {
		return defaultNamespace, queue
	}
	return Namespace(before), after
}

// MaxSMSShards bounds the queues that codes are spread over.
const MaxSMSShards = 64

func smsQueue(shard int) string {
	if shard == 0 {
		return QueueSMS
	}
	return QueueSMS + "-" + strconv.Itoa(shard)
}

// smsShard returns the queue of a code among so many, evenly and always the same.
func smsShard(id string, shards int) string {
	if shards <= 1 {
		return QueueSMS
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))
	return smsQueue(int(hash.Sum32() % uint32(min(shards, MaxSMSShards))))
}

// HeaderRequestID carries the id of the HTTP request through the queue, so that one search of the logs
// tells a sign-up's story.
const HeaderRequestID = "request_id"

// maxRetry is far above what a message's lifetime allows, some days of a mail with eight tries a minute: the
// lifetime ends the attempts, not the count. A task that Asynq takes for crashed spends a retry as well, and one
// that ran out of them would lie in the archive and keep its mail's id taken.
const maxRetry = 100_000

// The longest pauses. Who says "not now" is asked again in a minute. Who is not there, a store as much as a mail
// server, may be back any moment, and people wait: together with a claim's lease this keeps to a quarter of a
// minute what it takes until all is well again.
const (
	longestPause = time.Minute
	absencePause = 8 * time.Second
)

// The pauses of a mail that the server refuses because of us, and goes on taking others: an operator has to mend it.
const (
	firstMendPause   = 15 * time.Second
	longestMendPause = 5 * time.Minute
)

// RetryDelay is the pause before a task's next attempt: the time a [retryAt] error asks for, else 1 s doubled
// with each retry up to the longest pause (15 s where a mail server refuses us), give or take a quarter so that a crowd does not come back at once.
func RetryDelay(retried int, err error, _ *asynq.Task) time.Duration {
	if at, ok := askedFor(err); ok {
		return max(time.Until(at), 0) + jitter(200*time.Millisecond)
	}
	shortest, longest := time.Second, absencePause
	if answer, ok := errors.AsType[*providers.Error](err); ok {
		reason, _ := reasons.Of(string(answer.Reason()))
		switch {
		case answer.Kind == providers.Misconfigured && reason.Effect == reasons.Counts:
			shortest, longest = firstMendPause, longestMendPause
		case answer.Code != "":
			longest = longestPause
		}
	}
	delay := min(shortest<<min(retried, 6), longest)
	return delay*3/4 + jitter(delay/2)
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(d) + 1)) //nolint:gosec // spreads load, guards nothing
}
