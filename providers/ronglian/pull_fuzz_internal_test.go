package ronglian

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/providers"
)

// roundTripper answers without a network.
type roundTripper func(*http.Request) *http.Response

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// FuzzClient_Pull feeds answers of any shape: there are reports or an error, and what a report holds is bounded.
func FuzzClient_Pull(f *testing.F) {
	f.Add(`{"statusCode":"000000","reports":[{"status":"0","smsType":"1","reqId":"x"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		client, err := New(Config{
			AccountSID: "sid", AuthToken: "token", AppID: "app", TemplateID: "1", TemplateParams: []string{"code"}, Endpoint: "https://vendor.example",
		})
		if err != nil {
			t.Fatal(err)
		}
		client.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
		})}
		batch, err := client.Pull(t.Context())
		if err != nil {
			if e := err.(*providers.Error); len(batch.Reports) > 0 || len(e.Code) > 64 { //nolint:errorlint // the type promised
				t.Errorf("%q: %d reports and %v", body, len(batch.Reports), err)
			}
			return
		}
		for _, report := range batch.Reports {
			if report.MessageID == "" || len(report.MessageID) > 64 || len(report.ProviderID) > 64 || len(report.Code) > 32 {
				t.Errorf("%q: %+v", body, report)
			}
		}
	})
}
