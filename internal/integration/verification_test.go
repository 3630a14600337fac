package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// debianPython has Django and requests in Debian. Another python3 may come first in PATH.
const debianPython = "/usr/bin/python3"

// verifier is a running cmd/dev with an app.
type verifier struct {
	url, key string
	inbox    *testclient.Client
	database string
	program  *testkit.Program
}

// startVerifier starts cmd/dev on a database of its own and makes an app by the operators' command.
func startVerifier(t *testing.T) *verifier {
	t.Helper()
	environ := testkit.PatientTimes()
	environ["USHER_DATABASE_URL"] = testkit.SQLite(t)
	environ["USHER_SECRET_KEYS"] = "t1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	program := testkit.StartCommand(t, environ, "dev", "-http", "127.0.0.1:0", "-ops", "127.0.0.1:0", "-sandbox", "127.0.0.1:0", "-smtp", "127.0.0.1:0")
	api := "127.0.0.1" + program.Await(t, `Sign up +http://localhost(:\d+)/register`)
	code, out := testkit.RunCommand(t, environ, "admin", "apps", "create", "-name", "小店", "-scopes", "verify:start,verify:check", "-json")
	var made struct{ ID, Key string }
	if err := json.Unmarshal([]byte(out), &made); code != 0 || err != nil {
		t.Fatalf("admin apps create: %d, %v: %s", code, err, out)
	}
	return &verifier{
		url: "http://" + api, key: made.Key, database: environ["USHER_DATABASE_URL"], program: program,
		inbox: testclient.New(t, api, program.Await(t, `Inbox +http://(\S+)/inbox`)),
	}
}

// codeOf finds a code in a message: six digits by SMS, eight by mail on a line of their own.
var codeOf = regexp.MustCompile(`(?m)(?:^ {4}(\d{8})$)|\b(\d{6})\b`)

// read waits for the only message to a number or an address and returns its code and text.
func (v *verifier) read(t *testing.T, to string) (code, text string) {
	t.Helper()
	var messages []testclient.Message
	testkit.Eventually(t, time.Minute, func() bool { messages = v.inbox.Inbox(to); return len(messages) > 0 }, "nothing came to %s", to)
	text = messages[0].Text
	if code = messages[0].Code; code == "" {
		found := codeOf.FindStringSubmatch(strings.ReplaceAll(text, "\r", ""))
		if found == nil {
			t.Fatalf("no code in %q", text)
		}
		code = found[1] + found[2]
	}
	return code, text
}

// wantNoSecrets searches Usher's database and what the program printed.
func (v *verifier) wantNoSecrets(t *testing.T, secrets ...string) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), v.database, sqlstore.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var hashes, masks []string
	if err := db.Unwrap().Select(&hashes, "select id || hash from app_keys"); err != nil || len(hashes) != 1 {
		t.Fatal(hashes, err)
	}
	if err := db.Unwrap().Select(&masks, "select id || purpose || to_masked from messages"); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(append(hashes, masks...), "\n") + v.program.Output()
	if found := testkit.FindSecrets([]byte(all), append(secrets, v.key, v.key[13:45])...); found != nil {
		t.Errorf("database or log show %v", found)
	}
}

// djangoServer serves the project of docs/examples/django by its WSGI application, on a port from the kernel.
const djangoServer = `
import os, sys
from wsgiref.simple_server import make_server
os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'
from django.core.wsgi import get_wsgi_application
server = make_server('127.0.0.1', 0, get_wsgi_application())
print('listening on %d' % server.server_port, flush=True)
server.serve_forever()
`

// startDjango migrates and serves the example project.
func startDjango(t *testing.T, v *verifier) *djangoClient {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), debianPython, "-c", "import django, requests").CombinedOutput(); err != nil {
		if os.Getenv("USHER_TEST_REAL") == "1" {
			t.Fatalf("python3-django or python3-requests is missing: %s", out)
		}
		t.Skip("python3-django or python3-requests is missing")
	}
	project, err := filepath.Abs("../../docs/examples/django")
	if err != nil {
		t.Fatal(err)
	}
	environ := map[string]string{
		"USHER_URL": v.url, "USHER_APP_KEY": v.key, "DJANGO_SECRET_KEY": "for this test", "PYTHONPATH": project, "PYTHONDONTWRITEBYTECODE": "1",
		"DJANGO_DATABASE": filepath.Join(t.TempDir(), "django.sqlite3"), "PYTHONIOENCODING": "utf-8",
	}
	migrate := testkit.StartProgram(t, environ, debianPython, filepath.Join(project, "manage.py"), "migrate", "-v0")
	if code, out := migrate.AwaitEnd(t); code != 0 {
		t.Fatalf("migrate: %d: %s", code, out)
	}
	server := testkit.StartProgram(t, environ, debianPython, "-c", djangoServer)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &djangoClient{t: t, url: "http://127.0.0.1:" + server.Await(t, `listening on (\d+)`), client: &http.Client{Jar: jar, Timeout: time.Minute}}
}

// djangoClient is a browser on the pages of the project.
type djangoClient struct {
	t      *testing.T
	url    string
	client *http.Client
}

// ask sends JSON, with the token against forged requests that a GET has set before, and returns the answer.
func (c *djangoClient) ask(path string, form map[string]string, want int) map[string]any {
	c.t.Helper()
	method, body := http.MethodGet, []byte(nil)
	if form != nil {
		method = http.MethodPost
		body, _ = json.Marshal(form) // a map of texts
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	address, _ := url.Parse(c.url)
	for _, cookie := range c.client.Jar.Cookies(address) {
		if cookie.Name == "csrftoken" {
			request.Header.Set("X-CSRFToken", cookie.Value)
		}
	}
	response, err := c.client.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	answer := map[string]any{}
	if err != nil || response.StatusCode != want || json.Unmarshal(text, &answer) != nil {
		c.t.Fatalf("%s: %d, want %d: %v: %s", path, response.StatusCode, want, err, text)
	}
	return answer
}

func TestDjango_proves_numbers_and_addresses_of_its_own_users(t *testing.T) {
	t.Parallel()
	v := startVerifier(t)
	c := startDjango(t, v)
	const mobile, email = "13800138000", "li.lei@example.com"
	c.ask("/", nil, 200)

	if refused := fmt.Sprint(c.ask("/sms_codes/", map[string]string{"mobile": "12345"}, 400)["error"]); !strings.Contains(refused, "to") {
		t.Errorf("a wrong number: %s", refused)
	}
	c.ask("/sms_codes/", map[string]string{"mobile": mobile}, 200)
	code, _ := v.read(t, mobile)
	registration := map[string]string{"username": "lilei", "password": "correct horse battery", "sms_code": "000000", "mobile": "13900139000"}
	if code == "000000" {
		registration["sms_code"] = "000001"
	}
	c.ask("/register/", registration, 400)
	registration["sms_code"] = code
	if got := c.ask("/register/", registration, 201); got["user"] != "lilei" || got["mobile"] != mobile {
		t.Errorf("registered %v, want the number that the code was sent to", got)
	}
	registration["username"] = "hanmeimei"
	c.ask("/register/", registration, 400) // the code is used

	c.ask("/email_codes/", map[string]string{"email": email}, 200)
	mailed, text := v.read(t, email)
	if !strings.Contains(text, "「小店」") || strings.Contains(text, "http") {
		t.Errorf("the mail does not name the app, or has a link:\n%s", text)
	}
	c.ask("/email/", map[string]string{"code": mailed}, 200)
	if got := c.ask("/", nil, 200); got["user"] != "lilei" || got["mobile"] != mobile || got["email_active"] != true {
		t.Errorf("the user is %v", got)
	}
	v.wantNoSecrets(t, mobile, email, code, mailed)
}

func TestCurl_proves_a_number(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("USHER_TEST_REAL") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	v := startVerifier(t)
	const mobile = "13800138001"
	run := exec.CommandContext(t.Context(), "../../docs/examples/verify.sh", v.url, mobile)
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "USHER_APP_KEY=" + v.key}
	var out, errs bytes.Buffer
	run.Stdout, run.Stderr = &out, &errs
	answer, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	code, _ := v.read(t, mobile)
	_, _ = io.WriteString(answer, code+"\n")
	_ = answer.Close()
	if err := run.Wait(); err != nil || !strings.Contains(out.String(), `"approved":true`) || !strings.Contains(errs.String(), "138****8001") {
		t.Errorf("verify.sh: %v\n%s%s", err, &out, &errs)
	}

	wrong := exec.CommandContext(t.Context(), "../../docs/examples/verify.sh", v.url, mobile)
	wrong.Env = []string{"PATH=" + os.Getenv("PATH"), "USHER_APP_KEY=" + v.key[:51] + "!"}
	if out, err := wrong.CombinedOutput(); err == nil || !strings.Contains(string(out), "4401") {
		t.Errorf("verify.sh with a wrong key: %v\n%s", err, out)
	}
	v.wantNoSecrets(t, mobile, code)
}
