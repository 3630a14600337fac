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

type loggerKey struct{}

// logger returns the task's logger, made by [Observe].
func logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

type messageLoggerKey struct{}

// messageLogger returns the logger for lines about a message, which name the request and not the task: the message has an id.
func messageLogger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(messageLoggerKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

var errPanic = errors.New("handler panicked; the log has the stack")

// Observe is the middleware of every handler: it gives the task a logger that names it, counts and
// times it, and turns a panic into an error that quotes nothing of the panic's value, which might contain
// a number.
func Observe(base *slog.Logger, metrics *Metrics) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) (err error) {
			id, _ := asynq.GetTaskID(ctx)
			request := task.Headers()[queue.HeaderRequestID]
			about := base.With("request_id", request)
			if id := telemetry.TraceID(ctx); id != "" {
				about = about.With("trace_id", id)
			}
			l := about.With("task_id", id, "task_type", task.Type())
			ctx = context.WithValue(ctx, messageLoggerKey{}, about)
			ctx = telemetry.WithRequestID(ctx, request) // for code that logs with another logger
			ctx = readIssued(context.WithValue(ctx, loggerKey{}, l), task.Headers()[queue.HeaderIssuedAt])
			start := time.Now()
			defer func() {
				if recover() != nil {
					l.Error("handler panicked", "stack", providers.Stack())
					err = archived(errPanic)
				}
				metrics.task(task.Type(), err, time.Since(start))
				if errors.Is(err, asynq.SkipRetry) {
					l.Warn("task archived", "error", err)
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

type issuedAtKey struct{}

// age is how long ago the message that ctx is about was issued.
func age(ctx context.Context, now time.Time) (age time.Duration, known bool) {
	at, known := ctx.Value(issuedAtKey{}).(time.Time)
	return max(now.Sub(at), 0), known
}

// readIssued puts the header's time into the context.
func readIssued(ctx context.Context, header string) context.Context {
	ms, err := strconv.ParseInt(header, 10, 64)
	if err != nil || ms <= 0 {
		return ctx
	}
	return context.WithValue(ctx, issuedAtKey{}, time.UnixMilli(ms))
}
