// Package queue is the only place that knows how Asynq works inside: its keys in Redis, its scripts, its answers and
// its quirks. It imports no other package of this service, so that it can be read, and replaced, alone.
//
// It adds what Asynq 0.26 lacks:
//
//   - [NotifyHook] and [Waiter]: a worker sleeps until a task comes, instead of asking Redis all the time;
//   - [AckHook]: a task that is done is acknowledged after an outage of Redis, and does not run twice;
//   - [ClockHook]: all processes go by one clock;
//   - [Reaper]: the tasks of a dead worker are requeued after seconds instead of minutes;
//   - [Scheduler]: one worker at a time schedules periodic jobs.
//
// Package tasks says what is queued: types, payloads, handlers and outcomes.
package queue

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// The queues, one for each channel, so that each channel's workers are scaled alone, and those of periodic jobs.
const (
	SMS         = "sms"
	Email       = "email"
	Events      = "events"       // for a team's own services
	Periodic    = "periodic"     // jobs that any worker can run
	PeriodicSMS = "periodic-sms" // jobs that need the SMS providers
)

// Namespace is the name of one deployment among those that share a Redis. The zero value and "usher" are the deployment
// whose queues have the plain names; the queues of any other begin with its namespace and a dot.
type Namespace string

// defaultNamespace is that of a deployment with plain names.
const defaultNamespace = "usher"

func (n Namespace) isDefault() bool { return n == "" || n == defaultNamespace }

// Queue returns the name that a queue such as [SMS] has in Asynq.
func (n Namespace) Queue(plain string) string {
	if n.isDefault() {
		return plain
	}
	return string(n) + "." + plain
}

// SMSQueues returns the names of the queues that codes are spread over. The first is always that of [SMS], so that
// tasks that were queued before there were shards are worked as well.
func (n Namespace) SMSQueues(shards int) []string {
	queues := []string{n.Queue(SMS)}
	for i := 1; i < shards; i++ {
		queues = append(queues, n.Queue(smsQueue(i)))
	}
	return queues
}

// Queues returns the names of all queues that a deployment with so many shards may have, those of codes first.
func (n Namespace) Queues(shards int) []string {
	return append(n.SMSQueues(shards), n.Queue(Email), n.Queue(Events), n.Queue(Periodic), n.Queue(PeriodicSMS))
}

// Owns reports whether a queue in Asynq is one of the namespace's.
func (n Namespace) Owns(queue string) bool {
	namespace, _ := split(queue)
	return n == namespace || n.isDefault() && namespace.isDefault()
}

// Plain returns a queue's name without its namespace, as metrics and pages show it.
func Plain(queue string) string {
	_, plain := split(queue)
	return plain
}

// split separates the namespace from the plain name. Neither of them contains a dot.
func split(queue string) (namespace Namespace, plain string) {
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
		return SMS
	}
	return SMS + "-" + strconv.Itoa(shard)
}

// SMSShard returns the plain name of a code's queue among so many shards: evenly spread, and the same for the same id.
func SMSShard(id string, shards int) string {
	if shards <= 1 {
		return SMS
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))
	return smsQueue(int(hash.Sum32() % uint32(min(shards, MaxSMSShards))))
}
