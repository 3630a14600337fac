package app

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"usher/providers"
	"usher/reports"
)

// serviceWorker is the name of the process in traces, unless OTEL_SERVICE_NAME says otherwise.
const serviceWorker = "usher-worker"

// traceSMS puts a span around every request to a vendor.
func traceSMS(senders []providers.SMSSender, tracer trace.Tracer) []providers.SMSSender {
	traced := make([]providers.SMSSender, len(senders))
	for i, sender := range senders {
		traced[i] = providers.TraceSMS(sender, tracer)
	}
	return traced
}

// traceReports returns the store with a span for each delivery report that changed something, and the store
// itself without a tracer. A report comes in another request than the message's own, so that its span is found
// by the message's id.
func traceReports(store reports.Store, tracer trace.Tracer) reports.Store {
	if tracer == nil {
		return store
	}
	return tracedReports{store, tracer}
}

type tracedReports struct {
	reports.Store
	tracer trace.Tracer
}

// Apply implements [reports.Store].
func (t tracedReports) Apply(ctx context.Context, all []reports.Report) ([]reports.Result, error) {
	results, err := t.Store.Apply(ctx, all)
	for i, result := range results {
		if !result.Changed {
			continue
		}
		_, span := t.tracer.Start(ctx, "message reported", trace.WithAttributes(
			attribute.String("usher.message_id", result.ID),
			attribute.String("usher.provider", all[i].Provider),
			attribute.String("usher.state", string(all[i].State)),
			attribute.String("usher.code", all[i].Code)))
		span.End()
	}
	return results, err
}
