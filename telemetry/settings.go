package telemetry

import (
	"context"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Exporter names where spans go, as OTEL_TRACES_EXPORTER spells it.
type Exporter string

// The exporters.
const (
	None    Exporter = "none"    // no span is made
	OTLP    Exporter = "otlp"    // to a collector, over HTTP
	Console Exporter = "console" // to standard output, for a look at them
)

// Settings is what the standard variables say about whether there are traces. What else they say (where the
// collector is, what is sampled, how much is batched) OpenTelemetry reads from the environment itself.
type Settings struct {
	Exporter Exporter // empty is None

	// Mistake says why Exporter is None although the settings ask for traces; it is empty when nothing is wrong.
	Mistake string

	// Collector opens the exporter that OTLP names: [usher/telemetry/otlp.Open]. A program that leaves it nil, as cmd/dev
	// does, is spared what that package links; it warns when OTLP is asked for.
	Collector func(context.Context) (sdktrace.SpanExporter, error)

	// Spans takes every span as soon as it ends, in place of the Exporter; for tests.
	Spans sdktrace.SpanExporter
}

// Parse finds out whether traces are wanted: OTEL_TRACES_EXPORTER says so, or an endpoint to send them to
// does. Without either there are none.
func Parse(environ map[string]string) Settings {
	if strings.EqualFold(environ["OTEL_SDK_DISABLED"], "true") {
		return Settings{Exporter: None}
	}
	switch wanted := Exporter(strings.ToLower(strings.TrimSpace(environ["OTEL_TRACES_EXPORTER"]))); wanted {
	case None, OTLP, Console:
		return Settings{Exporter: wanted}
	case "":
		if environ["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" || environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != "" {
			return Settings{Exporter: OTLP}
		}
		return Settings{Exporter: None}
	default:
		return Settings{Exporter: None, Mistake: "OTEL_TRACES_EXPORTER: want otlp, console or none"}
	}
}
