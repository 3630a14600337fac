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

// NewReports makes what files delivery reports, whether they are pushed or pulled.
func NewReports(
	stores *Stores, registry prometheus.Registerer, tracer trace.Tracer, logger *slog.Logger,
) *reports.Service {
	return &reports.Service{
		Store:   traceReports(scoredReports{stores.Redis.Reports(), stores.Redis.Scores()}, tracer),
		Metrics: reports.NewMetrics(registry), Now: stores.Clock.Now, Logger: logger,
	}
}

// newPuller makes what asks vendors for reports; sms is nil in a worker that sends no SMS.
func newPuller(
	sms *smsSwitch, stores *Stores, registry prometheus.Registerer, tracer trace.Tracer, logger *slog.Logger,
) *tasks.Puller {
	puller := &tasks.Puller{
		Reports: NewReports(stores, registry, tracer, logger), Logger: logger,
	}
	if sms == nil {
		return puller
	}
	for _, sender := range sms.senders() {
		if _, ok := sender.(providers.Puller); ok {
			puller.Sources = append(puller.Sources, pulled{sms, sender.Name()})
		}
	}
	return puller
}

// fileReferences has the vendors' references to our messages filed, whichever way their reports come.
func fileReferences(senders []providers.SMSSender, stores *Stores, logger *slog.Logger) {
	store := stores.Redis.Reports()
	for _, sender := range senders {
		referrer, ok := sender.(providers.Referencer)
		if !ok {
			continue
		}
		referrer.OnReference(func(ctx context.Context, reference, id string) {
			ctx, cancel := context.WithTimeout(ctx, rememberTimeout)
			defer cancel()
			if err := store.Remember(ctx, sender.Name(), reference, id); err != nil {
				logger.WarnContext(ctx, "reference not filed", "sms_code_id", id, "provider", sender.Name(), "error", err)
			}
		})
	}
}
