package tasks

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"usher/providers"
	"usher/queue"
	"usher/telemetry"
)

type loggerKey struct{}

// logger returns the task's logger, made by [Observe].
func logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

// Observe is the middleware of every handler: it gives the task a logger that names it, counts and
// times it, and turns a panic into an error that quotes nothing of the panic's value, which might hold
// a number.
func Observe(base *slog.Logger, metrics *Metrics) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) (err error) {
			id, _ := asynq.GetTaskID(ctx)
			request := task.Headers()[queue.HeaderRequestID]
			l := base.With("task_id", id, "task_type", task.Type(), "request_id", request)
			if id := telemetry.TraceID(ctx); id != "" {
				l = l.With("trace_id", id)
			}
			ctx = telemetry.WithRequestID(ctx, request) // for those who log with another logger
			ctx = readIssued(context.WithValue(ctx, loggerKey{}, l), task.Headers()[HeaderIssuedAt])
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

var errPanic = errors.New("handler panicked; the log has the stack")
