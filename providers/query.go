package providers

import (
	"context"
	"time"

	"usher/contact"
	"usher/messages"
)

// Doubt is what is known of earlier attempts that may have sent a message although nobody knows.
type Doubt struct {
	Provider string    // who was asked; empty when the worker died before it could say so
	At       time.Time // when the first of them began or was given up
}

// Query asks what became of a message.
type Query struct {
	ID     string         // the message's, as in [SMS]
	To     contact.Mobile // its receiver
	SentAt time.Time      // when it may have been sent; vendors file by day
}

// Fate is what a vendor knows of a message.
type Fate struct {
	// State is Sent when the vendor has accepted the message, Delivered or Undelivered when it knows more,
	// and empty when it knows of no such message, which soon after the send proves nothing.
	State messages.State

	// Refusal is why a message is Undelivered, and nil otherwise.
	Refusal *Error
}

// Querier is what an [SMSSender] may be able to do: say what became of a message whose answer was lost.
type Querier interface {
	// QuerySMS returns the fate of one message. It sends nothing and keeps the promises of
	// [SMSSender.SendSMS] about errors; an error means that nothing was learnt.
	QuerySMS(ctx context.Context, query Query) (Fate, error)
}
