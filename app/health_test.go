package app_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/app"
	"usher/config"
)

func TestHealth_is_what_the_operations_port_says(t *testing.T) {
	t.Parallel()
	const token config.Secret = "a token of the operations port"
	for name, test := range map[string]struct {
		status int
		token  config.Secret
		want   string // in the error; empty for none
	}{
		"ready":       {http.StatusOK, token, ""},
		"not ready":   {http.StatusServiceUnavailable, token, "503"},
		"wrong token": {http.StatusOK, "another token, as long as the first", "401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				status := test.status
				if r.Header.Get("Authorization") != "Bearer "+token.Reveal() || r.URL.Path != "/readyz" {
					status = http.StatusUnauthorized
				}
				w.WriteHeader(status)
			}))
			t.Cleanup(server.Close)
			_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
			for _, host := range []string{"127.0.0.1", "", "0.0.0.0", "::"} { // as an operations port may be told to listen
				err := app.Health(t.Context(), net.JoinHostPort(host, port), test.token)
				switch {
				case test.want == "" && err != nil:
					t.Errorf("on %q: %v", host, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("on %q: got %v, want %s", host, err, test.want)
				case err != nil && strings.Contains(err.Error(), "token"):
					t.Errorf("the token is in %v", err)
				}
			}
		})
	}
}

func TestHealth_of_nobody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	addr := server.Listener.Addr().String()
	server.Close()
	for _, addr := range []string{addr, "nonsense"} {
		if err := app.Health(t.Context(), addr, ""); err == nil {
			t.Errorf("%s is healthy", addr)
		}
	}
}
