package aliyun

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/messages"
	"usher/providers"
	"usher/providers/providertest"
)

// roundTripper answers without a network.
type roundTripper func(*http.Request) *http.Response

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// answering answers every request alike.
func answering(status int, body string) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
	})}
}

// FuzzClient_QuerySMS feeds answers of any shape: a fate is one of those that exist, and a refusal's code is bounded
// and shows no number.
func FuzzClient_QuerySMS(f *testing.F) {
	f.Add(http.StatusOK, `{"Code":"OK","SmsSendDetailDTOs":{"SmsSendDetailDTO":[{"OutId":"x","SendStatus":3}]}}`)
	sms := providertest.SMS(f)
	f.Fuzz(func(t *testing.T, status int, body string) {
		client, err := New(Config{
			Keys: Keys{"key", "secret"}, SignName: "签名", TemplateCode: "SMS_1", TemplateParam: "code",
			Endpoint: "https://vendor.example",
		})
		if err != nil {
			t.Fatal(err)
		}
		client.HTTP = answering(status, body)
		fate, err := client.QuerySMS(t.Context(), providers.Query{ID: sms.ID, To: sms.To, SentAt: time.Now()})
		switch fate.State {
		case "", messages.Sent, messages.Delivered:
		case messages.Undelivered:
			err = fate.Refusal
		default:
			t.Errorf("%q: state %q", body, fate.State)
		}
		if err == nil {
			return
		}
		if e := err.(*providers.Error); len(e.Code) > 64 || strings.Contains(e.Error(), sms.To.Reveal()) { //nolint:errorlint // the type promised
			t.Errorf("%d %q: %v", status, body, err)
		}
	})
}
