package providers

import (
	"context"
	"time"

	"usher/contact"
	"usher/messages"
)

// Unresolved is what is known of earlier attempts that may have sent a message although nobody knows.
type Unresolved struct {
	Provider string    // who was asked; empty when the worker died before it could say so
	At       time.Time // when the first of them began or was given up
}

// Query asks what became of a message.
type Query struct {
	ID     string         // the message's, as in [SMS]
	To     contact.Mobile // its receiver
	SentAt time.Time      // when it may have been sent; vendors file by day
}

// QueryResult is what a vendor knows of a message.
type QueryResult struct {
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
	QuerySMS(ctx context.Context, query Query) (QueryResult, error)
}

// Resolver is what an [SMSSender] of several vendors may be able to do: find out what became of a message that must
// not be sent again.
type Resolver interface {
	// ResolveSMS asks once who may have the message, which needs a Unresolved, and sends nothing. It returns a receipt
	// when a vendor has accepted it, that vendor's refusal when it will not arrive, [ErrUnsent] when it surely
	// never went out, and else an [Error] of kind Unknown: nobody knows of it, or nobody can be asked.
	ResolveSMS(ctx context.Context, sms SMS) (Receipt, error)
}
