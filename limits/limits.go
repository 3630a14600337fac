// Package limits names every limit and says what it counts and why it exists.
//
// A limit allows Count spends in any rolling Period. The period is counted in sixty slots, so a spend
// is forgotten up to a sixtieth of the period late and never early. What it is spent on (an address, a
// network, a number's prefix) is hashed before it becomes a key in a store.
package limits

import (
	"context"
	"time"
)

// Name identifies a limit in settings, answers and metrics.
type Name string

// Limit allows Count spends in any rolling Period. The zero Count switches it off.
type Limit struct {
	Name   Name
	Count  int
	Period time.Duration

	// Percent makes it a guard, which refuses nothing as long as so many percent of the spends turn out to be of use.
	// A subject is judged from Count spends in History on; while fewer were of use, it is throttled to a third of Count
	// in a Period. 0 for every other limit.
	Percent int
	History time.Duration // of a guard, see [Limit.Judged]; 0 for every other limit
}

// Spend asks for one unit of a limit on behalf of a subject.
type Spend struct {
	Limit   Limit
	Subject string // an address, a network or a prefix in clear; the store hashes it

	// Beside is the subject that the store keeps this one beside, in clear: what is kept in one place is spent in
	// one step. Empty keeps it by itself. For one limit it has to be the same whenever the subject is.
	Beside string
}

// Everybody is the subject of limits that count for all together.
const Everybody = "all"

// Decision is the answer to spends. The zero value refuses nothing.
type Decision struct {
	Refused    Name          // the first limit that had nothing left; empty when all were spent
	RetryAfter time.Duration // until the refused one has a unit again
	Limit      Limit         // the tightest limit looked at, for the RateLimit fields
	Remaining  int           // units left of it
}

// Allowed reports whether every spend was granted.
func (d Decision) Allowed() bool { return d.Refused == "" }

// Limiter spends limits.
type Limiter interface {
	// Spend takes one unit of each limit, or of none when one of them has nothing left. A limit that is
	// off is passed over. An error means that the store did not answer: nothing is known to be spent.
	Spend(ctx context.Context, spends []Spend) (Decision, error)
}
