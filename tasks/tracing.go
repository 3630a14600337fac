package tasks

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"usher/queue"
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

// Trace is the middleware that makes one span of each run of a task, as a part of the trace that its task was
// enqueued in. It goes around [Observe]. Without a tracer it leaves handlers as they are.
func Trace(tracer trace.Tracer) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		if tracer == nil {
			return next
		}
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			name, _ := asynq.GetQueueName(ctx)
			retried, _ := asynq.GetRetryCount(ctx)
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(task.Headers()))
			ctx, span := tracer.Start(ctx, task.Type()+" process", trace.WithSpanKind(trace.SpanKindConsumer),
				trace.WithAttributes(attrSystem.String(asynqName), attrQueue.String(name), attrTask.String(id),
					attrMessage.String(queue.MessageID(id)), attrRequest.String(task.Headers()[queue.HeaderRequestID]),
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
