package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"time"

	"usher/app"
	"usher/config"
	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/providers/catalog"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/verify"
)

const (
	// canaryPurpose is one that no code can be entered for.
	canaryPurpose verify.Purpose = "canary"
	canaryLife                   = 5 * time.Minute
	canaryPause                  = time.Minute // until the next message to the number, as after every code
	canaryLook                   = 500 * time.Millisecond
	canaryQuery                  = 10 * time.Second // between two questions to a vendor that can be asked
)

// canary sends one real message through one vendor and follows it, on the way that codes and their reports
// take: so it shows whether credentials, template, route and reports work.
func canary(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("canary", flag.ContinueOnError)
	provider := flags.String("provider", "", "`name` of the provider: aliyun or ronglian")
	number := flags.String("to", "", "`number` that gets the message")
	wait := flags.Duration("wait", 2*time.Minute, "how long to wait for the report, at most 5m")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	to, err := contact.ParseMobile(*number)
	switch {
	case *provider == "" || *number == "" || flags.NArg() > 0:
		return &app.UsageError{Text: "want canary -provider NAME -to NUMBER"}
	case err != nil:
		return &app.UsageError{Text: "-to: want a mainland mobile number"}
	case *wait < 0 || *wait > canaryLife:
		return &app.UsageError{Text: "-wait: want at most 5m"}
	}
	settings, err := app.LoadWorker(p.Environ)
	senders, smsErr := catalog.SMS([]string{*provider}, p.Environ)
	if err := config.Join(err, smsErr); err != nil {
		return err
	}
	client, err := redisstore.Open(settings.Config.RedisURL.Reveal())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	f := flight{
		sender: senders[0], to: to, out: p.Stdout,
		store: redisstore.New(client, settings.Keys, time.Now), subject: settings.Keys.Index("mobile", to.Reveal()),
	}
	if err := f.send(ctx, settings.Config.SendTimeout); err != nil {
		return err
	}
	return f.follow(ctx, *wait)
}

// flight is one message on its way.
type flight struct {
	sender  providers.SMSSender
	to      contact.Mobile
	store   *redisstore.Store
	subject string
	out     io.Writer

	id string
	at time.Time // when it was sent
}

// say prints a line; the number shows masked.
func (f *flight) say(format string, args ...any) {
	_, _ = fmt.Fprintf(f.out, "%s to %s: %s\n", f.sender.Name(), f.to, fmt.Sprintf(format, args...))
}

// send files a code that nobody can enter, so that its report is filed like any other, and sends it.
func (f *flight) send(ctx context.Context, timeout time.Duration) error {
	f.id, f.at = verify.NewID(f.subject), time.Now()
	codes := f.store.Codes()
	err := codes.Issue(ctx, verify.Issue{
		ID: f.id, Subject: f.subject, Purpose: canaryPurpose, MAC: secrets.Random(16),
		IssuedAt: f.at, ExpiresAt: f.at.Add(canaryLife), ResendAfter: canaryPause,
	})
	if err != nil {
		return err
	}
	claim, err := codes.Claim(ctx, f.id, canaryLife)
	if err != nil {
		return err
	}
	if referrer, ok := f.sender.(providers.Referrer); ok {
		referrer.Refer(func(ctx context.Context, reference, id string) {
			if err := f.store.Reports().Remember(ctx, f.sender.Name(), reference, id); err != nil {
				f.say("its report will not be recognised: %v", err)
			}
		})
	}
	code, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return err
	}
	sending, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	receipt, err := f.sender.SendSMS(sending, providers.SMS{
		ID: f.id, Attempt: claim.Attempt, To: f.to, Code: fmt.Sprintf("%06d", code), TTL: canaryLife,
	})
	if err != nil {
		f.say("not accepted after %s", since(f.at))
		outcome := messages.Outcome{State: messages.Failed, Provider: f.sender.Name(), At: time.Now()}
		return errors.Join(err, codes.Record(context.WithoutCancel(ctx), claim, outcome))
	}
	f.say("accepted after %s, as %s", since(f.at), receipt.ID)
	return codes.Record(ctx, claim, messages.Outcome{
		State: messages.Sent, Provider: receipt.Provider, ProviderID: receipt.ID, At: time.Now(),
	})
}

var errNoReport = errors.New("no report in time: the message may still arrive; " +
	"are reports pushed to the API, or pulled by a running worker (docs/operations.md)?")

// follow waits for the report to be filed, and asks the vendor now and then where it can be asked.
func (f *flight) follow(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(canaryLook)
	defer ticker.Stop()
	asked := time.Now()
	for {
		state, source, err := f.reported(ctx), "its report", error(nil)
		if querier, ok := f.sender.(providers.Querier); ok && state == "" && time.Since(asked) >= canaryQuery {
			asked, source = time.Now(), "the vendor, who was asked: no report came"
			state, err = f.query(ctx, querier)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			f.say("could not ask: %v", err)
		case state == messages.Delivered:
			f.say("delivered after %s, says %s", since(f.at), source)
			return nil
		case state == messages.Undelivered:
			f.say("undelivered after %s, says %s", since(f.at), source)
			return errors.New("the carrier did not deliver it")
		}
		select {
		case <-ctx.Done():
			return errNoReport
		case <-ticker.C:
		}
	}
}

// reported is the state that a report has set, or empty.
func (f *flight) reported(ctx context.Context) messages.State {
	status, err := f.store.Codes().Status(ctx, f.id)
	if err != nil || status.State != messages.Delivered && status.State != messages.Undelivered {
		return ""
	}
	return status.State
}

func (f *flight) query(ctx context.Context, querier providers.Querier) (messages.State, error) {
	fate, err := querier.QuerySMS(ctx, providers.Query{ID: f.id, To: f.to, SentAt: f.at})
	return fate.State, err
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }
