package providers

import (
	"context"
	"time"

	"usher/contact"
)

// SMS is one verification code on its way to one number.
type SMS struct {
	ID         string         // our id of the message; providers echo it in reports
	Attempt    int            // number of the claim, from 1
	To         contact.Mobile // exactly one number
	Purpose    string         // what the code is for, one of [Purposes]; empty takes the default template
	Code       string         // the digits; goes into the provider's template
	TTL        time.Duration  // how long the code still lives, for templates that say so in minutes
	Unresolved *Unresolved    // for the router: nil unless an earlier attempt may have sent it
}

// SMSSender sends verification codes through one vendor.
type SMSSender interface {
	// Name is the provider's name in settings, logs and metrics.
	Name() string

	// SendSMS asks the vendor to send and returns once the vendor has answered or ctx has ended. A nil
	// error means accepted. Every error is an [*Error], whose text holds neither the number nor the
	// code nor a key. It makes at most one request, never repeats it and follows no redirect. It is
	// safe for concurrent use.
	SendSMS(ctx context.Context, sms SMS) (Receipt, error)
}
