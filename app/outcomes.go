package app

import (
	"log/slog"

	"usher/store/sqlstore"
	"usher/tasks"
)

// newOutcomeWriter makes what copies outcomes of SMS from Redis to SQL.
func newOutcomeWriter(s WorkerSettings, stores *Stores, logger *slog.Logger) *tasks.OutcomeWriter {
	return &tasks.OutcomeWriter{
		Log: stores.Redis.Outcomes(), Table: sqlstore.NewOutcomes(stores.SQL, stores.Clock.Now), Locks: stores.Redis.Reports(),
		Retention: s.Config.MessageRetention, Logger: logger,
	}
}
