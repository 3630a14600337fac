package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"usher/queue"
	"usher/secrets"
)

// The headers of a task, besides [queue.HeaderRequestID].
const (
	// HeaderIssuedAt carries the time at which the message was issued, in Unix milliseconds. A task without it is of an
	// older release: how long its person has waited is not known.
	HeaderIssuedAt = "issued_at"

	// HeaderTrace carries the trace of the HTTP request through the queue, as W3C's traceparent. A task without it
	// begins a trace of its own.
	HeaderTrace = "traceparent"
)

// The names by which spans of both processes and of both channels are found.
const (
	attrMessage = attribute.Key("usher.message_id")
	attrRequest = attribute.Key("usher.request_id")
	attrSystem  = attribute.Key("messaging.system")
	attrQueue   = attribute.Key("messaging.destination.name")
	attrTask    = attribute.Key("messaging.message.id")
	asynqName   = "asynq"
)

// Enqueuer puts tasks on their queues. It is safe for concurrent use.
type Enqueuer struct {
	Client    *asynq.Client
	Keys      *secrets.Keys
	Namespace queue.Namespace // of the deployment
	SMSShards int             // queues that codes are spread over; 0 and 1 are one
	Clock     Clock
	Tracer    trace.Tracer // nil makes no spans
}

// enqueue puts a task with this id on the queue, and reports whether it was there already. Our ids are never used for
// anything else: a conflict is our own earlier write, whose answer was lost.
func (e *Enqueuer) enqueue(
	ctx context.Context, typename, requestID string, payload any, name, id string,
) (existed bool, err error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", typename, err)
	}
	headers := map[string]string{queue.HeaderRequestID: requestID, HeaderIssuedAt: issuedHeader(ctx, e.Clock.now())}
	ctx, end := e.publish(ctx, typename, headers)
	info, err := e.Client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(typename, body, headers), queue.Options(name, id)...)
	end(info, err)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return true, nil
	}
	if err != nil {
		if ctx.Err() != nil { // Asynq passes on the text of a cause only
			err = ctx.Err()
		}
		return false, fmt.Errorf("enqueue %s: %w", typename, err)
	}
	return false, nil
}

// publish begins the span of an enqueuing and writes its trace into the task's headers. end closes it with the
// result. Without a tracer it does nothing.
func (e *Enqueuer) publish(
	ctx context.Context, typename string, headers map[string]string,
) (_ context.Context, end func(*asynq.TaskInfo, error)) {
	if e.Tracer == nil {
		return ctx, func(*asynq.TaskInfo, error) {}
	}
	ctx, span := e.Tracer.Start(ctx, typename+" publish", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attrSystem.String(asynqName), attrRequest.String(headers[queue.HeaderRequestID])))
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(headers))
	return ctx, func(info *asynq.TaskInfo, err error) {
		if info != nil {
			span.SetAttributes(attrQueue.String(info.Queue), attrTask.String(info.ID),
				attrMessage.String(queue.MessageID(info.ID)))
		}
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			span.SetStatus(codes.Error, "not enqueued")
		}
		span.End()
	}
}
