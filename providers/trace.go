package providers

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// attrMessage names the message in spans; package tasks uses the same name, so that one search finds both.
const attrMessage = attribute.Key("usher.message_id")

// TraceSMS returns the sender with a span for each of its sends and queries, and the sender itself without a tracer. What
// else it can do is found through [Wrapper].
func TraceSMS(sender SMSSender, tracer trace.Tracer) SMSSender {
	if tracer == nil {
		return sender
	}
	plain := tracedSMS{sender, tracer}
	if querier, ok := sender.(Querier); ok {
		return tracedQuerier{plain, querier}
	}
	return plain
}

// TraceEmail is [TraceSMS] for mails.
func TraceEmail(sender EmailSender, tracer trace.Tracer) EmailSender {
	if tracer == nil {
		return sender
	}
	return tracedEmail{sender, tracer}
}

type tracedSMS struct {
	SMSSender
	tracer trace.Tracer
}

// SendSMS implements [SMSSender].
func (s tracedSMS) SendSMS(ctx context.Context, sms SMS) (Receipt, error) {
	return traced(ctx, s.tracer, s.Name(), "send", func(ctx context.Context) (Receipt, error) { return s.SMSSender.SendSMS(ctx, sms) },
		attrMessage.String(sms.ID), attribute.Int("usher.attempt", sms.Attempt))
}

// Unwrap implements [Wrapper].
func (s tracedSMS) Unwrap() SMSSender { return s.SMSSender }

type tracedQuerier struct {
	tracedSMS
	querier Querier
}

// QuerySMS implements [Querier].
func (q tracedQuerier) QuerySMS(ctx context.Context, query Query) (QueryResult, error) {
	return traced(ctx, q.tracer, q.Name(), "query", func(ctx context.Context) (QueryResult, error) {
		result, err := q.querier.QuerySMS(ctx, query)
		trace.SpanFromContext(ctx).SetAttributes(attribute.String("usher.state", string(result.State)))
		return result, err
	}, attrMessage.String(query.ID))
}

type tracedEmail struct {
	EmailSender
	tracer trace.Tracer
}

// SendEmail implements [EmailSender].
func (s tracedEmail) SendEmail(ctx context.Context, email Email) (Receipt, error) {
	return traced(ctx, s.tracer, s.Name(), "send", func(ctx context.Context) (Receipt, error) { return s.EmailSender.SendEmail(ctx, email) })
}

// traced makes a span of one request to a vendor. It records the kind and the code of a refusal, and nothing of its text.
func traced[R any](
	ctx context.Context, tracer trace.Tracer, provider, what string, call func(context.Context) (R, error), attributes ...attribute.KeyValue,
) (R, error) {
	ctx, span := tracer.Start(ctx, provider+" "+what, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(append(attributes, attribute.String("usher.provider", provider))...))
	defer span.End()
	result, err := call(ctx)
	if err != nil {
		kind := KindOf(err).String()
		span.SetAttributes(attribute.String("usher.kind", kind))
		if refused, ok := errors.AsType[*Error](err); ok {
			span.SetAttributes(attribute.String("usher.code", refused.Code))
		}
		span.SetStatus(codes.Error, kind)
	}
	return result, err
}
