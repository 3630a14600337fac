package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/verify"
)

const (
	// canaryPurpose is one that no code can be entered for.
	canaryPurpose verify.Purpose = "canary"

	canaryPause = time.Minute // until the next message to the number, as after every code
	canaryPoll  = 500 * time.Millisecond
	canaryQuery = 10 * time.Second // between two queries to a vendor that can be asked

	// canaryWait is how long the report of a periodic canary is waited for; most come within seconds.
	canaryWait = 3 * time.Minute
)

// CanaryLife is how long a canary's message is followed at most.
const CanaryLife = 5 * time.Minute

// The outcomes of a canary.
const (
	CanaryDelivered   = "delivered"   // as the carrier reports
	CanaryUndelivered = "undelivered" // as the carrier reports
	CanaryRefused     = "refused"     // the provider did not accept it
	CanaryUnreported  = "unreported"  // accepted, and no report came in time
	CanaryUnsent      = "unsent"      // failed before the provider was called
)

// Canary is one real message through one provider, which takes the way of codes and their reports: it
// shows whether credentials, template, route and reports work. It is for one use.
type Canary struct {
	Sender providers.SMSSender
	To     contact.Mobile
	Store  *redisstore.Store
	Keys   *secrets.Keys
	Tell   func(format string, args ...any) // is called with the progress, without full numbers
	Now    func() time.Time                 // the time that all processes share

	Product string // its name in templates that have one

	id string
	at time.Time // when it was sent
}

// Send sends the message, gives the provider timeout to answer, waits for the report, and returns the outcome. The error of a
// canary that was not delivered says why.
func (c *Canary) Send(ctx context.Context, timeout, wait time.Duration) (outcome string, err error) {
	if outcome, err = c.send(ctx, timeout); err != nil {
		return outcome, err
	}
	return c.follow(ctx, wait)
}

// send files a code that cannot be entered, so that its report is filed like any other, and sends it.
func (c *Canary) send(ctx context.Context, timeout time.Duration) (string, error) {
	subject := c.Keys.Index("mobile", c.To.Reveal())
	c.id, c.at = verify.NewID(subject), time.Now()
	codes := c.Store.Codes()
	err := codes.Issue(ctx, verify.Issue{
		ID: c.id, Subject: subject, Purpose: canaryPurpose, To: c.To.String(), MAC: secrets.Random(16),
		IssuedAt: c.Now(), ExpiresAt: c.Now().Add(CanaryLife), ResendAfter: canaryPause,
	})
	if err != nil {
		return CanaryUnsent, err
	}
	claim, err := codes.Claim(ctx, c.id, CanaryLife)
	if err != nil {
		return CanaryUnsent, err
	}
	code, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return CanaryUnsent, err
	}
	sending, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	receipt, err := c.Sender.SendSMS(sending, providers.SMS{
		ID: c.id, Attempt: claim.Attempt, To: c.To, Code: fmt.Sprintf("%06d", code), TTL: CanaryLife, Product: c.Product,
	})
	if err != nil {
		c.Tell("not accepted after %s", since(c.at))
		outcome := messages.Outcome{State: messages.Failed, Provider: c.Sender.Name(), At: c.Now()}
		return CanaryRefused, errors.Join(err, codes.Record(context.WithoutCancel(ctx), claim, outcome))
	}
	c.Tell("accepted after %s, as %s", since(c.at), receipt.ID)
	return CanaryUnreported, codes.Record(ctx, claim, messages.Outcome{
		State: messages.Sent, Provider: receipt.Provider, ProviderID: receipt.ID, At: c.Now(),
	})
}

var errNoReport = errors.New("no report in time: the message may still arrive; " +
	"are reports pushed to the API, or pulled by a running worker (docs/messages.md)?")

// follow waits for the report to be filed, and queries a vendor that can be queried.
func (c *Canary) follow(ctx context.Context, wait time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(canaryPoll)
	defer ticker.Stop()
	asked := time.Now()
	for {
		state, source, err := c.reported(ctx), "its report", error(nil)
		if querier, ok := c.Sender.(providers.Querier); ok && state == "" && time.Since(asked) >= canaryQuery {
			asked, source = time.Now(), "the vendor's answer to a query: no report came"
			state, err = c.query(ctx, querier)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			c.Tell("could not ask: %v", err)
		case state == messages.Delivered:
			c.Tell("delivered after %s, says %s", since(c.at), source)
			return CanaryDelivered, nil
		case state == messages.Undelivered:
			c.Tell("undelivered after %s, says %s", since(c.at), source)
			return CanaryUndelivered, errors.New("the carrier did not deliver it")
		}
		select {
		case <-ctx.Done():
			return CanaryUnreported, errNoReport
		case <-ticker.C:
		}
	}
}

// reported is the state that a report has set, or empty.
func (c *Canary) reported(ctx context.Context) messages.State {
	status, err := c.Store.Codes().Status(ctx, c.id)
	if err != nil || status.State != messages.Delivered && status.State != messages.Undelivered {
		return ""
	}
	return status.State
}

func (c *Canary) query(ctx context.Context, querier providers.Querier) (messages.State, error) {
	result, err := querier.QuerySMS(ctx, providers.Query{ID: c.id, To: c.To, SentAt: c.at})
	return result.State, err
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }
