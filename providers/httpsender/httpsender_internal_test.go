package httpsender

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func settings() Config {
	return Config{URL: "https://sms.example.com/send", QueryURL: "https://sms.example.com/query", Secret: secret}
}

// TestClient_does_not_connect_to_private_addresses uses the address that means "this host" and is neither public nor a loopback
// name, in the place of a name with such an address.
func TestClient_does_not_connect_to_private_addresses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for allowed, want := range map[string]error{"other.example": wire.ErrPrivate, "0.0.0.0": nil} {
		cfg := settings()
		cfg.AllowedHosts = []string{allowed}
		client, err := newClient(cfg)
		if err != nil {
			t.Fatal(err)
		}
		client.config.URL = "http://0.0.0.0:" + port + "/"
		_, err = client.SendSMS(t.Context(), providertest.SMS(t))
		client.HTTP.CloseIdleConnections()
		if want == nil && err != nil {
			t.Errorf("with %s allowed: %v", allowed, err)
		}
		if e, ok := err.(*providers.Error); want != nil && (!ok || e.Kind != providers.Misconfigured || e.Err != want) { //nolint:errorlint // the type promised
			t.Errorf("with %s allowed: %v, want %v", allowed, err, want)
		}
	}
}

// FuzzClient_answers feeds answers of any shape: only a 2xx accepts, and nothing but a bounded code comes out.
func FuzzClient_answers(f *testing.F) {
	for _, body := range []string{
		"", "null", "{}", "[]", `{"provider_id":"77"}`, `{"kind":"rejected","code":"13800138000"}`, `{"kind":5}`, `{"state":"unknown"}`,
		`{"state":"undelivered","code":"739105"}`, `{"kind":"temporary","retry_after":1e308}`, `{"kind":"temporary","retry_after":-1}`,
		"<html>", `{"kind":"temporary"`, strings.Repeat("[", 20000),
	} {
		f.Add(http.StatusOK, body)
		f.Add(http.StatusTooManyRequests, body)
		f.Add(http.StatusServiceUnavailable, body)
	}
	client, err := newClient(settings())
	if err != nil {
		f.Fatal(err)
	}
	sms := providertest.SMS(f)
	f.Fuzz(func(t *testing.T, status int, body string) {
		answer := wire.Answer{Status: status, Body: []byte(body)}
		receipt, err := client.receipt(sms, answer)
		if err == nil && (status/100 != 2 || len(receipt.ID) > 64) {
			t.Errorf("status %d, %q: accepted with id %q", status, body, receipt.ID)
		}
		result, queryErr := client.result(providers.Query{To: sms.To}, answer)
		if result.Refusal != nil {
			queryErr = result.Refusal
		}
		for _, err := range []error{err, queryErr} {
			e, ok := err.(*providers.Error) //nolint:errorlint // the type promised
			if err == nil {
				continue
			}
			if !ok || len(e.Code) > 64 || e.Provider != Name || e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter {
				t.Errorf("got %#v", err)
			}
			if strings.Contains(err.Error(), sms.To.Reveal()) {
				t.Errorf("the error shows the number: %v", err)
			}
		}
		if err != nil && strings.Contains(err.Error(), sms.Code) {
			t.Errorf("the error shows the code: %v", err)
		}
	})
}

// BenchmarkClient_request builds and signs without sending.
func BenchmarkClient_request(b *testing.B) {
	client, err := newClient(settings())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.post(b.Context(), client.config.URL, "msg_1", message{To: "+8613800138000", Code: "739105"}); err != nil {
			b.Fatal(err)
		}
	}
}
