package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"usher/api"
)

// A refusal must be cheap. This is our own part of it: HTTP and the kernel take several times as much.
func BenchmarkRefusal(b *testing.B) {
	server := setup(b, func(s *api.Server) {
		s.Gates = api.NewGates(api.GateConfig{InFlight: 1, Passwords: 1}, prometheus.NewRegistry(), s.Logger)
	})
	occupied := server.face.Gates["general"]
	pass, err := occupied.Enter(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer pass.Drop()
	handler := server.face.Handler()
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/sms-codes", strings.NewReader(`{}`))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusServiceUnavailable {
			b.Fatal(recorder.Code)
		}
	}
}
