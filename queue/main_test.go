package queue_test

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/redisconn"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

const patience = 30 * time.Second // of a condition that soon holds

// open returns a client like production's.
func open(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func testKeys(t testing.TB) *secrets.Keys {
	t.Helper()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte("32 bytes that seal the payloads!")))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// metricsText is what a scrape returns.
func metricsText(t testing.TB, registry *prometheus.Registry) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(recorder, request)
	return recorder.Body.String()
}

// wantMetric fails when the scrape lacks the line.
func wantMetric(t testing.TB, registry *prometheus.Registry, line string) {
	t.Helper()
	if text := metricsText(t, registry); !strings.Contains(text, line+"\n") {
		t.Errorf("the metrics lack %q:\n%s", line, text)
	}
}
