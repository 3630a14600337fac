package ronglian_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
	"usher/providers/ronglian"
)

const (
	accountSID = "aaf98f8900000000000000000000beef"
	authToken  = "0123456789abcdef0123456789abcdef"
)

func settings(endpoint string) ronglian.Config {
	return ronglian.Config{
		AccountSID:     accountSID,
		AuthToken:      authToken,
		AppID:          "8a216da800000000000000000000cafe",
		TemplateID:     "1",
		TemplateParams: []string{"code", "minutes"},
		Endpoint:       endpoint,
	}
}

func open(t testing.TB, endpoint string) *ronglian.Client {
	t.Helper()
	client, err := ronglian.New(settings(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTP.CloseIdleConnections)
	return client
}

func refusal(code string) string {
	return fmt.Sprintf(`{"statusCode":%q,"statusMsg":"to 13800138000: code 739105"}`, code)
}

const acceptance = `{"statusCode":"000000","templateSMS":{"smsMessageSid":"ff8080813c37da53013c37de3ae40001","dateCreated":"20260102030405"}}`

func TestClient(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.SMSCase{
		Provider:  "ronglian",
		New:       func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) },
		Secrets:   []string{accountSID, authToken},
		Accepted:  acceptance,
		ReceiptID: "ff8080813c37da53013c37de3ae40001",
		Refusals: []providertest.Refusal{
			row("111000", providers.Temporary),
			row("111109", providers.Misconfigured),
			row("111142", providers.Misconfigured),
			row("112310", providers.Misconfigured),
			row("112314", providers.RateLimited),
			row("112316", providers.Rejected),
			row("112317", providers.Rejected),
			row("112356", providers.Unknown),
			row("160000", providers.Temporary),
			row("160038", providers.RateLimited),
			row("160040", providers.RateLimited),
			row("160042", providers.Rejected),
			row("160050", providers.Unknown),
			row("160054", providers.Unknown),
			row("172001", providers.Unknown),
			row("999999", providers.Unknown),
			row("1", providers.Unknown),
			row("abc.de", providers.Unknown),
		},
		Echo: refusal,
	})
}

func row(code string, kind providers.Kind) providertest.Refusal {
	return providertest.Refusal{Name: code, Body: refusal(code), Kind: kind, Code: code}
}

func TestClient_request(t *testing.T) {
	t.Parallel()
	var (
		got  *http.Request
		body []byte
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, acceptance)
	}))
	defer server.Close()
	client := open(t, server.URL+"/ronglian/")
	client.Now = func() time.Time { return time.Date(2026, 1, 1, 19, 4, 5, 0, time.UTC) }
	if _, err := client.SendSMS(t.Context(), providertest.SMS(t)); err != nil {
		t.Fatal(err)
	}
	// Signature and header of the same account, token and time, computed with md5sum and openssl.
	uri := "/ronglian/2013-12-26/Accounts/" + accountSID + "/SMS/TemplateSMS?sig=44A43604059284DD2A0B909A515DE25F"
	if got.Method != http.MethodPost || got.RequestURI != uri {
		t.Errorf("got %s %s, want POST %s", got.Method, got.RequestURI, uri)
	}
	for name, want := range map[string]string{
		"Authorization": "YWFmOThmODkwMDAwMDAwMDAwMDAwMDAwMDAwMGJlZWY6MjAyNjAxMDIwMzA0MDU=",
		"Accept":        "application/json",
		"Content-Type":  "application/json;charset=utf-8",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("got %s %q, want %q", name, value, want)
		}
	}
	var params map[string]any
	if err := json.Unmarshal(body, &params); err != nil {
		t.Fatal(err)
	}
	delete(params, "reqId")
	want := map[string]any{
		"to": "13800138000", "appId": "8a216da800000000000000000000cafe", "templateId": "1",
		"datas": []any{"739105", "5"},
	}
	if diff := cmp.Diff(want, params); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// TestClient_reqId checks the one idempotency key among the vendors.
func TestClient_reqId(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex
		seen = make(map[string]bool)
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ ReqID string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !regexp.MustCompile(`^[0-9a-zA-Z]{8,32}$`).MatchString(body.ReqID) {
			t.Errorf("got reqId %q, %v", body.ReqID, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[body.ReqID] {
			fmt.Fprint(w, refusal("160054"))
			return
		}
		seen[body.ReqID] = true
		fmt.Fprint(w, acceptance)
	}))
	defer server.Close()
	client := open(t, server.URL)
	send := func(id string, attempt int) (providers.Receipt, error) {
		sms := providertest.SMS(t)
		sms.ID, sms.Attempt = id, attempt
		return client.SendSMS(t.Context(), sms)
	}
	if _, err := send("a", 1); err != nil {
		t.Errorf("first attempt: %v", err)
	}
	if receipt, err := send("a", 2); err != nil || receipt != (providers.Receipt{Provider: "ronglian"}) {
		t.Errorf("second attempt: got %+v, %v; want accepted without an id", receipt, err)
	}
	if _, err := send("a", 1); err == nil || providers.KindOf(err) != providers.Unknown {
		t.Errorf("first attempt with a used id: got %v, want unknown", err)
	}
	if receipt, err := send("b", 2); err != nil || receipt.ID == "" {
		t.Errorf("second attempt, first at this vendor: got %+v, %v; want accepted with an id", receipt, err)
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	if m := settings("https://app.cloopen.com:8883").Validate(); len(m) > 0 {
		t.Errorf("got %v, want no mistakes", m)
	}
	bad := ronglian.Config{AccountSID: "x/../" + accountSID, AuthToken: " " + authToken, TemplateID: "SMS_1", Endpoint: "http://203.0.113.7", Bounds: wire.Bounds{QPS: -1, Concurrency: 10_001}}
	var names []string
	for _, m := range bad.Validate() {
		names = append(names, m.Variable)
	}
	want := []string{
		"RONGLIAN_ACCOUNT_SID", "RONGLIAN_AUTH_TOKEN", "RONGLIAN_APP_ID", "RONGLIAN_TEMPLATE_ID", "RONGLIAN_TEMPLATE_PARAMS",
		"RONGLIAN_ENDPOINT",
		"RONGLIAN_QPS", "RONGLIAN_CONCURRENCY",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	_, err := ronglian.New(bad)
	if diff := cmp.Diff(error(bad.Validate()), err); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if text := err.Error(); strings.Contains(text, accountSID) || strings.Contains(text, authToken) {
		t.Errorf("the error shows a secret: %s", text)
	}
}

func BenchmarkClient_SendSMS(b *testing.B) {
	providertest.Benchmark(b, func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) }, acceptance)
}

func TestClient_uses_the_template_of_the_purpose(t *testing.T) {
	t.Parallel()
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			TemplateID string `json:"templateId"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		got = body.TemplateID
		fmt.Fprint(w, acceptance)
	}))
	defer server.Close()
	cfg := settings(server.URL)
	cfg.TemplateRegister, cfg.TemplateResetPassword, cfg.TemplateChangeMobile = "11", "13", "14"
	cfg.TemplateUndoChange = "15"
	client, err := ronglian.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	for purpose, want := range map[string]string{
		"register": "11", "login": "1", "reset_password": "13", "change_mobile": "14", "undo_change": "15", "": "1", "of another release": "1",
	} {
		sms := providertest.SMS(t)
		sms.Purpose = purpose
		if _, err := client.SendSMS(t.Context(), sms); err != nil || got != want {
			t.Errorf("purpose %q is sent in template %q, %v; want %q", purpose, got, err, want)
		}
	}
	if missing := client.Templates().Missing(); !cmp.Equal(missing, []string{"login"}) {
		t.Errorf("missing %v, want login", missing)
	}
	cfg.TemplateLogin = "SMS_2"
	if m := cfg.Validate(); len(m) != 1 || m[0].Variable != "RONGLIAN_TEMPLATE_ID_LOGIN" {
		t.Errorf("mistakes %v, want one for the template of sign-ins", m)
	}
}

func TestClient_leaves_numbers_abroad_to_other_providers(t *testing.T) {
	t.Parallel()
	providertest.WantUnserved(t, func(endpoint string) providers.SMSSender { return open(t, endpoint) })
}
