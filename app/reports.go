package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"usher/providers"
	"usher/reports"
	"usher/tasks"
)

// rememberTimeout bounds what a send waits for its reference to be filed. Without it the report finds nobody,
// which is less than a code that comes late.
const rememberTimeout = 500 * time.Millisecond

// newReports makes what files delivery reports, whether they are pushed or pulled.
func newReports(
	stores *stores, registry prometheus.Registerer, tracer trace.Tracer, logger *slog.Logger,
) *reports.Service {
	return &reports.Service{
		Store:   traceReports(scoredReports{stores.redis.Reports(), stores.redis.Scores()}, tracer),
		Metrics: reports.NewMetrics(registry), Now: time.Now, Logger: logger,
	}
}

// newPuller makes what asks vendors for reports, and has the vendors' references to our messages
// filed, whichever way the reports come.
func newPuller(
	s WorkerSettings, stores *stores, registry prometheus.Registerer, tracer trace.Tracer, logger *slog.Logger,
) *tasks.Puller {
	store := stores.redis.Reports()
	puller := &tasks.Puller{
		Reports: newReports(stores, registry, tracer, logger), Logger: logger,
	}
	for _, sender := range s.SMS {
		if source, ok := sender.(providers.Puller); ok {
			puller.Sources = append(puller.Sources, source)
		}
		referrer, ok := sender.(providers.Referrer)
		if !ok {
			continue
		}
		referrer.Refer(func(ctx context.Context, reference, id string) {
			ctx, cancel := context.WithTimeout(ctx, rememberTimeout)
			defer cancel()
			if err := store.Remember(ctx, sender.Name(), reference, id); err != nil {
				logger.WarnContext(ctx, "reference not filed", "sms_code_id", id, "provider", sender.Name(), "error", err)
			}
		})
	}
	return puller
}
