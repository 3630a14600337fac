package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/internal/testkit"
	"usher/reports"
	"usher/sandbox"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// canarySettings starts a Redis and a sandbox whose reports are filed as the API files them, and returns
// what a worker would read from its environment.
func canarySettings(t *testing.T) map[string]string {
	t.Helper()
	redisURL := testkit.Miniredis(t)
	key := "t1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))
	keys, err := secrets.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := redisconn.Open(redisURL, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	store := redisstore.New(client, keys, time.Now).Reports()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format, known := reports.FormatOf(strings.Trim(r.URL.Path, "/"))
		if !known {
			format.Parse = reports.ParseHTTP
		}
		body, _ := io.ReadAll(r.Body)
		batch, err := format.Parse(body)
		if err == nil {
			_, err = store.Apply(r.Context(), batch.Reports)
		}
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, format.Accepted)
	}))
	t.Cleanup(api.Close)
	fakes, err := sandbox.Open(t.Context(), sandbox.Config{
		HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", DeliveryDelay: time.Millisecond,
		Reports: sandbox.ReportURLs{Aliyun: api.URL + "/aliyun", AliyunVerify: api.URL + "/aliyun_verify", Ronglian: api.URL + "/ronglian", Tencent: api.URL + "/tencent", HTTP: api.URL + "/http"},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- fakes.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(fakes.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	environ := fakes.Settings("")
	maps.Copy(environ, map[string]string{"USHER_REDIS_URL": redisURL, "USHER_SECRET_KEYS": key})
	maps.Copy(environ, testkit.PatientTimes())
	return environ
}

// fly runs the command and returns what it printed.
func fly(t *testing.T, environ map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), app.Process{
		Args: append([]string{"canary"}, args...), Environ: environ, Stdout: &out, Stderr: io.Discard,
	})
	return out.String(), err
}

func TestCanary_tells_the_outcome_of_the_message(t *testing.T) {
	t.Parallel()
	environ := canarySettings(t)
	for _, provider := range []string{"aliyun", "aliyun_verify", "ronglian", "tencent", "http"} {
		for number, want := range map[string]struct {
			printed string
			fails   bool
		}{
			"13800138000": {"delivered after ", false},
			"13800990001": {"undelivered after ", true},
			"13800990004": {"not accepted after ", true},
			"13800990002": {"accepted after ", true}, // and no report ever
		} {
			// Another number for each provider: the pause between two messages holds across them.
			number = strings.Replace(number, "1380", map[string]string{"aliyun": "1380", "aliyun_verify": "1370", "ronglian": "1390", "tencent": "1360", "http": "1350"}[provider], 1)
			wait := "30s"
			if strings.HasSuffix(number, "990002") {
				wait = "1s"
			}
			out, err := fly(t, environ, "-provider", provider, "-to", number, "-wait", wait)
			if !strings.Contains(out, want.printed) || want.fails != (err != nil) {
				t.Errorf("%s, %s: %v\n%s", provider, want.printed, err, out)
			}
			if strings.Contains(out, number) || err != nil && strings.Contains(err.Error(), number) {
				t.Errorf("the full number shows: %v\n%s", err, out)
			}
		}
	}
	if out, err := fly(t, environ, "-provider", "aliyun", "-to", "13800138000"); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("a second one at once: %v\n%s", err, out)
	}
}

func TestCanary_wants_a_provider_and_a_number(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{},
		{"-provider", "aliyun"},
		{"-to", "13800138000"},
		{"-provider", "aliyun", "-to", "12345"},
		{"-provider", "aliyun", "-to", "13800138000", "-wait", "1h"},
		{"-provider", "aliyun", "-to", "13800138000", "more"},
	} {
		var usage *app.UsageError
		if out, err := fly(t, nil, args...); !errors.As(err, &usage) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if _, err := fly(t, map[string]string{}, "-provider", "carrier-pigeon", "-to", "13800138000"); err == nil || !strings.Contains(err.Error(), "carrier-pigeon") {
		t.Errorf("an unknown provider: %v", err)
	}
}
