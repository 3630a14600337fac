// Package vitals says whether codes arrive: what is counted of messages, workers and queues, and the rules that
// make one verdict of it. The stores and the processes fill it in; package board shows it.
package vitals

import (
	"slices"
	"time"

	"usher/messages"
)

// Recent is the time that a verdict about messages looks back, whatever range is shown: whoever asks whether
// codes arrive asks about now.
const Recent = 15 * time.Minute

// Facts is all that is known at one moment. What could not be learned is nil, and its source is in Missing.
type Facts struct {
	At       time.Time
	Away     []string // stores that do not answer, as /readyz calls them: redis, database
	Missing  []Source
	Traffic  *Traffic
	Workers  []Worker
	Queues   []Queue
	Outbox   *Backlog // mails that are still to be sent
	Outcomes *Backlog // what became of SMS and is not in the database yet
	Budget   *Budget  // also nil where there is none
}

// Source is where a part of the facts comes from.
type Source string

// The sources.
const (
	SourceTraffic  Source = "traffic"
	SourceWorkers  Source = "workers"
	SourceQueues   Source = "queues"
	SourceOutbox   Source = "outbox"
	SourceOutcomes Source = "outcomes"
	SourceBudget   Source = "budget"
)

// Lacks tells whether a source did not answer.
func (f Facts) Lacks(source Source) bool {
	return slices.Contains(f.Missing, source)
}

// Worker is what a worker process says of itself.
type Worker struct {
	ID       string // drawn at its start
	Host     string
	Version  string
	Channels []messages.Channel
	Queues   []string
	Since    time.Time         // its start
	Breakers map[string]string // states by provider, as providers.Router has them; none without SMS

	MailOutage string // why it keeps mails back, a word of package reasons; empty while it does not
}

// Has tells whether the worker sends messages of a channel.
func (w Worker) Has(channel messages.Channel) bool {
	return slices.Contains(w.Channels, channel)
}

// Queue is what waits on one queue, or on all shards of one.
type Queue struct {
	Name                                        string
	Shards                                      int // 1 unless it is spread
	Pending, Active, Scheduled, Retry, Archived int
	Oldest                                      time.Duration // how long the oldest pending task has waited
	Paused                                      bool          // it, or one of its shards
}

// Backlog is what waits elsewhere, and since when: the zero time when nothing does.
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

// Budget is the codes that may be sent in any 24 hours.
type Budget struct {
	Count, Left int
	Price       float64 // of a code, in yuan
}
