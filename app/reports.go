package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/reports"
	"usher/store/redisstore"
)

// rememberTimeout bounds how long a send waits for its reference to be filed. Without it the report cannot be matched to its
// message, which is better than a late code.
const rememberTimeout = 500 * time.Millisecond

// NewReports makes the service that files delivery reports, whether they are pushed or pulled. The tracer may be nil.
func NewReports(
	stores *Stores, registry prometheus.Registerer, tracer trace.Tracer, logger *slog.Logger,
) *reports.Service {
	return &reports.Service{
		Store: watchedReports{stores.Redis.Reports(), stores.Redis.Scores(), tracer}, Pushes: stores.Redis.Reports(),
		Metrics: reports.NewMetrics(registry), Now: stores.Clock.Now, Logger: logger,
	}
}

// watchedReports counts delivery reports for the score of their provider, and makes a span of each that changed something: it
// comes in another request than the message's own, so the span is found by the message's id.
type watchedReports struct {
	reports.Store
	scores providers.Scores
	tracer trace.Tracer // nil makes no spans
}

// scored is what reports are counted for.
type scored struct {
	provider string
	carrier  contact.Carrier
}

// Apply implements [reports.Store]. A score is less important than the reports themselves: an error of the scores is ignored.
func (w watchedReports) Apply(ctx context.Context, all []reports.Report) ([]reports.Result, error) {
	results, err := w.Store.Apply(ctx, all)
	scores := map[scored]providers.Score{}
	for i, result := range results {
		if !result.Changed {
			continue
		}
		report := all[i]
		key := scored{report.Provider, contact.CarrierOf(result.To)}
		switch report.State {
		case messages.Delivered:
			scores[key] = scores[key].Plus(providers.Score{Delivered: 1})
		case messages.Undelivered:
			scores[key] = scores[key].Plus(providers.Score{Undelivered: 1})
		default:
		}
		if w.tracer != nil {
			_, span := w.tracer.Start(ctx, "message reported", trace.WithAttributes(
				attribute.String("usher.message_id", result.ID), attribute.String("usher.provider", report.Provider),
				attribute.String("usher.state", string(report.State)), attribute.String("usher.code", report.Code)))
			span.End()
		}
	}
	for key, score := range scores {
		_ = w.scores.AddScore(ctx, key.provider, key.carrier, score)
	}
	return results, err
}

// FileReferences files the vendor's references to our messages, so that pushed and pulled reports are matched to them. A report
// that came before its reference is applied and counted like the others. The tracer may be nil.
func FileReferences(sender providers.SMSSender, store *redisstore.Store, tracer trace.Tracer, logger *slog.Logger) {
	referencer, ok := sender.(providers.Referencer)
	if !ok {
		return
	}
	filed := store.Reports()
	watched := watchedReports{filed, store.Scores(), tracer}
	referencer.OnReference(func(ctx context.Context, reference, id string) {
		ctx, cancel := context.WithTimeout(ctx, rememberTimeout)
		defer cancel()
		early, err := filed.Remember(ctx, sender.Name(), reference, id)
		if len(early) > 0 {
			_, err = watched.Apply(ctx, early)
		}
		if err != nil {
			logger.WarnContext(ctx, "reference not filed: the report of this message cannot be matched",
				"sms_code_id", id, "provider", sender.Name(), "error", err)
		}
	})
}
