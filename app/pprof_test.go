package app_test

import (
	"net/http"
	"testing"

	"usher/internal/testkit"
)

func TestOps_serves_no_profiles_unless_told_to(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), nil)
	for _, addr := range []string{d.api.OpsAddr(), d.worker.OpsAddr()} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/debug/pprof/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("got %d, want 404", response.StatusCode)
		}
	}
}
