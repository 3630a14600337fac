package prove_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

// reportSecret is in the path that vendors push to.
const reportSecret = "0123456789abcdef"

// shapes are the endpoints and pages that take something, each with a body that it would read to its end. PATH in
// a path is where a stranger's text goes.
var shapes = []struct{ method, path, media, body string }{
	{"POST", "/v1/captchas", "application/json", `{"kind":"image"}`},
	{"POST", "/v1/captchas/PATH/check", "application/json", `{"answer":"x"}`},
	{"POST", "/v1/sms-codes", "application/json", `{"mobile":"13800138000","purpose":"login","captcha_id":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","captcha":"x"}`},
	{"POST", "/v1/sms-codes/check", "application/json", `{"mobile":"13800138000","code":"123456","purpose":"login"}`},
	{"GET", "/v1/sms-codes/PATH", "", ""},
	{"POST", "/v1/reports/aliyun/" + reportSecret, "application/json", `[{"out_id":"a","success":true,"report_time":"2026-01-02 03:04:05"}]`},
	{"POST", "/v1/reports/ronglian/" + reportSecret, "application/xml", `<Request><reqId>a</reqId><status>0</status></Request>`},
	{"POST", "/v1/reports/tencent/" + reportSecret, "application/json", `[{"sid":"5000:1","report_status":"SUCCESS","user_receive_time":"2026-01-02 03:04:05"}]`},
	{"GET", "/v1/usernames/PATH", "", ""},
	{"GET", "/v1/mobiles/PATH", "", ""},
	{"POST", "/v1/registrations", "application/json", `{"username":"li_lei","password":"correct horse","password_repeat":"correct horse","agree":true,"mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","email":"a@example.com"}`},
	{"POST", "/v1/activations", "application/json", `{"token":"k1.e30.AAAA"}`},
	{"POST", "/v1/activations/resend", "application/json", `{"email":"a@"}`},
	{"POST", "/v1/sessions", "application/json", `{"mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","remember":true}`},
	{"DELETE", "/v1/sessions/PATH", "", ""},
	{"POST", "/v1/password-resets", "application/json", `{"mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","password":"correct horse","password_repeat":"correct horse"}`},
	{"PUT", "/v1/account/password", "application/json", `{"password_current":"a","password":"b","password_repeat":"b"}`},
	{"PUT", "/v1/account/email", "application/json", `{"email":"a@example.com","password":"b"}`},
	{"PUT", "/v1/account/mobile", "application/json", `{"mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","password":"b"}`},
	{"POST", "/v1/account-changes/undo", "application/json", `{"token":"k1.e30.AAAA","mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","password":"correct horse","password_repeat":"correct horse"}`},
	{"POST", "/undo", "application/x-www-form-urlencoded", `token=k1.e30.AAAA&password=correct+horse&password_repeat=correct+horse&action=undo`},
	{"GET", "/undo?token=PATH", "", ""},
	{"POST", "/login", "application/x-www-form-urlencoded", `mode=code&mobile=13800138000&sms_code_id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&sms_code=123456&action=sign_in&next=%2F`},
	{"POST", "/register", "application/x-www-form-urlencoded", `username=li&mobile=13800138000&action=send_code`},
	{"POST", "/forgot", "application/x-www-form-urlencoded", `mobile=13800138000&sms_code_id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&sms_code=1&action=reset`},
	{"POST", "/activate", "application/x-www-form-urlencoded", `token=k1.e30.AAAA`},
	{"GET", "/activate?token=PATH", "", ""},
	{"GET", "/login?next=PATH", "", ""},
	{"GET", "/static/PATH", "", ""},
}

// httpReaders are an API process, once by bodies and paths and once by headers.
func httpReaders(t testing.TB) (bodies, headers reader) {
	t.Helper()
	environ, _ := testkit.Settings(t)
	environ["USHER_LIMITS"], environ["USHER_LOG_LEVEL"] = noLimits, "error"
	environ["USHER_REPORT_SECRET"], environ["USHER_TRUSTED_PROXIES"] = reportSecret, "127.0.0.1"
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	environ["USHER_LOG_LEVEL"] = "info"
	api := testkit.StartCommand(t, environ, "api")
	base := "http://" + api.Await(t, `"http_addr":"([^"]+)"`)
	t.Cleanup(func() {
		if said := api.Output(); strings.Contains(said, "panicked") || strings.Contains(said, "panic:") {
			t.Error("the API panicked")
		}
	})
	const workers = 2
	bodies = reader{
		corpora: []string{"api/testdata/fuzz/FuzzBodies"}, part: size(2, 10), workers: workers,
		check: func(t testing.TB, random *rand.Rand, text string) {
			t.Helper()
			shape := shapes[random.IntN(len(shapes))]
			if shape.body != "" && random.IntN(2) == 0 {
				text = string(mutate(random, [][]byte{[]byte(shape.body), []byte(text)}))
			}
			path := strings.Replace(shape.path, "PATH", url.PathEscape(text[:min(len(text), 1000)]), 1)
			request := ask(t, shape.method, base+path, text)
			request.Header.Set("Content-Type", shape.media)
			never5xx(t, request, text)
		},
	}
	headers = reader{
		corpora: []string{"api/testdata/fuzz/FuzzHeaders"}, part: size(2, 10), workers: workers,
		check: func(t testing.TB, random *rand.Rand, text string) {
			t.Helper()
			shape := shapes[random.IntN(len(shapes))]
			request := ask(t, shape.method, base+strings.Replace(shape.path, "PATH", "li_lei", 1), shape.body)
			request.Header.Set("Content-Type", shape.media)
			text = strings.Map(headerRune, text)
			for range 1 + random.IntN(3) {
				request.Header.Add(headerNames[random.IntN(len(headerNames))], text[random.IntN(len(text)+1):])
			}
			never5xx(t, request, text)
		},
	}
	return bodies, headers
}

// headerNames are those that something here reads.
var headerNames = []string{
	"X-Forwarded-For", "X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host", "Origin", "Sec-Fetch-Site",
	"Accept-Language", "Idempotency-Key", "Cookie", "User-Agent", "X-Request-Id", "Content-Type", "Accept", "Traceparent", "Authorization",
}

// headerRune drops what no client can put into a header.
func headerRune(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return -1
	}
	return r
}

func ask(t testing.TB, method, address, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// never5xx sends a request: whatever comes back is no fault of ours, and under /v1/ it has the envelope. An API that other rows
// keep from the processor may say "busy" for a while, or close a connection that sent nothing in time; a request that is answered
// in this way again and again has found a fault.
func never5xx(t testing.TB, request *http.Request, input string) {
	t.Helper()
	var found string
	for deadline := time.Now().Add(busyTime); ; <-time.After(busyTime / 20) {
		var busy bool
		if found, busy = faultOf(request); found == "" {
			return
		}
		if !busy || time.Now().After(deadline) {
			break
		}
		request.Body, _ = request.GetBody()
	}
	t.Errorf("%s %s with %.2000q: %s", request.Method, request.URL, input, found)
}

// busyTime is how long never5xx repeats a request that found the API busy.
const busyTime = 10 * time.Second

// faultOf sends a request and returns what is wrong with the answer, and whether a busy API explains it.
func faultOf(request *http.Request) (found string, busy bool) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return err.Error(), true
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	var envelope struct{ Errno string }
	enveloped := strings.HasPrefix(request.URL.Path, "/v1/") && !strings.HasPrefix(request.URL.Path, "/v1/reports")
	switch {
	case err != nil:
		return err.Error(), true
	case response.StatusCode >= 500:
		return fmt.Sprintf("%d %s", response.StatusCode, body), response.StatusCode == http.StatusServiceUnavailable
	case enveloped && (json.Unmarshal(body, &envelope) != nil || envelope.Errno == ""):
		return fmt.Sprintf("%d without the envelope: %s", response.StatusCode, body), false
	}
	return "", false
}
