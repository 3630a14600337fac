package app

import (
	"fmt"
	"log/slog"
	"strings"
)

// asynqLogger lets Asynq log through slog. Its texts name queues and errors, never payloads.
type asynqLogger struct{ logger *slog.Logger }

func (l asynqLogger) Debug(args ...any) { l.logger.Debug("asynq", "detail", fmt.Sprint(args...)) }
func (l asynqLogger) Info(args ...any)  { l.logger.Debug("asynq", "detail", fmt.Sprint(args...)) }
func (l asynqLogger) Warn(args ...any)  { l.logger.Warn("asynq", "detail", fmt.Sprint(args...)) }

// Error leaves out what a scheduler says at its end of a client that it does not own.
func (l asynqLogger) Error(args ...any) {
	if text := fmt.Sprint(args...); !strings.Contains(text, "redis connection is shared") {
		l.logger.Error("asynq", "detail", text)
	}
}

// Fatal does not end the process, as Asynq expects: only main does that.
func (l asynqLogger) Fatal(args ...any) { l.logger.Error("asynq", "detail", fmt.Sprint(args...)) }
