package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The headers of a task.
const (
	// HeaderRequestID carries the id of the HTTP request, so that one search of the logs finds all that happened in a
	// sign-up.
	HeaderRequestID = "request_id"

	// HeaderIssuedAt carries the time at which the message was issued, in Unix milliseconds. A task without it is of an
	// older release: how long its person has waited is not known.
	HeaderIssuedAt = "issued_at"

	// HeaderTrace carries the trace of the HTTP request, as W3C's traceparent. A task without it begins a trace of its own.
	HeaderTrace = "traceparent"
)

// The names of attributes by which the spans of both processes and of both channels are found.
const (
	attrMessage = attribute.Key("usher.message_id")
	attrRequest = attribute.Key("usher.request_id")
	attrSystem  = attribute.Key("messaging.system")
	attrQueue   = attribute.Key("messaging.destination.name")
	attrTask    = attribute.Key("messaging.message.id")
)

const (
	// maxRetry is far above what a message's lifetime allows, which is some days of a mail with eight attempts a minute: the
	// lifetime ends the attempts, not the count. A task that Asynq takes for crashed spends a retry as well, and a task without
	// retries left would be archived and keep its mail's id taken.
	maxRetry = 100_000

	// taskTimeout bounds a task from outside. The handlers' own, shorter time-outs end it in good order first.
	taskTimeout = 90 * time.Second
)

// Options are those of every task that sends a message. The task's id is made of the message's: Asynq refuses a second task of
// the same id with [asynq.ErrTaskIDConflict], which means that an earlier write arrived although its answer was lost.
func Options(queue, id string) []asynq.Option {
	return []asynq.Option{asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout)}
}

// Task is a task that sends a message.
type Task struct {
	Type, Queue, ID string
	Payload         any // its JSON is queued
	RequestID       string
	IssuedAt        time.Time // of the message
}

// Enqueue puts a task on its queue, unless a task of its id is there already, which it reports. A nil tracer makes no span.
func Enqueue(ctx context.Context, client *asynq.Client, tracer trace.Tracer, task Task) (existed bool, err error) {
	body, err := json.Marshal(task.Payload)
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", task.Type, err)
	}
	headers := map[string]string{
		HeaderRequestID: task.RequestID, HeaderIssuedAt: strconv.FormatInt(task.IssuedAt.UnixMilli(), 10),
	}
	ctx, end := publish(ctx, tracer, task.Type, headers)
	info, err := client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(task.Type, body, headers), Options(task.Queue, task.ID)...)
	end(info, err)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return true, nil
	}
	if err != nil {
		if ctx.Err() != nil { // Asynq passes on the text of a cause only
			err = ctx.Err()
		}
		return false, fmt.Errorf("enqueue %s: %w", task.Type, err)
	}
	return false, nil
}

// publish begins the span of an enqueuing and writes its trace into the task's headers. end closes it with the
// result. Without a tracer it does nothing.
func publish(
	ctx context.Context, tracer trace.Tracer, typename string, headers map[string]string,
) (_ context.Context, end func(*asynq.TaskInfo, error)) {
	if tracer == nil {
		return ctx, func(*asynq.TaskInfo, error) {}
	}
	ctx, span := tracer.Start(ctx, typename+" publish", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attrSystem.String("asynq"), attrRequest.String(headers[HeaderRequestID])))
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(headers))
	return ctx, func(info *asynq.TaskInfo, err error) {
		if info != nil {
			span.SetAttributes(attrQueue.String(info.Queue), attrTask.String(info.ID),
				attrMessage.String(MessageID(info.ID)))
		}
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			span.SetStatus(codes.Error, "not enqueued")
		}
		span.End()
	}
}

// StartRun begins the span of one run of a task, as a part of the trace that the task was enqueued in.
func StartRun(ctx context.Context, tracer trace.Tracer, task *asynq.Task) (context.Context, trace.Span) {
	id, _ := asynq.GetTaskID(ctx)
	name, _ := asynq.GetQueueName(ctx)
	retried, _ := asynq.GetRetryCount(ctx)
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(task.Headers()))
	return tracer.Start(ctx, task.Type()+" process", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attrSystem.String("asynq"), attrQueue.String(name), attrTask.String(id),
			attrMessage.String(MessageID(id)), attrRequest.String(task.Headers()[HeaderRequestID]),
			attribute.Int("usher.retries", retried)))
}

// NotifyHook publishes a notification of every task that Asynq's client enqueues, on the task's own round trip; see [Waiter].
// Add it to the client that it is given. A notification that fails does not matter: the command's error is its own.
func NotifyHook(client redis.UniversalClient) redis.Hook {
	return CommandHook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		queue, ok := queueOf(scriptKey(cmd, 2, 2), "pending")
		if !ok {
			return next(ctx, cmd)
		}
		pipe := client.Pipeline()
		_ = pipe.Process(ctx, cmd)
		pipe.Publish(ctx, channelOf(queue), "")
		_, _ = pipe.Exec(ctx) // every command has its own error
		return cmd.Err()
	})
}
