package testkit

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsText returns what a scrape of the registry returns.
func MetricsText(t testing.TB, registry *prometheus.Registry) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(recorder, request)
	return recorder.Body.String()
}

// WantMetric fails the test when a scrape lacks the line.
func WantMetric(t testing.TB, registry *prometheus.Registry, line string) {
	t.Helper()
	if text := MetricsText(t, registry); !strings.Contains(text, line+"\n") {
		t.Errorf("the metrics lack %q:\n%s", line, text)
	}
}
