package tasks

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"usher/messages"
)

// HeaderIssuedAt carries the time at which a message came into being, in Unix milliseconds. A task without it
// is of an older release, and nobody knows how long its person has waited.
const HeaderIssuedAt = "issued_at"

type issuedAtKey struct{}

// issuedAt returns a context of the work on a message that came into being at a time.
func issuedAt(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, issuedAtKey{}, at)
}

// age is how long ago the message that ctx is about came into being.
func age(ctx context.Context, now time.Time) (age time.Duration, known bool) {
	at, known := ctx.Value(issuedAtKey{}).(time.Time)
	return max(now.Sub(at), 0), known
}

// issuedHeader is the header of a task for the message that ctx is about, which came into being now unless ctx says
// when it came into being.
func issuedHeader(ctx context.Context, now time.Time) string {
	at, known := ctx.Value(issuedAtKey{}).(time.Time)
	if !known {
		at = now
	}
	return strconv.FormatInt(at.UnixMilli(), 10)
}

// readIssued puts what the header says into the context.
func readIssued(ctx context.Context, header string) context.Context {
	ms, err := strconv.ParseInt(header, 10, 64)
	if err != nil || ms <= 0 {
		return ctx
	}
	return issuedAt(ctx, time.UnixMilli(ms))
}

// WatchSMS returns the claims, whose outcomes it tells the metrics and the spans of their tasks.
func WatchSMS(claims SMSClaims, metrics *Metrics) SMSClaims { return watchedSMS{claims, metrics} }

// WatchMail is [WatchSMS] for mails.
func WatchMail(claims MailClaims, metrics *Metrics) MailClaims { return watchedMail{claims, metrics} }

type watchedSMS struct {
	SMSClaims
	metrics *Metrics
}

// Record implements [SMSClaims].
func (w watchedSMS) Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
	err := w.SMSClaims.Record(ctx, claim, outcome)
	watch(ctx, w.metrics, messages.SMS, claim, outcome, err)
	return err
}

type watchedMail struct {
	MailClaims
	metrics *Metrics
}

// Record implements [MailClaims].
func (w watchedMail) Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
	err := w.MailClaims.Record(ctx, claim, outcome)
	watch(ctx, w.metrics, messages.Email, claim, outcome, err)
	return err
}

// watch notes an outcome once it is recorded: recording is tried again when it fails.
func watch(
	ctx context.Context, metrics *Metrics, channel messages.Channel,
	claim messages.Claim, outcome messages.Outcome, err error,
) {
	if err != nil {
		return
	}
	if age, known := age(ctx, outcome.At); known && outcome.State == messages.Sent {
		metrics.accepted(channel, outcome.Provider, age)
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("usher.state", string(outcome.State)),
			attribute.String("usher.provider", outcome.Provider), attribute.Int("usher.attempt", claim.Attempt))
	}
}
