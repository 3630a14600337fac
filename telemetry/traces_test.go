package telemetry_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"

	"usher/internal/testkit"
	"usher/telemetry"
	"usher/telemetry/otlp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ map[string]string
		want    telemetry.Exporter
		mistake bool
	}{
		"nothing set":            {nil, telemetry.None, false},
		"a service name only":    {map[string]string{"OTEL_SERVICE_NAME": "x"}, telemetry.None, false},
		"an endpoint":            {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, telemetry.OTLP, false},
		"an endpoint for traces": {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"}, telemetry.OTLP, false},
		"otlp":                   {map[string]string{"OTEL_TRACES_EXPORTER": " OTLP "}, telemetry.OTLP, false},
		"console":                {map[string]string{"OTEL_TRACES_EXPORTER": "console"}, telemetry.Console, false},
		"none with an endpoint": {map[string]string{
			"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
		}, telemetry.None, false},
		"all disabled":                    {map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, telemetry.None, false},
		"an exporter that we do not have": {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, telemetry.None, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := telemetry.Parse(test.environ)
			if got.Exporter != test.want || (got.Mistake != "") != test.mistake {
				t.Errorf("Parse = %+v, want %s and a mistake: %t", got, test.want, test.mistake)
			}
		})
	}
}

func TestOpen_makes_nothing_unless_asked(t *testing.T) {
	t.Parallel()
	logger, log := testkit.Logger(t)
	traces := telemetry.Open(t.Context(), telemetry.Parse(nil), "test", logger)
	if traces.Tracer() != nil {
		t.Error("there is a tracer")
	}
	traces.Close()
	if log.String() != "" {
		t.Errorf("log: %s", log)
	}
	telemetry.Open(t.Context(), telemetry.Parse(map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}), "test", logger).Close()
	if !strings.Contains(log.String(), "OTEL_TRACES_EXPORTER: want otlp, console or none") {
		t.Errorf("log: %s", log)
	}
}

func TestOpen_warns_of_a_collector_that_the_program_cannot_reach(t *testing.T) { //nolint:paralleltest // it replaces the logger of OpenTelemetry, of which a process has one
	logger, log := testkit.Logger(t)
	traces := telemetry.Open(t.Context(), telemetry.Settings{Exporter: telemetry.OTLP}, "test", logger)
	if traces.Tracer() != nil {
		t.Error("there is a tracer")
	}
	if !strings.Contains(log.String(), "OTEL_TRACES_EXPORTER=console") {
		t.Errorf("log: %s", log)
	}
}

// The variables belong to the whole process, so this test runs alone.
func TestOTLP_with_a_collector_that_refuses(t *testing.T) {
	const key = "key-of-the-collector"
	var mu sync.Mutex
	var paths []string
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.URL.Path)
		http.Error(w, "wrong key: "+r.Header.Get("X-Key"), http.StatusUnauthorized)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-Key="+key+",no equals sign "+key)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "malformed "+key)
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	logger, log := testkit.Logger(t)
	traces := telemetry.Open(t.Context(), telemetry.Settings{Exporter: telemetry.OTLP, Collector: otlp.Open}, "test", logger)
	_, span := traces.Tracer().Start(t.Context(), "work")
	span.End()
	traces.Close()
	for range 100 {
		otel.Handle(errors.New("traces export: failed to send to somewhere: 401 (body: " + key + ")"))
	}
	mu.Lock()
	defer mu.Unlock()
	if len(paths) != 1 || paths[0] != "/v1/traces" {
		t.Errorf("the collector got %q", paths)
	}
	if found := testkit.FindSecrets(log.Bytes(), key); len(found) > 0 {
		t.Errorf("the log shows %q", found)
	}
	if n := strings.Count(log.String(), "traces are incomplete"); n != 1 {
		t.Errorf("the log has %d lines about the collector, want 1", n)
	}
	for _, want := range []string{"unsupported sampler", "parse headers", "OTEL_RESOURCE_ATTRIBUTES is malformed"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestOTLP_with_a_collector_that_hangs(t *testing.T) {
	release := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer collector.Close()
	defer close(release)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "3600000")
	logger, log := testkit.Logger(t)
	traces := telemetry.Open(t.Context(), telemetry.Settings{Exporter: telemetry.OTLP, Collector: otlp.Open}, "test", logger)
	tracer := traces.Tracer()
	// Both would last as long as the time-out if they waited for the collector.
	for range 10_000 { // more than the queue holds
		_, span := tracer.Start(t.Context(), "work")
		span.End()
	}
	traces.Close()
	if !strings.Contains(log.String(), "last spans not exported") {
		t.Error("the log does not say that spans are lost")
	}
}
