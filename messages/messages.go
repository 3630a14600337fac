// Package messages defines the state of a message on its way to a person, the claim of the worker that sends it, and the outcome.
// SMS codes (kept in Redis) and mails (kept in SQL) share these definitions.
//
//	queued ──claim──▶ sending ──accepted──▶ sent ──report──▶ delivered | undelivered
//	   │                 │ lease over: claim again
//	   └──▶ dropped      └─ refused ─▶ failed
//
// A worker claims a message right before it calls a provider, and records the outcome with the number of that claim. When
// another worker has taken the claim over, the outcome is not recorded.
package messages

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// State is the state of a message. Its text is stored and shown.
type State string

// The states of a message.
const (
	Queued      State = "queued"      // waits for a worker, for its first attempt or a retry
	Sending     State = "sending"     // claimed by a worker; the provider may have it already
	Sent        State = "sent"        // a provider accepted it
	Delivered   State = "delivered"   // the carrier reported that it arrived
	Undelivered State = "undelivered" // the carrier reported that it will not arrive
	Failed      State = "failed"      // refused permanently, or out of attempts
	Dropped     State = "dropped"     // never sent: it expired, was superseded, or its code was used before
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

// Claim is a worker's exclusive right to send one message until LeaseUntil.
type Claim struct {
	ID         string
	Attempt    int       // number of this claim, from 1; goes with the outcome
	LeaseUntil time.Time // after it another worker may claim
	Reason     string    // with ErrDropped: expired, superseded, used, unproved, sent, missing

	// UnresolvedClaims is the number of earlier claims that ran out without an outcome: each may have sent the message.
	UnresolvedClaims   int
	UnresolvedProvider string    // which provider may have it; empty when the worker died before it recorded one
	UnresolvedAt       time.Time // when the first of these claims was made or given up; zero without any

	// Resends is how often the person has asked to have the message of this code sent again, and Avoid the provider that had it
	// before: another one goes first.
	Resends int
	Avoid   string
}

// MaxSends is how often one message is sent at most: once, and once more, with the same code or link, when the outcome of the
// first attempt is unresolved. After two unresolved claims the outcome can only be asked for, and when no provider knows it
// the message has failed. This is the one rule of "two sends at most": handlers and their verdicts (package tasks) apply it by
// [Claim.MaySend]; the stores only count, and the router (package providers) asks before the second send.
//
// It counts from the start again when the person asks to have the message of a code sent again: the outcome of the former message does
// not matter then. Such a message is one of its own for the vendors, too; see verify.MessageID.
const MaxSends = 2

// MaySend reports whether the claim may send the message, and not only ask for its outcome; see [MaxSends].
func (c Claim) MaySend() bool { return c.UnresolvedClaims < MaxSends }

// Record is all that is known of a code's message at one revision. Because it is complete, records may be stored late, twice and in any
// order: the highest revision wins. It reveals neither the recipient nor the code.
type Record struct {
	ID        string
	Revision  int // grows with every change, from 1
	Channel   Channel
	Purpose   string // what the code is for
	To        string // masked
	RequestID string

	State            State
	Reason           string    // of a dropped message: expired, superseded, used, canceled, or unqueued when it could not be enqueued
	Attempt          int       // number of the last claim; 0 without one
	LeaseUntil       time.Time // of the running claim; zero unless the state is Sending
	UnresolvedClaims int       // as in [Claim]

	Provider     string // the provider that was asked last, or that reported
	ProviderID   string
	ProviderCode string

	CreatedAt   time.Time
	NotAfter    time.Time // the code is invalid after it
	UpdatedAt   time.Time // when this revision was made
	AcceptedAt  time.Time // when a provider accepted it; zero when that is not known
	DeliveredAt time.Time // zero unless a carrier reported it
	UsedAt      time.Time // when the code was entered; zero unless it was
}

// Entry is a record in a log of outcomes.
type Entry struct {
	Log    string // which of the logs
	ID     string // of the entry, within its log
	Record Record
	Err    error // why the entry cannot be read; Record is empty then
}

// Outcome is how one attempt ended.
type Outcome struct {
	State      State  // Queued (to be tried again), Sent, Failed, or Sending: unresolved until the claim runs out
	Provider   string // the provider that was asked last; empty when none was
	ProviderID string // the provider's id of an accepted message
	Code       string // the provider's code of a refusal, such as isv.BUSINESS_LIMIT_CONTROL; Reason where there is none
	Reason     string // our word for the refusal, of package reasons; empty when it was accepted
	At         time.Time
}

// OwnCodePrefix begins the codes of refusals that are ours and not a provider's.
const OwnCodePrefix = "own_"

// OwnProviders are the names in the place of a provider when none was asked.
func OwnProviders() []string { return []string{"worker", "router"} }

// Own reports whether we refused, and not a provider. Such an outcome does not replace a provider's recorded code, because the
// first cause tells an operator what to correct.
func (o Outcome) Own() bool {
	return strings.HasPrefix(o.Code, OwnCodePrefix) || slices.Contains(OwnProviders(), o.Provider)
}

// Keep returns the ASCII letters and digits of a text, and the given punctuation, up to a length. What vendors write becomes
// safe to log and to store: no character is left that could end a line, a key or a header.
func Keep(text string, length int, punctuation string) string {
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < length; i++ {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(punctuation, c) >= 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}
