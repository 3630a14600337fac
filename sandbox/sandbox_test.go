package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usher/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }
func (c *clock) beijing(layout string) string {
	return c.now().In(time.FixedZone("", 8*60*60)).Format(layout)
}

// bundle is one running sandbox with a client of its own.
type bundle struct {
	*sandbox.Server
	clock  *clock
	client *http.Client
	log    *bytes.Buffer
	nonce  atomic.Int64
}

func setup(t *testing.T, change ...func(*sandbox.Config)) *bundle {
	t.Helper()
	b := &bundle{clock: &clock{}, log: &bytes.Buffer{}}
	config := sandbox.Config{
		HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", Now: b.clock.now,
		Logger: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&config)
	}
	var err error
	if b.Server, err = sandbox.Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	transport := &http.Transport{}
	b.client = &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		transport.CloseIdleConnections()
	})
	return b
}

func unlimited(c *sandbox.Config) {
	c.AliyunLimits = sandbox.Limits{Minute: -1, Hour: -1, Day: -1}
	c.RonglianLimits, c.AliyunVerifyLimits, c.TencentLimits = c.AliyunLimits, c.AliyunLimits, c.AliyunLimits
}

func (b *bundle) url(path string) string { return "http://" + b.HTTPAddr() + path }

// do sends a request and returns status, headers and body.
func (b *bundle) do(t *testing.T, r *http.Request) (int, http.Header, string) {
	t.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func (b *bundle) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// only returns the one message that was kept.
func (b *bundle) only(t *testing.T) sandbox.Message {
	t.Helper()
	messages := b.Messages("")
	if len(messages) != 1 {
		t.Fatalf("messages: got %d, want 1", len(messages))
	}
	return messages[0]
}

func (b *bundle) fault(t *testing.T, f sandbox.Faults) {
	t.Helper()
	if err := b.SetFaults(f); err != nil {
		t.Fatal(err)
	}
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return v
}

func TestServer_capacity_drops_the_oldest(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited, func(c *sandbox.Config) { c.Capacity = 2 })
	for _, number := range []string{"13800000011", "13800000012", "13800000013"} {
		b.mustSendAliyun(t, number, "123456")
	}
	messages := b.Messages("")
	if len(messages) != 2 || messages[0].To != "13800000012" || messages[1].To != "13800000013" {
		t.Errorf("got %+v, want the last two, newest last", messages)
	}
}

func TestServer_messages_are_chosen_by_recipient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustSendAliyun(t, "+8613800000011", "123456")
	b.mustSendAliyun(t, "13800000012", "654321")
	for _, to := range []string{"13800000011", "+8613800000011", "008613800000011"} {
		if got := b.Messages(to); len(got) != 1 || got[0].Code != "123456" {
			t.Errorf("%s: got %+v, want the first message", to, got)
		}
	}
}

func TestServer_log_holds_no_number_and_no_code(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustSendAliyun(t, "13800000011", "483920")
	log := b.log.String()
	if !strings.Contains(log, "message kept") {
		t.Errorf("log: got %q, want a line for the message", log)
	}
	for _, secret := range []string{"13800000011", "483920"} {
		if strings.Contains(log, secret) {
			t.Errorf("log holds %q", secret)
		}
	}
}

func TestServer_close_without_run_frees_the_addresses(t *testing.T) {
	t.Parallel()
	s, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("first Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestServer_address_in_use_is_an_error(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, config := range []sandbox.Config{
		{HTTPAddr: b.HTTPAddr(), SMTPAddr: "127.0.0.1:0"},
		{HTTPAddr: "127.0.0.1:0", SMTPAddr: b.SMTPAddr()},
	} {
		if s, err := sandbox.Open(t.Context(), config); err == nil {
			t.Errorf("got no error for an address in use")
			_ = s.Close()
		}
	}
}

func TestAPI_lists_and_deletes_messages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustSendAliyun(t, "13800000011", "123456")
	status, _, body := b.do(t, b.request(t, "GET", "/api/messages?to=13800000011", ""))
	got := decode[[]map[string]any](t, body)
	if status != 200 || len(got) != 1 {
		t.Fatalf("got %d %s, want one message", status, body)
	}
	for name, want := range map[string]any{
		"id": "1", "channel": "sms", "provider": "aliyun", "to": "13800000011", "from": "测试签名",
		"subject": "", "html": "", "code": "123456", "text": "【测试签名】您的验证码为：123456，请勿泄露于他人！",
	} {
		if got[0][name] != want {
			t.Errorf("%s: got %v, want %v", name, got[0][name], want)
		}
	}
	if links, ok := got[0]["links"].([]any); !ok || len(links) != 0 {
		t.Errorf("links: got %v, want an empty list", got[0]["links"])
	}
	if _, err := time.Parse(time.RFC3339, got[0]["received_at"].(string)); err != nil {
		t.Errorf("received_at: %v", err)
	}
	if status, _, _ := b.do(t, b.request(t, "DELETE", "/api/messages", "")); status != 204 {
		t.Errorf("delete: got %d, want 204", status)
	}
	if _, _, body := b.do(t, b.request(t, "GET", "/api/messages", "")); strings.TrimSpace(body) != "[]" {
		t.Errorf("after delete: got %s, want []", body)
	}
}

func TestAPI_shows_the_credentials_it_accepts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, body := b.do(t, b.request(t, "GET", "/api/credentials", ""))
	got := decode[map[string]map[string]string](t, body)
	c := b.Credentials()
	for vendor, want := range map[string]map[string]string{
		"aliyun":        {"access_key_id": c.Aliyun.AccessKeyID, "access_key_secret": c.Aliyun.AccessKeySecret},
		"aliyun_verify": {"sign_name": c.AliyunVerify.SignName, "template_code": c.AliyunVerify.TemplateCode},
		"ronglian": {
			"account_sid": c.Ronglian.AccountSID, "auth_token": c.Ronglian.AuthToken,
			"app_id": c.Ronglian.AppID,
		},
		"tencent": {"secret_id": c.Tencent.SecretID, "secret_key": c.Tencent.SecretKey, "sdk_app_id": c.Tencent.SDKAppID},
		"smtp":    {"username": c.SMTP.Username, "password": c.SMTP.Password},
	} {
		for name, value := range want {
			if value == "" || got[vendor][name] != value {
				t.Errorf("%s.%s: got %q, want %q", vendor, name, got[vendor][name], value)
			}
		}
	}
}

func query(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}
