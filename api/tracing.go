package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced makes a span of every request. It is named after the route, and holds nothing else of the path, the
// query or the headers.
//
// Everybody may call us, so nobody decides for us what is sampled: a request begins a trace of its own, and a
// caller's trace is linked to.
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

// callerOf is the span that a caller says it calls from: its ids alone, for tracestate may hold anything.
func callerOf(r *http.Request) trace.SpanContext {
	header := propagation.MapCarrier{"traceparent": r.Header.Get("traceparent")}
	caller := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(r.Context(), header))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: caller.TraceID(), SpanID: caller.SpanID(), TraceFlags: caller.TraceFlags(), Remote: true,
	})
}
