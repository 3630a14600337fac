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

	// Doubts is the number of earlier claims that ran out: each may have sent the message, although nobody
	// knows.
	Doubts           int
	DoubtfulProvider string    // who may have it; empty when no worker lived to say so
	DoubtfulAt       time.Time // when the first doubt arose; zero without doubts
}

// Outcome is how one attempt ended.
type Outcome struct {
	State      State  // Queued (to be tried again), Sent, Failed, or Sending: nobody knows, the claim runs out
	Provider   string // who was asked last; empty when nobody was
	ProviderID string // the provider's id of an accepted message
	Code       string // the provider's code of a refusal, such as isv.BUSINESS_LIMIT_CONTROL
	At         time.Time
}
