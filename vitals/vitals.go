// Package vitals tells whether codes arrive: the figures of messages, workers and queues, and the rules that make one
// verdict of them. The stores and the processes fill the figures in; package board shows them.
package vitals

import (
	"slices"
	"time"

	"usher/messages"
)

// Recent is the time span that a verdict about messages covers, whatever range is shown: the question is whether codes
// arrive now.
const Recent = 15 * time.Minute

// Facts is all that is known at one moment. What a source did not tell is nil, and the source is in Missing.
type Facts struct {
	At          time.Time
	Unavailable []string // stores that do not answer, as /readyz calls them: redis, database
	Missing     []Source
	Traffic     *Traffic
	Workers     []Worker
	Queues      []Queue
	Outbox      *Backlog             // mails to be sent
	Outcomes    *Backlog             // outcomes of SMS that are not in the database yet
	Events      *Events              // for a team's own services
	Budget      *Budget              // also nil where there is none
	Memory      *Memory              // of Redis
	JobsRan     map[string]time.Time // when each periodic job of the workers was last done; without those never done
	Process     *Process             // the API process that makes the page
	Rotating    Rotating
}

// Memory is what Redis uses of what it may use, in bytes; of a cluster, on its fullest node. Most is 0 without a bound.
type Memory struct{ Used, Most int64 }

// Rotating tells which keys are being replaced: more than one of them is set.
type Rotating struct{ Secrets, Tokens bool }

// Process is what one API process has seen in the last minutes.
type Process struct {
	ClockAhead time.Duration // of the clock of Redis

	Requests, Errors int              // all answers, and those with a status of 5xx
	Slow             string           // the route whose requests take long; empty when none does
	Admission        map[string]Ratio // refused requests by class
	Limited          map[string]int   // refused requests by limit
	LimitsLeft       map[string]Ratio // of the limits that count all clients together: what is left
	SignIns          Ratio            // with a wrong password
	Captchas         Ratio            // answered wrongly
	Blocked          int              // codes to prefixes whose codes are not entered
}

// Ratio is a part of a whole.
type Ratio struct{ Part, Of int }

// Percent returns the ratio in percent; false when the whole is 0.
func (r Ratio) Percent() (Percent, bool) { return share(r.Part, r.Of) }

// Source is where a part of the facts comes from.
type Source string

// The sources.
const (
	SourceTraffic  Source = "traffic"
	SourceWorkers  Source = "workers"
	SourceQueues   Source = "queues"
	SourceOutbox   Source = "outbox"
	SourceOutcomes Source = "outcomes"
	SourceEvents   Source = "events"
	SourceBudget   Source = "budget"
	SourceMemory   Source = "memory"
	SourceJobs     Source = "jobs"
)

// Lacks tells whether a source did not answer.
func (f Facts) Lacks(source Source) bool {
	return slices.Contains(f.Missing, source)
}

// Worker is what a worker process reports about itself.
type Worker struct {
	ID       string // random, drawn at its start
	Host     string
	Version  string
	Channels []messages.Channel
	Queues   []string
	Since    time.Time         // its start
	Breakers map[string]string // states by provider, as providers.Router has them; none without SMS

	MailOutage      string // why it keeps mails back: a word of package reasons, or empty while it does not
	MailOutageSince time.Time

	Outages    map[string]Outage // why breakers are not closed, by provider
	Jobs       []Job             // periodic work that it may be asked to do
	ClockAhead time.Duration     // of the clock of Redis
	ForeignAt  time.Time         // when it last left a task to other workers because it lacks the key or the mail
}

// Outage is why a provider's breaker opened.
type Outage struct {
	Since   time.Time
	Reason  string // a word of package reasons
	Code    string // the vendor's
	Account bool   // the vendor refuses our account: an operator must act
}

// Job is periodic work.
type Job struct {
	Name         string
	Every        time.Duration
	FailingSince time.Time // the first failure on this worker since its last success; zero: it does not fail
}

// Has tells whether the worker sends messages of a channel.
func (w Worker) Has(channel messages.Channel) bool {
	return slices.Contains(w.Channels, channel)
}

// Queue is the state of one queue, or of all shards of one together.
type Queue struct {
	Name   string
	Oldest time.Duration // how long the oldest pending task has waited
	Paused bool          // the queue or one of its shards

	Archived int // tasks that were given up and are kept for an operator
}

// Backlog is what waits in a store, and since when: the zero time when nothing waits.
type Backlog struct {
	Count  int
	Oldest time.Time
}

// Age is how long the oldest has waited at a time; 0 when nothing waits.
func (b Backlog) Age(at time.Time) time.Duration {
	if b.Oldest.IsZero() {
		return 0
	}
	return max(at.Sub(b.Oldest), 0)
}

// Events is what waits for the endpoints of a team's own services.
type Events struct {
	Waiting   int           // deliveries that are not done, to endpoints that get events
	Behind    time.Duration // of the oldest due delivery to an endpoint that works
	Endpoints []Endpoint
}

// Endpoint is the state of one endpoint.
type Endpoint struct {
	ID           string
	FailingSince time.Time // the first failure since the last success; zero: it works
	DisabledAt   time.Time // zero: it gets events
	Disabled     Disabling // why
}

// Disabling is why an endpoint is disabled.
type Disabling string

// The reasons.
const (
	ByOperator Disabling = "operator"
	ByAnswer   Disabling = "gone" // it has answered 410
	ByFailures Disabling = "failing"
)

// State is working, failing or disabled.
func (e Endpoint) State() string {
	switch {
	case !e.DisabledAt.IsZero():
		return "disabled"
	case !e.FailingSince.IsZero():
		return "failing"
	default:
		return "working"
	}
}

// Budget is how many codes may be sent in any 24 hours.
type Budget struct {
	Count, Left int
	Price       float64 // of a code, in yuan
}
