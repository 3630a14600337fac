package prove_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"usher/internal/testkit"
)

// planted is put everywhere where something could leak, and must be found there. A letter makes it a request's id, which digits alone are not.
const planted = "p13712345678"

// Row 15: of all secrets that a run deals in none can be read anywhere but by whom it is meant for.
func TestRow15_no_secret_is_readable_anywhere(t *testing.T) {
	t.Parallel()
	r := newRow(t, 15, "search for every code, password, token, cookie, captcha answer, key, number and address of a run")
	d := newDeployment(t, plan{apis: 1, sms: 1, email: 1, environ: map[string]string{
		"USHER_LOG_LEVEL": "debug", "OTEL_TRACES_EXPORTER": "console",
		"USHER_CAPTCHA_KIND": "letters", "USHER_CAPTCHA_LENGTH": "8", "USHER_CAPTCHA_WIDTH": "240",
		"USHER_REPORT_SECRET": "a-report-secret-0123", "USHER_OPS_TOKEN": "an-operators-token-0123", "USHER_SEND_TIMEOUT": "1s",
		"OTEL_BSP_SCHEDULE_DELAY": "100",
		"USHER_LIMITS":            noLimits + noLoginLimits,
	}})
	monitor := d.monitor()
	d.up()
	s := newSearch(d, monitor)
	for i := range size(3, 10) {
		s.live(i)
	}
	s.fail()
	s.plant()
	places := s.places()
	crashes := s.crash()
	for name, text := range crashes {
		if !bytes.Contains(text, []byte("goroutine ")) {
			t.Errorf("%s left no stacks: %.300s", name, text)
		}
		places[name] = text
	}
	s.scan(places)
	r.tried("%d secrets in %d KiB from %d places", len(s.secrets)+len(s.codes)+len(s.captchas), s.searched>>10, len(places))
	r.exactly("hits", s.hits, 0)
	r.exactly("places where a planted secret was not found", s.blind, 0)
}

// search is a run's secrets, and whatever could show them.
type search struct {
	*witness

	d       *deployment
	ops     map[string]string // addresses of operations ports
	monitor *testkit.Buffer

	codes    []string // six digits, which any number could be: see anyNumber
	captchas []string // lie open in Redis for as long as they are worth something
	hits     int
	blind    int // places in which what was planted was not found
	searched int // bytes
}

func newSearch(d *deployment, monitor *testkit.Buffer) *search {
	d.t.Helper()
	s := &search{witness: newWitness(d.t, d.parts["api1"].addr), d: d, monitor: monitor, ops: map[string]string{
		"api1":   d.parts["api1"].program.Await(d.t, `"ops_addr":"([^"]+)"`),
		"sms1":   d.parts["sms1"].addr,
		"email1": d.parts["email1"].addr,
	}}
	for _, variable := range []string{
		"USHER_ALIYUN_ACCESS_KEY_SECRET", "USHER_RONGLIAN_AUTH_TOKEN", "USHER_TENCENT_SECRET_KEY", "USHER_SMTP_PASSWORD", "USHER_REPORT_SECRET", "USHER_OPS_TOKEN",
	} {
		s.secrets = append(s.secrets, d.environ[variable])
	}
	_, key, _ := strings.Cut(d.environ["USHER_SECRET_KEYS"], ":")
	s.secrets = append(s.secrets, key)
	return s
}

// live goes through everything that a person does, right and wrong.
func (s *search) live(i int) {
	s.t.Helper()
	name, mobile := fmt.Sprintf("person_%d", i), fmt.Sprintf("137%08d", 45_000_000+i)
	address := fmt.Sprintf("person-%d@mail-%d.example.com", i, i)
	first, second, wrong := fmt.Sprintf("first password %d", i), fmt.Sprintf("second password %d", i), fmt.Sprintf("mistyped password %d", i)
	s.secrets = append(s.secrets, mobile, address, first, second, wrong)

	id, code := s.code(mobile, "register")
	s.post(http.StatusOK, "/v1/sms-codes/check", map[string]any{"sms_code_id": id, "mobile": mobile, "code": "000000", "purpose": "register"})
	s.post(http.StatusOK, "/v1/sms-codes/check", map[string]any{"sms_code_id": id, "mobile": mobile, "code": code, "purpose": "register"})
	s.key = fmt.Sprintf("an-idempotency-key-%d", i)
	s.post(http.StatusCreated, "/v1/registrations", map[string]any{
		"username": name, "password": first, "password_repeat": first, "agree": true,
		"mobile": mobile, "sms_code_id": id, "sms_code": code, "email": address,
	})
	s.key = ""
	token := s.mailed(address, 1)
	s.secrets = append(s.secrets, token)
	s.post(http.StatusOK, "/v1/activations", map[string]any{"token": token})
	s.do(http.StatusOK, http.MethodGet, "/v1/sessions", nil)
	s.do(http.StatusOK, http.MethodGet, "/account", nil)
	s.do(http.StatusOK, http.MethodDelete, "/v1/sessions/current", nil)
	s.post(http.StatusUnauthorized, "/v1/sessions", map[string]any{"login": address, "password": wrong})
	s.post(http.StatusUnauthorized, "/v1/sessions", map[string]any{"login": mobile, "password": wrong})
	s.post(http.StatusCreated, "/v1/sessions", map[string]any{"login": name, "password": first, "remember": true})
	s.do(http.StatusOK, http.MethodPut, "/v1/account/password",
		map[string]any{"password_current": first, "password": second, "password_repeat": second})
	undo, third := s.mailed(address, 2), fmt.Sprintf("third password %d", i)
	s.secrets = append(s.secrets, undo, third)
	s.do(http.StatusOK, http.MethodGet, "/undo?token="+undo[:len(undo)-1], nil)
	s.post(http.StatusOK, "/v1/account-changes/undo", map[string]any{"token": undo, "password": third, "password_repeat": third})

	s.mailCode(i)

	// What does not belong there: a number as a user name, in a path, as a kind, in a body that is cut off.
	s.post(0, "/v1/registrations", map[string]any{"username": mobile, "password": first, "agree": true, "email": mobile})
	s.post(0, "/v1/captchas", map[string]any{"kind": mobile})
	s.do(http.StatusNotFound, http.MethodGet, "/v1/"+mobile, nil)
	s.do(0, http.MethodGet, "/activate?token="+token[:len(token)-1], nil)
	s.do(0, http.MethodGet, "/v1/sms-codes/"+mobile, nil)
	s.do(http.StatusNotFound, http.MethodPost, "/v1/reports/aliyun/"+mobile, nil)
	s.post(http.StatusAccepted, "/v1/activations/resend", map[string]any{"email": address})
}

// fail lets messages be refused, lost and delayed, so that queues and logs hold their errors.
func (s *search) fail() {
	s.t.Helper()
	for _, ending := range []string{"990003", "990004", "990005", "990007", "990008"} {
		mobile := "13645" + ending
		s.secrets = append(s.secrets, mobile)
		s.promise(mobile, "login")
	}
	s.d.faults(partMail, map[string]any{"smtp": map[string]any{"code": "554"}})
	address := "refused-person@mail.example.com"
	s.secrets = append(s.secrets, address)
	s.post(http.StatusCreated, "/v1/registrations", s.captcha(map[string]any{
		"username": "refused_person", "password": "a refused password", "password_repeat": "a refused password", "agree": true, "email": address,
	}))
	client := s.d.redis()
	defer func() { _ = client.Close() }()
	testkit.Eventually(s.t, patience, func() bool {
		ctx := s.t.Context()
		return client.ZCard(ctx, "asynq:{sms}:archived").Val() > 0 && client.ZCard(ctx, "asynq:{sms}:retry").Val() > 0 &&
			client.ZCard(ctx, "asynq:{email}:archived").Val() > 0
	}, "there are archived tasks, and some to be tried again")
	s.d.faults(partMail, map[string]any{"smtp": nil})
}

// anyNumber is what is no text: fractions, and values of JSON, of metrics and of settings. A code is never one.
var anyNumber = regexp.MustCompile(`\.\d+|":-?\d+|(?m) \d+$|:\d+\b|=\d+\b`)

// scan counts the secrets that show, and the places that do not even show what was planted.
func (s *search) scan(places map[string][]byte) {
	s.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(places)) {
		text := places[name]
		if len(text) < 100 {
			s.t.Errorf("%s holds next to nothing: %q", name, text)
		}
		s.searched += len(text)
		found := testkit.FindSecrets(text, s.secrets...)
		found = append(found, testkit.FindSecrets(anyNumber.ReplaceAll(text, []byte(" n ")), s.codes...)...)
		if !strings.HasPrefix(name, "Redis") {
			found = append(found, testkit.FindSecrets(text, s.captchas...)...)
		}
		s.hits += len(found)
		if len(testkit.FindSecrets(text, planted)) == 0 {
			s.t.Errorf("what was planted is not found in %s (%d bytes)", name, len(text))
			s.blind++
		}
		for _, hit := range found {
			s.t.Errorf("%s: %s", name, hit)
		}
	}
}

// crash makes every process print its stacks under load, and returns what they printed.
func (s *search) crash() map[string][]byte {
	s.t.Helper()
	stop := s.burden()
	defer stop()
	places := map[string][]byte{}
	for name, signal := range map[string]syscall.Signal{"sms1": syscall.SIGQUIT, "email1": syscall.SIGABRT, "api1": syscall.SIGQUIT} {
		program := s.d.parts[name].program
		before := len(program.Output())
		_ = program.Stop(signal) // its error says so
		places["crash of "+name] = append([]byte(program.Output()[before:]), s.leak...)
	}
	return places
}
