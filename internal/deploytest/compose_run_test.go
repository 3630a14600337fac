package deploytest_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// A try-out without an account at any vendor, as docker-compose.yml says on its first lines.
func TestCompose_sandbox_carries_a_sign_up(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	// No program reads the captchas. It is the one setting that is not the file's.
	s.file.Services["sandbox_api"].Environment["USHER_CAPTCHA_KIND"] = "off"
	s.up("sandbox_api", "sandbox_worker")
	for _, name := range []string{"sandbox", "sandbox_api", "sandbox_worker"} {
		s.awaitHealth(name)
	}
	if info, err := os.Stat(s.mounted("sandbox", "sandbox.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mail server's key: %v, %v", info, err)
	}

	p := testclient.New(t, s.addr("sandbox_api", 8080), s.addr("sandbox", 8083))
	const mobile, email, password = "13900139000", "lilei@example.com", "a long enough secret"
	id := p.AskCode(mobile, "register")
	code := p.ReadCode(mobile, 1)
	awaitDelivered(t, p, id)
	p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": mobile, "sms_code": code, "email": email,
	})
	p.Must(http.StatusOK, http.MethodPost, "/v1/activations", map[string]any{"token": p.ReadToken(email, 1)})
	session := p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"login": email, "password": password})
	if session.Data["email_active"] != true {
		t.Errorf("after it all the account is %s", session.Body)
	}
	s.down()
}

// awaitDelivered asks as often as a page does; there is a limit to it.
func awaitDelivered(t *testing.T, p *testclient.Client, id string) {
	t.Helper()
	asked := time.NewTicker(time.Second)
	defer asked.Stop()
	testkit.Eventually(t, patience, func() bool {
		<-asked.C
		return p.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil).Text("status") == "delivered"
	}, "the sandbox reports that the code was delivered")
}

// filled is .env.example, filled in for an operator with accounts at all vendors.
func filled(t *testing.T) map[string]string {
	t.Helper()
	dotenv := map[string]string{}
	for line := range strings.Lines(testkit.RepositoryFile(t, ".env.example")) {
		line = strings.TrimSpace(line)
		if name, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			dotenv[name] = value
		}
	}
	for name, value := range map[string]string{
		"USHER_SECRET_KEYS":              "k1:ZW5vdWdoIGJ5dGVzIGZvciBhIGtleSwgdGhpcnR5LXQ=",
		"USHER_PUBLIC_URL":               "https://signup.example.com",
		"USHER_ALIYUN_ACCESS_KEY_ID":     "LTAI5tMadeUpKeyId",
		"USHER_ALIYUN_ACCESS_KEY_SECRET": "made-up-secret",
		"USHER_ALIYUN_SIGN_NAME":         "Usher",
		"USHER_ALIYUN_TEMPLATE_CODE":     "SMS_71390007",
		"USHER_RONGLIAN_ACCOUNT_SID":     "aaf98f8900000000000000000000beef",
		"USHER_RONGLIAN_AUTH_TOKEN":      "0123456789abcdef0123456789abcdef",
		"USHER_RONGLIAN_APP_ID":          "8a216da800000000000000000000cafe",
		"USHER_RONGLIAN_TEMPLATE_ID":     "1",
		"USHER_REPORT_PULL_INTERVAL":     "0", // asks no vendor
		"USHER_SMTP_HOST":                "smtp.example.com",
		"USHER_SMTP_USERNAME":            "noreply@example.com",
		"USHER_SMTP_PASSWORD":            "made-up-password",
		"USHER_MAIL_FROM":                "Usher <noreply@example.com>",
	} {
		if _, found := settings()[name]; !found {
			t.Errorf("there is no setting %s", name)
		}
		dotenv[name] = value
	}
	return dotenv
}

func TestCompose_services_become_healthy_and_end_cleanly(t *testing.T) {
	t.Parallel()
	s := newStack(t, filled(t))
	s.up("api", "worker_sms", "worker_email")
	for _, name := range []string{"api", "worker_sms", "worker_email"} {
		s.awaitHealth(name)
	}
	if code, said := s.run("admin", "doctor", "-offline").AwaitEnd(t); code != 0 {
		t.Errorf("doctor: exit %d\n%s", code, said)
	}
	s.down()
}

func TestCompose_services_without_settings_say_so(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	s.up("migrate")
	for _, name := range []string{"api", "worker_sms", "worker_email"} {
		code, said := s.run(name, s.file.Services[name].Command...).AwaitEnd(t)
		if code != 2 || !strings.Contains(said, "USHER_SECRET_KEYS: must be set") {
			t.Errorf("%s: exit %d, %s", name, code, said)
		}
	}
}
