// Package telemetry tells what a process does beyond its metrics: it makes the spans of traces and hands them
// to OpenTelemetry, and it has every log line of a request or a task say which one it belongs to.
//
// Traces are off unless the standard OTEL_ variables ask for them. A process without them has a nil
// [trace.Tracer], and callers check that before they make spans: nothing is allocated and no goroutine runs.
// Nothing that goes wrong with traces stops or slows a process; it is logged, once a minute at most.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// errNoCollector is the answer of cmd/dev to a setting that only cmd/api and cmd/worker can follow.
var errNoCollector = errors.New("this program cannot send spans to a collector: run cmd/api and cmd/worker for that, " +
	"or set OTEL_TRACES_EXPORTER=console to print them")

// flushTimeout bounds what a process that ends waits for its last spans to be taken.
const flushTimeout = 5 * time.Second

// Traces makes the spans of one process. The nil value makes none. It is safe for concurrent use.
type Traces struct {
	provider *sdktrace.TracerProvider
	logger   *slog.Logger
}

// Open begins to make spans under the name of a service, which OTEL_SERVICE_NAME replaces. It returns nil when
// no traces are wanted, and also, with a warning in the log, when they cannot be made. It connects to nothing:
// spans of a collector that is unavailable are dropped.
func Open(ctx context.Context, s Settings, service string, logger *slog.Logger) *Traces {
	if s.Mistake != "" {
		logger.Warn("traces are off", "error", s.Mistake)
	}
	var options []sdktrace.TracerProviderOption
	switch {
	case s.Spans != nil:
		options = append(options, sdktrace.WithSyncer(s.Spans))
	case s.Exporter == OTLP || s.Exporter == Console:
		complain(logger)
		exporter, err := s.open(ctx)
		if err != nil {
			logger.Warn("traces are off", "error", harmless(err))
			return nil
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	default:
		return nil
	}
	options = append(options,
		sdktrace.WithResource(describe(ctx, service, logger)),
		sdktrace.WithoutPanicRecording()) // the value of a panic may quote anything
	return &Traces{sdktrace.NewTracerProvider(options...), logger}
}

func (s Settings) open(ctx context.Context) (sdktrace.SpanExporter, error) {
	switch {
	case s.Exporter == Console:
		return stdouttrace.New()
	case s.Collector == nil:
		return nil, errNoCollector
	default:
		return s.Collector(ctx)
	}
}

// describe says who makes the spans. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.
func describe(ctx context.Context, service string, logger *slog.Logger) *resource.Resource {
	described, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", Version())),
		resource.WithFromEnv())
	if err != nil { // what could be read is there all the same
		logger.Warn("OTEL_RESOURCE_ATTRIBUTES is malformed: want key=value,…")
	}
	return described
}

// Tracer returns what makes spans, or nil when there are to be none.
func (t *Traces) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer("usher")
}

// Close hands out the last spans, for at most five seconds, and makes no more. What is left is lost, which is
// logged.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.logger.Warn("last spans not exported", "error", harmless(err))
	}
}

// Version says which build this is: the version of the module, else the revision that it was built from, else
// "unknown".
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return fmt.Sprintf("%.12s", setting.Value)
		}
	}
	return "unknown"
}
