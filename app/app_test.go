package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/providers/catalog"
	"usher/sandbox"
	"usher/store"
	"usher/store/sqlstore"
	"usher/telemetry"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// captchaAnswer answers every captcha of a deployment in this package's tests.
const captchaAnswer = "usher"

// deployment is the API, a worker and the sandbox in this process.
type deployment struct {
	api     *front.API
	worker  *app.Worker
	sandbox *sandbox.Server
	log     *testkit.Buffer
	environ map[string]string
	spans   sdktrace.SpanExporter // nil makes no spans
}

// deploy starts everything on the given stores, with the settings on top of those a test needs.
func deploy(t *testing.T, redisURL, databaseURL string, settings map[string]string) *deployment {
	t.Helper()
	return deployTraced(t, redisURL, databaseURL, settings, nil)
}

// deployTraced is deploy with all spans of both processes.
func deployTraced(
	t *testing.T, redisURL, databaseURL string, settings map[string]string, spans sdktrace.SpanExporter,
) *deployment {
	t.Helper()
	fakes := startSandbox(t)
	environ := environment(t, fakes, redisURL, databaseURL)
	maps.Copy(environ, settings)
	logger, log := testkit.Logger(t)
	logger = slog.New(store.Quiet(telemetry.LogHandler(logger.Handler())))
	d := &deployment{sandbox: fakes, log: log, environ: environ, spans: spans}
	d.migrate(t)
	d.startAPI(t, logger)
	d.startWorker(t, logger)
	return d
}

func startSandbox(t *testing.T) *sandbox.Server {
	t.Helper()
	free := sandbox.Limits{Minute: -1, Hour: -1, Day: -1}
	fakes, err := sandbox.Open(t.Context(), sandbox.Config{
		HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", AliyunLimits: free, AliyunVerifyLimits: free, RonglianLimits: free, TencentLimits: free,
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, fakes.Run)
	return fakes
}

// background runs until the test's end and fails it when run fails.
func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func environment(t *testing.T, fakes *sandbox.Server, redisURL, databaseURL string) map[string]string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, fakes.SMTPCA(), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := fakes.Settings(ca)
	maps.Copy(environ, map[string]string{
		"USHER_REDIS_URL": redisURL, "USHER_DATABASE_URL": databaseURL,
		"USHER_SECRET_KEYS": "t1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)),
		"USHER_HTTP_ADDR":   "127.0.0.1:0", "USHER_OPS_ADDR": "127.0.0.1:0",
		"USHER_SMS_RESEND_INTERVAL": "1s", "USHER_LOG_LEVEL": "debug",
		"USHER_ALIYUN_SIGN_NAME": "阿里云短信测试专用",
	})
	maps.Copy(environ, testkit.PatientTimes())
	return environ
}

func (d *deployment) migrate(t *testing.T) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), d.environ["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) startAPI(t *testing.T, logger *slog.Logger) {
	t.Helper()
	settings, err := front.Load(d.environ)
	if err != nil {
		t.Fatal(err)
	}
	settings.FixedCaptcha, settings.Traces.Spans = captchaAnswer, d.spans
	if d.api, err = front.Open(t.Context(), settings, logger); err != nil {
		t.Fatal(err)
	}
	background(t, d.api.Run)
}

func (d *deployment) startWorker(t *testing.T, logger *slog.Logger) {
	t.Helper()
	settings, err := app.LoadWorker(d.environ)
	senders, smsErr := catalog.SMS(settings.Config.SMSProviders, d.environ)
	mailer, mailErr := catalog.Email(d.environ)
	if err := config.Join(err, smsErr, mailErr); err != nil {
		t.Fatal(err)
	}
	settings.SMS, settings.Email, settings.Traces.Spans = senders, mailer, d.spans
	if settings.Events, err = app.NewEventSender(settings.Config.Events); err != nil {
		t.Fatal(err)
	}
	if d.worker, err = app.OpenWorker(t.Context(), settings, logger); err != nil {
		t.Fatal(err)
	}
	background(t, d.worker.Run)
}

func (d *deployment) person(t *testing.T) *testclient.Client {
	t.Helper()
	p := testclient.New(t, d.api.HTTPAddr(), d.sandbox.HTTPAddr())
	p.CaptchaAnswer = captchaAnswer
	return p
}

func lilei() testclient.Journey {
	return testclient.Journey{
		Username: "li_lei", Password: "correct horse 电池", Mobile: "13800138000", Email: "lilei@example.com",
	}
}

func TestJourney_from_captcha_to_sign_out(t *testing.T) {
	t.Parallel()
	stores := map[string]func(t *testing.T) (redisURL, databaseURL string){
		"redis and postgres": func(t *testing.T) (string, string) {
			t.Helper()
			database := testkit.Postgres(t)
			if database == "" {
				database = testkit.SQLite(t)
			}
			return testkit.Redis(t), database
		},
		"miniredis and sqlite": func(t *testing.T) (string, string) {
			t.Helper()
			return testkit.Miniredis(t), testkit.SQLite(t)
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redisURL, databaseURL := open(t)
			d := deploy(t, redisURL, databaseURL, nil)
			p := d.person(t)
			journey := lilei()
			p.Walk(journey)
			secrets := []string{
				journey.Password, journey.Mobile, p.ReadCode(journey.Mobile, 1), p.ReadCode(journey.Mobile, 2),
				p.ReadToken(journey.Email, 1), journey.Email,
			}
			if found := testkit.FindSecrets(d.log.Bytes(), secrets...); len(found) > 0 {
				t.Errorf("the log at debug level shows %q", found)
			}
			lines := signUpLines(t, d.log.String())
			if size := len(strings.Join(lines, "")); len(lines) > 2 || size > 700 {
				t.Errorf("the sign-up wrote %d lines and %d bytes above debug level, want 2 and 700 at most:\n%s", len(lines), size, strings.Join(lines, ""))
			}
			t.Logf("a sign-up by SMS with a mail: %d lines, %d bytes", len(lines), len(strings.Join(lines, "")))
			for _, line := range lines {
				for _, field := range []string{"id", "request_id", "channel", "to", "provider", "outcome", "attempts", "wait", "duration"} {
					if !strings.Contains(line, `"`+field+`":`) {
						t.Errorf("the line lacks %s: %s", field, line)
					}
				}
			}
		})
	}
}

// signUpLines returns the lines above debug level that are about requests, up to the first activation.
func signUpLines(t *testing.T, log string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(log) {
		var entry struct {
			Level, Route string
			RequestID    string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Level != "DEBUG" && entry.RequestID != "" {
			lines = append(lines, line)
		}
		if entry.Route == "/v1/activations" {
			return lines
		}
	}
	t.Fatal("no activation in the log")
	return nil
}

func TestOps(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{
		"USHER_OPS_TOKEN": "a token of operators", "USHER_OPS_PPROF": "true",
	})
	get := func(addr, path, token string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for _, addr := range []string{d.api.OpsAddr(), d.worker.OpsAddr()} {
		for path, want := range map[string]string{
			"/healthz": "ok", "/readyz": `"redis":"ok"`, "/metrics": "go_goroutines",
			"/debug/pprof/": "heap", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		} {
			if status, body := get(addr, path, "a token of operators"); status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s = %d %.200s, want %q in it", path, status, body, want)
			}
		}
		for _, path := range []string{"/metrics", "/debug/pprof/"} {
			if status, _ := get(addr, path, "a wrong token"); status != http.StatusUnauthorized {
				t.Errorf("%s with a wrong token = %d", path, status)
			}
		}
	}
	if status, body := get(d.api.OpsAddr(), "/queues", "a token of operators"); status != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("/queues = %d %.200s", status, body)
	}
}

func TestRedisAway_answers_503_and_heals(t *testing.T) {
	t.Parallel()
	redis := testkit.RedisServer(t)
	d := deploy(t, redis.URL(), testkit.SQLite(t), nil)
	p := d.person(t)
	journey := lilei()
	redis.Stop()
	away := p.Do(http.MethodPost, "/v1/captchas", map[string]any{})
	if away.Status != http.StatusServiceUnavailable || away.Errno != "4301" || away.Header.Get("Retry-After") == "" {
		t.Errorf("without Redis: %d %s", away.Status, away.Body)
	}
	redis.Start(t)
	p.Walk(journey)
}
