package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"usher/api"
)

// readSession answers every read of a session with the same, so that the benchmark measures the code around it.
type readSession struct {
	api.Sessions

	data []byte
}

func (r *readSession) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	if r.data == nil {
		return r.Sessions.FindCtx(ctx, token)
	}
	return r.data, true, nil
}

// BenchmarkForwardAuth compares a question with a bare Echo handler, both without the network and the read from Redis.
func BenchmarkForwardAuth(b *testing.B) {
	store := &readSession{}
	face := setup(b, func(s *api.Server) {
		store.Sessions = s.Sessions
		s.Sessions = store
		s.Logger = slog.New(slog.DiscardHandler)
		s.Now = time.Now
		s.Gates = api.NewGates(api.GateConfig{InFlight: 1000, Connections: 1000, Passwords: 1}, prometheus.NewRegistry(), s.Logger)
	})
	p := face.person()
	p.signUp("li_lei", number)
	data, _, err := store.Sessions.FindCtx(b.Context(), p.cookie())
	if err != nil {
		b.Fatal(err)
	}
	store.data = data
	cookie := "usher=" + p.cookie()
	bare := echo.New()
	bare.GET("/v1/auth", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	for name, handler := range map[string]http.Handler{"bare": bare, "ours": face.face.Handler()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/auth", nil)
				req.Header.Set("Cookie", cookie)
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, req); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
