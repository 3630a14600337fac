package testkit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

// Settings are those of a deployment with a sandbox as its vendors, on the machine's best stores, and the
// HTTP address of that sandbox.
func Settings(t testing.TB) (environ map[string]string, sandboxAddr string) {
	t.Helper()
	fakes := StartSandbox(t)
	database := Postgres(t)
	if database == "" {
		database = SQLite(t)
	}
	environ = BasicSettings(Redis(t), database)
	maps.Copy(environ, fakes.Settings(t))
	return environ, fakes.HTTPAddr
}

// BasicSettings are the settings of a deployment without its vendors. There are no captchas, a number may have
// another code after a second, a day has no budget, and logs tell everything. The stores have [PatientTimes].
func BasicSettings(redisURL, databaseURL string) map[string]string {
	environ := map[string]string{
		"USHER_REDIS_URL": redisURL, "USHER_DATABASE_URL": databaseURL,
		"USHER_SECRET_KEYS": "e2e:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("e2e-key.", 4))),
		"USHER_HTTP_ADDR":   "127.0.0.1:0", "USHER_OPS_ADDR": "127.0.0.1:0", "USHER_LOG_LEVEL": "debug",
		"USHER_CAPTCHA_KIND": "off", "USHER_SMS_RESEND_INTERVAL": "1s",
		"USHER_SMS_BUDGET_YUAN": "off",
	}
	maps.Copy(environ, PatientTimes())
	return environ
}

// Time-outs of clients of the stores, the longest that settings allow. A store that is well can be slow to answer on a machine
// that is busy with other tests, and a test must not fail for that.
const (
	RedisPatience    = 10 * time.Second
	DatabasePatience = 30 * time.Second
)

// PatientTimes are settings that give a deployment these time-outs.
func PatientTimes() map[string]string {
	return map[string]string{
		"USHER_REDIS_TIMEOUT": RedisPatience.String(), "USHER_DATABASE_TIMEOUT": DatabasePatience.String(),
	}
}

// DefaultTimes unset what [PatientTimes] set, for tests of stores that do not answer: the time that passes until the service
// says so is part of what they test.
func DefaultTimes() map[string]string {
	times := PatientTimes()
	for name := range times {
		times[name] = "" // counts as unset
	}
	return times
}

// Sandbox is a running cmd/sandbox and the addresses that it announced.
type Sandbox struct {
	*Program

	HTTPAddr, SMTPAddr string
}

// StartSandbox starts a sandbox without the vendors' limits, on ports that the kernel chose unless the
// arguments say otherwise.
func StartSandbox(t testing.TB, args ...string) *Sandbox {
	t.Helper()
	args = append([]string{"-http", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-limits=false"}, args...)
	p := StartCommand(t, nil, "sandbox", args...)
	return &Sandbox{
		Program:  p,
		HTTPAddr: p.Await(t, `Inbox +http://(\S+)/inbox`),
		SMTPAddr: p.Await(t, `SMTP +(\S+) `),
	}
}

// Settings are those that make a worker take the sandbox for its vendors.
func (s *Sandbox) Settings(t testing.TB) map[string]string {
	t.Helper()
	settings, err := SandboxSettings(context.WithoutCancel(t.Context()), s.HTTPAddr, s.SMTPAddr, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// SandboxSettings are those that make a worker take the sandbox at the addresses for its vendors. The
// certificate authority of its mail server is written to dir.
func SandboxSettings(ctx context.Context, httpAddr, smtpAddr, dir string) (map[string]string, error) {
	var keys sandbox.Credentials
	var ca json.RawMessage
	for path, result := range map[string]any{"credentials": &keys, "smtp-ca.pem": &ca} {
		if err := fetch(ctx, "http://"+httpAddr+"/api/"+path, result); err != nil {
			return nil, err
		}
	}
	caFile := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		return nil, err
	}
	return sandbox.SettingsOf(keys, httpAddr, smtpAddr, caFile), nil
}

// fetch reads a JSON document, or any answer into a *json.RawMessage.
func fetch(ctx context.Context, url string, result any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	if raw, ok := result.(*json.RawMessage); ok {
		*raw = body
		return nil
	}
	return json.Unmarshal(body, result)
}
