// Package limits names every limit and says what it counts and why it exists.
//
// A limit allows Count spends in any rolling Period. The period is divided into sixty slots, so a spend stops counting up to a
// sixtieth of the period late and never early. The subject of a spend (an address, a network, a number's prefix) is hashed before
// it becomes a key in a store.
package limits

import "time"

// Name identifies a limit in settings, answers and metrics.
type Name string

// Limit allows Count spends in any rolling Period. The zero Count switches it off.
type Limit struct {
	Name   Name
	Count  int
	Period time.Duration

	// Percent makes the limit a guard, which refuses nothing as long as this percentage of the spends is followed by an
	// entered code. A subject is judged after Count spends in History; below the percentage it is throttled to a third of
	// Count in a Period. 0 for every other limit.
	Percent int
	History time.Duration // of a guard, see [Limit.Judged]; 0 for every other limit
}

// Spend asks for units of a limit on behalf of a subject.
type Spend struct {
	Limit   Limit
	Subject string // an address, a network or a prefix, not hashed: the store hashes it
	Units   int    // 0 is one unit

	// Beside is another subject, not hashed, in whose place the store keeps this one: limits of one place are spent in one
	// step. Empty is the subject's own place. For one limit and subject it must always be the same.
	Beside string
}

// Everybody is the subject of limits that count all requests together.
const Everybody = "all"

// Decision is the result of spending. The zero value refuses nothing.
type Decision struct {
	Refused    Name          // the first limit without a unit left; empty when all were spent
	RetryAfter time.Duration // until the refused one has a unit again
	Limit      Limit         // the limit with the fewest units left, for the RateLimit fields
	Remaining  int           // units left of it
	Risk       Risk          // of the limits that were spent or read; zero after a refusal and while limits are only recorded
}

// Allowed reports whether every spend was granted.
func (d Decision) Allowed() bool { return d.Refused == "" }
