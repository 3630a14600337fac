package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// The keys that say in a log line what it belongs to.
const (
	keyRequest = "request_id"
	keyTrace   = "trace_id"
)

type requestIDKey struct{}

// WithRequestID returns a context of the work on the request with this id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request that the work is on, or an empty string.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// TraceID returns the id of the trace that the work belongs to, or an empty string when no exporter will show that
// trace.
func TraceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		return span.TraceID().String()
	}
	return ""
}

// LogHandler returns a handler that adds to each line the ids of the request and of the trace that its
// context belongs to, unless the line has them already.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{Handler: next} }

type logHandler struct {
	slog.Handler
	request, trace bool // the logger has them
}

// Handle implements [slog.Handler].
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	request, trace := h.request, h.trace
	r.Attrs(func(a slog.Attr) bool {
		request, trace = request || a.Key == keyRequest, trace || a.Key == keyTrace
		return true
	})
	if id := RequestID(ctx); id != "" && !request {
		r.AddAttrs(slog.String(keyRequest, id))
	}
	if id := TraceID(ctx); id != "" && !trace {
		r.AddAttrs(slog.String(keyTrace, id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.request, h.trace = h.request || a.Key == keyRequest, h.trace || a.Key == keyTrace
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup implements [slog.Handler].
func (h logHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
