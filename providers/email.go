package providers

import (
	"context"

	"usher/contact"
)

// Email is one rendered mail on its way to one address.
type Email struct {
	MessageID string // without angle brackets; the same for every attempt, so that readers drop a double
	To        contact.Email
	Subject   string
	Text      string
	HTML      string
}

// EmailSender sends mails through one vendor.
type EmailSender interface {
	// Name is the provider's name in settings, logs and metrics.
	Name() string

	// SendEmail delivers the mail to the vendor under the promises of [SMSSender.SendSMS].
	SendEmail(ctx context.Context, email Email) (Receipt, error)

	// Close ends the live connections. No call may follow.
	Close() error
}
