package ronglian_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/config"
	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/providers/ronglian"
	"usher/reports"
	"usher/sandbox"
)

// vendor starts a sandbox whose reports are due at once, and a client of it that notes references.
func vendor(t *testing.T) (client providers.Puller, send func(id, number string), references map[string]string) {
	t.Helper()
	fakes, err := sandbox.Open(t.Context(), sandbox.Config{
		HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", DeliveryDelay: -1,
		RonglianLimits: sandbox.Limits{Minute: -1, Hour: -1, Day: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fakes.Handler())
	t.Cleanup(func() { server.Close(); _ = fakes.Close() })
	keys := fakes.Credentials().Ronglian
	cfg := settings(server.URL + "/ronglian")
	cfg.AccountSID, cfg.AuthToken, cfg.AppID = config.Secret(keys.AccountSID), config.Secret(keys.AuthToken), keys.AppID
	c, err := ronglian.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	references = map[string]string{}
	c.OnReference(func(_ context.Context, reference, id string) { references[reference] = id })
	return c, func(id, number string) {
		t.Helper()
		to, err := contact.ParseMobile(number)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SendSMS(t.Context(), providers.SMS{ID: id, Attempt: 1, To: to, Code: "123456", TTL: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}, references
}

func TestPull_hands_out_reports_by_reference(t *testing.T) {
	t.Parallel()
	client, send, references := vendor(t)
	if batch, err := client.Pull(t.Context()); err != nil || len(batch.Reports) != 0 || batch.More {
		t.Fatalf("before any send: %+v, %v", batch, err)
	}
	send("one", "13800138000")
	send("two", "13800990001")
	batch, err := client.Pull(t.Context())
	if err != nil || batch.Skipped != 0 || batch.More {
		t.Fatalf("Pull = %+v, %v", batch, err)
	}
	states := map[string]messages.State{}
	for _, r := range batch.Reports {
		if r.Provider != reports.Ronglian || r.ProviderID == "" || r.At.IsZero() {
			t.Errorf("report %+v", r)
		}
		states[references[r.MessageID]] = r.State
	}
	if len(states) != 2 || states["one"] != messages.Delivered || states["two"] != messages.Undelivered {
		t.Errorf("states %v", states)
	}
	if batch, err := client.Pull(t.Context()); err != nil || len(batch.Reports) != 0 {
		t.Errorf("handed out again: %+v, %v", batch, err)
	}
}

func TestPull_says_when_there_is_more(t *testing.T) {
	t.Parallel()
	client, send, _ := vendor(t)
	for i := range 150 {
		send(fmt.Sprint(i), fmt.Sprintf("138001380%02d", i%100))
	}
	first, err := client.Pull(t.Context())
	if err != nil || len(first.Reports) != 100 || !first.More {
		t.Fatalf("%d reports, more %v, %v", len(first.Reports), first.More, err)
	}
	if second, err := client.Pull(t.Context()); err != nil || len(second.Reports) != 50 || second.More {
		t.Errorf("%d reports, more %v, %v", len(second.Reports), second.More, err)
	}
}

func TestPull_of_strange_answers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		kind   providers.Kind // of the error
		fine   bool
	}{
		"nothing arrived":   {200, `{"statusCode":"112351"}`, 0, true},
		"no reports":        {200, `{"statusCode":"000000"}`, 0, true},
		"reports are null":  {200, `{"statusCode":"000000","reports":null}`, 0, true},
		"wrong signature":   {200, `{"statusCode":"111109"}`, providers.Misconfigured, false},
		"busy":              {200, `{"statusCode":"112354"}`, providers.Temporary, false},
		"a gateway's page":  {503, `<html>13800138000</html>`, providers.Unknown, false},
		"garbage":           {200, "\x00", providers.Unknown, false},
		"reports are wrong": {200, `{"statusCode":"000000","reports":{}}`, providers.Unknown, false},
		"endless":           {200, `{"statusCode":"` + strings.Repeat("0", 1<<20), providers.Unknown, false},
		"a number in it":    {200, `{"statusCode":"` + authToken + `"}`, providers.Unknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			batch, err := open(t, server.URL).Pull(t.Context())
			if c.fine != (err == nil) || len(batch.Reports) != 0 || err != nil && providers.KindOf(err) != c.kind {
				t.Errorf("Pull = %+v, %v", batch, err)
			}
			if err != nil && (strings.Contains(err.Error(), authToken) || strings.Contains(err.Error(), "13800138000")) {
				t.Errorf("the error leaks: %v", err)
			}
		})
	}
}
