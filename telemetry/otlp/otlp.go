// Package otlp sends spans to an OpenTelemetry collector over HTTP. It is apart from package telemetry because it links
// gRPC, which it does not use: that is 90 packages more to compile, and cmd/dev, which people build first, has no
// use for a collector.
package otlp

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Open returns an exporter that reads the OTEL_EXPORTER_OTLP_ variables from the environment. It connects to nothing.
// It is a [usher/telemetry.Settings.Collector].
func Open(ctx context.Context) (sdktrace.SpanExporter, error) { return otlptracehttp.New(ctx) }
