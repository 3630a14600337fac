package app_test

import (
	"net/http"
	"testing"

	"usher/internal/testkit"
)

// opsStatus sends a request to an operations port and returns the status of the answer.
func opsStatus(t *testing.T, method, url, host string, header http.Header) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestOps_answer_only_their_own_host_names(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{
		"USHER_OPS_WRITE": "true", "USHER_OPS_HOSTS": "usher.internal",
	})
	d.person(t).AskCode("13800138000", "login") // makes the queue
	for host, want := range map[string]int{
		"":                       http.StatusOK, // the address that is dialled
		"localhost":              http.StatusOK,
		"LOCALHOST:9000":         http.StatusOK, // the near end of a tunnel
		"usher.localhost:8081":   http.StatusOK,
		"[::1]:8081":             http.StatusOK,
		"10.1.2.3:8081":          http.StatusOK,
		"usher.internal":         http.StatusOK,
		"Usher.Internal:8081":    http.StatusOK,
		"evil.example":           http.StatusMisdirectedRequest,
		"evil.example:8081":      http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example": http.StatusMisdirectedRequest,
		"localhost.evil.example": http.StatusMisdirectedRequest,
		"xusher.internal":        http.StatusMisdirectedRequest,
	} {
		for _, addr := range []string{d.api.OpsAddr(), d.worker.OpsAddr()} {
			if got := opsStatus(t, http.MethodGet, "http://"+addr+"/metrics", host, nil); got != want {
				t.Errorf("%s of Host %q = %d, want %d", addr, host, got, want)
			}
			for _, path := range []string{"/healthz", "/readyz"} {
				if got := opsStatus(t, http.MethodGet, "http://"+addr+path, host, nil); got != http.StatusOK {
					t.Errorf("%s of Host %q = %d: probes must be answered", path, host, got)
				}
			}
		}
	}
	// For the browser, a page of a name that was rebound to this address is of the same origin.
	rebound := http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://evil.example:8081"}}
	pause := "http://" + d.api.OpsAddr() + "/queues/api/queues/sms:pause"
	if got := opsStatus(t, http.MethodPost, pause, "evil.example:8081", rebound); got != http.StatusMisdirectedRequest {
		t.Errorf("a rebound page pauses a queue: %d", got)
	}
	if got := opsStatus(t, http.MethodPost, pause, "localhost:8081", http.Header{"Sec-Fetch-Site": {"same-origin"}}); got != http.StatusNoContent {
		t.Errorf("the dashboard's own page: %d", got)
	}
}

func TestOps_refuse_what_other_sites_send_or_embed(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), nil)
	for name, test := range map[string]struct {
		header http.Header
		want   int
	}{
		"no browser":         {nil, http.StatusOK},
		"own page":           {http.Header{"Sec-Fetch-Site": {"same-origin"}}, http.StatusOK},
		"typed address":      {http.Header{"Sec-Fetch-Site": {"none"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, http.StatusOK},
		"link":               {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, http.StatusOK},
		"script of a page":   {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"script"}}, http.StatusForbidden},
		"fetch of a sibling": {http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}, http.StatusForbidden},
		"frame":              {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}, http.StatusForbidden},
	} {
		for _, addr := range []string{d.api.OpsAddr(), d.worker.OpsAddr()} {
			if got := opsStatus(t, http.MethodGet, "http://"+addr+"/metrics", "", test.header); got != test.want {
				t.Errorf("%s: %d, want %d", name, got, test.want)
			}
		}
	}
}
