package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"usher/internal/testkit"
	"usher/telemetry"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestLogHandler_names_request_and_trace_once(t *testing.T) {
	t.Parallel()
	traces := telemetry.Open(t.Context(), telemetry.Settings{Spans: tracetest.NewInMemoryExporter()}, "test", discard())
	defer traces.Close()
	ctx, span := traces.Tracer().Start(telemetry.WithRequestID(t.Context(), "request-1"), "work")
	defer span.End()
	id := telemetry.TraceID(ctx)
	if id == "" {
		t.Fatal("a sampled span has no trace id")
	}
	both := map[string]any{"level": "INFO", "msg": "line", "request_id": "request-1", "trace_id": id}
	for name, test := range map[string]struct {
		ctx  context.Context
		log  func(context.Context, *slog.Logger)
		want map[string]any
	}{
		"a line of a request":    {ctx, func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "line") }, both},
		"a line of its own":      {t.Context(), func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "line") }, map[string]any{"level": "INFO", "msg": "line"}},
		"a line that has the id": {ctx, func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "line", "request_id", "request-1") }, both},
		"a logger that has them": {ctx, func(ctx context.Context, l *slog.Logger) {
			l.With("request_id", "request-1", "trace_id", id).InfoContext(ctx, "line")
		}, both},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			test.log(test.ctx, slog.New(telemetry.LogHandler(slog.NewJSONHandler(&out, &slog.HandlerOptions{
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			}))))
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := bytes.Count(out.Bytes(), []byte(`"request_id"`)); n > 1 {
				t.Errorf("request_id stands there %d times", n)
			}
		})
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestLogHandler_costs_nothing_without_ids(t *testing.T) { //nolint:paralleltest // counts allocations
	//nolint:sloglint // a handler that writes is what costs are compared with
	bare := slog.NewJSONHandler(io.Discard, nil)
	// The least of some runs: under the race detector pools forget some of what they are given, as they please.
	allocations := func(h slog.Handler) float64 {
		logger, least := slog.New(h), math.Inf(1)
		for range 50 {
			least = min(least, testing.AllocsPerRun(100, func() {
				logger.LogAttrs(t.Context(), slog.LevelInfo, "line", slog.String("route", "/login"))
			}))
		}
		return least
	}
	if with, without := allocations(telemetry.LogHandler(bare)), allocations(bare); with > without {
		t.Errorf("%v allocations a line, %v without the handler", with, without)
	}
}
