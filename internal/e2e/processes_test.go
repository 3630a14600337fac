package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"usher/internal/person"
	"usher/internal/testkit"
)

// settings are those of a deployment with the sandbox as its vendors, on the machine's best stores.
func settings(t *testing.T) (environ map[string]string, sandboxAddr string) {
	t.Helper()
	fakes := start(t, nil, "sandbox", "-http", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-limits=false")
	sandboxAddr = fakes.await(t, `Inbox +http://(\S+)/inbox`)
	smtpPort := fakes.await(t, `SMTP +127\.0\.0\.1:(\d+)`)
	var keys struct {
		Aliyun struct {
			ID     string `json:"access_key_id"`
			Secret string `json:"access_key_secret"`
		}
		Ronglian struct {
			SID   string `json:"account_sid"`
			Token string `json:"auth_token"`
			App   string `json:"app_id"`
		}
		SMTP struct{ Username, Password string }
	}
	if err := json.Unmarshal(fetch(t, "http://"+sandboxAddr+"/api/credentials"), &keys); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, fetch(t, "http://"+sandboxAddr+"/api/smtp-ca.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	database := testkit.Postgres(t)
	if database == "" {
		database = testkit.SQLite(t)
	}
	return map[string]string{
		"USHER_REDIS_URL": testkit.Redis(t), "USHER_DATABASE_URL": database,
		"USHER_SECRET_KEYS": "e2e:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("e2e-key.", 4))),
		"USHER_HTTP_ADDR":   "127.0.0.1:0", "USHER_OPS_ADDR": "127.0.0.1:0", "USHER_LOG_LEVEL": "debug",
		"USHER_CAPTCHA_KIND": "off", "USHER_SMS_RESEND_INTERVAL": "1s",
		"USHER_ALIYUN_ACCESS_KEY_ID": keys.Aliyun.ID, "USHER_ALIYUN_ACCESS_KEY_SECRET": keys.Aliyun.Secret,
		"USHER_ALIYUN_SIGN_NAME": "测试签名", "USHER_ALIYUN_TEMPLATE_CODE": "SMS_71390007",
		"USHER_ALIYUN_ENDPOINT":      "http://" + sandboxAddr + "/aliyun/",
		"USHER_RONGLIAN_ACCOUNT_SID": keys.Ronglian.SID, "USHER_RONGLIAN_AUTH_TOKEN": keys.Ronglian.Token,
		"USHER_RONGLIAN_APP_ID": keys.Ronglian.App, "USHER_RONGLIAN_TEMPLATE_ID": "1",
		"USHER_RONGLIAN_ENDPOINT": "http://" + sandboxAddr + "/ronglian",
		"USHER_SMTP_HOST":         "127.0.0.1", "USHER_SMTP_PORT": smtpPort, "USHER_SMTP_CA_FILE": ca,
		"USHER_SMTP_USERNAME": keys.SMTP.Username, "USHER_SMTP_PASSWORD": keys.SMTP.Password,
		"USHER_MAIL_FROM": keys.SMTP.Username,
	}, sandboxAddr
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	return fetchUpTo(t, url, 1<<20)
}

// fetchAll is fetch for the inbox after a large run.
func fetchAll(t *testing.T, url string) []byte {
	t.Helper()
	return fetchUpTo(t, url, 1<<30)
}

func fetchUpTo(t *testing.T, url string, limit int64) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s = %d, %v", url, response.StatusCode, err)
	}
	return body
}

func TestProcesses_carry_a_sign_up_and_end_cleanly(t *testing.T) {
	t.Parallel()
	environ, sandboxAddr := settings(t)
	if code, said := run(t, environ, "api"); code != 1 || !strings.Contains(said, "migrate up") {
		t.Errorf("api on an empty database: exit %d, %s", code, said)
	}
	if code, said := run(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	api := start(t, environ, "api")
	sms := start(t, environ, "worker", "-channels", "sms")
	email := start(t, environ, "worker", "-channels", "email")
	p := person.New(t, api.await(t, `"http_addr":"([^"]+)"`), sandboxAddr)
	journey := person.Journey{
		Username: "韩梅梅_2026", Password: "a long enough secret", Mobile: "13900139000", Email: "hmm@example.cn",
	}
	p.Walk(journey)
	everything := []byte(api.output.String() + sms.output.String() + email.output.String())
	found := testkit.FindSecrets(everything, journey.Password, journey.Mobile, journey.Email,
		p.ReadCode(journey.Mobile, 1), p.ReadCode(journey.Mobile, 2), p.ReadToken(journey.Email, 1))
	if len(found) > 0 {
		t.Errorf("logs at debug level show %q", found)
	}
	if code, said := run(t, environ, "admin", "doctor"); code != 0 {
		t.Errorf("admin doctor: exit %d\n%s", code, said)
	}
	for name, process := range map[string]*program{"api": api, "worker sms": sms, "worker email": email} {
		if err := process.stop(syscall.SIGTERM); err != nil {
			t.Errorf("%s after SIGTERM: %v", name, err)
		}
	}
}

func TestProcesses_name_every_wrong_setting(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		"USHER_SMS_CODE_TTL": "soon", "USHER_SECRET_KEYS": "k1:c2hvcnQ=", "USHER_LIMITS": "sms_ip_hour=many",
		"USHER_PUBLIC_URL": "http://signup.example.com", "USHER_ALIYUN_ACCESS_KEY_SECRET": "not-to-be-shown",
		"USHER_SMS_PROVIDERS": "aliyun", "USHER_WORKER_CONCURRENCY_SMS": "0",
	}
	tests := map[string][]string{
		"api": {"USHER_SMS_CODE_TTL", "USHER_SECRET_KEYS", "USHER_LIMITS"},
		"worker": {
			"USHER_SECRET_KEYS", "USHER_PUBLIC_URL", "USHER_WORKER_CONCURRENCY_SMS", "USHER_ALIYUN_ACCESS_KEY_ID",
			"USHER_ALIYUN_SIGN_NAME", "USHER_SMTP_HOST",
		},
	}
	for command, variables := range tests {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			code, said := run(t, maps.Clone(wrong), command)
			if code != 2 {
				t.Errorf("exit %d, want 2", code)
			}
			for _, variable := range variables {
				if !strings.Contains(said, variable+": ") {
					t.Errorf("%s is not named in:\n%s", variable, said)
				}
			}
			if strings.Contains(said, "not-to-be-shown") || strings.Contains(said, "c2hvcnQ=") {
				t.Errorf("a secret is printed:\n%s", said)
			}
		})
	}
}

func TestCommands_explain_themselves(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"api", "worker", "dev", "admin", "sandbox"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			if code, said := run(t, nil, command, "-h"); code != 0 || !strings.Contains(strings.ToLower(said), "usage") {
				t.Errorf("%s -h: exit %d\n%s", command, code, said)
			}
			if code, said := run(t, nil, command, "-nonsense"); code != 2 || said == "" {
				t.Errorf("%s -nonsense: exit %d\n%s", command, code, said)
			}
		})
	}
}
