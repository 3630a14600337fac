package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced makes a span of every request. Its name is the route; it contains nothing else of the path, the query or the
// headers. A caller must not decide what we sample, so every request begins a new trace, with a link to the caller's.
func (s *Server) traced(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		name := method(c)
		if c.Path() != "" {
			name += " " + c.Path()
		}
		options := []trace.SpanStartOption{
			trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(
				attribute.String("http.request.method", method(c)),
				attribute.String("http.route", c.Path()),
				attribute.String("usher.request_id", idOf(c))),
		}
		if caller := callerOf(r); caller.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: caller}))
		}
		ctx, span := s.Tracer.Start(r.Context(), name, options...)
		defer span.End()
		c.SetRequest(r.WithContext(ctx))
		err := next(c)
		status := c.Response().Status
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		return err
	}
}

// callerOf returns the span of the traceparent header: its ids alone, since tracestate may contain any text.
func callerOf(r *http.Request) trace.SpanContext {
	header := propagation.MapCarrier{"traceparent": r.Header.Get("traceparent")}
	caller := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(r.Context(), header))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: caller.TraceID(), SpanID: caller.SpanID(), TraceFlags: caller.TraceFlags(), Remote: true,
	})
}
