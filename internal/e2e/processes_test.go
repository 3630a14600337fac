package e2e_test

import (
	"maps"
	"strings"
	"syscall"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

func TestProcesses_carry_a_sign_up_and_end_cleanly(t *testing.T) {
	t.Parallel()
	environ, sandboxAddr := testkit.Settings(t)
	if code, said := testkit.RunCommand(t, environ, "api"); code != 1 || !strings.Contains(said, "migrate up") {
		t.Errorf("api on an empty database: exit %d, %s", code, said)
	}
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	api := testkit.StartCommand(t, environ, "api")
	sms := testkit.StartCommand(t, environ, "worker", "-channels", "sms")
	email := testkit.StartCommand(t, environ, "worker", "-channels", "email")
	p := testclient.New(t, api.Await(t, `"http_addr":"([^"]+)"`), sandboxAddr)
	journey := testclient.Journey{
		Username: "韩梅梅_2026", Password: "a long enough secret", Mobile: "13900139000", Email: "hmm@example.cn",
	}
	p.Walk(journey)
	everything := []byte(api.Output() + sms.Output() + email.Output())
	found := testkit.FindSecrets(everything, journey.Password, journey.Mobile, journey.Email,
		p.ReadCode(journey.Mobile, 1), p.ReadCode(journey.Mobile, 2), p.ReadToken(journey.Email, 1))
	if len(found) > 0 {
		t.Errorf("logs at debug level show %q", found)
	}
	// On a busy machine a process may be too slow for its task; then it has been started all the same.
	if said := api.Output(); strings.Contains(said, "hash process failed") && !strings.Contains(said, "so it was ended") {
		t.Error("passwords are not hashed in processes of their own")
	}
	if code, said := testkit.RunCommand(t, environ, "admin", "doctor"); code != 0 {
		t.Errorf("admin doctor: exit %d\n%s", code, said)
	}
	for name, process := range map[string]*testkit.Program{"api": api, "worker sms": sms, "worker email": email} {
		if err := process.Stop(syscall.SIGTERM); err != nil {
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
			code, said := testkit.RunCommand(t, maps.Clone(wrong), command)
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
			if code, said := testkit.RunCommand(t, nil, command, "-h"); code != 0 || !strings.Contains(strings.ToLower(said), "usage") {
				t.Errorf("%s -h: exit %d\n%s", command, code, said)
			}
			if code, said := testkit.RunCommand(t, nil, command, "-nonsense"); code != 2 || said == "" {
				t.Errorf("%s -nonsense: exit %d\n%s", command, code, said)
			}
		})
	}
}
