package httpsender_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"usher/config"
	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/providers/httpsender"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
	"usher/webhooks"
)

const (
	secret   = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	former   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	accepted = `{"provider_id":"77-abc"}`
)

// open returns a client of the receiver at address, which answers queries at the same address.
func open(t testing.TB, address string, secrets ...string) httpsender.Querying {
	t.Helper()
	cfg := httpsender.Config{URL: address, QueryURL: address, Secret: config.Secret(cmp.Or(strings.Join(secrets, ","), secret))}
	sender, err := httpsender.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client := sender.(httpsender.Querying) //nolint:forcetypeassert // there is an address for queries
	t.Cleanup(client.HTTP.CloseIdleConnections)
	return client
}

func refusal(kind string) string {
	return fmt.Sprintf(`{"kind":%q,"text":"to +8613800138000: code 739105"}`, kind)
}

func TestClient(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.SMSCase{
		Provider:  "http",
		New:       func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) },
		Secrets:   []string{secret, strings.TrimPrefix(secret, "whsec_")},
		Accepted:  accepted,
		ReceiptID: "77-abc",
		ByStatus:  true,
		Refusals: []providertest.Refusal{
			{Name: "temporary", Status: 503, Body: refusal("temporary"), Kind: providers.Temporary, Code: "temporary"},
			{Name: "this number too often", Status: 429, Body: refusal("rate_limited"), Kind: providers.RateLimited, Code: "rate_limited"},
			{Name: "all too often", Status: 429, Body: refusal("temporary"), Kind: providers.Temporary, Code: "temporary"},
			{Name: "rejected", Status: 422, Body: refusal("rejected"), Kind: providers.Rejected, Code: "rejected"},
			{Name: "rejected with 200", Body: refusal("rejected"), Kind: providers.Rejected, Code: "rejected"},
			{Name: "misconfigured", Status: 400, Body: refusal("misconfigured"), Kind: providers.Misconfigured, Code: "misconfigured"},
			{Name: "unknown", Status: 500, Body: refusal("unknown"), Kind: providers.Unknown, Code: "unknown"},
			{Name: "a kind of another release", Status: 200, Body: refusal("new"), Kind: providers.Unknown, Code: "new"},
			{Name: "the same with a 4xx", Status: 400, Body: refusal("new"), Kind: providers.Rejected, Code: "new"},
			{Name: "the vendor's code", Status: 422, Body: `{"kind":"rejected","code":"blacklist-7"}`, Kind: providers.Rejected, Code: "blacklist-7"},
		},
		Echo: refusal,
	})
}

func TestClient_statuses_without_a_kind(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]providers.Kind{
		300: providers.Unknown, 304: providers.Unknown, 400: providers.Rejected, 401: providers.Misconfigured, 402: providers.Rejected,
		403: providers.Misconfigured, 404: providers.Misconfigured, 405: providers.Misconfigured, 408: providers.Unknown,
		410: providers.Misconfigured, 413: providers.Rejected, 422: providers.Rejected, 429: providers.Temporary,
		500: providers.Unknown, 502: providers.Unknown, 503: providers.Unknown, 504: providers.Unknown,
	} {
		for _, body := range []string{"", "{}", "null", `{"kind":5}`, "<html></html>", "no"} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			_, err := open(t, server.URL).SendSMS(t.Context(), providertest.SMS(t))
			server.Close()
			if err == nil || providers.KindOf(err) != want {
				t.Errorf("%d %s: %v, want %v", status, body, err, want)
			}
		}
	}
}

func TestClient_any_answer_2xx_accepts(t *testing.T) {
	t.Parallel()
	for body, id := range map[string]string{
		"": "", "{}": "", "null": "", "ok": "", "[]": "", `{"provider_id":5}`: "", `{"provider_id":"a b\nc"}`: "abc",
		`{"provider_id":"to 13800138000"}`: "", `{"provider_id":"x","more":{"a":1}}`: "x",
	} {
		for _, status := range []int{200, 201, 202} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			receipt, err := open(t, server.URL).SendSMS(t.Context(), providertest.SMS(t))
			server.Close()
			if want := (providers.Receipt{Provider: "http", ID: id}); err != nil || receipt != want {
				t.Errorf("%d %q: %+v, %v, want %+v", status, body, receipt, err, want)
			}
		}
	}
}

func TestClient_request_is_signed_and_complete(t *testing.T) {
	t.Parallel()
	now := time.Unix(1767323045, 999)
	var ids []string
	var bodies []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keys, _ := webhooks.ParseKeys(former)
		id, err := keys.Verify(r.Header, body, now)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/send/" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL.Path, r.Header, err)
		}
		var fields map[string]any
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Error(err)
		}
		ids, bodies = append(ids, id), append(bodies, fields)
	}))
	defer server.Close()
	client := open(t, server.URL+"/send/", secret, former)
	client.Now = func() time.Time { return now }
	sms := providertest.SMS(t)
	sms.Purpose, sms.Language = "login", "en"
	for sms.Attempt = 1; sms.Attempt <= 2; sms.Attempt++ {
		if _, err := client.SendSMS(t.Context(), sms); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff([]string{sms.ID, sms.ID}, ids); diff != "" {
		t.Errorf("webhook-id (-want +got):\n%s", diff)
	}
	want := map[string]any{
		"to": "+8613800138000", "purpose": "login", "code": "739105", "expires_at": "2026-01-02T03:09:05Z", "locale": "en", "attempt": 1.0,
	}
	if diff := gocmp.Diff(want, bodies[0]); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if want["attempt"] = 2.0; !gocmp.Equal(want, bodies[1]) {
		t.Errorf("second attempt: %v", bodies[1])
	}
	var err error
	if sms.To, err = contact.ParseMobile("+85251234567"); err == nil {
		_, err = client.SendSMS(t.Context(), sms)
	}
	if err != nil || bodies[2]["to"] != "+85251234567" {
		t.Errorf("a number abroad: %v, %v", err, bodies)
	}
	sms.ID = "an.id"
	if _, err := client.SendSMS(t.Context(), sms); providers.KindOf(err) != providers.Misconfigured || len(ids) != 3 {
		t.Errorf("an id that cannot be signed: %v", err)
	}
}

func TestClient_keeps_the_pause_that_the_receiver_asks_for(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status       int
		header, body string
		want         time.Duration
	}{
		"in the body":            {429, "", `{"kind":"temporary","retry_after":1.5}`, 1500 * time.Millisecond},
		"in the header":          {429, "7", "", 7 * time.Second},
		"in both":                {503, "7", `{"kind":"temporary","retry_after":2}`, 2 * time.Second},
		"endless":                {429, "", `{"kind":"temporary","retry_after":1e300}`, time.Hour},
		"negative":               {429, "-7", `{"kind":"temporary","retry_after":-2}`, 0},
		"a date":                 {429, "Fri, 02 Jan 2026 03:04:05 GMT", "", 0},
		"of one number":          {429, "7", `{"kind":"rate_limited","retry_after":2}`, 0},
		"with an unknown result": {503, "7", "", 0},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.header)
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		_, err := open(t, server.URL).SendSMS(t.Context(), providertest.SMS(t))
		server.Close()
		if e, ok := err.(*providers.Error); !ok || e.RetryAfter != c.want { //nolint:errorlint // the type promised
			t.Errorf("%s: %#v, want %v", name, err, c.want)
		}
	}
}

func TestQuerying(t *testing.T) {
	t.Parallel()
	to := providertest.SMS(t).To
	providertest.RunQuery(t, providertest.QueryCase{
		Provider: "http",
		New:      func(t testing.TB, endpoint string) providers.Querier { return open(t, endpoint) },
		Secrets:  []string{secret},
		Query:    providers.Query{ID: "msg_1", To: to, SentAt: time.Unix(1767323045, 0)},
		Answers: map[string]providertest.QueryResult{
			"unknown":     {Body: `{"state":"unknown"}`},
			"sent":        {Body: `{"state":"sent"}`, QueryResult: providers.QueryResult{State: messages.Sent}},
			"delivered":   {Body: `{"state":"delivered"}`, QueryResult: providers.QueryResult{State: messages.Delivered}},
			"undelivered": {Body: `{"state":"undelivered","code":"off"}`, QueryResult: undelivered("off")},
			"why is left": {Body: `{"state":"undelivered"}`, QueryResult: undelivered("undelivered")},
		},
		Refusals: []providertest.Refusal{
			{Name: "no such path", Status: 405, Body: refusal("misconfigured"), Kind: providers.Misconfigured, Code: "misconfigured"},
			{Name: "later", Status: 503, Body: refusal("temporary"), Kind: providers.Temporary, Code: "temporary"},
		},
		Echo: refusal,
	})
}

func undelivered(code string) providers.QueryResult {
	return providers.QueryResult{
		State: messages.Undelivered, Refusal: &providers.Error{Provider: "http", Kind: providers.Rejected, Code: code},
	}
}

func TestNew_queries_only_where_an_address_is_set(t *testing.T) {
	t.Parallel()
	sender, err := httpsender.New(httpsender.Config{URL: "https://sms.example.com/send", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := sender.(providers.Querier); ok {
		t.Error("a client without an address for queries can be asked")
	}
	if missing := sender.(providers.Templated).Templates().Missing(); len(missing) > 0 { //nolint:forcetypeassert // of every vendor
		t.Errorf("templates are missing: %v; the receiver gets the purpose", missing)
	}
}

func TestClient_CheckCredentials(t *testing.T) {
	t.Parallel()
	for status, proved := range map[int]bool{200: true, 400: true, 422: true, 401: false, 403: false, 404: false, 503: false} {
		var body map[string]any
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewDecoder(r.Body).Decode(&body)
			w.WriteHeader(status)
		}))
		err := open(t, server.URL).CheckCredentials(t.Context())
		server.Close()
		if (err == nil) != proved || body["to"] != "" || body["code"] != "" {
			t.Errorf("%d: %v after %v", status, err, body)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config httpsender.Config
		want   []string
	}{
		"usual":          {httpsender.Config{URL: "https://sms.example.com/send", Secret: secret}, nil},
		"everything":     {httpsender.Config{URL: "https://sms.example.com", Secret: secret + ", " + former, QueryURL: "https://sms.example.com/query", AllowedHosts: []string{"sms.internal"}}, nil},
		"loopback":       {httpsender.Config{URL: "http://127.0.0.1:9000/", Secret: secret}, nil},
		"private, named": {httpsender.Config{URL: "https://10.0.0.5/", Secret: secret, AllowedHosts: []string{"10.0.0.5"}}, nil},
		"nothing":        {httpsender.Config{}, []string{"HTTP_URL", "HTTP_SECRET"}},
		"private":        {httpsender.Config{URL: "https://10.0.0.5/", QueryURL: "https://[fd00::1]/", Secret: secret}, []string{"HTTP_URL", "HTTP_QUERY_URL"}},
		"metadata":       {httpsender.Config{URL: "https://169.254.169.254/", Secret: secret}, []string{"HTTP_URL"}},
		"clear text":     {httpsender.Config{URL: "http://sms.example.com", QueryURL: "ftp://x", Secret: secret}, []string{"HTTP_URL", "HTTP_QUERY_URL"}},
		"bad values": {
			httpsender.Config{URL: "https://u:p@sms.example.com", Secret: "whsec_short", AllowedHosts: []string{"https://x"}, Bounds: wire.Bounds{QPS: -1, Concurrency: 10_001}},
			[]string{"HTTP_URL", "HTTP_SECRET", "HTTP_ALLOWED_HOSTS", "HTTP_QPS", "HTTP_CONCURRENCY"},
		},
	} {
		var got []string
		for _, m := range c.config.Validate() {
			got = append(got, m.Variable)
			if strings.Contains(m.Text, "short") || strings.Contains(m.Text, "u:p@") {
				t.Errorf("%s shows a value: %s", m.Variable, m.Text)
			}
		}
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if _, err := httpsender.New(c.config); (err == nil) != (c.want == nil) {
			t.Errorf("%s: New: %v", name, err)
		}
	}
}

// The example of the manual must be a request as the client sends it, signed with the secret that the manual names.
func TestClient_request_of_the_manual_is_a_real_one(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/http-sender.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(manual), "```http\n")
	example, after, _ := strings.Cut(example, "\n```\n")
	head, body, _ := strings.Cut(example, "\n\n")
	if !strings.Contains(after, "signed with `"+secret+"`") {
		t.Error("the manual does not name the secret of its example")
	}
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(head[strings.Index(head, "\n")+1:] + "\n\n"))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := webhooks.ParseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	seconds, _ := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64) // Verify refuses what is no number
	if _, err := keys.Verify(http.Header(header), []byte(body), time.Unix(seconds, 0)); err != nil {
		t.Errorf("the signature of the example: %v", err)
	}
	var sent map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	sms := providertest.SMS(t)
	sms.Purpose, sms.Language = "login", "zh"
	if _, err := open(t, server.URL).SendSMS(t.Context(), sms); err != nil {
		t.Fatal(err)
	}
	var shown map[string]any
	if err := json.Unmarshal([]byte(body), &shown); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(sent)); !slices.Equal(got, want) {
		t.Errorf("the example has the fields %v, the client sends %v", got, want)
	}
}

func BenchmarkClient_SendSMS(b *testing.B) {
	providertest.Benchmark(b, func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) }, accepted)
}
