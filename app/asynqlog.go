package app

import (
	"fmt"
	"log/slog"
)

// asynqLogger lets Asynq log through slog. Its texts name queues and errors, never payloads.
type asynqLogger struct{ logger *slog.Logger }

func (l asynqLogger) Debug(args ...any) { l.logger.Debug("asynq", "detail", fmt.Sprint(args...)) }
func (l asynqLogger) Info(args ...any)  { l.logger.Debug("asynq", "detail", fmt.Sprint(args...)) }
func (l asynqLogger) Warn(args ...any)  { l.logger.Warn("asynq", "detail", fmt.Sprint(args...)) }
func (l asynqLogger) Error(args ...any) { l.logger.Error("asynq", "detail", fmt.Sprint(args...)) }

// Fatal does not end the process, as Asynq expects: only main does that.
func (l asynqLogger) Fatal(args ...any) { l.logger.Error("asynq", "detail", fmt.Sprint(args...)) }
