package tasks

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"usher/providers"
)

// HeaderTrace carries the trace of the HTTP request through the queue, as W3C's traceparent. A task without it
// begins a trace of its own.
const HeaderTrace = "traceparent"

// The names by which spans of both processes and of both channels are found.
const (
	attrMessage = attribute.Key("usher.message_id")
	attrRequest = attribute.Key("usher.request_id")
	attrSystem  = attribute.Key("messaging.system")
	attrQueue   = attribute.Key("messaging.destination.name")
	attrTask    = attribute.Key("messaging.message.id")
	asynqName   = "asynq"
)

// publish begins the span of an enqueuing and writes its trace into the task's headers. end closes it with what
// came of it. Without a tracer it does nothing.
func (e *Enqueuer) publish(
	ctx context.Context, typename string, headers map[string]string,
) (_ context.Context, end func(*asynq.TaskInfo, error)) {
	if e.Tracer == nil {
		return ctx, func(*asynq.TaskInfo, error) {}
	}
	ctx, span := e.Tracer.Start(ctx, typename+" publish", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attrSystem.String(asynqName), attrRequest.String(headers[HeaderRequestID])))
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(headers))
	return ctx, func(info *asynq.TaskInfo, err error) {
		if info != nil {
			span.SetAttributes(attrQueue.String(info.Queue), attrTask.String(info.ID),
				attrMessage.String(messageID(info.ID)))
		}
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			span.SetStatus(codes.Error, "not enqueued")
		}
		span.End()
	}
}

// Trace is the middleware that makes one span of each run of a task, as a part of the trace that its task was
// enqueued in. It goes around [Observe]. Without a tracer it leaves handlers as they are.
func Trace(tracer trace.Tracer) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		if tracer == nil {
			return next
		}
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			queue, _ := asynq.GetQueueName(ctx)
			retried, _ := asynq.GetRetryCount(ctx)
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(task.Headers()))
			ctx, span := tracer.Start(ctx, task.Type()+" process", trace.WithSpanKind(trace.SpanKindConsumer),
				trace.WithAttributes(attrSystem.String(asynqName), attrQueue.String(queue), attrTask.String(id),
					attrMessage.String(messageID(id)), attrRequest.String(task.Headers()[HeaderRequestID]),
					attribute.Int("usher.retries", retried)))
			defer span.End()
			err := next.ProcessTask(ctx, task)
			result := resultOf(err)
			span.SetAttributes(attribute.String("usher.result", result))
			if err != nil {
				span.SetAttributes(attribute.String("usher.reason", reasonOf(err)))
				span.SetStatus(codes.Error, result)
			}
			return err
		})
	}
}

// TraceSMS returns the sender with a span for each of its requests to the vendor, and the sender itself without
// a tracer. What the sender can do beyond sending, it can still do, but for handing out reports and references.
func TraceSMS(sender providers.SMSSender, tracer trace.Tracer) providers.SMSSender {
	if tracer == nil {
		return sender
	}
	traced := tracedSMS{sender, tracer}
	if querier, ok := sender.(providers.Querier); ok {
		return tracedQuerier{traced, querier}
	}
	return traced
}

// TraceEmail is [TraceSMS] for mails.
func TraceEmail(sender providers.EmailSender, tracer trace.Tracer) providers.EmailSender {
	if tracer == nil {
		return sender
	}
	return tracedEmail{sender, tracer}
}

type tracedSMS struct {
	providers.SMSSender
	tracer trace.Tracer
}

// SendSMS implements [providers.SMSSender].
func (s tracedSMS) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	ctx, span := call(ctx, s.tracer, s.Name(), "send", attrMessage.String(sms.ID), attribute.Int("usher.attempt", sms.Attempt))
	defer span.End()
	receipt, err := s.SMSSender.SendSMS(ctx, sms)
	answered(span, err)
	return receipt, err
}

// Unwrap implements [providers.Wrapper].
func (s tracedSMS) Unwrap() providers.SMSSender { return s.SMSSender }

// Bounds implements [providers.Bounded].
func (s tracedSMS) Bounds() providers.Bounds {
	if bounded, ok := s.SMSSender.(providers.Bounded); ok {
		return bounded.Bounds()
	}
	return providers.Bounds{}
}

type tracedQuerier struct {
	tracedSMS
	querier providers.Querier
}

// QuerySMS implements [providers.Querier].
func (q tracedQuerier) QuerySMS(ctx context.Context, query providers.Query) (providers.Fate, error) {
	ctx, span := call(ctx, q.tracer, q.Name(), "query", attrMessage.String(query.ID))
	defer span.End()
	fate, err := q.querier.QuerySMS(ctx, query)
	answered(span, err)
	span.SetAttributes(attribute.String("usher.state", string(fate.State)))
	return fate, err
}

type tracedEmail struct {
	providers.EmailSender
	tracer trace.Tracer
}

// SendEmail implements [providers.EmailSender].
func (s tracedEmail) SendEmail(ctx context.Context, email providers.Email) (providers.Receipt, error) {
	ctx, span := call(ctx, s.tracer, s.Name(), "send")
	defer span.End()
	receipt, err := s.EmailSender.SendEmail(ctx, email)
	answered(span, err)
	return receipt, err
}

// call begins the span of one request to a vendor.
func call(
	ctx context.Context, tracer trace.Tracer, provider, what string, attributes ...attribute.KeyValue,
) (context.Context, trace.Span) {
	return tracer.Start(ctx, provider+" "+what, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(append(attributes, attribute.String("usher.provider", provider))...))
}

// answered notes the kind and the code of a refusal, and nothing of its text.
func answered(span trace.Span, err error) {
	if err == nil {
		return
	}
	kind := providers.KindOf(err).String()
	span.SetAttributes(attribute.String("usher.kind", kind))
	if refused, ok := errors.AsType[*providers.Error](err); ok {
		span.SetAttributes(attribute.String("usher.code", refused.Code))
	}
	span.SetStatus(codes.Error, kind)
}
