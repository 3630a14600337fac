package sandbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

// webhookVector is an example whose signature openssl has computed.
const (
	webhookSecret    = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	webhookBody      = `{"type":"sms.send","to":"+8613800138000","code":"012345"}`
	webhookSignature = "v1,DnGXeC9QigquZyBMf8fYe8NO9WwhrVlEWASmmoyLtIE="
)

func webhookSum(secret, id, timestamp, body string) string {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+timestamp+"."+body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sendHTTP signs a body and sends it. A change happens after the signature.
func (b *bundle) sendHTTP(t *testing.T, path, id, body string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	r, timestamp := b.request(t, http.MethodPost, path, body), fmt.Sprint(b.clock.now().Unix())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", webhookSum(b.Credentials().HTTP.Secret, id, timestamp, body))
	for _, f := range change {
		f(r)
	}
	status, _, answer := b.do(t, r)
	return status, strings.TrimSpace(answer)
}

// httpBody is a message with some fields changed.
func (b *bundle) httpBody(number string, changes map[string]string) string {
	fields := map[string]string{
		"to": `"` + number + `"`, "purpose": `"login"`, "code": `"012345"`, "locale": `"zh"`, "attempt": "1",
		"expires_at": `"` + b.clock.now().Add(5*time.Minute).UTC().Format(time.RFC3339) + `"`,
	}
	maps.Copy(fields, changes)
	var pairs []string
	for name, value := range fields {
		pairs = append(pairs, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func TestHTTPSender_known_vector(t *testing.T) {
	t.Parallel()
	if got := webhookSum(webhookSecret, "msg_01", "1767323045", webhookBody); got != webhookSignature {
		t.Fatalf("this test signs %s, want %s", got, webhookSignature)
	}
	b := setup(t, func(c *sandbox.Config) {
		c.Credentials.HTTP.Secret = webhookSecret
		c.Now = func() time.Time { return time.Unix(1767323045, 0) }
	})
	r := b.request(t, http.MethodPost, "/http/", webhookBody)
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {"msg_01"}, "Webhook-Timestamp": {"1767323045"},
		"Webhook-Signature": {"v1,AAAA " + webhookSignature},
	}
	if status, _, body := b.do(t, r); status != 422 || !strings.Contains(body, `"code":"expires_at"`) { // authentic, and not complete
		t.Errorf("got %d %s", status, body)
	}
}

func TestHTTPSender_keeps_a_message_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var first string
	for attempt, path := range []string{"/http/", "/http", "/http/"} {
		status, body := b.sendHTTP(t, path, "msg_1", b.httpBody("+8613800000011", map[string]string{"attempt": fmt.Sprint(attempt + 1)}))
		if first == "" {
			first = body
		}
		if status != 200 || body != first || !strings.Contains(body, `"provider_id":"`) {
			t.Errorf("attempt %d: got %d %s, want %s", attempt+1, status, body, first)
		}
	}
	m := b.only(t)
	if m.Provider != "http" || m.Channel != "sms" || m.To != "13800000011" || m.Code != "012345" || !strings.Contains(m.Text, "您正在登录，验证码为：012345") {
		t.Errorf("got %+v", m)
	}
	_, other := b.sendHTTP(t, "/http/", "msg_2", b.httpBody("+85251234567", map[string]string{"locale": `"en"`}))
	if all := b.Messages("85251234567"); len(all) != 1 || !strings.HasPrefix(all[0].Text, "[Usher] Your verification code is 012345") || other == first {
		t.Errorf("got %+v, %s", all, other)
	}
}

func TestHTTPSender_refuses_what_is_not_authentic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		code   string
	}{
		"no id":            {header("Webhook-Id", ""), 401, "webhook-id"},
		"an id with a dot": {header("Webhook-Id", "msg.1"), 401, "webhook-id"},
		"another id":       {header("Webhook-Id", "msg_2"), 401, "webhook-signature"},
		"no timestamp":     {header("Webhook-Timestamp", ""), 401, "webhook-timestamp"},
		"old":              {header("Webhook-Timestamp", fmt.Sprint(b.clock.now().Unix()-301)), 401, "webhook-timestamp"},
		"of the future":    {header("Webhook-Timestamp", fmt.Sprint(b.clock.now().Unix()+301)), 401, "webhook-timestamp"},
		"another second":   {header("Webhook-Timestamp", fmt.Sprint(b.clock.now().Unix()+1)), 401, "webhook-signature"},
		"no signature":     {header("Webhook-Signature", ""), 401, "webhook-signature"},
		"another version":  {header("Webhook-Signature", "v2,AAAA"), 401, "webhook-signature"},
		"not JSON by name": {header("Content-Type", "text/plain"), 415, "content-type"},
		"another body":     {func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2 }, 401, "webhook-signature"},
		"a body of 100 kB": {func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat(" ", 100<<10))), 100<<10
		}, 413, "body"},
		"nothing is wrong":  {func(*http.Request) {}, 200, ""},
		"and a second time": {func(*http.Request) {}, 200, ""},
	} {
		status, body := b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800000011", nil), c.change)
		if status != c.status || c.code != "" && body != `{"kind":"misconfigured","code":"`+c.code+`"}` {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	b.only(t)
}

func TestHTTPSender_refuses_incomplete_messages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, changes := range map[string]map[string]string{
		"to":         {"to": `"13800000011"`},
		"code":       {"code": `"12a456"`},
		"expires_at": {"expires_at": `"` + b.clock.now().Add(-time.Second).UTC().Format(time.RFC3339) + `"`},
		"locale":     {"locale": `"fr"`},
		"attempt":    {"attempt": "0"},
	} {
		status, body := b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800000011", changes))
		if status != 422 || body != `{"kind":"rejected","code":"`+name+`"}` {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	if status, body := b.sendHTTP(t, "/http/", "msg_1", "{"); status != 400 {
		t.Errorf("broken JSON: got %d %s", status, body)
	}
	if kept := b.Messages(""); len(kept) > 0 {
		t.Errorf("%d messages were kept", len(kept))
	}
}

func TestHTTPSender_fails_as_it_is_told(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for kind, status := range map[string]int{"temporary": 503, "rate_limited": 429, "rejected": 422, "misconfigured": 403, "unknown": 500} {
		b.fault(t, sandbox.Faults{HTTP: &sandbox.Fault{Code: kind}})
		if got, body := b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800000011", nil)); got != status || body != `{"kind":"`+kind+`"}` {
			t.Errorf("%s: got %d %s", kind, got, body)
		}
	}
	b.fault(t, sandbox.Faults{HTTP: &sandbox.Fault{Code: "temporary", Status: 429}})
	if got, _ := b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800000011", nil)); got != 429 {
		t.Errorf("with a status: got %d", got)
	}
	if err := b.SetFaults(sandbox.Faults{HTTP: &sandbox.Fault{Code: "160000"}}); err == nil {
		t.Error("another vendor's code is accepted")
	}
	b.fault(t, sandbox.Faults{})
	for ending, status := range map[string]int{"990004": 503, "990005": 422, "990006": 429, "990007": 403, "990008": 422} {
		if got, body := b.sendHTTP(t, "/http/", "msg_"+ending, b.httpBody("+8613800"+ending, nil)); got != status {
			t.Errorf("ending %s: got %d %s", ending, got, body)
		}
	}
	if kept := b.Messages(""); len(kept) > 0 {
		t.Errorf("%d messages were kept", len(kept))
	}
}

func TestHTTPSender_answers_queries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func(id string) string {
		t.Helper()
		status, body := b.sendHTTP(t, "/http/query", "query_1", `{"id":"`+id+`","to":"+8613800000011"}`)
		if status != 200 {
			t.Errorf("got %d %s", status, body)
		}
		return decode[struct{ State string }](t, body).State
	}
	if got := ask("msg_1"); got != "unknown" {
		t.Errorf("state is %q before the send", got)
	}
	b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800000011", nil))
	b.sendHTTP(t, "/http/", "msg_2", b.httpBody("+8613800990001", nil))
	if got := ask("msg_1"); got != "sent" {
		t.Errorf("state is %q after the send", got)
	}
	b.clock.advance(3 * time.Second)
	if one, two := ask("msg_1"), ask("msg_2"); one != "delivered" || two != "undelivered" {
		t.Errorf("states are %q and %q after the delivery", one, two)
	}
	if status, _ := b.sendHTTP(t, "/http/query", "query_1", "{}"); status != 422 {
		t.Errorf("a query without id: %d", status)
	}
}

func TestHTTPSender_pushes_signed_reports_until_they_are_taken(t *testing.T) {
	t.Parallel()
	type push struct {
		id, body string
		signed   bool
	}
	pushes, answers := make(chan push, 10), make(chan int, 10)
	answers <- 503
	answers <- 302
	answers <- 202
	b := setup(t, pushing)
	customer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, timestamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
		pushes <- push{id, string(body), r.Header.Get("webhook-signature") == webhookSum(b.Credentials().HTTP.Secret, id, timestamp, string(body))}
		w.WriteHeader(<-answers)
	}))
	t.Cleanup(customer.Close)
	b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800990001", nil))
	if err := b.PushReports(sandbox.ReportURLs{HTTP: customer.URL}); err != nil {
		t.Fatal(err)
	}
	var first push
	for i := range 3 {
		var got push
		select {
		case got = <-pushes:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d pushes came, want 3", i)
		}
		if first.id == "" {
			first = got
		}
		if !got.signed || got.id != first.id || !strings.Contains(got.body, `"id":"msg_1","state":"undelivered"`) {
			t.Errorf("got %+v", got)
		}
	}
	answers <- 200
	b.sendHTTP(t, "/http/", "msg_2", b.httpBody("+8613800000012", nil))
	if got := <-pushes; got.id == first.id || !strings.Contains(got.body, `"id":"msg_2","state":"delivered"`) {
		t.Errorf("got %+v after an answer 202", got)
	}
}

func TestTally_counts_the_signed_sender(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.Tally = true })
	if status, body := b.sendHTTP(t, "/http/", "msg_1", b.httpBody("+8613800000011", nil)); status != 200 {
		t.Errorf("got %d %s", status, body)
	}
	if got := readTally(t, b); got.Vendors["http"].Count != 1 || got.Arrivals[0].To != "13800000011" {
		t.Errorf("got %+v", got)
	}
}
