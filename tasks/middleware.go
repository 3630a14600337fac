package tasks

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"usher/providers"
	"usher/queue"
	"usher/telemetry"
)

// Trace is the middleware that makes one span of each run of a task, as a part of the trace that its task was
// enqueued in. It goes around [Observe]. Without a tracer it leaves handlers as they are.
func Trace(tracer trace.Tracer) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		if tracer == nil {
			return next
		}
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			ctx, span := queue.StartRun(ctx, tracer, task)
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

type observedKey struct{}

// observed is the run of a task, as [Observe] puts it into the context. Most runs write one line, so the loggers of the others are
// not made: each would format its attributes.
type observed struct {
	log      *slog.Logger // names neither request nor task
	about    []any        // attributes of lines about the run's message: request and trace, but not the task, as the message has an id
	id, kind string       // of the task
	issuedAt time.Time    // of the message; zero when the task does not say it
}

// observedRun returns the run that the context belongs to; without [Observe] one that logs nothing.
func observedRun(ctx context.Context) *observed {
	if o, ok := ctx.Value(observedKey{}).(*observed); ok {
		return o
	}
	return &observed{log: slog.New(slog.DiscardHandler)}
}

// logger returns a logger that names the task.
func logger(ctx context.Context) *slog.Logger {
	o := observedRun(ctx)
	return o.log.With(o.about...).With("task_id", o.id, "task_type", o.kind)
}

var errPanic = errors.New("handler panicked; the log has the stack")

// Observe is the middleware of every handler: it gives the task a logger that names it, counts and
// times it, and turns a panic into an error that quotes nothing of the panic's value, which might contain
// a number.
func Observe(base *slog.Logger, metrics *Metrics) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) (err error) {
			request := task.Headers()[queue.HeaderRequestID]
			o := &observed{log: base, about: []any{"request_id", request}, kind: task.Type(), issuedAt: issuedAt(task)}
			o.id, _ = asynq.GetTaskID(ctx)
			if id := telemetry.TraceID(ctx); id != "" {
				o.about = append(o.about, "trace_id", id)
			}
			ctx = telemetry.WithRequestID(ctx, request) // for code that logs with another logger
			ctx = context.WithValue(ctx, observedKey{}, o)
			start := time.Now()
			defer func() {
				if recover() != nil {
					logger(ctx).Error("handler panicked", "stack", providers.Stack())
					err = archived(errPanic)
				}
				metrics.task(task.Type(), err, time.Since(start))
				if errors.Is(err, asynq.SkipRetry) {
					logger(ctx).Warn("task archived", "error", err)
				}
			}()
			return next.ProcessTask(ctx, task)
		})
	}
}

type shutdownKey struct{}

// shutdown is how a worker ends: drain ends first, then stop.
type shutdown struct{ drain, stop context.Context }

// Stoppable is the middleware that lets a worker end in good order. From the moment that drain ends, which is when the
// worker is told to end, no message waits for a slot to be sent in. From the moment that stop ends no attempt
// begins, a message that is claimed but not yet with its provider is given back, and a call under way is ended:
// its outcome is recorded as unresolved, and the claim is kept. Asynq itself ends a task's context only after it
// has put the task back, when nothing can be recorded any more.
func Stoppable(drain, stop context.Context) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			if stop.Err() != nil {
				return &retryAt{time.Now(), errStopping}
			}
			return next.ProcessTask(context.WithValue(ctx, shutdownKey{}, shutdown{drain, stop}), task)
		})
	}
}

// shutdownOf returns what [Stoppable] was given; without it neither ever ends.
func shutdownOf(ctx context.Context) shutdown {
	if s, ok := ctx.Value(shutdownKey{}).(shutdown); ok {
		return s
	}
	return shutdown{context.Background(), context.Background()}
}

// age is how long ago the message that ctx is about was issued.
func age(ctx context.Context, now time.Time) (age time.Duration, known bool) {
	at := observedRun(ctx).issuedAt
	return max(now.Sub(at), 0), !at.IsZero()
}

// issuedAt reads the time in the task's header; zero when there is none.
func issuedAt(task *asynq.Task) time.Time {
	ms, err := strconv.ParseInt(task.Headers()[queue.HeaderIssuedAt], 10, 64)
	if err != nil || ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
