// Package messages says what is known of a message on its way to a person: its state, who is sending
// it, and how that ended. SMS codes (kept in Redis) and mails (kept in SQL) share these words.
//
//	queued ──claim──▶ sending ──accepted──▶ sent ──report──▶ delivered | undelivered
//	   │                 │ lease over: claim again
//	   └──▶ dropped      └─ refused ─▶ failed
//
// A worker claims a message right before it calls a provider and records the outcome with the number
// of that claim. An outcome whose claim has been taken over counts for nothing.
package messages

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// State is where a message stands. Its text is stored and shown.
type State string

// The states of a message.
const (
	Queued      State = "queued"      // waits for a worker, also between two attempts
	Sending     State = "sending"     // claimed; the provider may have it already
	Sent        State = "sent"        // a provider accepted it
	Delivered   State = "delivered"   // the carrier reported that the person has it
	Undelivered State = "undelivered" // the carrier reported that the person will not get it
	Failed      State = "failed"      // refused for good, or out of attempts
	Dropped     State = "dropped"     // never sent: expired, superseded or used before its turn
)

// Channel is a way to a person.
type Channel string

// The channels.
const (
	SMS   Channel = "sms"
	Email Channel = "email"
)

// Errors of a claim and of its outcome.
var (
	ErrNotFound = errors.New("message not found")
	// ErrDropped means that the message must never be sent; the [Claim] says why in Reason.
	ErrDropped = errors.New("message is not to be sent any more")
	// ErrBusy means that another worker's lease still runs.
	ErrBusy = errors.New("message is being sent by another worker")
	// ErrStale means that the claim was taken over: the outcome was not recorded.
	ErrStale = errors.New("claim was taken over")
)

// Claim is the right to send one message until LeaseUntil.
type Claim struct {
	ID         string
	Attempt    int       // number of this claim, from 1; goes with the outcome
	LeaseUntil time.Time // past it another worker may claim
	Reason     string    // with ErrDropped: expired, superseded, used, unproved, sent, missing

	// UnresolvedClaims is the number of earlier claims that ran out: each may have sent the message, although nobody
	// knows.
	UnresolvedClaims   int
	UnresolvedProvider string    // who may have it; empty when no worker lived to say so
	UnresolvedAt       time.Time // when the first doubt arose; zero without doubts
}

// MaxSends is how often one message is sent at most: once, and once more, with the same code or link, when the outcome of the
// first attempt is unresolved. After two unresolved claims the outcome can only be asked for, and when no provider knows it
// the message has failed. This is the one rule of "two sends at most": handlers and their verdicts (package tasks) apply it by
// [Claim.MaySend]; the stores only count, and the router (package providers) asks before the second send.
const MaxSends = 2

// MaySend reports whether the claim may send the message, and not only ask for its outcome; see [MaxSends].
func (c Claim) MaySend() bool { return c.UnresolvedClaims < MaxSends }

// Record is all that is known of an SMS at one revision: the whole of it, so that records may be written
// down late, twice and in any order, as long as the highest revision stays. Nothing in it opens the number
// or the code.
type Record struct {
	ID        string
	Revision  int    // grows with every change, from 1
	Purpose   string // what the code is good for
	To        string // masked
	RequestID string

	State            State
	Reason           string    // of a dropped one: expired, superseded, used, or unqueued when no queue took it
	Attempt          int       // number of the last claim; 0 without one
	LeaseUntil       time.Time // of the running claim; zero unless the state is Sending
	UnresolvedClaims int       // as in [Claim]

	Provider     string // who was asked last, or who reported
	ProviderID   string
	ProviderCode string

	CreatedAt   time.Time
	NotAfter    time.Time // worthless past it
	UpdatedAt   time.Time // when this revision came about
	AcceptedAt  time.Time // when a provider took it; zero when none is known to have
	DeliveredAt time.Time // zero unless a carrier reported it
	UsedAt      time.Time // when the code was entered; zero unless it was
}

// Entry is a record in a log of outcomes.
type Entry struct {
	Log    string // which of the logs
	ID     string // of the entry, within its log
	Record Record
	Err    error // why the entry cannot be read; Record is of no use then
}

// Outcome is how one attempt ended.
type Outcome struct {
	State      State  // Queued (to be tried again), Sent, Failed, or Sending: nobody knows, the claim runs out
	Provider   string // who was asked last; empty when nobody was
	ProviderID string // the provider's id of an accepted message
	Code       string // the provider's code of a refusal, such as isv.BUSINESS_LIMIT_CONTROL; where there is none, Reason
	Reason     string // our word for the refusal, of package reasons; empty when it was accepted
	At         time.Time
}

// OwnCodePrefix begins the codes of refusals that are ours and not a provider's.
const OwnCodePrefix = "own_"

// OwnProviders stand in the place of a provider that was not asked.
func OwnProviders() []string { return []string{"worker", "router"} }

// Own reports whether we refused and not a provider. Such an outcome does not replace the code of a provider that is
// recorded: the first cause says what is to be mended.
func (o Outcome) Own() bool {
	return strings.HasPrefix(o.Code, OwnCodePrefix) || slices.Contains(OwnProviders(), o.Provider)
}
