package app_test

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/app/front"
	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/secrets"
)

// deployAPI is deploy without a worker: what is queued stays there.
func deployAPI(t *testing.T, settings map[string]string) *deployment {
	t.Helper()
	fakes := startSandbox(t)
	d := &deployment{sandbox: fakes, environ: environment(t, fakes, testkit.Redis(t), testkit.SQLite(t))}
	maps.Copy(d.environ, settings)
	d.migrate(t)
	logger, log := testkit.Logger(t)
	d.log = log
	d.startAPI(t, logger)
	return d
}

// code derives the digits of an issued code, which only who has the keys can.
func (d *deployment) code(t *testing.T, id, mobile, purpose string) string {
	t.Helper()
	settings, err := front.Load(d.environ)
	if err != nil {
		t.Fatal(err)
	}
	code, err := settings.Keys.Code(secrets.Derivation{
		KeyID: settings.Keys.SigningID(), ID: id, To: mobile, Purpose: purpose, Length: 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// get reads a page of the operations port.
func (d *deployment) get(t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.api.OpsAddr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
	}
	return text
}

// loot is all that a thief of both stores and an onlooker of the operations port gets.
func (d *deployment) loot(t *testing.T) []byte {
	t.Helper()
	var all bytes.Buffer
	options, err := redis.ParseURL(d.environ["USHER_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	all.Write(testkit.DumpRedis(t, client))
	file := strings.TrimPrefix(d.environ["USHER_DATABASE_URL"], "sqlite:")
	for _, name := range []string{file, file + "-wal"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, path := range []string{
		"/metrics", "/readyz", "/queues/api/queues", "/queues/api/queues/sms/pending_tasks", "/queues/api/queues/email/pending_tasks",
		"/queues/api/queues/sms/completed_tasks", "/queues/api/queues/email/completed_tasks",
	} {
		all.Write(d.get(t, path))
	}
	return all.Bytes()
}

// cookieOf is the token of the session that an answer starts.
func cookieOf(t *testing.T, answer testclient.Answer) string {
	t.Helper()
	cookie, err := http.ParseSetCookie(answer.Header.Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	return cookie.Value
}

func TestTheft_of_both_stores_opens_nothing(t *testing.T) {
	t.Parallel()
	d := deployAPI(t, nil)
	p := d.person(t)
	j := lilei()
	spent := d.code(t, p.AskCode(j.Mobile, "register"), j.Mobile, "register")
	session := p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": j.Username, "password": j.Password, "password_repeat": j.Password, "agree": true,
		"mobile": j.Mobile, "sms_code": spent, "email": j.Email,
	})
	const wrong = "a wrong password"
	p.Must(http.StatusUnauthorized, http.MethodPost, "/v1/sessions", map[string]any{"login": j.Email, "password": wrong})
	const stranger = "13900139000"
	live := d.code(t, p.AskCode(stranger, "login"), stranger, "login")
	p.Must(http.StatusOK, http.MethodPost, "/v1/sms-codes/check",
		map[string]any{"mobile": stranger, "code": live, "purpose": "login"})
	p.Must(http.StatusOK, http.MethodGet, "/v1/mobiles/"+stranger, nil)

	queued := d.loot(t)
	logger, _ := testkit.Logger(t)
	d.startWorker(t, logger)
	token := p.ReadToken(j.Email, 1)
	if sent := p.ReadCode(stranger, 1); sent != live {
		t.Fatalf("the code that arrived is not the one that was derived")
	}
	hidden := []string{
		j.Mobile, stranger, j.Email, j.Password, wrong, spent, live, token, cookieOf(t, session),
		d.environ["USHER_SECRET_KEYS"][len("t1:"):],
	}
	for moment, loot := range map[string][]byte{"queued": queued, "sent": d.loot(t), "log": d.log.Bytes()} {
		if found := testkit.FindSecrets(loot, hidden...); len(found) > 0 {
			t.Errorf("%s: the loot shows %q", moment, found)
		}
	}
	for _, part := range []string{"asynq:{sms}", "asynq:{email}", ":code:", ":session", ":window:", "138****8000", j.Username, "argon2id"} {
		if !bytes.Contains(queued, []byte(part)) {
			t.Errorf("the loot lacks %q, so it proves nothing", part)
		}
	}
	if found := testkit.FindSecrets(append(queued, hidden[0]...), hidden...); len(found) != 1 {
		t.Errorf("a planted number was found %d times", len(found))
	}
}

// converse sends text on a connection of its own and returns all that comes back until the server ends it;
// done is false when it does not within the time.
func converse(t *testing.T, addr, text string, within time.Duration) (answer string, done bool) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, text) }() // the server may close the connection before it has read all
	all, err := io.ReadAll(conn)
	timeout, isNet := err.(net.Error) //nolint:errorlint // the connection's own error
	return string(all), !isNet || !timeout.Timeout()
}

func TestServer_ends_slow_and_huge_requests(t *testing.T) {
	t.Parallel()
	d := deployAPI(t, nil)
	const post = "POST /v1/sms-codes/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
	for name, test := range map[string]struct {
		text   string
		within time.Duration
		want   string // how the answer begins, if it was not lost with what the server did not read
	}{
		"headers that never end":  {"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", 9 * time.Second, ""},
		"a body that never ends":  {post + "Content-Length: 100\r\n\r\n{", 15 * time.Second, "HTTP/1.1 4"},
		"headers of 20 KiB":       {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 5 * time.Second, "HTTP/1.1 431"},
		"a body of 1 MiB":         {post + "Content-Length: 1048576\r\n\r\n" + strings.Repeat(" ", 1<<20), 5 * time.Second, "HTTP/1.1 413"},
		"a chunk of 1 MiB":        {post + "Transfer-Encoding: chunked\r\n\r\n100000\r\n" + strings.Repeat(" ", 1<<20), 5 * time.Second, "HTTP/1.1 413"},
		"a body packed with gzip": {post + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", 5 * time.Second, "HTTP/1.1 4"},
		"two lengths":             {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 5 * time.Second, "HTTP/1.1 400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, done := converse(t, d.api.HTTPAddr(), test.text, test.within)
			if !done {
				t.Errorf("the connection is still open after %v", test.within)
			}
			if answer != "" && !strings.HasPrefix(answer, test.want) {
				t.Errorf("the answer is %.300q, want %q", answer, test.want)
			}
		})
	}
}

func TestDashboard_changes_nothing_unless_told_and_never_for_strangers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		write, site string
		want        int
	}{
		"read-only by default":            {"false", "same-origin", http.StatusMethodNotAllowed},
		"an operator who may":             {"true", "same-origin", http.StatusNoContent},
		"a strange page in their browser": {"true", "cross-site", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployAPI(t, map[string]string{"USHER_OPS_WRITE": test.write})
			d.person(t).AskCode("13800138000", "login") // else there is no queue
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				"http://"+d.api.OpsAddr()+"/queues/api/queues/sms:pause", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Sec-Fetch-Site", test.site)
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != test.want {
				t.Errorf("got %d, want %d", response.StatusCode, test.want)
			}
		})
	}
}

func TestBudget_is_shown_and_kept(t *testing.T) {
	t.Parallel()
	d := deployAPI(t, map[string]string{"USHER_SMS_BUDGET_YUAN": "0.1", "USHER_SMS_PRICE_YUAN": "0.05"})
	p := d.person(t)
	p.AskCode("13800138000", "login")
	for _, want := range []string{`usher_limits_allowed{limit="sms_budget_day"} 2`, `usher_limits_left{limit="sms_budget_day"} 1`, `usher_sms_codes_issued_total{purpose="login"} 1`} {
		if text := d.get(t, "/metrics"); !bytes.Contains(text, []byte(want)) {
			t.Errorf("/metrics lacks %q:\n%s", want, text)
		}
	}
	if log := d.log.String(); !strings.Contains(log, `"msg":"budget for SMS","codes_in_24h":2,"of_them_for_unknown_networks":2,`) {
		t.Errorf("the log does not tell the budget:\n%s", log)
	}
	p.AskCode("13900139000", "login")
	refused := p.Do(http.MethodPost, "/v1/sms-codes", p.Captcha(map[string]any{"mobile": "13700137000", "purpose": "login"}))
	if refused.Status != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" {
		t.Errorf("past the budget: %d %s", refused.Status, refused.Body)
	}
	if text := d.get(t, "/metrics"); !bytes.Contains(text, []byte(`usher_limits_refused_total{limit="sms_budget_day"} 1`)) {
		t.Errorf("/metrics does not tell who refused:\n%s", text)
	}
}

func TestWrong_codes_of_all_are_shown_and_bounded(t *testing.T) {
	t.Parallel()
	d := deployAPI(t, map[string]string{"USHER_LIMITS": "code_wrong_all=1/24h", "USHER_SMS_BUDGET_YUAN": "10000"})
	p := d.person(t)
	const mobile = "13800138000"
	code := d.code(t, p.AskCode(mobile, "login"), mobile, "login")
	guess := map[string]any{"mobile": mobile, "purpose": "login", "code": "000000"}
	if code == "000000" {
		guess["code"] = "000001"
	}
	for _, want := range []int{http.StatusOK, http.StatusOK, http.StatusUnprocessableEntity} { // the first, one of all, no other
		p.Must(want, http.MethodPost, "/v1/sms-codes/check", guess)
	}
	for _, want := range []string{`usher_limits_allowed{limit="code_wrong_all"} 1`, `usher_limits_left{limit="code_wrong_all"} 0`} {
		if text := d.get(t, "/metrics"); !bytes.Contains(text, []byte(want)) {
			t.Errorf("/metrics lacks %q:\n%s", want, text)
		}
	}
	if log := d.log.String(); !strings.Contains(log, `"codes may be guessed more than once a year`) {
		t.Errorf("the log does not warn of a budget too large for six digits:\n%s", log)
	}
	small := deployAPI(t, map[string]string{"USHER_SMS_BUDGET_YUAN": "45", "USHER_SMS_PRICE_YUAN": "0.045"})
	if text := small.get(t, "/metrics"); !bytes.Contains(text, []byte(`usher_limits_allowed{limit="code_wrong_all"} 1939`)) {
		t.Errorf("/metrics does not tell the bound of a small site:\n%s", text)
	}
	if log := small.log.String(); strings.Contains(log, "codes may be guessed") {
		t.Errorf("the log warns of a small site:\n%s", log)
	}
}

func TestBudget_is_on_by_default_and_warned_of_when_it_is_off(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"":    `"msg":"budget for SMS","codes_in_24h":1000,"of_them_for_unknown_networks":800,"codes_in_1h":300,"yuan_in_24h":45}`,
		"0":   `"level":"WARN","msg":"no budget for SMS`,
		"off": `"level":"WARN","msg":"no budget for SMS`,
	} {
		d := deployAPI(t, map[string]string{"USHER_SMS_BUDGET_YUAN": setting})
		if log := d.log.String(); !strings.Contains(log, want) {
			t.Errorf("USHER_SMS_BUDGET_YUAN=%s: the log lacks %s:\n%s", setting, want, log)
		}
	}
}

func TestLimits_only_recorded_are_counted_and_logged(t *testing.T) {
	t.Parallel()
	d := deployAPI(t, map[string]string{"USHER_LIMITS": "sms_total=1/1h", "USHER_LIMITS_MODE": "record"})
	p := d.person(t)
	p.AskCode("13800138000", "login")
	p.AskCode("13900139000", "login")
	if text := d.get(t, "/metrics"); !bytes.Contains(text, []byte(`usher_limits_recorded_total{limit="sms_total"} 1`)) {
		t.Errorf("/metrics does not tell what would have been refused:\n%s", text)
	}
	if !strings.Contains(d.log.String(), `"msg":"limit would refuse","limit":"sms_total"`) {
		t.Error("the log does not tell it")
	}
}
